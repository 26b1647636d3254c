"""The one SQL text, as the driver and the server take it."""

from __future__ import annotations

import pytest

from quatrain.server.store.postgres.sql import numbered, translated
from tests._require import import_for

import_for("postgres", "psycopg", "psycopg[binary]")
pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT :a, ?", "SELECT %(a)s, %s"),
        ("SELECT ':a ? % ''x'' :b', :b", "SELECT ':a ? %% ''x'' :b', %(b)s"),
        ('SELECT "a:b", x::text', 'SELECT "a:b", x::text'),
        ("x LIKE '% ' || :a || ' %'", "x LIKE '%% ' || %(a)s || ' %%'"),
        ("SELECT 7 % 2", "SELECT 7 %% 2"),
        ("instr(effect_key, :key) > 0", "strpos(effect_key, %(key)s) > 0"),
        ("'instr('", "'instr('"),
    ],
)
def test_a_statement_is_translated(text: str, expected: str) -> None:
    """Names and marks become the driver's; quoted text and casts stay."""
    assert expected == translated(text).text


def test_a_statement_is_numbered() -> None:
    """As the server takes it, which knows neither names nor doubled signs."""
    text = "SELECT :b::int, :a % 2, ':a', :b"
    assert "SELECT $2::int, $1 % 2, ':a', $2" == numbered(text, ("a", "b"))


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("INSERT INTO vendo_events (a) VALUES (1)", "vendo_events"),
        ("UPDATE webhook_deliveries SET a = 1", "webhook_deliveries"),
        ("SELECT 1 FROM vendo_events", None),
    ],
)
def test_it_is_known_what_is_written(text: str, table: str | None) -> None:
    """Somebody may wait for it."""
    assert table == translated(text).table
