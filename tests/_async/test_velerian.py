"""The client of Velerian: settings, what it sends, what it answers, retries, errors."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

import quatrain
from quatrain._async.velerian import AsyncVelerianClient
from quatrain.errors import velerian as errors
from quatrain.models.velerian import EvidenceExport, InvokeResult, UsageSummary

from .._doubles import AsyncInstantClock
from .._governance import EXPORT, INVOKED, KEY, PRESIGNED, QUEUE, USAGE, FakeGovernance

Connect = Callable[..., AsyncVelerianClient]
AT = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VELERIAN_API_KEY", "VELERIAN_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


# -- settings -------------------------------------------------------------------------------------


async def test_the_hosted_platform_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the environment names another one; an empty value counts as unset."""
    monkeypatch.setenv("VELERIAN_API_KEY", KEY)
    monkeypatch.setenv("VELERIAN_BASE_URL", "")
    async with AsyncVelerianClient() as velerian:
        assert repr(velerian) == "<AsyncVelerianClient https://app.velerian.ai>"
    monkeypatch.setenv("VELERIAN_BASE_URL", "http://127.0.0.1:8787/")
    async with AsyncVelerianClient() as velerian:
        assert repr(velerian) == "<AsyncVelerianClient http://127.0.0.1:8787>"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"api_key": ""}, "VELERIAN_API_KEY"),
        ({"api_key": 7}, "api_key"),
        ({"api_key": "a\nb"}, "api_key"),
        ({"base_url": "http://example.com"}, "unencrypted"),
        ({"base_url": "ftp://example.com"}, "base_url"),
        ({"timeout": 0}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"user_agent": "me\r\nX-Evil: 1"}, "user_agent"),
        ({"http_client": object()}, "http_client"),
    ],
)
async def test_a_setting_that_can_not_be_is_a_config_error(
    settings: dict[str, Any], reason: str
) -> None:
    """Of this platform and of the shared kind, and it names the setting."""
    with pytest.raises(errors.VelerianConfigError, match=reason) as caught:
        AsyncVelerianClient(**{"api_key": KEY, **settings})
    assert isinstance(caught.value, quatrain.ConfigError)
    assert isinstance(caught.value, errors.VelerianError)


async def test_a_closed_client_says_so(connect_velerian: Connect) -> None:
    """Closing twice is fine."""
    async with connect_velerian() as velerian:
        pass
    await velerian.aclose()
    with pytest.raises(errors.VelerianConfigError, match="closed"):
        await velerian.usage_summary()


async def test_the_umbrella_holds_it(
    velerian: AsyncVelerianClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is given, or one of the environment's; it closes both."""
    async with quatrain.AsyncClient(velerian=velerian) as q:
        assert q.velerian is velerian
    with pytest.raises(errors.VelerianConfigError, match="closed"):
        await velerian.usage_summary()
    async with quatrain.AsyncClient() as q:
        with pytest.raises(quatrain.ConfigError, match="VELERIAN_API_KEY"):
            q.velerian.iter_audit_log()
        monkeypatch.setenv("VELERIAN_API_KEY", KEY)
        assert q.velerian is q.velerian


# -- what goes out --------------------------------------------------------------------------------


async def test_the_headers(velerian: AsyncVelerianClient, governance: FakeGovernance) -> None:
    """The key, JSON, and the contract's user agent; the contract's time-out."""
    await velerian.usage_summary()
    request = governance.requests[0]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"] == f"velerian-python-sdk/{quatrain.__version__}"
    assert request.extensions["timeout"]["read"] == 30.0
    assert "idempotency-key" not in request.headers


async def test_a_user_agent_of_ones_own(
    connect_velerian: Connect, governance: FakeGovernance
) -> None:
    """For the server's logs."""
    await connect_velerian(user_agent="auditor/2").usage_summary()
    assert governance.requests[0].headers["user-agent"] == "auditor/2"


async def test_every_endpoint(velerian: AsyncVelerianClient, governance: FakeGovernance) -> None:
    """Method, path and query, as the contract has them."""
    await velerian.invoke_abp("abp/1", {"amount": 40})
    await velerian.invoke_network("desk", "Hello", wait=False)
    await velerian.await_run("run_1")
    await velerian.invocation_evidence("abp_1", "inv_1")
    await velerian.invocation_evidence("abp_1", "..", "zip")
    await velerian.evidence_package("abp_1", AT)
    await velerian.evidence_package("abp_1", "2030-01-01", format="json")
    await velerian.usage_summary()
    await velerian.list_audit_log()
    assert governance.targets == [
        "POST /api/v2/abps/abp%2F1/invoke",
        f"POST {QUEUE}",
        "GET /api/v2/pack-runs/run_1",
        "GET /api/v2/abps/abp_1/invocations/inv_1/evidence",
        "GET /api/v2/abps/abp_1/invocations/%2E%2E/evidence?format=zip",
        "GET /api/v2/abps/abp_1/evidence-package?since=2030-01-01T00%3A00%3A00%2B00%3A00",
        "GET /api/v2/abps/abp_1/evidence-package?since=2030-01-01&format=json",
        "GET /api/v2/usage/summary",
        "GET /api/v2/audit-log?limit=50&offset=0",
    ]
    assert governance.body(0) == {"payload": {"amount": 40}}
    assert governance.body(1) == {"prompt_text": "Hello"}


async def test_a_base_url_with_a_path(
    connect_velerian: Connect, governance: FakeGovernance
) -> None:
    """Everything is below it: a gateway may mount the platform anywhere."""
    velerian = connect_velerian(base_url="https://gate.example/velerian/")
    await velerian.invoke_network("desk", "Hello", wait=False)
    await velerian.post("plans")
    await velerian.post("/api/agenticx/x")
    assert governance.targets == [
        f"POST /velerian{QUEUE}",
        "POST /velerian/api/v2/plans",
        "POST /velerian/api/agenticx/x",
    ]


async def test_all_filters_of_the_audit_log(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """Those that are None are left out."""
    await velerian.list_audit_log(
        action="abp.invoke",
        resource_kind="abp",
        resource_id="abp_1",
        actor_user_id="u",
        since=AT,
        until="2031-01-01",
        limit=10,
        offset=20,
    )
    assert dict(governance.requests[0].url.params) == {
        "action": "abp.invoke",
        "resource_kind": "abp",
        "resource_id": "abp_1",
        "actor_user_id": "u",
        "since": "2030-01-01T00:00:00+00:00",
        "until": "2031-01-01",
        "limit": "10",
        "offset": "20",
    }


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("invoke_abp", ("", {}), "abp_id"),
        ("invoke_abp", (7, {}), "abp_id"),
        ("invoke_abp", ("a", []), "payload"),
        ("invoke_abp", ("a", {"x": object()}), "JSON"),
        ("invoke_network", ("", "p"), "slug"),
        ("invoke_network", ("s", ""), "prompt_text"),
        ("invoke_network", ("s", "p", []), "metadata"),
        ("invoke_network", ("s", "p", None, "file_1"), "attachment_ids"),
        ("invoke_network", ("s", "p", None, [""]), "attachment_ids"),
        ("invoke_network", ("s", "p", None, None, True, 0), "poll_interval"),
        ("invoke_network", ("s", "p", None, None, True, 1, -1), "run_timeout"),
        ("await_run", ("",), "run_id"),
        ("invocation_evidence", ("a", ""), "invocation_id"),
        ("invocation_evidence", ("a", "i", []), "format"),
        ("evidence_package", ("a", None), "since"),
        ("evidence_package", ("a", ""), "since"),
        ("evidence_package", ("a", datetime(2030, 1, 1)), "time zone"),  # noqa: DTZ001
    ],
)
async def test_an_argument_that_can_not_be_is_refused(
    velerian: AsyncVelerianClient,
    governance: FakeGovernance,
    method: str,
    arguments: tuple[Any, ...],
    words: str,
) -> None:
    """Before any request."""
    with pytest.raises(errors.VelerianInputError, match=words):
        await getattr(velerian, method)(*arguments)
    assert governance.requests == []


@pytest.mark.parametrize("settings", [{"limit": 0}, {"limit": "5"}, {"offset": -1}, {"action": 7}])
async def test_a_page_that_can_not_be_is_refused(
    velerian: AsyncVelerianClient, settings: dict[str, Any]
) -> None:
    """It names the parameter."""
    with pytest.raises(errors.VelerianInputError, match=next(iter(settings))):
        await velerian.list_audit_log(**settings)


# -- answers --------------------------------------------------------------------------------------


async def test_an_invocation(velerian: AsyncVelerianClient, governance: FakeGovernance) -> None:
    """What the contract names, with its defaults, and all of it on ``.raw``."""
    result = await velerian.invoke_abp("abp_1", {})
    assert result == InvokeResult("inv_1", "allow", True, False, False)
    assert (result.constraint_count, result.aggregated_conditions, result.output) == (0, [], None)
    assert result.raw == INVOKED
    held = INVOKED | {
        "outcome": "require_human",
        "requires_human": True,
        "approval_id": "apr_1",
        "output": None,
        "aggregated_conditions": ["log it"],
        "new": 1,
    }
    governance.data["POST /api/v2/abps/abp_1/invoke"] = held
    result = await velerian.invoke_abp("abp_1", {})
    assert (result.requires_human, result.approval_id) == (True, "apr_1")
    assert result.aggregated_conditions == ["log it"]
    assert result.raw["new"] == 1


async def test_an_export_and_a_summary(velerian: AsyncVelerianClient) -> None:
    """As models; a presigned link is in no repr."""
    export = await velerian.invocation_evidence("abp_1", "inv_1")
    assert isinstance(export, EvidenceExport)
    assert (export.export_id, export.delivery, export.download_url) == (
        "exp_1",
        "presigned",
        PRESIGNED,
    )
    assert export.raw == EXPORT
    assert "do-not-show-me" not in repr(export)
    usage = await velerian.usage_summary()
    assert usage == UsageSummary("t", "2030-01-01T00:00:00Z", {"total": 3})
    assert usage.raw == USAGE


async def test_a_page_of_the_audit_log(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """Its rows as they come, and where it is."""
    governance.audit = [{"id": f"aud_{n}", "sequence": n} for n in range(5)]
    page = await velerian.list_audit_log(limit=2, offset=2)
    assert list(page) == page.items == governance.audit[2:4]
    assert (page.limit, page.offset, page.total, len(page)) == (2, 2, 5, 2)
    assert page.raw["total"] == 5


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("usage/summary", [], "expected an object"),
        ("usage/summary", {"tenant_id": 7}, "tenant_id"),
        ("audit-log", {"items": {}}, "items"),
        ("audit-log", {"rows": []}, "items"),
    ],
)
async def test_an_answer_that_is_not_the_contracts(
    velerian: AsyncVelerianClient,
    governance: FakeGovernance,
    path: str,
    answer: Any,
    words: str,
) -> None:
    """A typed error that says where; it is not tried again."""
    governance.faults.append(httpx.Response(200, json=answer))
    with pytest.raises(errors.VelerianAPIError, match=words):
        await (velerian.list_audit_log() if path == "audit-log" else velerian.usage_summary())
    assert len(governance.requests) == 1


# -- errors and retries ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, errors.VelerianAPIError, quatrain.APIError),
        (401, errors.VelerianAuthError, quatrain.AuthenticationError),
        (403, errors.VelerianForbiddenError, quatrain.PermissionDeniedError),
        (404, errors.VelerianNotFoundError, quatrain.NotFoundError),
        (409, errors.VelerianConflictError, quatrain.ConflictError),
        (422, errors.VelerianValidationError, quatrain.ValidationFailedError),
    ],
)
async def test_errors_by_status(
    velerian: AsyncVelerianClient,
    governance: FakeGovernance,
    status: int,
    error: type[errors.VelerianAPIError],
    kind: type[Exception],
) -> None:
    """Of this platform and of the shared kind; at once, and they travel."""
    governance.faults.append(status)
    with pytest.raises(kind) as caught:
        await velerian.invoke_abp("abp_1", {})
    assert type(caught.value) is error
    assert (caught.value.status_code, caught.value.detail) == (status, "a fault")
    assert len(governance.requests) == 1
    assert pickle.loads(pickle.dumps(caught.value)).detail == "a fault"


async def test_a_list_of_details_is_text_on_the_error(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """And the parsed body stays on it."""
    detail = [{"loc": ["body", "payload"], "msg": "is missing", "type": "missing"}]
    governance.faults.append(httpx.Response(422, json={"detail": detail}))
    with pytest.raises(errors.VelerianValidationError, match="is missing") as caught:
        await velerian.invoke_abp("abp_1", {})
    assert isinstance(caught.value.detail, str)
    assert caught.value.body == {"detail": detail}


@pytest.mark.parametrize("fault", [429, 500, 502, 503, 504, "lost"])
async def test_a_passing_fault_is_tried_again_three_times(
    velerian: AsyncVelerianClient,
    governance: FakeGovernance,
    instant: AsyncInstantClock,
    fault: Any,
) -> None:
    """After random waits of up to half a second, one and two."""
    governance.faults.extend([fault] * 3)
    assert (await velerian.usage_summary()).tenant_id == "t"
    assert len(governance.requests) == 4
    assert all(
        0 <= waited <= most for waited, most in zip(instant.slept, (0.5, 1.0, 2.0), strict=True)
    )
    governance.faults.extend([fault] * 4)
    with pytest.raises(errors.VelerianError) as caught:
        await velerian.usage_summary()
    assert len(getattr(caught.value, "attempts", ())) == 4


async def test_retry_after_is_obeyed(
    velerian: AsyncVelerianClient, governance: FakeGovernance, instant: AsyncInstantClock
) -> None:
    """Up to a minute; one that asks for more is raised at once, with how long it asked for."""
    governance.faults.append(httpx.Response(429, json={}, headers={"retry-after": "60"}))
    await velerian.usage_summary()
    assert instant.slept == [60.0]
    governance.faults.append(httpx.Response(429, json={}, headers={"retry-after": "61"}))
    with pytest.raises(errors.VelerianRateLimitError) as caught:
        await velerian.usage_summary()
    assert caught.value.retry_after == 61.0
    assert instant.slept == [60.0]


@pytest.mark.parametrize("retries", [{"max_retries": 0}, {}])
async def test_retries_can_be_switched_off(
    connect_velerian: Connect, governance: FakeGovernance, retries: dict[str, int]
) -> None:
    """For the client, or for a call."""
    velerian = connect_velerian(max_retries=3 if retries else 0)
    governance.faults.append(503)
    with pytest.raises(errors.VelerianServerError):
        await velerian.usage_summary(**retries)
    assert len(governance.requests) == 1


async def test_a_retried_write_is_the_same_write(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """One idempotency key and one body, made before the first attempt; another for the next."""
    governance.faults.extend([503, 502, None])
    await velerian.invoke_abp("abp_1", {"amount": 40})
    assert len(governance.keys) == 3
    assert len(set(governance.keys)) == len(governance.done) == 1
    assert str(uuid.UUID(governance.keys[0])) == governance.keys[0]
    assert len({request.content for request in governance.requests}) == 1
    await velerian.invoke_network("desk", "Hello", wait=False)
    assert governance.keys[-1] != governance.keys[0]


async def test_after_no_answer_a_write_is_repeated_under_a_callers_key_only(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """The contract knows no such keys: who gives one knows that the platform does."""
    governance.faults.append("lost")
    with pytest.raises(errors.VelerianTransportError) as caught:
        await velerian.invoke_abp("abp_1", {"amount": 40})
    assert (caught.value.sent, len(governance.requests)) == (True, 1)
    governance.faults.append(httpx.ConnectError("nobody there"))  # never sent
    await velerian.invoke_network("desk", "Hello", wait=False)
    governance.faults.append("lost")
    await velerian.invoke_abp("abp_1", {"amount": 41}, idempotency_key="mine")
    assert governance.keys[-2:] == ["mine", "mine"]


async def test_a_write_under_way_is_asked_after(
    velerian: AsyncVelerianClient, governance: FakeGovernance, instant: AsyncInstantClock
) -> None:
    """A repetition that came too early is no conflict: it waits as long as it is told."""
    body = {"detail": "a request with this Idempotency-Key is under way"}
    governance.faults.extend(["lost", httpx.Response(409, json=body, headers={"retry-after": "2"})])
    invoked = await velerian.invoke_abp("abp_1", {}, idempotency_key="mine")
    assert invoked.invocation_id == "inv_1"
    assert instant.slept[1:] == [2.0]
    governance.faults.append(409)
    with pytest.raises(errors.VelerianConflictError):
        await velerian.invoke_abp("abp_1", {})


async def test_options_of_one_call(
    velerian: AsyncVelerianClient, governance: FakeGovernance
) -> None:
    """Its time-out and its idempotency key."""
    await velerian.invoke_abp("abp_1", {}, idempotency_key="mine", timeout=3.0)
    await velerian.usage_summary(timeout=4.0)
    assert governance.requests[0].headers["idempotency-key"] == "mine"
    assert [r.extensions["timeout"]["read"] for r in governance.requests] == [3.0, 4.0]


@pytest.mark.parametrize("key", ["", "a\nb", "ключ", "x" * 256, 7])
async def test_an_idempotency_key_that_no_header_can_carry_is_refused(
    velerian: AsyncVelerianClient, governance: FakeGovernance, key: Any
) -> None:
    """Before any request."""
    with pytest.raises(errors.VelerianInputError, match="idempotency_key"):
        await velerian.invoke_abp("abp_1", {}, idempotency_key=key)
    with pytest.raises(errors.VelerianInputError, match="idempotency_key"):
        await velerian.post("plans", idempotency_key=key)
    assert governance.requests == []
