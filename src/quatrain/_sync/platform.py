# Generated from src/quatrain/_async/platform.py by scripts/make_sync.py. Do not edit.
"""The life of a platform's client: it closes, works in a block, says what it is, and is missed."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from .transport import Transport


class PlatformClient:
    """What every platform's client has, however it speaks to it through its transport."""

    _transport: Transport | None = None
    """None while it is not made, as in a traceback with locals out of ``__init__``."""

    def close(self) -> None:
        """Close the connections; a caller's ``http_client`` stays open. Twice is fine."""
        if self._transport is not None:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        transport = self._transport
        where = "(not made)" if transport is None else transport.origin.base_url
        return f"<{type(self).__name__} {where}>"

    def __del__(self) -> None:
        if self._transport is not None:
            self._transport.abandon(self)
