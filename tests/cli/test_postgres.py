"""Commands on a PostgreSQL database: what they do, and that none shows its password."""

import json
import signal
from contextlib import contextmanager

import pytest

from quatrain.server.store.migrations import newest

from ._support import Serving

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


def test_serve(address):
    """Two processes on one database; neither says more than where that is."""
    with served(address) as one, served(address) as two:
        assert one.url != two.url
    for serving in (one, two):
        said = "".join(serving.said)
        assert "127.0.0.1" in serving.said[0]
        assert "QUATRAIN_DATABASE" in said
        assert PASSWORD not in said


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
