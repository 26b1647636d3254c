"""The client of Velerian as commands use it: of a platform that is served, or of a file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
import click

from quatrain._secret import Secret
from quatrain.velerian import VelerianClient

from .options import Database, check_there, database_option, given

__all__ = ["VelerianOptions", "velerian_options"]


@attrs.frozen
class VelerianOptions:
    """Which platform a command asks: one that is served, or a database file of this machine."""

    base_url: str | None
    api_key: Secret
    database: Database
    tenant: str

    @contextmanager
    def open(self) -> Iterator[VelerianClient]:
        """A client of that platform. Raises ClickException for a database that there is not."""
        if self.base_url is not None:
            with VelerianClient(api_key=self.api_key, base_url=self.base_url) as client:
                yield client
            return
        check_there(self.database)
        from quatrain.server.local import LocalPlatform  # noqa: PLC0415  the web framework is slow

        with (
            LocalPlatform(self.database, tenant=self.tenant, background=False) as platform,
            VelerianClient(
                api_key=platform.velerian_key,
                base_url=platform.velerian_url,
                http_client=platform.http_client(),
            ) as client,
        ):
            yield client


_OPTIONS: Final = (
    database_option,
    click.option(
        "--base-url",
        envvar="VELERIAN_BASE_URL",
        show_envvar=True,
        help="Instead: a platform that is served, http://127.0.0.1:8787",
    ),
    click.option(
        "--api-key",
        envvar="VELERIAN_API_KEY",
        show_envvar=True,
        help="Its key. Prefer the environment: others can see command lines.",
    ),
    click.option(
        "--tenant", default="local", show_default=True, help="With --database: whose data."
    ),
)


def velerian_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give *command* the options that say which platform, as one argument ``velerian``."""

    @functools.wraps(command)
    def with_velerian(
        *,
        database: Database,
        base_url: str | None,
        api_key: str | None,
        tenant: str,
        **options: Any,
    ) -> Any:
        typed = given("database", "base_url", "api_key", "tenant")
        if "database" in typed:
            if typed & {"base_url", "api_key"}:
                raise click.UsageError("--database is a platform of its own: no --base-url.")
            base_url = None
        if base_url is not None and "tenant" in typed:
            raise click.UsageError("--tenant goes with --database; elsewhere the key decides.")
        found = VelerianOptions(base_url or None, Secret(api_key or ""), database, tenant)
        return command(velerian=found, **options)

    for option in reversed(_OPTIONS):
        with_velerian = option(with_velerian)
    return with_velerian
