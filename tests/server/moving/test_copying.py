"""Moving house: a file's content is in PostgreSQL afterwards, all of it or nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quatrain import Client
from quatrain._trail import TrailCheck
from quatrain.errors import ConfigError
from quatrain.server.store import (
    PostgresURL,
    SqliteStore,
    migrations,
    store_on,
    wall_clock_ms,
)
from tests._require import import_for

from .._support import as_argument, make_realm
from ._house import asked, change, is_empty, key_beside, look_around, verified_packs

psycopg = import_for("postgres", "psycopg", "psycopg[binary]")

from quatrain.server.store.moving import copy_source, copy_target, copying  # noqa: E402  the driver
from quatrain.server.store.moving.copying import move  # noqa: E402

pytestmark = pytest.mark.once


# -- what is copied -------------------------------------------------------------------------------


def test_the_household_is_the_same(
    source: Path, target: PostgresURL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients get the same answers, evidence and trails verify, fences and rows go on upward."""
    with Client.local(source, namespace="shop") as q:
        before = look_around(q)
    done = move(source, target)
    for name, value in key_beside(source).items():
        monkeypatch.setenv(name, value)
    with Client.local(as_argument(target), namespace="shop") as q:
        assert before == look_around(q)
        assert 2 == verified_packs(q, tmp_path)
        again = q.verity.protect("split", act=lambda: "evenly")
        new = q.verity.protect("charge:9", act=lambda: "paid")
        effects = {each.effect_key: each.raw for each in q.verity.effects.iter()}
        assert ("evenly", "paid") == (again, new)
        assert [] == [*_check(q)]
        q.vendo.data.execute("vendo.echo", {"text": "again"})
        q.velocity.tasks.create("Mow the lawn", "R1")
    assert not done.already
    assert done.rows > 80
    assert 2 == effects["split"]["fenceToken"]
    assert [(True,)] == asked(target, "SELECT id > 4 FROM effects WHERE effect_key = 'charge:9'")


def _check(q: Client) -> Iterator[Any]:
    check = TrailCheck()
    for each in q.verity.effects.iter_trail():
        yield from check.look(each)
    yield from check.end()


def test_no_table_is_forgotten(source: Path, target: PostgresURL) -> None:
    """Both kinds have the same ones, and those with rows in a new database are known."""
    with SqliteStore(source.with_name("new.db")), store_on(target):
        pass
    with (
        copy_source.alone_on(source.with_name("new.db")) as here,
        copy_target.opened(target) as there,
    ):
        tables = copy_source.tables(here)
        contents = copy_source.look_over(here, tables, lambda: None)
        assert copy_target.tables(there) == {
            table.name: dict(zip(table.columns, table.kinds, strict=True)) for table in tables
        }
    assert copy_target.FILLED == {name for name, found in contents.items() if found.rows}


def test_the_target_waits_while_the_file_is_read(target: PostgresURL) -> None:
    """However long that takes: the transaction stands still meanwhile, and is not ended."""
    with copy_target.opened(target) as there:
        show = "SHOW idle_in_transaction_session_timeout"
        assert ("0",) == there.raw.execute(show).fetchone()


def test_rows_never_reuse_numbers(source: Path, target: PostgresURL) -> None:
    """Whatever gives out numbers goes on above the highest; where there is no row, it begins."""
    change(source, "UPDATE velocity_team SET id = id + 1000000000000")
    change(source, "DELETE FROM vendo_usage")
    move(source, target)
    team = (
        "INSERT INTO velocity_team (account_id, name, role, email, created_at)"
        " VALUES (1, '', '', '', 0) RETURNING id - (SELECT max(id) FROM velocity_team)"
    )
    usage = (
        "INSERT INTO vendo_usage (tenant, app_id, provider, action_id, micros, at)"
        " VALUES ('', (SELECT id FROM vendo_apps LIMIT 1), '', '', 0, 0) RETURNING id"
    )
    assert [(1,)] == asked(target, team)
    assert [(1,)] == asked(target, usage)


VALUES = st.tuples(
    *[st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) for _ in range(2)],
    st.binary(),
    st.none() | st.text(st.sampled_from("\\\t\n\r'\"N.x\u2028é𝄞"), max_size=9),
    *[st.none() | st.integers(-(2**63), 2**63 - 1) for _ in range(2)],
)


@pytest.fixture
def between(
    source: Path, target: PostgresURL
) -> Iterator[tuple[sqlite3.Connection, Any, copy_source.Table]]:
    """A table of both databases, of all kinds of columns."""
    create = "CREATE TABLE many (a TEXT, b TEXT, c {}, d TEXT, e {}, f {})"
    change(source, create.format("BLOB", "INTEGER", "INTEGER"))
    with (
        copy_source.alone_on(source) as here,
        psycopg.connect(target.secret.reveal(), autocommit=True) as made,
    ):
        made.execute(create.format("bytea", "bigint", "bigint"))
        with copy_target.opened(target) as there:
            (table,) = [each for each in copy_source.tables(here) if each.name == "many"]
            yield here, there, table


@given(st.lists(VALUES, max_size=20))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_value(between: Any, rows: list[Any]) -> None:
    """Text, bytes, whole numbers and nothing come through as they are."""
    here, there, table = between
    here.execute("DELETE FROM many")
    there.raw.execute("TRUNCATE many")
    here.executemany("INSERT INTO many VALUES (?, ?, ?, ?, ?, ?)", rows)
    contents = copy_source.look_over(here, [table], lambda: None)
    copy_target.fill(there, table, copy_source.read(here, table), lambda: None)
    assert sorted(map(repr, rows)) == sorted(map(repr, there.raw.execute("SELECT * FROM many")))
    assert contents["many"] == copy_target.content_of(there, table, lambda: None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([("a",)], [("b",)]),
        ([("1",)], [(1,)]),
        ([("a",)], [(b"a",)]),
        ([("",)], [(None,)]),
        ([("a", "bc")], [("ab", "c")]),
        ([("a",), ("a",)], [("b",), ("b",)]),
        ([("a",)], [("a",), ("a",)]),
    ],
)
def test_checksums(one: list[Any], other: list[Any]) -> None:
    """They differ where contents do, and not by the order of rows."""

    def of(rows: list[Any]) -> copy_source.Content:
        found = copy_source.Content()
        for row in rows:
            found.add(row)
        return found

    assert of(one) != of(other)
    assert of([*one, *other]) == of([*other, *one])


def test_a_copy_that_is_not_the_same(
    source: Path, target: PostgresURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found out before anything is kept; the file goes on."""

    def read(connection: sqlite3.Connection, table: Any) -> Iterator[Any]:
        for row in real(connection, table):
            yield (*row[:-1], "forged") if table.name == "facts" else row

    real = copy_source.read
    monkeypatch.setattr(copy_source, "read", read)
    with pytest.raises(ConfigError, match="the copy of facts is not as the original"):
        move(source, target)
    assert is_empty(target)
    with store_on(source):
        pass


def test_progress(source: Path, target: PostgresURL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row is counted three times; the end is told of, too."""
    monkeypatch.setattr(copying, "_EVERY", 50)
    steps: list[tuple[int, int]] = []
    done = move(source, target, on_progress=lambda *step: steps.append(step))
    total = 3 * done.rows
    assert [*range(50, total, 50), total] == [number for number, _ in steps]
    assert {total} == {number for _, number in steps}


def test_a_platform_that_was_killed(source: Path, target: PostgresURL, tmp_path: Path) -> None:
    """What is only in the log that it left is copied, too."""
    with SqliteStore(source) as store:
        make_realm(store, "latest", "test")
        left = tmp_path / "left"
        left.mkdir()
        for end in ("", "-wal"):
            shutil.copy(f"{source}{end}", left / f"{source.name}{end}")
    move(left / source.name, target)
    assert [("latest",)] == asked(target, "SELECT tenant FROM realms WHERE tenant = 'latest'")


def test_an_older_schema(source: Path, target: PostgresURL) -> None:
    """It is brought up to date on the way."""
    old = source.with_name("old.db")
    connection = sqlite3.connect(old, isolation_level=None)
    with pytest.MonkeyPatch.context() as patch:
        steps = migrations.queries.migrations()
        patch.setattr(migrations.queries, "migrations", lambda: steps[:2])
        migrations.migrate(connection)
    connection.close()
    move(old, target)
    assert [(migrations.newest(),)] == asked(target, "SELECT max(version) FROM schema_versions")


# -- what can't be ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "flaw"),
    [
        ("'pay\0me'", "result: text with a NUL character"),
        ("CAST(x'706179ff' AS TEXT)", "result: text that is not UTF-8"),
        ("CAST(x'70eda080' AS TEXT)", "result: text that is not UTF-8"),
        ("x'706179'", "result: bytes where text should be"),
    ],
)
def test_what_postgres_can_not_hold(
    source: Path, target: PostgresURL, value: str, flaw: str
) -> None:
    """The table, the row and the column are told, never what is in it; nothing is written."""
    connection = sqlite3.connect(source)
    connection.execute(
        f"UPDATE effects SET result = {value} WHERE id > 1".replace("\0", "'||char(0)||'")
    )
    connection.commit()
    connection.close()
    with pytest.raises(ConfigError) as caught:
        move(source, target)
    assert f"effects, row 2, {flaw}; effects, row 3, {flaw}" in str(caught.value)
    assert "pay" not in str(caught.value)
    assert is_empty(target)


@pytest.mark.parametrize(
    ("statement", "flaw"),
    [
        ("UPDATE effects SET updated_at = 1.5", "updated_at: a fraction where a whole number"),
        ("UPDATE api_keys SET digest = 'x' || id", "digest: text where bytes should be"),
        ("UPDATE api_keys SET realm_id = 99 WHERE id = 1", "api_keys, row 1: what it refers to in"),
        ("UPDATE effects SET result = char(0) || 'x'", "; and 1 more"),
    ],
)
def test_what_is_not_as_it_should_be(
    source: Path, target: PostgresURL, statement: str, flaw: str
) -> None:
    """Some other program has written it."""
    change(source, statement)
    with pytest.raises(ConfigError) as caught:
        move(source, target)
    assert flaw in str(caught.value)
    assert is_empty(target)


def test_what_postgres_refuses(source: Path, target: PostgresURL) -> None:
    """It says where, and nothing of what is in the row."""
    connection = sqlite3.connect(source)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("UPDATE webhook_deliveries SET status = 'PAID'")
    connection.commit()
    connection.close()
    with pytest.raises(ConfigError) as caught:
        move(source, target)
    assert "refuses a row (SQLSTATE 23514, webhook_deliveries, " in str(caught.value)
    assert "PAID" not in str(caught.value)
    assert is_empty(target)


def test_a_file_that_is_none_of_ours(tmp_path: Path, target: PostgresURL) -> None:
    """It is left as it is."""
    other = tmp_path / "other.db"
    with pytest.raises(ConfigError, match="there is no database"):
        move(other, target)
    with pytest.raises(ConfigError, match="is no file"):
        move(tmp_path, target)
    other.write_bytes(b"nonsense" * 1_000)
    with pytest.raises(ConfigError, match="is not a quatrain database"):
        move(other, target)
    other.unlink()
    change(other, "CREATE TABLE mine (x)")
    with pytest.raises(ConfigError, match="is not a quatrain database"):
        move(other, target)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("INSERT INTO schema_versions VALUES (99, 'later')", "use the newer quatrain that wrote"),
        ("CREATE TABLE mine (x INTEGER)", "the table mine is none of this quatrain's"),
        ("CREATE TABLE mine (x REAL)", "the column x of the table mine is none"),
        ("ALTER TABLE effects ADD COLUMN x TEXT", "the table effects is none of this quatrain's"),
    ],
)
def test_tables_that_are_not_known(
    source: Path, target: PostgresURL, statement: str, reason: str
) -> None:
    """Nothing is left behind in silence."""
    change(source, statement)
    with pytest.raises(ConfigError, match=reason):
        move(source, target)
    assert is_empty(target)


def test_a_target_that_has_something(source: Path, target: PostgresURL) -> None:
    """It is refused, and left; one that only has its tables is fine."""
    with store_on(target) as store:
        make_realm(store, "acme", "test")
    with pytest.raises(ConfigError, match="target is not empty: there is something in realms;"):
        move(source, target)
    assert [("acme",)] == asked(target, "SELECT tenant FROM realms")
    asked(target, "DELETE FROM realms RETURNING id")
    assert not move(source, target).already


@pytest.mark.parametrize(("off", "way"), [(100_000, "behind"), (-100_000, "ahead of")])
def test_clocks_that_differ(
    source: Path, target: PostgresURL, monkeypatch: pytest.MonkeyPatch, off: int, way: str
) -> None:
    """A lease would run out before its holder thinks so, and another would act."""
    monkeypatch.setattr(copying, "wall_clock_ms", lambda: wall_clock_ms() + off)
    with pytest.raises(ConfigError, match=f"the target's clock is (99|100) s {way} this machine's"):
        move(source, target)
    assert is_empty(target)


def test_a_target_that_is_away(source: Path) -> None:
    """Without the password."""
    url = PostgresURL.of("postgresql://ann:hunter2@127.0.0.1:1/x")
    with pytest.raises(ConfigError, match="can't be used") as caught:
        move(source, url)
    assert "hunter2" not in str(caught.value)
