"""Streams over real connections: they end when the server does, and are whole however they end."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from quatrain._secret import Secret
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.local import LocalPlatform

from ._process import LONG, Process, by
from ._streams import PATH

PAGE = 500


class Reader:
    """Reads a stream, as any HTTP client does."""

    def __init__(self, response: httpx.Response) -> None:
        assert 200 == response.status_code
        self.lines = response.iter_lines()
        assert ": connected" == next(self.lines)
        self.last_id = next(self.lines).removeprefix("id: ")

    def read(self, count: int) -> list[int]:
        """The numbers of so many events."""
        found = []
        for line in self.lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "data":
                found.append(json.loads(value)["micros"])
                if len(found) == count:
                    break
        return found


def stream(client: httpx.Client, url: str, key: Secret, last_id: str | None = None) -> Any:
    headers = by(key) | ({} if last_id is None else {"last-event-id": last_id})
    return client.stream("GET", f"{url}{PATH}", headers=headers, timeout=LONG)


def request(server: Process) -> str:
    """To listen, as it is sent."""
    return (
        f"GET {PATH} HTTP/1.1\r\n"
        f"host: {urlsplit(server.url).netloc}\r\n"
        f"authorization: Bearer {server.key.reveal()}\r\n\r\n"
    )


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


def test_many_events_come_whole(server: Process, client: httpx.Client) -> None:
    """In order, and once, to whoever listens."""
    total = 10 * PAGE
    with (
        stream(client, server.url, server.key) as one,
        stream(client, server.url, server.key) as two,
    ):
        readers = [Reader(one), Reader(two)]
        for first in range(0, total, PAGE):
            server.publish(first, PAGE)
        for reader in readers:
            assert list(range(total)) == reader.read(total)


def test_a_server_that_is_told_to_stop(server: Process, client: httpx.Client) -> None:
    """Ends its streams, as answers that are complete, and does not wait for them."""
    with stream(client, server.url, server.key) as response:
        reader = Reader(response)
        assert "" == server.end(signal.SIGTERM)
        assert [""] == list(reader.lines)


def test_a_server_that_is_told_to_stop_by_the_side_of_a_reader_that_stalls(
    server: Process,
) -> None:
    """Cuts it off: it would wait for it for half a minute, and say so."""
    address = urlsplit(server.url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect((address.hostname, address.port))
        connection.sendall(request(server).encode())
        assert b"HTTP/1.1 200" == connection.recv(12)
        for first in range(0, 20_000, PAGE):  # more than the system takes off its hands
            server.publish(first, PAGE)
        assert "timeout" not in server.end(signal.SIGTERM)


def test_a_server_that_is_killed(server: Process, client: httpx.Client) -> None:
    """Whoever was cut off, and names the last event it saw, misses none and sees none twice."""
    seen = []
    with stream(client, server.url, server.key) as response:
        last_id = Reader(response).last_id
    server.publish(0, 50)  # nobody listens, and nothing was heard yet
    with stream(client, server.url, server.key, last_id) as response:
        reader = Reader(response)
        seen += reader.read(20)
        server.publish(50, 30)  # of 80, 60 have not been read
        server.end(signal.SIGKILL)
    server.start()
    server.publish(80, 40)
    with stream(client, server.url, server.key, reader.last_id) as response:
        reader = Reader(response)
        server.publish(120, 30)
        seen += reader.read(130)
    assert list(range(150)) == seen


def test_a_client_that_vanishes_leaves_its_place(server: Process, client: httpx.Client) -> None:
    """Though it never says so: five such, again and again."""
    address = urlsplit(server.url)
    for _ in range(3):
        connections = []
        while len(connections) < 5:
            connection = socket.create_connection((address.hostname, address.port), LONG)
            connection.sendall(request(server).encode())
            status = connection.recv(12)
            if status == b"HTTP/1.1 200":
                connections.append(connection)
            else:  # the server has not noticed yet that the others are gone
                assert b"HTTP/1.1 429" == status
                connection.close()
        with stream(client, server.url, server.key) as response:
            assert 429 == response.status_code
        server.publish(0, PAGE)  # what nobody reads
        for connection in connections:
            connection.close()


def test_the_platform_in_a_thread(database: Path, client: httpx.Client) -> None:
    """Stops though somebody listens."""
    with EmbeddedPlatform(database) as platform:
        key = Secret(platform.env["VENDO_API_KEY"])
        with stream(client, platform.url, key) as response:
            reader = Reader(response)
            platform.stop()
            assert [""] == list(reader.lines)


def test_without_a_socket(database: Path) -> None:
    """Events come one by one, through the transport that goes without."""
    with LocalPlatform(database) as platform, platform.http_client() as client:
        headers = {"authorization": f"Bearer {platform.api_key.reveal()}"}
        with stream(client, platform.vendo_url, platform.vendo_key) as response:
            reader = Reader(response)
            for number in range(3):
                fields = {"provider": "p", "micros": number}
                event = {"kind": "billing.usage_recorded", "fields": fields}
                answer = client.post(
                    f"{platform.manage_url}/vendo/events",
                    json={"events": [event]},
                    headers=headers,
                )
                assert 1 == answer.json()["apps"], answer.text
                assert [number] == reader.read(1)
