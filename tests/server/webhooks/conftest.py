"""An account whose extension has one endpoint."""

from __future__ import annotations

import pytest

from quatrain.server.store import Store
from quatrain.server.webhooks import Endpoint

from ._support import Site, make_site


@pytest.fixture
def site(store: Store) -> Site:
    return make_site(store)


@pytest.fixture
def endpoint(site: Site) -> Endpoint:
    return site.add_endpoint()
