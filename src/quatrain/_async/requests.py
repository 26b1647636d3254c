"""Requests to Velerian in a caller's own words. Source: contracts, Velerian, "Paths and errors"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from .._options import CallOptions
from .platform import AsyncPlatformClient

if TYPE_CHECKING:
    import httpx

    from .governance import AsyncGovernanceAPI


class AsyncRequests(AsyncPlatformClient):
    """What a client has for the routes that it has no method for."""

    _api: AsyncGovernanceAPI

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        idempotency_key: str | None = None,
    ) -> httpx.Response:
        """Any request: authenticated, retried, and errors raised; the answer as it came.

        *path* is below ``/api/v2/``, with a leading ``/`` below the base URL, and an absolute URL
        is taken as it is; the key goes along only where it has the client's own scheme, host and
        port. It is put together as it is given, not encoded as a part of a path would be, and
        ``..`` is resolved: it can leave ``/api/v2/``, and never the origin. *params* that are None
        are left out. The body is *json* or *content*.

        POST and PATCH are sent with an idempotency key, made up unless given, so that they can be
        retried. The response's ``.request`` does not hold the key.
        """
        from .governance import Ask  # noqa: PLC0415

        ask = Ask(
            params=params,
            json=json,
            content=content,
            headers=headers,
            timeout=timeout,
            max_retries=max_retries,
            idempotency_key=idempotency_key,
        )
        return await self._api.request(method, path, ask)

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[CallOptions],
    ) -> httpx.Response:
        """``request("GET", …)``."""
        return await self.request("GET", path, params=params, headers=headers, **options)

    async def post(
        self,
        path: str,
        *,
        json: Any = None,
        content: str | bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[CallOptions],
    ) -> httpx.Response:
        """``request("POST", …)``."""
        return await self.request(
            "POST",
            path,
            json=json,
            content=content,
            params=params,
            headers=headers,
            idempotency_key=idempotency_key,
            **options,
        )

    async def delete(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[CallOptions],
    ) -> httpx.Response:
        """``request("DELETE", …)``."""
        return await self.request("DELETE", path, params=params, headers=headers, **options)
