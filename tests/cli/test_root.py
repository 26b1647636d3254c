"""The command line as a whole: its help, its mistakes, and how processes of it end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quatrain import __version__
from quatrain.cli.root import COMMANDS
from quatrain.cli.text import printable

LONG = 60.0  # for what must happen, however slow the machine is
QUATRAIN = [sys.executable, "-W", "error", "-m", "quatrain.cli"]


def test_version(cli):
    """The package's version."""
    assert f"quatrain, version {__version__}\n" == cli("--version").stdout


def test_help(cli):
    """Every command is listed with what its own help says first."""
    listed = cli("--help").stdout

    for name, summary in COMMANDS.items():
        assert summary.split(",")[0] in " ".join(listed.split())
        assert summary in " ".join(cli(name, "--help").stdout.split())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["odd"], "No such command 'odd'. Try: quatrain --help"),
        (["effects", "odd"], "No such command 'odd'. Try: quatrain effects --help"),
        (["--odd"], "No such option '--odd'. Try: quatrain --help"),
        (["\x1b[2J"], "No such command '\\x1b[2J'. Try: quatrain --help"),
        (["serve", "--port", "70000"], "Invalid value for '--port': 70000 is not in the range "),
    ],
)
def test_mistakes(cli, args, message):
    """A command line that makes no sense is one line, and exit status 2."""
    result = cli(*args)

    assert (2, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(f"Error: {message}")


def test_printable():
    """Only visible characters are left, and every text stays different."""
    assert r"a\x00\x1b\n\x9b\u202e\u2028\ud800\U000e0001é漢" == printable(
        "a\0\x1b\n\x9b\u202e\u2028\ud800\U000e0001é漢"
    )


WITHOUT = """
import sys
from pathlib import Path

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = ["quatrain", *{args!r}]
from quatrain.cli import main
main()
"""


@pytest.mark.parametrize(
    ("package", "args"),
    [("click", ["--version"]), ("rich", ["--version"]), ("uvicorn", ["serve"])],
)
def test_without_the_extra(package, args):
    """A package that is not installed is one line that says what to install."""
    program = WITHOUT.format(package=package, args=args)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )

    assert (1, f"Error: {package} is not installed: pip install 'quatrain[server]'\n") == (
        done.returncode,
        done.stderr,
    )


def test_a_broken_pipe_is_quiet(ledger, database):
    """Whoever stops reading, like head, makes no traceback."""
    for number in range(20):
        ledger.protect(f"k{number}", act=lambda: "x" * 30_000)
    command = [*QUATRAIN, "effects", "export", "--database", str(database)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )
    process.stdout.read(1)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()

    assert (b"", 1) == (errors, process.wait(LONG))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is full")
@pytest.mark.parametrize(
    "args",
    [["--help"], ["effects", "list", "--json"], ["effects", "list"], ["effects", "export"]],
    ids=" ".join,
)
def test_a_full_disk(ledger, database, args):
    """Output that can't be written is one line."""
    ledger.protect("one", act=lambda: 1)
    options = ["--database", str(database)] if args[0] == "effects" else []
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*QUATRAIN, *args, *options],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=LONG,
            check=False,
        )

    assert (1, b"Error: No space left on device\n") == (done.returncode, done.stderr)


def test_ctrl_c(database):
    """Ctrl-C is exit status 130 and one word."""
    process = subprocess.Popen(
        [*QUATRAIN, "demo", "--database", str(database)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=LONG)

    assert (130, "\nInterrupted.\n") == (process.returncode, errors)


def test_a_terminal_that_can_not_show_everything(ledger, database):
    """Characters beyond the terminal's are escaped; nothing fails."""
    ledger.protect("漢", act=lambda: 1)
    done = subprocess.run(
        [*QUATRAIN, "effects", "list", "--database", str(database)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        timeout=LONG,
        check=False,
    )

    assert (0, b"") == (done.returncode, done.stderr)
    assert b"\\u6f22" in done.stdout
