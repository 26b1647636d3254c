"""``quatrain webhooks``: where events go, what was sent, and a receiver to look at them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, get_args

import click

from quatrain.errors import ConflictError, NotFoundError
from quatrain.models.velocity import EVENT_SCOPES, EventType

from .listen import EXTENSION_HELP, listen
from .management import Management, ManagementOptions, management_options
from .management_tables import DELIVERY_STYLES, coverage, deliveries_table, endpoints_table
from .options import json_option, json_value, limit_option
from .output import note, print_json, print_table, waiting
from .text import printable

__all__ = ["webhooks"]

EVENTS: Final = get_args(EventType)
STATUSES: Final = sorted(DELIVERY_STYLES)
PAGE: Final = 200
"""Deliveries that are asked for at a time."""


def _event_names(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """Raises UsageError for an event that there is not."""
    names = [name.strip() for value in values for name in value.split(",")]
    for name in names:
        if name not in EVENTS:
            reason = f"there is no event {name!r}; there are {', '.join(EVENTS)}"
            raise click.BadParameter(reason, ctx, param)
    return names


@click.group()
def webhooks() -> None:
    """Say where events go, look at what was sent, and receive it.

    `quatrain serve`, on the same database, is what sends.
    """


webhooks.add_command(listen)


@webhooks.command()
@click.argument("target", metavar="URL")
@click.option(
    "--event",
    "--events",
    "events",
    metavar="EVENT,…",
    multiple=True,
    callback=_event_names,
    help="These events only, with commas between them. Repeatable; every event by default.",
)
@click.option("--extension", metavar="SLUG", help=EXTENSION_HELP)
@click.option("--secret", help="What signs them, 16 characters or more; one is made up by default.")
@management_options
def add(
    platform: ManagementOptions,
    target: str,
    events: list[str],
    extension: str | None,
    secret: str | None,
) -> None:
    """Send events to URL, and print the secret that signs them, this once.

    Those of changes from now on, as far as the extension's scopes allow.

    Only the secret goes to standard output:

        export VOS_WEBHOOK_SECRET=$(quatrain webhooks add "$URL")
    """
    with waiting("Asking the platform"), platform.open(create=True) as client:
        made = client.post(
            "webhooks",
            url=target,
            events=events or None,
            extension=extension,
            secret=secret,
        )
    click.echo(made["secret"])
    where = f"{coverage(made)} to {printable(made['url'])}"
    note(f"{made['endpoint_id']}: {where}. The secret can't be shown again.")


@webhooks.command("list")
@json_option
@management_options
def list_(platform: ManagementOptions, as_json: bool) -> None:
    """List where events go, removed endpoints too."""
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("webhooks")["items"]
    if as_json:
        print_json(found)
    else:
        print_table(endpoints_table(found))


@webhooks.command()
@click.argument("endpoint_id")
@management_options
def remove(platform: ManagementOptions, endpoint_id: str) -> None:
    """Send nothing more to ENDPOINT_ID, which `webhooks list` shows.

    What waits is cancelled.
    """
    with waiting("Asking the platform"), platform.open() as client:
        removed = client.post("webhooks", endpoint_id, "remove")
    note(f"{removed['endpoint_id']}, {printable(removed['url'])}, is removed.")


@webhooks.command()
@click.option(
    "--status", type=click.Choice(STATUSES, case_sensitive=False), help="In this state only."
)
@click.option("--event", type=click.Choice(EVENTS), help="Of this event only.")
@limit_option
@json_option
@management_options
def deliveries(
    platform: ManagementOptions, status: str | None, event: str | None, limit: int, as_json: bool
) -> None:
    """List deliveries, newest first.

    Those that were made, and those that wait, have failed or were cancelled.
    """
    with waiting("Asking the platform"), platform.open() as client:
        found: list[dict[str, Any]] = []
        more = False
        for delivery in _deliveries(client, status=status, event=event, limit=min(limit, PAGE)):
            if more := len(found) == limit:
                break
            found.append(delivery)
    if as_json:
        print_json(found)
    else:
        print_table(deliveries_table(found))
    if more:
        note(f"There are more than {limit}: raise --limit.")


@webhooks.command()
@click.argument("delivery_ids", nargs=-1, metavar="[DELIVERY_ID]…")
@click.option("--failed", is_flag=True, help="All that have failed, too.")
@management_options
def resend(platform: ManagementOptions, delivery_ids: tuple[str, ...], failed: bool) -> None:
    """Send deliveries once more.

    Whatever became of them, and under the ids they had: a receiver that handled one will not again.
    """
    if not delivery_ids and not failed:
        raise click.UsageError("which deliveries? Give their ids, or --failed.")
    with waiting("Asking the platform"), platform.open() as client:
        wanted = list(dict.fromkeys(delivery_ids))
        if failed:
            # all are looked up first: what is sent again may fail again meanwhile
            found = [d["delivery_id"] for d in _deliveries(client, status="FAILED", limit=PAGE)]
            wanted += [name for name in found if name not in delivery_ids]
        refused = [reason for name in wanted if (reason := _resent(client, name)) is not None]
    done = len(wanted) - len(refused)
    note(f"{done:,} {'delivery is' if done == 1 else 'deliveries are'} sent again.")
    if refused:
        raise click.ClickException("; ".join(refused))


def _resent(client: Management, delivery_id: str) -> str | None:
    """Why it could not be; the others are no worse off."""
    try:
        client.post("webhooks", "deliveries", delivery_id, "resend")
    except NotFoundError:
        return f"there is no delivery {printable(delivery_id)}"
    except ConflictError as exc:
        return f"{printable(delivery_id)}: {printable(exc.message)}"
    return None


@webhooks.command()
@click.argument("event", metavar="EVENT", type=click.Choice(EVENTS))
@click.option(
    "--payload",
    metavar="JSON|@FILE",
    callback=json_value,
    help="What it tells, an object; a sample of that event by default.",
)
@management_options
def trigger(platform: ManagementOptions, event: EventType, payload: Any) -> None:
    """Send an EVENT that did not happen.

    To whoever would get a real one: module.updated, tasks.created, tasks.updated, team.added,
    subscription.changed, extension.installed or extension.revoked.
    """
    with waiting("Asking the platform"), platform.open() as client:
        count = client.post("webhooks", "trigger", event=event, payload=payload)["deliveries"]
    if not count:
        scope = EVENT_SCOPES[event]
        note(
            "Nobody gets that event: `quatrain webhooks add URL` says where it should go, if the"
            f" extension's scopes have {scope}."
        )
    else:
        note(f"{event} goes to {count:,} {'endpoint' if count == 1 else 'endpoints'}.")


def _deliveries(client: Management, **query: Any) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = client.get("webhooks", "deliveries", cursor=cursor, **query)
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
