"""What needs a process of its own: interruptions, forks, and that nothing is printed."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from ._clients import KEY
from ._server import GRANT, Exchange, Server, answer_well

CLIENT = """
    import os, signal, sys, threading, time
    import anyio
    import quatrain
    from quatrain.verity import AsyncVerityClient, VerityClient
    url = sys.argv[1]
    settings = dict(base_url=url, api_key={key!r}, namespace="ns")
"""


def command(server: Server, code: str) -> list[str]:
    """A Python of its own that runs *code* with the settings of a client."""
    code = textwrap.dedent(CLIENT.format(key=KEY)) + textwrap.dedent(code)
    return [sys.executable, "-W", "error", "-c", code, server.url]


def run(server: Server, code: str) -> tuple[int, str, str]:
    """Its exit status and what it printed."""
    done = subprocess.run(command(server, code), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def verbs(server: Server) -> list[str]:
    return [exchange.target.rpartition("/")[2] for exchange in server.exchanges]


SYNC = """
    def act():
        print("ready", flush=True)
        time.sleep(60)

    try:
        with VerityClient(**settings) as client:
            client.protect("k", act=act)
    except KeyboardInterrupt:
        print("interrupted")
"""
ASYNC = """
    async def act():
        print("ready", flush=True)
        await anyio.sleep(60)

    def blocking_act():
        print("ready", flush=True)
        sys.stdin.readline()
        return "receipt"

    async def main():
        async with AsyncVerityClient(**settings) as client:
            await client.protect("k", act={act})

    try:
        anyio.run(main, backend="{backend}")
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (SYNC, ["lease"]),
        (ASYNC.format(act="act", backend="asyncio"), ["lease"]),
        (ASYNC.format(act="act", backend="trio"), ["lease"]),
        (ASYNC.format(act="blocking_act", backend="asyncio"), ["lease", "commit"]),
        (ASYNC.format(act="blocking_act", backend="trio"), ["lease", "commit"]),
    ],
    ids=["sync", "asyncio", "trio", "asyncio-blocking", "trio-blocking"],
)
def test_ctrl_c(code: str, expected: list[str]) -> None:
    """KeyboardInterrupt, bare; nothing is recorded but what a thread has done; no noise."""
    with Server(answer_well) as server:
        with subprocess.Popen(
            command(server, code),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            printed = process.communicate("\n")
        assert (printed, process.returncode) == (("interrupted\n", ""), 0)
    assert verbs(server) == expected


def test_a_forked_child_makes_its_own_connections() -> None:
    """The parent's stay the parent's, and go on working."""
    code = """
        client = VerityClient(**settings)
        lease = lambda key: client.request_lease("ns", {"effectKey": key})
        lease("parent")
        if (child := os.fork()) == 0:
            lease("child")
            lease("child")
            client.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        lease("parent")
        client.close()
    """
    with Server(lambda e: e.answer(GRANT)) as server:
        assert run(server, code) == (0, "", "")
    keys = [exchange.json["effectKey"] for exchange in server.exchanges]
    assert keys == ["parent", "child", "child", "parent"]
    assert server.connections == [1, 2, 2, 1]


def test_a_child_that_was_forked_while_a_lease_is_held_renews_nothing() -> None:
    """Its thread and its timer do not exist there; the parent goes on, and a new lease works."""
    code = """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, as it happens

        client = VerityClient(**settings)

        def act(context):
            assert "quatrain-timer" in [thread.name for thread in threading.enumerate()]
            child = os.fork()
            if child == 0:
                assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
                assert client.protect("child", act=lambda: 1) == 1
                assert threading.active_count() == 2
                client.close()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            return 1

        assert client.protect("parent", act=act) == 1
        client.close()
    """
    with Server(answer_well) as server:
        assert run(server, code) == (0, "", "")
    keys = [exchange.json["effectKey"] for exchange in server.exchanges]
    assert keys == ["parent", "child", "child", "parent"]


def test_nothing_is_printed_unless_the_program_sets_logging_up() -> None:
    """Not even the warnings."""
    code = """
        import io, logging
        client = VerityClient(**settings, max_retries=0)
        for _ in range(2):
            try:
                client.protect("k", act=lambda: 1)
            except quatrain.CommitUncertainError:
                pass
            logging.getLogger("quatrain.anything").warning("not to be seen")
        stream = io.StringIO()
        logging.basicConfig(stream=stream)
        try:
            client.protect("k", act=lambda: 1)
        except quatrain.CommitUncertainError:
            pass
        client.close()
        print(stream.getvalue().splitlines()[0])
    """

    def no_commits(exchange: Exchange) -> None:
        if exchange.target.endswith("commit"):
            exchange.answer({}, status=503)
        else:
            answer_well(exchange)

    with Server(no_commits) as server:
        status, out, err = run(server, code)
    assert (status, err) == (0, "")
    assert out == "WARNING:verity:commit of effect 'k' unconfirmed: 503: HTTP 503\n"


@pytest.mark.parametrize("ending", ["pass", "sys.exit(3)", "raise SystemExit(3)"])
def test_a_program_ends_although_a_lease_is_held(ending: str) -> None:
    """No thread of ours keeps it: they are daemons, and nothing is printed on the way out."""
    code = f"""
        from quatrain._runtime._sync import background

        def keep(keeper):
            while not keeper.wait(3600):
                pass

        block = background(keep)
        block.__enter__()
        later = background(keep, after=3600)
        later.__enter__()
        {ending}
    """
    with Server(answer_well) as server:
        status, out, err = run(server, code)
    assert (status, out, err) == (0 if ending == "pass" else 3, "", "")
