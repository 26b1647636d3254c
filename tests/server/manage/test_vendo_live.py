"""Events that are published, and the wallet, by way of the management API."""

from __future__ import annotations

from typing import Any

import pytest

from ..vendo._support import rows

USED = {"kind": "billing.usage_recorded", "fields": {"provider": "openai", "micros": 1}}


@pytest.fixture
def shop(app) -> None:
    """Two apps of the tenant."""
    app.state.vendo.keys.create("local", "shop")
    app.state.vendo.keys.create("local", "desk")


async def test_publishing(app, api, api_of, shop) -> None:
    """To every app of the tenant, or to one; in the order that was given."""
    store = app.state.store
    before = rows(store, "SELECT COALESCE(MAX(id), 0) FROM vendo_events")[0][0]
    apps = len(app.state.vendo.apps.list("local"))
    tripped = {"kind": "billing.cap_tripped", "fields": {"window": "day"}}
    assert {"published": 2, "apps": apps} == await api.made("/vendo/events", events=[USED, tripped])
    assert {"published": 1, "apps": 1} == await api.made("/vendo/events", events=[USED], app="shop")
    found = rows(
        store,
        "SELECT kind FROM vendo_events e JOIN vendo_apps a ON a.id = e.app_id"
        " WHERE a.slug = 'shop' AND e.id > ? ORDER BY e.id",
        before,
    )
    assert ["billing.usage_recorded", "billing.cap_tripped", "billing.usage_recorded"] == [
        kind for (kind,) in found
    ]
    other = await api_of("acme").made("/vendo/events", events=[USED])
    assert {"published": 1, "apps": 0} == other


@pytest.mark.parametrize(
    "events",
    [
        [],
        [USED] * 1_001,
        [{**USED, "kind": "connection_created"}],
        [{**USED, "kind": "none"}],
        [{**USED, "fields": {}}],
        [{**USED, "fields": {**USED["fields"], "kind": "x"}}],
        [{**USED, "fields": {**USED["fields"], "micros": "1"}}],
        [{**USED, "fields": {**USED["fields"], "micros": True}}],
        [{**USED, "fields": {**USED["fields"], "micros": 2**63}}],
        [{**USED, "fields": {**USED["fields"], "provider": "x" * 1_001}}],
        [USED, {"kind": "billing.cap_tripped"}],
        ["x"],
        "x",
    ],
)
async def test_what_is_no_event(app, api, shop, events: Any) -> None:
    """Nothing is published of a list that holds one."""
    store = app.state.store
    before = rows(store, "SELECT COUNT(*) FROM vendo_events")
    assert 422 == (await api.post("/vendo/events", events=events)).status_code
    assert before == rows(store, "SELECT COUNT(*) FROM vendo_events")


async def test_an_app_that_there_is_not(api, api_of, shop) -> None:
    """Another tenant's is not there either."""
    assert 404 == (await api.post("/vendo/events", events=[USED], app="none")).status_code
    answer = await api_of("acme").post("/vendo/events", events=[USED], app="shop")
    assert (404, "not_found") == (answer.status_code, answer.json()["code"])


async def test_the_wallet(api) -> None:
    """Shown, filled, capped; a cap that is left out stays."""
    (before,) = [(await api.get("/vendo/wallet")).json()["credits_micros"]]
    assert before + 5 == (await api.made("/vendo/wallet/top-up", micros=5))["credits_micros"]
    capped = await api.made("/vendo/wallet/caps", daily_micros=7, monthly_micros=9)
    assert (7, 9) == (capped["daily_micros"], capped["monthly_micros"])
    capped = await api.made("/vendo/wallet/caps", remove=["day"])
    assert (None, 9) == (capped["daily_micros"], capped["monthly_micros"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("top-up", {}),
        ("top-up", {"micros": 0}),
        ("top-up", {"micros": 10**16}),
        ("top-up", {"micros": 10**15}),  # beside what is there, too much
        ("top-up", {"micros": 1.5}),
        ("caps", {"daily_micros": -1}),
        ("caps", {"monthly_micros": "x"}),
        ("caps", {"remove": ["year"]}),
    ],
)
async def test_what_a_wallet_refuses(api, path: str, body: Any) -> None:
    """422, and it is as before."""
    before = (await api.get("/vendo/wallet")).json()
    assert 422 == (await api.post(f"/vendo/wallet/{path}", **body)).status_code
    assert before == (await api.get("/vendo/wallet")).json()
