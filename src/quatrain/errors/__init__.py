"""Everything quatrain raises, in one tree.

::

    QuatrainError
    ├── ConfigError                       a setting is missing or unusable
    ├── InputError (also ValueError)      an argument was refused before any request
    ├── TransportError                    no answer: connect, timeout, protocol
    ├── APIError                          an answer that is an error, or is not what it should be
    │   ├── AuthenticationError           401
    │   ├── PermissionDeniedError         403
    │   │   └── ScopeMissingError             the install was not granted this scope
    │   ├── NotFoundError                 404
    │   ├── ConflictError                 409
    │   │   └── LeaseConflictError            another agent holds the lease
    │   ├── ValidationFailedError         422
    │   ├── RateLimitError                429
    │   └── ServerError                   5xx
    ├── WebhookError                      a webhook's signature, timestamp or payload is wrong
    ├── VelocityOSError                   everything of Velocity OS
    ├── VelerianError                     everything of Velerian
    │   ├── EvidenceError                     a chain of evidence is broken
    │   └── VelerianRunTimeoutError           a run was not over in time; it goes on
    ├── VendoError                        everything of Vendo
    │   ├── NotConnected                      there is no connection to this integration
    │   ├── NeedsReauth                       there is, and a person has to grant it again
    │   ├── BalanceExhausted                  there are no credits left
    │   ├── SpendCapExceeded                  what may be spent in a day or a month is spent
    │   ├── VendoOnlyFeature                  it needs the platform, and there is no API key
    │   └── IdentityNotPresent                a request came without a user
    └── VerityError                       everything of the effect ledger
        ├── EffectPreviouslyFailedError   recorded as failed; reset it before it may run again
        ├── EffectUncertainError          an earlier attempt may have acted; nobody can tell
        ├── CommitUncertainError          the action ran; the ledger could not be told
        │   └── CommitRefusedError            … because somebody else holds the effect by now
        └── LeaseLostError                the lease was taken away or ran out under the action
            └── CommitRefusedError

A platform's errors are subclasses of *its* base and of the shared kind: ``except RateLimitError``
catches every platform, ``except VerityError`` all of one. Every exception pickles with its fields.
"""

from __future__ import annotations

from ._base import (
    APIError,
    Attempt,
    AuthenticationError,
    ConfigError,
    ConflictError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    QuatrainError,
    RateLimitError,
    ServerError,
    TransportError,
    ValidationFailedError,
    WebhookError,
)
from .velerian import EvidenceError, VelerianError, VelerianRunTimeoutError
from .velocity import ScopeMissingError, VelocityOSError
from .vendo import (
    BalanceExhausted,
    IdentityNotPresent,
    NeedsReauth,
    NotConnected,
    SpendCapExceeded,
    VendoError,
    VendoOnlyFeature,
)
from .verity import (
    CommitRefusedError,
    CommitUncertainError,
    EffectPreviouslyFailedError,
    EffectUncertainError,
    LeaseConflictError,
    LeaseLostError,
    VerityError,
)

__all__ = [
    "APIError",
    "Attempt",
    "AuthenticationError",
    "BalanceExhausted",
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
]
