"""Velocity OS, Velerian, Vendo and Verity: one SDK, async and sync, and a local platform."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from . import errors
from ._version import __version__
from .errors import (
    APIError,
    AuthenticationError,
    BalanceExhausted,
    CommitRefusedError,
    CommitUncertainError,
    ConfigError,
    ConflictError,
    EffectPreviouslyFailedError,
    EffectUncertainError,
    EvidenceError,
    IdentityNotPresent,
    InputError,
    LeaseConflictError,
    LeaseLostError,
    NeedsReauth,
    NotConnected,
    NotFoundError,
    PermissionDeniedError,
    QuatrainError,
    RateLimitError,
    ScopeMissingError,
    ServerError,
    SpendCapExceeded,
    TransportError,
    ValidationFailedError,
    VelerianError,
    VelerianRunTimeoutError,
    VelocityOSError,
    VendoError,
    VendoOnlyFeature,
    VerityError,
    WebhookError,
)

if TYPE_CHECKING:
    from ._async.client import AsyncClient
    from ._sync.client import Client

__all__ = [
    "APIError",
    "AsyncClient",
    "AuthenticationError",
    "BalanceExhausted",
    "Client",
    "CommitRefusedError",
    "CommitUncertainError",
    "ConfigError",
    "ConflictError",
    "EffectPreviouslyFailedError",
    "EffectUncertainError",
    "EvidenceError",
    "IdentityNotPresent",
    "InputError",
    "LeaseConflictError",
    "LeaseLostError",
    "NeedsReauth",
    "NotConnected",
    "NotFoundError",
    "PermissionDeniedError",
    "QuatrainError",
    "RateLimitError",
    "ScopeMissingError",
    "ServerError",
    "SpendCapExceeded",
    "TransportError",
    "ValidationFailedError",
    "VelerianError",
    "VelerianRunTimeoutError",
    "VelocityOSError",
    "VendoError",
    "VendoOnlyFeature",
    "VerityError",
    "WebhookError",
    "__version__",
    "errors",
]

# nothing is printed unless the program sets logging up; "verity" is the contract's name
for _name in ("quatrain", "verity"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

# the clients bring httpx and cattrs along: whoever only wants an exception need not wait for them
_LAZY = {"AsyncClient": "._async.client", "Client": "._sync.client"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(_LAZY[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
