# Generated from tests/_async/test_events.py by scripts/make_sync.py. Do not edit.
"""Live events: whole, in order and once over any number of connections."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from quatrain import AuthenticationError, PermissionDeniedError
from quatrain._reconnect import WARN_AFTER
from quatrain._sync.events import EventsAPI, EventStream
from quatrain._sync.hosts import VendoAPI
from quatrain.errors.vendo import (
    AuthError,
    NotConnected,
    ValidationError,
    VendoConfigError,
    VendoOnlyFeature,
    VendoPermissionError,
    VendoStreamError,
)
from quatrain.models.vendo import Message

from .._doubles import InstantClock
from .._events import KEY, ORIGIN, STREAM, Platform, Script, ScriptTransport

Subscribe = Callable[..., EventStream]


def event(number: int) -> bytes:
    """A whole one."""
    return b"id: %d\nevent: connection.changed\ndata: %d\n\n" % (number, number)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def subscribe(script: Script, instant: InstantClock) -> Iterator[Subscribe]:
    """To a platform that answers what the script says."""
    with (
        httpx.Client(transport=ScriptTransport(script)) as http,
        Platform(http_client=http, clock=instant) as platform,
    ):

        def subscribe(*answers: Any, **options: Any) -> EventStream:
            script.answers += answers
            return platform.events.subscribe(**options)

        yield subscribe


def ids_until_its_end(stream: EventStream) -> list[str | None]:
    """Of what comes before the key is unknown, where the script ends."""
    found: list[str | None] = []
    with pytest.raises(AuthError):
        add_ids(found, stream)
    return found


def add_ids(found: list[str | None], stream: EventStream) -> None:
    for message in stream:
        found.append(message.id)  # noqa: PERF401 - what came before an error counts


# -- what comes -----------------------------------------------------------------------------------


def test_a_message_is_what_the_block_says(subscribe: Subscribe) -> None:
    """Its data is the JSON's, where it is some."""
    stream = subscribe([b'id: 7\nevent: billing.cap_tripped\nretry: 9\ndata: {"window":"day"}\n\n'])
    assert next(stream) == Message("billing.cap_tripped", {"window": "day"}, "7", 9)
    stream.close()


@pytest.mark.parametrize(
    "text", ["", "plain", "{", "NaN", "[" * 100_000, "9" * 5_000, '"a" b', "\ufffd"]
)
def test_data_that_is_no_json_is_text(subscribe: Subscribe, text: str) -> None:
    """As it is, whatever a parser would say of it."""
    stream = subscribe([f"data: {text}\n\n".encode()])
    assert next(stream) == Message("message", text)
    stream.close()


def test_heartbeats_are_no_events(subscribe: Subscribe) -> None:
    """Nor are blocks without data."""
    pieces = [b": ping\n\n", event(1), b": ping\n\nid: 2\n\n", event(3)]
    assert ids_until_its_end(subscribe(pieces)) == ["1", "3"]


def test_an_alias_comes_although_its_id_has(subscribe: Subscribe) -> None:
    """Nothing is left out because of its id, after a reconnect either."""
    stream = subscribe([event(1) + event(1)], [event(1), event(2)])
    assert ids_until_its_end(stream) == ["1", "1", "1", "2"]


def test_a_body_that_is_packed_although_nobody_asked(subscribe: Subscribe) -> None:
    """It is unpacked."""
    headers = {**STREAM, "content-encoding": "gzip"}
    packed = httpx.Response(200, headers=headers, content=gzip.compress(event(1) + event(2)))
    assert ids_until_its_end(subscribe(packed)) == ["1", "2"]


# -- the request ----------------------------------------------------------------------------------


def test_what_is_asked_for(subscribe: Subscribe, script: Script) -> None:
    """The contract's endpoint and headers, and those of a stream."""
    ids_until_its_end(subscribe(last_event_id="41", heartbeat_timeout=12.5))
    (request,) = script.requests
    assert (request.method, str(request.url)) == ("GET", f"{ORIGIN}/api/deployments/me/events")
    expected = {
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "authorization": f"Bearer {KEY}",
        "cache-control": "no-store",
        "last-event-id": "41",
        "vendo-api-version": "2026-05-02",
        "x-vendo-user-jwt": "a-users",
    }
    assert expected == {name: request.headers[name] for name in expected}
    timeouts = {"connect": 30.0, "pool": 30.0, "read": 12.5, "write": 30.0}
    assert request.extensions["timeout"] == timeouts


def test_nothing_is_asked_for_before_an_event_is(subscribe: Subscribe, script: Script) -> None:
    """A stream that nobody iterates costs nothing."""
    with subscribe():
        pass
    assert script.requests == []


def test_an_id_goes_back_as_it_came(subscribe: Subscribe, script: Script) -> None:
    """In UTF-8, as browsers send it."""
    name = "ä€😀 b"
    stream = subscribe([f"id: {name}\ndata: 1\n\n".encode()])
    assert ids_until_its_end(stream) == [name]
    values = [dict(request.headers.raw).get(b"last-event-id") for request in script.requests]
    assert values == [None, name.encode()]


def test_a_redirect_is_not_followed(subscribe: Subscribe, script: Script) -> None:
    """The key goes to the platform only; it is a failed try."""
    moved = httpx.Response(307, headers={"location": "https://elsewhere.example/"})
    assert ids_until_its_end(subscribe(moved, [event(1)])) == ["1"]
    assert {request.url.host for request in script.requests} == {"vendo.example"}


# -- going on -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut",
    [b"", b"id: 2", b"id: 2\n", b"id: 2\ndata: x", b"id: 2\ndata: x\n", b"data: \xf0\x9f", b"\xef"],
)
@pytest.mark.parametrize("end", [None, httpx.ReadError("reset"), httpx.ReadTimeout("silence")])
def test_a_stream_that_is_cut_goes_on_after_the_last_whole_event(
    subscribe: Subscribe, script: Script, cut: bytes, end: Exception | None
) -> None:
    """Wherever it is cut, and however: no block that was not whole says anything."""
    pieces = [event(1), cut, *([] if end is None else [end])]
    assert ids_until_its_end(subscribe(pieces, [event(2)])) == ["1", "2"]
    assert script.resumed == [None, "1", "2"]
    assert script.left == 2


@pytest.mark.parametrize(
    "fault",
    [404, 408, 429, 500, 502, 503, 504, 204, 418,
     httpx.Response(502, html="<h1>Bad gateway</h1>"),
     httpx.Response(200, json={"no": "stream"}),
     httpx.Response(200, headers={"content-type": "text/event-streams"}, content=b"data: x\n\n"),
     httpx.Response(200, headers=STREAM, content=b""),
     httpx.Response(200, headers={**STREAM, "content-encoding": "br"}, content=b"\1"),
     httpx.Response(206, headers=STREAM, content=b"data: x\n\n"),
     httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), RuntimeError("a hook's")],
)  # fmt: skip
def test_passing_faults(subscribe: Subscribe, script: Script, fault: Any) -> None:
    """It is tried again."""
    stream = subscribe(fault, [event(6)], last_event_id="5")
    assert ids_until_its_end(stream) == ["6"]
    assert script.resumed == ["5", "5", "6"]


def test_waits_grow_until_an_event_arrives(subscribe: Subscribe, instant: InstantClock) -> None:
    """Not for a good answer: a server that accepts and hangs up at once is backed off from."""
    answers = [500, [], [b": ping\n\n"], httpx.ConnectError("refused"), [event(1)], 503]
    ids_until_its_end(subscribe(*answers))
    least = [1, 2, 4, 8, 1, 2]
    assert len(instant.slept) == len(least)
    assert all(a <= b <= a * 1.2501 for a, b in zip(least, instant.slept, strict=True))


def test_no_wait_is_longer_than_the_longest(subscribe: Subscribe, instant: InstantClock) -> None:
    """Also where the server asks for more."""
    pieces: list[bytes | Exception] = [b"retry: 60000\n\n", event(1)]
    ids_until_its_end(subscribe(pieces, *[500] * 10, max_backoff_sec=5.0))
    assert all(3.7499 <= wait <= 5.0001 for wait in instant.slept)


def test_the_servers_retry_makes_first_waits_longer(
    subscribe: Subscribe, instant: InstantClock
) -> None:
    """It is told by a block of its own, too."""
    ids_until_its_end(subscribe([b"retry: 7000\n\n", event(1)]))
    (wait,) = instant.slept
    assert 7 <= wait <= 7 * 1.2501


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(429, headers={"retry-after": "90"}, json={"message": "too many"}),
        httpx.Response(503, json={"error": {"code": "unavailable", "retry_after": 90}}),
    ],
)
def test_a_retry_after_is_not_waited_shorter(
    subscribe: Subscribe, instant: InstantClock, answer: httpx.Response
) -> None:
    """Of the header, or of the body."""
    ids_until_its_end(subscribe(answer))
    assert instant.slept == pytest.approx([90])


def test_an_outage_is_warned_of_once(
    subscribe: Subscribe, caplog: pytest.LogCaptureFixture
) -> None:
    """When it has lasted for a while; with no secret."""
    caplog.set_level(logging.DEBUG, "quatrain.events")
    ids_until_its_end(subscribe(*[500] * (WARN_AFTER - 1), [event(1)], *[500] * WARN_AFTER * 2))
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [ORIGIN in record.getMessage() for record in warnings] == [True]
    assert KEY not in caplog.text


# -- its end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kinds"),
    [
        (401, "app_revoked", (AuthError, AuthenticationError)),
        (401, None, (AuthError,)),
        (403, None, (VendoPermissionError, PermissionDeniedError)),
        (403, "connection_revoked", (NotConnected,)),
    ],
)
def test_a_refused_key_ends_it(
    subscribe: Subscribe, script: Script, status: int, code: str | None, kinds: tuple[type, ...]
) -> None:
    """With the typed error, after the events before it; it is over then."""
    refusal = httpx.Response(status, json={"error": {"code": code, "message": "no"}})
    stream = subscribe([event(1)], refusal)
    assert next(stream).id == "1"
    with pytest.raises(kinds[0]) as caught:
        next(stream)
    assert all(isinstance(caught.value, kind) for kind in kinds)
    assert [message for message in stream] == []
    assert len(script.requests) == 2


def test_an_event_that_is_too_large_ends_it(subscribe: Subscribe, script: Script) -> None:
    """After those before it: each reconnect would bring it again."""
    pieces = [event(1) + event(2) + b"id: 3\ndata: " + b"x" * 100]
    stream = subscribe(pieces, max_event_bytes=100)
    found = [next(stream).id]
    assert script.left == 1
    with pytest.raises(VendoStreamError, match="more than 100 bytes") as caught:
        add_ids(found, stream)
    assert found == ["1", "2"]
    error = caught.value
    assert (error.code, error.last_event_id, error.event_id) == ("event_too_large", "2", "3")
    assert [message for message in stream] == []
    assert len(script.requests) == 1


@pytest.mark.parametrize("name", ["a\x01b", " a", "a ", "x" * 8_193, "a\tb"])
def test_an_id_that_can_not_be_sent_back_ends_it(subscribe: Subscribe, name: str) -> None:
    """When it would have to be: without it events would be lost, and nobody would know."""
    bad = f"id: {name}\ndata: 1\n\n".encode()
    assert ids_until_its_end(subscribe([bad + event(2)])) == [name, "2"]
    stream = subscribe([bad])
    assert next(stream).id == name
    with pytest.raises(VendoStreamError) as caught:
        next(stream)
    assert (caught.value.code, caught.value.event_id) == ("event_id_unusable", name)


def test_a_closed_stream_is_over(subscribe: Subscribe, script: Script) -> None:
    """Its connection is closed, and what it had not handed out is let go; twice is fine."""
    with subscribe([event(1) + event(2)]) as stream:
        assert next(stream).id == "1"
    stream.close()
    assert [message for message in stream] == []
    assert (stream.last_event_id, script.left, len(script.requests)) == ("1", 1, 1)


def test_a_closed_stream_tells_no_error(subscribe: Subscribe) -> None:
    """That would have come after what it had not handed out."""
    pieces = [event(1) + event(2) + b"id: 3\ndata: " + b"x" * 100]
    with subscribe(pieces, max_event_bytes=100) as stream:
        assert next(stream).id == "1"
    assert [message for message in stream] == []


def test_a_stream_of_a_closed_client(script: Script, instant: InstantClock) -> None:
    """It is over, or does not begin."""
    script.answers = [[event(1) + event(2)]]
    with (
        httpx.Client(transport=ScriptTransport(script)) as http,
        Platform(http_client=http, clock=instant) as platform,
    ):
        stream = platform.events.subscribe()
        assert next(stream).id == "1"
        platform.transport.close()
        assert script.left == 1
        assert [message.id for message in stream] == ["2"]
        with pytest.raises(VendoConfigError, match="closed"):
            next(platform.events.subscribe())


# -- leaving and resuming -------------------------------------------------------------------------


def test_its_id_is_the_last_one_handed_out(subscribe: Subscribe, script: Script) -> None:
    """Not the last that came: a restart resumes after what was worked on."""
    stream = subscribe([event(1) + event(2) + event(3)], last_event_id="0")
    seen = [stream.last_event_id]
    for message in stream:
        seen.append(stream.last_event_id)
        if message.id == "2":
            break
    assert seen == ["0", "1", "2"]
    after = subscribe([event(3)], last_event_id=stream.last_event_id)
    assert ids_until_its_end(after) == ["3"]
    assert script.resumed == ["0", "2", "3"]


def test_an_id_without_an_event_says_where_to_go_on(subscribe: Subscribe, script: Script) -> None:
    """A platform sends it with its greeting: what happens before the first event is not lost."""
    stream = subscribe([b": connected\nid: 41\n\n"], [b"id: 42\n\n" + event(43)])
    assert next(stream).id == "43"
    assert script.resumed == [None, "41"]
    assert stream.last_event_id == "43"
    silent = subscribe([b": connected\nid: 41\n\n"])
    with pytest.raises(AuthError):
        next(silent)
    assert silent.last_event_id == "41"


def test_a_loop_that_was_left_can_be_taken_up(subscribe: Subscribe, script: Script) -> None:
    """By the same stream: what had come is not asked for again, what had not is."""
    stream = subscribe([event(1) + event(2) + b"id: 3\nda"], [event(3)], [event(4)])
    found: list[str | None] = []
    while len(found) < 4:
        for message in stream:
            found.append(message.id)
            break
    assert found == ["1", "2", "3", "4"]
    assert script.resumed[:3] == [None, "2", "3"]


# -- the call -------------------------------------------------------------------------------------


def test_without_a_key_the_call_itself_is_refused() -> None:
    """Not the first iteration (contracts, Vendo, "Two modes")."""
    with pytest.raises(VendoOnlyFeature, match=r"events\.subscribe"):
        EventsAPI(VendoAPI(None)).subscribe()


@pytest.mark.parametrize(
    "options",
    [
        {"max_backoff_sec": -1},
        {"max_backoff_sec": float("inf")},
        {"heartbeat_timeout": 0},
        {"heartbeat_timeout": None},
        {"heartbeat_timeout": True},
        {"max_event_bytes": 0},
        {"max_event_bytes": "1"},
        {"last_event_id": 7},
        {"last_event_id": "a\nb"},
        {"last_event_id": "a\x7f"},
        {"last_event_id": "\ud800"},
        {"last_event_id": " a"},
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    subscribe: Subscribe, options: dict[str, Any]
) -> None:
    """At the call, and by name."""
    with pytest.raises(ValidationError, match=next(iter(options))):
        subscribe(**options)
