"""The local platform behind a real socket, on a clock that the test moves, with a recorder."""

from __future__ import annotations

import collections
import itertools
import json
import threading
from pathlib import Path
from typing import Any, Self

import attrs

from quatrain._secret import Secret
from quatrain.server import Settings, create_app
from quatrain.server.asgi import App, Message, Receive, Scope, Send
from quatrain.server.endpoint import read_body
from quatrain.server.serve import Server, bind, url_of
from quatrain.server.velerian import seeding as velerian_seeding
from quatrain.server.webhooks.endpoints import add_endpoint

from ..server._support import ServerClock
from ..server.openapi._contract import Contract

PATIENCE = 10.0
"""Seconds until a request that should come is taken for one that never does."""


@attrs.frozen
class Recorded:
    """A request as it came over the wire."""

    method: str
    target: str
    """The path as it was sent, percent signs and all."""
    body: dict[str, Any]
    authorization: str
    content_type: str
    headers: dict[str, str] = attrs.field(eq=False, repr=False)
    """All of them, by lower-case names."""

    @property
    def verb(self) -> str:
        """What it asks the ledger for."""
        return self.target.rpartition("/")[2]


@attrs.frozen
class Fault:
    """An answer in the ledger's place."""

    status: int
    body: bytes = b'{"code": "a_fault", "message": "a fault", "requestId": "req_fault"}'
    content_type: str = "application/json"
    done: bool = False
    """The request is carried out all the same; only its answer is this one."""


class Recorder:
    """Writes every request down before the platform gets it; ``faults`` are per verb, in order."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._change = threading.Condition()
        self._answered: collections.Counter[str] = collections.Counter()
        self.requests: list[Recorded] = []
        self.faults: dict[str, collections.deque[Fault]] = collections.defaultdict(
            collections.deque
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record, then hand over."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        content = await read_body(receive)
        headers = dict(scope["headers"])
        request = Recorded(
            method=scope["method"],
            target=scope["raw_path"].decode("ascii"),
            body=json.loads(content) if content else {},
            authorization=headers.get(b"authorization", b"").decode(),
            content_type=headers.get(b"content-type", b"").decode(),
            headers={name.decode(): value.decode("latin-1") for name, value in headers.items()},
        )
        self.requests.append(request)
        fault = self.faults[request.verb].popleft() if self.faults[request.verb] else None
        if fault is None or fault.done:
            await self._app(scope, _body_again(content), _nowhere if fault else send)
        if fault is not None:
            start = {"type": "http.response.start", "status": fault.status}
            kind = (b"content-type", fault.content_type.encode())
            await send({**start, "headers": [kind]})
            await send({"type": "http.response.body", "body": fault.body})
        with self._change:
            self._answered[request.verb] += 1
            self._change.notify_all()

    def wait_for(self, verb: str, count: int = 1) -> None:
        """Block until so many requests of a verb have been answered."""
        with self._change:
            enough = self._change.wait_for(lambda: self._answered[verb] >= count, PATIENCE)
        assert enough, f"{self._answered[verb]} of {count} requests to {verb} came"

    def clear(self) -> None:
        """Forget what came, and the faults that did not."""
        self.requests.clear()
        self.faults.clear()
        self._answered.clear()


def _body_again(content: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    return receive


async def _nowhere(_: Message) -> None:
    """An answer that gets lost."""


class ServedPlatform:
    """The platform as ``serve`` runs it, in a thread."""

    def __init__(self, database: Path) -> None:
        self.clock = ServerClock()
        self._app = create_app(Settings(database=database), now_ms=self.clock)
        self.contract = Contract(self._app)
        self.recorder = Recorder(self.contract)
        self._numbers = itertools.count(1)

    def make_key(self) -> str:
        """A key to a tenant that nobody else is."""
        _, secret = self._app.state.keys.create(tenant=f"tenant-{next(self._numbers)}")
        return str(secret.reveal())

    async def install(self, **options: Any) -> str:
        """The key of an extension that a founder, who is nobody else, has installed."""
        self._account = await self._app.state.velocity.seed(f"tenant-{next(self._numbers)}")
        _, secret = self._app.state.installs.create(self._account.id, "ghl-sync", **options)
        return str(secret.reveal())

    async def velerian_key(self, scopes: Any = ("admin",), **options: Any) -> str:
        """A key of a tenant that nobody else is, with the demo's processes."""
        tenant = f"tenant-{next(self._numbers)}"
        document = velerian_seeding.demo()
        self._app.state.store.write_blocking(
            lambda connection, now, _: velerian_seeding.fill(connection, now, tenant, document),
            None,
        )
        _, secret = self._app.state.velerian.keys.create(tenant, scopes=scopes, **options)
        return str(secret.reveal())

    async def send_webhooks(self, url: str, secret: str) -> str:
        """Like ``install``, and have the extension's events sent to *url*."""
        api_key = await self.install()
        extensions = self._app.state.installs.extensions(self._account.id)
        (extension,) = [each for each in extensions if each.slug == "ghl-sync"]
        params = {"url": url, "events": ["*"], "secret": Secret(secret)}
        self._app.state.store.write_blocking(add_endpoint, {**params, "extension_id": extension.id})
        return api_key

    async def trigger(self, event: str) -> None:
        """Make an event of the founder whose extension was installed last."""
        assert await self._app.state.velocity.trigger(self._account.id, event) == 1
        self._app.state.dispatcher.wake()

    def __enter__(self) -> Self:
        self._app.state.store.open()
        listener = bind("127.0.0.1", 0)
        self.origin = url_of(listener)
        self.base_url = f"{self.origin}/v1"
        ready = threading.Event()
        self._server = Server(self.recorder, url=self.origin, on_ready=lambda _: ready.set())
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="served-platform"
        )
        self._thread.start()
        assert ready.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
