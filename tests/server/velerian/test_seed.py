"""What a new database holds of Velerian, and how a platform inside a process is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.local import LocalPlatform
from quatrain.server.store import Store
from quatrain.server.velerian.policy import Policy
from quatrain.server.velerian.seeding import demo, seed_once

from ._core import change, rows

ABPS = [("claims-triage", "retired"), ("contract-summary", "draft"), ("loan-review", "deployed")]


def abps(store: Store) -> list[tuple[Any, ...]]:
    return rows(store, "SELECT abp_id, state FROM velerian_abps ORDER BY abp_id")


def say_seed(store: Store, value: str) -> None:
    """What the database was first filled with."""
    change(store, "INSERT INTO facts (name, value) VALUES ('seed', ?)", value)


async def test_the_demo_is_written_once(store: Store) -> None:
    """For the tenant "local"; what was deleted stays so."""
    say_seed(store, "demo")
    await seed_once(store)
    assert ABPS == abps(store)
    networks = "SELECT tenant, slug FROM velerian_networks ORDER BY slug"
    assert [("local", "drafting"), ("local", "research")] == rows(store, networks)
    change(store, "DELETE FROM velerian_abps")
    await seed_once(store)
    assert [] == abps(store)


async def test_a_database_that_was_to_stay_empty_does(store: Store) -> None:
    """Also when it is of a time before Velerian."""
    say_seed(store, "none")
    await seed_once(store)
    assert [] == abps(store)


async def test_what_is_there_already_stays(store: Store) -> None:
    """Somebody may have been quicker with an id."""
    say_seed(store, "demo")
    statement = (
        "INSERT INTO velerian_abps (tenant, abp_id, name, state, policy, created_at, updated_at)"
        " VALUES ('local', 'loan-review', 'Mine', 'draft', '{}', 0, 0)"
    )
    change(store, statement)
    await seed_once(store)
    assert ("loan-review", "draft") == abps(store)[-1]


@pytest.mark.parametrize(
    ("payload", "outcome", "conditions"),
    [
        ({"amount": 5_000}, "allow", 0),
        ({"amount": 20_000}, "allow", 1),
        ({"amount": 50_000}, "allow", 1),
        ({"amount": 50_001}, "require_human", 0),
        ({"amount": 5_000, "prompt": "of 123-45-6789, please"}, "withhold", 0),
        ({"amount": 5_000, "prompt": "of 1234-45-6789"}, "allow", 0),
        ({"amount": 5_000, "applicant": {"ssn": None}}, "withhold", 0),
        ({"amount": 60_000, "applicant": {"country": "KP"}}, "deny", 0),
        ({"applicant": {"country": "DE"}}, "deny", 0),
    ],
)
def test_the_demo_shows_every_verdict(payload: Any, outcome: str, conditions: int) -> None:
    """With small payloads that say what they are."""
    (review,) = (abp for abp in demo()["abps"] if abp["abp_id"] == "loan-review")
    verdict = Policy.parse(review["policy"]).judge(payload)
    assert (outcome, conditions) == (verdict.outcome, len(verdict.conditions))


# -- platforms inside a process -------------------------------------------------------------------


def invoke(client: httpx.Client, origin: str, key: str) -> tuple[int, Any]:
    answer = client.post(
        f"{origin}/api/v2/abps/loan-review/invoke",
        json={"payload": {"amount": 1, "prompt": "hello"}},
        headers={"authorization": f"Bearer {key}"},
    )
    return answer.status_code, answer.json().get("output")


@pytest.mark.on_file
def test_the_local_platform_lends_a_key(database: Path) -> None:
    """That may do everything, is shown by nothing, and answers by echo."""
    with LocalPlatform(database) as platform, platform.http_client() as client:
        key = platform.velerian_key
        assert ("vk_live_", False) == (key.reveal()[:8], key.reveal() in repr(key))
        found = invoke(client, platform.velerian_url, key.reveal())
        assert (200, {"text": "hello"}) == found
    for file in database.parent.iterdir():
        assert key.reveal().encode() not in file.read_bytes()


def test_another_tenant_has_no_abps(database: Path) -> None:
    """The demo is the tenant "local"'s."""
    with LocalPlatform(database, tenant="acme") as platform, platform.http_client() as client:
        found = invoke(client, platform.velerian_url, platform.velerian_key.reveal())
        assert (404, None) == found


def test_the_embedded_platforms_environment_leads_there(database: Path) -> None:
    """Also after a restart, with the same key; the process's others do not open it."""
    with httpx.Client() as client:
        platform = EmbeddedPlatform(database)
        for _ in range(2):
            with platform:
                env = platform.env
                assert (platform.url, platform.velerian_key.reveal()) == (
                    env["VELERIAN_BASE_URL"],
                    env["VELERIAN_API_KEY"],
                )
                key = env["VELERIAN_API_KEY"]
                assert (200, {"text": "hello"}) == invoke(client, env["VELERIAN_BASE_URL"], key)
                for other in ("VOS_EXT_KEY", "VERITY_API_KEY"):
                    assert (401, None) == invoke(client, platform.url, env[other])
