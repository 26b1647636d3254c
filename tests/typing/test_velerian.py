"""What type checkers make of Velerian's client: read by mypy and pyright, never run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_type

import httpx

from quatrain import AsyncClient, Client
from quatrain._async.velerian import AsyncVelerianClient
from quatrain._sync.velerian import VelerianClient
from quatrain.models.velerian import EvidenceExport, InvokeResult, Page, UsageSummary

Row = dict[str, Any]


async def awaited(velerian: AsyncVelerianClient) -> None:
    result = await velerian.invoke_abp("abp_1", {"amount": 40}, effect_key="refund:1")
    assert_type(result, InvokeResult)
    assert_type(result.output, dict[str, Any] | None)
    assert_type(await velerian.invoke_network("desk", "Hello", on_progress=print), Row)
    assert_type(await velerian.await_run("run_1", poll_interval=1, timeout=3.0), Row)
    export = await velerian.invocation_evidence("abp_1", "inv_1", format="zip")
    assert_type(export, EvidenceExport)
    assert_type(await velerian.evidence_package("abp_1", datetime.now(UTC)), EvidenceExport)
    assert_type(await velerian.download_evidence(export, to="e", max_bytes=9), Path)
    assert_type(await velerian.usage_summary(), UsageSummary)
    assert_type(await velerian.list_audit_log(action="abp.invoke"), Page[Row])
    async for row in velerian.iter_audit_log(since="2030-01-01", max_items=5):
        assert_type(row, Row)
    async for item in velerian.iter_paginated("plans", {"a": None}):
        assert_type(item, Any)
    assert_type(await velerian.request("PUT", "plans", json=[1]), httpx.Response)
    assert_type(await velerian.get("plans", params={"a": 1}), httpx.Response)
    assert_type(await velerian.post("plans", content=b"", timeout=1), httpx.Response)
    assert_type(await velerian.delete("plans"), httpx.Response)


def called(velerian: VelerianClient, export: EvidenceExport) -> None:
    assert_type(velerian.invoke_abp("abp_1", {}), InvokeResult)
    assert_type(velerian.await_run("run_1"), Row)
    assert_type(velerian.list_audit_log().items, list[Row])
    assert_type(velerian.download_evidence(export, Path("e")), Path)
    for row in velerian.iter_audit_log():
        assert_type(row, Row)
    assert_type(velerian.get("plans"), httpx.Response)


async def refused(velerian: AsyncVelerianClient, export: EvidenceExport) -> None:
    await velerian.invoke_abp("abp_1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await velerian.invoke_abp("abp_1", [])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await velerian.evidence_package("abp_1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await velerian.usage_summary(effect_key="no write")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await velerian.download_evidence(export)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await velerian.get("plans", json={})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def held(q: AsyncClient, s: Client) -> None:
    assert_type(q.velerian, AsyncVelerianClient)
    assert_type(s.velerian, VelerianClient)
