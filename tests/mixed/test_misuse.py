"""What would be found out too late: under a lease, or never."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from quatrain.verity import AsyncVerityClient, VerityClient, VerityValidationError

from .._doubles import (
    BASE_URL,
    KEY,
    AsyncLedgerTransport,
    AsyncManualClock,
    FakeLedger,
    LedgerTransport,
    ManualClock,
)


async def receipt() -> str:
    return "receipt"


@pytest.mark.parametrize("on_lease", [receipt, "no function"], ids=["async", "text"])
async def test_an_on_lease_that_nobody_could_call_is_refused(on_lease: Any) -> None:
    """Before any request: nobody would await it."""
    clock = AsyncManualClock()
    ledger = FakeLedger(clock)
    async with httpx.AsyncClient(transport=AsyncLedgerTransport(ledger)) as http:
        verity = AsyncVerityClient(base_url=BASE_URL, api_key=KEY, http_client=http, clock=clock)
        with pytest.raises(VerityValidationError, match="on_lease has to be"):
            await verity.protect("k", namespace="ns", act=receipt, on_lease=on_lease)
    assert ledger.verbs == []


def test_an_observe_that_turns_out_to_be_async_does_not_lead_on_to_act() -> None:
    """In the blocking client; a lambda is not seen through, and what it would have found counts."""
    clock = ManualClock()
    ledger = FakeLedger(clock)
    ledger.expire()
    acted: list[str] = []
    observe: Any = lambda: receipt()  # noqa: E731, PLW0108 - the point: not seen through
    with httpx.Client(transport=LedgerTransport(ledger)) as http:
        verity = VerityClient(base_url=BASE_URL, api_key=KEY, http_client=http, clock=clock)
        with pytest.raises(TypeError, match="async client"):
            verity.protect("k", namespace="ns", act=lambda: acted.append("acted"), observe=observe)
    assert (ledger.verbs, acted) == (["lease"], [])
