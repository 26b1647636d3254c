"""The handler as it is used: registering, parsing, showing."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import pytest

from quatrain._secret import Secret
from quatrain.errors import QuatrainError, WebhookError
from quatrain.errors.velocity import (
    ConfigError,
    InputError,
    WebhookPayloadError,
    WebhookSignatureError,
)
from quatrain.webhooks import WebhookEvent, WebhookHandler, sign

from ._handling import (
    NOW,
    OK,
    PAYLOAD,
    SECRET,
    make,
    request,
    signed,
)


def test_a_decorated_function_is_itself(handler: WebhookHandler) -> None:
    """It can be called and tested like any other."""

    def work(payload: Any) -> str:
        return "done"

    assert handler.on("tasks.created")(work) is work


def generator(payload: Any) -> Any:
    yield payload


async def async_generator(payload: Any) -> Any:
    yield payload


@pytest.mark.parametrize("thing", [None, 1, "tasks.created", generator, async_generator])
def test_what_would_not_run_is_not_registered(handler: WebhookHandler, thing: Any) -> None:
    """Found at once, not with the first delivery."""
    with pytest.raises(InputError, match=r"registers functions|yields"):
        handler.on("tasks.created")(thing)


@pytest.mark.parametrize("event", [print, "", None, 1])
def test_an_event_has_a_name(handler: WebhookHandler, event: Any) -> None:
    """A decorator without its parentheses is found out."""
    with pytest.raises(InputError, match=r'@handler\.on\("tasks\.created"\)'):
        handler.on(event)


def test_parsing_calls_nothing(handler: WebhookHandler) -> None:
    """It verifies and reads, as often as it is asked."""
    handler.on("*")(lambda event: 1 / 0)
    expected = WebhookEvent("tasks.created", "d1", PAYLOAD, NOW)
    assert [expected, expected] == [handler.parse(*request()) for _ in range(2)]
    assert WebhookEvent("", "", {}, NOW) == handler.parse(
        {"x-vos-signature": sign(SECRET, b"", timestamp=NOW)}, b""
    )


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        (({}, b"{}"), WebhookSignatureError, "missing, malformed, stale"),
        (signed(b"{"), WebhookPayloadError, "the body is not JSON: "),
        (signed(b"\xff"), WebhookPayloadError, "the body is not JSON: "),
        (({}, bytes(2**20 + 1)), WebhookPayloadError, "larger than 1048576 bytes"),
        (({}, "{}"), InputError, "raw bytes"),
    ],
)
def test_what_can_not_be_parsed(
    handler: WebhookHandler, parts: Any, error: type[QuatrainError], words: str
) -> None:
    """Each its own error, all of them of Velocity OS."""
    with pytest.raises(error, match=words) as caught:
        handler.parse(*parts)
    assert isinstance(caught.value, WebhookError) is (error is not InputError)


@pytest.mark.parametrize(
    "secret",
    ["", None, b"whsec", 1, [], ["", SECRET], [None], Secret(""), "\ud800", {}, Secret(None)],
)
def test_a_handler_needs_a_secret(secret: Any) -> None:
    """An unset variable is found when the program starts."""
    with pytest.raises(ConfigError, match="the webhook secret is missing or empty"):
        WebhookHandler(secret)


@pytest.mark.parametrize("secret", [["new", SECRET], (Secret(SECRET),), Secret(SECRET)])
def test_any_of_several_secrets_is_good(secret: Any) -> None:
    """While one replaces the other."""
    assert (OK, 200) == make(secret=secret).handle(*request())


def test_the_skew_is_the_handlers() -> None:
    """A slow queue before it may need more."""
    assert 401 == make(now=lambda: NOW + 301).handle(*request())[1]
    assert 200 == make(now=lambda: NOW + 301, max_skew_seconds=400).handle(*request())[1]


def test_what_a_function_holds_is_not_logged(
    handler: WebhookHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be bound to a key, or be an object that has one."""

    def charge(key: str, payload: Any) -> None:
        raise RuntimeError("declined")

    class Charger(list[str]):
        def __call__(self, payload: Any) -> None:
            raise RuntimeError("declined")

    handler.on("one")(functools.partial(charge, "sk_hidden"))
    handler.on("two")(Charger(["sk_hidden"]))
    for event in ("one", "two"):
        assert 500 == handler.handle(*request(event=event, delivery_id=event))[1]
    assert "sk_hidden" not in caplog.text
    assert "charge failed on event 'one'" in caplog.text
    assert "Charger failed on event 'two'" in caplog.text


def test_a_handler_shows_no_secret(handler: WebhookHandler) -> None:
    """Neither itself nor in what it raises; a failing function's log has none either."""
    handler.on("tasks.created")(print)
    assert "WebhookHandler(events=['tasks.created'])" == repr(handler)
    assert SECRET not in repr(vars(handler))
    with contextlib.suppress(WebhookSignatureError):
        handler.parse({}, b"")
