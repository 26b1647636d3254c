"""When nobody can tell what happened, or the ledger is away: what is raised, and what to do.

python examples/uncertain.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable

from quatrain import CommitUncertainError, EffectUncertainError, TransportError
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.verity import ConflictRetryConfig, EffectContext, VerityClient


class Bank:
    """Stands for a bank."""

    def __init__(self) -> None:
        self.transfers: list[str] = []

    def transfer(self, invoice: str) -> str:
        """Pay an invoice."""
        self.transfers.append(invoice)
        return f"tr_{len(self.transfers)}"

    def find(self, invoice: str) -> str | None:
        """An earlier transfer."""
        paid = invoice in self.transfers
        return f"tr_{self.transfers.index(invoice) + 1}" if paid else None


def pay(verity: VerityClient, bank: Bank, invoice: str, then: Callable[[], object]) -> str:
    """Pay an invoice, and tell the ledger; *then* happens right after the transfer."""

    def act() -> str:
        transfer = bank.transfer(invoice)
        then()
        return transfer

    return verity.protect(f"pay:{invoice}", act=act, lease_duration_ms=5_000)


def ledger_goes_away_after_the_transfer(
    verity: VerityClient, bank: Bank, platform: EmbeddedPlatform
) -> None:
    """The transfer is made and the ledger can't be told."""
    try:
        pay(verity, bank, "invoice_1", then=platform.stop)
    except CommitUncertainError as exc:
        print(f"invoice_1 is paid ({exc.result}), and the ledger does not know.")
        platform.start()  # somebody brings the ledger back
        print(f"invoice_1 is committed now: {exc.resolve()}")


def ledger_is_away(verity: VerityClient, bank: Bank, platform: EmbeddedPlatform) -> None:
    """No lease can be had: block is safe, proceed is for what must happen and may happen twice."""
    platform.stop()
    try:
        verity.protect("pay:invoice_2", act=lambda: bank.transfer("invoice_2"))
    except TransportError:
        print(f"invoice_2 is not paid without the ledger: {bank.find('invoice_2')}")

    def page(effect: EffectContext) -> str:
        return "under a lease" if effect.lease else "unprotected"

    print(f"On-call is paged {verity.protect('page', act=page, on_unavailable='proceed')}.")
    platform.start()


def killed_in_the_middle(verity: VerityClient, bank: Bank) -> None:
    """Two payments end without a word. Their leases run out; then somebody tries again."""

    def power_cut() -> None:
        raise KeyboardInterrupt

    for invoice in ("invoice_3", "invoice_4"):
        try:
            pay(verity, bank, invoice, then=power_cut)
        except KeyboardInterrupt:
            print(f"{invoice}: cut off; waiting until its lease runs out.")

    try:
        verity.protect(
            "pay:invoice_3", act=lambda: bank.transfer("invoice_3"), on_uncertain="raise"
        )
    except EffectUncertainError:
        print("invoice_3 may be paid or not, so it is not paid again: a person decides.")

    transfer = verity.protect(
        "pay:invoice_4",
        act=lambda: bank.transfer("invoice_4"),
        observe=lambda: bank.find("invoice_4"),
    )
    print(f"invoice_4 was paid before, observe found out: {transfer}")


def main() -> None:
    """Four invoices; none is paid twice."""
    bank = Bank()
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPlatform(f"{directory}/quatrain.db") as platform,
        VerityClient(
            base_url=platform.env["VERITY_BASE_URL"],
            api_key=platform.api_key,
            namespace="payments",
            conflict_retry=ConflictRetryConfig(max_attempts=100, max_delay_s=0.5),
        ) as verity,
    ):
        ledger_goes_away_after_the_transfer(verity, bank, platform)
        ledger_is_away(verity, bank, platform)
        killed_in_the_middle(verity, bank)
    print(f"The bank made these transfers: {', '.join(bank.transfers)}.")


if __name__ == "__main__":
    main()
