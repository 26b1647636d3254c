"""The management API as the commands use it, of a platform that is served or of a file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
import click

from quatrain._retry import RetryPolicy
from quatrain._runtime._sync import SYSTEM_CLOCK
from quatrain._secret import Secret
from quatrain._structure import SNAKE_CASE
from quatrain._sync.transport import Call, Transport
from quatrain.errors._family import SHARED

from .options import Database, check_there, database_option, given

__all__ = ["Management", "ManagementOptions", "management_options"]

PREFIX: Final = "/manage/v1"
NAME: Final = "manage"
"""What its requests are called in spans."""
TIMEOUT: Final = 30.0
"""Seconds for each step of a request."""


class Management:
    """Asks one platform, with a key of the scope ``platform:manage``.

    Answers are the wire's JSON. Everything raises TransportError when there is no answer, and
    APIError, with the platform's own message, when it is an error.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, *path: str, **query: str | int | None) -> dict[str, Any]:
        """Read; what of the *query* is None is left out."""
        asked = {name: str(value) for name, value in query.items() if value is not None}
        # reading twice does nothing twice
        return self._send(Call(name=NAME, method="GET", path=path, query=asked, repeatable=True))

    def post(self, *path: str, **body: Any) -> dict[str, Any]:
        """Change something; an optional field of the *body* may be None."""
        return self._send(Call(name=NAME, method="POST", path=path, body=body))

    def _send(self, call: Call) -> dict[str, Any]:
        return self._transport.send(call, SNAKE_CASE.reads(dict[str, Any]))


@attrs.frozen
class ManagementOptions:
    """Which platform a command is about: one that is served, or a database file of this machine."""

    url: str | None
    api_key: Secret
    database: Database
    tenant: str

    @contextmanager
    def open(
        self, *, create: bool = False, runner: str = "echo", live: bool = False
    ) -> Iterator[Management]:
        """A client of that platform; with *create*, a missing database is made.

        *runner* answers as Velerian's model when the platform is a file; *live* has it be about the
        file's live effects. Raises ClickException for
        a database that there is not, UsageError without a key.
        """
        if self.url is not None:
            if not self.api_key:
                raise click.UsageError(
                    "which key? Set QUATRAIN_API_KEY, or give --api-key: one made by"
                    " `quatrain keys create --scope platform:manage`."
                )
            with _client(f"{self.url.rstrip('/')}{PREFIX}", self.api_key, None) as client:
                yield client
            return
        if not create:
            check_there(self.database)
        from quatrain.server.local import LocalPlatform  # noqa: PLC0415  the web framework is slow

        with (
            # whoever serves the file does it; a process that ends at once would only half do it
            LocalPlatform(
                self.database,
                live=live,
                tenant=self.tenant,
                background=False,
                velerian_runner=runner,
            ) as platform,
            _client(platform.manage_url, platform.api_key, platform.http_client()) as client,
        ):
            yield client


@contextmanager
def _client(base_url: str, api_key: Secret, http_client: Any) -> Iterator[Management]:
    transport = Transport(
        base_url,
        api_key,
        family=SHARED,
        timeout=TIMEOUT,
        policy=RetryPolicy(),
        allow_insecure=False,
        http_client=http_client,
        clock=SYSTEM_CLOCK,
    )
    try:
        yield Management(transport)
    finally:
        transport.close()


_OPTIONS: Final = (
    database_option,
    click.option(
        "--url",
        envvar="QUATRAIN_URL",
        show_envvar=True,
        help="Instead: a platform that is served, without a path: http://127.0.0.1:8787",
    ),
    click.option(
        "--api-key",
        envvar="QUATRAIN_API_KEY",
        show_envvar=True,
        help="Its key, with the scope platform:manage. Prefer the environment: others can see"
        " command lines.",
    ),
    click.option(
        "--tenant", default="local", show_default=True, help="With --database: whose data."
    ),
)


def management_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give *command* the options that say which platform, as one argument ``platform``."""

    @functools.wraps(command)
    def with_platform(
        *, database: Database, url: str | None, api_key: str | None, tenant: str, **options: Any
    ) -> Any:
        typed = given("database", "url", "api_key", "tenant")
        if "database" in typed:
            if typed & {"url", "api_key"}:
                raise click.UsageError("--database is a platform of its own: no --url, --api-key.")
            url = None
        if url and "tenant" in typed:
            raise click.UsageError("--tenant goes with --database; elsewhere the key decides.")
        if not url and "api_key" in typed:
            raise click.UsageError("which platform? --api-key goes with --url, or QUATRAIN_URL.")
        platform = ManagementOptions(url or None, Secret(api_key or ""), database, tenant)
        return command(platform=platform, **options)

    for option in reversed(_OPTIONS):
        with_platform = option(with_platform)
    return with_platform
