"""What runs for no block outlives the thread that began it, and exists in one process only."""

from __future__ import annotations

import os
import threading

import pytest

from quatrain._runtime._sync import Daemon, Keeper

from .._doubles import ManualClock


def loop(keeper: Keeper, turns: list[int]) -> None:
    while not keeper.wait(60):
        turns.append(1)


def test_it_outlives_the_thread_that_began_it() -> None:
    """A lease's loop would end with it."""
    clock, turns = ManualClock(), list[int]()
    daemon = Daemon(loop, turns, clock=clock)
    thread = threading.Thread(target=daemon.start)
    thread.start()
    thread.join()
    clock.advance(121)
    assert (daemon.running, len(turns)) == (True, 2)
    daemon.close()
    assert not daemon.running


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_it_does_not_run_in_a_forked_child() -> None:
    """And there it can be closed, and woken, whatever lock its thread held."""
    clock = ManualClock()
    daemon = Daemon(loop, [], clock=clock)
    daemon.start()
    clock.advance(0)
    pid = os.fork()
    if pid == 0:
        running = daemon.running
        daemon.wake()
        daemon.close()
        os._exit(running)
    assert os.waitpid(pid, 0)[1] == 0
    assert daemon.running
    daemon.close()
