# Generated from src/quatrain/_async/protect.py by scripts/make_sync.py. Do not edit.
"""One run of ``protect``: lease → observe → act → commit. Source: contracts, Verity, "Client".

What a run may come to:

- The effect is settled already: its result, or EffectPreviouslyFailedError.
- ``observe`` found it done, or ``act`` ran: its result, committed. Once the world has changed,
  ``act`` is never reached again, whatever the ledger says: CommitUncertainError.
- ``act`` raised: recorded as failed, and the exception goes on.
- Cut off in ``act`` (cancelled, interrupted, lease lost): nothing is recorded. The lease runs out,
  and the next attempt finds ``priorState`` expired and observes.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any

import attrs

from .._failure import describe_failure
from .._lease import EffectContext, Lease
from .._options import CallOptions, OnConflict, OnLease, OnUnavailable, OnUncertain
from .._runtime._core import Lost, NotRunnable, check_plain
from .._runtime._sync import Act, Keeper, background, call, takes_context
from .._schedule import DEFAULT_LEASE, RenewalSchedule
from .._telemetry import span
from .._wire import MAX_PAYLOAD, payload_size
from ..errors.verity import (
    CommitRefusedError,
    CommitUncertainError,
    EffectPreviouslyFailedError,
    EffectUncertainError,
    LeaseConflictError,
    LeaseLostError,
    VerityConflictError,
    VerityError,
    VerityServerError,
    VerityTransportError,
    VerityValidationError,
)
from ..models.verity import (
    CommitRequestBody,
    ConflictRetryConfig,
    FailRequestBody,
    LeaseCachedResponse,
    LeaseGrantedResponse,
    LeaseRequestBody,
    LeaseResponse,
    ReportObserveBody,
    Source,
)
from .renewal import keep_renewed, let_expire

if TYPE_CHECKING:
    from .ledger import Ledger

REPORT_LINGER = 2.0
"""Seconds the end of an effect waits for its report of ``observe``, which is audit only."""


@attrs.frozen
class Action:
    """What a user passed as ``act`` or ``observe``."""

    fn: Act[Any]
    takes_context: bool

    @classmethod
    def check(cls, name: str, fn: Act[Any]) -> Action:
        """Before any request: what can't be called must not leave a failed effect behind.

        Raises VerityValidationError.
        """
        try:
            return cls(fn, takes_context(fn))
        except TypeError as exc:
            raise VerityValidationError(f"{name} {exc}") from None

    def arguments(self, context: EffectContext) -> tuple[EffectContext, ...]:
        """What to call it with."""
        return (context,) if self.takes_context else ()


@attrs.frozen(kw_only=True)
class Plan:
    """What one run is asked to do, with the client's settings filled in."""

    namespace: str
    request: LeaseRequestBody
    act: Action
    observe: Action | None
    on_conflict: OnConflict
    on_lease: OnLease | None
    on_uncertain: OnUncertain
    on_unavailable: OnUnavailable
    conflict_retry: ConflictRetryConfig
    auto_renew: bool
    renew_at_fraction: float
    requests: CallOptions

    @property
    def effect_key(self) -> str:
        """The effect's whole key."""
        return self.request.effect_key

    def schedule(self) -> RenewalSchedule:
        """When the lease is renewed."""
        asked = self.request.lease_duration_ms
        duration = DEFAULT_LEASE if asked is None else asked / 1000
        return RenewalSchedule(duration, self.renew_at_fraction)


class Run:
    """One attempt at an effect."""

    def __init__(self, ledger: Ledger, plan: Plan, log: logging.Logger) -> None:
        self._ledger = ledger
        self._plan = plan
        self._log = log
        self._clock = ledger.transport.clock

    def protect(self) -> Any:
        """Run the effect; the result, or an error of this module's list."""
        plan = self._plan
        with span("quatrain.effect", namespace=plan.namespace, effect_key=plan.effect_key):
            try:
                lease, sent = self._lease()
            except (VerityTransportError, VerityServerError) as exc:
                if plan.on_unavailable == "block":
                    raise
                line = "the ledger can't be reached; effect %r runs unprotected: %s"
                self._log.warning(line, plan.effect_key, exc)
                context = EffectContext(plan.namespace, plan.effect_key, None)
                return call(plan.act.fn, *plan.act.arguments(context))
            if isinstance(lease, LeaseCachedResponse):
                return self._settled(lease)
            return self._run_under(lease, sent)

    def _lease(self) -> tuple[LeaseResponse, float]:
        """The ledger's answer, and the time before its request was sent."""
        plan = self._plan
        conflicts = 0
        while True:
            try:
                return self._ledger.lease(plan.namespace, plan.request, **plan.requests)
            except LeaseConflictError:
                conflicts += 1
                delay = plan.conflict_retry.delay(conflicts, random.random())  # noqa: S311
                if plan.on_conflict == "throw" or delay is None:
                    raise
                line = "effect %r is held by another agent; asking again in %.1f s"
                self._log.debug(line, plan.effect_key, delay)
            self._clock.sleep(delay)

    def _settled(self, lease: LeaseCachedResponse) -> Any:
        if self._plan.on_lease is not None:
            self._plan.on_lease(lease)
        if lease.status == "cached_failed":
            raise EffectPreviouslyFailedError(
                self._plan.effect_key, lease.cached_error, lease.effect_id
            )
        return lease.cached_result

    def _run_under(self, granted: LeaseGrantedResponse, sent: float) -> Any:
        plan = self._plan
        schedule = plan.schedule()
        held_until = sent + schedule.duration
        if plan.auto_renew:
            beside = background(
                keep_renewed,
                self._ledger,
                plan.namespace,
                granted,
                schedule,
                self._log,
                after=sent + schedule.interval - self._clock.now(),
                until=held_until,
                clock=self._clock,
            )
        else:
            left = held_until - self._clock.now()
            beside = background(let_expire, after=left, until=held_until, clock=self._clock)
        with beside as keeper:
            lease = Lease(granted, keeper, keeper.event)
            if plan.on_lease is not None:
                plan.on_lease(lease)
            attempt = _Attempt(self._ledger, plan, granted, keeper, lease, self._log)
            try:
                return attempt.settle()
            except Lost as exc:
                raise LeaseLostError(
                    plan.effect_key, str(exc), granted.fence_token
                ) from exc.__cause__


class _Attempt:
    """What is done under a granted lease."""

    def __init__(
        self,
        ledger: Ledger,
        plan: Plan,
        granted: LeaseGrantedResponse,
        keeper: Keeper,
        lease: Lease,
        log: logging.Logger,
    ) -> None:
        self._ledger = ledger
        self._plan = plan
        self._granted = granted
        self._keeper = keeper
        self._context = EffectContext(plan.namespace, plan.effect_key, lease)
        self._log = log
        self._clock = ledger.transport.clock

    def settle(self) -> Any:
        """Observe where an earlier attempt may have acted; act; commit. Raises Lost."""
        if self._granted.prior_state in {"none", "reset"}:
            return self._act()
        # expired; a state that is new to this version can't promise that nothing has happened
        observe = self._plan.observe
        if observe is None:
            if self._plan.on_uncertain == "raise":
                raise self._uncertain()
            return self._act()
        began = self._clock.now()
        try:
            with span("quatrain.observe"):
                seen = self._keeper.call(observe.fn, *observe.arguments(self._context))
            self._keeper.resume()
        except (Lost, LeaseLostError, NotRunnable):
            self._keeper.resume()
            raise
        except Exception as exc:
            self._keeper.resume()  # cancelled meanwhile: it ends here, before anything is done
            if self._plan.on_uncertain == "raise":
                raise self._uncertain() from exc
            line = "observe of effect %r failed, going on to act: %r"
            self._log.warning(line, self._plan.effect_key, exc)
            return self._act()
        took = int((self._clock.now() - began) * 1000)
        hit = seen is not None
        with background(self._report, hit, took, linger=REPORT_LINGER, clock=self._clock):
            return self._commit(seen, "observed") if hit else self._act()

    def _act(self) -> Any:
        act = self._plan.act
        try:
            with span("quatrain.act"):
                result = self._keeper.call(act.fn, *act.arguments(self._context))
        except (Lost, LeaseLostError):
            # it stopped, or was stopped, half way: nothing failed, and nobody knows how far it came
            self._keeper.resume()
            raise
        except Exception as exc:
            self._keeper.finish(self._record_failure, exc)
            self._keeper.resume()
            raise
        return self._commit(result, "acted")

    def _commit(self, result: Any, source: Source) -> Any:
        """Record what has happened. From here on nothing may lead to ``act`` again."""
        try:
            return self._keeper.finish(self._send_commit, result, source, self._plan.requests)
        finally:
            self._keeper.resume()

    def _send_commit(self, result: Any, source: Source, options: CallOptions) -> Any:
        """Commit; the same request again means the same commit. Raises CommitUncertainError."""
        try:
            check_payload("result", result)
            self._ledger.commit(
                self._plan.namespace,
                CommitRequestBody(
                    **self._holder(),
                    result=result,
                    source=source,
                    run_id=self._plan.request.run_id,
                ),
                **options,
            )
        except VerityConflictError as exc:
            self._log.warning("commit of effect %r refused: %s", self._plan.effect_key, exc)
            raise CommitRefusedError(
                self._plan.effect_key, result, exc, self._granted.fence_token
            ).with_resolver(lambda: self._commit_again(result, source)) from exc
        except Exception as exc:  # whatever it is, the result must not be lost with it
            self._log.warning("commit of effect %r unconfirmed: %s", self._plan.effect_key, exc)
            raise self._unconfirmed(result, source, exc) from exc
        self._log.debug("effect %r committed as %s", self._plan.effect_key, source)
        return result

    def _commit_again(self, result: Any, source: Source) -> Any:
        """Once, for whoever calls ``resolve()``."""
        return self._send_commit(result, source, {**self._plan.requests, "max_retries": 0})

    def _unconfirmed(self, result: Any, source: Source, reason: Exception) -> CommitUncertainError:
        return CommitUncertainError(
            self._plan.effect_key, result, reason, self._granted.fence_token
        ).with_resolver(lambda: self._commit_again(result, source))

    def _record_failure(self, exc: Exception) -> None:
        """Tell the ledger that the action failed; never in the way of the exception itself."""
        try:
            body = FailRequestBody(
                **self._holder(),
                error=describe_failure(exc),
                source="acted",
                run_id=self._plan.request.run_id,
            )
            self._ledger.fail(self._plan.namespace, body, **self._plan.requests)
        except Exception as failure:  # noqa: BLE001 - see above
            line = "the failure of effect %r could not be recorded; its lease will run out: %s"
            self._log.warning(line, self._plan.effect_key, failure)

    def _report(self, _: Keeper, hit: bool, duration_ms: int) -> None:
        body = ReportObserveBody(**self._holder(), hit=hit, duration_ms=duration_ms)
        try:
            self._ledger.report_observe(self._plan.namespace, body)
        except VerityError as exc:
            self._log.debug("observe of %r not reported: %s", self._plan.effect_key, exc)

    def _holder(self) -> dict[str, Any]:
        return {
            "effect_key": self._plan.effect_key,
            "fence_token": self._granted.fence_token,
            "lease_token": self._granted.lease_token,
        }

    def _uncertain(self) -> EffectUncertainError:
        return EffectUncertainError(
            self._plan.effect_key, self._granted.fence_token, self._granted.effect_id
        )


def checked_on_lease(on_lease: OnLease | None) -> OnLease | None:
    """*on_lease*, before any request. Raises VerityValidationError unless it can be called."""
    if on_lease is not None:
        try:
            check_plain(on_lease)
        except TypeError as exc:
            raise VerityValidationError(f"on_lease {exc}") from None
    return on_lease


def check_payload(name: str, value: Any) -> None:
    """Raise VerityValidationError unless *value* is JSON of at most 64 KiB."""
    try:
        size = payload_size(value)
    except (TypeError, ValueError) as exc:
        msg = f"{name} is not JSON: {exc}"
        raise VerityValidationError(msg) from None
    if size > MAX_PAYLOAD:
        msg = f"{name} is {size:,} bytes of JSON; at most {MAX_PAYLOAD:,} are allowed"
        raise VerityValidationError(msg)
