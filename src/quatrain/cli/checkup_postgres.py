"""The server's side of ``quatrain doctor`` on PostgreSQL: looked at and not changed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
import psycopg

from quatrain.errors import ConfigError
from quatrain.server.store import PostgresURL, migrations, queries
from quatrain.server.store.moving import moved
from quatrain.server.store.postgres.connection import PostgresConnection, connect, why_refused
from quatrain.server.store.postgres.errors import of_environment

from .checkup import SKEW_HARMFUL, SKEW_NOTED, Finding, Level
from .checkup_key import secret_key

__all__ = ["Facts", "database", "judged"]

IDLE: Final = 60
"""Seconds."""
A_PROCESS: Final = 7
"""Connections that one process of the platform uses: two that write, four that read, one that
listens."""
_OFFICIAL: Final = "https://www.postgresql.org/docs/current/runtime-config-wal.html"

_FACTS: Final = """
SELECT
  current_setting('server_version'),
  current_setting('server_version_num')::int,
  current_setting('server_encoding'),
  pg_is_in_recovery(),
  current_setting('default_transaction_read_only') = 'on',
  current_schema()::text,
  has_schema_privilege(current_schema(), 'CREATE'),
  to_regclass('schema_versions') IS NOT NULL,
  (
    SELECT string_agg(relname::text, ', ' ORDER BY relname) FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(%s) AND NOT (
      has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
      AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')
    )
  ),
  array_remove(ARRAY[
    CASE WHEN current_setting('fsync') = 'off' THEN 'fsync' END,
    CASE WHEN current_setting('full_page_writes') = 'off' THEN 'full_page_writes' END,
    (SELECT name FROM pg_settings WHERE name = 'synchronous_commit' AND reset_val = 'off')
  ], NULL),
  least(
    current_setting('max_connections')::bigint
      - current_setting('superuser_reserved_connections')::bigint
      - coalesce(current_setting('reserved_connections', true), '0')::bigint
      - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    (
      SELECT nullif(datconnlimit, -1) - numbackends
      FROM pg_database JOIN pg_stat_database ON datid = pg_database.oid
      WHERE pg_database.datname = current_database()
    ),
    (
      SELECT nullif(rolconnlimit, -1)
        - (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user)
      FROM pg_roles WHERE rolname = current_user
    )
  ) + 1,
  extract(epoch FROM clock_timestamp())::float8
"""


@attrs.frozen
class Facts:
    """What the database says of itself."""

    version: str
    version_number: int
    encoding: str
    standby: bool
    read_only: bool
    schema: str | None
    """Where tables are looked for, and made."""
    may_create: bool | None
    has_tables: bool
    denied: str | None
    """The platform's tables that the user may not read or write."""
    unsafe: list[str]
    """The settings that are off, and by which a crash can take back what was answered."""
    connections: int
    """How many more the server, the database and the user have left, without the one that asks."""
    clock: float
    """Seconds since 1970, there."""


def database(url: PostgresURL, *, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Everything about the database, from outside to inside. *now* is this machine's clock."""
    try:
        raw = connect(url, idle=IDLE)
    except ConfigError as exc:
        yield _error(str(exc), "look at the address: postgresql://USER:PASSWORD@HOST:5432/NAME")
        return
    except psycopg.Error as exc:
        what = f"{url} can't be used: {why_refused(url, exc)}"
        fix = (
            "is it running, are host, port and name right, and may the user connect? A password is"
            " in the address, PGPASSWORD or ~/.pgpass; `createdb` makes a database"
        )
        yield _error(what, fix)
        return
    try:
        yield _ok(f"{url} takes connections")
        yield from _inside(PostgresConnection(raw), url, now)
    except psycopg.Error as exc:
        what = f"it can't be read: {of_environment(exc) or f'SQLSTATE {exc.sqlstate}'}"
        yield _error(what, "look at the server's log")
    finally:
        raw.close()


def _inside(
    connection: PostgresConnection, url: PostgresURL, now: Callable[[], float]
) -> Iterator[Finding]:
    connection.raw.execute("BEGIN READ ONLY")
    began = now()
    row: Any = connection.raw.execute(_FACTS, [_ours()]).fetchone()
    ended = now()
    facts = Facts(*row)
    found = [*judged(facts), clock(facts.clock - (began + ended) / 2, (ended - began) / 2)]
    yield from found
    tokens: list[bytes] = []
    if not facts.has_tables:
        yield _warning("it has no tables yet", "`quatrain migrate` makes them")
    if facts.has_tables and facts.denied is None:
        version = migrations.version_of(connection)
        yield _schema(version, facts)
        if version >= moved.SINCE and (mark := moved.Mark.of(connection)) is not None:
            what = f"it was moved to {mark.to}, and can't be served any more"
            yield _error(what, "use that one")
        if connection.raw.execute("SELECT to_regclass('vendo_tokens')").fetchone() != (None,):
            tokens = [sealed for (sealed,) in connection.execute("SELECT access FROM vendo_tokens")]
    yield from secret_key(tokens, url)


def _ours() -> list[str]:
    """The tables that migrations make; others in the schema are other programs'."""
    made = (text for _, _, statements in queries.migrations() for text in statements)
    return ["schema_versions", *re.findall(r"CREATE TABLE (\w+)", "\n".join(made))]


def judged(facts: Facts) -> Iterator[Finding]:
    """What there is to say of the server."""
    oldest = migrations.OLDEST_SERVER
    if facts.version_number < oldest * 10_000:
        what = f"it is PostgreSQL {facts.version}"
        yield _error(what, f"use PostgreSQL {oldest} or newer")
    else:
        yield _ok(f"it is PostgreSQL {facts.version}")
    if facts.encoding != "UTF8":
        fix = "make another: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        yield _error(f"its encoding is {facts.encoding}, and has to be UTF8", fix)
    if facts.standby:
        what = "it is a standby, which can't be written"
        yield _error(what, "name the primary, or all, with ?target_session_attrs=read-write")
    elif facts.read_only:
        what = "default_transaction_read_only is on: its tables can't be made or brought up to date"
        yield _error(what, "turn it off for the database or the user: ALTER … SET")
    yield from _rights(facts)
    if facts.unsafe:
        what = f"off: {', '.join(facts.unsafe)}; a crash can take back what was answered"
        fix = f"turn on what is off ({_OFFICIAL}); quatrain does so for synchronous_commit itself"
        yield _warning(what, fix)
    if facts.connections < A_PROCESS:
        what = f"it has {max(facts.connections, 0)} connections left; a process takes {A_PROCESS}"
        fix = "raise max_connections, or the limit of the database or the user; or run fewer"
        yield _warning(what, fix)
    else:
        yield _ok(f"it has {facts.connections} connections left; a process takes {A_PROCESS}")


def _rights(facts: Facts) -> Iterator[Finding]:
    if facts.schema is None:
        fix = "make one, or look at the search_path of the user and the database"
        yield _error("there is no schema that tables could be in", fix)
    elif not facts.may_create:
        what = f"this user may not make tables in the schema {facts.schema}"
        # who brings it up to date may be another user
        found = _warning if facts.has_tables else _error
        yield found(what, f"GRANT CREATE ON SCHEMA {facts.schema} TO the user")
    if facts.denied is not None:
        what = f"this user may not read and write all tables: {facts.denied}"
        yield _error(what, "GRANT it, or connect as who made them")


def clock(ahead: float, doubt: float) -> Finding:
    """The database's is *ahead* of this machine's, give or take *doubt* seconds."""
    certain = max(0.0, abs(ahead) - doubt)
    if certain < SKEW_NOTED:
        return _ok("its clock agrees with this machine's")
    way = "ahead of" if ahead > 0 else "behind"
    return Finding(
        "database",
        Level.ERROR if certain >= SKEW_HARMFUL else Level.WARNING,
        f"its clock, by which leases run out, is about {abs(ahead):,.0f} s {way} this machine's:"
        " webhooks are refused from 300 s on",
        "let both machines set their clocks by NTP",
    )


def _schema(version: int, facts: Facts) -> Finding:
    newest = migrations.newest()
    if version > newest:
        what = f"its schema has version {version}, and this quatrain knows up to {newest}"
        return _error(what, "install the newer quatrain that wrote it")
    if version < newest:
        what = f"its schema has version {version}, and this quatrain works with {newest}"
        return _warning(what, "back it up (pg_dump); `quatrain migrate` brings it up to date")
    return _ok(f"its schema has version {version}, the newest, in {facts.schema}")


def _ok(what: str) -> Finding:
    return Finding("database", Level.OK, what)


def _warning(what: str, fix: str) -> Finding:
    return Finding("database", Level.WARNING, what, fix)


def _error(what: str, fix: str) -> Finding:
    return Finding("database", Level.ERROR, what, fix)
