"""The Explorer, asked over ASGI."""
