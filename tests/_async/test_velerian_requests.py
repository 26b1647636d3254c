"""Velerian's other routes: requests in a caller's own words, and where the key goes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from quatrain._async.velerian import AsyncVelerianClient
from quatrain.errors import velerian as errors

from .._doubles import AsyncInstantClock
from .._governance import KEY, ORIGIN, FakeGovernance

Connect = Callable[..., AsyncVelerianClient]


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("plans", f"{ORIGIN}/api/v2/plans"),
        ("plans/a b", f"{ORIGIN}/api/v2/plans/a%20b"),
        ("/api/agenticx/x", f"{ORIGIN}/api/agenticx/x"),
        ("../../x", f"{ORIGIN}/x"),
        (f"{ORIGIN}/x", f"{ORIGIN}/x"),
        ("HTTPS://VELERIAN.example:443/x", f"{ORIGIN}/x"),
    ],
)
async def test_the_key_goes_to_the_clients_own_origin(
    velerian: AsyncVelerianClient, governance: FakeGovernance, path: str, url: str
) -> None:
    """However the place is written; the response's request does not hold it."""
    governance.faults.append(httpx.Response(200, json={"a": 1}))
    response = await velerian.get(path, params={"limit": 5, "none": None})
    sent = governance.requests[0]
    assert (str(sent.url), str(response.request.url)) == (f"{url}?limit=5",) * 2
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in response.request.headers
    assert response.json() == {"a": 1}


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/x",
        "https://velerian.example.evil.example/x",
        "https://velerian.example:8443/x",
        "http://127.0.0.1/x",
    ],
)
async def test_the_key_goes_to_no_other_origin(
    velerian: AsyncVelerianClient, governance: FakeGovernance, url: str
) -> None:
    """Another host, port or scheme; nor is there an idempotency key that only ours would know."""
    governance.faults.extend([httpx.Response(200, json={}), httpx.Response(200, json={})])
    await velerian.get(url)
    await velerian.post(url, json={})
    for sent in governance.requests:
        assert str(sent.url) == url
        assert KEY not in str(sent.headers.raw)
        assert "idempotency-key" not in sent.headers


@pytest.mark.parametrize("path", ["", "//evil.example/x", "https://u:p@velerian.example/", "a\nb"])
async def test_a_path_that_leads_nowhere_is_refused(
    velerian: AsyncVelerianClient, governance: FakeGovernance, path: str
) -> None:
    """Before any request."""
    with pytest.raises(errors.VelerianInputError):
        await velerian.get(path)
    assert governance.requests == []


async def test_plain_http_elsewhere_has_to_be_allowed(
    velerian: AsyncVelerianClient, connect_velerian: Connect, governance: FakeGovernance
) -> None:
    """As for the base URL."""
    with pytest.raises(errors.VelerianInputError, match="unencrypted"):
        await velerian.get("http://elsewhere.example/x")
    governance.faults.append(httpx.Response(200))
    await connect_velerian(allow_insecure=True).get("http://elsewhere.example/x")


async def test_a_post_is_one_write(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """With one idempotency key over all attempts, made up unless it is given."""
    governance.faults.extend([503, 502])
    response = await velerian.post("api-keys", json={"name": "ci"})
    assert response.status_code == 200
    assert len(set(governance.keys)) == 1
    assert {r.content for r in governance.requests} == {b'{"name":"ci"}'}
    assert governance.requests[0].headers["content-type"] == "application/json"
    for given in ({"idempotency_key": "mine"}, {"headers": {"Idempotency-Key": "mine too"}}):
        governance.faults.append("lost")
        await velerian.post("api-keys", **given)
    assert governance.keys[-4:] == ["mine", "mine", "mine too", "mine too"]
    governance.faults.append("lost")
    with pytest.raises(errors.VelerianTransportError):
        await velerian.post("api-keys")


async def test_a_write_elsewhere_is_not_repeated(
    velerian: AsyncVelerianClient, governance: FakeGovernance, instant: AsyncInstantClock
) -> None:
    """Unless whoever sends it knows better, and gives a key."""
    governance.faults.append(503)
    with pytest.raises(errors.VelerianServerError):
        await velerian.post("https://elsewhere.example/x")
    governance.faults.append(503)
    await velerian.post("https://elsewhere.example/x", idempotency_key="mine")
    assert len(governance.requests) == 3
    governance.faults.append(503)
    governance.data["DELETE /x"] = {}
    await velerian.delete("https://elsewhere.example/x")
    assert len(governance.requests) == 5


async def test_bodies_and_headers_of_ones_own(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """A header takes the place of the usual one; a body without a type is just bytes."""
    headers = {"Accept": "text/csv", "User-Agent": "me/1", "X-Trace": "t"}
    await velerian.request("post", "imports", content="a;b", headers=headers)
    await velerian.post("imports", content=b"\x00", headers={"content-type": "text/csv"})
    await velerian.post("imports", json=[1, None])
    first, second, third = governance.requests
    assert (first.method, first.content) == ("POST", b"a;b")
    assert first.headers.get_list("accept") == ["text/csv"]
    assert first.headers.get_list("user-agent") == ["me/1"]
    assert first.headers["x-trace"] == "t"
    assert first.headers["content-type"] == "application/octet-stream"
    assert second.headers.get_list("content-type") == ["text/csv"]
    assert json.loads(third.content) == [1, None]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"json": {}, "content": b""}, "one body"),
        ({"json": object()}, "JSON"),
        ({"content": 7}, "content"),
        ({"content": "\ud800"}, "UTF-8"),
        ({"headers": {"Authorization": "Bearer x"}}, "Authorization"),
        ({"headers": [("X-Trace", "t")]}, "headers has to be a mapping"),
        ({"headers": {"Host": "evil.example"}}, "Host"),
        ({"headers": {"Content-Length": "1"}}, "Content-Length"),
        ({"headers": {"a b": "c"}}, "name"),
        ({"headers": {"X": "a\r\nY: b"}}, "X"),
        ({"params": {"a": {}}}, "query"),
        ({"params": 7}, "params"),
        ({"timeout": 0}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
    ],
)
async def test_what_can_not_be_sent_is_refused(
    velerian: AsyncVelerianClient,
    governance: FakeGovernance,
    settings: dict[str, Any],
    words: str,
) -> None:
    """Before any request, by its name."""
    with pytest.raises(errors.VelerianInputError, match=words):
        await velerian.request("POST", "plans", **settings)
    assert governance.requests == []


@pytest.mark.parametrize("method", ["", "GET /", "CONNECT", "TRACE", 7])
async def test_a_method_that_can_not_be_is_refused(
    velerian: AsyncVelerianClient, method: Any
) -> None:
    """It would be part of the request's first line."""
    with pytest.raises(errors.VelerianInputError):
        await velerian.request(method, "plans")


async def test_ones_own_authorization_elsewhere(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """It is not the client's; the response does not hold it either."""
    governance.faults.append(httpx.Response(200))
    response = await velerian.get(
        "https://elsewhere.example/x", headers={"Authorization": "Basic mine"}
    )
    assert governance.requests[0].headers["authorization"] == "Basic mine"
    assert "authorization" not in response.request.headers


@pytest.mark.parametrize("status", [302, 404, 422, 429])
async def test_an_error_is_raised(
    velerian: AsyncVelerianClient, governance: FakeGovernance, status: int
) -> None:
    """Typed, and a redirect is not followed, wherever it leads."""
    headers = {"location": "https://evil.example/"}
    governance.faults.extend([httpx.Response(status, json={"detail": "no"}, headers=headers)] * 4)
    with pytest.raises(errors.VelerianAPIError, match="no") as caught:
        await velerian.get("plans")
    assert caught.value.status_code == status
    assert {r.url.host for r in governance.requests} == {"velerian.example"}


async def test_an_answer_that_was_packed_is_unpacked(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """And does not say any more that it is packed; other headers stay."""
    packed = gzip.compress(b'{"a": 1}')
    headers = {"content-encoding": "gzip", "x-request-id": "req_1", "content-type": "text/json"}
    governance.faults.append(httpx.Response(200, content=packed, headers=headers))
    response = await velerian.get("plans")
    assert response.json() == {"a": 1}
    assert response.headers["x-request-id"] == "req_1"
    assert response.headers["content-length"] == "8"
    assert "content-encoding" not in response.headers
    assert response.elapsed.total_seconds() >= 0


# -- lists ----------------------------------------------------------------------------------------


async def test_the_audit_log_is_walked(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """Every row, page after page, as far as the filters match."""
    governance.audit = [{"id": f"aud_{n}"} for n in range(7)]
    walk = velerian.iter_audit_log(action="abp.invoke", page_size=3, prefetch=False)
    assert [row async for row in walk] == governance.audit
    assert [r.url.query for r in governance.requests] == [
        b"action=abp.invoke&limit=3&offset=0",
        b"action=abp.invoke&limit=3&offset=3",
        b"action=abp.invoke&limit=3&offset=6",
    ]
    walk = velerian.iter_audit_log(page_size=3, offset=2, max_items=4)
    assert [row async for row in walk] == governance.audit[2:6]


async def test_any_list_is_walked(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """Whatever the route calls its parameters, and the list in its answers; null is empty."""
    governance.faults.extend(
        [
            httpx.Response(200, json={"evidence_packs": [1, 2]}),
            httpx.Response(200, json={"evidence_packs": None}),
        ]
    )
    walk = velerian.iter_paginated(
        "usage/summary",
        {"days": 7, "none": None},
        page_size=2,
        limit_param="evidence_limit",
        offset_param="evidence_offset",
        items_key="evidence_packs",
        timeout=2.0,
    )
    assert [item async for item in walk] == [1, 2]
    assert [r.url.query for r in governance.requests] == [
        b"days=7&evidence_limit=2&evidence_offset=0",
        b"days=7&evidence_limit=2&evidence_offset=2",
    ]
    assert governance.requests[0].extensions["timeout"]["read"] == 2.0


@pytest.mark.parametrize(
    ("answer", "words"),
    [({"rows": []}, "no items"), ({"items": {}}, "a list"), ([], "an object")],
)
async def test_a_list_that_is_none(
    velerian: AsyncVelerianClient, governance: FakeGovernance, answer: Any, words: str
) -> None:
    """A typed error that says so."""
    governance.faults.append(httpx.Response(200, json=answer))
    with pytest.raises(errors.VelerianAPIError, match=words):
        [item async for item in velerian.iter_paginated("plans")]


@pytest.mark.parametrize("settings", [{"page_size": 0}, {"max_items": -1}, {"offset": -1}])
async def test_a_walk_that_can_not_be_is_refused(
    velerian: AsyncVelerianClient, settings: dict[str, Any]
) -> None:
    """At once, not with its first row."""
    with pytest.raises(errors.VelerianInputError, match=next(iter(settings))):
        velerian.iter_audit_log(**settings)
    with pytest.raises(errors.VelerianInputError, match=next(iter(settings))):
        velerian.iter_paginated("plans", **settings)
