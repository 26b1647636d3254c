"""Exports of evidence: what is in them, and how they come."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from quatrain.errors.velerian import EvidenceError
from quatrain.evidence import EvidenceReport, read_packs, verify_evidence
from quatrain.evidence.writing import WRITERS, Writer
from quatrain.server.store import StoreUnavailableError
from quatrain.server.velerian import exports, packs

from .._support import ServerClock
from ._exports import FORMATS, MINUTE, THEN, VALID, Site, subjects

# -- what is in them ------------------------------------------------------------------------------


@FORMATS
async def test_the_evidence_of_an_invocation(site: Site, file_format: str) -> None:
    """Its pack, checked with the hash that the invocation's answer had."""
    await site.invoke()
    made = await site.invoke(amount=5)
    export = await site.evidence(made, format=file_format)
    assert export == {
        "export_id": export["export_id"],
        "artifact_kind": "invocation",
        "format": file_format,
        "s3_key": f"exports/acme/{export['export_id']}.{file_format}",
        "download_url": export["download_url"],
        "expires_at": "2027-01-15T08:15:00.000Z",
        "delivery": "presigned",
    }
    response = await site.open(export["download_url"])
    expected = EvidenceReport(
        tenant_id="acme",
        artifact_kind="invocation",
        exported_at="2027-01-15T08:00:00.000Z",
        count=1,
        packs=1,
        first_sequence=2,
        last_sequence=2,
        head=made.chain_hash,
    )
    assert expected == verify_evidence(response.content, head=made.chain_hash)
    assert [{"amount": 5}] == [pack["payload"] for pack in read_packs(response.content)]
    name = f'attachment; filename="{export["export_id"]}.{file_format}"'
    assert (f"application/{file_format}", name, "no-store") == tuple(
        response.headers[header]
        for header in ("content-type", "content-disposition", "cache-control")
    )


@FORMATS
async def test_what_others_did_is_in_it_as_hashes(site: Site, file_format: str) -> None:
    """All packs of a subject, with those between them told to nobody."""
    await site.invoke()
    held = await site.invoke(amount=500)
    await site.invoke("loans", secret="another customer's")
    await site.invoke("grants", secret="another process's")
    await site.services.approvals.approve("acme", held.approval_id, by="bob", reason="fine")
    await site.invoke()
    content = await site.download(await site.evidence(held, format=file_format))
    report = verify_evidence(content, head=held.chain_hash)
    assert (2, 5, 4, 2) == (
        report.first_sequence,
        report.last_sequence,
        report.count,
        report.packs,
    )
    assert [(2, held.invocation_id), (5, held.invocation_id)] == subjects(content)
    assert ["require_human", "allow"] == [pack["outcome"] for pack in read_packs(content)]
    if file_format == "json":
        assert b"another" not in content


@FORMATS
async def test_the_package_of_an_abp(site: Site, clock: ServerClock, file_format: str) -> None:
    """Its packs since a time, that included, and no others."""
    await site.invoke()
    clock.advance(MINUTE)
    await site.invoke("grants")
    one = await site.invoke()
    await site.invoke("grants", secret="another process's")
    clock.advance(MINUTE)
    two = await site.invoke()
    await site.invoke("grants")
    for since in ("2027-01-15T08:01:00Z", "2027-01-15T09:01:00+01:00", "2027-01-15T08:00:00.0001"):
        content = await site.download(await site.package(since=since, format=file_format))
        report = verify_evidence(content, head=one.chain_hash)
        assert ("abp", 3, 5) == (report.artifact_kind, report.first_sequence, report.last_sequence)
        assert [(3, one.invocation_id), (5, two.invocation_id)] == subjects(content)
        assert (two.chain_hash, b"another" in content) == (report.head, False)
    content = await site.download(await site.package(since="2027-01-15", format=file_format))
    assert [1, 3, 5] == [sequence for sequence, _ in subjects(content)]


@FORMATS
async def test_a_package_of_nothing(site: Site, clock: ServerClock, file_format: str) -> None:
    """Verifies, and says where in the chain there was nothing."""
    before = await site.download(await site.package(since=THEN, format=file_format))
    assert (0, 1) == (verify_evidence(before).count, verify_evidence(before).first_sequence)
    made = await site.invoke("grants")
    clock.advance(MINUTE)
    since = "2027-01-15T08:01:00Z"
    for abp_id in ("loans", "grants"):
        package = await site.package(abp_id, since=since, format=file_format)
        report = verify_evidence(await site.download(package))
        assert (0, 2, 1) == (report.count, report.first_sequence, report.last_sequence)
        assert made.chain_hash == report.head


async def test_an_export_is_always_the_same(site: Site, clock: ServerClock) -> None:
    """Whatever is added meanwhile; JSON unless it is said."""
    await site.invoke()
    export = await site.package(since=THEN)
    first = await site.download(export)
    await site.invoke()
    clock.advance(MINUTE)
    assert first == await site.download(export)
    assert ("json", 1) == (export["format"], json.loads(first)["count"])


@FORMATS
@pytest.mark.parametrize(
    ("change", "position"),
    [
        ("UPDATE velerian_packs SET body = replace(body, 'allow', 'deny') WHERE sequence = 2", 1),
        ("UPDATE velerian_packs SET chain_hash = body_hash WHERE sequence = 2", 1),
        ("DELETE FROM velerian_packs WHERE sequence = 2", 1),
        ("DELETE FROM velerian_packs WHERE sequence = 4", 3),
        ("UPDATE velerian_packs SET sequence = sequence + 10 WHERE sequence > 2", 2),
        ("UPDATE velerian_packs SET abp_id = NULL, body_hash = chain_hash WHERE sequence = 3", 2),
    ],
)
async def test_tampering_with_the_database_is_found(
    site: Site, file_format: str, change: str, position: int
) -> None:
    """The export is still made, ends, and does not verify."""
    for _ in range(4):
        await site.invoke()
    export = await site.package(since=THEN, format=file_format)
    site.change(change)
    with pytest.raises(EvidenceError) as raised:
        verify_evidence(await site.download(export))
    assert position == raised.value.position


# -- streams --------------------------------------------------------------------------------------


async def many(site: Site, count: int) -> None:
    """Packs of some kilobytes."""

    def add(connection: sqlite3.Connection, now: int, _: None) -> None:
        for number in range(count):
            body = {"text": "x" * 4_000}
            about = f"inv_{number}"
            packs.append(
                connection,
                now,
                "acme",
                abp_id="loans",
                subject_id=about,
                kind="invocation",
                body=body,
            )

    await site.services.store.write(add, None)


@FORMATS
async def test_a_large_export_comes_in_pieces(site: Site, file_format: str) -> None:
    """Each of a few links, so that none of it need be held."""
    await many(site, 500)
    export = await site.package(since=THEN, format=file_format)
    made = await site.services.exports.content("acme", export["export_id"])
    pieces = [piece async for piece in made.pieces]
    assert verify_evidence(b"".join(pieces)).packs == 500
    assert b"".join(pieces) == await site.download(export)
    assert len(pieces) > 6
    assert max(map(len, pieces)) < 400_000


@FORMATS
async def test_a_failure_half_way_breaks_the_connection(
    site: Site, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may take half an export for a whole one."""
    await many(site, 500)
    export = await site.package(since=THEN, format=file_format)
    links, calls = exports._links, iter(range(3))

    def failing(*args: Any) -> Any:
        if next(calls, None) is None:
            raise StoreUnavailableError("the disk failed to read or write")
        return links(*args)

    closed: list[Writer] = []
    close = WRITERS[file_format].close

    def closing(writer: Writer) -> None:
        closed.append(writer)
        close(writer)

    monkeypatch.setattr(exports, "_links", failing)
    monkeypatch.setattr(WRITERS[file_format], "close", closing)
    with pytest.raises(StoreUnavailableError):
        await site.open(export["download_url"])
    assert 1 == len(closed)


# -- the other ways, and what is refused ---------------------------------------------------------


async def test_stream_delivery(streaming: Site, clock: ServerClock) -> None:
    """A path of the API, for a key of the same tenant that may read evidence."""
    site = streaming
    made = await site.invoke()
    export = await site.evidence(made)
    path = f"/exports/{export['export_id']}/content"
    assert ("stream", f"/api/v2{path}") == (export["delivery"], export["download_url"])
    response = await site.get(path)
    assert made.chain_hash == verify_evidence(response.content).head
    assert 401 == (await site.open(path)).status_code
    lacking = await site.get(path, site.key("acme", "runs:read", "audit:read"))
    assert (403, True) == (lacking.status_code, "evidence:read" in lacking.json()["detail"])
    for other in (site.key("other", "read"), site.key("other", "admin")):
        assert 404 == (await site.get(path, other)).status_code
    assert 404 == (await site.get("/exports/exp_none/content")).status_code
    clock.advance(VALID)
    expired = await site.get(path)
    expected = {"detail": "this export has expired: ask for another"}
    assert (403, expected) == (expired.status_code, expired.json())


async def test_what_can_not_be_exported(site: Site) -> None:
    """What is not there, or is another's: 404, and nothing is noted in the log."""
    made = await site.invoke()
    one = f"/abps/loans/invocations/{made.invocation_id}/evidence"
    since = {"since": THEN}
    for path, query, key in (
        ("/abps/loans/invocations/inv_none/evidence", {}, None),
        (f"/abps/grants/invocations/{made.invocation_id}/evidence", {}, None),
        (f"/abps/none/invocations/{made.invocation_id}/evidence", {}, None),
        (one, {}, site.key("other", "admin")),
        ("/abps/none/evidence-package", since, None),
        ("/abps/loans/evidence-package", since, site.key("other", "admin")),
    ):
        response = await site.get(path, key, **query)
        assert 404 == response.status_code, path
        assert response.json()["detail"].startswith("there is no ")
    for path in (one, "/abps/loans/evidence-package"):
        response = await site.get(path, site.key("acme", "runs:read", "runs:write"), **since)
        assert 403 == response.status_code
    assert [] == site.audit()


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "since"),
        ({"since": ""}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"since": "1800000000000"}, "since"),
        ({"since": THEN, "format": "pdf"}, "format"),
        ({"since": THEN, "format": ""}, "format"),
    ],
)
async def test_a_request_that_does_not_fit(site: Site, query: dict[str, str], name: str) -> None:
    """Is told where."""
    response = await site.get("/abps/loans/evidence-package", **query)
    assert 422 == response.status_code
    assert [["query", name]] == [fault["loc"] for fault in response.json()["detail"]]


async def test_every_export_is_in_the_audit_log(site: Site) -> None:
    """With who made it, and of what; downloads of it are not."""
    made = await site.invoke()
    one = await site.evidence(made, format="zip")
    two = await site.package(since=THEN)
    await site.download(one)
    expected = [
        ("ann", kind, resource, {
            "export_id": export["export_id"],
            "format": export["format"],
            "first_sequence": 1,
            "last_sequence": 1,
        })
        for kind, resource, export in (
            ("invocation", made.invocation_id, one), ("abp", "loans", two),
        )
    ]  # fmt: skip
    assert expected == site.audit()


async def test_an_export_that_is_refused_by_the_log_is_not_made(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both, or neither."""
    made = await site.invoke()

    def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(exports.audit, "append", fail)
    path = f"/abps/loans/invocations/{made.invocation_id}/evidence"
    assert 503 == (await site.get(path)).status_code
    rows = site.services.store.read_blocking(
        lambda connection, _now, _: connection.execute(
            "SELECT count(*) FROM velerian_exports"
        ).fetchone(),
        None,
    )
    assert (0,) == rows


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("span_of_abp", "COVERING INDEX velerian_packs_of_abp (tenant=? AND abp_id=? AND"),
        ("span_of_subject", "INDEX velerian_packs_of_subject (tenant=? AND subject_id=?)"),
        ("links", "INDEX sqlite_autoindex_velerian_packs_2 (tenant=? AND sequence>? AND"),
        ("last_pack", "INDEX sqlite_autoindex_velerian_packs_2 (tenant=?)"),
        ("export", "INDEX sqlite_autoindex_velerian_exports_1 (export_id=?)"),
    ],
)
@pytest.mark.on_file
async def test_rows_are_found_through_an_index(site: Site, statement: str, index: str) -> None:
    """However many packs there are."""
    names = ("tenant", "abp_id", "subject_id", "since", "after", "last_sequence")
    names = (*names, "export_id", "limit")

    def explain(connection: sqlite3.Connection, _now: int, _: None) -> list[Any]:
        text = f"EXPLAIN QUERY PLAN {exports._SQL[statement]}"
        return connection.execute(text, dict.fromkeys(names, 1)).fetchall()

    ((*_, step),) = site.services.store.read_blocking(explain, None)
    assert index in step
