"""Evidence packs: numbered and chained, each tenant's for itself."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from quatrain.evidence.chain import START, chained, hash_of
from quatrain.server.store import Store
from quatrain.server.velerian import packs
from quatrain.server.velerian.packs import Pack


def append(store: Store, tenant: str = "acme", **given: Any) -> Pack:
    about = {"abp_id": "abp_1", "subject_id": "inv_1", "kind": "invocation", "body": {}, **given}
    return store.write_blocking(
        lambda connection, now, _: packs.append(connection, now, tenant, **about), None
    )


def rows(store: Store, columns: str, tenant: str = "acme") -> list[tuple[Any, ...]]:
    statement = f"SELECT {columns} FROM velerian_packs WHERE tenant = ? ORDER BY sequence"
    return store.read_blocking(
        lambda connection, _now, _: connection.execute(statement, (tenant,)).fetchall(), None
    )


def test_a_pack_says_what_it_is(store: Store) -> None:
    """Its body is completed, kept in the canonical form, and nothing in it can pose as another."""
    pack = append(store, body={"outcome": "allow", "ü": [1.5, None], "sequence": 9, "kind": "x"})
    ((text, abp_id),) = rows(store, "body, abp_id")
    expected = {
        "outcome": "allow",
        "ü": [1.5, None],
        "pack_id": pack.pack_id,
        "tenant_id": "acme",
        "sequence": 1,
        "kind": "invocation",
        "subject_id": "inv_1",
        "created_at": "2027-01-15T08:00:00.000Z",
    }
    assert expected == json.loads(text)
    assert json.dumps(expected, sort_keys=True, separators=(",", ":")) == text
    assert abp_id == "abp_1"
    assert pack.pack_id.startswith("evp_")
    assert f"evidence/acme/{pack.pack_id}.json" == pack.s3_key
    assert hash_of(text) == pack.body_hash


def test_packs_are_chained(store: Store) -> None:
    """Without a gap, and every tenant's from the start."""
    first, other, second = append(store), append(store, "other"), append(store, abp_id=None)
    assert [1, 1, 2] == [first.sequence, other.sequence, second.sequence]
    assert chained(START, 1, first.body_hash) == first.chain_hash
    assert chained(START, 1, other.body_hash) == other.chain_hash
    assert chained(first.chain_hash, 2, second.body_hash) == second.chain_hash
    kept = [(pack.sequence, pack.body_hash, pack.chain_hash) for pack in (first, second)]
    assert kept == rows(store, "sequence, body_hash, chain_hash")


def test_a_pack_belongs_to_its_transaction(store: Store) -> None:
    """What did not happen leaves no evidence, and its number is the next one's."""

    def fail(connection: sqlite3.Connection, now: int, _: None) -> None:
        packs.append(connection, now, "acme", abp_id=None, subject_id="run_1", kind="run", body={})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write_blocking(fail, None)
    assert [] == rows(store, "sequence")
    assert append(store).sequence == 1
