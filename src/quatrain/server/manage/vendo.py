"""Vendo, managed: apps and their keys, connections and how they stand, users' tokens."""

from __future__ import annotations

import asyncio

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server.answers import Items
from quatrain.server.problems import ProblemError
from quatrain.server.times import iso_time, iso_time_or_none, ms_of
from quatrain.server.vendo.apps import App
from quatrain.server.vendo.call import Services
from quatrain.server.vendo.connections import Connection
from quatrain.server.vendo.keys import LENT_APP, Key
from quatrain.server.vendo.render import connection as as_its_app_sees_it
from quatrain.server.vendo.users import DEFAULT_SECONDS

from . import answers
from .call import Call, items
from .vendo_schema import (
    AppBody,
    AppOfBody,
    ConnectBody,
    ConnectionsQuery,
    KeyBody,
    MetadataBody,
    StatusBody,
    UserTokenBody,
)

# -- apps and keys --------------------------------------------------------------------------------


async def list_apps(call: Call) -> Items[answers.App]:
    """Every app of the tenant."""
    return items(map(_app, await asyncio.to_thread(_vendo(call).apps.list, call.tenant)))


async def add_app(call: Call, body: AppBody) -> answers.App:
    """A new app, or another name for one that is there."""
    ensure = _vendo(call).apps.ensure
    return _app(await asyncio.to_thread(ensure, call.tenant, body.slug, name=body.name))


async def list_keys(call: Call) -> Items[answers.VendoKey]:
    """Every key, revoked and expired ones too."""
    return items(map(_key, await asyncio.to_thread(_vendo(call).keys.list, call.tenant)))


async def add_key(call: Call, body: KeyBody) -> answers.NewVendoKey:
    """A new key; its secret is in this answer and in no other."""
    made, secret = await asyncio.to_thread(
        _vendo(call).keys.create,
        call.tenant,
        body.app or LENT_APP,
        connection_id=body.connection_id,
        expires_at=None if body.expires_at is None else ms_of(body.expires_at),
    )
    return {**_key(made), "key": secret.reveal()}


async def revoke_key(call: Call) -> answers.VendoKey:
    """From now on the key opens nothing."""
    revoke = _vendo(call).keys.revoke
    try:
        return _key(await asyncio.to_thread(revoke, call.tenant, call.names["key_id"]))
    except InputError as exc:
        raise ProblemError(404, "not_found", str(exc)) from exc


# -- connections ----------------------------------------------------------------------------------


async def list_connections(call: Call, query: ConnectionsQuery) -> Items[answers.Connection]:
    """A part of them, oldest first."""
    found = await _vendo(call).connections.page(
        call.tenant, revoked=query.revoked, limit=query.limit, offset=query.offset
    )
    return items(_connection(each, apps) for each, apps in found)


async def connect(call: Call, body: ConnectBody) -> answers.Connection:
    """With a key, or by a grant of the simulated provider."""
    made = await _vendo(call).connections.connect(
        call.tenant,
        body.app or LENT_APP,
        body.slug,
        key=None if body.key is None else Secret(body.key),
        user_id=body.user_id or "",
        external_id=body.external_id,
        metadata=body.metadata,
    )
    return await _shown(call, made.connection_id)


async def get_connection(call: Call) -> answers.Connection:
    """One of them."""
    return await _shown(call, _id(call))


async def disconnect(call: Call) -> answers.Connection:
    """For every app, and for good."""
    await _vendo(call).connections.disconnect(call.tenant, _id(call))
    return await _shown(call, _id(call))


async def set_status(call: Call, body: StatusBody) -> answers.Connection:
    """Say how it stands."""
    await _vendo(call).connections.set_status(
        call.tenant, _id(call), body.status, body.error_message
    )
    return await _shown(call, _id(call))


async def set_metadata(call: Call, body: MetadataBody) -> answers.Connection:
    """Keep other metadata."""
    await _vendo(call).connections.set_metadata(call.tenant, _id(call), body.metadata)
    return await _shown(call, _id(call))


async def bind(call: Call, body: AppOfBody) -> answers.Connection:
    """Let an app use it, which is made if need be."""
    app = await asyncio.to_thread(_vendo(call).apps.ensure, call.tenant, body.app)
    await _vendo(call).connections.bind(call.tenant, _id(call), app.id)
    return await _shown(call, _id(call))


async def unbind(call: Call, body: AppOfBody) -> answers.Connection:
    """Let an app use it no more."""
    app = await asyncio.to_thread(_vendo(call).apps.find, call.tenant, body.app)
    if app is None:
        raise ProblemError(404, "not_found", f"there is no app {body.app[:50]!r}")
    await _vendo(call).connections.unbind(call.tenant, _id(call), app.id)
    return await _shown(call, _id(call))


async def expire_token(call: Call) -> answers.Connection:
    """Have its token renewed when it is next asked for."""
    await _vendo(call).connections.expire_token(call.tenant, _id(call))
    return await _shown(call, _id(call))


async def revoke_grant(call: Call) -> answers.Connection:
    """Have its person take the grant back at the simulated provider."""
    await _vendo(call).connections.revoke_grant(call.tenant, _id(call))
    return await _shown(call, _id(call))


async def reseal(call: Call) -> answers.Resealed:
    """Seal every token in the database, whose ever it is, with the first of the secret keys."""
    return {"resealed": await _vendo(call).connections.reseal()}


# -- users ----------------------------------------------------------------------------------------


async def add_user_token(call: Call, body: UserTokenBody) -> answers.UserToken:
    """What an app sends to act for a user."""
    token, until = await _vendo(call).users.issue(
        call.tenant, body.user_id, seconds=body.seconds or DEFAULT_SECONDS
    )
    return {
        "user_id": body.user_id,
        "user_jwt": token.reveal(),
        "expires_at": iso_time(until),
    }


# -- answers --------------------------------------------------------------------------------------


async def _shown(call: Call, connection_id: str) -> answers.Connection:
    found, apps = await _vendo(call).connections.shown(call.tenant, connection_id)
    return _connection(found, apps)


def _vendo(call: Call) -> Services:
    return call.services.vendo


def _id(call: Call) -> str:
    return call.names["connection_id"]


def _app(found: App) -> answers.App:
    return {
        "app": found.slug,
        "name": found.name,
        "created_at": iso_time(found.created_at),
    }


def _key(found: Key) -> answers.VendoKey:
    return {
        "id": found.key_id,
        "app": found.app,
        "integration": found.integration,
        "connection_id": found.connection_id,
        "hint": found.hint,
        "created_at": iso_time(found.created_at),
        "expires_at": iso_time_or_none(found.expires_at),
        "last_used_at": iso_time_or_none(found.last_used_at),
        "revoked_at": iso_time_or_none(found.revoked_at),
    }


def _connection(found: Connection, apps: list[str]) -> answers.Connection:
    seen = as_its_app_sees_it(found, None)
    return {
        "connection_id": found.connection_id,
        "external_id": seen["external_id"],
        "slug": seen["slug"],
        "display_name": seen["display_name"],
        "category": seen["category"],
        "profile": seen["profile"],
        "status": seen["status"],
        "metadata": seen["metadata"],
        "user_id": found.user_id or None,
        "apps": apps,
        "error_message": found.error_message,
        "connected_at": iso_time_or_none(found.connected_at),
        "created_at": iso_time(found.created_at),
        "updated_at": iso_time(found.updated_at),
    }
