"""The names that programs import."""

from __future__ import annotations

import inspect

import pytest

from quatrain import webhooks


def test_the_package_is_pinned() -> None:
    """Programs import these: adding is fine, taking away is not."""
    contract = {
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
    }
    assert contract - set(webhooks.__all__) == set()
    assert sorted(webhooks.__all__) == webhooks.__all__


@pytest.mark.parametrize("name", webhooks.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """And so are its public methods."""
    thing = getattr(webhooks, name)
    assert thing.__doc__
    methods = [m for n, m in vars(thing).items() if inspect.isfunction(m) and n[0] != "_"]
    assert [m.__qualname__ for m in methods if not m.__doc__] == []


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (webhooks.verify_signature, ["secret", "header", "body", "max_skew_seconds", "now"]),
        (webhooks.sign, ["secret", "body", "timestamp"]),
        (webhooks.delivery, ["secret", "event_type", "payload", "delivery_id", "timestamp"]),
        (webhooks.WebhookHandler.handle, ["self", "headers", "raw_body"]),
        (webhooks.WebhookHandler.ahandle, ["self", "headers", "raw_body"]),
    ],
)
def test_parameters_are_pinned(function, parameters: list[str]) -> None:
    """Programs may give them by name."""
    assert parameters == list(inspect.signature(function).parameters)
