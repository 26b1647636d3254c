"""The vendor's own client and webhook handler, unchanged, against the local platform."""

from __future__ import annotations

import json
import queue
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from .._platform import PATIENCE, ServedPlatform
from ._clients import official


@pytest.fixture
async def vos(platform: ServedPlatform) -> Any:
    with official.VelocityOS(await platform.install(), base_url=platform.origin) as client:
        yield client


async def test_every_call(vos: Any) -> None:
    """Answers what its models have a place for."""
    me = vos.whoami()
    assert me.user.email
    assert me.extension.slug == "ghl-sync"
    assert (me.sandbox, vos.sandbox_mode) == (False, False)
    assert vos.granted_scopes == me.extension.granted_scopes
    assert vos.profile.get()
    modules = vos.modules.list()
    (done, *_) = [module for module in modules if module.has_output]
    assert done.completed_at
    assert vos.modules.get(done.code).output
    assert all(offer.id and offer.name for offer in vos.offers.list())
    assert vos.team.add("Ada", "CTO", "ada@example.com") == vos.team.list()[-1]
    assert all(partner.name for partner in vos.partnerships.list())
    created = vos.tasks.create("Ship the SDK", "L12", quadrant="do_first", deadline="2026-12-01")
    backlog = vos.tasks.list()
    assert created in backlog.open
    assert all(task.id and task.completed_at for task in backlog.completed)
    assert [program.name for program in vos.academy.programs()]


async def test_its_errors(vos: Any, platform: ServedPlatform) -> None:
    """Are those that it knows."""
    with pytest.raises(official.NotFoundError):
        vos.modules.get("ZZ9")
    with pytest.raises(official.APIError) as caught:
        vos.tasks.create("Ship it", "L12", category="fun")
    assert (caught.value.status_code, caught.value.code) == (422, "validation_failed")
    stranger = official.VelocityOS("vos_ext_unknown", base_url=platform.origin)
    with pytest.raises(official.AuthenticationError) as refused:
        stranger.whoami()
    assert refused.value.code == "invalid_key"
    stranger.close()


class Receiver:
    """A web server on loopback that hands each request to the vendor's own handler."""

    def __init__(self) -> None:
        self.secret = "whsec_" + "s" * 32
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.answers: queue.Queue[tuple[dict[str, Any], int]] = queue.Queue()
        self._handler = official.WebhookHandler(self.secret)
        self._handler.on("*")(self.events.put)
        outer = self

        class Requests(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer, status = outer._handler.handle(self.headers, body)
                outer.answers.put((answer, status))
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver(platform: ServedPlatform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """On the platform's clock, which stands still."""
    clock = types.SimpleNamespace(time=lambda: platform.clock() / 1000)
    monkeypatch.setattr(official.webhooks, "time", clock)
    receiver = Receiver()
    yield receiver
    receiver.close()


async def test_its_handler_takes_our_webhooks(platform: ServedPlatform, receiver: Receiver) -> None:
    """Every event of the contract, signed and delivered by the platform."""
    events = official_events()
    await platform.send_webhooks(receiver.url, receiver.secret)
    for event in events:
        await platform.trigger(event)
        answer, status = receiver.answers.get(timeout=PATIENCE)
        told = receiver.events.get(timeout=PATIENCE)
        assert (200, event) == (status, told["event_type"])
        assert answer == {"ok": True, "event_type": event, "delivery_id": told["delivery_id"]}
        assert set(told["payload"]) == events[event]


async def test_its_client_makes_webhooks(platform: ServedPlatform, receiver: Receiver) -> None:
    """What it creates, its handler is told of."""
    api_key = await platform.send_webhooks(receiver.url, receiver.secret)
    with official.VelocityOS(api_key, base_url=platform.origin) as vos:
        vos.tasks.create("Ship the SDK", "L12", category="strategy", timeframe="this_month")
        assert receiver.events.get(timeout=PATIENCE)["payload"] == {
            "action": "Ship the SDK",
            "module_source": "L12",
            "category": "strategy",
            "timeframe": "this_month",
        }
        vos.team.add("Ada", "CTO", "ada@example.com")
        assert receiver.events.get(timeout=PATIENCE)["payload"] == {
            "name": "Ada",
            "role": "CTO",
            "email": "ada@example.com",
        }


async def test_its_handler_refuses_what_is_not_ours(
    platform: ServedPlatform, receiver: Receiver
) -> None:
    """Another secret is 401 to it, and the platform notes that."""
    await platform.send_webhooks(receiver.url, "whsec_" + "x" * 32)
    await platform.trigger("tasks.created")
    assert receiver.answers.get(timeout=PATIENCE)[1] == 401
    assert receiver.events.empty()


def official_events() -> dict[str, set[str]]:
    """The contract's events and the fields of their payloads."""
    return {
        "module.updated": {"module_code", "completed_at"},
        "tasks.created": {"module_source", "action", "category", "timeframe"},
        "tasks.updated": {"module_source", "action", "quadrant", "assignee", "deadline"},
        "team.added": {"name", "role", "email"},
        "subscription.changed": {"new_tier", "source"},
        "extension.installed": {"extension_slug", "scopes"},
        "extension.revoked": {"install_id"},
    }
