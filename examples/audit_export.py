"""Export an audit log page by page, stop in the middle, and go on where it stopped.

python examples/audit_export.py

``iter_audit_log`` asks for the next page while this one is written. ``rows.offset`` is where to go
on: rows that are added meanwhile come at the end.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from quatrain import AsyncClient
from quatrain.velerian import AsyncVelerianClient


async def export(velerian: AsyncVelerianClient, file: Path, *, at_most: int | None = None) -> int:
    """Append what *file* does not have yet, a line of JSON a row; answers how many it has."""
    have = len(file.read_text().splitlines()) if file.exists() else 0
    async with velerian.iter_audit_log(offset=have, max_items=at_most, page_size=10) as rows:
        with file.open("a") as out:
            async for row in rows:
                out.write(json.dumps(row) + "\n")
        return rows.offset


async def main() -> None:
    """Make some history, export part of it, make more, export the rest."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "audit.jsonl")
        async with AsyncClient.local(Path(directory, "quatrain.db")) as q:
            for number in range(25):
                await q.velerian.invoke_abp("loan-review", {"amount": number})
            print(f"Exported {await export(q.velerian, file, at_most=15)} rows, then stopped.")
            for number in range(5):
                await q.velerian.invoke_abp("loan-review", {"amount": number})
            print(f"Exported the rest: {await export(q.velerian, file)} rows.")
        ids = [json.loads(line)["id"] for line in file.read_text().splitlines()]
        print(f"No row twice: {len(ids) == len(set(ids))}.")


if __name__ == "__main__":
    asyncio.run(main())
