"""How a process ends itself so that it is started again."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys

import pytest

from quatrain._envsync import Diff
from quatrain._restart import Restart, end_process

ENDS = """
import os, signal, sys
from quatrain._restart import end_process
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended well"))
end_process()
"""


def test_the_process_gets_a_sigterm() -> None:
    """So its own handlers end it."""
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "ended well\n")


def test_the_first_process_of_a_container_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel would spare it."""
    codes: list[int] = []
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(os, "kill", lambda pid, number: codes.append(-number))
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_DFL)
    end_process()
    assert codes == [143, -15]


def test_who_ignores_it_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would wait for ever."""
    monkeypatch.setattr(os, "kill", lambda pid, number: None)
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_IGN)
    end_process()
    assert "ignores SIGTERM" in caplog.text


def test_only_what_concerns_it_restarts(caplog: pytest.LogCaptureFixture) -> None:
    """It says why, by name."""
    caplog.set_level(logging.WARNING, "quatrain")
    times: list[int] = []
    handler = Restart(lambda: times.append(1), lambda diff: "A" in diff.names)
    handler(Diff(added=["B"]))
    assert (times, caplog.messages) == ([], [])
    handler(Diff(added=["B"], removed=["A"]))
    assert (times, caplog.messages) == ([1], ["restarting: A, B changed"])
