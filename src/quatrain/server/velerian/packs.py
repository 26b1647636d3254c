"""Evidence packs: what happened, written down once, each holding the hash of the one before it.

A pack is added in the transaction of what it tells of: either both are there or neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from quatrain.evidence.chain import START, canonical, link_after
from quatrain.server.randomness import token
from quatrain.server.store import Connection, queries
from quatrain.server.times import iso_time

Kind: TypeAlias = Literal["invocation", "approval", "run"]

_SQL: Final = queries.load("velerian_evidence")


@attrs.frozen
class Pack:
    """A pack that has been added; hashes are lower-case hex."""

    pack_id: str
    """``evp_…``."""
    sequence: int
    """From 1 and without a gap, over all of a tenant's packs."""
    body_hash: str
    chain_hash: str
    s3_key: str
    """Where the vendor would keep it."""


def append(
    connection: Connection,
    now: int,
    tenant: str,
    *,
    abp_id: str | None,
    subject_id: str,
    kind: Kind,
    body: Mapping[str, Any],
) -> Pack:
    """Add a pack about *subject_id*, an invocation or a run, within the caller's transaction.

    *body* is JSON; what tells packs apart (pack_id, tenant_id, sequence, kind, subject_id,
    created_at) is put into it here. Raises ValueError or TypeError for a body that is not JSON.
    """
    last = connection.execute(_SQL["last_pack"], {"tenant": tenant}).fetchone()
    before, previous = last or (0, START)
    pack_id = f"evp_{token()}"
    whole = {
        **body,
        "pack_id": pack_id,
        "tenant_id": tenant,
        "sequence": before + 1,
        "kind": kind,
        "subject_id": subject_id,
        "created_at": iso_time(now),
    }
    link = link_after(previous, before + 1, whole)
    values = {
        "tenant": tenant,
        "sequence": link.sequence,
        "pack_id": pack_id,
        "abp_id": abp_id,
        "subject_id": subject_id,
        "body": canonical(whole),
        "body_hash": link.body_hash,
        "chain_hash": link.chain_hash,
        "now": now,
    }
    connection.execute(_SQL["add_pack"], values)
    return Pack(pack_id, link.sequence, link.body_hash, link.chain_hash, s3_key(tenant, pack_id))


def s3_key(tenant: str, pack_id: str) -> str:
    """The vendor's name for a pack's place."""
    return f"evidence/{tenant}/{pack_id}.json"
