"""The local platform. ``create_app(settings)`` is the whole of it, as an ASGI app.

Needs the ``server`` extra. One idea a module: ``settings``, ``store`` (the database), ``ledger``
(the effects' state machine), ``keys``, ``verity`` (the ledger over HTTP), ``velocity`` (business
data and its extensions), ``velerian`` (governed runs and their evidence), ``webhooks`` (events on
their way out), ``manage`` (what the command line asks for), ``app`` (all together) and ``serve``
(over a socket); ``lent``, ``local`` and ``embedded`` for a platform inside a process. ``api``,
``routes``, ``recognizer``, ``middleware``, ``endpoint``, ``shapes``, ``explain``, ``jsontext`` and
``idempotency`` are what every platform's HTTP is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app import create_app
    from .settings import Settings

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> Any:
    # on first use: settings and keys work without the web framework being imported
    if name == "create_app":
        from .app import create_app  # noqa: PLC0415

        return create_app
    if name == "Settings":
        from .settings import Settings  # noqa: PLC0415

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
