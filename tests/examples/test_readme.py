"""What the README says is so: its code runs, and its tables are complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from quatrain import QuatrainError, errors
from quatrain.server.embedded import EmbeddedPlatform

from .test_examples import EXAMPLES, environment

ROOT = EXAMPLES.parent
README = (ROOT / "README.md").read_text()
SOURCES = "".join(path.read_text() for path in EXAMPLES.glob("*.py"))


def blocks(language: str) -> list[str]:
    """The fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_first_commands() -> None:
    """The first block has two commands: the demo, then the checks."""
    expected = [
        'python -m pip install ".[server]" && quatrain demo',
        "python -m pip install nox && nox",
    ]
    assert expected == blocks("bash")[0].splitlines()


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.strip().splitlines()[0])
def test_python(code: str, tmp_path: Path) -> None:
    """A Python block stands in an example, word for word, or runs by itself, and again."""
    if code in SOURCES:
        return
    with EmbeddedPlatform(tmp_path / "platform.db") as platform:
        command = [sys.executable, "-c", code]
        env = {**environment(), **platform.env}
        for _ in range(2):
            ran = subprocess.run(command, env=env, cwd=tmp_path, check=False, capture_output=True)
            assert (0, b"") == (ran.returncode, ran.stderr)
    assert ran.stdout


def test_errors() -> None:
    """The table of errors has every error that there is."""
    table = README.partition("## What can go wrong")[2].partition("## Guarantees")[0]
    raised = {
        name
        for name in errors.__all__
        if issubclass(getattr(errors, name), Exception) and name != QuatrainError.__name__
    }
    assert set() == {name for name in raised if f"`{name}`" not in table}


def test_links() -> None:
    """Links within the repository and the page lead somewhere."""
    headings = re.findall(r"^##+ (.*)$", README, re.MULTILINE)
    anchors = {f"#{heading.lower().replace(' ', '-')}" for heading in headings}
    targets = re.findall(r"\]\(((?!https?:).*?)\)", README)
    missing = [t for t in targets if t not in anchors and not (ROOT / t).is_file()]
    assert [] == missing
