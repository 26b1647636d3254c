"""``quatrain webhooks listen``: what arrives is verified and printed, and handed on if wanted."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from quatrain._secret import Secret
from quatrain.errors import InputError, QuatrainError

from .management import ManagementOptions, management_options
from .management_tables import coverage
from .options import json_option
from .output import note, waiting
from .text import json_shown, json_text, printable

if TYPE_CHECKING:
    from .receiver import Arrival

__all__ = ["listen"]

HOST: Final = "127.0.0.1"
PORT: Final = 8788
PATH: Final = "/webhooks"
"""Where it says to be; it takes any path."""
EXTENSION_HELP: Final = "Whose events; unless given, those of the only one, or of `local`."


def _target(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Raises UsageError for what no request can go to."""
    if value is None:
        return None
    from quatrain.server.webhooks.endpoints import check_url  # noqa: PLC0415  slow to import

    try:
        return check_url(value)
    except InputError as exc:
        raise click.BadParameter(str(exc), ctx, param) from exc


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=PORT,
    show_default=True,
    help="0 takes any free one.",
)
@click.option(
    "--forward-to",
    metavar="URL",
    callback=_target,
    help="Hand what is verified on to there, and answer as it does.",
)
@click.option(
    "--secret",
    envvar="VOS_WEBHOOK_SECRET",
    show_envvar=True,
    help="What signs the deliveries, several by commas; with --register one is made up by default."
    " Prefer the environment: others can see command lines.",
)
@click.option(
    "--register",
    is_flag=True,
    help="Have the platform send its events here, for as long as this runs. `quatrain serve` has to"
    " run on the same database, or nobody sends.",
)
@click.option("--extension", metavar="SLUG", help=f"With --register. {EXTENSION_HELP}")
@json_option
@management_options
def listen(
    platform: ManagementOptions,
    port: int,
    forward_to: str | None,
    secret: str | None,
    register: bool,
    extension: str | None,
    as_json: bool,
) -> None:
    """Receive webhooks on this machine and print them, until Ctrl-C.

    Each is verified and answered: 200 if its signature is right, 401 if not, which is not handed
    on. With --forward-to the other's answer is what counts; 502 says that there was none. Headers
    and body come there as they were sent, so it can verify them as well, by the same secret.
    """
    if extension is not None and not register:
        raise click.UsageError("--extension goes with --register.")
    known = _known(secret)
    if not known and not register:
        raise click.UsageError("which secret? Set VOS_WEBHOOK_SECRET, or give --register.")
    from quatrain.server.serve import bind, url_of  # noqa: PLC0415  the web framework is slow

    listener = bind(HOST, port)
    try:
        if not register:
            _receive(listener, known, forward_to, "", as_json=as_json)
            return
        # bound before it is told of, so that nothing is sent in vain
        url = f"{url_of(listener)}{PATH}"
        with _registered(platform, url, extension, known[0] if known else None) as made:
            told = f" It gets {coverage(made)}."
            if forward_to and not known:  # or nobody there could verify
                told += f"\nThe secret, this once: export VOS_WEBHOOK_SECRET={made['secret']}"
            known = known or [Secret(made["secret"])]
            _receive(listener, known, forward_to, told, as_json=as_json)
    except KeyboardInterrupt:  # the way to stop it: no failure
        note("Stopped.")
    finally:
        listener.close()


def _known(secret: str | None) -> list[Secret]:
    """The secrets that are given, as the clients read them: by commas, the newest first."""
    return [Secret(part.strip()) for part in (secret or "").split(",") if part.strip()]


@contextmanager
def _registered(
    platform: ManagementOptions, url: str, extension: str | None, secret: Secret | None
) -> Iterator[dict[str, Any]]:
    """Send the events to *url* meanwhile; the endpoint, with the secret that signs them."""
    with _ended_by_sigterm():
        with waiting("Asking the platform"), platform.open(create=True) as client:
            signing = None if secret is None else secret.reveal()
            made = client.post("webhooks", url=url, extension=extension, secret=signing)
        try:
            yield made
        finally:
            try:
                with platform.open() as client:
                    client.post("webhooks", made["endpoint_id"], "remove")
            except (QuatrainError, click.ClickException) as exc:
                reason = printable(str(exc))
                note(f"Not removed: {reason}. Try: quatrain webhooks remove {made['endpoint_id']}")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end things as Ctrl-C does, tidily; by itself it ends the process at once."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _receive(
    listener: socket.socket,
    known: list[Secret],
    forward_to: str | None,
    told: str,
    *,
    as_json: bool,
) -> None:
    """Serve until a signal ends it; *told* is said once it does.

    Raises KeyboardInterrupt for Ctrl-C, OSError without output.
    """
    from quatrain.server.serve import Server, url_of  # noqa: PLC0415  the web framework is slow
    from quatrain.webhooks import WebhookHandler  # noqa: PLC0415

    from .receiver import make_app  # noqa: PLC0415

    failures: list[OSError] = []

    def show(arrival: Arrival) -> None:
        try:
            click.echo(json_text(arrival.as_json()) if as_json else _lines(arrival))
        except OSError as exc:  # nobody reads it any more: nothing is left to do
            failures.append(exc)
            server.should_exit = True

    def announce(url: str) -> None:
        note(f"Listening on {url}{PATH}. Ctrl-C stops it.{told}")

    app = make_app(WebhookHandler(known), show, forward_to=forward_to)
    server = Server(app, url=url_of(listener), on_ready=announce)
    server.run(sockets=[listener])
    if failures:
        raise failures[0]


def _lines(arrival: Arrival) -> str:
    """A delivery for a terminal."""
    names = [arrival.event or "(no event)", arrival.delivery_id or "(no id)"]
    verdict = "verified" if arrival.refused is None else f"refused: {arrival.refused}"
    outcome = arrival.problem or f"answered {arrival.status}"
    head = f"{arrival.at}  {'  '.join(names)}  {verdict}, {outcome}"
    if arrival.refused is not None:
        return printable(head)
    return f"{printable(head)}\n{json_shown(arrival.payload)}"
