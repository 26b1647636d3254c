"""What a model says: a callable that is asked, whether it is plain or a coroutine function.

The platform has no model of its own. ``echo`` answers by default; who embeds the platform, or
serves it with ``--runner module:function``, has another asked. It runs inside the platform, with
everything that the platform may do.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias, cast

import attrs

from quatrain.errors import ConfigError
from quatrain.server.callables import CallFailedError, called, imported, one_line

_log: Final = logging.getLogger("quatrain.server.velerian")

ECHO: Final = "echo"
"""The name of ``echo``, for who has to give one."""
MAX_OUTPUT: Final = 1_000_000
"""Characters of an answer; more is taken for a mistake."""


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
        answer = await called(runner, request, thread="quatrain-runner")
    except CallFailedError as exc:
        raise _failed(request, exc.reason) from exc.reason
    return _text(request, answer)


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
