"""The stores of deliveries: each is handled by one caller at a time, and once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from quatrain.errors import ConfigError, InputError
from quatrain.errors.velocity import VelocityOSError
from quatrain.webhooks import MemorySeen, SeenStore, SqliteSeen


class Now:
    """Unix time that only the test moves on."""

    time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seen.db"


@pytest.fixture
def open_file(path: Path, now: Now) -> Iterator[Callable[..., SqliteSeen]]:
    """Makes stores on one file, as processes do."""
    made: list[SqliteSeen] = []

    def make(**settings: Any) -> SqliteSeen:
        made.append(SqliteSeen(path, now=now, **settings))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, open_file: Callable[..., SqliteSeen]) -> SeenStore:
    return MemorySeen() if request.param == "memory" else open_file()


# -- both -----------------------------------------------------------------------------------------


def test_a_delivery_is_new_once(store: SeenStore) -> None:
    """Then it runs, and then it is handled, for good."""
    assert ["new", "running"] == [store.begin("a"), store.begin("a")]
    store.finish("a", handled=True)
    assert ["handled", "handled"] == [store.begin("a"), store.begin("a")]
    assert "new" == store.begin("b")


def test_what_failed_may_run_again(store: SeenStore) -> None:
    """And can succeed then."""
    store.begin("a")
    store.finish("a", handled=False)
    assert "new" == store.begin("a")
    store.finish("a", handled=True)
    assert "handled" == store.begin("a")


def test_finishing_twice_changes_nothing(store: SeenStore) -> None:
    """What is handled stays handled; what was never begun can be handled."""
    store.begin("a")
    store.finish("a", handled=True)
    store.finish("a", handled=True)
    store.finish("a", handled=False)
    store.finish("b", handled=False)
    store.finish("c", handled=True)
    assert ["handled", "new", "handled"] == [store.begin(key) for key in "abc"]


@pytest.mark.parametrize("key", ["", " ", "ü\n\0", "x" * 200, "x" * 201, "\U0001f600" * 5_000])
def test_ids_of_any_kind(store: SeenStore, key: str) -> None:
    """They are told apart by all of their characters."""
    assert ["new", "new"] == [store.begin(key), store.begin(key + "x")]
    store.finish(key, handled=True)
    assert ["handled", "running"] == [store.begin(key), store.begin(key + "x")]


def test_of_many_threads_one_handles_it(store: SeenStore) -> None:
    """For each of many deliveries."""
    barrier = threading.Barrier(8)

    def work() -> list[str]:
        barrier.wait()
        return [store.begin(str(number)) for number in range(50)]

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(work) for _ in range(8)]]
    assert [1] * 50 == [column.count("new") for column in zip(*answers, strict=True)]


# -- in memory ------------------------------------------------------------------------------------


def test_memory_is_bounded() -> None:
    """What was handled first is forgotten first; what runs is forgotten last."""
    store = MemorySeen(max_entries=3)
    store.begin("running")
    for key in "abc":
        store.begin(key)
        store.finish(key, handled=True)
    assert 3 == len(store)
    assert ["running", "handled", "handled"] == [store.begin(key) for key in ("running", "c", "b")]
    for number in range(10):
        store.begin(str(number))
    assert 3 == len(store)
    assert ["running", "running", "new"] == [store.begin(key) for key in ("9", "8", "running")]


def test_long_ids_are_kept_short() -> None:
    """A sender must not fill the memory with one request."""
    store = MemorySeen()
    store.begin("x" * 1_000_000)
    assert [71] == [len(key) for key in store._running]


def test_a_memory_of_nothing_is_refused() -> None:
    """It could not even hold what runs."""
    with pytest.raises(InputError, match="max_entries"):
        MemorySeen(max_entries=0)


# -- in a file ------------------------------------------------------------------------------------


def test_a_file_is_its_owners(path: Path, open_file: Callable[..., SqliteSeen]) -> None:
    """The ids tell what the platform did; whatever the umask says, nobody else reads them."""
    old = os.umask(0)
    try:
        open_file().begin("a")
    finally:
        os.umask(old)
    files = sorted(path.parent.iterdir())
    assert ["seen.db", "seen.db-lock", "seen.db-shm", "seen.db-wal"] == [
        file.name for file in files
    ]
    assert [0o600] * 4 == [file.stat().st_mode & 0o777 for file in files]


def test_nothing_is_opened_before_it_is_used(path: Path) -> None:
    """Making one does no I/O."""
    with SqliteSeen(path) as store:
        assert f"SqliteSeen({str(path)!r})" == repr(store)
    assert [] == list(path.parent.iterdir())


def test_a_restart_forgets_nothing(open_file: Callable[..., SqliteSeen]) -> None:
    """What was handled stays handled."""
    with open_file() as first:
        first.begin("a")
        first.finish("a", handled=True)
    assert "handled" == open_file().begin("a")


def test_a_claim_of_a_dead_process_runs_out(open_file: Callable[..., SqliteSeen], now: Now) -> None:
    """Not a moment before its time."""
    open_file(claim_seconds=60).begin("a")
    second = open_file(claim_seconds=60)
    now.time += 59.9
    assert "running" == second.begin("a")
    now.time += 0.1
    assert ["new", "running"] == [second.begin("a"), second.begin("a")]


def test_a_claim_of_this_process_does_not_run_out(
    open_file: Callable[..., SqliteSeen], now: Now
) -> None:
    """It is alive, and its function still runs."""
    store = open_file(claim_seconds=60)
    store.begin("a")
    now.time += 1_000
    assert "running" == store.begin("a")


def test_a_claim_that_was_given_back_is_like_any_others(
    open_file: Callable[..., SqliteSeen], now: Now
) -> None:
    """It failed here, was begun elsewhere, and that process died."""
    here, elsewhere = open_file(), open_file()
    here.begin("a")
    here.finish("a", handled=False)
    assert ["new", "running"] == [elsewhere.begin("a"), here.begin("a")]
    now.time += 300
    assert "new" == here.begin("a")


def test_a_claim_that_was_taken_over_is_not_given_back(
    open_file: Callable[..., SqliteSeen], now: Now
) -> None:
    """The slow process was given up; its failure is no reason to run a third time."""
    slow, quick = open_file(), open_file()
    slow.begin("a")
    now.time += 300
    assert "new" == quick.begin("a")
    slow.finish("a", handled=False)
    assert "running" == open_file().begin("a")
    slow.finish("a", handled=True)
    quick.finish("a", handled=False)
    assert "handled" == open_file().begin("a")


@pytest.mark.parametrize(("back", "expected"), [(2, "running"), (1_000, "new")])
def test_a_clock_that_is_set_back_blocks_nothing(
    open_file: Callable[..., SqliteSeen], now: Now, back: float, expected: str
) -> None:
    """A little is taken as it is; a lot does not keep a claim until the clock is there again."""
    open_file().begin("a")
    now.time -= back
    assert expected == open_file().begin("a")


def test_a_file_prunes_itself(open_file: Callable[..., SqliteSeen], now: Now) -> None:
    """After its days a delivery is forgotten, and takes no place."""
    store = open_file(keep_days=2)
    for number in range(250):
        store.finish(str(number), handled=True)
    now.time += 2 * 86_400 + 1
    for number in range(1_000, 1_003):  # each takes some away
        store.begin(str(number))
    with store._transaction() as connection:
        assert [(3,)] == connection.execute("SELECT count(*) FROM seen_deliveries").fetchall()
    assert "new" == store.begin("1")


def test_a_closed_file_says_so(open_file: Callable[..., SqliteSeen]) -> None:
    """Closing twice is fine; using it is not."""
    store = open_file()
    store.begin("a")
    store.close()
    store.close()
    with pytest.raises(VelocityOSError, match="was closed"):
        store.begin("b")


def test_a_file_that_was_removed_is_made_again(
    path: Path, open_file: Callable[..., SqliteSeen]
) -> None:
    """Otherwise two processes would remember in two places, and both run."""
    store = open_file()
    store.begin("a")
    for file in path.parent.iterdir():
        file.unlink()
    other = open_file()
    assert ["new", "running"] == [store.begin("b"), other.begin("b")]


def test_a_folder_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    """Its message names the file."""
    with (
        SqliteSeen(tmp_path / "nowhere" / "seen.db") as store,
        pytest.raises(ConfigError, match=r"nowhere/seen\.db can't keep deliveries: "),
    ):
        store.begin("a")


def test_a_file_of_something_else_is_a_config_error(path: Path) -> None:
    """And is left as it is."""
    path.write_text("precious " * 1_000)
    with SqliteSeen(path) as store, pytest.raises(ConfigError, match="not a database"):
        store.begin("a")
    assert "precious " * 1_000 == path.read_text()


def test_trouble_with_the_file_is_passing(open_file: Callable[..., SqliteSeen]) -> None:
    """A typed error then; with the file in order again it works again."""
    store = open_file()
    store.begin("a")
    with store._transaction() as connection:
        connection.execute("ALTER TABLE seen_deliveries RENAME TO away")
    with pytest.raises(VelocityOSError, match="can't be used now: no such table"):
        store.begin("b")
    with store._transaction() as connection:
        connection.execute("DROP TABLE seen_deliveries")  # made anew by the new connection
        connection.execute("ALTER TABLE away RENAME TO seen_deliveries")
    assert ["running", "new"] == [store.begin("a"), store.begin("b")]


@pytest.mark.parametrize(("handled", "expected"), [(True, "handled"), (False, "new")])
def test_what_could_not_be_recorded_is_recorded_later(
    open_file: Callable[..., SqliteSeen], handled: bool, expected: str
) -> None:
    """The process that knows what became of a delivery does not take it for running for ever."""
    store = open_file()
    store.begin("a")
    with store._transaction() as connection:
        connection.execute("ALTER TABLE seen_deliveries RENAME TO away")
    with pytest.raises(VelocityOSError, match="can't be used now"):
        store.finish("a", handled=handled)
    with sqlite3.connect(store.path) as connection:
        connection.execute("ALTER TABLE away RENAME TO seen_deliveries")
    connection.close()
    store.begin("b")
    assert expected == open_file().begin("a")


@pytest.mark.parametrize("settings", [{"keep_days": 0}, {"claim_seconds": float("nan")}])
def test_times_have_to_be_more_than_nothing(path: Path, settings: dict[str, float]) -> None:
    """Neither claims nor memories of no length."""
    with pytest.raises(InputError, match="more than 0"):
        SqliteSeen(path, **settings)


# -- processes ------------------------------------------------------------------------------------

HANDLING = """
import sys
from quatrain.webhooks import SqliteSeen, WebhookHandler, delivery

ran = []
with SqliteSeen(sys.argv[1]) as seen:
    handler = WebhookHandler("whsec_test", seen=seen)
    handler.on("e")(ran.append)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(50):
        request = delivery("whsec_test", "e", number, delivery_id=str(number))
        assert handler.handle(*request)[1] == 200
print(len(ran))
"""

FORKING = """
import os, sys, threading, time
from quatrain.webhooks import MemorySeen, SqliteSeen

ahead = 0
stores = [MemorySeen(), SqliteSeen(sys.argv[1], now=lambda: time.time() + ahead)]
for store in stores:
    store.begin("held")
    store.begin("held long")
    store.finish("done", handled=True)
stop, trouble = threading.Event(), []

def busy(name):
    number = 0
    try:
        while not stop.is_set():
            number += 1
            for store in stores:
                store.begin(f"{name} {number}")
                store.finish(f"{name} {number}", handled=True)
    except BaseException as exc:
        trouble.append(exc)

threads = [threading.Thread(target=busy, args=(name,)) for name in "ab"]
for thread in threads:
    thread.start()
codes = []
for child in range(8):
    pid = os.fork()
    if not pid:
        memory, file = stores
        shared = file._connection is not None
        answers = [memory.begin("done"), memory.begin("held"), file.begin("done"),
                   file.begin("held"), file.begin(f"child {child}"), file.begin(f"child {child}")]
        ahead = 301  # not its own claim: it runs out
        answers.append(file.begin("held long") if not child else "new")
        expected = ["handled", "new", "handled", "running", "new", "running", "new"]
        os._exit(shared or answers != expected)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
stop.set()
for thread in threads:
    thread.join()
print(codes, trouble, [store.begin("held") for store in stores], stores[1].begin("child 0"))
stores[1].close()
"""

FORKING_AT_ONCE = """
import faulthandler, os, sys, threading
from quatrain.webhooks import MemorySeen

faulthandler.dump_traceback_later(60, exit=True)  # if they block each other
sys.setswitchinterval(1e-6)
stores = [MemorySeen() for _ in range(20)]

def fork():
    for _ in range(50):
        pid = os.fork()
        if not pid:
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

codes = []
threads = [threading.Thread(target=fork) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(codes), any(codes), {store.begin("a") for store in stores})
"""


def start(script: str, path: Path) -> subprocess.Popen[str]:
    # threads and fork together are what is being tested here
    warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    return subprocess.Popen(
        [sys.executable, *warnings, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_several_processes_one_handles_each(path: Path) -> None:
    """All of them answer 200, and a function runs once for each delivery."""
    processes = [start(HANDLING, path) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    printed = [process.communicate() for process in processes]
    assert [""] * 3 == [err for _, err in printed]
    assert 50 == sum(int(out) for out, _ in printed)


def test_a_fork_shares_nothing_but_the_file(path: Path) -> None:
    """While other threads use the stores: the child works, and claims nothing of the parent's."""
    with start(FORKING, path) as process:
        printed = process.communicate()
    assert (f"{[0] * 8} [] ['running', 'running'] running\n", "") == printed


def test_threads_that_fork_at_once_do_not_block_each_other(path: Path) -> None:
    """Each fork has the stores to itself."""
    with start(FORKING_AT_ONCE, path) as process:
        printed = process.communicate()
    assert ("200 False {'new'}\n", "") == printed
