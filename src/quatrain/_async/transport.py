"""From a described request to a model or a typed error: origin, key, attempts, spans.

The transport knows no resource and no platform; what it raises comes from the platform's error
family, when it tries again from :mod:`quatrain._retry`, where it may go from
:mod:`quatrain._http`.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import random
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import attrs
import httpx

from .. import _http, _retry
from .._address import Address
from .._http import Answer, NoAnswer, Outgoing
from .._runtime._async import Clock, Fn, LoopLocal, Steps
from .._secret import Secret
from .._structure import Reader, RefusedAnswerError, WireError
from .._telemetry import span
from .._wire import dumps, loads, to_wire
from ..errors import APIError, Attempt, QuatrainError, TransportError
from ..errors._family import SNIPPET, Family
from .inflow import AsyncInflow, pour_of_client
from .lanes import AsyncLanes, make_lane
from .open_answers import AsyncOpenAnswer, AsyncOpenAnswers

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
    path: tuple[str, ...] = ()
    """Segments below the base URL, unencoded."""
    query: Mapping[str, str] = attrs.field(factory=dict)
    address: Address | None = None
    """Where it goes, instead of *path* and *query*; to another origin always without the key."""
    keyless: bool = False
    """Sent without the key to the client's own origin as well."""
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Beyond those that every request has. Not shown: a caller's may be credentials."""
    body: Any = attrs.field(default=None, repr=False)
    """A model, or JSON; None sends none. Not shown: it may hold a lease token."""
    content: bytes | None = attrs.field(default=None, repr=False)
    """The body as it is sent, the same with each attempt; made of *body* where there is one."""
    lane: Lane = "main"
    """Renewals and commits have connections of their own: a full main pool starves neither."""
    repeatable: bool = False
    """The server knows a repetition for what it is, so it may be sent again."""
    repeatable_unanswered: bool = True
    """After no answer as well. False where its contract knows no idempotency keys: what may have
    been carried out is then not sent again."""
    timeout: float | None = None
    """Seconds for each step of an attempt; None for the client's."""
    patience: float | None = None
    """Seconds without a byte of the answer, where that is another time."""
    max_retries: int | None = None
    """None for the client's."""

    @property
    def idempotency_key(self) -> str | None:
        """By which the server knows a repetition, where one is sent."""
        keys = (v for name, v in self.headers.items() if name.lower() == "idempotency-key")
        return next(keys, None)


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
        self._open: LoopLocal[AsyncOpenAnswers] = LoopLocal(
            AsyncOpenAnswers, AsyncOpenAnswers.aclose
        )
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it was closed, or its owner left it: it sends nothing any more."""
        return self._closed

    async def send(self, call: Call, reads: Reader[T]) -> T:
        """Send *call*, again where that is safe, and answer what *reads* makes of its JSON.

        Raises the family's TransportError when there is no answer, its APIError for an answer
        that is an error or can't be read, and its InputError when the body is not JSON.
        """
        return (await self.send_timed(call, reads))[0]

    async def send_timed(self, call: Call, reads: Reader[T]) -> tuple[T, float]:
        """``send``, and the clock's time before the attempt that was answered."""
        with self._span(call):
            answer, attempts, sent = await self._answered(call, None)
            return self._read(answer, reads, attempts), sent

    async def answer(self, call: Call) -> tuple[Answer, float]:
        """Send *call* like ``send``; a success as it came, and the seconds it took."""
        with self._span(call):
            answer, _, sent = await self._answered(call, None)
            return answer, self.clock.now() - sent

    async def stream(self, call: Call, keep: Fn[[Answer, bytes], None]) -> Answer:
        """Send *call* like ``send``; give a success's head and raw body to *keep*, piece by piece.

        Answers the head. It is sent again only while nothing has been kept, and what *keep* raises
        comes out as it is.
        """
        with self._span(call):
            return (await self._answered(call, keep))[0]

    async def open(self, call: Call, steps: Steps) -> AsyncOpenAnswer:
        """Send *call* once; a success with its body still to come, for whoever takes *steps*.

        Raises as ``send`` does, with no retries. Redirects are not followed.
        """
        opened: list[AsyncOpenAnswer] = []

        async def exchange(request: Outgoing) -> Answer:
            client = self._usable_client()
            if client is None:
                answer = await AsyncOpenAnswer.over_lane(request, steps)
            else:
                answer = await AsyncOpenAnswer.over_client(request, client, steps)
            if not answer.head.ok:
                return await answer.whole()
            opened.append(answer)
            return answer.head

        call = self.prepared(call)
        with self._span(call):
            answer = await self._attempt(call, 1, exchange)
            if opened:
                return opened[0]
            sent = isinstance(answer, Answer) or answer.sent
            attempts = (_summary(1, answer, None),)
            raise self._error(call, answer, attempts, sent=sent) from _cause(answer)

    async def open_answers(self) -> AsyncOpenAnswers:
        """Those that end with this client, or with the running loop."""
        if self._closed:
            raise self._family.config("this client is closed")
        return await self._open.get()

    def cut_off(self, exc: Exception) -> QuatrainError:
        """The family's error for an answer in whose midst *exc* was raised."""
        _http.forget_frames(exc)
        text = NoAnswer.of(exc, self._key).text
        return self._family.transport(f"the answer of {self.origin.base_url} was cut off: {text}")

    @contextlib.contextmanager
    def _span(self, call: Call) -> Iterator[None]:
        where = self._origin_of(call).base_url
        with span(f"quatrain.{call.name}", method=call.method, origin=where):
            try:
                yield
            except (APIError, TransportError) as exc:
                exc.idempotency_key = call.idempotency_key
                raise

    def _origin_of(self, call: Call) -> _http.Origin:
        return self.origin if call.address is None else call.address.origin

    async def _answered(
        self, call: Call, keep: Fn[[Answer, bytes], None] | None
    ) -> tuple[Answer, list[Attempt], float]:
        """A success, the attempts before it, and the clock's time before it was asked for."""
        call = self.prepared(call)
        policy = self._policy
        if call.max_retries is not None:
            policy = attrs.evolve(policy, max_retries=call.max_retries)
        attempts: list[Attempt] = []
        reached = False
        while True:
            number = len(attempts) + 1
            sent = self.clock.now()
            inflow = None if keep is None else AsyncInflow(keep)
            exchange = functools.partial(self._exchange, lane=call.lane, inflow=inflow)
            answer = await self._attempt(call, number, exchange)
            if inflow is not None and inflow.failure is not None:
                raise inflow.failure
            if isinstance(answer, Answer) and answer.ok:
                return answer, attempts, sent
            outcome = self._outcome(answer)
            delay = _retry.delay_before_retry(
                policy,
                number,
                outcome,
                repeatable=call.repeatable
                and not (inflow is not None and inflow.begun)
                and (outcome != "no_answer" or call.repeatable_unanswered),
                retry_after=_retry_after(answer),
                luck=random.random(),  # noqa: S311 - it spreads load
            )
            attempts.append(_summary(number, answer, delay))
            # that the last one was never sent says nothing of those before
            reached = reached or isinstance(answer, Answer) or answer.sent
            if delay is None:
                error = self._error(call, answer, tuple(attempts), sent=reached)
                raise error from _cause(answer)
            await self.clock.sleep(delay)

    def prepared(self, call: Call) -> Call:
        """*call* with its body as it is sent; raises InputError for one that can't be sent."""
        _check(call.timeout, call.max_retries, self._family.input)
        return attrs.evolve(call, content=self._encode(call))

    async def _attempt(
        self, call: Call, number: int, exchange: Fn[[Outgoing], Answer]
    ) -> Answer | NoAnswer:
        """One request and its answer, or why there is none."""
        if self._closed:
            raise self._family.config("this client is closed")
        request = self._outgoing(call)
        began = self.clock.now()
        with span("quatrain.attempt", attempt=number):
            answer: Answer | NoAnswer
            try:
                answer = await exchange(request)
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
            # the query of a presigned link is a credential
            target = request.target if call.address is None else request.target.partition("?")[0]
            outcome = came.error or came.status_code
            _log.debug(line, call.method, host, target, outcome, took, number)
        return answer

    async def _exchange(self, request: Outgoing, lane: Lane, inflow: AsyncInflow | None) -> Answer:
        client = self._usable_client()
        if client is not None:
            response = await client.send(
                request.for_client(), auth=None, follow_redirects=False, stream=inflow is not None
            )
            if inflow is None:
                return Answer.of(response)
            return await pour_of_client(response, inflow)
        lanes = (await self._lanes.get())[lane]
        if self._closed:  # by another thread, which may have looked before these were made
            await self._lanes.aclose()
            raise self._family.config("this client is closed")
        if request.origin is self.origin:
            return await _over(lanes, request, inflow)
        # nothing is kept open to a place that is only passed through
        lanes = AsyncLanes(functools.partial(make_lane, request.origin), limit=1, clock=self.clock)
        try:
            return await _over(lanes, request, inflow)
        finally:
            await lanes.aclose()

    def _usable_client(self) -> httpx.AsyncClient | None:
        """The caller's, if there is one."""
        if self._client is not None and self._client.is_closed:
            raise self._family.config("the http_client that was passed in is closed")
        return self._client

    def _outgoing(self, call: Call) -> Outgoing:
        address = call.address
        if address is None:
            try:
                address = Address(self.origin, self.origin.target(call.path, call.query))
            except ValueError as exc:
                raise self._family.input(f"no URL can be made of it: {exc}") from None
        return Outgoing(
            address.origin,
            call.method,
            address.target,
            # in one expression: no frame's locals ever hold the key
            _http.headers(
                None if call.keyless or not address.is_at(self.origin) else self._key,
                user_agent=self._user_agent,
                has_body=call.content is not None,
                extra=call.headers,
            ),
            call.content,
            self.timeout if call.timeout is None else call.timeout,
            call.patience,
        )

    def _encode(self, call: Call) -> bytes | None:
        if call.body is None:
            return call.content
        try:
            return dumps(call.body if isinstance(call.body, Mapping) else to_wire(call.body))
        except (TypeError, ValueError) as exc:
            raise self._family.input(f"the request's body is not JSON: {exc}") from None

    def _outcome(self, answer: Answer | NoAnswer) -> _retry.Outcome:
        if isinstance(answer, NoAnswer):
            return "no_answer" if answer.sent else "not_sent"
        if answer.status == 409 and self._says_in_progress(answer):
            return "in_progress"
        return answer.status

    def _says_in_progress(self, answer: Answer) -> bool:
        if self._family.conflicts_may_pass and _retry_after(answer) is not None:
            return True
        return self._family.says_in_progress(self._body(answer))

    def _read(self, answer: Answer, reads: Reader[T], before: Sequence[Attempt]) -> T:
        attempts = (*before, _summary(len(before) + 1, answer, None))
        try:
            return reads(loads(answer.content))
        except RefusedAnswerError:
            raise self._refused(answer, attempts) from None
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
        self,
        call: Call,
        answer: Answer | NoAnswer,
        attempts: tuple[Attempt, ...],
        *,
        sent: bool,
    ) -> QuatrainError:
        if isinstance(answer, Answer):
            return self._refused(answer, attempts)
        return self._family.transport(
            f"no answer from {self._origin_of(call).base_url}: {answer.text}",
            sent=sent,
            attempts=attempts,
        )

    def _refused(self, answer: Answer, attempts: tuple[Attempt, ...]) -> QuatrainError:
        return self._family.error(
            answer.status,
            self._body(answer),
            self._request_id(answer),
            code=self._code_of(answer),
            retry_after=_retry_after(answer),
            attempts=attempts,
        )

    def _code_of(self, answer: Answer) -> str | None:
        """The error's code, where the platform has a header for it."""
        name = self._family.code_header
        value = None if name is None else answer.header(name)
        return None if value is None else self._key.scrub(value)

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
        await self._open.aclose()
        await self._lanes.aclose()

    def abandon(self) -> bool:
        """Its owner is collected: leave what is open to its loops. Whether that is anything."""
        if self._closed or not (self._lanes or self._open):
            return False
        self._closed = True
        self._open.abandon()
        self._lanes.abandon()
        return True


async def _over(lanes: AsyncLanes, request: Outgoing, inflow: AsyncInflow | None) -> Answer:
    if inflow is None:
        return await lanes.exchange(request.for_lane())
    return inflow.whole(await lanes.stream(request.for_lane(), inflow.take))


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
