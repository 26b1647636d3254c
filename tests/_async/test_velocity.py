"""The client of Velocity OS: settings, what it sends, and the handler it makes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

import quatrain
from quatrain import velocity
from quatrain.velocity import AsyncVelocityOS, TeamMember

from .._business import KEY, FakeBusiness

Connect = Callable[..., AsyncVelocityOS]

TASK = {
    "action": "Ship it",
    "module_source": "L12",
    "category": "",
    "timeframe": "",
    "quadrant": "",
    "assignee": "",
    "deadline": "",
}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VOS_EXT_KEY", "VOS_WEBHOOK_SECRET", "VOS_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


# -- settings -------------------------------------------------------------------------------------


async def test_the_hosted_platform_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the environment names another one; an empty value counts as unset."""
    monkeypatch.setenv("VOS_EXT_KEY", KEY)
    monkeypatch.setenv("VOS_BASE_URL", "")
    async with AsyncVelocityOS() as vos:
        assert repr(vos) == "<AsyncVelocityOS https://app.velocityos.app>"
    monkeypatch.setenv("VOS_BASE_URL", "http://127.0.0.1:8787/")
    async with AsyncVelocityOS() as vos:
        assert repr(vos) == "<AsyncVelocityOS http://127.0.0.1:8787>"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"api_key": ""}, "VOS_EXT_KEY"),
        ({"api_key": 7}, "api_key"),
        ({"api_key": "a\nb"}, "api_key"),
        ({"base_url": "http://example.com"}, "unencrypted"),
        ({"base_url": "ftp://example.com"}, "base_url"),
        ({"timeout": 0}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"user_agent": "me\r\nX-Evil: 1"}, "user_agent"),
        ({"user_agent": "я"}, "user_agent"),
        ({"webhook_secret": 7}, "webhook_secret"),
        ({"webhook_secret": ["whsec_a", None]}, "webhook_secret"),
        ({"http_client": object()}, "http_client"),
    ],
)
async def test_a_setting_that_can_not_be_is_a_config_error(
    settings: dict[str, Any], reason: str
) -> None:
    """Of this platform and of the shared kind, and it names the setting."""
    with pytest.raises(velocity.ConfigError, match=reason) as caught:
        AsyncVelocityOS(**{"api_key": KEY, **settings})
    assert isinstance(caught.value, quatrain.ConfigError)
    assert isinstance(caught.value, velocity.VelocityOSError)


async def test_a_closed_client_says_so(connect_velocity: Connect) -> None:
    """Closing twice is fine."""
    async with connect_velocity() as vos:
        pass
    await vos.aclose()
    with pytest.raises(velocity.ConfigError, match="closed"):
        await vos.whoami()


# -- what goes out --------------------------------------------------------------------------------


async def test_the_headers(vos: AsyncVelocityOS, business: FakeBusiness) -> None:
    """The key, JSON, and the contract's user agent."""
    await vos.whoami()
    headers = business.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["accept"] == "application/json"
    assert headers["user-agent"] == f"VelocityOS-Python-SDK/{quatrain.__version__}"
    assert headers["host"] == "velocity.example"


async def test_a_user_agent_of_ones_own(connect_velocity: Connect, business: FakeBusiness) -> None:
    """For the server's logs."""
    await connect_velocity(user_agent="crm-sync/2").whoami()
    assert business.requests[0].headers["user-agent"] == "crm-sync/2"


async def test_every_endpoint(vos: AsyncVelocityOS, business: FakeBusiness) -> None:
    """Method and path, as the contract has them."""
    for name in ("profile", "modules", "offers", "team", "partnerships", "tasks"):
        business.data[name] = {}
    business.data |= {"modules/F6": {"code": "F6"}, "academy/programs": {}}
    await vos.profile.get()
    await vos.modules.list()
    await vos.modules.get("f6")
    await vos.offers.list()
    await vos.team.list()
    await vos.team.add("Ada")
    await vos.partnerships.list()
    await vos.tasks.list()
    await vos.tasks.create("Ship it", "L12")
    await vos.academy.programs()
    await vos.whoami()
    root = "/api/v1/extensions"
    assert business.targets == [
        f"GET {root}/profile",
        f"GET {root}/modules",
        f"GET {root}/modules/F6",
        f"GET {root}/offers",
        f"GET {root}/team",
        f"POST {root}/team",
        f"GET {root}/partnerships",
        f"GET {root}/tasks",
        f"POST {root}/tasks",
        f"GET {root}/academy/programs",
        f"GET {root}/whoami",
    ]


async def test_a_task_is_sent_with_all_seven_fields(
    vos: AsyncVelocityOS, business: FakeBusiness
) -> None:
    """Absent ones as empty strings."""
    await vos.tasks.create("Ship it", "L12")
    assert business.body() == TASK
    await vos.tasks.create(
        action="Ship it",
        module_source="L12",
        category="people",
        timeframe="this_week",
        quadrant="schedule",
        assignee="Alex",
        deadline=date(2026, 4, 20),
    )
    assert business.body() == TASK | {
        "category": "people",
        "timeframe": "this_week",
        "quadrant": "schedule",
        "assignee": "Alex",
        "deadline": "2026-04-20",
    }


async def test_a_team_member_is_sent_with_all_three(
    vos: AsyncVelocityOS, business: FakeBusiness
) -> None:
    """Absent ones as empty strings."""
    assert await vos.team.add("Ada", email="ada@example.com") == TeamMember(
        "Ada", "", "ada@example.com"
    )
    assert business.body() == {"name": "Ada", "role": "", "email": "ada@example.com"}


@pytest.mark.parametrize("code", ["../whoami", "a/b", "..", "F 6", "f6?x=1", "ключ"])
async def test_a_module_code_can_not_leave_its_place(
    vos: AsyncVelocityOS, business: FakeBusiness, code: str
) -> None:
    """It is one segment of the path, whatever it holds."""
    business.faults.append(404)
    with pytest.raises(velocity.NotFoundError):
        await vos.modules.get(code)
    head, _, last = business.targets[0].rpartition("/")
    assert head == "GET /api/v1/extensions/modules"
    assert "?" not in last
    assert last not in {"..", "."}


@pytest.mark.parametrize("empty", ["", "  ", None, 5])
async def test_what_must_not_be_empty_is_refused_before_any_request(
    vos: AsyncVelocityOS, business: FakeBusiness, empty: Any
) -> None:
    """Action, module, name and code; a ValueError, too."""
    calls: list[Callable[[], Any]] = [
        lambda: vos.tasks.create(empty, "L12"),
        lambda: vos.tasks.create("Ship it", empty),
        lambda: vos.team.add(empty),
        lambda: vos.modules.get(empty),
    ]
    for call in calls:
        with pytest.raises(velocity.InputError) as caught:
            await call()
        assert isinstance(caught.value, ValueError)
    assert business.requests == []


# -- the webhook handler --------------------------------------------------------------------------


async def test_a_handler_needs_a_secret(
    connect_velocity: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the argument or from the environment, and it is shown to nobody."""
    with pytest.raises(velocity.ConfigError, match="VOS_WEBHOOK_SECRET"):
        connect_velocity().webhook_handler()
    monkeypatch.setenv("VOS_WEBHOOK_SECRET", "whsec_old, whsec_new")
    vos = connect_velocity()
    handler = vos.webhook_handler()
    for secret in ("whsec_old", "whsec_new"):
        headers, body = velocity.delivery(secret, "tasks.created", {"action": "A"})
        assert handler.handle(headers, body)[1] == 200
        assert secret not in repr(handler) + repr(vars(vos))
    headers, body = velocity.delivery("whsec_old, whsec_new", "tasks.created", {})
    assert handler.handle(headers, body)[1] == 401


async def test_a_handler_has_its_settings(connect_velocity: Connect) -> None:
    """How far times may be off, how large a body may be, and where deliveries are remembered."""
    vos = connect_velocity(webhook_secret="whsec_a")
    seen = velocity.MemorySeen()
    handler = vos.webhook_handler(max_skew_seconds=10, max_body_bytes=20, seen=seen)
    handled: list[Any] = []
    handler.on("tasks.created")(handled.append)
    late = velocity.delivery("whsec_a", "tasks.created", {}, timestamp=1_000)
    assert handler.handle(*late)[1] == 401
    large = velocity.delivery("whsec_a", "tasks.created", {"action": "x" * 30})
    assert handler.handle(*large)[1] == 413
    fine = velocity.delivery("whsec_a", "tasks.created", {}, delivery_id="d1")
    assert handler.handle(*fine)[1] == 200
    assert (handled, seen.begin("d1")) == ([{}], "handled")
