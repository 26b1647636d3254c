"""The root command: which commands there are, and how each of them fails.

Whatever goes wrong is one clear line on standard error and an exit status that is not 0: 2 for a
command line that makes no sense, 130 for Ctrl-C, 1 for everything else.
"""

from __future__ import annotations

import errno
import importlib
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from quatrain import QuatrainError, __version__

from .text import printable

#: Imported when they are run: ``effects`` need not wait for the web framework of ``serve``.
COMMANDS: Final = {
    "approvals": "Decide what Velerian holds until a person does.",
    "audit": "Export Velerian's audit log, oldest first, a JSON object a line.",
    "backup": "Copy a database that is in use to FILE, as it is at this moment.",
    "db": "Move a database to PostgreSQL.",
    "demo": "See an effect happen exactly once, a webhook come, a forgery found out, and more.",
    "doctor": "Tell what is wrong with the set-up, and how to mend it.",
    "effects": "Look at the effects of a ledger, export, reset, resolve, release and check them.",
    "evidence": "Check evidence that was exported, and see what it holds.",
    "keys": "Make, list and revoke the API keys of a database.",
    "migrate": "Bring a database's tables to what this version needs.",
    "prune": "Forget effects that were committed long ago, with their audit trails.",
    "serve": "Serve the local platform on this machine until Ctrl-C.",
    "velerian": "Make keys, governed processes and networks, and look at runs.",
    "vendo": "Connect integrations, and make keys for the apps that use them.",
    "velocity": "Let extensions in, and change the business data that they see.",
    "webhooks": "Say where events go, look at what was sent, and receive it.",
}


class Root(click.Group):
    """Loads a command when it is asked for, and turns its exceptions into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """The names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import the command's module, which holds a click command of the same name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(
            importlib.import_module(f"quatrain.cli.{cmd_name}"), cmd_name
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Parse the root command's own options."""
        with failures_in_one_line():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        never_fail_to_print()
        with failures_in_one_line():
            return super().invoke(ctx)


class MistakeError(click.ClickException):
    """A command line that makes no sense."""

    exit_code = 2


@contextmanager
def failures_in_one_line() -> Iterator[None]:
    """Turn what is expected to go wrong into what click shows as one line."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("\nInterrupted.", err=True)
        raise click.exceptions.Exit(130) from None
    except click.exceptions.NoArgsIsHelpError:  # which shows the help, and says nothing else
        raise
    except click.UsageError as exc:  # by itself it would repeat how the command is used
        path = exc.ctx.command_path if exc.ctx is not None else "quatrain"
        message = f"{exc.format_message().rstrip('.')}. Try: {path} --help"
        raise MistakeError(printable(message)) from exc
    except QuatrainError as exc:
        raise click.ClickException(printable(str(exc))) from exc
    except OSError as exc:
        if exc.errno == errno.EPIPE:  # the reader has gone: click ends quietly
            raise
        where = f": {exc.filename}" if exc.filename else ""
        raise click.ClickException(printable(f"{exc.strerror or exc}{where}")) from exc


def never_fail_to_print() -> None:
    """Let a terminal that can't show a character show its escape instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@click.group(
    name="quatrain",
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A local platform: effects that happen exactly once, a founder's business data and its"
    " webhooks, governed runs and their evidence.",
)
@click.version_option(__version__, prog_name="quatrain")
def quatrain() -> None:
    pass
