"""Velerian's answers. Source: contracts, Velerian.

Rows whose shape is broad and grows (runs, audit entries) are plain dicts. Times are ISO-8601
strings on the server's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

import attrs

from ._fields import raw as _raw

__all__ = [
    "TERMINAL_RUN_STATES",
    "EvidenceExport",
    "InvokeResult",
    "Page",
    "UsageSummary",
]

T = TypeVar("T")

TERMINAL_RUN_STATES: Final = frozenset({"succeeded", "failed", "blocked"})
"""A run of one of these is over; a block is a verdict like another."""


@attrs.frozen
class InvokeResult:
    """What came of a governed invocation: the verdict, the output, and where its evidence is."""

    invocation_id: str
    outcome: str
    is_allowed: bool
    requires_human: bool
    """It is held until a person decides; ``approval_id`` says under which id."""
    withheld: bool
    """It ran, and its output is not handed out."""
    constraint_count: int = 0
    aggregated_conditions: list[Any] = attrs.field(factory=list)
    output: dict[str, Any] | None = None
    approval_id: str | None = None
    evidence_pack_id: str | None = None
    evidence_pack_s3_key: str | None = None
    evidence_pack_chain_hash: str | None = None
    """Keep it: with it ``verify_evidence`` proves that an export holds this very pack."""
    model_error: str | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class EvidenceExport:
    """An export that can be downloaded until it expires."""

    export_id: str
    artifact_kind: str
    format: str
    s3_key: str
    download_url: str = attrs.field(repr=False)
    """A presigned link opens without a key: whoever has it, has the evidence."""
    expires_at: str
    delivery: str = "presigned"
    """``presigned``: a direct link; ``stream``: a path of the API, fetched with the same key."""
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class UsageSummary:
    """What the tenant has used; the blocks are as the platform's dashboard has them."""

    tenant_id: str
    as_of: str
    governed_runs: dict[str, Any] = attrs.field(factory=dict)
    evidence_packs: dict[str, Any] = attrs.field(factory=dict)
    adoption: dict[str, Any] | None = None
    raw: Mapping[str, Any] = _raw()


@attrs.frozen
class Page(Generic[T]):
    """One page of a list; iterating over it gives its items."""

    items: list[T]
    limit: int = 0
    offset: int = 0
    total: int | None = None
    """Of the whole list, where the platform says."""
    raw: Mapping[str, Any] = _raw()

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
