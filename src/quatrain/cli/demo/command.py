"""``quatrain demo``: one story after the other, each on the same platform."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from pathlib import Path

import click

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.velerian import VelerianClient
from quatrain.velocity import VelocityOS
from quatrain.vendo import Vendo
from quatrain.verity import VerityClient

from ..output import note
from ..text import printable
from .effects import NAMESPACE, RefundStory
from .evidence import EvidenceStory
from .integration import IntegrationStory
from .provider import Provider
from .receiver import Receiver
from .service import Service
from .webhooks import WebhookStory

__all__ = ["demo"]


@click.command()
@click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the platform's data in this SQLite file, to look at it later.",
)
def demo(database: Path | None) -> None:
    """See an effect happen exactly once, a webhook come, a forgery found out, and more.

    It takes some ten seconds. A worker refunds an order. It is killed after the payment provider
    has paid, before the ledger knows. A second worker finds that out and does not pay again; a
    third gets the recorded answer.

    Then a task is added to a founder's backlog, and a receiver of webhooks hears of it: once,
    though its first answer is that it failed.

    Two loans are reviewed under a policy. The evidence of one is downloaded and verified; a copy in
    which its amount was changed is found out.

    At last Slack is connected for an app, which hears of it, uses its token, and misses nothing
    while the platform restarts.
    """
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quatrain-demo-")))
        platform = stack.enter_context(EmbeddedPlatform(database or directory / "platform.db"))
        env = platform.env
        verity = stack.enter_context(
            VerityClient(
                base_url=env["VERITY_BASE_URL"], api_key=platform.api_key, namespace=NAMESPACE
            )
        )
        order = f"order_{secrets.token_hex(3)}"
        RefundStory(verity, env, Provider(directory / "books.jsonl"), order).tell()
        velocity = stack.enter_context(
            VelocityOS(platform.velocity_key, base_url=env["VOS_BASE_URL"])
        )
        receiver = stack.enter_context(Receiver())
        WebhookStory(platform, velocity, receiver).tell()
        velerian = stack.enter_context(
            VelerianClient(api_key=platform.velerian_key, base_url=env["VELERIAN_BASE_URL"])
        )
        EvidenceStory(velerian, directory).tell()
        vendo = stack.enter_context(
            Vendo(
                platform.vendo_key,
                base_url=env["VENDO_BASE_URL"],
                credentials_url=env["VENDO_CREDENTIALS_URL"],
                data_proxy_url=env["VENDO_DATA_PROXY_URL"],
            )
        )
        IntegrationStory(platform, vendo, stack.enter_context(Service())).tell()
    if database is not None:
        key = f"refund:{order}"
        note(f"Look again: quatrain effects show {key} --database '{printable(str(database))}'")
