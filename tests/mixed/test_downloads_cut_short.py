"""Evidence on its way to the disk: over real sockets, what goes wrong, and what is called off."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

import quatrain
from quatrain._async.velerian import AsyncVelerianClient
from quatrain.errors import velerian as errors

from ._clients import FLAVOURS
from ._downloads import BODY, KEY, SIGNATURE, download, export, nothing_is_left, presigned, send
from ._server import Exchange, Server
from ._tasks import Task, is_cancellation
from .test_secrets import library_part

flavours = pytest.mark.parametrize("flavour", FLAVOURS)


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
            exchange.answer(gzip.compress(BODY, mtime=0), headers=("content-encoding: gzip",))
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
        ("gzip", gzip.compress(BODY, mtime=0)[:-9], "end is missing"),
        ("gzip", gzip.compress(b"a", mtime=0) + b"b", "after its end"),
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
        ({"to": "a\0b"}, "path"),
        ({"to": Path("a\ud800b")}, "path"),
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
