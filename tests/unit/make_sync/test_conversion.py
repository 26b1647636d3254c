"""What the generator of the blocking flavour makes of code and prose."""

from __future__ import annotations

from textwrap import dedent

import pytest
from scripts.make_sync import Project

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
    """What follows no rule is named in the table."""
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
    assert dedent(expected).strip() == project.twin_of(source)


def test_await_without_a_space_keeps_its_bracket(project):
    """By itself unasync makes ``x)`` of ``await(x)``."""
    assert "def f(x):\n    return x" == project.twin_of("async def f(x):\n    return await(x)\n")


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
    twin = project.twin_of(f"async def f(get, put, other):\n    return {awaiting}\n")
    assert f"def f(get, put, other):\n    return {blocking}" == twin


def test_what_is_long_enough_to_wrap_in_one_flavour_only_is_formatted(project):
    """A call that is short enough without its await comes onto one line."""
    call = f"await client.{'x' * 30}(argument_one, argument_two, argument_three, four)"
    source = f"async def f(client):\n    return {call}\n"
    assert 100 < len(f"    return {call}")
    assert call.removeprefix("await ") in project.twin_of(source)


def test_brackets_on_lines_of_their_own_stay(project):
    """Without them the lines would fall apart."""
    name = "x" * 90
    twin = project.twin_of(f"async def f(x):\n    return (\n        await {name}()\n    ).y\n")
    assert f"def f(x):\n    return (\n        {name}()\n    ).y" == twin


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
    assert dedent(expected).strip() == project.twin_of(source)


def test_imports_are_sorted_by_the_projects_settings(project, monkeypatch, tmp_path_factory):
    """From any folder: what lies in ``src`` is the project's own."""
    project.put("", "src/own/__init__.py")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    twin = project.twin_of("import zlib\nimport own\nimport attrs\n\nX = attrs, own, zlib\n")
    assert "import zlib\n\nimport attrs\n\nimport own\n\nX = attrs, own, zlib" == twin


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
    assert source.format(blocking) == project.twin_of(source.format(awaiting))


@pytest.mark.parametrize(
    ("awaiting", "blocking"),
    [
        ('"AsyncPager is closed"', '"Pager is closed"'),
        ('"\\nAsyncPager"', '"\\nPager"'),
        ('"\\naclose"', '"\\nclose"'),
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
    source = "async def f(x, cast, AsyncPager):\n    return [{}]"
    twin = project.twin_of(source.format(awaiting))
    assert f"def f(x, cast, Pager):\n    return [{blocking}]" == twin
