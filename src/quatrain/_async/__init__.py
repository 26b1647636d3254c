"""The clients. ``_async/`` is the source of both flavours, ``_sync/`` is made from it."""
