"""Resolving and releasing over the management API, in its words."""

from __future__ import annotations

from typing import Any

import pytest

from quatrain.server.ledger import EffectId, Ledger, Status

from .._support import granted

WHY = {"reason": "looked", "namespace": "ns", "effect_key": "k"}


@pytest.fixture
async def effect(app, api) -> EffectId:
    """Held by somebody, in the realm of the API's key."""
    await api.get("/velocity/account")
    (_key,) = app.state.keys.list()

    def realm(connection: Any, _now: int, _: None) -> int:
        return int(connection.execute("SELECT realm_id FROM api_keys").fetchone()[0])

    effect = EffectId(app.state.store.read_blocking(realm, None), "ns", "k")
    await granted(Ledger(app.state.store), effect, lease_duration_ms=5_000)
    return effect


async def test_a_lease_is_released(api, effect):
    """The answer is the effect; the second time there is nothing to release."""
    answer = await api.made("/effects/release", fence_token=1, **WHY)
    assert ("EXPIRED", 2) == (answer["status"], answer["fenceToken"])
    again = await api.post("/effects/release", **WHY)
    assert (409, "lease_not_held") == (again.status_code, again.json()["code"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"outcome": "done", "result": {"id": 7}}, ("COMMITTED", {"id": 7})),
        ({"outcome": "done", "result": 0}, ("COMMITTED", 0)),
        ({"outcome": "done"}, ("COMMITTED", None)),
        ({"outcome": "not_done"}, ("RESET", None)),
    ],
)
async def test_an_uncertain_effect_is_resolved(api, effect, clock, body, expected):
    """By what a person found out."""
    held = await api.post("/effects/resolve", **WHY, **body)
    assert (409, "not_resolvable") == (held.status_code, held.json()["code"])
    clock.advance(5_000)
    answer = await api.made("/effects/resolve", **WHY, **body)
    assert expected == (answer["status"], answer["result"])


async def test_effects_of_a_key(app, api, api_of, effect):
    """In every namespace of the realm, without payloads; exactly that key."""
    ledger = Ledger(app.state.store)
    for namespace, key in (("a", "k"), ("z", "k"), ("z", "k2"), ("b", "K")):
        await granted(ledger, EffectId(effect.realm_id, namespace, key), input_json="1")
    found = (await api.get("/effects", effect_key="k")).json()["items"]
    assert [("z", "k"), ("a", "k"), ("ns", "k")] == [
        (each["namespace"], each["effectKey"]) for each in found
    ]
    assert "inputJson" not in found[0]
    assert {"items": []} == (await api.get("/effects", effect_key="no")).json()
    assert {"items": []} == (await api_of("acme").get("/effects", effect_key="k")).json()
    assert 422 == (await api.get("/effects", effect_key="")).status_code


async def test_what_has_moved_on_is_left_alone(app, api, effect, clock):
    """409, and nothing is changed."""
    clock.advance(5_000)
    body = {**WHY, "outcome": "done", "fence_token": 9}
    answer = await api.post("/effects/resolve", **body)
    assert (409, "effect_changed") == (answer.status_code, answer.json()["code"])
    assert Status.EXPIRED == (await Ledger(app.state.store).get(effect)).status


async def test_other_realms_effects_are_out_of_reach(api_of, effect):
    """As if they were not there."""
    answer = await api_of("acme").post("/effects/release", **WHY)
    assert (404, "effect_not_found") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    "changed", [{"reason": ""}, {"namespace": ""}, {"outcome": "x"}, {"fence_token": "1"}]
)
async def test_what_does_not_fit_is_refused(api, changed):
    """422."""
    answer = await api.post("/effects/resolve", **{**WHY, "outcome": "done", **changed})
    assert 422 == answer.status_code
