"""Hears what other processes have written: one thread and one connection a process.

Who is told looks into the database; so nothing depends on a message but how soon that is. A message
that was missed, while the connection was away, is made up for by telling everybody once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import Final

import psycopg

from quatrain.errors import ConfigError

from .connection import Raw, readable
from .writer import CHANNEL

_AGAIN: Final = 1.0
"""Seconds between attempts to connect."""

_log: Final = logging.getLogger("quatrain.server.store")


class Listener:
    """Calls who listens, from its own thread, from when there is one until it is closed."""

    def __init__(self, connect: Callable[[], Raw], own: Callable[[], set[int]]) -> None:
        self._connect = connect
        self._own = own
        """The connections of this process: who writes through them has told everybody here."""
        self._lock = threading.Lock()
        self._wakes: dict[object, tuple[str, Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None
        self._stop: int | None = None
        self._socket: int | None = None

    def add(self, table: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call *wake* when *table* was written to. Returns what ends that."""
        which = object()
        with self._lock:
            self._wakes[which] = table, wake
            if self._thread is None:
                stopped, self._stop = os.pipe()
                self._thread = threading.Thread(
                    target=self._run, args=(stopped,), name="quatrain-listener", daemon=True
                )
                self._thread.start()

        def remove() -> None:
            with self._lock:
                self._wakes.pop(which, None)

        return remove

    def close(self) -> None:
        """Hear no more."""
        with self._lock:
            thread, self._thread = self._thread, None
            stop, self._stop = self._stop, None
            self._wakes.clear()
        if stop is not None:
            os.close(stop)  # which the thread sees
        if thread is not None:
            thread.join()

    def forget(self) -> None:
        """In a forked child: the thread, its connection and who listened are the parent's."""
        for number in (self._stop, self._socket):
            if number is not None:
                with contextlib.suppress(OSError):
                    os.close(number)

    def _run(self, stopped: int) -> None:
        try:
            again = False
            while not self._over(stopped, 0):
                try:
                    self._listen(stopped, again=again)
                except (psycopg.Error, ConfigError, OSError) as exc:
                    _log.debug("what others write is not heard of at once: %s", exc)
                    again = True
                    if self._over(stopped, _AGAIN):
                        return
        finally:
            os.close(stopped)

    def _listen(self, stopped: int, *, again: bool) -> None:
        raw = self._connect()
        try:
            raw.execute(f"LISTEN {CHANNEL}".encode())
            self._socket = raw.fileno()
            if again:
                self._tell(None)
            while True:
                if stopped in readable([self._socket, stopped]):
                    return
                own = self._own()
                heard = [each.payload for each in raw.notifies(timeout=0) if each.pid not in own]
                for table in set(heard):
                    self._tell(table)
        finally:
            self._socket = None
            raw.close()

    def _tell(self, table: str | None) -> None:
        """Who listens to *table*, or everybody."""
        with self._lock:
            wakes = [wake for wanted, wake in self._wakes.values() if table in {None, wanted}]
        for wake in wakes:
            try:
                wake()
            except Exception:  # noqa: BLE001 - one who fails keeps nobody else from being told
                _log.exception("who was to be told of a change failed")

    @staticmethod
    def _over(stopped: int, seconds: float) -> bool:
        return bool(readable([stopped], seconds))
