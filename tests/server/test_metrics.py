"""``/metrics``: numbers that Prometheus reads, for who may, and none that a caller made up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from quatrain import __version__
from quatrain.server import Settings, create_app
from quatrain.server.metrics import gauges
from quatrain.server.metrics.registry import (
    CONTENT_TYPE,
    Counter,
    Family,
    Histogram,
    Sample,
    exposition,
)
from quatrain.server.store import PostgresURL, Store, StoreUnavailableError

from ._support import Client, ServerClock, away


async def scrape(client: Client) -> dict[str, float]:
    """Every number by its name with its labels, as a key for monitoring gets them."""
    _, secret = client.keys.create(tenant="ops", scopes=["metrics:read"])
    monitoring = Client(client.http, secret, client.keys)
    response = await monitoring.get("http://localhost/metrics")
    assert (200, CONTENT_TYPE) == (
        response.status_code,
        response.headers["content-type"].encode(),
    )
    return numbers(response.text)


def numbers(text: str) -> dict[str, float]:
    assert text.endswith("\n")
    pairs = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    found = {name: float(value) for name, _, value in pairs}
    assert len(found) == len(pairs)
    return found


# -- the text -------------------------------------------------------------------------------------


def test_the_text() -> None:
    """As the format has it: escaped, buckets cumulative, a line break at the end."""
    counter = Counter("c_total", "What\nis \\ it?", "label")
    counter.add('a"b\\c\nd')
    counter.add("x", by=2)
    histogram = Histogram("h", "How long.", (0.5, 1), "label")
    for value in (0.25, 0.5, 0.75, 9):
        histogram.observe(value, "x")
    gauge = Family("g", "gauge", "Now.", (), [Sample((), 1.5)])

    assert (
        "# HELP c_total What\\nis \\\\ it?\n"
        "# TYPE c_total counter\n"
        'c_total{label="a\\"b\\\\c\\nd"} 1\n'
        'c_total{label="x"} 2\n'
        "# HELP h How long.\n"
        "# TYPE h histogram\n"
        'h_bucket{label="x",le="0.5"} 2\n'
        'h_bucket{label="x",le="1"} 3\n'
        'h_bucket{label="x",le="+Inf"} 4\n'
        'h_sum{label="x"} 10.5\n'
        'h_count{label="x"} 4\n'
        "# HELP g Now.\n"
        "# TYPE g gauge\n"
        "g 1.5\n"
    ) == exposition([counter.family(), histogram.family(), gauge]).decode()


def test_what_has_not_happened() -> None:
    """Is nought where there are no labels; a family with labels has no lines yet."""
    families = [Counter("c_total", "C.").family(), Counter("d_total", "D.", "x").family()]
    lines = [line for line in exposition(families).decode().splitlines() if line[0] != "#"]

    assert ["c_total 0"] == lines


# -- what is counted ------------------------------------------------------------------------------


async def test_what_agents_ask(client: Client, clock: ServerClock) -> None:
    """Each operation by what came of it."""
    holder = await client.lease("k")
    await client.post("/effects/ns/lease", effectKey="k")
    await client.post("/effects/ns/renew", **holder)
    await client.post("/effects/ns/report-observe", **holder, hit=True)
    await client.post("/effects/ns/report-observe", **holder, hit=False)
    for _ in range(2):
        await client.post("/effects/ns/commit", **holder, result=1)
    await client.post("/effects/ns/commit", **{**holder, "fenceToken": 9}, result=1)
    await client.post("/effects/ns/renew", **holder)
    await client.post("/effects/ns/lease", effectKey="k")
    failing = await client.lease("f")
    for _ in range(2):
        await client.post("/effects/ns/fail", **failing, error="x")
    await client.post("/effects/ns/fail", **{**failing, "fenceToken": 9}, error="x")
    await client.post("/effects/ns/lease", effectKey="f")
    await client.post("/effects/ns/reset", effectKey="f", reason="r")
    await client.lease("f")
    clock.advance(30_000)
    await client.lease("f")
    found = await scrape(client)
    prefix = "quatrain_effect_operations_total"

    assert {
        ("lease", "granted"): 2,
        ("lease", "held"): 1,
        ("lease", "cached_completed"): 1,
        ("lease", "cached_failed"): 1,
        ("lease", "granted_after_reset"): 1,
        ("lease", "granted_uncertain"): 1,
        ("renew", "renewed"): 1,
        ("renew", "lost"): 1,
        ("observe", "hit"): 1,
        ("observe", "miss"): 1,
        ("commit", "accepted"): 1,
        ("commit", "repeated"): 1,
        ("commit", "refused"): 1,
        ("fail", "accepted"): 1,
        ("fail", "repeated"): 1,
        ("fail", "refused"): 1,
        ("reset", "accepted"): 1,
    } == {
        (name.split('"')[1], name.split('"')[3]): value
        for name, value in found.items()
        if name.startswith(prefix)
    }


async def test_what_operators_do(client: Client, clock: ServerClock) -> None:
    """Each action that was taken; what was refused has changed nothing."""
    _, secret = client.keys.create(tenant="acme", name="ops", scopes=["platform:manage"])
    operator = Client(client.http, secret, client.keys)

    async def act(action: str, key: str, **body: Any) -> int:
        path = f"http://localhost/manage/v1/effects/{action}"
        body |= {"namespace": "ns", "effect_key": key, "reason": "r"}
        return (await operator.post(path, **body)).status_code

    for key in ("a", "b", "c"):
        await client.lease(key)
    told = [await act("release", key) for key in ("a", "b", "c", "c")]
    told += [await act("resolve", "a", outcome="done")]
    told += [await act("resolve", key, outcome="not_done") for key in ("a", "b", "c")]
    found = await scrape(client)

    assert [200, 200, 200, 409, 200, 409, 200, 200] == told
    assert {("release", "accepted"): 3, ("resolve", "done"): 1, ("resolve", "not_done"): 2} == {
        (operation, outcome): found[
            f'quatrain_effect_operations_total{{operation="{operation}",outcome="{outcome}"}}'
        ]
        for operation, outcome in [
            ("release", "accepted"),
            ("resolve", "done"),
            ("resolve", "not_done"),
        ]
    }


async def test_requests(client: Client) -> None:
    """By route, of which there are few: nothing that a caller made up is told."""
    await client.lease("k")
    await client.get("/effects/secret%2Fns/effect", effectKey="hidden")
    await client.get("/effects", key="hidden")
    await client.http.get("http://localhost/secret?token=hidden")
    await client.http.get("/secret")
    await client.http.request("SECRET", "/effects")
    await client.http.get("http://localhost/api/v2/abps/hidden")
    await client.http.get("http://localhost/healthz")
    found = await scrape(client)
    requests = [
        name.partition("{")[2].replace('"', "").rstrip("}")
        for name in found
        if name.startswith("quatrain_http_requests_total")
    ]

    assert {
        "method=POST,route=/v1/effects/{namespace}/lease,status=200",
        "method=GET,route=/v1/effects/{namespace}/effect,status=404",
        "method=GET,route=/v1/effects,status=200",
        "method=GET,route=…,status=404",
        "method=GET,route=/v1/…,status=404",
        "method=…,route=/v1/effects,status=405",
        "method=GET,route=/api/v2/abps/{abp_id},status=401",
        "method=GET,route=/healthz,status=200",
    } == set(requests)
    count = 'quatrain_http_request_seconds_count{route="/v1/effects/{namespace}/lease"}'
    assert 1 == found[count]
    assert not [name for name in found if "hidden" in name or "secret" in name.lower()]


async def test_transactions(client: Client, database: Path | PostgresURL) -> None:
    """How many changes they have, and those that the database did not take."""
    before = await scrape(client)
    await client.lease("k")
    with away(database):
        await client.http.get("http://localhost/healthz")
    after = await scrape(client)
    written = "quatrain_store_batch_size_count"

    assert 0 == before["quatrain_store_failed_changes_total"]
    assert 1 == after["quatrain_store_failed_changes_total"]
    assert after[written] > before[written]
    assert after["quatrain_store_batch_seconds_count"] == after[written]
    assert after["quatrain_store_batch_seconds_sum"] > 0


async def test_the_ledger(client: Client, clock: ServerClock) -> None:
    """Effects by state, and since when the oldest is in it."""
    failing = await client.lease("f")
    await client.post("/effects/ns/fail", **failing, error="x")
    done = await client.lease("d")
    await client.post("/effects/ns/commit", **done, result=1)
    await client.lease("late")
    clock.advance(40_000)
    await client.post("/effects/ns/fail", **await client.lease("g"), error="x")
    await client.post("/effects/ns/reset", effectKey="g", reason="r")
    await client.lease("now")
    clock.advance(2_500)
    found = await scrape(client)

    assert {"running": 1, "expired": 1, "failed": 1, "reset": 1, "committed": 1} == {
        name.split('"')[1]: value
        for name, value in found.items()
        if name.startswith("quatrain_effects{")
    }
    assert {"running": 2.5, "expired": 12.5, "failed": 42.5, "reset": 2.5} == {
        name.split('"')[1]: value
        for name, value in found.items()
        if name.startswith("quatrain_oldest_effect_seconds{")
    }
    assert 1 == found["quatrain_store_up"]
    assert found["quatrain_store_waiting_changes"] in {0, 1}  # the note of when a key was used
    assert 1 == found[f'quatrain_build_info{{version="{__version__}"}}']


async def test_what_has_failed_for_the_longest(client: Client, clock: ServerClock) -> None:
    """It need not be the effect that began first."""
    first = await client.lease("first")
    await client.post("/effects/ns/fail", **await client.lease("second"), error="x")
    clock.advance(20_000)
    await client.post("/effects/ns/fail", **first, error="x")
    found = await scrape(client)

    assert 20 == found['quatrain_oldest_effect_seconds{state="failed"}']


async def test_the_database_is_not_asked_each_time(store: Store, realm: int) -> None:
    """However many scrape."""
    time = [0.0]
    found = gauges.LedgerGauges(store, monotonic=lambda: time[0])

    async def effects() -> float:
        return sum(sample.value for sample in (await found.families())[0].samples)

    assert 0 == await effects()
    store.write_blocking(
        lambda c, now, _: (
            c.execute(
                "INSERT INTO effects (realm_id, namespace, effect_key, status, fence_token,"
                " lease_token_hash, lease_duration_ms, created_at, updated_at)"
                " VALUES (?, 'ns', 'k', 'COMMITTED', 1, ?, 1, 1, 1)",
                (realm, b"0"),
            ).rowcount
        ),
        None,
    )
    time[0] = 15.0
    assert 0 == await effects()
    time[0] = 15.1
    assert 1 == await effects()


async def test_counting_takes_a_small_part_of_the_time(store: Store, realm: int) -> None:
    """What took two seconds is asked again after a hundred, and the quick part as before."""
    time, looked = [0.0], []

    class Slow:
        waiting = 0

        async def read(self, query: Any, _: None) -> Any:
            looked.append(query)
            time[0] += 2.0 if query is gauges.committed else 0.001
            return store.read_blocking(query, None)

    slow: Any = Slow()
    found = gauges.LedgerGauges(slow, monotonic=lambda: time[0])
    await found.families()
    told = []
    for moment in (14.9, 15.1, 30.2, 99.9, 101.0):
        time[0] = moment
        looked.clear()
        await found.families()
        told.append([query.__name__ for query in looked])

    quick = ["open_effects"]
    assert [[], quick, quick, quick, ["committed"]] == told


async def test_a_slow_count_is_under_way_once(store: Store) -> None:
    """However many scrape meanwhile; who gives up leaves its answer to the next."""
    release, looked = asyncio.Event(), []

    class Slow:
        waiting = 0

        async def read(self, query: Any, _: None) -> Any:
            looked.append(query.__name__)
            await release.wait()
            return store.read_blocking(query, None)

    slow: Any = Slow()
    found = gauges.LedgerGauges(slow, monotonic=lambda: 0.0)
    impatient, patient = (asyncio.create_task(found.families()) for _ in range(2))
    while not looked:
        await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    release.set()
    await patient
    await found.families()
    assert ["open_effects", "committed"] == looked


def test_a_count_of_another_loop_is_not_waited_for(store: Store) -> None:
    """As after a fork, where nobody goes on with it."""

    class Standing:
        waiting = 0
        stands = True

        async def read(self, query: Any, _: None) -> Any:
            if self.stands:
                await asyncio.Event().wait()
            return store.read_blocking(query, None)

    standing: Any = Standing()
    found = gauges.LedgerGauges(standing, monotonic=lambda: 0.0)
    with asyncio.Runner() as before, asyncio.Runner() as after:
        before.get_loop().create_task(found.families())
        before.run(asyncio.sleep(0))
        before.run(asyncio.sleep(0))
        standing.stands = False
        assert 3 == len(after.run(found.families()))


async def test_a_count_that_failed_is_tried_again(store: Store) -> None:
    """By the next who asks; nobody is given what there is not."""
    outcomes = [StoreUnavailableError("away"), None]

    class Away:
        waiting = 0

        async def read(self, query: Any, _: None) -> Any:
            if outcomes and (failure := outcomes.pop(0)) is not None:
                raise failure
            return store.read_blocking(query, None)

    away_: Any = Away()
    found = gauges.LedgerGauges(away_, monotonic=lambda: 0.0)
    with pytest.raises(StoreUnavailableError):
        await found.families()
    assert 3 == len(await found.families())


# -- who may read it ------------------------------------------------------------------------------


async def test_who_may_read_it(client: Client) -> None:
    """No tenant's key: it tells of all tenants. Nor anybody without one."""
    url = "http://localhost/metrics"

    assert [401, 403, 405] == [
        (await client.http.get(url)).status_code,
        (await client.get(url)).status_code,
        (await client.post(url)).status_code,
    ]


@pytest.fixture
async def open_http(database: Path | PostgresURL) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(database=database, metrics_public=True))
    async with app.router.lifespan_context(app):
        transport: Any = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield http


async def test_for_everybody(open_http: httpx.AsyncClient) -> None:
    """If that is wanted."""
    found = numbers((await open_http.get("/metrics")).text)

    assert (1, True) == (found["quatrain_store_up"], 'quatrain_effects{state="failed"}' in found)


async def test_a_database_that_can_not_be_used(
    open_http: httpx.AsyncClient, database: Path | PostgresURL
) -> None:
    """What was counted is told all the same."""
    with away(database):
        found = numbers((await open_http.get("/metrics")).text)

    assert (0, False) == (found["quatrain_store_up"], 'quatrain_effects{state="failed"}' in found)


async def test_a_key_of_a_database_that_can_not_be_used(
    client: Client, database: Path | PostgresURL
) -> None:
    """503: of a key it can't be known whose it is."""
    with away(database):
        response = await client.get("http://localhost/metrics")

    assert (503, "unavailable") == (response.status_code, response.json()["code"])
