"""What every platform's HTTP does alike: an answer, mostly JSON, or a refusal in its own words."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any, Final

from .asgi import (
    REQUEST_ID,
    Answer,
    ClientGoneError,
    Receive,
    Scope,
    Send,
    Streamed,
    header,
    send_json,
    send_streamed,
)
from .problems import ProblemError, RefusedError, internal_error
from .store import StoreUnavailableError

_log: Final = logging.getLogger("quatrain.server")


class PlatformAPI(ABC):
    """The ASGI app of one platform; nothing gets out of it but what the middleware must see."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            content = await self.answer(scope, receive)
        except ProblemError as raised:
            problem = raised
        except RefusedError as refusal:
            problem = self.of_refusal(refusal)
        except StoreUnavailableError as exc:
            text = f"the platform's database can't be used now: {exc}"
            problem = ProblemError(503, "unavailable", text, headers={"retry-after": "1"})
        except ClientGoneError:
            raise
        except Exception:  # noqa: BLE001 - it is logged, and answered
            # told in the platform's own words; the middleware, the last resort, has one for all
            _log.exception("%s failed", scope[REQUEST_ID])
            problem = internal_error()
        else:
            if isinstance(content, Streamed):
                await send_streamed(receive, send, content)
            elif isinstance(content, Answer):
                await content.respond(receive, send)
            else:
                await send_json(send, 200, content)
            return
        content = self.envelope(problem, scope[REQUEST_ID])
        await send_json(send, problem.status, content, self.headers_of(problem))

    @abstractmethod
    async def answer(self, scope: Scope, receive: Receive) -> Any:
        """The JSON of a success, a Streamed or an Answer. Raises ProblemError and RefusedError."""

    @abstractmethod
    def of_refusal(self, refusal: RefusedError) -> ProblemError:
        """What was refused by the state of things, as an answer."""

    @abstractmethod
    def envelope(self, problem: ProblemError, request_id: str) -> dict[str, Any]:
        """The JSON of an error."""

    def headers_of(self, problem: ProblemError) -> list[tuple[bytes, bytes]]:
        """What an error's answer has besides."""
        return problem.raw_headers


def bearer(scope: Scope) -> bytes | None:
    """The key that a request presents; None when it presents none."""
    scheme, _, key = (header(scope, b"authorization") or b"").partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else None


def unauthenticated(kind: str) -> ProblemError:
    """401: one answer for a missing, a malformed, an unknown and a revoked key."""
    return ProblemError(
        401,
        "unauthenticated",
        f"a valid API key is needed: Authorization: Bearer {kind}_…",
        headers={"www-authenticate": "Bearer"},
    )


def forbidden(scope: str) -> ProblemError:
    """403: the key is known, and lacks *scope*."""
    return ProblemError(403, "forbidden", f"this key lacks the scope {scope}")
