"""Tokens that say for which user an app acts: ``X-Vendo-User-JWT``.

They are JSON Web Tokens of this platform's own: HS256, ``sub`` the user, ``aud`` the tenant,
``exp`` in seconds since 1970. Nothing else is taken: no other algorithm, and no header but the one
that is written here. Source: RFC 7519; contracts, Vendo, "Request scoping".
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any, Final

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server.names import checked
from quatrain.server.store import Store

from .records import UserTokenInvalidError
from .safe import Safe
from .sealing import Ring

DEFAULT_SECONDS: Final = 3_600
MAX_SECONDS: Final = 365 * 24 * 3_600
_MAX_LENGTH: Final = 4_096


class UserTokens:
    """Issues and reads them; for the event loop."""

    def __init__(self, store: Store, safe: Safe) -> None:
        self._store = store
        self._safe = safe

    async def issue(
        self, tenant: str, user_id: str, *, seconds: int = DEFAULT_SECONDS
    ) -> tuple[Secret, int]:
        """A token for the tenant's user, and when it ends, in milliseconds since 1970.

        Raises InputError for values that can't be meant.
        """
        if not 1 <= seconds <= MAX_SECONDS:
            raise InputError(f"a user's token is good for 1 to {MAX_SECONDS:,} seconds")
        ring = await self._safe.ring()
        now = self._store.now_ms() // 1_000
        until = now + seconds
        claims = {
            "sub": checked(user_id, "a user's id"),
            "aud": checked(tenant, "a tenant"),
            "iat": now,
            "exp": until,
        }
        # as UTF-8: escaped, the longest names would make a token that is too long to be read
        text = json.dumps(claims, separators=(",", ":"), ensure_ascii=False)
        content = f"{_HEADER}.{_encoded(text.encode())}"
        token = Secret(f"{content}.{_signature(ring.signing[0], content)}")
        return token, until * 1_000

    async def user_of(self, token: bytes, tenant: str) -> str:
        """The user's id. Raises UserTokenInvalidError."""
        claims = read(await self._safe.ring(), token)
        if claims["aud"] != tenant:
            raise UserTokenInvalidError("X-Vendo-User-JWT is of another tenant's user")
        if self._store.now_ms() >= claims["exp"] * 1_000:
            raise UserTokenInvalidError("X-Vendo-User-JWT has expired")
        user_id: str = claims["sub"]
        return user_id


def read(ring: Ring, token: bytes) -> dict[str, Any]:
    """The claims of a token that was signed with one of the keys; its time may be over.

    Raises UserTokenInvalidError.
    """
    header, _, rest = token.decode("latin-1").partition(".")
    payload, _, signature = rest.partition(".")
    content = f"{header}.{payload}"
    # compared as text: there is one way to write a signature, and one header
    genuine = [
        hmac.compare_digest(_signature(key, content).encode(), signature.encode())
        for key in ring.signing
    ]
    if header != _HEADER or len(token) > _MAX_LENGTH or not any(genuine):
        raise UserTokenInvalidError("X-Vendo-User-JWT is no token of this platform's")
    # signed here, so it is what is written above
    text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    claims: dict[str, Any] = json.loads(text)
    return claims


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _signature(key: bytes, content: str) -> str:
    return _encoded(hmac.digest(key, content.encode("utf-8"), "sha256"))


_HEADER: Final = _encoded(b'{"alg":"HS256","typ":"JWT"}')
