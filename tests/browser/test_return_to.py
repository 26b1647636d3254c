"""Where a browser takes an address to lead is where the platform takes it to lead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quatrain.errors import InputError
from quatrain.server.vendo import return_to
from tests.server.vendo._urls import LISTED, texts

pytestmark = pytest.mark.once

ALLOWED = frozenset(map(return_to.origin_of, LISTED))


@pytest.fixture(scope="module")
def blank(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(candidates=st.lists(texts, min_size=20, max_size=200))
def test_an_accepted_address_has_one_reading(blank: Any, candidates: list[str]) -> None:
    """Of any text: the origin that was checked is the one that Chromium would go to."""
    taken = []
    for text in candidates:
        try:
            taken.append(return_to.checked(text, ALLOWED))
        except InputError:
            continue
    answers = [each.with_answer(state="s", slug="b", status="denied") for each in taken]

    origins = blank.evaluate("texts => texts.map(text => new URL(text).origin)", answers)

    assert [each.origin for each in taken] == origins
