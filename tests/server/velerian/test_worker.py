"""The worker: every run ends, once, with its evidence, and whatever befalls the platform."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from quatrain.evidence.chain import hash_of
from quatrain.server import Settings, create_app
from quatrain.server.velerian.policy import Verdict, judged
from quatrain.server.velerian.runner import MAX_OUTPUT, Request, echo
from quatrain.server.velerian.runs import Runs
from quatrain.server.velerian.worker import Pace

from .._support import START, ServerClock, second
from ._runs import Asked, Place, workers

PATIENT = Pace(poll=3_600, renew=15)
"""Looks only when it is woken."""


async def test_a_run_from_its_beginning_to_its_end(place: Place, clock: ServerClock) -> None:
    """Queued, running, succeeded: the model is asked once, with all that came with the prompt."""
    during = []

    async def answer(request: Request) -> str:
        during.append(await place.run(run_id))
        clock.advance(1_000)
        return "world"

    run_id = await place.ask("hello", metadata={"a": [1]}, user_id="ann")
    before = await place.run(run_id)
    clock.advance(500)
    asked = Asked(answer)
    async with place.worker(asked).running():
        await place.over()
    after = await place.run(run_id)

    assert ("queued", 0, None, None, None) == (
        *(before.status, before.attempts, before.started_at, before.governance_pass),
        before.output_text,
    )
    assert ("running", 1, START + 500) == (
        *(during[0].status, during[0].attempts, during[0].started_at),
    )
    assert ("succeeded", "world", None, True, []) == (
        *(after.status, after.output_text, after.error, after.governance_pass),
        after.governance_reasons,
    )
    assert (START, START + 500, START + 1_500, None) == (
        *(after.created_at, after.started_at, after.finished_at, after.claimed_until),
    )
    assert [
        Request(
            kind="network",
            name="open",
            prompt="hello",
            payload={"a": [1], "prompt": "hello"},
            metadata={"a": [1]},
            model_id="model-1",
        )
    ] == asked.requests


async def test_each_change_is_in_the_audit_log(place: Place) -> None:
    """As done by who asked for the run."""
    run_id = await place.ask(user_id="ann")
    async with place.worker(echo).running():
        await place.over()
    pack_id = (await place.run(run_id)).pack_id
    assert [
        ("network.invoke", "open", {"run_id": run_id}),
        ("run.start", run_id, {"slug": "open", "attempt": 1}),
        (
            "run.finish",
            run_id,
            {"slug": "open", "status": "succeeded", "evidence_pack_id": pack_id},
        ),
    ] == place.audit()


async def test_the_end_has_evidence(place: Place) -> None:
    """What was asked, by whom, what the policy said and what the model did."""
    run_id = await place.ask("an offer", "guarded", metadata={"a": 1}, attachment_ids=["att_1"])
    async with place.worker(echo).running():
        await place.over()
    (pack,) = place.packs()
    assert (run_id, "run", (await place.run(run_id)).pack_id) == (
        *(pack["subject_id"], pack["kind"], pack["pack_id"]),
    )
    assert {
        "outcome": "allow",
        "conditions": ["name the terms"],
        "constraint_count": 4,
        "network": "guarded",
        "model_id": "echo",
        "user_id": "local",
        "prompt_text": "an offer",
        "metadata": {"a": 1},
        "attachment_ids": ["att_1"],
        "status": "succeeded",
        "output_text": "an offer",
        "output_hash": hash_of("an offer"),
        "error": None,
        "attempts": 1,
    }.items() <= pack.items()
    assert ["name the terms"] == (await place.run(run_id)).governance_reasons


# -- the policy -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "metadata", "outcome", "reason"),
    [
        ("a weapon", None, "deny", "weapons are not discussed"),
        ("a weapon", {"prompt": "flowers"}, "deny", "weapons are not discussed"),
        ("pay", {"amount": 1001}, "require_human", "a person decides on large sums"),
    ],
)
async def test_what_the_policy_does_not_allow_is_blocked(
    place: Place, prompt: str, metadata: Any, outcome: str, reason: str
) -> None:
    """The model is not asked; the evidence says why. Metadata can't stand in for the prompt."""
    run_id = await place.ask(prompt, "guarded", metadata=metadata)
    asked = Asked()
    async with place.worker(asked).running():
        await place.over()
    run = await place.run(run_id)
    assert ("blocked", False, [reason], None, None) == (
        *(run.status, run.governance_pass, run.governance_reasons, run.output_text, run.error),
    )
    assert [] == asked.requests
    assert [(outcome, [reason], "blocked", None)] == [
        (pack["outcome"], pack["reasons"], pack["status"], pack["output_hash"])
        for pack in place.packs()
    ]


async def test_a_slow_judgement_holds_up_nobody(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither requests nor the claims of other runs."""
    free, in_time = threading.Event(), []

    def slow(*given: Any) -> Verdict:
        asyncio.run_coroutine_threadsafe(freed(), loop)
        in_time.append(free.wait(10))
        return judged(*given)

    async def freed() -> None:
        free.set()

    loop = asyncio.get_running_loop()
    monkeypatch.setattr("quatrain.server.velerian.worker.judged", slow)
    await place.ask()
    async with place.worker(echo).running():
        await place.over()
    assert (["succeeded"], [True]) == (await place.statuses(), in_time)


async def test_what_is_withheld_runs_and_is_not_shown(place: Place) -> None:
    """Neither by the run nor by its evidence, which proves it by a hash."""
    run_id = await place.ask("who", "guarded", metadata={"secret": True})
    async with place.worker(lambda request: "the butler").running():
        await place.over()
    run = await place.run(run_id)
    assert ("succeeded", True, ["it is a secret"], None) == (
        *(run.status, run.governance_pass, run.governance_reasons, run.output_text),
    )
    (pack,) = place.packs()
    assert (None, hash_of("the butler")) == (pack["output_text"], pack["output_hash"])


async def test_a_policy_that_cannot_be_read_ends_its_runs(place: Place) -> None:
    """Others go on."""

    def spoil(connection: sqlite3.Connection, _now: int, _: None) -> None:
        connection.execute(
            "UPDATE velerian_networks SET policy = '{\"default\": 1}' WHERE slug = 'guarded'"
        )

    spoilt = await place.ask(slug="guarded")
    await place.store.write(spoil, None)
    await place.ask()
    async with place.worker(echo).running():
        await place.over()
    run = await place.run(spoilt)
    assert ["failed", "succeeded"] == await place.statuses()
    assert run.governance_pass is None
    assert (run.error or "").startswith("the network's policy can't be read: default: ")


# -- the model ------------------------------------------------------------------------------------


async def test_a_model_that_fails_fails_the_run(place: Place) -> None:
    """In one line; the next run is as good as any."""

    def answer(request: Request) -> str:
        if request.prompt == "bad":
            raise ValueError("no\nidea")
        return "good"

    bad, good = await place.ask("bad"), await place.ask("good")
    async with place.worker(answer).running():
        await place.over()
    failed = await place.run(bad)
    assert ("failed", "ValueError: no idea", True, None) == (
        *(failed.status, failed.error, failed.governance_pass, failed.output_text),
    )
    assert "good" == (await place.run(good)).output_text
    assert Counter({"failed": 1, "succeeded": 1}) == Counter(p["status"] for p in place.packs())


async def test_any_answer_that_is_taken_can_be_kept(place: Place) -> None:
    """However long, and whatever characters."""
    answers = {"long": "x" * MAX_OUTPUT, "odd": "\u2028\x1b\U0001f600", "empty": ""}
    ids = {name: await place.ask(name) for name in answers}
    async with place.worker(lambda request: answers[request.prompt]).running():
        await place.over()
    assert answers == {name: (await place.run(ids[name])).output_text for name in ids}


# -- many at once ---------------------------------------------------------------------------------


async def test_so_many_are_under_way_at_a_time(place: Place) -> None:
    """Each that ends makes room for the oldest that waits."""
    release = asyncio.Event()

    async def answer(request: Request) -> str:
        await release.wait()
        return ""

    asked = Asked(answer)
    queued = [await place.ask(str(number)) for number in range(10)]
    async with place.worker(asked, Pace(at_once=3, poll=3_600)).running():
        await asked.been(3)
        for _ in range(20):
            await asyncio.sleep(0)
        assert ["running"] * 3 + ["queued"] * 7 == await place.statuses()
        release.set()
        await place.over()
    assert queued == [run_id for action, run_id, _ in place.audit() if action == "run.start"]
    # those that are begun together are judged in threads: any may come to its model first
    assert {str(number): 1 for number in range(10)} == Counter(r.prompt for r in asked.requests)
    assert 3 == asked.most


async def test_two_on_one_file_never_begin_the_same(
    place: Place, database: Path, clock: ServerClock
) -> None:
    """Each run is begun once, and ends once."""
    ids = [await place.ask(str(number)) for number in range(40)]
    one, two = Asked(), Asked()
    with second(place.store) as store:
        there = Place(store, Runs(store), place.networks)
        async with place.worker(one).running(), there.worker(two).running():
            await place.over()
    prompts = Counter(request.prompt for asked in (one, two) for request in asked.requests)
    assert {str(number): 1 for number in range(40)} == prompts
    assert sorted(ids) == sorted(pack["subject_id"] for pack in place.packs())
    assert ["succeeded"] * 40 == await place.statuses()


async def test_it_is_woken_by_who_asks(place: Place) -> None:
    """And from any thread; its next look would be far off."""
    worker = place.worker(echo, PATIENT)
    runs = Runs(place.store, wake=worker.wake)
    async with worker.running():
        await runs.start("acme", "open", prompt_text="a")
        await place.over()
        await place.ask("b")
        await asyncio.to_thread(worker.wake)
        await place.over()
    worker.wake()  # it does nothing any more
    assert ["succeeded"] * 2 == await place.statuses()


async def test_what_others_queue_is_found_without_being_told(place: Place) -> None:
    """It looks every now and then."""
    async with place.worker(echo).running():
        await place.ask()
        await place.over()
    assert ["succeeded"] == await place.statuses()


# -- in the app -----------------------------------------------------------------------------------


async def test_the_app_executes_runs_while_it_lives(database: Path, clock: ServerClock) -> None:
    """With the runner of its settings; its end is the worker's."""
    asked = Asked(lambda request: "done")
    app = create_app(Settings(database=database, velerian_runner=asked), now_ms=clock)
    async with app.router.lifespan_context(app):
        assert ["quatrain-runs"] == workers()
        place = Place(app.state.store, app.state.velerian.runs, app.state.velerian.networks)
        await place.networks.create("acme", "open")
        run_id = await place.ask()
        await place.over()
        assert "done" == (await place.run(run_id)).output_text
    assert [] == workers()


async def test_a_platform_may_leave_it_to_others(database: Path, clock: ServerClock) -> None:
    """Then what is queued waits."""
    app = create_app(Settings(database=database, background=False), now_ms=clock)
    async with app.router.lifespan_context(app):
        assert [] == workers()
        place = Place(app.state.store, app.state.velerian.runs, app.state.velerian.networks)
        await place.networks.create("acme", "open")
        await place.ask()
        assert ["queued"] == await place.statuses()
