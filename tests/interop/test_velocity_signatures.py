"""The vendor's own webhook client and this one say the same about the same requests."""

from __future__ import annotations

import time
from typing import Any

import pytest

from quatrain.webhooks import WebhookHandler, delivery, sign, verify_signature

from .._require import import_for

official = import_for("interop", "velocity_os.webhooks", "velocity-os")

SECRET = "whsec_of_a_test"
EVENT = "tasks.created"
PAYLOADS = [
    {"module_source": "M1", "action": "Rufe Jürgen an", "category": "", "timeframe": "this_week"},
    {},
    [1, "two", None],
    None,
    {"text": '\u2028\U0001f600\\"\n'},
    "x" * 100_000,
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_the_vendors_handler_takes_what_delivery_makes(payload: Any) -> None:
    """It verifies, parses and hands over the same, and answers the same."""
    theirs, ours = official.WebhookHandler(SECRET), WebhookHandler(SECRET)
    calls: list[list[Any]] = [[], []]
    for handler, called in zip((theirs, ours), calls, strict=True):
        handler.on(EVENT)(called.append)
        handler.on("*")(called.append)
    headers, body = delivery(SECRET, EVENT, payload, delivery_id="d1")
    expected = {"ok": True, "event_type": EVENT, "delivery_id": "d1"}, 200
    assert [expected] * 2 == [handler.handle(headers, body) for handler in (theirs, ours)]
    everything = {"event_type": EVENT, "delivery_id": "d1", "payload": payload}
    assert [[everything, payload]] * 2 == calls


HEADERS = {
    "as it is": lambda moment, digest: f"t={moment},v1={digest}",
    "turned round": lambda moment, digest: f"v1={digest},t={moment}",
    "spaces": lambda moment, digest: f" t = {moment} ,\tv1= {digest} ",
    "another version": lambda moment, digest: f"t={moment},v0=abc,v1={digest},x",
    "stale": lambda moment, digest: f"t={moment - 1},v1={digest}",
    "no time": lambda moment, digest: f"v1={digest}",
    "no signature": lambda moment, digest: f"t={moment}",
    "empty time": lambda moment, digest: f"t=,v1={digest}",
    "no number": lambda moment, digest: f"t=now,v1={digest}",
    "cut off": lambda moment, digest: f"t={moment},v1={digest[:-1]}",
    "upper case": lambda moment, digest: f"t={moment},v1={digest.upper()}",
    "another separator": lambda moment, digest: f"t={moment};v1={digest}",
    "empty": lambda moment, digest: "",
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("age", [0, 290, -290, 310, -310])
def test_both_verify_alike(name: str, age: int) -> None:
    """Any form of the header, fresh or stale."""
    body = b'{"action":"x"}'
    moment = int(time.time()) - age
    digest = sign(SECRET, body, timestamp=moment).partition("v1=")[2]
    header = HEADERS[name](moment, digest)
    theirs = official.verify_signature(SECRET, header, body)
    assert theirs is verify_signature(SECRET, header, body)


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b'{"a":1}', b"\xff\xff"])
@pytest.mark.parametrize("secret", [SECRET, "another"])
def test_both_answer_alike(secret: str, body: bytes) -> None:
    """Good and bad bodies, right and wrong secrets."""
    headers, _ = delivery(SECRET, EVENT, {}, delivery_id="d1")
    headers["X-VOS-Signature"] = sign(secret, body)
    theirs = official.WebhookHandler(SECRET).handle(headers, body)
    assert theirs == WebhookHandler(SECRET).handle(headers, body)


def stretched(header: str, body: bytes) -> tuple[str, bytes]:
    """int() takes a time in other digits."""
    return header.replace("t=", "t=+"), body


def doubled(header: str, body: bytes) -> tuple[str, bytes]:
    """The last time counts."""
    return f"t=1,{header}", body


@pytest.mark.parametrize("change", [stretched, doubled])
def test_ours_is_stricter_about_times(change: Any) -> None:
    """A time that could be read in two ways is none."""
    body = b"{}"
    header, body = change(sign(SECRET, body), body)
    assert [True, False] == [
        official.verify_signature(SECRET, header, body),
        verify_signature(SECRET, header, body),
    ]


def test_ours_refuses_where_the_vendors_breaks() -> None:
    """A signature beyond ASCII reaches a comparison that raises: a 500 for any stranger."""
    header = f"t={int(time.time())},v1=\xe9"
    with pytest.raises(TypeError):
        official.verify_signature(SECRET, header, b"{}")
    assert verify_signature(SECRET, header, b"{}") is False


def test_ours_tells_of_a_function_that_fails() -> None:
    """The vendor's answers that all is well, and the delivery is lost."""
    answers = []
    for handler in (official.WebhookHandler(SECRET), WebhookHandler(SECRET)):
        handler.on(EVENT)(lambda payload: 1 / 0)
        answers.append(handler.handle(*delivery(SECRET, EVENT, {}))[1])
    assert [200, 500] == answers
