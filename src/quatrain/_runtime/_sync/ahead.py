"""Calls that are begun before anybody asks for their results."""

from __future__ import annotations

import contextvars
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .._core import COMPUTES, CalledOff, Outcome
from .clock import here
from .waiting import JOIN

T = TypeVar("T")

HEAD_START = 0.0003
"""Seconds within which a request over an open connection has left."""


class Ahead(Generic[T]):
    """One call at a time that is begun now and asked for later; its caller goes on meanwhile.

    It runs in a daemon thread, which starts with the first call and ends with the last reference
    to this. A call that nobody asks for any more can't be stopped in its thread. It is left to
    end, with its request's own time-out; it is not tried again, and its connection stays good for
    others. To cut that off instead would be to close a socket under a thread that reads from it,
    which may just have handed it to another request.
    """

    def __init__(self) -> None:
        self._job: _Job[T] | None = None
        self._worker: _Worker | None = None
        self._used = 0.0

    def __del__(self) -> None:
        self.cancel()

    @property
    def begun(self) -> bool:
        """Whether there is a call whose result was not asked for yet."""
        return self._job is not None

    def start(self, fn: Callable[..., T], *args: Any) -> None:
        """Begin ``fn(*args)``, in a copy of the caller's context.

        A caller that has computed since the last call waits until it has come as far as to wait:
        who computes keeps the interpreter to itself, and the request would not be sent.
        """
        job = _Job[T](fn, args)
        worker = self._worker
        if worker is None or worker.pid != job.pid:
            worker = self._worker = _Worker.start()
        if worker is None:  # the process has too many threads: result() makes the call
            job.pid = None
        else:
            worker.jobs.put(job)
        self._job = job  # after it: interrupted before, nothing is waited for that never comes
        used = time.thread_time()
        if worker is not None and used - self._used > COMPUTES:
            job.ended.wait(HEAD_START)
        self._used = used

    def result(self) -> T:
        """What the call came to; its error is raised. Interrupted here, it is left to end.

        Raises CalledOff where it is while this waits.
        """
        job = self._job
        if job is None:
            raise RuntimeError("nothing was begun")
        if job.pid != os.getpid():  # its thread is the parent's
            self._job = None
            return job.fn(*job.args)
        try:
            job.ended.wait()
        except BaseException:  # Ctrl-C
            self.cancel()
            raise
        if self._job is not job:
            raise CalledOff
        self._job = None
        return job.outcome.get()

    def cancel(self) -> None:
        """Nobody will ask for it. From any thread, and from where garbage is collected."""
        job, worker = self._job, self._worker
        self._job = self._worker = None
        if job is not None:
            job.outcome.forget()
        if worker is not None and worker.pid == os.getpid():
            worker.jobs.put(None)  # a lock could be held by the very thread that collects garbage

    def close(self) -> None:
        """Cancel it, and end the thread, or let it end when the call does."""
        job, worker = self._job, self._worker
        self.cancel()
        if worker is not None and worker.pid == os.getpid() and (job is None or job.ended.is_set()):
            worker.thread.join(JOIN)


class _Job(Generic[T]):
    """A call of ``Ahead``."""

    def __init__(self, fn: Callable[..., T], args: tuple[Any, ...]) -> None:
        self.fn = fn
        self.args = args
        self.context = contextvars.copy_context()
        self.outcome = Outcome[T]()
        self.ended = threading.Event()
        self.pid: int | None = os.getpid()

    def run(self) -> None:
        try:
            self.context.run(self.outcome.by, self.fn, *self.args)
        finally:
            self.ended.set()


class _CalledOff(BaseException):
    """The call was about to wait, and nobody asks for it any more."""


class _Worker:
    """The thread of an ``Ahead``: it holds this, and nothing that its caller holds."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        """Calls to make, one at a time, and None for the end."""
        self._over = False
        self.pid = os.getpid()
        self.thread = threading.Thread(target=self._run, name="quatrain-ahead", daemon=True)

    @classmethod
    def start(cls) -> _Worker | None:
        """A new one; None where no thread can be had."""
        worker = cls()
        try:
            worker.thread.start()
        except RuntimeError:
            return None
        except BaseException:  # Ctrl-C: it may have started
            worker.jobs.put(None)
            raise
        return worker

    def _run(self) -> None:
        here.sleep = self.sleep
        while not self._over and (job := self.jobs.get()) is not None:
            job.run()
            # a thread's frame is never collected: what the call holds may hold the walk itself
            del job

    def sleep(self, seconds: float) -> None:
        """Between two attempts of a call: raises _CalledOff when it is."""
        try:
            self.jobs.get(timeout=min(seconds, threading.TIMEOUT_MAX))
        except queue.Empty:
            return
        self._over = True
        raise _CalledOff
