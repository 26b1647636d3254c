"""Files that people write: YAML, as far as it can be said in JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

__all__ = ["read_yaml"]

MAX_NODES: Final = 100_000
"""Values in a file; one that stands behind an alias counts each time."""


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a file; raises ClickException that says what is wrong with it."""
    import yaml  # noqa: PLC0415  few commands need it

    try:
        text = path.read_text("utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_size(node)
        twice = _given_twice(node)
        value = yaml.safe_load(text)
        json.dumps(value, allow_nan=False)
    except yaml.YAMLError as exc:
        reason = " ".join(str(exc).split())
    except RecursionError:
        reason = "it is nested too deeply"
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except TypeError as exc:
        reason = f"it holds what JSON does not ({exc}); a date, for one, is put in quotes"
    except ValueError as exc:
        reason = str(exc)
    else:
        if twice is not None:
            # of the two, YAML would silently take the last; in a policy that is the wrong one
            reason = f"{twice!r} is given twice in one mapping"
        elif isinstance(value, dict):
            return value
        else:
            reason = "it is no mapping"
    raise click.ClickException(f"{path} can't be used: {reason}")


def _check_size(root: Any) -> None:
    """Raises ValueError, before anything is made of it: aliases of aliases fill any memory."""
    if _nodes(root, {}) > MAX_NODES:
        raise ValueError(f"it comes to more than {MAX_NODES:,} values")


def _nodes(node: Any, known: dict[int, int]) -> int:
    """How many values *node* comes to when each alias is followed."""
    if node is None or id(node) in known:
        return known.get(id(node), 0)
    known[id(node)] = 0  # for one that holds itself, which is refused later
    below: list[Any] = []
    if node.id == "sequence":
        below = node.value
    elif node.id == "mapping":
        below = [child for pair in node.value for child in pair]
    known[id(node)] = 1 + sum(_nodes(child, known) for child in below)
    return known[id(node)]


def _given_twice(root: Any) -> str | None:
    """A name that one mapping has two times; None when none has."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "sequence":
            waiting += node.value
        elif node.id == "mapping":
            names: set[str] = set()
            for name in (name.value for name, _ in node.value if name.id == "scalar"):
                if name in names:
                    return str(name)
                names.add(name)
            waiting += [child for pair in node.value for child in pair]
    return None
