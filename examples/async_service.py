"""An asyncio service: a refund is paid once, however often it is asked for.

python examples/async_service.py
"""

from __future__ import annotations

import asyncio
import tempfile

from quatrain import AsyncClient


class Payments:
    """Stands for a payment provider, and is as blunt: asked twice, it pays twice."""

    def __init__(self) -> None:
        self.refunds: list[str] = []

    async def refund(self, order: str) -> str:
        """Pay; gives the receipt."""
        await asyncio.sleep(0.05)
        self.refunds.append(order)
        return f"receipt of {order}"

    async def find(self, order: str) -> str | None:
        """The receipt of an earlier refund."""
        return f"receipt of {order}" if order in self.refunds else None


async def refund_order(q: AsyncClient, payments: Payments, order: str) -> str:
    """What a request handler, a queue consumer or an agent's tool would call."""
    return await q.verity.protect(
        f"refund:{order}",
        act=lambda: payments.refund(order),
        observe=lambda: payments.find(order),  # asked first when an earlier attempt was cut off
        input_json={"order": order},  # for whoever reads the ledger
    )


async def main() -> None:
    """Five requests at once for one order, and one for another."""
    payments = Payments()
    with tempfile.TemporaryDirectory() as directory:
        # a service on several hosts has one ledger: AsyncClient(), and VERITY_* in its environment
        async with AsyncClient.local(f"{directory}/quatrain.db", namespace="payments") as q:
            orders = ["order_48392"] * 5 + ["order_48393"]
            receipts = await asyncio.gather(*(refund_order(q, payments, o) for o in orders))
            for order, receipt in zip(orders, receipts, strict=True):
                print(f"{order}: {receipt}")
            print(f"Asked {len(orders)} times, paid {len(payments.refunds)} times.")
            for event in await q.verity.effects.events("refund:order_48392"):
                print(f"  {event.at}  {event.type}, fence token {event.fence_token}")


if __name__ == "__main__":
    asyncio.run(main())
