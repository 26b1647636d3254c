"""The platforms of a process have a key to Vendo, which is stored nowhere; clients work with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from quatrain import AsyncClient, Client, InputError
from quatrain._tokens import TOKENS
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.local import LocalPlatform
from quatrain.server.vendo.secretkey import VARIABLE
from quatrain.vendo import NotConnected, Vendo

SCRIPT = """
from quatrain import vendo
print(vendo.token("openai"), [each.slug for each in vendo.connections.list() if each.id])
"""


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    for name in ("VENDO_API_KEY", "VENDO_TOKEN_OPENAI", "VENDO_TOKEN_SLACK"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_socket(database: Path) -> None:
    """What is connected is in the file, and the key to it is stored nowhere."""
    with LocalPlatform(database) as platform:
        platform.connect("openai", key="sk-pasted")
    with LocalPlatform(database) as platform, platform.http_client() as client:
        headers = {"authorization": f"Bearer {platform.api_key.reveal()}"}
        listed = client.get(f"{platform.manage_url}/vendo/keys", headers=headers)
        assert {"items": []} == listed.json()
    with Client.local(database) as q:
        assert "sk-pasted" == q.vendo.token("openai")


async def test_awaited(database: Path) -> None:
    """On asyncio and trio."""
    with LocalPlatform(database) as platform:
        platform.connect("slack")
    async with AsyncClient.local(database) as q:
        assert (await q.vendo.token("slack")).startswith("simulated-slack")
        assert {"said": 1} == await q.vendo.data.execute("vendo.echo", {"said": 1})


def test_over_http(database: Path) -> None:
    """The environment leads a process there that knows of nothing else."""
    with EmbeddedPlatform(database) as platform:
        platform.connect("openai", key="sk-pasted")
        said = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, **platform.env},
            capture_output=True,
            text=True,
            check=True,
        )
    assert "sk-pasted ['openai']\n" == said.stdout


def test_a_connection_that_is_ended(database: Path) -> None:
    """Its token is gone."""
    with LocalPlatform(database) as platform, platform.http_client() as http:
        platform.disconnect(platform.connect("openai", key="sk-pasted"))
        vendo = Vendo(
            platform.vendo_key,
            base_url=platform.vendo_url,
            credentials_url=platform.vendo_credentials_url,
            data_proxy_url=platform.vendo_data_proxy_url,
            http_client=http,
        )
        with pytest.raises(NotConnected) as caught:
            vendo.token("openai")
    assert "connection_revoked" == caught.value.code


def test_what_can_not_be_connected(database: Path) -> None:
    """Is an input error, which does not tell the key."""
    with LocalPlatform(database) as platform:
        with pytest.raises(InputError, match="nothing"):
            platform.connect("nothing")
        with pytest.raises(InputError) as caught:
            platform.connect("openai", key="sk-\n-secret")
        assert "secret" not in str(caught.value)
        for gone in (platform.disconnect, platform.expire_token):
            with pytest.raises(InputError, match="con_1"):
                gone("con_1")


def test_a_session_against_the_platform(database: Path) -> None:
    """A token that the provider refuses is asked for again, and is another one where it is due."""
    with LocalPlatform(database) as platform:
        connection_id = platform.connect("slack")
        seen: list[str] = []

        def provider(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["Authorization"])
            if len(seen) == 1:
                platform.expire_token(connection_id)
            return httpx.Response(401 if len(seen) == 1 else 200)

        with Client.local(database) as q:
            transport = httpx.MockTransport(provider)
            with q.vendo.session("slack", transport=transport) as session:
                assert 200 == session.get("https://slack.example/").status_code
    assert 2 == len(set(seen))


@pytest.mark.on_file
def test_a_platform_that_connects_nothing(database: Path) -> None:
    """Has no secret key lying about."""
    with Client.local(database) as q:
        assert [] == [each for each in q.vendo.connections.list() if each.id]
    assert not database.with_name(f"{database.name}.key").exists()


@pytest.fixture(autouse=True)
def _no_tokens() -> None:
    TOKENS.clear()
