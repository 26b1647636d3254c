"""Ten thousand broken requests: none of them raises, and none is taken for a good one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tests._doubles import ManualClock

from quatrain.errors.velocity import InputError
from quatrain.webhooks import MemorySeen, WebhookHandler, delivery

SECRET = "whsec_of_a_test"
NOW = 1_700_000_000
REQUESTS = 10_000

Change = Callable[[random.Random, dict[Any, Any], bytes], tuple[Any, Any]]

JUNK: list[Any] = [
    None,
    0,
    1.5,
    float("nan"),
    True,
    (),
    [],
    {},
    set(),
    object(),
    str,
    "",
    b"",
    "\0",
]
TEXTS = ["\ud800", "\u0661", "\xff", ",", "=", "t=", "v1=", "t=1,v1=", "9" * 400, "-1", " ", "\r\n"]


def flip_body(luck: random.Random, headers: Any, body: bytes) -> tuple[Any, Any]:
    """One bit, or a few."""
    flipped = bytearray(body)
    for _ in range(luck.choice([1, 1, 1, 5])):
        flipped[luck.randrange(len(body))] ^= 1 << luck.randrange(8)
    return headers, luck.choice([bytes, bytearray, memoryview])(bytes(flipped))


def cut_body(luck: random.Random, headers: Any, body: bytes) -> tuple[Any, Any]:
    """Cut off, doubled, put together anew."""
    at = luck.randrange(len(body))
    return headers, luck.choice([body[:at], body[at:], body + body[:at], body[at:] + body[:at]])


def mutate_signature(luck: random.Random, headers: Any, body: bytes) -> tuple[Any, Any]:
    """One character more, less, or another."""
    text = list(headers["X-VOS-Signature"])
    at = luck.randrange(len(text))
    text[at : at + luck.randrange(2)] = luck.choice([[], [chr(luck.randrange(0x3000))], TEXTS])
    return {**headers, "X-VOS-Signature": "".join(text)}, body


def mix_signature(luck: random.Random, headers: Any, body: bytes) -> tuple[Any, Any]:
    """Its parts, and other things, in any order and number."""
    parts = [*headers["X-VOS-Signature"].split(","), *TEXTS, f"t={NOW + 1}", f"v1={'0' * 64}"]
    mixed = ",".join(luck.choices(parts, k=luck.randrange(8)))
    return {**headers, "X-VOS-Signature": mixed}, body


def confuse_value(luck: random.Random, headers: Any, body: bytes) -> tuple[Any, Any]:
    """A value of another type."""
    return {**headers, luck.choice(list(headers)): luck.choice([*JUNK, *TEXTS])}, body


def confuse_name(luck: random.Random, headers: Any, body: bytes) -> tuple[Any, Any]:
    """A name of another type, or gone, or given twice."""
    pairs: list[Any] = list(headers.items())
    at = luck.randrange(len(pairs))
    names = [each for each in JUNK if each.__hash__]
    other = luck.choice([[], [(luck.choice(names), pairs[at][1])], [pairs[at]] * 2, [JUNK]])
    pairs[at : at + 1] = other
    luck.shuffle(pairs)
    return pairs, body


def confuse_headers(luck: random.Random, headers: Any, body: bytes) -> tuple[Any, Any]:
    """No headers at all, but something else."""
    return luck.choice([*JUNK, *TEXTS, list(headers), [headers], body]), body


def confuse_body(luck: random.Random, headers: Any, body: bytes) -> tuple[Any, Any]:
    """No bytes at all."""
    return headers, luck.choice([*(each for each in JUNK if each != b""), body.decode(), [body]])


CHANGES: list[Change] = [
    flip_body,
    cut_body,
    mutate_signature,
    mix_signature,
    confuse_value,
    confuse_name,
    confuse_headers,
    confuse_body,
]


def still_signed(headers: Any, body: Any, good: tuple[dict[str, str], bytes]) -> bool:
    """Whether the signature that is on a changed request is the one of its body all the same."""
    if not isinstance(headers, dict | list) or bytes(body) != good[1]:
        return False
    pairs = headers.items() if isinstance(headers, dict) else [p for p in headers if len(p) == 2]
    values = [value for name, value in pairs if name == "X-VOS-Signature"]
    if len(values) != 1 or not isinstance(values[0], str) or not values[0].isascii():
        return False
    items = [item.strip() for item in values[0].split(",")]
    times = [item for item in items if item.partition("=")[0].strip() == "t"]
    moment, digest = good[0]["X-VOS-Signature"].split(",")
    return times == [moment] and digest in items


@pytest.mark.parametrize("seed", range(4))
def test_broken_requests(seed: int) -> None:
    """Each is answered 401, unless what was changed is not signed."""
    luck = random.Random(seed)
    handler = WebhookHandler(
        SECRET, now=lambda: NOW, seen=MemorySeen(max_entries=100), clock=ManualClock()
    )
    ran: list[Any] = []
    handler.on("*")(ran.append)
    answers = {200: 0, 401: 0, InputError: 0}
    for number in range(REQUESTS // 4):
        good = delivery(SECRET, "e", {"number": number}, delivery_id=str(number), timestamp=NOW)
        headers, body = luck.choice(CHANGES)(luck, *good)
        before = len(ran)
        try:
            answer, status = handler.handle(headers, body)
        except InputError:
            assert not isinstance(body, bytes | bytearray | memoryview)
            answers[InputError] += 1
            continue
        accepted = still_signed(headers, body, good)
        assert (200 if accepted else 401) == status, (headers, body)
        assert accepted is answer["ok"]
        assert accepted is (len(ran) > before) or answer["delivery_id"] != str(number)
        answers[status] += 1
    assert min(answers.values()) > 100
