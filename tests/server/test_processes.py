"""Several processes on one file, a process that forks, a process that is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quatrain.server.ledger import Cached, EffectId, Ledger, Status
from quatrain.server.store import store_on

from ._support import as_argument, make_realm, sqlite_lock_is_held, trail

_AGENT = """
import asyncio, json, sys
from quatrain.server.ledger import Cached, EffectId, Holder, LeaseHeldError, Ledger
from quatrain.server.store import store_on

async def protect(ledger, key, name):
    effect = EffectId(1, "ns", key)
    while True:
        try:
            answer = await ledger.lease(effect, agent_id=name)
        except LeaseHeldError:
            await asyncio.sleep(0.001)
            continue
        if isinstance(answer, Cached):
            return answer.payload, 0
        grant, token = answer
        holder = Holder(effect, grant.fence_token, token)
        await ledger.commit(holder, result=json.dumps(name))
        return json.dumps(name), 1

async def main(path, name, keys):
    with store_on(path) as store:
        ledger = Ledger(store)
        sys.stdin.readline()
        outcomes = await asyncio.gather(*(protect(ledger, f"k{i}", name) for i in range(keys)))
    print(json.dumps(outcomes))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""

_FORKING = """
import asyncio, json, os, sys, threading
from quatrain.server.ledger import EffectId, Ledger
from quatrain.server.store import store_on

store = store_on(sys.argv[1])
store.open()
ledger = Ledger(store)

def lease(key):
    answer = asyncio.run(ledger.lease(EffectId(1, "ns", key), agent_id=str(os.getpid())))
    return answer[0].fence_token

lease("before")
stop = threading.Event()
errors = []
def busy(number):
    count = 0
    while not stop.is_set():
        try:
            lease(f"busy-{number}-{count}")
        except BaseException as exc:
            errors.append(repr(exc))
            return
        count += 1
threads = [threading.Thread(target=busy, args=(n,)) for n in range(2)]
for thread in threads:
    thread.start()
children = []
for number in range(8):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            assert lease(f"child-{number}") == 1
            assert len(asyncio.run(ledger.events(EffectId(1, "ns", "before"), limit=9)).items) == 1
            store.close()
            code = 0
        finally:
            os._exit(code)
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
stop.set()
for thread in threads:
    thread.join()
lease("after")
store.close()
print(json.dumps([codes, errors]))
"""

_LEFT_BEHIND = """
import os, sys
from quatrain.server.store import store_on

def write(connection, now, _):
    connection.execute("UPDATE heartbeat SET at = ?", (now,))

store = store_on(sys.argv[1])
store.open()
store.write_blocking(write, None)
if os.fork() == 0:
    store.write_blocking(write, None)
    print("written", flush=True)
    sys.stdin.readline()
    store.close()
    os._exit(0)
store.close()
print("closed", flush=True)
os.wait()
"""

_KILLED = """
import asyncio, os, signal, sys
from quatrain.server.ledger import EffectId, Ledger
from quatrain.server.store import store_on

async def main():
    store = store_on(sys.argv[1])
    store.open()
    ledger = Ledger(store)
    async def lease(number):
        await ledger.lease(EffectId(1, "ns", f"k{number}"))
        print(number, flush=True)
    tasks = [asyncio.create_task(lease(number)) for number in range(500)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def start(script: str, *args: str) -> subprocess.Popen[str]:
    # threads and fork together are what is being tested here
    command = [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    return subprocess.Popen(
        [*command, "-c", script, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Any:
    out, err = process.communicate("\n", timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.fixture
def prepared(database: Path) -> Path:
    """A database with realm 1, closed."""
    with store_on(database) as store:
        assert make_realm(store, "acme", "test") == 1
    return database


async def test_processes_on_one_file_commit_each_effect_once(prepared: Path) -> None:
    """Three agents after the same effects: one acts on each, all get its result."""
    agents = [start(_AGENT, as_argument(prepared), f"agent-{n}", "100") for n in range(3)]
    outcomes = [finish(agent) for agent in agents]
    for number, of_effect in enumerate(zip(*outcomes, strict=True)):
        results, acted = zip(*of_effect, strict=True)
        assert len(set(results)) == 1, number
        assert sum(acted) == 1, number
    with store_on(prepared) as store:
        ledger = Ledger(store)
        for number in range(100):
            events = await trail(ledger, EffectId(1, "ns", f"k{number}"))
            assert [("LEASE_GRANTED", 1), ("COMMITTED", 1)] == events


async def test_a_store_survives_forks_in_parent_and_child(prepared: Path) -> None:
    """While other threads write; children read and write with connections of their own."""
    codes, errors = finish(start(_FORKING, as_argument(prepared)))
    assert [0] * 8 == codes
    assert errors == []
    with store_on(prepared) as store:
        ledger = Ledger(store)
        for key in ("before", "after", *(f"child-{number}" for number in range(8))):
            events = await trail(ledger, EffectId(1, "ns", key))
            assert [("LEASE_GRANTED", 1)] == events
        if isinstance(prepared, Path):
            assert ("ok",) == store.read_blocking(
                lambda connection, _now, _: connection.execute("PRAGMA integrity_check").fetchone(),
                None,
            )


@pytest.mark.on_file
def test_a_forked_child_locks_the_database_for_itself(prepared: Path) -> None:
    """Not through connections of its parent, which take their locks along when they close."""
    process = start(_LEFT_BEHIND, as_argument(prepared))
    assert process.stdout is not None
    assert {process.stdout.readline() for _ in range(2)} == {"written\n", "closed\n"}
    held = sqlite_lock_is_held(prepared)
    process.communicate("\n", timeout=60)
    assert held
    assert process.returncode == 0


async def test_what_was_answered_survives_a_kill(prepared: Path) -> None:
    """SIGKILL in the middle: every answered lease is in the file, and the file is whole."""
    process = start(_KILLED, as_argument(prepared))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == -9
    answered = out.split()
    with store_on(prepared) as store:
        ledger = Ledger(store)
        for number in answered:
            found = await ledger.get(EffectId(1, "ns", f"k{number}"))
            assert found.status in {Status.RUNNING, Status.EXPIRED}


async def test_another_process_sees_what_was_committed(prepared: Path) -> None:
    """At once, while both have the file open."""
    with store_on(prepared) as store:
        ((result, acted),) = finish(start(_AGENT, as_argument(prepared), "other", "1"))
        assert (result, acted) == ('"other"', 1)
        answer = await Ledger(store).lease(EffectId(1, "ns", "k0"))
        assert answer == Cached(1, 1, Status.COMMITTED, '"other"')
