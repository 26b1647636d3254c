r"""The text of an env file: read as python-dotenv reads it, written so that a shell agrees. No I/O.

Values come from elsewhere, and people say ``. ./.env``: no value may ever be taken for a command.
There are four notations; it is the first that both readers take for the value:

- ``NAME=plain``
- ``NAME='…'``, in which nothing means anything; not for ``'``, and not for backslashes side by side
  or at the end, which python-dotenv would take for escapes
- ``NAME="…"`` with ``\"`` and ``\\``; not for ``$`` and a backtick, which the shell would expand,
  and not for a carriage return, which whoever opens the file as text would take for a line's end
- both at once for what is left: a line for the shell, then ``#``, a carriage return, and the line
  that counts for python-dotenv, to which a carriage return ends the comment; to a shell all of it
  is comment. Of the same kind are those that end in a backslash, as far as they can be unquoted:
  older versions of python-dotenv take ``\\"`` for a quote that goes on

One thing can't be written for all readers: python-dotenv expands ``${…}`` whatever it is quoted
with, unless it is told ``interpolate=False``. It is written as it is; see ``expands``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import attrs

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What a variable may be called, in full."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
_SPECIAL: Final = re.compile(r"[^A-Za-z0-9_./:@%+,=\x80-\U0010ffff-]")
_NOT_IN_SINGLE: Final = re.compile(r"['\r]|\\\\|\\\Z")
_NOT_IN_DOUBLE: Final = re.compile(r"[$`\r]")
_EXPANDED: Final = re.compile(r"\$\{[^}:]*(?::-[^}]*)?\}")
_UNQUOTED: Final = re.compile(r"(?![\s'\"#])(?!.*\s#)[^\r\n]*\\")
_BRIDGE: Final = "#\r"  # what follows it is comment to a shell, and none to python-dotenv

# python-dotenv's grammar. Possessive: it does not go back on what it has taken.
_STATEMENT: Final = re.compile(
    r"""
    \s*+
    (?:export[^\S\r\n]++)?+
    (?:'(?P<quoted>[^']++)' | (?!')(?P<name>[^=\#\s]++))
    [^\S\r\n]*+
    (?P<value>=(?P<gap>[^\S\r\n]*+)
        (?: '(?P<single>(?:\\.|[^'\\])*+)'
          | "(?P<double>(?:\\.|[^"\\])*+)"
          | (?P<bare>(?!['"])[^\r\n]*+)
        )
    )?+
    """,
    re.VERBOSE | re.DOTALL,
)
_END: Final = re.compile(r"[^\S\r\n]*(?:\#[^\r\n]*)?(?:\r\n|\n|\r|\Z)")
_REST: Final = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_LINE: Final = re.compile(r"\s*[^\r\n]*(?:\r\n|\n|\r|\Z)")
_SINGLE_ESCAPE: Final = re.compile(r"\\([\\'])")
_DOUBLE_ESCAPE: Final = re.compile(r"\\([\\'\"abfnrtv])")
_ESCAPED: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@attrs.frozen
class Statement:
    """A variable, a comment, or what nobody can read; with the blank lines before it."""

    text: str = attrs.field(repr=False)
    """As it stands in the file."""
    name: str | None = None
    value: str | None = attrs.field(default=None, repr=False)
    """None where it gives the name none."""
    broken: bool = False
    """Nobody knows what was meant, and readers pass over it."""


def statements(text: str) -> Iterator[Statement]:
    """Those of an env file, which are all of its *text* less the mark at its beginning."""
    position = len(text) - len(text.removeprefix("\ufeff"))
    while position < len(text):
        statement = _statement(text, position)
        yield statement
        position += len(statement.text)


def _statement(text: str, begin: int) -> Statement:
    found = _STATEMENT.match(text, begin)
    if found is None:
        line = _LINE.match(text, begin)
        assert line is not None  # noqa: S101 - it matches anything
        return Statement(line[0])
    name = found["name"] or _as_text(found["quoted"])
    end = _END.match(text, found.end())
    if end is None:
        rest = _REST.match(text, found.end())
        assert rest is not None  # noqa: S101 - it matches anything
        return Statement(text[begin : rest.end()], name, broken=True)
    value = _value(found) if found["value"] is not None else None
    return Statement(text[begin : end.end()], name, value)


def _value(found: re.Match[str]) -> str:
    if (single := found["single"]) is not None:
        return _SINGLE_ESCAPE.sub(r"\1", _as_text(single))
    if (double := found["double"]) is not None:
        return _DOUBLE_ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), _as_text(double))
    bare = found["bare"]
    if found["gap"] and bare.startswith("#"):
        return ""
    return re.sub(r"\s+#.*", "", bare).rstrip()


def _as_text(raw: str) -> str:
    """With line ends as a file that is opened as text has them."""
    return raw.replace("\r\n", "\n").replace("\r", "\n")


def read(text: str) -> dict[str, str]:
    """The variables of an env file, as ``dotenv_values(path, interpolate=False)`` gives them."""
    named = {each.name: each.value for each in statements(text) if not each.broken}
    return {name: value for name, value in named.items() if name and value is not None}


def compose(text: str, values: Mapping[str, str], ours: Collection[str]) -> str:
    """An env file of *values*, sorted by name, and then of what *text* has of others.

    What belongs to others is every statement whose name is not among *ours* nor in *values*. It
    stays as it is and where it was among its like: who wrote it may count on the order. *values*
    come first: they refer to nothing, while others may refer to them, and a quote that somebody
    forgot to close takes none of them along.
    """
    others: list[str] = []
    for each in statements(text):
        if each.name is None or (each.name not in ours and each.name not in values):
            others.append(each.text)
        elif others and others[-1].endswith(_BRIDGE):
            others[-1] = others[-1].removesuffix(_BRIDGE)
    return "".join(assignment(name, values[name]) for name in sorted(values)) + "".join(others)


def assignment(name: str, value: str) -> str:
    """The line, or lines, that give *name* its *value*."""
    if _PLAIN.fullmatch(value):
        return f"{name}={value}\n"
    if not _NOT_IN_SINGLE.search(value):
        return f"{name}='{value}'\n"
    if _UNQUOTED.fullmatch(value):
        for_shell = _SPECIAL.sub(r"\\\g<0>", value)
        return f"{name}={for_shell}\n{_BRIDGE}{name}={value}\n"
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    if not _NOT_IN_DOUBLE.search(value):
        return f'{name}="{quoted}"\n'
    for_shell = re.sub(r"[$`]", r"\\\g<0>", quoted)
    for_dotenv = quoted.replace("\r", "\\r").replace("\n", "\\n")
    return f'{name}="{for_shell}"\n{_BRIDGE}{name}="{for_dotenv}"\n'


def expands(value: str) -> bool:
    """Whether python-dotenv takes a part of *value* for a variable, unless told not to."""
    return _EXPANDED.search(value) is not None
