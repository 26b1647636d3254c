"""A protect as PostgreSQL's own load generator does it: the SQL, and nothing else.

Each protect is two transactions, as without group commit it has to be: an action may only begin
when its lease is on the disk. The statements are the ledger's, as they stand in ``effects.sql``,
prepared, in four round trips a transaction: BEGIN goes with the question for the time. The ledger
takes one with one in flight, for a lease or a commit and its line in a single statement, and a few
for all that are in flight together. PostgreSQL syncs for several clients at once by itself.

What pgbench does not do: judge what comes back, write down what an effect was, make tokens, hash
them, or tell times; nobody waits for it on an event loop. It is written in C.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Final

from legs import Leg
from postgres_server import Server

from quatrain.server.store import queries

_SQL: Final = queries.load("effects")
_NUMBERS: Final = {"realm_id", "now", "lease_duration_ms", "fence_token"}
_NONE: Final = {"effect_name", "agent_id", "workflow_name", "case_id", "run_id", "input_json"}
_BEGIN: Final = """
\\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint;
\\endpipeline
"""
_VARIABLES: Final = {
    "now": "1800000000000",
    "lease_duration_ms": "30000",
    "fence_token": "1",
    "namespace": "bench",
    "lease_token_hash": "\\x" + "00" * 32,
    "result": '{"receipt":"re_12345"}',
    "source": "acted",
    "granted": '{"priorState": "none", "leaseExpiresAt": "2026-05-17T09:30:00.250Z"}',
    "acted": '{"source": "acted"}',
}
_TPS: Final = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_FAILED: Final = re.compile(r"number of failed transactions: [^0]")


class PgBench:
    """Runs protects in a database that the ledger's schema is in."""

    def __init__(self, server: Server, database: str, realm: int, directory: Path) -> None:
        self._server = server
        self._database = database
        self._realm = realm
        self._script = directory / "protect.sql"
        self._script.write_text(_protect(), "utf-8")
        self._rounds = itertools.count(1)

    def protects(self, in_flight: int, seconds: float) -> Leg:
        """Protects a second, *in_flight* connections at once."""
        first = next(self._rounds) * 1_000_000  # each run and each client has keys of its own
        given = {**_VARIABLES, "realm_id": str(self._realm), "n": str(first)}
        told = self._server.run(
            "pgbench",
            *("-n", "-M", "prepared", "-c", str(in_flight), "-j", str(min(in_flight, 2))),
            *("-T", str(max(1, round(seconds))), "-f", str(self._script)),
            *(f"--define={name}={value}" for name, value in given.items()),
            self._database,
        )
        rate = _TPS.search(told)
        if rate is None or _FAILED.search(told):
            raise RuntimeError(f"pgbench tells of no rate:\n{told}")
        return Leg(float(rate[1]), 0.0)


def _protect() -> str:
    """The script."""
    lease, commit = (_as_parameters(_SQL[name]) for name in ("lease", "commit"))
    line = _SQL["add_event"].partition("VALUES")[0]
    told = f"{line} VALUES (:id, '{{kind}}', :now, :fence_token, NULL, NULL, :{{detail}});\n"
    return (
        "\\set n :n + 1\n\\set effect_key :client_id * 1000000000 + :n\n"
        f"{_BEGIN}{lease} \\gset\n{told.format(kind='LEASE_GRANTED', detail='granted')}COMMIT;\n"
        f"{_BEGIN}{commit} \\gset\n{told.format(kind='COMMITTED', detail='acted')}COMMIT;\n"
    )


def _as_parameters(statement: str) -> str:
    def parameter(found: re.Match[str]) -> str:
        name = found[1]
        if name in _NONE:
            return "NULL"  # pgbench has no parameter that is none
        return f":{name}::bigint" if name in _NUMBERS else f":{name}"

    return re.sub(r"(?<!:):(\w+)", parameter, statement).strip()
