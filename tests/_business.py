"""A founder's business in memory, behind the Extension API; no flavour."""

from __future__ import annotations

import collections
import json
from typing import Any

import httpx

ORIGIN = "https://velocity.example"
KEY = "vos_ext_double"
SCOPES = ["read:profile", "read:modules", "read:tasks", "write:tasks", "write:entities"]


class FakeBusiness:
    """Answers what ``data`` says, with faults to switch on.

    ``faults`` is a queue of what befalls the next requests: an int answers that status with an
    error, a ``httpx.Response`` is answered as it is, an exception is raised, ``"lost"`` does the
    work and loses the answer, None lets the request through.
    """

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.faults: collections.deque[Any] = collections.deque()
        self.sandbox = False
        self.created: dict[str, dict[str, Any]] = {}
        """What was written, by idempotency key."""
        self.data: dict[str, Any] = {
            "whoami": {
                "user": {"email": "f@example.com", "name": "Fay", "tier": "growth"},
                "extension": {"id": 7, "name": "GHL Sync", "slug": "ghl", "granted_scopes": SCOPES},
            }
        }

    @property
    def targets(self) -> list[str]:
        """Method and raw path of each request."""
        return [f"{r.method} {r.url.raw_path.decode('ascii')}" for r in self.requests]

    def body(self, number: int = -1) -> Any:
        """The JSON that a request brought."""
        return json.loads(self.requests[number].content)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, int):
            return httpx.Response(fault, json=error(f"fault_{fault}", "a fault"))
        if isinstance(fault, httpx.Response):
            return fault
        if isinstance(fault, Exception):
            raise fault
        data = self._write(request) if request.method == "POST" else self._read(request)
        if fault == "lost":
            raise httpx.ReadTimeout("the answer was lost", request=request)
        return httpx.Response(200, json=self.envelope(data))

    def envelope(self, data: Any) -> dict[str, Any]:
        """A success."""
        return {
            "ok": True,
            "data": data,
            "extension_id": 7,
            "extension_name": "GHL Sync",
            "venture_id": "default",
            "sandbox": self.sandbox,
        }

    def _read(self, request: httpx.Request) -> Any:
        return self.data[request.url.path.removeprefix("/api/v1/extensions/")]

    def _write(self, request: httpx.Request) -> Any:
        key = request.headers["idempotency-key"]
        return {"created": self.created.setdefault(key, json.loads(request.content))}


def error(code: str, message: str) -> dict[str, Any]:
    """The envelope of an error."""
    return {"ok": False, "error": {"code": code, "message": message}}
