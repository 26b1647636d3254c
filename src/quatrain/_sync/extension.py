# Generated from src/quatrain/_async/extension.py by scripts/make_sync.py. Do not edit.
"""The Extension API: scopes that are known, requests, envelopes. Source: contracts, Velocity OS."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import attrs

from .. import _http
from .._envelope import Reader, opened
from .._options import CallOptions
from .._structure import RefusedAnswerError, WireError
from ..errors.velocity import ConfigError, InputError, ScopeMissingError
from ..models.velocity import Response, Scope
from .transport import Call, Transport

if TYPE_CHECKING:
    from .._lease import EffectContext
    from .verity import VerityClient

T = TypeVar("T")

ROOT = ("api", "v1", "extensions")


class ExtensionAPI:
    """One GET and one POST, and what is known of the install that they are sent for."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.granted_scopes: frozenset[str] | None = None
        """None until ``whoami`` has told."""
        self.sandbox: bool | None = None
        """That of the last answer; None before the first."""
        self.effects: Callable[[], VerityClient] | None = None
        """The ledger that protects writes, where an umbrella client holds both."""

    def require(self, scope: Scope | None) -> None:
        """Raise ScopeMissingError when it is known that *scope* was not granted."""
        if scope is None or self.granted_scopes is None or scope in self.granted_scopes:
            return
        raise ScopeMissingError(scope)

    def get(
        self, *path: str, scope: Scope | None, reads: Reader[T], **options: Unpack[CallOptions]
    ) -> T:
        """Read something."""
        self.require(scope)
        call = Call(
            name=f"velocity.{path[0]}",
            method="GET",
            path=(*ROOT, *path),
            repeatable=True,
            **options,
        )
        return self._send(call, reads)

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        scope: Scope,
        reads: Reader[T],
        effect_key: str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
    ) -> T:
        """Write something: once with each idempotency key, or as an effect that happens once."""
        self.require(scope)
        call = Call(
            name=f"velocity.{path}",
            method="POST",
            path=(*ROOT, path),
            body=body,
            # with its idempotency key the server knows a repetition for what it is
            repeatable=True,
            timeout=timeout,
            max_retries=max_retries,
        )
        if effect_key is None:
            key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
            return self._send(_keyed(call, key), reads)
        if idempotency_key is not None:
            raise InputError("an effect has an idempotency key of its own: pass one of the two")
        if self.effects is None:
            raise ConfigError("effect_key needs a client that holds Verity as well: Client")
        call = self.transport.prepared(call)  # a slip in the arguments is no failed effect

        def act(effect: EffectContext) -> Mapping[str, Any]:
            # what can't be read is an error of the one who writes, not of all who come later
            keyed = _keyed(call, effect.idempotency_key)
            return self._send(keyed, lambda answer: _raw(answer, reads))

        answer = self.effects().protect(effect_key, act=act, effect_name=f"velocity.{path}")
        with contextlib.suppress(RefusedAnswerError, WireError):
            response = opened(answer)
            value = reads(response)
            if _repeats(response, body):
                return value
        msg = f"the effect {effect_key!r} is another one: its result is not of this kind"
        raise InputError(msg)

    def _send(self, call: Call, reads: Reader[T]) -> T:
        def read(body: Any) -> T:
            response = opened(body)
            value = reads(response)
            self.sandbox = response.sandbox
            return value

        return self.transport.send(call, read)


def _raw(response: Response, reads: Reader[Any]) -> Mapping[str, Any]:
    reads(response)
    return response.raw


def _repeats(response: Response, body: Mapping[str, Any]) -> bool:
    """Whether fields that were written come back: no two kinds of write have any in common."""
    parts = [part for part in response.data.values() if isinstance(part, Mapping)]
    return any(not body.keys().isdisjoint(part) for part in parts)


def _keyed(call: Call, key: str) -> Call:
    value = _http.check_header("idempotency_key", key, InputError)
    return attrs.evolve(call, headers={"Idempotency-Key": value})
