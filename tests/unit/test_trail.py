"""What the check of an audit trail finds, and what it lets pass."""

from __future__ import annotations

import pytest

from quatrain._trail import Finding, TrailCheck
from quatrain.models.verity import EffectEvent, EffectTrail

G, N, X, C, F, R = (
    *("LEASE_GRANTED", "LEASE_RENEWED", "LEASE_EXPIRED"),
    *("COMMITTED", "FAILED", "RESET"),
)
L, D, U = "LEASE_RELEASED", "RESOLVED_DONE", "RESOLVED_NOT_DONE"


def trail(
    *lines: tuple[str, int], status: str, fence: int, first: int = 1, effect_id: str = "eff_1"
) -> EffectTrail:
    """An effect's trail, its lines as (type, fence token)."""
    events = [
        EffectEvent(seq, kind, "2027-01-15T08:00:00.000Z", number)
        for seq, (kind, number) in enumerate(lines, first)
    ]
    return EffectTrail(effect_id, "shop", "k", status, fence, events)


def found(*parts: EffectTrail) -> list[Finding]:
    """Everything that is wrong."""
    check = TrailCheck()
    findings = [each for part in parts for each in check.look(part)]
    findings += check.end()
    assert check.findings == len(findings)
    return findings


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([(G, 1)], "RUNNING"),
        ([(G, 1)], "EXPIRED"),
        ([(G, 1), (N, 1), (N, 1)], "EXPIRED"),
        ([(G, 1), (C, 1), ("OBSERVE_MISS", 1)], "COMMITTED"),
        ([(G, 1), (X, 1), (G, 2), ("OBSERVE_HIT", 2), (C, 2)], "COMMITTED"),
        ([(G, 1), (F, 1), (R, 1), (G, 2), (F, 2)], "FAILED"),
        ([(G, 1), (X, 1), (R, 1)], "RESET"),
        ([(G, 1), ("OBSERVE_MISS", 1), (X, 1), (G, 2), ("OBSERVE_MISS", 1)], "RUNNING"),
        ([(G, 7), (C, 7)], "COMMITTED"),
        ([(G, 1), (X, 1), (D, 2)], "COMMITTED"),
        ([(G, 1), (X, 1), (U, 1), (G, 2)], "RUNNING"),
        ([(G, 1), (L, 2)], "EXPIRED"),
        ([(G, 1), (L, 2), (G, 3), (C, 3)], "COMMITTED"),
        ([(G, 1), (L, 2), (D, 3)], "COMMITTED"),
    ],
)
def test_histories_that_the_contract_allows(lines: list[tuple[str, int]], status: str) -> None:
    """Nothing is found; a trail may begin at any fence, which another effect of the key left."""
    fence = max(number for _, number in lines)
    assert [] == found(trail(*lines, status=status, fence=fence))


@pytest.mark.parametrize(
    ("lines", "status", "rules"),
    [
        ([(G, 1), (X, 1), (G, 1)], "RUNNING", ["fence_order"]),
        ([(G, 2), (X, 2), (G, 1), (C, 2)], "COMMITTED", ["fence_order"]),
        ([(G, 1), (X, 1), (G, 3)], "RUNNING", ["fence_gap"]),
        ([(G, 1), (G, 2)], "RUNNING", ["out_of_turn"]),
        ([(G, 1), (C, 1), (G, 2)], "RUNNING", ["out_of_turn"]),
        ([(G, 1), (F, 1), (G, 2)], "RUNNING", ["out_of_turn"]),
        ([(G, 1), (C, 1), (C, 1)], "COMMITTED", ["committed_twice"]),
        ([(G, 1), (C, 1), (X, 1), (G, 2), (C, 2)], "COMMITTED", ["out_of_turn", "committed_twice"]),
        ([(G, 1), (X, 1), (G, 2), (C, 1)], "COMMITTED", ["stale_fence"]),
        ([(G, 1), (X, 1), (G, 2), (F, 1)], "FAILED", ["stale_fence"]),
        ([(G, 1), (X, 1), (G, 2), (N, 1)], "RUNNING", ["stale_fence"]),
        ([(G, 1), (C, 2)], "COMMITTED", ["stale_fence"]),
        ([(G, 1), (F, 1), (C, 1)], "COMMITTED", ["out_of_turn"]),
        ([(G, 1), (X, 1), (R, 1), (C, 1)], "COMMITTED", ["out_of_turn"]),
        ([(G, 1), (R, 1)], "RESET", ["out_of_turn"]),
        ([(G, 1), ("OBSERVE_HIT", 2), (C, 1)], "COMMITTED", ["stale_fence"]),
        ([(G, 1)], "COMMITTED", ["state"]),
        ([(G, 1), (C, 1)], "RUNNING", ["state"]),
        ([(G, 1), (C, 1)], "EXPIRED", ["state"]),
        ([(G, 1), (F, 1)], "COMMITTED", ["state"]),
        ([], "COMMITTED", ["no_trail"]),
        ([(G, 1), (L, 2), (C, 1)], "COMMITTED", ["stale_fence", "out_of_turn"]),
        ([(G, 1), (L, 1), (G, 2)], "RUNNING", ["fence_order"]),
        ([(G, 1), (C, 1), (D, 2)], "COMMITTED", ["committed_twice"]),
        ([(G, 1), (D, 2)], "COMMITTED", ["out_of_turn"]),
        ([(G, 1), (X, 1), (D, 2), (C, 2)], "COMMITTED", ["committed_twice"]),
        ([(G, 1), (X, 1), (D, 3)], "COMMITTED", ["fence_gap"]),
        ([(G, 1), (U, 1)], "RESET", ["out_of_turn"]),
    ],
)
def test_what_must_not_be(lines: list[tuple[str, int]], status: str, rules: list[str]) -> None:
    """Each breach is found, and named."""
    fence = max([number for kind, number in lines if kind in {G, L, D}], default=1)
    assert rules == [each.rule for each in found(trail(*lines, status=status, fence=fence))]


def test_a_fence_that_no_line_gave() -> None:
    """The effect's own fence must be that of the last grant."""
    (finding,) = found(trail((G, 1), (C, 1), status="COMMITTED", fence=2))

    assert ("state", None) == (finding.rule, finding.seq)
    assert "the effect has fence 2, and 1 was taken last" == finding.message


def test_a_finding_says_where() -> None:
    """Which line of which effect, and what is wrong with it."""
    (finding,) = found(trail((G, 1), (C, 1), (C, 1), status="COMMITTED", fence=1))

    assert ("shop", "k", "eff_1", 3) == (
        finding.namespace,
        finding.effect_key,
        finding.effect_id,
        finding.seq,
    )
    assert (
        "COMMITTED at 2027-01-15T08:00:00.000Z is commit number 2 of one effect" == finding.message
    )


def test_a_trail_in_parts_is_one() -> None:
    """The effect is judged by what its last part says of it."""
    parts = [
        trail((G, 1), status="RUNNING", fence=1),
        trail((N, 1), status="RUNNING", fence=1, first=2),
        trail((C, 1), status="COMMITTED", fence=1, first=3),
    ]
    assert [] == found(*parts)
    assert ["state"] == [each.rule for each in found(*parts[:2], trail(status="FAILED", fence=1))]


def test_effects_are_told_apart() -> None:
    """What one is says nothing of the next."""
    check = TrailCheck()
    for name in ("eff_1", "eff_2"):
        part = trail((G, 1), (C, 1), status="COMMITTED", fence=1, effect_id=name)
        assert [] == list(check.look(part))
    assert [] == list(check.end())
    assert (2, 4, 0) == (check.effects, check.lines, check.findings)


def test_lines_out_of_order() -> None:
    """A ledger hands lines out in the order in which it wrote them."""
    parts = [
        trail((G, 1), status="RUNNING", fence=1, first=5),
        trail((C, 1), status="COMMITTED", fence=1, first=4),
    ]
    assert ["line_order"] == [each.rule for each in found(*parts)]


def test_kinds_to_come_are_not_judged() -> None:
    """They are counted; the history after them may be right, and fences still never go back."""
    check = TrailCheck()
    part = trail((G, 1), ("MOVED", 3), (C, 3), status="COMMITTED", fence=3)
    assert [] == [*check.look(part), *check.end()]
    assert {"MOVED": 1} == check.unknown
    broken = trail((G, 1), ("MOVED", 3), (G, 3), (C, 3), status="COMMITTED", fence=3)
    assert ["fence_order"] == [each.rule for each in found(broken)]
