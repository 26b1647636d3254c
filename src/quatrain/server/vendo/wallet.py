"""A tenant's credits: what is left, what may be spent in a day and in a month, what was.

Amounts are in micros. A day and a month begin at midnight UTC. What costs something is charged in
the transaction that decides whether it may be: processes that share the database never spend more
than there is, or than a cap allows. Source: contracts, Vendo, "Two modes" and "Events (SSE)".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from quatrain.errors import InputError
from quatrain.server.problems import accepted
from quatrain.server.store import Connection, Store, queries
from quatrain.server.times import iso_time

from . import answers
from .events import emit_to_tenant
from .records import VendoRefusedError

Window: TypeAlias = Literal["day", "month"]
WINDOWS: Final[tuple[Window, ...]] = get_args(Window)

FIRST_CREDITS: Final = 5_000_000
"""What a wallet that nobody has filled begins with."""
CURRENCY: Final = "USD"
MAX_MICROS: Final = 10**15
"""A wallet's bounds, and a cap's: sums of such stay exact, whatever reads them."""
WARNED_AT: Final = 80
"""Percent of a cap at which the apps are warned."""

_SQL: Final = queries.load("vendo_wallet")


class BalanceExhaustedError(VendoRefusedError):
    """There are not enough credits left."""

    code = "balance_exhausted"
    status = 402


class DailyCapError(VendoRefusedError):
    """It would be more than may be spent in this day."""

    code = "spend_cap_daily"
    status = 402


class MonthlyCapError(VendoRefusedError):
    """It would be more than may be spent in this month."""

    code = "spend_cap_monthly"
    status = 402


class WalletFullError(VendoRefusedError):
    """No wallet can hold that much."""

    code = "validation_failed"
    status = 422


_CAP_ERRORS: Final[dict[Window, type[VendoRefusedError]]] = {
    "day": DailyCapError,
    "month": MonthlyCapError,
}


@attrs.frozen
class Wallet:
    """What a tenant has, and may spend; a cap that is None is none."""

    tenant: str
    credits_micros: int
    currency: str
    daily_micros: int | None
    monthly_micros: int | None

    def cap(self, window: Window) -> int | None:
        """What may be spent in it."""
        return self.daily_micros if window == "day" else self.monthly_micros


@attrs.frozen
class State:
    """A wallet, and what was spent of its windows."""

    wallet: Wallet
    used: dict[Window, int]

    def caps_as_json(self) -> answers.SpendCaps:
        """The caps and what counts against them, as they are answered."""
        return {
            "daily_micros": self.wallet.daily_micros,
            "monthly_micros": self.wallet.monthly_micros,
            "used_today_micros": self.used["day"],
            "used_month_micros": self.used["month"],
        }


@attrs.frozen
class Usage:
    """What was spent since the beginning of a window, and with whom."""

    period: Window
    since: int
    """Milliseconds since 1970."""
    by_provider: dict[str, int]

    def as_json(self) -> answers.Usage:
        """As it is answered."""
        return {
            "period": self.period,
            "since": iso_time(self.since),
            "total_micros": sum(self.by_provider.values()),
            "by_provider": self.by_provider,
        }


@attrs.frozen
class Charge:
    """What something costs, who wants it, and whom it is paid to."""

    tenant: str
    app_id: int
    provider: str
    action_id: str
    micros: int


class Wallets:
    """Every tenant's wallet; one is made with the first look into it."""

    def __init__(self, store: Store, *, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake

    async def state(self, tenant: str) -> State:
        """What is there."""
        # who only looks need not wait for the disk
        found = await self._store.read(_look, tenant)
        return await self._store.write(_state, tenant) if found is None else found

    async def usage(self, tenant: str, period: Window) -> Usage:
        """What was spent in this day, or this month."""
        return await self._store.read(_usage, {"tenant": tenant, "period": period})

    async def top_up(self, tenant: str, micros: int) -> State:
        """Add credits; sends billing.balance_changed.

        Raises InputError for what is no amount, WalletFullError.
        """
        _check_amount(micros, least=1)
        state = accepted(await self._store.write(_top_up, {"tenant": tenant, "micros": micros}))
        self._wake()
        return state

    async def set_caps(
        self,
        tenant: str,
        *,
        daily: int | None = None,
        monthly: int | None = None,
        remove: frozenset[Window] = frozenset(),
    ) -> State:
        """Set the caps that are given, take away those to *remove*; None leaves one as it is.

        What was spent in the windows already counts against a new cap. Raises InputError.
        """
        for cap in (daily, monthly):
            if cap is not None:
                _check_amount(cap, least=0)
        params = {"tenant": tenant, "daily": daily, "monthly": monthly, "remove": remove}
        return await self._store.write(_set_caps, params)


def began(window: Window, now: int) -> int:
    """When the day, or the month, of *now* began: milliseconds since 1970, both."""
    day = datetime.fromtimestamp(now // 1_000, UTC).replace(hour=0, minute=0, second=0)
    return int((day if window == "day" else day.replace(day=1)).timestamp()) * 1_000


def _check_amount(micros: int, *, least: int) -> None:
    if not least <= micros <= MAX_MICROS:
        raise InputError(f"an amount must be from {least} to {MAX_MICROS:,} micros")


# -- operations of the store ----------------------------------------------------------------------
#
# Each that changes something begins by opening the wallet, whose row is then locked: what follows
# is decided by one transaction after the other. A refusal is returned: what was told of it stays.


def charge(connection: Connection, now: int, what: Charge) -> VendoRefusedError | None:
    """Have it paid for, in the transaction that does it; or say why it must not be done."""
    held = hold(connection, now, what)
    if isinstance(held, VendoRefusedError):
        return held
    settle(connection, now, what)
    return None


def hold(connection: Connection, now: int, what: Charge) -> int | VendoRefusedError:
    """Take what it costs out of the wallet, before it is done; the row that tells of it.

    Nobody is told before it is ``settle``d; what was not done is given back by ``release``.
    """
    wallet = _open(connection, now, what.tenant)
    refusal = _refusal(connection, now, wallet, what.micros)
    if refusal is not None:
        return refusal
    _move(connection, now, what.tenant, now, what.micros)
    row = {**attrs.asdict(what), "now": now}
    return int(connection.execute(_SQL["add_usage"], row).fetchone()[0])


def settle(connection: Connection, now: int, what: Charge) -> None:
    """It was done: tell the apps what it cost, and what that leaves."""
    wallet = _open(connection, now, what.tenant)
    emit_to_tenant(
        connection,
        now,
        what.tenant,
        "billing.usage_recorded",
        provider=what.provider,
        micros=what.micros,
    )
    _tell_balance(connection, now, wallet)
    for window in WINDOWS:
        _tell_of_cap(connection, now, wallet, window)


def release(connection: Connection, now: int, params: tuple[str, int]) -> None:
    """It was not done: give back what was held for it. *params*: the tenant, and ``hold``'s row."""
    tenant, row_id = params
    _open(connection, now, tenant)
    row = connection.execute(_SQL["drop_usage"], {"id": row_id}).fetchone()
    if row is not None:
        micros, at = row
        _move(connection, now, tenant, at, -micros)


def _open(connection: Connection, now: int, tenant: str) -> Wallet:
    params = {"tenant": tenant, "credits": FIRST_CREDITS, "currency": CURRENCY, "now": now}
    return Wallet(*connection.execute(_SQL["open_wallet"], params).fetchone())


def _refusal(
    connection: Connection, now: int, wallet: Wallet, micros: int
) -> VendoRefusedError | None:
    if micros > wallet.credits_micros:
        return BalanceExhaustedError(
            f"this costs {micros:,} micros, and {wallet.credits_micros:,} are left",
            suggested_fix="top up: quatrain vendo wallet --top-up MICROS",
        )
    for window in WINDOWS:
        cap = wallet.cap(window)
        if cap is None:
            continue
        used = _used(connection, now, wallet.tenant, window)
        if used + micros > cap:
            _tell_tripped(connection, now, wallet, window, cap)
            return _CAP_ERRORS[window](
                f"this costs {micros:,} micros; {used:,} of the {cap:,} that may be spent"
                f" in a {window} are spent"
            )
    return None


def _move(connection: Connection, now: int, tenant: str, at: int, micros: int) -> None:
    """From the credits to what was spent in the windows of *at*; or back."""
    params = {"tenant": tenant, "micros": -micros, "now": now}
    connection.execute(_SQL["add_credits"], params).fetchone()
    for window in WINDOWS:
        _spend(connection, at, tenant, window, micros)


def _spend(
    connection: Connection, at: int, tenant: str, window: Window, micros: int
) -> tuple[int, int, int | None, int | None]:
    params = {"tenant": tenant, "period": window, "since": began(window, at), "micros": micros}
    row: tuple[int, int, int | None, int | None]
    row = connection.execute(_SQL["spend"], params).fetchone()
    return row


def _used(connection: Connection, now: int, tenant: str, window: Window) -> int:
    params = {"tenant": tenant, "period": window, "since": began(window, now)}
    row = connection.execute(_SQL["spent"], params).fetchone()
    return 0 if row is None else int(row[0])


def _tell_balance(connection: Connection, now: int, wallet: Wallet) -> None:
    left = wallet.credits_micros
    emit_to_tenant(connection, now, wallet.tenant, "billing.balance_changed", remaining_micros=left)


def _tell_of_cap(connection: Connection, now: int, wallet: Wallet, window: Window) -> None:
    """Warn near a cap, and say when it is reached: once a window, and again for another cap."""
    cap = wallet.cap(window)
    if not cap:
        return
    row_id, used, warned, _ = _spend(connection, now, wallet.tenant, window, 0)
    if used * 100 >= cap * WARNED_AT and warned != cap:
        connection.execute(_SQL["note_warned"], {"id": row_id, "cap": cap})
        emit_to_tenant(
            connection,
            now,
            wallet.tenant,
            "billing.cap_warned",
            window=window,
            pct=used * 100 // cap,
        )
    if used >= cap:
        _tell_tripped(connection, now, wallet, window, cap)


def _tell_tripped(
    connection: Connection, now: int, wallet: Wallet, window: Window, cap: int
) -> None:
    row_id, _, _, tripped = _spend(connection, now, wallet.tenant, window, 0)
    if tripped != cap:
        connection.execute(_SQL["note_tripped"], {"id": row_id, "cap": cap})
        emit_to_tenant(connection, now, wallet.tenant, "billing.cap_tripped", window=window)


def _state(connection: Connection, now: int, tenant: str) -> State:
    return _state_of(connection, now, _open(connection, now, tenant))


def _look(connection: Connection, now: int, tenant: str) -> State | None:
    """The same, of a wallet that is there."""
    row = connection.execute(_SQL["wallet"], {"tenant": tenant}).fetchone()
    return None if row is None else _state_of(connection, now, Wallet(*row))


def _state_of(connection: Connection, now: int, wallet: Wallet) -> State:
    used: dict[Window, int] = {
        window: _used(connection, now, wallet.tenant, window) for window in WINDOWS
    }
    return State(wallet, used)


def _usage(connection: Connection, now: int, params: dict[str, Any]) -> Usage:
    period: Window = params["period"]
    since = began(period, now)
    rows = connection.execute(_SQL["usage_by_provider"], {**params, "since": since})
    return Usage(period, since, dict(rows.fetchall()))


def _top_up(connection: Connection, now: int, params: dict[str, Any]) -> State | WalletFullError:
    wallet = _open(connection, now, params["tenant"])
    if wallet.credits_micros + params["micros"] > MAX_MICROS:
        return WalletFullError(f"a wallet holds at most {MAX_MICROS:,} micros")
    connection.execute(_SQL["add_credits"], {**params, "now": now}).fetchone()
    state = _state(connection, now, params["tenant"])
    _tell_balance(connection, now, state.wallet)
    return state


def _set_caps(connection: Connection, now: int, params: dict[str, Any]) -> State:
    wallet = _open(connection, now, params["tenant"])
    remove = params["remove"]
    caps = {
        "daily_micros": _cap(wallet.daily_micros, params["daily"], "day" in remove),
        "monthly_micros": _cap(wallet.monthly_micros, params["monthly"], "month" in remove),
    }
    connection.execute(_SQL["set_caps"], {**caps, "tenant": wallet.tenant, "now": now})
    return _state(connection, now, wallet.tenant)


def _cap(there: int | None, given: int | None, removed: bool) -> int | None:
    if given is not None:
        return given
    return None if removed else there
