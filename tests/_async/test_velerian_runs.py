"""Runs of Velerian: queued, waited for, and as effects of the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from quatrain import AsyncClient
from quatrain._async.velerian import AsyncVelerianClient
from quatrain._lease import idempotency_key
from quatrain.errors import velerian as errors
from quatrain.verity import AsyncVerityClient

from .._doubles import AsyncInstantClock, FakeLedger
from .._governance import QUEUED, FakeGovernance


@pytest.fixture
def q(velerian: AsyncVelerianClient, verity: AsyncVerityClient) -> AsyncClient:
    return AsyncClient(velerian=velerian, verity=verity)


# -- queued and waited for ------------------------------------------------------------------------


async def test_a_run_is_queued(velerian: AsyncVelerianClient, governance: FakeGovernance) -> None:
    """Without waiting: what the platform answers at once; everything that was given is sent."""
    run = await velerian.invoke_network("desk", "Hello", {"team": "a"}, ["file_1"], wait=False)
    assert run == QUEUED
    assert governance.body() == {
        "prompt_text": "Hello",
        "metadata": {"team": "a"},
        "attachment_ids": ["file_1"],
    }
    assert len(governance.requests) == 1


@pytest.mark.parametrize("end", ["succeeded", "failed", "blocked"])
async def test_a_run_is_waited_for(
    velerian: AsyncVelerianClient,
    governance: FakeGovernance,
    instant: AsyncInstantClock,
    end: str,
) -> None:
    """Every three seconds until it is over, however it ends; the row, and the contract's names."""
    governance.statuses.extend(["queued", "running", end])
    run = await velerian.invoke_network("desk", "Hello")
    assert run == {
        "id": "run_1",
        "status": end,
        "model_id": "m-1",
        "slug": "desk",
        "run_id": "run_1",
        "prompt_id": "run_1",
        "run_url": "/runs/run_1",
        "model_id_used": "m-1",
    }
    assert instant.slept == [3.0, 3.0]


async def test_progress_is_told(velerian: AsyncVelerianClient, governance: FakeGovernance) -> None:
    """The row, each time it was looked at."""
    governance.statuses.extend(["queued", "running", "running"])
    seen: list[Any] = []
    row = await velerian.await_run("run_1", on_progress=seen.append)
    assert [each["status"] for each in seen] == ["queued", "running", "running", "succeeded"]
    assert seen[-1] == row


async def test_a_run_that_takes_too_long(
    velerian: AsyncVelerianClient, governance: FakeGovernance, instant: AsyncInstantClock
) -> None:
    """It is looked at for the last time when the time is over, and the error says which it was."""
    governance.statuses.extend(["queued"] + ["running"] * 9)
    with pytest.raises(errors.RunTimeoutError) as caught:
        await velerian.invoke_network("desk", "Hello", poll_interval=4.0, run_timeout=10.0)
    assert (caught.value.run_id, caught.value.status, caught.value.waited_s) == (
        "run_1",
        "running",
        10.0,
    )
    assert instant.slept == [4.0, 4.0, 2.0]
    assert (await velerian.await_run("run_1"))["status"] == "succeeded"


async def test_no_time_to_wait_is_one_look(
    velerian: AsyncVelerianClient, governance: FakeGovernance, instant: AsyncInstantClock
) -> None:
    """A run that is over is over."""
    assert (await velerian.await_run("run_1", run_timeout=0))["status"] == "succeeded"
    governance.statuses.append("running")
    with pytest.raises(errors.RunTimeoutError):
        await velerian.await_run("run_1", run_timeout=0)
    assert instant.slept == []


async def test_a_run_is_not_lost_with_a_look_that_failed(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """The error says which run it was, and what is raised while it is waited for comes out."""
    governance.faults.extend([None, 403])
    with pytest.raises(errors.VelerianForbiddenError) as caught:
        await velerian.invoke_network("desk", "Hello")
    assert "run_1" in caught.value.__notes__[0]

    def stop(_: Any) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await velerian.await_run("run_1", on_progress=stop)


async def test_a_look_that_fails_for_a_passing_reason_is_no_end(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """It is tried again, and the options of the call are those of its looks too."""
    governance.faults.extend([None, 503, "lost"])
    assert (await velerian.invoke_network("desk", "Hello", timeout=2.0))["status"] == "succeeded"
    assert {r.extensions["timeout"]["read"] for r in governance.requests} == {2.0}


@pytest.mark.parametrize("status", [["succeeded"], {}, 7, True])
async def test_a_run_in_no_known_way(
    velerian: AsyncVelerianClient, governance: FakeGovernance, status: Any
) -> None:
    """A status that is no text is no answer of the contract."""
    governance.data["GET /api/v2/pack-runs/run_1"] = {"id": "run_1", "status": status}
    with pytest.raises(errors.VelerianAPIError, match="its status is a"):
        await velerian.await_run("run_1")


@pytest.mark.parametrize("on_progress", [7, "print"])
async def test_progress_has_to_be_callable(
    velerian: AsyncVelerianClient, governance: FakeGovernance, on_progress: Any
) -> None:
    """Before anything is queued."""
    with pytest.raises(errors.VelerianInputError, match="on_progress"):
        await velerian.invoke_network("desk", "Hello", on_progress=on_progress)
    assert governance.requests == []


@pytest.mark.parametrize("told", [{}, {"run_id": 7}, {"run_id": ""}, {"run_id": " "}])
async def test_a_queue_that_tells_no_run(
    velerian: AsyncVelerianClient, governance: FakeGovernance, told: dict[str, Any]
) -> None:
    """Nobody could wait for it."""
    governance.data["POST /api/agenticx/networks/desk/invoke"] = {"status": "queued", **told}
    with pytest.raises(errors.VelerianAPIError, match="run_id"):
        await velerian.invoke_network("desk", "Hello")


# -- as effects -----------------------------------------------------------------------------------


async def test_an_invocation_happens_once(
    q: AsyncClient, governance: FakeGovernance, ledger: FakeLedger
) -> None:
    """Later calls get the first one's answer, whole, and send nothing to the platform."""
    results = [
        await q.velerian.invoke_abp("abp_1", {"amount": 40}, effect_key="refund:1")
        for _ in range(3)
    ]
    assert [each.invocation_id for each in results] == ["inv_1"] * 3
    assert results[2].raw == results[0].raw
    assert governance.keys == [idempotency_key("ns", "refund:1")]
    assert ledger.verbs == ["lease", "commit", "lease", "lease"]
    assert ledger.bodies("lease")[0]["effectName"] == "velerian.abps"


async def test_a_network_is_invoked_once(
    q: AsyncClient, governance: FakeGovernance, ledger: FakeLedger
) -> None:
    """To queue the run is the effect: whoever comes later waits for the same one."""
    for _ in range(2):
        run = await q.velerian.invoke_network("desk", "Hello", effect_key="ask:1")
        assert run["run_id"] == "run_1"
    assert [r.method for r in governance.requests] == ["POST", "GET", "GET"]
    assert ledger.bodies("lease")[0]["effectName"] == "velerian.networks"


async def test_an_answer_that_can_not_be_read_is_a_failed_effect(
    q: AsyncClient, governance: FakeGovernance, ledger: FakeLedger
) -> None:
    """The error of the one who writes, not of all who come later."""
    governance.data["POST /api/v2/abps/abp_1/invoke"] = {"invocation_id": 7}
    with pytest.raises(errors.VelerianAPIError, match="invocation_id"):
        await q.velerian.invoke_abp("abp_1", {}, effect_key="refund:1")
    assert ledger.bodies("fail")[0]["error"]["name"] == "VelerianAPIError"


async def test_an_effect_of_another_kind_is_told_apart(q: AsyncClient) -> None:
    """Its result is no answer of the platform."""

    async def act() -> str:
        return "re_1"

    await q.verity.protect("refund:1", act=act)
    with pytest.raises(errors.VelerianInputError, match="refund:1"):
        await q.velerian.invoke_abp("abp_1", {}, effect_key="refund:1")


async def test_an_effect_takes_a_ledger_and_no_key_of_ones_own(
    q: AsyncClient, velerian: AsyncVelerianClient, ledger: FakeLedger
) -> None:
    """The effect has one already."""
    with pytest.raises(errors.VelerianInputError, match="one of the two"):
        await q.velerian.invoke_abp("abp_1", {}, effect_key="r", idempotency_key="mine")
    velerian._api.effects = None
    with pytest.raises(errors.VelerianConfigError, match="AsyncClient"):
        await velerian.invoke_abp("abp_1", {}, effect_key="r")
    assert ledger.verbs == []
