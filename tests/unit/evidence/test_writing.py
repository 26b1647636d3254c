"""Exports as bytes."""

from __future__ import annotations

import gc
import io
import json
import zipfile

import pytest

from quatrain.evidence.manifest import LINKS, MANIFEST
from quatrain.evidence.writing import WRITERS, write

from ._exports import files_of, make_export

EXPORT = make_export()


def test_a_json_export() -> None:
    """One object, a link a line, the links last."""
    content = EXPORT.content("json")
    first, *links, last, end = content.decode("ascii").split("\n")
    assert {**EXPORT.manifest.as_json(), "links": [*map(json.loads, EXPORT.links)]} == (
        json.loads(content)
    )
    assert first.startswith('{"format":"quatrain.evidence/1","tenant_id":"acme",')
    assert first.endswith(',"links":[')
    assert EXPORT.links == [link.removesuffix(",") for link in links]
    assert ("]}", "") == (last, end)


def test_a_zip_export() -> None:
    """The same in two files, which any program unpacks."""
    content = EXPORT.content("zip")
    files = files_of(content)
    assert EXPORT.manifest.as_json() == json.loads(files[MANIFEST])
    assert [*EXPORT.links, ""] == files[LINKS].decode("ascii").split("\n")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert {(1980, 1, 1, 0, 0, 0)} == {entry.date_time for entry in archive.infolist()}
        assert {3} == {entry.create_system for entry in archive.infolist()}


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_evidence_gives_the_same_bytes(kind: str) -> None:
    """Always."""
    assert EXPORT.content(kind) == make_export().content(kind)


@pytest.mark.parametrize("kind", WRITERS)
def test_an_export_may_be_left_half_way(kind: str) -> None:
    """Without a word, whoever's fault it was."""
    pieces = write(WRITERS[kind](EXPORT.manifest), EXPORT.links)
    next(pieces)
    next(pieces)
    del pieces
    never_begun = WRITERS[kind](EXPORT.manifest)
    never_begun.close()
    del never_begun
    gc.collect()
