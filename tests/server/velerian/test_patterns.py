"""Patterns: found where Python finds them, in bounded time, and refused when they are not known."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain.errors import InputError
from quatrain.server.velerian.patterns import MAX_TEXT, Pattern

PATTERNS = [
    *("a+b", "^a", "a$", "^$", "(ab|c)+x", "[^a]b", "a{2,3}c", "^a{2}$", "a{1,}c", r"\bab\b"),
    *(r"\Bb", "(?i)AB", "a?b*c", "^(a|b|)c$", r"\d+-\d", "a|b$", "^[ab]{0,2}c$", r"\.", "x*", "."),
    *("[]a]b", "(?:a)(b)", "$a", "^^a", "(a|)(b|)*c", r"[\w.]+x", r"a\nb", r"\[a\]", "", "a||b"),
]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.text(alphabet="abcxAB1-. ]\n", max_size=8))
def test_they_find_what_python_finds(pattern: str, text: str) -> None:
    """Anywhere in the text; ``$`` is its very end."""
    expected = re.search(pattern.replace("$", r"\Z"), text, re.DOTALL) is not None
    assert expected == Pattern(pattern).found_in(text)


@pytest.mark.parametrize("pattern", ["(a|a|aa)+$", "a+a+a+a+a+b", "(a|b|ab)*c", "a{0,50}a{50}b"])
def test_no_text_keeps_them_busy(pattern: str) -> None:
    """Each of these would take Python's engine longer than anybody waits."""
    assert not Pattern(pattern).found_in("a" * (MAX_TEXT - 1) + "x")


def test_a_long_text_is_looked_at_in_part() -> None:
    """As far as the documentation says."""
    assert Pattern("b").found_in("a" * (MAX_TEXT - 1) + "b")
    assert not Pattern("b").found_in("a" * MAX_TEXT + "b")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        *((text, "nested") for text in ("(a+)+", "(a*b)*", "a**", "a+?", "((a{2}))?", "(x|a+){3}")),
        *((text, "not understood") for text in ("(?=a)", r"\1", "{", "(?P<n>a)", "[", "a\\", "]")),
        *((text, "not understood") for text in ("[z-a]", r"\p", "[a[b]", r"\A")),
        *((text, "may once mean") for text in ("[a--b]", "[a&&b]")),
        ("*a", "nothing before it"),
        ("^*", "no character before it"),
        ("(a", r"\( has no \)"),
        ("a)", r"\) has no \("),
        ("a{3,2}", "ends before it begins"),
        ("a{400}", "300 steps"),
        ("(" * 31 + ")" * 31, "30 groups"),
        ("a" * 501, "500 characters"),
    ],
)
def test_others_are_refused(pattern: str, words: str) -> None:
    """With the reason."""
    with pytest.raises(InputError, match=words):
        Pattern(pattern)


@given(st.text(alphabet="ab()[]{}|*+?^$\\.-,1di:", max_size=12))
def test_any_text_is_a_pattern_or_a_mistake(pattern: str) -> None:
    """What is taken means the same to Python."""
    try:
        made = Pattern(pattern)
    except InputError:
        return
    if "[" in pattern:  # where a $ is a character
        return
    theirs = re.compile(re.sub(r"(?<!\\)((?:\\\\)*)\$", r"\1\\Z", pattern), re.DOTALL)
    for text in ("", "a", "ab", "aab-1"):
        assert (theirs.search(text) is not None) == made.found_in(text)
