"""Signatures of webhook requests: what is made, what is accepted, and that nothing else is."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quatrain._secret import Secret
from quatrain.errors.velocity import InputError
from quatrain.webhooks import delivery, sign, verify_signature

SECRET = "whsec_of_a_test"
OTHER = "whsec_of_another"
BODY = b'{"action":"Call Ann"}'
NOW = 1_700_000_000
DIGEST = hmac.new(SECRET.encode(), f"{NOW}.".encode() + BODY, hashlib.sha256).hexdigest()
HEADER = f"t={NOW},v1={DIGEST}"
EASTERN = "".join(chr(0x660 + int(digit)) for digit in str(NOW))  # digits to int() as well


def accepts(header: Any = HEADER, **changes: Any) -> bool:
    values: dict[str, Any] = {"secret": SECRET, "body": BODY, "now": NOW} | changes
    return verify_signature(values.pop("secret"), header, values.pop("body"), **values)


# -- sign -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [SECRET, Secret(SECRET)])
@pytest.mark.parametrize("body", [BODY, bytearray(BODY), memoryview(BODY)])
def test_a_signature_is_the_contracts(secret: Any, body: Any) -> None:
    """HMAC-SHA256 of the time, a point and the raw body, in lower-case hex."""
    assert HEADER == sign(secret, body, timestamp=NOW)


def test_the_signature_of_a_known_request() -> None:
    """Pinned: another version of this package must make the same."""
    assert (
        "t=1700000000,v1=56172812b342033a9e9ff107171d9094c9573602923ebd235441051bdf6e8129"
        == sign("whsec_known", b"{}", timestamp=1_700_000_000.9)
    )


def test_without_a_time_it_is_signed_now() -> None:
    """And is good at once."""
    assert verify_signature(SECRET, sign(SECRET, BODY), BODY)


@pytest.mark.parametrize(
    ("secret", "body", "timestamp", "words"),
    [
        ("", BODY, NOW, "the secret"),
        (Secret(""), BODY, NOW, "the secret"),
        ("\ud800", BODY, NOW, "the secret"),
        (b"whsec", BODY, NOW, "the secret"),
        ([SECRET], BODY, NOW, "the secret"),
        (SECRET, "text", NOW, "the raw bytes of the request, before any parsing: got str"),
        (SECRET, None, NOW, "got NoneType"),
        (SECRET, BODY, -1, "15 digits"),
        (SECRET, BODY, 10**15, "15 digits"),
        (SECRET, BODY, float("nan"), "15 digits"),
        (SECRET, BODY, float("inf"), "15 digits"),
        (SECRET, BODY, "soon", "15 digits"),
    ],
)
def test_what_can_not_be_signed(secret: Any, body: Any, timestamp: Any, words: str) -> None:
    """The error says which of the three it was, and shows no secret."""
    with pytest.raises(InputError, match=words):
        sign(secret, body, timestamp=timestamp)


# -- verify ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        f"v1={DIGEST},t={NOW}",
        f" t = {NOW} , v1 = {DIGEST} ",
        f"v0=abc,t={NOW},nonsense,=,,v2={DIGEST},v1={DIGEST}",
        f"t={NOW},v1=old,v1={DIGEST}",
        f"t={NOW},{'v1=no,' * 4}v1={DIGEST}",
    ],
)
def test_what_is_accepted(header: str) -> None:
    """Any order, spaces, items of another version, and one right signature among several."""
    assert accepts(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        ",",
        "=",
        DIGEST,
        f"t={NOW}",
        f"v1={DIGEST}",
        f"t=,v1={DIGEST}",
        f"t={NOW},v1=",
        f"t={NOW},v1={DIGEST[:-1]}",
        f"t={NOW},v1={DIGEST}0",
        f"t={NOW},v1={DIGEST.upper()}",
        f"t={NOW},v1=\xe9{DIGEST}",
        f"t={NOW},v1=\ud800",
        f"t=+{NOW},v1={DIGEST}",
        f"t=-{NOW},v1={DIGEST}",
        f"t=0{NOW},v1={DIGEST}",
        f"t=1_700_000_000,v1={DIGEST}",
        f"t={NOW}.0,v1={DIGEST}",
        f"t=1.7e9,v1={DIGEST}",
        f"t={EASTERN},v1={DIGEST}",
        f"t={'0' * 6}{NOW},v1={DIGEST}",
        f"t=nan,v1={DIGEST}",
        f"t={NOW},t={NOW},v1={DIGEST}",
        f"t={NOW},t=1,v1={DIGEST}",
        f"T={NOW},V1={DIGEST}",
        f"t={NOW};v1={DIGEST}",
        f"t={NOW},{'v1=no,' * 5}v1={DIGEST}",
        f"t={NOW},v1={DIGEST},{'x' * 1_000}",
        f"t={NOW},v1={DIGEST}," + "v1=no," * 100_000,
        f"t={NOW},v1={DIGEST}\x00",
    ],
)
def test_what_is_refused(header: str) -> None:
    """Malformed, ambiguous, or longer than any sender makes it."""
    assert not accepts(header)


@pytest.mark.parametrize(
    "moment",
    [f"+{NOW}", f"{NOW}.0", f"{NOW} ", "1_700_000_000", f"{NOW:016}", "", "nan", EASTERN],
)
def test_a_time_that_could_be_read_in_two_ways_is_refused(moment: str) -> None:
    """Although it was signed just so."""
    signed = hmac.new(SECRET.encode(), f"{moment}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert not accepts(f"t={moment},v1={signed}")


@pytest.mark.parametrize("header", [None, b"t=1", HEADER.encode(), 1, 1.5, [HEADER], {}, object()])
def test_a_header_of_a_wrong_type_is_refused(header: Any) -> None:
    """Absent as well."""
    assert not accepts(header)


@pytest.mark.parametrize("body", [None, BODY.decode(), 1, [BODY], object(), BODY + b" ", b""])
def test_another_body_is_refused(body: Any) -> None:
    """Or one that is no bytes: it was parsed, or decoded."""
    assert not accepts(body=body)


def test_a_released_view_is_refused() -> None:
    """There are no bytes behind it any more."""
    view = memoryview(BODY)
    view.release()
    assert not accepts(body=view)


@pytest.mark.parametrize(
    "secret",
    [
        None,
        "",
        b"",
        SECRET.encode(),
        OTHER,
        "\ud800",
        1,
        [],
        [None],
        [""],
        [b"x"],
        {},
        object(),
        Secret(None),
    ],
)
def test_another_secret_is_refused(secret: Any) -> None:
    """Or what is none."""
    assert not accepts(secret=secret)


@pytest.mark.parametrize("secret", ["", [""], [], None, Secret("")])
def test_nobody_signs_with_an_empty_secret(secret: Any) -> None:
    """An unset variable must not open the door: anybody can make that signature."""
    digest = hmac.new(b"", f"{NOW}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert not accepts(f"t={NOW},v1={digest}", secret=secret)


@pytest.mark.parametrize(
    "secret", [Secret(SECRET), [OTHER, SECRET], (Secret(SECRET), OTHER), ["", None, SECRET]]
)
def test_any_of_several_secrets_may_match(secret: Any) -> None:
    """While one replaces the other."""
    assert accepts(secret=secret)


@pytest.mark.parametrize(
    ("now", "skew", "expected"),
    [
        (NOW + 300, 300, True),
        (NOW + 300.9, 300, True),
        (NOW + 301, 300, False),
        (NOW - 300, 300, True),
        (NOW - 301, 300, False),
        (NOW + 1, 0, False),
        (NOW, 0, True),
        (NOW, -1, False),
        (NOW + 301, 301.5, True),
        (NOW, float("nan"), False),
        (NOW + 10**9, float("inf"), True),
        (float("nan"), 300, False),
        (float("inf"), 300, False),
        (10**400, 300, False),
        (Decimal(NOW), 300, True),
        ("now", 300, False),
        (NOW, "300", False),
        (NOW, None, False),
    ],
)
def test_a_signature_is_good_for_a_while(now: Any, skew: Any, expected: bool) -> None:
    """Both ways, and never for what is no number."""
    assert expected is accepts(now=now, max_skew_seconds=skew)


def test_the_default_skew_is_the_contracts() -> None:
    """300 seconds, by position as well."""
    assert accepts(now=NOW + 300)
    assert not accepts(now=NOW + 301)
    assert verify_signature(SECRET, HEADER, BODY, 10**12)


# -- any input ------------------------------------------------------------------------------------

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.text()),
)
items = st.one_of(
    st.sampled_from([f"t={NOW}", f"v1={DIGEST}", f"t={NOW + 1}", " ", "v1=", "t=", "v0=1"]),
    st.text(max_size=20),
)
headers = st.lists(items, max_size=8).map(",".join)


@given(
    header=headers | anything,
    body=st.just(BODY) | anything,
    secret=st.just(SECRET) | anything,
    now=st.just(NOW) | anything,
    skew=st.just(300) | anything,
)
@example(header=HEADER, body=BODY, secret=SECRET, now=NOW, skew=300)
@example(header=HEADER, body=BODY, secret=SECRET, now=None, skew=10**12)
def test_only_what_was_signed_is_accepted(
    header: Any, body: Any, secret: Any, now: Any, skew: Any
) -> None:
    """Whatever comes, nothing is raised; and what is accepted ``sign`` would have made."""
    verdict = verify_signature(secret, header, body, skew, now=now)
    if verdict:
        pairs = [item.strip().partition("=") for item in header.split(",")]
        (moment,) = [value.strip() for name, _, value in pairs if name.strip() == "t"]
        signed = [value.strip() for name, _, value in pairs if name.strip() == "v1"]
        assert sign(secret, body, timestamp=int(moment)).partition("v1=")[2] in signed


@given(
    secret=st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])),
    body=st.binary(),
    moment=st.integers(0, 10**15 - 1),
    late=st.integers(-300, 300),
)
def test_what_was_signed_is_accepted(secret: str, body: bytes, moment: int, late: int) -> None:
    """Any secret, any body, any time."""
    assert verify_signature(secret, sign(secret, body, timestamp=moment), body, now=moment + late)


# -- delivery -------------------------------------------------------------------------------------


def test_a_delivery_is_a_whole_request() -> None:
    """Its headers are the contract's, its body is the payload, its signature is right."""
    headers, body = delivery(
        SECRET, "tasks.created", {"action": "Rufe Jürgen an"}, delivery_id="d1", timestamp=NOW
    )
    assert {"action": "Rufe Jürgen an"} == json.loads(body)
    expected = {
        "Content-Type": "application/json",
        "X-VOS-Delivery-ID": "d1",
        "X-VOS-Event-Type": "tasks.created",
        "X-VOS-Signature": sign(SECRET, body, timestamp=NOW),
    }
    assert expected == headers


def test_each_delivery_has_an_id_of_its_own() -> None:
    """And is signed now."""
    before = int(time.time())
    first, second = (delivery(SECRET, "e", {})[0] for _ in range(2))
    assert first["X-VOS-Delivery-ID"] != second["X-VOS-Delivery-ID"]
    assert before <= int(first["X-VOS-Signature"].partition(",")[0].removeprefix("t="))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("e\r\nX-Other: 1", {}), "the event type"),
        (("", {}), "the event type"),
        (("ä", {}), "the event type"),
        ((None, {}), "the event type"),
        (("e", {"x": float("nan")}), "the payload is not JSON"),
        (("e", {"x": object()}), "the payload is not JSON"),
        (("e", "\ud800"), "the payload is not JSON"),
    ],
)
def test_what_no_platform_sends_is_not_made(arguments: Any, words: str) -> None:
    """No header with a line break, no payload that is not JSON."""
    with pytest.raises(InputError, match=words):
        delivery(SECRET, *arguments)


def test_a_delivery_id_is_a_header() -> None:
    """Like the event's name."""
    with pytest.raises(InputError, match="the delivery id"):
        delivery(SECRET, "e", {}, delivery_id="a\n")
