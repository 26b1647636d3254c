"""Random requests: none of them reaches a 5xx, and every refusal is told in Velerian's words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quatrain.server import Settings, create_app

from ._core import Caller

texts = st.text() | st.sampled_from(["", " ", "\0", "\ud800", "2026-01-01", "read", "123-45-6789"])
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)
fields = ["payload", "name", "scopes", "user_id", "rate_per_minute", "expires_at", "prompt_text"]
payloads = st.dictionaries(st.sampled_from(["amount", "prompt", "applicant", "a"]), values)
plausible = st.fixed_dictionaries(
    {"payload": payloads, "name": texts, "scopes": st.lists(st.sampled_from(["read", "x"]))},
    optional={
        "user_id": texts,
        "expires_at": texts | st.datetimes().map(str),
        "rate_per_minute": st.integers(),
        "prompt_text": texts,
        "metadata": payloads,
    },
)
json_bodies = (st.dictionaries(st.sampled_from(fields), values) | plausible | values).map(
    lambda value: json.dumps(value).encode()
)
bodies = json_bodies | st.binary() | json_bodies.map(lambda body: body[:-1])
header_bytes = st.binary(max_size=300).map(lambda key: key.replace(b"\n", b"").replace(b"\r", b""))


class Platform:
    """An app with a loop of its own: Hypothesis runs many requests in one test function."""

    def __init__(self, database: Path) -> None:
        self.runner = asyncio.Runner()
        self.app = create_app(
            Settings(database=database, background=False, velerian_rate_per_minute=10**6)
        )
        self.life = self.app.router.lifespan_context(self.app)
        self.runner.run(self.life.__aenter__())
        # whatever the app lets through must fail the test
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://localhost/api/")
        self.caller = Caller.new(self.app, self.http, "local", scopes=["admin"])

    def request(self, method: str, path: str, **options: Any) -> int:
        """One request, and what must hold for every answer."""
        response = self.runner.run(self.caller.send(method, path, **options))
        assert response.status_code < 500, response.text
        assert response.headers["content-type"] == "application/json"
        if response.status_code >= 400:
            detail = response.json()["detail"]
            assert {"detail"} == response.json().keys()
            if response.status_code == 422:
                assert all({"loc", "msg", "type"} == fault.keys() for fault in detail)
            else:
                assert isinstance(detail, str)
        return response.status_code

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
WRITES = ["v2/abps/loan-review/invoke", "v2/api-keys", "agenticx/networks/research/invoke"]


@quick
@given(path=st.sampled_from(WRITES), body=bodies, key=st.none() | header_bytes)
@example(path=WRITES[0], body=b'{"payload":{"amount":1e400}}', key=None)
@example(path=WRITES[0], body=b'{"payload":{"amount":%s}}' % (b"9" * 900), key=b"k")
@example(path=WRITES[1], body=b'{"name":"n","scopes":["read"],"expires_at":"0001-01-01"}', key=b"k")
@example(path=WRITES[1], body=b'{"name":"n","scopes":["read"],"user_id":"\\ud800"}', key=b"k")
def test_any_body(platform: Platform, path: str, body: bytes, key: bytes | None) -> None:
    """Right, nearly right, cut off, or noise, under any key."""
    headers: Any = {} if key is None else {"idempotency-key": key}
    platform.request("POST", path, content=body, headers=headers)


@quick
@given(payload=payloads)
def test_any_payload(platform: Platform, payload: dict[str, Any]) -> None:
    """Is judged."""
    content = json.dumps({"payload": payload})
    assert 200 == platform.request("POST", WRITES[0], content=content)


@quick
@given(
    name=st.text(min_size=1).filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text)),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
)
def test_any_path(platform: Platform, name: str, method: str) -> None:
    """Ids of any characters, and methods nobody expects."""
    part = quote(name, safe="")
    for path in (
        f"v2/abps/{part}",
        f"v2/abps/{part}/invoke",
        f"v2/abps/loan-review/invocations/{part}",
        f"v2/api-keys/{part}",
        f"v2/pack-runs/{part}",
        f"v2/{quote(name, safe='/')}",
    ):
        platform.request(method, path, content=b"{}")


@quick
@given(
    path=st.sampled_from(["abps", "approvals", "audit-log", "usage/summary", "api-keys"]),
    query=st.dictionaries(
        st.sampled_from(
            [
                *("limit", "offset", "since", "until", "action", "resource_id", "state"),
                *("evidence_limit", "evidence_offset", "actor_user_id"),
            ]
        ),
        st.text(alphabet=st.characters(codec="utf-8")) | st.integers() | st.datetimes().map(str),
    ),
)
def test_any_query(platform: Platform, path: str, query: dict[str, Any]) -> None:
    """Numbers, times, and what is neither."""
    platform.request("GET", f"v2/{path}", params=query)


@quick
@given(key=header_bytes)
def test_any_authorization(platform: Platform, key: bytes) -> None:
    """A header of any bytes is a missing key."""
    headers: Any = {"authorization": b"Bearer " + key}
    assert 401 == platform.request("GET", "v2/abps", headers=headers)
