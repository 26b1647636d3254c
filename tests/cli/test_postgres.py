"""Commands on a PostgreSQL database: what they do, and that none shows its password."""

import json
import signal
import socket
import subprocess
from contextlib import contextmanager

import pytest

from quatrain.server.local import LocalPlatform
from quatrain.server.store.migrations import newest
from quatrain.verity import VerityClient

from ._support import LONG, Process, Serving

pytestmark = pytest.mark.once
PASSWORD = "hunter2"  # the tests' server asks for none, and takes any


@pytest.fixture
def address(postgres):
    name = postgres.create()
    yield postgres.url(name).replace("postgres@", f"postgres:{PASSWORD}@")
    postgres.drop(name)


@contextmanager
def served(address):
    serving = Serving(address)
    try:
        yield serving
    finally:
        serving.said += serving.stop(signal.SIGTERM)[1:]


def test_migrate_makes_the_tables(cli, address):
    """And says which schema that is; a second time is fine."""
    for _ in range(2):
        result = cli("migrate", "--database", address)
        assert 0 == result.exit_code
        assert f"has schema version {newest()}.\n" in result.stderr
        assert PASSWORD not in result.output


def test_migrate_makes_a_file(cli, database):
    """The same on SQLite."""
    assert 0 == cli("migrate", "--database", database).exit_code
    assert database.exists()


def test_keys_and_effects(cli, address):
    """From the environment, where the address is best, or an option."""
    key = cli("keys", "create", QUATRAIN_DATABASE=address).stdout.strip()
    assert key.startswith("vt_test_")
    (listed,) = json.loads(cli("keys", "list", "--database", address, "--json").stdout)
    assert "local" == listed["tenant"]
    found = cli("effects", "list", "--database", address)
    assert 0 == found.exit_code
    assert PASSWORD not in found.output


def test_effects_from_the_environment(cli, address, database):
    """A ledger that is served goes first, as everywhere; a file has to be there."""
    served = {"VERITY_BASE_URL": "http://127.0.0.1:9/v1", "VERITY_API_KEY": "vt_test_x"}
    found = cli("effects", "list", "--live", QUATRAIN_DATABASE=address)
    other = cli("effects", "list", QUATRAIN_DATABASE=address, **served)
    missing = cli("effects", "list", QUATRAIN_DATABASE=str(database))
    wrong = cli("effects", "list", QUATRAIN_DATABASE=f"postgresql://{PASSWORD} @x/y")

    assert [0, 1, 1, 2] == [each.exit_code for each in (found, other, missing, wrong)]
    assert "no answer from http://127.0.0.1:9/v1" in other.stderr
    assert f"there is no database {database}" in missing.stderr
    assert PASSWORD not in found.output + wrong.output


def test_backup(cli, address):
    """PostgreSQL's own program does that; the address is not shown."""
    result = cli("backup", "a copy", QUATRAIN_DATABASE=address)

    assert 2 == result.exit_code
    assert "pg_dump --format=custom --file='a copy' \"$QUATRAIN_DATABASE\"" in result.stderr
    assert "keep its password in ~/.pgpass" in result.stderr
    assert PASSWORD not in result.output


def test_prune(cli, address, postgres):
    """The same as of a file."""
    with (
        LocalPlatform(address) as platform,
        VerityClient(
            base_url=platform.verity_url,
            api_key=platform.api_key,
            http_client=platform.http_client(),
        ) as client,
    ):
        for key in ("old", "new"):
            client.protect(key, act=lambda: 1, namespace="shop")
    postgres.execute(
        "UPDATE effects SET updated_at = 0 WHERE effect_key = 'old'",
        database=address.rpartition("/")[2],
    )
    result = cli("prune", "--older-than", "30d", "--database", address)
    effects = json.loads(cli("effects", "list", "--json", "--database", address).stdout)

    assert (0, "1 effects are forgotten.\n") == (result.exit_code, result.stderr)
    assert ["new"] == [effect["effectKey"] for effect in effects]


@pytest.mark.parametrize(
    "command",
    [
        "velerian keys list",
        "velerian keys create",
        "velerian runs list",
        "velerian abps list",
        "approvals list",
        "audit",
        "velocity show",
        "velocity installs",
        "velocity install crm",
        "velocity tasks add Sweep --module R1",
        "vendo keys create",
        "vendo connections",
        "vendo connect slack",
        "vendo wallet",
        "vendo reseal",
        "webhooks add http://127.0.0.1:9/",
        "webhooks list",
        "effects audit --verify",
    ],
)
def test_commands(cli, address, command):
    """Every one that takes a database takes this kind, by the environment or an option."""
    key = {"QUATRAIN_SECRET_KEY": "A" * 43 + "="}
    results = [
        cli(*command.split(), QUATRAIN_DATABASE=address, **key),
        cli(*command.replace("crm", "other").split(), "--database", address, **key),
    ]

    assert [0, 0] == [each.exit_code for each in results], results[0].output + results[1].output
    assert PASSWORD not in "".join(each.output for each in results)


def test_serve(address):
    """Two processes on one database; neither says more than where that is."""
    with served(address) as one, served(address) as two:
        assert one.url != two.url
    for serving in (one, two):
        said = "".join(serving.said)
        place = address.replace(f"postgres:{PASSWORD}@", "")
        assert f"Serving {place} on {serving.url}\n" == serving.said[0]
        assert PASSWORD not in said


def test_the_announced_way_to_a_key(address, tmp_path):
    """Others can see command lines: the address gets to each command by the environment."""
    with served(address) as serving:
        pass
    lines = [line for line in serving.said if "$(" in line]
    command = tmp_path / "quatrain"
    command.write_text('#!/bin/sh\nprintf "%s" "$QUATRAIN_DATABASE $*"\n')
    command.chmod(0o700)

    def told(line, **env):
        name = line.partition("=$(")[0].rpartition(" ")[2]
        return subprocess.run(
            ["/bin/sh", "-c", f'{line}printf "%s" "${name}"'],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", **env},
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    assert [
        f"{address} {words}"
        for words in (
            "keys create",
            "velocity install local",
            "velerian keys create",
            "vendo keys create",
        )
    ] == [told(line, QUATRAIN_DATABASE=address) for line in lines]
    assert [""] * 4 == [told(line) for line in lines]


def test_an_address_that_is_none(cli):
    """One clear line, without the address."""
    result = cli("migrate", "--database", f"postgresql://ann:{PASSWORD}@h ost/x")
    assert 2 == result.exit_code
    assert "the database's address" in result.stderr
    assert PASSWORD not in result.output


def test_a_database_that_is_away(cli):
    """The same."""
    result = cli("migrate", "--database", f"postgresql://ann:{PASSWORD}@127.0.0.1:1/x")
    assert 1 == result.exit_code
    assert "can't be used" in result.stderr
    assert PASSWORD not in result.output


def test_serve_waits_for_a_server_that_is_away(postgres, address):
    """It says so, without the password; nobody can connect before there is one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    postgres.stop("immediate")
    try:
        serving = Process("serve", "--port", port, "--database", address, "--wait", LONG)
        said = serving.process.stderr.readline()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    finally:
        postgres.start()
    assert "waiting up to 60 seconds, as the database postgresql://127.0.0.1" in said
    assert "Serving postgresql://127.0.0.1" in serving.process.stdout.readline()
    socket.create_connection(("127.0.0.1", port)).close()
    assert PASSWORD not in said + "".join(serving.stop(signal.SIGTERM)[1:])


def test_serve_waits_for_no_longer_than_that(cli):
    """A database that stays away is a failure."""
    away = f"postgresql://ann:{PASSWORD}@127.0.0.1:1/x"
    result = cli("serve", "--port", 0, "--database", away, "--wait", 0)
    assert 1 == result.exit_code
    assert "can't be used" in result.stderr
    assert PASSWORD not in result.output


def test_serve_does_not_wait_for_what_will_not_come(cli, postgres, caplog):
    """A server that is there, without that database, is no reason to."""
    none = postgres.url("nobody_made_it")
    result = cli("serve", "--port", 0, "--database", none, "--wait", 0.1)
    assert (1, []) == (result.exit_code, caplog.messages)
    assert "can't be used" in result.stderr
