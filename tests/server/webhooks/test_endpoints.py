"""Where events go: an extension's endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from quatrain.errors import InputError
from quatrain.server.store import Store
from quatrain.server.webhooks import DeliveryStatus, Endpoint, EndpointNotFoundError
from quatrain.server.webhooks import endpoints as operations

from .._support import START, ServerClock
from ._support import Site, make_site


def listed(site: Site) -> list[Endpoint]:
    return site.store.read_blocking(operations.list_endpoints, {"account_id": site.account_id})


def test_an_endpoint_is_kept_as_it_was_given(site: Site) -> None:
    """With the server's time."""
    endpoint = site.add_endpoint("https://a.test/h?x=1", ["b", "a"], "whsec_1")
    assert (endpoint.url, endpoint.events) == ("https://a.test/h?x=1", {"a", "b"})
    assert (endpoint.secret.reveal(), endpoint.created_at) == ("whsec_1", START)
    assert endpoint.removed_at is None
    assert [endpoint] == listed(site)


def test_a_secret_is_in_no_repr(endpoint: Endpoint) -> None:
    """Nor is it spelt by accident in a log."""
    assert "whsec_secret" not in repr(endpoint) + str(endpoint)


def test_new_secrets_differ() -> None:
    """And begin as a webhook's do."""
    one, other = operations.new_signing_secret(), operations.new_signing_secret()
    assert one.reveal().startswith("whsec_")
    assert len(one.reveal()) > 40
    assert one != other


@pytest.mark.parametrize(
    ("events", "names"),
    [
        ("*", {"*"}),
        (["*", "team.added"], {"*"}),
        ("team.added", {"team.added"}),
        (["a", "b", "a"], {"a", "b"}),
    ],
)
def test_events_are_names_or_all(site: Site, events: Any, names: set[str]) -> None:
    """A single name may stand alone."""
    assert names == site.add_endpoint(events=events).events


@pytest.mark.parametrize("events", [[], "", ["a", ""], ["a b"], ["a\n"], ["é"]])
def test_events_that_are_none_are_refused(site: Site, events: Any) -> None:
    """Nothing is added."""
    with pytest.raises(InputError, match="event"):
        site.add_endpoint(events=events)
    assert listed(site) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "receiver.test/hook",
        "ftp://receiver.test",
        "http://",
        "http://[",
        "http://a:b",
        "https://user:pass@receiver.test",
        "http://a.test/#part",
        "http://a.test/\nx",
        "http://a.test/" + "x" * 2_000,
    ],
)
def test_urls_that_can_not_be_posted_to_are_refused(site: Site, url: str) -> None:
    """When the endpoint is added, not with the first event."""
    with pytest.raises(InputError, match="webhook's URL"):
        site.add_endpoint(url)
    assert listed(site) == []


def test_removing_cancels_what_waits(site: Site, endpoint: Endpoint, clock: ServerClock) -> None:
    """Of that endpoint alone; a second time changes nothing."""
    kept = site.add_endpoint()
    site.add_many([endpoint, kept])
    clock.advance(5)
    removed = site.remove(endpoint)
    assert removed.removed_at == START + 5
    clock.advance(5)
    assert removed == site.remove(endpoint)
    statuses = [delivery.status for delivery in site.deliveries()]
    assert [DeliveryStatus.CANCELLED, DeliveryStatus.PENDING] == statuses
    assert [removed, kept] == listed(site)


def test_accounts_do_not_see_each_others(store: Store, site: Site) -> None:
    """Nor remove them."""
    endpoint = make_site(store, "other").add_endpoint()
    assert listed(site) == []
    assert isinstance(site.remove(endpoint), EndpointNotFoundError)
    missing = site.store.write_blocking(
        operations.remove_endpoint, {"account_id": site.account_id, "endpoint_id": 99}
    )
    assert isinstance(missing, EndpointNotFoundError)
