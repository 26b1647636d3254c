"""Random requests: none of them reaches a 5xx, and every error wears the envelope."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quatrain.models.velocity import EVENT_SCOPES
from quatrain.server import Settings, create_app

from .._support import encoded

PATHS = [
    *("/velocity/installs", "/velocity/tasks", "/velocity/tasks/task_1", "/velocity/team"),
    *("/velocity/modules/x", "/velocity/subscription", "/velocity/seed", "/webhooks"),
    *("/webhooks/trigger", "/webhooks/deliveries", "/velocity/extensions"),
    *("/velerian/keys", "/velerian/abps", "/velerian/networks", "/velerian/runs"),
    *("/velerian/abps/loan-review/deploy", "/velerian/keys/key_1/revoke"),
    *("/velerian/approvals/x/approve", "/velerian/approvals/x/reject", "/velerian/approvals"),
    *("/vendo/apps", "/vendo/keys", "/vendo/connections", "/vendo/user-tokens", "/vendo/reseal"),
    *("/vendo/connections/x/status", "/vendo/connections/x/metadata", "/vendo/keys/key_1/revoke"),
    *("/vendo/connections/x/bind", "/vendo/connections/x/unbind"),
    *("/effects", "/effects/resolve", "/effects/release"),
]

texts = st.text() | st.sampled_from(
    ["x", "", "\0", "\ud800", "local", "*", "http://x", *EVENT_SCOPES]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)
fields = st.sampled_from(
    [
        *("slug", "name", "developer", "scopes", "sandbox", "action", "module_source", "category"),
        *("timeframe", "quadrant", "assignee", "deadline", "role", "email", "output", "tier"),
        *("source", "url", "events", "extension", "secret", "event", "payload"),
        *("policy", "abp_id", "state", "model_id", "reason", "by", "user_id", "rate_per_minute"),
        *("app", "key", "status", "error_message", "metadata", "external_id", "connection_id"),
        *("namespace", "effect_key", "fence_token", "outcome", "result"),
        *("seconds", "expires_at", "default", "rules", "when", "then", "field", "op", "value"),
    ]
)
json_bodies = (st.dictionaries(fields, values) | values).map(
    lambda value: json.dumps(value).encode()
)
bodies = json_bodies | st.binary() | json_bodies.map(lambda body: body[:-1])
#: The client itself resolves one and two dots: they never get here.
segments = st.text(min_size=1).filter(
    lambda text: text not in {".", ".."} and not any(0xD800 <= ord(char) < 0xE000 for char in text)
)


class Platform:
    """An app with a loop of its own: Hypothesis runs many requests in one test function."""

    def __init__(self, database: Path) -> None:
        self.runner = asyncio.Runner()
        self.app = create_app(Settings(database=database, background=False))
        self.app.state.store.open()
        # whatever the app lets through must fail the test
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        _, secret = self.app.state.keys.create(scopes=["platform:manage"])
        self.http = httpx.AsyncClient(
            transport=transport,
            base_url="http://localhost/manage/v1",
            headers={"authorization": f"Bearer {secret.reveal()}"},
        )

    def request(self, method: str, path: str, **options) -> httpx.Response:
        """One request, and what must hold for every answer."""
        response = self.runner.run(self.http.request(method, path, **options))
        assert response.status_code < 500, response.text
        assert response.headers["content-type"] == "application/json"
        answer = response.json()
        if response.status_code >= 400:
            assert answer["request_id"] == response.headers["x-request-id"]
            assert {"code", "message"} <= answer.keys()
        return response

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
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(path=st.sampled_from(PATHS), body=bodies)
@example(path="/webhooks", body=b'{"url":"http://[::1"}')
@example(path="/webhooks", body=b'{"url":"http://\\ud800/"}')
@example(path="/vendo/connections", body=b'{"slug":"openai","key":"k","user_id":"\\ud800"}')
@example(path="/vendo/connections", body=b'{"slug":"slack","metadata":{"\\ud800":1}}')
@example(path="/vendo/user-tokens", body=b'{"user_id":"u","seconds":31536000}')
@example(path="/webhooks/trigger", body=b'{"event":"team.added","payload":{"\\ud800":1}}')
@example(path="/velocity/modules/x", body=b'{"output":' + b"[" * 300 + b"]" * 300 + b"}")
def test_any_body(platform: Platform, path: str, body: bytes) -> None:
    """Right, nearly right, cut off, or noise."""
    platform.request("POST", path, content=body)


@quick
@given(segment=segments, method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
@example(segment="task_" + "9" * 30, method="POST")
@example(segment="whe_٣", method="POST")
def test_any_path(platform: Platform, segment: str, method: str) -> None:
    """Names of any characters, and methods nobody expects."""
    name = encoded(segment)
    for path in (
        *(f"/velocity/tasks/{name}", f"/velocity/tasks/{name}/complete"),
        *(f"/velocity/installs/{name}/revoke", f"/webhooks/{name}/remove"),
        *(f"/webhooks/deliveries/{name}/resend", f"/velocity/modules/{name}", f"/{name}"),
        *(f"/velerian/keys/{name}/revoke", f"/velerian/abps/{name}/deploy"),
        *(f"/velerian/approvals/{name}/approve", f"/velerian/runs/{name}"),
        *(f"/vendo/connections/{name}", f"/vendo/connections/{name}/disconnect"),
        *(f"/vendo/connections/{name}/revoke-grant", f"/vendo/keys/{name}/revoke"),
    ):
        platform.request(method, path, content=b'{"action": "x", "output": 1}')


@quick
@given(
    path=st.sampled_from(["/velerian/runs", "/velerian/abps", "/velerian/approvals"]),
    query=st.dictionaries(
        st.sampled_from(["status", "state", "limit", "offset", "cursor"]), segments
    ),
)
@example(path="/velerian/abps", query={"limit": "1000", "offset": "9" * 18})
@example(path="/velerian/runs", query={"cursor": "MQ", "status": "queued"})
def test_any_query_of_velerian(platform: Platform, path: str, query: dict[str, str]) -> None:
    """Lists of runs, ABPs and approvals."""
    platform.request("GET", path, params=query)


@quick
@given(query=st.dictionaries(st.sampled_from(["status", "event", "limit", "cursor"]), segments))
@example(query={"cursor": "MQ"})
@example(query={"event": "\0"})
def test_any_query(platform: Platform, query: dict[str, str]) -> None:
    """Lists of deliveries."""
    platform.request("GET", "/webhooks/deliveries", params=query)
