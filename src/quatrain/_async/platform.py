"""The life of a platform's client: it closes, works in a block, says what it is, and is missed."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from .transport import AsyncTransport


class AsyncPlatformClient:
    """What every platform's client has, however it speaks to it through its transport."""

    _transports: tuple[AsyncTransport, ...] = ()
    """One for each of its hosts, the main one first; none while they are not made, as in a
    traceback with locals out of ``__init__``."""

    async def aclose(self) -> None:
        """Close the connections; a caller's ``http_client`` stays open. Twice is fine."""
        await close_all(self._transports)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        where = self._transports[0].origin.base_url if self._transports else "(not made)"
        return f"<{type(self).__name__} {where}>"

    def leave(self) -> bool:
        """Nobody will close it: its connections end with their loops. Whether it has any."""
        left = [transport.abandon() for transport in self._transports]
        return any(left)

    def __del__(self) -> None:
        if self.leave():
            warnings.warn(
                f"unclosed {self!r}: use `async with`, or await aclose()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )


class _Closable(Protocol):
    @abstractmethod
    async def aclose(self) -> None: ...


async def close_all(each: Sequence[_Closable]) -> None:
    """Each of them, whatever closing another raises: who is cancelled leaves none open."""
    if each:
        try:
            await each[0].aclose()
        finally:
            await close_all(each[1:])
