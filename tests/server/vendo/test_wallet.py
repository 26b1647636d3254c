"""The wallet: what is charged, refused and told, by itself and by processes that share it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quatrain.errors import InputError
from quatrain.server.store import Store
from quatrain.server.vendo import wallet
from quatrain.server.vendo.keys import AppKeys
from quatrain.server.vendo.wallet import (
    FIRST_CREDITS,
    MAX_MICROS,
    BalanceExhaustedError,
    Charge,
    DailyCapError,
    MonthlyCapError,
    State,
    WalletFullError,
    Wallets,
    began,
)

from .._support import START, ServerClock, as_argument
from ._support import APP, TENANT, Caller, rows

DAY = 24 * 60 * 60 * 1_000


@pytest.fixture
def woken() -> list[str]:
    return []


@pytest.fixture
def wallets(store: Store, woken: list[str]) -> Wallets:
    """Of a tenant with one app."""
    AppKeys(store).create(TENANT, APP)
    return Wallets(store, wake=lambda: woken.append("woken"))


def pay(store: Store, micros: int, provider: str = "openai") -> str:
    """Charge it: the code of the refusal, or nothing."""
    what = Charge(TENANT, 1, provider, "act", micros)
    refusal = store.write_blocking(wallet.charge, what)
    return "" if refusal is None else refusal.code


def told(store: Store) -> list[dict[str, Any]]:
    """What the app was told since it was last asked, without ids and times."""
    found = rows(store, "SELECT payload FROM vendo_events ORDER BY id")
    store.write_blocking(lambda connection, _now, _: connection.execute(_FORGET), None)
    events = [json.loads(payload) for (payload,) in found]
    return [{name: event[name] for name in event if name not in {"id", "at"}} for event in events]


_FORGET = "DELETE FROM vendo_events"


def kinds(store: Store) -> list[str]:
    return [event["kind"].partition(".")[2] for event in told(store)]


async def test_a_new_wallet(wallets: Wallets) -> None:
    """Is filled for a beginning, without caps."""
    state = await wallets.state(TENANT)
    assert State(wallet.Wallet(TENANT, 5_000_000, "USD", None, None), {"day": 0, "month": 0}) == (
        state
    )


async def test_looking_at_a_wallet_writes_nothing(
    wallets: Wallets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once there is one: it works while nothing can be written, and waits for no disk."""
    state = await wallets.state(TENANT)
    monkeypatch.delattr(Store, "write")
    assert state == await wallets.state(TENANT)


async def test_a_charge(store: Store, wallets: Wallets) -> None:
    """Leaves the credits, counts in both windows, is told and is in the usage."""
    assert "" == pay(store, 300)
    assert "" == pay(store, 200, "slack")
    state = await wallets.state(TENANT)
    assert (FIRST_CREDITS - 500, {"day": 500, "month": 500}) == (
        state.wallet.credits_micros,
        state.used,
    )
    assert [
        {"kind": "billing.usage_recorded", "provider": "openai", "micros": 300},
        {"kind": "billing.balance_changed", "remaining_micros": FIRST_CREDITS - 300},
        {"kind": "billing.usage_recorded", "provider": "slack", "micros": 200},
        {"kind": "billing.balance_changed", "remaining_micros": FIRST_CREDITS - 500},
    ] == told(store)
    assert {
        "period": "day",
        "since": "2027-01-15T00:00:00.000Z",
        "total_micros": 500,
        "by_provider": {"openai": 300, "slack": 200},
    } == (await wallets.usage(TENANT, "day")).as_json()


async def test_a_balance_that_is_too_small(store: Store, wallets: Wallets) -> None:
    """Refuses before anything is done; the last micro can be spent."""
    assert "balance_exhausted" == pay(store, FIRST_CREDITS + 1)
    assert [] == told(store)
    assert "" == pay(store, FIRST_CREDITS)
    assert "balance_exhausted" == pay(store, 1)
    assert 0 == (await wallets.state(TENANT)).wallet.credits_micros


@pytest.mark.parametrize("window", ["day", "month"])
async def test_a_cap(store: Store, wallets: Wallets, window: str) -> None:
    """Warns at 80 %, trips when it is reached or would be exceeded; each is told once."""
    await wallets.set_caps(TENANT, **{"daily" if window == "day" else "monthly": 1_000})
    code = "spend_cap_daily" if window == "day" else "spend_cap_monthly"
    assert "" == pay(store, 799)
    assert ["usage_recorded", "balance_changed"] == kinds(store)
    assert "" == pay(store, 51)
    assert [
        {"kind": "billing.usage_recorded", "provider": "openai", "micros": 51},
        {"kind": "billing.balance_changed", "remaining_micros": FIRST_CREDITS - 850},
        {"kind": "billing.cap_warned", "window": window, "pct": 85},
    ] == told(store)
    assert code == pay(store, 151)
    assert [{"kind": "billing.cap_tripped", "window": window}] == told(store)
    assert code == pay(store, 200)
    assert "" == pay(store, 150)
    assert ["usage_recorded", "balance_changed"] == kinds(store)
    assert code == pay(store, 1)
    assert [] == told(store)


async def test_a_cap_that_is_reached_by_one_charge(store: Store, wallets: Wallets) -> None:
    """Warns and trips."""
    await wallets.set_caps(TENANT, daily=100, monthly=1_000)
    assert "" == pay(store, 100)
    assert ["usage_recorded", "balance_changed", "cap_warned", "cap_tripped"] == kinds(store)


async def test_a_cap_of_nothing(store: Store, wallets: Wallets) -> None:
    """Refuses everything that costs something."""
    await wallets.set_caps(TENANT, daily=0)
    assert "spend_cap_daily" == pay(store, 1)
    assert ["cap_tripped"] == kinds(store)


async def test_a_window_ends(store: Store, wallets: Wallets, clock: ServerClock) -> None:
    """At midnight UTC what was spent counts no more, and is told of anew."""
    await wallets.set_caps(TENANT, daily=100, monthly=150)
    assert "" == pay(store, 100)
    clock.advance(16 * 60 * 60 * 1_000 - 1)
    assert "spend_cap_daily" == pay(store, 1)
    told(store)
    clock.advance(1)
    assert "spend_cap_monthly" == pay(store, 51)
    assert "" == pay(store, 50)
    assert ["cap_tripped", "usage_recorded", "balance_changed", "cap_warned"] == kinds(store)
    clock.advance(31 * DAY)
    assert "" == pay(store, 100)
    assert {"day": 100, "month": 100} == (await wallets.state(TENANT)).used


async def test_another_cap(store: Store, wallets: Wallets) -> None:
    """Counts what was spent already, and is told of by itself; one can be taken away."""
    await wallets.set_caps(TENANT, daily=100)
    assert "" == pay(store, 100)
    told(store)
    state = await wallets.set_caps(TENANT, daily=120, monthly=500)
    assert (120, 500) == (state.wallet.daily_micros, state.wallet.monthly_micros)
    assert "" == pay(store, 1)
    assert ["usage_recorded", "balance_changed", "cap_warned"] == kinds(store)
    state = await wallets.set_caps(TENANT, remove=frozenset({"day"}))
    assert (None, 500) == (state.wallet.daily_micros, state.wallet.monthly_micros)
    assert "" == pay(store, 100)


async def test_topping_up(store: Store, wallets: Wallets, woken: list[str]) -> None:
    """Is told, and bounded."""
    state = await wallets.top_up(TENANT, 5)
    assert FIRST_CREDITS + 5 == state.wallet.credits_micros
    assert [{"kind": "billing.balance_changed", "remaining_micros": FIRST_CREDITS + 5}] == (
        told(store)
    )
    assert ["woken"] == woken
    with pytest.raises(WalletFullError):
        await wallets.top_up(TENANT, MAX_MICROS)
    assert state == await wallets.state(TENANT)


@pytest.mark.parametrize("micros", [0, -1, MAX_MICROS + 1])
async def test_what_is_no_amount(wallets: Wallets, micros: int) -> None:
    """Is refused before the store is asked."""
    with pytest.raises(InputError):
        await wallets.top_up(TENANT, micros)
    with pytest.raises(InputError):
        await wallets.set_caps(TENANT, daily=micros or -5)


async def test_what_was_held_is_given_back(
    store: Store, wallets: Wallets, clock: ServerClock
) -> None:
    """To the windows that it was taken from; and only once."""
    before = await wallets.state(TENANT)
    row = store.write_blocking(wallet.hold, Charge(TENANT, 1, "crm", "act", 70))
    assert {"day": 70, "month": 70} == (await wallets.state(TENANT)).used
    clock.advance(DAY)
    store.write_blocking(wallet.release, (TENANT, row))
    store.write_blocking(wallet.release, (TENANT, row))
    assert before == await wallets.state(TENANT)
    clock.advance(-DAY)
    assert before == await wallets.state(TENANT)
    assert {} == (await wallets.usage(TENANT, "month")).by_provider
    assert [] == told(store)


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        ("2027-01-31T23:59:59.999", "2027-01-31", "2027-01-01"),
        ("2028-02-29T00:00:00.000", "2028-02-29", "2028-02-01"),
        ("2027-12-01T12:00:00.001", "2027-12-01", "2027-12-01"),
    ],
)
def test_windows_begin_at_midnight(now: str, day: str, month: str) -> None:
    """UTC."""

    def ms(text: str) -> int:
        return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)

    assert (ms(day), ms(month)) == (began("day", ms(now)), began("month", ms(now)))


# -- against a model ------------------------------------------------------------------------------


@attrs.define
class Model:
    """A wallet in plain Python."""

    credits: int = FIRST_CREDITS
    caps: dict[str, int | None] = attrs.Factory(lambda: {"day": None, "month": None})
    spent: dict[tuple[str, int], int] = attrs.Factory(dict)

    def used(self, window: Any, now: int) -> int:
        return self.spent.get((window, began(window, now)), 0)

    def charge(self, micros: int, now: int) -> str:
        if micros > self.credits:
            return BalanceExhaustedError.code
        for window, error in (("day", DailyCapError), ("month", MonthlyCapError)):
            cap = self.caps[window]
            if cap is not None and self.used(window, now) + micros > cap:
                return error.code
        self.move(micros, now)
        return ""

    def move(self, micros: int, at: int) -> None:
        self.credits -= micros
        for window in ("day", "month"):
            self.spent[window, began(window, at)] = self.used(window, at) + micros


AMOUNTS = st.integers(1, 3_000_000)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("charge"), AMOUNTS),
        st.tuples(st.just("hold"), AMOUNTS),
        st.tuples(st.just("release"), st.just(0)),
        st.tuples(st.just("top up"), AMOUNTS),
        st.tuples(st.just("daily"), AMOUNTS),
        st.tuples(st.just("monthly"), AMOUNTS),
        st.tuples(st.just("uncap"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 20 * DAY)),
    ),
    max_size=40,
)


class Run:
    """The steps, done to a wallet and to the model."""

    def __init__(self, store: Store, clock: ServerClock, tenant: str) -> None:
        self.store, self.clock, self.tenant = store, clock, tenant
        self.model = Model()
        self.held: list[tuple[int, int, int]] = []
        AppKeys(store).create(tenant, APP)
        self.app_id = rows(store, "SELECT MAX(id) FROM vendo_apps")[0][0]

    def charge(self, micros: int) -> None:
        what = Charge(self.tenant, self.app_id, "p", "a", micros)
        refusal = self.store.write_blocking(wallet.charge, what)
        code = self.model.charge(micros, self.clock.now)
        assert code == ("" if refusal is None else refusal.code)

    def hold(self, micros: int) -> None:
        what = Charge(self.tenant, self.app_id, "p", "a", micros)
        held = self.store.write_blocking(wallet.hold, what)
        code = self.model.charge(micros, self.clock.now)
        assert code == ("" if isinstance(held, int) else held.code)
        if isinstance(held, int):
            self.held.append((held, micros, self.clock.now))

    def release(self, _: int) -> None:
        if self.held:
            row, micros, at = self.held.pop()
            self.store.write_blocking(wallet.release, (self.tenant, row))
            self.model.move(-micros, at)

    def do(self, step: str, amount: int) -> None:
        if step == "wait":
            self.clock.advance(amount)
        elif step == "top up":
            self.store.write_blocking(wallet._top_up, {"tenant": self.tenant, "micros": amount})
            self.model.credits += amount
        elif step in {"daily", "monthly", "uncap"}:
            self.cap(step, amount)
        else:
            getattr(self, step)(amount)
        self.check()

    def cap(self, step: str, amount: int) -> None:
        given = {"daily": None, "monthly": None, step: amount}
        remove = {"day", "month"} if step == "uncap" else set()
        params = {**given, "tenant": self.tenant, "remove": remove}
        self.store.write_blocking(wallet._set_caps, params)
        for window, name in (("day", "daily"), ("month", "monthly")):
            if step == "uncap":
                self.model.caps[window] = None
            elif step == name:
                self.model.caps[window] = amount

    def check(self) -> None:
        state = self.store.write_blocking(wallet._state, self.tenant)
        now = self.clock.now
        assert self.model.credits == state.wallet.credits_micros >= 0
        assert self.model.caps == {w: state.wallet.cap(w) for w in ("day", "month")}
        for window in ("day", "month"):
            params = {"tenant": self.tenant, "period": window}
            usage = self.store.read_blocking(wallet._usage, params)
            spent = self.model.used(window, now)
            assert spent == state.used[window] == sum(usage.by_provider.values())


def test_it_does_what_the_model_does(store: Store, clock: ServerClock) -> None:
    """Credits, caps, windows and usage agree after every step."""
    number = 0

    @settings(deadline=None)
    @given(steps=STEPS)
    def run(steps: list[tuple[str, int]]) -> None:
        nonlocal number
        number += 1
        clock.now = START
        one = Run(store, clock, f"tenant-{number}")
        for step, amount in steps:
            one.do(step, amount)

    run()


# -- processes ------------------------------------------------------------------------------------

_SPENDER = """
import sys
from quatrain.server.store import store_on
from quatrain.server.vendo import wallet

paid = 0
with store_on(sys.argv[1]) as store:
    sys.stdin.readline()
    for _ in range(200):
        what = wallet.Charge("acme", 1, "openai", "act", int(sys.argv[2]))
        if store.write_blocking(wallet.charge, what) is None:
            paid += 1
print(paid)
"""


@pytest.mark.parametrize(("cap", "expected"), [(None, 5_000_000), (3_000_000, 3_000_000)])
def test_processes_never_overspend(
    store: Store, wallets: Wallets, database: Path, cap: int | None, expected: int
) -> None:
    """Nor leave anything that could have been paid for."""
    caps = {"tenant": TENANT, "daily": cap, "monthly": None, "remove": set()}
    store.write_blocking(wallet._set_caps, caps)
    price = 25_000
    spenders = [
        subprocess.Popen(
            [sys.executable, "-c", _SPENDER, as_argument(database), str(price)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for spender in spenders:
        assert spender.stdin is not None
        spender.stdin.write("go\n")
        spender.stdin.flush()
    paid = [int(spender.communicate(timeout=60)[0]) for spender in spenders]
    assert expected == sum(paid) * price
    left = store.write_blocking(wallet._state, TENANT).wallet.credits_micros
    assert FIRST_CREDITS - expected == left


# -- on the wire ----------------------------------------------------------------------------------


async def test_billing_on_the_wire(caller: Caller) -> None:
    """In the contract's words."""
    assert {
        "credits_remaining_micros": FIRST_CREDITS,
        "currency": "USD",
        "top_up_url": None,
    } == await caller.get("/api/billing/balance")
    assert {
        "daily_micros": None,
        "monthly_micros": None,
        "used_today_micros": 0,
        "used_month_micros": 0,
    } == await caller.get("/api/billing/spend-caps")
    assert {
        "period": "month",
        "since": "2027-01-01T00:00:00.000Z",
        "total_micros": 0,
        "by_provider": {},
    } == await caller.get("/api/billing/usage")
    assert "day" == (await caller.get("/api/billing/usage", period="day"))["period"]
    answer = await caller.send("GET", "/api/billing/usage", params={"period": "year"})
    assert (422, "validation_failed") == (
        answer.status_code,
        answer.headers["vendo-error-code"],
    )
