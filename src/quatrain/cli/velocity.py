"""``quatrain velocity``: what a founder does in Velocity OS's own app, for the local platform."""

from __future__ import annotations

from typing import Any, Final, get_args

import click

from quatrain.models.velocity import Scope

from .management import ManagementOptions, management_options
from .management_tables import account_card, installs_table, modules_table, team_table
from .options import json_option, json_value
from .output import note, print_json, print_table, results, waiting
from .text import printable
from .velocity_tasks import tasks

__all__ = ["velocity"]

SCOPES: Final = get_args(Scope)


@click.group()
def velocity() -> None:
    """Let extensions in, and change the business data that they see."""


velocity.add_command(tasks)


@velocity.command()
@json_option
@management_options
def show(platform: ManagementOptions, as_json: bool) -> None:
    """Show the founder's account."""
    with waiting("Asking the platform"), platform.open() as client:
        account = client.get("velocity", "account")
    if as_json:
        print_json(account)
    else:
        results().print(account_card(account))


@velocity.command()
@management_options
def seed(platform: ManagementOptions) -> None:
    """Fill an account that has no business data with the demo's."""
    with waiting("Asking the platform"), platform.open(create=True) as client:
        account = client.post("velocity", "seed")
    note(f"{_name(account)} has business data.")


@velocity.command()
@click.argument("tier")
@click.option("--source", help="Who changed it, as the webhook tells.")
@management_options
def tier(platform: ManagementOptions, tier: str, source: str | None) -> None:
    """Change the founder's subscription to TIER, any word.

    On the tier academy there are programs for extensions to see.
    """
    with waiting("Asking the platform"), platform.open() as client:
        account = client.post("velocity", "subscription", tier=tier, source=source)
    note(f"{_name(account)} is on the tier {printable(account['tier'])}.")


def _name(account: dict[str, Any]) -> str:
    return printable(account["name"] or account["tenant"])


# -- installs -------------------------------------------------------------------------------------


@velocity.command()
@click.argument("slug")
@click.option("--name", help="What people call the extension.")
@click.option("--developer", help="Who made it.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="What it may do; everything by default. Repeatable.",
)
@click.option("--sandbox", is_flag=True, help="It sees sample data, and changes nothing.")
@management_options
def install(
    platform: ManagementOptions,
    slug: str,
    name: str | None,
    developer: str | None,
    scopes: tuple[str, ...],
    sandbox: bool,
) -> None:
    """Install the extension SLUG and print its key, this once.

    Only the key goes to standard output:

        export VOS_EXT_KEY=$(quatrain velocity install ghl-sync)

    Clients use it on the hosted platform, unless told of the one that `quatrain serve` runs:

        export VOS_BASE_URL=http://127.0.0.1:8787
    """
    with waiting("Asking the platform"), platform.open(create=True) as client:
        made = client.post(
            "velocity",
            "installs",
            slug=slug,
            name=name,
            developer=developer,
            scopes=list(scopes) or None,
            sandbox=sandbox,
        )
    click.echo(made["key"])
    may = "everything" if set(made["scopes"]) == set(SCOPES) else " ".join(made["scopes"])
    where = " in the sandbox" if made["sandbox"] else ""
    note(
        f"{made['install_id']}: {printable(made['extension_slug'])} is installed{where} and may: "
        f"{may}. The key can't be shown again."
    )


@velocity.command()
@json_option
@management_options
def installs(platform: ManagementOptions, as_json: bool) -> None:
    """List the installs, revoked ones too.

    Only the first characters of each key are known.
    """
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("velocity", "installs")["items"]
    if as_json:
        print_json(found)
    else:
        print_table(installs_table(found))


@velocity.command()
@click.argument("install_id")
@management_options
def revoke(platform: ManagementOptions, install_id: str) -> None:
    """Revoke INSTALL_ID, which `velocity installs` shows.

    Its key opens nothing any more.
    """
    with waiting("Asking the platform"), platform.open() as client:
        gone = client.post("velocity", "installs", install_id, "revoke")
    note(f"{gone['install_id']}, of {printable(gone['extension_slug'])}, is revoked.")


# -- team and modules -----------------------------------------------------------------------------


@velocity.group()
def team() -> None:
    """List the team, and add to it."""


@team.command("list")
@json_option
@management_options
def list_team(platform: ManagementOptions, as_json: bool) -> None:
    """List everybody on the team."""
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("velocity", "team")["items"]
    if as_json:
        print_json(found)
    else:
        print_table(team_table(found))


@team.command("add")
@click.argument("name")
@click.option("--role", help="What they do.")
@click.option("--email", help="Where to reach them.")
@management_options
def add_member(platform: ManagementOptions, name: str, role: str | None, email: str | None) -> None:
    """Add NAME to the team."""
    with waiting("Asking the platform"), platform.open() as client:
        added = client.post("velocity", "team", name=name, role=role, email=email)
    note(f"{printable(added['name'])} is on the team.")


@velocity.group()
def modules() -> None:
    """List the modules, and complete them."""


@modules.command("list")
@json_option
@management_options
def list_modules(platform: ManagementOptions, as_json: bool) -> None:
    """List the modules that the founder has touched."""
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("velocity", "modules")["items"]
    if as_json:
        print_json(found)
    else:
        print_table(modules_table(found))


@modules.command("complete")
@click.argument("code")
@click.option(
    "--output",
    metavar="JSON|@FILE",
    callback=json_value,
    required=True,
    help="What came of it: any JSON.",
)
@management_options
def complete_module(platform: ManagementOptions, code: str, output: Any) -> None:
    """Complete the module CODE, or give a completed one another output."""
    with waiting("Asking the platform"), platform.open() as client:
        done = client.post("velocity", "modules", code, output=output)
    note(f"{printable(done['code'])} is completed.")
