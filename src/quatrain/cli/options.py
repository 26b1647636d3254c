"""Options that several commands share: which database, which ledger, and values in JSON."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import click

from quatrain._secret import Secret
from quatrain._wire import loads
from quatrain.errors import ConfigError
from quatrain.server.store.postgres.url import PostgresURL
from quatrain.verity import VerityClient

from .text import printable

__all__ = [
    "Database",
    "DatabaseType",
    "LedgerOptions",
    "actions_option",
    "check_there",
    "database_option",
    "given",
    "json_option",
    "json_value",
    "ledger_options",
    "limit_option",
    "runner_option",
]

Database: TypeAlias = Path | PostgresURL


class DatabaseType(click.ParamType[Database]):
    """A SQLite file, or the address of a PostgreSQL database."""

    name = "database"

    def __init__(self, *, exists: bool = False, dir_okay: bool = False) -> None:
        self._path = click.Path(exists=exists, dir_okay=dir_okay, path_type=Path)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002
        """As the help shows it."""
        return "FILE|postgresql://…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Database:
        """Never shows an address, which holds a password."""
        if isinstance(value, PostgresURL):
            return value
        if isinstance(value, str) and PostgresURL.is_one(value):
            try:
                return PostgresURL.of(value)
            except ConfigError as exc:
                self.fail(str(exc), param, ctx)
        path: Path = self._path.convert(value, param, ctx)
        return path


def check_there(database: Database) -> None:
    """Raises ClickException for a file that there is not."""
    if isinstance(database, Path) and not database.exists():
        raise click.ClickException(f"there is no database {printable(str(database))}")


database_option: Final = click.option(
    "--database",
    type=DatabaseType(),
    default="quatrain.db",
    envvar="QUATRAIN_DATABASE",
    show_default=True,
    show_envvar=True,
    help="The platform's SQLite file, or postgresql://USER@HOST/NAME. An address with a password is"
    " better given in the environment: others can see command lines.",
)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="As JSON.")
limit_option: Final = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many."
)


def _importable(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Let the module be one of the directory that the command is run in."""
    if value and ":" in value and (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    return value


runner_option: Final = click.option(
    "--runner",
    metavar="MODULE:FUNCTION",
    envvar="QUATRAIN_RUNNER",
    show_envvar=True,
    callback=_importable,
    default="echo",
    show_default=True,
    help="What answers as Velerian's model; echo says what it was asked.",
)


actions_option: Final = click.option(
    "--actions",
    metavar="MODULE:OBJECT",
    envvar="QUATRAIN_ACTIONS",
    show_envvar=True,
    callback=_importable,
    help="What Vendo's data proxy can do besides what is built in: a mapping of callables.",
)


def given(*names: str) -> set[str]:
    """Those of the running command's options that its command line names."""
    context = click.get_current_context()
    typed = click.core.ParameterSource.COMMANDLINE
    return {name for name in names if context.get_parameter_source(name) is typed}


def json_value(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """A callback for JSON as it is typed, or ``@`` and the file that holds it; None is left.

    Raises UsageError for what is no JSON, and for a file that can't be read.
    """
    if value is None:
        return None
    name = value[1:] if value.startswith("@") else None
    try:
        return loads(value.encode() if name is None else Path(name).read_bytes())
    except OSError as exc:
        reason = f"{name} can't be read: {exc.strerror or exc}"
    except ValueError as exc:
        reason = f"{'it' if name is None else name} is not JSON: {exc}"
    raise click.BadParameter(reason, ctx, param)


@attrs.frozen
class LedgerOptions:
    """Which ledger a command is about: one that is served, or a database file of this machine."""

    base_url: str | None
    api_key: Secret
    database: Database | None
    live: bool
    tenant: str

    @contextmanager
    def open(self) -> Iterator[VerityClient]:
        """A client of that ledger. Raises UsageError when there is none."""
        if self.database is not None:
            check_there(self.database)
            with self._open_file(self.database) as client:
                yield client
            return
        if self.base_url is None:
            raise click.UsageError(
                "which ledger? Set VERITY_BASE_URL and VERITY_API_KEY, or give --database FILE, or"
                " set QUATRAIN_DATABASE."
            )
        with VerityClient(base_url=self.base_url, api_key=self.api_key) as client:
            yield client

    @contextmanager
    def _open_file(self, database: Database) -> Iterator[VerityClient]:
        from quatrain.server.local import LocalPlatform  # noqa: PLC0415  the web framework is slow

        with (
            LocalPlatform(
                database, live=self.live, tenant=self.tenant, background=False
            ) as platform,
            VerityClient(
                base_url=platform.verity_url,
                api_key=platform.api_key,
                http_client=platform.http_client(),
            ) as client,
        ):
            yield client


_OPTIONS: Final = (
    click.option(
        "--base-url",
        envvar="VERITY_BASE_URL",
        show_envvar=True,
        help="A ledger that is served, its version included: http://127.0.0.1:8787/v1",
    ),
    click.option(
        "--api-key",
        envvar="VERITY_API_KEY",
        show_envvar=True,
        help="Its key. Prefer the environment: others can see command lines.",
    ),
    click.option(
        "--database",
        type=DatabaseType(exists=True),
        help="A ledger of this machine, read from its SQLite file; or postgresql://USER@HOST/NAME."
        " By default that of QUATRAIN_DATABASE, when no --base-url is given or set.",
    ),
    click.option("--live", is_flag=True, help="With --database: its live data, not its test data."),
    click.option(
        "--tenant", default="local", show_default=True, help="With --database: whose data."
    ),
)


def ledger_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give *command* the options that say which ledger, as one argument ``ledger``."""

    @functools.wraps(command)
    def with_ledger(
        *,
        base_url: str | None,
        api_key: str | None,
        database: Database | None,
        live: bool,
        tenant: str,
        **options: Any,
    ) -> Any:
        if database is None and base_url is None:
            # a served one goes first, as everywhere; and then a file need not even be there
            database = _from_environment()
        ledger = LedgerOptions(base_url, Secret(api_key or ""), database, live, tenant)
        _check(ledger)
        return command(ledger=ledger, **options)

    for option in reversed(_OPTIONS):
        with_ledger = option(with_ledger)
    return with_ledger


def _from_environment() -> Database | None:
    value = os.environ.get("QUATRAIN_DATABASE")
    return DatabaseType().convert(value, None, click.get_current_context()) if value else None


def _check(ledger: LedgerOptions) -> None:
    typed = given("base_url", "api_key", "live", "tenant")
    if ledger.database is not None and typed & {"base_url", "api_key"}:
        raise click.UsageError("--database is a ledger of its own: no --base-url and --api-key.")
    if ledger.database is None and typed & {"live", "tenant"}:
        raise click.UsageError("--live and --tenant go with --database; elsewhere the key decides.")
