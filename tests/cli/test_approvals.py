"""``quatrain approvals``: what waits for a person, and what that person says."""

import asyncio
import json

import pytest

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.store import SqliteStore
from quatrain.server.velerian.invocations import Invocations
from quatrain.server.velerian.runner import echo

LOAN = {"amount": 60_000, "prompt": "may I?"}


@pytest.fixture
def run(cli, database):
    """Run ``quatrain approvals … --database``, on a seeded file."""
    cli("velocity", "seed", "--database", database)

    def approvals(*args, **env):
        return cli("approvals", *args, "--database", database, **env)

    return approvals


@pytest.fixture
def hold(run, database):
    """Have an invocation held; the approval that it waits for."""

    def invoke():
        with SqliteStore(database) as store:
            invoked = Invocations(store, echo).invoke("local", "loan-review", LOAN, by="ann")
            return asyncio.run(invoked)

    return invoke


@pytest.fixture
def now(database):
    """The invocation as it is now."""

    def of(invocation):
        with SqliteStore(database) as store:
            found = Invocations(store, echo).get("local", "loan-review", invocation.invocation_id)
            return asyncio.run(found)

    return of


def rows_of(result):
    """The cells of a table."""
    lines = [line for line in result.stdout.splitlines() if "│" in line]
    return [[text.strip() for text in line.split("│")[1:-1]] for line in lines]


def test_what_waits(run, hold):
    """Oldest first, with why; what was decided only on demand."""
    ids = [hold().approval_id for _ in range(3)]
    run("reject", ids[1], "--reason", "no", "--by", "zoe")
    pending, everything = run("list"), run("list", "--all")

    assert [ids[0], ids[2]] == [row[0] for row in rows_of(pending)]
    assert ["loan-review", "loans above 50,000 are decided by a person", "pending"] == [
        rows_of(pending)[0][column] for column in (1, 3, 4)
    ]
    assert ["pending", "rejected", "pending"] == [row[4] for row in rows_of(everything)]
    assert ["zoe", "no"] == rows_of(everything)[1][6:]
    assert ids[:1] == [each["approval_id"] for each in json.loads(run("list", "--json").stdout)][:1]


def test_there_may_be_more(run, hold):
    """Which is told."""
    for _ in range(2):
        hold()
    result = run("list", "--limit", "1")

    assert (1, "There are 2: raise --limit.\n") == (len(rows_of(result)), result.stderr)


def test_approve(run, hold, now):
    """The held invocation goes on: an echo of its prompt is what it answers."""
    held = hold()
    result = run("approve", held.approval_id, "--by", "zoe", "--reason", "fine")

    assert (0, "") == (result.exit_code, result.stdout)
    assert (
        f"{held.approval_id} is approved: {held.invocation_id} of loan-review has gone on to its "
        "end.\n"
    ) == result.stderr
    assert ("allow", "may I?") == (now(held).outcome, now(held).output)


def test_approve_with_a_runner(run, hold, now, tmp_path):
    """Of a file it is this command that asks the model: whichever is said, in this directory."""
    (tmp_path / "cli_model.py").write_text("def answer(request): return 'mine'\n")
    first, second = hold(), hold()
    run("approve", first.approval_id, "--runner", "cli_model:answer")
    run("approve", second.approval_id, QUATRAIN_RUNNER="cli_model:answer")

    assert ["mine", "mine"] == [now(first).output, now(second).output]


def test_reject(run, hold, now):
    """It is denied, and nothing runs."""
    held = hold()
    result = run("reject", held.approval_id, "--reason", "too much")

    assert (
        f"{held.approval_id} is rejected: {held.invocation_id} of loan-review is denied.\n"
    ) == result.stderr
    assert ("deny", None) == (now(held).outcome, now(held).output)


def test_over_http(cli, hold, now, database):
    """The platform that is served asks its own model."""
    held = hold()
    with EmbeddedPlatform(database, velerian_runner=lambda request: "served") as platform:
        env = {"QUATRAIN_URL": platform.url, "QUATRAIN_API_KEY": platform.api_key.reveal()}
        result = cli("approvals", "approve", held.approval_id, **env)

    assert 0 == result.exit_code
    assert "served" == now(held).output


def test_deciding_twice(run, hold):
    """Is refused, whatever the first decision was."""
    held = hold()
    run("reject", held.approval_id, "--reason", "no")
    result = run("approve", held.approval_id)

    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert result.stderr.startswith("Error: 409 decided: ")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["approve", "none"], 1, "404 not_found: there is no approval 'none'"),
        (["reject", "none"], 2, "Missing option '--reason'"),
        (["reject", "none", "--reason", "x"], 1, "404 not_found: there is no approval 'none'"),
        (["approve", "none", "--runner", "odd"], 1, "runner 'odd' is not of the form module:funct"),
        (["approve", "none", "--runner", "no_such:x"], 1, "runner 'no_such:x' can't be loaded: "),
        (["list", "--limit", "0"], 2, "Invalid value for '--limit': 0 is not in the range"),
        (["odd"], 2, "No such command 'odd'. Try: quatrain approvals --help"),
    ],
)
def test_mistakes(run, args, code, message):
    """What can't be is one line: exit status 2 for a wrong command line, 1 for the rest."""
    result = run(*args)

    assert (code, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(f"Error: {message}")
