"""What both flavours of Vendo's mock client are made of: no I/O, and no environment is read.

Source: contracts, Vendo, "Testing helpers".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import attrs

from ._catalogue import CATALOGUE
from ._headers import header_of
from .errors.vendo import (
    IdentityNotPresent,
    NotConnected,
    ValidationError,
    VendoOnlyFeature,
)
from .models.vendo import Balance, Connection, ConnectionStatus, Integration, Message, SpendCaps


@attrs.frozen
class MockCall:
    """One call of a mock client."""

    name: str
    """``token``, ``connections.get``, …"""
    arguments: Mapping[str, Any]
    """By name, those that have a default included."""
    user_jwt: str | None = attrs.field(default=None, repr=False)
    """The user whom the client was scoped to, by ``for_user`` or ``for_request``. Not shown."""


def fake_connection(
    slug: str,
    status: ConnectionStatus | str = "connected",
    credential: Mapping[str, Any] | str | None = None,
    **fields: Any,
) -> Connection:
    """A connection as the platform would list it; *fields* are any others of ``Connection``.

    *credential* is what opens it, ``{"access_token": "…"}``; without one there is no token.
    """
    known = CATALOGUE.get(slug)
    defaults: dict[str, Any] = {
        "id": f"conn_{slug}",
        "display_name": known.name if known else slug,
        "category": known.category if known else "",
        "profile": "user_oauth" if known and known.oauth else "byok_static",
    }
    return Connection(slug, status=status, credential=credential, **{**defaults, **fields})


@attrs.define
class World:
    """What mock clients answer from; a client and those that ``for_user`` makes share one."""

    connections: list[Connection] = attrs.field(factory=list)
    integrations: list[Integration] = attrs.field(factory=list)
    balance: Balance = attrs.field(factory=Balance)
    spend_caps: SpendCaps = attrs.field(factory=SpendCaps)
    usage: dict[str, Any] = attrs.field(factory=dict)
    events: list[Message] = attrs.field(factory=list)
    actions: dict[str, Any] = attrs.field(factory=dict)
    errors: dict[str, Exception] = attrs.field(factory=dict)
    calls: list[MockCall] = attrs.field(factory=list)
    vendo_mode: bool = True
    base_url: str = "https://vendo.test"


@attrs.frozen
class Desk:
    """A world as one client has it: each call is noted, and fails where it shall."""

    world: World
    user_jwt: str | None = attrs.field(default=None, repr=False)

    def note(self, name: str, /, **arguments: Any) -> None:
        """Note a call; raises what was set for it in ``errors``."""
        self.world.calls.append(MockCall(name, arguments, self.user_jwt))
        if name in self.world.errors:
            raise self.world.errors[name]

    def note_platform(self, name: str, /, **arguments: Any) -> None:
        """Note a call that needs the platform; raises VendoOnlyFeature in OSS mode."""
        self.note(name, **arguments)
        if not self.world.vendo_mode:
            raise VendoOnlyFeature(f"{name} needs the Vendo platform")

    def connection(self, slug: str) -> Connection | None:
        """The first connection to *slug*."""
        return next((each for each in self.world.connections if each.slug == slug), None)

    def token(self, slug: str) -> str:
        """The token of a connection that is connected; raises NotConnected for any other."""
        found = self.connection(slug)
        status = found and found.status
        token = token_of(found.credential) if found and status == "connected" else None
        if token is None:
            raise NotConnected(
                message=f"there is no connection to {slug} with a token",
                code="connection_revoked" if status == "revoked" else "binding_missing",
                slug=slug,
                connect_url=self.page(slug),
            )
        return token

    def integration(self, slug: str) -> Integration | None:
        """What of that name can be connected."""
        return next((each for each in self.world.integrations if each.slug == slug), None)

    def execute(self, action_id: str, args: Mapping[str, Any]) -> Any:
        """What is set for an action: a value, an exception, or a function of the arguments."""
        if action_id not in self.world.actions:
            raise ValidationError(f"no answer is set for the action {action_id!r}: pass actions=")
        answer = self.world.actions[action_id]
        if isinstance(answer, Exception):
            raise answer
        return answer(args) if callable(answer) else answer

    def page(self, slug: str, **query: str | None) -> str:
        """The page on which a person connects *slug*."""
        given = {name: value for name, value in query.items() if value is not None}
        where = f"{self.world.base_url}/connections/connect/{quote(slug, safe='')}"
        return f"{where}?{urlencode(given)}" if given else where

    def for_user(self, jwt: str) -> Desk:
        """The same world, scoped to a user."""
        return attrs.evolve(self, user_jwt=jwt)

    def for_request(self, headers: Any) -> Desk:
        """The same, to the user of a request; raises IdentityNotPresent."""
        jwt = header_of(headers, "X-Vendo-User-JWT")
        if not jwt:
            raise IdentityNotPresent("the request came without X-Vendo-User-JWT")
        return self.for_user(jwt)

    def after(self, last_event_id: str | None) -> int:
        """Where in the events a stream begins: after that id, or, where it is not known, at all."""
        ids = [message.id for message in self.world.events]
        return ids.index(last_event_id) + 1 if last_event_id and last_event_id in ids else 0


def token_of(credential: Any) -> str | None:
    """``access_token``, ``bot_token`` or ``api_key``, else the first value; None without text."""
    if not isinstance(credential, Mapping):
        return credential if isinstance(credential, str) and credential else None
    names = ("access_token", "bot_token", "api_key", *credential)
    values = (credential.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), None)
