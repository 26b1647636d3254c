"""Evidence on its way to the disk: over real sockets, whole or not at all."""

from __future__ import annotations

import asyncio
import gzip
import stat
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from quatrain._async.velerian import AsyncVelerianClient
from quatrain._sync.velerian import VelerianClient
from quatrain.errors import velerian as errors

from ._clients import FLAVOURS
from ._downloads import BODY, KEY, SIGNATURE, download, export, nothing_is_left, presigned, send
from ._server import Exchange, Server

flavours = pytest.mark.parametrize("flavour", FLAVOURS)


# -- what comes ------------------------------------------------------------------------------------


@flavours
def test_a_presigned_link_is_fetched_without_the_key(flavour: str, tmp_path: Path) -> None:
    """The file is its owner's alone, takes the place of another, and nothing lies beside it."""
    to = tmp_path / "evidence.zip"
    to.write_text("the old one")
    to.chmod(0o644)
    with Server(send) as server:
        assert download(flavour, presigned(server), to) == to
    assert to.read_bytes() == BODY
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [to]
    (exchange,) = server.exchanges
    assert exchange.target == f"/evidence/e.json?{SIGNATURE}"
    assert "authorization" not in exchange.headers
    assert KEY not in str(exchange.headers)
    assert exchange.headers["accept-encoding"] == "identity"


@flavours
def test_a_stream_is_fetched_with_the_key(flavour: str, tmp_path: Path) -> None:
    """From the client's own origin, over a lane that is used again."""
    to = tmp_path / "evidence.zip"
    with Server(send) as server:
        base_url = f"http://127.0.0.1:{server.port}"
        path = export("/api/v2/exports/exp_1/content", "stream")
        usual: dict[str, Any] = {"api_key": KEY, "base_url": base_url}
        if flavour == "sync":
            with VelerianClient(**usual) as velerian:
                for _ in range(3):
                    velerian.download_evidence(path, str(to))
        else:

            async def main() -> None:
                async with AsyncVelerianClient(**usual) as velerian:
                    for _ in range(3):
                        await velerian.download_evidence(path, str(to))

            anyio.run(main, backend=flavour)
    assert to.read_bytes() == BODY
    assert {e.target for e in server.exchanges} == {"/api/v2/exports/exp_1/content"}
    assert {e.headers["authorization"] for e in server.exchanges} == {f"Bearer {KEY}"}
    assert server.connections == [1, 1, 1]


@flavours
def test_a_presigned_link_to_the_own_origin_is_one_too(flavour: str, tmp_path: Path) -> None:
    """It opens without a key, so none is sent."""
    to = tmp_path / "evidence.zip"
    with Server(send) as server:
        base_url = f"http://127.0.0.1:{server.port}"
        for url in (f"{base_url}/x?{SIGNATURE}", f"/x?{SIGNATURE}"):
            download(flavour, export(url), to, base_url=base_url)
    assert ["authorization" in e.headers for e in server.exchanges] == [False, False]


@flavours
def test_progress_is_told_in_bytes(flavour: str, tmp_path: Path) -> None:
    """Those so far, and all of them."""
    seen: list[tuple[int, int | None]] = []
    with Server(send) as server:
        download(
            flavour,
            presigned(server),
            tmp_path / "e",
            on_progress=lambda done, total: seen.append((done, total)),
        )
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == (len(BODY), len(BODY))
    assert {total for _, total in seen} == {len(BODY)}


@flavours
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
def test_what_comes_packed_is_unpacked(flavour: str, encoding: str, tmp_path: Path) -> None:
    """Though nobody asked for it; how much it will be is not known then."""
    seen: list[int | None] = []

    def send_packed(exchange: Exchange) -> None:
        headers = (f"content-encoding: {encoding}",)
        exchange.answer(gzip.compress(BODY), headers=headers)

    with Server(send_packed) as server:
        download(
            flavour,
            presigned(server),
            tmp_path / "e",
            on_progress=lambda _, total: seen.append(total),
        )
    assert (tmp_path / "e").read_bytes() == BODY
    assert set(seen) == {None}


@flavours
@pytest.mark.parametrize("body", [b"", b"x"])
def test_a_small_file_and_an_empty_one(flavour: str, body: bytes, tmp_path: Path) -> None:
    """They are files as well."""
    with Server(lambda e: e.answer(body)) as server:
        download(flavour, presigned(server), tmp_path / "e", max_bytes=len(body))
    assert (tmp_path / "e").read_bytes() == body


@flavours
def test_memory_holds_a_few_pieces(flavour: str, tmp_path: Path) -> None:
    """Of a body of 64 MiB that comes as a packed piece of 64 KiB, and of one in the plain."""
    packed = gzip.compress(b"\0" * 67_108_864)

    def send_much(exchange: Exchange) -> Any:
        if len(server.exchanges) == 1:
            exchange.answer(packed, headers=("content-encoding: gzip",))
            return None
        return send_plain(exchange)

    async def send_plain(exchange: Exchange) -> None:
        exchange.answer(b"", length=67_108_864)
        for _ in range(1_024):
            exchange.raw(b"\0" * 65_536)
            await exchange.writer.drain()

    with Server(send_much) as server:
        for _ in range(2):
            tracemalloc.start()
            download(flavour, presigned(server), tmp_path / "e")
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert (tmp_path / "e").stat().st_size == 67_108_864
            assert peak < 8_000_000


# -- through a caller's own client -----------------------------------------------------------------


@flavours
@pytest.mark.parametrize("stops", [False, True])
def test_through_a_callers_http_client(flavour: str, stops: bool, to: Path) -> None:
    """It is used for the storage too, without credentials of its own; an end is an end."""

    def progress(done: int, total: int | None) -> None:
        if stops:
            raise LookupError("enough")

    async def main() -> None:
        async with httpx.AsyncClient(**settings) as http:
            velerian = AsyncVelerianClient(api_key=KEY, http_client=http)
            await velerian.download_evidence(presigned(server), to, on_progress=progress)

    settings: dict[str, Any] = {"auth": ("me", "word"), "follow_redirects": True}
    with Server(send) as server:
        try:
            if flavour == "sync":
                with httpx.Client(**settings) as http:
                    velerian = VelerianClient(api_key=KEY, http_client=http)
                    velerian.download_evidence(presigned(server), to, on_progress=progress)
            else:
                anyio.run(main, backend=flavour)
        except LookupError:
            assert stops
            assert nothing_is_left(to.parent)
        else:
            assert to.read_bytes() == BODY
    (exchange,) = server.exchanges
    assert "authorization" not in exchange.headers


@flavours
def test_through_a_client_that_has_read_it_already(flavour: str, to: Path) -> None:
    """As stand-ins have, and event hooks do: unpacked then."""

    def answer(request: httpx.Request) -> httpx.Response:
        packed = gzip.compress(BODY)
        return httpx.Response(200, content=packed, headers={"content-encoding": "gzip"})

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            velerian = AsyncVelerianClient(api_key=KEY, http_client=http)
            await velerian.download_evidence(link, to, max_bytes=len(BODY))

    link = export("https://storage.example/e")
    if flavour == "sync":
        with httpx.Client(transport=httpx.MockTransport(answer)) as http:
            velerian = VelerianClient(api_key=KEY, http_client=http)
            velerian.download_evidence(link, to, max_bytes=len(BODY))
    else:
        anyio.run(main, backend=flavour)
    assert to.read_bytes() == BODY


class Cut(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Less than was promised, and no error."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"half"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"half"


@flavours
def test_through_a_client_that_does_not_count(flavour: str, to: Path) -> None:
    """A body shorter than its length was cut off, whether the transport says so or not."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Cut(), headers={"content-length": "8"})

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            velerian = AsyncVelerianClient(api_key=KEY, http_client=http)
            await velerian.download_evidence(link, to)

    link = export("https://storage.example/e")
    with pytest.raises(errors.VelerianTransportError, match="4 of 8 bytes"):  # noqa: PT012
        if flavour == "sync":
            with httpx.Client(transport=httpx.MockTransport(answer)) as http:
                VelerianClient(api_key=KEY, http_client=http).download_evidence(link, to)
        else:
            anyio.run(main, backend=flavour)
    assert nothing_is_left(to.parent)


def test_progress_is_a_plain_function(to: Path) -> None:
    """Nobody would await another."""

    async def progress(*_: Any) -> None:
        pass

    link = export("https://storage.example/e")
    for flavour in FLAVOURS:
        with pytest.raises(errors.VelerianInputError, match="plain function"):
            download(flavour, link, to, on_progress=progress)


def test_many_downloads_at_once(tmp_path: Path) -> None:
    """Each to its own file, none waits for another's storage."""

    async def main() -> None:
        async with AsyncVelerianClient(api_key=KEY) as velerian:
            await asyncio.gather(
                *(
                    velerian.download_evidence(presigned(server), tmp_path / f"{n}")
                    for n in range(9)
                )
            )

    with Server(send) as server:
        asyncio.run(main())
    assert {file.read_bytes() for file in tmp_path.iterdir()} == {BODY}
    assert len(list(tmp_path.iterdir())) == 9
