"""A service that an app uses with a token, and what the app hears of its connections: threads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from quatrain.vendo import Message, Vendo

from .story import WentWrongError

__all__ = ["Listener", "Service"]

PATIENCE: Final = 60.0
"""Seconds after which an event that has not come counts as lost."""
_POLL: Final = 0.05


class Service:
    """Serves ``url`` on loopback: whoever has a token may post, until it is revoked."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.answers: list[int] = []
        """The status of each request, in order."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _requests(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}/messages"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="quatrain-demo-service"
        )

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


class Listener:
    """Subscribes to the app's events, from the first one on, in a thread of its own."""

    def __init__(self, vendo: Vendo) -> None:
        self._stream = vendo.events.subscribe(last_event_id="0", max_backoff_sec=1)
        self._heard: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._listen, name="quatrain-demo-listener")

    def next(self) -> Message:
        """The next event. Raises WentWrongError when none comes."""
        try:
            return self._heard.get(timeout=PATIENCE)
        except queue.Empty:
            raise WentWrongError("no event came") from None

    def _listen(self) -> None:
        for message in self._stream:
            if message.type.startswith("connection."):  # an old alias repeats each
                self._heard.put(message)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()
        self._thread.join()


def _requests(service: Service) -> Callable[..., BaseHTTPRequestHandler]:
    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"] or 0))
            scheme, _, token = (self.headers["authorization"] or "").partition(" ")
            good = scheme == "Bearer" and token and token not in service.revoked
            status = 200 if good else 401
            service.answers.append(status)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's
            """Say nothing: the demo does."""

    return Requests
