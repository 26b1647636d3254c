"""OpenTelemetry spans, when ``opentelemetry-api`` is installed; nothing otherwise."""

from __future__ import annotations

import contextlib
import functools
import importlib
from contextlib import AbstractContextManager
from typing import Any

from ._version import __version__


@functools.lru_cache(maxsize=1)
def _trace() -> Any:
    try:
        return importlib.import_module("opentelemetry.trace")
    except ImportError:
        return None


def span(name: str, **attributes: str | int | None) -> AbstractContextManager[Any]:
    """A span around a block; attributes that are None are left out.

    Names: ``quatrain.<area>.<what>``; attributes: ``quatrain.<name>``.
    """
    if (trace := _trace()) is None:
        return contextlib.nullcontext()
    tracer = trace.get_tracer("quatrain", __version__)
    known = {f"quatrain.{key}": value for key, value in attributes.items() if value is not None}
    started: AbstractContextManager[Any] = tracer.start_as_current_span(name, attributes=known)
    return started
