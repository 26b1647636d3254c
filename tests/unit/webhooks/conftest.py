"""A handler, and both ways to have it handle a request."""

from __future__ import annotations

import pytest

from quatrain.webhooks import WebhookHandler

from ._handling import Deliver, make, through


@pytest.fixture
def handler() -> WebhookHandler:
    return make()


@pytest.fixture(params=["handle", "ahandle"])
def deliver(request: pytest.FixtureRequest, handler: WebhookHandler) -> Deliver:
    """Both drivers; the tests run on asyncio and trio."""
    return through(handler, request.param)
