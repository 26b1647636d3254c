"""Event streams, decoded by the WHATWG's rules whatever pieces they come in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quatrain._sse import MAX_RETRY, Decoder, Event


def decoded(*pieces: bytes, **options) -> list[Event]:
    """The events of one connection that sends *pieces*."""
    decoder = Decoder(**options)
    return [event for piece in pieces for event in decoder.feed(piece)]


def texts(*pieces: bytes) -> list[str]:
    """Their data."""
    return [event.data for event in decoded(*pieces)]


def by_the_book(stream: bytes) -> tuple[list[Event], str, int | None]:  # noqa: C901
    """The same, word for word from the standard: the events, the last id and the last retry."""
    text = stream.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff")
    lines, line, at = [], "", 0
    while at < len(text):
        if text[at] in "\r\n":
            at += text[at : at + 2] == "\r\n"
            lines.append(line)
            line = ""
        else:
            line += text[at]
        at += 1
    events: list[Event] = []
    data = event_type = id_buffer = last_id = ""
    retry = block_retry = None
    for line in lines:
        if line == "":
            last_id = id_buffer
            if data:
                data = data.removesuffix("\n")
                events.append(Event(event_type or "message", data, last_id, block_retry))
            data = event_type = ""
            block_retry = None
            continue
        if line[0] == ":":
            continue
        field, colon, value = line.partition(":")
        value = value.removeprefix(" ") if colon else ""
        if field == "event":
            event_type = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            id_buffer = value
        elif field == "retry" and value and all(char in "0123456789" for char in value):
            retry = block_retry = int(value)
    return events, last_id, retry


PARTS = [
    b"data", b"event", b"id", b"retry", b"datum", b":", b": ", b" ", b"\n", b"\r", b"\r\n", b"\n\n",
    b"data: x\n\n", b"id: 1\n", b"retry: 20\n", b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\0", b"7",
    "\u2028\u2029\x85\x0b\x0c\x1c".encode(), "é€😀".encode(), b"\xf0\x9f", b"\x80", b"\xff", b"",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PARTS) | st.binary(max_size=3), max_size=40), st.data())
def test_any_stream_in_any_pieces(parts: list[bytes], data: st.DataObject) -> None:
    """As the standard has it, wherever the network cuts."""
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    decoder = Decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    assert by_the_book(stream) == (events, decoder.last_event_id, decoder.retry)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=25))
def test_any_stream_byte_by_byte(parts: list[bytes]) -> None:
    """An event comes with its last byte, and not with the one after."""
    stream = b"".join(parts)
    decoder = Decoder()
    so_far: list[Event] = []
    for number in range(len(stream)):
        so_far += decoder.feed(stream[number : number + 1])
        assert by_the_book(stream[: number + 1])[0] == so_far


def test_what_an_event_is_made_of() -> None:
    """Its type, its data, its id and what it says of reconnects."""
    stream = b"id: 7\nevent: connection.connected\nretry: 1500\ndata: {}\n\n"
    assert [Event("connection.connected", "{}", "7", 1500)] == decoded(stream)


def test_what_is_not_said() -> None:
    """The type is message; the id is the last one told; the retry is of its own block only."""
    stream = b"id: 7\nretry: 5\nevent: a\ndata: 1\n\ndata: 2\n\n"
    assert [Event("a", "1", "7", 5), Event("message", "2", "7", None)] == decoded(stream)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_line_ends(end: bytes) -> None:
    """Each of the three, also cut in two."""
    stream = end.join([b"data: a", b"data: b", b"", b"data: c", b"", b""])
    assert ["a\nb", "c"] == texts(stream)
    assert ["a\nb", "c"] == texts(*(stream[i : i + 1] for i in range(len(stream))))


def test_a_cr_ends_its_line_at_once() -> None:
    """The event does not wait for what may follow; a line feed that does is no line."""
    decoder = Decoder()
    assert [Event("message", "a", "", None)] == decoder.feed(b"data: a\r\r")
    assert [] == decoder.feed(b"\n")
    assert [Event("message", "b", "", None)] == decoder.feed(b"data: b\n\n")


def test_other_separators_are_text() -> None:
    """Python's splitlines would end lines there."""
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    assert [text] == texts(f"data: {text}\n\n".encode())


@pytest.mark.parametrize("cuts", range(1, 4))
def test_one_byte_order_mark_is_skipped(cuts: int) -> None:
    """The first one, in whatever pieces; another is text."""
    stream = b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n"
    assert ["a", "c"] == texts(stream[:cuts], stream[cuts:])


def test_one_space_is_taken_off() -> None:
    """And no more."""
    assert ["a", "a", " a", "a "] == texts(b"data:a\n\ndata: a\n\ndata:  a\n\ndata: a \n\n")


def test_empty_data_is_data() -> None:
    """A block with none is no event, and forgets its type."""
    stream = b"event: a\n\ndata\n\ndata:\n\ndata\ndata\n\n"
    assert [Event("message", text, "", None) for text in ("", "", "\n")] == decoded(stream)


def test_a_block_without_data_still_tells_its_id_and_its_retry() -> None:
    """So can a server move the place to resume at."""
    decoder = Decoder()
    assert [] == decoder.feed(b"id: 9\nretry: 40\n\n")
    assert ("9", 40) == (decoder.last_event_id, decoder.retry)


def test_an_id_counts_with_its_block() -> None:
    """A block that the stream breaks off in says nothing."""
    decoder = Decoder(last_event_id="1")
    decoder.feed(b"id: 2\ndata: a\n\nid: 3\ndata: b\n")
    assert ("2", "3") == (decoder.last_event_id, decoder.block_id)
    decoder.reset()
    assert [Event("message", "c", "2", None)] == decoder.feed(b"data: c\n\n")


def test_an_id_with_a_nul_is_ignored_and_an_empty_one_is_not() -> None:
    """The last id is then none."""
    stream = b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid\ndata: c\n\n"
    assert ["1", "1", ""] == [event.id for event in decoded(stream)]


@pytest.mark.parametrize(
    "value", [b"", b"-1", b"1.5", b"1 ", "\uff11".encode(), "²".encode(), b"0x1"]
)
def test_a_retry_of_anything_but_ascii_digits_is_ignored(value: bytes) -> None:
    """The one before stands."""
    decoder = Decoder()
    decoder.feed(b"retry: 7\nretry: " + value + b"\n\n")
    assert decoder.retry == 7


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("007", 7),
        ("0", 0),
        ("9" * 12, 999_999_999_999),
        ("1" + "0" * 12, MAX_RETRY),
        ("9" * 9_999, MAX_RETRY),
    ],
)
def test_a_retry_of_many_digits(digits: str, expected: int) -> None:
    """Python makes no number of thousands of them."""
    decoder = Decoder()
    decoder.feed(f"retry: {digits}\n\n".encode())
    assert decoder.retry == expected


def test_a_new_connection_begins_anew() -> None:
    """With a byte order mark of its own, and nothing of the half block and the half character."""
    decoder = Decoder()
    decoder.feed(b"id: 1\ndata: a\n\nevent: x\ndata: \xf0\x9f\r")
    decoder.reset()
    assert [Event("message", "b", "1", None)] == decoder.feed(b"\xef\xbb\xbfdata: b\n\n")


LINES = [b"data: 12345\n", b"event: 12345\n", b"id: 12345\n"]


@pytest.mark.parametrize("line", [*LINES, b"data: 1\n", b"data\n"])
def test_an_event_that_is_too_large_is_not_kept(line: bytes) -> None:
    """Those before it come, none after it, and memory holds no more than the bound."""
    decoder = Decoder(max_event=40)
    assert [Event("message", "a", "1", None)] == decoder.feed(b"id: 1\ndata: a\n\nid: 2\n")
    for _ in range(100):
        decoder.feed(line)
    assert decoder.too_large
    assert [] == decoder.feed(b"\n\ndata: b\n\n")
    assert decoder.last_event_id == "1"


def test_a_line_that_is_too_long_is_not_kept() -> None:
    """Whatever it would have become."""
    decoder = Decoder(max_event=40)
    for _ in range(40):
        decoder.feed(b":")
    assert not decoder.too_large
    decoder.feed(b":")
    assert decoder.too_large


def test_what_is_dropped_has_no_bound() -> None:
    """Heartbeats come for ever, and the size of each event counts for itself."""
    decoder = Decoder(max_event=40)
    for _ in range(100):
        assert [] == decoder.feed(b": ping\nfuture: field\n")
        assert ["12345"] == [event.data for event in decoder.feed(b"data: 12345\n\n")]
    assert not decoder.too_large


def test_all_before_one_that_is_too_large_in_the_same_piece() -> None:
    """They are handed on."""
    decoder = Decoder(max_event=10)
    pieces = b"data: a\n\ndata: b\n\ndata: " + b"x" * 11 + b"\n\ndata: c\n\n"
    assert ["a", "b"] == [event.data for event in decoder.feed(pieces)]
    assert decoder.too_large
