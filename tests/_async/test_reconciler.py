"""An env file follows what a mapping gives, and whoever has to know is told."""

from __future__ import annotations

import itertools
import json
import logging
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from quatrain._async.reconciler import AsyncReconciler, bootstrap, plan, start
from quatrain._envsync import Diff
from quatrain.errors.vendo import (
    AuthError,
    ValidationError,
    VendoConfigError,
    VendoServerError,
)

from .._doubles import AsyncLedgerTransport, AsyncManualClock
from .._reconciling import POLL, AsyncVendoDouble

Start = Callable[..., Any]


@pytest.fixture
def vendo(clock: AsyncManualClock) -> AsyncVendoDouble:
    return AsyncVendoDouble(clock)


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return tmp_path / ".env"


class Wanted:
    """A mapping that the test sets."""

    def __init__(self, **values: str) -> None:
        self.values: Any = values
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        if isinstance(self.values, Exception):
            raise self.values
        return self.values


class Told:
    """An on_change that keeps what it is told, and raises what the test sets."""

    def __init__(self) -> None:
        self.diffs: list[Diff] = []
        self.errors: list[Exception] = []

    def __call__(self, diff: Diff) -> None:
        self.diffs.append(diff)
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def keep(
    env: Path, vendo: AsyncVendoDouble, clock: AsyncManualClock, told: Told
) -> AsyncIterator[Start]:
    begun: list[AsyncReconciler] = []

    async def keep(mapping: Any, on_change: Any = told, **settings: Any) -> AsyncReconciler:
        usual = {"client": vendo, "clock": clock, "poll_seconds": POLL}
        begun.append(await start(env, mapping, on_change, **usual | settings))
        return begun[-1]

    yield keep
    for each in begun:
        await each.stop()


def state(env: Path) -> dict[str, Any]:
    return json.loads(Path(f"{env}.vendo-state.json").read_text())


def kept(*names: str, **untold: list[str]) -> dict[str, Any]:
    return {
        "version": 1,
        "names": sorted(names),
        "untold": {"added": [], "removed": [], "changed": []} | untold,
    }


# -- once -----------------------------------------------------------------------------------------


async def test_it_is_written_once(env: Path) -> None:
    """Sorted, quoted where that is needed, for its owner alone; the state holds no value."""
    diff = await bootstrap(env, lambda: {"B": "two words", "A": "sk-1"})
    assert env.read_text() == "A=sk-1\nB='two words'\n"
    assert diff == Diff(added=["A", "B"])
    assert state(env) == kept("A", "B")
    for path in (env, Path(f"{env}.vendo-state.json")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in env.parent.iterdir()) == [".env", ".env.vendo-state.json"]


async def test_what_is_gone_is_removed_and_what_is_not_ours_stays(env: Path) -> None:
    """A person's lines keep their order and their text, below."""
    env.write_text("# mine\nZ=1\n\nA='old'\nHOME_OF=${Z}/x\n")
    assert await bootstrap(env, lambda: {"B": "1", "A": "2"}) == Diff(added=["B"], changed=["A"])
    assert env.read_text() == "A=2\nB=1\n# mine\nZ=1\nHOME_OF=${Z}/x\n"
    assert await bootstrap(env, lambda: {"A": "2"}) == Diff(removed=["B"])
    assert env.read_text() == "A=2\n# mine\nZ=1\nHOME_OF=${Z}/x\n"
    assert state(env) == kept("A")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        ["A"],
        {"A": 1},
        {"A": None},
        {"A": "nul\0"},
        {"A": "\ud800"},
        {"": "x"},
        {"A B": "x"},
        {"1A": "x"},
        {"A\n": "x"},
        {"É": "x"},
        {1: "x"},
        {"A=B\nC": "x"},
    ],
)
async def test_what_is_no_variable_is_refused(env: Path, answer: Any) -> None:
    """And nothing is touched."""
    env.write_text("A=1\n")
    with pytest.raises(ValidationError) as caught:
        await bootstrap(env, lambda: answer)
    assert "x" not in str(caught.value).split()
    assert [p.name for p in env.parent.iterdir()] == [".env"]
    assert env.read_text() == "A=1\n"


async def test_a_mapping_that_raises_changes_nothing(env: Path) -> None:
    """Its error comes out as it is."""
    mapping = Wanted()
    mapping.values = KeyError("no such")
    with pytest.raises(KeyError, match="no such"):
        await bootstrap(env, mapping)
    assert list(env.parent.iterdir()) == []


async def test_a_plan_changes_nothing(env: Path) -> None:
    """It says what would."""
    await bootstrap(env, lambda: {"A": "1", "B": "1"})
    before = env.read_text(), state(env)
    assert await plan(env, lambda: {"B": "2", "C": "1"}) == Diff(["C"], ["A"], ["B"])
    assert (env.read_text(), state(env)) == before


async def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    """It is said of what, and why; not what was to be written."""
    for path in (tmp_path / "missing" / ".env", tmp_path):
        with pytest.raises(VendoConfigError, match="can't be") as caught:
            await bootstrap(path, lambda: {"A": "secret"})
        assert str(path) in str(caught.value)
        assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# -- kept -----------------------------------------------------------------------------------------


async def test_nobody_is_told_of_what_was_there_at_the_start(
    env: Path, keep: Start, vendo: AsyncVendoDouble, told: Told
) -> None:
    """The program has read it."""
    wanted = Wanted(A="1")
    await bootstrap(env, wanted)
    keeper = await keep(wanted)
    await vendo.at_rest(1)
    assert wanted.calls == 2
    assert told.diffs == []
    assert keeper.running
    assert keeper.last_error is None


async def test_what_is_different_is_written_and_told_at_once(
    env: Path, keep: Start, vendo: AsyncVendoDouble, told: Told
) -> None:
    """Without any poll."""
    await bootstrap(env, lambda: {"A": "1", "B": "1"})
    await keep(Wanted(A="2", C="1"))
    await vendo.at_rest(1)
    assert told.diffs == [Diff(["C"], ["B"], ["A"])]
    assert env.read_text() == "A=2\nC=1\n"
    assert state(env) == kept("A", "C")


async def test_it_polls(
    env: Path, keep: Start, vendo: AsyncVendoDouble, told: Told, clock: AsyncManualClock
) -> None:
    """Every 30 s; what is as it was is not written."""
    wanted = Wanted(A="1")
    await bootstrap(env, wanted)
    await keep(wanted)
    await vendo.at_rest(1)
    written = env.stat().st_mtime_ns, env.stat().st_ino
    await clock.advance(29)
    assert wanted.calls == 2
    await clock.advance(2)
    await vendo.at_rest(2)
    assert wanted.calls == 3
    assert (env.stat().st_mtime_ns, env.stat().st_ino) == written
    wanted.values = {"A": "2"}
    await clock.advance(30)
    await vendo.at_rest(3)
    assert told.diffs == [Diff(changed=["A"])]
    assert env.read_text() == "A=2\n"


@pytest.mark.parametrize(
    "kind", ["connection.connected", "connection.status_changed", "connection_deleted"]
)
async def test_it_looks_at_once_when_a_connection_changes(
    env: Path, keep: Start, vendo: AsyncVendoDouble, kind: str
) -> None:
    """And the kept token was dropped before."""
    seen: list[list[str | None]] = []

    def mapping() -> dict[str, str]:
        seen.append(list(vendo.forgotten))
        return {"A": str(len(seen))}

    await keep(mapping)
    await vendo.at_rest(1)
    await vendo.listened_to()
    vendo.send("billing.usage_recorded", {"slug": "other"})
    vendo.send(kind, {"slug": "openai"})
    await vendo.at_rest(2)
    assert seen == [[], ["openai"]]
    assert env.read_text() == "A=2\n"
    vendo.send(kind, "no object")
    await vendo.at_rest(3)
    assert seen[-1] == ["openai", None]


async def test_a_wake_while_it_looks_makes_it_look_again(
    keep: Start, vendo: AsyncVendoDouble
) -> None:
    """What changed meanwhile may have been missed."""
    keepers: list[AsyncReconciler] = []
    calls: list[int] = []

    async def mapping() -> dict[str, str]:
        calls.append(1)
        if len(calls) == 2:
            keepers[0].wake()
        return {"A": "1"}

    keepers.append(await keep(mapping))
    await vendo.at_rest(1)
    keepers[0].wake()
    await vendo.wait_until(lambda: len(calls) == 3)


async def test_many_events_are_few_looks(
    keep: Start, vendo: AsyncVendoDouble, clock: AsyncManualClock
) -> None:
    """One a second."""
    times: list[float] = []

    async def mapping() -> dict[str, str]:
        times.append(clock.now())
        if len(times) > 1:
            vendo.send("connection.changed", {"slug": "openai"})
        return {"A": "1"}

    keeper = await keep(mapping)
    await vendo.at_rest(1)
    await vendo.listened_to()
    keeper.wake()
    await vendo.wait_until(lambda: len(times) >= 5)
    assert all(later - sooner >= 1 for sooner, later in itertools.pairwise(times))


async def test_a_mapping_that_raises_leaves_the_file_and_is_retried(
    env: Path,
    keep: Start,
    vendo: AsyncVendoDouble,
    told: Told,
    clock: AsyncManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After 1, 2, 4 s, …; it is said once, without what it says of values."""
    caplog.set_level(logging.WARNING, "quatrain")
    await bootstrap(env, lambda: {"A": "1"})
    wanted = Wanted()
    wanted.values = ValueError("sk-secret")
    keeper = await keep(wanted)
    await vendo.wait_until(lambda: 4.0 in clock.slept)
    assert [s for s in clock.slept if s in {1.0, 2.0, 4.0}] == [1.0, 2.0, 4.0]
    assert keeper.last_error is wanted.values
    wanted.values = {"A": 1}
    await clock.advance(4)
    await vendo.wait_until(lambda: 8.0 in clock.slept)
    assert isinstance(keeper.last_error, ValidationError)
    assert (env.read_text(), told.diffs) == ("A=1\n", [])
    wanted.values = {"A": "2"}
    await clock.advance(8)
    await vendo.at_rest(1)
    assert keeper.last_error is None
    assert (env.read_text(), told.diffs) == ("A=2\n", [Diff(changed=["A"])])
    (line,) = caplog.messages
    assert "ValueError" in line
    assert "secret" not in line


async def test_what_could_not_be_told_is_told_again(
    env: Path, keep: Start, vendo: AsyncVendoDouble, told: Told, clock: AsyncManualClock
) -> None:
    """With what came meanwhile; until then the state remembers it."""
    told.errors = [OSError("down"), OSError("down"), OSError("down")]
    wanted = Wanted(A="1")
    keeper = await keep(wanted)
    await vendo.wait_until(lambda: 4.0 in clock.slept)
    assert env.read_text() == "A=1\n"
    assert state(env) == kept("A", added=["A"])
    assert isinstance(keeper.last_error, OSError)
    wanted.values = {"A": "2", "B": "1"}
    await clock.advance(4)
    await vendo.at_rest(1)
    assert told.diffs == [*[Diff(["A"])] * 3, Diff(["A", "B"])]
    assert state(env) == kept("A", "B")
    assert keeper.last_error is None


async def test_what_an_earlier_process_did_not_tell_is_told(
    env: Path, keep: Start, vendo: AsyncVendoDouble, told: Told
) -> None:
    """With what is new; and before that it is forgotten, lest a callable that ends its process
    does so for ever.
    """
    await bootstrap(env, lambda: {"A": "1", "B": "1"})
    Path(f"{env}.vendo-state.json").write_text(json.dumps(kept("A", "B", changed=["A"])))
    meanwhile: list[Any] = []

    def on_change(diff: Diff) -> None:
        meanwhile.append(state(env))
        told(diff)

    await keep(Wanted(A="1"), on_change)
    await vendo.at_rest(1)
    assert told.diffs == [Diff(removed=["B"], changed=["A"])]
    assert meanwhile == [kept("A")]


async def test_what_a_person_changes_by_hand_is_put_back_and_told(
    env: Path, keep: Start, vendo: AsyncVendoDouble, told: Told, clock: AsyncManualClock
) -> None:
    """Somebody may have read it; what they add of their own stays."""
    await keep(Wanted(A="1", B="1"))
    await vendo.at_rest(1)
    env.write_text("A=5\nMINE=1\n")
    env.chmod(0o644)
    await clock.advance(30)
    await vendo.at_rest(2)
    assert env.read_text() == "A=1\nB=1\nMINE=1\n"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert told.diffs[1:] == [Diff(added=["B"], changed=["A"])]


async def test_each_of_two_that_keep_a_file_tells_its_own(
    env: Path, keep: Start, vendo: AsyncVendoDouble, told: Told
) -> None:
    """The second finds the file in step, and its program has the old values all the same."""
    wanted, other = Wanted(A="1"), Told()
    await bootstrap(env, wanted)
    first = await keep(wanted)
    second = await keep(wanted, other)
    await vendo.at_rest(2)
    wanted.values = {"A": "2"}
    first.wake()
    await vendo.at_rest(3)
    second.wake()
    await vendo.at_rest(4)
    assert (told.diffs, other.diffs) == ([Diff(changed=["A"])], [Diff(changed=["A"])])


async def test_a_restart_happens_once_when_all_is_written(
    env: Path, keep: Start, vendo: AsyncVendoDouble, clock: AsyncManualClock
) -> None:
    """A program that takes its time to end is not told again, and the next finds nothing to do."""
    seen: list[Any] = []

    def restart() -> None:
        seen.append((env.read_text(), state(env)))

    wanted = Wanted(A="1")
    await bootstrap(env, wanted)
    keeper = await keep(wanted, "restart", restart=restart)
    await vendo.at_rest(1)
    assert seen == []
    wanted.values = {"A": "2"}
    await clock.advance(30)
    await vendo.at_rest(2)
    await clock.advance(30)
    await vendo.at_rest(3)
    assert seen == [("A=2\n", kept("A"))]
    await keeper.stop()
    await keep(wanted, "restart", restart=restart)
    await vendo.at_rest(4)
    assert len(seen) == 1


# -- the reload hook ------------------------------------------------------------------------------


class Gateway:
    """What is told to reload."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[int] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.answers.pop(0) if self.answers else 204, text="ok")


async def test_a_hook_is_told_which_names_differ(
    env: Path, keep: Start, vendo: AsyncVendoDouble, clock: AsyncManualClock
) -> None:
    """All of them, and no key; again while it fails."""
    await bootstrap(env, lambda: {"B": "1", "C": "1"})
    gateway = Gateway()
    gateway.answers = [503]
    async with httpx.AsyncClient(transport=AsyncLedgerTransport(gateway)) as http:
        url = "http://gateway.internal:8080/reload?why=env"
        keeper = await keep(Wanted(A="1", B="2"), "reload-hook", reload_url=url, http_client=http)
        await vendo.wait_until(lambda: len(gateway.requests) == 2)
        await vendo.at_rest(1)
        for request in gateway.requests:
            assert (request.method, str(request.url)) == ("POST", url)
            assert json.loads(request.content) == {"changed": ["A", "B", "C"]}
            assert "authorization" not in request.headers
        assert keeper.last_error is None
        assert state(env) == kept("A", "B")
        gateway.answers = [500] * 9
        env.write_text("A=9\n")
        await clock.advance(30)
        await vendo.wait_until(lambda: keeper.last_error is not None)
        assert isinstance(keeper.last_error, VendoServerError)
        await keeper.stop()


# -- settings, start and stop ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"mapping": {"A": "1"}},
        {"mapping": lambda a, b: {}},
        {"on_change": "reload"},
        {"on_change": None},
        {"on_change": "reload-hook"},
        {"on_change": "reload-hook", "reload_url": ""},
        {"on_change": "reload-hook", "reload_url": "ftp://host/x"},
        {"on_change": "reload-hook", "reload_url": "http://"},
        {"on_change": "reload-hook", "reload_url": "http://[x"},
        {"on_change": "reload-hook", "reload_url": "http://u:p@host/x"},
        {"on_change": "restart", "reload_url": "http://host/x"},
        {"poll_seconds": 0},
        {"poll_seconds": float("inf")},
        {"poll_seconds": "30"},
        {"env_file": 3},
        {"env_file": ""},
        {"env_file": "a\0b"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    """Before anything begins."""
    usual: dict[str, Any] = {"env_file": "x", "mapping": dict}
    with pytest.raises(ValidationError):
        AsyncReconciler(**usual | settings)


async def test_it_stops(env: Path, keep: Start, vendo: AsyncVendoDouble) -> None:
    """Its subscription is closed; twice is fine, and so is one that was never started."""
    wanted = Wanted(A="1")
    keeper = await keep(wanted)
    await vendo.at_rest(1)
    await vendo.listened_to()
    await keeper.stop()
    assert not keeper.running
    assert vendo.subscriptions[0].closed
    keeper.wake()
    await keeper.stop()
    assert wanted.calls == 1
    await AsyncReconciler(env, wanted).stop()
    async with keeper:
        assert keeper.running
    assert not keeper.running


async def test_its_own_on_change_may_stop_it(keep: Start, vendo: AsyncVendoDouble) -> None:
    """It does not wait for itself."""
    keepers: list[AsyncReconciler] = []
    diffs: list[Diff] = []

    async def on_change(diff: Diff) -> None:
        await vendo.wait_until(lambda: bool(keepers))
        diffs.append(diff)
        await keepers[0].stop()

    keepers.append(await keep(Wanted(A="1"), on_change))
    await vendo.wait_until(lambda: bool(diffs) and not keepers[0].running)


async def test_nothing_is_written_after_the_stop(
    env: Path, keep: Start, vendo: AsyncVendoDouble
) -> None:
    """Also where the mapping was being asked: here it is it that stops."""
    keepers: list[AsyncReconciler] = []

    async def mapping() -> dict[str, str]:
        await vendo.wait_until(lambda: bool(keepers))
        await keepers[0].stop()
        return {"A": "1"}

    keepers.append(await keep(mapping))
    await vendo.wait_until(lambda: not keepers[0].running)
    assert not env.exists()


async def test_it_goes_on_without_events(
    keep: Start, vendo: AsyncVendoDouble, clock: AsyncManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """They are asked for again later; it is said once."""
    caplog.set_level(logging.WARNING, "quatrain")
    vendo.refusals = [AuthError(401, None, message="revoked"), AuthError(401, None)]
    wanted = Wanted(A="1")
    await keep(wanted)
    await vendo.at_rest(1)
    await vendo.wait_until(lambda: 300.0 in clock.slept)
    for rests in range(2, 22):
        await clock.advance(30)
        await vendo.at_rest(rests)
    await vendo.listened_to()
    assert wanted.calls == 21
    (line,) = caplog.messages
    assert "revoked" in line


async def test_without_a_platform_it_polls(
    keep: Start, vendo: AsyncVendoDouble, clock: AsyncManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is wrong with that."""
    caplog.set_level(logging.INFO, "quatrain")
    vendo.without_platform()
    wanted = Wanted(A="1")
    await keep(wanted)
    await vendo.at_rest(1)
    await clock.advance(30)
    await vendo.at_rest(2)
    assert wanted.calls == 2
    assert vendo.subscriptions == []
    assert caplog.messages == []


async def test_its_own_plan(env: Path, keep: Start, vendo: AsyncVendoDouble) -> None:
    """It says what the next look would change."""
    wanted = Wanted(A="1")
    keeper = await keep(wanted)
    await vendo.at_rest(1)
    assert not await keeper.plan()
    wanted.values = {"B": "1"}
    assert await keeper.plan() == Diff(["B"], ["A"], [])
    assert env.read_text() == "A=1\n"
    assert repr(keeper) == f"<{type(keeper).__name__} {env}>"
