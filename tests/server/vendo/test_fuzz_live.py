"""Random actions, events and places to go on from: none reaches a 5xx, and none is half done."""

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
from starlette.applications import Starlette

from quatrain.server import Settings, create_app
from quatrain.server.keys import Scope
from quatrain.server.vendo.builtin import BUILT_IN
from quatrain.server.vendo.publishing import FIELDS

from ._streams import Listener, greeted
from ._support import APP, Caller

texts = st.text() | st.sampled_from(["", " ", "\0", "\ud800", "day", "slack", "2027-01-01"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)
names = ["channel", "text", "title", "content", "action", "module_source", "category", "deadline"]
arguments = st.dictionaries(st.sampled_from(names), values) | values
actions = st.fixed_dictionaries(
    {"action_id": st.sampled_from([*BUILT_IN]) | texts}, optional={"args": arguments}
)
fields = st.dictionaries(
    st.sampled_from(sorted({name for kind in FIELDS.values() for name in kind})), scalars
)
event = st.fixed_dictionaries(
    {"kind": st.sampled_from([*FIELDS]) | texts, "fields": fields | values}
)
events = st.fixed_dictionaries({"events": st.lists(event) | values}, optional={"app": scalars})
header_bytes = st.binary(max_size=50).map(lambda key: key.replace(b"\n", b"").replace(b"\r", b""))
quick = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
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
        self.caller = Caller.new(self.app, self.http, APP, "local")
        _, self.manager = self.app.state.keys.create(tenant="local", scopes=[Scope.MANAGE])

    def execute(self, body: bytes, key: bytes | None = None) -> httpx.Response:
        headers: Any = {} if key is None else {"idempotency-key": key}
        path = "/composio/v1/execute"
        response = self.runner.run(self.caller.send("POST", path, headers, content=body))
        assert response.status_code < 500, response.text
        return response

    def publish(self, body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.manager.reveal()}"}
        request = self.http.post("/manage/v1/vendo/events", content=body, headers=headers)
        return self.runner.run(request)

    def wallet(self) -> tuple[int, int]:
        """What is left, and what was spent."""
        state = self.runner.run(self.app.state.vendo.wallets.state("local"))
        return state.wallet.credits_micros, state.used["month"]

    def close(self) -> None:
        self.runner.run(self.http.aclose())
        self.runner.run(self.life.__aexit__(None, None, None))
        self.runner.close()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("fuzz") / "quatrain.db")
    yield platform
    platform.close()


def written(body: Any) -> bytes:
    return json.dumps(body).encode()


@quick
@given(body=actions.map(written) | st.binary(), key=st.none() | header_bytes)
@example(body=written({"action_id": "vendo.echo", "args": {"a": "\ud800"}}), key=b"k")
@example(
    body=b'{"action_id": "vendo.echo", "args": ' + b'{"a":' * 150 + b"1" + b"}" * 151, key=None
)
def test_any_action(platform: Platform, body: bytes, key: bytes | None) -> None:
    """What is not done is not paid."""
    left, used = platform.wallet()
    response = platform.execute(body, key)
    after, used_after = platform.wallet()
    if response.status_code != 200:
        assert (left, used) == (after, used_after)
    assert left - after == used_after - used >= 0


@quick
@given(body=events.map(written) | st.binary())
def test_any_events(platform: Platform, body: bytes) -> None:
    """Are all published, or none is."""
    response = platform.publish(body)
    assert response.status_code in {200, 400, 404, 422}, response.text


@quick
@given(last=header_bytes)
@example(last=b"9" * 18)
@example(last=b"9" * 19)
@example(last="²".encode())
def test_any_last_event_id(platform: Platform, last: bytes) -> None:
    """Connects."""

    async def listen(app: Starlette) -> None:
        listener = Listener(app, platform.caller.secret, last.decode("latin-1"))
        await listener.until(greeted)
        listener.hang_up()
        await listener.over()

    platform.runner.run(listen(platform.app))
