"""What goes wrong around PostgreSQL, in words that hold no address and no password."""

from __future__ import annotations

from typing import Final

import psycopg

_LOST: Final = "the connection to the database was lost"
_OF_STATE: Final = {
    "25006": "the database can't be written",
    "25P03": "the database ended a transaction that had stood still",
    "25P04": "the database ended a transaction that took too long",
    "42501": "the database may not be accessed",
    "55P03": "the database is locked by another program",
    "57014": "the database took too long",
    "57P01": "the database is shutting down",
    "57P02": "the database has crashed and recovers",
    "57P03": "the database is starting",
    "57P05": "the database ended a connection that had stood still",
    "53100": "the disk is full",
    "53200": "the database ran out of memory",
    "53300": "the database has no connection left",
    "28P01": "the database refused the password",
    "28000": "the database refused the user",
    "3D000": "there is no such database",
}
_OF_CLASS: Final = {
    "08": _LOST,
    "53": "the database lacks resources",
    "57": "the database is being taken care of",
    "58": "the database's disk failed to read or write",
    "F0": "the database's configuration is damaged",
    "XX": "the database is damaged",
}
_CONFLICTS: Final = {"40001", "40P01"}
"""Serialization failure, deadlock."""
_PASSING: Final = {"53300", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04"}


def of_environment(exc: BaseException) -> str | None:
    """What failed around the database, in words; None when *exc* is of another kind."""
    if not isinstance(exc, psycopg.Error):
        return None
    state = exc.sqlstate
    if state is None:
        return _LOST if isinstance(exc, psycopg.OperationalError | psycopg.InterfaceError) else None
    return _OF_STATE.get(state) or _OF_CLASS.get(state[:2])


def is_conflict(exc: BaseException) -> bool:
    """Whether it was about what others did at the same time: another turn may do."""
    return isinstance(exc, psycopg.Error) and exc.sqlstate in _CONFLICTS


def is_locked(exc: BaseException) -> bool:
    """Whether somebody held a lock for longer than one waits."""
    return isinstance(exc, psycopg.Error) and exc.sqlstate == "55P03"


def is_passing(exc: BaseException) -> bool:
    """Whether a new connection may do what this one could not."""
    if not isinstance(exc, psycopg.Error):
        return False
    state = exc.sqlstate
    if state is None:
        return isinstance(exc, psycopg.OperationalError | psycopg.InterfaceError)
    return state in _PASSING or state.startswith("08")


def has_ended_connection(exc: BaseException) -> bool:
    """Whether the database said so, and that it ends the connection."""
    if not isinstance(exc, psycopg.Error):
        return False
    return exc.diag.severity_nonlocalized in {"FATAL", "PANIC"}
