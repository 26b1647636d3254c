# Generated from src/quatrain/_async/env_catalogue.py by scripts/make_sync.py. Do not edit.
"""The variables that connections themselves ask for. Source: contracts, Vendo, "Reconciler"."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from .._envfile import NAME
from .._envsync import Diff
from .._envvars import TOKEN_PATHS, value_at
from .._restart import Restart, end_process
from .._runtime._sync import Fn
from ..models.vendo import Connection

_log = logging.getLogger("quatrain.vendo")


class ConnectionsClient(Protocol):
    """What is used of a Vendo here."""

    @property
    @abstractmethod
    def connections(self) -> Any:
        """``list()`` gives the connections."""

    @abstractmethod
    def tokens(self, slugs: Iterable[str]) -> dict[str, str | None]:
        """Those there are."""


RestartHandlerFactory = Callable[..., Restart]
"""Called with nothing, or with what is to be called instead of the SIGTERM."""


def catalog_default(
    client: ConnectionsClient | None = None,
) -> tuple[Fn[[], dict[str, str]], RestartHandlerFactory]:
    """A mapping of all that the connections' ``env_bootstrap`` asks for, and its on_change.

    ::

        mapping, restart_handler = reconciler.catalog_default()
        reconciler.start(".env", mapping, on_change=restart_handler())

    The mapping gives each variable of each connected connection the value that its ``value_from``
    names, a path below the connection; for a credential that the list does not hand out, the
    connection's token. What has no value is left out and logged, and so is a name that another
    connection has taken before. It raises what the requests raise, less than a missing token.

    ``restart_handler(restart=…)`` is an ``on_change`` that restarts the program, and only for
    variables of connections whose ``env_bootstrap`` says ``"restart": "gateway"``.

    *client* is a Vendo; the shortcuts' own, made from the environment, unless given.
    """
    catalogue = EnvCatalogue(client)
    return catalogue.variables, catalogue.restart_handler


class EnvCatalogue:
    """What the connections ask for, and which of it matters to the gateway."""

    def __init__(self, client: ConnectionsClient | None) -> None:
        self._client = client
        # added to and never taken from: a connection that is gone took its variables along
        self._of_gateway: set[str] = set()
        self._said: set[str] = set()

    def variables(self) -> dict[str, str]:
        """The mapping."""
        client = self._client
        if client is None:
            from .shortcuts import default_client  # noqa: PLC0415

            client = default_client()
        wanted = self._wanted(client.connections.list())
        slugs = {
            connection.slug
            for connection, path in wanted.values()
            if path in TOKEN_PATHS and value_at(connection, path) is None
        }
        tokens = client.tokens(sorted(slugs)) if slugs else {}
        found = {
            name: value_at(connection, path)
            or (tokens.get(connection.slug) if path in TOKEN_PATHS else None)
            for name, (connection, path) in wanted.items()
        }
        for name in found.keys() - {name for name, value in found.items() if value}:
            connection, path = wanted[name]
            self._say(f"{name} is left out: {connection.slug!r} has no {path!r}")
        return {name: value for name, value in found.items() if value}

    def restart_handler(self, restart: Callable[[], object] = end_process) -> Restart:
        """An ``on_change``."""
        return Restart(restart, self._concerns_gateway)

    def _wanted(self, connections: Iterable[Connection]) -> dict[str, tuple[Connection, str]]:
        """By the variable's name: of which connection, and what of it."""
        wanted: dict[str, tuple[Connection, str]] = {}
        for connection in connections:
            bootstrap = connection.env_bootstrap
            for var in bootstrap.vars if bootstrap is not None else ():
                if bootstrap is not None and bootstrap.restart == "gateway":
                    self._of_gateway.add(var.name)
                if connection.status != "connected":
                    continue
                if NAME.fullmatch(var.name) is None:
                    self._say(f"a variable of {connection.slug!r} is left out: its name is none")
                elif (taken := wanted.get(var.name)) is not None:
                    if taken != (connection, var.value_from):
                        other = taken[0].slug
                        self._say(
                            f"{var.name} of {connection.slug!r} is left out: {other!r} has it"
                        )
                else:
                    wanted[var.name] = connection, var.value_from
        return wanted

    def _concerns_gateway(self, diff: Diff) -> bool:
        return not self._of_gateway.isdisjoint(diff.names)

    def _say(self, words: str) -> None:
        if words not in self._said:  # once, not with every poll
            self._said.add(words)
            _log.warning("%s", words)
