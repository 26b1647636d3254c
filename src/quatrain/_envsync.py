"""An env file and what is known of it, on the disk. One flavour: blocking, no clock.

Beside the file lies its state, ``<env_file>.vendo-state.json``: the names that this program has put
into the file, and those whose change nobody was told of yet. It holds no values, which lie on the
disk once and no more often. The order of the two writes is what makes a crash harmless at any
moment: first the state, with the names to come and what there is to tell; then the file; and only
when it was told, the state again. So a name that was written is always known to be ours, and a
change is told at least once. The half of a file that a crash leaves goes with the next write.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, ParamSpec, TypeVar

import attrs

from ._envfile import NAME, compose, expands, read
from ._part_file import SUFFIX, PartFile
from ._strict_json import DECODER
from .errors.vendo import ValidationError, VendoConfigError

P = ParamSpec("P")
T = TypeVar("T")
_VERSION: Final = 1
_MODE: Final = 0o600
_PART: Final = ".quatrain-"
"""Between the name of a file and what is random of its part file's."""
_log = logging.getLogger("quatrain.vendo")


@attrs.frozen
class Diff:
    """Which variables differ, by name and sorted; never their values. False where none does."""

    added: list[str] = attrs.field(factory=list)
    removed: list[str] = attrs.field(factory=list)
    changed: list[str] = attrs.field(factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def names(self) -> list[str]:
        """All of them, sorted."""
        return sorted({*self.added, *self.removed, *self.changed})

    def then(self, later: Diff) -> Diff:
        """Both, for who knows neither: what is added and then changed is added."""
        kinds = dict.fromkeys(self.added, "added")
        kinds |= dict.fromkeys(self.removed, "removed")
        kinds |= dict.fromkeys(self.changed, "changed")
        for name in later.names:
            before = kinds.get(name)
            if name in later.removed:
                kinds[name] = "removed"
            elif before == "removed":
                kinds[name] = "changed"
            else:
                kinds[name] = before or ("added" if name in later.added else "changed")
        return Diff(*(sorted(n for n, k in kinds.items() if k == kind) for kind in KINDS))


KINDS: Final = ("added", "removed", "changed")


class Variables:
    """Names and values; only the names show."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def checked(cls, answer: Any) -> Variables:
        """What a mapping answered. Raises ValidationError, which quotes no value."""
        reason = _objection(answer)
        if reason is None:
            return cls(answer)
        del answer  # a traceback that shows locals would show the values
        raise ValidationError(reason)

    def __repr__(self) -> str:
        return f"Variables({', '.join(self.names)})"

    @property
    def names(self) -> list[str]:
        """Sorted."""
        return sorted(self._values)

    @property
    def expanded(self) -> list[str]:
        """The names of those that python-dotenv takes apart, unless it is told not to."""
        return [name for name in self.names if expands(self._values[name])]

    def since(self, before: Variables, ours: frozenset[str]) -> Diff:
        """What is different from *before*; of what is missing now, only *ours* was removed."""
        old, new = before._values, self._values
        return Diff(
            sorted(new.keys() - old.keys()),
            sorted(ours & (old.keys() - new.keys())),
            sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
        )

    def file(self, text: str, ours: frozenset[str]) -> str:
        """An env file of these, and of what *text* has of others."""
        return compose(text, self._values, ours)


def _objection(answer: Any) -> str | None:
    if not isinstance(answer, Mapping):
        return f"a mapping has to give {{NAME: value}}, not {type(answer).__name__}"
    for name, value in answer.items():
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            return f"{str(name)[:100]!r} is no name of a variable: letters, digits and _"
        if not isinstance(value, str):
            return f"{name} has to be a string, not {type(value).__name__}"
        if "\0" in value:
            return f"{name} holds a NUL, which no variable can"
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"{name} holds a lone surrogate, which no file can"
    return None


@attrs.frozen
class State:
    """What lies beside the file."""

    names: frozenset[str] = frozenset()
    """Those that this program has written."""
    untold: Diff = attrs.field(factory=Diff)
    """What on_change was not told of yet."""

    def dump(self) -> bytes:
        """As it is written."""
        untold = {kind: getattr(self.untold, kind) for kind in KINDS}
        state = {"version": _VERSION, "names": sorted(self.names), "untold": untold}
        return json.dumps(state, indent=1).encode() + b"\n"

    @classmethod
    def load(cls, content: bytes) -> State:
        """Raises ValueError for what this did not write."""
        try:
            found = DECODER.decode(content.decode())
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if not isinstance(found, dict) or found.get("version") != _VERSION:
            raise ValueError("it is of another version")
        untold = found.get("untold")
        if not isinstance(untold, dict):
            raise ValueError("something is missing")  # noqa: TRY004 - the one kind
        return cls(frozenset(_names(found)), Diff(*(_names(untold, kind) for kind in KINDS)))


def _names(found: dict[str, Any], field: str = "names") -> list[str]:
    names = found.get(field)
    if not isinstance(names, list) or not all(
        isinstance(n, str) and NAME.fullmatch(n) for n in names
    ):
        raise ValueError(f"{field} are no names")
    return sorted(set(names))


@attrs.frozen
class Found:
    """The file and its state, as they are."""

    text: str = attrs.field(repr=False)
    values: Variables
    state: State
    private: bool
    """Whether only its owner can read the file."""


class EnvFile:
    """The file at *path*, with its state; every method may raise VendoConfigError.

    A symbolic link is written through, to the file that it points to. Of several processes one
    writes at a time.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self.path = os.fspath(path)
        except TypeError:
            raise ValidationError("env_file has to be a path") from None
        if not isinstance(self.path, str) or not self.path or "\0" in self.path:
            raise ValidationError("env_file has to be a path")
        # where the program goes afterwards must not matter
        self.path = os.path.abspath(self.path)  # noqa: PTH100 - it keeps links
        self.state_path = f"{self.path}.vendo-state.json"

    def __repr__(self) -> str:
        return f"EnvFile({self.path!r})"

    def find(self) -> Found:
        """What there is. Changes nothing."""
        return self._told("read", self._find)

    def plan(self, wanted: Variables) -> Diff:
        """What ``write`` would change. Changes nothing."""
        found = self.find()
        return wanted.since(found.values, found.state.names)

    def write(self, wanted: Variables, untold: Diff | None) -> Diff:
        """Put *wanted* into the file; what that changed.

        *untold* is what there is to tell beyond that. It is kept in the state, with what this
        changed and what was kept there before, until ``tell_off``; then all of that is the answer.
        None where it is not to be kept.
        """
        return self._told("written", self._write, wanted, untold)

    def _write(self, wanted: Variables, untold: Diff | None) -> Diff:
        with self._lock():
            self._sweep()
            found = self._find()
            ours = found.state.names
            diff = wanted.since(found.values, ours)
            text = wanted.file(found.text, ours)
            kept = found.state.untold
            to_tell = kept if untold is None else kept.then(untold).then(diff)
            stale = text != found.text or not found.private
            before = State(ours.union(wanted.names) if stale else frozenset(wanted.names), to_tell)
            if before != found.state:
                self._put(self.state_path, before.dump())
            if stale:
                self._put(self.path, text.encode(errors="surrogateescape"))
            after = State(frozenset(wanted.names), to_tell)
            if after != before and not to_tell:
                self._put(self.state_path, after.dump())
        for name in wanted.expanded if text != found.text else ():
            _log.warning("%s holds ${…}: python-dotenv needs interpolate=False to read it", name)
        return diff if untold is None else to_tell

    def tell_off(self) -> None:
        """Everything was told."""
        self._told("written", self._tell_off)

    def _tell_off(self) -> None:
        with self._lock():
            found = self._find()
            # those that are gone; another process may have written more of them meanwhile
            told = State(found.state.names.intersection(found.values.names))
            if told != found.state:
                self._put(self.state_path, told.dump())

    def _find(self) -> Found:
        content, mode = _read(self.path)
        text = content.decode(errors="surrogateescape")
        return Found(text, Variables(read(text)), self._state(), private=mode == _MODE)

    def _state(self) -> State:
        content, mode = _read(self.state_path)
        if mode is None:
            return State()
        try:
            return State.load(content)
        except ValueError as exc:
            # it will be written anew; until then no name counts as ours, so none is removed
            _log.warning("%s is not what was written there, and not used: %s", self.state_path, exc)
            return State()

    def _sweep(self) -> None:
        """Remove what writers that were killed have left: it holds values, for nobody.

        Under the lock: nobody is writing.
        """
        for path in (self.path, self.state_path):
            folder, name = os.path.split(os.path.realpath(path))
            with os.scandir(folder) as entries:
                left = [
                    entry.path
                    for entry in entries
                    if entry.name.startswith(f"{name}{_PART}") and entry.name.endswith(SUFFIX)
                ]
            for each in left:
                with contextlib.suppress(OSError):  # another's, who can't be kept from such a name
                    os.unlink(each)  # noqa: PTH108 - a string goes with scandir's

    def _put(self, path: str, content: bytes) -> None:
        path = os.path.realpath(path)
        part = PartFile(path, prefix=f"{os.path.basename(path)}{_PART}")  # noqa: PTH119
        try:
            part.open()
            part.write(content)
            part.commit()
        finally:
            part.discard()

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        # the folder, for the files themselves are replaced; no third file is left lying about
        folder = os.open(os.path.dirname(os.path.realpath(self.path)), os.O_RDONLY)  # noqa: PTH120
        try:
            # ENOLCK, EBADF, …: a network's file system; each write is whole there all the same
            with contextlib.suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _told(self, what: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return fn(*args, **kwargs)
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
            where = f" ({exc.filename})" if exc.filename not in {None, self.path} else ""
        # outside, without a context: the frames that it came through hold what was to be written
        raise VendoConfigError(f"{self.path} can't be {what}: {reason}{where}")


def _read(path: str) -> tuple[bytes, int | None]:
    """What is there, and its mode; nothing and None where nothing is."""
    try:
        # a pipe would be waited for
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return b"", None
    with open(file, "rb") as opened:  # noqa: PTH123 - it is open
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            kind = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
            raise OSError(kind, "it is no regular file", path)
        return opened.read(), stat.S_IMODE(status.st_mode)
