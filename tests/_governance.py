"""Velerian's platform in memory, behind its API; no flavour."""

from __future__ import annotations

import collections
import json
from typing import Any

import httpx

ORIGIN = "https://velerian.example"
KEY = "vk_live_double"
STORAGE = "https://storage.example"
PRESIGNED = f"{STORAGE}/evidence/t/evp_1.json?X-Signature=do-not-show-me"

QUEUE = "/api/agenticx/networks/desk/invoke?async=true"
"""Where the network "desk" is invoked."""

INVOKED = {
    "invocation_id": "inv_1",
    "outcome": "allow",
    "is_allowed": True,
    "requires_human": False,
    "withheld": False,
}
QUEUED = {"run_id": "run_1", "run_url": "/runs/run_1", "status": "queued"}
EXPORT = {
    "export_id": "exp_1",
    "artifact_kind": "invocation",
    "format": "json",
    "s3_key": "evidence/t/evp_1.json",
    "download_url": PRESIGNED,
    "expires_at": "2030-01-01T00:00:00Z",
    "delivery": "presigned",
}
USAGE = {"tenant_id": "t", "as_of": "2030-01-01T00:00:00Z", "governed_runs": {"total": 3}}


class FakeGovernance:
    """Answers what ``data`` has for a method and a path, with faults to switch on.

    ``faults`` is a queue of what befalls the next requests: an int answers that status with a
    detail, a ``httpx.Response`` is answered as it is, an exception is raised, ``"lost"`` does the
    work and loses the answer, None lets the request through.
    """

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.faults: collections.deque[Any] = collections.deque()
        self.audit: list[dict[str, Any]] = []
        self.statuses: collections.deque[str] = collections.deque()
        """What a run's status is, each time it is looked at; then it has succeeded."""
        self.done: dict[str, Any] = {}
        """What was answered to writes, by idempotency key."""
        self.data: dict[str, Any] = {"GET /api/v2/usage/summary": USAGE}

    @property
    def targets(self) -> list[str]:
        """Method and raw path of each request."""
        return [f"{r.method} {r.url.raw_path.decode('ascii')}" for r in self.requests]

    @property
    def keys(self) -> list[str]:
        """The idempotency key of each request."""
        return [r.headers["idempotency-key"] for r in self.requests]

    def body(self, number: int = -1) -> Any:
        """The JSON that a request brought."""
        return json.loads(self.requests[number].content)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, int):
            return httpx.Response(fault, json={"detail": "a fault"})
        if isinstance(fault, httpx.Response):
            return fault
        if isinstance(fault, Exception):
            raise fault
        answer = self._write(request) if request.method == "POST" else self._read(request)
        if fault == "lost":
            raise httpx.ReadTimeout("the answer was lost", request=request)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def _read(self, request: httpx.Request) -> Any:
        path = request.url.path
        known = self.data.get(f"{request.method} {path}")
        if known is not None:
            return known
        if path.endswith("/audit-log"):
            limit, offset = (int(request.url.params[name]) for name in ("limit", "offset"))
            items = self.audit[offset : offset + limit]
            total = len(self.audit)
            return {"items": items, "limit": limit, "offset": offset, "total": total}
        if "/pack-runs/" in path:
            status = self.statuses.popleft() if self.statuses else "succeeded"
            return {"id": path.rpartition("/")[2], "status": status, "model_id": "m-1"}
        if "evidence" in path:
            return EXPORT
        return httpx.Response(404, json={"detail": f"no {path}"})

    def _write(self, request: httpx.Request) -> Any:
        path = request.url.path
        known = self.data.get(f"POST {path}")
        answer = known or (QUEUED if "/networks/" in path else INVOKED)
        return self.done.setdefault(request.headers.get("idempotency-key", ""), answer)
