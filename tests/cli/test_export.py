"""``quatrain effects export``: whole files or none."""

import csv
import errno
import io
import json

import pytest

from quatrain.cli import export as export_module


@pytest.fixture
def run(cli, database):
    """Run ``quatrain effects export … --database``."""

    def export(*args):
        return cli("effects", "export", *args, "--database", database)

    return export


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out" / "effects.jsonl"


@pytest.fixture(autouse=True)
def _directory(out):
    out.parent.mkdir()


def test_json_lines(run, ledger):
    """An effect a line, newest first, with its payloads; more than a page of them."""
    for number in range(250):
        ledger.protect(f"k{number}", act=lambda n=number: {"n": n}, input_json=[number])
    result = run()
    effects = [json.loads(line) for line in result.stdout.splitlines()]

    assert (0, "") == (result.exit_code, result.stderr)
    assert [(f"k{n}", {"n": n}, [n]) for n in reversed(range(250))] == [
        (effect["effectKey"], effect["result"], effect["inputJson"]) for effect in effects
    ]


def test_filters(run, ledger, fail):
    """The filters of list."""
    ledger.protect("good", act=lambda: 1)
    fail("bad")
    effects = [json.loads(line) for line in run("--status", "FAILED").stdout.splitlines()]

    assert ["bad"] == [effect["effectKey"] for effect in effects]


def test_csv(run, ledger):
    """A header and quoted rows; nothing that a spreadsheet would run."""
    key = '=HYPERLINK("http://evil","x"),\n"quoted"'
    ledger.protect(key, act=lambda: {"a": "ü,"}, agent_id="-1+1")
    ledger.protect("number", act=lambda: -5)
    result = run("--format", "csv")
    number, hostile = csv.DictReader(io.StringIO(result.stdout, newline=""))

    assert (f"'{key}", "'-1+1", {"a": "ü,"}) == (
        hostile["effectKey"],
        hostile["agentId"],
        json.loads(hostile["result"]),
    )
    assert ("number", "", "'-5", "1") == (
        number["effectKey"],
        number["agentId"],
        number["result"],
        number["fenceToken"],
    )


def test_to_a_file(run, ledger, out):
    """The file is complete, readable by its owner alone, and has no companion."""
    ledger.protect("one", act=lambda: 1)
    result = run("--output", out)

    assert (0, "", f"Exported 1 effects to {out}.\n") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )
    assert "one" == json.loads(out.read_text())["effectKey"]
    assert (0o600, [out]) == (out.stat().st_mode & 0o777, list(out.parent.iterdir()))


def break_after(monkeypatch, count, error):
    """Let writing fail after *count* effects."""
    begin = export_module._json_lines

    def begin_breaking(file):
        write, left = begin(file), iter(range(count))

        def breaking(effect):
            if next(left, None) is None:
                raise error
            return write(effect)

        return breaking

    monkeypatch.setitem(export_module._WRITERS, "jsonl", begin_breaking)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 1, "can't be written: No space left"),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
)
def test_a_failed_export_leaves_the_older_file(run, ledger, out, monkeypatch, error, code, message):
    """A full disk, or Ctrl-C, half way: the older file is whole and nothing else is left."""
    out.write_text("older")
    for number in range(3):
        ledger.protect(f"k{number}", act=lambda: 1)
    break_after(monkeypatch, 2, error)
    result = run("--output", out)

    assert code == result.exit_code
    assert message in result.stderr
    assert ("older", [out]) == (out.read_text(), list(out.parent.iterdir()))


@pytest.mark.parametrize("name", ["none/x", "out", ""])
def test_an_output_that_can_not_be_written(run, ledger, name):
    """A missing directory, or a directory in the file's place, is one line that names it."""
    ledger.protect("one", act=lambda: 1)
    result = run("--output", name)

    assert "" == result.stdout
    assert (True, 1) == (result.exit_code in {1, 2}, result.stderr.count("\n"))
    assert f"{name}" in result.stderr


def test_an_unknown_format(run, ledger):
    """Formats are named."""
    result = run("--format", "xml")

    assert 2 == result.exit_code
    assert "'xml' is not one of 'jsonl', 'csv'" in result.stderr
