"""Random requests: none of them reaches a 5xx, and every answer wears its envelope."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quatrain.server import Settings, create_app

from .._support import encoded
from ._support import Extension

texts = st.text() | st.sampled_from(["", " ", "\0", "\ud800", "2026-01-01", "do_first", "a@b"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)
fields = st.sampled_from(
    [
        *("action", "module_source", "category", "timeframe", "quadrant", "assignee"),
        *("deadline", "name", "role", "email"),
    ]
)
plausible = st.fixed_dictionaries(
    {"action": texts, "module_source": texts, "name": texts},
    optional={
        "category": texts | st.just("people"),
        "deadline": texts | st.dates().map(str),
        "email": texts,
    },
)
json_bodies = (st.dictionaries(fields, values) | plausible | values).map(
    lambda value: json.dumps(value).encode()
)
bodies = json_bodies | st.binary() | json_bodies.map(lambda body: body[:-1])
keys = st.none() | st.binary(max_size=300).map(
    lambda key: key.replace(b"\n", b"").replace(b"\r", b"")
)


class Platform:
    """An app with a loop of its own: Hypothesis runs many requests in one test function."""

    def __init__(self, database: Path) -> None:
        self.runner = asyncio.Runner()
        self.app = create_app(Settings(database=database))
        self.app.state.store.open()
        # whatever the app lets through must fail the test
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        base = "http://localhost/api/v1/extensions"
        self.http = httpx.AsyncClient(transport=transport, base_url=base)
        account = self.runner.run(self.app.state.velocity.seed("acme"))
        self.extensions = [
            Extension(
                self.http, self.app.state.installs.create(account.id, "x", sandbox=sandbox)[1]
            )
            for sandbox in (False, True)
        ]

    def request(self, method: str, path: str, *, sandbox: bool = False, **options: Any) -> int:
        """One request, and what must hold for every answer."""
        own: dict[str, Any] = options.pop("headers", {})
        headers = {**self.extensions[sandbox].headers, **own}
        response = self.runner.run(self.http.request(method, path, headers=headers, **options))
        assert response.status_code < 500, response.text
        assert response.headers["content-type"] == "application/json"
        answer = response.json()
        if response.status_code < 400:
            assert {
                "ok",
                "data",
                "extension_id",
                "extension_name",
                "venture_id",
                "sandbox",
            } == answer.keys()
            assert (True, sandbox) == (answer["ok"], answer["sandbox"])
        else:
            assert {"ok", "error", "request_id"} == answer.keys()
            assert (False, response.headers["x-request-id"]) == (
                answer["ok"],
                answer["request_id"],
            )
            assert {"code", "message"} <= answer["error"].keys() <= {"code", "message", "details"}
        return response.status_code

    def close(self) -> None:
        self.runner.run(self.http.aclose())
        self.app.state.store.close()
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
@given(path=st.sampled_from(["/tasks", "/team"]), body=bodies, key=keys, sandbox=st.booleans())
@example(path="/tasks", body=b'{"action":1e400,"module_source":"m"}', key=None, sandbox=False)
def test_any_body(
    platform: Platform, path: str, body: bytes, key: bytes | None, sandbox: bool
) -> None:
    """Right, nearly right, cut off, or noise, under any key."""
    headers = {} if key is None else {"idempotency-key": key}
    platform.request("POST", path, content=body, headers=headers, sandbox=sandbox)


@quick
@given(
    code=st.text(min_size=1).filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text)),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    sandbox=st.booleans(),
)
def test_any_path(platform: Platform, code: str, method: str, sandbox: bool) -> None:
    """Codes of any characters, and methods nobody expects."""
    for path in (f"/modules/{encoded(code)}", f"/{encoded(code, safe='/')}"):
        platform.request(method, path, content=b"{}", sandbox=sandbox)


@quick
@given(key=st.binary(max_size=200))
def test_any_authorization(platform: Platform, key: bytes) -> None:
    """A header of any bytes is a missing key."""
    header = {"authorization": b"Bearer " + key.replace(b"\n", b"").replace(b"\r", b"")}
    assert 401 == platform.request("GET", "/whoami", headers=header)
