"""What the vendors' own clients get, and send, is what the OpenAPI document tells."""

from __future__ import annotations

from typing import Any

import pytest

from quatrain.server.asgi import Message

from ..server.openapi._contract import Contract
from ._platform import ServedPlatform
from .velerian._clients import official as velerian
from .velocity._clients import official as velocity
from .verity._agents import official as verity


async def test_it_is_looked_at(platform: ServedPlatform) -> None:
    """Of each of the three that have a client, an answer and a refusal."""
    platform.contract.checked.clear()
    with velocity.VelocityOS(await platform.install(), base_url=platform.origin) as client:
        client.whoami()
        client.tasks.create("Ship it", "L12")
        with pytest.raises(velocity.NotFoundError):
            client.modules.get("ZZ9")
    key = await platform.velerian_key()
    with velerian.VelerianClient(api_key=key, base_url=platform.origin) as client:
        client.usage_summary()
        client.invoke_abp("loan-review", payload={"amount": 100})
    settings = {"base_url": platform.base_url, "api_key": platform.make_key()}
    async with verity.VerityClient(**settings, namespace="a/b") as client:
        await client.protect("k", act=lambda: 1)
    # An answer is counted once it has gone out, so that the last may be here before its count.
    platform.recorder.wait_for("commit")
    assert platform.contract.checked == {
        "velocity_whoami": 1,
        "velocity_create_task": 1,
        "velocity_module": 1,
        "velerian_usage_summary": 1,
        "velerian_invoke": 1,
        "verity_lease": 1,
        "verity_commit": 1,
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer", "breach"),
    [
        ("GET", "/healthz", b"", 200, b'{"status": "ok"}', None),
        ("GET", "/healthz", b"", 200, b'{"status": "ok", "more": 1}', "more"),
        ("GET", "/healthz", b"", 200, b'{"status": "fine"}', "'ok' was expected"),
        ("GET", "/healthz", b"", 418, b"{}", "answers 418"),
        (
            "POST",
            "/manage/v1/vendo/reseal",
            b"",
            200,
            b'{"resealed": "1"}',
            "'1' is not of type 'integer'",
        ),
        (
            "POST",
            "/manage/v1/vendo/apps",
            b'{"name": "Shop"}',
            200,
            b'{"app": "shop", "name": "Shop", "created_at": "2026-05-17T09:30:00.000Z"}',
            "took what it should not",
        ),
        (
            "POST",
            "/manage/v1/vendo/apps",
            b'{"slug": "shop"}',
            200,
            b'{"app": "shop", "name": "Shop", "created_at": "yesterday"}',
            "is not a 'date-time'",
        ),
    ],
)
async def test_what_does_not_fit(
    method: str, path: str, body: bytes, status: int, answer: bytes, breach: str | None
) -> None:
    """Is kept, and the answer passed on as it is."""
    said: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        said.append(message)

    contract = Contract(app)
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode()}
    await contract(scope, receive, send)
    assert [status, answer] == [said[0]["status"], said[1]["body"]]
    if breach is None:
        assert [] == contract.breaches
    else:
        (told,) = contract.breaches
        assert breach in told
