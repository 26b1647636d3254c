# Generated from src/quatrain/_async/hosts.py by scripts/make_sync.py. Do not edit.
"""Vendo's three hosts under one key, or none of them. Source: contracts, Vendo, "Two modes"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar, Unpack

import attrs

from .._options import CallOptions
from .._structure import Reader
from ..errors.vendo import VendoOnlyFeature
from .transport import Call, Transport

T = TypeVar("T")

API_VERSION: Final = "2026-05-02"


@attrs.frozen
class Hosts:
    """Where an app's requests go: each to one origin, all with the app's key."""

    platform: Transport
    credentials: Transport
    proxy: Transport
    user: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """The header of the user that the client is scoped to, if it is."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of each request to the platform."""
        return {"Vendo-API-Version": API_VERSION, **self.user}


class VendoAPI:
    """What the platform's parts ask through: in OSS mode each is refused by name."""

    def __init__(self, hosts: Hosts | None) -> None:
        self._hosts = hosts

    def require(self, feature: str) -> Hosts:
        """The hosts. Raises VendoOnlyFeature, before any request, when there is no API key."""
        if self._hosts is None:
            raise VendoOnlyFeature(
                f"{feature} needs the Vendo platform: pass api_key, or set VENDO_API_KEY"
            )
        return self._hosts

    def get(
        self,
        feature: str,
        *path: str,
        reads: Reader[T],
        query: Mapping[str, str] | None = None,
        **options: Unpack[CallOptions],
    ) -> T:
        """Read something of the platform, for what its callers know as *feature*."""
        hosts = self.require(feature)
        call = Call(
            name=f"vendo.{feature}",
            method="GET",
            path=("api", *path),
            query=query or {},
            headers=hosts.headers,
            repeatable=True,
            **options,
        )
        return hosts.platform.send(call, reads)
