"""What type checkers make of the effect client: read by mypy and pyright, never run."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from quatrain import AsyncClient, Client
from quatrain.verity import (
    AsyncRunContext,
    AsyncVerityClient,
    CommitUncertainError,
    Effect,
    EffectContext,
    LeaseCachedResponse,
    LeaseGrantedResponse,
    LeaseLostError,
    LeaseRequestBody,
    RunContext,
    VerityApiError,
    VerityClient,
)


async def coroutine() -> int:
    return 1


async def coroutine_in_context(context: EffectContext) -> int:
    return context.fence_token or 0


def plain() -> int:
    return 1


def plain_in_context(context: EffectContext) -> int:
    return context.fence_token or 0


async def find() -> int | None:
    return None


def find_plainly() -> int | None:
    return None


async def of_order(order_id: str) -> int:
    return len(order_id)


def of_order_plainly(order_id: str) -> int:
    return len(order_id)


class Shop:
    async def refund(self) -> int:
        return 1

    def refund_plainly(self, context: EffectContext) -> int:
        return 1


async def test_protect(verity: AsyncVerityClient, shop: Shop) -> None:
    assert_type(await verity.protect("k", act=coroutine), int)
    assert_type(await verity.protect("k", act=coroutine_in_context), int)
    assert_type(await verity.protect("k", act=plain), int)
    assert_type(await verity.protect("k", act=plain_in_context), int)
    assert_type(await verity.protect("k", act=lambda: 1), int)
    assert_type(await verity.protect("k", act=lambda: coroutine()), int)
    assert_type(await verity.protect("k", act=lambda context: plain_in_context(context)), int)
    assert_type(await verity.protect("k", act=functools.partial(of_order, "o")), int)
    assert_type(await verity.protect("k", act=functools.partial(of_order_plainly, "o")), int)
    assert_type(await verity.protect("k", act=shop.refund), int)
    assert_type(await verity.protect("k", act=shop.refund_plainly), int)
    assert_type(await verity.protect("k", act=coroutine, observe=find), int)
    assert_type(await verity.protect("k", act=coroutine, observe=find_plainly), int)
    assert_type(await verity.protect("k", act=plain, observe=find, namespace="n"), int)


async def test_run(run: AsyncRunContext, shop: Shop) -> None:
    assert_type(await run.protect("e", act=coroutine), int)
    assert_type(await run.protect("e", act=coroutine_in_context), int)
    assert_type(await run.protect("e", act=plain), int)
    assert_type(await run.protect("e", act=lambda: coroutine()), int)
    assert_type(await run.protect("e", act=shop.refund_plainly, key_suffix="s"), int)


def test_protect_sync(verity: VerityClient, run: RunContext, shop: Shop) -> None:
    assert_type(verity.protect("k", act=plain), int)
    assert_type(verity.protect("k", act=plain_in_context), int)
    assert_type(verity.protect("k", act=lambda: 1), int)
    assert_type(verity.protect("k", act=functools.partial(of_order_plainly, "o")), int)
    assert_type(verity.protect("k", act=shop.refund_plainly), int)
    assert_type(verity.protect("k", act=plain, observe=find_plainly), int)
    assert_type(run.protect("e", act=plain_in_context), int)


async def test_decorator(verity: AsyncVerityClient, sync: VerityClient) -> None:
    assert_type(await verity.protected(key="k")(of_order)("o"), int)
    assert_type(await verity.protected(key="k")(of_order_plainly)(order_id="o"), int)
    assert_type(sync.protected(key="k")(of_order_plainly)("o"), int)

    @verity.protected(key="k")
    async def refund(order_id: str, *, currency: str = "eur") -> bool:
        return True

    assert_type(await refund("o", currency="usd"), bool)
    await refund(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await refund("o", colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def test_the_rest(q: AsyncClient, sync: Client) -> None:
    lease = await q.verity.request_lease("ns", LeaseRequestBody(effect_key="k"))
    assert_type(lease, LeaseGrantedResponse | LeaseCachedResponse)
    assert_type(q.verity.effects.iter(), AsyncIterator[Effect])
    assert_type(sync.verity.effects.iter(), Iterator[Effect])
    assert_type(await q.verity.effects.get("k"), Effect)
    assert_type(sync.verity.effects.get("k"), Effect)
    try:
        await q.verity.protect("k", act=coroutine)
    except VerityApiError as exc:
        assert_type(exc.status_code, int)
        assert_type(exc.request_id, str | None)
    except (CommitUncertainError, LeaseLostError) as exc:
        assert_type(exc.effect_key, str)


async def test_mistakes(verity: AsyncVerityClient, sync: VerityClient) -> None:
    await verity.protect("k")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await verity.protect("k", act=coroutine, colour="red")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await verity.protect("k", act=of_order_plainly("o"))  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    sync.protect("k", act=plain, on_conflict="wait")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
