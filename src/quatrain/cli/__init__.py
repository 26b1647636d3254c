"""The command line: ``quatrain serve``, ``quatrain effects`` … Needs the extra ``[server]``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; what the console script calls."""
    try:
        from .root import quatrain  # noqa: PLC0415  the extra may be missing

        quatrain(prog_name="quatrain")
    except ModuleNotFoundError as exc:
        missing = (exc.name or "").partition(".")[0]
        if missing == "quatrain":
            raise
        sys.exit(f"Error: {missing} is not installed: pip install 'quatrain[server]'")
