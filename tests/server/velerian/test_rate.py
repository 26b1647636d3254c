"""How often a key may ask, on a clock of the test's own."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from quatrain.server.velerian.rate import RateLimit

from .._support import ServerClock
from ._core import Caller

START = 1_000_000


def test_a_minutes_requests_at_once() -> None:
    """Then one by one, as they come back."""
    limit = RateLimit(60)
    assert [None] * 60 == [limit.take("k", START) for _ in range(60)]
    assert 1 == limit.take("k", START)
    assert 1 == limit.take("k", START + 999)
    assert None is limit.take("k", START + 1_000)
    assert 1 == limit.take("k", START + 1_000)
    assert [None] * 60 == [limit.take("k", START + 10**9) for _ in range(60)]
    assert 1 == limit.take("k", START + 10**9)


def test_a_keys_own_rate_wins() -> None:
    """And nobody's requests count for another."""
    limit = RateLimit(1)
    assert [None, None, 30] == [limit.take("own", START, 2) for _ in range(3)]
    assert [None, 60] == [limit.take("usual", START) for _ in range(2)]


@given(
    rate=st.integers(1, 10_000),
    steps=st.lists(st.integers(0, 90_000), max_size=20),
)
def test_the_wait_is_true(rate: int, steps: list[int]) -> None:
    """Who waits as long as was said gets through, and who waits a second less does not."""
    limit, now = RateLimit(rate), START
    for step in [0, *steps]:
        now += step
        wait = None
        while wait is None:
            wait = limit.take("k", now)
        assert 1 <= wait <= 60
        if wait > 1:
            assert limit.take("k", now + (wait - 1) * 1_000) is not None
        now += wait * 1_000
        assert limit.take("k", now) is None


def test_a_clock_that_is_set_back() -> None:
    """Gives nothing for free, and the wait stays true."""
    limit = RateLimit(1)
    assert None is limit.take("k", START)
    assert 60 == limit.take("k", START - 50_000)
    assert 1 == limit.take("k", START + 9_000)
    assert None is limit.take("k", START + 10_000)


async def test_the_platform_says_when(
    platform: Starlette, wire: httpx.AsyncClient, clock: ServerClock
) -> None:
    """429 with Retry-After, on both mounts together; then the request is taken."""
    caller = Caller.new(platform, wire, rate_per_minute=2)
    await caller.get("abps")
    answer = await caller.send("POST", "http://localhost/api/agenticx/networks/n/invoke", json={})
    assert 422 == answer.status_code
    refused = await caller.send("GET", "abps")
    assert (429, "30") == (refused.status_code, refused.headers["retry-after"])
    assert {"detail"} == refused.json().keys()
    assert "30 s" in refused.json()["detail"]
    await caller.other().get("abps")
    clock.advance(29_999)
    assert 429 == (await caller.send("GET", "abps")).status_code
    clock.advance(1)
    await caller.get("abps")


@pytest.mark.parametrize("presented", ["Bearer vk_live_nobody", "Basic eDp5", ""])
async def test_strangers_use_nothing_up(wire: httpx.AsyncClient, presented: str) -> None:
    """Without a key there is nothing to count."""
    for _ in range(3):
        answer = await wire.get("abps", headers={"authorization": presented})
        assert 401 == answer.status_code
