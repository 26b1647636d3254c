"""What a database is first filled with: once, whoever opens it first.

A database says by the fact ``seed`` that this has been decided, so nothing comes back that somebody
deleted, and nothing appears in a database that was made to stay empty.
"""

from __future__ import annotations

import secrets
from typing import Final, Literal, TypeAlias

import attrs

from quatrain.errors import ConfigError
from quatrain.server.recognizer import RANDOM_BYTES, digest_of
from quatrain.server.store import Connection, Store, StoreUnavailableError, queries

from . import sample, values
from .operations import (
    DEFAULT_EMAIL,
    DEFAULT_TIER,
    NO_PROFILE,
    ensure_account,
)
from .queries import account as account_by_id
from .records import Account

Seed: TypeAlias = Literal["demo"]

TENANT: Final = "local"
SLUG: Final = "local"
EXTENSION_NAME: Final = "Local extension"
DEVELOPER: Final = "local"

_SQL: Final = queries.load("velocity")
_FACT: Final = "seed"


async def seed_once(store: Store, seed: Seed | None) -> None:
    """Fill a database that is new; costs one small read otherwise. Raises ConfigError."""
    try:
        if await store.read(_is_decided, None):
            return
        # decided again inside: another process may have been quicker
        await store.write(_decide, seed)
    except StoreUnavailableError as exc:
        raise ConfigError(f"the database can't be used: {exc}") from exc


def _is_decided(connection: Connection, _now: int, _: None) -> bool:
    return connection.execute(_SQL["fact"], {"name": _FACT}).fetchone() is not None


def _decide(connection: Connection, now: int, seed: Seed | None) -> None:
    fact = {"name": _FACT, "value": seed or "none"}
    if connection.execute(_SQL["add_fact"], fact).fetchone() is not None and seed is not None:
        account = fill(connection, now, TENANT)
        ensure_keyless_install(connection, now, account.id, SLUG, values.SCOPES)


def fill(connection: Connection, now: int, tenant: str) -> Account:
    """The tenant's account, with the demo's data unless it has some: an operation of the store."""
    who = {"tenant": tenant, "email": None, "name": None}
    account = ensure_account(connection, now, who)
    of_account = {"account_id": account.id}
    (has_data,) = connection.execute(_SQL["has_data"], of_account).fetchone()
    if has_data:
        return account
    demo = sample.business()
    introduction = {
        **of_account,
        "email": demo.account.email,
        "old_email": DEFAULT_EMAIL,
        "name": demo.account.name,
        "old_name": tenant,
        "tier": demo.account.tier,
        "old_tier": DEFAULT_TIER,
        "profile": demo.account.profile,
        "old_profile": NO_PROFILE,
    }
    connection.execute(_SQL["introduce"], introduction)
    for statement, records in (
        ("put_module", demo.modules),
        ("add_offer", demo.offers),
        ("add_member", demo.team),
        ("add_partnership", demo.partnerships),
        ("add_task", demo.tasks),
        ("add_program", demo.programs),
    ):
        for record in records:
            row = {**of_account, **attrs.asdict(record), "now": demo.account.created_at}
            connection.execute(_SQL[statement], row).fetchall()
    return account_by_id(connection, now, account.id)


def ensure_keyless_install(
    connection: Connection,
    now: int,
    account_id: int,
    slug: str,
    scopes: frozenset[str],
) -> int:
    """An install of *scopes* that nobody has the key of, so that the extension gets its events."""
    extension = {
        "account_id": account_id,
        "slug": slug,
        "new_name": EXTENSION_NAME if slug == SLUG else slug,
        "new_developer": DEVELOPER,
        "name": None,
        "developer": None,
        "now": now,
    }
    (extension_id,) = connection.execute(_SQL["ensure_extension"], extension).fetchone()
    install = {
        "extension_id": extension_id,
        "hint": "",  # which is how such an install is known
        "digest": digest_of(secrets.token_bytes(RANDOM_BYTES)),
        "scopes": " ".join(sorted(scopes)),
        "sandbox": 0,
        "now": now,
    }
    row = connection.execute(_SQL["keyless_install"], install).fetchone()
    if row is None:
        row = connection.execute(_SQL["add_install"], install).fetchone()
    return int(row[0])
