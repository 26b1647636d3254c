"""The stream of events: live and replayed, its old names, its limits and its ends."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.server import Settings, create_app
from quatrain.server.store import Store, StoreUnavailableError
from quatrain.server.vendo import publishing, stream
from quatrain.server.vendo.publishing import Event

from .._support import ServerClock
from ._streams import Block, Listener, greeted
from ._support import APP, TENANT, change, rows

Listen = Callable[..., Any]


class Monotonic:
    """The clock of heartbeats."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def monotonic(platform: Starlette) -> Monotonic:
    """Streams of the platform look only when they are woken, and live by this clock."""
    clock = Monotonic()
    streams = platform.state.vendo.streams
    streams.monotonic, streams.poll, streams.pause = clock, 3_600.0, 0.0
    return clock


@pytest.fixture
def secret(platform: Starlette) -> Secret:
    _, secret = platform.state.vendo.keys.create(TENANT, APP)
    return secret


@pytest.fixture
async def listen(
    platform: Starlette, secret: Secret, monotonic: Monotonic
) -> AsyncIterator[Listen]:
    """Connect, and wait until connected."""
    made: list[Listener] = []

    async def connect(
        last: int | str | None = None, key: Secret = secret, user: Secret | None = None
    ) -> Listener:
        listener = Listener(platform, key, None if last is None else str(last), user)
        made.append(listener)
        await listener.until(greeted)
        return listener

    yield connect
    for listener in made:
        listener.hang_up()
        await asyncio.gather(listener.task, return_exceptions=True)


def used(number: int) -> Event:
    return Event("billing.usage_recorded", {"provider": "openai", "micros": number})


async def publish(
    platform: Starlette, *events: Event, tenant: str = TENANT, app: str | None = None
) -> int:
    return await platform.state.vendo.publisher.publish(tenant, events, app=app)


def numbers(listener: Listener) -> list[int]:
    return [json.loads(block.data)["micros"] for block in listener.events]


def kept_waiting(listener: Listener) -> bool:
    return listener.kept_waiting


def having(count: int) -> Callable[[Listener], bool]:
    return lambda listener: len(listener.events) >= count


# -- live -----------------------------------------------------------------------------------------


async def test_what_a_stream_is(listen: Listen) -> None:
    """Its head, and a comment at once, so that the client knows it is connected."""
    listener = await listen()
    assert 200 == listener.status
    assert ("text/event-stream", "no-store", "no") == tuple(
        listener.headers[name] for name in ("content-type", "cache-control", "x-accel-buffering")
    )
    assert [b": connected\nid: 0\n\n"] == listener.bodies


async def test_a_stream_begins_where_the_last_event_was(
    platform: Starlette, listen: Listen
) -> None:
    """It says so at once: who is cut off before the next one misses none, and sees no old one."""
    await publish(platform, used(1), used(2))
    assert [b": connected\nid: 2\n\n"] == (await listen()).bodies


async def test_an_event_as_it_is_sent(platform: Starlette, listen: Listen) -> None:
    """Its row's id, its kind, and its fields besides its own id and time."""
    listener = await listen()
    await publish(platform, used(7))
    await listener.until(having(1))
    (block,) = listener.events
    data = json.loads(block.data)
    assert ("1", "billing.usage_recorded") == (block.id, block.event)
    assert data.pop("id").startswith("evt_")
    assert {
        "at": "2027-01-15T08:00:00.000Z",
        "kind": "billing.usage_recorded",
        "provider": "openai",
        "micros": 7,
    } == data


@pytest.mark.parametrize(
    ("kind", "alias"),
    [
        ("connection.connected", "connection_created"),
        ("connection.disconnected", "connection_deleted"),
        ("connection.changed", "connection_updated"),
        ("connection.status_changed", "connection_updated"),
    ],
)
async def test_old_names(platform: Starlette, listen: Listen, kind: str, alias: str) -> None:
    """Right after the event, with its id and its data."""
    listener = await listen()
    fields = {"slug": "slack", "connection_id": "con_1"}
    if kind.endswith("status_changed"):
        fields["status"] = "error"
    await publish(platform, Event(kind, fields), used(1))
    await listener.until(having(2))
    _, event, repeated, last = listener.blocks
    assert (kind, alias, "2") == (event.event, repeated.event, last.id)
    assert Block(event.id, alias, event.data) == repeated


async def test_only_the_apps_own(platform: Starlette, listen: Listen) -> None:
    """Another app's and another tenant's stream know nothing of it."""
    _, other = platform.state.vendo.keys.create(TENANT, "other")
    _, foreign = platform.state.vendo.keys.create("umbrella", APP)
    listeners = [await listen(), await listen(key=other), await listen(key=foreign)]
    assert 1 == await publish(platform, used(1), app=APP)
    assert 2 == await publish(platform, used(2))
    assert 1 == await publish(platform, used(3), tenant="umbrella")
    for listener, expected in zip(listeners, ([1, 2], [2], [3]), strict=True):
        await listener.until(having(len(expected)))
        assert expected == numbers(listener)


async def test_only_the_users_own(
    platform: Starlette, listen: Listen, monotonic: Monotonic
) -> None:
    """Who acts for a user hears what is everybody's and the user's; the app itself hears all."""
    connections = platform.state.vendo.connections
    ids: dict[str, str] = {}
    for user in ("", "bob", "eve"):
        made = await connections.connect(TENANT, APP, "slack", user_id=user)
        ids[made.connection_id] = user
    # more of somebody else's than a replay brings back
    for status in ("error", "connected") * 75:
        await connections.set_status(TENANT, made.connection_id, status)

    def whose(listener: Listener) -> list[str]:
        return [ids[json.loads(block.data)["connection_id"]] for block in listener.events]

    token, _ = await platform.state.vendo.users.issue(TENANT, "bob")
    for_bob, for_all = await listen(0, user=token), await listen(0)
    await for_bob.until(having(2))
    await for_all.until(having(100))
    for connection_id in ids:
        await connections.disconnect(TENANT, connection_id)
    await for_bob.until(having(4))
    await for_all.until(having(103))
    assert ["", "bob", "", "bob"] == whose(for_bob)
    assert ["eve"] * 100 + ["", "bob", "eve"] == whose(for_all)
    assert "eve" not in for_all.events[-1].data

    # what is not told is no sign of life
    monotonic.now += 25
    await connections.connect(TENANT, APP, "notion", user_id="eve")
    await for_bob.until(lambda listener: "ping" in listener.comments)


async def test_many_events_at_once(platform: Starlette, listen: Listen) -> None:
    """Come whole and in order, in as many bodies as it takes."""
    listener = await listen()
    for start in range(0, 3_000, 1_000):
        await publish(platform, *map(used, range(start, start + 1_000)))
    await listener.until(having(3_000))
    assert list(range(3_000)) == numbers(listener)


async def test_what_another_process_writes(
    database: Path, clock: ServerClock, listen: Listen, platform: Starlette
) -> None:
    """Is found by looking for it from time to time."""
    platform.state.vendo.streams.poll = 0.0
    listener = await listen()
    other = create_app(Settings(database=database, seed=None, background=False), now_ms=clock)
    async with other.router.lifespan_context(other):
        await publish(other, used(1))
        await listener.until(having(1))
    assert [1] == numbers(listener)


# -- replay ---------------------------------------------------------------------------------------


async def test_without_an_id_nothing_is_replayed(platform: Starlette, listen: Listen) -> None:
    """A stream begins now."""
    await listen()
    await publish(platform, used(1))
    listener = await listen()
    await publish(platform, used(2))
    await listener.until(having(1))
    assert [2] == numbers(listener)


async def test_what_came_after_an_id_is_replayed(platform: Starlette, listen: Listen) -> None:
    """And goes on with what comes."""
    await publish(platform, *map(used, range(1, 6)))
    listener = await listen(3)
    await listener.until(having(2))
    await publish(platform, used(6))
    await listener.until(having(3))
    assert [4, 5, 6] == numbers(listener)


@pytest.mark.parametrize(("last", "expected"), [(0, 100), (50, 100), (51, 99), (149, 1), (150, 0)])
async def test_a_replay_is_bounded(
    platform: Starlette, listen: Listen, last: int, expected: int
) -> None:
    """The latest hundred; old names count for nothing."""
    changed = Event("connection.changed", {"slug": "slack", "connection_id": "con_1"})
    await publish(platform, *[changed] * 150)
    listener = await listen(last)
    await publish(platform, changed)
    await listener.until(having(expected + 1))
    assert [str(number) for number in range(151 - expected, 152)] == [
        block.id for block in listener.events
    ]


async def test_a_replay_is_the_apps_own(platform: Starlette, listen: Listen) -> None:
    """Other apps' events lie between them, and their ids can be asked for, too."""
    platform.state.vendo.keys.create(TENANT, "other")
    for number in range(1, 5):
        await publish(platform, used(number), app=APP if number % 2 else "other")
    listener = await listen(2)
    await listener.until(having(1))
    assert [3] == numbers(listener)


@pytest.mark.parametrize(
    "last", ["", "x", "-1", "1.0", "+1", "3", "9" * 18, "9" * 40, "1 ", "\xb2"]
)
async def test_an_id_that_is_none_of_ours(platform: Starlette, listen: Listen, last: str) -> None:
    """Or of the future: the stream begins now."""
    await publish(platform, used(1), used(2))
    listener = await listen(last)
    await publish(platform, used(3))
    await listener.until(having(1))
    assert [3] == numbers(listener)


# -- silence --------------------------------------------------------------------------------------


async def test_a_silent_stream_is_pinged(
    platform: Starlette, listen: Listen, monotonic: Monotonic
) -> None:
    """After 25 seconds without anything, and again after another 25."""
    listener = await listen()
    streams = platform.state.vendo.streams
    monotonic.now = 24.9
    await publish(platform, used(1))
    await listener.until(having(1))
    assert ["connected"] == listener.comments
    for count, now in ((2, 49.9), (3, 74.9)):
        monotonic.now = now
        streams.wake()
        await listener.until(lambda listener, count=count: len(listener.comments) >= count)
    assert ["connected", "ping", "ping"] == listener.comments


# -- limits ---------------------------------------------------------------------------------------


async def test_five_streams_an_app(platform: Starlette, listen: Listen, secret: Secret) -> None:
    """A sixth is refused, with the time after which to try again; another app's is not."""
    for _ in range(5):
        await listen()
    refused = Listener(platform, secret)
    await refused.over()
    assert (429, "rate_limit_sse_streams", "5") == (
        refused.status,
        refused.headers["vendo-error-code"],
        refused.headers["retry-after"],
    )
    _, other = platform.state.vendo.keys.create(TENANT, "other")
    await listen(key=other)


async def test_a_stream_that_is_hung_up_leaves_its_place(
    platform: Starlette, listen: Listen
) -> None:
    """At once, though it may be waiting."""
    listener = await listen()
    assert 1 == platform.state.vendo.streams.count(1)
    listener.hang_up()
    await listener.over()
    assert 0 == platform.state.vendo.streams.count(1)


async def test_a_reader_that_vanishes_while_it_is_behind(
    platform: Starlette, listen: Listen
) -> None:
    """What is being sent to it is given up."""
    listener = await listen()
    listener.reading.clear()
    await publish(platform, used(1))
    await listener.until(kept_waiting)
    listener.hang_up()
    await listener.over()
    assert 0 == platform.state.vendo.streams.count(1)


async def test_a_slow_reader_delays_only_itself(platform: Starlette, listen: Listen) -> None:
    """And misses nothing."""
    slow, quick = await listen(), await listen()
    slow.reading.clear()
    for number in range(20):
        await publish(platform, used(number))
        await quick.until(having(number + 1))
    assert [] == numbers(slow)
    slow.reading.set()
    await slow.until(having(20))
    assert list(range(20)) == numbers(slow) == numbers(quick)


async def test_a_cancelled_stream_leaves_its_place(platform: Starlette, listen: Listen) -> None:
    """As a server does that has waited for long enough."""
    listener = await listen()
    listener.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listener.task
    assert 0 == platform.state.vendo.streams.count(1)


async def test_a_stream_that_can_not_begin_leaves_its_place(
    platform: Starlette, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database can't be read: 503."""
    listener = Listener(platform, secret)

    def fail(*_: Any) -> None:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(stream, "_begin", fail)
    await listener.over()
    assert 503 == listener.status
    assert 0 == platform.state.vendo.streams.count(1)


# -- ends -----------------------------------------------------------------------------------------


async def test_a_revoked_key_ends_its_streams(
    platform: Starlette, listen: Listen, monotonic: Monotonic
) -> None:
    """When the key is next looked up, and before anything more is told."""
    listener = await listen()
    platform.state.vendo.keys.revoke(TENANT, "key_1")
    monotonic.now = 1.0
    await publish(platform, used(1))
    await listener.over()
    assert (True, []) == (listener.complete, listener.events)


async def test_a_platform_that_stops_ends_its_streams(
    platform: Starlette, listen: Listen, secret: Secret
) -> None:
    """And begins no more."""
    listener = await listen()
    platform.state.vendo.streams.close()
    await listener.over()
    assert listener.complete
    refused = Listener(platform, secret)
    await refused.over()
    assert (503, "1") == (refused.status, refused.headers["retry-after"])


async def test_a_platform_that_is_started_again(database: Path) -> None:
    """Has streams again."""
    app = create_app(Settings(database=database, seed=None, background=False))
    for _ in range(2):
        async with app.router.lifespan_context(app):
            _, secret = app.state.vendo.keys.create(TENANT, APP)
            listener = Listener(app, secret)
            await listener.until(greeted)
            assert 200 == listener.status
        await listener.over()
        assert listener.complete


async def test_a_platform_that_stops_while_a_stream_begins(
    platform: Starlette, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Does not leave it behind."""
    streams = platform.state.vendo.streams
    loop, begin = asyncio.get_running_loop(), stream._begin

    def stopping(*args: Any) -> stream.Position:
        closed = threading.Event()
        loop.call_soon_threadsafe(lambda: (streams.close(), closed.set()))
        assert closed.wait(60)
        return begin(*args)

    monkeypatch.setattr(stream, "_begin", stopping)
    listener = Listener(platform, secret)
    await listener.over()
    assert listener.complete


async def test_a_platform_that_stops_does_not_wait_for_who_is_behind(
    platform: Starlette, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream is broken off."""
    monkeypatch.setattr(stream, "_GOODBYE", 0.0)
    listener = await listen()
    listener.reading.clear()
    await publish(platform, used(1))
    await listener.until(kept_waiting)
    platform.state.vendo.streams.close()
    await listener.over()
    assert not listener.complete


async def test_a_database_that_is_gone_ends_streams(
    platform: Starlette, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client comes again, with the last id that it saw."""
    listener = await listen()

    def fail(*_: Any) -> None:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(stream, "_next", fail)
    platform.state.vendo.streams.wake()
    await listener.over()
    assert listener.complete


async def test_a_stream_behind_what_is_kept_is_ended(
    platform: Starlette, listen: Listen, store: Store
) -> None:
    """Rather than that it goes on with a gap."""
    listener = await listen()
    await publish(platform, used(1))
    await listener.until(having(1))
    listener.reading.clear()
    await publish(platform, used(2))
    await listener.until(kept_waiting)
    await publish(platform, used(3), used(4))
    change(store, "DELETE FROM vendo_events WHERE id <= 3")
    listener.reading.set()
    await listener.over()
    assert (True, [1, 2]) == (listener.complete, numbers(listener))


# -- retention ------------------------------------------------------------------------------------


async def test_what_is_kept(platform: Starlette, clock: ServerClock, secret: Secret) -> None:
    """A day's events, and of older ones the newest thousand of each app."""
    platform.state.vendo.keys.create(TENANT, "other")
    await publish(platform, *map(used, range(10)), app="other")
    for _ in range(2):
        await publish(platform, *map(used, range(1_000)), app=APP)
    publisher = platform.state.vendo.publisher
    clock.advance(24 * 60 * 60 * 1_000 - 1)
    await publish(platform, used(1), app=APP)
    assert not await publisher.sweep()
    clock.advance(1)
    steps = 1
    while await publisher.sweep():
        steps += 1
    assert 3 == steps  # 500, 500, and the last one
    found = rows(
        platform.state.store,
        "SELECT app_id, COUNT(*), MAX(id) FROM vendo_events GROUP BY app_id ORDER BY app_id",
    )
    assert [(1, 1_000, 2_011), (2, 10, 10)] == found


async def test_no_more_than_so_many_are_kept(
    platform: Starlette, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However new they are: of each app the newest."""
    monkeypatch.setattr(publishing, "MOST", 1_200)
    platform.state.vendo.keys.create(TENANT, "other")
    await publish(platform, *map(used, range(10)), app="other")
    for _ in range(2):
        await publish(platform, *map(used, range(1_000)), app=APP)
    publisher = platform.state.vendo.publisher
    assert [True, False] == [await publisher.sweep() for _ in range(2)]
    found = rows(
        platform.state.store,
        "SELECT app_id, COUNT(*), MIN(id) FROM vendo_events GROUP BY app_id ORDER BY app_id",
    )
    assert [(1, 1_200, 811), (2, 10, 1)] == found
    assert not await publisher.sweep()


async def test_old_events_are_swept_in_the_background(
    platform: Starlette, clock: ServerClock, secret: Secret
) -> None:
    """Without being asked."""
    for _ in range(2):
        await publish(platform, *map(used, range(1_000)))
    clock.advance(24 * 60 * 60 * 1_000)
    found = 2_000
    async with platform.state.vendo.publisher.sweeping():
        while found > 1_000:
            await asyncio.sleep(0)
            ((found,),) = rows(platform.state.store, "SELECT COUNT(*) FROM vendo_events")
