"""Velerian: governed runs, evidence that can be checked, the audit log, usage."""

from __future__ import annotations

from ._async.pages import AsyncPages
from ._async.velerian import AsyncVelerianClient
from ._sync.pages import Pages
from ._sync.velerian import VelerianClient
from .errors.velerian import (
    EvidenceError,
    RunTimeoutError,
    VelerianAPIError,
    VelerianAuthError,
    VelerianConfigError,
    VelerianConflictError,
    VelerianError,
    VelerianForbiddenError,
    VelerianInputError,
    VelerianNotFoundError,
    VelerianRateLimitError,
    VelerianRunTimeoutError,
    VelerianServerError,
    VelerianTransportError,
    VelerianValidationError,
)
from .evidence import EvidenceReport, read_packs, verify_evidence
from .models.velerian import (
    TERMINAL_RUN_STATES,
    EvidenceExport,
    InvokeResult,
    Page,
    UsageSummary,
)

__all__ = [
    "TERMINAL_RUN_STATES",
    "AsyncPages",
    "AsyncVelerianClient",
    "EvidenceError",
    "EvidenceExport",
    "EvidenceReport",
    "InvokeResult",
    "Page",
    "Pages",
    "RunTimeoutError",
    "UsageSummary",
    "VelerianAPIError",
    "VelerianAuthError",
    "VelerianClient",
    "VelerianConfigError",
    "VelerianConflictError",
    "VelerianError",
    "VelerianForbiddenError",
    "VelerianInputError",
    "VelerianNotFoundError",
    "VelerianRateLimitError",
    "VelerianRunTimeoutError",
    "VelerianServerError",
    "VelerianTransportError",
    "VelerianValidationError",
    "read_packs",
    "verify_evidence",
]
