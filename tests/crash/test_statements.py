"""A process killed at every single statement: each change is there as a whole, or not at all."""

from __future__ import annotations

import contextlib
from itertools import accumulate
from pathlib import Path

import pytest

from quatrain.server.store import SqliteStore

from ._audit import audit
from ._mortal import Clock, life
from ._processes import PATIENCE, kill, start


@pytest.mark.once
async def test_a_change_is_whole_or_not_there(tmp_path: Path) -> None:
    """From the creation of the file on; and the next process goes on with what it finds."""
    process = start("_mortal", str(tmp_path))
    try:
        assert (b"", b"") == process.communicate(timeout=PATIENCE)
    finally:
        kill(process)

    whole_life = await _live(tmp_path / "whole.db")
    databases = sorted(tmp_path.glob("[0-9]*.db"), key=lambda path: int(path.stem))
    assert len(databases) > len(whole_life)
    for path in databases:
        answered = [int(digit) for digit in path.with_suffix(".answered").read_text("ascii")]
        assert whole_life[: len(answered)] == answered
        # of the operation that got no answer: everything or nothing
        assert _lines(path) in list(accumulate(whole_life, initial=0))[len(answered) :][:2]
        assert whole_life[:3] == await _live(path, operations=3)
    assert whole_life == answered  # of the last one


async def _live(path: Path, operations: int | None = None) -> list[int]:
    """What each operation adds to the audit trail."""
    clock = Clock()
    clock.now += 1_000_000
    added: list[int] = []
    with SqliteStore(path, now_ms=clock) as store:
        async with contextlib.aclosing(life(store, clock, "another")) as lives:
            async for lines in lives:
                added.append(lines)
                if len(added) == operations:
                    break
    return added


def _lines(path: Path) -> int:
    return sum(len(record.events) for record in audit(path).values())
