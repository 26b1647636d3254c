"""Governed processes: made as drafts, deployed, and in the end retired."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, get_args

from quatrain.errors import InputError
from quatrain.evidence.chain import canonical
from quatrain.server.names import checked
from quatrain.server.problems import RefusedError, accepted
from quatrain.server.randomness import token
from quatrain.server.store import Connection, Store, queries

from . import audit
from .policy import Policy
from .records import Abp, AbpRetiredError, AbpState, ExistsError, Listed, NotThereError

_SQL: Final = queries.load("velerian_abps")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Abps:
    """Makes, lists, deploys and retires.

    A RefusedError is raised when the state of things forbids it, InputError for values that can't
    be meant. *by* is who does it, for the audit log.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(
        self,
        tenant: str,
        *,
        name: str,
        policy: Mapping[str, Any],
        abp_id: str | None = None,
        state: AbpState = "draft",
    ) -> Abp:
        """A new one, under an id made up here unless one is given. Raises ExistsError."""
        params = row_of(
            checked(tenant, "a tenant"),
            name=name,
            policy=policy,
            abp_id=f"abp_{token()}" if abp_id is None else abp_id,
            state=state,
        )
        return accepted(await self._store.write(_create, params))

    async def page(self, tenant: str, *, limit: int, offset: int) -> Listed[Abp]:
        """Some of the tenant's, in the order they were made."""
        params = {"tenant": tenant, "limit": limit, "offset": offset}
        return await self._store.read(_page, params)

    async def get(self, tenant: str, abp_id: str) -> Abp:
        """One of them; raises NotThereError."""
        return accepted(await self._store.read(find, _of(tenant, abp_id)))

    async def deploy(self, tenant: str, abp_id: str, *, by: str = "local") -> Abp:
        """From now on it can be invoked. Twice is fine; raises NotThereError, AbpRetiredError."""
        params = {**_of(tenant, abp_id), "by": checked(by, "a user's id")}
        return accepted(await self._store.write(_deploy, params))

    async def retire(self, tenant: str, abp_id: str, *, by: str = "local") -> Abp:
        """From now on, and for good, it can't be invoked. Twice is fine; raises NotThereError."""
        params = {**_of(tenant, abp_id), "by": checked(by, "a user's id")}
        return accepted(await self._store.write(_retire, params))


def row_of(
    tenant: str, *, name: str, policy: Mapping[str, Any], abp_id: str, state: AbpState
) -> dict[str, Any]:
    """What is stored of a new ABP; raises InputError for what can't be."""
    if not _ID.fullmatch(abp_id):
        raise InputError(
            f"an ABP's id is 1 to 100 letters, digits, hyphens and underscores, not {abp_id[:50]!r}"
        )
    if state not in get_args(AbpState):
        raise InputError(f"there is no state {state!r}; there are {', '.join(get_args(AbpState))}")
    Policy.parse(policy)
    return {
        "tenant": tenant,
        "abp_id": abp_id,
        "name": checked(name, "an ABP's name"),
        "state": state,
        "policy": canonical(policy),
    }


def _of(tenant: str, abp_id: str) -> dict[str, str]:
    return {"tenant": tenant, "abp_id": abp_id}


# -- operations of the store ----------------------------------------------------------------------


def find(connection: Connection, _now: int, params: Mapping[str, Any]) -> Abp | RefusedError:
    """One ABP. *params*: tenant, abp_id."""
    row = connection.execute(_SQL["abp"], dict(params)).fetchone()
    if row is None:
        return NotThereError(f"there is no ABP {params['abp_id'][:100]!r}")
    return Abp(*row)


def _create(connection: Connection, now: int, params: dict[str, Any]) -> Abp | RefusedError:
    if connection.execute(_SQL["add_abp"], {**params, "now": now}).fetchone() is None:
        return ExistsError(f"there is an ABP {params['abp_id']!r} already")
    return find(connection, now, params)


def _page(connection: Connection, _now: int, params: dict[str, Any]) -> Listed[Abp]:
    (total,) = connection.execute(_SQL["count_abps"], params).fetchone()
    return Listed([Abp(*row) for row in connection.execute(_SQL["abps"], params)], total)


def _deploy(connection: Connection, now: int, params: dict[str, Any]) -> Abp | RefusedError:
    found = find(connection, now, params)
    if isinstance(found, Abp) and found.state == "retired":
        return AbpRetiredError(f"the ABP {found.abp_id!r} is retired: it can't be deployed again")
    return _change(connection, now, params, found, "deployed", "abp.deploy")


def _retire(connection: Connection, now: int, params: dict[str, Any]) -> Abp | RefusedError:
    found = find(connection, now, params)
    return _change(connection, now, params, found, "retired", "abp.retire")


def _change(
    connection: Connection,
    now: int,
    params: dict[str, Any],
    found: Abp | RefusedError,
    state: AbpState,
    action: str,
) -> Abp | RefusedError:
    if isinstance(found, RefusedError) or found.state == state:
        return found
    connection.execute(_SQL["change_state"], {**params, "state": state, "now": now})
    audit.append(
        connection,
        now,
        params["tenant"],
        actor=params["by"],
        action=action,
        resource_kind="abp",
        resource_id=found.abp_id,
        detail={"name": found.name, "from": found.state},
    )
    return find(connection, now, params)
