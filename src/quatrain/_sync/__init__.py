# Generated from src/quatrain/_async/__init__.py by scripts/make_sync.py. Do not edit.
"""The clients. ``_sync/`` is the source of both flavours, ``_sync/`` is made from it."""
