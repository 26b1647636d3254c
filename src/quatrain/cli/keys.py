"""``quatrain keys``: who may use the platform on a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from quatrain.server.keys import ALL_SCOPES, DEFAULT_SCOPES, Key, KeyRing, Mode
from quatrain.server.settings import Settings
from quatrain.server.store import store_on

from .options import Database, check_there, database_option, json_option
from .output import note, print_json, print_table
from .tables import table
from .text import cell, printable

__all__ = ["keys"]


@click.group()
def keys() -> None:
    """Make, list and revoke the API keys of a database."""


@keys.command()
@database_option
@click.option("--live", is_flag=True, help="For live data; test data is the default.")
@click.option("--name", default="default", show_default=True, help="To tell it from others.")
@click.option("--tenant", default="local", show_default=True, help="Whose data it opens.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(sorted(scope.value for scope in ALL_SCOPES)),
    multiple=True,
    help="What it may do; everything about effects by default. Repeatable.",
)
def create(database: Database, live: bool, name: str, tenant: str, scopes: tuple[str, ...]) -> None:
    """Make a key and print it, this once.

    Only the key goes to standard output:

        export VERITY_API_KEY=$(quatrain keys create)
    """
    with _key_ring(database) as ring:
        key, secret = ring.create(
            mode=Mode.LIVE if live else Mode.TEST,
            tenant=tenant,
            name=name,
            scopes=scopes or DEFAULT_SCOPES,
        )
    click.echo(secret.reveal())
    note(
        f"{key.key_id}: a {key.mode} key of {printable(key.tenant)}, named {printable(key.name)}. "
        "It can't be shown again."
    )


@keys.command("list")
@database_option
@json_option
def list_(database: Database, as_json: bool) -> None:
    """List the keys, revoked ones too.

    Only the first characters of each are known.
    """
    with _key_ring(database, must_exist=True) as ring:
        found = ring.list()
    if as_json:
        print_json([_as_json(key) for key in found])
        return
    rows = table("id", "name", "tenant", "data", "begins with", "may", "created", "used", "revoked")
    for key in found:
        cells = [key.key_id, key.name, key.tenant, key.mode, key.hint, " ".join(sorted(key.scopes))]
        times = [_time(at) for at in (key.created_at, key.last_used_at, key.revoked_at)]
        style = "" if key.revoked_at is None else "dim"
        rows.add_row(*(cell(value, style=style) for value in [*cells, *times]))
    print_table(rows)


@keys.command()
@database_option
@click.argument("key_id")
def revoke(database: Database, key_id: str) -> None:
    """Revoke the key KEY_ID, which `keys list` shows.

    Within a second nobody gets in with it.
    """
    with _key_ring(database, must_exist=True) as ring:
        key = ring.revoke(key_id)
    note(f"{key.key_id}, named {printable(key.name)}, is revoked.")


@contextmanager
def _key_ring(database: Database, *, must_exist: bool = False) -> Iterator[KeyRing]:
    if must_exist:
        check_there(database)
    with store_on(Settings(database=database).database) as store:
        yield KeyRing(store)


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_json(key: Key) -> dict[str, Any]:
    return {
        "keyId": key.key_id,
        "name": key.name,
        "tenant": key.tenant,
        "mode": key.mode,
        "hint": key.hint,
        "scopes": sorted(key.scopes),
        "createdAt": _time(key.created_at),
        "lastUsedAt": _time(key.last_used_at),
        "revokedAt": _time(key.revoked_at),
    }
