"""The source of both flavours: everything here is awaited; ``_sync/`` is made from it."""
