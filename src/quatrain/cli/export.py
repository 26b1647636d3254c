"""Writing effects to a file that is complete or not there at all."""

from __future__ import annotations

import contextlib
import csv
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

import click

from quatrain.verity import Effect

from .output import note, waiting
from .text import json_text, printable

__all__ = ["export_effects", "opened"]

#: Begins a file; what it returns adds an effect, in its wire form.
Writer = Callable[[TextIO], Callable[[Any], object]]

#: The fields of the wire, in the order of a table that people read.
COLUMNS: Final = (
    *("namespace", "effectKey", "effectName", "status", "source", "fenceToken", "attempts"),
    *("agentId", "workflowName", "caseId", "runId", "leaseExpiresAt", "createdAt", "updatedAt"),
    *("effectId", "inputJson", "result", "error"),
)
PAYLOADS: Final = frozenset({"inputJson", "result", "error"})

#: What makes a spreadsheet take a cell for a formula.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def export_effects(effects: Iterable[Effect], file_format: str, output: str) -> None:
    """Write *effects* to the file *output*, or to standard output for "-".

    The file replaces an older one when it is complete; if anything goes wrong the older one stays.
    Raises ClickException when it can't be written.
    """
    with waiting("Exporting") as status, opened(output) as file:
        write = _WRITERS[file_format](file)
        count = 0
        for count, effect in enumerate(effects, 1):
            write(effect.raw)
            if count % 100 == 0:
                status.update(f"Exporting: {count:,} effects")
    if output != "-":
        note(f"Exported {count:,} effects to {printable(output)}.")


@contextlib.contextmanager
def opened(output: str) -> Iterator[TextIO]:
    """The file *output*, which appears when it is complete, or standard output for "-".

    Raises ClickException when it can't be written.
    """
    if output == "-":
        yield sys.stdout
        return
    path = Path(output)
    try:
        with _replacing(path) as file:
            yield file
    except OSError as exc:
        reason = f"{printable(output)} can't be written: {exc.strerror or exc}"
        raise click.ClickException(reason) from exc


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".part")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123  a descriptor
            yield file
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:  # Ctrl-C as well
        Path(name).unlink()
        raise


def _json_lines(file: TextIO) -> Callable[[Any], object]:
    return lambda effect: file.write(f"{json_text(effect)}\n")


def _csv(file: TextIO) -> Callable[[Any], object]:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    return lambda effect: writer.writerow([_csv_cell(name, effect.get(name)) for name in COLUMNS])


def _csv_cell(name: str, value: Any) -> str | int:
    if value is None:
        return ""
    if isinstance(value, int) and name not in PAYLOADS:
        return value
    text = json_text(value) if name in PAYLOADS else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


_WRITERS: Final[Mapping[str, Writer]] = {"jsonl": _json_lines, "csv": _csv}
