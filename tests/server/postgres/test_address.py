"""The database's address shows no password."""

from __future__ import annotations

import logging
import traceback

import pytest

from quatrain.errors import ConfigError
from quatrain.server import Settings
from quatrain.server.store import PostgresURL, store_on
from quatrain.server.vendo.secretkey import key_source
from tests._require import import_for

import_for("postgres", "psycopg", "psycopg[binary]")
pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ann:hunter2@db.example:5432/ledger", "postgresql://db.example:5432/ledger"),
        ("postgres://db/ledger?password=hunter2", "postgresql://db/ledger"),
        ("postgresql://ann:p@ss/hunter2@db/ledger", "postgresql://db/ledger"),
        ("postgresql://ann:hunter2?x@db/ledger", "postgresql://…"),
        ("postgresql://h/ledger?password=hunter2@x", "postgresql://…"),
        ("postgresql://ann:hunter2", "postgresql://…"),
        ("postgresql://a:1,[::1]:2/x", "postgresql://a:1,[::1]:2/x"),
    ],
)
def test_no_password_is_shown(address: str, shown: str) -> None:
    """In no text that the address or the settings become."""
    settings = Settings(database=address)
    assert shown == str(settings.database)
    for text in (repr(settings), repr(settings.database), repr(store_on(settings.database))):
        assert "hunter2" not in text


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ann:hunter2@127.0.0.1:1/x", 'server at "127.0.0.1", port 1 failed: Connection refused'),
        ("ann:hunter2@127.0.0.1:1/x?sslmode=none", "invalid sslmode value: …"),
        ("ann:pa@hunter2@127.0.0.1:1/x", "failed to resolve host …: "),
        ("ann:1@127.0.0.1:1/x?sslmode=hunter2@h", "invalid sslmode value: …"),
    ],
)
def test_why_a_connection_was_refused(address: str, reason: str) -> None:
    """The driver repeats what it took for a host or an option: perhaps part of a password."""
    with pytest.raises(ConfigError, match="can't be used") as caught:
        store_on(f"postgresql://{address}").open()
    assert reason in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_database_that_is_not_there_is_a_config_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Which tells where, and no password."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigError, match="can't be used") as caught:
        store_on("postgresql://ann:hunter2@127.0.0.1:1/ledger").open()
    assert "hunter2" not in f"{caught.value} {caplog.text}"


@pytest.mark.parametrize("address", ["postgresql://a b/c", "postgresql://a\0b", "postgresql://\n"])
def test_an_address_that_is_none_is_a_config_error(address: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigError, match="the database's address"):
        Settings(database=address)


def test_the_secret_key_has_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no file beside the database that every process could read."""
    monkeypatch.delenv("QUATRAIN_SECRET_KEY", raising=False)
    source = key_source(None, PostgresURL.of("postgresql://db/ledger"))
    with pytest.raises(ConfigError, match="QUATRAIN_SECRET_KEY"):
        source.load(may_create=True)
