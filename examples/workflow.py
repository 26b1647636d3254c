"""A workflow of three effects: each new run of a case picks up where the last one stopped.

python examples/workflow.py
"""

from __future__ import annotations

import asyncio
import tempfile

from quatrain import AsyncClient, EffectPreviouslyFailedError


class Shop:
    """Stands for the systems that the workflow acts on."""

    def __init__(self) -> None:
        self.card_works = False
        self.done: list[str] = []

    async def cancel(self) -> str:
        """Cancel the order."""
        self.done.append("cancel")
        return "cancelled"

    async def refund(self) -> str:
        """Refund it; fails while the customer's card does not work."""
        if not self.card_works:
            raise ConnectionRefusedError("the bank declined the card")
        self.done.append("refund")
        return "re_1"

    async def mail(self) -> str:
        """Tell the customer."""
        self.done.append("mail")
        return "sent"


async def return_order(q: AsyncClient, shop: Shop, order: str, run_id: str) -> None:
    """One run of the workflow, from the top: what is done already is answered by the ledger."""
    run = q.verity.workflow("returns").case(order).run(run_id)
    await run.protect("cancel", act=shop.cancel)
    await run.protect("refund", act=shop.refund)
    await run.protect("mail", act=shop.mail)


async def main() -> None:
    """Three runs: the bank says no; the failure stands; after a reset it goes through."""
    shop = Shop()
    order = "order_48392"
    with tempfile.TemporaryDirectory() as directory:
        async with AsyncClient.local(f"{directory}/quatrain.db") as q:
            try:
                await return_order(q, shop, order, "run_1")
            except ConnectionRefusedError as exc:
                print(f"run_1 did {shop.done} and stopped: {exc}")

            try:
                await return_order(q, shop, order, "run_2")
            except EffectPreviouslyFailedError as exc:
                print(f"run_2 stopped at {exc.effect_key!r}: {exc.cached_error['message']}")

            shop.card_works = True
            await q.verity.effects.reset(
                f"{order}:refund", namespace="returns", reason="the customer has a new card"
            )
            await return_order(q, shop, order, "run_3")
            print(f"run_3 went through. In all, done: {shop.done}")

            async for effect in q.verity.effects.iter(workflow="returns", case=order):
                print(f"  {effect.effect_name}: {effect.status} in {effect.run_id}")
            for event in await q.verity.effects.events(f"{order}:refund", namespace="returns"):
                print(f"  refund: {event.type} {(event.detail or {}).get('reason', '')}".rstrip())


if __name__ == "__main__":
    asyncio.run(main())
