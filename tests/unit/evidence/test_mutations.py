"""Whatever single thing is done to a valid export is found, or has changed nothing that it says.

What may be changed unnoticed, and why: space between JSON's marks, an escape for its character and
the like, since the text then reads the same; in a ZIP the times, versions and permissions, since
they are not evidence of anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quatrain.errors.velerian import EvidenceError
from quatrain.evidence import verify_evidence
from quatrain.evidence.chain import canonical
from quatrain.evidence.manifest import LINKS, MANIFEST

from ._exports import Export, files_of, make_export, meaning, zip_of

EXPORT = make_export()
CONTENTS = {name: EXPORT.content(name) for name in ("json", "zip")}
MEANING = meaning(CONTENTS["json"])
KINDS = ["json", "zip"]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
bodies = st.lists(st.dictionaries(st.text(), values, max_size=4), max_size=6)


@st.composite
def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """One piece of it replaced by another, put elsewhere, or by nothing; or something put in."""
    begin = draw(st.integers(0, len(content)))
    end = min(len(content), begin + draw(st.sampled_from([0, 1, 1, 2, 40, 200])))
    piece = content[begin:end]
    match draw(st.sampled_from(["replace", "flip", "delete", "double", "move", "cut"])):
        case "replace":
            return content[:begin] + draw(st.binary(min_size=1, max_size=4)) + content[end:]
        case "flip" if piece:
            flipped = piece[0] ^ 1 << draw(st.integers(0, 7))
            return content[:begin] + bytes([flipped]) + content[begin + 1 :]
        case "double":
            return content[:end] + piece + content[end:]
        case "move":
            rest = content[:begin] + content[end:]
            to = draw(st.integers(0, len(rest)))
            return rest[:to] + piece + rest[to:]
        case "cut":
            return content[:begin]
    return content[:begin] + content[end:]


def found_or_nothing(content: bytes) -> bool:
    """Whether it was found; if not, it must say what it said."""
    try:
        said = meaning(content)
    except EvidenceError:
        return True
    assert said == MEANING, content
    return False


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=1_000)
def test_any_single_mutation_of_its_bytes(kind: str, data: st.DataObject) -> None:
    """Of the file."""
    found_or_nothing(data.draw(mutated(CONTENTS[kind])))


@pytest.mark.parametrize("member", [MANIFEST, LINKS])
@given(data=st.data())
@settings(max_examples=500)
def test_any_single_mutation_inside_a_zip(member: str, data: st.DataObject) -> None:
    """Whose own checksums were made to fit."""
    files = files_of(CONTENTS["zip"])
    files[member] = data.draw(mutated(files[member]))
    found_or_nothing(zip_of(files.items()))


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_of_its_bytes(kind: str) -> None:
    """But for the last line break of the JSON."""
    content = CONTENTS[kind]
    unnoticed = [n for n in range(len(content)) if not found_or_nothing(content[:n])]
    assert unnoticed == ([len(content) - 1] if kind == "json" else [])


@pytest.mark.parametrize("bit", [0, 5, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_every_flipped_byte(kind: str, bit: int) -> None:
    r"""In the JSON only the case of an escape's digits can change: \u00EB is \u00eb."""
    content = CONTENTS[kind]
    unnoticed = [
        at
        for at in range(len(content))
        if not found_or_nothing(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
    ]
    if kind == "json":
        escape = content.index(b"\\u00eb")
        assert set(unnoticed) <= {escape + 4, escape + 5}


# -- what it says, changed and written anew -------------------------------------------------------


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside of *value*."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*way, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*way, key))


@given(bodies=bodies, data=st.data())
@settings(max_examples=300)
def test_any_value_that_is_changed(bodies: list[dict[str, Any]], data: st.DataObject) -> None:
    """Anywhere in an export of anything; as a whole it verifies."""
    content = make_export(bodies, hidden=(2,)).content("json")
    assert len(bodies) == verify_evidence(content).count
    document = json.loads(content)
    *way, last = data.draw(st.sampled_from(list(places(document))))
    inside = document
    for key in way:
        inside = inside[key]
    before = canonical(document)
    match data.draw(st.sampled_from(["set", "delete", "rename"])):
        case "delete":
            del inside[last]
        case "rename" if isinstance(inside, dict):
            inside[data.draw(st.text())] = inside.pop(last)
        case _:
            inside[last] = data.draw(values | st.sampled_from(EXPORT.hashes))
    if canonical(document) == before:
        return
    with pytest.raises(EvidenceError):
        verify_evidence(json.dumps(document).encode())


@given(bodies=bodies, indent=st.sampled_from([None, 0, 3]), ascii_only=st.booleans())
def test_what_only_looks_different(
    bodies: list[dict[str, Any]], indent: int | None, ascii_only: bool
) -> None:
    """Another program's JSON of the same, with its names in another order, says the same."""
    content = make_export(bodies).content("json")
    text = json.dumps(json.loads(content), indent=indent, ensure_ascii=ascii_only, sort_keys=True)
    assert meaning(content) == meaning(text.encode("utf-8"))


@given(st.lists(st.sampled_from(range(5)), max_size=8), st.sampled_from(KINDS))
@settings(max_examples=300)
def test_only_all_links_in_their_order(chosen: list[int], kind: str) -> None:
    """Any other choice of them is found, whatever the manifest counts."""
    links = [EXPORT.links[at] for at in chosen]
    for count in {5, len(links)}:
        manifest = {**EXPORT.manifest.as_json()}
        del manifest["manifest_hash"], manifest["format"]
        numbers = {"count": count, "packs": sum('"body":' in link for link in links)}
        changed = Export(type(EXPORT.manifest)(**{**manifest, **numbers}), links)
        if chosen != [0, 1, 2, 3, 4]:
            with pytest.raises(EvidenceError):
                verify_evidence(changed.content(kind))


# -- what never was one ---------------------------------------------------------------------------


@given(
    st.sampled_from([b"", b"PK\x03\x04", b"{", b'{"links":[', CONTENTS["json"][:200]]),
    st.binary(max_size=300),
    st.sampled_from([b"", b"}", b"]}", CONTENTS["zip"][-22:], CONTENTS["zip"][-200:]]),
)
@settings(max_examples=1_000)
def test_random_bytes(before: bytes, random: bytes, after: bytes) -> None:
    """Are refused, and nothing else is raised."""
    with pytest.raises(EvidenceError):
        verify_evidence(before + random + after)


@given(values)
def test_random_json(value: Any) -> None:
    """Alone, as a manifest, as the links, as a link."""
    fields = EXPORT.manifest.as_json()
    for document in (value, {**fields, "links": value}, {**fields, "links": [value]}):
        with pytest.raises(EvidenceError):
            verify_evidence(json.dumps(document).encode())
    for files in ((value, value), (fields, value)):
        content = [json.dumps(file).encode() for file in files]
        with pytest.raises(EvidenceError):
            verify_evidence(zip_of(zip((MANIFEST, LINKS), content, strict=True)))
