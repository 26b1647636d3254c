"""The generator's command: what it writes, deletes, tells and checks."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from scripts import make_sync

# -- writing and checking -------------------------------------------------------------------------


def test_writing_tells_what_it_wrote_and_deletes_what_has_no_source(project, capsys):
    """One line a file that changes, and none for one that does not."""
    project.put("X = 1\n", "pkg/_async/a.py")
    project.put("X = 2\n", "pkg/_async/deep/b.py")
    project.put("X = 3\n", "pkg/_sync/stale.py")
    assert 0 == make_sync.main([], project)
    expected = "wrote pkg/_sync/a.py\nwrote pkg/_sync/deep/b.py\ndeleted pkg/_sync/stale.py\n"
    assert expected == capsys.readouterr().out
    assert not (project.root / "pkg/_sync/stale.py").exists()
    project.put("X = 4\n", "pkg/_async/a.py")
    assert 0 == make_sync.main([], project)
    assert "wrote pkg/_sync/a.py\n" == capsys.readouterr().out


def test_writing_twice_changes_nothing(project, capsys):
    """What is written passes the check, and is not written again."""
    project.put('"""An AsyncPager: ``await p.aclose()``."""\n\nclass AsyncPager: ...\n')
    assert 0 == make_sync.main([], project)
    capsys.readouterr()
    assert [0, 0] == [make_sync.main([], project), make_sync.main(["--check"], project)]
    assert ("", "") == capsys.readouterr()


def test_the_first_line_says_where_it_comes_from(project):
    """And that it is not to be edited."""
    project.put("X = 1\n")
    assert 0 == make_sync.main([], project)
    text = (project.root / "pkg/_sync/mod.py").read_text("utf-8")
    banner = "# Generated from pkg/_async/mod.py by scripts/make_sync.py. Do not edit."
    assert [banner, "X = 1"] == text.splitlines()


def test_no_sources_are_fine(project):
    """Both ways."""
    assert [0, 0] == [make_sync.main([], project), make_sync.main(["--check"], project)]


@pytest.mark.parametrize("cached", ["pkg/_async/__pycache__/x.pyc", "pkg/_sync/__pycache__/x.pyc"])
def test_caches_are_no_part_of_the_trees(project, cached):
    """Python leaves them wherever it likes."""
    project.put("X = 1\n")
    assert 0 == make_sync.main([], project)
    project.put("", cached)
    assert 0 == make_sync.main(["--check"], project)


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        ("pkg/_sync/mod.py", "X = 2\n", "pkg/_sync/mod.py: drift\n"),
        ("pkg/_sync/other.py", "X = 1\n", "pkg/_sync/other.py: orphan"),
        ("pkg/_sync/deep/data.json", "{}\n", "pkg/_sync/deep/data.json: orphan"),
        ("pkg/_async/new.py", "X = 1\n", "pkg/_sync/new.py: missing"),
    ],
)
def test_the_check_compares_whole_trees_both_ways(project, capsys, path, text, complaint):
    """Drift, orphans and missing files fail it, and it repairs nothing."""
    project.put("X = 1\n")
    assert 0 == make_sync.main([], project)
    before = project.put(text, path).read_bytes()
    capsys.readouterr()
    assert 1 == make_sync.main(["--check"], project)
    told = capsys.readouterr()
    assert "" == told.out
    assert complaint in told.err
    assert before == (project.root / path).read_bytes()
    assert not (project.root / "pkg/_sync/new.py").exists()


def test_drift_is_shown_as_a_diff(project, capsys):
    """So that the reader sees which side is right."""
    project.put("X = 1\n")
    assert 0 == make_sync.main([], project)
    project.put("X = 2\n", "pkg/_sync/mod.py")
    make_sync.main(["--check"], project)
    lines = capsys.readouterr().err.splitlines()
    assert "-X = 2" in lines
    assert "+X = 1" in lines


def test_line_endings_are_drift(project):
    """Compared are bytes."""
    project.put("X = 1\n")
    assert 0 == make_sync.main([], project)
    twin = project.root / "pkg/_sync/mod.py"
    twin.write_bytes(twin.read_bytes().replace(b"\n", b"\r\n"))
    assert 1 == make_sync.main(["--check"], project)


def test_a_rename_that_no_source_uses_fails_the_check(project, capsys):
    """The table stays as small as it can be."""
    project = replace(project, renames={"handle_async_request": "handle_request"})
    project.put("X = 1\n# async-only: begin\nhandle_async_request = 1\n# async-only: end\n")
    assert 0 == make_sync.main([], project)
    assert 1 == make_sync.main(["--check"], project)
    assert "handle_async_request is in the table of renames" in capsys.readouterr().err
    project.put("handle_async_request = 1\n")
    assert 0 == make_sync.main([], project)
    assert 0 == make_sync.main(["--check"], project)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("X = anyio.sleep", "anyio"),
        ("X = asyncio.sleep", "asyncio"),
        ('X = "trio"', "trio"),
        ("X = is_async_callable", "is_async_callable"),
        ("# It has to be awaited.", "awaited"),
        ("# You have to await it.", "await"),
        ("# The async client.", "async"),
        ("# Asynchronous.", "Asynchronous"),
        ("# A coroutine function.", "coroutine"),
        ("X = on_aclose", "aclose"),
        ("X = await_runs", "await_runs"),
    ],
)
def test_async_words_that_are_left_over_fail(project, capsys, source, word):
    """When checking and when writing; what was written stays, to be looked at."""
    project.put(f"Y = 1\n{source}\n")
    for arguments in ([], ["--check"]):
        assert 1 == make_sync.main(arguments, project)
        line = next(line for line in capsys.readouterr().err.splitlines() if source in line)
        assert f"{word} left over: {source}" == line.partition(": ")[2]
    assert (project.root / "pkg/_sync/mod.py").exists()


@pytest.mark.parametrize(
    "source",
    [
        "# A patriot waits.",
        "# A waiter.",
        "X = thread.is_alive()",
        "X = a_read",
        "X = await_run",
    ],
)
def test_words_that_only_look_like_async_words_pass(project, source):
    """Parts of words are no words, and a name of the contract is what it is in both flavours."""
    assert source == project.twin_of(source)
    assert [] == list(make_sync.left_over(make_sync.generate(project)))


# -- this project ---------------------------------------------------------------------------------


def test_this_projects_trees_are_as_generated(tmp_path):
    """The command passes here, from any folder."""
    script = make_sync.ROOT / "scripts" / "make_sync.py"
    done = subprocess.run(
        [sys.executable, script, "--check"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
