"""Whole URLs: where they lead, and which of them is the client's own place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain._address import Address, moment, query_text, without
from quatrain._http import Origin, Outgoing

BASE = Origin.parse("https://app.example", allow_insecure=False, refuse=RuntimeError)
BELOW = Origin.parse("https://app.example/gate", allow_insecure=False, refuse=RuntimeError)


def parse(text: Any, base: Origin = BASE, *, insecure: bool = False, **params: Any) -> Address:
    return Address.parse(
        text,
        base=base,
        root="/api/v2/",
        allow_insecure=insecure,
        refuse=RuntimeError,
        params=params,
    )


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("plans", "/api/v2/plans"),
        ("plans?a=b", "/api/v2/plans?a=b"),
        ("a b/ü#end", "/api/v2/a%20b/%C3%BC"),
        ("a%2Fb", "/api/v2/a%2Fb"),
        ("/api/agenticx/networks", "/api/agenticx/networks"),
        ("evil.example:80/x", "/api/v2/evil.example:80/x"),
        ("../../../etc", "/etc"),
        ("/../../etc", "/etc"),
        ("https://app.example/x?y=z", "/x?y=z"),
        ("HTTPS://APP.example:443/x", "/x"),
        ("https://app.example", "/"),
    ],
)
def test_a_place_of_ones_own(text: str, target: str) -> None:
    """Bare, from the base, or absolute: the very origin of the client."""
    address = parse(text)
    assert address.origin is BASE
    assert target == address.target
    assert address.is_at(BASE)


@pytest.mark.parametrize(
    ("text", "target"),
    [("plans", "/gate/api/v2/plans"), ("/x", "/gate/x"), ("https://app.example/x", "/x")],
)
def test_a_base_url_with_a_path(text: str, target: str) -> None:
    """What is not absolute is below it."""
    assert target == parse(text, BELOW).target


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/api/v2/plans",
        "https://app.example.evil.example/",
        "https://app.example./",
        "https://app.example:8443/",
        "https://xn--pp-example/",
        "http://127.0.0.1:80/",
        "https://evil.example/?https://app.example/",
    ],
)
def test_another_place(text: str) -> None:
    """A scheme, a host or a port that differs."""
    address = parse(text)
    assert not address.is_at(BASE)
    assert address.origin.core.host.decode() in text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (7, "string"),
        (None, "string"),
        ("//evil.example/x", "host's name"),
        ("https://app.example@evil.example/", "credentials"),
        ("https://user:word@app.example/", "credentials"),
        ("https://evil.example\\@app.example/", "credentials"),
        ("ftp://app.example/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https:///x", "https://"),
        ("a\nb", "no URL"),
        ("https://app.example:port/", "no URL"),
        ("\ud800", "no URL"),
        ("http://evil.example/", "unencrypted"),
        ("http://xn--pp-example/", "unencrypted"),
        ("http://app.example/", "unencrypted"),
        ("a" * 70_000, "no URL"),
    ],
)
def test_what_leads_nowhere_safe_is_refused(text: Any, reason: str) -> None:
    """Before any request."""
    with pytest.raises(RuntimeError, match=reason):
        parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://user:secret/word@app.example/", "Invalid port"),
        ("https://[secret]/", "Invalid IPv6 address"),
        ("https://secret\u200b.example/", "Invalid IDNA hostname"),
    ],
)
def test_what_is_refused_is_not_quoted(text: str, reason: str) -> None:
    """A password with a slash in it ends up where a port should be."""
    with pytest.raises(RuntimeError) as caught:
        parse(text)
    assert str(caught.value) == f"no URL can be made of it: {reason}"


def test_plain_http_can_be_allowed() -> None:
    """For a network that is one's own."""
    assert parse("http://evil.example/x", insecure=True).target == "/x"


def test_a_presigned_query_stays_as_it_was_signed() -> None:
    """Each character of it; and it is shown to nobody."""
    query = "X-Amz-Credential=AK%2F20301231%2Fs3&X-Amz-Signature=0a~b&x='%20+"
    address = parse(f"https://bucket.example/evidence/t/evp_1.json?{query}")
    assert f"/evidence/t/evp_1.json?{query}" == address.target
    request = Outgoing(address.origin, "GET", address.target, [], None, 1.0)
    assert request.for_client().url.raw_path.decode() == address.target
    assert request.for_lane().url.target.decode() == address.target
    assert "Signature" not in repr(address) + repr(request)


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({}, ""),
        ({"a": None}, ""),
        ({"a": "x y&z", "b": None, "c": 7}, "a=x%20y%26z&c=7"),
        ({"a": [1, None, "b"], "t": True, "f": False}, "a=1&a=b&t=true&f=false"),
        ({"at": datetime(2030, 1, 1, tzinfo=UTC)}, "at=2030-01-01T00%3A00%3A00%2B00%3A00"),
    ],
)
def test_params_are_a_query(params: dict[str, Any], query: str) -> None:
    """None is dropped, a list is its name several times."""
    assert query == query_text(params)
    assert "/api/v2/p" + (f"?{query}" if query else "") == parse("p", **params).target
    assert "/api/v2/p?z=1" + (f"&{query}" if query else "") == parse("p?z=1", **params).target


@pytest.mark.parametrize("params", [{"a": {}}, {"a": b"x"}, {"a": [[]]}, [("a", 1)]])
def test_what_no_query_can_carry_is_refused(params: Any) -> None:
    """It is not guessed at."""
    with pytest.raises(ValueError, match=r"param|query"):
        query_text(params)


@given(st.text())
def test_no_path_leaves_the_origin(text: str) -> None:
    """Unless it is an absolute URL, which is told apart."""
    try:
        address = parse("a" + text)
    except RuntimeError:
        return
    assert address.is_at(BASE) or "://" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2030-01-01", "2030-01-01"),
        (datetime(2030, 1, 1, tzinfo=UTC), "2030-01-01T00:00:00+00:00"),
        (
            datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            "2030-01-01T00:00:00+02:00",
        ),
    ],
)
def test_a_moment_is_iso_8601(value: Any, text: str) -> None:
    """With its zone; text goes as it is."""
    assert text == moment("since", value)


@pytest.mark.parametrize("value", [datetime(2030, 1, 1), "", " ", 7, None])  # noqa: DTZ001
def test_a_moment_that_nobody_can_place_is_refused(value: Any) -> None:
    """A time without a zone is another one on every machine."""
    with pytest.raises(ValueError, match="since"):
        moment("since", value)


def test_headers_less_some() -> None:
    """Whatever their case."""
    headers = [(b"Authorization", b"Bearer x"), (b"accept", b"*/*")]
    assert [(b"accept", b"*/*")] == without(headers, b"authorization")
