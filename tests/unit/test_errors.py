"""One tree of errors, and each of them travels whole."""

from __future__ import annotations

import copy
import pickle

import pytest

import quatrain
from quatrain import errors, velerian, velocity, verity
from quatrain.errors import Attempt
from quatrain.errors import velocity as velocity_errors
from quatrain.errors.verity import FAMILY
from quatrain.velocity import ScopeMissingError
from quatrain.verity import (
    CommitRefusedError,
    CommitUncertainError,
    EffectPreviouslyFailedError,
    EffectUncertainError,
    LeaseConflictError,
    LeaseLostError,
    VerityApiError,
    VerityConfigError,
    VerityError,
    VerityTransportError,
    VerityValidationError,
)

ATTEMPTS = (Attempt(1, status_code=503, waited=0.3), Attempt(2, error="ReadTimeout: x"))
API = {
    "code": "c",
    "message": "m",
    "detail": [{"loc": ["body"]}],
    "retry_after": 3.0,
    "attempts": ATTEMPTS,
}
SAMPLES = [
    VerityError("words"),
    VerityConfigError("words"),
    VerityValidationError("words"),
    VerityTransportError("words", sent=False, attempts=ATTEMPTS),
    VerityApiError(503, {"a": 1}, "req_1", **API),
    verity.VerityServerError(503, "text", "req_1", **API),
    LeaseConflictError("k", {"holder": {}}, "req_1", **API),
    EffectPreviouslyFailedError("k", {"name": "ValueError"}, "eff_1"),
    EffectUncertainError("k", 2, "eff_1"),
    CommitUncertainError("k", {"r": 1}, VerityTransportError("no", sent=True), 3),
    LeaseLostError("k", "gone", 3),
    LeaseLostError("k", "gone", 3, result=None),
    CommitRefusedError("k", [1], verity.VerityConflictError(409, {}, "req_2"), 3),
    velerian.VelerianError("words"),
    velerian.VelerianConfigError("words"),
    velerian.VelerianInputError("words"),
    velerian.VelerianTransportError("words", sent=False, attempts=ATTEMPTS),
    velerian.VelerianAPIError(503, {"a": 1}, "req_1", **API),
    velerian.VelerianRateLimitError(429, "text", None, **API),
    velerian.RunTimeoutError("run_1", "running", 900.0),
    velerian.EvidenceError("a link is missing", 7),
    velocity.VelocityOSError("words"),
    velocity.InputError("words"),
    velocity.TransportError("words", sent=False, attempts=ATTEMPTS),
    velocity.APIError(503, {"a": 1}, "req_1", **API),
    velocity.WebhookSignatureError("words"),
    ScopeMissingError("read:tasks"),
    ScopeMissingError("read:tasks", 403, {"ok": False}, "req_1", retry_after=1.0),
]
KINDS = {
    400: (VerityApiError, quatrain.APIError),
    401: (verity.VerityAuthenticationError, quatrain.AuthenticationError),
    403: (verity.VerityPermissionDeniedError, quatrain.PermissionDeniedError),
    404: (verity.VerityNotFoundError, quatrain.NotFoundError),
    409: (verity.VerityConflictError, quatrain.ConflictError),
    410: (VerityApiError, quatrain.APIError),
    413: (VerityApiError, quatrain.APIError),
    418: (VerityApiError, quatrain.APIError),
    422: (verity.VerityValidationFailedError, quatrain.ValidationFailedError),
    429: (verity.VerityRateLimitError, quatrain.RateLimitError),
    302: (VerityApiError, quatrain.APIError),
    500: (verity.VerityServerError, quatrain.ServerError),
    503: (verity.VerityServerError, quatrain.ServerError),
    599: (verity.VerityServerError, quatrain.ServerError),
    600: (VerityApiError, quatrain.APIError),
}


def fields(exc: BaseException) -> dict:
    """All that an error says, errors in its fields included."""
    return {
        "type": type(exc),
        "args": exc.args,
        **{
            name: fields(value) if isinstance(value, BaseException) else value
            for name, value in vars(exc).items()
            if name != "_resolver"
        },
    }


@pytest.mark.parametrize(("status", "kinds"), KINDS.items())
def test_a_status_is_an_error_of_the_platform_and_of_the_shared_kind(status, kinds) -> None:
    """Handlers of either see it; and it is exactly that class."""
    exc = FAMILY.error(status, {"code": "c", "message": "m"}, "req_1")
    assert type(exc) is kinds[0]
    assert isinstance(exc, (kinds[1], VerityError))
    assert isinstance(exc, kinds[1])
    assert isinstance(exc, VerityError)
    assert (exc.status_code, exc.code, exc.message, exc.request_id) == (status, "c", "m", "req_1")


@pytest.mark.parametrize(
    ("error", "bases"),
    [
        (VerityConfigError, (VerityError, quatrain.ConfigError)),
        (VerityValidationError, (VerityError, quatrain.InputError, ValueError)),
        (VerityTransportError, (VerityError, quatrain.TransportError)),
        (LeaseConflictError, (VerityError, quatrain.ConflictError, VerityApiError)),
        (CommitRefusedError, (LeaseLostError, CommitUncertainError)),
        (EffectPreviouslyFailedError, (VerityError,)),
        (velerian.VelerianConfigError, (velerian.VelerianError, quatrain.ConfigError)),
        (velerian.VelerianInputError, (velerian.VelerianError, quatrain.InputError, ValueError)),
        (velerian.VelerianTransportError, (velerian.VelerianError, quatrain.TransportError)),
        (velerian.VelerianNotFoundError, (velerian.VelerianAPIError, quatrain.NotFoundError)),
        (velerian.RunTimeoutError, (velerian.VelerianError,)),
        (velerian.EvidenceError, (velerian.VelerianError,)),
        (velocity.ConfigError, (velocity.VelocityOSError, quatrain.ConfigError)),
        (velocity.InputError, (velocity.VelocityOSError, quatrain.InputError, ValueError)),
        (velocity.TransportError, (velocity.VelocityOSError, quatrain.TransportError)),
        (velocity.NotFoundError, (velocity.APIError, quatrain.NotFoundError)),
        (ScopeMissingError, (velocity.APIError, quatrain.PermissionDeniedError)),
        (velocity.WebhookSignatureError, (velocity.VelocityOSError, quatrain.WebhookError)),
        (velocity.WebhookPayloadError, (velocity.VelocityOSError, quatrain.WebhookError)),
    ],
)
def test_the_other_errors_are_of_both_trees_too(error, bases) -> None:
    """As drawn in the docstring of ``quatrain.errors``."""
    assert all(issubclass(error, base) for base in bases)


def test_every_error_is_a_quatrain_error() -> None:
    """One ``except`` catches all."""
    found = [v for m in (quatrain, errors, velerian, velocity, verity) for v in vars(m).values()]
    classes = {v for v in found if isinstance(v, type) and issubclass(v, BaseException)}
    assert len(classes) > 25
    assert all(issubclass(cls, quatrain.QuatrainError) for cls in classes)


def test_every_error_has_a_sample_here() -> None:
    """So that the tests below cover all with an ``__init__`` of their own."""
    made = {type(sample).__init__ for sample in SAMPLES}
    classes = {
        getattr(platform, name)
        for platform in (velerian, velocity, verity)
        for name in platform.__all__
        if name.endswith("Error")
    }
    assert {cls.__init__ for cls in classes} <= made


@pytest.mark.parametrize("exc", SAMPLES, ids=lambda exc: type(exc).__name__)
@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
def test_it_pickles_with_all_its_fields(exc: Exception, protocol: int) -> None:
    """To another process and back."""
    again = pickle.loads(pickle.dumps(exc, protocol))
    assert fields(again) == fields(exc)
    assert str(again) == str(exc)


@pytest.mark.parametrize("exc", SAMPLES, ids=lambda exc: type(exc).__name__)
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy])
def test_it_copies_with_all_its_fields(exc: Exception, how) -> None:
    """Shallow and deep."""
    assert fields(how(exc)) == fields(exc)


def test_notes_travel() -> None:
    """What a handler added as well."""
    exc = LeaseLostError("k", "gone")
    exc.add_note("seen twice")
    assert pickle.loads(pickle.dumps(exc)).__notes__ == ["seen twice"]


class Unpicklable(Exception):
    """Pickles, and can't be made again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("words")


@pytest.mark.parametrize("value", [lambda: 1, Unpicklable(1, 2)], ids=["lambda", "one way only"])
def test_a_field_that_does_not_pickle_travels_as_its_repr(value) -> None:
    """The error itself must not be lost for it; a copy keeps it."""
    exc = CommitUncertainError("k", value, VerityError("no"), 1)
    assert pickle.loads(pickle.dumps(exc)).result == repr(value)
    assert copy.copy(exc).result is value


def test_the_way_to_settle_it_does_not_travel() -> None:
    """``resolve()`` says so, before and after; a copy can still be resolved."""
    exc = CommitUncertainError("k", 1, VerityError("no"), 1)
    with pytest.raises(RuntimeError, match="no client"):
        exc.resolve()
    exc.with_resolver(lambda: "settled")
    assert exc.resolve() == "settled"
    assert copy.copy(exc).resolve() == "settled"
    with pytest.raises(RuntimeError, match="no client"):
        pickle.loads(pickle.dumps(exc)).resolve()


def test_what_it_says() -> None:
    """Status, code, message and request id."""
    assert str(VerityApiError(503, {}, "req_1", message="down", code="unavailable")) == (
        "503 unavailable: down [request req_1]"
    )
    assert str(VerityApiError(502)) == "502: HTTP 502"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"code": "c", "message": "m", "requestId": "req_9"}, ("c", "m", None, "req_9")),
        ({"error": {"code": "c", "message": "m", "details": [1]}}, ("c", "m", [1], None)),
        ({"error": "words"}, (None, "words", None, None)),
        ({"detail": "words"}, (None, "words", "words", None)),
        ({"detail": [{"msg": "x"}]}, (None, "HTTP 400", [{"msg": "x"}], None)),
        ({"code": 7, "message": ["m"], "requestId": 5}, (None, "HTTP 400", None, None)),
        ({"errors": [{"loc": ["a"]}]}, (None, "HTTP 400", [{"loc": ["a"]}], None)),
        ("<html>  a\n  b </html>", (None, "<html> a b </html>", None, None)),
        ("", (None, "HTTP 400", None, None)),
        ([1, 2], (None, "HTTP 400", None, None)),
        (None, (None, "HTTP 400", None, None)),
    ],
)
def test_code_message_and_detail_are_read_from_any_body(body, expected) -> None:
    """Gateways answer in shapes of their own."""
    exc = FAMILY.error(400, body, None)
    assert (exc.code, exc.message, exc.detail, exc.request_id) == expected
    assert exc.body == body


@pytest.mark.parametrize(
    ("message", "scope"),
    [
        ("Extension is missing required scope: write:tasks", "write:tasks"),
        ("no", "unknown"),
        ("scope:", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_code_may_decide_the_class(message, scope) -> None:
    """Whatever the status; a missing scope is read from the server's words."""
    body = {"ok": False, "error": {"code": "scope_required", "message": message}}
    for status in (403, 200):
        exc = velocity_errors.FAMILY.error(status, body, "req_1")
        assert isinstance(exc, ScopeMissingError)
        assert (exc.scope, exc.status_code, exc.code) == (scope, status, "scope_required")
        assert (exc.body, exc.request_id) == (body, "req_1")


def test_a_lost_lease_tells_whether_there_is_a_result() -> None:
    """None may be one."""
    assert LeaseLostError("k", "gone").has_result is False
    assert LeaseLostError("k", "gone", 1, result=None).has_result is True
    assert CommitRefusedError("k", None, VerityError("no")).has_result is True
