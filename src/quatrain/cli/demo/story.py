"""A story that the demo tells: steps, each of which is checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import attrs
import click
from rich.console import Console

from quatrain import QuatrainError

from ..output import results
from ..text import printable

__all__ = ["Teller", "WentWrongError", "check"]


class WentWrongError(Exception):
    """A step of the demo did not come out."""


@attrs.frozen
class Teller:
    """Says what happens, step by step."""

    console: Console = attrs.field(factory=results)

    def say(self, text: str) -> None:
        """A line of the story."""
        self.console.print(text)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Around what has to come out. Raises ClickException when it does not."""
        try:
            yield
        except (WentWrongError, QuatrainError) as exc:
            reason = f"The demo failed at: {name}. {exc}"
            raise click.ClickException(printable(reason)) from exc
        self.console.print(f"[green]ok[/]  {name}.")


def check(what: str, found: object, expected: object) -> None:
    """Raises WentWrongError unless *found* is what was *expected*."""
    if found != expected:
        raise WentWrongError(f"{what} {found!r}, and not {expected!r}")
