"""Processes that end while a stream of events is open: at once, and without a word of warning."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from ._feed import HEAD, Feed, event, is_left, url_of
from ._server import Server

PATIENCE = 30.0
PREPARE = """
    import asyncio, contextlib, logging, sys, threading
    import anyio, httpx
    from quatrain._runtime import _async, _sync
    from tests._events import AsyncPlatform, Platform

    url, backend = sys.argv[1:]
    awaiting = lambda **settings: AsyncPlatform(url, clock=_async.SYSTEM_CLOCK, **settings)
    blocking = lambda **settings: Platform(url, clock=_sync.SYSTEM_CLOCK, **settings)

    # that a busy machine was slow is no news
    logging.getLogger("asyncio").addFilter(lambda record: not record.msg.startswith("Executing"))
"""
AWAITING = {
    "broke off": """
        platform = awaiting()
        async def main():
            async for _ in platform.events.subscribe():
                break
        anyio.run(main, backend=backend)
    """,
    "held": """
        platform = awaiting()
        stream = platform.events.subscribe()
        async def main():
            await anext(stream)
        anyio.run(main, backend=backend)
    """,
    "failed": """
        platform = awaiting()
        async def main():
            async for _ in platform.events.subscribe():
                raise LookupError
        with contextlib.suppress(LookupError):
            anyio.run(main, backend=backend)
    """,
    "closed client": """
        async def main():
            async with awaiting() as platform:
                async for _ in platform.events.subscribe():
                    break
        anyio.run(main, backend=backend)
    """,
    "caller's client": """
        async def main():
            async with httpx.AsyncClient() as http, awaiting(http_client=http) as platform:
                async for _ in platform.events.subscribe():
                    break
        anyio.run(main, backend=backend)
    """,
    "task left behind": """
        platform = awaiting()
        async def consume(got_one):
            async for _ in platform.events.subscribe():
                got_one.set()
        async def main():
            got_one = anyio.Event()
            if backend == "asyncio":
                main.task = asyncio.create_task(consume(got_one))
            else:
                import trio
                trio.lowlevel.spawn_system_task(consume, got_one)
            await got_one.wait()
        anyio.run(main, backend=backend)
    """,
}
BLOCKING = {
    "broke off": """
        platform = blocking()
        for _ in platform.events.subscribe():
            break
    """,
    "held": """
        platform = blocking()
        stream = platform.events.subscribe()
        next(stream)
    """,
    "in a cycle": """
        platform = blocking()
        holder = [platform.events.subscribe()]
        holder.append(holder)
        next(holder[0])
        del holder
    """,
    "caller's client": """
        with httpx.Client() as http:
            platform = blocking(http_client=http)
            stream = platform.events.subscribe()
            next(stream)
    """,
    "thread left behind": """
        platform = blocking()
        got_one = threading.Event()
        def consume():
            for _ in platform.events.subscribe():
                got_one.set()
        threading.Thread(target=consume, daemon=True).start()
        got_one.wait()
    """,
}
ENDS = [
    *[(backend, how, code) for how, code in AWAITING.items() for backend in ("asyncio", "trio")],
    *[("sync", how, code) for how, code in BLOCKING.items()],
]


def begin(code: str, url: str, backend: str) -> subprocess.Popen[str]:
    text = textwrap.dedent(PREPARE) + textwrap.dedent(code)
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", text, url, backend]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("backend", "code"),
    [pytest.param(backend, code, id=f"{backend}-{how}") for backend, how, code in ENDS],
)
def test_a_process_that_ends(backend: str, code: str) -> None:
    """No warning, no traceback, no task that was pending; and the connection is closed."""
    with Server(Feed((HEAD + event(1) + event(2),))) as server:
        with begin(code, url_of(server), backend) as process:
            _, said = process.communicate(timeout=PATIENCE)
        assert (process.returncode, said) == (0, "")
        assert server.opened == 1
        assert is_left(server)


INTERRUPTED = {
    "sync": """
        with blocking() as platform:
            for message in platform.events.subscribe():
                print("got one", file=sys.stderr, flush=True)
    """,
    "asyncio": """
        async def main():
            async with awaiting() as platform:
                async for message in platform.events.subscribe():
                    print("got one", file=sys.stderr, flush=True)
        anyio.run(main, backend=backend)
    """,
}


@pytest.mark.parametrize("backend", ["sync", "asyncio", "trio"])
def test_ctrl_c_while_it_waits_for_an_event(backend: str) -> None:
    """KeyboardInterrupt comes out, and nothing else."""
    with Server(Feed((HEAD + event(1),))) as server:
        code = INTERRUPTED["sync" if backend == "sync" else "asyncio"]
        with begin(code, url_of(server), backend) as process:
            assert process.stderr is not None
            stopper = threading.Timer(PATIENCE, process.kill)
            stopper.start()
            assert process.stderr.readline() == "got one\n"
            process.send_signal(signal.SIGINT)
            said = process.stderr.read()
            stopper.cancel()
        assert said.splitlines()[-1] == "KeyboardInterrupt"
        assert "Warning" not in said
        assert is_left(server)
