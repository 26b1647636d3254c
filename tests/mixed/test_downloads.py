"""Evidence on its way to the disk: over real sockets, whole or not at all."""

from __future__ import annotations

import asyncio
import gzip
import stat
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

import quatrain
from quatrain._async.velerian import AsyncVelerianClient
from quatrain._sync.velerian import VelerianClient
from quatrain.errors import velerian as errors
from quatrain.models.velerian import EvidenceExport

from ._clients import FLAVOURS, AsyncQuickClock, QuickClock
from ._server import Exchange, Server
from ._tasks import Task, is_cancellation
from .test_secrets import library_part

KEY = "vk_live_do_not_show_me"
SIGNATURE = "X-Signature=do-not-show-me"
BODY = bytes(range(256)) * 4_096  # 1 MiB, which takes several pieces
flavours = pytest.mark.parametrize("flavour", FLAVOURS)


def export(url: str, delivery: str = "presigned") -> EvidenceExport:
    return EvidenceExport("exp_1", "invocation", "json", "s3", url, "2030-01-01", delivery)


def presigned(server: Server) -> EvidenceExport:
    """At another origin than the client's."""
    return export(f"http://127.0.0.1:{server.port}/evidence/e.json?{SIGNATURE}")


def download(
    flavour: str,
    export: EvidenceExport,
    to: Path,
    *,
    base_url: str = "https://velerian.example",
    client: dict[str, Any] | None = None,
    **settings: Any,
) -> Path:
    """The file at *to*, with one client of that flavour."""
    usual: dict[str, Any] = {"api_key": KEY, "base_url": base_url, **(client or {})}
    if flavour == "sync":
        with VelerianClient(clock=QuickClock(), **usual) as velerian:
            return velerian.download_evidence(export, to=to, **settings)

    async def main() -> Path:
        async with AsyncVelerianClient(clock=AsyncQuickClock(), **usual) as velerian:
            return await velerian.download_evidence(export, to=to, **settings)

    return anyio.run(main, backend=flavour)


def send(exchange: Exchange) -> None:
    exchange.answer(BODY, headers=("content-type: application/zip",))


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


# -- what goes wrong -------------------------------------------------------------------------------


def nothing_is_left(folder: Path) -> bool:
    """Only the file that was there before."""
    (file,) = folder.iterdir()
    return file.read_text() == "the old one"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Where there is a file already."""
    (tmp_path / "e").write_text("the old one")
    return tmp_path / "e"


def cut(exchange: Exchange) -> None:
    exchange.answer(BODY[:100_000], length=len(BODY))
    exchange.writer.close()


def cut_chunked(exchange: Exchange) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    exchange.writer.close()


def hang(exchange: Exchange) -> None:
    exchange.answer(BODY[:100_000], length=len(BODY))


@flavours
@pytest.mark.parametrize("handler", [cut, cut_chunked, hang])
def test_one_that_was_cut_off_leaves_nothing(
    flavour: str, handler: Callable[[Exchange], None], to: Path
) -> None:
    """It is not tried again once a byte was kept, and shows neither key nor link."""
    with Server(handler) as server, pytest.raises(errors.VelerianTransportError) as caught:
        download(flavour, presigned(server), to, timeout=0.2)
    assert nothing_is_left(to.parent)
    assert len(server.exchanges) == 1
    assert "do-not-show-me" not in str(caught.value)
    assert caught.value.attempts[0].number == 1


def drop(exchange: Exchange) -> None:
    exchange.drop()


def drop_after_the_head(exchange: Exchange) -> None:
    exchange.answer(b"", length=9)
    exchange.writer.close()


def fail(exchange: Exchange) -> None:
    exchange.answer({"detail": "later"}, status=503)


@flavours
@pytest.mark.parametrize("handler", [drop, drop_after_the_head, fail])
def test_a_fault_that_passes_before_the_first_byte(
    flavour: str, handler: Callable[[Exchange], None], to: Path
) -> None:
    """The whole is asked for again."""

    def answer(exchange: Exchange) -> None:
        (handler if len(server.exchanges) < 4 else send)(exchange)

    with Server(answer) as server:
        download(flavour, presigned(server), to)
    assert to.read_bytes() == BODY
    assert len(server.exchanges) == 4


@flavours
def test_one_that_fails_for_good(flavour: str, to: Path) -> None:
    """After as many tries as there may be, with all of them on the error."""
    with Server(fail) as server, pytest.raises(errors.VelerianServerError, match="later") as caught:
        download(flavour, presigned(server), to, max_retries=1)
    assert len(caught.value.attempts) == 2
    assert nothing_is_left(to.parent)


@flavours
def test_a_link_that_has_expired(flavour: str, to: Path) -> None:
    """Storage answers with text of its own; the error says until when the link was good."""
    refused = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"

    def refuse(exchange: Exchange) -> None:
        exchange.answer(refused + b" " * 200_000, status=403, headers=("x: y",))

    with Server(refuse) as server, pytest.raises(quatrain.PermissionDeniedError) as caught:
        download(flavour, presigned(server), to)
    assert isinstance(caught.value, errors.VelerianForbiddenError)
    assert "has expired" in str(caught.value)
    assert "2030-01-01" in caught.value.__notes__[0]
    assert nothing_is_left(to.parent)


@flavours
def test_an_error_is_not_read_for_ever(flavour: str, to: Path) -> None:
    """As much of it as says what is wrong."""

    def go_on(exchange: Exchange) -> None:
        exchange.answer(b"no " * 100_000, status=404, length=10**9)

    with Server(go_on) as server, pytest.raises(errors.VelerianNotFoundError, match="no no"):
        download(flavour, presigned(server), to, timeout=1.0)


@flavours
def test_the_link_is_in_no_log_and_no_traceback(
    flavour: str, to: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has it, has the evidence; nor is the key, of a stream."""
    for handler in (send, hang, fail):
        for delivery in ("presigned", "stream"):
            with caplog.at_level("DEBUG"), Server(handler) as server:
                link = export(f"/x?{SIGNATURE}", delivery)
                try:
                    base_url = f"http://127.0.0.1:{server.port}"
                    download(flavour, link, to, base_url=base_url, timeout=0.1, max_retries=0)
                except errors.VelerianError as exc:
                    assert "do-not-show-me" not in library_part(exc)
    lines = [r.getMessage() for r in caplog.records if r.name == "quatrain.http"]
    assert len(lines) == 6
    assert all("GET" in line and "/x" in line for line in lines)
    assert "do-not-show-me" not in "".join(lines)


@pytest.mark.parametrize("url", [f"http://elsewhere.example/?{SIGNATURE}", f"ftp://x/{SIGNATURE}"])
async def test_a_link_that_is_refused_is_not_shown(url: str, to: Path) -> None:
    """Neither in the reason nor in the frames that found it."""
    async with AsyncVelerianClient(api_key=KEY) as velerian:
        with pytest.raises(errors.VelerianInputError) as caught:
            await velerian.download_evidence(export(url), to)
    assert "do-not-show-me" not in library_part(caught.value)


@flavours
def test_a_redirect_is_not_followed(flavour: str, to: Path) -> None:
    """It could lead anywhere."""

    def redirect(exchange: Exchange) -> None:
        exchange.answer(b"", status=302, headers=("location: /elsewhere",))

    with Server(redirect) as server, pytest.raises(errors.VelerianAPIError, match="302"):
        download(flavour, presigned(server), to)
    assert len(server.exchanges) == 1
    assert nothing_is_left(to.parent)


@flavours
@pytest.mark.parametrize("packed", [False, True])
def test_more_than_may_be(flavour: str, packed: bool, to: Path) -> None:
    """By its length before a byte is kept, or as soon as it is too much."""

    def send_either(exchange: Exchange) -> None:
        if packed:
            exchange.answer(gzip.compress(BODY), headers=("content-encoding: gzip",))
        else:
            send(exchange)

    most = len(BODY) - 1
    with Server(send_either) as server, pytest.raises(errors.VelerianAPIError, match="larger"):
        download(flavour, presigned(server), to, max_bytes=most)
    assert nothing_is_left(to.parent)


@flavours
def test_more_than_may_be_is_refused_by_its_length(flavour: str, to: Path) -> None:
    """Nobody waits for the rest."""
    with Server(hang) as server, pytest.raises(errors.VelerianAPIError, match="larger"):
        download(flavour, presigned(server), to, max_bytes=len(BODY) - 1, timeout=1.0)
    assert nothing_is_left(to.parent)


@flavours
@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [
        ("br", b"x", "not asked for"),
        ("gzip", b"no gzip", "unpacked"),
        ("gzip", gzip.compress(BODY)[:-9], "end is missing"),
        ("gzip", gzip.compress(b"a") + b"b", "after its end"),
        ("gzip", b"", "end is missing"),
    ],
)
def test_what_can_not_be_unpacked(
    flavour: str, encoding: str, body: bytes, words: str, to: Path
) -> None:
    """Nobody would want it as it is."""
    headers = (f"content-encoding: {encoding}",)
    with (
        Server(lambda e: e.answer(body, headers=headers)) as server,
        pytest.raises(errors.VelerianAPIError, match=words),
    ):
        download(flavour, presigned(server), to)
    assert nothing_is_left(to.parent)


@flavours
def test_a_part_of_a_file_is_none(flavour: str, to: Path) -> None:
    """Nobody asked for a part."""
    with (
        Server(lambda e: e.answer(b"part", status=206)) as server,
        pytest.raises(errors.VelerianAPIError, match="whole"),
    ):
        download(flavour, presigned(server), to)
    assert nothing_is_left(to.parent)


@flavours
def test_what_progress_raises_comes_out(flavour: str, to: Path) -> None:
    """As it is; the answer is left, and its connection with it."""

    def stop(done: int, total: int | None) -> None:
        raise LookupError("enough")

    with Server(send) as server, pytest.raises(LookupError, match="enough"):
        download(flavour, presigned(server), to, on_progress=stop)
    assert nothing_is_left(to.parent)
    assert len(server.exchanges) == 1


@flavours
@pytest.mark.parametrize("place", ["folder", "missing/e"])
def test_where_no_file_can_be(flavour: str, place: str, tmp_path: Path) -> None:
    """An OSError, before anything is asked for."""
    (tmp_path / "folder").mkdir()
    with Server(send) as server, pytest.raises(OSError, match=r"directory"):
        download(flavour, presigned(server), tmp_path / place)
    assert server.exchanges == []
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@flavours
def test_a_disk_that_is_full(flavour: str, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own error comes out, and nothing is tried again."""

    def full(self: Any, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("quatrain._part_file.PartFile.write", full)
    with Server(send) as server, pytest.raises(OSError, match="No space"):
        download(flavour, presigned(server), to)
    assert nothing_is_left(to.parent)
    assert len(server.exchanges) == 1


@flavours
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"export": "exp_1"}, "EvidenceExport"),
        ({"export": export("https://elsewhere.example/x", "stream")}, "another origin"),
        ({"export": export("http://elsewhere.example/x")}, "unencrypted"),
        ({"export": export("https://elsewhere.example/x", "pigeon")}, "pigeon"),
        ({"export": export("")}, "empty"),
        ({"to": 7}, "path"),
        ({"to": b"e"}, "path"),
        ({"max_bytes": -1}, "max_bytes"),
        ({"on_progress": 7}, "on_progress"),
        ({"timeout": -1}, "timeout"),
    ],
)
def test_what_can_not_be_downloaded_is_refused(
    flavour: str, change: dict[str, Any], words: str, to: Path
) -> None:
    """By its name, and nothing happens."""
    arguments: dict[str, Any] = {"export": export("https://elsewhere.example/x"), "to": to}
    with pytest.raises(errors.VelerianInputError, match=words):
        download(flavour, **arguments | change)
    assert nothing_is_left(to.parent)


# -- being called off ------------------------------------------------------------------------------


async def test_a_cancelled_download_leaves_nothing(task: Task, to: Path) -> None:
    """Nor a connection; the client works as before."""
    begun = anyio.Event()

    async def run() -> None:
        await velerian.download_evidence(
            export("/x", "stream"), to, on_progress=lambda *_: begun.set()
        )

    def answer(exchange: Exchange) -> None:
        (hang if len(server.exchanges) == 1 else send)(exchange)

    with Server(answer) as server:
        async with AsyncVelerianClient(api_key=KEY, base_url=server.url) as velerian:
            async with anyio.create_task_group() as group:
                group.start_soon(task.run, run)
                await begun.wait()
                task.cancel()
                await task.ended.wait()
            assert is_cancellation(task.outcome)
            assert nothing_is_left(to.parent)
            await anyio.to_thread.run_sync(server.settle)
            assert len(server.open) == 0
            await run()
    assert to.read_bytes() == BODY
    assert server.connections == [1, 2]


def test_ctrl_c_leaves_nothing(to: Path) -> None:
    """In the blocking flavour: it is raised where the body is read."""

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with Server(send) as server, pytest.raises(KeyboardInterrupt):
        download("sync", presigned(server), to, on_progress=stop)
    assert nothing_is_left(to.parent)


async def test_it_does_not_block_the_loop(to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is written to in threads."""
    threads: set[str] = set()
    for name in ("mkstemp", "fsync", "write", "replace"):
        place = "tempfile.mkstemp" if name == "mkstemp" else f"os.{name}"
        module, _, function = place.partition(".")
        real = getattr(__import__(module), function)

        def spy(*args: Any, _real: Any = real, **kwargs: Any) -> Any:
            threads.add(threading.current_thread().name)
            return _real(*args, **kwargs)

        monkeypatch.setattr(f"quatrain._part_file.{module}.{function}", spy)
    with Server(send) as server:
        async with AsyncVelerianClient(api_key=KEY) as velerian:
            await velerian.download_evidence(presigned(server), to)
    monkeypatch.undo()
    assert to.read_bytes() == BODY
    assert threading.main_thread().name not in threads


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
