"""Where commands write: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import Progress
from rich.status import Status
from rich.table import Table

from .text import json_text

__all__ = ["note", "print_json", "print_table", "progress", "results", "waiting"]

#: Wide enough for any table: a file or a pipe has no width, and nothing is cut off for it.
UNLIMITED: Final = 100_000


def results() -> Console:
    """A console on standard output."""
    width = None if sys.stdout.isatty() else UNLIMITED
    return Console(width=width, highlight=False, emoji=False)


def print_table(rows: Table) -> None:
    """*rows* on standard output; below each other where the terminal is too narrow for a table.

    An id in pieces can't be copied, and the next command may want it.
    """
    console = results()
    unbounded = console.options.update(max_width=UNLIMITED)
    if not rows.rows or console.measure(rows, options=unbounded).maximum <= console.width:
        console.print(rows)
        return
    for number, cells in enumerate(zip(*(column.cells for column in rows.columns), strict=True)):
        if number:
            console.print()
        for column, value in zip(rows.columns, cells, strict=True):
            console.print(f"{column.header}: ", value, sep="", soft_wrap=True)


def note(message: str) -> None:
    """Something for whoever runs the command, not for what reads its output."""
    click.echo(message, err=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json_text(value, indent=2))


@contextmanager
def waiting(message: str) -> Iterator[Status]:
    """A spinner on standard error, if that is a terminal."""
    with Console(stderr=True).status(message) as status:
        yield status


@contextmanager
def progress(message: str, *, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, if that is a terminal; what it gives moves it to so many of *total*.

    Without a total it only shows that something goes on.
    """
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(message, total=total)
        yield lambda done: bar.update(task, completed=done)
