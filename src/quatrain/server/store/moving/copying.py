"""Moving house: all of a database file into an empty PostgreSQL database, and its end as a ledger.

The file is marked as moved before the copy is committed. So whenever this is interrupted, there is
one ledger at most: the file, if it has no mark; the other database, if that was committed; and if
it was not, the same command, run again, begins anew. It tells by a token that both databases keep.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from quatrain.errors import ConfigError

from ..base import wall_clock_ms
from ..migrations import run_missing
from ..postgres.connection import PostgresConnection
from ..postgres.url import PostgresURL
from . import copy_source, copy_target, moved

_EVERY: Final = 1_000
"""Rows between two looks at the progress."""
_SKEW: Final = 10.0
"""Seconds by which two clocks may differ."""


@attrs.frozen
class Moved:
    """What was done."""

    tables: int
    rows: int
    already: bool
    """It had been done before: nothing was copied now."""


def move(
    source: Path,
    target: PostgresURL,
    *,
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> Moved:
    """Copy the database *source* into *target*, compare both, and mark the one as moved.

    *on_progress* is called with the rows that were dealt with, and how many those will be: each is
    looked at, copied, and compared. Raises ConfigError, and then nothing is in *target*, and
    *source* goes on as before; unless it says otherwise.
    """
    with copy_source.alone_on(source) as here:
        old = copy_source.mark_of(here)
        if old is not None and old.to != str(target):
            moved.refuse(here)
        with copy_target.opened(target) as there:
            _compare_clocks(copy_target.now_ms(there))
            if old is not None:
                if moved.arrived(there) == old.token:
                    return _ended_before(here, old)
                _begin_anew(here, old, copy_target.place_of(there))
            return _move(here, there, str(target), on_progress)


def _compare_clocks(now: int) -> None:
    """By the file's clock leases were given, and by the database's they run out."""
    ahead = (now - wall_clock_ms()) / 1_000
    if abs(ahead) > _SKEW:
        way = "ahead of" if ahead > 0 else "behind"
        raise ConfigError(
            f"the target's clock is {abs(ahead):,.0f} s {way} this machine's: leases that run now"
            " would run out at another time than was said. Let both set their clocks by NTP"
        )


def _ended_before(here: sqlite3.Connection, mark: moved.Mark) -> Moved:
    moved.note_end(here, mark)
    here.execute("COMMIT")
    return Moved(0, 0, already=True)


def _begin_anew(here: sqlite3.Connection, mark: moved.Mark, place: str) -> None:
    if mark.ended:
        raise ConfigError(
            f"all of it was moved to {mark.to} once, and is not there any more: what the ledger did"
            " since is not in this file. Restore that database's backup; if it never was in use,"
            " `quatrain db reopen` lets this one go on"
        )
    if mark.place != place:
        moved.refuse(here)  # it may be in the other one, though that is shown alike
    moved.reopen(here)


def _move(
    here: sqlite3.Connection,
    there: PostgresConnection,
    to: str,
    on_progress: Callable[[int, int], object],
) -> Moved:
    run_missing(here)
    tables = copy_source.tables(here)
    copy_target.take(there, tables)
    on_row = _counted(here, tables, on_progress)
    contents = copy_source.look_over(here, tables, on_row)
    for table in tables:
        copy_target.fill(there, table, copy_source.read(here, table), on_row)
    for table in tables:
        if copy_target.content_of(there, table, on_row) != contents[table.name]:
            raise ConfigError(f"the copy of {table.name} is not as the original: nothing is copied")
    place = copy_target.place_of(there)
    mark = moved.Mark(to, place, wall_clock_ms(), secrets.token_hex(16), ended=False)
    moved.note_arrival(there, mark)
    moved.close(here, mark)
    here.execute("COMMIT")
    try:
        copy_target.commit(there)
    except copy_target.CommitError as exc:
        raise ConfigError(
            f"whether everything is in {to} now is not known ({exc}). Nobody can change the old"
            " database meanwhile: run the same command again, which finds out and ends it"
        ) from exc
    here.execute("BEGIN IMMEDIATE")
    moved.note_end(here, mark)
    here.execute("COMMIT")
    return Moved(len(tables), sum(each.rows for each in contents.values()), already=False)


def _counted(
    here: sqlite3.Connection,
    tables: list[copy_source.Table],
    on_progress: Callable[[int, int], object],
) -> Callable[[], None]:
    total = 3 * sum(copy_source.count(here, each) for each in tables)
    done = 0

    def on_row() -> None:
        nonlocal done
        done += 1
        if done % _EVERY == 0 or done == total:
            on_progress(done, total)

    return on_row
