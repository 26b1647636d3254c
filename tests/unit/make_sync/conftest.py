"""A throw-away project for the generator to work on."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent

import pytest
from scripts.make_sync import ROOT, Project, Refused, generate


class Sandbox(Project):
    """A project in a temporary folder, with nothing in it but the real settings."""

    def put(self, source: str, path: str = "pkg/_async/mod.py") -> Path:
        """Write a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(source), "utf-8")
        return file

    def twin_of(self, source: str) -> str:
        """What *source* gives, less the banner and the blank lines around it."""
        self.put(source)
        return generate(self)["pkg/_sync/mod.py"].partition("\n")[2].strip()

    def refusal_of(self, source: str) -> str:
        """Why *source* is refused."""
        self.put(source)
        with pytest.raises(Refused) as caught:
            generate(self)
        return "\n".join(caught.value.args)


@pytest.fixture
def project(tmp_path):
    """A throw-away project without sources."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return Sandbox(tmp_path, {"pkg/_async": "pkg/_sync"}, {})
