"""The platforms of a process have a key to Vendo, which is stored nowhere."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.local import LocalPlatform
from quatrain.server.vendo.secretkey import VARIABLE


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def connect(client: httpx.Client, manage: str, key: str) -> None:
    """Slack, by a grant, for the app "local"."""
    answer = client.post(
        f"{manage}/vendo/connections",
        json={"slug": "slack"},
        headers={"authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 200, answer.text


def used(client: httpx.Client, origin: str, credentials: str, key: str) -> tuple[list[str], str]:
    """What is connected, and the beginning of Slack's token."""
    headers = {"authorization": f"Bearer {key}"}
    listed = client.get(f"{origin}/api/deployments/me/connections", headers=headers).json()
    token = client.get(f"{credentials}/slack", headers=headers).json()["access_token"]
    names = [each["slug"] for each in listed["connections"] if each["status"] == "connected"]
    return names, token[:15]


def test_without_a_socket(database: Path) -> None:
    """And another platform on the file lends another key to the same app."""
    for first in (True, False):
        with LocalPlatform(database) as platform, platform.http_client() as client:
            key = platform.vendo_key.reveal()
            if first:
                connect(client, platform.manage_url, platform.api_key.reveal())
            assert (["slack"], "simulated-slack") == used(
                client, platform.vendo_url, platform.vendo_credentials_url, key
            )
            assert platform.vendo_data_proxy_url.endswith("/composio")
            listed = client.get(
                f"{platform.manage_url}/vendo/keys",
                headers={"authorization": f"Bearer {platform.api_key.reveal()}"},
            )
            assert {"items": []} == listed.json()


def test_over_http(database: Path) -> None:
    """Its environment leads there."""
    with EmbeddedPlatform(database) as platform, httpx.Client() as client:
        env = platform.env
        connect(client, f"{platform.url}/manage/v1", env["QUATRAIN_API_KEY"])
        key = env["VENDO_API_KEY"]
        assert key == platform.vendo_key.reveal()
        assert (["slack"], "simulated-slack") == used(
            client, env["VENDO_BASE_URL"], env["VENDO_CREDENTIALS_URL"], key
        )
        assert f"{platform.url}/composio" == env["VENDO_DATA_PROXY_URL"]


def test_a_platform_that_connects_nothing(database: Path) -> None:
    """Has no secret key lying about."""
    with LocalPlatform(database) as platform, platform.http_client() as client:
        headers = {"authorization": f"Bearer {platform.vendo_key.reveal()}"}
        url = f"{platform.vendo_url}/api/deployments/me/connections"
        assert client.get(url, headers=headers).status_code == 200
    assert not database.with_name(f"{database.name}.key").exists()
