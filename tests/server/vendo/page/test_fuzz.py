"""Random requests: no 5xx, always a page, and nobody is sent anywhere but where they may be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_from_bytes

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quatrain._secret import Secret
from quatrain.server import Settings, create_app

from .._urls import texts
from ._visitor import BACK

SECRET = "vendo_sk_of-this-process"

parts = st.sampled_from(["openai", "gmail", "", "..", "0123456789abcdef", "connect"]) | st.text()
header_bytes = st.binary(max_size=200).map(
    lambda value: bytes(byte for byte in value if byte not in b"\r\n\0")
)
cookies = (
    st.from_regex(
        rb"vendo_visit_[0-9a-f]{16}=[A-Za-z0-9_-]{32}\.[A-Za-z0-9_-]{2,9}", fullmatch=True
    )
    | header_bytes
)
names = st.sampled_from(["app_key", "return_to", "state", "form_token", "decision", "key"])
values = st.text() | texts | st.sampled_from([SECRET, BACK, "s", "connect", "deny"])
forms = st.dictionaries(names, values).map(
    lambda form: "&".join(
        f"{name}={quote(value, errors='replace')}" for name, value in form.items()
    )
)
bodies = forms.map(str.encode) | st.binary()


class Platform:
    """An app with a loop of its own: Hypothesis runs many requests in one test function."""

    def __init__(self, database: Path) -> None:
        self.runner = asyncio.Runner()
        self.app = create_app(Settings(database=database, seed=None, background=False))
        self.app.state.vendo.keys.lend(Secret(SECRET), tenant="local")
        self.life = self.app.router.lifespan_context(self.app)
        self.runner.run(self.life.__aenter__())
        # whatever the app lets through must fail the test
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, and what must hold for every answer."""
        self.http.cookies.clear()
        response: httpx.Response = self.runner.run(self.http.request(method, path, **options))
        assert response.status_code < 500, response.text
        assert SECRET not in str(response.headers)
        assert SECRET not in response.text
        if response.status_code == 303:
            assert response.headers["location"].startswith("/connections/connect/")
        else:
            assert response.headers["content-type"].startswith("text/html")
            assert "default-src 'none'" in response.headers["content-security-policy"]
        return response

    def close(self) -> None:
        self.runner.run(self.http.aclose())
        self.runner.run(self.life.__aexit__(None, None, None))
        self.runner.close()


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("fuzz") / "quatrain.db")
    yield platform
    platform.close()


many = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@many
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "DELETE"]),
    path=st.lists(parts, min_size=1, max_size=4),
    body=bodies,
    cookie=cookies,
    origin=st.none() | header_bytes | st.just(b"http://localhost"),
)
@example(method="GET", path=["connect", "openai"], body=b"", cookie=b"", origin=None)
def test_any_request(
    wire: Platform, method: str, path: list[str], body: bytes, cookie: bytes, origin: bytes | None
) -> None:
    """Whatever is asked for, and whatever comes along."""
    segments = [quote(part, safe="", errors="replace").replace(".", "%2E") for part in path]
    headers = {b"cookie": cookie, b"content-type": b"application/x-www-form-urlencoded"}
    if origin is not None:
        headers[b"origin"] = origin

    wire.request(method, f"/connections/{'/'.join(segments)}", content=body, headers=headers)


@many
@given(query=bodies.map(lambda query: quote_from_bytes(query, safe="&=%+")), key=st.booleans())
@example(query=f"return_to={quote(BACK)}&state=s", key=True)
def test_any_link(wire: Platform, query: str, key: bool) -> None:
    """An app's key is no reason to believe the rest."""
    sent = f"app_key={SECRET}&{query}" if key else query

    response = wire.request("GET", f"/connections/connect/openai?{sent}")

    assert key or SECRET in query or response.status_code in {400, 401}
