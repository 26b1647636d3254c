"""Vendo's records on the wire. Source: contracts, Vendo.

A connection's token is in none of them: it is handed out at the credentials host, one by one.
``env_bootstrap`` says which variable a program wants it in; its ``value_from`` is a path below the
connection (``metadata.region``), or ``credential.access_token`` for that token.
"""

from __future__ import annotations

import json

from quatrain._catalogue import CATALOGUE, Known
from quatrain.server.times import iso_time, iso_time_or_none

from . import answers
from .connections import CONNECTED, OAUTH, STATIC, Connection
from .tokens import Token


def connection(found: Connection, setup_url: str | None) -> answers.Connection:
    """As its app sees it; one that does not work says where a person can mend that."""
    known = CATALOGUE[found.slug]
    return {
        "id": found.connection_id,
        "external_id": found.external_id,
        "slug": found.slug,
        "display_name": found.display_name,
        "category": known.category,
        "profile": found.profile,
        "status": found.status,
        "metadata": json.loads(found.metadata),
        "setup_url": None if found.status == CONNECTED else setup_url,
        "error_message": found.error_message,
        "connected_at": iso_time_or_none(found.connected_at),
        "env_bootstrap": _bootstrap(known),
    }


def available(known: Known, setup_url: str) -> answers.Available:
    """What the app has no connection to."""
    return {
        "id": None,
        "slug": known.slug,
        "display_name": known.name,
        "category": known.category,
        "profile": profile(known),
        "status": "available",
        "metadata": {},
        "setup_url": setup_url,
        "env_bootstrap": _bootstrap(known),
    }


def integration(known: Known) -> answers.Integration:
    """What can be connected."""
    how = "by a grant, which is simulated here, or with a key" if known.oauth else "with a key"
    return {
        "slug": known.slug,
        "name": known.name,
        "description": f"{known.name}, connected {how}.",
        "category": known.category,
        "supported_profiles": [OAUTH, STATIC] if known.oauth else [STATIC],
        "default_profile": profile(known),
        "enabled": True,
        "featured": False,
    }


def profile(known: Known) -> str:
    """How it is connected unless somebody wants it otherwise."""
    return OAUTH if known.oauth else STATIC


def token(found: Token) -> answers.Token:
    """What opens a connection, for the one who asked."""
    return {
        "access_token": found.access.reveal(),
        "expires_at": None if found.expires_at is None else iso_time(found.expires_at),
        "token_type": found.token_type,
    }


def _bootstrap(known: Known) -> answers.Bootstrap:
    # the first is the token's; what else a program may want is not known here
    variable: answers.Variable = {
        "name": known.env_vars[0],
        "value_from": "credential.access_token",
    }
    return {"vars": [variable], "restart": "gateway"}
