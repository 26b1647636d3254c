# Generated from src/quatrain/_async/extension.py by scripts/make_sync.py. Do not edit.
"""The Extension API: scopes that are known, requests, envelopes. Source: contracts, Velocity OS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from .._envelope import Reader, opened
from .._options import CallOptions, WriteOptions
from ..errors.velocity import FAMILY, ScopeMissingError
from ..models.velocity import Response, Scope
from .transport import Call, Transport
from .writes import write_once

if TYPE_CHECKING:
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
        **options: Unpack[WriteOptions],
    ) -> T:
        """Write something: once with each idempotency key, or as an effect that happens once."""
        self.require(scope)

        def send(key: str) -> Mapping[str, Any]:
            call = _write(path, body, key, options)
            return self._send(call, lambda answer: _raw(answer, reads))

        return write_once(
            f"velocity.{path}",
            send,
            lambda answer: reads(opened(answer)),
            options,
            effects=self.effects,
            family=FAMILY,
        )

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


def _write(path: str, body: Mapping[str, Any], key: str, options: WriteOptions) -> Call:
    return Call(
        name=f"velocity.{path}",
        method="POST",
        path=(*ROOT, path),
        headers={"Idempotency-Key": key},
        body=body,
        # with its idempotency key the server knows a repetition for what it is
        repeatable=True,
        timeout=options.get("timeout"),
        max_retries=options.get("max_retries"),
    )
