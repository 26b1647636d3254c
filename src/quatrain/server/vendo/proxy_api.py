"""The data proxy over HTTP: what it refuses in a shape of its own.

A missing connection is 403 ``{"error": "binding_missing", "toolkit"}``, an action that failed 502
``{"error": "<text>"}``; anything else is told as everywhere in Vendo. Source: contracts, Vendo,
"Errors".
"""

from __future__ import annotations

from typing import Any

from quatrain.server.problems import ProblemError

from .api import VendoAPI
from .proxy import ActionFailedError, ToolkitNotConnectedError


class ProxyAPI(VendoAPI):
    """The ASGI app that is mounted at ``/composio``."""

    def envelope(self, problem: ProblemError, request_id: str) -> dict[str, Any]:
        """In its own shape, or Vendo's."""
        if _is_not_connected(problem):
            return {"error": problem.code, "toolkit": problem.extra.get("slug")}
        if problem.code == ActionFailedError.code:
            return {"error": problem.message}
        return super().envelope(problem, request_id)

    def headers_of(self, problem: ProblemError) -> list[tuple[bytes, bytes]]:
        """Without the code where the shape is the proxy's own."""
        if _is_not_connected(problem) or problem.code == ActionFailedError.code:
            return problem.raw_headers
        return super().headers_of(problem)


def _is_not_connected(problem: ProblemError) -> bool:
    refused = ToolkitNotConnectedError
    return (problem.status, problem.code) == (refused.status, refused.code)
