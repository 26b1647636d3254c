"""Where requests and the key may go."""

from __future__ import annotations

from urllib.parse import unquote

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain import _http
from quatrain._http import NoAnswer, Origin, Outgoing, check_key, encode_segment
from quatrain._secret import Secret


def parse(base_url, *, allow_insecure: bool = False) -> Origin:
    return Origin.parse(base_url, allow_insecure=allow_insecure, refuse=RuntimeError)


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://api.example/v1", "https://api.example/v1/effects"),
        ("https://api.example/v1/", "https://api.example/v1/effects"),
        ("https://api.example", "https://api.example/effects"),
        ("https://api.example:8443/a/b", "https://api.example:8443/a/b/effects"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/effects"),
        ("http://127.8.9.1/v1", "http://127.8.9.1/v1/effects"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/effects"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1/effects"),
        ("http://app.localhost/v1", "http://app.localhost/v1/effects"),
        ("https://api.example/vé", "https://api.example/v%C3%A9/effects"),
    ],
)
def test_paths_go_below_the_base(base_url: str, expected: str) -> None:
    """Https anywhere; plain http on loopback."""
    origin = parse(base_url)
    request = Outgoing(origin, "GET", origin.target(("effects",), {}), [], None, 1.0)
    assert str(request.for_client().url) == expected
    lane = request.for_lane().url
    assert httpx.URL(expected) == httpx.URL(
        scheme=lane.scheme.decode(), host=lane.host.decode(), port=lane.port, raw_path=lane.target
    )


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.example/v1",
        "http://10.0.0.1/v1",
        "http://0.0.0.0/v1",
        "http://127.0.0.1.evil.example/v1",
        "http://localhost.evil.example/v1",
        "http://evillocalhost/v1",
    ],
)
def test_plain_http_to_another_host_is_refused_unless_allowed(base_url: str) -> None:
    """The key would go over the wire for all to read."""
    with pytest.raises(RuntimeError, match="unencrypted"):
        parse(base_url)
    assert parse(base_url, allow_insecure=True).base_url == base_url


@pytest.mark.parametrize(
    ("base_url", "reason"),
    [
        ("ftp://api.example", "https://"),
        ("file:///etc/passwd", "https://"),
        ("api.example/v1", "https://"),
        ("//api.example/v1", "https://"),
        ("https://", "https://"),
        ("", "https://"),
        ("https://user:pass@api.example", "credentials"),
        ("https://user@api.example", "credentials"),
        ("https://@api.example", "credentials"),
        ("https://api.example\\@evil.example", "credentials"),
        ("https://api.example/v1?key=1", "query"),
        ("https://api.example/v1#part", "fragment"),
        ("https://api.example:port/v1", "not a URL"),
        ("https://api.example:99999/v1", "not a URL"),
        ("https://api.exa\nmple/v1", "not a URL"),
        ("https://[::1/v1", "not a URL"),
        (None, "string"),
        (b"https://api.example", "string"),
        (7, "string"),
    ],
)
@pytest.mark.parametrize("allow_insecure", [False, True])
def test_what_is_no_base_is_refused(base_url, reason: str, allow_insecure: bool) -> None:
    """With a reason, whatever is allowed."""
    with pytest.raises(RuntimeError, match=reason):
        parse(base_url, allow_insecure=allow_insecure)


@pytest.mark.parametrize(
    ("segment", "encoded"),
    [
        ("payments", "payments"),
        ("../x", "..%2Fx"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "%2E%2E%2E"),
        ("a.b", "a.b"),
        ("a/b", "a%2Fb"),
        ("a?b#c", "a%3Fb%23c"),
        ("a%2Fb", "a%252Fb"),
        ("\\", "%5C"),
        ("a b+c", "a%20b%2Bc"),
        ("é", "%C3%A9"),
        ("\x00\n", "%00%0A"),
        ("\u2028", "%E2%80%A8"),
    ],
)
def test_a_segment_stays_one_segment(segment: str, encoded: str) -> None:
    """On the wire as well: the URL does not decode or join it again."""
    assert encode_segment(segment) == encoded
    origin = parse("https://api.example/v1")
    target = origin.target(("effects", segment, "lease"), {})
    assert target == f"/v1/effects/{encoded}/lease"
    request = Outgoing(origin, "GET", target, [], None, 1.0)
    assert request.for_client().url.raw_path == request.for_lane().url.target == target.encode()
    request = Outgoing(origin, "GET", target, [], None, 1.0)
    assert request.for_lane().url.target == target.encode()
    assert request.for_client().url.raw_path == target.encode()


@pytest.mark.parametrize("segment", ["", "\ud800"])
def test_what_can_be_no_segment_is_refused(segment: str) -> None:
    """An empty one would let its neighbours meet; a lone surrogate is no text."""
    with pytest.raises(ValueError):
        encode_segment(segment)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_segment_leaves_its_endpoint(segment: str) -> None:
    """Whatever it is, the server finds the same segment in the same place."""
    path = parse("https://api.example/v1").target(("effects", segment, "lease"), {})
    parts = path.split("/")
    assert [unquote(part) for part in parts] == ["", "v1", "effects", segment, "lease"]
    assert not {".", ".."} & set(parts)


def test_a_query_is_encoded() -> None:
    """It can't add parameters, nor end early."""
    target = parse("https://api.example").target(("effects",), {"key": "a&b=c d#é", "limit": "5"})
    assert target == "/effects?key=a%26b%3Dc%20d%23%C3%A9&limit=5"


def test_the_host_never_changes() -> None:
    """Not with a segment that looks like another host."""
    origin = parse("https://api.example")
    target = origin.target(("//evil.example", "@evil.example"), {})
    request = Outgoing(origin, "GET", target, [], None, 1.0)
    assert request.for_client().url.host == "api.example"
    assert request.for_lane().url.host == b"api.example"


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX-Evil: 1", "ключ", "a" * 8_193, "\x7f", "a\n"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    """The reason does not quote it."""
    with pytest.raises(RuntimeError) as caught:
        check_key(Secret(key), RuntimeError)
    assert "api_key" in str(caught.value)
    assert not key or key not in str(caught.value)


def headers_of(key: Secret, *, has_body: bool) -> httpx.Headers:
    return httpx.Headers(
        _http.headers(key, user_agent=b"me/1", has_body=has_body, extra={"X": "y"})
    )


def test_the_key_is_in_the_authorization_header() -> None:
    """As the contract has it; the body's type is named when there is one."""
    headers = headers_of(Secret("vt_test_x"), has_body=True)
    assert headers["authorization"] == "Bearer vt_test_x"
    assert headers["accept"] == "application/json"
    assert headers["content-type"] == "application/json"
    assert (headers["user-agent"], headers["x"]) == ("me/1", "y")
    assert "content-type" not in headers_of(Secret("k"), has_body=False)


def test_the_environments_proxy_is_used_but_not_for_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``NO_PROXY`` is heeded."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    hosts = ("api.example", "inside.example", "127.0.0.1", "localhost")
    found = [parse(f"https://{host}").proxy() for host in hosts]
    assert [proxy and str(proxy.url) for proxy in found] == [
        "http://proxy.example:3128",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (httpx.ConnectError("x"), True),
        (httpx.ConnectTimeout("x"), True),
        (httpx.PoolTimeout("x"), True),
        (httpx.ReadTimeout("x"), False),
        (httpx.WriteError("x"), False),
        (httpx.RemoteProtocolError("x"), False),
        (httpx.ReadError("x"), False),
        (httpcore.ConnectError("x"), True),
        (httpcore.ConnectTimeout("x"), True),
        (httpcore.ReadTimeout("x"), False),
        (httpcore.WriteError("x"), False),
        (httpcore.RemoteProtocolError("x"), False),
    ],
)
def test_what_surely_was_not_sent(exc: Exception, expected: bool) -> None:
    """Only what fails before the connection stands."""
    assert NoAnswer.of(exc, Secret("key")).sent is not expected


def test_a_target_that_no_server_takes_is_refused() -> None:
    """Rather than a fault of whatever stands in the way."""
    origin = parse("https://api.example")
    assert len(origin.target(("effects",), {"key": "k" * 50_000})) == 50_013
    with pytest.raises(ValueError, match="60,013 characters"):
        origin.target(("effects",), {"key": "k" * 60_000})
