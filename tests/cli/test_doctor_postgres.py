"""``quatrain doctor`` on PostgreSQL: the server, the user's rights, the schema, the secret key."""

import json
import re
import time

import attrs
import pytest

from quatrain.cli.checkup import Level
from quatrain.server.local import LocalPlatform
from quatrain.server.vendo.sealing import new_key
from tests._require import import_for

psycopg = import_for("postgres", "psycopg", "psycopg[binary]")

from quatrain.cli import checkup_postgres  # noqa: E402  the driver
from quatrain.cli.checkup_postgres import Facts, clock, judged  # noqa: E402
from quatrain.server.store import PostgresURL  # noqa: E402

pytestmark = pytest.mark.once

PASSWORD = "hunter2"  # the tests' server asks for none, and takes any
KEY = "A" * 43 + "="

#: The server of the tests is a fast one.
FAST = "off: fsync, full_page_writes; a crash can take back what was answered"

FINE = Facts(
    version="17.2",
    version_number=170_002,
    encoding="UTF8",
    standby=False,
    read_only=False,
    schema="public",
    may_create=True,
    has_tables=True,
    denied=None,
    unsafe=[],
    connections=50,
    clock=0.0,
)


@pytest.fixture
def name(postgres):
    name = postgres.create()
    yield name
    postgres.drop(name)


@pytest.fixture
def address(postgres, name):
    return postgres.url(name).replace("postgres@", f"postgres:{PASSWORD}@")


@pytest.fixture
def look(cli):
    """Run ``quatrain doctor --json``: exit status, and what it says, but that, of the database."""

    def doctor(address, **env):
        result = cli("doctor", "--json", "--database", address, **env)
        assert PASSWORD not in result.output
        assert "" == result.stderr
        found = [each for each in json.loads(result.stdout) if each["area"] == "database"]
        return result.exit_code, [
            (each["level"], each["what"], each["fix"]) for each in found if each["what"] != FAST
        ]

    return doctor


def troubles(findings):
    return [(level, what, fix) for level, what, fix in findings if level != "ok"]


def test_all_is_well(cli, look, address):
    """By the option, or by the environment."""
    cli("migrate", "--database", address)
    code, findings = look(address, QUATRAIN_SECRET_KEY=KEY)
    expected = [
        "postgresql://127.0.0.1:",
        "it is PostgreSQL ",
        "it has ",
        "its clock agrees with this machine's",
        "its schema has version ",
        "Vendo's tokens will be sealed with QUATRAIN_SECRET_KEY",
    ]
    again = cli("doctor", QUATRAIN_DATABASE=address, QUATRAIN_SECRET_KEY=KEY)

    assert (0, []) == (code, troubles(findings))
    whats = [what for _, what, _ in findings]
    assert expected == [what[: len(start)] for what, start in zip(whats, expected, strict=True)]
    assert 0 == again.exit_code
    assert "its schema has version " in again.stdout


def test_a_new_database(look, address):
    """Nothing is made in it."""
    for _ in range(2):
        code, findings = look(address, QUATRAIN_SECRET_KEY=KEY)
        assert 0 == code
        ((level, what, fix),) = troubles(findings)
        assert ("warning", "it has no tables yet") == (level, what)
        assert "`quatrain migrate`" in fix


def test_a_server_that_is_away(look):
    """Without the password."""
    code, findings = look(f"postgresql://ann:{PASSWORD}@127.0.0.1:1/x")

    assert 1 == code
    ((_, what, fix),) = findings
    assert what.startswith("postgresql://127.0.0.1:1/x can't be used: ")
    assert "is it running, " in fix


def test_an_address_that_is_none(look):
    """The same."""
    code, findings = look(f"postgresql://ann@127.0.0.1/x?nonsense={PASSWORD}")

    assert 1 == code
    ((_, what, _),) = findings
    assert "the database's address can't be read" in what


def test_without_the_driver(look, monkeypatch):
    """It says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "quatrain.server.store.postgres.store", None)
    code, findings = look("postgresql://127.0.0.1:1/x")

    assert 1 == code
    ((_, what, _),) = findings
    assert "pip install 'quatrain[postgres]'" in what


@pytest.mark.parametrize(
    ("statement", "level", "what", "fix"),
    [
        ("UPDATE schema_versions SET version = 99", "error", "version 99, and", "newer quatrain"),
        (
            "DELETE FROM schema_versions WHERE version > 1",
            "warning",
            "version 1, and",
            "quatrain migrate",
        ),
        (
            "ALTER DATABASE {name} SET default_transaction_read_only = on",
            "error",
            "default_transaction_read_only is on",
            "turn it off",
        ),
        (
            "ALTER DATABASE {name} SET synchronous_commit = off",
            "warning",
            "off: fsync, full_page_writes, synchronous_commit; a crash",
            "turn on",
        ),
        (
            "ALTER DATABASE {name} CONNECTION LIMIT 3",
            "warning",
            "it has 3 connections left; a process takes 7",
            "raise max_connections",
        ),
        (
            "ALTER DATABASE {name} SET search_path = nowhere",
            "error",
            "there is no schema",
            "search_path",
        ),
        (
            "ALTER TABLE schema_versions RENAME version TO edition",
            "error",
            "it can't be read: SQLSTATE 42703",
            "the server's log",
        ),
        (
            """INSERT INTO facts VALUES
            ('moved', '{{"to": "elsewhere", "place": "1/2", "at": 1, "token": "t",
              "ended": true}}')""",
            "error",
            "it was moved to elsewhere",
            "use that one",
        ),
    ],
)
def test_what_is_wrong(cli, look, postgres, name, address, statement, level, what, fix):
    """What it is, and what to do."""
    cli("migrate", "--database", address)
    statement = statement.format(name=name)
    if "schema_versions SET" in statement:
        statement += " WHERE version = (SELECT max(version) FROM schema_versions)"
    postgres.execute(statement, database=name)
    code, findings = look(address, QUATRAIN_SECRET_KEY=KEY)
    told = [(w, f) for each, w, f in findings if each == level]

    assert (level == "error") == code
    assert [True] == [what in told_what and fix in told_fix for told_what, told_fix in told][:1]


def test_another_encoding(look, postgres):
    """The platform would refuse it."""
    postgres.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    code, findings = look(postgres.url("latin"), QUATRAIN_SECRET_KEY=KEY)
    postgres.drop("latin")

    assert 1 == code
    (found,) = [what for _, what, _ in findings if "encoding" in what]
    assert "its encoding is LATIN1, and has to be UTF8" == found


def test_rights(cli, look, postgres, name, address):
    """Of a user who may not make tables, nor write to what others have made."""
    cli("migrate", "--database", address)
    postgres.execute("CREATE ROLE clerk LOGIN")
    clerk = postgres.url(name).replace("postgres@", "clerk@")
    postgres.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=name)
    code, findings = look(clerk, QUATRAIN_SECRET_KEY=KEY)
    told = [(level, what) for level, what, _ in troubles(findings)]
    tables = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
    postgres.execute(f"GRANT {tables} TO clerk", database=name)
    later, rest = look(clerk, QUATRAIN_SECRET_KEY=KEY)
    postgres.execute(f"REVOKE {tables} FROM clerk", database=name)
    postgres.execute("DROP ROLE clerk")

    assert [1, 0] == [code, later]
    assert ("warning", "this user may not make tables in the schema public") == told[0]
    assert "error" == told[1][0]
    assert re.match("this user may not read and write all tables: .*effects, ", told[1][1])
    assert told[:1] == [(level, what) for level, what, _ in troubles(rest)]


def test_another_program_in_the_schema(cli, look, postgres, name, address):
    """Its tables are no concern of this platform's."""
    postgres.execute("CREATE ROLE clerk LOGIN")
    postgres.execute("CREATE ROLE another LOGIN")
    postgres.execute("GRANT CREATE, USAGE ON SCHEMA public TO clerk, another", database=name)
    clerk = postgres.url(name).replace("postgres@", "clerk@")
    cli("migrate", "--database", clerk)
    mine = "SET ROLE another; CREATE TABLE theirs (x int)"
    postgres.execute(mine, database=name)
    code, findings = look(clerk, QUATRAIN_SECRET_KEY=KEY)
    for role in ("clerk", "another"):
        postgres.execute(f"DROP OWNED BY {role}", database=name)
        postgres.execute(f"DROP ROLE {role}")

    assert (0, []) == (code, troubles(findings))


def test_the_secret_key(look, address, monkeypatch):
    """It is the environment's, and has to open what is sealed."""
    key = new_key().reveal()
    monkeypatch.setenv("QUATRAIN_SECRET_KEY", key)
    with LocalPlatform(address) as platform:
        platform.connect("openai", key="sk-pasted")
    found = {
        given: [each for each in look(address, QUATRAIN_SECRET_KEY=given)[1] if "ealed" in each[1]]
        for given in (key, KEY, None, "short")
    }

    assert [("ok", True)] == [(e[0], "with the key in QUATRAIN" in e[1]) for e in found[key]]
    assert [("error", True)] == [(e[0], "another key than QUATRAIN" in e[1]) for e in found[KEY]]
    assert [("error", True)] == [(e[0], "and there is no key: " in e[1]) for e in found[None]]
    assert [("error", True)] == [(e[0], "and there is no key: " in e[1]) for e in found["short"]]


def test_no_secret_key_and_nothing_sealed(cli, look, address):
    """A warning: Vendo may not be used at all."""
    cli("migrate", "--database", address)
    code, findings = look(address)
    ((level, what, fix),) = troubles(findings)

    assert (0, "warning") == (code, level)
    assert "nothing can be connected in Vendo: " in what
    assert "openssl rand -base64 32" in what
    assert "QUATRAIN_SECRET_KEY" in fix


@pytest.mark.parametrize(
    ("changes", "level", "what"),
    [
        ({"version": "13.1", "version_number": 130_001}, Level.ERROR, "it is PostgreSQL 13.1"),
        ({"standby": True, "read_only": True}, Level.ERROR, "it is a standby"),
        ({"may_create": False, "has_tables": False}, Level.ERROR, "may not make tables"),
        ({"connections": 6}, Level.WARNING, "it has 6 connections left"),
        ({"connections": -2}, Level.WARNING, "it has 0 connections left"),
    ],
)
def test_what_the_server_is(changes, level, what):
    """One finding that is not well."""
    ((found, told),) = [
        (each.level, each.what)
        for each in judged(attrs.evolve(FINE, **changes))
        if each.level is not Level.OK
    ]
    assert level == found
    assert what in told


@pytest.mark.parametrize(
    ("ahead", "doubt", "level"),
    [
        (9.0, 0.0, Level.OK),
        (60.0, 55.0, Level.OK),
        (-60.0, 0.0, Level.WARNING),
        (3_600.0, 1.0, Level.ERROR),
    ],
)
def test_clocks(ahead, doubt, level):
    """A slow answer leaves that much in doubt."""
    assert level is clock(ahead, doubt).level


def test_a_clock_that_is_off(address):
    """It is the database's, compared with this machine's."""
    url = PostgresURL.of(address)
    found = checkup_postgres.database(url, now=lambda: time.time() + 100)
    (told,) = [each.what for each in found if "clock" in each.what]

    assert "is about 100 s behind this machine's" in told
