"""What answers as the model of a killed server: whoever listens at the URL that it is asked."""

from __future__ import annotations

import httpx

from quatrain.server.velerian.runner import Request


async def ask(request: Request) -> str:
    """The body that is answered there, however long that takes."""
    async with httpx.AsyncClient(timeout=None, trust_env=False) as client:
        return (await client.get(request.prompt)).text
