"""The outside world of the demo: a payment provider that keeps its books in a file.

It is as blunt as real ones can be: asked twice to refund an order, it pays twice.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["Provider", "Receipt"]

Receipt: TypeAlias = dict[str, Any]


class Provider:
    """A payment provider; every refund it made is a line of the file *books*."""

    def __init__(self, books: Path) -> None:
        self.books = books

    def refund(self, order: str, amount: str) -> Receipt:
        """Pay, and write it down for good."""
        receipt = {"receipt": f"re_{len(self.refunds()) + 1}", "order": order, "amount": amount}
        with self.books.open("a", encoding="utf-8") as books:
            books.write(f"{json.dumps(receipt)}\n")
            books.flush()
            os.fsync(books.fileno())
        return receipt

    def find(self, order: str) -> Receipt | None:
        """The refund of *order*, if there was one."""
        return next((receipt for receipt in self.refunds() if receipt["order"] == order), None)

    def refunds(self) -> list[Receipt]:
        """All refunds, oldest first."""
        if not self.books.exists():
            return []
        return [json.loads(line) for line in self.books.read_text(encoding="utf-8").splitlines()]
