"""One client over several loops and threads, and clients that nobody closes."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from quatrain.verity import AsyncVerityClient, VerityClient, VerityConfigError

from ._clients import KEY
from ._server import Server, answer_well

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def make(server: Server, **settings: Any) -> AsyncVerityClient:
    return AsyncVerityClient(base_url=server.url, api_key=KEY, namespace="ns", **settings)


async def ask(client: AsyncVerityClient) -> None:
    await client.request_lease("ns", {"effectKey": "k"})


async def receipt() -> str:
    return "receipt"


def test_successive_loops_of_either_kind_share_a_client() -> None:
    """Each has connections of its own, which end with it."""
    with Server(answer_well) as server:
        client = make(server)

        async def main() -> None:
            for _ in range(3):
                await ask(client)

        for backend in ("asyncio", "trio", "asyncio", "trio", "trio"):
            anyio.run(main, backend=backend)
            server.settle()
            assert len(server.open) == 0
            assert not client._ledger.transport._lanes
        asyncio.run(client.aclose())
    assert server.connections == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]


def test_concurrent_loops_in_threads_share_a_client() -> None:
    """Of both kinds at once."""
    with Server(answer_well) as server:
        client = make(server)

        async def main() -> None:
            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(ask, client)
            assert await client.protect("k", act=receipt) == "receipt"

        with ThreadPoolExecutor(8) as pool:
            runs = [
                pool.submit(anyio.run, main, backend=backend)
                for backend in ["asyncio", "trio"] * 20
            ]
            for run in runs:
                run.result()
        server.settle()
        assert len(server.open) == 0
        asyncio.run(client.aclose())


@BACKENDS
@pytest.mark.parametrize("other", ["asyncio", "trio"])
def test_closing_closes_the_connections_of_other_loops_too(backend: str, other: str) -> None:
    """On those loops, which go on."""
    with Server(answer_well) as server:
        client = make(server)
        asked, closed = threading.Event(), threading.Event()

        async def main() -> None:
            await ask(client)
            asked.set()
            await anyio.to_thread.run_sync(closed.wait)
            for _ in range(10_000):
                if not server.open:
                    return
                await anyio.lowlevel.checkpoint()

        async def close() -> None:
            await client.aclose()
            await client.aclose()

        thread = threading.Thread(target=lambda: anyio.run(main, backend=backend))
        thread.start()
        asked.wait()
        anyio.run(close, backend=other)
        closed.set()
        thread.join()
        assert len(server.open) == 0


def test_a_loop_that_was_closed_without_a_word_is_forgotten() -> None:
    """Nobody could close its connections; they do not pile up in the client."""
    with Server(answer_well) as server:
        client = make(server)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # asyncio's, and it is right
            for _ in range(5):
                loop = asyncio.new_event_loop()
                loop.run_until_complete(ask(client))
                loop.close()
                assert len(client._ledger.transport._lanes._values) == 1
            asyncio.run(client.aclose())
            del client, loop
            gc.collect()


@BACKENDS
def test_after_closing_no_loop_gets_a_connection(backend: str) -> None:
    """A config error, on any of them."""
    with Server(answer_well) as server:
        client = make(server)

        async def main() -> None:
            await ask(client)
            await client.aclose()
            with pytest.raises(VerityConfigError, match="closed"):
                await ask(client)

        anyio.run(main, backend=backend)

        async def again() -> None:
            with pytest.raises(VerityConfigError, match="closed"):
                await ask(client)

        anyio.run(again, backend="asyncio")
    assert len(server.exchanges) == 1


# -- unclosed -------------------------------------------------------------------------------------


def warned(use: Callable[[], None]) -> list[str]:
    """The warnings, of whatever kind, that come of *use*, and of collecting what it left."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
        gc.collect()
    return [f"{warning.category.__name__}: {warning.message}" for warning in caught]


@BACKENDS
@pytest.mark.parametrize("collected", ["inside", "after"])
def test_an_unclosed_client_is_warned_of_once(backend: str, collected: str) -> None:
    """While its loop runs; after that its connections are closed, and nothing is left open."""
    with Server(answer_well) as server:

        async def main() -> None:
            client = make(server)
            kept.append(client if collected == "after" else None)
            await client.protect("k", act=receipt)
            del client
            gc.collect()
            await anyio.lowlevel.checkpoint()

        kept: list[Any] = []

        def run() -> None:
            anyio.run(main, backend=backend)
            kept.clear()

        found = warned(run)
        server.settle()
        assert len(server.open) == 0
    hint = "use `async with`, or await aclose()"
    line = f"ResourceWarning: unclosed <AsyncVerityClient {server.url}>: {hint}"
    assert found == ([line] if collected == "inside" else [])


def test_an_unclosed_sync_client_is_warned_of_once() -> None:
    """And its connections are closed."""
    with Server(answer_well) as server:

        def run() -> None:
            client = VerityClient(base_url=server.url, api_key=KEY, namespace="ns")
            client.protect("k", act=lambda: "receipt")

        found = warned(run)
        server.settle()
        assert len(server.open) == 0
    hint = "use `with`, or close()"
    assert found == [f"ResourceWarning: unclosed <VerityClient {server.url}>: {hint}"]


@BACKENDS
def test_where_warnings_are_errors_an_unclosed_client_is_one_error(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else comes of it."""
    unraisable: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda it: unraisable.append(it.exc_value))
    with Server(answer_well) as server:

        async def main() -> None:
            await ask(make(server))
            gc.collect()
            await anyio.lowlevel.checkpoint()

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            anyio.run(main, backend=backend)
            gc.collect()
    assert [type(exc) for exc in unraisable] == [ResourceWarning]


def test_what_was_not_used_needs_no_closing() -> None:
    """Nor what was closed, nor what goes through the caller's client."""

    def run() -> None:
        VerityClient(base_url="https://ledger.example", api_key=KEY)
        AsyncVerityClient(base_url="https://ledger.example", api_key=KEY)
        with Server(answer_well) as server:
            client = VerityClient(base_url=server.url, api_key=KEY)
            client.request_lease("ns", {"effectKey": "k"})
            client.close()
            client.close()
            with httpx.Client() as http:
                client = VerityClient(base_url=server.url, api_key=KEY, http_client=http)
                client.request_lease("ns", {"effectKey": "k"})

    assert warned(run) == []


def test_a_client_that_could_not_be_made_is_collected_in_silence() -> None:
    """It has nothing to close."""

    def run() -> None:
        with pytest.raises(VerityConfigError):
            VerityClient(base_url="nonsense", api_key=KEY)

    assert warned(run) == []


def test_an_http_client_of_the_other_flavour_is_refused() -> None:
    """It could not be awaited, or would have to be."""
    settings = {"base_url": "https://ledger.example", "api_key": KEY}
    with pytest.raises(VerityConfigError, match=r"httpx\.Client, not AsyncClient"):
        VerityClient(**settings, http_client=httpx.AsyncClient())
    with httpx.Client() as http, pytest.raises(VerityConfigError, match="AsyncClient, not Client"):
        AsyncVerityClient(**settings, http_client=http)
