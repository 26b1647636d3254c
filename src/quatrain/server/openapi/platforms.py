"""Every route of every platform as operations: from the tables that serve them.

What a table does not tell is told here, once a platform: its keys, its envelopes, and which
refusals there can be. Source: contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import GenericAlias
from typing import Any, Final

from quatrain._wire import camel
from quatrain.server.answers import Problem as ManageProblem
from quatrain.server.endpoint import Endpoint
from quatrain.server.keys import Scope
from quatrain.server.manage.endpoints import ROUTES as MANAGE
from quatrain.server.velerian import answers as velerian
from quatrain.server.velerian.endpoints import AGENTICX, V2
from quatrain.server.velocity import answers as velocity
from quatrain.server.velocity.endpoints import ROUTES as VELOCITY
from quatrain.server.vendo import answers as vendo
from quatrain.server.vendo.endpoints import API, COMPOSIO, CREDENTIALS
from quatrain.server.verity import answers as verity
from quatrain.server.verity.endpoints import OF_ALL, OF_NAMESPACE, OF_TRAIL
from quatrain.server.verity.schema import MAX_NAMESPACE

from .operations import Described, Dialect
from .schemas import Schema

Written = tuple[str, str, Dialect, Described]
"""A method, a path, and the operation."""

SECURITY: Final[dict[str, Schema]] = {
    "verity": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key `vt_test_…` or `vt_live_…`.",
    },
    "velocity": {
        "type": "http",
        "scheme": "bearer",
        "description": "An install's key, `vos_ext_…`.",
    },
    "velerian": {"type": "http", "scheme": "bearer", "description": "A tenant's key, `vk_live_…`."},
    "vendo": {"type": "http", "scheme": "bearer", "description": "An app's key, `vendo_sk_…`."},
    "vendoConnection": {
        "type": "http",
        "scheme": "bearer",
        "description": "A connection's key, `vendo_sk_…`, which opens that one alone.",
    },
}

_ALWAYS: Final = frozenset({400, 500, 503})
_KEYED: Final = frozenset({401, 403})


def _header(name: str, description: str, **schema: Any) -> Schema:
    text = {"type": "string", **schema}
    return {"name": name, "in": "header", "description": description, "schema": text}


PARAMETERS: Final[dict[str, Schema]] = {
    "IdempotencyKey": _header(
        "Idempotency-Key",
        "The same request under the same key runs once, and is answered twice. Kept for a day.",
        minLength=1,
        maxLength=255,
        pattern="^[!-~]{1,255}$",
    ),
    "VendoUser": _header("X-Vendo-User-JWT", "The user that the app acts for."),
    "VendoVersion": _header("Vendo-API-Version", "The contract's: `2026-05-02`. Not looked at."),
    "LastEventId": _header(
        "Last-Event-ID", "The last event that was seen: up to 100 after it are sent again."
    ),
    "Async": {
        "name": "async",
        "in": "query",
        "description": "A run is queued whether this is said or not.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
}


def _parameter(name: str) -> Schema:
    return {"$ref": f"#/components/parameters/{name}"}


_ONCE: Final = _parameter("IdempotencyKey")


def _refusals(path: str, endpoint: Endpoint[Any], *, keyed: bool = True) -> set[int]:
    """What every platform refuses alike."""
    found = set(_ALWAYS)
    if keyed:
        found |= _KEYED
    if endpoint.body is not None:
        found |= {413, 422}
    if endpoint.query is not None:
        found |= {422}
    if "{" in path:
        found |= {404}
    return found


# -- Verity ---------------------------------------------------------------------------------------

_VERITY: Final = Dialect("Verity", camel, problem=lambda _: verity.Problem)
_NAMESPACE: Final = {
    "namespace": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_NAMESPACE,
        "description": "Any text; a slash in it may be encoded or not.",
    }
}
_VERITY_STATE: Final[Mapping[str, set[int]]] = {
    "lease": {409},
    "commit": {404, 409},
    "fail": {404, 409},
    "renew": {404, 409, 410},
    "report-observe": {404, 409},
    "reset": {404, 409},
    "effect": {404},
    "events": {404},
}


def _verity() -> Iterator[Written]:
    by_path = {f"/effects/{{namespace}}/{verb}": each for verb, each in OF_NAMESPACE.items()}
    for path, operation in {**by_path, "/effects": OF_ALL, "/trail": OF_TRAIL}.items():
        endpoint = operation.endpoint
        of_all = path not in by_path
        more = set() if of_all else {422} | _VERITY_STATE[path.rpartition("/")[2]]
        yield (
            operation.method,
            f"/v1{path}",
            _VERITY,
            Described(
                operation_id=f"verity_{endpoint.handler.__name__}",
                endpoint=endpoint,
                security=[{"verity": [operation.scope.value]}],
                refusals=(_refusals(path, endpoint) - {404}) | more,
                path_names=_NAMESPACE,
            ),
        )


# -- Velocity OS ----------------------------------------------------------------------------------

_VELOCITY: Final = Dialect(
    "Velocity OS",
    str,
    answered=lambda answer: GenericAlias(velocity.Envelope, (answer,)),
    problem=lambda _: velocity.Problem,
)


def _velocity() -> Iterator[Written]:
    for method, path, operation in _each(VELOCITY.table):
        posts = method == "POST"
        yield (
            method,
            f"/api/v1/extensions{path}",
            _VELOCITY,
            Described(
                operation_id=f"velocity_{operation.endpoint.handler.__name__}",
                endpoint=operation.endpoint,
                security=[{"velocity": [operation.scope] if operation.scope else []}],
                refusals=_refusals(path, operation.endpoint) | ({409, 422} if posts else set()),
                parameters=(_ONCE,) if posts else (),
            ),
        )


# -- Velerian -------------------------------------------------------------------------------------

_VELERIAN: Final = Dialect("Velerian", str, problem=lambda _: velerian.Problem)


def _velerian() -> Iterator[Written]:
    for prefix, table in (("/api/v2", V2.table), ("/api/agenticx", AGENTICX.table)):
        for method, path, operation in _each(table):
            keyed = operation.scope is not None
            refusals = _refusals(path, operation.endpoint, keyed=keyed)
            refusals |= {422, 429} if keyed else {403}  # a link that is over, or none of ours
            parameters = []
            if method == "POST":
                refusals |= {409}
                parameters.append(_ONCE)
            if prefix == "/api/agenticx":
                parameters.append(_parameter("Async"))
            yield (
                method,
                f"{prefix}{path}",
                _VELERIAN,
                Described(
                    operation_id=f"velerian_{operation.endpoint.handler.__name__}",
                    endpoint=operation.endpoint,
                    security=[{"velerian": [operation.scope]}] if operation.scope else [],
                    refusals=refusals,
                    parameters=tuple(parameters),
                ),
            )


# -- Vendo ----------------------------------------------------------------------------------------

_VENDO: Final = Dialect("Vendo", str, problem=lambda _: vendo.Problem)


def _of_proxy(status: int) -> Any:
    if status == 403:
        return vendo.Problem | vendo.NotConnected
    return vendo.ActionFailed | vendo.Problem if status == 502 else vendo.Problem


_PROXY: Final = Dialect("Vendo Proxy", str, problem=_of_proxy)
_VENDO_STATE: Final[Mapping[str, set[int]]] = {
    "get_token": {403, 404, 409, 502},
    "get_tokens": {422},
    "subscribe": {429},
    "execute": {402, 404, 409, 422, 502},
}


def _vendo() -> Iterator[Written]:
    for prefix, table, dialect in (
        ("/api", API.table, _VENDO),
        ("/credentials", CREDENTIALS.table, _VENDO),
        ("/composio", COMPOSIO.table, _PROXY),
    ):
        for method, path, operation in _each(table):
            name = operation.endpoint.handler.__name__
            parameters = [_parameter("VendoUser"), _parameter("VendoVersion")]
            if method == "POST":
                parameters.append(_ONCE)
            if name == "subscribe":
                parameters.append(_parameter("LastEventId"))
            connection: list[dict[str, list[str]]] = [{"vendoConnection": []}]
            yield (
                method,
                f"{prefix}{path}",
                dialect,
                Described(
                    operation_id=f"vendo_{name}",
                    endpoint=operation.endpoint,
                    security=[
                        {"vendo": []},
                        *(connection if operation.takes_connection_keys else []),
                    ],
                    refusals=_refusals(path, operation.endpoint) | _VENDO_STATE.get(name, set()),
                    parameters=tuple(parameters),
                ),
            )


# -- what manages them ----------------------------------------------------------------------------

_MANAGE: Final = Dialect("Management", str, problem=lambda _: ManageProblem)


def _manage() -> Iterator[Written]:
    for method, path, endpoint in _each(MANAGE.table):
        part = path.split("/")[1]
        changes = {404, 409, 422} if method == "POST" else set()
        yield (
            method,
            f"/manage/v1{path}",
            _MANAGE,
            Described(
                operation_id=f"manage_{part}_{endpoint.handler.__name__}",
                endpoint=endpoint,
                security=[{"verity": [Scope.MANAGE.value]}],
                refusals=_refusals(path, endpoint) | changes,
            ),
        )


def _each(table: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for key, operation in table.items():
        method, _, path = key.partition(" ")
        yield method, path, operation


EACH: Final[tuple[Callable[[], Iterator[Written]], ...]] = (
    _verity,
    _velocity,
    _velerian,
    _vendo,
    _manage,
)
