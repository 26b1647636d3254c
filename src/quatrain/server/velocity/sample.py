"""A founder who does not exist: what a new database is filled with, and what a sandbox answers.

Everything is fixed, dates included: who tests against it gets the same answers every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import attrs

from quatrain.models.velocity import EventType
from quatrain.server import jsontext

from . import events, values
from .records import Account, Member, Module, Offer, Partnership, Program, Task

ACADEMY: Final = "academy"
"""The tier that has academy programs."""


@attrs.frozen
class Business:
    """All that is known of one founder's business."""

    account: Account
    modules: tuple[Module, ...]
    offers: tuple[Offer, ...]
    team: tuple[Member, ...]
    partnerships: tuple[Partnership, ...]
    tasks: tuple[Task, ...]
    """Open and completed."""
    programs: tuple[Program, ...]


@cache
def business() -> Business:
    """Harbor & Pine, which fills small hotels out of season."""
    return Business(
        account=_account(),
        modules=_modules(),
        offers=_offers(),
        team=(
            Member("Jonas Weidner", "Operations lead", "jonas@harborandpine.example"),
            Member("Priya Raman", "Client success", "priya@harborandpine.example"),
            Member("Tom Alder", "Paid media", "tom@harborandpine.example"),
        ),
        partnerships=(
            Partnership("Lakeside Hotels Alliance", "referral", "Greta Holm"),
            Partnership("StayMetric", "technology", "partners@staymetric.example"),
        ),
        tasks=_tasks(),
        programs=(
            Program(
                1,
                "Direct Booking Accelerator",
                "Six weeks to a booking page that sells rooms without a portal.",
                "active",
                _at("2026-02-16T09:00:00Z"),
            ),
            Program(
                2,
                "Off-Season Playbook",
                "Self-paced lessons on filling a hotel from November to March.",
                "draft",
                _at("2026-04-07T09:00:00Z"),
            ),
        ),
    )


def payload(event: EventType) -> Mapping[str, Any]:
    """What a webhook of that event might carry."""
    sample = business()
    task = sample.tasks[0]
    payloads: dict[EventType, Mapping[str, Any]] = {
        "module.updated": events.module_updated(sample.modules[2]),
        "tasks.created": events.task_created(task),
        "tasks.updated": events.task_updated(task),
        "team.added": events.team_added(sample.team[0]),
        "subscription.changed": events.subscription_changed(sample.account.tier, "upgrade"),
        "extension.installed": events.extension_installed("local", values.SCOPES),
        "extension.revoked": events.extension_revoked("ins_1"),
    }
    return payloads[event]


def _account() -> Account:
    profile = {
        "business_name": "Harbor & Pine",
        "industry": "hospitality marketing",
        "stage": "growth",
        "location": "Bergen, Norway",
        "timezone": "Europe/Oslo",
        "team_size": 4,
        "ideal_client": "independent hotels with 12 to 60 rooms",
        "north_star": "Every client hotel above 70 % occupancy in November",
        "annual_revenue_usd": 640_000,
    }
    return Account(
        id=0,
        tenant="sandbox",
        email="maya@harborandpine.example",
        name="Maya Okafor",
        tier=ACADEMY,
        venture_id="default",
        profile=jsontext.dump(profile),
        created_at=_at("2026-01-05T08:00:00Z"),
    )


def _modules() -> tuple[Module, ...]:
    return (
        _completed(
            "F1",
            "2026-01-19T16:20:00Z",
            {
                "mission": "Keep small hotels independent.",
                "values": ["candour", "craft", "calm"],
            },
        ),
        _completed(
            "F6",
            "2026-02-03T10:05:00Z",
            {
                "pricing_model": "retainer",
                "currency": "USD",
                "tiers": [
                    {"name": "Anchor", "monthly": 1_900},
                    {"name": "Harbor", "monthly": 3_800},
                ],
            },
        ),
        _completed(
            "C3",
            "2026-03-02T14:45:00Z",
            {
                "core_offer": "Full House in 90 Days",
                "promise": "Ten more direct bookings a week, or the third month is free.",
                "proof": ["Fjordhotel Sund: occupancy from 41 to 73 %"],
            },
        ),
        Module("L12", "in_progress", None, None),
        Module("O4", "in_progress", None, None),
    )


def _offers() -> tuple[Offer, ...]:
    full_house = {
        "headline": "Full House in 90 Days",
        "price": 11_400,
        "currency": "USD",
        "guarantee": "Third month free",
    }
    return (
        Offer(
            "offer_full_house",
            "Full House in 90 Days",
            "active",
            jsontext.dump(full_house),
            _at("2026-03-02T15:10:00Z"),
            _at("2026-04-14T11:30:00Z"),
        ),
        Offer(
            "offer_audit",
            "Booking Page Audit",
            "approved",
            None,
            _at("2026-03-20T09:00:00Z"),
            _at("2026-03-20T09:00:00Z"),
        ),
    )


def _tasks() -> tuple[Task, ...]:
    monday, review = _at("2026-05-04T08:00:00Z"), _at("2026-05-11T08:30:00Z")
    return (
        _task(
            1,
            "L12",
            "Hold the weekly review with Jonas",
            ("operations", "this_week", "schedule", "Jonas Weidner", "2026-05-15"),
            review,
        ),
        _task(
            2,
            "C3",
            "Rewrite the guarantee on the offer page",
            ("strategy", "this_week", "do_first", "Maya Okafor", "2026-05-13"),
            review,
        ),
        _task(
            3,
            "O4",
            "Hand the monthly reports to Priya",
            ("people", "this_month", "delegate", "Priya Raman", "2026-05-29"),
            monday,
        ),
        _task(
            4,
            "F6",
            "Model the cost of a fifth hire",
            ("finance", "this_quarter", "schedule", None, "2026-06-30"),
            monday,
        ),
        _task(
            5, "L12", "Stop the Thursday status call", (None, None, "eliminate", None, None), monday
        ),
        _task(
            6,
            "F6",
            "Move every client to the new retainers",
            ("finance", "this_month", "do_first", "Maya Okafor", "2026-03-31"),
            _at("2026-02-03T10:30:00Z"),
            completed_at=_at("2026-03-27T13:15:00Z"),
        ),
        _task(
            7,
            "C3",
            "Ask Fjordhotel Sund for a case study",
            ("strategy", "this_week", "delegate", "Priya Raman", "2026-03-13"),
            _at("2026-03-04T09:00:00Z"),
            completed_at=_at("2026-03-12T15:40:00Z"),
        ),
    )


def _completed(code: str, at: str, output: Any) -> Module:
    return Module(code, "completed", jsontext.dump(output), _at(at))


def _task(
    number: int,
    module_source: str,
    action: str,
    sorted_as: tuple[str | None, str | None, str | None, str | None, str | None],
    created_at: int,
    *,
    completed_at: int | None = None,
) -> Task:
    """*sorted_as*: category, timeframe, quadrant, assignee, deadline."""
    return Task(
        f"task_{number}",
        module_source,
        action,
        *sorted_as,
        created_at=created_at,
        updated_at=completed_at or created_at,
        completed_at=completed_at,
    )


def _at(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp()) * 1_000
