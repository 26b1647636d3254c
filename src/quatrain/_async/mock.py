"""A client of Vendo for tests: it answers from what it was given. No request is ever made."""

from __future__ import annotations

import builtins  # in a class with a method list, list is that
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from .._catalogue import CATALOGUE
from .._vendo_fakes import Desk, MockCall, World
from ..errors.vendo import NotConnected, VendoConfigError
from ..models.vendo import Balance, Connection, Integration, Message, SpendCaps

if TYPE_CHECKING:
    import httpx

    Responder = Callable[[httpx.Request], httpx.Response]


class MockAsyncClient:
    """Stands in for a client of Vendo in the tests of your program.

    ::

        vendo = MockAsyncClient.with_connections(
            [fake_connection(slug="gmail", credential={"access_token": "ya29.test"})],
            actions={"GMAIL_SEND_EMAIL": lambda args: {"to": args["to"]}},
        )
        assert "ya29.test" == await vendo.token("gmail")
        assert "token" == vendo.calls[0].name

    It has the client's methods, reads no environment and opens no connection. Only the tokens of
    its connections that are ``connected`` are there: NotConnected is raised for anything else.

    - ``connections``: see ``fake_connection``. ``integrations``: what can be connected; unless
      given the bundled catalogue.
    - ``balance``, ``spend_caps``, ``usage``: what ``billing`` answers.
    - ``events``: what ``events.subscribe`` gives; then the stream ends, as the platform's does not.
      ``push`` adds to them.
    - ``actions``: by its id what ``data.execute`` gives: a value, an exception, or a plain function
      of the arguments. ValidationError is raised for any other.
    - ``errors``: exceptions by the name of the call that shall raise them, ``token``,
      ``billing.balance``, …
    - ``responder``: what answers the requests of a ``session``: from httpx's request to its
      response.
    - ``vendo_mode``: False is OSS mode, in which what needs the platform raises VendoOnlyFeature.

    ``calls`` lists every call, those of clients made by ``for_user`` and ``for_request`` included.
    """

    def __init__(
        self,
        connections: Iterable[Connection] = (),
        *,
        integrations: Iterable[Integration] | None = None,
        balance: Balance | None = None,
        spend_caps: SpendCaps | None = None,
        usage: Mapping[str, Any] | None = None,
        events: Iterable[Message] = (),
        actions: Mapping[str, Any] | None = None,
        errors: Mapping[str, Exception] | None = None,
        responder: Responder | None = None,
        vendo_mode: bool = True,
        base_url: str = "https://vendo.test",
    ) -> None:
        world = World(
            connections=list(connections),
            integrations=_catalogue() if integrations is None else list(integrations),
            balance=balance or Balance(),
            spend_caps=spend_caps or SpendCaps(),
            usage=dict(usage or {}),
            events=list(events),
            actions=dict(actions or {}),
            errors=dict(errors or {}),
            vendo_mode=vendo_mode,
            base_url=base_url,
        )
        self._responder = responder
        self._sit(Desk(world))

    def _sit(self, desk: Desk) -> None:
        from ..vendo.webhooks import WebhooksAPI  # noqa: PLC0415 - its package imports this one

        self._desk = desk
        self.connections = MockAsyncConnections(desk)
        self.integrations = MockAsyncIntegrations(desk)
        self.billing = MockAsyncBilling(desk)
        self.events = MockAsyncEvents(desk)
        self.webhooks = WebhooksAPI()
        self.data = MockAsyncData(desk)

    @classmethod
    def with_connections(cls, connections: Iterable[Connection], **others: Any) -> Self:
        """A client that has these connections; *others* are those of the class."""
        return cls(connections, **others)

    @property
    def calls(self) -> list[MockCall]:
        """Every call so far, in order."""
        return self._desk.world.calls

    def push(self, *messages: Message) -> None:
        """Add events to those that streams give, begun ones included."""
        self._desk.world.events.extend(messages)

    def is_vendo_mode(self) -> bool:
        """Whether it acts as if there were an API key."""
        return self._desk.world.vendo_mode

    async def token(self, slug: str, **_: Any) -> str:
        """The token of a connection; raises NotConnected."""
        self._desk.note("token", slug=slug)
        return self._desk.token(slug)

    async def tokens(self, slugs: Iterable[str], **_: Any) -> dict[str, str | None]:
        """The same for each of *slugs*; None where there is none."""
        slugs = list(slugs)
        self._desk.note("tokens", slugs=slugs)
        return {slug: self._token_or_none(slug) for slug in slugs}

    def _token_or_none(self, slug: str) -> str | None:
        try:
            return self._desk.token(slug)
        except NotConnected:
            return None

    def invalidate(self, slug: str | None = None) -> None:
        """Noted, and nothing more: there is no cache."""
        self._desk.note("invalidate", slug=slug)

    def session(self, slug: str, **_: Any) -> httpx.AsyncClient:
        """An HTTP client that authorises with the token; *responder* answers what it sends.

        Raises NotConnected, and VendoConfigError when there is no *responder*.
        """
        self._desk.note("session", slug=slug)
        token = self._desk.token(slug)
        if self._responder is None:
            raise VendoConfigError("a session's requests have to be answered: pass responder=")
        import httpx  # noqa: PLC0415 - only who opens a session needs it

        return httpx.AsyncClient(
            transport=httpx.MockTransport(self._responder),
            headers={"Authorization": f"Bearer {token}"},
        )

    def connect_url(self, slug: str, return_to: str | None = None, state: str | None = None) -> str:
        """The page on which a person connects *slug*."""
        self._desk.note_platform("connect_url", slug=slug, return_to=return_to, state=state)
        return self._desk.page(slug, app_key="mock", return_to=return_to, state=state)

    def for_user(self, jwt: str) -> Self:
        """A client of the same connections and calls, scoped to a user."""
        self._desk.note_platform("for_user")
        return self._scoped(self._desk.for_user(jwt))

    def for_request(self, headers: Any) -> Self:
        """The same, to the user of a request; raises IdentityNotPresent."""
        self._desk.note_platform("for_request")
        return self._scoped(self._desk.for_request(headers))

    def _scoped(self, desk: Desk) -> Self:
        twin = type(self).__new__(type(self))
        twin._responder = self._responder  # noqa: SLF001 - its own
        twin._sit(desk)  # noqa: SLF001
        return twin

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        slugs = [connection.slug for connection in self._desk.world.connections]
        return f"<{type(self).__name__} {slugs}>"


class MockAsyncConnections:
    """``client.connections``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def list(self, **_: Any) -> builtins.list[Connection]:
        """All of them."""
        self._desk.note_platform("connections.list")
        return [*self._desk.world.connections]

    async def get(self, slug: str, **_: Any) -> Connection | None:
        """One of them, or None."""
        self._desk.note_platform("connections.get", slug=slug)
        return self._desk.connection(slug)


class MockAsyncIntegrations:
    """``client.integrations``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def list(self, **_: Any) -> builtins.list[Integration]:
        """What can be connected."""
        self._desk.note_platform("integrations.list")
        return [*self._desk.world.integrations]

    async def get(self, slug: str, **_: Any) -> Integration | None:
        """One of them, or None."""
        self._desk.note_platform("integrations.get", slug=slug)
        return self._desk.integration(slug)

    def env_vars(self, slug: str) -> builtins.list[str]:
        """The variables of the bundled catalogue; none for an unknown slug."""
        self._desk.note("integrations.env_vars", slug=slug)
        known = CATALOGUE.get(slug)
        return [*known.env_vars] if known else []


class MockAsyncBilling:
    """``client.billing``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def balance(self, **_: Any) -> Balance:
        """What was given as ``balance``."""
        self._desk.note_platform("billing.balance")
        return self._desk.world.balance

    async def spend_caps(self, **_: Any) -> SpendCaps:
        """What was given as ``spend_caps``."""
        self._desk.note_platform("billing.spend_caps")
        return self._desk.world.spend_caps

    async def usage(self, period: Literal["day", "month"] = "month", **_: Any) -> dict[str, Any]:
        """What was given as ``usage``."""
        self._desk.note_platform("billing.usage", period=period)
        return dict(self._desk.world.usage)


class MockAsyncData:
    """``client.data``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def execute(self, action_id: str, args: Mapping[str, Any] | None = None, **_: Any) -> Any:
        """What is set for the action."""
        args = dict(args or {})
        self._desk.note_platform("data.execute", action_id=action_id, args=args)
        return self._desk.execute(action_id, args)


class MockAsyncEvents:
    """``client.events``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def subscribe(self, *, last_event_id: str | None = None, **_: Any) -> MockAsyncEventStream:
        """The events that were given, those after *last_event_id*."""
        self._desk.note_platform("events.subscribe", last_event_id=last_event_id)
        return MockAsyncEventStream(self._desk, last_event_id)


class MockAsyncEventStream:
    """The events of a mock client; it ends after the last."""

    def __init__(self, desk: Desk, last_event_id: str | None) -> None:
        self._desk = desk
        self._next = desk.after(last_event_id)
        self._closed = False
        self.last_event_id = last_event_id

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        events = self._desk.world.events
        if self._closed or self._next >= len(events):
            raise StopAsyncIteration
        message = events[self._next]
        self._next += 1
        self.last_event_id = message.id or self.last_event_id
        return message

    async def aclose(self) -> None:
        """No more events are given."""
        self._closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def _catalogue() -> list[Integration]:
    return [
        Integration(
            known.slug,
            known.name,
            category=known.category,
            supported_profiles=["user_oauth" if known.oauth else "byok_static"],
            default_profile="user_oauth" if known.oauth else "byok_static",
        )
        for known in CATALOGUE.values()
    ]
