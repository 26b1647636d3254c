"""Everything this project checks: ``nox`` runs it all, ``nox -s lint`` one session.

What a machine lacks is skipped with its reason. ``QUATRAIN_REQUIRE=interop,browser`` turns such a
skip into a failure; CI sets it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "types", "tests", "wheel"]
nox.options.default_venv_backend = "virtualenv"

PYPROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = ["3.11", "3.12", "3.13"]


def _works(python: str) -> bool:
    """Whether *python* runs: a version manager's shim may lead nowhere."""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _pythons() -> list[str]:
    """The supported interpreters that are there, the running one first."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = [sys.executable]
    for version in SUPPORTED:
        if version == own:
            continue
        on_path = shutil.which(f"python{version}")
        candidates = [on_path] if on_path else []
        candidates += sorted(map(str, pyenv.glob(f"{version}.*/bin/python")), reverse=True)
        found += [python for python in candidates if _works(python)][:1]
    return found


PYTHONS = _pythons()


def _group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PYPROJECT, name))


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and that the generated flavour is what the sources give."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", "scripts/make_sync.py", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Two type checkers on the package, the scripts, the examples and the typing tests."""
    session.install("-e", ".[server,postgres,otel]", *_group("types"))
    session.run("mypy")
    session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The suite under each Python, a few files at a time: tests wait more than they compute.

    What no Python's version changes, as a browser's tests, is run under the first one.
    """
    session.install("-e", ".[server,postgres,otel]", *_group("tests"))
    chosen = [] if session.python == PYTHONS[0] else ["-m", "not once"]
    # hundreds of tests start programs: they need not compile the package each time
    env = {"PYTHONDONTWRITEBYTECODE": None}
    session.run("pytest", "-n", "3", "--dist", "loadfile", *chosen, *session.posargs, env=env)


@nox.session(python=PYTHONS[0])
def coverage(session: nox.Session) -> None:
    """The whole suite in one process, and which lines it did not reach; by name only."""
    session.install("-e", ".[server,postgres,otel]", *_group("tests"))
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def wheel(session: nox.Session) -> None:
    """The built wheel, away from the sources: it imports, it is complete, its demo runs."""
    session.install("build")
    out = Path(session.create_tmp()).resolve()
    session.run("python", "-m", "build", "--outdir", str(out), silent=True)
    (built,) = out.glob("*.whl")
    session.install(f"quatrain[server] @ {built.as_uri()}")
    session.chdir(out)
    platforms = "quatrain.velerian, quatrain.velocity, quatrain.vendo, quatrain.verity"
    session.run(
        "python", "-c", f"import {platforms}, quatrain.webhooks, quatrain.server, quatrain.cli"
    )
    # what is no Python is in it, too
    for pages in ("quatrain.server.vendo.page", "quatrain.server.explorer"):
        session.run("python", "-c", f"from {pages} import answers; answers.PAGES.load()")
    session.run("quatrain", "demo")
    built.unlink()
