"""Counters and histograms, and the text that Prometheus reads: its exposition format 0.0.4."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]


@attrs.frozen
class Sample:
    """One number of a family."""

    labels: Labels
    value: float
    suffix: str = ""


@attrs.frozen
class Family:
    """All numbers of one name."""

    name: str
    kind: str
    """counter, gauge or histogram."""
    text: str
    """What it is, in a sentence."""
    label_names: Labels
    samples: Sequence[Sample]


class Counter:
    """Counts up, from any thread."""

    def __init__(self, name: str, text: str, *label_names: str) -> None:
        self._name, self._text, self._label_names = name, text, label_names
        self._lock = threading.Lock()
        self._values: dict[Labels, float] = {}

    def add(self, *labels: str, by: float = 1) -> None:
        """One more; *labels* are few, and never what a caller made up."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + by

    def family(self) -> Family:
        """As it is now."""
        with self._lock:
            values = sorted(self._values.items())
        if not self._label_names and not values:
            values = [((), 0)]
        samples = [Sample(labels, value) for labels, value in values]
        return Family(self._name, "counter", self._text, self._label_names, samples)


class Histogram:
    """How often a number was how large, from any thread."""

    def __init__(self, name: str, text: str, bounds: Sequence[float], *label_names: str) -> None:
        self._name, self._text, self._label_names = name, text, label_names
        self._bounds = list(bounds)
        self._lock = threading.Lock()
        self._values: dict[Labels, tuple[list[int], list[float]]] = {}

    def observe(self, value: float, *labels: str) -> None:
        """One more of *value*."""
        place = bisect.bisect_left(self._bounds, value)
        with self._lock:
            found = self._values.get(labels)
            if found is None:
                found = self._values[labels] = ([0] * (len(self._bounds) + 1), [0.0])
            found[0][place] += 1
            found[1][0] += value

    def family(self) -> Family:
        """As it is now: cumulative, as the format has it."""
        with self._lock:
            values = sorted((k, (list(n), total[0])) for k, (n, total) in self._values.items())
        samples: list[Sample] = []
        for labels, (counts, total) in values:
            below = 0
            for bound, count in zip([*map(_number, self._bounds), "+Inf"], counts, strict=True):
                below += count
                samples.append(Sample((*labels, bound), below, "_bucket"))
            samples += [Sample(labels, total, "_sum"), Sample(labels, below, "_count")]
        return Family(self._name, "histogram", self._text, self._label_names, samples)


def exposition(families: Iterable[Family]) -> bytes:
    """All of it as text."""
    return "".join(line for family in families for line in _lines(family)).encode()


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {_escaped(family.text, quotes=False)}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        names = (*family.label_names, "le") if sample.suffix == "_bucket" else family.label_names
        pairs = ",".join(
            f'{name}="{_escaped(value)}"' for name, value in zip(names, sample.labels, strict=True)
        )
        labels = f"{{{pairs}}}" if pairs else ""
        yield f"{family.name}{sample.suffix}{labels} {_number(sample.value)}\n"


def _escaped(text: str, *, quotes: bool = True) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quotes else text


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
