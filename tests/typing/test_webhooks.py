"""What type checkers make of webhooks: read by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, assert_type

from quatrain.webhooks import (
    MemorySeen,
    SeenStore,
    SqliteSeen,
    WebhookEvent,
    WebhookHandler,
    delivery,
    sign,
    verify_signature,
)

handler = WebhookHandler("whsec")


@handler.on("tasks.created")
def plain(payload: dict[str, Any]) -> int:
    return len(payload)


@handler.on("*")
async def coroutine(event: dict[str, Any]) -> str:
    return str(event["event_type"])


async def a_decorated_function_keeps_its_type(
    checked: Callable[[dict[str, Any]], int], awaited: Callable[[dict[str, Any]], Awaitable[str]]
) -> None:
    assert_type(plain({}), int)
    assert_type(await coroutine({}), str)
    assert_type(handler.on("x")(checked), Callable[[dict[str, Any]], int])
    assert_type(handler.on("x")(awaited), Callable[[dict[str, Any]], Awaitable[str]])


async def answers() -> None:
    headers, body = delivery("whsec", "tasks.created", {})
    assert_type(headers, dict[str, str])
    assert_type(body, bytes)
    assert_type(handler.handle(headers, body), tuple[dict[str, Any], int])
    assert_type(await handler.ahandle(headers, body), tuple[dict[str, Any], int])
    assert_type(handler.parse(headers, bytearray(body)), WebhookEvent)
    assert_type(sign("whsec", memoryview(body)), str)
    assert_type(verify_signature(["new", "old"], headers.get("X-VOS-Signature"), body), bool)


def stores(path: str) -> None:
    either: list[SeenStore] = [MemorySeen(), SqliteSeen(path)]
    with SqliteSeen(path) as store:
        assert_type(store, SqliteSeen)
        WebhookHandler(("new", "old"), seen=store)
    WebhookHandler("whsec", seen=either[0])


def mistakes() -> None:
    handler.on("x")(1)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    handler.on(plain)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    handler.handle({}, "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WebhookHandler(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    plain("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
