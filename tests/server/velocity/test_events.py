"""Who is told of what: scopes, endpoints, revoked installs. Source: contracts, "Webhooks"."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quatrain.errors import InputError
from quatrain.models.velocity import EVENT_SCOPES
from quatrain.server.store import Store
from quatrain.server.velocity import Account, BusinessData, Installs, NewTask

from .._support import START
from ._support import add_endpoint, outbox, remove_endpoint, rows

REVIEW = NewTask(action="Hold the review", module_source="L12")


async def test_a_delivery_is_pending_and_due_at_once(
    data: BusinessData, installs: Installs, store: Store, account: Account
) -> None:
    """Every column of its row."""
    install, _ = installs.create(account.id, "sync")
    endpoint = add_endpoint(store, install.extension_id)
    await data.create_task(account.id, REVIEW)
    ((number, delivery_id, *rest),) = rows(store, "SELECT * FROM webhook_deliveries")
    assert (1, True, 36) == (number, delivery_id.startswith("dlv_"), len(delivery_id))
    payload = {
        "module_source": "L12",
        "action": "Hold the review",
        "category": None,
        "timeframe": None,
    }
    text = json.dumps(payload, separators=(",", ":"))
    expected = [endpoint, "tasks.created", text, "PENDING", 0, 9, START, None, START]
    assert [*expected, None, None, None] == rest


@pytest.mark.parametrize("event", list(EVENT_SCOPES))
async def test_an_event_needs_its_scope(
    data: BusinessData, installs: Installs, store: Store, account: Account, event: str
) -> None:
    """An extension whose install lacks it is not told; one that has only it is."""
    needed = EVENT_SCOPES[event]  # type: ignore[index]
    told, _ = installs.create(account.id, "told", scopes={needed})
    others, _ = installs.create(
        account.id, "untold", scopes=set(EVENT_SCOPES.values()) - {needed} | {"write:tasks"}
    )
    endpoint = add_endpoint(store, told.extension_id)
    add_endpoint(store, others.extension_id)
    assert 1 == await data.trigger(account.id, event)
    assert [(endpoint, event)] == [row[:2] for row in outbox(store)]


async def test_a_sandbox_is_told_of_samples_only(
    data: BusinessData, installs: Installs, store: Store, account: Account
) -> None:
    """Nothing real reaches an extension that is installed in sandbox mode alone."""
    install, _ = installs.create(account.id, "sync", sandbox=True)
    endpoint = add_endpoint(store, install.extension_id)
    await data.create_task(account.id, REVIEW)
    assert [] == outbox(store)
    assert 1 == await data.trigger(account.id, "tasks.created")
    assert [(endpoint, "tasks.created")] == [row[:2] for row in outbox(store)]
    installs.create(account.id, "sync")
    await data.create_task(account.id, REVIEW)
    assert [endpoint] * 2 == [row[0] for row in outbox(store) if row[1] == "tasks.created"]


async def test_an_event_goes_to_every_endpoint_that_wants_it_once(
    data: BusinessData, installs: Installs, store: Store, account: Account
) -> None:
    """However often its extension is installed."""
    one, _ = installs.create(account.id, "one")
    installs.create(account.id, "one")
    two, _ = installs.create(account.id, "two")
    wanting = [
        add_endpoint(store, one.extension_id),
        add_endpoint(store, one.extension_id, "team.added tasks.created"),
        add_endpoint(store, two.extension_id, "tasks.created"),
    ]
    add_endpoint(store, two.extension_id, "tasks.updated team.added")
    removed = add_endpoint(store, two.extension_id)
    remove_endpoint(store, removed)
    await data.create_task(account.id, REVIEW)
    assert wanting == [endpoint for endpoint, _, _ in outbox(store)]


async def test_a_revoked_install_lets_nothing_out(
    data: BusinessData, installs: Installs, store: Store, account: Account
) -> None:
    """Its extension is told of its end, and of nothing after."""
    install, _ = installs.create(account.id, "sync")
    endpoint = add_endpoint(store, install.extension_id)
    installs.revoke(account.id, install.install_id)
    await data.create_task(account.id, REVIEW)
    expected = (endpoint, "extension.revoked", {"install_id": install.install_id})
    assert [expected] == outbox(store)


async def test_an_extension_learns_of_its_own_installs_only(
    installs: Installs, store: Store, account: Account
) -> None:
    """Installed and revoked go to that extension's endpoints, once each."""
    one, _ = installs.create(account.id, "one")
    two, _ = installs.create(account.id, "two")
    endpoint = add_endpoint(store, one.extension_id)
    add_endpoint(store, one.extension_id, "tasks.created")
    remove_endpoint(store, add_endpoint(store, one.extension_id))
    add_endpoint(store, two.extension_id)
    again, _ = installs.create(account.id, "one", scopes=["write:tasks", "read:profile"])
    for _ in range(2):
        installs.revoke(account.id, again.install_id)
    scopes = ["read:profile", "write:tasks"]
    assert [
        (endpoint, "extension.installed", {"extension_slug": "one", "scopes": scopes}),
        (endpoint, "extension.revoked", {"install_id": again.install_id}),
    ] == outbox(store)


async def test_an_install_that_may_not_read_the_profile_is_not_told_of(
    installs: Installs, store: Store, account: Account
) -> None:
    """It is that install's scopes that count."""
    full, _ = installs.create(account.id, "one")
    add_endpoint(store, full.extension_id)
    narrow, _ = installs.create(account.id, "one", scopes={"write:tasks"})
    installs.revoke(account.id, narrow.install_id)
    assert [] == outbox(store)


async def test_a_triggered_event_carries_what_was_given(
    data: BusinessData, installs: Installs, store: Store, account: Account
) -> None:
    """A sample by default, with the fields of the contract."""
    install, _ = installs.create(account.id, "sync")
    endpoint = add_endpoint(store, install.extension_id)
    assert 1 == await data.trigger(account.id, "team.added", {"any": ["thing", None]})
    assert [(endpoint, "team.added", {"any": ["thing", None]})] == outbox(store)
    fields: dict[str, set[str]] = {
        "module.updated": {"module_code", "completed_at"},
        "tasks.created": {"module_source", "action", "category", "timeframe"},
        "tasks.updated": {"module_source", "action", "quadrant", "assignee", "deadline"},
        "team.added": {"name", "role", "email"},
        "subscription.changed": {"new_tier", "source"},
        "extension.installed": {"extension_slug", "scopes"},
        "extension.revoked": {"install_id"},
    }
    for event in fields:
        await data.trigger(account.id, event)
    sent: dict[str, Any] = {event: payload for _, event, payload in outbox(store)[1:]}
    assert fields == {event: set(payload) for event, payload in sent.items()}
    assert None not in [value for payload in sent.values() for value in payload.values()]


async def test_there_are_no_other_events(data: BusinessData, account: Account) -> None:
    """The message lists those there are."""
    with pytest.raises(InputError, match=r"there is no event 'tasks\.deleted'; .*team\.added"):
        await data.trigger(account.id, "tasks.deleted", None)
