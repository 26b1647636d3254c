"""An exception as the ledger keeps it."""

from __future__ import annotations

import pytest

from quatrain._failure import FIELD, describe_failure
from quatrain._wire import MAX_PAYLOAD, payload_size


class HostileStr(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class HostileRepr(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no text")


def raised(exc: BaseException) -> BaseException:
    try:
        raise exc
    except BaseException as caught:
        return caught


def test_it_has_name_message_and_stack() -> None:
    """As the contract names them."""
    failure = describe_failure(raised(ValueError("no funds")))
    assert {"name": "ValueError", "message": "no funds"}.items() <= failure.items()
    assert "test_failure.py" in failure["stack"]
    assert failure["stack"].endswith("ValueError: no funds\n")


def test_long_fields_are_cut() -> None:
    """The message keeps its beginning, the stack its end."""
    failure = describe_failure(raised(ValueError("a" * 50_000 + "z")))
    assert failure["message"] == "a" * FIELD + "… [cut]"
    assert failure["stack"].startswith("[cut] …")
    assert failure["stack"].endswith("az\n")


@pytest.mark.parametrize("text", ["\U0001f600" * 100_000, "\x00" * 100_000, "\ud800" * 100_000])
def test_it_always_fits(text: str) -> None:
    """Also where a character takes four bytes, or six to escape, or is none at all."""
    failure = describe_failure(raised(ValueError(text)))
    assert payload_size(failure) <= MAX_PAYLOAD
    assert failure["name"] == "ValueError"


@pytest.mark.parametrize(
    "exc", [HostileStr("x"), HostileRepr("x"), ExceptionGroup("g", [OSError()])]
)
def test_any_exception_can_be_described(exc: Exception) -> None:
    """One that can't make its own text included."""
    failure = describe_failure(raised(exc))
    assert failure["name"] == type(exc).__name__
    assert isinstance(failure["message"], str)


def test_a_very_long_name_fits() -> None:
    """Nobody names a class so, and still."""
    failure = describe_failure(raised(type("N" * 100_000, (Exception,), {})("x")))
    assert payload_size(failure) <= MAX_PAYLOAD
