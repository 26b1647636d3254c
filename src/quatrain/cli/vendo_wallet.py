"""``quatrain vendo wallet``: a tenant's credits and caps."""

from __future__ import annotations

from typing import Any, Final

import click

from .management import ManagementOptions, management_options
from .options import json_option
from .output import print_json, results, waiting
from .tables import card

__all__ = ["wallet"]

NONE: Final = "none"
_MICROS: Final = 1_000_000
"""In a unit of the currency."""
_MAX: Final = 10**15


def _cap(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    """A number of micros, or no cap; raises BadParameter for anything else."""
    if value is None or value == NONE:
        return value
    return click.IntRange(0, _MAX)(value, param, ctx)


@click.command()
@click.option("--top-up", metavar="MICROS", type=click.IntRange(1, _MAX), help="Add credits.")
@click.option(
    "--daily",
    metavar="MICROS",
    callback=_cap,
    help="What may be spent in a day, UTC; none is no cap.",
)
@click.option("--monthly", metavar="MICROS", callback=_cap, help="The same of a month.")
@json_option
@management_options
def wallet(
    platform: ManagementOptions,
    top_up: int | None,
    daily: int | str | None,
    monthly: int | str | None,
    as_json: bool,
) -> None:
    """Show what is left to spend; add to it, or say how much may be spent.

    Amounts are in micros: 1000000 are one unit of the currency. A wallet that nobody has filled
    begins with some.
    """
    with waiting("Asking the platform"), platform.open(create=True) as client:
        found = client.get("vendo", "wallet")
        # the caps first: credits that are added must not be spent past a cap that is meant for them
        if daily is not None or monthly is not None:
            found = client.post(
                *("vendo", "wallet", "caps"),
                daily_micros=None if daily == NONE else daily,
                monthly_micros=None if monthly == NONE else monthly,
                remove=[name for name, cap in (("day", daily), ("month", monthly)) if cap == NONE],
            )
        if top_up is not None:
            found = client.post("vendo", "wallet", "top-up", micros=top_up)
    if as_json:
        print_json(found)
    else:
        results().print(card(_shown(found)))


def _shown(wallet: dict[str, Any]) -> dict[str, str]:
    currency = wallet["currency"]

    def amount(micros: int | None) -> str:
        if micros is None:
            return NONE
        return f"{micros:,} micros ({currency} {micros / _MICROS:,.2f})"

    return {
        "tenant": wallet["tenant"],
        "left": amount(wallet["credits_micros"]),
        "spent today": amount(wallet["used_today_micros"]),
        "cap a day": amount(wallet["daily_micros"]),
        "spent this month": amount(wallet["used_month_micros"]),
        "cap a month": amount(wallet["monthly_micros"]),
    }
