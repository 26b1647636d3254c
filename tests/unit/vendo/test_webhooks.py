"""Vendo's webhooks: what is accepted, that nothing else is, and that all else is one error."""

from __future__ import annotations

import hashlib
import hmac
import json
import pickle
from typing import Any

import httpx
import pytest
import starlette.datastructures

import quatrain
from quatrain._secret import Secret
from quatrain.errors.vendo import ValidationError, VendoConfigError, VendoError
from quatrain.models.vendo import WebhookEvent
from quatrain.vendo.webhooks import MissingSecretError, WebhooksAPI, sign

SECRET = "whsec_of_a_test"
OTHER = "whsec_of_another"
NOW = 1_778_202_000  # 2026-05-08T01:00:00Z
EVENT = {
    "id": "evt_1",
    "type": "connection.connected",
    "occurred_at": "2026-05-08T01:00:00Z",
    "data": {"slug": "openai", "connection_id": "conn_1"},
}
BODY = json.dumps(EVENT).encode()
EASTERN = "".join(chr(0x660 + int(digit)) for digit in str(NOW))  # digits to int() as well


def hand_signed(body: bytes, moment: str = str(NOW), secret: str = SECRET) -> str:
    """As the contract says it."""
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def request(body: bytes = BODY, moment: str = str(NOW), secret: str = SECRET) -> dict[str, str]:
    """The headers of a request."""
    return {"Vendo-Signature": hand_signed(body, moment, secret), "Vendo-Timestamp": moment}


def api(secret: Any = SECRET, max_age_sec: float = 300, now: float = NOW) -> WebhooksAPI:
    """It is always the same moment."""
    return WebhooksAPI(secret, max_age_sec, now=lambda: now)


def payload(**changes: Any) -> bytes:
    """An event with other fields; those that are ... are left out."""
    fields = {name: value for name, value in {**EVENT, **changes}.items() if value is not ...}
    return json.dumps(fields).encode()


# -- what is accepted -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        request(),
        {name.lower(): value for name, value in request().items()},
        {name.encode(): value.encode() for name, value in request().items()},
        list(request().items()),
        httpx.Headers(request()),
        starlette.datastructures.Headers(request()),
        {**request(), "Vendo-Event-Id": "evt_1", "Host": "example.com"},
        {**request(), "Vendo-Signature": hand_signed(BODY).upper()},
        {**request(), "Vendo-Signature": f" {hand_signed(BODY)} "},
    ],
)
def test_a_request_is_an_event(headers: Any) -> None:
    """In any kind of headers, in any case, its hexadecimal digits as well."""
    expected = WebhookEvent("evt_1", EVENT["type"], EVENT["occurred_at"], EVENT["data"])
    assert expected == api().verify(headers, BODY)


@pytest.mark.parametrize("body", [BODY, bytearray(BODY), memoryview(BODY), BODY.decode()])
def test_the_body_is_bytes_or_their_text(body: Any) -> None:
    """The same signature is right for both."""
    assert "evt_1" == api().verify(request(), body).id


def test_a_text_is_its_utf_8() -> None:
    """Whatever it holds."""
    body = json.dumps({**EVENT, "data": {"name": "Jürgen €"}}, ensure_ascii=False)
    event = api().verify(request(body.encode()), body)
    assert {"name": "Jürgen €"} == event.data


@pytest.mark.parametrize(
    "moment",
    [
        str(NOW),
        f"{NOW}.25",
        f"0{NOW}",
        "2026-05-08T01:00:00Z",
        "2026-05-08t01:00:00z",
        "2026-05-08 01:00:00+00:00",
        "2026-05-08T01:00:00.123456789Z",
        "2026-05-08T03:30:00+02:30",
        "2026-05-07T20:00:00-05:00",
        "2026-05-08T00:59:60Z",
    ],
)
def test_a_time_is_unix_seconds_or_rfc_3339(moment: str) -> None:
    """All of these are the same second; another than the last of them would be refused."""
    assert "evt_1" == api(max_age_sec=0).verify(request(moment=moment), BODY).id
    with pytest.raises(ValidationError, match="more than 0 seconds off"):
        api(max_age_sec=0, now=NOW + 1).verify(request(moment=moment), BODY)


@pytest.mark.parametrize("late", [-300, 0, 300])
def test_a_signature_is_good_for_a_while(late: int) -> None:
    """Both ways (contract)."""
    assert "evt_1" == WebhooksAPI(SECRET, now=lambda: NOW + late).verify(request(), BODY).id


@pytest.mark.parametrize("late", [-301, 301, 10**9])
def test_a_signature_is_stale_or_early(late: int) -> None:
    """Both ways, and as long as the caller wishes."""
    with pytest.raises(ValidationError, match="more than 300 seconds off"):
        WebhooksAPI(SECRET, now=lambda: NOW + late).verify(request(), BODY)
    assert "evt_1" == api(max_age_sec=float("inf"), now=NOW + late).verify(request(), BODY).id


def test_now_is_the_systems() -> None:
    """Unless another is given: that moment has gone by."""
    with pytest.raises(ValidationError, match="off"):
        WebhooksAPI(SECRET).verify(request(), BODY)


def test_missing_fields() -> None:
    """Neither a time nor data is needed to tell events apart; more than is known may come."""
    content = payload(occurred_at=..., data=..., more=1)
    event = api().verify(request(content), content)
    assert ("", {}) == (event.occurred_at, event.data)


# -- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [[OTHER, SECRET], (Secret(SECRET), OTHER), Secret(SECRET)])
def test_any_of_several_secrets_may_match(secret: Any) -> None:
    """While one replaces the other."""
    assert "evt_1" == api(secret).verify(request(), BODY).id


def test_the_secret_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read when it is needed; several by commas."""
    verifier = api(None)
    monkeypatch.setenv("VENDO_WEBHOOK_SECRET", f" {OTHER} ,, {SECRET} ")
    assert "evt_1" == verifier.verify(request(), BODY).id
    assert "evt_1" == verifier.verify(request(secret=OTHER), BODY).id


def test_a_secret_that_is_given_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """And alone; a comma is part of it."""
    monkeypatch.setenv("VENDO_WEBHOOK_SECRET", SECRET)
    with pytest.raises(ValidationError, match="another secret"):
        api(OTHER).verify(request(), BODY)
    assert "evt_1" == api("a,b").verify(request(secret="a,b"), BODY).id


@pytest.mark.parametrize("value", [None, "", " ", " , ", "\udcff"])
def test_without_a_secret_nothing_is_verified(monkeypatch: Any, value: str | None) -> None:
    """A refusal to the sender, a missing setting to the owner; an empty secret is none."""
    monkeypatch.delenv("VENDO_WEBHOOK_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("VENDO_WEBHOOK_SECRET", value)
    empty = {**request(), "Vendo-Signature": hand_signed(BODY, secret="")}
    with pytest.raises(MissingSecretError, match="VENDO_WEBHOOK_SECRET") as caught:
        api(None).verify(empty, BODY)
    assert isinstance(caught.value, ValidationError)
    assert isinstance(caught.value, VendoConfigError)
    assert "validation_failed" == pickle.loads(pickle.dumps(caught.value)).code


@pytest.mark.parametrize("secret", ["", [], [""], [SECRET, ""], b"x", 1, {}, "\ud800", Secret("")])
def test_what_can_not_be_a_secret(secret: Any) -> None:
    """Said at once: it was given by the program itself."""
    with pytest.raises(VendoConfigError, match="secret has to be"):
        WebhooksAPI(secret)


@pytest.mark.parametrize("age", [-1, float("nan"), None, "300", True])
def test_what_can_not_be_an_age(age: Any) -> None:
    """Any number of seconds can, however large."""
    assert isinstance(WebhooksAPI(SECRET, 10**400), WebhooksAPI)
    with pytest.raises(ValidationError, match="max_age_sec"):
        WebhooksAPI(SECRET, age)


def test_no_secret_is_shown() -> None:
    """Neither in a repr nor in what is raised."""
    verifier = api([SECRET, OTHER])
    assert "WebhooksAPI(max_age_sec=300)" == repr(verifier)
    with pytest.raises(ValidationError) as caught:
        verifier.verify({}, BODY)
    assert SECRET not in f"{caught.value!r} {vars(caught.value)}"


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (None, "Vendo-Signature is missing"),
        ({}, "Vendo-Signature is missing"),
        ("Vendo-Signature", "Vendo-Signature is missing"),
        ({"Vendo-Timestamp": str(NOW)}, "Vendo-Signature is missing"),
        ({**request(), "vendo-signature": "0" * 64}, "given more than once"),
        ({"Vendo-Signature": hand_signed(BODY)}, "Vendo-Timestamp is missing"),
        ({**request(), "Vendo-Timestamp": ""}, "Vendo-Timestamp is missing"),
        ({**request(), "Vendo-Timestamp": NOW}, "Vendo-Timestamp is missing"),
        ([*request().items(), ("vendo-timestamp", str(NOW))], "given more than once"),
        ({**request(), "Vendo-Signature": "deadbeef"}, "64 hexadecimal digits"),
        ({**request(), "Vendo-Signature": hand_signed(BODY) + "0"}, "64 hexadecimal digits"),
        ({**request(), "Vendo-Signature": f"sha256={hand_signed(BODY)}"}, "64 hexadecimal digits"),
        ({**request(), "Vendo-Signature": "\uff10" * 64}, "64 hexadecimal digits"),
        ({**request(), "Vendo-Signature": "é" * 64}, "64 hexadecimal digits"),
        ({**request(), "Vendo-Signature": "0" * 64}, "of another secret"),
        (request(secret=OTHER), "of another secret"),
        (request(b"{}"), "of another secret"),
        ({**request(), "Vendo-Timestamp": str(NOW + 1)}, "of another secret"),
        ({**request(), "Vendo-Timestamp": "2026-05-08T01:00:00Z"}, "of another secret"),
    ],
)
def test_headers_that_are_refused(headers: Any, words: str) -> None:
    """The error says which, and repeats nothing of what a stranger sent."""
    with pytest.raises(ValidationError, match=words) as caught:
        api().verify(headers, BODY)
    assert (None, "validation_failed") == (caught.value.status, caught.value.code)
    assert isinstance(caught.value, VendoError)
    assert isinstance(caught.value, quatrain.InputError)


@pytest.mark.parametrize(
    "moment",
    [
        "soon",
        "nan",
        "inf",
        "-1",
        f"-{NOW}",
        f"+{NOW}",
        "1_778_202_000",
        "1.778202e9",
        f"{NOW}.",
        f".{NOW}",
        f"0x{NOW:x}",
        EASTERN,
        f"{EASTERN}.5",
        "9" * 16,
        "9" * 5_000,
        "2026-05-08",
        "2026-05-08T01:00:00",
        "20260508T010000Z",
        "2026-05-08T01:00Z",
        "2026-13-08T01:00:00Z",
        "2026-02-29T01:00:00Z",
        "0000-05-08T01:00:00Z",
        "2026-05-08T24:00:00Z",
        "2026-05-08T01:60:00Z",
        "2026-05-08T01:00:61Z",
        "2026-05-08T01:00:00+24:00",
        "2026-05-08T01:00:00+00:60",
        "2026-05-08T01:00:00+0000",
        "2026-05-08T01:00:00.Z",
        "2026-05-08T01:00:00,5Z",
        "2026-W19-5T01:00:00Z",
        "Fri, 08 May 2026 01:00:00 GMT",
        "2026-05-08T01:00:00Z\n",
        f"{NOW}\n",
    ],
)
def test_a_time_that_is_none_is_refused(moment: str) -> None:
    """Although it was signed just so."""
    with pytest.raises(ValidationError, match="neither Unix seconds nor RFC 3339"):
        api(max_age_sec=float("inf")).verify(request(moment=moment), BODY)


@pytest.mark.parametrize(
    "moment", ["0", "999999999999999", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:60-23:59"]
)
def test_a_time_at_the_end_of_times_is_stale(moment: str) -> None:
    """And no other error."""
    with pytest.raises(ValidationError, match="more than 300 seconds off"):
        api().verify(request(moment=moment), BODY)


@pytest.mark.parametrize("body", [None, 1, EVENT, [BODY], object(), "\ud800"])
def test_a_body_that_was_parsed_is_refused(body: Any) -> None:
    """What was signed are its bytes."""
    with pytest.raises(ValidationError, match="before any parsing"):
        api().verify(request(), body)


def test_a_released_view_is_refused() -> None:
    """There are no bytes behind it any more."""
    view = memoryview(BODY)
    view.release()
    with pytest.raises(ValidationError, match="got memoryview"):
        api().verify(request(), view)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"not json {", "not JSON"),
        (b"\xff", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (BODY + b"x", "not JSON"),
        (BODY.decode().encode("utf-16"), "not JSON"),
        (payload(more=float("nan")), "NaN is not a JSON number"),
        (payload(more=1).replace(b" 1}", b" 1e999}"), "too large"),
        (payload(more=1).replace(b" 1}", b" " + b"1" * 5_000 + b"}"), "digits"),
        (payload(more=1).replace(b'"more"', b'"id"'), "given twice"),
        (b"[" * 100_000, "nested too deeply"),
        (payload(data=...)[:-1] + b', "data": ' + b'{"a":' * 70 + b"1" + b"}" * 71, "too deeply"),
        (b"null", "has to be an object"),
        (b"[]", "has to be an object"),
        (b'"evt_1"', "has to be an object"),
        (b"{}", "id has to be a string"),
        (payload(id=...), "id has to be a string"),
        (payload(id=None), "id has to be a string"),
        (payload(id=""), "id has to be a string"),
        (payload(id=1), "id has to be a string"),
        (payload(id="\ud800"), "id has to be a string"),
        (payload(type=...), "type has to be a string"),
        (payload(type=["a"]), "type has to be a string"),
        (payload(occurred_at=NOW), "occurred_at has to be a string"),
        (payload(data=[]), "data has to be an object"),
        (payload(data="text"), "data has to be an object"),
    ],
)
def test_a_body_that_is_no_event_is_refused(content: bytes, words: str) -> None:
    """Although it was signed."""
    with pytest.raises(ValidationError, match=words):
        api().verify(request(content), content)


def test_the_body_is_read_after_its_signature() -> None:
    """What a stranger sends is not parsed."""
    with pytest.raises(ValidationError, match="another secret"):
        api().verify(request(), b"[" * 100_000)


# -- sign -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [str(NOW), NOW, f"{NOW}.5", "2026-05-08T01:00:00Z"])
@pytest.mark.parametrize("content", [BODY, BODY.decode(), bytearray(BODY)])
def test_a_signature_is_the_contracts(moment: Any, content: Any) -> None:
    """HMAC-SHA256 of the time as it is written, a point and the raw body, in lower-case hex."""
    assert hand_signed(BODY, str(moment)) == sign(Secret(SECRET), content, moment)


def test_the_signature_of_a_known_request() -> None:
    """Pinned: another version of this package must make the same."""
    expected = "56172812b342033a9e9ff107171d9094c9573602923ebd235441051bdf6e8129"
    assert expected == sign("whsec_known", b"{}", 1_700_000_000)


@pytest.mark.parametrize(
    ("secret", "content", "moment", "words"),
    [
        ("", BODY, NOW, "the secret"),
        (None, BODY, NOW, "the secret"),
        ([SECRET], BODY, NOW, "the secret"),
        ("\ud800", BODY, NOW, "the secret"),
        (SECRET, None, NOW, "got NoneType"),
        (SECRET, BODY, -1, "the timestamp"),
        (SECRET, BODY, None, "the timestamp"),
        (SECRET, BODY, "soon", "the timestamp"),
        (SECRET, BODY, float("nan"), "the timestamp"),
        pytest.param(SECRET, BODY, 10**5_000, "the timestamp", id="beyond text"),
    ],
)
def test_what_can_not_be_signed(secret: Any, content: Any, moment: Any, words: str) -> None:
    """The error says which of the three it was."""
    with pytest.raises(ValidationError, match=words):
        sign(secret, content, moment)
