"""``quatrain vendo``: connections, apps and their keys, of the local platform."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from quatrain._catalogue import CATALOGUE
from quatrain._secret import Secret
from quatrain.server.vendo.address import page_url

from .management import Management, ManagementOptions, management_options
from .options import json_option
from .output import note, print_json, print_table, waiting
from .text import printable
from .vendo_tables import apps_table, connections_table, keys_table
from .vendo_wallet import wallet

__all__ = ["vendo"]

PAGE: Final = 1_000
"""Connections that are asked for at a time."""
STDIN: Final = "-"

_app_option: Final = click.option(
    "--app", metavar="SLUG", default="local", show_default=True, help="Which app; made if need be."
)
_user_option: Final = click.option(
    "--user", metavar="ID", help="One user's own; everybody's by default."
)


@click.group()
def vendo() -> None:
    """Connect integrations, and make keys for the apps that use them."""


vendo.add_command(wallet)


# -- connections ----------------------------------------------------------------------------------


@vendo.command()
@click.option("--all", "revoked", is_flag=True, help="Disconnected ones, too.")
@json_option
@management_options
def connections(platform: ManagementOptions, revoked: bool, as_json: bool) -> None:
    """List the connections, oldest first; their tokens are not shown."""
    with waiting("Asking the platform"), platform.open() as client:
        found = list(_connections(client, revoked=revoked))
    if as_json:
        print_json(found)
    else:
        print_table(connections_table(found))


@vendo.command()
@click.argument("slug", type=click.Choice(list(CATALOGUE)), metavar="SLUG")
@click.option(
    "--key",
    "source",
    type=click.Choice([STDIN]),
    help="Read a key from standard input, though it could be granted or asked for.",
)
@_user_option
@_app_option
@click.option("--page", is_flag=True, help="Only print the address of the page to do it on.")
@click.option("--return-to", metavar="URL", help="With --page: where that then leads.")
@click.option(
    "--app-key",
    envvar="VENDO_API_KEY",
    show_envvar=True,
    help="With --page: the app's key. Prefer the environment: others can see command lines.",
)
@management_options
def connect(
    platform: ManagementOptions,
    slug: str,
    source: str | None,
    user: str | None,
    app: str,
    page: bool,
    return_to: str | None,
    app_key: str | None,
) -> None:
    """Connect the integration SLUG, and let an app use it.

    A key is asked for, and not shown; what is connected by a grant (gmail, notion, slack) gets one
    from a simulated provider. The connection's id goes to standard output.
    """
    if page:
        click.echo(_page(platform, slug, return_to, app_key))
        return
    if return_to is not None:
        raise click.UsageError("--return-to goes with --page.")
    key = _key_for(slug, source)
    with waiting("Asking the platform"), platform.open(create=True) as client:
        made = client.post("vendo", "connections", slug=slug, app=app, key=key, user_id=user)
    click.echo(made["connection_id"])
    apps = ", ".join(map(printable, made["apps"]))
    note(f"{printable(made['display_name'])} is connected{_for(made)}, for: {apps}.")


@vendo.command()
@click.argument("which", metavar="SLUG|ID")
@_user_option
@management_options
def disconnect(platform: ManagementOptions, which: str, user: str | None) -> None:
    """Disconnect the integration SLUG, or the connection ID, for every app.

    Its token is deleted, and can't be had back.
    """
    with waiting("Asking the platform"), platform.open() as client:
        gone = client.post("vendo", "connections", _find(client, which, user), "disconnect")
    note(f"{gone['connection_id']}, {printable(gone['display_name'])}, is disconnected.")


# -- apps and keys --------------------------------------------------------------------------------


@vendo.command()
@json_option
@management_options
def apps(platform: ManagementOptions, as_json: bool) -> None:
    """List the apps."""
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("vendo", "apps")["items"]
    if as_json:
        print_json(found)
    else:
        print_table(apps_table(found))


@vendo.group()
def keys() -> None:
    """Make, list and revoke the keys of apps."""


@keys.command()
@_app_option
@click.option(
    "--connection", metavar="ID", help="For a key that opens this connection, and nothing else."
)
@click.option("--expires", metavar="TIME", help="Until when, in ISO-8601; for good by default.")
@management_options
def create(
    platform: ManagementOptions, app: str, connection: str | None, expires: str | None
) -> None:
    """Make a key and print its secret, this once.

    Only the secret goes to standard output:

        export VENDO_API_KEY=$(quatrain vendo keys create)
    """
    with waiting("Asking the platform"), platform.open(create=True) as client:
        made = client.post("vendo", "keys", app=app, connection_id=connection, expires_at=expires)
    click.echo(made["key"])
    opens = "" if made["integration"] is None else f" that opens {printable(made['integration'])}"
    note(f"{made['id']}: a key of {printable(made['app'])}{opens}. It can't be shown again.")


@keys.command("list")
@json_option
@management_options
def list_keys(platform: ManagementOptions, as_json: bool) -> None:
    """List the keys, revoked ones too; their secrets are not known."""
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("vendo", "keys")["items"]
    if as_json:
        print_json(found)
    else:
        print_table(keys_table(found))


@keys.command()
@click.argument("key_id")
@management_options
def revoke(platform: ManagementOptions, key_id: str) -> None:
    """Revoke KEY_ID, which `keys list` shows; it opens nothing any more."""
    with waiting("Asking the platform"), platform.open() as client:
        gone = client.post("vendo", "keys", key_id, "revoke")
    note(f"{gone['id']}, of {printable(gone['app'])}, is revoked.")


@vendo.command("user-token")
@click.argument("user")
@click.option(
    "--seconds", type=click.IntRange(min=1), default=3_600, show_default=True, help="Until it ends."
)
@management_options
def user_token(platform: ManagementOptions, user: str, seconds: int) -> None:
    """Print what an app sends as X-Vendo-User-JWT, to act for USER."""
    with waiting("Asking the platform"), platform.open(create=True) as client:
        made = client.post("vendo", "user-tokens", user_id=user, seconds=seconds)
    click.echo(made["user_jwt"])
    note(f"For {printable(made['user_id'])}, until {made['expires_at']}.")


@vendo.command()
@management_options
def reseal(platform: ManagementOptions) -> None:
    """Seal every token with the newest secret key, after which older ones are not needed."""
    with waiting("Asking the platform"), platform.open() as client:
        count = client.post("vendo", "reseal")["resealed"]
    note(f"{count} of the tokens were sealed anew.")


def _key_for(slug: str, source: str | None) -> str | None:
    """The key to connect with; None for a grant."""
    if source == STDIN:
        return sys.stdin.read().strip()
    if CATALOGUE[slug].oauth:
        return None
    key: str = click.prompt(f"{CATALOGUE[slug].name}'s key", hide_input=True, err=True)
    return key


def _page(
    platform: ManagementOptions, slug: str, return_to: str | None, app_key: str | None
) -> str:
    if platform.url is None:
        raise click.UsageError("--page is one of a platform that is served: give --url.")
    if not (return_to and app_key):
        raise click.UsageError("--page needs --return-to, and an app's key in VENDO_API_KEY.")
    return page_url(
        platform.url.rstrip("/"),
        slug,
        app_key=Secret(app_key),
        return_to=return_to,
        state=secrets.token_urlsafe(16),
    )


def _connections(client: Management, *, revoked: bool) -> Iterator[dict[str, Any]]:
    offset = 0
    asked = "true" if revoked else "false"
    while items := client.get("vendo", "connections", revoked=asked, limit=PAGE, offset=offset)[
        "items"
    ]:
        yield from items
        offset += len(items)


def _find(client: Management, which: str, user: str | None) -> str:
    """The id of a connection; raises ClickException when there is none."""
    if which not in CATALOGUE:
        return which
    for each in _connections(client, revoked=False):
        if (each["slug"], each["user_id"]) == (which, user):
            connection_id: str = each["connection_id"]
            return connection_id
    whose = "" if user is None else f" of {printable(user)}"
    raise click.ClickException(f"there is no connection{whose} to {which}")


def _for(made: dict[str, Any]) -> str:
    return "" if made["user_id"] is None else f" for {printable(made['user_id'])}"
