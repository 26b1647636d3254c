"""Settings are checked when they are made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quatrain.errors import ConfigError
from quatrain.server import Settings

pytestmark = pytest.mark.on_file


def test_the_defaults_stay_on_this_machine() -> None:
    """A file in the current directory, on the loopback."""
    settings = Settings()
    assert (settings.database, settings.host) == (Path("quatrain.db"), "127.0.0.1")
    assert settings.loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LocalHost"])
def test_the_loopback_needs_no_leave(host: str) -> None:
    """Any of its names and addresses."""
    assert Settings(host=host).loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.com"])
def test_other_addresses_need_to_be_meant(host: str) -> None:
    """allow_remote, which the message names."""
    with pytest.raises(ConfigError, match="allow_remote"):
        Settings(host=host)
    assert not Settings(host=host, allow_remote=True).loopback


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"database": ":memory:"}, "database"),
        ({"database": ""}, "database"),
        ({"database": "a\0b"}, "database"),
        ({"host": ""}, "host"),
        ({"host": "a b"}, "host"),
        ({"host": "http://x"}, "host"),
        ({"port": -1}, "port"),
        ({"port": 65_536}, "port"),
        ({"port": "8787"}, "port"),
        ({"port": True}, "port"),
        ({"max_body_bytes": 0}, "max_body_bytes"),
        ({"readers": 0}, "readers"),
        ({"readers": 1.5}, "readers"),
        ({"allowed_hosts": "localhost"}, "allowed_hosts"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], named: str) -> None:
    """ConfigError, before anything is opened."""
    with pytest.raises(ConfigError, match=named):
        Settings(**wrong)


def test_settings_need_no_web_framework() -> None:
    """The package's names load what they need, when they are used."""
    script = (
        "import sys; from quatrain.server import Settings; Settings(); "
        "sys.exit('starlette' in sys.modules or 'uvicorn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
