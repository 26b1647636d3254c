"""``quatrain backup``: of a platform that is served, restored as its help says."""

import json

import httpx
import pytest

from quatrain.server.local import LocalPlatform


def test_a_platform_that_is_served(cli, ledger, serving, database, tmp_path):
    """The copy takes the database's place on another day, and knows what had been done."""
    ledger.protect("k", act=lambda: "done")
    result = cli("backup", "copy.db", "--database", database)
    effects = json.loads(cli("effects", "list", "--json", "--database", "copy.db").stdout)

    assert (0, "") == (result.exit_code, result.stdout)
    assert f"Copied {database} to copy.db: " in result.stderr
    assert 200 == httpx.get(f"{serving.url}/readyz").status_code
    assert ["COMMITTED"] == [effect["status"] for effect in effects]


def test_the_secret_key_is_told_about(cli, database, tmp_path):
    """It is not in the copy; nothing is said where there is none, or it is kept elsewhere."""
    with LocalPlatform(database) as platform:
        before = cli("backup", "1.db", "--database", database)
        platform.connect("openai", key="sk-pasted")
    after = cli("backup", "2.db", "--database", database)
    elsewhere = cli("backup", "3.db", "--database", database, QUATRAIN_SECRET_KEY="A" * 43 + "=")

    assert [1, 2, 1] == [result.stderr.count("\n") for result in (before, after, elsewhere)]
    assert f"sealed with the key in {database}.key" in after.stderr
    assert not (tmp_path / "2.db.key").exists()


@pytest.mark.usefixtures("ledger")
def test_force(cli, ledger, database, tmp_path):
    """An older copy is replaced only with it."""
    ledger.protect("k", act=lambda: 1)
    (tmp_path / "copy.db").write_text("older")
    refused = cli("backup", "copy.db", "--database", database)
    forced = cli("backup", "copy.db", "--database", database, "--force")

    assert (1, "Error: copy.db is there already\n") == (refused.exit_code, refused.stderr)
    assert 0 == forced.exit_code


def test_a_database_that_there_is_not(cli, database):
    """It is not made for that."""
    result = cli("backup", "copy.db", "--database", database)

    assert (1, f"Error: there is no database {database}\n") == (result.exit_code, result.stderr)
    assert not database.exists()
