"""A household of all four platforms on one database, and what is seen of it from outside."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import attrs
import pytest

from quatrain import Client
from quatrain.server.local import LocalPlatform
from quatrain.server.store import PostgresURL
from quatrain.server.store.moving import copy_source
from quatrain.server.vendo.secretkey import VARIABLE
from quatrain.velerian import verify_evidence


def live_in(database: Path) -> None:
    """Have something happen on each platform, in a new file."""
    with LocalPlatform(database) as platform:
        platform.keys.create(name="a clerk's")
        lost, _ = platform.keys.create(name="lost")
        platform.keys.revoke(lost.key_id)
        platform.add_webhook("http://127.0.0.1:9/hook")
        platform.connect("slack")
        platform.connect("openai", key="sk-of-the-house")
    with Client.local(database, namespace="shop") as q:
        for number in range(3):
            q.verity.protect(f"charge:{number}", act=lambda: {"paid": "4,50 € \u2713"})
        with contextlib.suppress(ZeroDivisionError):
            q.verity.protect("split", act=lambda: 1 / 0)
        q.verity.effects.reset("split", reason="a mistake")
        q.velocity.tasks.create("Sweep the yard", "R1")
        q.velerian.invoke_abp("loan-review", {"amount": 8_000, "prompt": "Is it sound?"})
        q.velerian.invoke_abp("loan-review", {"amount": 900_000, "prompt": "And this?"})
        q.velerian.invoke_network("research", "What is new?", wait=False)
        q.vendo.data.execute("vendo.echo", {"text": "hello"})


@attrs.frozen
class Seen:
    """What a client sees."""

    effects: Any
    trails: Any
    tasks: Any
    audit: Any
    credits: Any
    token: Any


def look_around(q: Client) -> Seen:
    """The same questions to any database."""
    return Seen(
        effects=[each.raw for each in q.verity.effects.iter()],
        trails=[each.raw for each in q.verity.effects.iter_trail()],
        tasks=q.velocity.tasks.list().raw,
        audit=list(q.velerian.iter_audit_log()),
        credits=q.vendo.billing.balance().raw,
        token=q.vendo.token("openai"),
    )


def verified_packs(q: Client, directory: Path) -> int:
    """How many packs of evidence of the demo's process verify."""
    export = q.velerian.evidence_package("loan-review", "2020-01-01T00:00:00Z")
    return verify_evidence(q.velerian.download_evidence(export, directory / "all.json")).packs


def key_beside(database: Path) -> dict[str, str]:
    """What has to be set in the environment where the database was moved to."""
    return {VARIABLE: database.with_name(f"{database.name}.key").read_text().strip()}


def asked(target: PostgresURL, statement: str) -> list[Any]:
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(target.secret.reveal()) as connection:
        rows: list[Any] = connection.execute(statement).fetchall()
        return rows


def is_empty(target: PostgresURL) -> bool:
    """Whether it has no table."""
    statement = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    return asked(target, statement) == [(0,)]


def change(source: Path, statement: str, *parameters: Any) -> None:
    connection = sqlite3.connect(source)
    connection.execute(statement, parameters)
    connection.commit()
    connection.close()


def content(source: Path) -> dict[str, copy_source.Content]:
    with copy_source.alone_on(source) as connection:
        tables = copy_source.tables(connection)
        return copy_source.look_over(connection, tables, lambda: None)
