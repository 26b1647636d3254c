"""What the tests of the handler share: one on clocks of its own, requests for it, a store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests._doubles import AsyncManualClock, ManualClock

from quatrain.webhooks import WebhookHandler, delivery, sign

SECRET = "whsec_of_a_test"
NOW = 1_700_000_000
PAYLOAD = {"action": "Call Ann", "module_source": "M1"}
OK = {"ok": True, "event_type": "tasks.created", "delivery_id": "d1"}
FAILED = {
    "ok": False,
    "error": "handler failed",
    "event_type": "tasks.created",
    "delivery_id": "d1",
}
BUSY = {**FAILED, "error": "delivery in progress"}
REFUSED = ({"ok": False, "error": "invalid signature"}, 401)

Deliver = Callable[..., Awaitable[tuple[dict[str, Any], int]]]


def make(**settings: Any) -> WebhookHandler:
    usual = {
        "secret": SECRET,
        "now": lambda: NOW,
        "clock": ManualClock(),
        "async_clock": AsyncManualClock(),
    }
    return WebhookHandler(**(usual | settings))


def request(payload: Any = PAYLOAD, event: str = "tasks.created", delivery_id: str = "d1"):
    return delivery(SECRET, event, payload, delivery_id=delivery_id, timestamp=NOW)


def signed(body: bytes) -> tuple[dict[str, str], bytes]:
    """A request with any body."""
    headers, _ = request()
    return {**headers, "X-VOS-Signature": sign(SECRET, body, timestamp=NOW)}, body


def through(handler: WebhookHandler, driver: str) -> Deliver:
    if driver == "ahandle":
        return handler.ahandle

    async def handle(*request: Any) -> tuple[dict[str, Any], int]:
        return handler.handle(*request)

    return handle


class Store:
    """A store that answers what it is told to, and writes down what it is told."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.told: list[bool] = []
        self.tell: Any = None

    def begin(self, delivery_id: str) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def finish(self, delivery_id: str, *, handled: bool) -> None:
        self.told.append(handled)
        if self.tell is not None:
            raise self.tell
