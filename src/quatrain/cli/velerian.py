"""``quatrain velerian``: keys, governed processes, networks and runs of the local platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from .management import Management, ManagementOptions, management_options
from .options import json_option, limit_option
from .output import note, print_json, progress, results, waiting
from .text import printable
from .velerian_client import VelerianOptions, velerian_options
from .velerian_tables import (
    RUN_STYLES,
    abps_table,
    keys_table,
    networks_table,
    run_card,
    runs_table,
)
from .yamlfile import read_yaml

__all__ = ["velerian"]

SCOPES: Final = (
    *("runs:read", "runs:write", "evidence:read", "audit:read"),
    *("read", "write", "admin"),
)
PAGE: Final = 200
"""Runs that are asked for at a time."""
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def velerian() -> None:
    """Make keys, governed processes and networks, and look at runs."""


# -- keys -----------------------------------------------------------------------------------------


@velerian.group()
def keys() -> None:
    """Make, list and revoke Velerian's API keys."""


@keys.command()
@click.option("--name", help="What people call it.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="What it may do; all but admin by default. Repeatable.",
)
@click.option("--user", metavar="ID", help="Whose it is, as the audit log has it.")
@click.option("--rate", type=click.IntRange(min=1), help="Requests a minute that it may make.")
@click.option("--expires", metavar="TIME", help="Until when, in ISO-8601; for good by default.")
@management_options
def create(
    platform: ManagementOptions,
    name: str | None,
    scopes: tuple[str, ...],
    user: str | None,
    rate: int | None,
    expires: str | None,
) -> None:
    """Make a key and print its secret, this once.

    Only the secret goes to standard output:

        export VELERIAN_API_KEY=$(quatrain velerian keys create)
    """
    with waiting("Asking the platform"), platform.open(create=True) as client:
        made = client.post(
            "velerian",
            "keys",
            name=name,
            scopes=list(scopes) or None,
            user_id=user,
            rate_per_minute=rate,
            expires_at=expires,
        )
    click.echo(made["key"])
    may = " ".join(made["scopes"])
    note(f"{made['id']}: {printable(made['name'])} may: {may}. The key can't be shown again.")


@keys.command("list")
@json_option
@management_options
def list_keys(platform: ManagementOptions, as_json: bool) -> None:
    """List the keys, revoked ones too; their secrets are not known."""
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("velerian", "keys")["items"]
    if as_json:
        print_json(found)
    else:
        results().print(keys_table(found))


@keys.command()
@click.argument("key_id")
@management_options
def revoke(platform: ManagementOptions, key_id: str) -> None:
    """Revoke KEY_ID, which `keys list` shows; it opens nothing any more."""
    with waiting("Asking the platform"), platform.open() as client:
        gone = client.post("velerian", "keys", key_id, "revoke")
    note(f"{gone['id']}, {printable(gone['name'])}, is revoked.")


# -- ABPs -----------------------------------------------------------------------------------------


@velerian.group()
def abps() -> None:
    """List governed processes (ABPs), add some, deploy and retire them."""


@abps.command("list")
@json_option
@management_options
def list_abps(platform: ManagementOptions, as_json: bool) -> None:
    """List the ABPs, in every state."""
    with waiting("Asking the platform"), platform.open() as client:
        found = list(_all(client, "velerian", "abps"))
    if as_json:
        print_json(found)
    else:
        results().print(abps_table(found))


@abps.command("add")
@click.argument("file", type=_FILE)
@management_options
def add_abp(platform: ManagementOptions, file: Path) -> None:
    """Add the ABP that the YAML FILE describes, as a draft; its id goes to standard output.

    FILE has a name and a policy, and may have an abp_id and a state.
    """
    described = _fields(file, required=("name", "policy"), optional=("abp_id", "state"))
    with waiting("Asking the platform"), platform.open(create=True) as client:
        added = client.post("velerian", "abps", **described)
    click.echo(added["abp_id"])
    note(f"{printable(added['name'])} is added: {added['state']}.")


@abps.command()
@click.argument("abp_id")
@management_options
def deploy(platform: ManagementOptions, abp_id: str) -> None:
    """Let ABP_ID, which `abps list` shows, be invoked."""
    with waiting("Asking the platform"), platform.open() as client:
        changed = client.post("velerian", "abps", abp_id, "deploy")
    note(f"{changed['abp_id']}, {printable(changed['name'])}, is deployed.")


@abps.command()
@click.argument("abp_id")
@management_options
def retire(platform: ManagementOptions, abp_id: str) -> None:
    """Let ABP_ID, which `abps list` shows, be invoked no more; for good."""
    with waiting("Asking the platform"), platform.open() as client:
        changed = client.post("velerian", "abps", abp_id, "retire")
    note(f"{changed['abp_id']}, {printable(changed['name'])}, is retired.")


# -- networks -------------------------------------------------------------------------------------


@velerian.group()
def networks() -> None:
    """List the networks, and add some."""


@networks.command("list")
@json_option
@management_options
def list_networks(platform: ManagementOptions, as_json: bool) -> None:
    """List the networks."""
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("velerian", "networks")["items"]
    if as_json:
        print_json(found)
    else:
        results().print(networks_table(found))


@networks.command("add")
@click.argument("slug")
@click.option("--name", help="What people call it.")
@click.option("--model", "model_id", metavar="ID", help="What its runs name as their model.")
@click.option("--policy", type=_FILE, help="What may run, in YAML; everything may by default.")
@management_options
def add_network(
    platform: ManagementOptions,
    slug: str,
    name: str | None,
    model_id: str | None,
    policy: Path | None,
) -> None:
    """Add the network SLUG; its policy is asked about the prompt and the metadata of each run."""
    document = None if policy is None else read_yaml(policy)
    with waiting("Asking the platform"), platform.open(create=True) as client:
        added = client.post(
            "velerian", "networks", slug=slug, name=name, model_id=model_id, policy=document
        )
    note(f"{added['slug']} can be invoked.")


# -- runs -----------------------------------------------------------------------------------------


@velerian.group()
def runs() -> None:
    """Look at the runs of networks."""


@runs.command("list")
@click.option("--status", type=click.Choice(list(RUN_STYLES)), help="In this state only.")
@limit_option
@json_option
@management_options
def list_runs(platform: ManagementOptions, status: str | None, limit: int, as_json: bool) -> None:
    """List the runs, newest first."""
    with waiting("Asking the platform"), platform.open() as client:
        found: list[dict[str, Any]] = []
        more = False
        for run in _runs(client, status=status, limit=min(limit, PAGE)):
            if more := len(found) == limit:
                break
            found.append(run)
    if as_json:
        print_json(found)
    else:
        results().print(runs_table(found))
    if more:
        note(f"There are more than {limit}: raise --limit.")


@runs.command("show")
@click.argument("run_id")
@json_option
@management_options
def show_run(platform: ManagementOptions, run_id: str, as_json: bool) -> None:
    """Show RUN_ID: what was asked, what came of it, and why."""
    with waiting("Asking the platform"), platform.open() as client:
        found = client.get("velerian", "runs", run_id)
    if as_json:
        print_json(found)
    else:
        results().print(run_card(found))


@runs.command("wait")
@click.argument("run_id")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.0),
    default=900.0,
    show_default=True,
    help="Seconds; the run goes on all the same.",
)
@json_option
@velerian_options
def wait_for_run(velerian: VelerianOptions, run_id: str, timeout: float, as_json: bool) -> None:
    """Wait until RUN_ID is over, and show it. The exit status is 1 unless it succeeded."""
    with velerian.open() as client, progress(f"Run {printable(run_id)}", total=None) as advance:
        found = client.await_run(
            run_id, poll_interval=0.5, run_timeout=timeout, on_progress=lambda _: advance(0)
        )
    if as_json:
        print_json(found)
    else:
        results().print(run_card(found))
    if found["status"] != "succeeded":
        raise click.exceptions.Exit(1)


def _runs(client: Management, **query: Any) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = client.get("velerian", "runs", cursor=cursor, **query)
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _all(client: Management, *path: str) -> Iterator[dict[str, Any]]:
    """Every item of a list that is answered by parts."""
    offset = 0
    while items := client.get(*path, limit=1_000, offset=offset)["items"]:
        yield from items
        offset += len(items)


def _fields(file: Path, *, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    """What a file describes; raises ClickException for fields that it lacks, or may not have."""
    described = read_yaml(file)
    for name in required:
        if name not in described:
            raise click.ClickException(f"{file} can't be used: it has no {name}")
    for name in described:
        if name not in {*required, *optional}:
            known = ", ".join((*required, *optional))
            raise click.ClickException(f"{file} can't be used: {name!r} is none of {known}")
    return described
