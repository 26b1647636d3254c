"""Velocity OS, local: a founder's business data, and the extensions that are let in to it.

``service.BusinessData`` and ``installs.Installs`` are how the rest of the platform asks;
``operations`` and ``queries`` are what the store runs for them, ``events`` the webhooks that a
change sends, ``sample`` and ``seeding`` the demo's data; ``api.VelocityAPI`` is the HTTP, mounted
at ``/api/v1/extensions``.
"""

from __future__ import annotations

from .api import VelocityAPI
from .installs import Caller, Extension, Install, Installs
from .records import (
    Account,
    Member,
    Module,
    ModuleNotCompletedError,
    NewTask,
    Offer,
    Partnership,
    Program,
    Task,
    TaskCompletedError,
    TaskNotFoundError,
)
from .seeding import seed_once
from .service import BusinessData

__all__ = [
    "Account",
    "BusinessData",
    "Caller",
    "Extension",
    "Install",
    "Installs",
    "Member",
    "Module",
    "ModuleNotCompletedError",
    "NewTask",
    "Offer",
    "Partnership",
    "Program",
    "Task",
    "TaskCompletedError",
    "TaskNotFoundError",
    "VelocityAPI",
    "seed_once",
]
