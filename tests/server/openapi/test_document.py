"""The OpenAPI document: what it is by its own rules, and that it tells of all that is served."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from quatrain import __version__
from quatrain.server.app import Platform
from quatrain.server.manage.endpoints import ROUTES as MANAGE
from quatrain.server.openapi.document import document
from quatrain.server.openapi.examples import EXAMPLES
from quatrain.server.velerian.endpoints import AGENTICX, V2
from quatrain.server.velocity.endpoints import ROUTES as VELOCITY
from quatrain.server.vendo.endpoints import API, COMPOSIO, CREDENTIALS
from quatrain.server.vendo.page import ConnectPage
from quatrain.server.verity.endpoints import OF_ALL, OF_NAMESPACE, OF_TRAIL

from ._checking import check, operations, validator_of

WRITTEN = [(path, method) for path, item in document()["paths"].items() for method in item]


def test_it_is_valid() -> None:
    """By the meta-schema of OpenAPI 3.1, and by what that can't say."""
    assert [] == [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()]


def test_it_says_what_it_is() -> None:
    """Its version is the package's."""
    assert "3.1.0" == document()["openapi"]
    assert __version__ == document()["info"]["version"]


async def test_every_route_is_in_it(app: Any) -> None:
    """Those of the tables that serve, and no others."""
    tables: dict[str, Any] = {
        "/api/v1/extensions": VELOCITY.table,
        "/api/v2": V2.table,
        "/api/agenticx": AGENTICX.table,
        "/api": API.table,
        "/credentials": CREDENTIALS.table,
        "/composio": COMPOSIO.table,
        "/manage/v1": MANAGE.table,
        "/connections": ConnectPage(app.state.vendo)._routes.table,
    }
    mounted = {route.prefix for route in app.routes if isinstance(route, Platform)}
    # the Explorer's pages are for people, who need no such document
    assert {"/v1", "/explorer", *tables} == mounted
    routes = {route.path for route in app.routes if isinstance(route, Route)} - {"/explorer"}
    served = {(path, "get") for path in routes}
    served |= {("/v1/effects", OF_ALL.method.lower()), ("/v1/trail", OF_TRAIL.method.lower())}
    for verb, operation in OF_NAMESPACE.items():
        served.add((f"/v1/effects/{{namespace}}/{verb}", operation.method.lower()))
    for prefix, table in tables.items():
        for key in table:
            method, _, path = key.partition(" ")
            served.add((f"{prefix}{path}", method.lower()))
    assert served == set(WRITTEN)


@pytest.mark.parametrize(("path", "method"), WRITTEN)
async def test_each_is_served(path: str, method: str, app: Any) -> None:
    """Where it says so; what needs a key does not answer without one."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        response = await http.request(method, path.replace("{", "").replace("}", ""))
    operation = document()["paths"][path][method]
    assert str(response.status_code) in operation["responses"]
    if operation["security"]:
        assert 401 == response.status_code
    else:
        assert 405 != response.status_code


def test_ids_are_unique() -> None:
    """One for each operation."""
    assert len(WRITTEN) == len(operations())


def test_every_operation_is_told_of() -> None:
    """With a summary, and one of the tags that are listed."""
    tags = {tag["name"] for tag in document()["tags"]}
    for name, operation in operations().items():
        assert operation["summary"], name
        assert set(operation["tags"]) <= tags


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_fit(name: str) -> None:
    """What the contract sends and is answered is right by the schemas, and is shown."""
    operation = operations()[name]
    example = EXAMPLES[name]
    if "body" in example:
        media = operation["requestBody"]["content"]["application/json"]
        assert example["body"] == media["examples"]["contract"]["value"]
        assert [] == list(validator_of(media["schema"]).iter_errors(example["body"]))
    if "answer" in example:
        (media,) = operation["responses"]["200"]["content"].values()
        assert example["answer"] == media["examples"]["contract"]["value"]
        if not isinstance(example["answer"], str):
            check(name, 200, example["answer"])


def test_it_is_the_same_each_time() -> None:
    """Whatever the order of Python's sets."""
    command = (
        "import json; from quatrain.server.openapi.document import document;"
        " print(json.dumps(document()))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", command],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert document() == json.loads(told[0])


async def test_it_is_served(app: Any) -> None:
    """To whoever reaches the platform, with or without a key; it can only be read."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        response = await http.get("/openapi.json")
        assert (200, "application/json") == (
            response.status_code,
            response.headers["content-type"],
        )
        assert document() == response.json()
        refused = await http.post("/openapi.json")
        assert (405, "GET") == (refused.status_code, refused.headers["allow"])
        elsewhere = await http.get("/openapi.json", headers={"host": "evil.example"})
        assert 400 == elsewhere.status_code


def test_scopes_are_told() -> None:
    """As the roles that a key needs."""
    assert [{"verity": ["effects:write"]}] == operations()["verity_lease"]["security"]
    assert [{"verity": ["effects:reset"]}] == operations()["verity_reset"]["security"]
    assert [{"velocity": []}] == operations()["velocity_whoami"]["security"]
    assert [{"velocity": ["write:tasks"]}] == operations()["velocity_create_task"]["security"]
    assert [{"velerian": ["audit:read"]}] == operations()["velerian_audit_log"]["security"]
    assert [] == operations()["velerian_linked_export"]["security"]
    opened = [{"vendo": []}, {"vendoConnection": []}]
    assert opened == operations()["vendo_get_token"]["security"]


def test_what_is_no_json() -> None:
    """Streams and downloads have their own media types."""
    stream = operations()["vendo_subscribe"]["responses"]["200"]["content"]
    assert ["text/event-stream"] == list(stream)
    download = operations()["velerian_export_content"]["responses"]["200"]["content"]
    assert ["application/json", "application/zip"] == list(download)
