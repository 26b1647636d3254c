"""The data proxy: what is done, what it costs, and that it is done once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from starlette.applications import Starlette

from quatrain.errors import ConfigError
from quatrain.server import Settings, create_app
from quatrain.server.store import Store, store_on
from quatrain.server.vendo import proxy
from quatrain.server.vendo.actions import Action, ActionContext, ActionError, Actions, load
from quatrain.server.vendo.wallet import FIRST_CREDITS

from .._support import ServerClock
from ._support import APP, TENANT, Caller, change, refusal, rows

PATH = "/composio/v1/execute"


@attrs.frozen
class Find:
    """Arguments of an action."""

    email: str


class Crm:
    """Actions of one's own, and what they were called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ActionContext]] = []
        self.answer: Any = {"name": "Ann"}
        self.error: BaseException | None = None
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.thread: threading.Thread | None = None
        self.actions = Actions()
        self.actions.add("crm.find", price_micros=1_000)(self.find)
        self.actions.add("crm.plain", toolkit="books", price_micros=500)(self.plain)
        self.actions.add("crm.free")(self.plain)
        self.actions.add("slack.search", needs_connection=True, price_micros=10)(self.plain)

    async def find(self, args: Find, context: ActionContext) -> Any:
        self.calls.append((args, context))
        self.begun.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return self.answer

    def plain(self, args: dict[str, Any], context: ActionContext) -> Any:
        self.calls.append((args, context))
        self.thread = threading.current_thread()
        if self.error is not None:
            raise self.error
        return self.answer


@pytest.fixture
async def crm() -> Crm:
    return Crm()


@pytest.fixture
async def platform(database: Path, clock: ServerClock, crm: Crm) -> AsyncIterator[Starlette]:
    settings = Settings(database=database, seed=None, background=False, vendo_actions=crm.actions)
    app = create_app(settings, now_ms=clock)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def execute(caller: Caller) -> Callable[..., Any]:
    """The answer to an action, whole."""

    async def send(
        action_id: str, args: Any = None, key: str | None = None, by: Caller = caller
    ) -> httpx.Response:
        body = {"action_id": action_id} | ({} if args is None else {"args": args})
        headers = {} if key is None else {"idempotency-key": key}
        return await by.send("POST", PATH, headers, json=body)

    return send


async def left(caller: Caller) -> int:
    """What the wallet holds."""
    return (await caller.get("/api/billing/balance"))["credits_remaining_micros"]


async def spent(caller: Caller) -> int:
    return FIRST_CREDITS - await left(caller)


def connect(store: Store, slug: str = "slack", status: str = "connected", user: str = "") -> None:
    """A connection that the first app is bound to."""
    values = (TENANT, f"con_{slug}{user}", user, slug, slug, "byok_static", status, "{}")
    change(
        store,
        "INSERT INTO vendo_connections (tenant, connection_id, user_id, slug, display_name,"
        f" profile, status, metadata, created_at, updated_at) VALUES ({'?, ' * 8}1, 1)",
        *values,
    )
    change(
        store,
        "INSERT INTO vendo_bindings (app_id, connection_id, created_at)"
        " SELECT 1, MAX(id), 1 FROM vendo_connections",
    )


# -- built in -------------------------------------------------------------------------------------


async def test_echo(execute: Any, caller: Caller) -> None:
    """Answers what it got, and costs something."""
    answer = await execute("vendo.echo", {"a": [1, None, "é"]})
    assert (200, {"data": {"a": [1, None, "é"]}}) == (answer.status_code, answer.json())
    assert {"data": {}} == (await execute("vendo.echo")).json()
    assert 200 == await spent(caller)


async def test_actions_on_local_data(execute: Any) -> None:
    """They are the tenant's own, as Velocity OS shows them."""
    task = {
        "module_source": "A1",
        "action": "Call Ann",
        "category": "people",
        "timeframe": "this_week",
        "quadrant": "schedule",
    }
    made = (await execute("velocity.tasks.create", task)).json()
    assert "Call Ann" == made["data"]["created"]["action"], made
    listed = (await execute("velocity.tasks.list")).json()["data"]
    assert (["Call Ann"], []) == ([t["action"] for t in listed["open"]], listed["completed"])
    assert {"data": {"team": []}} == (await execute("velocity.team.list")).json()


async def test_what_does_not_fit(execute: Any, caller: Caller) -> None:
    """Is told with its place, before anything is paid."""
    answer = await execute("slack.messages.send", {"channel": 5})
    assert 422 == answer.status_code
    assert "validation_failed" == answer.headers["vendo-error-code"]
    assert [["args", "channel"], ["args", "text"]] == [
        fault["loc"] for fault in answer.json()["error"]["details"]
    ]
    assert 422 == (await execute("vendo.echo", [1])).status_code
    assert 0 == await spent(caller)


async def test_no_such_action(caller: Caller) -> None:
    """404 in the usual envelope."""
    assert (404, "not_found") == await refusal(caller, "POST", PATH, json={"action_id": "no"})


# -- connections ----------------------------------------------------------------------------------

MESSAGE = {"channel": "#ops", "text": "done"}


async def test_a_toolkit_without_a_connection(execute: Any, caller: Caller) -> None:
    """403 in the proxy's own shape; it costs nothing."""
    for action, args in (("slack.messages.send", MESSAGE), ("slack.search", {})):
        answer = await execute(action, args)
        assert (403, {"error": "binding_missing", "toolkit": "slack"}) == (
            answer.status_code,
            answer.json(),
        )
    assert 0 == await spent(caller)


async def test_a_toolkit_with_a_connection(execute: Any, caller: Caller, store: Store) -> None:
    """Is acted on."""
    connect(store)
    data = (await execute("slack.messages.send", MESSAGE)).json()["data"]
    assert data.pop("id").startswith("msg_")
    assert {**MESSAGE, "at": "2027-01-15T08:00:00.000Z", "simulated": True} == data
    assert 200 == (await execute("slack.search")).status_code


@pytest.mark.parametrize(
    ("status", "expected"),
    [("needs_reauth", 409), ("pending_setup", 403), ("error", 502), ("revoked", 403)],
)
async def test_a_connection_that_can_not_be_used(
    execute: Any, caller: Caller, store: Store, status: str, expected: int
) -> None:
    """What has to be granted again is told with where that is done."""
    connect(store, status=status)
    answer = await execute("slack.messages.send", MESSAGE)
    assert expected == answer.status_code
    if expected == 403:
        assert {"error": "binding_missing", "toolkit": "slack"} == answer.json()
    if expected == 502:
        assert "upstream_error" == answer.json()["error"]["code"]
    if expected == 409:
        error = answer.json()["error"]
        assert ("connection_needs_reauth", "slack") == (error["code"], error["slug"])
        assert error["connect_url"].endswith("/connections/connect/slack")


async def test_another_apps_connection(execute: Any, caller: Caller, store: Store) -> None:
    """Is none of this one's."""
    connect(store)
    answer = await execute("slack.messages.send", MESSAGE, by=caller.other())
    assert 403 == answer.status_code


async def test_a_users_connection_is_not_everybodys(
    execute: Any, caller: Caller, store: Store
) -> None:
    """Without the user it is not used."""
    connect(store, user="ann")
    assert 403 == (await execute("slack.messages.send", MESSAGE)).status_code


async def test_a_users_connection(execute: Any, caller: Caller, store: Store) -> None:
    """Comes before everybody's, for that user."""
    connect(store, status="needs_reauth")
    connect(store, user="ann")
    token, _ = await caller.app.state.vendo.users.issue(TENANT, "ann")
    assert 409 == (await execute("slack.messages.send", MESSAGE)).status_code
    caller.user = token.reveal()
    assert 200 == (await execute("slack.messages.send", MESSAGE)).status_code


async def test_a_connections_key(execute: Any, caller: Caller, store: Store) -> None:
    """Opens its toolkit's actions, and no others."""
    connect(store)
    connect(store, slug="notion")
    key = caller.other(APP, connection_id="con_slack")
    assert 200 == (await execute("slack.messages.send", MESSAGE, by=key)).status_code
    for action in ("notion.pages.create", "vendo.echo"):
        body = {"action_id": action, "args": {"title": "x"}}
        assert (403, "forbidden") == await refusal(key, "POST", PATH, json=body)
    assert (403, "forbidden") == await refusal(key, "GET", "/api/billing/balance")


# -- one's own ------------------------------------------------------------------------------------


async def test_an_action_of_ones_own(execute: Any, caller: Caller, crm: Crm) -> None:
    """Gets its arguments, as the class it names, and who asks."""
    answer = await execute("crm.find", {"email": "ann@example.com"}, key="k1")
    assert (200, {"data": {"name": "Ann"}}) == (answer.status_code, answer.json())
    ((args, context),) = crm.calls
    assert Find("ann@example.com") == args
    assert ActionContext("crm.find", TENANT, APP, None, context.idempotency_key) == context
    usage = await caller.get("/api/billing/usage", period="day")
    assert {"crm": 1_000} == usage["by_provider"]
    kinds = rows(caller.app.state.store, "SELECT kind FROM vendo_events ORDER BY id")
    assert [("billing.usage_recorded",), ("billing.balance_changed",)] == kinds


async def test_a_plain_function(execute: Any, caller: Caller, crm: Crm) -> None:
    """Runs in a thread of its own, and is paid to the toolkit that was named."""
    answer = await execute("crm.plain", {"a": 1})
    assert {"data": {"name": "Ann"}} == answer.json()
    assert {"a": 1} == crm.calls[0][0]
    assert threading.current_thread() is not crm.thread
    usage = await caller.get("/api/billing/usage", period="day")
    assert {"books": 500} == usage["by_provider"]
    assert 200 == (await execute("crm.free")).status_code
    assert 500 == await spent(caller)


SECRET = "xoxb-secret"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ActionError("Ann is\nnot known"), "Ann is not known"),
        (ActionError(""), "crm.find failed"),
        (ValueError(SECRET), "crm.find failed: ValueError"),
        (asyncio.CancelledError(SECRET), "crm.find failed: CancelledError"),
        (SystemExit(SECRET), "crm.find failed: SystemExit"),
    ],
)
async def test_an_action_that_raises(
    execute: Any, caller: Caller, crm: Crm, error: BaseException, text: str
) -> None:
    """502 with words that were meant to be told, or the kind of error only; it costs nothing."""
    crm.error = error
    answer = await execute("crm.find", {"email": "x"}, key="k")
    assert (502, {"error": text}) == (answer.status_code, answer.json())
    assert 0 == await spent(caller)
    assert {} == (await caller.get("/api/billing/usage"))["by_provider"]
    crm.error = None
    assert 200 == (await execute("crm.find", {"email": "x"}, key="k")).status_code


def cyclic() -> Any:
    inside: list[Any] = []
    inside.append(inside)
    return inside


@pytest.mark.parametrize("answer", [object(), float("nan"), cyclic(), "x" * 1_000_000])
async def test_an_answer_that_can_not_be_told(
    execute: Any, caller: Caller, crm: Crm, answer: Any
) -> None:
    """No JSON, or far too much of it: 502."""
    crm.answer = answer
    response = await execute("crm.plain")
    assert (502, {"error"}) == (response.status_code, response.json().keys())
    assert 0 == await spent(caller)


async def test_what_can_not_be_paid_is_not_done(execute: Any, caller: Caller, crm: Crm) -> None:
    """402 before the action is called; what is under way counts."""
    await caller.app.state.vendo.wallets.set_caps(TENANT, daily=1_500)
    crm.go_on.clear()
    first = asyncio.ensure_future(execute("crm.find", {"email": "x"}))
    await crm.begun.wait()
    body = {"action_id": "crm.find", "args": {"email": "y"}}
    assert (402, "spend_cap_daily") == await refusal(caller, "POST", PATH, json=body)
    crm.go_on.set()
    assert 200 == (await first).status_code
    assert 1 == len(crm.calls)


async def test_a_caller_that_leaves(execute: Any, caller: Caller, crm: Crm) -> None:
    """Has its action go on: its answer is there when it asks again."""
    crm.go_on.clear()
    asked = asyncio.ensure_future(execute("crm.find", {"email": "x"}, key="k"))
    await crm.begun.wait()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    crm.go_on.set()
    answer = await execute("crm.find", {"email": "x"}, key="k")
    while answer.status_code == 409:
        answer = await execute("crm.find", {"email": "x"}, key="k")
    assert (200, 1, 1_000) == (answer.status_code, len(crm.calls), await spent(caller))


async def test_a_platform_that_stops(
    database: Path, clock: ServerClock, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gives up what does not end; it costs nothing."""
    monkeypatch.setattr(proxy, "_GRACE", 0.0)
    settings = Settings(database=database, seed=None, background=False, vendo_actions=crm.actions)
    app = create_app(settings, now_ms=clock)
    crm.go_on.clear()
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            caller = Caller.new(app, http)
            body = {"action_id": "crm.find", "args": {"email": "x"}}
            asked = asyncio.ensure_future(caller.send("POST", PATH, json=body))
            await crm.begun.wait()
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
    with store_on(database, now_ms=clock) as store:
        assert [(FIRST_CREDITS,)] == rows(store, "SELECT credits_micros FROM vendo_wallets")
        assert [] == rows(store, "SELECT 1 FROM vendo_usage")


# -- once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["vendo.echo", "crm.plain"])
async def test_the_same_request_again(execute: Any, caller: Caller, crm: Crm, action: str) -> None:
    """Is answered from what was kept, and paid once; another one is a conflict."""
    first = await execute(action, {"a": 1}, key="k")
    crm.answer = "another"
    again = await execute(action, {"a": 1}, key="k")
    assert (first.json(), 200) == (again.json(), again.status_code)
    price = await spent(caller)
    other = await execute(action, {"a": 2}, key="k")
    assert (409, "idempotency_conflict") == (
        other.status_code,
        other.headers["vendo-error-code"],
    )
    assert price == await spent(caller) > 0
    assert len(crm.calls) == (1 if action == "crm.plain" else 0)


async def test_a_kept_answer_is_the_apps_own(execute: Any, caller: Caller) -> None:
    """Another app's key of the same text is another key."""
    await execute("vendo.echo", {"a": 1}, key="k")
    answer = await execute("vendo.echo", {"a": 2}, key="k", by=caller.other())
    assert {"data": {"a": 2}} == answer.json()


async def test_the_key_that_an_action_passes_on(execute: Any, caller: Caller, crm: Crm) -> None:
    """Is the request's again when that failed, nobody else's, and none without one."""
    crm.error = ActionError("not now")
    for by, key in (
        *((caller, "k"), (caller, "k"), (caller, "l"), (caller, None)),
        *((caller.other(), "k"), (caller.other(APP, "rival"), "k")),
    ):
        await execute("crm.find", {"email": "x"}, key=key, by=by)
    first, again, *others = [context.idempotency_key for _, context in crm.calls]
    assert first == again
    assert None is others.pop(1)
    assert 4 == len({first, *others})


async def test_while_it_is_under_way(execute: Any, caller: Caller, crm: Crm) -> None:
    """409, and when to ask again."""
    crm.go_on.clear()
    first = asyncio.ensure_future(execute("crm.find", {"email": "x"}, key="k"))
    await crm.begun.wait()
    second = await execute("crm.find", {"email": "x"}, key="k")
    assert (409, "1") == (second.status_code, second.headers["retry-after"])
    assert 1 == second.json()["error"]["retry_after"]
    crm.go_on.set()
    assert 200 == (await first).status_code


async def test_another_process_was_sooner(
    execute: Any, caller: Caller, crm: Crm, database: Path, clock: ServerClock
) -> None:
    """Both have run: the first answer is everybody's, and one is paid."""
    crm.go_on.clear()
    late = asyncio.ensure_future(execute("crm.find", {"email": "x"}, key="k"))
    await crm.begun.wait()
    other = Crm()
    other.answer = "sooner"
    settings = Settings(database=database, seed=None, background=False, vendo_actions=other.actions)
    app = create_app(settings, now_ms=clock)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            same = Caller(app, http, caller.secret)
            first = await execute("crm.find", {"email": "x"}, key="k", by=same)
    crm.go_on.set()
    assert {"data": "sooner"} == first.json() == (await late).json()
    assert 1_000 == await spent(caller)


# -- what can be an action ------------------------------------------------------------------------


def takes_nothing() -> None:
    """No action."""


def takes_two(args: Any, context: Any) -> Any:
    return args


def takes_unknown(args: Nowhere, context: Any) -> Any:  # type: ignore[name-defined]  # noqa: F821
    return args


OWN = {"a.b": takes_two}


@pytest.mark.parametrize(
    "value",
    [
        5,
        [],
        "nowhere",
        "nowhere.at.all:x",
        f"{__name__}:missing",
        {"a.b": 5},
        {"a.b": takes_nothing},
        {"a.b": takes_unknown},
        {"": takes_two},
        {"a b": takes_two},
        {5: takes_two},
        {"x" * 101: takes_two},
    ],
)
def test_what_can_be_no_action(tmp_path: Path, value: Any) -> None:
    """Is told when the platform is set up."""
    with pytest.raises(ConfigError):
        Settings(database=tmp_path / "q.db", vendo_actions=value)


@pytest.mark.parametrize("price", [-1, True, 1.5, "1", 10**16])
def test_what_can_be_no_price(price: Any) -> None:
    """Nor can an action be there twice."""
    actions = Actions()
    with pytest.raises(ConfigError):
        actions.add("a.b", price_micros=price)(takes_two)
    with pytest.raises(ConfigError):
        Action("a.b", "a", None, price_micros=price, run=takes_two)
    actions.add("a.b")(takes_two)
    with pytest.raises(ConfigError, match="two actions"):
        actions.add("a.b")(takes_two)


def test_a_mapping_of_callables() -> None:
    """Makes free actions; a registry is taken as it is, and both go by ``module:object``."""
    loaded = load(OWN)
    assert ["a.b"] == list(loaded)
    assert ("a", 0, False, None) == (
        loaded["a.b"].toolkit,
        loaded["a.b"].price_micros,
        loaded["a.b"].needs_connection,
        loaded["a.b"].args,
    )
    assert loaded is load(loaded)
    assert dict(load(f"{__name__}:OWN")) == dict(loaded)
    with pytest.raises(ConfigError, match="goes by the name"):
        load({"c": loaded["a.b"]})
