"""What may run: a small declarative policy, judged against a payload. No I/O.

A document is a mapping, in a database as JSON and for people as YAML::

    default: allow              # when no rule says otherwise; or deny, require_human, withhold
    rules:
      - name: large loans
        when: {field: loan.amount, op: gt, value: 50000}
        then: require_human
        reason: loans above 50,000 are decided by a person

``when`` is a test of one field, or ``{all: […]}``, ``{any: […]}``, ``{not: …}`` of such. Every rule
is looked at. Of the outcomes that matched the strictest counts: deny, require_human, withhold,
allow. A rule whose ``then`` is ``condition`` adds its reason to the conditions, and decides no
outcome.

Fields are names joined by dots. One that is missing passes ``ne``, ``not_in`` and ``exists`` with
``value: false``, and no other test. ``gt gte lt lte`` compare numbers with numbers and texts with
texts; other pairs are false, and nothing a payload holds is an error. ``contains`` finds a part of
a text, or an item of a list. ``matches`` finds a pattern of ``patterns`` anywhere in the first
10,000 characters of a text; a pattern with a quantifier over another is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Self, TypeAlias, cast

import attrs

from quatrain.errors import InputError

from .patterns import Pattern

Outcome: TypeAlias = Literal["allow", "deny", "require_human", "withhold"]

STRICTEST_FIRST: Final[tuple[Outcome, ...]] = ("deny", "require_human", "withhold", "allow")
CONDITION: Final = "condition"

MAX_RULES: Final = 500
MAX_TESTS: Final = 1_000
"""Of all rules: every payload may have to pass all of them."""
MAX_PATTERNS: Final = 100
"""Tests that are ``matches``: the slowest take a third of a second of a long text."""
MAX_DEPTH: Final = 30
"""Tests, or a value's lists and objects, inside one another."""
_MAX_TEXT: Final = 2_000

_MISSING: Final = object()


@attrs.frozen
class Verdict:
    """What a policy says of one payload."""

    outcome: Outcome
    reasons: tuple[str, ...]
    """Of the rules that led to the outcome, in their order."""
    conditions: tuple[str, ...]
    """Of the rules that add a condition, in their order."""
    constraint_count: int
    """Rules that were looked at."""


Test: TypeAlias = Callable[[Any], bool]
"""Of a payload."""


@attrs.frozen
class Rule:
    """One rule of a policy."""

    name: str
    applies: Test = attrs.field(repr=False, eq=False)
    then: str
    reason: str


@attrs.frozen
class Policy:
    """A policy that can judge; made by ``parse``."""

    default: Outcome
    rules: tuple[Rule, ...]

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Read a document; raises InputError that names the place of what is wrong."""
        fields = _mapping(document, "the policy", required=(), optional=("default", "rules"))
        default = _choice(fields.get("default", "allow"), "default", STRICTEST_FIRST)
        rules = fields.get("rules", [])
        if not isinstance(rules, list) or len(rules) > MAX_RULES:
            raise InputError(f"rules: must be a list of at most {MAX_RULES} rules")
        size = _Size()
        parsed = tuple(_rule(rule, f"rules[{index}]", size) for index, rule in enumerate(rules))
        return cls(cast("Outcome", default), parsed)

    def judge(self, payload: Mapping[str, Any]) -> Verdict:
        """Look at every rule; never raises, whatever JSON the payload is."""
        matched = [rule for rule in self.rules if rule.applies(payload)]
        said = {rule.then for rule in matched}
        matching: list[Outcome] = [each for each in STRICTEST_FIRST if each in said]
        outcome = matching[0] if matching else self.default
        reasons: tuple[str, ...]
        if not matching:
            reasons = () if outcome == "allow" else ("no rule decides it, and so the default does",)
        else:
            reasons = tuple(rule.reason for rule in matched if rule.then == outcome)
        conditions = tuple(rule.reason for rule in matched if rule.then == CONDITION)
        return Verdict(outcome, reasons, conditions, len(self.rules))


def judged(document: Mapping[str, Any], payload: Mapping[str, Any]) -> Verdict:
    """What the policy of a document says of a payload; raises InputError.

    It may take seconds, whoever wrote the two: not for an event loop.
    """
    return Policy.parse(document).judge(payload)


# -- reading a document ---------------------------------------------------------------------------


@attrs.define
class _Size:
    """How much of a document has been read."""

    tests: int = 0
    patterns: int = 0

    def add(self, at: str, *, tests: int = 0, patterns: int = 0) -> None:
        """So many more; raises InputError when they are too many."""
        self.tests += tests
        self.patterns += patterns
        if self.tests > MAX_TESTS:
            raise InputError(f"{at}: the policy has more than {MAX_TESTS:,} tests")
        if self.patterns > MAX_PATTERNS:
            raise InputError(f"{at}: the policy looks for more than {MAX_PATTERNS} patterns")


def _rule(given: Any, at: str, size: _Size) -> Rule:
    fields = _mapping(given, at, required=("name", "when", "then"), optional=("reason",))
    name = _text(fields["name"], f"{at}.name")
    then = _choice(fields["then"], f"{at}.then", (*STRICTEST_FIRST, CONDITION))
    reason = _text(fields.get("reason", name), f"{at}.reason")
    return Rule(name, _test(fields["when"], f"{at}.when", 1, size), then, reason)


def _test(given: Any, at: str, depth: int, size: _Size) -> Test:
    size.add(at, tests=1)
    if depth > MAX_DEPTH:
        raise InputError(f"{at}: tests are nested deeper than {MAX_DEPTH} levels")
    if not isinstance(given, Mapping):
        raise InputError(f"{at}: must be a test, as {{field, op, value}}, all, any or not")
    for name, joined in (("all", all), ("any", any)):
        if name in given:
            return _joined(given, name, joined, at, depth, size)
    if "not" in given:
        inverted = _mapping(given, at, required=("not",))["not"]
        inner = _test(inverted, f"{at}.not", depth + 1, size)
        return lambda payload: not inner(payload)
    return _field_test(given, at, size)


def _joined(
    given: Mapping[Any, Any],
    name: str,
    joined: Callable[[Any], bool],
    at: str,
    depth: int,
    size: _Size,
) -> Test:
    tests = _mapping(given, at, required=(name,))[name]
    if not isinstance(tests, list) or not tests:
        raise InputError(f"{at}.{name}: must be a list of at least one test")
    parsed = [
        _test(test, f"{at}.{name}[{index}]", depth + 1, size) for index, test in enumerate(tests)
    ]
    return lambda payload: joined(test(payload) for test in parsed)


def _field_test(given: Mapping[Any, Any], at: str, size: _Size) -> Test:
    fields = _mapping(given, at, required=("field", "op"), optional=("value",))
    path = _text(fields["field"], f"{at}.field").split(".")
    op = _choice(fields["op"], f"{at}.op", OPERATORS)
    size.add(at, patterns=int(op == "matches"))
    if "value" not in fields and op != "exists":
        raise InputError(f"{at}.value: is missing")
    value = fields.get("value", True)
    _check_json(value, f"{at}.value", 1)
    try:
        of_value = OPERATORS[op](value)
    except InputError as exc:
        raise InputError(f"{at}.value: {exc}") from None
    return lambda payload: of_value(_find(payload, path))


def _mapping(
    given: Any, at: str, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InputError(f"{at}: must be a mapping")
    for name in required:
        if name not in given:
            raise InputError(f"{at}: {name} is missing")
    known = (*required, *optional)
    for name in given:
        if name not in known:
            raise InputError(f"{at}: there is no {str(name)[:50]!r} here, but {', '.join(known)}")
    return given


def _text(given: Any, at: str) -> str:
    if not isinstance(given, str) or not given.strip() or len(given) > _MAX_TEXT:
        raise InputError(f"{at}: must be text of 1 to {_MAX_TEXT:,} characters")
    if "\0" in given:  # of the databases that reasons are kept in, not all take it
        raise InputError(f"{at}: must not hold a NUL character")
    _check_json(given, at, 1)
    return given


def _choice(given: Any, at: str, choices: Any) -> str:
    if not isinstance(given, str) or given not in choices:
        raise InputError(f"{at}: must be one of {', '.join(choices)}")
    return given


def _check_json(value: Any, at: str, depth: int) -> None:
    """Refuse what JSON can't hold; YAML has dates, for one."""
    if depth > MAX_DEPTH:
        raise InputError(f"{at}: is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check_json(item, f"{at}[{index}]", depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_scalar(name if isinstance(name, str) else [name], f"{at}: a name")
            _check_json(item, f"{at}.{name}", depth + 1)
    else:
        _check_scalar(value, at)


def _check_scalar(value: Any, at: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{at}: {value} is not a number of JSON")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InputError(f"{at}: holds half of a surrogate pair") from None
    elif not isinstance(value, int | float | None):
        raise InputError(f"{at}: must be of JSON's kinds; a date is text, in quotes")


# -- tests of a field -----------------------------------------------------------------------------


def _find(payload: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(payload, Mapping) or name not in payload:
            return _MISSING
        payload = payload[name]
    return payload


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, and true is no number."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Any], Test]:
    def of_value(value: Any) -> Test:
        if _is_number(value):
            return lambda found: _is_number(found) and compare(found, value)
        if isinstance(value, str):
            return lambda found: isinstance(found, str) and compare(found, value)
        raise InputError("must be a number or text")

    return of_value


def _equal(value: Any) -> Test:
    return lambda found: _same(found, value)


def _one_of(value: Any) -> Test:
    if not isinstance(value, list):
        raise InputError("must be a list")
    return lambda found: any(_same(found, each) for each in value)


def _contains(value: Any) -> Test:
    def test(found: Any) -> bool:
        if isinstance(found, list):
            return any(_same(item, value) for item in found)
        return isinstance(found, str) and isinstance(value, str) and value in found

    return test


def _matches(value: Any) -> Test:
    if not isinstance(value, str):
        raise InputError("must be text")
    pattern = Pattern(value)
    return lambda found: isinstance(found, str) and pattern.found_in(found)


def _exists(value: Any) -> Test:
    if not isinstance(value, bool):
        raise InputError("must be true or false")
    return lambda found: (found is not _MISSING) == value


def _inverse(of_value: Callable[[Any], Test]) -> Callable[[Any], Test]:
    def inverted(value: Any) -> Test:
        test = of_value(value)
        return lambda found: not test(found)

    return inverted


OPERATORS: Final[Mapping[str, Callable[[Any], Test]]] = {
    "gt": _ordering(lambda found, value: found > value),
    "gte": _ordering(lambda found, value: found >= value),
    "lt": _ordering(lambda found, value: found < value),
    "lte": _ordering(lambda found, value: found <= value),
    "eq": _equal,
    "ne": _inverse(_equal),
    "in": _one_of,
    "not_in": _inverse(_one_of),
    "contains": _contains,
    "matches": _matches,
    "exists": _exists,
}
"""By name: what makes a test of the rule's value."""
