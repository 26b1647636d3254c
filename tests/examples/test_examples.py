"""The examples run, each in a process of its own, and print what a person should see.

What they print stands in ``output/``; times, ports and tables are left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import quatrain

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")
TABLE = "┏┃┡│└"


@attrs.frozen
class Running:
    """An example under way."""

    process: subprocess.Popen[bytes]
    output: Path
    errors: Path


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """All examples, begun at once: some wait for a lease to run out, and can do so together."""
    directory = tmp_path_factory.mktemp("examples")
    started: dict[str, Running] = {}
    try:
        for name in NAMES:
            output, errors = directory / f"{name}.out", directory / f"{name}.err"
            with output.open("wb") as out, errors.open("wb") as err:
                process = subprocess.Popen(
                    [sys.executable, EXAMPLES / f"{name}.py"],
                    stdout=out,
                    stderr=err,
                    env=environment(),
                    cwd=directory,
                )
            started[name] = Running(process, output, errors)
        yield started
    finally:
        for example in started.values():
            example.process.kill()
            example.process.wait()


def environment() -> dict[str, str]:
    """No ledger but the example's own, and warnings as errors in every process of it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VERITY_")}
    source = Path(quatrain.__file__).parent.parent
    return {**kept, "PYTHONPATH": str(source), "PYTHONWARNINGS": "error", "COLUMNS": "200"}


@pytest.mark.parametrize("name", NAMES)
def test_example(name: str, running: dict[str, Running]) -> None:
    """It ends well, without a warning, and has printed what it should."""
    example = running[name]

    status = example.process.wait(timeout=120)

    errors = example.errors.read_text()
    assert (0, False) == (status, "Warning" in errors or "Traceback" in errors), errors
    assert (HERE / "output" / f"{name}.txt").read_text() == readable(example.output.read_text())


def readable(output: str) -> str:
    """Without what differs from run to run, and without tables."""
    lines = [line for line in output.splitlines(keepends=True) if line[0] not in TABLE]
    return PORT.sub("PORT", TIME.sub("TIME", "".join(lines)))
