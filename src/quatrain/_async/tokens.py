"""Tokens of integrations: from a variable, from the platform, once for all who want one.

Source: contracts, Vendo, "Two modes".
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Hashable, Iterable, Mapping
from typing import Final, Unpack

from .. import _vendo as vendo
from .._options import CallOptions
from .._runtime._async import Clock, may_wait_for
from .._runtime._flights import Flight
from .._secret import Secret
from .._tokens import HOLD_OFF, TOKENS, Token, is_to_be_seen
from ..errors import RateLimitError, ServerError, TransportError
from ..errors.vendo import NotConnected
from .flights import landed
from .hosts import AsyncHosts
from .transport import Call

# what may be over in a moment; whoever still has a token goes on with it
_PASSING: Final = (TransportError, ServerError, RateLimitError)


class AsyncTokens:
    """The tokens that one client may use; those of the platform are in the process's one cache."""

    def __init__(self, hosts: AsyncHosts | None, key: Secret, user: Secret, clock: Clock) -> None:
        self._hosts = hosts
        self._clock = clock
        where = None if hosts is None else hosts.credentials.origin.base_url
        self._whose = (_digest(key), _digest(user), where)

    async def get(self, slug: str, **options: Unpack[CallOptions]) -> Token:
        """The token of *slug*. Raises NotConnected, and the platform's errors."""
        hosts = self._hosts
        if (token := self._fixed(slug)) is not None:
            return token
        if hosts is None:
            raise vendo.not_connected(slug)
        key = self._key(slug)
        anew = is_to_be_seen(key)
        while True:
            if not anew and (token := TOKENS.fresh(key, self._clock.now())) is not None:
                return token
            flight, leads = TOKENS.flights.join(key)
            if leads:
                return await self._lead(hosts, slug, flight, anew=anew, **options)
            if not anew and (token := TOKENS.usable(key, self._clock.now())) is not None:
                return token  # somebody is renewing it
            if not may_wait_for(flight.thread):
                return await self._fetch(hosts, slug, **options)
            if (token := await landed(flight)) is not None:
                return token

    async def get_all(
        self, slugs: Iterable[str], **options: Unpack[CallOptions]
    ) -> dict[str, Token | None]:
        """The tokens of *slugs*, None where there is none: one request for all that need one."""
        found = {slug: self._fixed(slug) for slug in slugs}
        if self._hosts is None:
            return found
        missing = [slug for slug, token in found.items() if token is None]
        led: dict[str, Flight[Token]] = {}
        try:
            fetched = await self._lead_all(self._hosts, missing, led, **options)
        except BaseException as exc:
            for slug, flight in led.items():
                TOKENS.flights.fail(self._key(slug), flight, exc)
            raise
        for slug in missing:  # after the own ones have landed: two callers may wait for each other
            found[slug] = fetched[slug] if slug in fetched else await self._find(slug, **options)
        return found

    def invalidate(self, slug: str | None = None) -> None:
        """Forget the token of *slug*, or all of this client's."""
        if slug is not None:
            TOKENS.invalidate(self._key(slug))
            return
        for key in TOKENS.known():
            if isinstance(key, tuple) and key[:-1] == self._whose:
                TOKENS.invalidate(key)

    async def renewed(self, slug: str, refused: Token) -> Token | None:
        """A token instead of *refused*, which somebody may have renewed already.

        None where there is no other: it comes from a variable.
        """
        if self._hosts is None or self._fixed(slug) is not None:
            return None
        TOKENS.drop(self._key(slug), refused)
        return await self.get(slug)

    async def _lead(
        self,
        hosts: AsyncHosts,
        slug: str,
        flight: Flight[Token],
        *,
        anew: bool,
        **options: Unpack[CallOptions],
    ) -> Token:
        """Fetch the token for all who wait for it."""
        key = self._key(slug)
        try:
            # another's may have landed since this one looked
            token = None if anew else TOKENS.fresh(key, self._clock.now())
            if token is None:
                token = await self._fetch(hosts, slug, **options)
        except BaseException as exc:
            if isinstance(exc, NotConnected):  # what is kept is good for nobody
                TOKENS.invalidate(key)
            now = self._clock.now()
            old = TOKENS.usable(key, now) if isinstance(exc, _PASSING) else None
            if old is None:
                TOKENS.flights.fail(key, flight, exc)
                raise
            TOKENS.hold_off(key, old, now + HOLD_OFF)
            TOKENS.flights.land(key, flight, old)
            return old
        TOKENS.land(key, flight, token)
        return token

    async def _lead_all(
        self,
        hosts: AsyncHosts,
        slugs: list[str],
        led: dict[str, Flight[Token]],
        **options: Unpack[CallOptions],
    ) -> dict[str, Token | None]:
        """Fetch those of *slugs* that nobody has, or fetches, at once; *led* while it lasts."""
        for slug in slugs:
            key = self._key(slug)
            if is_to_be_seen(key) or TOKENS.fresh(key, self._clock.now()) is None:
                flight, leads = TOKENS.flights.join(key)
                if leads:
                    led[slug] = flight
        if not led:
            return {}
        fetched = await self._fetch_all(hosts, list(led), **options)
        for slug, flight in led.items():
            if (token := fetched[slug]) is not None:
                TOKENS.land(self._key(slug), flight, token)
            else:
                TOKENS.invalidate(self._key(slug))
                TOKENS.flights.fail(self._key(slug), flight, vendo.unbound(slug))
        return fetched

    async def _find(self, slug: str, **options: Unpack[CallOptions]) -> Token | None:
        try:
            return await self.get(slug, **options)
        except NotConnected:
            return None

    def _fixed(self, slug: str) -> Token | None:
        """The token that a variable holds: before the platform's, or where there is no platform."""
        value = vendo.setting(vendo.token_variable(slug))
        if value is None and self._hosts is None:
            value = vendo.own_token(slug)
        return None if value is None else Token(Secret(value))

    def _key(self, slug: str) -> Hashable:
        return (*self._whose, slug)

    async def _fetch(self, hosts: AsyncHosts, slug: str, **options: Unpack[CallOptions]) -> Token:
        call = _asking(hosts, "token", slug, **options)
        issued, sent = await hosts.credentials.send_timed(
            call, lambda answer: vendo.issued(answer, time.time())
        )
        return issued.token(sent)

    async def _fetch_all(
        self, hosts: AsyncHosts, slugs: list[str], **options: Unpack[CallOptions]
    ) -> dict[str, Token | None]:
        call = _asking(hosts, "tokens", "_bulk", {"slugs": ",".join(slugs)}, **options)
        issued, sent = await hosts.credentials.send_timed(
            call, lambda answer: vendo.issued_in_bulk(answer, slugs, time.time())
        )
        return {slug: None if each is None else each.token(sent) for slug, each in issued.items()}


def _asking(
    hosts: AsyncHosts,
    name: str,
    path: str,
    query: Mapping[str, str] | None = None,
    **options: Unpack[CallOptions],
) -> Call:
    return Call(
        name=f"vendo.{name}",
        method="GET",
        path=(path,),
        query=query or {},
        headers=hosts.user,
        repeatable=True,
        **options,
    )


def _digest(secret: Secret) -> bytes:
    """Tells secrets apart, and gives none away."""
    return hashlib.sha256(secret.reveal().encode()).digest()
