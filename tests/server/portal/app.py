"""A small ASGI app that the portal's tests call."""

import asyncio
import contextlib
import json
import threading

import anyio
import anyio.lowlevel

URL = "http://localhost"
LONG = 30.0  # for what must happen, however slow the machine is


class App:
    """A small ASGI app whose handlers tell the test how far they have got."""

    def __init__(self):
        self.started = threading.Event()
        self.stopped = threading.Event()
        self.shutting_down = threading.Event()
        self.shut_down = threading.Event()
        self.may_shut_down = threading.Event()
        self.may_shut_down.set()
        self.go_on = None
        self.sent = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
        else:
            await getattr(self, scope["path"].strip("/"))(scope, receive, send)

    async def lifespan(self, scope, receive, send):
        await receive()
        scope["state"]["greeting"] = "hello"
        self.loop = asyncio.get_running_loop()
        await anyio.lowlevel.checkpoint()  # takes its caller's trio for its own, if it can see it
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.shutting_down.set()
        await asyncio.to_thread(self.may_shut_down.wait, LONG)
        self.shut_down.set()
        await send({"type": "lifespan.shutdown.complete"})

    async def head(self, send, status=200):
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-a", b"b")]})

    async def echo(self, scope, receive, send):
        body = (await receive())["body"]
        await anyio.lowlevel.checkpoint()  # takes its caller's trio for its own, if it can see it
        fields = {
            "method": scope["method"],
            "query": scope["query_string"].decode(),
            "body": body.decode(),
            "host": dict(scope["headers"])[b"host"].decode(),
            "greeting": scope["state"]["greeting"],
        }
        await self.head(send, 201)
        await send({"type": "http.response.body", "body": json.dumps(fields).encode()})

    async def parts(self, scope, receive, send):
        """One part, then the next one when the test says so."""
        self.go_on = asyncio.Event()
        await self.head(send)
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": True})
        await send({"type": "http.response.body"})

    async def endless(self, scope, receive, send):
        await self.head(send)
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 1024, "more_body": True})
                self.sent += 1
        finally:
            self.stopped.set()

    async def hang(self, scope, receive, send):
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()

    async def listen(self, scope, receive, send):
        """Starts an answer, then ends when it hears that its caller has gone."""
        await receive()
        await self.head(send)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if (await receive())["type"] == "http.disconnect":
            self.stopped.set()

    async def boom(self, scope, receive, send):
        raise ValueError("boom")

    async def leave(self, scope, receive, send):
        raise SystemExit(3)

    async def silent(self, scope, receive, send):
        pass

    async def half(self, scope, receive, send):
        await self.head(send)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("boom")
