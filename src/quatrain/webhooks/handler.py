"""Webhook requests in: verified, read, given to the functions that want them, each once."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from .. import _wire
from .._runtime import _async, _sync
from ..errors.velocity import (
    ConfigError,
    InputError,
    WebhookPayloadError,
    WebhookSignatureError,
)
from . import flow
from .events import WebhookEvent, read_headers
from .seen import MemorySeen, SeenStore
from .signatures import MAX_SKEW_SECONDS, Body, SecretLike, as_bytes, signed_at, usable

F = TypeVar("F", bound=Callable[..., Any])

MAX_BODY_BYTES: Final = 1_048_576
DUPLICATE_WAIT: Final = 8.0
"""Seconds; senders commonly wait ten for an answer."""
EVERY_EVENT: Final = "*"


class WebhookHandler:
    """Receives the platform's webhooks and calls your functions.

    ::

        handler = WebhookHandler(os.environ["VOS_WEBHOOK_SECRET"])

        @handler.on("tasks.created")
        def remember(payload):
            ...

        answer, status = handler.handle(request.headers, request.get_data())

    A delivery is handled once. The platform repeats one that was not answered with 200: if it has
    been handled it is answered at once, if it is being handled it waits up to *duplicate_wait*
    seconds for the outcome, and if its functions failed they run again, all of them. *seen*
    remembers deliveries: by default this process does, in memory; give a ``SqliteSeen`` when there
    are several processes, or when a restart must not run a delivery again.

    *secret* may be a sequence, while one secret replaces another; ``VelocityOS.webhook_handler``
    reads one from ``VOS_WEBHOOK_SECRET``, split at commas. A signature may be
    *max_skew_seconds* old, or early. Bodies above *max_body_bytes* are refused unread. The three
    clocks are for tests: *now* gives Unix seconds.

    The scheme signs the body and the time of signing; the headers with the event type and the
    delivery id are not signed. Who can replay a request can change them: the functions that may run
    are yours all the same, but do not let the event type alone decide what the payload should.

    Raises ConfigError when a secret is missing or empty.
    """

    def __init__(
        self,
        secret: SecretLike | Sequence[SecretLike],
        *,
        max_skew_seconds: float = MAX_SKEW_SECONDS,
        max_body_bytes: int = MAX_BODY_BYTES,
        seen: SeenStore | None = None,
        duplicate_wait: float = DUPLICATE_WAIT,
        now: Callable[[], float] = time.time,
        clock: _sync.Clock = _sync.SYSTEM_CLOCK,
        async_clock: _async.Clock = _async.SYSTEM_CLOCK,
    ) -> None:
        self._functions: dict[str, list[flow.Function]] = {EVERY_EVENT: []}  # first: repr shows it
        # rebound: what is raised shows no secret among this frame's locals
        secret = usable(secret)
        if not secret:
            raise ConfigError(
                "the webhook secret is missing or empty: without it no signature can be verified"
            )
        self._secrets = secret
        self._max_skew_seconds = max_skew_seconds
        self.max_body_bytes = max_body_bytes
        self._seen = MemorySeen() if seen is None else seen
        self._duplicate_wait = duplicate_wait
        self._now = now
        self._clock = clock
        self._async_clock = async_clock

    def __repr__(self) -> str:
        names = sorted(event for event, functions in self._functions.items() if functions)
        return f"WebhookHandler(events={names})"

    def on(self, event: str) -> Callable[[F], F]:
        """Register the decorated function, plain or async, for an event: it gets the payload.

        Functions run in the order of their registration. One for ``"*"`` runs on every event,
        before the others, and gets ``{"event_type", "delivery_id", "payload"}``. The function is
        returned unchanged.

        The platform's events are the keys of ``quatrain.velocity.EVENT_SCOPES``. Any other name is
        taken as well, for events to come: one that is misspelt is never called.

        Raises InputError for what can't be called, or would not run when it is.
        """
        if not isinstance(event, str) or not event:
            raise InputError('on() takes the name of an event: @handler.on("tasks.created")')

        def register(function: F) -> F:
            if not callable(function):
                raise InputError(f"on({event!r}) registers functions: {function!r} is none")
            if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
                raise InputError(f"{flow.name_of(function)} yields: its body would never run")
            self._functions.setdefault(event, []).append(function)
            return function

        return register

    def parse(self, headers: Any, raw_body: Body) -> WebhookEvent:
        """Verify and read a request, without calling anything.

        Raises WebhookSignatureError, WebhookPayloadError for a body that is too large or no JSON,
        and InputError when *raw_body* is not bytes.
        """
        body = as_bytes(raw_body)
        if len(body) > self.max_body_bytes:
            raise WebhookPayloadError(f"the body is larger than {self.max_body_bytes} bytes")
        return self._event(headers, body)

    def handle(self, headers: Any, raw_body: Body) -> flow.Answer:
        """Verify a request, call the functions for its event, and answer ``(dict, status)``.

        *headers* is a mapping, a framework's headers, or a list of pairs; *raw_body* the bytes as
        they came. A function that fails is logged and answered with 500; then the others do not run
        and the platform's next try begins anew. Raises InputError when *raw_body* is not bytes, and
        ConfigError, before anything runs, when a function for this event is async.
        """
        steps = self._steps(headers, raw_body, self._clock.now, plain=True)
        return flow.drive(steps, self._clock)

    async def ahandle(self, headers: Any, raw_body: Body) -> flow.Answer:
        """``handle`` for asyncio and trio: async functions are awaited, plain ones get a thread.

        Cancelled, it lets the platform's next try begin anew, unless all functions have ended.
        """
        steps = self._steps(headers, raw_body, self._async_clock.now, plain=False)
        return await flow.adrive(steps, self._async_clock)

    def _steps(
        self, headers: Any, raw_body: Any, now: Callable[[], float], *, plain: bool
    ) -> flow.Flow:
        body = as_bytes(raw_body)
        if len(body) > self.max_body_bytes:
            return refusal("body too large"), 413
        try:
            event = self._event(headers, body)
        except WebhookSignatureError:
            return refusal("invalid signature"), 401
        except WebhookPayloadError:
            return refusal("invalid json body"), 400
        runs = self._runs(event)
        if plain:
            flow.check_plain(runs)
        return (
            yield from flow.dispatch(
                event, runs, seen=self._seen, now=now, patience=self._duplicate_wait
            )
        )

    def _event(self, headers: Any, body: bytes) -> WebhookEvent:
        read = read_headers(headers)
        timestamp = signed_at(
            self._secrets, read.signature, body, self._max_skew_seconds, now=self._now()
        )
        if timestamp is None:
            raise WebhookSignatureError(
                "the signature is missing, malformed, stale, or of another secret or body"
            )
        try:
            payload = _wire.loads(body) if body else {}
        except ValueError as exc:
            raise WebhookPayloadError(f"the body is not JSON: {exc}") from None
        return WebhookEvent(read.event_type or "", read.delivery_id or "", payload, timestamp)

    def _runs(self, event: WebhookEvent) -> list[flow.Run]:
        everything = {
            "event_type": event.event_type,
            "delivery_id": event.delivery_id,
            "payload": event.payload,
        }
        runs = [flow.Run(function, everything) for function in self._functions[EVERY_EVENT]]
        if event.event_type != EVERY_EVENT:  # no event's name, though a header may say so
            own = self._functions.get(event.event_type, ())
            runs += [flow.Run(function, event.payload) for function in own]
        return runs


def refusal(error: str) -> dict[str, Any]:
    """The answer's body when a request is turned away."""
    return {"ok": False, "error": error}
