"""Files that are meant to do harm, or were written by others: bounded, strict, and told why."""

from __future__ import annotations

import gc
import io
import json
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quatrain.errors.velerian import EvidenceError
from quatrain.evidence import jsonpieces, read_packs, reading, verify_evidence
from quatrain.evidence.chain import START, canonical, link_after
from quatrain.evidence.manifest import LINKS, MANIFEST, Manifest, link_with_body
from quatrain.evidence.writing import WRITERS, write

from ._exports import TENANT, files_of, make_export, meaning, zip_of

EXPORT = make_export()
JSON = EXPORT.content("json")
ZIP = EXPORT.content("zip")
FILES = files_of(ZIP)


def reason(content: bytes) -> str:
    with pytest.raises(EvidenceError) as raised:
        verify_evidence(content)
    return str(raised.value)


# -- JSON -----------------------------------------------------------------------------------------


class Slow(io.BytesIO):
    """A file that comes in pieces of *size* bytes."""

    size = 1

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self.size, self.size if size is None or size < 0 else size))


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_values_may_begin_and_end_anywhere(size: int) -> None:
    """However the file comes, characters of several bytes and numbers included."""
    content = json.loads(make_export(first=41, start="ab" * 32).content("json"))
    for style in ({"separators": (",", ":")}, {"indent": 1, "sort_keys": True}):
        file = Slow(json.dumps(content, ensure_ascii=False, **style).encode())
        file.size = size
        document = reading.JsonDocument(file)
        manifest, links = document.manifest(), list(document.links())
        assert content == {**manifest, "links": links}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"n":10', '"n":NaN', "at link 4: NaN is not a JSON number"),
        ('"n":10', '"n":1e999', "at link 4: the number 1e999 is too large"),
        ('"n":10', f'"n":{"1" * 2_000}', "at link 4: a number has more than 1,000 digits"),
        ('"n":10', '"n":10,"n":10', "at link 4: the name 'n' is given twice"),
        ('"n":10', f'"n":{"[" * 400}{"]" * 400}', "at link 4: it is nested deeper than 300"),
        ('"n":10', f'"n":{"[" * 9_999}', "at link 4: it is nested too deeply"),
        ('"n":10', '"n":01', "at link 4: it is not JSON"),
        ('"n":10', "'n':10", "at link 4: it is not JSON"),
        ('"sequence":1,', '"sequence":1.0,', "at link 0: its sequence is no integer"),
        ('"sequence":1,', '"sequence":true,', "at link 0: its sequence is no integer"),
        ('"sequence":1,', "", "at link 0: it has not the fields of a link"),
        ('"sequence":1,', '"x":1,"sequence":1,', "at link 0: it has not the fields of a link"),
        ('"format"', '"head":"","format"', "'head' twice"),
        ('"format"', '"x":1,"format"', "'x' twice, or should not have it"),
        ('{"format"', '{[1]:1,"format"', "twice, or should not have it"),
        ('"links":[', '"links":{', "it is not JSON: [ comes next, not '{'"),
        ("]}\n", "]}\nx", "it goes on after its end"),
        ("]}\n", "]}\0", "it goes on after its end"),
        ("]}\n", "]", "not the end of the file"),
        ("\n]}\n", ",]}", "not JSON"),
        ("{", "\ufeff{", "{ comes next, not '\\ufeff'"),
    ],
)
def test_json_is_read_strictly(old: str, new: str, told: str) -> None:
    """No two readers may differ on what it says; each mistake is told with its place."""
    assert told in reason(JSON.decode().replace(old, new, 1).encode())


def test_text_that_is_no_utf8_is_told_where_it_stands() -> None:
    """The links before it are right, though they were read together with it."""
    assert "at link 4: it is not UTF-8" in reason(JSON.replace(b"failed", b"fail\xff"))


def test_links_that_are_missing() -> None:
    """Not even empty ones."""
    fields = make_export([]).manifest.as_json()
    assert "it has no links" in reason(json.dumps(fields).encode())
    assert verify_evidence(json.dumps({**fields, "links": []}).encode()).count == 0


@pytest.mark.parametrize("content", [JSON, ZIP], ids=["json", "zip"])
def test_a_link_has_a_bound(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """So much of a file is held at most."""
    for module in (jsonpieces, reading):
        monkeypatch.setattr(module, "MAX_VALUE", 200)
    monkeypatch.setattr(jsonpieces, "_AT_ONCE", 10)
    assert "of more than 200" in reason(content)
    monkeypatch.setattr(jsonpieces, "_AT_ONCE", 10_000)
    assert "of more than 200" in reason(content)


def test_a_value_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before the file's end."""
    monkeypatch.setattr(jsonpieces, "MAX_VALUE", 100_000)
    assert "of more than 100,000 characters" in reason(b'{"format":"' + b"x" * 5_000_000)


def test_an_endless_file_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that never ends is refused when it has been read long enough."""
    monkeypatch.setattr(jsonpieces, "MAX_VALUE", 100_000)
    with pytest.raises(EvidenceError, match="comes next"):
        verify_evidence("/dev/zero")
    monkeypatch.setattr(jsonpieces, "MAX_TOTAL", 1_000)
    assert "larger than 1,000 bytes" in reason(b" " * 2_000)


# -- ZIP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_of_another_program_says_the_same(method: int) -> None:
    """Its files in another order, with another date."""
    assert meaning(ZIP) == meaning(zip_of(list(FILES.items())[::-1], method))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], "{ comes next"),  # without a file it has not even a ZIP's beginning
        ([MANIFEST], "it holds 1 files"),
        ([MANIFEST, LINKS, "x"], "it holds 3 files"),
        ([MANIFEST, MANIFEST], "its files are not"),
        ([MANIFEST, "../" + LINKS], "its files are not"),
        ([MANIFEST, LINKS + "\0"], "its files are not"),
        ([MANIFEST, LINKS + "/"], "its files are not"),
        ([MANIFEST, "x" * 5_000], "it holds 2 files"),
    ],
)
def test_a_zip_holds_two_files(files: list[str], told: str) -> None:
    """Of these names."""
    assert told in reason(_zip_named(files))


def _zip_named(names: list[str]) -> bytes:
    """Names as they are given: the library itself would cut them at a NUL."""
    made = zip_of([(name.replace("\0", "?"), FILES.get(name, b"")) for name in names])
    return made.replace(b"?", b"\0")


def test_many_files_are_refused_before_they_are_looked_at() -> None:
    """Though the ZIP's end says there are two."""
    made = bytearray(zip_of([(str(number), b"") for number in range(2_000)]))
    struct.pack_into("<2H", made, len(made) - 14, 2, 2)
    assert "an export holds 2" in reason(bytes(made))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_is_refused() -> None:
    """Programs would differ on which counts; the ZIP's end says there are two files."""
    made = bytearray(zip_of([*FILES.items(), (LINKS, FILES[LINKS])]))
    struct.pack_into("<2H", made, len(made) - 14, 2, 2)
    assert "its files are not" in reason(bytes(made))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_refused(method: int) -> None:
    """There is no need of them."""
    assert "neither stored nor deflated" in reason(zip_of(FILES.items(), method))


def entry_of(content: bytes, name: str) -> int:
    """Where the directory's entry of a file begins."""
    return content.rindex(name.encode()) - 46


def patched(content: bytes, name: str, offset: int, layout: str, value: int) -> bytes:
    changed = bytearray(content)
    struct.pack_into(layout, changed, entry_of(content, name) + offset, value)
    return bytes(changed)


FLAGS, METHOD, CHECKSUM, PACKED, SIZE, WHERE = 8, 10, 16, 20, 24, 42


@pytest.mark.parametrize(
    ("name", "offset", "layout", "value", "told"),
    [
        (LINKS, FLAGS, "<H", 1, "encrypted"),
        (LINKS, SIZE, "<L", 2**31, "larger than 2,147,483,647 bytes"),
        (LINKS, SIZE, "<L", 10_000, "not the 10,000 bytes it claims"),
        (LINKS, SIZE, "<L", 10, "not the 10 bytes it claims"),
        (LINKS, CHECKSUM, "<L", 10, "links.jsonl has another checksum"),
        (LINKS, PACKED, "<L", 10, "something stands before its directory"),
        (LINKS, WHERE, "<L", 2**31, "verify"),
        (MANIFEST, SIZE, "<L", 2**17, "manifest.json is larger than 65,536 bytes"),
        (MANIFEST, SIZE, "<L", 10, "not the 10 bytes it claims"),
        (MANIFEST, PACKED, "<L", 10, "something stands before links.jsonl"),
    ],
)
def test_a_zip_that_lies(name: str, offset: int, layout: str, value: int, told: str) -> None:
    """About what is in it."""
    assert told in reason(patched(ZIP, name, offset, layout, value))


def test_a_file_that_is_packed_without_an_end() -> None:
    """All of its bytes come out; another program might ask for more."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = compressor.compress(FILES[LINKS]) + compressor.flush(zlib.Z_SYNC_FLUSH)
    made = zip_of([(MANIFEST, FILES[MANIFEST]), (LINKS, packed)], zipfile.ZIP_STORED)
    made = patched(made, LINKS, SIZE, "<L", len(FILES[LINKS]))
    made = patched(made, LINKS, CHECKSUM, "<L", zlib.crc32(FILES[LINKS]))
    made = patched(made, LINKS, METHOD, "<H", zipfile.ZIP_DEFLATED)
    header = bytearray(made)
    struct.pack_into("<H", header, made.index(LINKS.encode()) - 22, zipfile.ZIP_DEFLATED)
    assert "links.jsonl is cut off" in reason(bytes(header))


def test_a_file_that_calls_itself_another() -> None:
    """By its own header; the directory calls it links.jsonl."""
    assert "links.jsonl is another file" in reason(ZIP.replace(b"links.json", b"LINKS.json", 1))


def _with_another(at: int, *, packed: bool = False) -> bytes:
    """The ZIP with a file put in *at* there, which its directory does not tell of.

    *packed* counts it to the file before it.
    """
    forged = zip_of([(LINKS, b"{}\n")], zipfile.ZIP_STORED)
    forged = forged[: forged.index(b"PK\x01\x02")]
    cut = at - 16 if packed else at  # before the checksum and sizes that stand behind a file
    made = bytearray(ZIP[:cut] + forged + ZIP[cut:])
    for name in (MANIFEST, LINKS):
        entry = entry_of(bytes(made), name)
        (where,) = struct.unpack_from("<L", made, entry + WHERE)
        if where >= at:
            struct.pack_into("<L", made, entry + WHERE, where + len(forged))
        elif packed:
            (size,) = struct.unpack_from("<L", made, entry + PACKED)
            struct.pack_into("<L", made, entry + PACKED, size + len(forged))
            packed = False
    (directory,) = struct.unpack_from("<L", made, len(made) - 6)
    struct.pack_into("<L", made, len(made) - 6, directory + len(forged))
    return bytes(made)


SECOND, DIRECTORY = ZIP.index(b"PK\x03\x04", 4), ZIP.index(b"PK\x01\x02")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (_with_another(0), "something stands before manifest.json"),
        (_with_another(SECOND), "something stands before links.jsonl"),
        (_with_another(DIRECTORY), "something stands before its directory"),
        (_with_another(SECOND, packed=True), "something stands behind manifest.json"),
        (ZIP[:SECOND] + ZIP, "something has been added"),
    ],
    ids=["first", "between", "last", "packed", "prepended"],
)
def test_a_file_that_the_directory_does_not_tell_of(content: bytes, told: str) -> None:
    """Programs that go from file to file would unpack it, and not what was verified."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read(LINKS) == FILES[LINKS]
    assert told in reason(content)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_of_any_program_is_read(method: int) -> None:
    """Whatever it says beside the files."""
    packed = zip_of(reversed(FILES.items()), method)
    assert verify_evidence(packed) == verify_evidence(ZIP)


def test_a_zip_that_points_before_its_beginning(tmp_path: Path) -> None:
    """In a file as in memory."""
    changed = bytearray(ZIP)
    struct.pack_into("<L", changed, len(changed) - 6, len(changed))
    path = tmp_path / "evidence.zip"
    path.write_bytes(changed)
    for source in (path, bytes(changed)):
        with pytest.raises(EvidenceError):
            verify_evidence(source)


@pytest.mark.parametrize(
    "content",
    [ZIP + b"x", ZIP[:-1], ZIP[:30], ZIP[:4], ZIP[:-22] + b"PK\x06\x07" + b"\0" * 16 + ZIP[-22:]],
)
def test_a_zip_ends_with_its_end(content: bytes) -> None:
    """Nothing is missing there, nothing is added, and no second directory."""
    assert "cut off" in reason(content)


def test_a_bomb_is_not_unpacked() -> None:
    """A line of forty megabytes, which takes forty kilobytes, is given up in time."""
    bomb = zip_of([(MANIFEST, FILES[MANIFEST]), (LINKS, b" " * 40_000_000)])
    tracemalloc.start()
    told = reason(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "at link 0: links.jsonl has a line of more than 16,777,216 bytes" in told
    assert peak < 36_000_000


@pytest.mark.parametrize("broken", ["manifest", "links"])
def test_zip_members_are_read_strictly(broken: str) -> None:
    """As JSON is."""
    files = dict(FILES)
    if broken == "manifest":
        files[MANIFEST] += b"{}"
    else:
        files[LINKS] = files[LINKS].replace(b'"n":10', b'"n":10,"n":1')
    told = reason(zip_of(files.items()))
    assert ("goes on after its end" if broken == "manifest" else "at link 4: the name") in told


# -- large exports --------------------------------------------------------------------------------


def write_large(path: Path, kind: str, count: int) -> None:
    """An export of *count* packs of a few kilobytes, without holding them."""
    text = canonical({"x": "y" * 4_000})

    def hashes() -> Iterator[tuple[int, str, str]]:
        previous = START
        for sequence in range(1, count + 1):
            body = {"sequence": sequence, "tenant_id": TENANT, "text": text}
            link = link_after(previous, sequence, body)
            previous = link.chain_hash
            yield sequence, previous, canonical(body)

    head = START
    for _, head, _ in hashes():  # noqa: B007 - the last one is wanted
        pass
    manifest = Manifest(
        tenant_id=TENANT,
        artifact_kind="abp",
        exported_at="",
        start=START,
        count=count,
        packs=count,
        head=head,
        first_sequence=1,
    )
    with path.open("wb") as file:
        file.writelines(write(WRITERS[kind](manifest), (link_with_body(*h) for h in hashes())))


@pytest.mark.parametrize("kind", ["json", "zip"])
def test_memory_is_bounded(tmp_path: Path, kind: str) -> None:
    """Writing and verifying sixteen megabytes holds a small part of them."""
    path = tmp_path / "evidence"
    peaks: list[Any] = []
    for step in (lambda: write_large(path, kind, 4_000), lambda: verify_evidence(path)):
        tracemalloc.start()
        step()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 1_500_000
    assert kind == "zip" or path.stat().st_size > 16_000_000


def test_a_file_is_closed(tmp_path: Path) -> None:
    """Even when nobody reads its packs to the end; warnings are errors."""
    path = tmp_path / "evidence"
    path.write_bytes(ZIP)
    packs = read_packs(path)
    assert next(packs)["sequence"] == 1
    del packs
    gc.collect()
