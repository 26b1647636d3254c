"""Without the extra ``server`` the clients work, and what needs it says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import quatrain

PROGRAM = """
import sys
for name in ("starlette", "uvicorn", "httptools", "click", "rich"):
    sys.modules[name] = None
from quatrain import {client}, ConfigError
try:
    {client}.local("quatrain.db")
except ConfigError as exc:
    print(exc)
"""


@pytest.mark.parametrize("client", ["AsyncClient", "Client"])
def test_local(client: str, tmp_path: Path) -> None:
    """The error names what is missing, and how to get it."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(client=client)],
        env={"PYTHONPATH": str(Path(quatrain.__file__).parent.parent)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    expected = "local() needs starlette, which is not installed: the extra quatrain[server]\n"
    assert expected == ran.stdout
