"""``quatrain prune``: of a file, beside what serves it."""

import json
import sqlite3

import pytest


@pytest.fixture
def old(ledger, fail, database):
    """A committed and a failed effect of forty days ago, and a new one."""
    ledger.protect("one", act=lambda: 1)
    fail("two")
    connection = sqlite3.connect(database)
    connection.execute("UPDATE effects SET updated_at = updated_at - 40 * 86400000")
    connection.commit()
    connection.close()
    ledger.protect("new", act=lambda: 1)


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize(
    ("options", "said", "left"),
    [
        (["--older-than", "30d"], "1 effects are forgotten.\n", ["new", "two"]),
        (["--older-than", "5w", "--failed"], "2 effects are forgotten.\n", ["new"]),
        (["--older-than", "1000h"], "0 effects are forgotten.\n", ["new", "two", "one"]),
        (["--older-than", "1h", "--namespace", "no"], "0 effects", ["new", "two", "one"]),
        (["--older-than", "1h", "--dry-run"], "1 effects would be", ["new", "two", "one"]),
    ],
)
def test_what_is_forgotten(cli, database, options, said, left):
    """What has not changed for so long."""
    result = cli("prune", *options, "--database", database)
    effects = json.loads(cli("effects", "list", "--json", "--database", database).stdout)

    assert (0, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith(said)
    assert left == [effect["effectKey"] for effect in effects]


@pytest.mark.parametrize("age", ["", "30", "0d", "d", "-1d", "1.5d", "30m", "1d ", "9999999d"])
def test_ages_that_are_none(cli, age):
    """A mistake here would forget too much."""
    result = cli("prune", "--older-than", age)

    assert 2 == result.exit_code
    assert "is no age such as 12h, 30d or 8w" in result.stderr


def test_a_database_that_there_is_not(cli, database):
    """It is not made for that; and an age has to be said."""
    result = cli("prune", "--older-than", "1d", "--database", database)

    assert (1, f"Error: there is no database {database}\n") == (result.exit_code, result.stderr)
    assert not database.exists()
    assert 2 == cli("prune", "--database", database).exit_code
