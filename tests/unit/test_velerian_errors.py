"""Velerian's errors: of both trees, and with their details."""

from __future__ import annotations

from typing import Any

import pytest

import quatrain
from quatrain.errors import velerian as errors

KINDS = {
    302: (errors.VelerianAPIError, quatrain.APIError),
    400: (errors.VelerianAPIError, quatrain.APIError),
    401: (errors.VelerianAuthError, quatrain.AuthenticationError),
    403: (errors.VelerianForbiddenError, quatrain.PermissionDeniedError),
    404: (errors.VelerianNotFoundError, quatrain.NotFoundError),
    409: (errors.VelerianConflictError, quatrain.ConflictError),
    422: (errors.VelerianValidationError, quatrain.ValidationFailedError),
    429: (errors.VelerianRateLimitError, quatrain.RateLimitError),
    500: (errors.VelerianServerError, quatrain.ServerError),
    599: (errors.VelerianServerError, quatrain.ServerError),
}


@pytest.mark.parametrize(("status", "kinds"), KINDS.items())
def test_a_status_is_an_error_of_the_platform_and_of_the_shared_kind(status, kinds) -> None:
    """Exactly that class; handlers of either see it."""
    exc = errors.FAMILY.error(status, {"detail": "words"}, "req_1")
    assert type(exc) is kinds[0]
    assert isinstance(exc, kinds[1])
    assert isinstance(exc, errors.VelerianError)
    assert (exc.status_code, exc.detail, exc.request_id) == (status, "words", "req_1")


@pytest.mark.parametrize(
    ("body", "detail", "message"),
    [
        ({"detail": "words"}, "words", "words"),
        ({"detail": [{"msg": "ü"}]}, '[{"msg": "ü"}]', '[{"msg": "ü"}]'),
        ({"detail": [], "message": "m"}, "[]", "m"),
        ({}, None, "HTTP 422"),
        ("<html>", None, "<html>"),
    ],
)
def test_a_detail_is_text(body, detail, message) -> None:
    """Whatever the answer had there, which stays on it."""
    exc = errors.FAMILY.error(422, body, None)
    assert (exc.detail, exc.message, exc.body) == (detail, message, body)


def test_a_detail_that_is_too_deep() -> None:
    """An answer that could be read where the stack was less deep is still its error."""
    detail: list[Any] = []
    for _ in range(100_000):
        detail = [detail]
    assert errors.VelerianAPIError(422, {}, detail=detail).detail == "nested too deeply"
    while detail:  # or to collect it takes a stack as deep
        detail = detail.pop()


def test_every_error_is_of_the_platform() -> None:
    """One ``except`` catches all, and another those of all platforms."""
    classes = [getattr(errors, name) for name in errors.__all__]
    assert len(classes) >= 15
    assert all(issubclass(cls, errors.VelerianError) for cls in classes)
    assert all(issubclass(cls, quatrain.QuatrainError) for cls in classes)


def test_a_run_that_took_too_long_says_which() -> None:
    """And how it stood."""
    assert "run_1 was running after 900 s" in str(errors.RunTimeoutError("run_1", "running", 900.0))
