"""Velocity OS on the platform in this process: keys that are lent, and the demo's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from quatrain.errors import ConfigError, InputError
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.local import LocalPlatform
from quatrain.server.store import StoreUnavailableError

PATH = "/api/v1/extensions/whoami"


def whoami(client: httpx.Client, url: str, key: str) -> Any:
    """The answer's data."""
    response = client.get(f"{url}{PATH}", headers={"authorization": f"Bearer {key}"})
    assert response.status_code == 200, response.text
    return response.json()["data"]


def test_the_local_platform_lends_a_key(database: Path) -> None:
    """Of all scopes, to the data of its tenant; a key that nobody can show."""
    with LocalPlatform(database) as platform, platform.http_client() as client:
        assert "http://localhost" == platform.velocity_url
        key = platform.velocity_key
        assert ("vos_ext_", False) == (key.reveal()[:8], key.reveal() in repr(key))
        found = whoami(client, platform.velocity_url, key.reveal())
        assert ("Maya Okafor", "local", "Local extension", 10) == (
            found["user"]["name"],
            found["extension"]["slug"],
            found["extension"]["name"],
            len(found["extension"]["granted_scopes"]),
        )
    for file in database.parent.iterdir():
        assert key.reveal().encode() not in file.read_bytes()


def test_another_tenant_has_data_of_its_own(database: Path) -> None:
    """None, at first."""
    with (
        LocalPlatform(database, tenant="acme") as platform,
        platform.http_client() as client,
    ):
        found = whoami(client, platform.velocity_url, platform.velocity_key.reveal())
        assert ("acme", "growth") == (found["user"]["name"], found["user"]["tier"])


def test_the_embedded_platforms_environment_leads_there(database: Path) -> None:
    """Also after a restart, with the same key; the process's others do not open it."""
    with httpx.Client() as client:
        platform = EmbeddedPlatform(database)
        for _ in range(2):
            with platform:
                env = platform.env
                assert (platform.url, platform.velocity_key.reveal()) == (
                    env["VOS_BASE_URL"],
                    env["VOS_EXT_KEY"],
                )
                found = whoami(client, env["VOS_BASE_URL"], env["VOS_EXT_KEY"])
                assert ("Maya Okafor", 1) == (found["user"]["name"], found["extension"]["id"])
                headers = {"authorization": f"Bearer {env['VERITY_API_KEY']}"}
                assert 401 == client.get(f"{platform.url}{PATH}", headers=headers).status_code


def test_a_platform_without_a_seed_is_empty(database: Path) -> None:
    """seed=None, for each way to run it."""
    with EmbeddedPlatform(database, seed=None) as platform, httpx.Client() as client:
        found = whoami(client, platform.url, platform.env["VOS_EXT_KEY"])
        assert ("local", "growth") == (found["user"]["name"], found["user"]["tier"])
    with LocalPlatform(database, seed=None) as local, local.http_client() as client:
        found = whoami(client, local.velocity_url, local.velocity_key.reveal())
        assert "local" == found["user"]["name"]


@pytest.mark.parametrize(
    ("url", "events"), [("ftp://127.0.0.1/", None), ("http://127.0.0.1/", ["task.created"])]
)
def test_a_webhook_that_can_not_be_added(database: Path, url: str, events: Any) -> None:
    """The mistake is the caller's."""
    with LocalPlatform(database) as platform, pytest.raises(InputError, match=r"^body\."):
        platform.add_webhook(url, events=events)


@pytest.mark.parametrize("used", [False, True])
def test_no_webhook_is_added_when_nothing_can_be_written(database: Path, used: bool) -> None:
    """That is no mistake in what was given, whether or not the key was recognised before."""
    with LocalPlatform(database) as platform:
        if used:
            platform.add_webhook("http://127.0.0.1/")
        assert platform.keys
        database.unlink()
        with pytest.raises(StoreUnavailableError, match="was removed or replaced"):
            platform.add_webhook("http://127.0.0.1/")


@pytest.mark.parametrize("platform", [LocalPlatform, EmbeddedPlatform])
def test_there_is_one_seed(platform: Any, database: Path) -> None:
    """Told at once."""
    with pytest.raises(ConfigError, match="seed"):
        platform(database, seed="other")
