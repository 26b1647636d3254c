"""The renewal loop: one lease kept alive beside the action it protects."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .._runtime._async import Keeper
from .._runtime._core import EXPIRED, Lost
from .._schedule import RenewalSchedule
from ..errors.verity import VerityApiError, VerityError
from ..models.verity import LeaseGrantedResponse, RenewRequestBody

if TYPE_CHECKING:
    from .ledger import AsyncLedger

GONE = frozenset({403, 404, 409, 410})
"""Statuses of a renewal that mean the lease is not ours any more."""


async def keep_renewed(
    keeper: Keeper,
    ledger: AsyncLedger,
    namespace: str,
    lease: LeaseGrantedResponse,
    schedule: RenewalSchedule,
    log: logging.Logger,
) -> None:
    """Renew *lease* until the block beside it ends; raises Lost when it is lost.

    Begins when the first renewal is due. A renewal that fails for a passing reason puts the lease
    at risk: it is tried again, ever sooner, until the last confirmed deadline.
    """
    body = RenewRequestBody(
        effect_key=lease.effect_key,
        fence_token=lease.fence_token,
        lease_token=lease.lease_token,
    )
    clock = ledger.transport.clock
    delay = 0.0
    while not await keeper.wait(delay):
        keeper.check()
        sent = clock.now()
        timeout = schedule.request_timeout(sent, keeper.deadline, ledger.transport.timeout)
        try:
            await ledger.renew(namespace, body, timeout=timeout, max_retries=0)
        except VerityError as exc:
            if isinstance(exc, VerityApiError) and exc.status_code in GONE:
                raise Lost(f"the ledger refused to renew it ({exc})") from exc
            left = keeper.remaining
            log.warning("lease of %r at risk, %.1f s left: %s", lease.effect_key, left, exc)
            delay = schedule.after_failure(clock.now(), keeper.deadline)
        else:
            # counted from before the request: never later than the server's own end of it
            keeper.extend(sent + schedule.duration)
            delay = schedule.after_success(sent, clock.now())
            log.debug("renewed the lease of %r", lease.effect_key)


async def let_expire(_: Keeper) -> None:
    """Instead of renewing: begun when the lease runs out."""
    raise Lost(EXPIRED)
