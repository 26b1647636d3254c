"""A receiver of webhooks in a thread: what an extension's developer would run."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from quatrain._secret import Secret
from quatrain.velocity import WebhookHandler

from .story import WentWrongError

__all__ = ["Receiver"]

PATIENCE: Final = 60.0
"""Seconds after which a webhook that has not come counts as lost."""
_POLL: Final = 0.05


class Receiver:
    """Serves ``url`` on loopback; a request is given to the handler that ``listen`` made."""

    def __init__(self) -> None:
        self._handler: WebhookHandler | None = None
        self._heard: queue.SimpleQueue[tuple[dict[str, Any], int]] = queue.SimpleQueue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _requests(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="quatrain-demo-receiver"
        )

    def listen(self, secret: Secret) -> WebhookHandler:
        """Take what is signed with *secret*; functions are for the answer's ``on``."""
        self._handler = WebhookHandler(secret)
        return self._handler

    def next_answer(self) -> tuple[dict[str, Any], int]:
        """What the next request was answered. Raises WentWrongError when none comes."""
        try:
            return self._heard.get(timeout=PATIENCE)
        except queue.Empty:
            raise WentWrongError("no webhook came") from None

    def answer(self, headers: Any, body: bytes) -> tuple[dict[str, Any], int]:
        """Have the handler judge a request."""
        if self._handler is None:
            return {"ok": False, "error": "not listening"}, 503
        answer = self._handler.handle(headers, body)
        self._heard.put(answer)
        return answer

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _requests(receiver: Receiver) -> Callable[..., BaseHTTPRequestHandler]:
    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"] or 0)
            answer, status = receiver.answer(self.headers, self.rfile.read(size))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's
            """Say nothing: the demo does."""

    return Requests
