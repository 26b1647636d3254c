"""Whatever comes in, the answer is below 500 and says what is wrong and where."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from quatrain.server.jsontext import MAX_DEPTH

from ._support import Client, ServerClock

LEASE = "/effects/ns/lease"
COMMIT = "/effects/ns/commit"
HOLDER = {"effectKey": "k", "fenceToken": 1, "leaseToken": "t"}


async def faults(client: Client, path: str, body: Any) -> list[tuple[str, str]]:
    """The errors of a 422 as (place, message)."""
    response = await client.send(path, json.dumps(body))
    assert response.status_code == 422, response.text
    answer = response.json()
    assert answer["code"] == "validation_failed"
    found = [(".".join(map(str, e["loc"])), e["msg"]) for e in answer["errors"]]
    assert answer["message"].startswith(": ".join(found[0]))
    return found


# -- content that does not fit --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (5, "an integer"),
        (1.5, "a number"),
        (True, "true or false"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
async def test_a_string_must_be_one(client: Client, value: Any, kind: str) -> None:
    """Nothing is turned into text."""
    found = await faults(client, LEASE, {"effectKey": value})
    assert found == [("body.effectKey", f"expected a string, got {kind}")]


@pytest.mark.parametrize(
    ("value", "kind"), [("5", "a string"), (True, "true or false"), (5.0, "a number")]
)
async def test_an_integer_must_be_one(client: Client, value: Any, kind: str) -> None:
    """Neither text, nor a bool, nor a float that happens to be whole."""
    found = await faults(client, COMMIT, {**HOLDER, "fenceToken": value})
    assert found == [("body.fenceToken", f"expected an integer, got {kind}")]


async def test_a_truth_value_must_be_one(client: Client) -> None:
    """1 is not true."""
    found = await faults(client, "/effects/ns/report-observe", {**HOLDER, "hit": 1})
    assert found == [("body.hit", "expected true or false, got an integer")]


async def test_every_mistake_is_listed(client: Client) -> None:
    """In the order of the fields, and the message tells how many more there are."""
    body = {"fenceToken": "1", "leaseToken": 7, "source": "guessed", "runId": []}
    assert await faults(client, COMMIT, body) == [
        ("body.effectKey", "is missing"),
        ("body.fenceToken", "expected an integer, got a string"),
        ("body.leaseToken", "expected a string, got an integer"),
        ("body.source", "must be one of acted, observed"),
        ("body.runId", "expected a string, got an array"),
    ]
    response = await client.post(COMMIT, **body)
    assert response.json()["message"] == "body.effectKey: is missing (and 4 more)"


@pytest.mark.parametrize("body", [None, [], "x", 5, [{}]])
async def test_a_body_must_be_an_object(client: Client, body: Any) -> None:
    """Any other JSON is told as such."""
    ((place, message),) = await faults(client, LEASE, body)
    assert (place, message[:23]) == ("body", "expected an object, got")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("lease", {}),
        ("commit", {"effectKey": "k", "fenceToken": 1}),
        ("fail", {"effectKey": "k", "fenceToken": 1, "leaseToken": "t"}),
        ("renew", {"effectKey": "k", "leaseToken": "t"}),
        ("report-observe", HOLDER),
        ("reset", {"effectKey": "k"}),
    ],
)
async def test_what_is_required_must_be_there(
    client: Client, path: str, body: dict[str, Any]
) -> None:
    """Each endpoint misses its last field."""
    ((_, message),) = await faults(client, f"/effects/ns/{path}", body)
    assert message == "is missing"


@pytest.mark.parametrize("duration", [4_999, 120_001, 0, -1, 10**30])
async def test_durations_have_bounds(client: Client, duration: int) -> None:
    """5,000 to 120,000 ms, for a lease and for its renewal."""
    expected = "must be from 5,000 to 120,000"
    found = await faults(client, LEASE, {"effectKey": "k", "leaseDurationMs": duration})
    assert found == [("body.leaseDurationMs", expected)]
    found = await faults(client, "/effects/ns/renew", {**HOLDER, "extensionMs": duration})
    assert found == [("body.extensionMs", expected)]


@pytest.mark.parametrize("duration", [5_000, 120_000, None])
async def test_the_bounds_themselves_are_fine(client: Client, duration: int | None) -> None:
    """And null is as good as absent."""
    response = await client.post(LEASE, effectKey="k", leaseDurationMs=duration)
    assert response.status_code == 200


@pytest.mark.parametrize("fence", [2**63, -(2**63) - 1, 10**40])
async def test_a_fence_token_fits_64_bits(client: Client, fence: int) -> None:
    """Beyond that it is no token; within, it is at most a stale one."""
    ((place, _),) = await faults(client, COMMIT, {**HOLDER, "fenceToken": fence})
    assert place == "body.fenceToken"


@pytest.mark.parametrize("fence", [0, -5, 2**63 - 1, -(2**63)])
async def test_a_fence_token_nobody_was_given_is_stale(client: Client, fence: int) -> None:
    """409, as for any that is not the newest."""
    held = await client.lease("k")
    response = await client.post(COMMIT, **{**held, "fenceToken": fence})
    assert (response.status_code, response.json()["code"]) == (409, "stale_fence")


@pytest.mark.parametrize(("length", "status"), [(0, 422), (1, 200), (16_384, 200), (16_385, 422)])
async def test_keys_have_a_length(client: Client, length: int, status: int) -> None:
    """1 to 16,384 characters."""
    assert (await client.post(LEASE, effectKey="k" * length)).status_code == status


@pytest.mark.parametrize("name", ["effectName", "agentId", "workflowName", "caseId", "runId"])
async def test_names_have_a_length(client: Client, name: str) -> None:
    """At most 4,096 characters."""
    assert (await client.post(LEASE, effectKey="k", **{name: "x" * 4_096})).status_code == 200
    ((place, _),) = await faults(client, LEASE, {"effectKey": "k", name: "x" * 4_097})
    assert place == f"body.{name}"


async def test_a_namespace_has_a_length(client: Client) -> None:
    """At most 1,024 characters."""
    response = await client.post(f"/effects/{'n' * 1_025}/lease", effectKey="k")
    assert response.json()["errors"][0]["loc"] == ["path", "namespace"]


@pytest.mark.parametrize("reason", ["", "x" * 2_001])
async def test_a_reset_needs_a_reason(client: Client, reason: str) -> None:
    """1 to 2,000 characters."""
    body = {"effectKey": "k", "reason": reason}
    ((place, _),) = await faults(client, "/effects/ns/reset", body)
    assert place == "body.reason"


async def test_half_a_surrogate_pair_is_no_text(client: Client) -> None:
    """JSON can write it, no database can hold it: refused where it would be a name."""
    for name in ("effectKey", "agentId", "caseId"):
        ((place, _),) = await faults(client, LEASE, {"effectKey": "k", name: "\ud800"})
        assert place == f"body.{name}"
    held = await client.lease("k")
    response = await client.send(COMMIT, json.dumps({**held, "leaseToken": "\udfff"}))
    assert response.status_code == 422


async def test_fields_that_mean_nothing_are_ignored(client: Client) -> None:
    """A newer client may send more."""
    response = await client.post(LEASE, effectKey="k", colour="green", raw={"x": 1})
    assert response.status_code == 200


# -- payloads -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        None,
        True,
        0,
        -1.5e-300,
        10**500,
        "",
        "\0\u2028\ud800🎲é",
        [],
        {},
        {"": {"a": [None, {"b": []}]}},
        [1.0, 1e22, 0.1],
    ],
)
async def test_a_payload_comes_back_as_it_went_in(client: Client, payload: Any) -> None:
    """Any JSON: halves of surrogate pairs, NULs and huge numbers too."""
    held = await client.lease("k")
    sent = await client.send(COMMIT, json.dumps({**held, "result": payload}))
    assert sent.json()["status"] == "accepted"
    cached = (await client.post(LEASE, effectKey="k")).json()["cachedResult"]
    assert json.dumps(cached) == json.dumps(payload)


@pytest.mark.parametrize(
    ("payload", "fits"),
    [
        ("x" * 65_534, True),
        ("x" * 65_535, False),
        ("é" * 32_767, True),
        ("é" * 32_768, False),
        (list(range(10_000)), True),
    ],
)
async def test_a_payload_fits_64_kib_of_compact_utf8(
    client: Client, payload: Any, fits: bool
) -> None:
    """Whichever way the client measures, what it lets through is taken."""
    response = await client.post(LEASE, effectKey="k", inputJson=payload)
    assert (response.status_code == 200) is fits
    held = await client.lease("other")
    for path, name in (("fail", "error"), ("commit", "result")):
        response = await client.post(f"/effects/ns/{path}", **held, **{name: payload})
        if not fits:
            assert response.json()["errors"][0]["loc"] == ["body", name]


# -- bodies that are no JSON ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"effectKey": "k"} x', "invalid_json"),
        (b"{'effectKey': 'k'}", "invalid_json"),
        (b'{"effectKey": "k", "inputJson": NaN}', "invalid_json"),
        (b'{"effectKey": "k", "inputJson": -Infinity}', "invalid_json"),
        (b'{"effectKey": "k", "inputJson": 1e999}', "invalid_json"),
        (b'{"effectKey": "k", "inputJson": ' + b"9" * 5_000 + b"}", "invalid_json"),
        (b'{"effectKey": "a", "effectKey": "b"}', "invalid_json"),
        (b'{"effectKey": "k", "inputJson": {"x": 1, "x": 2}}', "invalid_json"),
        (b'{"effectKey": "k\n"}', "invalid_json"),
        (b"{" + b'"x":1,' * 150_000 + b'"x":1}', "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b'{"effectKey": "\xff"}', "not_utf8"),
        (b'{"effectKey": "\xed\xa0\x80"}', "not_utf8"),
        ('{"effectKey": "k"}'.encode("utf-16"), "not_utf8"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"a":' * 100_000, "invalid_json"),
    ],
)
async def test_a_body_must_be_strict_json(client: Client, body: bytes, code: str) -> None:
    """400, and no more is made of it."""
    response = await client.send(LEASE, body)
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert "Traceback" not in response.text


async def test_deep_nesting_within_the_limit_is_fine(client: Client) -> None:
    """In and out again, in every answer that shows it."""
    deep: Any = 1
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    held = await client.lease("k")
    assert (await client.post(COMMIT, **held, result=deep)).status_code == 200
    assert (await client.get("/effects", payloads="true")).json()["items"][0]["result"] == deep


async def test_many_brackets_side_by_side_are_not_deep(client: Client) -> None:
    """Only levels count."""
    assert (await client.post(LEASE, effectKey="k", inputJson=[[]] * 1_000)).status_code == 200


@pytest.mark.parametrize("size", [1_048_577, 5_000_000])
async def test_a_body_is_bounded(client: Client, size: int) -> None:
    """413 for the whole body, announced or in chunks."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(0, size, 65_536):
            yield b" " * 65_536

    for content in (b" " * size, chunks()):
        response = await client.send(LEASE, content)
        assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")


async def test_a_body_of_the_very_size_is_read(client: Client) -> None:
    """The bound itself is allowed."""
    body = b'{"effectKey": "k"}'.ljust(1_048_576)
    assert (await client.send(LEASE, body)).status_code == 200


# -- hostile keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "'; DROP TABLE effects; --",
        '" OR 1=1 --',
        "\u2028\u2029",
        "\r\n\r\nHTTP/1.1 200 OK",
        "../../etc/passwd",
        "%2e%2e%2f",
        "{{7*7}}${7*7}",
        "<script>alert(1)</script>",
        "🎲" * 2_500,
        "x" * 10_240,
        " ",
        "é",
        "e\u0301",
    ],
)
async def test_hostile_keys_are_just_keys(client: Client, key: str, clock: ServerClock) -> None:
    """The whole life of an effect, under each."""
    held = await client.lease(key)
    assert (await client.post("/effects/ns/renew", **held)).status_code == 200
    assert (await client.post("/effects/ns/fail", **held, error=key)).status_code == 200
    again = (await client.post(LEASE, effectKey=key)).json()
    assert (again["status"], again["cachedError"]) == ("cached_failed", key)
    assert (await client.get("/effects/ns/effect", effectKey=key)).json()["effectKey"] == key
    assert (await client.get("/effects", key=key)).json()["items"][0]["effectKey"] == key
    reset = await client.post("/effects/ns/reset", effectKey=key, reason=key[:2_000])
    assert reset.json()["status"] == "RESET"
    events = (await client.get("/effects/ns/events", effectKey=key)).json()["items"]
    assert events[-1]["detail"]["reason"] == key[:2_000]


@pytest.mark.on_file
@pytest.mark.parametrize("key", ["\0", "a\0b"])
async def test_a_nul_is_a_character_like_another(
    client: Client, key: str, clock: ServerClock
) -> None:
    """In a file; PostgreSQL can't keep one."""
    await test_hostile_keys_are_just_keys(client, key, clock)


async def test_keys_that_look_alike_are_not_the_same(client: Client) -> None:
    """No normalisation, no folding of case, no trimming."""
    for key in ("é", "e\u0301", "É", " é", "é ", "é\n"):
        answer = (await client.post(LEASE, effectKey=key)).json()
        assert answer["status"] == "granted"


# -- queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("limit=0", "query.limit"),
        ("limit=201", "query.limit"),
        ("limit=ten", "query.limit"),
        ("limit=1.0", "query.limit"),
        ("limit=%D9%A3", "query.limit"),
        (f"limit={'9' * 5_000}", "query.limit"),
        ("status=running", "query.status"),
        ("payloads=1", "query.payloads"),
        ("cursor=x", "query.cursor"),
        ("cursor=", "query.cursor"),
        ("cursor=%00", "query.cursor"),
        ("cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk", "query.cursor"),
        ("cursor=LTE", "query.cursor"),
        ("limit=1&limit=2", "query.limit"),
        ("key=%FF", "query"),
        ("key=%ED%A0%80", "query"),
        ("&".join(f"a{n}=1" for n in range(60)), "query"),
    ],
)
async def test_queries_are_checked(client: Client, query: str, place: str) -> None:
    """422, with the place."""
    response = await client.http.get(
        client.http.base_url.copy_with(raw_path=f"/v1/effects?{query}".encode()),
        headers=client.headers,
    )
    assert response.status_code == 422, response.text
    assert ".".join(response.json()["errors"][0]["loc"]) == place


async def test_an_effect_needs_its_key(client: Client) -> None:
    """Both endpoints of one effect."""
    for verb in ("effect", "events"):
        response = await client.get(f"/effects/ns/{verb}")
        assert response.json()["errors"][0]["loc"] == ["query", "effectKey"]
        assert (await client.get(f"/effects/ns/{verb}", effectKey="k")).status_code == 404
