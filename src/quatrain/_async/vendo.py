"""The client of Vendo. Source: contracts, Vendo."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

import attrs

from .. import _vendo as vendo
from .._headers import header_of
from .._options import CallOptions
from .._retry import RetryPolicy
from .._runtime._async import SYSTEM_CLOCK, Clock
from .._secret import Secret
from ..errors.vendo import FAMILY, PROXY_FAMILY, IdentityNotPresent, VendoConfigError
from .platform import AsyncPlatformClient

if TYPE_CHECKING:
    import httpx

    from .hosts import AsyncHosts
    from .verity import AsyncVerityClient

BASE_URL: Final = "https://vendo.run"
CREDENTIALS_URL: Final = "https://credentials.vendo.run"
DATA_PROXY_URL: Final = "https://composio-proxy.vendo.run"
USER_HEADER: Final = "X-Vendo-User-JWT"
PASSING: Final = frozenset({500, 502, 503, 504})
"""What is tried again; a 429 goes to the caller, who can do something else meanwhile."""


class AsyncVendo(AsyncPlatformClient):
    """Tokens and connections of integrations, billing, live events, actions on data.

    ::

        async with AsyncVendo() as vendo:
            token = await vendo.token("openai")
            async with vendo.session("slack") as slack:
                await slack.post("https://slack.com/api/chat.postMessage", json=message)
            async for message in vendo.events.subscribe():
                print(message.type, message.data)

    With an API key it asks the platform. Without one it is in OSS mode: tokens come from variables
    (``OPENAI_API_KEY``, …; ``VENDO_TOKEN_<SLUG>`` in either mode, before all else), and what only
    the platform can do raises VendoOnlyFeature before any request.

    - ``connections``, ``integrations``, ``billing``, ``events`` and ``data`` are the platform's
      parts; ``webhooks`` verifies what it sends, with the secret in ``VENDO_WEBHOOK_SECRET``.
    - Their methods take ``timeout`` and ``max_retries`` for the one call.

    They raise AuthError, NotConnected, NeedsReauth, BalanceExhausted, SpendCapExceeded,
    RateLimited, UpstreamError, ValidationError and VendoTransportError, all of them VendoError.

    Settings that are not given come from ``VENDO_API_KEY``, ``VENDO_BASE_URL``,
    ``VENDO_CREDENTIALS_URL`` and ``VENDO_DATA_PROXY_URL``; an empty variable counts as unset.
    Construction does no I/O; one client serves any number of event loops.

    - ``api_key``: the app's, ``vendo_sk_…``.
    - ``base_url``, ``credentials_url``, ``data_proxy_url``: the hosted platform's unless set. The
      key goes to these three and nowhere else. With ``quatrain serve`` they are
      ``http://127.0.0.1:8787``, and ``/credentials`` and ``/composio`` below it.
    - ``timeout``: seconds for each step of a request.
    - ``max_retries``: tries after the first, half a second, a second, … after one another; where
      there was no answer, or a 500, 502, 503 or 504.
    - ``user_jwt``: the user for whom it asks; see ``for_user``.
    - ``http_client``: the caller's ``httpx.AsyncClient``, used for everything and never closed.
    - ``allow_insecure``: send the key over plain http to other hosts than this one.

    Raises VendoConfigError for a setting that is unusable.
    """

    _key = Secret("")
    _whose: AsyncVendo | None = None
    """Whose connections it uses; None for its own."""

    def __init__(
        self,
        api_key: str | Secret | None = None,
        *,
        base_url: str | None = None,
        credentials_url: str | None = None,
        data_proxy_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 2,
        user_jwt: str | Secret | None = None,
        http_client: httpx.AsyncClient | None = None,
        allow_insecure: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        # both rebound: what is raised from here on shows no secret among this frame's locals
        if not isinstance(api_key, str | Secret | None):
            raise VendoConfigError("api_key has to be a string")
        api_key = Secret(api_key or vendo.setting("VENDO_API_KEY") or "")
        user_jwt = _jwt(user_jwt)
        _check_jwt(user_jwt)
        # the HTTP stack comes with the first client: who imports the package need not wait for it
        from .hosts import AsyncHosts  # noqa: PLC0415
        from .transport import AsyncTransport  # noqa: PLC0415

        def transport(url: str | None, variable: str, default: str, family: Any) -> AsyncTransport:
            return AsyncTransport(
                url or vendo.setting(variable) or default,
                api_key,
                family=family,
                timeout=timeout,
                # half a second, doubling to ten (contracts, Vendo, its first paragraph)
                policy=RetryPolicy(
                    max_retries=max_retries, base=0.5, cap=10.0, jitter=0.25, passing=PASSING
                ),
                allow_insecure=allow_insecure,
                http_client=http_client,
                clock=clock,
            )

        hosts = None
        if api_key:
            hosts = AsyncHosts(
                transport(base_url, "VENDO_BASE_URL", BASE_URL, FAMILY),
                transport(credentials_url, "VENDO_CREDENTIALS_URL", CREDENTIALS_URL, FAMILY),
                transport(data_proxy_url, "VENDO_DATA_PROXY_URL", DATA_PROXY_URL, PROXY_FAMILY),
            )
            self._transports = hosts.platform, hosts.credentials, hosts.proxy
        self._set_up(hosts, api_key, user_jwt, clock)

    def _set_up(self, hosts: AsyncHosts | None, key: Secret, user: Secret, clock: Clock) -> None:
        from ..vendo.webhooks import WebhooksAPI  # noqa: PLC0415 - its package imports this one
        from .actions import AsyncDataAPI  # noqa: PLC0415
        from .billing import AsyncBillingAPI  # noqa: PLC0415
        from .events import AsyncEventsAPI  # noqa: PLC0415
        from .hosts import AsyncVendoAPI  # noqa: PLC0415
        from .integrations import AsyncConnectionsAPI, AsyncIntegrationsAPI  # noqa: PLC0415
        from .tokens import AsyncTokens  # noqa: PLC0415

        if hosts is not None and user:
            hosts = attrs.evolve(hosts, user={USER_HEADER: user.reveal()})
        self._key = key
        self._clock = clock
        self._api = api = AsyncVendoAPI(hosts)
        self._tokens = AsyncTokens(hosts, key, user, clock)
        self.connections = AsyncConnectionsAPI(api)
        self.integrations = AsyncIntegrationsAPI(api)
        self.billing = AsyncBillingAPI(api)
        self.events = AsyncEventsAPI(api)
        self.data = AsyncDataAPI(api)
        self.webhooks = WebhooksAPI()

    def is_vendo_mode(self) -> bool:
        """Whether there is an API key, and so a platform to ask."""
        return bool(self._key)

    async def token(self, slug: str, **options: Unpack[CallOptions]) -> str:
        """A token that opens the integration *slug*.

        ``VENDO_TOKEN_<SLUG>`` goes before all else. The platform's tokens are kept for all of the
        process until shortly before they expire, and whoever wants the same one at the same time
        shares one request. Raises NotConnected where there is none; in OSS mode it names the
        variable to set.
        """
        return (await self._tokens.get(vendo.slug_of(slug), **options)).value.reveal()

    async def tokens(
        self, slugs: Iterable[str], **options: Unpack[CallOptions]
    ) -> dict[str, str | None]:
        """The tokens of several, None where there is none: one request for all that need one."""
        found = await self._tokens.get_all(vendo.slugs_of(slugs), **options)
        return {slug: None if each is None else each.value.reveal() for slug, each in found.items()}

    def invalidate(self, slug: str | None = None) -> None:
        """Forget the kept token of *slug*, or all that this client's key and user have."""
        self._tokens.invalidate(None if slug is None else vendo.slug_of(slug))

    def session(self, slug: str, **options: Any) -> httpx.AsyncClient:
        """An HTTP client that authorises with the token of *slug*; close it, or use it in a block.

        *options* are those of ``httpx.AsyncClient``. The token goes to the origin of its first
        request and to no other. After a 401 from there it is renewed once, unless another caller
        has renewed it already, and the request repeated.
        """
        from .session import new_session  # noqa: PLC0415

        return new_session(self._tokens, vendo.slug_of(slug), options)

    def connect_url(self, slug: str, return_to: str | None = None, state: str | None = None) -> str:
        """The page on which a person connects *slug*, and is then sent to *return_to*.

        Without *return_to* the platform says where to; the local one wants it. *state* comes back
        with the person: compare it with what you gave them. One is made up unless given; it stands
        in the URL. The URL holds the app's key: send the person there by a redirect, and put it in
        no page and no log.

        Raises VendoOnlyFeature without an API key.
        """
        from .._address import Address  # noqa: PLC0415

        hosts = self._api.require("connect_url")
        path = ("connections", "connect", vendo.slug_of(slug))
        back = {} if return_to is None else {"return_to": vendo.filled("return_to", return_to)}
        made_up = secrets.token_urlsafe(24)
        back["state"] = made_up if state is None else vendo.filled("state", state)
        origin = hosts.platform.origin
        try:
            # in one expression: no local variable ever holds the key
            target = origin.target(path, {"app_key": self._key.reveal(), **back})
        except ValueError as exc:
            reason = str(exc)
        else:
            return str(Address(origin, target).url)
        # outside, without a context: the frames that it came through hold the key
        raise FAMILY.input(f"no URL can be made of it: {reason}")

    def for_user(self, jwt: str | Secret) -> Self:
        """A client for one user of the app, who signed in with *jwt*.

        It uses this one's connections, and need not be closed. Raises VendoOnlyFeature without an
        API key.
        """
        user, jwt = _jwt(jwt), ""  # as in __init__
        hosts = self._api.require("for_user")
        _check_jwt(user)
        if not user:
            raise FAMILY.input("jwt has to be a string that is not empty")
        scoped = type(self).__new__(type(self))
        scoped._set_up(hosts, self._key, user, self._clock)  # noqa: SLF001 - one of its own
        scoped.data.effects = self.data.effects
        scoped._whose = self  # noqa: SLF001
        return scoped

    def for_request(self, headers: Any) -> Self:
        """``for_user`` with the user of a request that came in: its ``X-Vendo-User-JWT``.

        *headers* are the request's, a mapping or pairs. Raises IdentityNotPresent where there is
        none, and VendoOnlyFeature without an API key.
        """
        jwt = Secret(header_of(headers, USER_HEADER) or "")
        del headers  # as in __init__; there are cookies among them as well
        self._api.require("for_request")
        if not jwt:
            raise IdentityNotPresent(f"the request has no {USER_HEADER}: nobody has signed in")
        return self.for_user(jwt)

    def protect_writes_with(self, effects: Callable[[], AsyncVerityClient]) -> None:
        """Have actions that are given an ``effect_key`` protected by what *effects* answers.

        ``AsyncClient`` does so with the Verity client that it holds.
        """
        self.data.effects = effects

    def __repr__(self) -> str:
        if self._whose is not None:
            return f"{repr(self._whose)[:-1]} for a user>"
        return super().__repr__() if self._key else f"<{type(self).__name__} without a platform>"


def _jwt(given: str | Secret | None) -> Secret:
    """A user's token, or the empty one; raises ValidationError for what is no text."""
    if not isinstance(given, str | Secret | None):
        raise FAMILY.input("jwt has to be a string")
    return Secret(given or "")


def _check_jwt(jwt: Secret) -> None:
    """Raise ValidationError for what no header can carry."""
    from .._http import MAX_HEADER_KEY  # noqa: PLC0415

    if len(jwt.reveal()) > MAX_HEADER_KEY or not all("!" <= char <= "~" for char in jwt.reveal()):
        raise FAMILY.input("jwt is too long, or holds characters that a header can't carry")
