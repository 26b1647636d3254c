"""Velerian's arguments, checked, and its answers, read. No I/O. Source: contracts, Velerian."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from ._runtime._core import check_plain
from .errors.velerian import VelerianInputError
from .models.velerian import EvidenceExport, InvokeResult, Page, UsageSummary

if TYPE_CHECKING:
    from ._structure import Reader

T = TypeVar("T")
Row = dict[str, Any]

QUEUED: Final = {"async": "true"}
"""The query of an invocation that is to be queued, not waited for."""

# -- arguments ------------------------------------------------------------------------------------


def filled(name: str, value: Any) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise VelerianInputError(f"{name} has to be a string that is not empty")
    return value


def check_mapping(name: str, value: Any) -> Mapping[str, Any]:
    """What becomes a JSON object."""
    if not isinstance(value, Mapping):
        raise VelerianInputError(f"{name} has to be a mapping, not {type(value).__name__}")
    return value


def names(name: str, value: Any) -> list[str]:
    """Several texts; a single one is a mistake."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise VelerianInputError(f"{name} has to be a list of strings")
    return [filled(f"each of {name}", each) for each in value]


def count(name: str, value: Any, *, least: int) -> int:
    """A whole number, *least* or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise VelerianInputError(f"{name} has to be a whole number, {least} or more")
    return value


def time(name: str, value: str | datetime) -> str:
    """A time as ISO-8601 text."""
    from ._address import moment  # noqa: PLC0415 - with it comes the HTTP stack

    try:
        return moment(name, value)
    except ValueError as exc:
        raise VelerianInputError(str(exc)) from None


def query(**params: str | None) -> dict[str, str]:
    """A query's parameters; None is dropped."""
    for name, value in params.items():
        if not isinstance(value, str | None):
            raise VelerianInputError(f"{name} has to be a string")
    return {name: value for name, value in params.items() if value is not None}


def check_waits(poll_interval: Any, run_timeout: Any, on_progress: Any) -> None:
    """How a run is waited for."""
    for name, value in (("poll_interval", poll_interval), ("run_timeout", run_timeout)):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or math.isnan(value) or value < 0:
            raise VelerianInputError(f"{name} has to be a number of seconds")
    if not 0 < poll_interval < math.inf:
        raise VelerianInputError("poll_interval has to be above 0 and finite")
    _check_progress(on_progress)


def check_download(export: Any, to: Any, on_progress: Any, max_bytes: Any) -> None:
    """How an export is downloaded."""
    if not isinstance(export, EvidenceExport):
        raise VelerianInputError(f"export has to be an EvidenceExport, not {type(export).__name__}")
    if not isinstance(to, str | os.PathLike) or not _is_name(os.fspath(to)):
        raise VelerianInputError("to has to be a path")
    if max_bytes is not None:
        count("max_bytes", max_bytes, least=0)
    _check_progress(on_progress)


def _is_name(path: Any) -> bool:
    """Whether a file can have it: what can't is found out too late, at the download's end."""
    try:
        return isinstance(path, str) and b"\0" not in os.fsencode(path)
    except UnicodeError:
        return False


def _check_progress(on_progress: Any) -> None:
    try:
        if on_progress is not None:
            check_plain(on_progress)
    except TypeError as exc:
        raise VelerianInputError(f"on_progress {exc}") from None


# -- answers --------------------------------------------------------------------------------------


def invocation(answer: Any) -> InvokeResult:
    """What came of an invocation."""
    return _structured(answer, InvokeResult)


def export(answer: Any) -> EvidenceExport:
    """An export that can be downloaded."""
    return _structured(answer, EvidenceExport)


def usage(answer: Any) -> UsageSummary:
    """What has been used."""
    return _structured(answer, UsageSummary)


def page(answer: Any) -> Page[Row]:
    """A page of rows."""
    whole = row(answer)
    rows = whole.pop("items", None)
    if not isinstance(rows, list):
        raise _wrong("there is no list of items in it")
    if not all(isinstance(each, dict) for each in rows):
        raise _wrong("an item is no object")
    # the rows are as they came: to have each of them structured takes twice as long as its JSON
    return attrs.evolve(_structured({**whole, "items": []}, Page[Row]), items=rows, raw=answer)


def row(answer: Any) -> Row:
    """A row as it came."""
    if not isinstance(answer, Mapping):
        raise _wrong(f"expected an object, got {type(answer).__name__}")
    return dict(answer)


def run(answer: Any) -> Row:
    """A run; its status, where it has one, is text."""
    found = row(answer)
    if not isinstance(found.get("status"), str | None):
        raise _wrong(f"its status is a {type(found['status']).__name__}, and should be a string")
    return found


def queued_run(answer: Any) -> Row:
    """A run that has been queued: it has an id, by which it can be found again."""
    found = row(answer)
    if not isinstance(found.get("run_id"), str) or not found["run_id"].strip():
        raise _wrong("there is no run_id in it")
    return found


def items(key: str) -> Reader[list[Any]]:
    """Reads the list that an answer has under *key*; a null is an empty one."""
    filled("items_key", key)

    def read(answer: Any) -> list[Any]:
        found = row(answer)
        if key not in found:
            raise _wrong(f"there is no {key} in it")
        value = found[key]
        if value is not None and not isinstance(value, list):
            raise _wrong(f"{key} is a {type(value).__name__}, and should be a list")
        return value or []

    return read


def _structured(answer: Any, model: type[T]) -> T:
    from ._structure import SNAKE_CASE  # noqa: PLC0415 - cattrs comes with the first answer

    return SNAKE_CASE.structure(answer, model)


def _wrong(reason: str) -> Exception:
    from ._structure import WireError  # noqa: PLC0415

    return WireError(reason)
