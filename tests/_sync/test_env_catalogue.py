# Generated from tests/_async/test_env_catalogue.py by scripts/make_sync.py. Do not edit.
"""The variables that connections ask for."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from quatrain._envsync import Diff
from quatrain._sync.env_catalogue import catalog_default
from quatrain.errors.vendo import VendoServerError
from quatrain.models.vendo import Connection, EnvBootstrap, EnvVar

from .._doubles import ManualClock
from .._reconciling import VendoDouble


@pytest.fixture
def vendo(clock: ManualClock) -> VendoDouble:
    return VendoDouble(clock)


def connection(slug: str, restart: str = "none", **settings: Any) -> Connection:
    asks = settings.pop("vars", {})
    bootstrap = EnvBootstrap([EnvVar(name, path) for name, path in asks.items()], restart)
    usual = {"status": "connected", "env_bootstrap": bootstrap}
    return Connection(slug, **usual | settings)


def test_each_variable_is_what_its_path_says(vendo: VendoDouble) -> None:
    """Of the list where it is there; of the token where a credential is not handed out."""
    vendo.given = {"openai": "sk-token", "slack": "xoxb-token"}
    vendo.rows = [
        connection("openai", vars={"OPENAI_API_KEY": "credential.access_token"}),
        connection(
            "slack",
            credential={"bot_token": "xoxb-1", "deep": {"er": "x"}},
            metadata={"port": 8080, "tls": True, "empty": "", "list": []},
            base_url="https://slack.example",
            raw={"extra": "y"},
            vars={
                "SLACK_BOT_TOKEN": "credential.bot_token",
                "SLACK_ACCESS": "credential.access_token",
                "SLACK_DEEP": "credential.deep.er",
                "SLACK_URL": "base_url",
                "SLACK_PORT": "metadata.port",
                "SLACK_TLS": "metadata.tls",
                "SLACK_EXTRA": "extra",
            },
        ),
        Connection("bare", status="connected"),
    ]
    mapping, _ = catalog_default(vendo)
    assert mapping() == {
        "OPENAI_API_KEY": "sk-token",
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_ACCESS": "xoxb-token",
        "SLACK_DEEP": "x",
        "SLACK_URL": "https://slack.example",
        "SLACK_PORT": "8080",
        "SLACK_TLS": "true",
        "SLACK_EXTRA": "y",
    }
    assert vendo.asked == [["openai", "slack"]]


def test_what_has_no_value_is_left_out(
    vendo: VendoDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """And said once, without any value."""
    caplog.set_level(logging.WARNING, "quatrain")
    vendo.rows = [
        connection(
            "openai",
            metadata={"list": ["v"], "empty": ""},
            vars={
                "A": "credential.access_token",
                "B": "metadata.list",
                "C": "metadata.empty",
                "D": "nothing.at.all",
                "E": "raw.extra",
                "bad name": "id",
                "OK": "slug",
            },
        ),
        connection("other", vars={"OK": "slug"}),
        connection("gone", status="revoked", vars={"GONE": "slug"}),
    ]
    mapping, _ = catalog_default(vendo)
    assert mapping() == mapping() == {"OK": "openai"}
    assert len(caplog.messages) == 7
    assert "OK of 'other' is left out: 'openai' has it" in caplog.messages


def test_no_request_is_no_missing_token(vendo: VendoDouble) -> None:
    """A platform that is away must not empty the file."""

    def tokens(slugs: Any) -> dict[str, str | None]:
        raise VendoServerError(503, None)

    vendo.tokens = tokens  # type: ignore[method-assign]
    vendo.rows = [connection("openai", vars={"A": "credential.access_token"})]
    mapping, _ = catalog_default(vendo)
    with pytest.raises(VendoServerError):
        mapping()


def test_only_what_the_gateway_reads_restarts(vendo: VendoDouble) -> None:
    """Also what a connection had that is gone since."""
    vendo.rows = [
        connection("openai", "gateway", vars={"A": "slug"}),
        connection("slack", "none", vars={"B": "slug"}),
    ]
    mapping, restart_handler = catalog_default(vendo)
    times: list[int] = []
    handler = restart_handler(restart=lambda: times.append(1))
    assert mapping() == {"A": "openai", "B": "slack"}
    handler(Diff(added=["B"]))
    assert times == []
    vendo.rows = []
    assert mapping() == {}
    handler(Diff(removed=["A", "B"]))
    assert times == [1]
