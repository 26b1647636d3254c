# Generated from tests/_async/test_velocity_answers.py by scripts/make_sync.py. Do not edit.
"""The client of Velocity OS: what it answers, scopes, errors and retries."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import quatrain
from quatrain import velocity
from quatrain.velocity import Module, ScopeMissingError, Task, TeamMember, VelocityOS

from .._business import FakeBusiness, error
from .._doubles import InstantClock

Connect = Callable[..., VelocityOS]

# -- what comes back ------------------------------------------------------------------------------


def test_whoami_is_asked_for_once(vos: VelocityOS, business: FakeBusiness) -> None:
    """Unless it is to be refreshed."""
    assert (vos.granted_scopes, vos.sandbox_mode) == (None, None)
    me = vos.whoami()
    assert (me.user.email, me.user.tier, me.user.venture_id) == (
        "f@example.com",
        "growth",
        "default",
    )
    assert (me.extension.id, me.extension.slug, me.sandbox) == (7, "ghl", False)
    assert vos.whoami() is me
    assert vos.granted_scopes == me.extension.granted_scopes
    business.data["whoami"]["user"]["tier"] = "academy"
    assert vos.whoami(refresh=True).user.tier == "academy"
    assert vos.whoami().user.tier == "academy"
    assert len(business.requests) == 2


def test_the_answers_are_models(vos: VelocityOS, business: FakeBusiness) -> None:
    """With what this version does not know on ``raw``, and null read as absent."""
    business.data |= {
        "profile": {"profile": {"company": "Acme", "size": 3}},
        "modules": {"modules": [{"code": "F6", "status": "done", "has_output": True, "x": 1}]},
        "modules/F6": {"code": "F6", "output": {"pricing": [1, None]}},
        "offers": {"offers": [{"id": "o1", "name": "Audit", "status": None, "c3_output": "text"}]},
        "team": {"team": [{"name": "Ada", "role": None, "email": "a@example.com"}]},
        "partnerships": {"partnerships": [{"name": "P", "type": "channel", "contact": "c"}]},
        "tasks": {
            "open": [{"module_source": "L1", "action": "A", "quadrant": "brand_new"}],
            "completed": [{"id": "t1", "action": "B", "completed_at": "2026-01-02"}],
        },
        "academy/programs": {"programs": [{"id": 1, "name": "P", "status": "live"}]},
    }
    assert vos.profile.get() == {"company": "Acme", "size": 3}
    (module,) = vos.modules.list()
    assert (module.code, module.has_output, module.completed_at) == ("F6", True, None)
    assert module.raw["x"] == 1
    assert vos.modules.get("F6") == Module("F6", {"pricing": [1, None]})
    (offer,) = vos.offers.list()
    assert (offer.id, offer.status, offer.c3_output) == ("o1", "", "text")
    assert vos.team.list() == [TeamMember("Ada", "", "a@example.com")]
    (partnership,) = vos.partnerships.list()
    assert partnership.type == "channel"
    backlog = vos.tasks.list()
    assert backlog.open == [Task("L1", "A", quadrant="brand_new")]
    assert [task.id for task in backlog.completed] == ["t1"]
    (program,) = vos.academy.programs()
    assert (program.id, program.description) == (1, "")


def test_no_list_at_all_is_an_empty_one(vos: VelocityOS, business: FakeBusiness) -> None:
    """And so is a null."""
    business.data |= {"team": {"team": None}, "offers": {}, "tasks": {"open": None}, "profile": {}}
    assert vos.team.list() == []
    assert vos.offers.list() == []
    assert vos.tasks.list().open == []
    assert vos.profile.get() == {}


def test_every_answer_tells_of_the_sandbox(vos: VelocityOS, business: FakeBusiness) -> None:
    """And the client tells of the last one."""
    business.sandbox = True
    business.data |= {
        "profile": {"profile": {}},
        "team": {"team": [{"name": "Ada"}]},
        "tasks": {"open": [{"action": "A"}], "completed": [{"id": "1"}]},
    }
    team, backlog = vos.team.list(), vos.tasks.list()
    answers = [
        vos.whoami(),
        vos.profile.get(),
        team,
        team[0],
        backlog,
        backlog.open[0],
        backlog.completed[0],
        vos.tasks.create("A", "L1"),
    ]
    assert [answer.sandbox for answer in answers] == [True] * 8
    assert vos.sandbox_mode is True
    business.sandbox = False
    assert vos.tasks.list().sandbox is False
    assert vos.sandbox_mode is False


# -- scopes ---------------------------------------------------------------------------------------


def test_a_scope_known_to_be_missing_is_no_request(vos: VelocityOS, business: FakeBusiness) -> None:
    """Once whoami has told what was granted."""
    vos.whoami()
    with pytest.raises(ScopeMissingError, match="read:offers") as caught:
        vos.offers.list()
    exc = caught.value
    assert (exc.scope, exc.code, exc.status_code) == ("read:offers", "scope_required", 403)
    assert isinstance(exc, quatrain.PermissionDeniedError)
    assert len(business.requests) == 1
    business.data["whoami"]["extension"]["granted_scopes"] = ["read:offers"]
    business.data["offers"] = {"offers": []}
    vos.whoami(refresh=True)
    assert vos.offers.list() == []


def test_before_that_the_server_tells(vos: VelocityOS, business: FakeBusiness) -> None:
    """The same exception from its words, whatever the status."""
    body = error("scope_required", "Extension is missing required scope: write:tasks")
    for status in (403, 200):
        business.faults.append(httpx.Response(status, json=body))
        with pytest.raises(ScopeMissingError) as caught:
            vos.tasks.create("A", "L1")
        assert caught.value.scope == "write:tasks"
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert len(business.requests) == 2


# -- errors and retries ---------------------------------------------------------------------------

KINDS = [
    (401, velocity.AuthenticationError, quatrain.AuthenticationError),
    (403, velocity.PermissionDeniedError, quatrain.PermissionDeniedError),
    (404, velocity.NotFoundError, quatrain.NotFoundError),
    (409, velocity.ConflictError, quatrain.ConflictError),
    (418, velocity.APIError, quatrain.APIError),
    (422, velocity.ValidationFailedError, quatrain.ValidationFailedError),
    (429, velocity.RateLimitError, quatrain.RateLimitError),
    (503, velocity.ServerError, quatrain.ServerError),
]


@pytest.mark.parametrize(("status", "own", "shared"), KINDS)
def test_an_error_is_of_its_kind(
    connect_velocity: Connect, business: FakeBusiness, status: int, own: type, shared: type
) -> None:
    """Of this platform's and of the shared kind, with code and message."""
    business.faults.append(status)
    with pytest.raises(own) as caught:
        connect_velocity(max_retries=0).whoami()
    exc = caught.value
    assert isinstance(exc, shared)
    assert isinstance(exc, velocity.APIError)
    assert (exc.status_code, exc.code, exc.message) == (status, f"fault_{status}", "a fault")


def test_not_ok_is_an_error_whatever_the_status(vos: VelocityOS, business: FakeBusiness) -> None:
    """The envelope decides; and an answer without one is none of the contract's."""
    business.faults.append(httpx.Response(200, json=error("odd", "not today")))
    with pytest.raises(velocity.APIError, match="200 odd: not today"):
        vos.whoami()
    for body in ({}, {"data": {}}, {"ok": "true", "data": {}}):
        business.faults.append(httpx.Response(200, json=body))
        with pytest.raises(velocity.APIError):
            vos.whoami()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>502</html>",
        b"[]",
        b'{"ok": true}',
        b'{"ok": true, "data": []}',
        b'{"ok": true, "data": {"team": {}}}',
        b'{"ok": true, "data": {"team": [7]}}',
        b'{"ok": true, "data": {"team": [{"name": 7}]}}',
        b"\xff",
    ],
)
def test_an_answer_of_another_shape_is_a_typed_error(
    vos: VelocityOS, business: FakeBusiness, body: bytes
) -> None:
    """With the status and the request id, and never a decoder's."""
    headers = {"x-request-id": "req_1"}
    business.faults.append(httpx.Response(200, content=body, headers=headers))
    with pytest.raises(velocity.APIError, match=r"unexpected answer|HTTP 200") as caught:
        vos.team.list()
    assert (caught.value.status_code, caught.value.request_id) == (200, "req_1")


def test_passing_faults_are_waited_out(
    vos: VelocityOS, business: FakeBusiness, instant: InstantClock
) -> None:
    """After 0.5, 1.5 and 4 seconds; a network error, 429 and 5xx alike."""
    business.faults.extend([httpx.ConnectError("no"), 429, 502])
    vos.whoami()
    assert instant.slept == [0.5, 1.5, 4.0]


def test_then_it_is_given_up(
    vos: VelocityOS, business: FakeBusiness, instant: InstantClock
) -> None:
    """With what came of each attempt."""
    business.faults.extend([500, 503, httpx.ReadTimeout("slow"), 504])
    with pytest.raises(velocity.ServerError) as caught:
        vos.whoami()
    assert [each.status_code for each in caught.value.attempts] == [500, 503, None, 504]
    assert instant.slept == [0.5, 1.5, 4.0]


def test_an_unknown_option_is_refused(vos: VelocityOS, business: FakeBusiness) -> None:
    """Misspelled, a key would protect from nothing."""
    options: dict[str, Any] = {"idempotencykey": "mine"}
    with pytest.raises(TypeError, match="idempotencykey"):
        vos.team.add("Ada", **options)
    with pytest.raises(TypeError, match="idempotencykey"):
        vos.team.list(**options)
    assert business.requests == []


def test_no_answer_at_all_is_a_transport_error(
    connect_velocity: Connect, business: FakeBusiness
) -> None:
    """Of this platform and of the shared kind."""
    business.faults.append(httpx.ConnectError("nobody there"))
    with pytest.raises(velocity.TransportError, match="nobody there") as caught:
        connect_velocity(max_retries=0).whoami()
    assert isinstance(caught.value, quatrain.TransportError)
    assert caught.value.sent is False


@pytest.mark.parametrize("first", ["lost", 503, httpx.ReadTimeout("slow")])
def test_a_write_that_may_have_been_done_says_so(
    vos: VelocityOS, business: FakeBusiness, first: Any
) -> None:
    """However sure it is of the last attempt that it never got there."""
    business.faults.extend([first] + [httpx.ConnectError("nobody there")] * 3)
    with pytest.raises(velocity.TransportError) as caught:
        vos.team.add("Ada")
    assert caught.value.sent is True


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_what_will_not_pass_is_not_tried_again(
    vos: VelocityOS, business: FakeBusiness, status: int
) -> None:
    """A revoked key stays revoked."""
    business.faults.append(status)
    with pytest.raises(velocity.APIError):
        vos.whoami()
    assert len(business.requests) == 1


def test_a_write_is_tried_again_under_one_key(vos: VelocityOS, business: FakeBusiness) -> None:
    """So that what was done before its answer was lost is not done twice."""
    business.faults.extend(["lost", 503])
    assert vos.tasks.create("Ship it", "L12").action == "Ship it"
    keys = [request.headers["idempotency-key"] for request in business.requests]
    assert len(keys) == 3
    assert len(set(keys)) == len(business.created) == 1
    assert str(uuid.UUID(keys[0])) == keys[0]
    assert len({request.content for request in business.requests}) == 1
    vos.tasks.create("Ship it", "L12")
    assert business.requests[-1].headers["idempotency-key"] != keys[0]


@pytest.mark.parametrize("fault", [503, "lost", httpx.Response(200, json={"ok": True})])
def test_a_write_that_failed_can_be_written_again_under_its_key(
    connect_velocity: Connect, business: FakeBusiness, fault: Any
) -> None:
    """The error tells it, though it was made up; so it is done once."""
    vos = connect_velocity(max_retries=0)
    business.faults.append(fault)
    with pytest.raises(velocity.VelocityOSError) as caught:
        vos.team.add("Ada")
    key = caught.value.idempotency_key  # type: ignore[attr-defined]
    assert key == business.requests[0].headers["idempotency-key"]
    assert pickle.loads(pickle.dumps(caught.value)).idempotency_key == key
    vos.team.add("Ada", idempotency_key=key)
    assert list(business.created) == [key]


def test_a_read_that_failed_has_no_key(connect_velocity: Connect, business: FakeBusiness) -> None:
    """It needs none."""
    business.faults.append(503)
    with pytest.raises(velocity.ServerError) as caught:
        connect_velocity(max_retries=0).whoami()
    assert caught.value.idempotency_key is None


def test_a_read_has_no_idempotency_key(vos: VelocityOS, business: FakeBusiness) -> None:
    """It needs none."""
    vos.whoami()
    assert "idempotency-key" not in business.requests[0].headers


def test_a_write_under_way_is_asked_after(
    vos: VelocityOS, business: FakeBusiness, instant: InstantClock
) -> None:
    """A repetition that came too early is no failure: it waits as long as it is told."""
    body = error("idempotency_in_progress", "still running")
    business.faults.append(httpx.Response(409, json=body, headers={"retry-after": "2"}))
    assert vos.team.add("Ada").name == "Ada"
    assert instant.slept == [2.0]


def test_options_of_one_call(
    vos: VelocityOS, business: FakeBusiness, instant: InstantClock
) -> None:
    """Its time-out, its retries and its idempotency key."""
    vos.tasks.create("A", "L1", idempotency_key="mine", timeout=3.0)
    request = business.requests[0]
    assert request.headers["idempotency-key"] == "mine"
    assert request.extensions["timeout"]["read"] == 3.0
    business.faults.append(503)
    with pytest.raises(velocity.ServerError):
        vos.team.add("Ada", max_retries=0)
    assert instant.slept == []


@pytest.mark.parametrize("key", ["", "a\nb", " a", "ключ", "x" * 256, 7])
def test_an_idempotency_key_that_no_header_can_carry_is_refused(
    vos: VelocityOS, business: FakeBusiness, key: Any
) -> None:
    """Before any request."""
    with pytest.raises(velocity.InputError, match="idempotency_key"):
        vos.team.add("Ada", idempotency_key=key)
    assert business.requests == []
