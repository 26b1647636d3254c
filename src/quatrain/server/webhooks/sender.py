"""One attempt at a delivery: a signed POST, and what came of it.

Source: contracts, Velocity OS, "Webhooks".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx

from quatrain._http import ssl_context
from quatrain._retry import parse_retry_after
from quatrain._secret import Secret
from quatrain._version import __version__
from quatrain.webhooks import sign

from .records import Claim, Outcome

USER_AGENT: Final = f"quatrain-webhooks/{__version__}"
TIMEOUT: Final = 10.0
"""Seconds for a whole attempt, from connecting to the end of the answer."""

_MAX_ANSWER: Final = 4_096
"""Bytes of an answer that are read; only an error's first words are of use."""
_MAX_ERROR: Final = 200
_KEEP: Final = 2.0
"""Seconds an idle connection is kept: through a burst, and for less than servers keep theirs."""


def make_client() -> httpx.AsyncClient:
    """The client that sends. Blocks for some 20 ms the first time: certificates are loaded."""
    # nothing that one receiver sets is shown to another
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        verify=ssl_context(),
        trust_env=False,
        follow_redirects=False,
        cookies=no_cookies,
        # the dispatcher bounds what is in flight; a limit here could only be leaked away by
        # attempts that are cancelled
        limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEEP),
    )


async def attempt(
    client: httpx.AsyncClient,
    claim: Claim,
    *,
    now_ms: Callable[[], int],
    timeout: float = TIMEOUT,
) -> Outcome:
    """Send it once. Whatever goes wrong is the outcome; only a cancellation is raised.

    *now_ms* is the server's clock, in milliseconds since 1970; *timeout* is in seconds.
    """
    body = claim.payload.encode()
    answer: httpx.Response | None = None
    text = bytearray()
    error = ""
    try:
        async with asyncio.timeout(timeout):
            headers = {
                "Content-Type": "application/json",
                "User-Agent": USER_AGENT,
                "Accept-Encoding": "identity",
                "X-VOS-Event-Type": claim.event_type,
                "X-VOS-Delivery-ID": claim.delivery_id,
                "X-VOS-Signature": sign(claim.secret, body, timestamp=now_ms() // 1000),
            }
            async with client.stream(
                "POST",
                claim.url,
                content=body,
                headers=headers,
                timeout=timeout,
                follow_redirects=False,
            ) as answer:
                async for chunk in answer.aiter_raw():
                    text += chunk
                    if len(text) >= _MAX_ANSWER:
                        break
    except (TimeoutError, httpx.TimeoutException):
        error = f"no answer within {timeout:g} seconds"
    except Exception as exc:  # noqa: BLE001 - a URL, a resolver, TLS, a receiver: all may be broken
        error = f"{type(exc).__name__}: {exc}"
    if answer is None:
        return Outcome(None, _line(error, claim.secret))
    # with its status the receiver has said it all: how the rest came through is of no account
    status = answer.status_code
    if Outcome(status).delivered:
        return Outcome(status)
    retry_after = parse_retry_after(answer.headers.get("retry-after"), now_ms() / 1000)
    said = bytes(text[:_MAX_ANSWER]).decode("utf-8", "replace")
    return Outcome(status, _line(f"answered {status}: {said}", claim.secret), retry_after)


def _line(text: str, secret: Secret) -> str:
    """*text* as one short line that a terminal can show and that does not hold *secret*."""
    words = " ".join(secret.scrub(text).split())
    return "".join(c if c.isprintable() else "\ufffd" for c in words[:_MAX_ERROR]).rstrip(" :")
