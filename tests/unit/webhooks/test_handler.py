"""The handler: what it answers to which request, and which functions run."""

from __future__ import annotations

import email.message
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from quatrain.errors.velocity import (
    InputError,
)
from quatrain.webhooks import WebhookHandler, sign

from ._handling import (
    NOW,
    OK,
    PAYLOAD,
    REFUSED,
    SECRET,
    Deliver,
    request,
    signed,
)

# -- answers --------------------------------------------------------------------------------------


async def test_a_delivery_is_given_to_its_functions(
    handler: WebhookHandler, deliver: Deliver
) -> None:
    """The catch-alls first, then the event's own, in the order of their registration."""
    calls: list[Any] = []
    for name in ("one", "two"):
        handler.on("tasks.created")(lambda payload, name=name: calls.append((name, payload)))
    handler.on("*")(lambda event: calls.append(("all", event)))
    handler.on("team.added")(calls.append)
    assert (OK, 200) == await deliver(*request())
    everything = {"event_type": "tasks.created", "delivery_id": "d1", "payload": PAYLOAD}
    assert [("all", everything), ("one", PAYLOAD), ("two", PAYLOAD)] == calls


async def test_an_unknown_event_is_answered_well(handler: WebhookHandler, deliver: Deliver) -> None:
    """The platform may learn new ones; only the catch-all hears of it."""
    calls: list[Any] = []
    handler.on("tasks.created")(calls.append)
    handler.on("*")(calls.append)
    answer = await deliver(*request({}, "moon.risen"))
    assert ({"ok": True, "event_type": "moon.risen", "delivery_id": "d1"}, 200) == answer
    assert ["moon.risen"] == [call["event_type"] for call in calls]


async def test_an_event_that_calls_itself_a_star_is_no_catch_all(
    handler: WebhookHandler, deliver: Deliver
) -> None:
    """The catch-alls run once, and get what they always get."""
    calls: list[Any] = []
    handler.on("*")(calls.append)
    await deliver(*request(event="*"))
    assert [{"event_type": "*", "delivery_id": "d1", "payload": PAYLOAD}] == calls


async def test_a_bad_signature_is_refused_before_all_else(
    handler: WebhookHandler, deliver: Deliver
) -> None:
    """Whatever the body is, nothing runs and nothing is remembered."""
    calls: list[Any] = []
    handler.on("*")(calls.append)
    headers, body = request()
    for wrong in (
        {**headers, "X-VOS-Signature": sign("another", body, timestamp=NOW)},
        {**headers, "X-VOS-Signature": sign(SECRET, body, timestamp=NOW - 301)},
        {name: value for name, value in headers.items() if name != "X-VOS-Signature"},
    ):
        assert REFUSED == await deliver(wrong, body)
    assert REFUSED == await deliver(headers, body + b" ")
    assert REFUSED == await deliver(headers, b"no json")
    assert [] == calls
    assert (OK, 200) == await deliver(headers, body)
    assert 1 == len(calls)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b" ",
        b"NaN",
        b'{"x":Infinity}',
        b"\xff",
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        '{"x":1}'.encode("utf-16"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"9" * 5_000,
    ],
    ids=range(12),
)
async def test_a_body_that_is_not_json(
    handler: WebhookHandler, deliver: Deliver, body: bytes
) -> None:
    """Is answered so; nothing runs and nothing is raised."""
    calls: list[Any] = []
    handler.on("*")(calls.append)
    answer = {"ok": False, "error": "invalid json body"}, 400
    assert (answer, []) == (await deliver(*signed(body)), calls)


@pytest.mark.parametrize(
    ("body", "payload"),
    [(b"", {}), (b"[1]", [1]), (b"null", None), (b'"x"', "x"), (b"1e2", 100.0), (b"{}", {})],
)
async def test_a_body_that_is_no_object(
    handler: WebhookHandler, deliver: Deliver, body: bytes, payload: Any
) -> None:
    """Is passed on as it is; an empty one is an empty object."""
    calls: list[Any] = []
    handler.on("tasks.created")(calls.append)
    assert (OK, 200) == await deliver(*signed(body))
    assert [payload] == calls


async def test_a_body_that_is_too_large(handler: WebhookHandler, deliver: Deliver) -> None:
    """Is refused before it is hashed, so whether it was signed is not known."""
    handler.max_body_bytes = 10
    answer = {"ok": False, "error": "body too large"}, 413
    for headers in (signed(b" " * 11)[0], {}):
        assert answer == await deliver(headers, b" " * 11)
    assert 400 == (await deliver(*signed(b" " * 10)))[1]


async def test_the_default_limit_is_a_mebibyte(deliver: Deliver) -> None:
    """Which no payload of the contract comes near."""
    assert 200 == (await deliver(*signed(b'"' + b"x" * (2**20 - 2) + b'"')))[1]
    assert 413 == (await deliver({}, bytes(2**20 + 1)))[1]


async def test_a_released_view_is_a_mistake_of_the_program(deliver: Deliver) -> None:
    """There are no bytes behind it any more."""
    view = memoryview(b"{}")
    view.release()
    with pytest.raises(InputError, match="the raw bytes of the request"):
        await deliver({}, view)


@pytest.mark.parametrize("body", ["{}", None, {"action": "x"}, 1, [1], object()])
async def test_a_parsed_body_is_a_mistake_of_the_program(deliver: Deliver, body: Any) -> None:
    """The signature is of the raw bytes: the error says so."""
    with pytest.raises(InputError, match="the raw bytes of the request"):
        await deliver(request()[0], body)


@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview])
async def test_raw_bytes_of_any_kind(deliver: Deliver, convert: Callable[[bytes], Any]) -> None:
    """As servers hand them over."""
    headers, body = request()
    assert (OK, 200) == await deliver(headers, convert(body))


# -- headers --------------------------------------------------------------------------------------


class OnlyGet:
    """Case-insensitive, and not to be listed."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}

    def get(self, name: str) -> str | None:
        return self._headers.get(name.lower())


class OnlyLower(OnlyGet):
    """Knows lower-case names only."""

    def get(self, name: str) -> str | None:
        return self._headers.get(name)


def message(headers: dict[str, str]) -> email.message.Message:
    made = email.message.Message()
    for name, value in headers.items():
        made[name] = value
    return made


@pytest.mark.parametrize(
    "convert",
    [
        dict,
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: {name.lower(): value for name, value in headers.items()},
        lambda headers: {name.encode(): value.encode() for name, value in headers.items()},
        lambda headers: list(headers.items()),
        lambda headers: [(n.lower().encode(), v.encode()) for n, v in headers.items()],
        lambda headers: iter(headers.items()),
        lambda headers: [*headers.items(), ("X-Other", "1"), ("X-Other", "2"), (None, 1), (), "x"],
        httpx.Headers,
        message,
        OnlyGet,
        OnlyLower,
    ],
    ids=range(12),
)
async def test_headers_of_any_kind(deliver: Deliver, convert: Callable[[Any], Any]) -> None:
    """Mappings, pairs, text, bytes, any case."""
    headers, body = request()
    assert (OK, 200) == await deliver(convert(headers), body)


class Broken:
    """Can't be read."""

    def items(self) -> Any:
        raise RuntimeError


@pytest.mark.parametrize(
    "headers",
    [
        None,
        1,
        "X-VOS-Signature",
        b"x",
        [],
        [1],
        [()],
        [("a",)],
        {},
        {1: 2},
        Broken(),
        object(),
        dict,
    ],
    ids=lambda headers: type(headers).__name__,
)
async def test_headers_that_are_none(deliver: Deliver, headers: Any) -> None:
    """Nothing is signed, and nothing is raised."""
    assert REFUSED == await deliver(headers, b"{}")


@pytest.mark.parametrize(
    "value",
    [None, 1, b"\xff", "\ud800", ["a"], object(), "a" * 10**6, "\0", "\u0661"],
    ids=range(9),
)
async def test_header_values_of_any_kind(deliver: Deliver, value: Any) -> None:
    """A signature is refused; another header is as it is, or absent."""
    headers, body = request()
    assert REFUSED == await deliver({**headers, "X-VOS-Signature": value}, body)
    others = {"X-VOS-Event-Type": value, "X-VOS-Delivery-ID": value}
    answer, status = await deliver({**headers, **others}, body)
    assert 200 == status
    expected = value if isinstance(value, str) and value != "\ud800" else ""
    expected = "\xff" if value == b"\xff" else expected
    assert (expected, expected) == (answer["event_type"], answer["delivery_id"])
    json.dumps(answer, ensure_ascii=False).encode()


@pytest.mark.parametrize("name", ["X-VOS-Signature", "X-VOS-Event-Type", "X-VOS-Delivery-ID"])
async def test_a_header_that_is_given_twice_is_absent(deliver: Deliver, name: str) -> None:
    """Readers would differ on which of them counts."""
    headers, body = request()
    answer, _ = await deliver([*headers.items(), (name.lower(), headers[name])], body)
    expected = {
        "X-VOS-Signature": REFUSED[0],
        "X-VOS-Event-Type": {**OK, "event_type": ""},
        "X-VOS-Delivery-ID": {**OK, "delivery_id": ""},
    }
    assert expected[name] == answer
