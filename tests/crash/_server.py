"""A platform on the shared clock: ``python -m tests.crash._server DATABASE CLOCK PORT``."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

from quatrain.server import Settings, create_app, serve

from . import _model
from ._clock import SharedClock


def main() -> None:
    """Serve until killed; the URL is written to standard output when requests are answered."""
    database, clock, port = sys.argv[1:]
    serve.create_app = functools.partial(create_app, now_ms=SharedClock(Path(clock)))
    settings = Settings(database=database, port=int(port), velerian_runner=_model.ask)
    serve.run(settings, on_ready=tell)


def tell(url: str) -> None:
    """Who started it, where it is."""
    os.write(1, f"{url}\n".encode())


if __name__ == "__main__":
    main()
