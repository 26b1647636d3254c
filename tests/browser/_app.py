"""The app that sends a person to the connect page, and to which the person comes back."""

from __future__ import annotations

import itertools
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.vendo.address import page_url

_states = itertools.count()


class LocalApp:
    """Serves a page at every path, and keeps what it was asked for."""

    def __init__(self, platform: EmbeddedPlatform, host: str = "127.0.0.1") -> None:
        self._platform = platform
        self.requests: list[tuple[str, dict[str, str]]] = []
        """Each path with its query, and the headers in lower case."""
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                app.requests.append((self.path, headers))
                target = dict(parse_qsl(urlsplit(self.path).query)).get("then")
                if target is not None:
                    self.send_response(303)
                    self.send_header("location", target)
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(b"<!doctype html><title>The app</title><p>You are back.")

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            daemon_threads = True

        self._server = Server((host, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        shown = f"[{host}]" if ":" in host else host
        self.origin = f"http://{shown}:{self._server.server_port}"

    def link(self, slug: str = "openai", *, path: str = "/back", **changed: str) -> str:
        """Where it sends the person; *path* is where it wants them back."""
        query = {"return_to": self.origin + path, "state": f"state-{next(_states)}", **changed}
        return page_url(self._platform.url, slug, app_key=self._platform.vendo_key, **query)

    @property
    def answers(self) -> list[dict[str, str]]:
        """What people came back with."""
        return [
            dict(parse_qsl(urlsplit(path).query))
            for path, _ in self.requests
            if path.startswith("/back")
        ]

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
        self._server.server_close()
        self._thread.join()
