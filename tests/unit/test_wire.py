"""JSON to models and back."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain._structure import CAMEL_CASE, SNAKE_CASE, WireError
from quatrain._wire import camel, dumps, loads, payload_size, to_wire
from quatrain.models import verity as models
from quatrain.models.velocity import WhoAmI
from quatrain.models.verity import (
    CommitRequestBody,
    Effect,
    EffectPage,
    LeaseCachedResponse,
    LeaseGrantedResponse,
    LeaseRequestBody,
    LeaseResponse,
    RenewRequestBody,
)

GRANT = {
    "status": "granted",
    "effectId": "eff_1",
    "effectKey": "k",
    "fenceToken": 3,
    "leaseToken": "token",
    "leaseExpiresAt": "2030-01-01T00:00:00.000Z",
    "priorState": "none",
}
CACHED = {"status": "cached_completed", "effectId": "e", "effectKey": "k", "fenceToken": 1}
EFFECT = {
    "effectId": "e",
    "namespace": "ns",
    "effectKey": "k",
    "status": "COMMITTED",
    "fenceToken": 1,
    "attempts": 1,
    "createdAt": "2030-01-01T00:00:00.000Z",
    "updatedAt": "2030-01-01T00:00:00.000Z",
}
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_a_grant_and_a_cached_answer_are_told_apart_by_status() -> None:
    """The union is structured by what came."""
    assert isinstance(CAMEL_CASE.structure(GRANT, LeaseResponse), LeaseGrantedResponse)
    assert isinstance(CAMEL_CASE.structure(CACHED, LeaseResponse), LeaseCachedResponse)


@pytest.mark.parametrize("data", [GRANT | {"status": "queued"}, {}, [], None, "granted", 7])
def test_a_lease_answer_of_another_kind_is_refused(data) -> None:
    """To guess would be to act, or not to."""
    with pytest.raises(WireError):
        CAMEL_CASE.structure(data, LeaseResponse)


@pytest.mark.parametrize(
    "change",
    [
        {"fenceToken": "3"},
        {"fenceToken": True},
        {"fenceToken": 3.0},
        {"fenceToken": None},
        {"effectId": None},
        {"effectId": 7},
        {"leaseToken": None},
    ],
)
def test_nothing_is_coerced(change) -> None:
    """A "3" is not a 3, and a null is not "None"."""
    with pytest.raises(WireError, match="expected"):
        CAMEL_CASE.structure(GRANT | change, LeaseResponse)


@pytest.mark.parametrize("items", ["", "read:tasks", {}, {"read:tasks": True}, 7])
def test_a_list_is_made_of_nothing_else(items) -> None:
    """A string has letters, and an object names: they are no scopes."""
    data = {"user": {}, "extension": {"granted_scopes": items}}
    with pytest.raises(WireError, match=r"granted_scopes"):
        SNAKE_CASE.structure(data, WhoAmI)


def test_the_error_names_the_field() -> None:
    """Missing ones too."""
    with pytest.raises(WireError, match=r"fence_token|fenceToken"):
        CAMEL_CASE.structure({k: v for k, v in GRANT.items() if k != "fenceToken"}, LeaseResponse)


def test_a_missing_optional_field_and_a_null_both_read_as_none() -> None:
    """Servers differ in which they send."""
    absent = CAMEL_CASE.structure(EFFECT, Effect)
    null = CAMEL_CASE.structure(EFFECT | {"agentId": None, "source": None}, Effect)
    assert (absent.agent_id, absent.source) == (None, None)
    assert absent == null


def test_unknown_fields_and_values_are_kept() -> None:
    """Fields on ``raw``, statuses as they came."""
    effect = CAMEL_CASE.structure(EFFECT | {"status": "PAUSED", "colour": "red"}, Effect)
    assert effect.status == "PAUSED"
    assert effect.raw["colour"] == "red"


def test_pages_hold_models() -> None:
    """Each with its own raw."""
    page = CAMEL_CASE.structure({"items": [EFFECT], "nextCursor": "c"}, EffectPage)
    assert page.items[0].raw == EFFECT
    assert page.next_cursor == "c"


def test_models_are_frozen_and_slotted() -> None:
    """All of them."""
    classes = [c for c in vars(models).values() if isinstance(c, type) and attrs.has(c)]
    assert len(classes) >= 15
    for cls in classes:
        assert "__slots__" in vars(cls), cls
        assert cls.__setattr__ is not object.__setattr__, cls


def test_no_repr_shows_a_lease_token() -> None:
    """Neither of an answer, nor of a request."""
    shown = repr(CAMEL_CASE.structure(GRANT, LeaseResponse)) + repr(
        RenewRequestBody(effect_key="k", fence_token=1, lease_token="token")
    )
    assert "'token'" not in shown


def test_absent_fields_are_left_out_and_a_null_result_is_sent() -> None:
    """A result of null is a result."""
    lease = to_wire(LeaseRequestBody(effect_key="k", lease_duration_ms=5_000, input_json=0))
    commit = to_wire(CommitRequestBody(effect_key="k", fence_token=1, lease_token="t", result=None))
    assert lease == {"effectKey": "k", "leaseDurationMs": 5_000, "inputJson": 0}
    assert commit == {"effectKey": "k", "fenceToken": 1, "leaseToken": "t", "result": None}


@given(json_values)
def test_json_survives_the_way_there_and_back(value) -> None:
    """All of it, measured as it is sent."""
    sent = dumps(value)
    assert loads(sent) == value
    assert payload_size(value) == len(sent)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), {1, 2}, b"x", "\ud800", {("a",): 1}]
)
def test_what_is_not_json_is_refused(value) -> None:
    """With the errors that callers expect."""
    with pytest.raises((TypeError, ValueError)):
        dumps(value)


def test_what_holds_itself_or_is_too_deep_is_refused() -> None:
    """Also on the way in."""
    circle: list = []
    circle.append(circle)
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in (circle, deep):
        with pytest.raises(ValueError):
            dumps(value)
    with pytest.raises(ValueError, match="deep"):
        loads(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize("content", [b"", b"NaN", b"[Infinity]", b"{", b"<html>", b'"\xff"'])
def test_what_is_no_json_is_a_value_error(content: bytes) -> None:
    """Strictly: no NaN, no Infinity, nothing but UTF-8."""
    with pytest.raises(ValueError):
        loads(content)


def test_names_are_camel_case_on_the_wire() -> None:
    """Word by word."""
    assert [camel(n) for n in ("raw", "effect_key", "lease_duration_ms")] == [
        "raw",
        "effectKey",
        "leaseDurationMs",
    ]
