"""Networks and their runs over HTTP: asked for, looked at, and kept apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from starlette.applications import Starlette

from quatrain.errors import InputError
from quatrain.server import Settings, create_app
from quatrain.server.velerian import audit
from quatrain.server.velerian.keys import ADMIN, RUNS_READ, RUNS_WRITE
from quatrain.server.velerian.records import ExistsError
from quatrain.server.velerian.runner import echo
from quatrain.server.velerian.schema import MAX_ATTACHMENTS, MAX_PROMPT
from quatrain.server.velerian.worker import RunWorker

from .._support import ServerClock
from ._runs import GUARDED, QUICK, Place, rows

START = "2027-01-15T08:00:00.000Z"


@attrs.frozen
class Api:
    """Speaks the wire with one key."""

    http: httpx.AsyncClient
    headers: dict[str, str] = attrs.field(repr=False)

    async def invoke(self, slug: str = "open", *, key: str | None = None, **body: Any) -> Any:
        extra = {} if key is None else {"idempotency-key": key}
        path = f"/api/agenticx/networks/{slug}/invoke?async=true"
        content = json.dumps(body)  # which can write half of a surrogate pair
        return await self.http.post(path, content=content, headers={**self.headers, **extra})

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(f"/api/v2{path}", params=query, headers=self.headers)


@pytest.fixture
async def app(database: Path, clock: ServerClock) -> AsyncIterator[Starlette]:
    """Which executes nothing by itself."""
    app = create_app(Settings(database=database, seed=None, background=False), now_ms=clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def place(app: Starlette) -> Place:
    velerian = app.state.velerian
    await velerian.networks.create("acme", "open", name="Open", model_id="model-1")
    await velerian.networks.create("acme", "guarded", policy=GUARDED)
    return Place(app.state.store, velerian.runs, velerian.networks)


@pytest.fixture
async def api_of(app: Starlette, place: Place) -> AsyncIterator[Callable[..., Api]]:
    """With a key of a tenant: ``api_of("acme", "runs:read")``."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:

        def make(tenant: str, *scopes: str) -> Api:
            keys = app.state.velerian.keys
            _, secret = keys.create(tenant, scopes=scopes or (ADMIN,), user_id="ann")
            return Api(http, {"authorization": f"Bearer {secret.reveal()}"})

        yield make


@pytest.fixture
def api(api_of: Callable[..., Api]) -> Api:
    return api_of("acme")


async def execute(place: Place) -> None:
    """Have everything run that waits."""
    async with RunWorker(place.store, echo, pace=QUICK).running():
        await place.over()


async def test_a_run_is_queued(api: Api) -> None:
    """Its row can be looked at by the URL that is answered."""
    answer = await api.invoke(prompt_text="hello", metadata={"a": 1}, attachment_ids=["att_1"])
    queued = answer.json()
    row = await api.http.get(queued["run_url"], headers=api.headers)

    run_id = queued["run_id"]
    assert 200 == answer.status_code
    assert {
        "run_id": run_id,
        "run_url": f"http://localhost/api/v2/pack-runs/{run_id}",
        "status": "queued",
        "slug": "open",
    } == queued
    assert run_id.startswith("run_")
    assert {
        "run_id": run_id,
        "slug": "open",
        "status": "queued",
        "prompt_text": "hello",
        "metadata": {"a": 1},
        "model_id": "model-1",
        "output_text": None,
        "governance_pass": None,
        "governance_reasons": [],
        "evidence_pack_id": None,
        "evidence_download_url": None,
        "created_at": START,
        "started_at": None,
        "finished_at": None,
        "error": None,
    } == row.json()


async def test_a_run_that_has_ended(api: Api, place: Place, clock: ServerClock) -> None:
    """Its row has the answer, what the policy said, and where the evidence is."""
    run_id = (await api.invoke("guarded", prompt_text="an offer")).json()["run_id"]
    clock.advance(1_500)
    await execute(place)
    row = (await api.get(f"/pack-runs/{run_id}")).json()

    (pack,) = place.packs()
    assert {
        "status": "succeeded",
        "output_text": "an offer",
        "governance_pass": True,
        "governance_reasons": ["name the terms"],
        "evidence_pack_id": pack["pack_id"],
        "started_at": "2027-01-15T08:00:01.500Z",
        "finished_at": "2027-01-15T08:00:01.500Z",
    }.items() <= row.items()
    assert "ann" == pack["user_id"]


async def test_it_need_not_be_told_to_be_asynchronous(api: Api) -> None:
    """Without async=true, the answer is the same."""
    path = "/api/agenticx/networks/open/invoke"
    answer = await api.http.post(path, json={"prompt_text": "x"}, headers=api.headers)

    assert (200, "queued") == (answer.status_code, answer.json()["status"])


async def test_the_worker_is_woken(
    database: Path, clock: ServerClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the request, not by its own next look."""
    woken: list[str] = []
    monkeypatch.setattr(RunWorker, "wake", lambda self: woken.append("woken"))
    app = create_app(Settings(database=database, seed=None, background=False), now_ms=clock)
    async with app.router.lifespan_context(app):
        velerian = app.state.velerian
        await velerian.networks.create("acme", "open")
        await velerian.runs.start("acme", "open", prompt_text="x")
    assert ["woken"] == woken


# -- lists ----------------------------------------------------------------------------------------


async def test_runs_by_pages(api: Api, place: Place) -> None:
    """Newest last, with an exact total; pages fit together."""
    ids = [await place.ask(str(number)) for number in range(7)]
    pages = [(await api.get("/pack-runs", limit=3, offset=n)).json() for n in (0, 3, 6, 9)]

    assert ids == [run["run_id"] for page in pages for run in page["items"]]
    assert [(3, 0, 7), (3, 3, 7), (3, 6, 7), (3, 9, 7)] == [
        (page["limit"], page["offset"], page["total"]) for page in pages
    ]


async def test_a_run_in_the_list_is_the_run(api: Api, place: Place) -> None:
    """With all its fields."""
    run_id = await place.ask()
    await execute(place)
    (listed,) = (await api.get("/pack-runs")).json()["items"]

    assert (await api.get(f"/pack-runs/{run_id}")).json() == listed


async def test_newest_first(place: Place) -> None:
    """As people look at them; of one state or of all."""
    ids = [await place.ask(str(number)) for number in range(4)]
    await execute(place)
    ids.append(await place.ask("new"))
    runs = place.runs
    newest = await runs.newest("acme", limit=2)
    older = await runs.newest("acme", limit=9, before=newest[-1].id)
    queued = await runs.newest("acme", limit=9, status="queued")

    assert ids[::-1] == [run.run_id for run in [*newest, *older]]
    assert ids[-1:] == [run.run_id for run in queued]


# -- once -----------------------------------------------------------------------------------------


async def test_the_same_request_queues_one_run(api: Api, place: Place) -> None:
    """Under one Idempotency-Key; the answer is the first one's, whatever has become of the run."""
    body: dict[str, Any] = {"prompt_text": "x", "metadata": {"a": 1, "b": 2}}
    first = await api.invoke(key="k", **body)
    await execute(place)
    again = await api.invoke(key="k", metadata={"b": 2, "a": 1}, prompt_text="x")

    assert first.json() == again.json()
    assert ["succeeded"] == await place.statuses()
    assert ["network.invoke", "run.start", "run.finish"] == [
        action for action, of, _ in place.audit() if not of.startswith("key_")
    ]


async def test_another_request_under_a_used_key_is_refused(api: Api, place: Place) -> None:
    """One of the two is a mistake: another prompt, or another network."""
    await api.invoke(key="k", prompt_text="x")
    answers = [
        await api.invoke(key="k", prompt_text="y"),
        await api.invoke("guarded", key="k", prompt_text="x"),
    ]

    assert [(422, ["header", "Idempotency-Key"])] * 2 == [
        (answer.status_code, answer.json()["detail"][0]["loc"]) for answer in answers
    ]
    assert ["queued"] == await place.statuses()


async def test_another_callers_key_is_another_key(api: Api, api_of: Any, place: Place) -> None:
    """Nobody gets another's answers."""
    first = await api.invoke(key="k", prompt_text="x")
    other = await api_of("acme").invoke(key="k", prompt_text="x")

    assert first.json()["run_id"] != other.json()["run_id"]


async def test_many_at_once_under_one_key(api: Api, place: Place) -> None:
    """One is queued; the others are told so, or that it is under way."""
    answers = await asyncio.gather(*(api.invoke(key="k", prompt_text="x") for _ in range(20)))

    assert {200, 409} >= {answer.status_code for answer in answers}
    assert ["queued"] == await place.statuses()


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "loc", "kind"),
    [
        ({}, ["body", "prompt_text"], "missing"),
        ({"prompt_text": ""}, ["body", "prompt_text"], "value"),
        ({"prompt_text": " \n"}, ["body", "prompt_text"], "value"),
        ({"prompt_text": "a\0"}, ["body", "prompt_text"], "value"),
        ({"prompt_text": "\ud800"}, ["body", "prompt_text"], "value"),
        ({"prompt_text": "x" * (MAX_PROMPT + 1)}, ["body", "prompt_text"], "value"),
        ({"prompt_text": 5}, ["body", "prompt_text"], "type"),
        ({"prompt_text": "x", "metadata": [1]}, ["body", "metadata"], "type"),
        ({"prompt_text": "x", "attachment_ids": "a"}, ["body", "attachment_ids"], "type"),
        ({"prompt_text": "x", "attachment_ids": [""]}, ["body", "attachment_ids"], "value"),
        (
            {"prompt_text": "x", "attachment_ids": ["a"] * (MAX_ATTACHMENTS + 1)},
            ["body", "attachment_ids"],
            "value",
        ),
    ],
)
async def test_what_can_not_be_asked(
    api: Api, place: Place, body: dict[str, Any], loc: list[str], kind: str
) -> None:
    """Refused with its place, and nothing is queued."""
    answer = await api.invoke(**body)

    assert (422, [(loc, kind)]) == (
        answer.status_code,
        [(fault["loc"], fault["type"]) for fault in answer.json()["detail"]],
    )
    assert [] == await place.statuses()


async def test_what_there_is_not(api: Api, api_of: Any, place: Place) -> None:
    """Neither a network nor a run of that name, or not of this tenant."""
    run_id = await place.ask()
    other = api_of("other")
    answers = [
        await api.invoke("none", prompt_text="x"),
        await other.invoke("open", prompt_text="x"),
        await api.get("/pack-runs/run_none"),
        await other.get(f"/pack-runs/{run_id}"),
    ]

    assert [
        (404, "there is no network 'none'"),
        (404, "there is no network 'open'"),
        (404, "there is no such run"),
        (404, "there is no such run"),
    ] == [(answer.status_code, answer.json()["detail"]) for answer in answers]
    assert ([], 0) == (
        (await other.get("/pack-runs")).json()["items"],
        (await other.get("/pack-runs")).json()["total"],
    )


async def test_a_refusal_keeps_no_key(api: Api, place: Place) -> None:
    """Once the network is there, the same request goes well."""
    refused = await api.invoke("late", key="k", prompt_text="x")
    await place.networks.create("acme", "late")
    answer = await api.invoke("late", key="k", prompt_text="x")

    assert [404, 200] == [refused.status_code, answer.status_code]


async def test_the_scopes(api_of: Any, place: Place) -> None:
    """Who may write need not be able to read, and the other way round."""
    run_id = await place.ask()
    reader, writer = api_of("acme", RUNS_READ), api_of("acme", RUNS_WRITE)
    answers = [
        await reader.invoke(prompt_text="x"),
        await writer.get("/pack-runs"),
        await writer.get(f"/pack-runs/{run_id}"),
        await reader.get(f"/pack-runs/{run_id}"),
        await writer.invoke(prompt_text="x"),
    ]

    assert [403, 403, 403, 200, 200] == [answer.status_code for answer in answers]
    assert "this key lacks the scope runs:write" == answers[0].json()["detail"]


async def test_half_a_run_is_none(place: Place) -> None:
    """A process that dies in the middle has queued nothing: entry and run are one transaction."""

    def broken(*args: Any, **options: Any) -> None:
        raise RuntimeError

    before = place.audit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "append", broken)
        with pytest.raises(RuntimeError):
            await place.ask()
    assert ([], before) == (await place.statuses(), place.audit())


# -- networks -------------------------------------------------------------------------------------


async def test_networks(place: Place) -> None:
    """Of one tenant, oldest first; without a name, a model or a policy they have usual ones."""
    await place.networks.create("other", "open")
    listed = await place.networks.list("acme")

    assert [("open", "Open", "model-1", {}), ("guarded", "guarded", "echo", GUARDED)] == [
        (network.slug, network.name, network.model_id, network.policy) for network in listed
    ]


async def test_a_slug_is_taken_once(place: Place) -> None:
    """And what it had stays."""
    with pytest.raises(ExistsError, match="there is a network 'open' already"):
        await place.networks.create("acme", "open", name="Another")
    assert "Open" == (await place.networks.list("acme"))[0].name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slug": ""}, "a network's slug is 1 to 100 lower-case letters"),
        ({"slug": "Open"}, "a network's slug is 1 to 100 lower-case letters"),
        ({"slug": "a/b"}, "a network's slug is 1 to 100 lower-case letters"),
        ({"slug": "x" * 101}, "a network's slug is 1 to 100 lower-case letters"),
        ({"slug": "a\n"}, "a network's slug is 1 to 100 lower-case letters"),
        ({"slug": "x", "name": "\n"}, "a network's name is 1 to 200 printable characters"),
        ({"slug": "x", "model_id": ""}, "a model's id is 1 to 200 printable characters"),
        ({"slug": "x", "policy": {"default": "odd"}}, "default: must be one of"),
    ],
)
async def test_what_is_no_network(place: Place, options: dict[str, Any], message: str) -> None:
    """Told in one sentence."""
    with pytest.raises(InputError, match=message):
        await place.networks.create("acme", **options)
    assert [("open",), ("guarded",)] == rows(
        place.store, "SELECT slug FROM velerian_networks ORDER BY id"
    )
