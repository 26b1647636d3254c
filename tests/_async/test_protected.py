"""A function turned into a protected one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from quatrain.verity import AsyncVerityClient, EffectContext, VerityValidationError

from .._doubles import FakeLedger

Connect = Callable[..., AsyncVerityClient]


async def test_the_key_is_made_of_the_arguments(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """However they are passed, defaults included."""

    @verity.protected(key="refund:{order_id}:{currency}")
    async def refund(order_id: str, *, currency: str = "eur") -> str:
        return f"{order_id} in {currency}"

    assert await refund("o1") == "o1 in eur"
    assert await refund(order_id="o1", currency="usd") == "o1 in usd"
    assert [key for _, key in ledger.effects] == ["refund:o1:eur", "refund:o1:usd"]


async def test_the_same_arguments_act_once(verity: AsyncVerityClient) -> None:
    """That is what it is for."""
    acted: list[str] = []

    @verity.protected(key="k:{order_id}")
    async def refund(order_id: str) -> str:
        acted.append(order_id)
        return order_id

    assert [await refund("a"), await refund("a"), await refund("b")] == ["a", "a", "b"]
    assert acted == ["a", "b"]


async def test_the_key_may_be_a_function_of_the_arguments(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """Where a template is not enough."""

    @verity.protected(key=lambda order, **_: f"refund:{order['id']}")
    async def refund(order: dict[str, str], note: str = "") -> str:
        return note

    assert await refund({"id": "o1"}, note="n") == "n"
    assert [key for _, key in ledger.effects] == ["refund:o1"]


async def test_observe_gets_the_same_arguments(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """To look for the very thing."""

    async def find(order_id: str, *, currency: str) -> str:
        return f"found {order_id} {currency}"

    @verity.protected(key="k", observe=find)
    async def refund(order_id: str, *, currency: str) -> str:
        raise AssertionError("acted, and must not")

    ledger.expire()
    assert await refund("o1", currency="eur") == "found o1 eur"


async def test_a_parameter_left_over_gets_the_context(verity: AsyncVerityClient) -> None:
    """In act and in observe."""

    @verity.protected(key="k:{order_id}")
    async def refund(order_id: str, context: EffectContext) -> str:
        return context.effect_key

    assert await refund("o1") == "k:o1"


async def test_methods(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """The template can look into self."""

    class Shop:
        name = "shop"

        @verity.protected(key="{self.name}:{order_id}")
        async def refund(self, order_id: str) -> str:
            return f"{self.name} refunds {order_id}"

    assert await Shop().refund("o1") == "shop refunds o1"
    assert [key for _, key in ledger.effects] == ["shop:o1"]


async def test_it_looks_like_the_function(verity: AsyncVerityClient) -> None:
    """Name, docstring and signature."""

    @verity.protected(key="k")
    async def refund(order_id: str) -> str:
        """Give the money back."""
        return order_id

    assert refund.__name__ == "refund"
    assert refund.__doc__ == "Give the money back."
    assert list(inspect.signature(refund).parameters) == ["order_id"]


async def test_options_go_to_protect(verity: AsyncVerityClient, ledger: FakeLedger) -> None:
    """All of them."""

    @verity.protected(key="k", namespace="other", effect_name="refund", lease_duration_ms=10_000)
    async def refund() -> str:
        return "receipt"

    assert await refund() == "receipt"
    assert list(ledger.effects) == [("other", "k")]
    assert ledger.bodies("lease") == [
        {"effectKey": "k", "effectName": "refund", "leaseDurationMs": 10_000}
    ]


async def test_a_partial_can_be_protected(verity: AsyncVerityClient) -> None:
    """It has no name to wrap."""

    async def refund(order_id: str, currency: str) -> str:
        return order_id + currency

    protected = verity.protected(key="{currency}")(functools.partial(refund, "o1"))
    assert await protected("eur") == "o1eur"


@pytest.mark.parametrize("template", ["{nobody}", "{order_id.name}", "{order_id[x]}", "{0}", "{"])
async def test_a_key_that_can_not_be_made_is_a_typed_error(
    verity: AsyncVerityClient, ledger: FakeLedger, template: str
) -> None:
    """It names the template; nothing is sent."""

    @verity.protected(key=template)
    async def refund(order_id: Any) -> str:
        raise AssertionError("acted, and must not")

    with pytest.raises(VerityValidationError, match="no key can be made"):
        await refund(7)
    assert ledger.verbs == []


async def test_an_argument_too_many_is_a_type_error(
    verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """As of the function itself, before any request."""

    @verity.protected(key="k")
    async def refund(order_id: str) -> str:
        raise AssertionError("acted, and must not")

    with pytest.raises(TypeError):
        await refund("a", "b")  # type: ignore[call-arg]
    assert ledger.verbs == []


async def test_an_empty_key_is_refused(verity: AsyncVerityClient) -> None:
    """A template of nothing but an empty argument."""

    @verity.protected(key="{order_id}")
    async def refund(order_id: str) -> str:
        raise AssertionError("acted, and must not")

    with pytest.raises(VerityValidationError, match="non-empty"):
        await refund("")


async def test_the_context_comes_after_arguments_by_keyword_too(
    verity: AsyncVerityClient,
) -> None:
    """However the call names them."""

    @verity.protected(key="refund:{order_id}")
    async def refund(order_id: str, context: EffectContext) -> list[str]:
        return [order_id, context.effect_key]

    protected: Any = refund
    assert await protected(order_id="o1") == ["o1", "refund:o1"]
