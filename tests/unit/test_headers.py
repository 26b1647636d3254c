"""Headers read out of whatever holds them, and never more than once."""

from __future__ import annotations

import email.message
from collections.abc import Iterator
from typing import Any

import django.http.request
import httpx
import pytest
import starlette.datastructures
import werkzeug.datastructures
from hypothesis import given
from hypothesis import strategies as st

from quatrain._headers import header_of, headers_of


class OnlyGet:
    """Headers that can be asked, and not listed."""

    def get(self, name: str) -> str | None:
        return {"x-user": "u1"}.get(name)


class Broken:
    """Headers that fail."""

    def items(self) -> Any:
        raise RuntimeError


def message(*pairs: tuple[str, str]) -> email.message.Message:
    """The standard library's, of ``http.server``."""
    made = email.message.Message()
    for name, value in pairs:
        made[name] = value
    return made


def one_by_one() -> Iterator[tuple[str, str]]:
    yield "X-User", "u1"
    yield "X-Role", "r1"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-User": "u1"},
        {"x-user": "u1"},
        {"X-USER": " \tu1 "},
        {b"X-User": b"u1"},
        {"X-User": "u1", "X-Other": "u2", None: 1},
        [("X-User", "u1")],
        [["x-user", b"u1"]],
        (("X-User", "u1"), ("longer", "than", "two")),
        one_by_one(),
        OnlyGet(),
        message(("X-User", "u1")),
        httpx.Headers({"X-User": "u1"}),
        starlette.datastructures.Headers({"X-User": "u1"}),
        werkzeug.datastructures.Headers({"X-User": "u1"}),
        werkzeug.datastructures.EnvironHeaders({"HTTP_X_USER": "u1"}),
        django.http.request.HttpHeaders({"HTTP_X_USER": "u1"}),
    ],
)
def test_it_is_found(headers: Any) -> None:
    """In any case, and in what the frameworks give."""
    assert "u1" == header_of(headers, "X-User")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-User": "u1", "x-user": "u2"},
        {"X-User": "u1", "x-user": "u1"},
        [("X-User", "u1"), (b"x-user", b"u2")],
        message(("X-User", "u1"), ("X-User", "u2")),
        httpx.Headers([("X-User", "u1"), ("X-User", "u2")]),
        starlette.datastructures.Headers(raw=[(b"x-user", b"u1"), (b"x-user", b"u2")]),
        werkzeug.datastructures.Headers([("X-User", "u1"), ("X-User", "u2")]),
    ],
)
def test_twice_is_not_at_all(headers: Any) -> None:
    """Readers would differ on which counts."""
    assert None is header_of(headers, "X-User")


@pytest.mark.parametrize(
    "headers",
    [
        None,
        0,
        object(),
        "X-User: u1",
        {},
        [],
        [1, 2],
        Broken(),
        {"X-Users": "u1"},
        {"X-User": None},
        {"X-User": 1},
        {"X-User": ["u1"]},
        {"X-User": "\ud800"},
        {"HTTP_X_USER": "u1", "REQUEST_METHOD": "GET"},
    ],
)
def test_what_is_not_there(headers: Any) -> None:
    """Missing, no text, no headers; or an environ, in which X_User is X-User."""
    assert None is header_of(headers, "X-User")


def test_an_empty_value_is_a_value() -> None:
    """Whoever asks decides what it means."""
    assert "" == header_of({"X-User": " "}, "X-User")


def test_several_are_read_at_once() -> None:
    """Of what can be read once only."""
    found = headers_of(one_by_one(), ("X-Role", "X-User", "X-None"))
    assert {"X-Role": "r1", "X-User": "u1", "X-None": None} == found


anything = st.one_of(st.none(), st.text(), st.binary(), st.integers(), st.just("X-User"))


@given(
    st.one_of(
        anything,
        st.dictionaries(anything, anything),
        st.lists(st.one_of(anything, st.tuples(anything, anything))),
    )
)
def test_nothing_is_raised(headers: Any) -> None:
    """And what is found is text."""
    found = header_of(headers, "X-User")
    assert found is None or isinstance(found.encode(), bytes)
