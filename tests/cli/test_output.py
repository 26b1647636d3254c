"""What commands print, on terminals of different widths."""

import io

import pytest
from rich.console import Console

from quatrain.cli import output
from quatrain.cli.tables import card, table

DELIVERY_ID = "dlv_" + "0123456789abcdef" * 2


@pytest.fixture
def terminal(monkeypatch):
    """Print on a terminal of so many columns: the lines that it shows."""

    def show(columns, rows):
        screen = io.StringIO()
        monkeypatch.setattr(output, "results", lambda: Console(file=screen, width=columns))
        output.print_table(rows)
        return screen.getvalue().splitlines()

    return show


@pytest.fixture
def rows():
    rows = table("id", "event", "last answer")
    rows.add_row(DELIVERY_ID, "team.added", "answered 500: not now")
    rows.add_row("dlv_2", "tasks.created", "-")
    return rows


def test_a_table_that_fits(terminal, rows):
    """A row is a line."""
    lines = terminal(80, rows)

    assert lines[0].startswith("┏")
    assert any(DELIVERY_ID in line and "500: not now" in line for line in lines)


def test_a_table_that_does_not_fit(terminal, rows):
    """Its rows come below each other, each value in one piece: an id can be copied."""
    expected = [
        f"id: {DELIVERY_ID}",
        "event: team.added",
        "last answer: answered 500: not now",
        "",
        "id: dlv_2",
        "event: tasks.created",
        "last answer: -",
    ]
    assert expected == terminal(79, rows)
    assert expected == terminal(20, rows)


def test_an_empty_table(terminal):
    """Its head is shown: there is nothing, rather than nothing was said."""
    assert any("id" in line for line in terminal(19, table("id", "last answer")))


def test_a_card_on_a_narrow_terminal():
    """Nothing is cut off."""
    screen = io.StringIO()
    Console(file=screen, width=20).print(card({"email": "maya@harborandpine.example"}))

    words = screen.getvalue().replace("email", "").split()
    assert "maya@harborandpine.example" == "".join(words)
