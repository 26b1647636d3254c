"""A portal, and callers of every flavour."""

import httpx
import pytest

from quatrain.server.portal import Portal

from .app import LONG, URL, App


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Callers may run on either."""
    return request.param


@pytest.fixture
def app():
    return App()


@pytest.fixture
def portal(app):
    with Portal(lambda: app) as portal:
        yield portal


@pytest.fixture
def client(portal):
    with httpx.Client(transport=portal.transport(), base_url=URL, timeout=LONG) as client:
        yield client


@pytest.fixture
def make_client(portal):
    """Async clients belong to the loop of the test, so the test makes them."""

    def make():
        transport = portal.async_transport()
        return httpx.AsyncClient(transport=transport, base_url=URL, timeout=LONG)

    return make
