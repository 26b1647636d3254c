"""An integration's token, used where it belongs; and what happens to connections, as it happens.

python examples/integrations.py

The platform in this process stands for Vendo: somebody connects Slack, whose grant it simulates.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import httpx

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.vendo import AsyncVendo, NotConnected


async def follow(vendo: AsyncVendo, after: str) -> str | None:
    """Say what happens, until something is disconnected; answers where to go on."""
    async with vendo.events.subscribe(last_event_id=after) as stream:
        async for message in stream:
            if "." in message.type:  # an old name repeats each: connection_created, …
                print(f"{message.type}: {message.data['slug']}")
            if message.type == "connection.disconnected":
                return stream.last_event_id
    return None


async def post(vendo: AsyncVendo, slack: httpx.MockTransport) -> int:
    """Post to Slack, which here is a function: the session puts the token on each request."""
    async with vendo.session("slack", transport=slack) as session:
        answer = await session.post("https://slack.com/api/chat.postMessage", json={"text": "hi"})
        return answer.status_code


def slack(request: httpx.Request) -> httpx.Response:
    """Stands for Slack: whoever has a token may post."""
    known = request.headers["authorization"].startswith("Bearer simulated-slack")
    return httpx.Response(200 if known else 401)


async def main() -> None:
    """Connect Slack, use it, disconnect it, while a task follows along."""
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPlatform(Path(directory, "quatrain.db")) as platform,
    ):
        env = platform.env
        async with AsyncVendo(
            platform.vendo_key,
            base_url=env["VENDO_BASE_URL"],
            credentials_url=env["VENDO_CREDENTIALS_URL"],
            data_proxy_url=env["VENDO_DATA_PROXY_URL"],
        ) as vendo:
            following = asyncio.create_task(follow(vendo, after="0"))
            connection = await asyncio.to_thread(platform.connect, "slack")
            status = await post(vendo, httpx.MockTransport(slack))
            await asyncio.to_thread(platform.disconnect, connection)
            resume = await following
            print(f"Slack answered {status}.")
            print(f"Next time it goes on after event {resume}.")

            vendo.invalidate("slack")
            try:
                await vendo.token("slack")
            except NotConnected as exc:
                print(f"{exc.slug} is not connected: {exc.code}.")


if __name__ == "__main__":
    asyncio.run(main())
