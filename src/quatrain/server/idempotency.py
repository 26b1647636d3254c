"""A write that is sent twice under one ``Idempotency-Key`` runs once, and is answered twice.

The answer is kept in the transaction of the write: after a crash either both are there or neither.
Keys belong to a caller, so nobody can ask for another's answers, and are kept for a day.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from .asgi import Scope, header
from .problems import Fault, ProblemError, RefusedError, validation_failed
from .store import Connection, queries

KEPT_MS: Final = 24 * 60 * 60 * 1_000
"""A key that is older is as good as new."""
_FORGOTTEN_AT_ONCE: Final = 5
"""More than are written: the table shrinks, and no single request pays for all of it."""

_SQL: Final = queries.load("idempotency")
_NAME: Final = b"idempotency-key"
_KEY: Final = re.compile(rb"[!-~]{1,255}")


class KeyReusedError(RefusedError):
    """The caller's key came with another request before: one of the two is a mistake."""

    code = "idempotency_key_reused"


@attrs.frozen
class Once:
    """A request's claim to run once: whose key, which, and what it came with."""

    caller: str
    key: str
    fingerprint: bytes
    """The same for the same request, whatever its spaces and the order of its fields."""

    @property
    def passed_on(self) -> str:
        """A key for what is called to do it, who knows nothing of callers: no two have the same."""
        return hashlib.sha256(f"{self.caller}\n{self.key}".encode()).hexdigest()


def fingerprint(operation: str, body: Any) -> bytes:
    """Of what is asked for, and of the attrs instance that says with which content."""
    text = f"{operation}\n{json.dumps(attrs.asdict(body), sort_keys=True)}"
    return hashlib.sha256(text.encode()).digest()


def once(
    connection: Connection,
    now: int,
    claim: Once | None,
    perform: Callable[[], str | RefusedError],
) -> str | RefusedError:
    """The JSON text that *perform* answers, or answered to the same request before.

    To be called inside an operation of the store, whose transaction *perform* belongs to. A refusal
    is handed on and not kept: nothing has happened. Without a claim, *perform* simply runs.
    """
    if claim is None:
        return perform()
    kept = answered(connection, now, claim)
    if kept is not None:
        return kept
    outcome = perform()
    if isinstance(outcome, str):
        params = _params(claim, now)
        connection.execute(_SQL["keep_answer"], {**params, "answer": outcome})
        connection.execute(_SQL["forget_expired"], params)
    return outcome


def answered(connection: Connection, now: int, claim: Once) -> str | KeyReusedError | None:
    """What the same request was answered before; None for one that was not.

    For what does not run in a transaction: it asks before, and calls ``once`` when it is done.
    """
    row = connection.execute(_SQL["find_answer"], _params(claim, now)).fetchone()
    if row is None:
        return None
    kept, answer = row
    if not hmac.compare_digest(kept, claim.fingerprint):
        return KeyReusedError("this Idempotency-Key came with another request before")
    return str(answer)


def _params(claim: Once, now: int) -> dict[str, Any]:
    return {
        "caller": claim.caller,
        "key": claim.key,
        "fingerprint": claim.fingerprint,
        "now": now,
        "expired": now - KEPT_MS,
        "limit": _FORGOTTEN_AT_ONCE,
    }


class InFlight:
    """The keys whose requests this process is working on."""

    def __init__(self) -> None:
        self._keys: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def enter(self, claim: Once | None) -> Iterator[None]:
        """Hold the key; raises ProblemError 409 while another request does.

        Other processes are held off by the database, where the second waits and gets the first
        one's answer.
        """
        if claim is None:
            yield
            return
        held = claim.caller, claim.key
        if held in self._keys:
            raise ProblemError(
                409,
                "idempotency_in_progress",
                "a request with this Idempotency-Key is under way",
                headers={"retry-after": "1"},
            )
        self._keys.add(held)
        try:
            yield
        finally:
            self._keys.discard(held)


def key_of(scope: Scope) -> str | None:
    """The request's ``Idempotency-Key``; None without one. Raises ProblemError 422."""
    if all(name != _NAME for name, _ in scope["headers"]):
        return None
    value = header(scope, _NAME)
    if value is None or not _KEY.fullmatch(value):
        text = "must be one key of 1 to 255 visible ASCII characters"
        raise validation_failed([Fault(("header", "Idempotency-Key"), text, "value")])
    return value.decode("ascii")
