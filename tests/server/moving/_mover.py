"""A process that moves a database, and stops where it is told to: ``_mover SOURCE PLACE``.

The address is in QUATRAIN_DATABASE. Having come to the place it says so, and waits to be killed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from quatrain.server.store import PostgresURL
from quatrain.server.store.moving import copy_target, copying, moved


def stand_still(*_: Any) -> None:
    """Until killed."""
    sys.stdout.write("here\n")
    sys.stdout.flush()
    sys.stdin.read()


def main(source: str, place: str) -> None:
    """Move it, and stop half-way through the copying, or around the target's COMMIT."""
    commit, note_end = copy_target.commit, moved.note_end

    def on_progress(done: int, total: int) -> None:
        if place == "copying" and done > total // 2:
            stand_still()

    def before_commit(connection: Any) -> None:
        if place == "marked":
            stand_still()
        commit(connection)

    def after_commit(*args: Any) -> None:
        if place == "committed":
            stand_still()
        note_end(*args)

    copying._EVERY = 1  # type: ignore[misc]
    copy_target.commit = before_commit
    moved.note_end = after_commit
    target = PostgresURL.of(os.environ["QUATRAIN_DATABASE"])
    copying.move(Path(source), target, on_progress=on_progress)


if __name__ == "__main__":
    main(*sys.argv[1:])
