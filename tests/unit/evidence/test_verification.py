"""What ``verify_evidence`` proves, and which link it names when it can't."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from quatrain.errors.velerian import EvidenceError, VelerianError
from quatrain.evidence import EvidenceReport, read_packs, verify_evidence
from quatrain.evidence.chain import START, canonical, link_after
from quatrain.evidence.manifest import Manifest, link_with_body

from ._exports import BODIES, TENANT, Export, make_export

FORMATS = ["json", "zip"]
OTHER = "ab" * 32

Links = list[str]


@pytest.fixture(params=FORMATS)
def file_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def report_of(export: Export, packs: int) -> EvidenceReport:
    manifest = export.manifest
    return EvidenceReport(
        tenant_id=TENANT,
        artifact_kind="invocation",
        exported_at="2027-01-15T08:00:00.000Z",
        count=manifest.count,
        packs=packs,
        first_sequence=manifest.first_sequence,
        last_sequence=manifest.first_sequence + manifest.count - 1,
        head=manifest.head,
    )


def broken(export: Export, file_format: str, **options: Any) -> EvidenceError:
    with pytest.raises(EvidenceError) as raised:
        verify_evidence(export.content(file_format), **options)
    return raised.value


# -- what verifies --------------------------------------------------------------------------------


def test_a_whole_export_verifies(file_format: str, tmp_path: Path) -> None:
    """From a path, however it is written, or from its bytes."""
    export = make_export()
    path = tmp_path / "evidence"
    path.write_bytes(export.content(file_format))
    expected = report_of(export, packs=4)
    assert expected == verify_evidence(path)
    assert expected == verify_evidence(str(path))
    assert expected == verify_evidence(path.read_bytes())


def test_packs_are_read_one_at_a_time(file_format: str) -> None:
    """Those whose bodies are there, in order; the others are none of the reader's business."""
    packs = list(read_packs(make_export().content(file_format)))
    expected = [
        {**body, "tenant_id": TENANT, "sequence": sequence}
        for sequence, body in enumerate(BODIES, 1)
        if sequence != 3
    ]
    assert expected == packs


def test_an_export_may_begin_anywhere(file_format: str) -> None:
    """The hash before its first link is its start."""
    export = make_export(first=41, start=OTHER)
    assert report_of(export, packs=5) == verify_evidence(export.content(file_format))


@pytest.mark.parametrize(("first", "start"), [(1, START), (7, OTHER)])
def test_an_export_of_nothing(file_format: str, first: int, start: str) -> None:
    """It says where in the chain there was nothing."""
    export = make_export([], first=first, start=start)
    expected = report_of(export, packs=0)
    assert (first - 1, start) == (expected.last_sequence, expected.head)
    assert expected == verify_evidence(export.content(file_format))


def test_a_kept_hash_must_be_in_the_chain(file_format: str) -> None:
    """Of any link, with its body or without."""
    export = make_export()
    content = export.content(file_format)
    for kept in export.hashes:
        assert verify_evidence(content, head=kept).count == 5
    for other in (OTHER, START, "", export.manifest.head.upper()):
        error = broken(export, file_format, head=other)
        assert "none of its 5 links has the hash that was kept" == error.reason
        assert error.position is None


# -- what does not --------------------------------------------------------------------------------


def edit(links: Links) -> Links:
    return [links[0], links[1].replace("too much", "too mucH"), *links[2:]]


def edit_hash(links: Links) -> Links:
    changed = json.loads(links[2])
    changed["body_hash"] = OTHER
    return [*links[:2], json.dumps(changed), *links[3:]]


def hide(links: Links) -> Links:
    changed = json.loads(links[1])
    del changed["body"]
    return [links[0], json.dumps({**changed, "body_hash": OTHER}), *links[2:]]


def renumber(links: Links) -> Links:
    """A deletion that is covered up, but for the hashes."""
    kept = [json.loads(link) for link in [links[0], *links[2:]]]
    return [json.dumps({**link, "sequence": at}) for at, link in enumerate(kept, 1)]


@pytest.mark.parametrize(
    ("change", "position"),
    [
        (edit, 1),
        (edit_hash, 2),
        (hide, 1),
        (renumber, 1),
        (lambda links: links[1:], 0),
        (lambda links: [*links[:2], *links[3:]], 2),
        (lambda links: links[:4], 4),
        (lambda links: [], 0),
        (lambda links: [*links[:2], links[1], *links[2:]], 2),
        (lambda links: [*links, links[4]], 5),
        (lambda links: [links[0], links[2], links[1], *links[3:]], 1),
        (lambda links: links[::-1], 0),
        (lambda links: [*links[:3], make_export(BODIES[::-1]).links[3], links[4]], 3),
        (lambda links: [*links, make_export([*BODIES, {}]).links[5]], 5),
    ],
    ids=[
        *("edit", "edit-hash", "hide", "renumber", "delete-first", "delete", "truncate", "empty"),
        *("duplicate", "duplicate-last", "swap", "reverse", "another-tenants", "append"),
    ],
)
def test_the_first_broken_link_is_named(
    file_format: str, change: Callable[[Links], Links], position: int
) -> None:
    """Whatever was done to the links."""
    export = make_export()
    changed = attrs.evolve(export, links=change(export.links))
    assert position == broken(changed, file_format).position


def test_a_body_that_is_taken_out(file_format: str) -> None:
    """Its hash in its place keeps the chain whole; the manifest counts the bodies."""
    export = make_export()
    hidden = make_export(hidden=(2, 3)).links
    error = broken(attrs.evolve(export, links=hidden), file_format, head=export.manifest.head)
    assert (error.position, error.reason) == (
        None,
        "it holds the bodies of 3 packs, and the manifest counts 4: some were taken out, or put in",
    )


def test_packs_before_a_break_can_be_read(file_format: str) -> None:
    """And what is broken can't."""
    export = make_export()
    packs = read_packs(attrs.evolve(export, links=edit(export.links)).content(file_format))
    assert next(packs)["sequence"] == 1
    with pytest.raises(EvidenceError, match="at link 1"):
        next(packs)


@pytest.mark.parametrize(
    ("changes", "position", "reason"),
    [
        ({"tenant_id": "other"}, 0, "of another tenant"),
        ({"start": OTHER}, None, "not what stands before its first link"),
        ({"start": OTHER, "first_sequence": 2}, 0, "its sequence is 1"),
        ({"count": 4}, 4, "it goes on after the 4 links"),
        ({"count": 6}, 5, "it ends there, and the manifest counts 6 links"),
        ({"count": -1}, None, "counts below nothing"),
        ({"count": 0, "packs": 0}, None, "counts no links, and has a head"),
        ({"count": 0, "packs": 0, "head": START}, 0, "it goes on after the 0 links"),
        ({"packs": 3}, None, "the bodies of 4 packs, and the manifest counts 3"),
        ({"packs": 5}, None, "the bodies of 4 packs, and the manifest counts 5"),
        ({"packs": 6}, None, "more packs than links"),
        ({"packs": -1}, None, "or below nothing"),
        ({"head": OTHER}, 4, "is not the manifest's head"),
        ({"head": ""}, None, "no SHA-256 in hex"),
        ({"start": "A" * 64}, None, "no SHA-256 in hex"),
        ({"first_sequence": 2}, None, "not what stands before its first link"),
        ({"first_sequence": 0}, None, "counts below nothing"),
    ],
    ids=str,
)
def test_a_manifest_that_lies(
    file_format: str, changes: dict[str, Any], position: int | None, reason: str
) -> None:
    """Though its own hash was made to fit."""
    export = make_export()
    changed = attrs.evolve(export, manifest=attrs.evolve(export.manifest, **changes))
    error = broken(changed, file_format)
    assert (position, True) == (error.position, reason in error.reason), error


@pytest.mark.parametrize(("first", "start"), [(1, OTHER), (2, START), (0, START)])
def test_another_start(file_format: str, first: int, start: str) -> None:
    """Though all hashes follow from it: a tenant's first pack has nothing before it."""
    for bodies in (BODIES, []):
        error = broken(make_export(bodies, first=first, start=start), file_format)
        assert error.position is None


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("exported_at", "2028-01-15T08:00:00.000Z", "has been changed"),
        ("artifact_kind", "abp", "has been changed"),
        ("manifest_hash", OTHER, "has been changed"),
        ("format", "quatrain.evidence/2", "only 'quatrain.evidence/1' is known"),
        ("count", 5.0, "count is of the wrong type"),
        ("count", True, "count is of the wrong type"),
        ("tenant_id", None, "tenant_id is of the wrong type"),
        ("start", ["0"], "start is of the wrong type"),
        ("more", 1, "has an unknown 'more'"),
        ("head", ..., "lacks 'head'"),
    ],
)
def test_a_manifest_that_was_changed(name: str, value: Any, reason: str) -> None:
    """What the links do not cover, its hash does."""
    fields = {**make_export().manifest.as_json(), name: value}
    if value is ...:
        del fields[name]
    with pytest.raises(EvidenceError, match=reason) as raised:
        Manifest.read(fields)
    assert raised.value.position is None


def test_a_gap_that_is_chained_over(file_format: str) -> None:
    """Whose hashes are right all the same."""
    first = make_export([{}], hidden=(1,))
    after = make_export([{}], hidden=(3,), first=3, start=first.manifest.head)
    manifest = attrs.evolve(first.manifest, count=2, head=after.manifest.head)
    error = broken(Export(manifest, [*first.links, *after.links]), file_format)
    assert (1, True) == (error.position, "its sequence is 3 where 2 comes next" in error.reason)


@pytest.mark.parametrize("field", ["tenant_id", "sequence"])
def test_a_body_of_elsewhere(file_format: str, field: str) -> None:
    """A chain that holds together, around a body that says it is of another tenant or place."""
    export = make_export([{}], hidden=())
    body = {"tenant_id": TENANT, "sequence": 1, field: "other"}
    link = link_after(START, 1, body)
    changed = Export(
        attrs.evolve(export.manifest, head=link.chain_hash),
        [link_with_body(1, link.chain_hash, canonical(body))],
    )
    assert broken(changed, file_format).position == 0


def test_the_error_is_of_its_family_and_travels(file_format: str) -> None:
    """With where and why."""
    error = broken(attrs.evolve(make_export(), links=[]), file_format)
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(error, VelerianError)
    assert (error.reason, 0, str(error)) == (again.reason, again.position, str(again))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Is an OSError, as everywhere; a name that no file can have is no evidence."""
    with pytest.raises(FileNotFoundError):
        verify_evidence(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        verify_evidence(tmp_path)
    with pytest.raises(EvidenceError, match="name"):
        verify_evidence("a\0b")
