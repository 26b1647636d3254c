"""What the generator refuses to convert, and what it cuts."""

from __future__ import annotations

from textwrap import dedent

import pytest
from scripts import make_sync
from scripts.make_sync import Refused

# -- async-only -----------------------------------------------------------------------------------


def test_async_only_blocks_are_cut_with_what_only_they_imported(project):
    """Overloads for awaitable acts have no twin, nor have their imports."""
    source = """
    from collections.abc import Awaitable, Callable
    from typing import overload


    # async-only: begin
    @overload
    async def call(act: Callable[[], Awaitable[int]]) -> int: ...
    @overload
    async def call(act: Callable[[], int]) -> int: ...
    # async-only: end
    async def call(act: Callable[[], int]) -> int:
        return act()
    """
    expected = """
    from collections.abc import Callable


    def call(act: Callable[[], int]) -> int:
        return act()
    """
    assert dedent(expected).strip() == project.twin_of(source)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("# async-only: begin\nX = 1\n", 1),
        ("X = 1\n# async-only: end\n", 2),
        ("# async-only: begin\n# async-only: begin\n# async-only: end\n", 2),
        ("# async-only: start\n", 1),
    ],
)
def test_marks_that_do_not_pair_up_are_refused(project, source, line):
    """A block without an end would swallow the file."""
    assert f"pkg/_async/mod.py:{line}: " in project.refusal_of(source)


def test_a_cut_that_leaves_no_valid_code_is_refused(project):
    """A function's whole body, for one."""
    source = "def f():\n    # async-only: begin\n    pass\n    # async-only: end\n\nX = 1\n"
    assert "pkg/_async/mod.py:6: expected an indented block" in project.refusal_of(source)


# -- traps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "X = A, AsyncA",
        "X = f'{A} {AsyncA}'",
        "X = x.A, x.AsyncA",
        "from x import A, AsyncA",
        "import x as A, y as AsyncA",
        "def f(A, AsyncA): ...",
        "f(A=1, AsyncA=1)",
        "class A: ...\nclass AsyncA: ...",
    ],
)
def test_two_names_that_would_become_one_are_refused(project, source):
    """Wherever code uses both."""
    line = source.count("\n") + 1
    expected = f"pkg/_async/mod.py:{line}: AsyncA and A are both used, and would be one"
    assert expected == project.refusal_of(source)


def test_two_methods_that_would_become_one_are_refused(project):
    """``close`` beside ``aclose`` would be defined twice."""
    source = "class A:\n    def close(self): ...\n    async def aclose(self): ...\n"
    expected = "pkg/_async/mod.py:3: aclose and close are both defined, and would be one"
    assert expected == project.refusal_of(source)


def test_twins_of_the_standard_library_may_meet(project):
    """Iterator and AsyncIterator mean the same in the blocking flavour."""
    source = """
    from collections.abc import AsyncIterator, Iterator

    X = AsyncIterator[int] | Iterator[str]
    """
    expected = """
    from collections.abc import Iterator

    X = Iterator[int] | Iterator[str]
    """
    assert dedent(expected).strip() == project.twin_of(source)


def test_what_is_only_called_may_have_both_names(project):
    """Another object's ``close`` has nothing to do with this one's ``aclose``."""
    source = "async def f(a, b):\n    a.close()\n    await b.aclose()\n"
    assert "def f(a, b):\n    a.close()\n    b.close()" == project.twin_of(source)


def test_collisions_in_async_only_blocks_do_not_count(project):
    """What is cut can't collide."""
    source = "# async-only: begin\nX = AsyncClient\n# async-only: end\nY = Client\n"
    assert "Y = Client" == project.twin_of(source)


@pytest.mark.parametrize(
    "annotation",
    ["AsyncGenerator[int, None]", "'AsyncGenerator[dict[str, int], None]'"],
)
def test_generators_of_two_arguments_are_refused(project, annotation):
    """Generator takes three."""
    assert "pkg/_async/mod.py:1: AsyncGenerator[X, Y]" in project.refusal_of(f"x: {annotation}\n")


@pytest.mark.parametrize("argument", ["int", "tuple[int, str]", "dict[str, tuple[int, int]]"])
def test_generators_of_one_argument_are_converted(project, argument):
    """Commas deeper inside, or after it, are none of its arguments."""
    twin = project.twin_of(f"def f(x: AsyncGenerator[{argument}], y: tuple[int, int]): ...\n")
    assert f"def f(x: Generator[{argument}], y: tuple[int, int]): ..." == twin


@pytest.mark.parametrize("text", ['f"{await x}"', 'f"{x:{await x}}"', '"a" f"{g(await x)}"'])
def test_await_in_an_f_string_is_refused(project, text):
    """Python 3.11 and 3.12 would give different twins."""
    source = f"async def f(x, g):\n    return {text}\n"
    expected = "pkg/_async/mod.py:2: await inside an f-string: await into a variable first"
    assert expected in project.refusal_of(source)


def test_a_source_that_is_no_python_is_refused(project):
    """With the place of the error."""
    assert "pkg/_async/mod.py:2: " in project.refusal_of("x = 1\nx = = 2\n")


def test_other_files_in_the_trees_are_refused(project):
    """They would have no twin."""
    project.put("{}", "pkg/_async/data.json")
    with pytest.raises(Refused, match=r"pkg/_async/data\.json"):
        make_sync.generate(project)


def test_every_refusal_is_told_at_once(project):
    """Not one a run."""
    project.put("x: AsyncGenerator[int, None]\nx: AsyncGenerator[int, None]\n", "pkg/_async/a.py")
    project.put("x = = 2\n", "pkg/_async/b.py")
    with pytest.raises(Refused) as caught:
        make_sync.generate(project)
    places = [each.partition(": ")[0] for each in caught.value.args]
    assert ["pkg/_async/a.py:1", "pkg/_async/a.py:2", "pkg/_async/b.py:1"] == places


def test_nothing_is_written_of_refused_sources(project, capsys):
    """Half a tree would be worse than the old one."""
    project.put("x: AsyncGenerator[int, None]\n")
    project.put("Y = 1\n", "pkg/_async/other.py")
    assert 1 == make_sync.main([], project)
    assert not (project.root / "pkg/_sync").exists()
    assert "AsyncGenerator" in capsys.readouterr().err


def test_tools_of_other_versions_are_refused(project):
    """They may generate other text."""
    settings = project.root / "pyproject.toml"
    settings.write_text('[dependency-groups]\nlint = ["ruff==0.0.1", "no-such-tool==1"]\n')
    reasons = project.refusal_of("X = 1\n")
    assert "ruff==0.0.1 is needed" in reasons
    assert "no-such-tool==1 is needed, not installed" in reasons


def test_what_ruff_does_not_take_is_refused(project):
    """With what ruff says about it: settings it does not know, for one."""
    with (project.root / "pyproject.toml").open("a") as settings:
        settings.write("[tool.ruff.no-such-section]\n")
    assert "no-such-section" in project.refusal_of("X = 1\n")
