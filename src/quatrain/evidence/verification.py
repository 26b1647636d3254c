"""Whether evidence is what it was: the chain of an export is computed anew, offline.

Each link's hash covers the link's body and, through the hash before it, every link before. What
that proves, and what only with a hash that was kept elsewhere, is told at ``verify_evidence``.

What has no meaning is not covered: the spaces between JSON's marks, the order of an object's names,
an escape for a character, other digits for the same double (``1.50``, ``15e-1``), and what a ZIP
says beside its files (times, permissions, versions).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from quatrain.errors.velerian import EvidenceError

from .chain import chained
from .manifest import ExportedLink, Manifest
from .reading import Source, opened


@attrs.frozen(kw_only=True)
class EvidenceReport:
    """What an export that verifies is."""

    tenant_id: str
    artifact_kind: str
    """``invocation`` or ``abp``: what its packs are evidence of."""
    exported_at: str
    """ISO-8601, as the platform said."""
    count: int
    """Links, those whose body is left out included."""
    packs: int
    """Links whose body is there; ``read_packs`` has them."""
    first_sequence: int
    last_sequence: int
    """One below the first when there are no links."""
    head: str
    """The last link's chain hash. Keep it, and a later export that holds this link can be held to
    it."""


def verify_evidence(source: Source, *, head: str | None = None) -> EvidenceReport:
    """Recompute the chain of an export, a path or its bytes, JSON or ZIP; nothing is asked online.

    That it verifies proves that it is whole: nothing in it was edited, left out, added, repeated or
    moved, nor cut off its end, by anybody who did not compute all hashes from there on anew. Who
    does that, or cuts links off and writes a manifest to match, is found only with a hash that was
    kept elsewhere: *head*, an ``evidence_pack_chain_hash`` or an earlier report's ``head``. A link
    must have it, and then that link and all before it are proven to be those that existed when it
    was kept; of links after it, only that they follow. Who leaves a body out, its hash in its
    place, and writes a manifest to match, is not found: compare the report's ``packs``.

    Raises EvidenceError, which names the first broken link, and OSError for a file that can't be
    read.
    """
    kept = head is None
    with opened(source) as (manifest, links):
        for link in _checked(manifest, links):
            kept = kept or link.chain_hash == head
    if not kept:
        raise EvidenceError(f"none of its {manifest.count:,} links has the hash that was kept")
    return EvidenceReport(
        tenant_id=manifest.tenant_id,
        artifact_kind=manifest.artifact_kind,
        exported_at=manifest.exported_at,
        count=manifest.count,
        packs=manifest.packs,
        first_sequence=manifest.first_sequence,
        last_sequence=manifest.first_sequence + manifest.count - 1,
        head=manifest.head,
    )


def read_packs(source: Source) -> Iterator[dict[str, Any]]:
    """The bodies that an export holds, in order, one at a time.

    Each is checked when it comes, and those before it with it; raises like ``verify_evidence``, at
    the first broken link. That the rest is whole is known when the last has been read.
    """
    with opened(source) as (manifest, links):
        for link in _checked(manifest, links):
            if link.body is not None:
                yield link.body


def _checked(manifest: Manifest, links: Iterable[ExportedLink]) -> Iterator[ExportedLink]:
    """The links, each proven to follow from *manifest*'s start. Raises EvidenceError."""
    previous, position, packs = manifest.start, 0, 0
    for position, link in enumerate(links, 1):
        _check(manifest, previous, position - 1, link)
        previous = link.chain_hash
        packs += link.body is not None
        yield link
    if position < manifest.count:
        text = f"it ends there, and the manifest counts {manifest.count:,} links"
        raise EvidenceError(text, position)
    if previous != manifest.head:
        raise EvidenceError("the last link's chain hash is not the manifest's head", position - 1)
    if packs != manifest.packs:
        raise EvidenceError(
            f"it holds the bodies of {packs:,} packs, and the manifest counts {manifest.packs:,}:"
            " some were taken out, or put in"
        )


def _check(manifest: Manifest, previous: str, position: int, link: ExportedLink) -> None:
    if position >= manifest.count:
        text = f"it goes on after the {manifest.count:,} links that the manifest counts"
        raise EvidenceError(text, position)
    expected = manifest.first_sequence + position
    if link.sequence != expected:
        raise EvidenceError(
            f"its sequence is {link.sequence} where {expected} comes next: links are missing,"
            " added, repeated or in another order",
            position,
        )
    if chained(previous, link.sequence, link.body_hash) != link.chain_hash:
        raise EvidenceError(
            "its chain hash does not follow from its body and from the link before it", position
        )
    body = link.body
    if body is not None and (
        (body.get("tenant_id"), body.get("sequence")) != (manifest.tenant_id, link.sequence)
    ):
        raise EvidenceError("its body is of another tenant, or of another place", position)
