"""Both flavours offer the same: the same names, parameters and words, less the awaiting."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import attrs
import pytest
from scripts.make_sync import Project

import quatrain
from quatrain._runtime import _async, _sync

PROJECT = Project()
PACKAGE = Path(quatrain.__file__).parent


def modules(package: Path) -> list[str]:
    """The dotted names of all modules in *package*, from there."""
    return sorted(
        path.relative_to(package).with_suffix("").as_posix().replace("/", ".")
        for path in package.rglob("*.py")
        if path.stem != "__init__"
    )


@attrs.frozen
class Offer:
    """One thing a module offers."""

    signature: tuple[tuple[str, ...], ...] | None
    """Name, kind, default and annotation of each parameter; at last the answer's annotation."""
    doc: str | None
    awaited: bool = attrs.field(eq=False)


def offers(module: ModuleType, convert: Callable[[str], str]) -> dict[str, Offer]:
    """What *module* defines for others, by dotted name, in *convert*'s words."""
    found = {"": Offer(None, _words(module, convert), awaited=False)}
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isroutine(value):
            found[convert(name)] = _offer(value, convert)
        elif inspect.isclass(value):
            found[convert(name)] = Offer(None, _words(value, convert), awaited=False)
            for member, method in _methods(value):
                found[f"{convert(name)}.{convert(member)}"] = _offer(method, convert)
    return found


def _methods(cls: type) -> Iterator[tuple[str, FunctionType]]:
    for name, member in vars(cls).items():
        if name.startswith("_") and not name.endswith("__"):
            continue
        method = member.fget if isinstance(member, property) else member
        method = getattr(method, "__func__", method)  # of a classmethod or staticmethod
        if isinstance(method, FunctionType):
            yield name, method


def _offer(function: Any, convert: Callable[[str], str]) -> Offer:
    signature = inspect.signature(function)
    parts = [
        (
            parameter.name,
            parameter.kind.name,
            re.sub(r" at 0x\w+", "", repr(parameter.default)),
            inspect.formatannotation(parameter.annotation),
        )
        for parameter in signature.parameters.values()
    ]
    parts.append((inspect.formatannotation(signature.return_annotation),))
    awaited = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    converted = tuple(tuple(convert(word) for word in part) for part in parts)
    return Offer(converted, _words(function, convert), awaited)


def _words(thing: Any, convert: Callable[[str], str]) -> str | None:
    return convert(inspect.cleandoc(thing.__doc__)) if thing.__doc__ else None


def undocumented(found: dict[str, Offer]) -> list[str]:
    """Public names without a docstring."""
    return [name for name, offer in found.items() if not offer.doc and not name.endswith("__")]


def calls(found: dict[str, Offer]) -> dict[str, Any]:
    """How each thing is called: names, kinds and defaults of its parameters."""
    return {
        name: offer.signature and [parameter[:3] for parameter in offer.signature[:-1]]
        for name, offer in found.items()
    }


def as_it_is(text: str) -> str:
    """The blocking flavour needs no conversion."""
    return text


# -- quatrain -------------------------------------------------------------------------------------


@pytest.fixture(params=modules(PACKAGE / "_async"))
def pair(request):
    """A module of the source, and its generated twin."""
    return tuple(
        importlib.import_module(f"quatrain.{f}.{request.param}") for f in ("_async", "_sync")
    )


def test_twins_offer_the_same(pair):
    """Names, parameters, defaults, annotations and docstrings."""
    awaiting, blocking = pair
    assert offers(awaiting, PROJECT.convert) == offers(blocking, as_it_is)


def test_twins_export_the_same(pair):
    """Where a module says what it exports, its twin does too."""
    awaiting, blocking = (getattr(module, "__all__", []) for module in pair)
    assert sorted(map(PROJECT.rename, awaiting)) == sorted(blocking)


def test_what_is_offered_is_documented(pair):
    """In the one flavour, and so in both."""
    assert [] == undocumented(offers(pair[0], as_it_is))


def test_nothing_of_the_blocking_flavour_is_awaited(pair):
    """Neither a coroutine function nor an async generator is left."""
    found = offers(pair[1], as_it_is)
    assert [] == [name for name, offer in found.items() if offer.awaited]


@pytest.mark.parametrize("above", [PACKAGE, PACKAGE / "_runtime"])
def test_the_packages_hold_the_same_modules(above):
    """A module in one of them only is no twin."""
    assert modules(above / "_async") == modules(above / "_sync")


# -- the runtime, whose twins are both written by hand --------------------------------------------


@pytest.fixture(params=modules(PACKAGE / "_runtime" / "_async"))
def runtime(request):
    """A module of the runtime, and its twin."""
    return tuple(
        importlib.import_module(f"quatrain._runtime.{flavour}.{request.param}")
        for flavour in ("_async", "_sync")
    )


def test_the_runtime_pair_exports_the_same():
    """The source imports from the one what its twin gets from the other."""
    awaiting, blocking = _async.__all__, _sync.__all__
    assert [PROJECT.rename(name) for name in awaiting] == blocking


def test_the_runtime_pair_is_called_the_same_way(runtime):
    """What it answers differs; how it is called does not. The blocking half's Clock waits more."""
    awaiting, blocking = (
        calls(offers(module, convert))
        for module, convert in zip(runtime, (PROJECT.convert, as_it_is), strict=True)
    )
    assert awaiting == {name: call for name, call in blocking.items() if name in awaiting}


# -- the comparison itself ------------------------------------------------------------------------

AWAITING = '''
"""Pages, for AsyncPager."""

from __future__ import annotations

class AsyncPager:
    """``await pager.aclose()``"""

    async def __aenter__(self): ...

    async def page(self, size: int = 10, *, after: AsyncPager | None = None) -> AsyncPager:
        """A page."""

    @property
    def size(self) -> int:
        """Rows."""

    @classmethod
    def local(cls, path: str) -> AsyncPager:
        """From a file."""

    async def _turn(self): ...

async def aiter_rows(pager: AsyncPager):
    """``async for row in aiter_rows(pager)``"""
    yield 1
'''

BLOCKING = '''
"""Pages, for Pager."""

from __future__ import annotations

class Pager:
    """``pager.close()``"""

    def __enter__(self): ...

    def page(self, size: int = 10, *, after: Pager | None = None) -> Pager:
        """A page."""

    @property
    def size(self) -> int:
        """Rows."""

    @classmethod
    def local(cls, path: str) -> Pager:
        """From a file."""

def iter_rows(pager: Pager):
    """``for row in iter_rows(pager)``"""
    yield 1
'''


def made_up(source: str) -> ModuleType:
    """A module with the text *source*."""
    module = ModuleType("made_up")
    exec(compile(source, "made_up", "exec"), vars(module))
    return module


def test_the_comparison_sees_that_twins_are_alike():
    """Private names don't count."""
    twins = offers(made_up(AWAITING), PROJECT.convert), offers(made_up(BLOCKING), as_it_is)
    assert twins[0] == twins[1]
    names = ["", "Pager", "Pager.__enter__", "Pager.page", "Pager.size", "Pager.local", "iter_rows"]
    assert names == list(twins[0])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Pages, for", "Pages of"),
        ("``pager.close()``", "``pager.aclose()``"),
        ("A page.", "One page."),
        ('"""Rows."""', "..."),
        ("def __enter__", "def __aenter__"),
        ("def page", "def pages"),
        ("size: int = 10", "size: int = 11"),
        ("size: int = 10", "length: int = 10"),
        ("size: int = 10", "size: float = 10"),
        ("int = 10, *, after", "int = 10, after"),
        ("-> Pager:", "-> AsyncPager:"),
        ("path: str", "path: bytes"),
        ("def iter_rows", "def _iter_rows"),
        ("def iter_rows", "def more(): ...\n\ndef iter_rows"),
    ],
)
def test_the_comparison_sees_a_difference(old, new):
    """In names, parameters, defaults, annotations, docstrings."""
    assert old in BLOCKING
    twin = offers(made_up(BLOCKING.replace(old, new)), as_it_is)
    assert offers(made_up(AWAITING), PROJECT.convert) != twin


@pytest.mark.parametrize(
    ("doc", "name"),
    [
        ('"""Pages, for Pager."""', ""),
        ('"""``pager.close()``"""', "Pager"),
        ('"""A page."""', "Pager.page"),
        ('"""Rows."""', "Pager.size"),
        ('"""From a file."""', "Pager.local"),
        ('"""``for row in iter_rows(pager)``"""', "iter_rows"),
    ],
)
def test_the_comparison_sees_what_is_undocumented(doc, name):
    """Modules, classes, methods, properties and functions; not special methods."""
    assert [] == undocumented(offers(made_up(BLOCKING), as_it_is))
    assert [name] == undocumented(offers(made_up(BLOCKING.replace(doc, '""')), as_it_is))


def test_the_comparison_sees_what_is_awaited():
    """Coroutine functions and async generators."""
    found = offers(made_up(AWAITING), PROJECT.convert)
    awaited = [name for name, offer in found.items() if offer.awaited]
    assert ["Pager.__enter__", "Pager.page", "iter_rows"] == awaited


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        ("-> Pager:", "-> int:", True),
        ("A page.", "One page.", True),
        ("size: int = 10", "size: float = 10", True),
        ("size: int = 10", "size: int = 11", False),
        ("size: int = 10", "length: int = 10", False),
        ("int = 10, *, after", "int = 10, after", False),
        ("def page", "def pages", False),
    ],
)
def test_how_a_thing_is_called_is_its_parameters(old, new, alike):
    """The hand-written pair is compared by names, kinds and defaults."""
    ours = calls(offers(made_up(AWAITING), PROJECT.convert))
    theirs = calls(offers(made_up(BLOCKING.replace(old, new)), as_it_is))
    assert alike is (ours == theirs)
