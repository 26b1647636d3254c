"""Callables of whoever runs the platform: found by name, and called, plain ones or coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import inspect
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from quatrain.errors import ConfigError

T = TypeVar("T")

_MAX_REASON: Final = 500


class CallFailedError(Exception):
    """A callable raised, or cancelled something of its own: that is its ``reason``."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(repr(type(reason)))
        self.reason = reason


def imported(name: str, what: str) -> Any:
    """The object that ``module:path`` names; raises ConfigError, which calls it *what*."""
    module_name, _, path = name.partition(":")
    if not (module_name and path):
        kind = "function" if what == "runner" else "object"
        raise ConfigError(f"{what} {name!r} is not of the form module:{kind}")
    try:
        found: Any = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as exc:
        # whatever the module does when it is imported: it is the caller's, and can't be used
        raise ConfigError(f"{what} {name!r} can't be loaded: {one_line(exc)}") from exc
    return found


async def called(fn: Callable[..., Any], *args: Any, thread: str) -> Any:
    """What *fn* answers. A plain one is called in a thread of its own, which is named *thread*.

    Raises CallFailedError for whatever it raises. Being cancelled ends a coroutine; a plain one
    goes on in its thread, and nobody hears it out.
    """
    try:
        if inspect.iscoroutinefunction(fn):
            return await fn(*args)
        answer = await _in_thread(lambda: fn(*args), thread)
        if inspect.isawaitable(answer):  # a callable object may not tell what it is
            answer = await answer
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise CallFailedError(exc) from exc  # something of the callable's own was cancelled
    except (Exception, SystemExit) as exc:
        raise CallFailedError(exc) from exc
    return answer


def one_line(reason: BaseException | str) -> str:
    """An exception, or a text, in one line of printable characters that is not too long."""
    if isinstance(reason, BaseException):
        try:
            text = str(reason)
        except Exception:  # noqa: BLE001 - its __str__ is another's code, too
            text = ""
        kind = type(reason).__name__
        reason = f"{kind}: {text}" if text.strip() else kind
    words = " ".join(reason.split())
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in words)
    return shown if len(shown) <= _MAX_REASON else f"{shown[: _MAX_REASON - 1]}…"


async def _in_thread(call: Callable[[], T], name: str) -> T:
    """Like ``asyncio.to_thread``, in a thread that never keeps the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def settle(outcome: tuple[T | None, BaseException | None]) -> None:
        if not future.done():
            future.set_result(outcome)

    def work() -> None:
        outcome: tuple[T | None, BaseException | None]
        try:
            outcome = context.run(call), None
        except BaseException as exc:  # noqa: BLE001 - it is raised where it is waited for
            outcome = None, exc
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=work, name=name, daemon=True).start()
    answer, exc = await future
    if exc is not None:
        raise exc if isinstance(exc, Exception) else RuntimeError(one_line(exc))
    return answer  # type: ignore[return-value]  # T, when nothing was raised
