"""Receive Velocity OS's webhooks with Flask, with the platform that sends them in one process.

python examples/flask_receiver.py    (needs flask)

The receiver fails at its first task, so the platform delivers that again.
"""

from __future__ import annotations

import logging
import queue
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.velocity import VelocityOS, WebhookHandler
from quatrain.webhooks import flask_view


def make_app(handler: WebhookHandler) -> Flask:
    """The receiver: the handler reads the raw body itself, and verifies it."""
    app = Flask(__name__)
    app.add_url_rule("/webhooks", view_func=flask_view(handler))
    return app


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve *app* on a free port of loopback; gives its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def main() -> None:
    """Register the receiver, add a task, and see that it is handled in the end."""
    logging.getLogger("quatrain.webhooks").disabled = True  # it would show the failure below
    logging.getLogger("werkzeug").disabled = True
    told: queue.Queue[str] = queue.Queue()
    tries = iter(["the CRM is away"])
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPlatform(Path(directory, "quatrain.db")) as platform,
    ):
        handler = WebhookHandler(platform.webhook_secret)

        @handler.on("tasks.created")
        def on_task(payload: dict[str, Any]) -> None:
            for failure in tries:
                told.put(f"failed: {failure}")
                raise ConnectionError(failure)  # answers 500, so it is delivered again
            told.put(f"handled: {payload['action']}")

        with (
            serving(make_app(handler)) as url,
            VelocityOS(platform.velocity_key, base_url=platform.url) as vos,
        ):
            platform.add_webhook(f"{url}/webhooks", events=["tasks.created"])
            vos.tasks.create("Send the October invoices", "L12", category="finance")
            print(told.get(timeout=60))
            print(told.get(timeout=60))


if __name__ == "__main__":
    main()
