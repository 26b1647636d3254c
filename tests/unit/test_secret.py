"""A credential shows itself nowhere."""

from __future__ import annotations

import copy
import json
import logging
import pickle

import pytest

from quatrain._secret import MASK, Secret

PLAIN = "vt_test_abcdef"


@pytest.mark.parametrize(
    "shown",
    [repr, str, ascii, "{}".format, "{:>30}".format, "%s".__mod__, "%r".__mod__, lambda s: f"{s}"],
)
def test_no_text_made_of_it_holds_it(shown) -> None:
    """Repr, str, format and both percent directives give the mask."""
    text = shown(Secret(PLAIN))
    assert PLAIN not in text
    assert MASK in text


def test_the_plain_text_is_given_on_request() -> None:
    """``reveal`` is the one way to it, also through another Secret."""
    assert Secret(Secret(PLAIN)).reveal() == PLAIN


def test_a_log_line_holds_the_mask(caplog: pytest.LogCaptureFixture) -> None:
    """As an argument of a log call it stays hidden."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("key %s %r", Secret(PLAIN), Secret(PLAIN))
    assert caplog.messages == [f"key {MASK} Secret('{MASK}')"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    """What holds one can't carry it off by accident."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps({"key": Secret(PLAIN)}, protocol)


def test_it_is_not_json() -> None:
    """Nor is it written into a request by accident."""
    with pytest.raises(TypeError):
        json.dumps(Secret(PLAIN))


def test_copies_are_itself() -> None:
    """A copied settings object goes on working."""
    secret = Secret(PLAIN)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_it_has_no_dict_to_look_into() -> None:
    """``vars()`` finds nothing."""
    with pytest.raises(TypeError):
        vars(Secret(PLAIN))


def test_scrubbing_masks_each_occurrence() -> None:
    """A server that echoes the key is not quoted with it."""
    text = Secret(PLAIN).scrub(f"no: {PLAIN}, {PLAIN}!")
    assert text == f"no: {MASK}, {MASK}!"
    assert Secret("").scrub("as it was") == "as it was"


def test_equality_is_by_value_and_only_among_secrets() -> None:
    """Comparing with a string tells nothing."""
    assert Secret(PLAIN) == Secret(PLAIN)
    assert hash(Secret(PLAIN)) == hash(Secret(PLAIN))
    assert Secret(PLAIN) != Secret("other")
    assert Secret(PLAIN) != PLAIN


def test_truth_is_whether_there_is_one() -> None:
    """An empty key is no key."""
    assert bool(Secret(PLAIN)) is True
    assert bool(Secret("")) is False
