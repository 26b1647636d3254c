"""Files that are there whole or not at all, and bodies that are unpacked piece by piece."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain._part_file import PIECE, PartFile, Unpacker


def test_it_takes_its_place_at_the_end(tmp_path: Path) -> None:
    """Until then what was there before is there; the part has a name and a mode of its own."""
    to = tmp_path / "e"
    to.write_text("old")
    part = PartFile(to)
    part.open()
    part.write(b"n")
    part.write(b"ew")
    (beside,) = set(tmp_path.iterdir()) - {to}
    assert to.read_text() == "old"
    assert beside.name.startswith(".quatrain-")
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    part.commit()
    part.discard()
    assert to.read_text() == "new"
    assert list(tmp_path.iterdir()) == [to]


def test_it_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its place is on the disk before anybody is told: a power cut can't take it back."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def sync(file: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file")
        fsync(file)

    def move(source: str, to: Path) -> None:
        done.append(f"{source} to {to}")
        replace(source, to)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", move)

    part = PartFile(tmp_path / "e")
    part.open()
    (beside,) = tmp_path.iterdir()
    part.commit()
    assert done == ["file", f"{beside} to {tmp_path / 'e'}", "folder"]


def test_a_discarded_one_leaves_nothing(tmp_path: Path) -> None:
    """Twice is fine, and so is one that was never opened, or that somebody else removed."""
    part = PartFile(tmp_path / "e")
    part.discard()
    part.open()
    part.write(b"x")
    part.discard()
    part.discard()
    assert list(tmp_path.iterdir()) == []
    part.open()
    next(tmp_path.iterdir()).unlink()
    part.discard()
    with pytest.raises(ValueError, match="not open"):
        part.write(b"x")


def test_a_write_of_the_system_may_be_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it goes on with the rest."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    part = PartFile(tmp_path / "e")
    part.open()
    part.write(b"0123456789")
    part.commit()
    assert (tmp_path / "e").read_bytes() == b"0123456789"


@pytest.mark.parametrize("name", ["missing/e", "folder"])
def test_where_no_file_can_be(tmp_path: Path, name: str) -> None:
    """It says so before there is anything to write."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        PartFile(tmp_path / name).open()


def unpack(encoding: str | None, data: bytes, size: int) -> bytes:
    unpacker = Unpacker(encoding)
    pieces = [piece for n in range(0, len(data), size) for piece in unpacker.feed(data[n:][:size])]
    pieces += unpacker.end()
    assert all(len(piece) <= max(PIECE, size) for piece in pieces)
    return b"".join(pieces)


@given(st.binary(max_size=3_000), st.integers(1, 400), st.integers(1, 300))
def test_whatever_was_packed_comes_out(data: bytes, times: int, size: int) -> None:
    """However it is cut."""
    data *= times
    assert unpack("gzip", gzip.compress(data, 1), size) == data
    assert unpack("deflate", zlib.compress(data, 1), size) == data


@pytest.mark.parametrize("encoding", [None, "identity", " Identity "])
def test_what_was_not_packed_is_what_it_is(encoding: str | None) -> None:
    """Nothing is done to it."""
    assert unpack(encoding, b"abc", 2) == b"abc"


@given(st.binary(min_size=1, max_size=200))
def test_nonsense_is_refused(data: bytes) -> None:
    """With the one error, whatever it is."""
    with pytest.raises(ValueError, match=r"unpacked|its end"):
        unpack("gzip", b"\x00" + data, 50)
