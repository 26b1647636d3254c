"""Webhooks out: a durable outbox, and the dispatcher that empties it.

One idea a module: ``records`` what there is, ``endpoints`` where events go, ``outbox`` the
deliveries, ``schedule`` when one is tried again, ``sender`` one attempt, ``dispatcher`` them all.
Who gets an event is decided elsewhere, in the transaction of the change the event tells of.
"""

from __future__ import annotations

from .dispatcher import Dispatcher, Pace
from .outbox import Filter
from .records import (
    EVERY_EVENT,
    DeliveriesPage,
    Delivery,
    DeliveryNotFoundError,
    DeliveryStatus,
    Endpoint,
    EndpointNotFoundError,
    EndpointRemovedError,
)

__all__ = [
    "EVERY_EVENT",
    "DeliveriesPage",
    "Delivery",
    "DeliveryNotFoundError",
    "DeliveryStatus",
    "Dispatcher",
    "Endpoint",
    "EndpointNotFoundError",
    "EndpointRemovedError",
    "Filter",
    "Pace",
]
