"""``quatrain serve``: the local platform on this machine, until told to stop."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

from quatrain.server import logs
from quatrain.server.serve import run
from quatrain.server.settings import DEFAULT_PORT, Settings

from .options import Database, actions_option, database_option, runner_option
from .text import printable

__all__ = ["serve"]


@click.command()
@database_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="0 takes any free one.",
)
@click.option(
    "--allow-remote",
    is_flag=True,
    help="Let other machines reach it. Keys then travel in plain text: put TLS in front.",
)
@click.option(
    "--allowed-host",
    multiple=True,
    metavar="NAME",
    help="A further name that requests may call this host. Repeatable.",
)
@click.option(
    "--return-to",
    multiple=True,
    metavar="ORIGIN",
    help="Where Vendo's connect page may send people back to, besides programs on this machine:"
    " https://app.example. Repeatable.",
)
@click.option(
    "--seed",
    type=click.Choice(["demo", "none"]),
    default="demo",
    show_default=True,
    help="What a new database is filled with: a made-up business, or nothing.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the log, on standard error, is written: for people, or a JSON object a line.",
)
@click.option(
    "--log-requests/--no-log-requests",
    default=None,
    help="Log every request.  [default: with --log-format json]",
)
@click.option(
    "--metrics-public",
    is_flag=True,
    help="Answer /metrics without a key. Else it takes one with the scope metrics:read.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="For how long to wait for a PostgreSQL server that does not answer or is just starting.",
)
@runner_option
@actions_option
def serve(  # noqa: PLR0917  an option each
    database: Database,
    host: str,
    port: int,
    allow_remote: bool,
    allowed_host: tuple[str, ...],
    return_to: tuple[str, ...],
    seed: str,
    log_format: str,
    log_requests: bool | None,
    metrics_public: bool,
    wait: float,
    runner: str,
    actions: str | None,
) -> None:
    """Serve the local platform on this machine until Ctrl-C.

    Requests under way are then finished, and what was answered is on the disk.

    What is connected in Vendo is sealed with the key in QUATRAIN_SECRET_KEY (32 random bytes in
    base64), or in a file beside the database, which is made when it is first needed. On PostgreSQL
    it has to be in the environment.
    """
    settings = Settings(
        database=database,
        host=host,
        port=port,
        allow_remote=allow_remote,
        allowed_hosts=frozenset(allowed_host),
        vendo_return_to=frozenset(return_to),
        seed="demo" if seed == "demo" else None,
        metrics_public=metrics_public,
        velerian_runner=runner,
        vendo_actions=actions or {},
    )

    name = printable(str(database))

    def made(command: str) -> str:
        """The shell's way to what a command prints, that is about this database."""
        if isinstance(database, Path):
            return f"$(quatrain {command} --database {shlex.quote(name)})"
        # the address holds a password: others can see command lines, and not the environment
        return f'$(QUATRAIN_DATABASE="${{QUATRAIN_DATABASE:?}}" quatrain {command})'

    def announce(url: str) -> None:
        greeting = (
            f"Serving {name} on {url}\n"
            f"  export VERITY_BASE_URL={url}/v1\n"
            f"  export VERITY_API_KEY={made('keys create')}\n"
            f"  export VOS_BASE_URL={url}\n"
            f"  export VOS_EXT_KEY={made('velocity install local')}\n"
            f"  export VELERIAN_BASE_URL={url}"
            f" VELERIAN_API_KEY={made('velerian keys create')}\n"
            f"  export VENDO_BASE_URL={url} VENDO_CREDENTIALS_URL={url}/credentials"
            f" VENDO_DATA_PROXY_URL={url}/composio\n"
            f"  export VENDO_API_KEY={made('vendo keys create')}\n"
            f"{url}/explorer shows the effects, to who has a key of theirs.\n"
            "Ctrl-C stops it."
        )
        try:
            click.echo(greeting)
        except OSError:  # nobody reads it any more, which is no reason not to serve
            discard_output()

    # whoever runs it is to learn what it warns of, and why a request failed
    as_json = log_format == "json"
    logs.set_up(
        "json" if as_json else "text", requests=as_json if log_requests is None else log_requests
    )
    try:
        run(settings, on_ready=announce, wait=wait)
    except KeyboardInterrupt:  # the way to stop it: no failure
        click.echo("Stopped.")


def discard_output() -> None:
    """Send standard output nowhere, with what is waiting to be written to it."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123  a device
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
