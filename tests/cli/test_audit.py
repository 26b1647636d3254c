"""``quatrain audit`` and ``quatrain velerian runs wait``: Velerian's client, for people."""

import json
import threading

import pytest

from quatrain import Client
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.velerian import VelerianClient

ABP = "loan-review"


@pytest.fixture
def history(database):
    """Five invocations in a database; their ids."""
    with Client.local(database) as q:
        return [q.velerian.invoke_abp(ABP, {"amount": number}).invocation_id for number in range(5)]


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_row_is_a_line(cli, database, history):
    """Oldest first, and only rows on standard output."""
    result = cli("audit", "--database", database)

    assert history == [row["detail"]["invocation_id"] for row in lines(result)]
    assert "Exported 5 rows. The next export: --offset 5\n" == result.stderr


def test_it_goes_on_where_it_stopped(cli, database, history):
    """With the offset that it told."""
    rows = lines(cli("audit", "--database", database, "--offset", 3))
    assert history[3:] == [row["detail"]["invocation_id"] for row in rows]
    assert [] == lines(cli("audit", "--database", database, "--offset", 5))


def test_filters(cli, database, history):
    """As the platform has them."""
    asked = ("audit", "--database", database)
    assert 5 == len(lines(cli(*asked, "--resource-kind", "abp", "--resource-id", ABP)))
    assert [] == lines(cli(*asked, "--resource-id", "another"))
    assert [] == lines(cli(*asked, "--action", "abp.retire"))
    assert [] == lines(cli(*asked, "--until", "2020-01-01T00:00:00Z"))
    assert 5 == len(lines(cli(*asked, "--since", "2020-01-01", "--actor", "local")))


def test_a_file_is_whole_or_not_there(cli, database, history, tmp_path):
    """And readable by its owner alone."""
    file = tmp_path / "audit.jsonl"
    result = cli("audit", "--database", database, "--output", file)

    assert ("", 5) == (result.stdout, len(file.read_text().splitlines()))
    assert 0o600 == file.stat().st_mode & 0o777
    refused = cli("audit", "--database", database, "--since", "yesterday", "--output", file)
    assert (1, 5) == (refused.exit_code, len(file.read_text().splitlines()))


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--database", "none.db"], 1, "there is no database"),
        (["--database", "none.db", "--base-url", "http://127.0.0.1:9"], 2, "no --base-url"),
        (["--base-url", "http://127.0.0.1:9", "--tenant", "acme"], 2, "the key decides"),
        (["--base-url", "http://127.0.0.1:9"], 1, "VELERIAN_API_KEY"),
        (["--offset", "-1"], 2, "--offset"),
    ],
)
def test_what_can_not_be_asked(cli, args, code, message):
    """One line each."""
    result = cli("audit", *args)

    assert (code, 1) == (result.exit_code, result.stderr.count("\n"))
    assert message in result.stderr


def test_a_platform_that_is_served(cli, database):
    """With its key from the environment; a run is waited for there."""
    with EmbeddedPlatform(database) as platform:
        env = platform.env
        with Client.local(database) as q:
            queued = q.velerian.invoke_network("research", "What is new?", wait=False)
            blocked = q.velerian.invoke_network("research", "my password is x", wait=False)
        done = cli("velerian", "runs", "wait", queued["run_id"], "--json", **env)
        not_done = cli("velerian", "runs", "wait", blocked["run_id"], **env)
        rows = lines(cli("audit", "--action", "run.finish", **env))

    assert (0, "succeeded") == (done.exit_code, json.loads(done.stdout)["status"])
    assert (1, True) == (not_done.exit_code, "blocked" in not_done.stdout)
    assert {queued["run_id"], blocked["run_id"]} == {row["resource_id"] for row in rows}


def test_a_run_that_is_not_over_in_time(cli, database):
    """Says so, and that it goes on."""
    release = threading.Event()

    def think(_):
        release.wait(60)
        return "done"

    with (
        EmbeddedPlatform(database, velerian_runner=think) as platform,
        VelerianClient(api_key=platform.velerian_key, base_url=platform.url) as client,
    ):
        queued = client.invoke_network("research", "What is new?", wait=False)
        late = cli("velerian", "runs", "wait", queued["run_id"], "--timeout", 0, **platform.env)
        release.set()

    assert (1, 1) == (late.exit_code, late.stderr.count("\n"))
    assert "it goes on" in late.stderr
