"""Every operation of the OpenAPI document, called with data that fits and with data that does not.

schemathesis makes the requests, the same ones each time: the contracts' examples, the bounds of
every field, other methods, and some at random. Nothing may fail inside, what does not fit is
refused, and every answer is one that the document tells of.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from hypothesis import strategies as st
from schemathesis.config import (
    GenerationConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi import checks

from quatrain.server.openapi.document import document

from .openapi._checking import check_answer
from .openapi._platform import NAMESPACE, Platform, running

pytestmark = pytest.mark.once

EXAMPLES = 6
"""At random, for each operation; many more are made of the bounds of its fields."""
NOT_HERE = [
    # a key is always sent; what is answered without one is told in openapi/test_document.py
    checks.ignored_auth,
]
FURTHER_RULES = {"cursor", "slugs"}
"""Parameters that a schema can't say all about."""

schemathesis.openapi.format("iso-8601", st.datetimes().map(lambda time: time.isoformat()))

SCHEMA = schemathesis.openapi.from_dict(
    document(),
    config=SchemathesisConfig(
        seed=1,
        projects=ProjectsConfig(
            default=ProjectConfig(
                generation=GenerationConfig(
                    deterministic=True,
                    max_examples=EXAMPLES,
                    no_shrink=True,
                    with_security_parameters=False,
                )
            )
        ),
    ),
)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running(tmp_path_factory.mktemp("contract") / "quatrain.db") as platform:
        yield platform


@SCHEMA.exclude(operation_id="vendo_subscribe").parametrize()
@settings(deadline=None)
def test_every_operation(case: schemathesis.Case, platform: Platform) -> None:
    """No 5xx, and nothing that the document does not tell of; so of things that there are, too."""
    operation = case.operation.definition.raw
    # another user's than the key's tenant's is refused before anything is looked at
    case.headers.pop("X-Vendo-User-JWT", None)
    answer = case.call(base_url=platform.origin, headers=platform.authorization(operation))
    case.validate_response(answer, excluded_checks=[*NOT_HERE, *_not_of(case)])
    _check(case, answer)
    if _name_what_there_is(case, platform):
        again = case.call(base_url=platform.origin, headers=platform.authorization(operation))
        case.validate_response(again, checks=[checks.status_code_conformance])
        _check(case, again)


def _not_of(case: schemathesis.Case) -> list[Any]:
    """What fits is taken, unless there are rules that JSON Schema has no words for.

    Of what is written there are many: a slug's letters, a time to come, a key that came with
    another request; and 1.0 is no integer here.
    """
    parameters = case.operation.query
    exact = "GET" == case.operation.method.upper() and not any(
        parameter.name in FURTHER_RULES for parameter in parameters
    )
    return [] if exact else [checks.positive_data_acceptance]


def _check(case: schemathesis.Case, answer: Any) -> None:
    if 405 == answer.status_code:  # another method than the operation's: checked by schemathesis
        return
    assert answer.status_code < 500
    (content_type,) = answer.headers.get("content-type", [""])
    path = case.operation.path
    known = check_answer(case.method, path, answer.status_code, content_type, answer.content)
    assert known is not None


_NUMBERS = itertools.count(1)


def _name_what_there_is(case: schemathesis.Case, platform: Platform) -> bool:
    """Put names of things that there are into a request; whether it has a place for any."""
    found = False
    for name in case.path_parameters:
        known = platform.names.get(name) if name != "slug" else _slug(case.operation.path)
        if known is not None:
            case.path_parameters[name] = known
            found = True
    if "namespace" in case.path_parameters:
        effect_key = f"effect-{next(_NUMBERS)}"
        holder = platform.lease(effect_key)
        case.path_parameters["namespace"] = NAMESPACE
        if isinstance(case.body, dict):
            case.body = {**case.body, **holder}
        elif "effectKey" in case.query:
            case.query["effectKey"] = effect_key
        found = True
    return found


def _slug(path: str) -> str:
    return "research" if path.startswith("/api/agenticx") else "slack"


def test_a_stream(platform: Platform) -> None:
    """Is begun as the document says; it has no end."""
    path = "/api/deployments/me/events"
    headers = {"authorization": f"Bearer {platform.keys['vendo']}"}
    with platform.http.stream("GET", path, headers=headers) as answer:
        kind = answer.headers["content-type"]
        assert "vendo_subscribe" == check_answer("GET", path, answer.status_code, kind, b"")
        assert next(answer.iter_lines()).startswith(":")
