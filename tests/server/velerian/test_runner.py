"""What a model says: whatever kind of callable is asked, and whatever goes wrong in it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest

from quatrain.errors import ConfigError
from quatrain.server import Settings
from quatrain.server.velerian import runner
from quatrain.server.velerian.runner import ModelFailedError, Request

ASKED = Request(kind="network", name="open", prompt="hello", payload={"a": 1}, model_id="m")


class Spoken:
    """An object that is called."""

    async def __call__(self, request: Request) -> str:
        return f"{request.prompt}, from an object"

    def plain(self, request: Request) -> str:
        return f"{request.prompt}, from a method"


async def said(request: Request) -> str:
    return f"{request.prompt}, from a coroutine"


async def failure(answer: Any) -> str:
    """What is told of a runner that fails."""
    with pytest.raises(ModelFailedError) as caught:
        await runner.run(answer, ASKED)
    return str(caught.value)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (runner.echo, "hello"),
        (said, "hello, from a coroutine"),
        (functools.partial(said), "hello, from a coroutine"),
        (Spoken(), "hello, from an object"),
        (Spoken().plain, "hello, from a method"),
        (lambda request: said(attrs.evolve(request, prompt="hi")), "hi, from a coroutine"),
    ],
)
async def test_any_callable_is_asked(asked: Any, expected: str) -> None:
    """Plain ones, coroutine functions and objects."""
    assert expected == await runner.run(asked, ASKED)


async def test_a_plain_one_holds_nobody_up() -> None:
    """It has a thread of its own, which no end of the process waits for, and the context."""
    variable = contextvars.ContextVar("variable", default="")
    release, seen = threading.Event(), []

    def wait(request: Request) -> str:
        seen.append((threading.current_thread().daemon, variable.get()))
        assert release.wait(30)
        return "done"

    variable.set("here")
    task = asyncio.create_task(runner.run(wait, ASKED))
    while not seen:
        await asyncio.sleep(0)
    release.set()
    assert "done" == await task
    assert [(True, "here")] == seen


def test_a_line_holds_what_a_terminal_can_show() -> None:
    """Half a surrogate pair is no character."""
    assert "a \ufffd b" == runner.one_line("a\n\ud800\t b")


async def test_a_failure_is_one_line_and_its_traceback_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of printable characters."""

    def fail(request: Request) -> str:
        raise ValueError("no\nway \x1b[2J")

    assert "ValueError: no way \ufffd[2J" == await failure(fail)
    (record,) = caplog.records
    assert (logging.WARNING, "network open: the runner failed") == (
        record.levelno,
        record.getMessage(),
    )
    assert record.exc_info is not None
    assert record.exc_info[0] is ValueError


@pytest.mark.parametrize("error", [SystemExit(3), KeyError("k"), StopIteration(), OSError()])
async def test_whatever_is_raised_is_a_failure(error: BaseException) -> None:
    """And never the platform's end."""

    def fail(request: Request) -> str:
        raise error

    async def fail_later(request: Request) -> str:
        raise error

    assert "" != await failure(fail)
    assert "" != await failure(fail_later)


async def test_an_exception_that_cannot_be_shown_is_named() -> None:
    """Its text is code of the runner's, too."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    async def fail(request: Request) -> str:
        raise Odd

    assert "Odd" == await failure(fail)


async def test_a_long_reason_is_cut() -> None:
    """To 500 characters."""

    async def fail(request: Request) -> str:
        raise ValueError("x" * 10_000)

    reason = await failure(fail)
    assert (500, "…") == (len(reason), reason[-1])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, "the runner answered NoneType, and no text"),
        (b"x", "the runner answered bytes, and no text"),
        ("\ud800", "the runner's answer holds half of a surrogate pair"),
        ("a\0", "the runner's answer holds a NUL character"),
        ("x" * 1_000_001, "the runner answered more than 1,000,000 characters"),
    ],
)
async def test_what_is_no_answer(answer: Any, expected: str) -> None:
    """Text that can be kept, and not too much of it."""
    assert expected == await failure(lambda request: answer)
    assert "x" * 1_000_000 == await runner.run(lambda request: "x" * 1_000_000, ASKED)


async def test_being_cancelled_is_no_failure() -> None:
    """But what the runner itself has cancelled is."""

    async def wait(request: Request) -> str:
        await asyncio.Future()
        return ""

    async def cancel(request: Request) -> str:
        raise asyncio.CancelledError

    task = asyncio.create_task(runner.run(wait, ASKED))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "CancelledError" == await failure(cancel)


# -- by name --------------------------------------------------------------------------------------


def test_a_runner_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command line has it."""
    (tmp_path / "my_model.py").write_text("class Model:\n    def ask(request): return 'mine'\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings = Settings(velerian_runner="my_model:Model.ask")
    assert "mine" == settings.velerian_runner(ASKED)


def test_the_default_is_an_echo() -> None:
    """And a callable is taken as it is."""
    assert runner.echo is Settings().velerian_runner
    assert said is Settings(velerian_runner=said).velerian_runner


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("json", "runner 'json' is not of the form module:function"),
        (":x", "runner ':x' is not of the form module:function"),
        ("no_such:x", "can't be loaded: ModuleNotFoundError: No module named 'no_such'"),
        ("json:no_such", "can't be loaded: AttributeError: "),
        ("json:__name__", "runner 'json' can't be called"),
        ("tests.server.velerian.test_runner:Spoken", "the runner does not take one request: "),
        (3, "runner 3 can't be called"),
    ],
)
def test_what_is_no_runner(name: Any, expected: str) -> None:
    """Told before anything is served."""
    with pytest.raises(ConfigError) as caught:
        Settings(velerian_runner=name)
    assert expected in str(caught.value)


def test_a_module_that_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it does is one clear error."""
    (tmp_path / "my_broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as caught:
        runner.load("my_broken:x")
    assert ("runner 'my_broken:x' can't be loaded: ZeroDivisionError: division by zero") == str(
        caught.value
    )
