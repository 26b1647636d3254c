"""An audit log in a process of its own, made of canned pages; run by the benchmark.

Bare HTTP/1.1 on asyncio, so that it is nobody's bottleneck: it finds *limit*, *offset* and *wait*
in the target, waits so many milliseconds, and writes bytes made before. Writes its port on a line,
and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

PAGE: Final = 100
PAGES: Final = 20
ROWS: Final = PAGE * PAGES - PAGE // 2
"""The last page is short, as most are."""
_TARGET: Final = re.compile(rb"GET (?:/wait/(\d+))?/api/v2/audit-log\?limit=(\d+)&offset=(\d+) ")


def row(number: int) -> dict[str, Any]:
    """An entry of the audit log."""
    return {
        "id": f"aud_{number}",
        "created_at": f"2026-03-01T12:{number // 60 % 60:02}:{number % 60:02}.000Z",
        "actor_user_id": f"user_{number % 7}",
        "action": "abp.invoke",
        "resource_kind": "abp",
        "resource_id": f"abp_{number % 50}",
        "detail": {"invocation_id": f"inv_{number:012}", "outcome": "allow", "constraints": 3},
        "sequence": number,
        "chain_hash": f"{number:064x}",
    }


def page(limit: int, offset: int) -> bytes:
    """The body of a page."""
    rows = [row(number) for number in range(offset, min(offset + limit, ROWS))]
    body = {"items": rows, "limit": limit, "offset": offset, "total": ROWS}
    return json.dumps(body, separators=(",", ":")).encode()


@contextmanager
def served() -> Iterator[str]:
    """The origin of such a server, for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server's process has no pipes")
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the server did not start")
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stdin.close()


class _Canned(asyncio.Protocol):
    answers: Final[dict[tuple[int, int], bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(b"\r\n\r\n"):
            return
        target = _TARGET.match(self._received)
        self._received = b""
        if target is None:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            return
        wait, limit, offset = (int(part or 0) for part in target.groups())
        answer = self._answer(limit, offset)
        if wait:
            asyncio.get_running_loop().call_later(wait / 1000, self._transport.write, answer)
        else:
            self._transport.write(answer)

    def _answer(self, limit: int, offset: int) -> bytes:
        try:
            return self.answers[limit, offset]
        except KeyError:
            body = page(limit, offset)
            head = (
                f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
            )
            answer = self.answers[limit, offset] = f"{head}\r\n\r\n".encode() + body
            return answer


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Canned, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
