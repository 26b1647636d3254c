"""``quatrain db``: a file is moved to PostgreSQL, and what is told of that."""

import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from quatrain.server.local import LocalPlatform
from quatrain.verity import VerityClient
from tests._require import import_for

from ._support import LONG, Process

pytestmark = pytest.mark.once

PASSWORD = "hunter2"  # the tests' server asks for none, and takes any


@pytest.fixture
def address(postgres):
    import_for("postgres", "psycopg", "psycopg[binary]")
    name = postgres.create()
    yield postgres.url(name).replace("postgres@", f"postgres:{PASSWORD}@")
    postgres.drop(name)


@pytest.fixture
def source(database, ledger):
    """A file with an effect, that nobody has open any more."""
    with LocalPlatform(database) as platform:
        platform.keys.create()
    return database


def shown(address):
    return address.replace(f"postgres:{PASSWORD}@", "")


def test_moving(cli, source, address):
    """What was done is there, and the file can't be served any more."""
    result = cli("db", "copy", source, address)
    there = cli("keys", "list", "--json", "--database", address)
    here = cli("keys", "list", "--database", source)

    assert (0, "") == (result.exit_code, result.stdout)
    assert f"Moved {source} to {shown(address)}: " in result.stderr
    assert " tables, compared.\n" in result.stderr
    assert f"{source} can't be served or changed any more; keep it" in result.stderr
    assert '"name": "default"' in there.stdout
    assert 1 == here.exit_code
    assert f"this database was moved to {shown(address)}: use that one" in here.stderr
    assert PASSWORD not in result.output + here.output


def test_what_doctor_says(cli, source, address):
    """Of the file: that it is over, and where it went."""
    cli("db", "copy", source, address)
    result = cli("doctor", "--database", source)

    assert 1 == result.exit_code
    assert f"it was moved to {shown(address)}, and can't be served" in result.stdout


def test_what_doctor_says_of_a_mark_that_it_does_not_know(cli, source):
    """One of a newer version's."""
    connection = sqlite3.connect(source)
    connection.execute("INSERT INTO facts VALUES ('moved', '{\"whither\": 1}')")
    connection.commit()
    connection.close()
    result = cli("doctor", "--database", source)

    assert 1 == result.exit_code
    assert "has a mark that this quatrain does not know" in result.stdout


def test_the_address_from_the_environment(cli, source, address):
    """Where nobody else sees it; a second time there is nothing left to do."""
    first = cli("db", "copy", source, QUATRAIN_DATABASE=address)
    second = cli("db", "copy", source, QUATRAIN_DATABASE=address)

    assert [0, 0] == [first.exit_code, second.exit_code]
    assert "that was done before" in second.stderr
    assert PASSWORD not in first.output + second.output


def test_the_secret_key_is_told_about(cli, database, address):
    """How to set it, and not what it is."""
    with LocalPlatform(database) as platform:
        platform.connect("openai", key="sk-pasted")
    result = cli("db", "copy", database, address)
    key = database.with_name(f"{database.name}.key")

    assert f'QUATRAIN_SECRET_KEY="$(cat {key})"' in result.stderr
    assert key.read_text().strip() not in result.output


def test_a_secret_key_of_the_environment(cli, source, address):
    """It has to stay."""
    result = cli("db", "copy", source, address, QUATRAIN_SECRET_KEY="A" * 43 + "=")

    assert "sealed with QUATRAIN_SECRET_KEY: keep it set" in result.stderr
    assert "AAA" not in result.output


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["postgresql://a/b", "c.db"], "pg_dump does"),
        (["a.db", "b.db"], "`quatrain backup` copies to a file"),
        (["a.db"], "Missing argument 'TARGET'"),
        (["a.db", "postgresql://x y/z"], "the database's address is none"),
    ],
)
def test_what_is_not_moved(cli, args, said):
    """One line says what to do instead."""
    result = cli("db", "copy", *args)

    assert 2 == result.exit_code
    assert said in result.stderr


def test_a_file_that_there_is_not(cli, address):
    """It is not made for that."""
    result = cli("db", "copy", "none.db", address)

    assert (1, "Error: there is no database none.db\n") == (result.exit_code, result.stderr)
    assert not Path("none.db").exists()


def test_a_file_in_use(cli, source, address):
    """Nothing is done."""
    connection = sqlite3.connect(source)
    connection.execute("SELECT * FROM facts").fetchone()
    result = cli("db", "copy", source, address)
    connection.close()

    assert 1 == result.exit_code
    assert "is in use: stop the platform" in result.stderr
    assert 0 == cli("keys", "list", "--database", source).exit_code


def test_a_platform_that_is_served(cli, serving, database, address):
    """It is stopped, its ledger is moved, and is whole; nobody begins to serve the file again."""
    env = {"VERITY_BASE_URL": serving.base_url}
    env["VERITY_API_KEY"] = cli("keys", "create", "--database", database).stdout.strip()
    with VerityClient(
        base_url=env["VERITY_BASE_URL"], api_key=env["VERITY_API_KEY"], namespace="shop"
    ) as client:
        client.protect("charge", act=lambda: "paid")
    refused = cli("db", "copy", database, address)
    serving.stop(signal.SIGTERM)
    moved = cli("db", "copy", database, address)
    whole = cli("effects", "audit", "--verify", "--database", address)
    again = Process("serve", "--port", 0, "--database", database)
    said = again.process.communicate(timeout=LONG)

    assert (1, True) == (refused.exit_code, "is in use: stop the platform" in refused.stderr)
    assert [0, 0] == [moved.exit_code, whole.exit_code]
    assert whole.stdout.startswith("OK: 1 effects, 2 lines: ")
    assert (1, True) == (again.process.returncode, "this database was moved to" in said[1])


def test_without_the_driver(cli, source, address, monkeypatch):
    """It says what to install; reopening needs none."""
    cli("db", "copy", source, address)
    for name in ("postgres.store", "moving.copying"):
        monkeypatch.setitem(sys.modules, f"quatrain.server.store.{name}", None)
    refused = cli("db", "copy", source, address)
    reopened = cli("db", "reopen", source, "--yes")

    assert [1, 0] == [refused.exit_code, reopened.exit_code]
    assert "pip install 'quatrain[postgres]'" in refused.stderr


def test_reopening(cli, source, address):
    """After a question, as two ledgers would both act."""
    cli("db", "copy", source, address)
    asked = cli("db", "reopen", source)
    still = cli("keys", "list", "--database", source)
    done = cli("db", "reopen", source, "--yes")
    again = cli("keys", "list", "--database", source)
    twice = cli("db", "reopen", source, "--yes")

    assert [1, 1, 0, 0, 1] == [each.exit_code for each in (asked, still, done, again, twice)]
    assert "Is it sure that nothing is done with the database" in asked.stderr
    assert f"{source} can be served again; {shown(address)} must not be.\n" == done.stderr
    assert f"Error: {source} was not moved\n" == twice.stderr
    assert 2 == cli("db", "reopen", address).exit_code
