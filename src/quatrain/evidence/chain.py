"""How evidence is chained: each pack's hash holds the one before it. No I/O.

A tenant's packs are numbered without a gap. ``body_hash`` is the SHA-256 of the pack's canonical
JSON; ``chain_hash`` that of the chain hash before, the number and the body hash. So a link can be
checked without its body, and an export that leaves other people's packs out is whole all the same.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import attrs

START: Final = "0" * 64
"""What stands before a tenant's first pack."""


@attrs.frozen
class Link:
    """One pack's place in the chain; hashes are lower-case hex."""

    sequence: int
    """From 1, without a gap."""
    body_hash: str
    chain_hash: str


def canonical(body: Any) -> str:
    """The one way to write *body* as JSON: sorted names, no spaces, ASCII. Raises ValueError."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)


def link_after(previous: str, sequence: int, body: Any) -> Link:
    """The link of *body* as number *sequence*, after the chain hash *previous*."""
    hashed = hash_of(canonical(body))
    return Link(sequence, hashed, chained(previous, sequence, hashed))


def chained(previous: str, sequence: int, body_hash: str) -> str:
    """The chain hash of a pack."""
    return hash_of(f"{previous}:{sequence}:{body_hash}")


def hash_of(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
