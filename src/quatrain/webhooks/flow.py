"""How one request is dealt with: every decision in one generator, which does no I/O by itself.

It yields what has to be done, and two short drivers do it: ``drive`` for plain functions,
``adrive`` for coroutine functions, on asyncio and trio.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs

from .._runtime import _async, _sync
from .._runtime._core import NotRunnable, is_async_callable
from ..errors.velocity import ConfigError
from .events import WebhookEvent
from .seen import SeenStore, State

_log: Final = logging.getLogger("quatrain.webhooks")

Function: TypeAlias = Callable[..., Any]
Answer: TypeAlias = tuple[dict[str, Any], int]
Clock: TypeAlias = _sync.Clock | _async.Clock

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


@attrs.define
class Run:
    """Run a user's function; the answer does not matter."""

    function: Function
    argument: Any
    done: bool = False
    """It has come to its end, whatever was raised since: a thread outlasts a cancellation."""
    awaitable: bool = False
    """Its result turned out to be one: nothing has been done before that is awaited."""

    def __call__(self) -> Any:
        """Call it."""
        result = self.function(self.argument)
        self.awaitable = inspect.isawaitable(result)
        self.done = not self.awaitable
        return result


@attrs.define
class Ask:
    """Ask the store whether a delivery may be handled."""

    seen: SeenStore
    delivery_id: str
    state: State = "running"
    """Kept here too: the store's answer must not be lost when its asker is cancelled."""

    def __call__(self) -> State:
        """Ask."""
        self.state = self.seen.begin(self.delivery_id)
        return self.state


@attrs.define
class Tell:
    """Tell the store what became of a delivery, whatever happens meanwhile."""

    seen: SeenStore
    delivery_id: str
    handled: bool
    begun: bool = False

    def __call__(self) -> None:
        """Tell. That it can't be told changes no answer: a claim runs out, what was done stays."""
        self.begun = True
        try:
            self.seen.finish(self.delivery_id, handled=self.handled)
        except Exception:  # noqa: BLE001 - the store is the user's, too
            _log.exception("what became of delivery %r was not recorded", self.delivery_id)


@attrs.frozen
class Pause:
    """Wait, in seconds."""

    seconds: float


Step: TypeAlias = Run | Ask | Tell | Pause
Flow: TypeAlias = Generator[Step, Any, Answer]


def dispatch(
    event: WebhookEvent,
    runs: Sequence[Run],
    *,
    seen: SeenStore,
    now: Callable[[], float],
    patience: float,
) -> Flow:
    """Have *runs* done once for the event's delivery, and answer.

    A duplicate that comes while the delivery is being handled waits for *patience* seconds on the
    clock *now*.
    """
    if not runs or not event.delivery_id:  # nothing that could happen twice; nothing to know it by
        return (yield from _run_all(event, runs))
    try:
        state = yield from _claim(event.delivery_id, seen, now, patience)
    except Exception:  # noqa: BLE001 - the store is the user's, too
        _log.exception("the store of deliveries failed on %r", event.delivery_id)
        return _answer(event, 500, "the store of deliveries failed")
    if state == "handled":
        return _answer(event)
    if state != "new":
        return _answer(event, 503, "delivery in progress")
    try:
        answer = yield from _run_all(event, runs)
    except BaseException:  # cancelled, interrupted: unless all has been done, the next one may
        yield Tell(seen, event.delivery_id, handled=all(run.done for run in runs))
        raise
    yield Tell(seen, event.delivery_id, handled=answer[1] == 200)
    return answer


def _claim(
    delivery_id: str, seen: SeenStore, now: Callable[[], float], patience: float
) -> Generator[Step, Any, State]:
    until, pause = now() + patience, _FIRST_PAUSE
    while True:
        ask = Ask(seen, delivery_id)
        try:
            yield ask
        except BaseException:
            if ask.state == "new":  # it was granted to somebody who is no longer there
                yield Tell(seen, delivery_id, handled=False)
            raise
        left = until - now()
        if ask.state in {"new", "handled"} or left <= 0:
            return ask.state
        yield Pause(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)


def _run_all(event: WebhookEvent, runs: Sequence[Run]) -> Flow:
    for run in runs:
        try:
            yield run
        except Exception as exc:  # noqa: BLE001 - a user's function may raise anything
            if run.awaitable and isinstance(exc, NotRunnable):
                raise needs_await(run.function) from None
            # quoted: both are headers, which anybody may have written
            _log.exception(
                "%s failed on event %r, delivery %r",
                name_of(run.function),
                event.event_type,
                event.delivery_id,
            )
            return _answer(event, 500, "handler failed")
    return _answer(event)


def _answer(event: WebhookEvent, status: int = 200, error: str | None = None) -> Answer:
    body: dict[str, Any] = {"ok": error is None}
    if error is not None:
        body["error"] = error
    body |= {"event_type": event.event_type, "delivery_id": event.delivery_id}
    return body, status


def check_plain(runs: Sequence[Run]) -> None:
    """Raise ConfigError when one of them has to be awaited."""
    for run in runs:
        if is_async_callable(run.function):
            raise needs_await(run.function)


def needs_await(function: Function) -> ConfigError:
    """Nobody awaits it here; the way to have it awaited."""
    return ConfigError(f"{name_of(function)} is async: await ahandle() instead of handle()")


def name_of(function: Function) -> str:
    """For people; never a repr, which would show what a partial or an object holds."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


class _Ended(BaseException):
    """Stands in for GeneratorExit, which closes generators that have something left to tell."""


def drive(flow: Flow, clock: _sync.Clock) -> Answer:
    """Do what the flow asks for, in this thread."""
    try:
        step = next(flow)
        while True:
            step = _advance(flow, step, clock)
    except StopIteration as done:
        return _value(done)


def _advance(flow: Flow, step: Step, clock: _sync.Clock) -> Step:
    try:
        if isinstance(step, Pause):
            clock.sleep(step.seconds)
        else:
            _sync.call(step)
    except GeneratorExit:  # a user's function raised it
        for last in _rest(flow):
            _sync.call(last)
        raise
    except BaseException as exc:  # noqa: BLE001 - the flow decides, and raises it again
        return flow.throw(exc)
    return next(flow)


async def adrive(flow: Flow, clock: _async.Clock) -> Answer:
    """Do what the flow asks for: coroutines are awaited, all else is done in worker threads."""
    try:
        step = next(flow)
        while True:
            try:
                await _do(step, clock)
            except GeneratorExit:  # this coroutine is thrown away: it can't await any more
                for last in _rest(flow):
                    _sync.call(last)
                raise
            except BaseException as exc:  # noqa: BLE001 - the flow decides, and raises it again
                step = flow.throw(exc)
            else:
                step = next(flow)
    except StopIteration as done:
        return _value(done)


async def _do(step: Step, clock: _async.Clock) -> None:
    if isinstance(step, Pause):
        await clock.sleep(step.seconds)
    elif isinstance(step, Tell):
        try:
            await _async.finish(_async.call, step)
        finally:
            if not step.begun:  # cancelled, and every thread was busy: nobody else would ever tell
                _sync.call(step)
    elif isinstance(step, Run) and is_async_callable(step.function):
        await step.function(step.argument)
        step.done = True
    else:
        await _async.call(step)


def _rest(flow: Flow) -> Iterator[Tell]:
    """What is left to tell when the flow ends where it is."""
    try:
        step = flow.throw(_Ended())
        while True:
            if isinstance(step, Tell):
                yield step
            step = next(flow)
    except (_Ended, StopIteration):
        pass


def _value(done: StopIteration) -> Answer:
    value: Answer = done.value
    return value
