"""What is no platform's API: the health, this document, and the page where a person connects.

Written by hand: it is read by people and browsers, and has no attrs classes.
"""

from __future__ import annotations

from typing import Any, Final

from .operations import REASONS
from .schemas import Schema

_TAG: Final = "Platform"
_PAGE: Final = "Connect page"


def _text(name: str, where: str, description: str, *, needed: bool = True, **schema: Any) -> Schema:
    told = {"type": "string", **schema}
    return {
        "name": name,
        "in": where,
        "required": needed,
        "description": description,
        "schema": told,
    }


def _html(description: str) -> Schema:
    return {"description": description, "content": {"text/html": {"schema": {"type": "string"}}}}


def _pages(*statuses: int) -> dict[str, Schema]:
    return {str(status): _html(REASONS[status]) for status in statuses}


def _status(word: str, *, message: bool) -> Schema:
    properties: Schema = {"status": {"type": "string", "const": word}}
    if message:
        properties["message"] = {"type": "string"}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"application/json": {"schema": schema}}


def _ready(word: str) -> Schema:
    properties: Schema = {
        "status": {"type": "string", "const": word},
        "version": {"type": "string"},
        "reasons": {"type": "array", "items": {"type": "string"}},
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"application/json": {"schema": schema}}


_SLUG: Final = _text("slug", "path", "An integration.", minLength=1)
_VISIT: Final = _text("visit", "path", "The browser's visit, which its cookie proves.", minLength=1)
_BACK: Final = {
    "description": "The browser goes on.",
    "headers": {"Location": {"required": True, "schema": {"type": "string"}}},
}

PATHS: Final[dict[str, Schema]] = {
    "/healthz": {
        "get": {
            "operationId": "healthz",
            "tags": [_TAG],
            "summary": "Health",
            "description": "Whether a lease would work: told from a write that reached the disk.",
            "security": [],
            "responses": {
                "200": {"description": "It would.", "content": _status("ok", message=False)},
                "503": {
                    "description": "It would not, and why.",
                    "content": _status("unavailable", message=True),
                },
            },
        }
    },
    "/readyz": {
        "get": {
            "operationId": "readyz",
            "tags": [_TAG],
            "summary": "Readiness",
            "description": "Whether work should come: what befell the last changes, the room left"
            " on the disk and the schema are looked at, too.",
            "security": [],
            "responses": {
                "200": {"description": "It should.", "content": _ready("ready")},
                "503": {"description": "It should not, and why.", "content": _ready("unavailable")},
            },
        }
    },
    "/metrics": {
        "get": {
            "operationId": "metrics",
            "tags": [_TAG],
            "summary": "Metrics",
            "description": "Prometheus' text format, for a key with the scope metrics:read, or for"
            " everybody where that is wanted.",
            "security": [{"verity": ["metrics:read"]}],
            "responses": {
                "200": {
                    "description": "What was counted, and how the ledger stands.",
                    "content": {"text/plain": {"schema": {"type": "string"}}},
                },
                **{
                    str(status): {
                        "description": REASONS[status],
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                    for status in (401, 403, 503)
                },
            },
        }
    },
    "/openapi.json": {
        "get": {
            "operationId": "openapi",
            "tags": [_TAG],
            "summary": "This document",
            "security": [],
            "responses": {
                "200": {
                    "description": "OpenAPI 3.1.",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                }
            },
        }
    },
    "/connections/connect/{slug}": {
        "get": {
            "operationId": "connect_begin",
            "tags": [_PAGE],
            "summary": "Begin a visit",
            "description": "Where an app sends a person to connect an integration.",
            "security": [],
            "parameters": [
                _SLUG,
                _text("app_key", "query", "The app's key."),
                _text("return_to", "query", "Where the browser goes back to.", format="uri"),
                _text("state", "query", "Comes back with the answer."),
            ],
            "responses": {"303": _BACK, **_pages(400, 401, 403, 404, 500, 503)},
        }
    },
    "/connections/connect/{slug}/{visit}": {
        "get": {
            "operationId": "connect_show",
            "tags": [_PAGE],
            "summary": "Show the page",
            "security": [],
            "parameters": [_SLUG, _VISIT],
            "responses": {"200": _html("The page."), **_pages(400, 403, 404, 410, 500, 503)},
        },
        "post": {
            "operationId": "connect_decide",
            "tags": [_PAGE],
            "summary": "Decide",
            "description": "What the page's own form posts: nobody else can.",
            "security": [],
            "parameters": [_SLUG, _VISIT],
            "requestBody": {
                "required": True,
                "content": {
                    "application/x-www-form-urlencoded": {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "decision": {"type": "string", "enum": ["connect", "deny"]},
                                "form_token": {"type": "string"},
                                "key": {"type": "string"},
                            },
                            "required": ["decision", "form_token"],
                        }
                    }
                },
            },
            "responses": {"303": _BACK, **_pages(400, 403, 404, 410, 413, 422, 500, 503)},
        },
    },
    "/connections/assets/{name}": {
        "get": {
            "operationId": "connect_asset",
            "tags": [_PAGE],
            "summary": "The style sheet",
            "security": [],
            "parameters": [_text("name", "path", "Its name; it tells what is in it.", minLength=1)],
            "responses": {
                "200": {
                    "description": "The style sheet.",
                    "content": {"text/css": {"schema": {"type": "string"}}},
                },
                **_pages(400, 404, 500),
            },
        }
    },
}
