"""The integrations that this package knows by itself. Source: contracts, Vendo, "Two modes".

The clients read from it which variable a key of one's own is in, and the local platform what can be
connected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs


@attrs.frozen
class Known:
    """One integration."""

    slug: str
    name: str
    category: str
    env_vars: tuple[str, ...]
    """Where a key of one's own is looked for; the first is the token."""
    oauth: bool = False
    """Connected by a grant, not by pasting a key."""


CATALOGUE: Final[Mapping[str, Known]] = {
    known.slug: known
    for known in (
        Known("openai", "OpenAI", "ai", ("OPENAI_API_KEY",)),
        Known("anthropic", "Anthropic", "ai", ("ANTHROPIC_API_KEY",)),
        Known("openrouter", "OpenRouter", "ai", ("OPENROUTER_API_KEY",)),
        Known("telegram", "Telegram", "messaging", ("TELEGRAM_BOT_TOKEN",)),
        Known("elevenlabs", "ElevenLabs", "ai", ("ELEVENLABS_API_KEY",)),
        Known("assemblyai", "AssemblyAI", "ai", ("ASSEMBLYAI_API_KEY",)),
        Known("muapi", "MuAPI", "ai", ("MUAPI_API_KEY",)),
        Known("notion", "Notion", "productivity", ("NOTION_API_TOKEN",), oauth=True),
        Known("gmail", "Gmail", "email", ("GMAIL_ACCESS_TOKEN",), oauth=True),
        Known(
            "slack", "Slack", "messaging", ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"), oauth=True
        ),
    )
}
"""By slug."""
