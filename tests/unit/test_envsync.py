"""An env file and its state on the disk: what differs, what a crash leaves, what is in the way."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quatrain._envsync import Diff, EnvFile, State, Variables
from quatrain._part_file import PartFile
from quatrain._runtime._sync import SYSTEM_CLOCK, Keeper
from quatrain._sync.reconciler import Reconciler
from quatrain.errors.vendo import ValidationError, VendoConfigError


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def of(**values: str) -> Variables:
    return Variables(values)


# -- what differs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then", "both"),
    [
        (Diff(["A"]), Diff(changed=["A"]), Diff(["A"])),
        (Diff(["A"]), Diff(removed=["A"]), Diff(removed=["A"])),
        (Diff(removed=["A"]), Diff(["A"]), Diff(changed=["A"])),
        (Diff(changed=["A"]), Diff(removed=["A"]), Diff(removed=["A"])),
        (Diff(changed=["A"]), Diff(["A"]), Diff(changed=["A"])),
        (Diff(["B"]), Diff(["A"], ["D"], ["C"]), Diff(["A", "B"], ["D"], ["C"])),
    ],
)
def test_two_differences_are_one(first: Diff, then: Diff, both: Diff) -> None:
    """For who knows neither."""
    assert first.then(then) == both


NAMES = st.lists(st.sampled_from("ABCD"), unique=True)


@given(NAMES, NAMES, NAMES)
def test_the_same_twice_is_the_same(added: list[str], removed: list[str], rest: list[str]) -> None:
    """Nothing is told as something else because it was found twice."""
    removed = sorted(set(removed) - set(added))
    diff = Diff(sorted(added), removed, sorted(set(rest) - set(added) - set(removed)))
    assert diff.then(diff) == diff
    assert Diff().then(diff) == diff.then(Diff()) == diff
    assert bool(diff) is bool(diff.names)


def test_only_names_show() -> None:
    """In no repr is there a value."""
    assert repr(Variables.checked({"B": "sk-1", "A": "sk-2"})) == "Variables(A, B)"
    with pytest.raises(ValidationError) as caught:
        Variables.checked({"A": b"sk-3"})
    assert "sk-" not in repr(caught.value)


# -- a crash --------------------------------------------------------------------------------------


class Died(BaseException):
    """The process was killed."""


class Life:
    """One process that looks once."""

    def __init__(self, env: Path, on_change: Any, **values: str) -> None:
        self.told: list[Diff] = []
        self.dies_telling = False
        settings: dict[str, Any] = {"restart": self.tell} if on_change == "restart" else {}
        tell = on_change if on_change == "restart" else self.tell
        self.keeper = Reconciler(env, lambda: values, tell, **settings)

    def tell(self, diff: Diff | None = None) -> None:
        self.told.append(diff or Diff(changed=["restart"]))
        if self.dies_telling:
            raise Died

    def live(self) -> None:
        self.keeper._take_stock()
        self.keeper._look(Keeper(SYSTEM_CLOCK))


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the process killed just before, or just after, its so many'th write."""
    put = EnvFile._put

    def kill(at: int | None, *, after: bool) -> None:
        writes: list[str] = []

        def dying(self: EnvFile, path: str, content: bytes) -> None:
            writes.append(path)
            if len(writes) == at and not after:
                raise Died
            put(self, path, content)
            if len(writes) == at:
                raise Died

        monkeypatch.setattr(EnvFile, "_put", dying)

    return kill


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_crash_at_any_write_loses_nothing(
    env: Path, kill: Callable[..., None], at: int, after: bool
) -> None:
    """Whoever comes next tells it, what was ours is still known to be, and it ends there."""
    Life(env, "call", A="1", B="1").live()
    first = Life(env, "call", A="2", C="1")
    kill(at, after=after)
    with pytest.raises(Died):
        first.live()
    kill(None, after=False)
    second = Life(env, "call", A="2", C="1")
    second.live()
    told = first.told + second.told
    assert told
    assert all(diff == Diff(["C"], ["B"], ["A"]) for diff in told)
    assert env.read_text() == "A=2\nC=1\n"
    third = Life(env, "call", A="2", C="1")
    third.live()
    assert third.told == []
    assert EnvFile(env).find().state == State(frozenset({"A", "C"}))


def test_a_crash_in_the_midst_of_a_write_leaves_nothing_for_long(
    env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file holds values, and has the file's name in its own; others' files stay."""

    def die(*_: object) -> None:
        raise Died

    EnvFile(env).write(of(A="1"), None)
    beside = env.with_name(".env.quatrain-notes"), env.with_name(".quatrain-1.part")
    for path in beside:
        path.touch()
    env.with_name(".env.quatrain-folder.part").mkdir()
    before = set(env.parent.iterdir())
    monkeypatch.setattr(os, "replace", die)
    monkeypatch.setattr(PartFile, "discard", die)
    with pytest.raises(Died):
        EnvFile(env).write(of(A="2"), None)
    monkeypatch.undo()
    (left,) = set(env.parent.iterdir()) - before
    assert left.name.startswith(".env.quatrain-")
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    EnvFile(env).write(of(A="1"), None)
    assert set(env.parent.iterdir()) == before


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_crash_on_the_way_to_a_restart_is_one(
    env: Path, kill: Callable[..., None], at: int, after: bool
) -> None:
    """Who reads the new file at its start is not restarted again."""
    Life(env, "restart", A="1", B="1").live()
    first = Life(env, "restart", A="2", C="1")
    kill(at, after=after)
    with pytest.raises(Died):
        first.live()
    kill(None, after=False)
    in_step = env.read_text() == "A=2\nC=1\n"
    lives = [Life(env, "restart", A="2", C="1") for _ in range(3)]
    for life in lives:
        life.live()
    assert [len(life.told) for life in lives] == [int(not in_step), 0, 0]
    assert env.read_text() == "A=2\nC=1\n"


def test_a_callable_that_ends_its_process_does_so_twice_at_most(env: Path) -> None:
    """It can't be seen from a crash in the middle of telling."""
    lives = [Life(env, "call", A="1") for _ in range(4)]
    for life in lives:
        life.dies_telling = True
    for life in lives[:2]:
        with pytest.raises(Died):
            life.live()
    for life in lives[2:]:
        life.live()
    assert [len(life.told) for life in lives] == [1, 1, 0, 0]


def test_what_another_process_wrote_meanwhile_stays_known(env: Path) -> None:
    """Else it would never be removed."""
    EnvFile(env).write(of(A="1"), Diff())
    EnvFile(env).write(of(A="1", B="1"), Diff())
    EnvFile(env).tell_off()
    assert EnvFile(env).find().state == State(frozenset({"A", "B"}))


# -- what lies there ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"version": 2, "names": [], "untold": {}}',
        b'{"version": 1, "names": ["A B"], "untold": {}}',
        b'{"version": 1, "names": ["A"]}',
        b'{"version": 1, "names": ["A"], "untold": {"added": [1]}}',
        b"[" * 100_000,
    ],
)
def test_a_state_that_is_none_takes_nothing_away(
    env: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and written anew: no name counts as ours until then."""
    env.write_text("A=1\nB=1\n")
    Path(f"{env}.vendo-state.json").write_bytes(content)
    assert EnvFile(env).write(of(B="2"), None) == Diff(changed=["B"])
    assert env.read_text() == "B=2\nA=1\n"
    assert "not what was written there" in caplog.text
    assert json.loads(Path(f"{env}.vendo-state.json").read_text())["names"] == ["B"]


def test_what_others_could_read_is_made_private(env: Path) -> None:
    """Nothing else is wrong with it, so nothing is told."""
    EnvFile(env).write(of(A="1"), None)
    env.chmod(0o644)
    assert EnvFile(env).write(of(A="1"), None) == Diff()
    assert stat.S_IMODE(env.stat().st_mode) == 0o600


def test_a_link_is_written_through(tmp_path: Path) -> None:
    """The state lies beside the link; what it points to may not be there yet."""
    (tmp_path / "real").mkdir()
    link = tmp_path / ".env"
    link.symlink_to("real/env")
    EnvFile(link).write(of(A="1"), None)
    EnvFile(link).write(of(A="2"), None)
    assert link.is_symlink()
    assert (tmp_path / "real" / "env").read_text() == "A=2\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".env", ".env.vendo-state.json", "real"]


def test_bytes_that_are_no_text_stay(env: Path) -> None:
    """They are others'."""
    env.write_bytes(b"# caf\xe9\nA=1\n")
    EnvFile(env).write(of(A="2"), None)
    assert env.read_bytes() == b"A=2\n# caf\xe9\n"


def test_a_pipe_is_not_waited_for(env: Path) -> None:
    """Nor is a file put in its place."""
    os.mkfifo(env)
    with pytest.raises(VendoConfigError, match="no regular file"):
        EnvFile(env).write(of(A="1"), None)
    assert stat.S_ISFIFO(env.stat().st_mode)


def test_where_a_program_goes_afterwards_does_not_matter(
    env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is one of where it was then."""
    monkeypatch.chdir(env.parent)
    file = EnvFile(".env")
    monkeypatch.chdir("/")
    file.write(of(A="1"), None)
    assert env.read_text() == "A=1\n"


def test_a_failed_write_leaves_what_was_there(env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said by its path and reason, with no value in what is raised or in its frames."""
    EnvFile(env).write(of(A="1"), None)
    before = env.read_text(), EnvFile(env).find().state

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VendoConfigError, match="No space left") as caught:
        EnvFile(env).write(of(A="sk-secret"), None)
    assert caught.value.__context__ is None
    monkeypatch.undo()
    assert (env.read_text(), EnvFile(env).find().state) == before
    assert len(list(env.parent.iterdir())) == 2


def test_writers_come_one_after_another(env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads what another is about to replace."""
    put = EnvFile._put
    inside: list[str] = []

    def watched(self: EnvFile, path: str, content: bytes) -> None:
        inside.append(threading.current_thread().name)
        put(self, path, content)
        inside.append(threading.current_thread().name)

    monkeypatch.setattr(EnvFile, "_put", watched)
    files = [EnvFile(env) for _ in range(8)]
    wanted = [of(**{name: str(n) for name in "ABC"}) for n in range(8)]
    threads = [
        threading.Thread(target=file.write, args=(values, None))
        for file, values in zip(files, wanted, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = [a for a, b in zip(inside, [None, *inside], strict=False) if a != b]
    assert len(runs) == len(set(runs)) == 8
    assert len(set(env.read_text().replace("\n", "=").split("=")[1::2])) == 1


def test_what_python_dotenv_would_expand_is_said_when_it_is_written(
    env: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By name, once."""
    for _ in range(2):
        EnvFile(env).write(of(A="x${Y}", B="y"), None)
    (line,) = caplog.messages
    assert line.startswith("A holds")
    assert "x$" not in line
