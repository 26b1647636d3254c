"""Files that people write: YAML, as far as it can be said in JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

__all__ = ["read_yaml"]


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a file; raises ClickException that says what is wrong with it."""
    import yaml  # noqa: PLC0415  few commands need it

    try:
        text = path.read_text("utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
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
            names = [name.value for name, _ in node.value if name.id == "scalar"]
            for name in names:
                if names.count(name) > 1:
                    return str(name)
            waiting += [child for pair in node.value for child in pair]
    return None
