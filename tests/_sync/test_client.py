# Generated from tests/_async/test_client.py by scripts/make_sync.py. Do not edit.
"""Making a client, its settings, its end, and what it says of itself."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import quatrain
from quatrain import _telemetry
from quatrain._secret import Secret
from quatrain.velocity import VelocityOS
from quatrain.verity import VerityClient, VerityConfigError, VerityTransportError

from .._doubles import BASE_URL, KEY, FakeLedger, LedgerTransport

Connect = Callable[..., VerityClient]


def receipt() -> str:
    return "receipt"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VERITY_BASE_URL", "VERITY_API_KEY", "VERITY_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are not given."""
    monkeypatch.setenv("VERITY_BASE_URL", BASE_URL)
    monkeypatch.setenv("VERITY_API_KEY", KEY)
    monkeypatch.setenv("VERITY_NAMESPACE", "payments")
    client = VerityClient()
    assert repr(client) == f"<VerityClient {BASE_URL}>"
    assert client.namespace == "payments"
    other = VerityClient(base_url="https://other.example", namespace="ns")
    assert (repr(other), other.namespace) == ("<VerityClient https://other.example>", "ns")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": None}, "VERITY_BASE_URL"),
        ({"base_url": ""}, "VERITY_BASE_URL"),
        ({"api_key": None}, "VERITY_API_KEY"),
        ({"api_key": ""}, "VERITY_API_KEY"),
        ({"api_key": 7}, "api_key"),
        ({"api_key": b"vt_test_x"}, "api_key"),
        ({"api_key": "vt_test x"}, "api_key"),
        ({"base_url": 7}, "base_url"),
        ({"base_url": "http://ledger.example/v1"}, "unencrypted"),
        ({"base_url": "ledger.example"}, "https://"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": "20"}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"request_timeout_s": 0}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": "2"}, "max_retries"),
        ({"renew_at_fraction": "0.65"}, "renew_at_fraction"),
        ({"on_uncertain": "maybe"}, "on_uncertain"),
        ({"on_unavailable": None}, "on_unavailable"),
        ({"http_client": "httpx"}, "http_client"),
        ({"http_client": object}, "http_client"),
    ],
    ids=str,
)
def test_a_setting_that_can_not_be_is_a_config_error(settings: dict[str, Any], words: str) -> None:
    """It names the setting, and never shows a key."""
    with pytest.raises(VerityConfigError, match=words) as caught:
        VerityClient(**{"base_url": BASE_URL, "api_key": KEY} | settings)
    assert isinstance(caught.value, quatrain.ConfigError)
    assert "vt_test" not in str(caught.value)


def test_a_secret_is_a_key_as_well(connect: Connect, ledger: FakeLedger) -> None:
    """And so it arrives."""
    connect(api_key=Secret(KEY)).protect("k", act=receipt)
    assert {r.headers["authorization"] for r in ledger.http} == {f"Bearer {KEY}"}


def test_plain_http_can_be_allowed(connect: Connect, ledger: FakeLedger) -> None:
    """For a network that is one's own."""
    verity = connect(base_url="http://ledger.example/v1", allow_insecure=True)
    assert verity.protect("k", act=receipt) == "receipt"


@pytest.mark.parametrize("settings", [{"timeout": 7}, {"request_timeout_s": 7}])
def test_the_timeout_is_each_steps(
    connect: Connect, ledger: FakeLedger, settings: dict[str, Any]
) -> None:
    """Under either name."""
    connect(**settings).protect("k", act=receipt)
    expected = {"connect": 7, "read": 7, "write": 7, "pool": 7}
    assert [r.extensions["timeout"] for r in ledger.http] == [expected] * 2


def test_making_one_does_no_io(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does closing one that was never used."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with VerityClient(base_url=BASE_URL, api_key=KEY) as client:
        client.workflow("w").case("c").run()


def test_closing_twice_is_fine_and_using_it_after_that_is_not(
    connect: Connect, ledger: FakeLedger
) -> None:
    """A config error, before any request."""
    verity = connect()
    verity.close()
    verity.close()
    with pytest.raises(VerityConfigError, match="closed"):
        verity.protect("k", act=receipt)
    assert ledger.verbs == []


def test_a_callers_http_client_stays_open(transport: LedgerTransport) -> None:
    """Whoever made it closes it."""
    with httpx.Client(transport=transport) as http:
        settings: dict[str, Any] = {"base_url": BASE_URL, "api_key": KEY, "namespace": "ns"}
        with VerityClient(**settings, http_client=http) as verity:
            verity.protect("k", act=receipt)
        assert not http.is_closed
        verity = VerityClient(**settings, http_client=http)
    with pytest.raises(VerityConfigError, match="closed"):
        verity.protect("k", act=receipt)


def test_a_callers_http_client_adds_nothing_of_its_own(
    transport: LedgerTransport, ledger: FakeLedger
) -> None:
    """No redirects, no other credentials, no time-out but the call's."""
    moved = httpx.Response(307, headers={"location": "https://evil.example/"})
    with httpx.Client(
        transport=transport, auth=("user", "password"), follow_redirects=True, timeout=99
    ) as http:
        verity = VerityClient(base_url=BASE_URL, api_key=KEY, namespace="ns", http_client=http)
        ledger.faults["lease"].append(moved)
        with pytest.raises(quatrain.APIError, match="307"):
            verity.protect("k", act=receipt)
    assert [str(r.url) for r in ledger.http] == [f"{BASE_URL}/effects/ns/lease"]
    assert ledger.http[0].headers["authorization"] == f"Bearer {KEY}"
    assert ledger.http[0].extensions["timeout"]["read"] == 20


def test_an_error_within_a_with_block_comes_out(connect: Connect) -> None:
    """And the client is closed."""
    with pytest.raises(ValueError, match="mine"):
        with connect() as verity:
            raise ValueError("mine")
    with pytest.raises(VerityConfigError, match="closed"):
        verity.protect("k", act=receipt)


# -- the umbrella ---------------------------------------------------------------------------------


def test_the_umbrella_builds_what_is_missing_on_first_touch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the environment; what is missing there is a config error that names it."""
    with quatrain.Client() as q:
        with pytest.raises(quatrain.ConfigError, match="VERITY_BASE_URL"):
            q.verity.workflow("w")
        monkeypatch.setenv("VERITY_BASE_URL", BASE_URL)
        with pytest.raises(quatrain.ConfigError, match="VERITY_API_KEY"):
            q.verity.workflow("w")
        monkeypatch.setenv("VERITY_API_KEY", KEY)
        assert q.verity is q.verity
        assert repr(q.verity) == f"<VerityClient {BASE_URL}>"


def test_the_umbrella_closes_its_platforms(connect: Connect) -> None:
    """Twice is fine, and nothing touched is nothing to close."""
    verity = connect()
    with quatrain.Client(verity=verity) as q:
        assert q.verity is verity
    q.close()
    with pytest.raises(VerityConfigError, match="closed"):
        verity.protect("k", act=receipt)
    quatrain.Client().close()


def test_the_umbrella_closes_all_though_one_fails(
    verity: VerityClient, vos: VelocityOS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its block is cancelled: closing the first is interrupted."""

    class Interrupted(BaseException):
        pass

    def interrupted() -> None:
        raise Interrupted

    monkeypatch.setattr(vos, "close", interrupted)
    with pytest.raises(Interrupted):
        quatrain.Client(velocity=vos, verity=verity).close()
    with pytest.raises(VerityConfigError, match="closed"):
        verity.protect("k", act=receipt)


# -- logs -----------------------------------------------------------------------------------------


def test_each_request_is_a_debug_line(
    verity: VerityClient, ledger: FakeLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """With what it was, its status, and which attempt; never the key or a lease token."""
    ledger.faults["commit"].append(503)
    with caplog.at_level(logging.DEBUG):
        verity.protect("k", act=receipt)
    lines = [r.getMessage() for r in caplog.records if r.name == "quatrain.http"]
    assert len(lines) == 3
    for line, words in zip(
        lines,
        [("POST", "/lease", "200", "attempt 1"), ("503", "attempt 1"), ("200", "attempt 2")],
        strict=True,
    ):
        assert all(word in line for word in words), line
    assert KEY not in caplog.text
    assert "token-1" not in caplog.text
    assert {r.levelname for r in caplog.records if r.name != "httpx"} == {"DEBUG"}


def test_a_request_without_an_answer_is_a_debug_line(
    verity: VerityClient, ledger: FakeLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried again, so nobody needs to be warned."""
    ledger.faults["lease"].append(httpx.ConnectError("down"))
    with caplog.at_level(logging.DEBUG):
        verity.protect("k", act=receipt)
    lines = [r.getMessage() for r in caplog.records if r.name == "quatrain.http"]
    assert "ConnectError: down" in lines[0]
    assert {r.levelname for r in caplog.records if r.name != "httpx"} == {"DEBUG"}


def test_a_logger_can_be_passed_in(
    connect: Connect, ledger: FakeLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """The contract's default is named "verity"."""
    ledger.always["commit"] = 503
    with pytest.raises(quatrain.CommitUncertainError):
        connect(logger=logging.getLogger("mine")).protect("k", act=receipt)
    assert {r.name for r in caplog.records if r.levelno >= logging.WARNING} == {"mine"}


# -- spans ----------------------------------------------------------------------------------------


@pytest.fixture
def spans() -> Iterator[Callable[[], list[Any]]]:
    """The spans that ended, by an exporter in memory."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "get_tracer", provider.get_tracer)
        yield lambda: list(exporter.get_finished_spans())
    provider.shutdown()


def test_an_effect_is_a_tree_of_spans(
    verity: VerityClient, ledger: FakeLedger, spans: Callable[[], list[Any]]
) -> None:
    """The effect, in it its calls and the action, in a call its attempts."""
    ledger.faults["commit"].append(503)
    verity.protect("k", act=receipt)
    found = spans()
    names = {span.context.span_id: span.name for span in found}
    tree = [(span.name, names.get(span.parent.span_id) if span.parent else None) for span in found]
    assert tree == [
        ("quatrain.attempt", "quatrain.verity.lease"),
        ("quatrain.verity.lease", "quatrain.effect"),
        ("quatrain.act", "quatrain.effect"),
        ("quatrain.attempt", "quatrain.verity.commit"),
        ("quatrain.attempt", "quatrain.verity.commit"),
        ("quatrain.verity.commit", "quatrain.effect"),
        ("quatrain.effect", None),
    ]
    assert dict(found[-1].attributes) == {
        "quatrain.namespace": "ns",
        "quatrain.effect_key": "k",
    }
    attempts = [s.attributes["quatrain.attempt"] for s in found if s.name == "quatrain.attempt"]
    assert attempts == [1, 1, 2]


def test_a_span_tells_of_an_error_and_not_of_secrets(
    verity: VerityClient, ledger: FakeLedger, spans: Callable[[], list[Any]]
) -> None:
    """As OpenTelemetry records exceptions."""
    ledger.always["lease"] = httpx.ConnectError("down")
    with pytest.raises(VerityTransportError):
        verity.protect("k", act=receipt)
    found = spans()
    effect = found[-1]
    assert effect.name == "quatrain.effect"
    assert effect.status.is_ok is False
    assert KEY not in "".join(span.to_json() for span in found)


def test_an_observe_is_a_span(
    verity: VerityClient, ledger: FakeLedger, spans: Callable[[], list[Any]]
) -> None:
    """In its effect."""
    ledger.expire()
    verity.protect("k", act=receipt, observe=receipt)
    names = {span.name for span in spans()}
    assert {"quatrain.effect", "quatrain.observe", "quatrain.verity.report-observe"} <= names
    assert "quatrain.act" not in names


def test_without_opentelemetry_there_are_no_spans(
    verity: VerityClient, monkeypatch: pytest.MonkeyPatch, spans: Callable[[], list[Any]]
) -> None:
    """And nothing is missed."""

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(_telemetry.importlib, "import_module", missing)
    _telemetry._trace.cache_clear()
    try:
        assert verity.protect("k", act=receipt) == "receipt"
    finally:
        _telemetry._trace.cache_clear()
    assert spans() == []
