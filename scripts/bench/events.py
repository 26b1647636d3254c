"""How many events a second are decoded, and reach a program, against httpx-sse; and warm tokens.

    python scripts/bench/events.py               everything, as a table
    python scripts/bench/events.py --markdown    the README's table
    python scripts/bench/events.py --json

The same bytes go through both in the same pieces, those that a network hands on at once and those
that fit a packet. "decoded": bytes to events. "as messages": through ``events.subscribe`` and an
httpx client without a network, with each event's JSON parsed; there httpx-sse's ``EventSource``
reads the answer of the same client, and ``event.json()`` is called. Each round has a turn of each,
one after the other in a new order; a ratio is the median of the rounds' own ratios. Compares where
it is installed (``pip install httpx-sse``).

"tokens": ``vendo.token(…)`` again and again once it is kept, beside a look into a dictionary under
a lock, which any cache that threads share has to do at least.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import httpx
from rows import Aim, Row, as_json, as_markdown, as_text, paired

from quatrain._async.events import AsyncEventsAPI
from quatrain._async.hosts import AsyncHosts, AsyncVendoAPI
from quatrain._async.transport import AsyncTransport
from quatrain._retry import RetryPolicy
from quatrain._runtime import _async, _sync
from quatrain._secret import Secret
from quatrain._sse import Decoder
from quatrain._sync.events import EventsAPI
from quatrain._sync.hosts import Hosts, VendoAPI
from quatrain._sync.transport import Transport
from quatrain.errors.vendo import FAMILY
from quatrain.vendo import AsyncVendo, Vendo

_SIZES: Final = (40, 400, 4_000)
"""Characters of an event's data."""
_PIECES: Final = {"64 KiB pieces": 65_536, "packets": 1_400}
_BYTES: Final = 4_000_000
"""Of a turn; no more than 40,000 events."""
_TOKENS: Final = 100_000
_AIM: Final = Aim(at_least=1.0)
_RIVAL: Final = "httpx-sse"
_ORIGIN: Final = "https://vendo.example"
_HEADERS: Final = {"content-type": "text/event-stream"}

Pieces = list[bytes]
Turn = Callable[[Pieces, int], int]
"""Takes so many events from the pieces; how many there were."""


def _stream(size: int, piece: int) -> tuple[Pieces, int]:
    """A stream of events as it comes, and how many there are."""
    count = min(40_000, _BYTES // (size + 60))
    blocks: list[bytes] = []
    for number in range(1, count + 1):
        data = {"id": str(number), "kind": "connection.changed", "slug": ""}
        data["slug"] = "s" * max(0, size - len(json.dumps(data)))
        text = json.dumps(data)
        blocks.append(f"id: {number}\nevent: connection.changed\ndata: {text}\n\n".encode())
    body = b"".join(blocks)
    return [body[at : at + piece] for at in range(0, len(body), piece)], count


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An answer's, without a network."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def _answer(pieces: Pieces) -> httpx.MockTransport:
    return httpx.MockTransport(
        lambda _: httpx.Response(200, headers=_HEADERS, stream=_Body(pieces))
    )


# -- the contestants ------------------------------------------------------------------------------


def _decode(pieces: Pieces, count: int) -> int:  # noqa: ARG001 - like the others
    decoder = Decoder()
    return sum(len(decoder.feed(piece)) for piece in pieces)


def _receive(pieces: Pieces, count: int) -> int:
    with httpx.Client(transport=_answer(pieces)) as http:
        transport = Transport(_ORIGIN, http_client=http, clock=_sync.SYSTEM_CLOCK, **_settings())
        api = EventsAPI(VendoAPI(Hosts(transport, transport, transport)))
        found = 0
        for _ in api.subscribe():
            found += 1
            if found == count:
                break
        return found


def _receive_async(pieces: Pieces, count: int) -> int:
    async def main() -> int:
        async with httpx.AsyncClient(transport=_answer(pieces)) as http:
            transport = AsyncTransport(
                _ORIGIN, http_client=http, clock=_async.SYSTEM_CLOCK, **_settings()
            )
            api = AsyncEventsAPI(AsyncVendoAPI(AsyncHosts(transport, transport, transport)))
            found = 0
            async for _ in api.subscribe():
                found += 1
                if found == count:
                    break
            await transport.aclose()
            return found

    return asyncio.run(main())


def _settings() -> dict[str, Any]:
    return {
        "api_key": Secret("vendo_sk_benchmark"),
        "family": FAMILY,
        "timeout": 30.0,
        "policy": RetryPolicy(),
        "allow_insecure": False,
    }


def _rival() -> dict[str, Turn]:
    """httpx-sse's turns by what they are compared with; none where it is not installed."""
    try:
        source = importlib.import_module("httpx_sse").EventSource
    except ImportError:
        return {}

    def decode(pieces: Pieces, count: int) -> int:  # noqa: ARG001 - like the others
        response = httpx.Response(200, headers=_HEADERS, stream=_Body(pieces))
        return sum(1 for _ in source(response).iter_sse())

    def receive(pieces: Pieces, count: int) -> int:  # noqa: ARG001 - like the others
        with (
            httpx.Client(transport=_answer(pieces)) as http,
            http.stream("GET", _ORIGIN) as response,
        ):
            return sum(event.json() is not None for event in source(response).iter_sse())

    def receive_async(pieces: Pieces, count: int) -> int:  # noqa: ARG001 - like the others
        async def main() -> int:
            found = 0
            async with (
                httpx.AsyncClient(transport=_answer(pieces)) as http,
                http.stream("GET", _ORIGIN) as response,
            ):
                async for event in source(response).aiter_sse():
                    found += event.json() is not None
            return found

        return asyncio.run(main())

    return dict(zip(_OURS, (decode, receive, receive_async), strict=True))


_OURS: Final[dict[str, Turn]] = {
    "decoded": _decode,
    "as messages, sync": _receive,
    "as messages, async": _receive_async,
}


# -- the rounds -----------------------------------------------------------------------------------


def _rate(turn: Turn, pieces: Pieces, count: int) -> float:
    began = time.perf_counter()
    found = turn(pieces, count)
    took = time.perf_counter() - began
    if found != count:
        raise RuntimeError(f"{found} of {count} events came")
    return count / took


def events(rounds: int) -> Iterator[Row]:
    """A row for each way, size and cut."""
    rival = _rival()
    for way, ours in _OURS.items():
        for size in _SIZES:
            for cut, piece in _PIECES.items():
                pieces, count = _stream(size, piece)
                rates: dict[str, list[float]] = {"ours": [], _RIVAL: []}
                turns = [("ours", ours), *([(_RIVAL, rival[way])] if rival else [])]
                for _, turn in turns:  # once for nothing: what is loaded and cached on first use
                    _rate(turn, pieces, count)
                for number in range(rounds):
                    for name, turn in turns[:: -1 if number % 2 else 1]:
                        rates[name].append(_rate(turn, pieces, count))
                mine, theirs, ratio = paired(rates["ours"], rates[_RIVAL])
                yield Row(
                    group=f"events {way}",
                    what=f"{size:,} characters, {cut}",
                    unit="/s",
                    ours=mine,
                    against=_RIVAL if rival else "",
                    theirs=theirs,
                    ratio=ratio,
                    aim=_AIM if rival and way == "decoded" else None,
                )


# -- tokens ---------------------------------------------------------------------------------------


def _token(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"access_token": "tok", "token_type": "Bearer"})


def _tokens_sync(count: int) -> float:
    with httpx.Client(transport=httpx.MockTransport(_token)) as http:
        vendo = Vendo("vendo_sk_benchmark", http_client=http)
        vendo.token("openai")
        began = time.perf_counter()
        for _ in range(count):
            vendo.token("openai")
        return count / (time.perf_counter() - began)


def _tokens_async(count: int) -> float:
    async def main() -> float:
        async with httpx.AsyncClient(transport=httpx.MockTransport(_token)) as http:
            vendo = AsyncVendo("vendo_sk_benchmark", http_client=http)
            await vendo.token("openai")
            began = time.perf_counter()
            for _ in range(count):
                await vendo.token("openai")
            return count / (time.perf_counter() - began)

    return asyncio.run(main())


def _look_ups(count: int) -> float:
    lock, kept = threading.Lock(), {"openai": "tok"}
    began = time.perf_counter()
    for _ in range(count):
        with lock:
            kept.get("openai")
    return count / (time.perf_counter() - began)


def tokens(rounds: int) -> Iterator[Row]:
    """A row for each flavour."""
    for flavour, turn in {"sync": _tokens_sync, "async": _tokens_async}.items():
        turns: list[tuple[str, Callable[[int], float]]] = [("ours", turn), ("bare", _look_ups)]
        rates: dict[str, list[float]] = {name: [] for name, _ in turns}
        for number in range(rounds):
            for name, each in turns[:: -1 if number % 2 else 1]:
                rates[name].append(each(_TOKENS))
        mine, theirs, ratio = paired(rates["ours"], rates["bare"])
        yield Row(
            group="tokens from the warm cache",
            what=flavour,
            unit="/s",
            ours=mine,
            against="a look into a dictionary under a lock",
            theirs=theirs,
            ratio=ratio,
            aim=None,
        )


_GROUPS: Final = (events, tokens)
"""What is measured, each of them by a number of rounds."""


def main() -> None:
    """Measure, and show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    rows = [row for group in _GROUPS for row in group(options.rounds)]
    shown = as_json if options.json else as_markdown if options.markdown else as_text
    print(shown(rows))
    if any(row.met is False for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
