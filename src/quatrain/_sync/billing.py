# Generated from src/quatrain/_async/billing.py by scripts/make_sync.py. Do not edit.
"""Credits, and what they are spent on. Source: contracts, Vendo."""

from __future__ import annotations

from typing import Any, Literal, Unpack

from .. import _vendo as vendo
from .._options import CallOptions
from ..models.vendo import Balance, SpendCaps
from .hosts import VendoAPI


class BillingAPI:
    """``client.billing``. Without an API key everything raises VendoOnlyFeature."""

    def __init__(self, api: VendoAPI) -> None:
        self._api = api

    def balance(self, **options: Unpack[CallOptions]) -> Balance:
        """What is left, in micros."""
        return self._api.get(
            "billing.balance", "billing", "balance", reads=vendo.balance, **options
        )

    def spend_caps(self, **options: Unpack[CallOptions]) -> SpendCaps:
        """What may be spent in a day and in a month, and what has been, in micros."""
        return self._api.get(
            "billing.spend_caps", "billing", "spend-caps", reads=vendo.spend_caps, **options
        )

    def usage(
        self, period: Literal["day", "month"] = "month", **options: Unpack[CallOptions]
    ) -> dict[str, Any]:
        """What has been spent in the running *period*, as the platform breaks it down."""
        return self._api.get(
            "billing.usage",
            "billing",
            "usage",
            query={"period": vendo.period_of(period)},
            reads=vendo.usage,
            **options,
        )
