"""``quatrain velocity tasks``: the founder's backlog."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, get_args

import click

from quatrain.models.velocity import Category, Quadrant, Timeframe

from .management import ManagementOptions, management_options
from .management_tables import tasks_table
from .options import json_option
from .output import note, print_json, print_table, waiting
from .text import printable

__all__ = ["tasks"]


def _fields(*more: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a task's optional fields; *more* are values that any choice may have."""
    options = (
        click.option("--category", type=_one_of(Category, more), help="What kind of work."),
        click.option("--timeframe", type=_one_of(Timeframe, more), help="How soon."),
        click.option("--quadrant", type=_one_of(Quadrant, more), help="How important, how urgent."),
        click.option("--assignee", help="Who is to do it."),
        click.option("--deadline", metavar="YYYY-MM-DD", help="Until when."),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        return reduce(lambda wrapped, option: option(wrapped), reversed(options), command)

    return decorate


def _one_of(values: Any, more: tuple[str, ...]) -> click.Choice[str]:
    return click.Choice([*get_args(values), *more])


@click.group()
def tasks() -> None:
    """List the tasks, add some, change and complete them."""


@tasks.command("list")
@json_option
@management_options
def list_(platform: ManagementOptions, as_json: bool) -> None:
    """List the tasks, open ones first."""
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("velocity", "tasks")
    if as_json:
        print_json(found)
    else:
        print_table(tasks_table([*found["open"], *found["completed"]]))


@tasks.command()
@click.argument("action")
@click.option("--module", "module_source", required=True, help="The module that it came from.")
@_fields()
@management_options
def add(platform: ManagementOptions, **fields: str | None) -> None:
    """Add a task to do ACTION; its id goes to standard output."""
    with waiting("Asking the platform"), platform.open() as client:
        added = client.post("velocity", "tasks", **fields)
    click.echo(added["task_id"])
    note(f"{printable(added['action'])} is in the backlog.")


@tasks.command()
@click.argument("task_id")
@click.option("--action", help="What to do.")
@click.option("--module", "module_source", help="The module that it came from.")
@_fields("")
@management_options
def update(platform: ManagementOptions, task_id: str, **fields: str | None) -> None:
    """Change the open task TASK_ID, which `tasks list` shows. "" empties a field."""
    if all(value is None for value in fields.values()):
        raise click.UsageError("what is to change? Give an option.")
    with waiting("Asking the platform"), platform.open() as client:
        changed = client.post("velocity", "tasks", task_id, **fields)
    note(f"{changed['task_id']}, {printable(changed['action'])}, is changed.")


@tasks.command()
@click.argument("task_id")
@management_options
def complete(platform: ManagementOptions, task_id: str) -> None:
    """Complete the task TASK_ID, which `tasks list` shows."""
    with waiting("Asking the platform"), platform.open() as client:
        done = client.post("velocity", "tasks", task_id, "complete")
    note(f"{done['task_id']}, {printable(done['action'])}, is done.")
