"""The platform in this process: without a socket for Client.local, on a port for any program."""

import gc
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.to_thread
import httpx
import pytest

from quatrain import AsyncClient, Client, ConfigError
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.local import LocalPlatform
from quatrain.verity import AsyncVerityClient, VerityAuthenticationError, VerityClient

from ._support import as_argument

LONG = 60.0  # for what must happen, however slow the machine is


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Callers may run on either."""
    return request.param


@pytest.fixture
def database(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def platform(database):
    with EmbeddedPlatform(database) as platform:
        yield platform


def client_of(platform, **options):
    return VerityClient(
        base_url=platform.env["VERITY_BASE_URL"],
        api_key=platform.env["VERITY_API_KEY"],
        namespace="default",
        **options,
    )


def run(program, *args, env=None):
    """Run *program* in a Python of its own; its standard output, when it ends well."""
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", program]
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(
        [*command, *map(str, args)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert ("", 0) == (done.stderr, done.returncode)
    return done.stdout


# -- Client.local ---------------------------------------------------------------------------------


def test_client_local(database):
    """A sync client with a ledger of its own in this process; what it did is kept in the file."""
    with Client.local(database) as q:
        assert {"n": 1} == q.verity.protect("k", act=lambda: {"n": 1})
    with Client.local(database) as q:
        assert {"n": 1} == q.verity.protect("k", act=lambda: {"n": 2})


async def test_async_client_local(database):
    """The same on asyncio and trio."""

    async def act(n):
        return {"n": n}

    for n in (1, 2):
        async with AsyncClient.local(database) as q:
            assert {"n": 1} == await q.verity.protect("k", act=lambda n=n: act(n))


def test_two_clients_on_one_file(database):
    """The same database opened twice in one process: each effect still happens once."""
    acted = []

    def work(q, number):
        return q.verity.protect(f"k{number}", act=lambda: acted.append(number) or number)

    with (
        Client.local(database) as one,
        Client.local(database) as two,
        ThreadPoolExecutor(8) as pool,
    ):
        calls = [pool.submit(work, q, n) for n in range(25) for q in (one, two, one, two)]
        results = [call.result(LONG) for call in calls]

    assert [n for n in range(25) for _ in range(4)] == results
    assert list(range(25)) == sorted(acted)


def test_a_local_platform_leaves_nothing_behind(database):
    """Nothing runs before the first request, nor after close; no key is left in the database."""
    before = threading.active_count()
    with Client.local(database) as q:
        assert (before, False) == (threading.active_count(), database.exists())
        q.verity.protect("k", act=lambda: 1)
    with LocalPlatform(database) as local:
        assert [] == local.keys.list()

    assert before == threading.active_count()


def test_an_unclosed_local_platform_is_warned_of_once(database):
    """When its client is collected; it ends by itself, and what was answered is kept."""
    before = set(threading.enumerate())
    q = Client.local(database)
    q.verity.protect("k", act=lambda: 1)
    [thread] = [t for t in set(threading.enumerate()) - before if t.name == "quatrain-local"]
    verity = q.verity
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del q
        gc.collect()
        assert 1 == verity.protect("k", act=lambda: 2)
        del verity
        gc.collect()
    thread.join(LONG)

    assert [ResourceWarning] == [warning.category for warning in caught]
    assert not thread.is_alive()
    with Client.local(database) as q:
        assert 1 == q.verity.protect("k", act=lambda: 2)


def test_a_local_platform_that_was_not_used_needs_no_closing(database):
    """Nothing has been opened."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Client.local(database)
        gc.collect()


def test_a_local_key_opens_its_own_platform_only(database):
    """A key that was made up in memory is worth nothing elsewhere."""
    with LocalPlatform(database) as one, LocalPlatform(database) as two:
        client = VerityClient(
            base_url=one.verity_url,
            api_key=two.api_key,
            namespace="default",
            http_client=one.http_client(),
        )
        with pytest.raises(VerityAuthenticationError):
            client.effects.list()


@pytest.mark.parametrize("name", ["", ":memory:", "a\0b"])
def test_a_database_that_can_not_be_one(name):
    """What is no file name is refused at once."""
    for make in (LocalPlatform, EmbeddedPlatform):
        with pytest.raises(ConfigError, match="database"):
            make(name)


def test_an_unusable_database_is_a_config_error(tmp_path):
    """The first request of a client on it says what is wrong, without trying again."""
    with (
        Client.local(tmp_path / "missing" / "ledger.db") as q,
        pytest.raises(ConfigError, match=r"missing/ledger\.db can't be used"),
    ):
        q.verity.effects.list()


FORKED_CLIENT = """
import os, sys
from quatrain import Client

with Client.local(sys.argv[1]) as q:
    print(q.verity.protect("parent", act=lambda: "parent"), flush=True)
    pid = os.fork()
    if pid == 0:
        print(q.verity.protect("parent", act=lambda: "child"))
        print(q.verity.protect("child", act=lambda: "child"), flush=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    print(q.verity.protect("child", act=lambda: "parent"))
"""


def test_client_local_survives_a_fork(database):
    """Parent and child go on with one client, each on a platform of its own."""
    assert ["parent", "parent", "child", "child"] == run(FORKED_CLIENT, database).split()


# -- EmbeddedPlatform -----------------------------------------------------------------------------


def test_serves_over_http(platform):
    """Any program can reach it, with the key or not."""
    with urllib.request.urlopen(f"{platform.url}/healthz", timeout=LONG) as answer:
        assert {"status": "ok"} == json.load(answer)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{platform.url}/v1/effects", timeout=LONG)
    with caught.value as error:
        assert 401 == error.code


WORKER = """
from quatrain import Client

with Client() as q:
    for number in range(20):
        q.verity.protect(f"k{number}", act=lambda: None, input_json={})
print("done")
"""


def test_other_processes_use_its_environment(platform):
    """``env`` is all that another process needs."""
    environment = {**platform.env, "VERITY_NAMESPACE": "default"}

    assert "done\n" == run(WORKER, env=environment)
    with client_of(platform) as client:
        assert 20 == len(client.effects.list().items)


async def test_async_client(platform):
    """Its own asyncio loop is no matter to callers of any other."""
    env = await anyio.to_thread.run_sync(lambda: platform.env)
    async with AsyncVerityClient(
        base_url=env["VERITY_BASE_URL"], api_key=env["VERITY_API_KEY"], namespace="default"
    ) as client:
        assert 1 == await client.protect("k", act=lambda: 1)


def test_small_requests_do_not_wait_for_nagle(platform):
    """Accepted connections have Nagle's algorithm off; with it, each request could wait 40 ms."""
    accepted = []
    serving = platform._serving
    with client_of(platform) as client:
        client.effects.list()
        for protocol in serving.server.server_state.connections:
            peer = protocol.transport.get_extra_info("socket")
            accepted.append(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    assert [1] == [min(option, 1) for option in accepted]


def test_loopback_only(platform):
    """It listens where other machines can't reach it."""
    assert "127.0.0.1" == platform._serving.listener.getsockname()[0]


def test_stop_and_start_again(platform):
    """It comes back at the same place with the same key; what was answered is still there."""
    before = platform.env
    with client_of(platform) as client:
        client.protect("k", act=lambda: "first")
        platform.stop()
        platform.stop()
        with pytest.raises(ConfigError, match="not started"):
            _ = platform.url
        platform.start()
        platform.start()

        assert before == platform.env
        assert "first" == client.protect("k", act=lambda: "second")


def test_stop_ends_everything(database):
    """After stop no thread runs and nobody answers."""
    before = threading.active_count()
    with EmbeddedPlatform(database) as platform:
        url = platform.url
        httpx.get(f"{url}/healthz")

    assert before == threading.active_count()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")


def test_start_fails_clearly(tmp_path):
    """A database that can't be used is a ConfigError from start, and nothing is left running."""
    before = threading.active_count()
    platform = EmbeddedPlatform(tmp_path)
    with pytest.raises(ConfigError, match="can't be used"):
        platform.start()

    assert before == threading.active_count()
    with pytest.raises(ConfigError, match="not started"):
        _ = platform.url


def test_its_port_taken_meanwhile_is_a_config_error(platform):
    """A port that somebody took while the platform was stopped is named."""
    port = int(platform.url.rpartition(":")[2])
    platform.stop()
    before = threading.active_count()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ConfigError, match=f"127.0.0.1:{port} can't be listened on"),
    ):
        platform.start()

    assert before == threading.active_count()


def test_a_server_that_ends_refuses(platform):
    """Should the server end by itself, connections are refused: nobody waits to be accepted."""
    platform._serving.done.cancel()

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{platform.url}/healthz")


def test_further_keys(platform):
    """Keys of its ring are stored ones: of other tenants, listed, and revocable."""
    key, secret = platform.keys.create(tenant="other", name="theirs")
    client = VerityClient(
        base_url=platform.env["VERITY_BASE_URL"], api_key=secret, namespace="default"
    )
    with client, client_of(platform) as own:
        own.protect("k", act=lambda: 1)

        assert [] == client.effects.list().items
        assert ["theirs"] == [key.name for key in platform.keys.list()]
        platform.keys.revoke(key.key_id)
        with pytest.raises(VerityAuthenticationError):
            client.effects.list()


def test_the_key_shows_itself_nowhere(platform, caplog):
    """Neither in the platform's repr nor in its logs."""
    caplog.set_level(logging.DEBUG)
    httpx.get(f"{platform.url}/v1/effects", headers={"authorization": "Bearer wrong"})
    key = platform.env["VERITY_API_KEY"]

    assert key not in f"{platform!r} {platform.api_key!r} {vars(platform)!r} {caplog.text}"


def test_leaves_the_logging_of_the_process_alone(database, monkeypatch):
    """A program that runs a uvicorn of its own keeps its access log."""
    access = logging.getLogger("uvicorn.access")
    # a server of this process, in another test, may have set it up for itself
    monkeypatch.setattr(access, "propagate", True)
    handler = logging.NullHandler()
    access.addHandler(handler)
    try:
        with EmbeddedPlatform(database):
            assert (True, True) == (handler in access.handlers, access.propagate)
    finally:
        access.removeHandler(handler)


HOST = """
import signal, sys
from quatrain.server.embedded import EmbeddedPlatform

with EmbeddedPlatform(sys.argv[1]) as platform:
    print(platform.env["VERITY_BASE_URL"], platform.env["VERITY_API_KEY"], flush=True)
    sys.stdin.read()
"""


def start_host(database):
    process = subprocess.Popen(
        [sys.executable, "-c", HOST, as_argument(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    base_url, api_key = process.stdout.readline().split()
    return process, VerityClient(base_url=base_url, api_key=api_key, namespace="default")


def test_several_processes_on_one_file(database):
    """Platforms in three processes share one ledger: every effect happens once in all."""
    hosts = [start_host(database) for _ in range(3)]
    acted = []

    def work(client, number):
        return client.protect(f"k{number}", act=lambda: acted.append(number) or number)

    try:
        with ThreadPoolExecutor(6) as pool:
            calls = [pool.submit(work, client, n) for n in range(20) for _, client in hosts]
            results = [call.result(LONG) for call in calls]
        # and when one is killed in the middle of its life, the others go on
        process, _ = hosts[0]
        process.send_signal(signal.SIGKILL)
        process.wait(LONG)
        late = [client.protect("k3", act=lambda: "again") for _, client in hosts[1:]]
    finally:
        for process, client in hosts:
            client.close()
            process.communicate(timeout=LONG)

    assert [n for n in range(20) for _ in hosts] == results
    assert list(range(20)) == sorted(acted)
    assert [3, 3] == late


FORKED_PLATFORM = """
import os, sys
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.verity import VerityClient

def protect(key, value):
    settings = {"base_url": platform.url + "/v1", "api_key": platform.api_key}
    with VerityClient(**settings, namespace="default") as client:
        return client.protect(key, act=lambda: value)

with EmbeddedPlatform(sys.argv[1]) as platform:
    url = platform.url
    print(protect("parent", "parent"), flush=True)
    pid = os.fork()
    if pid == 0:
        print(platform.url != url)
        print(protect("parent", "child"))
        print(protect("child", "child"), flush=True)
        platform.stop()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    print(platform.url == url)
    print(protect("child", "parent"))
"""


def test_survives_a_fork(database):
    """A child gets a platform of its own on another port; the parent's is untouched."""
    assert ["parent", "True", "parent", "child", "True", "child"] == run(
        FORKED_PLATFORM, database
    ).split()


FORKED_LISTENER = """
import os, socket, sys
from quatrain.server.embedded import EmbeddedPlatform

platform = EmbeddedPlatform(sys.argv[1]).start()
port = int(platform.url.rpartition(":")[2])
asked, told = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(told)
    os.read(asked, 1)
    os._exit(0)
platform.stop()
try:
    socket.create_connection(("127.0.0.1", port)).close()
except ConnectionRefusedError:
    print("refused")
os.close(told)
os.waitpid(pid, 0)
"""


def test_a_child_does_not_keep_the_port_open(database):
    """Once the parent has stopped, connecting fails at once, whatever children live on."""
    assert "refused\n" == run(FORKED_LISTENER, database)
