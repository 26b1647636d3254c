"""The whole document. No I/O; the same each time."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from quatrain._version import __version__
from quatrain.server.verity.answers import Problem

from . import plain
from .operations import Operations
from .platforms import EACH, PARAMETERS, SECURITY
from .schemas import Schema, Schemas

_ABOUT: Final = (
    "Four platforms behind one origin: Verity's effect ledger, Velocity OS, Velerian and Vendo, and"
    " what manages them. Each has keys and errors of its own. Fields that are not listed are"
    " ignored in what is sent; clients ignore them in what is answered."
)


@cache
def document() -> Schema:
    """OpenAPI 3.1 of everything that is served. To be read only."""
    schemas = Schemas()
    operations = Operations(schemas)
    paths: dict[str, Schema] = {path: dict(item) for path, item in plain.PATHS.items()}
    for platform in EACH:
        for method, path, dialect, described in platform():
            paths.setdefault(path, {})[method.lower()] = operations.write(dialect, path, described)
    _tell_of_hosts(schemas, operations)
    tags = dict.fromkeys(
        operation["tags"][0] for item in paths.values() for operation in item.values()
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "quatrain", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in tags],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": operations.responses,
            "parameters": PARAMETERS,
            "headers": {
                "RequestId": {
                    "description": "What the platform's log calls the request.",
                    "required": True,
                    "schema": {"type": "string"},
                }
            },
            "securitySchemes": SECURITY,
        },
    }


def _tell_of_hosts(schemas: Schemas, operations: Operations) -> None:
    """A Host that is not ours is refused before any platform sees it, in words for all."""
    common: Any = schemas.of(Problem)
    for name, response in operations.responses.items():
        media = response["content"]["application/json"]
        if name.endswith("400") and media["schema"] != common:
            media["schema"] = {"anyOf": [media["schema"], common]}
