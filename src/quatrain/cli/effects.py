"""``quatrain effects``: a look into a ledger, and the way to let a failed effect run again."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, Final

import attrs
import click
from rich.console import Group

from quatrain.verity import VerityClient

from .effects_audit import audit
from .export import export_effects
from .management import ManagementOptions, management_options
from .options import LedgerOptions, given, json_option, json_value, ledger_options, limit_option
from .output import note, print_json, print_table, results, waiting
from .tables import STATUS_STYLES, effect_card, effects_table, events_table
from .text import printable

__all__ = ["effects"]


@attrs.frozen
class Filters:
    """Which effects."""

    namespace: str | None
    status: str | None
    workflow: str | None
    case: str | None
    key: str | None

    def as_arguments(self) -> dict[str, Any]:
        return attrs.asdict(self)


_FILTERS: Final = (
    click.option("--namespace", help="Of this namespace only."),
    click.option(
        "--status",
        type=click.Choice(sorted(STATUS_STYLES), case_sensitive=False),
        help="In this state only.",
    ),
    click.option("--workflow", help="Of this workflow only."),
    click.option("--case", help="Of this case only."),
    click.option("--key", help="With this text in their key."),
)

_namespace_option: Final = click.option(
    "--namespace",
    envvar="VERITY_NAMESPACE",
    show_envvar=True,
    help="The effect's namespace; needed only when several have that key.",
)


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    return reduce(lambda wrapped, option: option(wrapped), reversed(_FILTERS), command)


@click.group()
def effects() -> None:
    """Look at the effects of a ledger, export, reset, resolve, release and check them."""


effects.add_command(audit)


@effects.command("list")
@_filters
@limit_option
@json_option
@ledger_options
def list_(ledger: LedgerOptions, limit: int, as_json: bool, **filters: str | None) -> None:
    """List effects, newest first."""
    with waiting("Asking the ledger"), ledger.open() as client:
        wanted = Filters(**filters).as_arguments()
        found = list(client.effects.iter(**wanted, max_items=limit + 1))
    shown, more = found[:limit], len(found) > limit
    if as_json:
        print_json([effect.raw for effect in shown])
    else:
        print_table(effects_table(shown))
    if more:
        note(f"There are more than {limit}: raise --limit, or export them.")


@effects.command()
@click.argument("key")
@_namespace_option
@json_option
@ledger_options
def show(ledger: LedgerOptions, key: str, namespace: str | None, as_json: bool) -> None:
    """Show the effect KEY.

    With its input, its outcome and its audit trail.
    """
    with waiting("Asking the ledger"), ledger.open() as client:
        namespace = namespace or _namespace_of(client, key)
        effect = client.effects.get(key, namespace=namespace)
        events = client.effects.events(key, namespace=namespace)
    if as_json:
        print_json({"effect": effect.raw, "events": [event.raw for event in events]})
    else:
        results().print(Group(effect_card(effect), events_table(events)))


@effects.command()
@click.argument("key")
@click.option("--reason", required=True, help="Why; it goes into the audit trail.")
@_namespace_option
@json_option
@ledger_options
def reset(
    ledger: LedgerOptions, key: str, reason: str, namespace: str | None, as_json: bool
) -> None:
    """Let the effect KEY, which has failed or expired, run again."""
    with waiting("Asking the ledger"), ledger.open() as client:
        namespace = namespace or _namespace_of(client, key)
        effect = client.effects.reset(key, reason=reason, namespace=namespace)
    if as_json:
        print_json(effect.raw)
    else:
        note(f"{printable(key)} in {printable(namespace)} is reset: the next attempt may act.")


_operator: Final = (
    click.argument("key"),
    _namespace_option,
    click.option("--reason", required=True, help="Why; it goes into the audit trail."),
    click.option(
        "--fence",
        type=int,
        help="The fence token that you have seen; if it has moved on, nothing is done.",
    ),
    click.option("--live", is_flag=True, help="With --database: its live data."),
    json_option,
    management_options,
)


def _by_operator(command: Callable[..., Any]) -> Callable[..., Any]:
    return reduce(lambda wrapped, option: option(wrapped), reversed(_operator), command)


@effects.command()
@click.option("--done/--not-done", "done", default=None, help="Whether it had happened.")
@click.option(
    "--result",
    callback=json_value,
    metavar="JSON|@FILE",
    help="With --done: what later attempts get.  [default: null]",
)
@_by_operator
def resolve(
    platform: ManagementOptions, key: str, done: bool | None, result: Any, **options: Any
) -> None:
    """Settle the effect KEY, whose lease ran out, by what you found out.

    Look where its action shows. With --done it is committed, and its last holder refused; with
    --not-done the next attempt may act. The platform's key needs the scope platform:manage.
    """
    if done is None:
        raise click.UsageError("was it done? Say --done, or --not-done.")
    if not done and given("result"):
        raise click.UsageError("--result goes with --done: what was not done has none.")
    outcome = "done" if done else "not_done"
    text = "is resolved as done." if done else "is resolved as not done: the next attempt may act."
    _tell(platform, "resolve", text, key, outcome=outcome, result=result, **options)


@effects.command()
@_by_operator
def release(platform: ManagementOptions, key: str, **options: Any) -> None:
    """Take the lease of the effect KEY from its holder.

    The holder is refused from then on, even if it is still at work; the next attempt observes
    before it acts. The platform's key needs the scope platform:manage.
    """
    _tell(platform, "release", "has no holder any more: the next attempt observes.", key, **options)


def _tell(
    platform: ManagementOptions,
    action: str,
    text: str,
    key: str,
    *,
    namespace: str | None,
    fence: int | None,
    live: bool,
    as_json: bool,
    **body: Any,
) -> None:
    """Have the platform do it, and say that it did."""
    if live and platform.url is not None:
        raise click.UsageError("--live goes with --database; elsewhere the key decides.")
    with waiting("Asking the ledger"), platform.open(live=live) as management:
        if namespace is None:
            found = management.get("effects", effect_key=key)["items"]
            namespace = _only({each["namespace"] for each in found}, key)
        body |= {"namespace": namespace, "effect_key": key, "fence_token": fence}
        effect = management.post("effects", action, **body)
    if as_json:
        print_json(effect)
    else:
        note(f"{printable(key)} in {printable(namespace)} {text}")


@effects.command()
@_filters
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="A JSON object a line, or a table for spreadsheets.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True),
    default="-",
    help="A file, which appears, readable by you alone, when it is complete.  [default: stdout]",
)
@ledger_options
def export(ledger: LedgerOptions, file_format: str, output: str, **filters: str | None) -> None:
    """Export effects with all their payloads, newest first.

    In CSV, text that a spreadsheet would run as a formula gets a ' in front; JSON lines hold
    everything as it is.
    """
    with ledger.open() as client:
        found = client.effects.iter(**Filters(**filters).as_arguments(), payloads=True)
        export_effects(found, file_format, output)


def _namespace_of(client: VerityClient, key: str) -> str:
    """The one namespace that has *key*."""
    return _only({e.namespace for e in client.effects.iter(key=key) if e.effect_key == key}, key)


def _only(found: set[str], key: str) -> str:
    if not found:
        raise click.ClickException(f"there is no effect {printable(key)}")
    if len(found) > 1:
        names = ", ".join(sorted(map(printable, found)))
        raise click.UsageError(f"several namespaces have that key; say which: --namespace {names}")
    return found.pop()
