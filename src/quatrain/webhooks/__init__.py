"""Webhooks of Velocity OS, received: signatures, a handler, and ways to it from web frameworks.

::

    handler = WebhookHandler(os.environ["VOS_WEBHOOK_SECRET"])

    @handler.on("tasks.created")
    async def remember(payload):
        ...

    app = fastapi.FastAPI()
    app.add_api_route("/webhooks", starlette_endpoint(handler), methods=["POST"])

What is here needs no HTTP client and no extra. Source: contracts, Velocity OS, "Webhooks".
"""

from __future__ import annotations

from .adapters import (
    asgi_app,
    async_django_view,
    django_view,
    flask_view,
    starlette_endpoint,
    starlette_route,
)
from .events import WebhookEvent
from .handler import WebhookHandler
from .seen import MemorySeen, SeenStore
from .signatures import delivery, sign, verify_signature
from .sqlite_seen import SqliteSeen

__all__ = [
    "MemorySeen",
    "SeenStore",
    "SqliteSeen",
    "WebhookEvent",
    "WebhookHandler",
    "asgi_app",
    "async_django_view",
    "delivery",
    "django_view",
    "flask_view",
    "sign",
    "starlette_endpoint",
    "starlette_route",
    "verify_signature",
]
