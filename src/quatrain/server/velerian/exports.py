"""Exports of evidence: of one invocation, or of what an ABP did since a time.

An export is a span of the tenant's chain. The packs that it is about are in it whole; of those that
stand between them it has only the hashes, so that it can be verified without telling what others
did. It is made as it is downloaded, and always the same: packs are never changed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import closing
from typing import Any, Final, Literal, TypeAlias

import attrs

from quatrain.evidence.chain import START
from quatrain.evidence.manifest import Manifest, link_with_body, link_with_hash
from quatrain.evidence.writing import WRITERS, Writer
from quatrain.server.asgi import Streamed
from quatrain.server.problems import RefusedError, accepted
from quatrain.server.randomness import token
from quatrain.server.store import Connection, Store, queries
from quatrain.server.times import iso_time

from . import abps, audit, presign
from .records import NotThereError, VelerianRefusedError

Format: TypeAlias = Literal["json", "zip"]
Artifact: TypeAlias = Literal["invocation", "abp"]
Delivery: TypeAlias = Literal["presigned", "stream"]

VALID_MS: Final = 15 * 60 * 1_000
"""How long an export can be downloaded."""
_AT_ONCE: Final = 2**18
"""Characters of links that are read in one go; a longer link is read alone."""
_ROWS_AT_ONCE: Final = 1_000
"""So many links at most, as a database may hand over every row at once."""

_SQL: Final = queries.load("velerian_evidence")


@attrs.frozen(kw_only=True)
class Export:
    """A span of a tenant's packs, and what it is evidence of. Times in milliseconds since 1970."""

    tenant: str
    export_id: str
    """``exp_…``."""
    artifact_kind: Artifact
    format: Format
    abp_id: str
    first_sequence: int
    last_sequence: int
    """One below the first when there is nothing to export."""
    created_at: int
    expires_at: int
    """A whole second."""


class ExportExpiredError(VelerianRefusedError):
    """It could be downloaded for a while, and no longer can."""

    code = "expired"
    status = 403


class Exports:
    """Makes exports and gives what is in them.

    *by* is who asks, for the audit log. Raises NotThereError, ExportExpiredError, LinkRefusedError.
    """

    def __init__(self, store: Store, *, delivery: Delivery = "presigned") -> None:
        self._store = store
        self.delivery: Final = delivery

    async def of_invocation(
        self, tenant: str, abp_id: str, invocation_id: str, *, file_format: Format, by: str
    ) -> Export:
        """Of every pack about an invocation."""
        params = {
            "tenant": tenant,
            "abp_id": abp_id,
            "subject_id": invocation_id,
            "format": file_format,
            "by": by,
        }
        return accepted(await self._store.write(_of_invocation, params))

    async def of_abp(
        self, tenant: str, abp_id: str, *, since: int, file_format: Format, by: str
    ) -> Export:
        """Of every pack about an ABP since a time, in ms since 1970; there may be none."""
        params = {
            "tenant": tenant,
            "abp_id": abp_id,
            "since": since,
            "format": file_format,
            "by": by,
        }
        return accepted(await self._store.write(_of_abp, params))

    async def link(self, export: Export) -> str:
        """A path below ``/api/v2`` that opens the export to whoever has it, until it expires."""
        secret = await self._store.write(presign.secret, None)
        expires = export.expires_at // 1000
        signature = presign.signature(secret, export.export_id, expires)
        return f"/exports/{export.export_id}/download?expires={expires}&signature={signature}"

    async def linked(self, export_id: str, *, expires: int, signature: str) -> Streamed:
        """The content, for the bearer of a link."""
        params = {"export_id": export_id, "expires": expires, "signature": signature}
        refusal = await self._store.read(presign.check, params)
        if refusal is not None:
            raise refusal
        return await self._content({"export_id": export_id, "tenant": None})

    async def content(self, tenant: str, export_id: str) -> Streamed:
        """The content, for a key of the tenant."""
        return await self._content({"export_id": export_id, "tenant": tenant})

    async def _content(self, params: dict[str, Any]) -> Streamed:
        export, manifest, subject_id = accepted(await self._store.read(_open, params))
        writer = WRITERS[export.format](manifest)
        return Streamed(
            self._pieces(export, subject_id, writer),
            writer.media_type,
            f"{export.export_id}.{export.format}",
        )

    async def _pieces(
        self, export: Export, subject_id: str, writer: Writer
    ) -> AsyncGenerator[bytes, None]:
        after = export.first_sequence - 1
        params = {**attrs.asdict(export), "subject_id": subject_id, "writer": writer}
        try:
            yield writer.begin()
            while after < export.last_sequence:
                piece, after = await self._store.read(_links, {**params, "after": after})
                yield piece
            yield writer.end()
        finally:
            writer.close()


# -- operations of the store ----------------------------------------------------------------------


def _of_invocation(
    connection: Connection, now: int, params: dict[str, Any]
) -> Export | RefusedError:
    first, last, abp_id = connection.execute(_SQL["span_of_subject"], params).fetchone()
    if abp_id != params["abp_id"]:  # every invocation has a pack, and all its packs one ABP
        return NotThereError(
            f"there is no invocation {params['subject_id'][:100]!r} of the ABP "
            f"{params['abp_id'][:100]!r}"
        )
    return _add(connection, now, params, "invocation", params["subject_id"], (first, last))


def _of_abp(connection: Connection, now: int, params: dict[str, Any]) -> Export | RefusedError:
    found = abps.find(connection, now, params)
    if isinstance(found, RefusedError):
        return found
    first, last = connection.execute(_SQL["span_of_abp"], params).fetchone()
    if first is None:  # what it then says is where in the chain there was nothing
        row = connection.execute(_SQL["last_pack"], params).fetchone()
        last = 0 if row is None else row[0]
        first = last + 1
    return _add(connection, now, params, "abp", params["abp_id"], (first, last))


def _add(
    connection: Connection,
    now: int,
    params: dict[str, Any],
    kind: Artifact,
    resource_id: str,
    span: tuple[int, int],
) -> Export:
    first, last = span
    export = Export(
        tenant=params["tenant"],
        export_id=f"exp_{token()}",
        artifact_kind=kind,
        format=params["format"],
        abp_id=params["abp_id"],
        first_sequence=first,
        last_sequence=last,
        created_at=now,
        expires_at=-(-(now + VALID_MS) // 1000) * 1000,
    )
    connection.execute(_SQL["add_export"], attrs.asdict(export))
    audit.append(
        connection,
        now,
        export.tenant,
        actor=params["by"],
        action="evidence.export",
        resource_kind=kind,
        resource_id=resource_id,
        detail={
            "export_id": export.export_id,
            "format": export.format,
            "first_sequence": first,
            "last_sequence": last,
        },
    )
    return export


def _open(
    connection: Connection, now: int, params: dict[str, Any]
) -> tuple[Export, Manifest, str] | RefusedError:
    """An export, what stands at its beginning, and the subject that it is about, if it is one."""
    row = connection.execute(_SQL["export"], params).fetchone()
    if row is None or params["tenant"] not in {row[0], None}:
        return NotThereError(f"there is no export {params['export_id'][:100]!r}")
    names = (field.name for field in attrs.fields(Export))
    export = Export(**dict(zip(names, row, strict=True)))
    if now >= export.expires_at:
        return ExportExpiredError("this export has expired: ask for another")
    before, first, last = (
        connection.execute(_SQL["pack"], {"tenant": export.tenant, "sequence": sequence}).fetchone()
        for sequence in (export.first_sequence - 1, export.first_sequence, export.last_sequence)
    )
    start = START if before is None else before[1]
    # an invocation's export begins with a pack of it
    subject_id = first[0] if export.artifact_kind == "invocation" else ""
    (packs,) = connection.execute(
        _SQL["packs_in_export"], {**attrs.asdict(export), "subject_id": subject_id}
    ).fetchone()
    manifest = Manifest(
        tenant_id=export.tenant,
        artifact_kind=export.artifact_kind,
        exported_at=iso_time(export.created_at),
        start=start,
        count=export.last_sequence - export.first_sequence + 1,
        packs=packs,
        head=start if last is None else last[1],
        first_sequence=export.first_sequence,
    )
    return export, manifest, subject_id


def _links(connection: Connection, _now: int, params: dict[str, Any]) -> tuple[bytes, int]:
    """Some links, written, and the sequence of the last of them."""
    writer: Writer = params["writer"]
    values = {name: value for name, value in params.items() if name != "writer"}
    # what can't be found any more is left out: then the export does not verify, and should not
    pieces, size, after = [], 0, params["last_sequence"]
    with closing(connection.execute(_SQL["links"], {**values, "limit": _ROWS_AT_ONCE})) as rows:
        for sequence, chain_hash, body_hash, body in rows:
            link = (
                link_with_hash(sequence, chain_hash, body_hash)
                if body is None
                else link_with_body(sequence, chain_hash, body)
            )
            pieces.append(writer.add(link))
            size += len(link)
            if size >= _AT_ONCE or len(pieces) == _ROWS_AT_ONCE:
                after = sequence
                break
    return b"".join(pieces), after
