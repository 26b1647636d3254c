"""The generator of the blocking flavour: its rules, its refusals and its check."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from scripts import make_sync
from scripts.make_sync import Project, Refused

TREES = {"pkg/_async": "pkg/_sync"}


@pytest.fixture
def project(tmp_path):
    """A throw-away project with nothing in it but the real settings."""
    shutil.copy(make_sync.ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "pkg/_async").mkdir(parents=True)
    return Project(tmp_path, TREES, {})


def put(project: Project, source: str, path: str = "pkg/_async/mod.py") -> Path:
    """Write a file of the project."""
    file = project.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dedent(source), "utf-8")
    return file


def twin_of(project: Project, source: str) -> str:
    """What *source* gives, less the banner and the blank lines around it."""
    put(project, source)
    made = make_sync.generate(project)["pkg/_sync/mod.py"]
    return made.partition("\n")[2].strip()


def refusal_of(project: Project, source: str) -> str:
    """Why *source* is refused."""
    put(project, source)
    with pytest.raises(Refused) as caught:
        make_sync.generate(project)
    return "\n".join(caught.value.args)


# -- names and keywords ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AsyncClient", "Client"),
        ("_AsyncLane", "_Lane"),
        ("AbstractAsyncContextManager", "AbstractContextManager"),
        ("AsyncHTTPTransport", "HTTPTransport"),
        ("AsyncExitStack", "ExitStack"),
        ("StopAsyncIteration", "StopIteration"),
        ("aclose", "close"),
        ("_aclose", "_close"),
        ("aclosing", "closing"),
        ("aiter", "iter"),
        ("aiter_lines", "iter_lines"),
        ("anext", "next"),
        ("aread", "read"),
        ("__aenter__", "__enter__"),
        ("__aexit__", "__exit__"),
        ("__aiter__", "__iter__"),
        ("__anext__", "__next__"),
        ("_async", "_sync"),
        ("Asynchronous", "Asynchronous"),
        ("already", "already"),
        ("a", "a"),
    ],
)
def test_names_are_renamed_by_rule(name, expected):
    """Each rule renames what it is for, and nothing else."""
    assert expected == Project(renames={}).rename(name)


def test_the_table_goes_before_the_rules():
    """The twin of httpx's AsyncByteStream is SyncByteStream."""
    assert "SyncByteStream" == Project().rename("AsyncByteStream")
    assert "handle_request" == Project().rename("handle_async_request")


def test_code_loses_its_async_words(project):
    """Keywords, classes, protocol methods and module paths."""
    source = """
    import contextlib
    from collections.abc import AsyncIterator

    from .._runtime._async import Clock


    class AsyncPager(contextlib.AbstractAsyncContextManager["AsyncPager"]):
        async def __aiter__(self) -> AsyncIterator[int]:
            async with self.page() as page:
                async for row in page.aiter_rows():
                    yield await self.one(row, [x async for x in page])
            await self.aclose()


    @contextlib.asynccontextmanager
    async def paging(clock: Clock) -> AsyncIterator[AsyncPager]:
        yield AsyncPager()
    """
    expected = """
    import contextlib
    from collections.abc import Iterator

    from .._runtime._sync import Clock


    class Pager(contextlib.AbstractContextManager["Pager"]):
        def __iter__(self) -> Iterator[int]:
            with self.page() as page:
                for row in page.iter_rows():
                    yield self.one(row, [x for x in page])
            self.close()


    @contextlib.contextmanager
    def paging(clock: Clock) -> Iterator[Pager]:
        yield Pager()
    """
    assert dedent(expected).strip() == twin_of(project, source)


def test_await_without_a_space_keeps_its_bracket(project):
    """By itself unasync makes ``x)`` of ``await(x)``."""
    assert "def f(x):\n    return x" == twin_of(project, "async def f(x):\n    return await(x)\n")


@pytest.mark.parametrize(
    ("awaiting", "blocking"),
    [
        ("(await get()).text", "get().text"),
        ("(await get())[0]", "get()[0]"),
        ("(await get())()", "get()()"),
        ("(await (await get()).rows()).first", "get().rows().first"),
        ('("é", (await get("é")).text)', '("é", get("é").text)'),
        ("(await get() or other).text", "(get() or other).text"),
        ("put(await get()).text", "put(get()).text"),
    ],
)
def test_brackets_that_only_await_needs_go(project, awaiting, blocking):
    """``(await get()).text`` is ``get().text``; other brackets stay."""
    twin = twin_of(project, f"async def f(get, put, other):\n    return {awaiting}\n")
    assert f"def f(get, put, other):\n    return {blocking}" == twin


def test_what_is_long_enough_to_wrap_in_one_flavour_only_is_formatted(project):
    """A call that is short enough without its await comes onto one line."""
    call = f"await client.{'x' * 30}(argument_one, argument_two, argument_three, four)"
    source = f"async def f(client):\n    return {call}\n"
    assert 100 < len(f"    return {call}")
    assert call.removeprefix("await ") in twin_of(project, source)


def test_imports_and_all_are_sorted_again(project):
    """Names are sorted under the names they have now."""
    source = """
    from .a import AsyncPager, Lease

    __all__ = ["AsyncPager", "Lease"]
    """
    expected = """
    from .a import Lease, Pager

    __all__ = ["Lease", "Pager"]
    """
    assert dedent(expected).strip() == twin_of(project, source)


# -- docstrings, comments, strings ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("awaiting", "blocking"),
    [
        ("See AsyncPager.", "See Pager."),
        ("``async with AsyncPager() as p:``", "``with Pager() as p:``"),
        ("async for row in pager.aiter_rows(): ...", "for row in pager.iter_rows(): ..."),
        ("async def act(): ...", "def act(): ..."),
        ("x = await pager.aclose()", "x = pager.close()"),
        ("await act()", "act()"),
        ("await rows[0]", "rows[0]"),
        ("``await event``", "``event``"),
        ("An AsyncPager, or an ``AsyncLease``.", "A Pager, or a ``Lease``."),
        ("An AsyncEffect.", "An Effect."),
        ("quatrain._async.client", "quatrain._sync.client"),
        ("Already closed; waiter, threads.", "Already closed; waiter, threads."),
    ],
)
def test_prose_is_converted(project, awaiting, blocking):
    """Docstrings, comments and strings alike: names and code, not words that look like them."""
    source = '"""{0}"""\n\n# {0}\nX = "{0}"\nY = f"{0} {{X}}"'
    assert source.format(blocking) == twin_of(project, source.format(awaiting))


@pytest.mark.parametrize(
    ("awaiting", "blocking"),
    [
        ('"AsyncPager is closed"', '"Pager is closed"'),
        ('"\\nAsyncPager"', '"\\nPager"'),
        ('r"\\bAsyncPager\\b"', 'r"\\bPager\\b"'),
        ('b"AsyncPager"', 'b"Pager"'),
        ('"aclose"', '"close"'),
        ('cast("AsyncIterator[AsyncPager]", x)', 'cast("Iterator[Pager]", x)'),
        (
            "f\"{AsyncPager!r}: {x['aclose']:>{anext(x)}}\"",
            "f\"{Pager!r}: {x['close']:>{next(x)}}\"",
        ),
        (
            'f"{AsyncPager}" "AsyncPager" f"{[f\'{AsyncPager}\']}"',
            "f\"{Pager}Pager{[f'{Pager}']}\"",
        ),
        ('f"{[y async for y in x]}"', 'f"{[y for y in x]}"'),
    ],
)
def test_strings_are_converted_by_whole_words(project, awaiting, blocking):
    """A string that begins with a class's name is not mangled; f-strings are one string."""
    source = "async def f(x, cast, AsyncPager):\n    return {}"
    twin = twin_of(project, source.format(awaiting))
    assert f"def f(x, cast, Pager):\n    return {blocking}" == twin


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
    assert dedent(expected).strip() == twin_of(project, source)


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
    assert f"pkg/_async/mod.py:{line}: " in refusal_of(project, source)


def test_a_cut_that_leaves_no_valid_code_is_refused(project):
    """A function's whole body, for one."""
    source = "def f():\n    # async-only: begin\n    pass\n    # async-only: end\n\nX = 1\n"
    assert "pkg/_async/mod.py:6: expected an indented block" in refusal_of(project, source)


# -- traps ----------------------------------------------------------------------------------------


def test_two_classes_that_would_become_one_are_refused(project):
    """Told with the place and both names."""
    source = "import httpx\n\nONE = httpx.Client\nTWO = f'{httpx.AsyncClient}'\n"
    expected = "pkg/_async/mod.py:4: AsyncClient and Client are both used, and would be one"
    assert expected == refusal_of(project, source)


def test_two_methods_that_would_become_one_are_refused(project):
    """``close`` beside ``aclose`` would be defined twice."""
    source = "class A:\n    def close(self): ...\n    async def aclose(self): ...\n"
    expected = "pkg/_async/mod.py:3: aclose and close are both defined, and would be one"
    assert expected == refusal_of(project, source)


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
    assert dedent(expected).strip() == twin_of(project, source)


def test_what_is_only_called_may_have_both_names(project):
    """Another object's ``close`` has nothing to do with this one's ``aclose``."""
    source = "async def f(a, b):\n    a.close()\n    await b.aclose()\n"
    assert "def f(a, b):\n    a.close()\n    b.close()" == twin_of(project, source)


def test_collisions_in_async_only_blocks_do_not_count(project):
    """What is cut can't collide."""
    source = "# async-only: begin\nX = AsyncClient\n# async-only: end\nY = Client\n"
    assert "Y = Client" == twin_of(project, source)


@pytest.mark.parametrize(
    "annotation",
    ["AsyncGenerator[int, None]", "'AsyncGenerator[dict[str, int], None]'"],
)
def test_generators_of_two_arguments_are_refused(project, annotation):
    """Generator takes three."""
    assert "pkg/_async/mod.py:1: AsyncGenerator[X, Y]" in refusal_of(project, f"x: {annotation}\n")


@pytest.mark.parametrize("argument", ["int", "tuple[int, str]", "dict[str, tuple[int, int]]"])
def test_generators_of_one_argument_are_converted(project, argument):
    """Commas deeper inside are none of its arguments."""
    assert f"x: Generator[{argument}]" == twin_of(project, f"x: AsyncGenerator[{argument}]\n")


@pytest.mark.parametrize("text", ['f"{await x}"', 'f"{x:{await x}}"', '"a" f"{g(await x)}"'])
def test_await_in_an_f_string_is_refused(project, text):
    """Python 3.11 and 3.12 would give different twins."""
    source = f"async def f(x, g):\n    return {text}\n"
    expected = "pkg/_async/mod.py:2: await inside an f-string: await into a variable first"
    assert expected in refusal_of(project, source)


def test_a_source_that_is_no_python_is_refused(project):
    """With the place of the error."""
    assert "pkg/_async/mod.py:2: " in refusal_of(project, "x = 1\nx = = 2\n")


def test_other_files_in_the_trees_are_refused(project):
    """They would have no twin."""
    put(project, "{}", "pkg/_async/data.json")
    with pytest.raises(Refused, match=r"pkg/_async/data\.json"):
        make_sync.generate(project)


def test_every_refusal_is_told_at_once(project):
    """Not one a run."""
    put(project, "x: AsyncGenerator[int, None]\nx: AsyncGenerator[int, None]\n", "pkg/_async/a.py")
    put(project, "x = = 2\n", "pkg/_async/b.py")
    with pytest.raises(Refused) as caught:
        make_sync.generate(project)
    places = [each.partition(": ")[0] for each in caught.value.args]
    assert ["pkg/_async/a.py:1", "pkg/_async/a.py:2", "pkg/_async/b.py:1"] == places


def test_nothing_is_written_of_refused_sources(project, capsys):
    """Half a tree would be worse than the old one."""
    put(project, "x: AsyncGenerator[int, None]\n")
    put(project, "Y = 1\n", "pkg/_async/other.py")
    assert 1 == make_sync.main([], project)
    assert not (project.root / "pkg/_sync").exists()
    assert "AsyncGenerator" in capsys.readouterr().err


def test_tools_of_other_versions_are_refused(project):
    """They may generate other text."""
    settings = project.root / "pyproject.toml"
    settings.write_text('[dependency-groups]\nlint = ["ruff==0.0.1", "no-such-tool==1"]\n')
    reasons = refusal_of(project, "X = 1\n")
    assert "ruff==0.0.1 is needed" in reasons
    assert "no-such-tool==1 is needed, not installed" in reasons


# -- writing and checking -------------------------------------------------------------------------


def test_writing_tells_what_it_wrote_and_deletes_what_has_no_source(project, capsys):
    """One line a file that changes, and none for one that does not."""
    put(project, "X = 1\n", "pkg/_async/a.py")
    put(project, "X = 2\n", "pkg/_async/deep/b.py")
    put(project, "X = 3\n", "pkg/_sync/stale.py")
    assert 0 == make_sync.main([], project)
    expected = "wrote pkg/_sync/a.py\nwrote pkg/_sync/deep/b.py\ndeleted pkg/_sync/stale.py\n"
    assert expected == capsys.readouterr().out
    assert not (project.root / "pkg/_sync/stale.py").exists()
    put(project, "X = 4\n", "pkg/_async/a.py")
    assert 0 == make_sync.main([], project)
    assert "wrote pkg/_sync/a.py\n" == capsys.readouterr().out


def test_writing_twice_changes_nothing(project, capsys):
    """What is written passes the check, and is not written again."""
    put(project, '"""An AsyncPager: ``await p.aclose()``."""\n\nclass AsyncPager: ...\n')
    assert 0 == make_sync.main([], project)
    capsys.readouterr()
    assert [0, 0] == [make_sync.main([], project), make_sync.main(["--check"], project)]
    assert ("", "") == capsys.readouterr()


def test_the_first_line_says_where_it_comes_from(project):
    """And that it is not to be edited."""
    put(project, "X = 1\n")
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
    put(project, "X = 1\n")
    assert 0 == make_sync.main([], project)
    put(project, "", cached)
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
    put(project, "X = 1\n")
    assert 0 == make_sync.main([], project)
    before = put(project, text, path).read_bytes()
    capsys.readouterr()
    assert 1 == make_sync.main(["--check"], project)
    told = capsys.readouterr()
    assert "" == told.out
    assert complaint in told.err
    assert before == (project.root / path).read_bytes()
    assert not (project.root / "pkg/_sync/new.py").exists()


def test_drift_is_shown_as_a_diff(project, capsys):
    """So that the reader sees which side is right."""
    put(project, "X = 1\n")
    assert 0 == make_sync.main([], project)
    put(project, "X = 2\n", "pkg/_sync/mod.py")
    make_sync.main(["--check"], project)
    lines = capsys.readouterr().err.splitlines()
    assert "-X = 2" in lines
    assert "+X = 1" in lines


def test_line_endings_are_drift(project):
    """Compared are bytes."""
    put(project, "X = 1\n")
    assert 0 == make_sync.main([], project)
    twin = project.root / "pkg/_sync/mod.py"
    twin.write_bytes(twin.read_bytes().replace(b"\n", b"\r\n"))
    assert 1 == make_sync.main(["--check"], project)


def test_a_rename_that_no_source_uses_fails_the_check(project, capsys):
    """The table stays as small as it can be."""
    project = Project(project.root, TREES, {"handle_async_request": "handle_request"})
    put(project, "X = 1\n# async-only: begin\nhandle_async_request = 1\n# async-only: end\n")
    assert 0 == make_sync.main([], project)
    assert 1 == make_sync.main(["--check"], project)
    assert "handle_async_request is in the table of renames" in capsys.readouterr().err
    put(project, "handle_async_request = 1\n")
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
    ],
)
def test_async_words_that_are_left_over_fail(project, capsys, source, word):
    """When checking and when writing; what was written stays, to be looked at."""
    put(project, f"Y = 1\n{source}\n")
    for arguments in ([], ["--check"]):
        assert 1 == make_sync.main(arguments, project)
        line = next(line for line in capsys.readouterr().err.splitlines() if source in line)
        assert f"{word} left over: {source}" == line.partition(": ")[2]
    assert (project.root / "pkg/_sync/mod.py").exists()


@pytest.mark.parametrize("source", ["# A patriot waits.", "X = thread.is_alive()", "X = a_read"])
def test_words_that_only_look_like_async_words_pass(project, source):
    """Parts of words are no words."""
    assert source == twin_of(project, source)
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
