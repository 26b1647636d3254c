"""The ledger against a model of it in plain Python, driven by random histories.

Agents lease, pause, act, lose answers, come back as zombies and try again; leases run out; people
reset, resolve and release. The model says after each step what the ledger must have answered and
must hold now. Two promises are checked apart from the model: an effect's commit is accepted once at
most, and none is accepted of any fence but the newest.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from quatrain.server.ledger import Cached, EffectId, Holder, Ledger
from quatrain.server.ledger.prune import Over, prune
from quatrain.server.problems import RefusedError
from quatrain.server.store import Connection, Store

from ._support import START, ServerClock, audited, make_realm

T = TypeVar("T")

_numbers = itertools.count()

KEYS = ["a", "b"]
AGENTS = ["ann", "bob", "cy"]
DURATIONS = [5_000, 30_000]
BY_OPERATOR = {"RESOLVED_DONE", "LEASE_RELEASED"}
"""What takes a fence token that is nobody's."""
ENDS = {"COMMITTED", "FAILED", "RESET", "RESOLVED_DONE", "RESOLVED_NOT_DONE"}


@attrs.define
class Model:
    """One effect, as the contract has it."""

    status: str = "NONE"
    fence: int = 0
    token: str = ""
    agent: str | None = None
    duration: int = 0
    until: int = 0
    released: bool = False
    payload: str = ""
    first: int = 1
    """The fence of the first grant."""
    settled_at: int = 0
    events: list[tuple[str, int]] = attrs.field(factory=list)
    accepted: list[tuple[int, int]] = attrs.field(factory=list)
    """Of each accepted commit: its fence, and the newest there was."""

    def shown(self, now: int) -> str:
        """The status by the clock."""
        return "EXPIRED" if self.status == "RUNNING" and self.until <= now else self.status

    def lease(self, now: int, agent: str, duration: int) -> str:
        """What the ledger must answer; the grant is made."""
        state = self.shown(now)
        if state in {"RUNNING", "COMMITTED", "FAILED"}:
            return {"RUNNING": "lease_conflict"}.get(state, state)
        self.run_out(now)
        self.status, self.agent, self.duration = "RUNNING", agent, duration
        self.released = False
        self.until = now + duration
        self.fence += 1
        self.events.append(("LEASE_GRANTED", self.fence))
        return {"NONE": "none", "EXPIRED": "expired", "RESET": "reset"}[state]

    def run_out(self, now: int) -> None:
        """Write down that the lease ran out, if it did and was not released."""
        if self.shown(now) == "EXPIRED" and not self.released:
            self.events.append(("LEASE_EXPIRED", self.fence))

    def refusal(self, holder: Holder) -> str | None:
        """Why a holder may say nothing, whatever it is; None when its lease is the newest."""
        if self.status == "NONE":
            return "effect_not_found"
        newest = (self.fence, self.token) == (holder.fence_token, holder.lease_token)
        return None if newest else "stale_fence"

    def settle(self, now: int, holder: Holder, status: str, payload: str) -> str:
        """A commit or a fail: what the ledger must answer."""
        if refusal := self.refusal(holder):
            return refusal
        if self.status not in {"RUNNING", status}:
            return "stale_fence"
        if self.status == status:
            return "repeated"
        self.status, self.payload, self.settled_at = status, payload, now
        self.events.append((status, self.fence))
        return "first"

    def renew(self, now: int, holder: Holder, extension: int | None) -> str:
        """What the ledger must answer; the end is moved."""
        if refusal := self.refusal(holder):
            return refusal
        if self.status != "RUNNING":
            return "stale_fence"
        if self.until <= now:
            return "lease_expired"
        self.until = max(self.until, now + (extension or self.duration))
        self.events.append(("LEASE_RENEWED", self.fence))
        return "renewed"

    def reset(self, now: int) -> str:
        """What the ledger must answer; the effect may begin again."""
        state = self.shown(now)
        if state not in {"FAILED", "EXPIRED"}:
            return "effect_not_found" if state == "NONE" else "not_resettable"
        self.run_out(now)
        self.status, self.settled_at = "RESET", now
        self.events.append(("RESET", self.fence))
        return "RESET"

    def resolve(self, now: int, result: str | None) -> str:
        """What the ledger must answer; done, nobody holds the newest fence."""
        state = self.shown(now)
        if state != "EXPIRED":
            return "effect_not_found" if state == "NONE" else "not_resolvable"
        self.run_out(now)
        self.settled_at = now
        if result is None:
            self.status = "RESET"
            self.events.append(("RESOLVED_NOT_DONE", self.fence))
        else:
            self.status, self.payload, self.token = "COMMITTED", result, "nobody's"
            self.fence += 1
            self.events.append(("RESOLVED_DONE", self.fence))
        return self.status

    def release(self, now: int) -> str:
        """What the ledger must answer; nobody holds the newest fence."""
        state = self.shown(now)
        if state != "RUNNING":
            return "effect_not_found" if state == "NONE" else "lease_not_held"
        self.fence += 1
        self.token, self.until, self.released = "nobody's", now, True
        self.events.append(("LEASE_RELEASED", self.fence))
        return "EXPIRED"


class LedgerMachine(RuleBasedStateMachine):
    """Histories of a few agents on two effects."""

    leases: Bundle[Holder] = Bundle("leases")

    def __init__(self, store: Store, clock: ServerClock) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = clock
        self.store = store
        clock.now = START
        # another one for each history
        self.realm = make_realm(self.store, f"tenant-{next(_numbers)}", "test")
        self.ledger = Ledger(self.store)
        self.model = {key: Model() for key in KEYS}
        self.floor = 0
        self.highest = dict.fromkeys(KEYS, 0)
        """The highest fence that anybody was ever given, of an effect that was pruned or not."""

    def teardown(self) -> None:
        self.runner.close()
        self.store.write_blocking(_forget_all, None)  # what a later history would prune

    def answer(self, request: Coroutine[Any, Any, T]) -> T | str:
        """What the ledger answers; a refusal as its code."""
        try:
            return self.runner.run(request)
        except RefusedError as refused:
            return refused.code

    def effect(self, key: str) -> EffectId:
        return EffectId(self.realm, "ns", key)

    @initialize(target=leases)
    def nobody_holds_anything(self) -> Holder:
        """A forger is always about, with a token nobody was given."""
        return Holder(self.effect(KEYS[0]), 1, "forged")

    @rule(ms=st.sampled_from([1, 4_999, 5_000, 29_999, 30_000, 100_000]))
    def time_passes(self, ms: int) -> None:
        self.clock.advance(ms)

    @rule(
        target=leases,
        key=st.sampled_from(KEYS),
        agent=st.sampled_from(AGENTS),
        duration=st.sampled_from(DURATIONS),
        lost=st.booleans(),
    )
    def lease(self, key: str, agent: str, duration: int, lost: bool) -> Any:
        """Lost: it is granted, and the agent never learns."""
        model = self.model[key]
        expected = model.lease(self.clock.now, agent, duration)
        answer = self.answer(
            self.ledger.lease(self.effect(key), agent_id=agent, lease_duration_ms=duration)
        )
        if isinstance(answer, tuple):
            grant, token = answer
            model.token = token
            assert self.highest[key] < grant.fence_token
            self.highest[key] = grant.fence_token
            assert expected == grant.prior_state
            assert (model.fence, model.until) == (grant.fence_token, grant.lease_expires_at)
            return multiple() if lost else Holder(self.effect(key), grant.fence_token, token)
        if isinstance(answer, Cached):
            assert (expected, model.payload) == (answer.status, answer.payload)
        else:
            assert expected == answer
        return multiple()

    @rule(
        holder=leases, result=st.sampled_from(["1", "2"]), source=st.sampled_from([None, "acted"])
    )
    def commit(self, holder: Holder, result: str, source: str | None) -> None:
        """By whoever ever held a lease, at any later time, and again."""
        model = self.model[holder.effect.effect_key]
        expected = model.settle(self.clock.now, holder, "COMMITTED", result)
        answer = self.answer(self.ledger.commit(holder, result=result, source=source))
        assert expected == self.settled(answer)
        if self.settled(answer) == "first":
            model.accepted.append((holder.fence_token, model.fence))

    @rule(holder=leases, error=st.sampled_from(['"x"', '"y"']))
    def fail(self, holder: Holder, error: str) -> None:
        model = self.model[holder.effect.effect_key]
        expected = model.settle(self.clock.now, holder, "FAILED", error)
        assert expected == self.settled(self.answer(self.ledger.fail(holder, error=error)))

    @staticmethod
    def settled(answer: Any) -> str:
        return answer if isinstance(answer, str) else ("repeated" if answer.repeated else "first")

    @rule(holder=leases, extension=st.sampled_from([None, 5_000, 120_000]))
    def renew(self, holder: Holder, extension: int | None) -> None:
        model = self.model[holder.effect.effect_key]
        expected = model.renew(self.clock.now, holder, extension)
        answer = self.answer(self.ledger.renew(holder, extension_ms=extension))
        if isinstance(answer, str):
            assert expected == answer
        else:
            assert ("renewed", model.until) == (expected, answer.lease_expires_at)

    @rule(holder=leases, hit=st.booleans())
    def report_observe(self, holder: Holder, hit: bool) -> None:
        """Changes nothing but the trail."""
        model = self.model[holder.effect.effect_key]
        answer = self.answer(self.ledger.report_observe(holder, hit=hit))
        refusal = model.refusal(holder)
        if refusal is None:
            model.events.append(("OBSERVE_HIT" if hit else "OBSERVE_MISS", model.fence))
        assert refusal == (answer if isinstance(answer, str) else None)

    @rule(holder=leases)
    def impostor_commits(self, holder: Holder) -> None:
        """With the right fence and a guessed token."""
        forged = attrs.evolve(holder, lease_token="guessed")
        assert self.answer(self.ledger.commit(forged, result="0")) in {
            "stale_fence",
            "effect_not_found",
        }

    @rule(key=st.sampled_from(KEYS))
    def reset(self, key: str) -> None:
        expected = self.model[key].reset(self.clock.now)
        answer = self.answer(self.ledger.reset(self.effect(key), reason="r", by="ops"))
        assert expected == (answer if isinstance(answer, str) else answer.status)

    @rule(age=st.sampled_from([0, 30_000]), failed=st.booleans())
    def prune(self, age: int, failed: bool) -> None:
        """What is over may go, and nothing else; a key that comes again begins above its fences."""
        before = self.clock.now - age + 1
        done = prune(self.store, Over(before=before, failed=failed))
        for key, model in self.model.items():
            if model.status == "NONE" or not isinstance(
                self.answer(self.ledger.get(self.effect(key))), str
            ):
                continue
            done -= 1
            assert model.settled_at < before
            assert model.status in ({"COMMITTED", "FAILED", "RESET"} if failed else {"COMMITTED"})
            self.floor = max(self.floor, model.fence)
            self.model[key] = Model()
        assert 0 == done
        for model in self.model.values():
            if model.status == "NONE":
                model.fence, model.first = self.floor, self.floor + 1

    @rule(key=st.sampled_from(KEYS), result=st.sampled_from([None, "7"]))
    def resolve(self, key: str, result: str | None) -> None:
        expected = self.model[key].resolve(self.clock.now, result)
        answer = self.answer(
            self.ledger.resolve(self.effect(key), result=result, reason="r", by="ops")
        )
        assert expected == (answer if isinstance(answer, str) else answer.status)

    @rule(key=st.sampled_from(KEYS))
    def release(self, key: str) -> None:
        expected = self.model[key].release(self.clock.now)
        answer = self.answer(self.ledger.release(self.effect(key), reason="r", by="ops"))
        assert expected == (answer if isinstance(answer, str) else answer.status)

    @rule()
    def server_restarts(self) -> None:
        """Nothing depends on memory."""
        self.store.close()
        self.store.open()

    @invariant()
    def ledger_and_model_agree(self) -> None:
        """On the state and on the whole trail."""
        for key, model in self.model.items():
            found = self.answer(self.ledger.get(self.effect(key)))
            if isinstance(found, str):
                assert model.status == "NONE"
                continue
            assert model.shown(self.clock.now) == found.status
            assert (model.fence, model.agent) == (found.fence_token, found.agent_id)
            held = model.until if model.status == "RUNNING" else None
            assert held == found.lease_expires_at
            if model.status == "COMMITTED":
                assert (model.payload, None) == (found.result, found.error)
            if model.status == "FAILED":
                assert (None, model.payload) == (found.result, found.error)
            page = self.runner.run(self.ledger.events(self.effect(key), limit=200))
            grants = [fence for kind, fence in model.events if kind == "LEASE_GRANTED"]
            assert len(grants) == found.attempts
            assert model.events == [(event.type.value, event.fence_token) for event in page.items]

    @invariant()
    def effects_happen_once(self) -> None:
        """One accepted commit at most, and of the newest fence."""
        for model in self.model.values():
            assert len(model.accepted) <= 1
            assert all(fence == newest for fence, newest in model.accepted)

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        """What the trails tell by themselves, whatever part of them a page holds."""
        assert [] == self.runner.run(audited(self.ledger, self.realm, limit=3))

    @invariant()
    def trails_tell_the_state(self) -> None:
        """Read by itself, each trail is a history that the contract allows."""
        for model in self.model.values():
            grants = [fence for kind, fence in model.events if kind == "LEASE_GRANTED"]
            taken = [fence for kind, fence in model.events if kind in BY_OPERATOR]
            assert list(range(model.first, model.fence + 1)) == sorted(grants + taken)
            ends = [kind for kind, _ in model.events if kind in ENDS]
            done = [kind for kind in ends if kind in {"COMMITTED", "RESOLVED_DONE"}]
            assert len(done) <= 1
            assert not done or ends[-1] == done[0]


def _forget_all(connection: Connection, _now: int, _: None) -> None:
    for table in ("effect_events", "effects"):
        connection.execute(f"DELETE FROM {table}")


def test_the_ledger_does_what_the_model_does(store: Store, clock: ServerClock) -> None:
    """Whatever the history."""
    run_state_machine_as_test(
        lambda: LedgerMachine(store, clock),
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
