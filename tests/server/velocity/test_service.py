"""A founder's business data on the store: what changes, what is refused, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from quatrain.errors import InputError
from quatrain.server.store import Store
from quatrain.server.velocity import (
    Account,
    BusinessData,
    Installs,
    Member,
    Module,
    ModuleNotCompletedError,
    NewTask,
    Task,
    TaskCompletedError,
    TaskNotFoundError,
    events,
)

from .._support import START, ServerClock
from ._support import add_endpoint, outbox

REVIEW = NewTask(action="Hold the review", module_source="L12")


@pytest.fixture
def endpoint(store: Store, installs: Installs, account: Account) -> int:
    """Of an extension that may know everything."""
    install, _ = installs.create(account.id, "sync")
    return add_endpoint(store, install.extension_id)


async def test_an_account_is_made_once(data: BusinessData) -> None:
    """The second time it is found as it is."""
    assert await data.account_of("acme") is None
    first = await data.ensure_account("acme", email="ann@acme.example", name="Ann")
    expected = Account(
        first.id, "acme", "ann@acme.example", "Ann", "growth", "default", "{}", START
    )
    assert expected == first
    assert first == await data.ensure_account("acme", email="other@acme.example")
    assert first == await data.account_of("acme") == await data.whoami(first.id)


async def test_an_account_has_a_name_of_its_own(data: BusinessData) -> None:
    """Its tenant's, unless somebody said another."""
    account = await data.ensure_account("acme")
    assert ("founder@example.com", "acme") == (account.email, account.name)


@pytest.mark.parametrize("tenant", ["", " ", "a\nb", "x" * 201])
async def test_a_tenant_is_a_name(data: BusinessData, tenant: str) -> None:
    """As it is for the other platforms' keys."""
    with pytest.raises(InputError, match="a tenant"):
        await data.ensure_account(tenant)
    with pytest.raises(InputError, match="a tenant"):
        await data.seed(tenant)


async def test_a_new_task_is_open(
    data: BusinessData, store: Store, account: Account, endpoint: int
) -> None:
    """At the end of the backlog, and tasks.created tells of it."""
    new = NewTask(
        action="Hold the review",
        module_source="L12",
        category="people",
        timeframe="this_week",
        quadrant="schedule",
        assignee="Bo",
        deadline="2026-05-15",
    )
    task = await data.create_task(account.id, new)
    expected = Task(
        "task_1",
        "L12",
        "Hold the review",
        "people",
        "this_week",
        "schedule",
        "Bo",
        "2026-05-15",
        START,
        START,
        None,
    )
    assert expected == task
    assert ([expected], []) == await data.tasks(account.id)
    payload = {
        "module_source": "L12",
        "action": "Hold the review",
        "category": "people",
        "timeframe": "this_week",
    }
    assert [(endpoint, "tasks.created", payload)] == outbox(store)


async def test_empty_optional_values_are_absent(data: BusinessData, account: Account) -> None:
    """The client sends an empty string for what it was not given."""
    absent = {"category": "", "timeframe": "", "quadrant": "", "assignee": "", "deadline": ""}
    task = await data.create_task(account.id, NewTask(action="a", module_source="m", **absent))
    assert dict.fromkeys(absent) == {name: getattr(task, name) for name in absent}


async def test_an_open_task_changes(
    data: BusinessData,
    store: Store,
    account: Account,
    endpoint: int,
    clock: ServerClock,
) -> None:
    """The fields that were given, and tasks.updated tells of it."""
    task = await data.create_task(account.id, REVIEW)
    clock.advance(5)
    changes = {"quadrant": "delegate", "assignee": "Bo", "deadline": "2026-06-01"}
    changed = await data.update_task(account.id, task.task_id, changes)
    assert ("Hold the review", "delegate", "Bo", "2026-06-01", START, START + 5) == (
        changed.action,
        changed.quadrant,
        changed.assignee,
        changed.deadline,
        changed.created_at,
        changed.updated_at,
    )
    assert ([changed], []) == await data.tasks(account.id)
    payload = {"module_source": "L12", "action": "Hold the review", **changes}
    assert (endpoint, "tasks.updated", payload) == outbox(store)[-1]
    cleared = await data.update_task(account.id, task.task_id, {"assignee": "", "deadline": None})
    assert (None, None) == (cleared.assignee, cleared.deadline)


async def test_a_task_is_completed_once(
    data: BusinessData,
    store: Store,
    account: Account,
    endpoint: int,
    clock: ServerClock,
) -> None:
    """tasks.updated tells of it; then it can neither change nor be done again."""
    task = await data.create_task(account.id, REVIEW)
    clock.advance(7)
    done = await data.complete_task(account.id, task.task_id)
    assert START + 7 == done.completed_at
    assert ([], [done]) == await data.tasks(account.id)
    assert ["tasks.created", "tasks.updated"] == [event for _, event, _ in outbox(store)]
    with pytest.raises(TaskCompletedError, match="task_1 is completed"):
        await data.complete_task(account.id, task.task_id)
    with pytest.raises(TaskCompletedError):
        await data.update_task(account.id, task.task_id, {"action": "other"})
    assert 2 == len(outbox(store))


@pytest.mark.parametrize("task_id", ["task_9", "task_", "9", "", "task_x", "task_" + "9" * 30])
async def test_a_task_that_is_not_there_is_refused(
    data: BusinessData, account: Account, task_id: str
) -> None:
    """Whatever its id looks like."""
    with pytest.raises(TaskNotFoundError, match="there is no task"):
        await data.complete_task(account.id, task_id)
    with pytest.raises(TaskNotFoundError, match="there is no task"):
        await data.update_task(account.id, task_id, {"action": "a"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "nothing to change"),
        ({"colour": "red"}, "colour"),
        ({"task_id": "task_2"}, "task_id"),
        ({"completed_at": 1}, "completed_at"),
        ({"action": ""}, "action"),
        ({"action": " "}, "action"),
        ({"action": None}, "action"),
        ({"action": 5}, "action"),
        ({"action": "x" * 2_001}, "action"),
        ({"action": "\ud800"}, "surrogate"),
        ({"quadrant": "later"}, "do_first, schedule, delegate, eliminate"),
        ({"category": "sales"}, "strategy, operations, people, finance"),
        ({"timeframe": "today"}, "this_week, this_month, this_quarter"),
        ({"deadline": "2026-02-30"}, "deadline"),
        ({"deadline": "20260228"}, "deadline"),
        ({"deadline": "2026-W01-1"}, "deadline"),
    ],
)
async def test_changes_that_a_task_cannot_have(
    data: BusinessData, account: Account, changes: dict[str, Any], words: str
) -> None:
    """Refused before the store is asked, and named."""
    task = await data.create_task(account.id, REVIEW)
    with pytest.raises(InputError, match=words):
        await data.update_task(account.id, task.task_id, changes)
    assert ([task], []) == await data.tasks(account.id)


async def test_a_member_joins_the_team(
    data: BusinessData, store: Store, account: Account, endpoint: int
) -> None:
    """team.added tells of it."""
    member = await data.add_member(account.id, "Bo", "Design", "bo@acme.example")
    assert Member("Bo", "Design", "bo@acme.example") == member
    assert [member] == await data.team(account.id)
    payload = {"name": "Bo", "role": "Design", "email": "bo@acme.example"}
    assert [(endpoint, "team.added", payload)] == outbox(store)
    assert Member("Cy", "", "") == await data.add_member(account.id, "Cy", "", "")


async def test_a_member_needs_a_name(data: BusinessData, account: Account) -> None:
    """And an email, when there is one, needs its @."""
    for values in (
        ("", "r", "a@b"),
        (" ", "r", "a@b"),
        ("n", "r", "nowhere"),
        ("n", "r", "@" * 321),
    ):
        with pytest.raises(InputError, match="team member"):
            await data.add_member(account.id, *values)
    assert [] == await data.team(account.id)


async def test_a_module_is_completed_and_completed_anew(
    data: BusinessData,
    store: Store,
    account: Account,
    endpoint: int,
    clock: ServerClock,
) -> None:
    """Under its upper-case code; module.updated tells of each."""
    first = await data.complete_module(account.id, "f6", '{"n":1}')
    assert Module("F6", "completed", '{"n":1}', START) == first
    clock.advance(1_000)
    second = await data.complete_module(account.id, "F6", '{"n":2}')
    assert [second] == await data.modules(account.id)
    assert '{"n":2}' == (await data.module(account.id, "f6")).output
    assert [
        (
            endpoint,
            "module.updated",
            {"module_code": "F6", "completed_at": "2027-01-15T08:00:00.000Z"},
        ),
        (
            endpoint,
            "module.updated",
            {"module_code": "F6", "completed_at": "2027-01-15T08:00:01.000Z"},
        ),
    ] == outbox(store)


async def test_a_module_without_output_is_not_there(data: BusinessData) -> None:
    """In progress or never touched."""
    account = await data.seed("acme")
    for code in ("L12", "Z9", "", "'; DROP TABLE velocity_modules"):
        with pytest.raises(ModuleNotCompletedError, match="is not completed"):
            await data.module(account.id, code)


@pytest.mark.parametrize("code", ["", " ", "x" * 51, "a\nb"])
async def test_a_modules_code_is_a_short_name(
    data: BusinessData, account: Account, code: str
) -> None:
    """Or it could not be asked for."""
    with pytest.raises(InputError, match="a module's code"):
        await data.complete_module(account.id, code, "{}")


async def test_a_subscription_changes(
    data: BusinessData, store: Store, account: Account, endpoint: int
) -> None:
    """subscription.changed tells of it; the academy's tier shows its programs."""
    await data.seed("acme")
    await data.set_tier(account.id, "growth", "downgrade")
    assert [] == await data.programs(account.id)
    changed = await data.set_tier(account.id, "academy", "upgrade")
    assert "academy" == changed.tier == (await data.whoami(account.id)).tier
    assert ["Direct Booking Accelerator", "Off-Season Playbook"] == [
        program.name for program in await data.programs(account.id)
    ]
    payload = {"new_tier": "academy", "source": "upgrade"}
    assert (endpoint, "subscription.changed", payload) == outbox(store)[-1]
    for tier, source in (("", "s"), ("t", " ")):
        with pytest.raises(InputError):
            await data.set_tier(account.id, tier, source)


async def test_tenants_see_nothing_of_each_other(
    data: BusinessData, store: Store, account: Account, endpoint: int
) -> None:
    """Neither data nor events, whatever ids they know."""
    other = await data.seed("other")
    task = await data.create_task(account.id, REVIEW)
    before = await data.tasks(other.id)
    assert [] == await data.modules(account.id) == await data.offers(account.id)
    assert [] == await data.team(account.id) == await data.partnerships(account.id)
    for change in (data.complete_task, lambda a, t: data.update_task(a, t, {"action": "x"})):
        with pytest.raises(TaskNotFoundError):
            await change(other.id, task.task_id)
    assert ([task], []) == await data.tasks(account.id)
    assert before == await data.tasks(other.id)
    told = len(outbox(store))
    await data.create_task(other.id, REVIEW)
    assert told == len(outbox(store))


@pytest.mark.parametrize("what", ["task", "member", "module", "tier", "change", "done"])
async def test_a_change_and_its_events_are_one(
    data: BusinessData,
    store: Store,
    account: Account,
    endpoint: int,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    """An outbox that can't be written leaves no change behind."""
    task = await data.create_task(account.id, REVIEW)

    async def everything() -> list[Any]:
        asked = (data.tasks, data.team, data.modules, data.whoami)
        return [await ask(account.id) for ask in asked]

    changes = {
        "task": lambda: data.create_task(account.id, REVIEW),
        "member": lambda: data.add_member(account.id, "Bo", "", ""),
        "module": lambda: data.complete_module(account.id, "F1", "{}"),
        "tier": lambda: data.set_tier(account.id, "academy", "upgrade"),
        "change": lambda: data.update_task(account.id, task.task_id, {"action": "x"}),
        "done": lambda: data.complete_task(account.id, task.task_id),
    }
    before = await everything()

    def fail(*_: Any) -> str:
        raise RuntimeError("no room in the outbox")

    with monkeypatch.context() as broken:
        broken.setattr(events.outbox, "add", fail)
        with pytest.raises(RuntimeError, match="no room"):
            await changes[what]()
    assert before == await everything()
    await changes[what]()
    assert before != await everything()
