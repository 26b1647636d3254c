"""What a model says: a callable that is asked, whether it is plain or a coroutine function.

The platform has no model of its own. ``echo`` answers by default; who embeds the platform, or
serves it with ``--runner module:function``, has another asked. It runs inside the platform, with
everything that the platform may do.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

import attrs

from quatrain.errors import ConfigError

T = TypeVar("T")

_log: Final = logging.getLogger("quatrain.server.velerian")

ECHO: Final = "echo"
"""The name of ``echo``, for who has to give one."""
MAX_OUTPUT: Final = 1_000_000
"""Characters of an answer; more is taken for a mistake."""
_MAX_REASON: Final = 500


@attrs.frozen(kw_only=True)
class Request:
    """What a model is asked, and by which ABP or network."""

    kind: Literal["abp", "network"]
    name: str
    """The ABP's id, or the network's slug."""
    prompt: str
    payload: dict[str, Any] = attrs.field(factory=dict, repr=False)
    """An invocation's payload; of a network, what its policy was asked about."""
    metadata: dict[str, Any] | None = attrs.field(default=None, repr=False)
    """What came with a network's prompt."""
    model_id: str | None = None
    """The network's model; an ABP names none."""


Runner: TypeAlias = Callable[[Request], Awaitable[str] | str]
"""Answers with the model's words. Whatever it raises is the model's error: it ends the run."""


class ModelFailedError(Exception):
    """The runner gave no answer. Its text is one line, for ``model_error`` and ``error``."""


def echo(request: Request) -> str:
    """Answer the prompt itself: the same to the same, on every machine."""
    return request.prompt


def load(name: str) -> Runner:
    """The callable that ``module:function`` names, or ``echo``; raises ConfigError."""
    if name == ECHO:
        return echo
    return checked(imported(name, "runner"))


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


def checked(runner: Any) -> Runner:
    """*runner*, when it can be called with a request; raises ConfigError."""
    if not callable(runner):
        raise ConfigError(f"runner {one_line(repr(runner))} can't be called")
    try:
        inspect.signature(runner).bind(None)
    except TypeError as exc:
        raise ConfigError(f"the runner does not take one request: {one_line(str(exc))}") from exc
    except ValueError:  # something built in that does not tell
        pass
    return cast("Runner", runner)


async def run(runner: Runner, request: Request) -> str:
    """What the model says. A plain runner is called in a thread of its own.

    Raises ModelFailedError for whatever goes wrong; how, with its traceback, is logged. Being
    cancelled ends a coroutine; a plain runner goes on in its thread, and nobody hears it out.
    """
    try:
        if inspect.iscoroutinefunction(runner):
            answer = await runner(request)
        else:
            answer = await in_thread(lambda: runner(request))
            if inspect.isawaitable(answer):  # a callable object may not tell what it is
                answer = await answer
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _failed(request, exc) from exc  # something of the runner's own was cancelled
    except (Exception, SystemExit) as exc:
        raise _failed(request, exc) from exc
    return _text(request, answer)


def one_line(reason: BaseException | str) -> str:
    """An exception, or a text, in one line of printable characters that is not too long."""
    if isinstance(reason, BaseException):
        try:
            text = str(reason)
        except Exception:  # noqa: BLE001 - its __str__ is the runner's code, too
            text = ""
        kind = type(reason).__name__
        reason = f"{kind}: {text}" if text.strip() else kind
    words = " ".join(reason.split())
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in words)
    return shown if len(shown) <= _MAX_REASON else f"{shown[: _MAX_REASON - 1]}…"


def _text(request: Request, answer: Any) -> str:
    if not isinstance(answer, str):
        return _refuse(request, f"the runner answered {type(answer).__name__}, and no text")
    if len(answer) > MAX_OUTPUT:
        return _refuse(request, f"the runner answered more than {MAX_OUTPUT:,} characters")
    try:
        answer.encode()
    except UnicodeEncodeError:
        return _refuse(request, "the runner's answer holds half of a surrogate pair")
    if "\0" in answer:  # of the databases that this is kept in, not all take it
        return _refuse(request, "the runner's answer holds a NUL character")
    return answer


def _refuse(request: Request, reason: str) -> str:
    _log.warning("%s %s: %s", request.kind, request.name, reason)
    raise ModelFailedError(reason)


def _failed(request: Request, exc: BaseException) -> ModelFailedError:
    _log.warning("%s %s: the runner failed", request.kind, request.name, exc_info=exc)
    return ModelFailedError(one_line(exc))


async def in_thread(call: Callable[[], T], *, name: str = "quatrain-runner") -> T:
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
