"""Walks in processes of their own: forks, endings, interruptions, and that nothing is printed."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

SERVED = """
    import asyncio, gc, logging, os, signal, sys, threading, time, warnings
    import anyio
    from quatrain._async.pages import pages as async_pages
    from quatrain._sync.pages import pages

    # that a busy machine was slow is no news
    logging.getLogger("asyncio").addFilter(lambda record: not record.msg.startswith("Executing"))
    rows = list(range(7))
    hold = threading.Event()
    asked = threading.Event()

    def fetch(limit, offset):
        if offset:
            asked.set()
            hold.wait()
        return rows[offset : offset + limit]

    async def async_fetch(limit, offset):
        if offset:
            asked.set()
            await anyio.sleep_forever()
        return rows[offset : offset + limit]
"""


def command(code: str) -> list[str]:
    code = textwrap.dedent(SERVED) + textwrap.dedent(code)
    return [sys.executable, "-W", "error", "-X", "dev", "-c", code]


def run(code: str) -> tuple[int, str, str]:
    """Its exit status and what it printed."""
    done = subprocess.run(command(code), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_child_that_was_forked_in_a_walk_goes_on_and_so_does_its_parent() -> None:
    """Each gets every row; the child has a thread of its own."""
    code = """
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, as it happens
        walk = pages(fetch, page_size=2)
        found = [next(walk)]
        asked.wait()
        child = os.fork()
        hold.set()
        found += walk
        assert found == rows, found
        assert [t.name for t in threading.enumerate()] == ["MainThread"]
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print("done")
    """
    assert run(code) == (0, "done\n", "")


def test_a_child_that_leaves_its_parents_walk_leaves_it_to_its_parent() -> None:
    """Also by ending."""
    code = """
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, as it happens
        walk = pages(fetch, page_size=2)
        found = [next(walk)]
        asked.wait()
        if (child := os.fork()) == 0:
            walk.close()
            del walk
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        hold.set()
        found += walk
        assert found == rows
    """
    assert run(code) == (0, "", "")


@pytest.mark.parametrize("ending", ["pass", "sys.exit(3)", "walk = None", "gc.collect()"])
def test_a_program_may_end_in_a_walk(ending: str) -> None:
    """No thread keeps it, and nothing is printed on the way out."""
    code = f"""
        walk = pages(fetch, page_size=2)
        next(walk)
        asked.wait()
        cycle = [walk]
        cycle.append(cycle)
        {ending}
    """
    assert run(code) == (3 if "exit" in ending else 0, "", "")


LEFT = {
    "break": """
        async for row in async_pages(async_fetch, page_size=2):
            break
    """,
    "kept": """
        global walk
        walk = async_pages(async_fetch, page_size=2)
        await anext(walk)
    """,
    "cycle": """
        walk = async_pages(async_fetch, page_size=2)
        await anext(walk)
        cycle = [walk]
        cycle.append(cycle)
        del walk, cycle
        gc.collect()
    """,
    "cycle, collected late": """
        walk = async_pages(async_fetch, page_size=2)
        await anext(walk)
        cycle = [walk]
        cycle.append(cycle)
    """,
    "error": """
        try:
            async for row in async_pages(async_fetch, page_size=2):
                raise LookupError
        except LookupError:
            pass
    """,
    "cancelled": """
        with anyio.move_on_after(0.01):
            async for row in async_pages(async_fetch, page_size=2):
                pass
    """,
    "exit": """
        async for row in async_pages(async_fetch, page_size=2):
            raise SystemExit(0)
    """,
}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("left", LEFT)
def test_nothing_is_printed_however_a_walk_is_left(left: str, backend: str) -> None:
    """Where warnings are errors and asyncio looks for mistakes."""
    body = textwrap.indent(textwrap.dedent(LEFT[left]), "    ")
    code = f"async def main():\n{body}\nanyio.run(main, backend={backend!r})\nassert asked.is_set()"
    if left == "exit":
        code = code.replace("assert", "pass  # ")
    status, out, err = run(code)
    assert (status, out, err) == (0, "", "")


@pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
def test_ctrl_c_while_a_page_is_waited_for(flavour: str) -> None:
    """A bare KeyboardInterrupt, at once."""
    code = f"""
        async def main():
            async for row in async_pages(async_fetch, page_size=2):
                if row == 1:
                    print("ready", flush=True)

        try:
            if {flavour!r} == "sync":
                for row in pages(fetch, page_size=2):
                    if row == 1:
                        print("ready", flush=True)
            else:
                anyio.run(main, backend={flavour!r})
        except KeyboardInterrupt:
            print("interrupted")
    """
    with subprocess.Popen(
        command(code), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        printed = process.communicate()
    assert (printed, process.returncode) == (("interrupted\n", ""), 0)
