r"""Regular expressions whose time is bounded by the text, whatever the pattern and the text are.

Python's own engine tries one way after the other, and a payload made for it keeps it busy for
years. This one follows all the ways at once, so each character is looked at once. It knows less:
literals, ``.``, ``[…]``, ``\d \w \s \D \W \S``, groups, ``|``, ``* + ? {n,m}``, ``^ $ \b \B``, and
``(?i)`` at the start; no look-around, no references, and no quantifier over another one.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import attrs

from quatrain.errors import InputError

MAX_PATTERN: Final = 500
"""Characters."""
MAX_TEXT: Final = 10_000
"""Characters of a text that are looked at; the rest is not."""
_MAX_STEPS: Final = 300
_MAX_GROUPS: Final = 30
"""Inside one another."""

_RESERVED: Final = ("--", "&&", "~~", "||")
"""In a set, Python warns of them."""
_TOKEN: Final = re.compile(
    r"(?P<edge>[\^$]|\\[bB])"
    r"|(?P<one>\[\^?\]?(?:[^\[\]\\]|\\.)*\]|\\[dDwWsSnrtfv]|\\[^0-9A-Za-z]|[^\\()\[\]{}|*+?])"
    r"|(?P<often>[*+?]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})"
    r"|(?P<open>\((?:\?:|(?!\?)))|(?P<close>\))|(?P<bar>\|)",
    re.DOTALL,
)


@attrs.frozen
class _One:
    """Takes one character."""

    takes: re.Pattern[str]
    then: int


@attrs.frozen
class _Fork:
    """Goes on in both ways."""

    ways: tuple[int, ...]


@attrs.frozen
class _Edge:
    r"""Goes on where the text allows it: ``^``, ``$``, ``\b`` or ``\B``."""

    kind: str
    then: int


@attrs.frozen
class _End:
    """The pattern is found."""


_Step: TypeAlias = _One | _Fork | _Edge | _End


class Pattern:
    """A pattern that can be looked for; raises InputError for what it does not know."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps, self._start = _Compiler(text).compile()

    def found_in(self, text: str) -> bool:
        """Whether it is somewhere in *text*, of which the first 10,000 characters count."""
        text = text[:MAX_TEXT]
        known: dict[tuple[frozenset[int], str, str], frozenset[int] | None] = {}
        at, before = frozenset([self._start]), ""
        for char in (*text, ""):
            key = at, _kind(before), char
            if key not in known:
                known[key] = self._after(at, before, char)
            following = known[key]
            if following is None:
                return True
            at, before = following, char
        return False

    def _after(self, at: frozenset[int], before: str, char: str) -> frozenset[int] | None:
        """Where the ways lead over *char*; None when one of them is at its end before it."""
        following = {self._start}  # it may begin anywhere
        seen: set[int] = set()
        waiting = list(at)
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            step = self._steps[number]
            if isinstance(step, _End):
                return None
            if isinstance(step, _Fork):
                waiting += step.ways
            elif isinstance(step, _Edge):
                if _holds(step.kind, before, char):
                    waiting.append(step.then)
            elif char and step.takes.fullmatch(char):
                following.add(step.then)
        return frozenset(following)


def _kind(char: str) -> str:
    """Of a character: a word's, another, or that there is none."""
    if not char:
        return ""
    return "w" if char.isalnum() or char == "_" else "o"


def _holds(edge: str, before: str, char: str) -> bool:
    if edge == "^":
        return not before
    if edge == "$":
        return not char
    at_word = (_kind(before) == "w") != (_kind(char) == "w")
    return at_word == (edge == r"\b")


@attrs.frozen
class _Part:
    """A piece of the pattern, to be laid out as often as it is wanted."""

    kind: str
    """``one``, ``edge``, ``row``, ``choice``, or ``often``."""
    text: str = ""
    parts: tuple[_Part, ...] = ()
    least: int = 1
    most: int | None = 1
    """None for any number."""

    @property
    def repeats(self) -> bool:
        """Whether there is a quantifier anywhere in it."""
        return self.kind == "often" or any(part.repeats for part in self.parts)


class _Compiler:
    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATTERN:
            raise InputError(f"the pattern has more than {MAX_PATTERN} characters")
        self._shown = repr(text)
        self._flags = re.IGNORECASE if text.startswith("(?i)") else re.RegexFlag(0)
        self._tokens = self._tokenize(text.removeprefix("(?i)"))
        self._depth = 0
        self._steps: list[_Step] = []

    def compile(self) -> tuple[list[_Step], int]:
        whole = self._choice()
        if self._tokens:
            raise self._refuse("a ) has no (")
        start = self._lay(whole, self._add(_End()))
        return self._steps, start

    def _refuse(self, why: str) -> InputError:
        return InputError(f"the pattern {self._shown} can't be used: {why}")

    def _tokenize(self, text: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise self._refuse(f"{text[at : at + 10]!r} is not understood")
            tokens.append((match.lastgroup, match[0]))
            at = match.end()
        return tokens[::-1]  # taken from the end

    def _next(self) -> str:
        return self._tokens[-1][0] if self._tokens else ""

    # -- reading ----------------------------------------------------------------------------------

    def _choice(self) -> _Part:
        rows = [self._row()]
        while self._next() == "bar":
            self._tokens.pop()
            rows.append(self._row())
        return rows[0] if len(rows) == 1 else _Part("choice", parts=tuple(rows))

    def _row(self) -> _Part:
        parts = []
        while self._next() not in {"", "bar", "close"}:
            parts.append(self._quantified(self._single()))
        return _Part("row", parts=tuple(parts))

    def _single(self) -> _Part:
        kind, text = self._tokens.pop()
        if kind == "often":
            raise self._refuse(f"the quantifier {text} has nothing before it")
        if kind != "open":
            return _Part(kind, text)
        self._depth += 1
        if self._depth > _MAX_GROUPS:
            raise self._refuse(f"more than {_MAX_GROUPS} groups are inside one another")
        inner = self._choice()
        if self._next() != "close":
            raise self._refuse("a ( has no )")
        self._tokens.pop()
        self._depth -= 1
        return inner

    def _quantified(self, part: _Part) -> _Part:
        if self._next() != "often":
            return part
        _, text = self._tokens.pop()
        if self._next() == "often" or part.repeats:
            raise self._refuse(f"the quantifier {text} is nested with another")
        if part.kind == "edge":
            raise self._refuse(f"the quantifier {text} has no character before it")
        least, most = _bounds(text)
        if most is not None and most < least:
            raise self._refuse(f"{text} ends before it begins")
        return _Part("often", parts=(part,), least=least, most=most)

    # -- laying out, from the end to the start ----------------------------------------------------

    def _add(self, step: _Step) -> int:
        if len(self._steps) >= _MAX_STEPS:
            raise self._refuse(f"it takes more than {_MAX_STEPS} steps")
        self._steps.append(step)
        return len(self._steps) - 1

    def _lay(self, part: _Part, then: int) -> int:
        """Lay *part* before the step *then*: where it begins."""
        if part.kind == "one":
            return self._add(_One(self._taking(part.text), then))
        if part.kind == "edge":
            return self._add(_Edge(part.text, then))
        if part.kind == "choice":
            return self._add(_Fork(tuple(self._lay(row, then) for row in part.parts)))
        if part.kind == "row":
            for each in reversed(part.parts):
                then = self._lay(each, then)
            return then
        return self._lay_often(part, then)

    def _lay_often(self, part: _Part, then: int) -> int:
        (inner,) = part.parts
        if part.most is None:
            fork = self._add(_Fork(()))
            self._steps[fork] = _Fork((self._lay(inner, fork), then))
            then = fork
        else:
            end = then
            for _ in range(part.most - part.least):
                then = self._add(_Fork((self._lay(inner, then), end)))
        for _ in range(part.least):
            then = self._lay(inner, then)
        return then

    def _taking(self, text: str) -> re.Pattern[str]:
        if len(text) > 2 and any(pair in text for pair in _RESERVED):
            raise self._refuse(f"{text} may once mean something else; write a \\ before it")
        try:
            return re.compile(text, self._flags | re.DOTALL)
        except re.error as exc:
            raise self._refuse(f"{text} is not understood: {exc}") from None


def _bounds(text: str) -> tuple[int, int | None]:
    if text in {"*", "+", "?"}:
        return int(text == "+"), 1 if text == "?" else None
    least, comma, most = text[1:-1].partition(",")
    return int(least), int(most) if most else None if comma else int(least)
