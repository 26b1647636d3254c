"""Sync leads from a CRM into a founder's backlog: each once, however often this runs.

python examples/crm_sync.py

With ``effect_key`` a task is an effect of the ledger. A run that was cut off is run again over all
leads, and goes on where it stopped; ``crm_sync_async.py`` is the same, awaited.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import attrs

from quatrain import Client


@attrs.frozen
class Lead:
    """What the CRM knows."""

    number: int
    company: str
    due: str
    """``YYYY-MM-DD``."""


LEADS = [
    Lead(101, "Anvil & Sons", "2026-12-01"),
    Lead(102, "Borealis Labs", "2026-12-03"),
    Lead(103, "Copper Kettle", "2026-12-08"),
]


def sync(q: Client, leads: Iterable[Lead]) -> None:
    """Have a task for each lead, assigned to whoever does sales."""
    sales = next((m.name for m in q.velocity.team.list() if "sales" in m.role.lower()), "")
    if not sales:
        sales = q.velocity.team.add("Sam Reyes", "Sales", effect_key="crm:sales").name
    for lead in leads:
        task = q.velocity.tasks.create(
            f"Call {lead.company}",
            "L12",
            category="people",
            timeframe="this_month",
            assignee=sales,
            deadline=lead.due,
            effect_key=f"crm:lead:{lead.number}",
        )
        print(f"{task.deadline}: {task.action}, by {task.assignee}")


def main() -> None:
    """Three runs: one that is cut off, one over everything, one with a new lead."""
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory, "quatrain.db")
        with Client.local(database) as q:
            me = q.velocity.whoami()
            print(f"{me.extension.name} may: {', '.join(sorted(me.extension.granted_scopes))}")
            before = len(q.velocity.tasks.list().open)
            print("First run, cut off after two leads:")
            sync(q, LEADS[:2])
        with Client.local(database) as q:
            print("Second run:")
            sync(q, LEADS)
            print("Third run, with one lead more:")
            sync(q, [*LEADS, Lead(104, "Dune Bakery", "2026-12-15")])
            backlog = q.velocity.tasks.list().open
        print(f"The backlog has grown by {len(backlog) - before} tasks.")


if __name__ == "__main__":
    main()
