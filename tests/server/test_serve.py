"""A real server, over real sockets, told to stop by real signals."""

from __future__ import annotations

import errno
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from quatrain.errors import ConfigError
from quatrain.server import Settings
from quatrain.server.keys import KeyRing
from quatrain.server.serve import bind, run, url_of
from quatrain.server.store import SqliteStore
from quatrain.server.velocity import seeding

pytestmark = pytest.mark.on_file

_SERVE = """
import sys
from quatrain.server.settings import Settings
from quatrain.server.serve import run
run(Settings(database=sys.argv[1], port=0), on_ready=lambda url: print(url, flush=True))
"""


class Process:
    """A platform in a process of its own."""

    def __init__(self, database: Path) -> None:
        with SqliteStore(database) as store:
            _, self._secret = KeyRing(store).create()
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _SERVE, str(database)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._secret.reveal()}"}

    def stop(self, sig: signal.Signals) -> int:
        """Its exit code; what it wrote to stderr must be nothing."""
        self.process.send_signal(sig)
        _, err = self.process.communicate(timeout=30)
        self.err = err
        return self.process.returncode


@pytest.fixture
def server(database: Path) -> Iterator[Process]:
    server = Process(database)
    yield server
    if server.process.poll() is None:
        server.process.kill()
        server.process.communicate()


def test_a_lease_over_a_real_connection(server: Process) -> None:
    """Twice over one connection."""
    with httpx.Client(base_url=f"{server.url}/v1", headers=server.headers) as client:
        assert client.post("/effects/ns/lease", json={"effectKey": "k"}).status_code == 200
        assert client.post("/effects/ns/lease", json={"effectKey": "k"}).status_code == 409
    assert server.stop(signal.SIGTERM) == -signal.SIGTERM
    assert server.err == ""


def test_told_to_stop_it_finishes_what_is_under_way(server: Process, database: Path) -> None:
    """A request whose body is still coming is read, done and answered; the file is left whole."""
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({"effectKey": "slow"}).encode()
    with socket.create_connection((host, int(port))) as connection:
        head = (
            "POST /v1/effects/ns/lease HTTP/1.1\r\nhost: localhost\r\n"
            f"authorization: {server.headers['authorization']}\r\n"
            f"content-length: {len(body)}\r\nexpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.encode())
        # asked to go on: the request is under way
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        server.process.send_signal(signal.SIGINT)
        connection.sendall(body)
        answer = b""
        while chunk := connection.recv(10_000):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200")
    server.process.communicate(timeout=30)
    assert sorted(path.name for path in database.parent.iterdir()) == [
        "quatrain.db",
        "quatrain.db-lock",
    ]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "granted"


@pytest.mark.parametrize(
    "noise",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/effects/\xff/lease HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /v1/effects/ns/lease HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"\0" * 1_000,
    ],
)
def test_noise_on_the_socket_is_the_clients_mistake(server: Process, noise: bytes) -> None:
    """4xx or a closed connection; the next client is served."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(noise)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1_000)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_a_port_that_is_taken_is_a_config_error(database: Path) -> None:
    """Told before the database is touched."""
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
            run(Settings(database=database, port=port))
    assert not database.exists()


def test_a_host_that_is_not_ours_is_a_config_error(database: Path) -> None:
    """An address of another machine, or a name of none."""
    for host in ("192.0.2.1", "no-such-host.invalid"):
        with pytest.raises(ConfigError):
            run(Settings(database=database, host=host, allow_remote=True, port=0))


def test_an_unusable_database_is_a_config_error(tmp_path: Path) -> None:
    """Not a traceback out of a server that began to start."""
    with pytest.raises(ConfigError, match="can't be used"):
        run(Settings(database=tmp_path / "missing" / "q.db", port=0))


def test_a_database_that_can_not_be_filled_is_a_config_error(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may be full when a new one is to get its first data."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(seeding, "_decide", fail)
    with pytest.raises(ConfigError, match=r"can't be used: .*no space left"):
        run(Settings(database=database, port=0))


def test_sockets_are_bound_so_that_small_answers_do_not_wait() -> None:
    """As asyncio turns Nagle's algorithm off only for sockets that name their protocol."""
    with bind("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_urls_of_both_families() -> None:
    """Brackets around an IPv6 address."""
    with bind("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    if socket.has_ipv6 and Path("/proc/net/if_inet6").exists():
        with bind("::1", 0) as listener:
            assert url_of(listener).startswith("http://[::1]:")


def test_it_runs_in_a_thread_too(database: Path) -> None:
    """Without signals; ready is told."""
    ready = threading.Event()
    urls: list[str] = []

    def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()
        raise KeyboardInterrupt  # the way out for a thread that no signal reaches

    def serve() -> None:
        with pytest.raises(KeyboardInterrupt):
            run(Settings(database=database, port=0), on_ready=on_ready)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join(30)
    assert ready.is_set()
    assert urls[0].startswith("http://127.0.0.1:")
