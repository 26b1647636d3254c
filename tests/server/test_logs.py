"""What is logged of requests: enough to find one, and nothing that is anybody's."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from quatrain.server.logs import ACCESS, FIELDS, JsonFormatter, log_answer

from ._support import Client

ROUTE = "/v1/effects/{namespace}/lease"


def record(message: str, *args: Any, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("quatrain.x", logging.WARNING, "x.py", 1, message, args, None)
    made.created = 1_800_000_000.25
    made.__dict__.update(fields)
    return made


def test_json() -> None:
    """One line, whatever is in it; what a record does not have is left out."""
    text = JsonFormatter().format(record("a\n%s", "\x1b[2J\u2028é", status=200, route="/healthz"))

    assert ("\n" not in text, text.isascii()) == (True, True)
    assert {
        "time": "2027-01-15T08:00:00.250Z",
        "level": "WARNING",
        "logger": "quatrain.x",
        "message": "a\n\x1b[2J\u2028é",
        "status": 200,
        "route": "/healthz",
    } == json.loads(text)


def test_json_with_an_exception() -> None:
    """Its traceback is a field."""
    failed = record("failed")
    try:
        raise ZeroDivisionError("why")
    except ZeroDivisionError:
        failed.exc_info = sys.exc_info()
    line = json.loads(JsonFormatter().format(failed))

    assert line["exception"].endswith("ZeroDivisionError: why")


async def test_a_request(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Its id, method, route, status and time; neither key nor names."""
    with caplog.at_level(logging.INFO, ACCESS.name):
        response = await client.post("/effects/hidden/lease?hidden=1", effectKey="hidden")
    (found,) = [line for line in caplog.records if line.name == ACCESS.name]
    ms: float = found.__dict__["ms"]

    assert (response.headers["x-request-id"], "POST", ROUTE, 200) == tuple(
        found.__dict__[name] for name in FIELDS[:-1]
    )
    assert ms >= 0
    assert f"POST {ROUTE} 200 {ms} ms {response.headers['x-request-id']}" == found.getMessage()
    everything = str(found.__dict__)
    assert "hidden" not in everything
    assert client.headers["authorization"].partition(" ")[2] not in everything


@pytest.mark.parametrize(
    ("threshold", "statuses"),
    [(logging.INFO, [200, 404, 503]), (logging.WARNING, [503]), (logging.ERROR, [])],
)
def test_levels(caplog: pytest.LogCaptureFixture, threshold: int, statuses: list[int]) -> None:
    """What the platform failed at is told where requests are not."""
    with caplog.at_level(threshold, ACCESS.name):
        for status in (200, 404, 503):
            log_answer("req_1", "GET", "/x", status, 0.0015)

    assert statuses == [line.__dict__["status"] for line in caplog.records]
    assert all(line.__dict__["ms"] == 1.5 for line in caplog.records)
