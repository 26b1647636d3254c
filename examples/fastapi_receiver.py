"""Receive Velocity OS's webhooks with FastAPI, with the platform that sends them in one process.

python examples/fastapi_receiver.py    (needs fastapi)

The receiver is ``make_app``; the rest makes a task, a member and a forged request for it.
"""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.velocity import SeenStore, SqliteSeen, VelocityOS, WebhookHandler
from quatrain.webhooks import starlette_endpoint


def make_app(handler: WebhookHandler) -> FastAPI:
    """The receiver: the handler reads the raw body itself, and verifies it."""
    app = FastAPI()
    app.add_api_route("/webhooks", starlette_endpoint(handler), methods=["POST"])
    return app


def make_handler(secret: str, seen: SeenStore, told: queue.Queue[str]) -> WebhookHandler:
    """What is to be done; *seen* remembers what has been handled."""
    handler = WebhookHandler(secret, seen=seen)

    @handler.on("tasks.created")
    async def on_task(payload: dict[str, Any]) -> None:
        told.put(f"a task: {payload['action']} ({payload['category']})")

    @handler.on("team.added")
    def on_member(payload: dict[str, Any]) -> None:  # a plain one runs in a worker thread
        told.put(f"a member: {payload['name']}, {payload['role']}")

    return handler


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve *app* on a free port of loopback; gives its URL."""
    ready = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready.set()

    server = Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    ready.wait()
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def main() -> None:
    """Register the receiver, change the business, and see what it is told."""
    told: queue.Queue[str] = queue.Queue()
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPlatform(Path(directory, "quatrain.db")) as platform,
        SqliteSeen(Path(directory, "seen.db")) as seen,  # outlives restarts
    ):
        handler = make_handler(platform.webhook_secret.reveal(), seen, told)
        with (
            serving(make_app(handler)) as url,
            VelocityOS(platform.velocity_key, base_url=platform.url) as vos,
        ):
            platform.add_webhook(f"{url}/webhooks", events=["tasks.created", "team.added"])
            vos.tasks.create("Review the pricing page", "F6", category="strategy")
            print(f"Told of {told.get(timeout=60)}")
            vos.team.add("Ines Duarte", "Operations")
            print(f"Told of {told.get(timeout=60)}")
            forged = httpx.post(f"{url}/webhooks", json={"action": "Wire the money"})
            print(f"A forged one: {forged.status_code} {forged.json()}")


if __name__ == "__main__":
    main()
