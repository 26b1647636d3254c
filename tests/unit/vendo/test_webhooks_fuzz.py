"""Ten thousand requests, any and nearly right: one error for all of them, and no false accept."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quatrain.errors.vendo import ValidationError
from quatrain.models.vendo import WebhookEvent
from quatrain.vendo.webhooks import WebhooksAPI, sign

SECRET = "whsec_of_a_test"
NOW = 1_778_202_000
EVENT = {"id": "evt_1", "type": "a.b", "occurred_at": "2026-05-08T01:00:00Z", "data": {"n": 1}}
BODY = json.dumps(EVENT).encode()
SIGNATURE = sign(SECRET, BODY, NOW)
NAMES = ("Vendo-Signature", "Vendo-Timestamp")
API = WebhooksAPI(SECRET, now=lambda: NOW)

moments = st.one_of(
    st.just(str(NOW)),
    st.integers(NOW - 400, NOW + 400).map(str),
    st.from_regex(r"[0-9+\-.eE_]{1,20}", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9:]{5})",
        fullmatch=True,
    ),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
names = st.sampled_from(["id", "type", "occurred_at", "data", "more"])


def verified(headers: Any, body: Any) -> WebhookEvent | None:
    """None where it was refused; any other exception fails the test."""
    try:
        return API.verify(headers, body)
    except ValidationError:
        return None


REQUESTS = 10_000
JUNK: list[Any] = [None, 0, 1.5, True, (), [], {}, object(), "", b"", "\0", "\ud800", EVENT]
TEXTS = [
    "\u0661",
    "\xff",
    "sha256=",
    "=",
    ",",
    " ",
    "\r\n",
    "nan",
    "inf",
    "-1",
    "9" * 400,
    "Z",
    "+",
]


def mutated(luck: random.Random, text: str) -> str:
    """One character more, less, or another."""
    at = luck.randrange(len(text) + 1)
    return text[:at] + luck.choice(["", chr(luck.randrange(0x80)), *TEXTS]) + text[at + 1 :]


def broken(luck: random.Random) -> tuple[Any, Any]:
    """A request of which something, or all, is not as it was signed."""
    pairs: list[Any] = [["Vendo-Signature", SIGNATURE], ["Vendo-Timestamp", str(NOW)]]
    body: Any = BODY
    for _ in range(luck.choice([1, 1, 2, 3])):
        pair = luck.choice(pairs) if pairs else ["", ""]
        what = luck.randrange(7)
        if what == 0 and isinstance(pair[1], str):
            pair[1] = mutated(luck, pair[1])
        elif what == 1:
            pair[luck.randrange(2)] = luck.choice(JUNK)
        elif what == 2 and pairs:
            pairs.remove(pair)
        elif what == 3:
            pairs.append([pair[0], luck.choice([*TEXTS, pair[1]])])
        elif what == 4:
            pair[1] = str(NOW + luck.randrange(-400, 400))
        elif what == 5 and isinstance(body, bytes):
            at = luck.randrange(len(body) + 1)
            body = body[:at] + bytes([luck.randrange(256)]) + body[at + luck.randrange(2) :]
        else:
            body = luck.choice([*JUNK, BODY.decode(), bytearray(BODY)])
    kinds = [list, iter, _dict, _dict, _dict, lambda _: luck.choice(JUNK)]
    return luck.choice(kinds)(pairs), body


def _dict(pairs: list[Any]) -> dict[Any, Any]:
    return {name: value for name, value in pairs if getattr(name, "__hash__", None)}


def test_ten_thousand_broken_requests() -> None:
    """No other exception, and none is taken for a good one but what is one, put differently."""
    luck = random.Random(20260508)
    accepted = 0
    for _ in range(REQUESTS):
        headers, body = broken(luck)
        if not isinstance(headers, list | dict):
            headers = list(headers) if hasattr(headers, "__next__") else headers
        event = verified(headers, body)
        if event is not None:
            accepted += 1
            pairs = headers.items() if isinstance(headers, dict) else headers
            values = {name: value.strip() for name, value in pairs if name in NAMES}
            assert {"Vendo-Signature": SIGNATURE, "Vendo-Timestamp": str(NOW)} == values
            assert BODY == (body.encode() if isinstance(body, str) else bytes(body))
    assert 0 < accepted < REQUESTS / 4  # the body's text, or its bytes in another container


@given(moments)
def test_a_time_is_good_or_refused(moment: str) -> None:
    """Signed by the secret's owner, whatever it says."""
    signature = _hand_signed(moment, BODY)
    event = verified({"Vendo-Signature": signature, "Vendo-Timestamp": moment}, BODY)
    assert event is None or moment.isascii()


@given(
    st.one_of(
        st.binary(max_size=200),
        st.dictionaries(names, json_values).map(json.dumps).map(str.encode),
        json_values.map(json.dumps).map(str.encode),
    )
)
def test_a_body_is_an_event_or_refused(body: bytes) -> None:
    """Signed by the secret's owner, whatever it holds; an event has the fields of one."""
    headers = {"Vendo-Signature": sign(SECRET, body, NOW), "Vendo-Timestamp": str(NOW)}
    event = verified(headers, body)
    if event is not None:
        assert event.id.encode()
        assert event.type.encode()
        assert isinstance(event.occurred_at, str)
        assert isinstance(event.data, dict)


def _hand_signed(moment: str, body: bytes) -> str:
    return hmac.new(SECRET.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
