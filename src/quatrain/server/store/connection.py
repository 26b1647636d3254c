"""What an operation of the store sees of its database: plain SQL, the same on every kind.

Statements are written once. ``:name`` and ``?`` stand for values; a row is a tuple of str, int,
bytes and None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol, TypeAlias, TypeVar


class Rows(Protocol):
    """What came of a statement."""

    @property
    def rowcount(self) -> int:
        """The rows that an INSERT, UPDATE or DELETE has changed."""
        ...

    def fetchone(self) -> Any:
        """The next row; None when there is none."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> None:
        """Read no more of them."""
        ...


class Connection(Protocol):
    """A connection in a transaction, which the store begins and ends."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Rows:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Rows:
        """Run one statement for each of the parameters."""
        ...


class SwiftConnection(Protocol):
    """A connection outside of any transaction."""

    def execute_alone(self, sql: str, parameters: dict[str, str | int | None], /) -> list[Any]:
        """Run one statement as a transaction of its own; its rows."""
        ...


Operation: TypeAlias = Callable[[Any, int, Any], Any]
"""``operation(connection, now, argument)``: now is in milliseconds since 1970."""

O = TypeVar("O", bound=Operation)  # noqa: E741  what it stands for
Place: TypeAlias = Callable[[Any], tuple[Any, ...]]

SIDE_BY_SIDE: Final[dict[Operation, Place]] = {}
"""The operations that may run while other processes write, and the place of each in its batch."""


Together: TypeAlias = Callable[[Any, int, list[tuple[Operation, Any]]], list[Any]]
"""``together(connection, now, work)``: work is operations with their arguments."""

TOGETHER: Final[dict[Operation, Together]] = {}
"""What does many operations in a few statements."""

InOne: TypeAlias = Callable[[Any, int | None, tuple[Operation, Any]], tuple[int, Any] | None]
"""``in_one(connection, now, work)``: the time and the answer, or None."""

IN_ONE: Final[dict[Operation, InOne]] = {}
"""What does an operation in a single statement."""

ALONE: Final[dict[Operation, str]] = {}
"""The operations that have a table to themselves, and the table."""


IN_ORDER: Final[set[Operation]] = set()
"""The queries whose rows come in the order of an index."""


def in_index_order(query: O) -> O:
    """Mark a query of which each statement that is limited has an index in its order.

    So it reads few rows, however many there are. A planner that can't know better, because it was
    never told of the data or because a value is rarer than most, would rather read all of them and
    sort: of these it is asked not to.
    """
    IN_ORDER.add(query)
    return query


def side_by_side(place: Place) -> Callable[[O], O]:
    """Mark an operation that is right whatever else is written at the same time.

    Its statements judge and change a row at once (``UPDATE … WHERE …``, ``INSERT … ON CONFLICT …
    WHERE …``) or lock it first: what it read can't have changed when it writes. Every other
    operation may rely on being the only one, in all processes on the database, and on its rows
    becoming visible in the order of their ids. SQLite has one writer anyway; on PostgreSQL the
    others take turns, and these do not wait for them.

    *place* takes the argument and tells which row is changed: in one batch the rows are locked in
    the order of their places, so that batches of several processes seldom lock each other out: over
    rows that are not there yet they may, and then do their operations one by one.
    """

    def mark(operation: O) -> O:
        SIDE_BY_SIDE[operation] = place
        return operation

    return mark


def together(*operations: Operation) -> Callable[[Together], Together]:
    """Mark a function that does many of these *operations* in a few statements.

    It is given them in the order of their places, and answers in that order, as they would one
    after the other. They may be of one place, too. When it raises, nothing of it stays and each
    operation is done by itself. Where a statement costs a trip to a server, this is worth it: the
    writer to PostgreSQL calls it, when there is one operation, too.
    """

    def mark(function: Together) -> Together:
        TOGETHER.update(dict.fromkeys(operations, function))
        return function

    return mark


def in_one(*operations: Operation) -> Callable[[InOne], InOne]:
    """Mark a function that does one of these *operations* in a single statement.

    It is called outside of any transaction: the statement is one, and so is one trip. It is given
    the time, or None to ask the database for it, and answers with both; or with None when the
    statement has changed nothing, and the operation is done as ever.
    """

    def mark(function: InOne) -> InOne:
        IN_ONE.update(dict.fromkeys(operations, function))
        return function

    return mark


def alone(table: str) -> Callable[[O], O]:
    """Mark an operation while which nobody else may write to *table*, not even side by side.

    Nor has anybody begun to before it who has not ended: what others go on to do, they do in sight
    of all that is committed by now.
    """

    def mark(operation: O) -> O:
        ALONE[operation] = table
        return operation

    return mark
