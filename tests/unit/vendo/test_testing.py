"""What helps to test programs that use Vendo."""

from __future__ import annotations

from typing import Any

import pytest

from quatrain.errors.vendo import ValidationError
from quatrain.models.vendo import Connection, WebhookEvent
from quatrain.vendo import testing
from quatrain.vendo.webhooks import WebhooksAPI

SECRET = "whsec_of_a_test"
NOW = 1_778_202_000


def test_a_fake_connection_is_one_of_the_platforms() -> None:
    """Connected, unless it shall not be."""
    known = testing.fake_connection(slug="gmail", credential={"access_token": "a"})
    assert isinstance(known, Connection)
    assert ("gmail", "Gmail", "email") == (known.slug, known.display_name, known.category)
    assert ("connected", "user_oauth", "conn_gmail") == (known.status, known.profile, known.id)
    other = testing.fake_connection("x", status="error", error_message="gone", display_name="X!")
    assert ("x", "X!", "byok_static") == (other.slug, other.display_name, other.profile)
    assert ("error", "gone", None) == (other.status, other.error_message, other.credential)


def test_a_field_that_there_is_not() -> None:
    """Is a mistake in the test."""
    with pytest.raises(TypeError, match="statsu"):
        testing.fake_connection(slug="x", statsu="error")


@pytest.mark.parametrize("moment", [NOW, str(NOW), "2026-05-08T01:00:00Z"])
def test_a_delivery_is_verified(moment: Any) -> None:
    """It is a whole request."""
    headers, body = testing.webhook_delivery(
        SECRET,
        "connection.connected",
        {"slug": "gmail", "name": "Jürgen"},
        event_id="evt_1",
        occurred_at="2026-05-08T00:59:59Z",
        timestamp=moment,
    )
    event = WebhooksAPI(SECRET, now=lambda: NOW).verify(headers, body)
    expected = {"slug": "gmail", "name": "Jürgen"}
    assert expected == event.data
    assert WebhookEvent("evt_1", "connection.connected", "2026-05-08T00:59:59Z", expected) == event
    assert {"Content-Type", "Vendo-Signature", "Vendo-Timestamp"} == set(headers)


def test_a_delivery_is_new_each_time() -> None:
    """Signed now, with an id of its own, and no data."""
    deliveries = [testing.webhook_delivery(SECRET, "billing.cap_tripped") for _ in range(2)]
    events = [WebhooksAPI(SECRET).verify(*delivery) for delivery in deliveries]
    assert events[0].id != events[1].id
    assert [{}, {}] == [event.data for event in events]
    assert events[0].occurred_at.endswith("Z")


@pytest.mark.parametrize(
    ("secret", "data", "timestamp", "words"),
    [
        (SECRET, {"x": object()}, NOW, "not JSON"),
        (SECRET, {"x": float("nan")}, NOW, "not JSON"),
        (SECRET, {"x": "\ud800"}, NOW, "not JSON"),
        ("", {}, NOW, "the secret"),
        (SECRET, {}, "soon", "the timestamp"),
    ],
)
def test_what_can_not_be_delivered(secret: Any, data: Any, timestamp: Any, words: str) -> None:
    """A mistake in the test, too."""
    with pytest.raises(ValidationError, match=words):
        testing.webhook_delivery(secret, "a.b", data, timestamp=timestamp)


@pytest.mark.parametrize("name", testing.__all__)
def test_what_is_exported_is_documented(name: str) -> None:
    """And is there."""
    assert getattr(testing, name).__doc__
