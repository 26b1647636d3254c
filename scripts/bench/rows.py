"""What a measurement comes to, and how rows of them are shown: a table, JSON or Markdown."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Aim:
    """What a row's ratio, or its value where it has no ratio, ought to be."""

    at_least: float | None = None
    at_most: float | None = None

    def met_by(self, number: float) -> bool:
        """Whether *number* is good enough."""
        return (self.at_least is None or number >= self.at_least) and (
            self.at_most is None or number <= self.at_most
        )

    def __str__(self) -> str:
        low = "" if self.at_least is None else f"≥ {self.at_least:g}"
        return low or f"≤ {self.at_most:g}"


@attrs.frozen(kw_only=True)
class Row:
    """One measurement. A ratio is the median over the rounds, each round's pair side by side."""

    group: str
    what: str
    unit: str
    ours: float | None
    against: str = ""
    theirs: float | None = None
    ratio: float | None = None
    aim: Aim | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None where there is nothing to judge."""
        judged = self.ours if not self.against else self.ratio
        return None if self.aim is None or judged is None else self.aim.met_by(judged)


def paired(
    ours: Sequence[float], theirs: Sequence[float]
) -> tuple[float | None, float | None, float | None]:
    """Medians of both sides, and of the rounds' ratios ours / theirs."""
    if not ours or not theirs:
        return (statistics.median(ours) if ours else None), None, None
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return statistics.median(ours), statistics.median(theirs), statistics.median(ratios)


def machine() -> str:
    """Cores, processor, system and Python: what the absolute numbers depend on."""
    return (
        f"{os.cpu_count()} cores of {_processor()}, {platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def as_json(rows: Iterable[Row]) -> str:
    """Everything, for programs."""
    described: list[dict[str, Any]] = []
    for row in rows:
        facts = attrs.asdict(row, recurse=False)
        aim = None if row.aim is None else str(row.aim)
        described.append({**facts, "aim": aim, "met": row.met})
    return json.dumps({"machine": machine(), "rows": described}, indent=2, ensure_ascii=False)


_HEAD = ("", "quatrain", "compared with", "", "ratio", "aim")


def as_text(rows: Iterable[Row]) -> str:
    """A table for a terminal, a group's rows together."""
    lines = [_HEAD, *_cells(rows, marks=("met", "missed"))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    table = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    notes = [f"{row.group}, {row.what}: {row.note}" for row in rows if row.note]
    return "\n".join([table, "", *notes, machine()])


def as_markdown(rows: Iterable[Row]) -> str:
    """The README's table."""
    lines = [_HEAD, ("---", "---:", "---", "---:", "---:", "---"), *_cells(rows, marks=("✓", "✗"))]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{table}\n\nMedians of interleaved rounds on {machine()}."


def _cells(rows: Iterable[Row], *, marks: tuple[str, str]) -> list[tuple[str, ...]]:
    return [
        (
            f"{row.group}, {row.what}",
            _number(row.ours, row.unit),
            row.against,
            _number(row.theirs, row.unit) if row.against else "",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "" if row.aim is None else f"{row.aim} {_mark(row.met, marks)}".rstrip(),
        )
        for row in rows
    ]


def _mark(met: bool | None, marks: tuple[str, str]) -> str:
    return "" if met is None else marks[not met]


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.0f} {unit}" if abs(value) >= 100 else f"{value:,.3g} {unit}"
