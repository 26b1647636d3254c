"""The endpoints one by one, with models and with mappings; and the query API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from quatrain.verity import (
    AsyncVerityClient,
    CommitRequestBody,
    CommitUncertainError,
    FailRequestBody,
    LeaseCachedResponse,
    LeaseConflictError,
    LeaseGrantedResponse,
    LeaseRequestBody,
    RenewRequestBody,
    ReportObserveBody,
    VerityApiError,
    VerityConfigError,
    VerityConflictError,
    VerityNotFoundError,
    VerityServerError,
    VerityValidationError,
    VerityValidationFailedError,
)

from .._doubles import FakeLedger

Connect = Callable[..., AsyncVerityClient]
HOLDER = {"effect_key": "k", "fence_token": 1, "lease_token": "token-1"}
WIRE = {"effectKey": "k", "fenceToken": 1, "leaseToken": "token-1"}
EFFECT = {
    "effectId": "eff_1",
    "namespace": "ns",
    "effectKey": "k",
    "status": "COMMITTED",
    "fenceToken": 1,
    "attempts": 1,
    "createdAt": "2030-01-01T00:00:00.000Z",
    "updatedAt": "2030-01-01T00:00:00.000Z",
}
EVENT = {"seq": 1, "type": "LEASE_GRANTED", "at": "2030-01-01T00:00:00.000Z", "fenceToken": 1}


async def test_one_effect_by_hand_with_models(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """Lease, renew, report, commit; then the cached answer."""
    lease = await verity.request_lease("ns", LeaseRequestBody(effect_key="k", agent_id="a"))
    assert isinstance(lease, LeaseGrantedResponse)
    assert (lease.fence_token, lease.prior_state) == (1, "none")
    renewed = await verity.renew("ns", RenewRequestBody(**HOLDER, extension_ms=5_000))
    assert renewed.status == "renewed"
    await verity.report_observe("ns", ReportObserveBody(**HOLDER, hit=False, duration_ms=3))
    body = CommitRequestBody(**HOLDER, result=None, source="acted", run_id="r")
    assert (await verity.commit("ns", body)).status == "accepted"
    assert (await verity.commit("ns", body)).status == "already_committed"
    cached = await verity.request_lease("ns", LeaseRequestBody(effect_key="k"))
    assert isinstance(cached, LeaseCachedResponse)
    assert (cached.status, cached.cached_result) == ("cached_completed", None)
    assert ledger.requests[:4] == [
        ("lease", {"effectKey": "k", "agentId": "a"}),
        ("renew", WIRE | {"extensionMs": 5_000}),
        ("report-observe", WIRE | {"hit": False, "durationMs": 3}),
        ("commit", WIRE | {"result": None, "source": "acted", "runId": "r"}),
    ]


async def test_one_effect_by_hand_with_mappings(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """They are sent as they are, unknown fields included."""
    await verity.request_lease("ns", {"effectKey": "k", "colour": "red"})
    assert (await verity.fail("ns", WIRE | {"error": "e"})).status == "recorded"
    again = await verity.fail("ns", FailRequestBody(**HOLDER, error="e", source="acted"))
    assert again.status == "already_failed"
    cached = await verity.request_lease("ns", {"effectKey": "k"})
    assert isinstance(cached, LeaseCachedResponse)
    assert (cached.status, cached.cached_error) == ("cached_failed", "e")
    assert ledger.requests[0] == ("lease", {"effectKey": "k", "colour": "red"})


async def test_a_held_lease_is_a_conflict(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """At once: whoever asks by hand waits by hand; it names the effect."""
    ledger.hold()
    for body in (LeaseRequestBody(effect_key="k"), {"effectKey": "k"}):
        with pytest.raises(LeaseConflictError) as caught:
            await verity.request_lease("ns", body)
        assert caught.value.effect_key == "k"


async def test_an_old_fence_is_a_conflict(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """On commit, fail and renew."""
    await verity.request_lease("ns", {"effectKey": "k"})
    ledger.take_over()
    for send, body in (
        (verity.commit, WIRE | {"result": 1}),
        (verity.fail, WIRE | {"error": 1}),
        (verity.renew, WIRE),
    ):
        with pytest.raises(VerityConflictError, match="stale_fence"):
            await send("ns", body)


@pytest.mark.parametrize("namespace", ["../x", ".", "..", "a/b", "a?b", "é", "a%2Fb", " "])
async def test_a_namespace_is_one_segment(
    verity: AsyncVerityClient, ledger: FakeLedger, namespace: str
) -> None:
    """It can't leave its endpoint."""
    await verity.request_lease(namespace, {"effectKey": "k"})
    assert list(ledger.effects) == [(namespace, "k")]
    assert ledger.http[0].url.raw_path.count(b"/") == 4


@pytest.mark.parametrize("namespace", ["", "\ud800"])
async def test_a_namespace_that_is_no_segment_is_refused(
    verity: AsyncVerityClient, ledger: FakeLedger, namespace: str
) -> None:
    """Before any request."""
    with pytest.raises(VerityValidationError):
        await verity.request_lease(namespace, {"effectKey": "k"})
    assert ledger.verbs == []


@pytest.mark.parametrize("body", [{"effectKey": object()}, {"effectKey": "\ud800"}, {"a": {1}}])
async def test_a_body_that_is_no_json_is_refused(
    verity: AsyncVerityClient, ledger: FakeLedger, body: Any
) -> None:
    """Before any request."""
    with pytest.raises(VerityValidationError, match="not JSON"):
        await verity.request_lease("ns", body)
    assert ledger.verbs == []


# -- the query API --------------------------------------------------------------------------------


def page(items: list[Any], cursor: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"items": items, "nextCursor": cursor})


async def test_a_page_of_effects(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """Only the filters that are given are sent."""
    ledger.faults["effects"].extend([page([EFFECT], "next"), page([])])
    found = await verity.effects.list()
    assert [effect.effect_key for effect in found.items] == ["k"]
    assert found.next_cursor == "next"
    await verity.effects.list(
        namespace="n&s",
        status="FAILED",
        workflow="w",
        case="c",
        key="k=1",
        limit=5,
        cursor="next",
        payloads=True,
    )
    assert ledger.requests == [
        ("effects", {"limit": "50"}),
        (
            "effects",
            {
                "namespace": "n&s",
                "status": "FAILED",
                "workflow": "w",
                "case": "c",
                "key": "k=1",
                "limit": "5",
                "cursor": "next",
                "payloads": "true",
            },
        ),
    ]


async def test_walking_asks_for_a_page_when_it_is_needed(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """From cursor to cursor, as the loop goes on."""
    ledger.faults["effects"].extend([page([EFFECT] * 2, "a"), page([EFFECT], "b"), page([EFFECT])])
    requests: list[int] = []
    async for effect in verity.effects.iter(status="COMMITTED", page_size=2):
        assert effect.effect_key == "k"
        requests.append(len(ledger.requests))
    assert requests == [1, 1, 2, 3]
    assert [query.get("cursor") for query in ledger.bodies("effects")] == [None, "a", "b"]
    assert {query["status"] for query in ledger.bodies("effects")} == {"COMMITTED"}


@pytest.mark.parametrize(
    ("max_items", "limits"), [(0, []), (1, ["1"]), (2, ["2"]), (3, ["2", "1"]), (None, ["2"] * 3)]
)
async def test_walking_stops_at_max_items(
    verity: AsyncVerityClient, ledger: FakeLedger, max_items: int | None, limits: list[str]
) -> None:
    """And asks for no more than that, page by page."""
    ledger.faults["effects"].extend([page([EFFECT] * 2, "a"), page([EFFECT] * 2, "b"), page([])])
    walk = verity.effects.iter(page_size=2, max_items=max_items)
    found = [effect async for effect in walk]
    assert len(found) == (4 if max_items is None else max_items)
    assert [query["limit"] for query in ledger.bodies("effects")] == limits


async def test_walking_ends_at_an_empty_page(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """Whatever cursor comes with it: no ledger keeps a program walking for ever."""
    ledger.always["effects"] = page([], "again")
    ledger.always["events"] = page([], "again")
    assert [effect async for effect in verity.effects.iter()] == []
    assert await verity.effects.events("k") == []
    assert ledger.verbs == ["effects", "events"]


async def test_one_effect(connect: Connect, ledger: FakeLedger) -> None:
    """With its payloads, by its key in a namespace."""
    ledger.always["effect"] = httpx.Response(200, json=EFFECT | {"result": {"a": 1}})
    effect = await connect().effects.get("k?&=#", namespace="other/ns")
    assert effect.result == {"a": 1}
    assert ledger.requests == [("effect", {"effectKey": "k?&=#"})]
    assert ledger.http[0].url.raw_path.startswith(b"/v1/effects/other%2Fns/effect?")


async def test_the_audit_trail_of_all_effects(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """Effect by effect, from cursor to cursor."""
    part = {name: EFFECT[name] for name in ("effectId", "namespace", "effectKey", "status")}
    part |= {"fenceToken": 1, "events": [EVENT]}
    ledger.faults["trail"].extend([page([part], "a"), page([part | {"events": []}])])
    found = [item async for item in verity.effects.iter_trail(namespace="shop", page_size=2)]
    assert [[1], []] == [[line.seq for line in item.events] for item in found]
    assert ledger.bodies("trail") == [
        {"namespace": "shop", "limit": "2"},
        {"namespace": "shop", "limit": "2", "cursor": "a"},
    ]
    with pytest.raises(VerityValidationError):
        verity.effects.iter_trail(page_size=0)


async def test_the_whole_audit_trail(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """Page after page, oldest first."""
    second = EVENT | {"seq": 2, "type": "COMMITTED", "detail": {"source": "acted"}}
    ledger.faults["events"].extend([page([EVENT], "a"), page([second])])
    events = await verity.effects.events("k")
    assert [(event.seq, event.type) for event in events] == [(1, "LEASE_GRANTED"), (2, "COMMITTED")]
    assert events[1].detail == {"source": "acted"}
    assert [query.get("cursor") for query in ledger.bodies("events")] == [None, "a"]


async def test_a_reset(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """With its reason; in another state it is a conflict."""
    ledger.faults["reset"].extend([httpx.Response(200, json=EFFECT | {"status": "RESET"}), 409])
    effect = await verity.effects.reset("k", reason="looked at it")
    assert effect.status == "RESET"
    assert ledger.requests == [("reset", {"effectKey": "k", "reason": "looked at it"})]
    with pytest.raises(VerityConflictError):
        await verity.effects.reset("k", reason="again")


async def test_a_reset_is_not_sent_again_after_no_answer(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """The effect may be running again by then."""
    ledger.always["reset"] = 503
    with pytest.raises(VerityApiError):
        await verity.effects.reset("k", reason="looked at it")
    assert ledger.verbs == ["reset"]


async def test_what_the_ledger_does_not_know(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """Typed errors of its own."""
    ledger.always.update(effect=404, events=404, effects=422)
    with pytest.raises(VerityNotFoundError):
        await verity.effects.get("k")
    with pytest.raises(VerityNotFoundError):
        await verity.effects.events("k")
    with pytest.raises(VerityValidationFailedError):
        await verity.effects.list(limit=0)


async def test_reads_are_tried_again(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """They change nothing."""
    ledger.faults["effect"].extend(
        [503, httpx.ReadTimeout("slow"), httpx.Response(200, json=EFFECT)]
    )
    assert (await verity.effects.get("k")).effect_id == "eff_1"
    assert ledger.verbs == ["effect"] * 3


@pytest.mark.parametrize("key", ["", None, 7])
async def test_a_key_that_is_none_is_refused(
    verity: AsyncVerityClient, ledger: FakeLedger, key: Any
) -> None:
    """Before any request."""
    for send in (verity.effects.get, verity.effects.events):
        with pytest.raises(VerityValidationError):
            await send(key)
    with pytest.raises(VerityValidationError):
        await verity.effects.reset(key, reason="r")
    assert ledger.verbs == []


async def test_without_any_namespace_it_is_a_config_error(connect: Connect) -> None:
    """Except for lists, which are over all."""
    verity = connect(namespace=None)
    with pytest.raises(VerityConfigError, match="namespace"):
        await verity.effects.get("k")


async def test_a_url_that_grows_too_long_is_a_typed_error(verity: AsyncVerityClient) -> None:
    """A key travels in the query, there."""
    with pytest.raises(VerityValidationError, match="URL"):
        await verity.effects.get("é" * 16_384)


async def test_a_call_may_have_its_own_timeout_and_retries(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """Of the client's two retries this commit uses none; the next effect uses one."""
    ledger.always["commit"] = 503
    with pytest.raises(VerityServerError):
        await verity.commit("ns", {"effectKey": "k"}, max_retries=0, timeout=1.5)
    assert ledger.verbs == ["commit"]
    with pytest.raises(CommitUncertainError):
        await verity.protect("k", act=lambda: "receipt", max_retries=1, timeout=1.5)
    assert ledger.verbs == ["commit", "lease", "commit", "commit"]


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": "1"}, {"max_retries": -1}])
async def test_a_call_s_own_settings_are_checked(
    verity: AsyncVerityClient, ledger: FakeLedger, options: dict[str, Any]
) -> None:
    """Before anything is asked of the ledger."""
    with pytest.raises(VerityValidationError):
        await verity.protect("k", act=lambda: "receipt", **options)
    assert ledger.verbs == []
