"""Downloads of evidence in either flavour, and what is sent to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio

from quatrain._async.velerian import AsyncVelerianClient
from quatrain._sync.velerian import VelerianClient
from quatrain.models.velerian import EvidenceExport

from ._clients import AsyncQuickClock, QuickClock
from ._server import Exchange, Server

KEY = "vk_live_do_not_show_me"
SIGNATURE = "X-Signature=do-not-show-me"
BODY = bytes(range(256)) * 4_096  # 1 MiB, which takes several pieces


def export(url: str, delivery: str = "presigned") -> EvidenceExport:
    return EvidenceExport("exp_1", "invocation", "json", "s3", url, "2030-01-01", delivery)


def presigned(server: Server) -> EvidenceExport:
    """At another origin than the client's."""
    return export(f"http://127.0.0.1:{server.port}/evidence/e.json?{SIGNATURE}")


def download(
    flavour: str,
    export: EvidenceExport,
    to: Path,
    *,
    base_url: str = "https://velerian.example",
    **settings: Any,
) -> Path:
    """The file at *to*, with one client of that flavour."""
    usual: dict[str, Any] = {"api_key": KEY, "base_url": base_url}
    if flavour == "sync":
        with VelerianClient(clock=QuickClock(), **usual) as velerian:
            return velerian.download_evidence(export, to=to, **settings)

    async def main() -> Path:
        async with AsyncVelerianClient(clock=AsyncQuickClock(), **usual) as velerian:
            return await velerian.download_evidence(export, to=to, **settings)

    return anyio.run(main, backend=flavour)


def send(exchange: Exchange) -> None:
    exchange.answer(BODY, headers=("content-type: application/zip",))


def nothing_is_left(folder: Path) -> bool:
    """Only the file that was there before."""
    (file,) = folder.iterdir()
    return file.read_text() == "the old one"
