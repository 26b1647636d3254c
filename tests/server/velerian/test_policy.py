"""Policies: every rule is looked at, the strictest outcome counts, and no payload is an error."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain.errors import InputError
from quatrain.server.velerian.policy import MAX_DEPTH, OPERATORS, Policy, Verdict
from quatrain.server.velerian.seeding import demo

texts = st.text() | st.sampled_from(["", "a", "b", "\0", "\ud800", "2026-01-01"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(texts | st.just("a"), inner),
    max_leaves=8,
)
payloads = st.dictionaries(st.sampled_from(["a", "b", "amount", "prompt", "applicant"]), values)


def denying(op: str, value: Any, field: str = "a.b") -> Policy:
    """Denies what the test matches."""
    when = {"field": field, "op": op, "value": value}
    return Policy.parse({"rules": [{"name": "r", "when": when, "then": "deny"}]})


def matches(op: str, value: Any, found: Any) -> bool:
    """Whether the test matches a payload with that value."""
    return denying(op, value).judge({"a": {"b": found}}).outcome == "deny"


@pytest.mark.parametrize(
    ("op", "value", "matching", "others"),
    [
        ("gt", 5, [6, 5.5, 10**400], [5, 4, "6", True, None, [6], {}]),
        ("gte", 5, [5, 5.0, 6], [4.9, "5", None]),
        ("lt", 5, [4, -1e300], [5, "4", False]),
        ("lte", "b", ["a", "b", ""], ["c", 1, None]),
        ("gt", "2026-01-01", ["2026-05-01"], ["2025-12-31", 2027]),
        ("eq", 1, [1, 1.0], [True, "1", 2, None]),
        ("eq", True, [True], [1, "true"]),
        ("eq", None, [None], [False, 0, ""]),
        ("eq", {"x": [1, True]}, [{"x": [1.0, True]}], [{"x": [1, 1]}, {"x": [1]}, {}]),
        ("ne", 1, [2, "1", True, None], [1, 1.0]),
        ("in", [1, "a"], [1, 1.0, "a"], [True, "b", [1], None]),
        ("not_in", [1, "a"], [True, "b", None], [1, "a"]),
        ("contains", "ell", ["hello", ["ell"]], ["halo", ["hello"], 5, {"ell": 1}]),
        ("contains", 1, [[2, 1], [1.0]], [[True], 1, "1"]),
        ("matches", r"^\d{3}-", ["123-4"], ["x123-4", 123, ["123-"], None]),
        ("exists", True, [1, None, [], ""], []),
        ("exists", False, [], [1, None]),
    ],
)
def test_tests_match(op: str, value: Any, matching: list[Any], others: list[Any]) -> None:
    """Like kinds only; JSON's equality."""
    assert [True] * len(matching) == [matches(op, value, found) for found in matching]
    assert [False] * len(others) == [matches(op, value, found) for found in others]


@pytest.mark.parametrize("payload", [{}, {"a": {}}, {"a": 5}, {"a": [{"b": 1}]}, {"a.b": 1}])
def test_a_missing_field(payload: dict[str, Any]) -> None:
    """Passes what says that something is not so, and nothing else."""
    anything = {"gt": 0, "gte": 0, "lt": 0, "lte": 0, "eq": None, "ne": 1, "in": [None]}
    anything |= {"not_in": [1], "contains": 1, "matches": "", "exists": False}
    assert OPERATORS.keys() == anything.keys()
    passed = {op for op in anything if denying(op, anything[op]).judge(payload).outcome == "deny"}
    assert {"ne", "not_in", "exists"} == passed


def test_tests_are_joined() -> None:
    """By all, any and not."""
    has_a, has_b = ({"field": name, "op": "exists"} for name in "ab")

    def outcomes(when: Any) -> list[bool]:
        policy = Policy.parse({"rules": [{"name": "r", "when": when, "then": "deny"}]})
        cases: list[dict[str, Any]] = [{}, {"a": 1}, {"b": 1}, {"a": 1, "b": 1}]
        return [policy.judge(case).outcome == "deny" for case in cases]

    assert [False, False, False, True] == outcomes({"all": [has_a, has_b]})
    assert [False, True, True, True] == outcomes({"any": [has_a, has_b]})
    assert [True, False, True, False] == outcomes({"not": has_a})
    assert [False, True, False, False] == outcomes({"all": [has_a, {"not": {"any": [has_b]}}]})


def rule(then: str, name: str | None = None) -> dict[str, Any]:
    """Applies when the payload has a field of that name."""
    name = name or then
    return {
        "name": name,
        "when": {"field": name, "op": "exists"},
        "then": then,
        "reason": f"because of {name}",
    }


ALL = Policy.parse(
    {
        "rules": [
            rule("allow"),
            rule("condition"),
            rule("withhold"),
            rule("require_human"),
            rule("deny"),
            rule("deny", "deny2"),
            rule("condition", "condition2"),
        ]
    }
)


@pytest.mark.parametrize(
    ("fields", "outcome", "reasons", "conditions"),
    [
        ("", "allow", "", ""),
        ("allow", "allow", "allow", ""),
        ("condition", "allow", "", "condition"),
        ("allow withhold", "withhold", "withhold", ""),
        ("withhold require_human", "require_human", "require_human", ""),
        ("require_human deny condition", "deny", "deny", "condition"),
        (
            "deny2 condition2 deny withhold allow condition",
            "deny",
            "deny deny2",
            "condition condition2",
        ),
    ],
)
def test_what_matched_is_aggregated(
    fields: str, outcome: str, reasons: str, conditions: str
) -> None:
    """The strictest outcome with its own reasons, every condition, and every rule counted."""
    verdict = ALL.judge(dict.fromkeys(fields.split(), 1))
    expected = Verdict(
        outcome,  # type: ignore[arg-type]
        tuple(f"because of {name}" for name in reasons.split()),
        tuple(f"because of {name}" for name in conditions.split()),
        7,
    )
    assert expected == verdict


@pytest.mark.parametrize("default", ["deny", "require_human", "withhold", "allow"])
def test_the_default_decides_when_no_rule_does(default: str) -> None:
    """A condition is no decision; a rule that allows is one."""
    policy = Policy.parse({"default": default, "rules": [rule("condition"), rule("allow")]})
    assert default == policy.judge({"condition": 1}).outcome
    assert "allow" == policy.judge({"allow": 1}).outcome
    assert (default != "allow") == bool(policy.judge({}).reasons)


def test_an_empty_policy_allows() -> None:
    """And a rule without a reason gives its name."""
    assert Verdict("allow", (), (), 0) == Policy.parse({}).judge({"a": 1})
    assert ("r",) == denying("exists", True, "a").judge({"a": 1}).reasons


@given(payload=payloads | st.dictionaries(texts, values))
def test_no_payload_is_an_error(payload: dict[str, Any]) -> None:
    """Whatever JSON it is, for every operator and for the demo's policies."""
    given_values = {"in": ["a", 1], "not_in": ["a", 1], "exists": True}
    for op in OPERATORS:
        for field in ("a", "a.a", "b.a.b"):
            verdict = denying(op, given_values.get(op, "a"), field).judge(payload)
            assert verdict.outcome in {"allow", "deny"}
    for abp in demo()["abps"]:
        policy = Policy.parse(abp["policy"])
        assert len(abp["policy"]["rules"]) == policy.judge(payload).constraint_count


def nested(depth: int) -> Any:
    when: Any = {"field": "a", "op": "exists"}
    for _ in range(depth):
        when = {"not": when}
    return when


RULE = {"name": "r", "when": {"field": "a", "op": "exists"}, "then": "deny"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "the policy: must be a mapping"),
        ({"defaults": "deny"}, "the policy: there is no 'defaults' here, but default, rules"),
        ({"default": "maybe"}, "default: must be one of deny"),
        ({"default": "condition"}, "default: must be one of"),
        ({"default": ["deny"]}, "default: must be one of"),
        ({"rules": {}}, "rules: must be a list"),
        ({"rules": [RULE] * 501}, "at most 500"),
        ({"rules": [RULE, 5]}, r"rules\[1\]: must be a mapping"),
        ({"rules": [{**RULE, "then": "explode"}]}, r"rules\[0\].then: must be one of"),
        ({"rules": [{**RULE, "name": " "}]}, r"rules\[0\].name: must be text"),
        ({"rules": [{**RULE, "reason": "\ud800"}]}, r"rules\[0\].reason: holds half"),
        ({"rules": [{**RULE, "reason": "a\0"}]}, r"rules\[0\].reason: must not hold a NUL"),
        ({"rules": [{**RULE, "extra": 1}]}, r"rules\[0\]: there is no 'extra' here"),
        ({"rules": [{"name": "r", "then": "deny"}]}, r"rules\[0\]: when is missing"),
    ],
)
def test_a_document_is_checked(document: Any, words: str) -> None:
    """And the message names the place."""
    with pytest.raises(InputError, match=words):
        Policy.parse(document)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (5, ": must be a test"),
        ({}, ": field is missing"),
        ({"field": "a", "op": "like", "value": 1}, ".op: must be one of gt, gte"),
        ({"field": "a", "op": ["gt"], "value": 1}, ".op: must be one of gt, gte"),
        ({"field": "", "op": "exists"}, ".field: must be text"),
        ({"field": "a", "op": "eq"}, ".value: is missing"),
        ({"field": "a", "op": "gt", "value": None}, ".value: must be a number or text"),
        ({"field": "a", "op": "gt", "value": True}, ".value: must be a number or text"),
        ({"field": "a", "op": "in", "value": "abc"}, ".value: must be a list"),
        ({"field": "a", "op": "not_in", "value": 1}, ".value: must be a list"),
        ({"field": "a", "op": "matches", "value": 1}, ".value: must be text"),
        ({"field": "a", "op": "matches", "value": "(a+)+"}, ".value: the pattern .* is nested"),
        ({"field": "a", "op": "exists", "value": 1}, ".value: must be true or false"),
        ({"field": "a", "op": "eq", "value": date(2026, 1, 1)}, ".value: must be of JSON"),
        ({"field": "a", "op": "eq", "value": {1: 2}}, ".value: a name: must be of JSON"),
        ({"field": "a", "op": "eq", "value": [float("nan")]}, r".value\[0\]: nan is not"),
        ({"field": "a", "op": "exists", "or": []}, ": there is no 'or' here"),
        ({"all": []}, ".all: must be a list of at least one"),
        ({"any": {}}, ".any: must be a list"),
        ({"any": [{"not": 1}]}, r".any\[0\].not: must be a test"),
        ({"all": [RULE["when"]], "any": [RULE["when"]]}, ": there is no 'any' here"),
        (nested(MAX_DEPTH), ": tests are nested deeper than 30"),
    ],
)
def test_a_test_is_checked(when: Any, words: str) -> None:
    """However deep it stands."""
    with pytest.raises(InputError, match=rf"rules\[0\]\.when[^:]*{words}"):
        Policy.parse({"rules": [{**RULE, "when": when}]})


@pytest.mark.parametrize(
    ("test", "most", "words"),
    [
        (RULE["when"], 998, "has more than 1,000 tests"),
        ({"field": "a", "op": "matches", "value": "a"}, 100, "looks for more than 100 patterns"),
    ],
)
def test_a_policy_has_so_many_tests(test: Any, most: int, words: str) -> None:
    """Of all rules together: each payload may have to pass all of them."""

    def rules(tests: int) -> Any:
        return {"rules": [{**RULE, "when": {"any": [test] * tests}}, RULE]}

    assert 2 == len(Policy.parse(rules(most)).rules)
    with pytest.raises(InputError, match=rf"rules\[.\]\.when.*: the policy {words}"):
        Policy.parse(rules(most + 1))


@given(document=values | st.dictionaries(st.sampled_from(["default", "rules"]), values))
def test_any_document_is_a_policy_or_a_mistake(document: Any) -> None:
    """Nothing else is raised."""
    try:
        policy = Policy.parse(document)
    except InputError:
        return
    assert policy.judge({}).outcome
