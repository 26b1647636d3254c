"""Sealing: only the right key opens, in the right place, and keys can be replaced."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain._secret import Secret
from quatrain.errors import ConfigError
from quatrain.server.vendo.records import UnavailableError
from quatrain.server.vendo.sealing import Ring, new_key

OLD, NEW = Secret("A" * 43), new_key()
TOKEN = Secret("sk-token")


def ring(*keys: Secret) -> Ring:
    return Ring.parse(Secret(",".join(key.reveal() for key in keys)))


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_can_be_opened(text: str) -> None:
    """Whatever it is."""
    sealed = ring(NEW).seal(Secret(text), place="a/1")
    assert text == ring(NEW).open(sealed, place="a/1").reveal()


def test_it_never_looks_the_same() -> None:
    """Nor like what it holds."""
    sealed = {ring(NEW).seal(TOKEN, place="a/1") for _ in range(50)}
    assert len(sealed) == 50
    assert not any(b"token" in each for each in sealed)


def test_another_place() -> None:
    """A row's token is not another's."""
    sealed = ring(NEW).seal(TOKEN, place="a/1")
    with pytest.raises(UnavailableError, match="changed, or moved"):
        ring(NEW).open(sealed, place="a/2")


@given(position=st.integers(0, 200), flip=st.integers(1, 255), cut=st.integers(0, 60))
def test_any_change_is_noticed(position: int, flip: int, cut: int) -> None:
    """Of any byte, or at the end."""
    sealed = bytearray(ring(NEW).seal(TOKEN, place="a/1"))
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(UnavailableError):
        ring(NEW).open(bytes(sealed[: len(sealed) - cut]), place="a/1")


def test_keys_are_replaced() -> None:
    """The first seals and all open; which one it was is told, and no part of it."""
    sealed = ring(OLD).seal(TOKEN, place="a/1")
    both = ring(NEW, OLD)
    again = both.seal(TOKEN, place="a/1")
    assert TOKEN == both.open(sealed, place="a/1")
    assert [False, True] == [both.is_newest(sealed), both.is_newest(again)]
    assert TOKEN == ring(NEW).open(again, place="a/1")
    with pytest.raises(UnavailableError, match=ring(OLD).names[0]) as caught:
        ring(NEW).open(sealed, place="a/1")
    assert NEW.reveal() not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "A" * 42, "A" * 44, "A" * 42 + "é", "*" * 43, "A" * 43 + ",", "A" * 43 + ",BBB"]
)
def test_what_is_no_key(text: str) -> None:
    """Is refused, and not repeated: it may be a key with a slip."""
    with pytest.raises(ConfigError, match="32 random bytes") as caught:
        Ring.parse(Secret(text))
    assert not any(part and part in str(caught.value) for part in text.split(","))


def test_how_keys_are_written() -> None:
    """In either alphabet, with padding or without, and space around them."""
    padded = base64.urlsafe_b64encode(b"\xff" * 32).decode()
    names = Ring.parse(Secret(padded)).names
    for text in (f" {padded} ", padded[:-1], base64.b64encode(b"\xff" * 32).decode()):
        assert names == Ring.parse(Secret(text)).names


def test_nothing_is_shown() -> None:
    """Of a key, in any of the usual ways."""
    assert NEW.reveal() not in repr(ring(NEW)) + str(ring(NEW)) + f"{ring(NEW)}" + repr(NEW)
