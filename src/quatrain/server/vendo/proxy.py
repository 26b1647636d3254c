"""The data proxy: an action is done, paid for and, under its key, done once.

What is built in happens in the transaction that it is paid for in. An action of one's own runs
outside: what it costs is held before, and its answer kept after. Source: contracts, Vendo, "Two
modes" and "Errors".
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import attrs

from quatrain.server import jsontext
from quatrain.server.callables import CallFailedError, called, one_line
from quatrain.server.idempotency import InFlight, Once, answered, once
from quatrain.server.problems import RefusedError, accepted
from quatrain.server.shapes import JsonObject, length
from quatrain.server.store import Connection, Store, StoreUnavailableError

from . import answers, wallet
from .actions import Action, ActionContext, ActionError
from .broker import usable_by
from .records import (
    BindingMissingError,
    Caller,
    ConnectionRevokedError,
    NotThereError,
    VendoRefusedError,
)

MAX_ANSWER: Final = 1_000_000
"""Characters of an action's answer; more is taken for a mistake."""
_GRACE: Final = 5.0
"""Seconds for the actions under way when the platform stops."""

_log: Final = logging.getLogger("quatrain.server.vendo")


class ToolkitNotConnectedError(VendoRefusedError):
    """The app has no connection to the toolkit whose action it asks for."""

    code = "binding_missing"
    status = 403


class ActionFailedError(VendoRefusedError):
    """The action did not come to an answer."""

    code = "composio_error"
    status = 502


@attrs.frozen(kw_only=True)
class ExecuteBody:
    """``POST /v1/execute``."""

    action_id: str = attrs.field(validator=length(1, 200))
    args: JsonObject | None = attrs.field(default=None, repr=False)
    """None for none."""


@attrs.frozen
class Job:
    """An action that is to be done."""

    action: Action
    args: Any = attrs.field(repr=False)
    caller: Caller
    claim: Once | None = attrs.field(repr=False)

    @property
    def context(self) -> ActionContext:
        """As the action gets it."""
        return ActionContext(
            self.action.action_id,
            self.caller.tenant,
            self.caller.app_slug,
            self.caller.user_id or None,
            None if self.claim is None else self.claim.passed_on,
        )

    @property
    def charge(self) -> wallet.Charge | None:
        """What it costs; None when it costs nothing."""
        action = self.action
        if not action.price_micros:
            return None
        return wallet.Charge(
            self.caller.tenant,
            self.caller.app_id,
            action.toolkit,
            action.action_id,
            action.price_micros,
        )


class Begun(NamedTuple):
    """An action of one's own that may run now, or was answered before."""

    answer: str | None = None
    held: int | None = None
    """The row that tells of what is held; None for what costs nothing."""


class DataProxy:
    """Does actions."""

    def __init__(
        self,
        store: Store,
        actions: Mapping[str, Action],
        in_flight: InFlight,
        *,
        wake: Callable[[], None],
    ) -> None:
        self.actions = actions
        self._store = store
        self._in_flight = in_flight
        self._wake = wake
        self._under_way: set[asyncio.Task[str]] = set()

    async def execute(
        self, caller: Caller, body: ExecuteBody, claim: Once | None
    ) -> answers.Executed:
        """``{"data": …}``: what the action answers, or answered to the same request before.

        Raises ProblemError for arguments that do not fit and for a request that is under way, and
        a RefusedError: NotThereError, ToolkitNotConnectedError, NeedsReauthError, one of the
        wallet's, KeyReusedError, ActionFailedError.
        """
        action = self.actions.get(body.action_id)
        if action is None:
            raise NotThereError(f"there is no action {body.action_id[:100]!r}")
        args = {} if body.args is None else body.args
        if action.args is not None:
            args = action.args.read(args, "args")
        job = Job(action, args, caller, claim)
        work = self._run_here(job) if action.run_here else self._run_own(job)
        try:
            answer: answers.Executed = json.loads(await self._to_its_end(work))
        finally:
            self._wake()
        return answer

    async def _to_its_end(self, work: Coroutine[Any, Any, str]) -> str:
        """What comes of *work*, which goes on when the caller has gone: it may have begun to act.

        Its answer is then kept for when the caller asks again.
        """
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    def _over(self, task: asyncio.Task[str]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has been told; else it has been logged

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the platform runs; the actions under way then get some seconds to end."""
        try:
            yield
        finally:
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=_GRACE)
            left = list(self._under_way)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _run_here(self, job: Job) -> str:
        with self._in_flight.enter(job.claim):
            try:
                return accepted(await self._store.write(_do, job))
            except (RefusedError, StoreUnavailableError):
                raise
            except Exception as exc:
                raise _failed(job.action, exc) from exc

    async def _run_own(self, job: Job) -> str:
        with self._in_flight.enter(job.claim):
            begun = accepted(await self._store.write(_begin, job))
            if begun.answer is not None:
                return begun.answer
            try:
                text = await _call(job)
            except BaseException:  # a cancellation as well: the platform stops
                if begun.held is not None:
                    await self._store.write(_give_back, (job, begun.held))
                raise
            return accepted(await self._store.write(_finish, (job, begun.held, text)))


async def _call(job: Job) -> str:
    """The answer of an action of one's own, as JSON text; raises ActionFailedError."""
    action, context = job.action, job.context
    run = action.run
    assert run is not None  # noqa: S101  every action has one of the two
    try:
        answer = await called(run, job.args, context, thread="quatrain-action")
    except CallFailedError as exc:
        raise _failed(action, exc.reason) from exc.reason
    return _text(action, answer)


def _text(action: Action, answer: Any) -> str:
    try:
        text = jsontext.dump({"data": answer})
    except (TypeError, ValueError, RecursionError) as exc:
        _log.warning("%s answered with what is no JSON: %s", action.action_id, exc)
        raise ActionFailedError(f"{action.action_id} answered with what is no JSON") from exc
    if len(text) > MAX_ANSWER:
        text = f"{action.action_id} answered with more than {MAX_ANSWER:,} characters"
        raise ActionFailedError(text)
    return text


def _failed(action: Action, exc: BaseException) -> ActionFailedError:
    if isinstance(exc, ActionError):
        return ActionFailedError(one_line(str(exc)) or f"{action.action_id} failed")
    # what an error says may hold anything, a token among it: that is for the log of this platform
    _log.warning("%s failed", action.action_id, exc_info=exc)
    return ActionFailedError(f"{action.action_id} failed: {type(exc).__name__}")


# -- operations of the store ----------------------------------------------------------------------


def _do(connection: Connection, now: int, job: Job) -> str | RefusedError:
    """Do an action on the platform's own data: its cost, its change and its answer are one."""
    run = job.action.run_here
    assert run is not None  # noqa: S101  told apart before

    def perform() -> str | RefusedError:
        refusal = _refusal(connection, now, job)
        if refusal is None and job.charge is not None:
            refusal = wallet.charge(connection, now, job.charge)
        if refusal is not None:
            return refusal
        return _text(job.action, run(connection, now, job.args, job.context))

    return once(connection, now, job.claim, perform)


def _begin(connection: Connection, now: int, job: Job) -> Begun | RefusedError:
    """Find the answer that was kept, or hold what it costs."""
    if job.claim is not None:
        kept = answered(connection, now, job.claim)
        if kept is not None:
            return kept if isinstance(kept, RefusedError) else Begun(kept)
    refusal = _refusal(connection, now, job)
    if refusal is not None:
        return refusal
    if job.charge is None:
        return Begun()
    held = wallet.hold(connection, now, job.charge)
    return held if isinstance(held, RefusedError) else Begun(held=held)


def _finish(
    connection: Connection, now: int, params: tuple[Job, int | None, str]
) -> str | RefusedError:
    """It has run: keep its answer, and tell what it cost. *params*: the job, what is
    held, and the action's answer.

    When another process was asked the same and was sooner, its answer counts, and one is paid.
    """
    job, held, text = params
    first = False

    def perform() -> str:
        nonlocal first
        first = True
        if job.charge is not None:
            wallet.settle(connection, now, job.charge)
        return text

    answer = once(connection, now, job.claim, perform)
    if not first:
        _give_back(connection, now, (job, held))
    return answer


def _give_back(connection: Connection, now: int, params: tuple[Job, int | None]) -> None:
    """It was not done: what was held for it is there again."""
    job, held = params
    if held is not None:
        wallet.release(connection, now, (job.caller.tenant, held))


def _refusal(connection: Connection, now: int, job: Job) -> VendoRefusedError | None:
    """Why the caller may not have this done, if it may not."""
    toolkit, caller = job.action.toolkit, job.caller
    if not job.action.needs_connection and caller.connection_id is None:
        return None
    found = usable_by(connection, now, (caller, toolkit))
    if isinstance(found, BindingMissingError | ConnectionRevokedError):
        return ToolkitNotConnectedError(f"there is no connection to {toolkit}", slug=toolkit)
    return found if isinstance(found, VendoRefusedError) else None
