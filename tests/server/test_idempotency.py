"""A write under an idempotency key, on the store: kept with what it did, or not at all."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from quatrain.server.idempotency import InFlight, KeyReusedError, Once, fingerprint, once
from quatrain.server.problems import ProblemError, RefusedError
from quatrain.server.store import Store

CLAIM = Once("caller", "key", b"print")


class NoRoomError(RefusedError):
    """A refusal like any."""

    code = "no_room"


@attrs.frozen
class Body:
    first: str
    second: str | None = None


class Writer:
    """Tries to insert a realm under a claim, and counts."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ran = 0

    def __call__(
        self, claim: Once | None, outcome: Callable[[], str | RefusedError] = lambda: '"done"'
    ) -> str | RefusedError:
        def operation(connection: sqlite3.Connection, now: int, _: None) -> str | RefusedError:
            def perform() -> str | RefusedError:
                self.ran += 1
                tenant = f"t{self.ran}"
                connection.execute(
                    "INSERT INTO realms (tenant, mode) VALUES (?, 'test')", (tenant,)
                )
                return outcome()

            return once(connection, now, claim, perform)

        return self.store.write_blocking(operation, None)

    def count(self, table: str) -> int:
        def read(connection: sqlite3.Connection, _now: int, _: None) -> int:
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            return int(rows)

        return self.store.read_blocking(read, None)


@pytest.fixture
def write(store: Store) -> Writer:
    return Writer(store)


def test_the_same_claim_runs_once(write: Writer) -> None:
    """And is answered alike."""
    assert ['"done"'] * 3 == [write(CLAIM), write(CLAIM, lambda: '"other"'), write(CLAIM)]
    assert (1, 1) == (write.count("realms"), write.count("idempotency_keys"))


def test_without_a_claim_everything_runs(write: Writer) -> None:
    """And nothing is kept."""
    assert ['"done"', '"done"'] == [write(None), write(None)]
    assert (2, 0) == (write.count("realms"), write.count("idempotency_keys"))


def test_another_caller_has_keys_of_its_own(write: Writer) -> None:
    """Nobody gets another's answers."""
    other = attrs.evolve(CLAIM, caller="other")
    assert ['"a"', '"b"'] == [write(CLAIM, lambda: '"a"'), write(other, lambda: '"b"')]


def test_another_request_under_the_key_is_refused(write: Writer) -> None:
    """It does not run."""
    write(CLAIM)
    answer = write(attrs.evolve(CLAIM, fingerprint=b"other"))
    assert (KeyReusedError, "idempotency_key_reused") == (type(answer), answer.code)  # type: ignore[union-attr]
    assert 1 == write.count("realms")


def test_a_refusal_is_not_kept(write: Writer) -> None:
    """Nothing has happened: the same request may succeed later."""
    refusal = NoRoomError("full")
    assert refusal is write(CLAIM, lambda: refusal)
    assert 0 == write.count("idempotency_keys")
    assert '"done"' == write(CLAIM)


def test_a_failure_leaves_neither_change_nor_answer(write: Writer) -> None:
    """They are one transaction."""

    def fail() -> str:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        write(CLAIM, fail)
    assert (0, 0) == (write.count("realms"), write.count("idempotency_keys"))


def test_a_fingerprint_is_of_operation_and_content() -> None:
    """Absent and null are the same; anything else is another request."""
    one = fingerprint("POST /a", Body("x"))
    assert one == fingerprint("POST /a", Body("x", None))
    others: list[Any] = [
        fingerprint("POST /b", Body("x")),
        fingerprint("POST /a", Body("y")),
        fingerprint("POST /a", Body("x", "")),
    ]
    assert one not in others


def test_a_key_is_held_by_one_request_at_a_time() -> None:
    """Per caller and key; it is free again however the first one ends."""
    in_flight = InFlight()
    others = attrs.evolve(CLAIM, key="other"), attrs.evolve(CLAIM, caller="other"), None, None
    with contextlib.ExitStack() as under_way:
        for claim in (CLAIM, *others):
            under_way.enter_context(in_flight.enter(claim))
        with pytest.raises(ProblemError) as raised:
            under_way.enter_context(in_flight.enter(CLAIM))
    assert (409, {"retry-after": "1"}) == (raised.value.status, raised.value.headers)
    with contextlib.suppress(ZeroDivisionError), in_flight.enter(CLAIM):
        _ = 1 / 0
    with in_flight.enter(CLAIM):
        pass
