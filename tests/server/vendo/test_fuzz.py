"""Random requests: none of them reaches a 5xx, and every refusal is told in Vendo's words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quatrain._catalogue import CATALOGUE
from quatrain._secret import Secret
from quatrain.server import Settings, create_app

from .._support import encoded
from ._support import Caller

LIST = "/api/deployments/me/connections"
EVENTS = "/api/deployments/me/events"
header_bytes = st.binary(max_size=300).map(lambda key: key.replace(b"\n", b"").replace(b"\r", b""))
#: The client itself resolves one and two dots: they never get here.
segments = st.text(min_size=1).filter(
    lambda text: text not in {".", ".."} and not any(0xD800 <= ord(char) < 0xE000 for char in text)
)


class Platform:
    """An app with a loop of its own: Hypothesis runs many requests in one test function."""

    def __init__(self, database: Path) -> None:
        self.runner = asyncio.Runner()
        self.app = create_app(Settings(database=database, background=False))
        self.life = self.app.router.lifespan_context(self.app)
        self.runner.run(self.life.__aenter__())
        # whatever the app lets through must fail the test
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        self.caller = Caller.new(self.app, self.http, "shop", "local")
        connect = self.app.state.vendo.connections.connect
        self.runner.run(connect("local", "shop", "openai", key=Secret("sk-1")))

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, and what must hold for every answer."""
        response = self.runner.run(self.caller.send(method, path, **options))
        assert response.status_code < 500, response.text
        assert response.headers["content-type"] == "application/json"
        if response.status_code >= 400:
            error = response.json()["error"]
            assert {"error"} == response.json().keys()
            assert {"code", "message"} <= error.keys()
            assert error["code"] == response.headers["vendo-error-code"]
        return response

    def close(self) -> None:
        self.runner.run(self.http.aclose())
        self.runner.run(self.life.__aexit__(None, None, None))
        self.runner.close()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("fuzz") / "quatrain.db")
    yield platform
    platform.close()


quick = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(name=segments, method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]))
@example(name="_bulk", method="GET")
@example(name="openai/", method="GET")
@example(name="\0", method="GET")
@example(name="events", method="GET")
def test_any_path(platform: Platform, name: str, method: str) -> None:
    """Slugs of any characters, and methods nobody expects."""
    part = encoded(name)
    for path in (
        f"/credentials/{part}",
        f"/api/integrations/{part}",
        f"/api/deployments/{part}",
        f"/api/deployments/me/{part}",
        f"/api/billing/{part}",
        f"/composio/{part}",
        f"/composio/v1/{part}",
    ):
        if (method, path) != ("GET", EVENTS):  # that answer never ends: see test_any_last_event_id
            platform.request(method, path, content=b"{}")


@quick
@given(slugs=st.lists(segments | st.sampled_from([*CATALOGUE, "", ","])).map(",".join))
@example(slugs="openai,openai,\0")
def test_any_slugs(platform: Platform, slugs: str) -> None:
    """Those that are connected are answered, whatever else is asked for."""
    response = platform.request("GET", "/credentials/_bulk", params={"slugs": slugs})
    if response.status_code == 200:
        found = response.json()["tokens"]
        assert {name for name, token in found.items() if token} == {"openai"} & found.keys()


@quick
@given(key=header_bytes)
def test_any_authorization(platform: Platform, key: bytes) -> None:
    """A header of any bytes is a key that nobody has."""
    headers: Any = {"authorization": b"Bearer " + key}
    response = platform.request("GET", LIST, headers=headers)
    assert (401, "app_unknown") == (
        response.status_code,
        response.headers["vendo-error-code"],
    )


@quick
@given(token=header_bytes, path=st.sampled_from([LIST, "/credentials/openai"]))
@example(token=b"", path=LIST)
@example(token=b"eyJhbGciOiJub25lIn0.e30.", path=LIST)
def test_any_user(platform: Platform, token: bytes, path: str) -> None:
    """A header of any bytes is nobody's token."""
    headers: Any = {"x-vendo-user-jwt": token}
    response = platform.request("GET", path, headers=headers)
    assert (401, "user_token_invalid") == (
        response.status_code,
        response.headers["vendo-error-code"],
    )
