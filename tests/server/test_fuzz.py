"""Random requests: none of them reaches a 5xx, and every error wears the envelope."""

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

from ._support import Client

VERBS = ["lease", "commit", "fail", "renew", "report-observe", "reset"]

texts = st.text() | st.sampled_from(["k", "", "\0", "\ud800", "vt_test_x", "RUNNING"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)
fields = st.sampled_from(
    [
        *("effectKey", "effectName", "agentId", "leaseDurationMs", "inputJson", "workflowName"),
        *("caseId", "runId", "fenceToken", "leaseToken", "result", "error", "source"),
        *("extensionMs", "hit", "durationMs", "reason"),
    ]
)
plausible = st.fixed_dictionaries(
    {"effectKey": st.just("k"), "fenceToken": st.integers(0, 3), "leaseToken": st.just("t")},
    optional={
        "error": values,
        "result": values,
        "reason": st.just("r"),
        "hit": st.booleans(),
        "leaseDurationMs": st.integers(4_000, 130_000),
    },
)
json_bodies = (st.dictionaries(fields, values) | plausible | values).map(
    lambda value: json.dumps(value).encode()
)
bodies = json_bodies | st.binary() | json_bodies.map(lambda body: body[:-1])
namespaces = st.text(min_size=1).filter(
    lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text)
)


class Platform:
    """An app with a loop of its own: Hypothesis runs many requests in one test function."""

    def __init__(self, database: Path) -> None:
        self.runner = asyncio.Runner()
        self.app = create_app(Settings(database=database))
        self.app.state.store.open()
        # whatever the app lets through must fail the test
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        http = httpx.AsyncClient(transport=transport, base_url="http://localhost/v1")
        _, secret = self.app.state.keys.create()
        self.client = Client(http, secret, self.app.state.keys)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, and what must hold for every answer."""
        headers = {**self.client.headers, **options.pop("headers", {})}
        request = self.client.http.request(method, path, headers=headers, **options)
        response = self.runner.run(request)
        assert response.status_code < 500, response.text
        assert response.headers["content-type"] == "application/json"
        answer = response.json()
        if response.status_code >= 400:
            assert answer["requestId"] == response.headers["x-request-id"]
            assert {"code", "message"} <= answer.keys()
            assert ("errors" in answer) is (response.status_code == 422)
        return response

    def close(self) -> None:
        self.runner.run(self.client.http.aclose())
        self.app.state.store.close()
        self.runner.close()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("fuzz") / "quatrain.db")
    yield platform
    platform.close()


quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(verb=st.sampled_from(VERBS), body=bodies)
@example(verb="lease", body=b'{"effectKey":"k","inputJson":' + b"[" * 300 + b"]" * 300 + b"}")
@example(verb="commit", body=b'{"effectKey":"k","fenceToken":1e400,"leaseToken":"t"}')
def test_any_body(platform: Platform, verb: str, body: bytes) -> None:
    """Right, nearly right, cut off, or noise."""
    platform.request("POST", f"/effects/ns/{verb}", content=body)


@quick
@given(query=st.dictionaries(st.text() | fields | st.sampled_from(["limit", "cursor"]), st.text()))
@example(query={"cursor": "MQ"})
def test_any_query(platform: Platform, query: dict[str, str]) -> None:
    """Lists, effects and trails."""
    query = {
        name.encode("utf-8", "replace").decode(): value.encode("utf-8", "replace").decode()
        for name, value in query.items()
    }
    for path in ("/effects", "/effects/ns/effect", "/effects/ns/events"):
        platform.request("GET", path, params=query)


@quick
@given(namespace=namespaces, method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]))
def test_any_path(platform: Platform, namespace: str, method: str) -> None:
    """Namespaces of any characters, and methods nobody expects."""
    from urllib.parse import quote

    for verb in ("lease", "effect", "nonsense"):
        path = f"/effects/{quote(namespace, safe='')}/{verb}"
        platform.request(method, path, content=b'{"effectKey":"k"}')


@quick
@given(key=st.binary(max_size=200))
def test_any_authorization(platform: Platform, key: bytes) -> None:
    """A header of any bytes is a missing key."""
    header = {"authorization": b"Bearer " + key.replace(b"\n", b"").replace(b"\r", b"")}
    response = platform.request("GET", "/effects", headers=header)
    assert response.status_code == 401
