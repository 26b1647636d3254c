"""A worker that waits in the middle of its action: ``python -m tests.crash._sleeper FLAVOUR URL``.

It says when it is there, goes on with a line from its standard input, and tells what came of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from quatrain.verity import AsyncVerityClient, LeaseLostError, VerityClient

from ._worker import LEASE_MS


def act() -> str:
    """Begun before the pause, ended after it."""
    os.write(1, b"acting\n")
    sys.stdin.readline()
    return "late"


async def protect_async(url: str) -> str:
    """The lease is kept while a thread is blocked."""
    async with AsyncVerityClient(base_url=url, namespace="crash") as verity:
        return await verity.protect("k", act=act, lease_duration_ms=LEASE_MS)


def protect_sync(url: str) -> str:
    """The lease is kept beside the blocked thread."""
    with VerityClient(base_url=url, namespace="crash") as verity:
        return verity.protect("k", act=act, lease_duration_ms=LEASE_MS)


def main() -> None:
    """Protect one effect; a line of JSON tells the end."""
    flavour, url = sys.argv[1:]
    try:
        result = asyncio.run(protect_async(url)) if flavour == "async" else protect_sync(url)
    except LeaseLostError as exc:
        told = {"lost": exc.fence_token, "result": exc.result}
    else:
        told = {"lost": None, "result": result}
    os.write(1, json.dumps(told).encode())


if __name__ == "__main__":
    main()
