"""How a local platform is set up."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from quatrain._secret import Secret
from quatrain.errors import ConfigError

from .store.postgres.url import PostgresURL
from .velerian.runner import Runner, checked, echo, load
from .vendo import actions
from .vendo.actions import Actions
from .vendo.return_to import origin_of
from .vendo.sealing import Ring

DEFAULT_PORT: Final = 8787
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def _database(value: str | os.PathLike[str] | PostgresURL) -> Path | PostgresURL:
    if isinstance(value, PostgresURL):
        return value
    text = os.fspath(value)
    if PostgresURL.is_one(text):
        return PostgresURL.of(text)
    if text in {"", ":memory:"}:
        raise ConfigError(
            f"database {text!r} is no file: a ledger must outlive its process; "
            "for a throw-away one, give a path in a temporary directory"
        )
    if "\0" in text:
        raise ConfigError("database holds a NUL character")
    return Path(text)


def _names(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        raise ConfigError("allowed_hosts is a collection of names, not one string")
    return frozenset(name.lower() for name in value)


def _origins(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        raise ConfigError("vendo_return_to is a collection of origins, not one string")
    return frozenset(map(origin_of, value))


def _is_loopback(host: str) -> bool:
    if host.lower() in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _runner(value: str | Runner) -> Runner:
    return load(value) if isinstance(value, str) else checked(value)


def _secret_key(value: str | Secret | None) -> Secret | None:
    if value is None:
        return None
    key = Secret(value)
    Ring.parse(key)
    return key


def _check_host(_: Any, __: Any, host: str) -> None:
    if not isinstance(host, str) or not host or any(c.isspace() or c in "/\0" for c in host):
        raise ConfigError(f"host {host!r} is not an address to listen on")


def _check_port(_: Any, __: Any, port: int) -> None:
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65_535:
        raise ConfigError(f"port {port!r} is not a number from 0 to 65535")


def _check_positive(_: Any, field: Any, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{field.name} {value!r} is not a whole number above 0")


def _check_seed(_: Any, __: Any, seed: str | None) -> None:
    if seed not in {"demo", None}:
        raise ConfigError(f"seed {seed!r} is neither 'demo' nor None")


def _check_delivery(_: Any, __: Any, delivery: str) -> None:
    if delivery not in {"presigned", "stream"}:
        raise ConfigError(f"velerian_delivery {delivery!r} is neither 'presigned' nor 'stream'")


@attrs.frozen(kw_only=True)
class Settings:
    """Checked when made; raises ConfigError naming the setting that is wrong."""

    database: Path | PostgresURL = attrs.field(default=Path("quatrain.db"), converter=_database)
    """The SQLite file; created when missing, in a directory that exists. Or a PostgreSQL database,
    as ``postgresql://USER:PASSWORD@HOST:5432/NAME``; its tables are created when missing."""
    host: str = attrs.field(default="127.0.0.1", validator=_check_host)
    """The address to listen on."""
    port: int = attrs.field(default=DEFAULT_PORT, validator=_check_port)
    """0 takes any free one."""
    allow_remote: bool = False
    """Listen on an address that other machines can reach. Keys then travel in plain text: put TLS
    in front."""
    allowed_hosts: frozenset[str] = attrs.field(default=frozenset(), converter=_names)
    """Names, besides those of this machine's loopback, that a request's Host header may have."""
    max_body_bytes: int = attrs.field(default=1_048_576, validator=_check_positive)
    """The largest request body that is read."""
    readers: int = attrs.field(default=4, validator=_check_positive)
    """Reads of the database at a time."""
    seed: Literal["demo"] | None = attrs.field(default="demo", validator=_check_seed)
    """What a new database is filled with: a founder's made-up business for the tenant "local", or
    nothing. Whoever opens it first decides that for good."""
    background: bool = True
    """Do the work that waits in the database: send webhooks, execute runs. Without it that is kept,
    and done by another platform on the same database, or by a later one."""
    velerian_rate_per_minute: int = attrs.field(default=600, validator=_check_positive)
    """Requests a minute that one of Velerian's keys may make to this process, unless the key has a
    number of its own."""
    velerian_delivery: Literal["presigned", "stream"] = attrs.field(
        default="presigned", validator=_check_delivery
    )
    """How exports of Velerian's evidence are handed out: by links that open without a key for a
    quarter of an hour, or as a path that takes the key."""
    velerian_runner: Runner = attrs.field(default=echo, converter=_runner)
    """What a model says to Velerian's ABPs and networks: a callable, or its name as
    ``module:function``. It runs inside the platform."""
    vendo_return_to: frozenset[str] = attrs.field(default=frozenset(), converter=_origins)
    """Origins, besides those of this machine's loopback, to which Vendo's connect page may send
    people back: ``https://app.example``."""
    vendo_actions: Actions = attrs.field(factory=Actions, converter=actions.load)
    """What Vendo's data proxy can do besides what is built in: a mapping of ids to callables, or
    its name as ``module:object``. They run inside the platform; see quatrain.server.vendo.actions
    for what is promised of them."""

    metrics_public: bool = False
    """Answer ``/metrics`` to everybody who can reach it. Else it takes a key with the scope
    ``metrics:read``."""

    secret_key: Secret | None = attrs.field(default=None, converter=_secret_key, repr=False)
    """What Vendo's tokens are sealed with in the database: 32 random bytes in base64, or
    several such with commas between, of which the first seals and all open. By default that of the
    environment variable QUATRAIN_SECRET_KEY, else that of the file ``<database>.key``, which is
    made when it is first needed. Beside a PostgreSQL database there is no such file."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return _is_loopback(self.host)

    def __attrs_post_init__(self) -> None:
        if not (self.loopback or self.allow_remote):
            raise ConfigError(
                f"host {self.host!r} can be reached from other machines: say allow_remote=True "
                "(--allow-remote) if that is meant"
            )
