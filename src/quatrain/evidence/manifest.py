"""What an export says of itself, and what a link of it looks like. No I/O.

A JSON export is one object: the manifest's fields, and ``links``. A ZIP export is
``manifest.json``, the same object less the links, and ``links.jsonl``, a link a line. A link is::

    {"sequence": 7, "chain_hash": "9f2c…", "body": {…}}
    {"sequence": 8, "chain_hash": "03ab…", "body_hash": "77d1…"}

The second is a pack that is none of the reader's business: its hash alone keeps the chain whole.
"""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from quatrain.errors.velerian import EvidenceError

from .chain import START, canonical, hash_of

FORMAT: Final = "quatrain.evidence/1"
MANIFEST: Final = "manifest.json"
LINKS: Final = "links.jsonl"

_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SHOWN: Final = 80


@attrs.frozen(kw_only=True)
class Manifest:
    """Whose packs, which, and where in the tenant's chain they stand; hashes are lower-case hex."""

    tenant_id: str
    artifact_kind: str
    """``invocation`` or ``abp``: what the packs are evidence of."""
    exported_at: str
    """ISO-8601."""
    start: str
    """The chain hash before the first link; ``chain.START`` when that is the tenant's first."""
    count: int
    """Links."""
    packs: int
    """Links with their body: one that is taken out leaves its hash, and the chain whole."""
    head: str
    """The last link's chain hash; *start* when there are no links."""
    first_sequence: int
    """The first link's; what the next pack will have when there are no links."""

    def as_json(self) -> dict[str, Any]:
        """Its fields, and a hash of them: an edit of one alone is found, as it is in a link."""
        fields = {"format": FORMAT, **attrs.asdict(self)}
        return {**fields, "manifest_hash": _hash(fields)}

    @classmethod
    def read(cls, value: Any) -> Manifest:
        """What ``as_json`` made. Raises EvidenceError for anything else."""
        fields = _fields(value)
        if fields["format"] != FORMAT:
            shown = repr(fields["format"])[:_SHOWN]
            raise EvidenceError(f"its format is {shown}, and only {FORMAT!r} is known")
        for name, kind in _KINDS.items():
            if type(fields[name]) is not kind:  # a bool passes for an int elsewhere
                raise EvidenceError(f"the manifest's {name} is of the wrong type")
        if fields.pop("manifest_hash") != _hash(fields):
            raise EvidenceError("the manifest has been changed: its hash is another")
        del fields["format"]
        manifest = cls(**fields)
        manifest.check()
        return manifest

    def check(self) -> None:
        """Raise EvidenceError for what no export says of itself."""
        if not (is_hash(self.start) and is_hash(self.head)):
            raise EvidenceError("the manifest's start or head is no SHA-256 in hex")
        if self.count < 0 or self.first_sequence < 1:
            raise EvidenceError("the manifest counts below nothing")
        if not 0 <= self.packs <= self.count:
            raise EvidenceError("the manifest counts more packs than links, or below nothing")
        if (self.first_sequence == 1) is not (self.start == START):
            raise EvidenceError("the manifest's start is not what stands before its first link")
        if self.count == 0 and self.head != self.start:
            raise EvidenceError("the manifest counts no links, and has a head all the same")


_KINDS: Final[dict[str, type]] = {
    "format": str,
    "tenant_id": str,
    "artifact_kind": str,
    "exported_at": str,
    "start": str,
    "count": int,
    "packs": int,
    "head": str,
    "first_sequence": int,
    "manifest_hash": str,
}
NAMES: Final = frozenset(_KINDS)
"""A manifest has these fields, each once, and no others."""


def is_hash(value: Any) -> bool:
    """Whether it is a SHA-256 as it is written here."""
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise EvidenceError("its manifest is no JSON object")
    if odd := sorted(NAMES ^ set(value)):
        what = "lacks" if odd[0] in NAMES else "has an unknown"
        raise EvidenceError(f"its manifest {what} {odd[0][:_SHOWN]!r}")
    return dict(value)


def _hash(fields: dict[str, Any]) -> str:
    return hash_of(canonical(fields))


# -- links ----------------------------------------------------------------------------------------


@attrs.frozen
class ExportedLink:
    """A link as it stands in an export; whether its chain hash is right is not yet known."""

    sequence: int
    chain_hash: str
    body_hash: str
    """Computed from the body where that is there."""
    body: dict[str, Any] | None
    """None where only its hash is."""

    @classmethod
    def read(cls, value: Any) -> ExportedLink:
        """A link's JSON. Raises ValueError for what is none."""
        if not isinstance(value, dict) or value.keys() not in _LINK_NAMES:
            raise ValueError("it has not the fields of a link")
        sequence, chain_hash = value["sequence"], value["chain_hash"]
        if type(sequence) is not int or not is_hash(chain_hash):
            raise ValueError("its sequence is no integer, or its chain hash no SHA-256 in hex")
        if "body_hash" in value:
            body_hash = value["body_hash"]
            if not is_hash(body_hash):
                raise ValueError("its body hash is no SHA-256 in hex")
            return cls(sequence, chain_hash, body_hash, None)
        body = value["body"]
        if not isinstance(body, dict):
            raise ValueError("its body is no JSON object")  # noqa: TRY004 - of the file, not of ours
        return cls(sequence, chain_hash, hash_of(canonical(body)), body)


_LINK_NAMES: Final = (
    {"sequence", "chain_hash", "body"},
    {"sequence", "chain_hash", "body_hash"},
)


def link_with_body(sequence: int, chain_hash: str, body: str) -> str:
    """A link's JSON, from its body's."""
    return f'{{"sequence":{sequence},"chain_hash":"{chain_hash}","body":{body}}}'


def link_with_hash(sequence: int, chain_hash: str, body_hash: str) -> str:
    """A link's JSON, without its body."""
    return f'{{"sequence":{sequence},"chain_hash":"{chain_hash}","body_hash":"{body_hash}"}}'
