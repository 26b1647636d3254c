"""Which actions are for which states."""

from __future__ import annotations

from typing import Final

from quatrain.server.ledger import Effect, Status

from .filters import Wanted

APPLIES: Final[dict[str, frozenset[Status]]] = {
    "resolve": frozenset({Status.EXPIRED}),
    "reset": frozenset({Status.FAILED, Status.EXPIRED}),
    "release": frozenset({Status.RUNNING}),
}


def can(effect: Effect) -> frozenset[str]:
    """The actions that an effect's state allows."""
    return frozenset(action for action, states in APPLIES.items() if effect.status in states)


def offered(wanted: Wanted) -> list[str]:
    """The actions for all that a filter finds; none, unless it asks for one state."""
    return [action for action, states in APPLIES.items() if wanted.state in states]
