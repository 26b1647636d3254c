"""The Extension API: scopes that are known, requests, envelopes. Source: contracts, Velocity OS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from .._envelope import Reader, opened
from .._options import CallOptions
from .._structure import WireError
from ..errors.velocity import FAMILY, ScopeMissingError
from ..models.velocity import Response, Scope
from .transport import AsyncTransport, Call
from .writes import write_once

if TYPE_CHECKING:
    from .verity import AsyncVerityClient

T = TypeVar("T")

ROOT = ("api", "v1", "extensions")


class AsyncExtensionAPI:
    """One GET and one POST, and what is known of the install that they are sent for."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.transport = transport
        self.granted_scopes: frozenset[str] | None = None
        """None until ``whoami`` has told."""
        self.sandbox: bool | None = None
        """That of the last answer; None before the first."""
        self.effects: Callable[[], AsyncVerityClient] | None = None
        """The ledger that protects writes, where an umbrella client holds both."""

    def require(self, scope: Scope | None) -> None:
        """Raise ScopeMissingError when it is known that *scope* was not granted."""
        if scope is None or self.granted_scopes is None or scope in self.granted_scopes:
            return
        raise ScopeMissingError(scope)

    async def get(
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
        return await self._send(call, reads)

    async def post(
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

        async def send(keyed: Call) -> Mapping[str, Any]:
            return await self._send(keyed, lambda answer: _raw(answer, reads))

        return await write_once(
            call,
            send,
            lambda answer: reads(opened(answer)),
            effects=self.effects,
            transport=self.transport,
            family=FAMILY,
            idempotency_key=idempotency_key,
            effect_key=effect_key,
            again=lambda answer: reads(_repeating(opened(answer), body)),
        )

    async def _send(self, call: Call, reads: Reader[T]) -> T:
        def read(body: Any) -> T:
            response = opened(body)
            value = reads(response)
            self.sandbox = response.sandbox
            return value

        return await self.transport.send(call, read)


def _raw(response: Response, reads: Reader[Any]) -> Mapping[str, Any]:
    reads(response)
    return response.raw


def _repeating(response: Response, body: Mapping[str, Any]) -> Response:
    """*response*, when fields that were written come back in it; raises WireError.

    No two kinds of write have any in common.
    """
    parts = [part for part in response.data.values() if isinstance(part, Mapping)]
    if all(body.keys().isdisjoint(part) for part in parts):
        msg = "nothing of what was written is in it"
        raise WireError(msg)
    return response
