"""What a served platform writes to its log: text for people, or a JSON object a line.

Of a request there is its id, method, route, status and time, and never its path, its query or a
header: they hold names of others, and keys.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal

LogFormat = Literal["text", "json"]

ACCESS: Final = logging.getLogger("quatrain.server.access")
"""A line a request, at INFO; 5xx at WARNING."""

FIELDS: Final = ("request_id", "method", "route", "status", "ms")
"""What a record of a request carries."""

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One record as one line of JSON, in ASCII: whatever is in it stays one line."""

    def format(self, record: logging.LogRecord) -> str:
        """``{"time", "level", "logger", "message", …}``, with ``exception`` where there is one."""
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in FIELDS:
            if (value := getattr(record, name, None)) is not None:
                line[name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up(log_format: LogFormat, *, requests: bool) -> None:
    """Have this process log to standard error, its *requests* as well if they are wanted.

    For a process that serves and does nothing else: an embedded platform leaves logging alone.
    """
    handler = logging.StreamHandler(sys.stderr)
    as_json = log_format == "json"
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(_TEXT))
    logging.basicConfig(handlers=[handler])
    ACCESS.setLevel(logging.INFO if requests else logging.WARNING)


def log_answer(request_id: str, method: str, route: str, status: int, seconds: float) -> None:
    """Note an answer that has begun."""
    level = logging.WARNING if status >= 500 else logging.INFO
    if not ACCESS.isEnabledFor(level):
        return
    ms = round(seconds * 1000, 3)
    fields: dict[str, object] = dict(
        zip(FIELDS, (request_id, method, route, status, ms), strict=True)
    )
    ACCESS.log(level, "%s %s %d %s ms %s", method, route, status, ms, request_id, extra=fields)
