"""From a described request to a model or a typed error: origin, key, attempts, spans.

The transport knows no resource and no platform; what it raises comes from the platform's error
family, when it tries again from :mod:`quatrain._retry`, where it may go from
:mod:`quatrain._http`.
"""

from __future__ import annotations

import functools
import logging
import math
import random
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import attrs
import httpx

from .. import _http, _retry
from .._http import Answer, NoAnswer, Outgoing
from .._runtime._async import Clock, LoopLocal
from .._secret import Secret
from .._structure import Reader, RefusedAnswerError, WireError
from .._telemetry import span
from .._wire import dumps, loads, to_wire
from ..errors import Attempt, QuatrainError
from ..errors._family import SNIPPET, Family
from .lanes import AsyncLanes, make_lane

T = TypeVar("T")
Lane = Literal["main", "commit", "renew"]
_log = logging.getLogger("quatrain.http")

LIMIT = 100
"""Requests of one kind in flight at once, for each client and event loop."""


@attrs.frozen(kw_only=True)
class Call:
    """One request, described."""

    name: str
    """What it is, for spans: ``verity.lease``."""
    method: str
    path: tuple[str, ...]
    """Segments below the base URL, unencoded."""
    query: Mapping[str, str] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Beyond those that every request has."""
    body: Any = attrs.field(default=None, repr=False)
    """A model, or JSON; None sends none. Not shown: it may hold a lease token."""
    content: bytes | None = attrs.field(default=None, repr=False)
    """The body as it is sent, the same with each attempt; ``send`` fills it in."""
    lane: Lane = "main"
    """Renewals and commits have connections of their own: a full main pool starves neither."""
    repeatable: bool = False
    """The server knows a repetition for what it is, so it may be sent again after no answer."""
    timeout: float | None = None
    """Seconds for each step of an attempt; None for the client's."""
    max_retries: int | None = None
    """None for the client's."""


class AsyncTransport:
    """Sends described requests to one origin with one key."""

    def __init__(
        self,
        base_url: str,
        api_key: Secret,
        *,
        family: Family,
        timeout: float,
        policy: _retry.RetryPolicy,
        allow_insecure: bool,
        http_client: httpx.AsyncClient | None,
        clock: Clock,
        user_agent: str = _http.USER_AGENT,
    ) -> None:
        if http_client is not None and not isinstance(http_client, httpx.AsyncClient):
            msg = f"http_client has to be an httpx.AsyncClient, not {type(http_client).__name__}"
            raise family.config(msg)
        _check(timeout, policy.max_retries, family.config)
        self.origin = _http.Origin.parse(
            base_url, allow_insecure=allow_insecure, refuse=family.config
        )
        _http.check_key(api_key, family.config)
        agent = _http.check_header("user_agent", user_agent, family.config)
        self._key = api_key
        self._user_agent = agent.encode("ascii")
        self._family = family
        self.timeout = timeout
        self._policy = policy
        self._client = http_client
        self.clock = clock
        self._lanes: LoopLocal[dict[Lane, AsyncLanes]] = LoopLocal(self._make_lanes, _close_all)
        self._closed = False

    async def send(self, call: Call, reads: Reader[T]) -> T:
        """Send *call*, again where that is safe, and answer what *reads* makes of its JSON.

        Raises the family's TransportError when there is no answer, its APIError for an answer
        that is an error or can't be read, and its InputError when the body is not JSON.
        """
        return (await self.send_timed(call, reads))[0]

    async def send_timed(self, call: Call, reads: Reader[T]) -> tuple[T, float]:
        """``send``, and the clock's time before the attempt that was answered."""
        call = self.prepared(call)
        policy = self._policy
        if call.max_retries is not None:
            policy = attrs.evolve(policy, max_retries=call.max_retries)
        attempts: list[Attempt] = []
        reached = False
        with span(f"quatrain.{call.name}", method=call.method, origin=self.origin.base_url):
            while True:
                number = len(attempts) + 1
                sent = self.clock.now()
                answer = await self._attempt(call, number)
                if isinstance(answer, Answer) and answer.ok:
                    return self._read(answer, reads, attempts), sent
                delay = _retry.delay_before_retry(
                    policy,
                    number,
                    self._outcome(answer),
                    repeatable=call.repeatable,
                    retry_after=_retry_after(answer),
                    luck=random.random(),  # noqa: S311 - it spreads load
                )
                attempts.append(_summary(number, answer, delay))
                # that the last one was never sent says nothing of those before
                reached = reached or isinstance(answer, Answer) or answer.sent
                if delay is None:
                    raise self._error(answer, tuple(attempts), sent=reached) from _cause(answer)
                await self.clock.sleep(delay)

    def prepared(self, call: Call) -> Call:
        """*call* with its body as it is sent; raises InputError for one that can't be sent."""
        _check(call.timeout, call.max_retries, self._family.input)
        return attrs.evolve(call, content=self._encode(call))

    async def _attempt(self, call: Call, number: int) -> Answer | NoAnswer:
        """One request and its whole answer, or why there is none."""
        if self._closed:
            raise self._family.config("this client is closed")
        request = self._outgoing(call)
        began = self.clock.now()
        with span("quatrain.attempt", attempt=number):
            answer: Answer | NoAnswer
            try:
                answer = await self._exchange(request, call.lane)
            except httpx.HTTPStatusError as exc:  # a caller's client that checks in an event hook
                _http.forget_frames(exc)
                answer = Answer.of(exc.response)
            except QuatrainError:
                raise
            except Exception as exc:  # noqa: BLE001 - a caller's hooks and transports raise anything
                if not isinstance(exc, _http.FAILURES):
                    exc.add_note("".join(["Raised at:\n", *traceback.format_tb(exc.__traceback__)]))
                _http.forget_frames(exc)
                answer = NoAnswer.of(exc, self._key)
            except BaseException as exc:
                _http.forget_frames(exc)
                raise
        if _log.isEnabledFor(logging.DEBUG):
            took = (self.clock.now() - began) * 1000
            line = "%s %s%s: %s in %.1f ms, attempt %d"
            host, came = request.origin.host.decode(), _summary(number, answer, None)
            outcome = came.error or came.status_code
            _log.debug(line, call.method, host, request.target, outcome, took, number)
        return answer

    async def _exchange(self, request: Outgoing, lane: Lane) -> Answer:
        if self._client is not None:
            if self._client.is_closed:
                raise self._family.config("the http_client that was passed in is closed")
            response = await self._client.send(
                request.for_client(), auth=None, follow_redirects=False
            )
            return Answer.of(response)
        lanes = (await self._lanes.get())[lane]
        if self._closed:  # by another thread, which may have looked before these were made
            await self._lanes.aclose()
            raise self._family.config("this client is closed")
        return await lanes.exchange(request.for_lane())

    def _outgoing(self, call: Call) -> Outgoing:
        try:
            target = self.origin.target(call.path, call.query)
        except ValueError as exc:
            raise self._family.input(f"no URL can be made of it: {exc}") from None
        return Outgoing(
            self.origin,
            call.method,
            target,
            # in one expression: no frame's locals ever hold the key
            _http.headers(
                self._key,
                user_agent=self._user_agent,
                has_body=call.content is not None,
                extra=call.headers,
            ),
            call.content,
            self.timeout if call.timeout is None else call.timeout,
        )

    def _encode(self, call: Call) -> bytes | None:
        if call.body is None:
            return None
        try:
            return dumps(call.body if isinstance(call.body, Mapping) else to_wire(call.body))
        except (TypeError, ValueError) as exc:
            raise self._family.input(f"the request's body is not JSON: {exc}") from None

    def _outcome(self, answer: Answer | NoAnswer) -> _retry.Outcome:
        if isinstance(answer, NoAnswer):
            return "no_answer" if answer.sent else "not_sent"
        if answer.status == 409 and self._family.says_in_progress(self._body(answer)):
            return "in_progress"
        return answer.status

    def _read(self, answer: Answer, reads: Reader[T], before: Sequence[Attempt]) -> T:
        attempts = (*before, _summary(len(before) + 1, answer, None))
        try:
            return reads(loads(answer.content))
        except RefusedAnswerError:
            raise self._error(answer, attempts) from None
        except WireError as exc:
            reason = str(exc)
        except ValueError:
            reason = "the body is not JSON"
        raise self._family.unexpected(
            answer.status,
            self._body(answer),
            self._request_id(answer),
            reason,
            attempts=attempts,
        )

    def _error(
        self, answer: Answer | NoAnswer, attempts: tuple[Attempt, ...], *, sent: bool = True
    ) -> QuatrainError:
        if isinstance(answer, Answer):
            return self._family.error(
                answer.status,
                self._body(answer),
                self._request_id(answer),
                retry_after=_retry_after(answer),
                attempts=attempts,
            )
        return self._family.transport(
            f"no answer from {self.origin.base_url}: {answer.text}",
            sent=sent,
            attempts=attempts,
        )

    def _body(self, answer: Answer) -> Any:
        """The JSON of an answer, or the first part of its text; never with the key in it."""
        # always UTF-8: a charset that the server names could be any codec, and fail in any way
        text = self._key.scrub(answer.content.decode(errors="replace"))
        try:
            return loads(text.encode())
        except ValueError:
            return text[:SNIPPET]

    def _request_id(self, answer: Answer) -> str | None:
        value = answer.header(b"x-request-id")
        return None if value is None else self._key.scrub(value)

    def _make_lanes(self) -> dict[Lane, AsyncLanes]:
        lanes: tuple[Lane, ...] = ("main", "commit", "renew")
        make = functools.partial(make_lane, self.origin)
        return {lane: AsyncLanes(make, limit=LIMIT, clock=self.clock) for lane in lanes}

    async def aclose(self) -> None:
        """Close what this opened; a caller's ``http_client`` stays open. Twice is fine."""
        self._closed = True
        await self._lanes.aclose()

    def abandon(self, owner: object) -> None:
        """*owner* is collected unclosed: say so once, and leave the connections to their loops."""
        if not self._closed and self._lanes:
            self._closed = True
            self._lanes.abandon()  # first: where warnings are errors, nothing comes after one
            warnings.warn(
                f"unclosed {owner!r}: use `async with`, or await aclose()",
                ResourceWarning,
                stacklevel=3,
                source=owner,
            )


def _check(timeout: Any, max_retries: Any, refuse: Callable[[str], Exception]) -> None:
    """Refuse settings that make no sense; None is for whoever has another to fall back on."""
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if timeout is not None and not (number and 0 < timeout < math.inf):
        raise refuse("timeout has to be a number of seconds, above 0 and finite")
    if max_retries is not None and (not isinstance(max_retries, int) or max_retries < 0):
        raise refuse("max_retries has to be a number of tries, 0 or more")


def _retry_after(answer: Answer | NoAnswer) -> float | None:
    if isinstance(answer, NoAnswer):
        return None
    return _retry.parse_retry_after(answer.header(b"retry-after"), time.time())


def _cause(answer: Answer | NoAnswer) -> Exception | None:
    return answer.cause if isinstance(answer, NoAnswer) else None


def _summary(number: int, answer: Answer | NoAnswer, waited: float | None) -> Attempt:
    if isinstance(answer, Answer):
        return Attempt(number, status_code=answer.status, waited=waited)
    return Attempt(number, error=answer.text, waited=waited)


async def _close_all(lanes: dict[Lane, AsyncLanes]) -> None:
    for each in lanes.values():
        await each.aclose()
