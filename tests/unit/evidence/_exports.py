"""Exports of a made-up tenant, and what can be done to them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from quatrain.evidence import read_packs, verify_evidence
from quatrain.evidence.chain import START, canonical, link_after
from quatrain.evidence.manifest import LINKS, MANIFEST, Manifest, link_with_body, link_with_hash
from quatrain.evidence.writing import WRITERS, write

TENANT = "acme"
BODIES = [
    {"outcome": "allow", "payload": {"amount": 12.5, "name": "Zoë", "tags": []}},
    {"outcome": "deny", "payload": {}, "reasons": ["too much"]},
    {"outcome": "withhold", "output": None},
    {"outcome": "require_human", "payload": {"amount": -0.0}},
    {"status": "failed", "ok": False, "n": 10},
]


@attrs.frozen
class Export:
    """Its manifest and its links' JSON texts."""

    manifest: Manifest
    links: list[str]

    def content(self, file_format: str) -> bytes:
        """A whole file."""
        return b"".join(write(WRITERS[file_format](self.manifest), self.links))

    @property
    def hashes(self) -> list[str]:
        """Chain hashes."""
        return [json.loads(link)["chain_hash"] for link in self.links]


def make_export(
    bodies: Sequence[dict[str, Any]] = BODIES,
    *,
    hidden: Iterable[int] = (3,),
    first: int = 1,
    start: str = START,
) -> Export:
    """Packs of *bodies*, those of the sequences *hidden* without their body."""
    previous, links = start, []
    for sequence, given in enumerate(bodies, first):
        body = {**given, "tenant_id": TENANT, "sequence": sequence}
        link = link_after(previous, sequence, body)
        previous = link.chain_hash
        links.append(
            link_with_hash(sequence, link.chain_hash, link.body_hash)
            if sequence in hidden
            else link_with_body(sequence, link.chain_hash, canonical(body))
        )
    manifest = Manifest(
        tenant_id=TENANT,
        artifact_kind="invocation",
        exported_at="2027-01-15T08:00:00.000Z",
        start=start,
        count=len(bodies),
        packs=sum('"body":' in link for link in links),
        head=previous,
        first_sequence=first,
    )
    return Export(manifest, links)


def meaning(content: bytes) -> Any:
    """All that an export says; raises what reading it raises."""
    return verify_evidence(content), [canonical(body) for body in read_packs(content)]


def zip_of(files: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP as any program writes it."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return written.getvalue()


def files_of(content: bytes) -> dict[str, bytes]:
    """What is in a ZIP export."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in (MANIFEST, LINKS)}
