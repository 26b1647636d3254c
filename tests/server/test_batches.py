"""What queues up is done in few statements, and as if it were done one after the other."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import attrs
import pytest

from quatrain.server.ledger import Cached, EffectId, Granted, Holder, Ledger
from quatrain.server.problems import RefusedError
from quatrain.server.store import Store

from ._batching import in_one_batch
from ._support import ServerClock, audited, granted, make_realm

pytestmark = pytest.mark.usefixtures("marked")


async def batch(store: Store, *requests: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run them in one transaction; what they raise is returned."""
    return await in_one_batch(store, *requests, return_exceptions=True)


async def in_turn(_: Store, *requests: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run them one after the other; what they raise is returned."""
    answers = []
    for request in requests:
        try:
            answers.append(await request)
        except RefusedError as refused:
            answers.append(refused)
    return answers


def told(answer: Any) -> Any:
    """An answer without what is another one each time: tokens, ids of rows."""
    if isinstance(answer, RefusedError):
        return answer.code, str(answer)
    if isinstance(answer, tuple):
        return told(answer[0])
    facts = attrs.asdict(answer)
    facts.pop("id", None)
    facts.pop("effect_id", None)
    return type(answer).__name__, facts


async def lines(ledger: Ledger, effect: EffectId) -> list[tuple[Any, ...]]:
    """The whole trail, but for the numbers of its lines."""
    page = await ledger.events(effect, limit=200)
    return [attrs.astuple(event)[1:] for event in page.items]


async def history(store: Store, realm: int, clock: ServerClock, run: Any) -> list[Any]:
    """What is answered, and what stands in the trails, when *run* runs three sets of requests."""
    ledger = Ledger(store)
    effects = {key: EffectId(realm, "ns", key) for key in "abcdef"}
    a, b, c, d, e, f = effects.values()
    grants = await run(
        store,
        ledger.lease(c, agent_id="cy", run_id="r1", lease_duration_ms=5_000),
        ledger.lease(a, agent_id="ann", effect_name="né 🙂", input_json='{"x":"\\u0000"}'),
        ledger.lease(b, agent_id="bob", workflow_name="w", case_id='"7"'),
        ledger.lease(a, agent_id="rival"),
        ledger.lease(d, lease_duration_ms=5_000),
        ledger.lease(e),
    )
    holder = {
        effect.effect_key: Holder(effect, grant.fence_token, token)
        for effect, (grant, token) in zip(
            (c, a, b, d, e), (grants[0], grants[1], grants[2], *grants[4:]), strict=True
        )
    }
    clock.advance(6_000)
    answers = await run(
        store,
        ledger.commit(holder["a"], result='{"é":"\\n"}', source="acted", run_id="r2"),
        ledger.fail(holder["b"], error='"x"'),
        ledger.renew(holder["e"], extension_ms=60_000),
        ledger.lease(c, agent_id="next"),
        ledger.commit(holder["a"], result="2"),
        ledger.commit(holder["c"], result="3"),
        ledger.renew(holder["d"]),
        ledger.lease(a),
        ledger.reset(b, reason="r", by="ops"),
        ledger.lease(b, run_id="r3"),
        ledger.commit(Holder(f, 1, "forged"), result="4"),
        ledger.renew(Holder(e, 1, "forged")),
        ledger.report_observe(holder["e"], hit=False, duration_ms=3),
        ledger.fail(holder["b"], error='"y"'),
        ledger.renew(holder["e"]),
        ledger.release(e, reason="r", by="ops"),
        ledger.commit(holder["e"], result="5"),
        ledger.lease(e),
        ledger.commit(holder["d"], result="6", source=None),
    )
    found = [await ledger.get(effect) for effect in (a, b, c, d, e)]
    trails = [await lines(ledger, effect) for effect in (a, b, c, d, e)]
    assert [] == await audited(ledger, realm)
    return [[told(each) for each in (*grants, *answers, *found)], trails]


async def test_a_batch_is_as_if_one_after_the_other(
    store: Store, realm: int, clock: ServerClock
) -> None:
    """The answers, what is then so, and every line of audit; also what concerns one effect."""
    began = clock.now
    expected = await history(store, realm, clock, in_turn)
    clock.now = began
    other = make_realm(store, "other", "test")
    assert expected == await history(store, other, clock, batch)


@pytest.mark.parametrize("run", [batch, in_turn])
async def test_what_the_lines_of_audit_say(
    store: Store, realm: int, clock: ServerClock, run: Any
) -> None:
    """The same on every database, letter by letter."""
    ledger = Ledger(store)
    k, other = EffectId(realm, "ns", "k"), EffectId(realm, "ns", "other")
    first, _ = await run(
        store, ledger.lease(k, agent_id="ann", lease_duration_ms=5_000), ledger.lease(other)
    )
    clock.advance(5_001)
    second, _ = await run(store, ledger.lease(k, run_id="r"), ledger.lease(other))
    assert [1, 2] == [first[0].fence_token, second[0].fence_token]
    holder = Holder(k, 2, second[1])
    await run(store, ledger.renew(holder, extension_ms=40_007), ledger.lease(other))
    await run(store, ledger.fail(holder, error="1", source="observed"), ledger.lease(other))
    await ledger.reset(k, reason="r", by="ops")
    third, _ = await run(store, ledger.lease(k), ledger.lease(other))
    await run(
        store, ledger.commit(Holder(k, 3, third[1]), result="1", run_id="s"), ledger.lease(other)
    )
    t = clock.now
    at = "2027-01-15T08:00"
    assert [
        ("LEASE_GRANTED", t - 5_001, 1, "ann", None, _granted("none", f"{at}:05.000Z")),
        ("LEASE_EXPIRED", t, 1, "ann", None, f'{{"leaseExpiredAt": "{at}:05.000Z"}}'),
        ("LEASE_GRANTED", t, 2, None, "r", _granted("expired", f"{at}:35.001Z")),
        ("LEASE_RENEWED", t, 2, None, "r", f'{{"leaseExpiresAt": "{at}:45.008Z"}}'),
        ("FAILED", t, 2, None, "r", '{"source": "observed", "error": "1"}'),
        ("RESET", t, 2, None, None, '{"reason": "r", "by": "ops"}'),
        ("LEASE_GRANTED", t, 3, None, None, _granted("reset", f"{at}:35.001Z")),
        ("COMMITTED", t, 3, None, "s", None),
    ] == await lines(ledger, k)


def _granted(prior: str, until: str) -> str:
    return f'{{"priorState": "{prior}", "leaseExpiresAt": "{until}"}}'


async def test_one_effect_is_granted_to_the_first_of_a_batch(store: Store, realm: int) -> None:
    """However many ask."""
    ledger = Ledger(store)
    effect = EffectId(realm, "ns", "k")
    answers = await batch(store, *(ledger.lease(effect, agent_id=f"{n}") for n in range(20)))
    assert isinstance(answers[0], tuple)
    assert {"lease_conflict"} == {answer.code for answer in answers[1:]}
    assert {"0"} == {answer.agent_id for answer in answers[1:]}


@pytest.mark.parametrize("run", [batch, in_turn])
async def test_a_large_payload_is_kept_whole(store: Store, realm: int, run: Any) -> None:
    """In a batch of others, or by itself."""
    ledger = Ledger(store)
    large = f'"{"é" * 100_000}"'
    keys = [EffectId(realm, "ns", key) for key in "abc"]
    grants = await run(store, *(ledger.lease(key, input_json=large) for key in keys))
    holders = [Holder(key, 1, token) for key, (_, token) in zip(keys, grants, strict=True)]
    await run(
        store,
        ledger.commit(holders[0], result=large),
        ledger.commit(holders[1], result="1"),
        ledger.fail(holders[2], error=large),
    )
    found = [await ledger.get(key) for key in keys]
    assert [large] * 3 == [each.input_json for each in found]
    assert [(large, None), ("1", None), (None, large)] == [(e.result, e.error) for e in found]


async def test_keys_that_differ_in_their_namespaces_are_not_mixed_up(
    store: Store, realm: int
) -> None:
    """Nor those of other realms: each gets its own answer."""
    ledger = Ledger(store)
    places = [
        EffectId(which, namespace, key)
        for which in (realm, make_realm(store, "other", "live"))
        for namespace in ("a", "b")
        for key in ("k", 'k"', "k\\", "ß")
    ]
    for place in places[::2]:
        holder, _ = await granted(ledger, place)
        await ledger.commit(holder, result=f'"{places.index(place)}"')
    answers = await batch(store, *(ledger.lease(place) for place in places))
    for number, answer in enumerate(answers):
        if number % 2:
            assert isinstance(answer[0], Granted)
        else:
            assert isinstance(answer, Cached)
            assert f'"{number}"' == answer.payload
