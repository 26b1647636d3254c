"""What an action is told about the lease it runs under. One class for both flavours."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from typing import Any, Protocol

from ._runtime._core import Tenure
from .errors import LeaseLostError
from .models.verity import LeaseGrantedResponse


class LostEvent(Protocol):
    """Set once the lease is lost; a lease that is lost stays lost."""

    @abstractmethod
    def is_set(self) -> bool:
        """Whether it is lost."""

    @abstractmethod
    def wait(self) -> Any:
        """Return when it is lost; awaitable in the async client."""


class Lease:
    """A lease that is held: ``on_lease`` and the action's context get it.

    Carries the grant's fields; ``lost`` and ``remaining()`` say how it stands now.
    """

    def __init__(self, granted: LeaseGrantedResponse, tenure: Tenure, lost: LostEvent) -> None:
        self.status = granted.status
        self.effect_id = granted.effect_id
        self.effect_key = granted.effect_key
        self.fence_token = granted.fence_token
        self.prior_state = granted.prior_state
        self.lease_expires_at = granted.lease_expires_at
        """As granted, by the server's clock; renewals move it on."""
        self.granted = granted
        self.lost = lost
        self._tenure = tenure

    def remaining(self) -> float:
        """Seconds it is surely still held, by this machine's steady clock; 0 once lost."""
        return self._tenure.remaining

    def raise_if_lost(self) -> None:
        """Raise LeaseLostError when it is lost."""
        if (reason := self._tenure.reason) is not None:
            raise LeaseLostError(self.effect_key, reason, self.fence_token)

    def __repr__(self) -> str:
        state = "lost" if self._tenure.lost else f"{self.remaining():.1f} s left"
        return f"<Lease of {self.effect_key!r}, fence {self.fence_token}, {state}>"


class EffectContext:
    """What ``act`` and ``observe`` get when they take a parameter.

    ``lease`` and ``fence_token`` are None when the ledger could not be reached and the action runs
    unprotected (``on_unavailable="proceed"``).
    """

    def __init__(self, namespace: str, effect_key: str, lease: Lease | None) -> None:
        self.namespace = namespace
        self.effect_key = effect_key
        self.lease = lease
        self.fence_token = None if lease is None else lease.fence_token

    @property
    def idempotency_key(self) -> str:
        """The same in every attempt at this effect: pass it downstream."""
        return idempotency_key(self.namespace, self.effect_key)

    def raise_if_lost(self) -> None:
        """Raise LeaseLostError when the lease is lost: call it before each irrevocable step."""
        if self.lease is not None:
            self.lease.raise_if_lost()

    def __repr__(self) -> str:
        return f"<EffectContext {self.namespace}/{self.effect_key} under {self.lease!r}>"


def idempotency_key(namespace: str, effect_key: str) -> str:
    """The same for every attempt at an effect, on any ledger, and for no other effect."""
    digest = hashlib.sha256(f"{len(namespace)}:{namespace}:{effect_key}".encode())
    return f"effect-{digest.hexdigest()[:40]}"
