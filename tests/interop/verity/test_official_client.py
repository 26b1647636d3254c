"""The vendor's own client, unchanged, against the local ledger: every call, status and error."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.verity import AsyncVerityClient, ConflictRetryConfig

from .._platform import Fault, Recorder, ServedPlatform
from ._agents import official

NAMESPACE = "payments"
LEASE_MS = 30_000


def never() -> None:
    raise AssertionError("act was called")


@pytest.fixture
def settings(platform: ServedPlatform) -> dict[str, Any]:
    return {
        "base_url": platform.base_url,
        "api_key": platform.make_key(),
        "namespace": NAMESPACE,
        "agent_id": "worker-1",
    }


@pytest.fixture
async def client(settings: dict[str, Any]) -> AsyncIterator[Any]:
    """The official client."""
    async with official.VerityClient(**settings) as client:
        yield client


@pytest.fixture
async def ours(settings: dict[str, Any]) -> AsyncIterator[AsyncVerityClient]:
    """The client of this project on the same data: it can look into the ledger."""
    async with AsyncVerityClient(**settings) as client:
        yield client


async def lease(client: Any, key: str = "k", **body: Any) -> Any:
    request = official.LeaseRequestBody(effect_key=key, **body)
    return await client.request_lease(NAMESPACE, request.to_api_dict())


def holder(granted: Any) -> dict[str, Any]:
    """What the holder of a lease says in each request."""
    return {
        "effect_key": granted.effect_key,
        "fence_token": granted.fence_token,
        "lease_token": granted.lease_token,
    }


async def commit(client: Any, granted: Any, result: Any) -> Any:
    body = official.CommitRequestBody(**holder(granted), result=result, source="acted")
    return await client.commit(NAMESPACE, body.to_api_dict())


async def fail(client: Any, granted: Any, error: Any) -> Any:
    body = official.FailRequestBody(**holder(granted), error=error, source="acted")
    return await client.fail(NAMESPACE, body.to_api_dict())


async def trail(ours: AsyncVerityClient, key: str = "k", **where: Any) -> list[tuple[str, int]]:
    return [(event.type, event.fence_token) for event in await ours.effects.events(key, **where)]


# -- protect --------------------------------------------------------------------------------------


async def test_an_effect_happens_once(client: Any, ours: AsyncVerityClient) -> None:
    """A coroutine function acts; the second call gets its result, and so does our client."""

    async def act() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"receipt": "r-1", "note": "ü\u2028"}

    assert {"receipt": "r-1", "note": "ü\u2028"} == await client.protect("k", act=act)
    assert {"receipt": "r-1", "note": "ü\u2028"} == await client.protect("k", act=never)
    assert {"receipt": "r-1", "note": "ü\u2028"} == await ours.protect("k", act=never)
    assert [("LEASE_GRANTED", 1), ("COMMITTED", 1)] == await trail(ours)


async def test_it_gets_what_our_client_recorded(client: Any, ours: AsyncVerityClient) -> None:
    """Results and failures."""
    await ours.protect("done", act=lambda: [1, None])
    assert [1, None] == await client.protect("done", act=never)
    with pytest.raises(ZeroDivisionError):
        await ours.protect("failed", act=lambda: 1 // 0)
    with pytest.raises(official.EffectPreviouslyFailedError) as caught:
        await client.protect("failed", act=never)
    assert "ZeroDivisionError" == caught.value.cached_error["name"]


async def test_an_act_without_a_result(client: Any, ours: AsyncVerityClient) -> None:
    """The client leaves the result out; the effect is done all the same."""
    assert await client.protect("k", act=lambda: None) is None
    assert await client.protect("k", act=never) is None
    assert "COMMITTED" == (await ours.effects.get("k")).status


async def test_every_option_reaches_the_ledger(client: Any, ours: AsyncVerityClient) -> None:
    """Names, input, duration and suffix; ``on_lease`` gets the grant."""
    leases: list[Any] = []
    await client.protect(
        "order-1",
        act=lambda: 1,
        namespace="refunds",
        effect_name="refund",
        agent_id="worker-2",
        lease_duration_ms=LEASE_MS,
        input_json={"order": 1},
        key_suffix="a",
        on_conflict="throw",
        on_lease=leases.append,
    )
    effect = await ours.effects.get("order-1:a", namespace="refunds")
    found = (effect.effect_name, effect.agent_id, effect.input_json, effect.source)
    assert ("refund", "worker-2", {"order": 1}, "acted") == found
    (granted,) = leases
    assert ("granted", "none", effect.effect_id, 1) == (
        granted.status,
        granted.prior_state,
        granted.effect_id,
        granted.fence_token,
    )


async def test_observe_after_an_expired_lease(
    client: Any, ours: AsyncVerityClient, platform: ServedPlatform
) -> None:
    """A hit is committed as observed, a miss leads to act; both are in the audit trail."""
    for key, seen in (("hit", "seen"), ("miss", None)):
        await lease(client, key)
        platform.clock.advance(LEASE_MS + 1)
        result = await client.protect(key, observe=lambda seen=seen: seen, act=lambda: "acted")
        assert (seen or "acted") == result
        await asyncio.to_thread(platform.recorder.wait_for, "report-observe", 1 if seen else 2)
        effect = await ours.effects.get(key)
        assert ("COMMITTED", 2) == (effect.status, effect.fence_token)
        assert ("observed" if seen else "acted") == effect.source
    events = await trail(ours, "hit")
    expected = [("LEASE_GRANTED", 1), ("LEASE_EXPIRED", 1), ("LEASE_GRANTED", 2)]
    assert expected == events[:3]
    assert {("OBSERVE_HIT", 2), ("COMMITTED", 2)} == set(events[3:])
    assert ("OBSERVE_MISS", 2) in await trail(ours, "miss")


async def test_a_failure_stays_until_it_is_reset(client: Any, ours: AsyncVerityClient) -> None:
    """EffectPreviouslyFailedError with the recorded error; after a reset it runs again."""
    with pytest.raises(ZeroDivisionError):
        await client.protect("k", act=lambda: 1 // 0)
    with pytest.raises(official.EffectPreviouslyFailedError) as caught:
        await client.protect("k", act=never)
    effect = await ours.effects.get("k")
    assert (effect.effect_id, "ZeroDivisionError") == (
        caught.value.effect_id,
        caught.value.cached_error["name"],
    )
    await ours.effects.reset("k", reason="the sum was corrected")
    prior: list[str] = []
    result = await client.protect(
        "k", act=lambda: 2, observe=never, on_lease=lambda got: prior.append(got.prior_state)
    )
    assert (2, ["reset"]) == (result, prior)


async def test_a_workflow_goes_on_where_the_last_run_stopped(
    client: Any, ours: AsyncVerityClient
) -> None:
    """The same effect of the case is the same key; runs and cases are recorded."""
    case = client.workflow("refund_flow").case("order-1")
    first = case.run(run_id="run-1", agent_id="worker-3")
    await first.protect("notify", act=lambda: "sent")
    with pytest.raises(ZeroDivisionError):
        await first.protect("refund", act=lambda: 1 // 0)
    await ours.effects.reset("order-1:refund", namespace="refund_flow", reason="fixed")
    second = case.run()
    assert "sent" == await second.protect("notify", act=never)
    assert "paid" == await second.protect("refund", act=lambda: "paid")
    page = await ours.effects.list(workflow="refund_flow", case="order-1")
    assert [("order-1:refund", second.run_id), ("order-1:notify", "run-1")] == [
        (effect.effect_key, effect.run_id) for effect in page.items
    ]


async def test_a_namespace_with_a_slash_is_the_same_to_both_clients(
    client: Any, ours: AsyncVerityClient
) -> None:
    """One writes it into the path as it is, the other as one segment."""
    await client.protect("k", act=lambda: "theirs", namespace="acme/refunds")
    assert "theirs" == await ours.protect("k", act=never, namespace="acme/refunds")
    found = await ours.effects.list(key="k")
    assert ["acme/refunds"] == [effect.namespace for effect in found.items]


async def test_agents_after_the_same_effect_act_once(settings: dict[str, Any]) -> None:
    """Both clients at once, retrying on conflict: one acts, all get its result."""
    acted: list[str] = []

    async def act() -> str:
        acted.append("acted")
        await asyncio.sleep(0)
        return "done"

    short: dict[str, Any] = {"max_attempts": 99, "initial_delay_s": 0.001, "max_delay_s": 0.01}
    async with contextlib.AsyncExitStack() as stack:
        retry = official.ConflictRetryConfig(**short)
        theirs = official.VerityClient(**settings, conflict_retry=retry)
        await stack.enter_async_context(theirs)
        ours = AsyncVerityClient(**settings, conflict_retry=ConflictRetryConfig(**short))
        await stack.enter_async_context(ours)
        clients = [theirs, ours] * 4
        results = await asyncio.gather(*(each.protect("k", act=act) for each in clients))
    assert (["done"] * 8, ["acted"]) == (results, acted)


# -- call by call ---------------------------------------------------------------------------------


async def test_every_status_of_a_lease(
    client: Any, ours: AsyncVerityClient, platform: ServedPlatform
) -> None:
    """Granted after nothing, expiry and reset; cached after a commit and a failure."""
    first = await lease(client)
    platform.clock.advance(LEASE_MS + 1)
    second = await lease(client)
    await fail(client, second, {"message": "no"})
    failed = await lease(client)
    await ours.effects.reset("k", reason="again")
    third = await lease(client)
    await commit(client, third, {"ok": True})
    done = await lease(client)
    grants = [first, second, third]
    assert [("granted", "none", 1), ("granted", "expired", 2), ("granted", "reset", 3)] == [
        (each.status, each.prior_state, each.fence_token) for each in grants
    ]
    assert ("cached_failed", {"message": "no"}, 2) == (
        failed.status,
        failed.cached_error,
        failed.fence_token,
    )
    assert ("cached_completed", {"ok": True}, 3) == (
        done.status,
        done.cached_result,
        done.fence_token,
    )
    assert 1 == len({each.effect_id for each in (*grants, failed, done)})


async def test_commits_and_failures_may_be_repeated(client: Any) -> None:
    """Accepted, then already_committed; recorded, then already_failed."""
    granted = await lease(client, "done")
    answers = [await commit(client, granted, 1) for _ in range(2)]
    assert ["accepted", "already_committed"] == [answer.status for answer in answers]
    assert [granted.effect_id] * 2 == [answer.effect_id for answer in answers]
    granted = await lease(client, "failed")
    answers = [await fail(client, granted, "no") for _ in range(2)]
    assert ["recorded", "already_failed"] == [answer.status for answer in answers]
    assert all(answer.message for answer in answers)


async def test_a_renewed_lease_lasts_longer(client: Any, platform: ServedPlatform) -> None:
    """By its own duration, or by what is asked for."""
    granted = await lease(client, lease_duration_ms=10_000)
    platform.clock.advance(9_999)
    body = official.RenewRequestBody(**holder(granted))
    renewed = await client.renew(NAMESPACE, body.to_api_dict())
    assert "renewed" == renewed.status
    assert renewed.lease_expires_at > granted.lease_expires_at
    platform.clock.advance(9_999)
    body = official.RenewRequestBody(**holder(granted), extension_ms=60_000)
    await client.renew(NAMESPACE, body.to_api_dict())
    platform.clock.advance(59_999)
    with pytest.raises(official.LeaseConflictError):
        await lease(client)


async def test_a_report_of_observe_is_acknowledged(client: Any, ours: AsyncVerityClient) -> None:
    """It changes nothing but the audit trail."""
    granted = await lease(client)
    body = official.ReportObserveBody(**holder(granted), hit=True, duration_ms=7)
    answer = await client.report_observe(NAMESPACE, body.to_api_dict())
    assert isinstance(answer, dict)
    assert ("OBSERVE_HIT", 1) in await trail(ours)
    assert "RUNNING" == (await ours.effects.get("k")).status


# -- errors ---------------------------------------------------------------------------------------


async def test_a_conflict_tells_who_holds_the_lease(client: Any) -> None:
    """With ``on_conflict="throw"``."""
    granted = await lease(client, agent_id="worker-9")
    with pytest.raises(official.LeaseConflictError) as caught:
        await client.protect("k", act=never, on_conflict="throw")
    body = caught.value.body
    assert ("k", "lease_conflict") == (caught.value.effect_key, body["code"])
    assert {
        "agentId": "worker-9",
        "fenceToken": 1,
        "leaseExpiresAt": granted.lease_expires_at,
    } == body["holder"]


async def test_a_conflict_is_waited_for(settings: dict[str, Any], platform: ServedPlatform) -> None:
    """By default: until the lease has run out, or as often as it was told to."""
    retry = official.ConflictRetryConfig(max_attempts=2, initial_delay_s=0.001)
    async with official.VerityClient(**settings, conflict_retry=retry) as client:
        await lease(client)
        with pytest.raises(official.LeaseConflictError):
            await client.protect("k", act=never)

        asking = asyncio.create_task(client.protect("k", act=lambda: "mine", observe=lambda: None))
        await asyncio.to_thread(platform.recorder.wait_for, "lease", 4)
        platform.clock.advance(LEASE_MS + 1)
        assert "mine" == await asking
        # its report goes out on a task that nobody awaits: closing the client would cut it off
        await asyncio.to_thread(platform.recorder.wait_for, "report-observe")


async def test_a_wrong_key_is_401(settings: dict[str, Any]) -> None:
    """With a request id, on every call."""
    wrong = settings | {"api_key": "vt_test_" + "A" * 43}
    async with official.VerityClient(**wrong) as client:
        with pytest.raises(official.VerityApiError) as caught:
            await client.protect("k", act=never)
    error = caught.value
    assert (401, "unauthenticated") == (error.status_code, error.body["code"])
    assert error.request_id.startswith("req_")


async def test_bad_requests_are_4xx_that_say_what_is_wrong(client: Any) -> None:
    """With a request id; where the content does not fit, every place in it."""
    granted = await lease(client)
    tokens = official.CommitRequestBody(**holder(granted), result=1).to_api_dict()
    cases = [
        (client.request_lease, {"effectKey": ""}, 422, "validation_failed"),
        (client.request_lease, {"effectKey": "k2", "leaseDurationMs": 4_999}, 422, None),
        (client.commit, {**tokens, "fenceToken": "1"}, 422, "validation_failed"),
        (client.commit, {**tokens, "effectKey": "unknown"}, 404, "effect_not_found"),
        (client.commit, {**tokens, "fenceToken": 2}, 409, "stale_fence"),
        (client.fail, {**tokens, "error": "no", "leaseToken": "wrong"}, 409, "stale_fence"),
        (client.renew, {**tokens, "fenceToken": 0}, 409, "stale_fence"),
        (client.report_observe, {"hit": True}, 422, "validation_failed"),
    ]
    for call, body, status, code in cases:
        with pytest.raises(official.VerityApiError) as caught:
            await call(NAMESPACE, body)
        error = caught.value
        assert status == error.status_code, error
        assert code in {error.body["code"], None}
        assert error.request_id == error.body["requestId"]
        assert error.request_id.startswith("req_")
        assert error.body["message"]
        assert (status == 422) == bool(error.body.get("errors"))


async def test_a_zombie_cannot_write(client: Any, platform: ServedPlatform) -> None:
    """Commit, fail and renew of a lease that somebody else has taken over."""
    zombie = await lease(client)
    platform.clock.advance(LEASE_MS + 1)
    newest = await lease(client)
    body = official.RenewRequestBody(**holder(zombie)).to_api_dict()
    for doing in (
        commit(client, zombie, "late"),
        fail(client, zombie, "late"),
        client.renew(NAMESPACE, body),
    ):
        with pytest.raises(official.VerityApiError) as caught:
            await doing
        assert (409, "stale_fence") == (caught.value.status_code, caught.value.body["code"])
    await commit(client, newest, "mine")
    assert "mine" == await client.protect("k", act=never)


async def test_a_run_out_lease_can_be_committed_but_not_renewed(
    client: Any, platform: ServedPlatform
) -> None:
    """As long as nobody else has begun."""
    granted = await lease(client)
    platform.clock.advance(LEASE_MS + 1)
    with pytest.raises(official.VerityApiError) as caught:
        await client.renew(NAMESPACE, official.RenewRequestBody(**holder(granted)).to_api_dict())
    assert (410, "lease_expired") == (caught.value.status_code, caught.value.body["code"])
    assert "accepted" == (await commit(client, granted, "late")).status


async def test_a_commit_that_is_not_confirmed(
    client: Any, ours: AsyncVerityClient, platform: ServedPlatform
) -> None:
    """Taken over while it acted: CommitUncertainError, and the newest lease's result stands."""

    async def act() -> str:
        platform.clock.advance(LEASE_MS + 1)
        assert "other" == await ours.protect("k", act=lambda: "other")
        return "late"

    with pytest.raises(official.CommitUncertainError) as caught:
        await client.protect("k", act=act)
    assert ("late", 409) == (caught.value.result, caught.value.commit_error.status_code)
    assert "other" == await client.protect("k", act=never)


async def test_a_commit_is_sent_again(
    client: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one was carried out and its answer lost: already_committed is success."""
    monkeypatch.setattr(official.client, "_COMMIT_FAIL_RETRY_BASE_S", 0.0)
    recorder.faults["commit"].append(Fault(503, done=True))
    assert 1 == await client.protect("k", act=lambda: 1)
    assert 1 == await client.protect("k", act=never)


async def test_what_is_not_json_or_too_large_is_not_sent(client: Any) -> None:
    """The client itself refuses input; a result like that leaves the commit uncertain."""
    with pytest.raises(official.VerityValidationError):
        await client.protect("k", act=never, input_json={1, 2})
    with pytest.raises(official.VerityValidationError):
        await client.protect("k", act=never, input_json="x" * 65_536)
    with pytest.raises(official.CommitUncertainError):
        await client.protect("k", act=object)


@pytest.mark.parametrize("text", ["x" * 65_534, "ü" * 10_922, "\u2028" * 10_922])
async def test_the_largest_payloads_it_sends_are_taken(client: Any, text: str) -> None:
    """It measures JSON with everything beyond ASCII escaped: 64 KiB to the byte."""
    assert text == await client.protect("k", act=lambda: text, input_json=text)
    assert text == await client.protect("k", act=never)


@pytest.mark.parametrize(
    "key", ["x'; DROP TABLE effects; --", "\u2028", "\0", "../..", "ключ", "k" * 10_000]
)
async def test_keys_may_be_anything(client: Any, key: str) -> None:
    """They travel in the body, and are data."""
    assert 1 == await client.protect(key, act=lambda: 1)
    assert 1 == await client.protect(key, act=never)


# -- other ways to run the platform ---------------------------------------------------------------


async def test_against_the_embedded_platform(tmp_path: Path) -> None:
    """Led there by its environment variables."""
    with EmbeddedPlatform(tmp_path / "q.db") as platform:
        env = platform.env
        given = {"base_url": env["VERITY_BASE_URL"], "api_key": env["VERITY_API_KEY"]}
        async with official.VerityClient(**given, namespace="ns") as client:
            assert 1 == await client.protect("k", act=lambda: 1)
            assert 1 == await client.protect("k", act=never)


_OUT_OF_PROCESS = """
import asyncio, os
from verity import VerityClient

async def main():
    async with VerityClient(
        base_url=os.environ["VERITY_BASE_URL"], api_key=os.environ["VERITY_API_KEY"]
    ) as client:
        print(await client.protect("k", act=lambda: "done", namespace="ns"))

asyncio.run(main())
"""


def test_a_program_that_knows_nothing_of_this_project(platform: ServedPlatform) -> None:
    """In a process of its own; run twice, it gets the first run's result."""
    env = {"VERITY_BASE_URL": platform.base_url, "VERITY_API_KEY": platform.make_key()}
    for _ in range(2):
        command = [sys.executable, "-c", _OUT_OF_PROCESS]
        program = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert ("done\n", "") == (program.stdout, program.stderr)
