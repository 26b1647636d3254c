"""Several operations in one transaction of the store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from quatrain.server.store import Store
from quatrain.server.store.connection import side_by_side

from .test_store import queued


async def in_one_batch(
    store: Store, *requests: Coroutine[Any, Any, Any], return_exceptions: bool = False
) -> list[Any]:
    """Run them in one transaction, behind another that holds the writer up until all are queued.

    They are changes that may run side by side. What one raises is raised, or returned.
    """
    entered, release = threading.Event(), threading.Event()

    @side_by_side(lambda _: ())
    def block(connection: Any, now: int, _: None) -> None:
        entered.set()
        release.wait()

    store.write_unawaited(block, None)
    await asyncio.to_thread(entered.wait)
    tasks = [asyncio.create_task(request) for request in requests]
    await queued(store, len(tasks))
    release.set()
    return await asyncio.gather(*tasks, return_exceptions=return_exceptions)
