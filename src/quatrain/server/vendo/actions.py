"""What the data proxy can do: actions by their ids, built in or one's own.

::

    actions = Actions()

    @actions.add("crm.contacts.find", price_micros=1_000)
    async def find(args: FindContact, context: ActionContext) -> dict[str, str]:
        return {"name": await crm.lookup(args.email)}

    Settings(vendo_actions=actions)             # or "module:actions"

An action of one's own is called with its arguments and a context, outside any transaction. What is
promised is this. It is paid for before it runs: two of them never spend the same credits, and one
that raises costs nothing. Its answer is kept under the request's idempotency key once it has run:
the same request is then answered without running it again. But when the platform dies while it
runs, it may or may not have had its effect, has been paid for, and runs again when it is asked for
again: an action that must not act twice passes ``context.idempotency_key`` on to what it calls.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeVar

import attrs

from quatrain.errors import ConfigError
from quatrain.server.callables import imported, one_line
from quatrain.server.shapes import Shape
from quatrain.server.store import Connection

from .wallet import MAX_MICROS

F = TypeVar("F", bound=Callable[..., Any])

_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class ActionError(Exception):
    """What an action raises to have its words told to who asked; of other errors only the kind is.

    They are on the wire: no secrets.
    """


@attrs.frozen
class ActionContext:
    """Who asks for an action, and under which key."""

    action_id: str
    tenant: str
    app: str
    """The app's slug."""
    user_id: str | None = None
    """The user that the app acts for; None when it acts for all."""
    idempotency_key: str | None = None
    """The same whenever the same request is sent again; None when it has none. It is not the
    request's own, which another app, or another tenant's, may use as well."""


Run: TypeAlias = Callable[[Any, ActionContext], Any]
"""Plain or a coroutine function; answers what JSON can say, or raises."""
RunHere: TypeAlias = Callable[[Connection, int, Any, ActionContext], Any]
"""``run(connection, now, args, context)``, inside the transaction that it is paid for in."""


def _check_price(action: Action, _: Any, price: int) -> None:
    whole = isinstance(price, int) and not isinstance(price, bool)
    if not (whole and 0 <= price <= MAX_MICROS):
        raise ConfigError(f"{action.action_id}: price_micros is a whole number from 0")


@attrs.frozen
class Action:
    """Something that can be done. ``run`` or ``run_here`` does it.

    Raises ConfigError for what can't be a price: with one below nothing, it would fill the wallet.
    """

    action_id: str
    toolkit: str
    """Whose it is, and who is paid: an integration's slug, or another name."""
    args: Shape[Any] | None
    """What it takes; None for any object, which it gets as it came."""
    price_micros: int = attrs.field(default=0, validator=_check_price)
    needs_connection: bool = False
    """Whether the app must be connected to the toolkit."""
    run: Run | None = None
    run_here: RunHere | None = None


class Actions(Mapping[str, Action]):
    """Actions by their ids."""

    def __init__(self, *more: Mapping[str, Action]) -> None:
        self._actions: dict[str, Action] = {}
        for actions in more:
            self._actions |= actions

    def add(
        self,
        action_id: str,
        *,
        toolkit: str | None = None,
        price_micros: int = 0,
        needs_connection: bool = False,
    ) -> Callable[[F], F]:
        """Have the decorated function, of the arguments and a context, be this action.

        The arguments are checked against the attrs class that the function's first parameter is
        annotated with, and are any JSON object without one. The *toolkit* is what stands before
        the id's first dot unless it is given. Raises ConfigError for what can't be an action.
        """

        def register(function: F) -> F:
            self._put(
                of_callable(
                    action_id,
                    function,
                    toolkit=toolkit,
                    price_micros=price_micros,
                    needs_connection=needs_connection,
                )
            )
            return function

        return register

    def add_here(
        self,
        action_id: str,
        args: type | None,
        *,
        price_micros: int = 0,
        needs_connection: bool = False,
    ) -> Callable[[RunHere], RunHere]:
        """Have the decorated operation on the platform's own data be this action."""

        def register(operation: RunHere) -> RunHere:
            self._put(
                Action(
                    action_id,
                    _toolkit(action_id),
                    None if args is None else Shape(args, rename=str),
                    price_micros,
                    needs_connection,
                    run_here=operation,
                )
            )
            return operation

        return register

    def _put(self, action: Action) -> None:
        if action.action_id in self._actions:
            raise ConfigError(f"there are two actions {action.action_id!r}")
        self._actions[action.action_id] = action

    def __getitem__(self, action_id: str) -> Action:
        return self._actions[action_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._actions)

    def __len__(self) -> int:
        return len(self._actions)


def load(value: str | Mapping[str, Action | Run]) -> Actions:
    """Actions of one's own: a mapping of ids, or its name as ``module:object``.

    A plain callable in it is a free action that needs no connection. Raises ConfigError.
    """
    found = imported(value, "actions") if isinstance(value, str) else value
    if isinstance(found, Actions):
        return found
    if not isinstance(found, Mapping):
        raise ConfigError(f"actions {one_line(repr(found))} are no mapping of ids to callables")
    return Actions({name: _action(name, entry) for name, entry in found.items()})


def of_callable(
    action_id: str,
    function: Run,
    *,
    toolkit: str | None = None,
    price_micros: int = 0,
    needs_connection: bool = False,
) -> Action:
    """An action of one's own; raises ConfigError for what can't be one."""
    if not (isinstance(action_id, str) and _ID.fullmatch(action_id)):
        raise ConfigError(
            "an action's id is 1 to 100 letters, digits, dots, hyphens and underscores,"
            f" not {one_line(repr(action_id))}"
        )
    if not callable(function):
        raise ConfigError(f"{action_id}: {one_line(repr(function))} can't be called")
    return Action(
        action_id,
        toolkit or _toolkit(action_id),
        _shape(action_id, function),
        price_micros,
        needs_connection,
        run=function,
    )


def _action(name: Any, entry: Any) -> Action:
    if isinstance(entry, Action):
        if entry.action_id != name:
            raise ConfigError(f"the action {entry.action_id!r} goes by the name {name!r}")
        return entry
    return of_callable(name, entry)


def _toolkit(action_id: str) -> str:
    return action_id.partition(".")[0]


def _shape(action_id: str, function: Run) -> Shape[Any] | None:
    try:
        bound = inspect.signature(function).bind(None, None)
    except TypeError as exc:
        text = f"{action_id}: it does not take arguments and a context: {one_line(str(exc))}"
        raise ConfigError(text) from exc
    except ValueError:  # something built in that does not tell
        return None
    first = next(iter(bound.arguments))
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - annotations are the caller's code, and may name anything
        hints = getattr(function, "__annotations__", {})
    model = hints.get(first)
    if isinstance(model, type) and attrs.has(model):
        return Shape(model, rename=str)
    if isinstance(model, str):
        raise ConfigError(f"{action_id}: the annotation {model!r} can't be resolved")
    return None
