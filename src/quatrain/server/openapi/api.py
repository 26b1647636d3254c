"""The document over HTTP, made when it is first asked for."""

from __future__ import annotations

import asyncio
from functools import cache

from quatrain.server import jsontext
from quatrain.server.asgi import Receive, Scope, Send
from quatrain.server.problems import method_not_allowed


class Served:
    """The ASGI app of ``/openapi.json``."""

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer the document. Whoever reaches the platform may read it: it holds no data."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise method_not_allowed("GET")
        body = await asyncio.to_thread(_text)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@cache
def _text() -> bytes:
    # late: most platforms are never asked
    from .document import document  # noqa: PLC0415

    return jsontext.dump(document()).encode("ascii")
