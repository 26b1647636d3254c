"""The names that programs import."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import quatrain
import quatrain.velerian
import quatrain.velocity
import quatrain.vendo
import quatrain.vendo.aio
import quatrain.vendo.aio.reconciler
import quatrain.vendo.reconciler
import quatrain.vendo.sso
import quatrain.vendo.testing
import quatrain.verity
import quatrain.webhooks

NAMESPACES = [
    quatrain.velerian,
    quatrain.velocity,
    quatrain.vendo,
    quatrain.vendo.aio,
    quatrain.vendo.aio.reconciler,
    quatrain.vendo.reconciler,
    quatrain.vendo.sso,
    quatrain.vendo.testing,
    quatrain.verity,
    quatrain.webhooks,
]


@pytest.mark.parametrize("module", [quatrain, quatrain.errors, *NAMESPACES])
def test_all_is_sorted_and_there(module) -> None:
    """Nothing is promised that is missing."""
    constants_first = sorted(module.__all__, key=lambda name: (not name.isupper(), name))
    assert constants_first == module.__all__
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_the_verity_namespace_is_pinned() -> None:
    """Programs import these: adding is fine, taking away is not."""
    contract = {
        "AsyncVerityClient",
        "CommitRequestBody",
        "CommitUncertainError",
        "ConflictRetryConfig",
        "EffectPreviouslyFailedError",
        "FailRequestBody",
        "LeaseConflictError",
        "LeaseRequestBody",
        "RenewRequestBody",
        "ReportObserveBody",
        "VerityApiError",
        "VerityClient",
        "VerityConfigError",
        "VerityError",
        "VerityValidationError",
    }
    assert contract - set(quatrain.verity.__all__) == set()


def test_the_vendo_namespace_is_pinned() -> None:
    """The contract's names, and those of the modules beside them."""
    contract = {
        "AsyncVendo",
        "AuthError",
        "BalanceExhausted",
        "Connection",
        "IdempotencyConflict",
        "IdentityNotPresent",
        "Integration",
        "NeedsReauth",
        "NotConnected",
        "RateLimited",
        "SpendCapExceeded",
        "UpstreamError",
        "ValidationError",
        "Vendo",
        "VendoError",
        "VendoIdentity",
        "VendoOnlyFeature",
        "WebhookEvent",
        "WebhooksAPI",
        "aio",
        "billing",
        "connect_url",
        "connections",
        "data",
        "deployment",
        "events",
        "for_request",
        "for_user",
        "integrations",
        "invalidate",
        "is_vendo_mode",
        "reconciler",
        "session",
        "sso",
        "testing",
        "token",
        "tokens",
    }
    assert contract - set(quatrain.vendo.__all__) == set()
    with pytest.raises(AttributeError, match="nothing"):
        quatrain.vendo.nothing  # noqa: B018
    with pytest.raises(AttributeError, match="nothing"):
        quatrain.vendo.aio.nothing  # noqa: B018


def test_the_velocity_namespace_is_pinned() -> None:
    """The contract's names, and those of the vendor's own client."""
    contract = {
        "APIError",
        "AcademyProgram",
        "AsyncVelocityOS",
        "AuthenticationError",
        "CompletedTask",
        "Module",
        "ModuleSummary",
        "NotFoundError",
        "Offer",
        "Partnership",
        "RateLimitError",
        "Response",
        "ScopeMissingError",
        "ServerError",
        "Task",
        "TaskList",
        "TeamMember",
        "VelocityOS",
        "VelocityOSError",
        "WebhookHandler",
        "WebhookSignatureError",
        "WhoAmI",
        "WhoAmIExtension",
        "WhoAmIUser",
        "sign",
        "verify_signature",
    }
    assert contract - set(quatrain.velocity.__all__) == set()


def test_the_velerian_namespace_is_pinned() -> None:
    """The contract's names, and those of what is ours alone."""
    contract = {
        "AsyncPages",
        "AsyncVelerianClient",
        "EvidenceError",
        "EvidenceExport",
        "EvidenceReport",
        "InvokeResult",
        "Page",
        "Pages",
        "RunTimeoutError",
        "UsageSummary",
        "VelerianAPIError",
        "VelerianAuthError",
        "VelerianClient",
        "VelerianConflictError",
        "VelerianError",
        "VelerianForbiddenError",
        "VelerianNotFoundError",
        "VelerianRateLimitError",
        "VelerianServerError",
        "VelerianValidationError",
        "read_packs",
        "verify_evidence",
    }
    assert contract - set(quatrain.velerian.__all__) == set()


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in NAMESPACES for name in module.__all__]
)
def test_every_public_name_is_documented(module, name: str) -> None:
    """And so are its public methods."""
    thing = getattr(module, name)
    if not inspect.isclass(thing):
        return
    assert thing.__doc__
    methods = [m for n, m in vars(thing).items() if inspect.isfunction(m) and n[0] != "_"]
    assert [m.__qualname__ for m in methods if not m.__doc__] == []


@pytest.mark.parametrize(
    "pair",
    [
        ("AsyncVelerianClient", "VelerianClient"),
        ("AsyncPages", "Pages"),
        ("AsyncVelocityOS", "VelocityOS"),
        ("AsyncVerityClient", "VerityClient"),
        ("AsyncEffects", "Effects"),
        ("AsyncWorkflowContext", "WorkflowContext"),
        ("AsyncCaseContext", "CaseContext"),
        ("AsyncRunContext", "RunContext"),
    ],
)
def test_the_flavours_take_the_same(pair) -> None:
    """The same methods, with the same parameters."""

    def shape(name: str) -> dict:
        (cls,) = {getattr(module, name) for module in NAMESPACES if hasattr(module, name)}
        return {
            n.replace("aclose", "close"): list(inspect.signature(m).parameters)
            for n, m in inspect.getmembers(cls, inspect.isfunction)
            if n[0] != "_" or n == "__init__"
        }

    assert shape(pair[0]) == shape(pair[1])


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="AsyncClint"):
        quatrain.AsyncClint  # noqa: B018 - it is the look-up that is tested


def test_the_clients_load_when_they_are_asked_for() -> None:
    """Whoever only wants an exception need not wait for them, nor anybody for unused HTTP."""
    code = (
        "import sys, quatrain; assert 'quatrain._async' not in sys.modules, 'eager';"
        "quatrain.AsyncClient, quatrain.Client; assert 'quatrain._async' in sys.modules;"
        "import quatrain.verity, quatrain.velocity;"
        "assert not {'httpx', 'httpcore', 'cattrs'} & set(sys.modules), 'HTTP';"
        "quatrain.verity.VerityClient(base_url='http://127.0.0.1:9', api_key='k');"
        "assert 'httpx' in sys.modules;"
        "assert dir(quatrain) == quatrain.__all__"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_package_imports_without_its_extras() -> None:
    """Neither the server's, nor OpenTelemetry, nor trio."""
    code = (
        "import sys\n"
        "for name in ('starlette', 'uvicorn', 'click', 'rich', 'opentelemetry', 'trio'):\n"
        "    sys.modules[name] = None\n"
        "import quatrain.velocity, quatrain.verity, quatrain.webhooks\n"
        "client = quatrain.verity.VerityClient(base_url='http://127.0.0.1:9', api_key='k')\n"
        "try: client.effects.get('k', namespace='ns')\n"
        "except quatrain.TransportError: client.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_version_is_that_of_the_package() -> None:
    """One place says it."""
    assert quatrain.__version__ == importlib.import_module("quatrain._version").__version__
