"""``quatrain effects audit``: the trail exported and checked, from a file and over HTTP."""

import json
import sqlite3

import pytest

from quatrain.server.keys import KeyRing
from quatrain.server.store import SqliteStore


@pytest.fixture
def run(cli, database):
    """Run ``quatrain effects audit … --database``."""

    def audit(*args, **env):
        return cli("effects", "audit", *args, "--database", database, **env)

    return audit


@pytest.fixture
def history(ledger, fail):
    """Three effects of two namespaces: two done, one failed and reset."""
    ledger.protect("one", act=lambda: 1)
    ledger.protect("two", act=lambda: 2, namespace="farm")
    fail("three")
    ledger.effects.reset("three", reason="funds are back")


@pytest.fixture
def broken(history, database):
    """A second commit of the effect "one", which somebody wrote into the file."""
    connection = sqlite3.connect(database)
    connection.execute(
        "INSERT INTO effect_events (effect_id, type, at, fence_token) VALUES (1, 'COMMITTED', 0, 1)"
    )
    connection.commit()
    connection.close()


@pytest.mark.usefixtures("history")
def test_all_is_well(run):
    """A verdict, and exit status 0."""
    result = run("--verify")

    assert (0, "") == (result.exit_code, result.stderr)
    assert (
        "OK: 3 effects, 7 lines: every fence was given out once, every effect done once.\n"
        == result.stdout
    )


@pytest.mark.usefixtures("broken")
def test_something_is_wrong(run):
    """It is told, and the exit status is 1."""
    result = run("--verify")

    assert (1, "") == (result.exit_code, result.stderr)
    assert [
        (
            "committed_twice: shop / one (eff_000000000001), line 8: COMMITTED at"
            " 1970-01-01T00:00:00.000Z is commit number 2 of one effect"
        ),
        "BROKEN: 1 found wrong in 3 effects, 8 lines.",
    ] == result.stdout.splitlines()


@pytest.mark.usefixtures("broken")
def test_one_namespace(run):
    """What is wrong elsewhere is not looked at."""
    results = [run("--verify", "--namespace", name) for name in ("farm", "shop", "none")]

    assert [0, 1, 0] == [result.exit_code for result in results]
    assert results[0].stdout.startswith("OK: 1 effects, 2 lines: ")
    assert results[2].stdout.startswith("OK: 0 effects, 0 lines: ")


@pytest.mark.usefixtures("broken")
def test_as_json(run):
    """For programs."""
    result = run("--verify", "--json")
    verdict = json.loads(result.stdout)

    assert (1, False, 3, 8, 1, {}) == (
        result.exit_code,
        *(verdict[name] for name in ("ok", "effects", "lines", "findingsInAll", "notJudged")),
    )
    assert ["committed_twice"] == [each["rule"] for each in verdict["findings"]]


@pytest.mark.usefixtures("broken")
def test_a_ledger_that_is_served(cli, serving, database):
    """It is checked over HTTP, while it is in use."""
    with SqliteStore(database) as store:
        _, secret = KeyRing(store).create()
    env = {"VERITY_BASE_URL": serving.base_url, "VERITY_API_KEY": secret.reveal()}
    result = cli("effects", "audit", "--verify", **env)

    assert 1 == result.exit_code
    assert "BROKEN: 1 found wrong in 3 effects, 8 lines.\n" == result.stdout.partition("\n")[2]


def test_many_findings(run, ledger, database, monkeypatch):
    """The first ones are shown, all are counted."""
    monkeypatch.setattr("quatrain.cli.effects_audit.SHOWN", 2)
    for number in range(3):
        ledger.protect(f"k{number}", act=lambda: 1)
    connection = sqlite3.connect(database)
    connection.execute("DELETE FROM effect_events")
    connection.commit()
    connection.close()
    lines = run("--verify").stdout.splitlines()

    assert ["no_trail", "no_trail", "BROKEN"] == [line.partition(":")[0] for line in lines]
    assert "3 found wrong (the first 2 are shown)" in lines[-1]


@pytest.mark.usefixtures("history")
def test_kinds_that_are_not_known(run, database):
    """They are not judged, which is said; and what they are called is not obeyed."""
    connection = sqlite3.connect(database)
    connection.execute("UPDATE effect_events SET type = 'odd\x1b[2J' WHERE type = 'RESET'")
    connection.commit()
    connection.close()
    result = run("--verify")

    assert 0 == result.exit_code
    assert r"; not judged, as this version does not know them: 1 odd\x1b[2J." in result.stdout


@pytest.mark.usefixtures("history")
def test_export(run, tmp_path):
    """A JSON object a line, with whose line it is."""
    result = run("--output", "trail.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "trail.jsonl").read_text().splitlines()]

    assert (0, "Exported 7 lines to trail.jsonl.\n") == (result.exit_code, result.stderr)
    assert [
        ("shop", "one", "LEASE_GRANTED"),
        ("shop", "one", "COMMITTED"),
        ("farm", "two", "LEASE_GRANTED"),
        ("farm", "two", "COMMITTED"),
        ("shop", "three", "LEASE_GRANTED"),
        ("shop", "three", "FAILED"),
        ("shop", "three", "RESET"),
    ] == [(line["namespace"], line["effectKey"], line["type"]) for line in lines]
    assert lines == [json.loads(line) for line in run().stdout.splitlines()]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--verify", "--output", "x"], "--output goes with an export, not with --verify"),
        (["--json"], "an export is JSON anyway: --json goes with --verify"),
    ],
)
@pytest.mark.usefixtures("history")
def test_mistakes(run, args, message):
    """Options that contradict each other."""
    result = run(*args)

    assert (2, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith(f"Error: {message}")
