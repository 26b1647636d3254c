"""Answers as they come over a real connection, and what becomes of them."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

import pytest

from quatrain.verity import (
    ConflictRetryConfig,
    LeaseConflictError,
    LeaseGrantedResponse,
    VerityApiError,
    VerityAuthenticationError,
    VerityRateLimitError,
    VerityServerError,
    VerityTransportError,
)

from ._clients import FLAVOURS, KEY, commit, lease, use
from ._server import ANSWERS, GRANT, Exchange, Server, answer_well

pytestmark = pytest.mark.parametrize("flavour", FLAVOURS)
JSON = "content-type: application/json"
HTML = "content-type: text/html; charset=utf-8"


def error_of(flavour: str, handler: Any, *calls: Any, **settings: Any) -> Any:
    """What the first of *calls* raises."""
    with Server(handler) as server, pytest.raises(Exception) as caught:
        use(flavour, server.url, *(calls or [lease()]), **{"max_retries": 0} | settings)
    return caught.value


def test_what_goes_out(flavour: str) -> None:
    """Path, headers and body of a request."""
    with Server(answer_well) as server:
        (granted,) = use(flavour, server.url, lease("é\u2028"))
    sent = server.exchanges[0]
    assert isinstance(granted, LeaseGrantedResponse)
    assert (sent.method, sent.target) == ("POST", "/v1/effects/ns/lease")
    assert sent.body == '{"effectKey":"é\u2028"}'.encode()
    assert sent.headers.pop("user-agent").startswith("quatrain/")
    assert sent.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "content-length": str(len(sent.body)),
    }


@pytest.mark.parametrize("namespace", ["../x", ".", "..", "a/b", "a?b#c", "é", "%2e%2e"])
def test_a_namespace_arrives_as_one_segment(flavour: str, namespace: str) -> None:
    """Nothing on the way decodes it."""
    with Server(answer_well) as server:
        use(
            flavour,
            server.url,
            ("protect", {"effect_key": "k", "act": int, "namespace": namespace}),
        )
    parts = server.exchanges[0].target.split("/")
    assert [unquote(part) for part in parts] == ["", "v1", "effects", namespace, "lease"]
    assert not {".", ".."} & set(parts)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
def test_a_compressed_answer_is_read(flavour: str, encoding: str) -> None:
    """What the request allowed."""
    plain = json.dumps(GRANT).encode()
    content = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}[encoding](plain)
    with Server(lambda e: e.answer(content, headers=(f"Content-Encoding: {encoding}",))) as server:
        assert use(flavour, server.url, lease(), lease())[1].raw == GRANT


def test_an_answer_in_chunks_is_read(flavour: str) -> None:
    """However it is cut."""
    body = json.dumps(GRANT).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[i : i + 1]) for i in range(len(body)))
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with Server(lambda e: e.raw(head + chunks + b"0\r\n\r\n")) as server:
        found = use(flavour, server.url, lease(), lease())
    assert [granted.raw for granted in found] == [GRANT, GRANT]
    assert server.connections == [1, 1]


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"<html>hello</html>", HTML, "<html>hello</html>"),
        (b"", JSON, None),
        (b"null", JSON, None),
        (b"[]", JSON, []),
        (b'"granted"', JSON, "granted"),
        (b'{"status": "granted"}', JSON, {"status": "granted"}),
        (b'{"status": "queued"}', JSON, {"status": "queued"}),
        (b'{"fenceToken": NaN}', JSON, '{"fenceToken": NaN}'),
        (b"\xff\xfe\x00", JSON, "��\x00"),
        (b"caf\xe9", "content-type: text/plain; charset=latin-1", "caf�"),
        (b"words", "content-type: text/plain; charset=base64", "words"),
        (b"words", "content-type: text/plain; charset=undefined", "words"),
        (b"x" * 5_000, HTML, "x" * 500),
        (b"[" * 100_000, JSON, "[" * 500),
    ],
    ids=range(14),
)
@pytest.mark.parametrize("status", [200, 502])
def test_a_body_that_is_not_what_it_should_be_is_a_typed_error(
    flavour: str, body: bytes, headers: str, words: Any, status: int
) -> None:
    """With status, the JSON or the first part of the text, and the request id."""
    answer = {"status": status, "headers": (headers, "X-Request-Id: req_1")}
    error = error_of(flavour, lambda e: e.answer(body, **answer))
    assert type(error) is (VerityApiError if status == 200 else VerityServerError)
    assert (error.status_code, error.request_id) == (status, "req_1")
    assert error.body == ("" if body == b"" else words)
    assert [attempt.status_code for attempt in error.attempts] == [status]


def test_what_is_no_gzip_is_no_answer(flavour: str) -> None:
    """It says that it is compressed, and is not; nor is the next request's answer spoilt."""
    error = error_of(flavour, lambda e: e.answer(b"junk", headers=("content-encoding: gzip",)))
    assert isinstance(error, VerityTransportError)
    assert error.sent is True


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", True),
        (b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", True),
        (b"", True),
    ],
    ids=["other protocol", "half a body", "half a chunk", "bad header", "nothing"],
)
def test_a_connection_that_breaks_off_is_no_answer(flavour: str, data: bytes, sent: bool) -> None:
    """It may have been executed."""

    def cut(exchange: Exchange) -> None:
        exchange.raw(data)
        exchange.writer.close()

    error = error_of(flavour, cut)
    assert isinstance(error, VerityTransportError)
    assert error.sent is sent
    assert error.__cause__ is not None
    assert [attempt.number for attempt in error.attempts] == [1]


def test_nobody_there_was_never_sent(flavour: str) -> None:
    """So it is tried again, whatever it is."""
    with Server(answer_well) as server:
        url = server.url
    with pytest.raises(VerityTransportError) as caught:
        use(flavour, url, lease(), max_retries=1)
    assert caught.value.sent is False
    assert len(caught.value.attempts) == 2
    assert url in str(caught.value)


def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_the_timeout(
    flavour: str,
) -> None:
    """And it may have been executed."""
    error = error_of(flavour, lambda e: None, timeout=0.05)
    assert isinstance(error, VerityTransportError)
    assert error.sent is True
    assert "Timeout" in str(error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(flavour: str, status: int) -> None:
    """Neither within the origin nor out of it: the key goes nowhere else."""
    with Server(answer_well) as other:

        def redirect(exchange: Exchange) -> None:
            exchange.answer(b"", status=status, headers=(f"Location: {other.url}/effects",))

        error = error_of(flavour, redirect, max_retries=2)
    assert (type(error), error.status_code) == (VerityApiError, status)
    assert other.exchanges == []


def test_a_server_that_echoes_the_key_is_not_quoted_with_it(flavour: str) -> None:
    """Neither its body nor its request id."""

    def echo(exchange: Exchange) -> None:
        body = {"code": KEY, "message": f"unknown key {KEY}", "detail": [exchange.headers]}
        exchange.answer(body, status=401, headers=(JSON, f"x-request-id: {KEY}"))

    error = error_of(flavour, echo)
    assert type(error) is VerityAuthenticationError
    shown = f"{error!r} {error} {vars(error)}"
    assert KEY not in shown
    assert "unknown key ***" in shown


@pytest.mark.parametrize("asked", ["0", "0.01", "date"])
def test_a_rate_limit_is_waited_for(flavour: str, asked: str) -> None:
    """As long as the server asks, in seconds or as a date; then it goes on."""

    def limit(exchange: Exchange) -> None:
        if len(server.exchanges) < 3:
            value = formatdate(time.time() - 5, usegmt=True) if asked == "date" else asked
            exchange.answer({}, status=429, headers=(f"Retry-After: {value}",))
        else:
            answer_well(exchange)

    with Server(limit) as server:
        use(flavour, server.url, lease())
    assert len(server.exchanges) == 3


@pytest.mark.parametrize("asked", ["61", "86400"])
def test_a_rate_limit_over_the_cap_is_raised_at_once(flavour: str, asked: str) -> None:
    """It says how long it would have been."""

    def limit(exchange: Exchange) -> None:
        exchange.answer({}, status=429, headers=(f"Retry-After: {asked}",))

    with Server(limit) as server, pytest.raises(VerityRateLimitError) as caught:
        use(flavour, server.url, lease())
    assert caught.value.retry_after == float(asked)
    assert len(server.exchanges) == 1


def test_a_repeatable_request_is_sent_again_byte_for_byte(flavour: str) -> None:
    """Key and body are fixed before the first attempt; the attempts are told."""

    def fail(exchange: Exchange) -> None:
        exchange.drop() if len(server.exchanges) == 1 else exchange.answer({}, status=503)

    with Server(fail) as server, pytest.raises(VerityServerError) as caught:
        use(flavour, server.url, commit())
    bodies = {exchange.body for exchange in server.exchanges}
    keys = {exchange.headers["authorization"] for exchange in server.exchanges}
    assert (len(server.exchanges), len(bodies), len(keys)) == (3, 1, 1)
    first, second, third = caught.value.attempts
    assert (first.status_code, second.status_code, third.status_code) == (None, 503, 503)
    assert first.error is not None
    assert (first.number, second.number, third.number) == (1, 2, 3)
    assert first.waited is not None
    assert third.waited is None


def test_a_lease_is_not_sent_again_after_no_answer(flavour: str) -> None:
    """It may have been granted."""
    with Server(lambda e: e.drop()) as server, pytest.raises(VerityTransportError):
        use(flavour, server.url, lease())
    assert len(server.exchanges) == 1


def test_a_conflict_names_the_holder(flavour: str) -> None:
    """As the ledger tells it."""
    holder = {"agentId": "a", "fenceToken": 4, "leaseExpiresAt": "2030-01-01T00:00:00.000Z"}
    body = {"code": "lease_conflict", "message": "held", "requestId": "req_2", "holder": holder}
    quiet = ConflictRetryConfig(enabled=False)
    error = error_of(
        flavour,
        lambda e: e.answer(body, status=409),
        ("protect", {"effect_key": "k", "act": int}),
        conflict_retry=quiet,
    )
    assert type(error) is LeaseConflictError
    assert (error.body["holder"], error.request_id) == (holder, "req_2")


def test_a_large_body_arrives_whole(flavour: str) -> None:
    """Larger than any buffer on the way, both ways."""
    result = "x" * 60_000
    large = ANSWERS["commit"] | {"message": "y" * 1_000_000}
    with Server(lambda e: e.answer(large)) as server:
        (committed,) = use(flavour, server.url, commit([result] * 50))
    assert server.exchanges[0].json["result"] == [result] * 50
    assert committed.message == "y" * 1_000_000
