"""How a process ends itself so that its supervisor starts it again. One flavour."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from typing import final

from ._envsync import Diff

_log = logging.getLogger("quatrain.vendo")


def end_process() -> None:
    """Send this process a SIGTERM: its handlers run, and a server ends what is under way.

    Its supervisor has to start it again after a clean end too (systemd: ``Restart=always``).
    """
    handler = signal.getsignal(signal.SIGTERM)
    if handler is signal.SIG_IGN:
        _log.warning("this process ignores SIGTERM, and so can't be restarted")
    elif handler is signal.SIG_DFL and os.getpid() == 1:
        # in a container: the kernel spares its first process what it has no handler for
        os._exit(128 + signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)


@final
class Restart:
    """An ``on_change`` that restarts the program, if *concerns* says so of the difference.

    It is called when the new file is on the disk, and there is nothing left to do after it: what
    reads the file at its start knows all of it.
    """

    def __init__(
        self,
        restart: Callable[[], object] = end_process,
        concerns: Callable[[Diff], bool] = bool,
    ) -> None:
        self._restart = restart
        self._concerns = concerns

    def __call__(self, diff: Diff) -> None:
        if self._concerns(diff):
            _log.warning("restarting: %s changed", ", ".join(diff.names))
            self._restart()
