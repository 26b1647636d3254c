"""Writes to a business platform as effects of the ledger: once, whoever tries and however often."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from quatrain import AsyncClient, ConfigError
from quatrain._lease import idempotency_key
from quatrain.velocity import AsyncVelocityOS, InputError, ScopeMissingError, ServerError, Task
from quatrain.vendo import AsyncVendo, ValidationError
from quatrain.verity import AsyncVerityClient, EffectPreviouslyFailedError

from .._business import FakeBusiness
from .._doubles import FakeLedger
from .._vendo import FakeVendo


@pytest.fixture
def q(vos: AsyncVelocityOS, verity: AsyncVerityClient) -> AsyncClient:
    return AsyncClient(velocity=vos, verity=verity)


async def test_it_is_written_once(
    q: AsyncClient, business: FakeBusiness, ledger: FakeLedger
) -> None:
    """Later calls get the first one's answer, and send nothing to the business."""
    tasks = q.velocity.tasks
    answers = [await tasks.create("Ship it", "L12", effect_key="task:1") for _ in range(3)]
    assert answers == [Task("L12", "Ship it", "", "", "", "", "")] * 3
    assert len(business.requests) == 1
    assert ledger.verbs == ["lease", "commit", "lease", "lease"]
    assert ledger.bodies("lease")[0]["effectName"] == "velocity.tasks"


async def test_each_attempt_has_the_effects_idempotency_key(
    q: AsyncClient, business: FakeBusiness, ledger: FakeLedger
) -> None:
    """So an attempt after one that was cut off is known to the business for what it is."""
    ledger.expire("member:1")
    assert (await q.velocity.team.add("Ada", effect_key="member:1")).name == "Ada"
    sent = business.requests[0].headers["idempotency-key"]
    assert sent == idempotency_key("ns", "member:1")


async def test_an_answer_from_the_ledger_tells_of_the_sandbox(
    q: AsyncClient, business: FakeBusiness
) -> None:
    """It is the whole answer that is kept."""
    business.sandbox = True
    for _ in range(2):
        assert (await q.velocity.team.add("Ada", effect_key="member:1")).sandbox is True


async def test_a_refused_write_is_a_failed_effect(
    q: AsyncClient, business: FakeBusiness, ledger: FakeLedger
) -> None:
    """Like whatever an act raises."""
    business.faults.extend([503] * 4)
    with pytest.raises(ServerError):
        await q.velocity.team.add("Ada", effect_key="member:1")
    with pytest.raises(EffectPreviouslyFailedError):
        await q.velocity.team.add("Ada", effect_key="member:1")
    assert ledger.bodies("fail")[0]["error"]["name"] == "ServerError"


async def test_a_missing_scope_is_no_effect(q: AsyncClient, ledger: FakeLedger) -> None:
    """It is refused before anything."""
    await q.velocity.whoami()
    q.velocity._api.granted_scopes = frozenset()
    with pytest.raises(ScopeMissingError):
        await q.velocity.team.add("Ada", effect_key="member:1")
    assert ledger.verbs == []


async def test_an_effect_of_another_kind_is_told_apart(q: AsyncClient) -> None:
    """Its result is no answer of the business."""

    async def act() -> str:
        return "re_1"

    await q.verity.protect("refund:1", act=act)
    with pytest.raises(InputError, match="refund:1"):
        await q.velocity.team.add("Ada", effect_key="refund:1")


async def test_an_effect_of_another_write_is_told_apart(
    q: AsyncClient, business: FakeBusiness
) -> None:
    """Nobody takes it for a success: nothing was written."""
    await q.velocity.tasks.create("Ship it", "L12", effect_key="first")
    await q.velocity.team.add("Ada", effect_key="second")
    with pytest.raises(InputError, match="first"):
        await q.velocity.team.add("Ada", effect_key="first")
    with pytest.raises(InputError, match="second"):
        await q.velocity.tasks.create("Ship it", "L12", effect_key="second")
    assert len(business.requests) == 2


@pytest.mark.parametrize("slip", [{"timeout": -1}, {"max_retries": -1}, {"role": object()}])
async def test_a_slip_in_the_arguments_is_no_failed_effect(
    q: AsyncClient, ledger: FakeLedger, slip: dict[str, Any]
) -> None:
    """Mended, it is written under the same key."""
    with pytest.raises(InputError):
        await q.velocity.team.add("Ada", effect_key="member:1", **slip)
    assert ledger.verbs == []
    assert (await q.velocity.team.add("Ada", effect_key="member:1")).name == "Ada"


async def test_two_keys_are_one_too_many(q: AsyncClient, ledger: FakeLedger) -> None:
    """The effect has an idempotency key of its own."""
    with pytest.raises(InputError, match="one of the two"):
        await q.velocity.team.add("Ada", effect_key="member:1", idempotency_key="mine")
    assert ledger.verbs == []


async def test_it_takes_a_client_that_holds_both(
    vos: AsyncVelocityOS,
    connect_velocity: Callable[..., AsyncVelocityOS],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Alone there is no ledger, and without its settings there is none either."""
    with pytest.raises(ConfigError, match="AsyncClient"):
        await vos.team.add("Ada", effect_key="member:1")
    monkeypatch.delenv("VERITY_BASE_URL", raising=False)
    q = AsyncClient(velocity=vos)
    with pytest.raises(ConfigError, match="VERITY_BASE_URL"):
        await q.velocity.team.add("Ada", effect_key="member:1")
    del q
    gc.collect()
    with pytest.raises(ConfigError, match="gone"):
        await vos.team.add("Ada", effect_key="member:1")


async def test_a_client_built_from_the_environment_has_it_too(
    monkeypatch: pytest.MonkeyPatch, verity: AsyncVerityClient, ledger: FakeLedger
) -> None:
    """The umbrella builds Velocity's client on first touch."""
    monkeypatch.setenv("VOS_EXT_KEY", "vos_ext_double")
    monkeypatch.setenv("VOS_BASE_URL", "http://127.0.0.1:9")
    async with AsyncClient(verity=verity) as q:
        assert q.velocity is q.velocity
        with pytest.raises(InputError, match="one of the two"):
            await q.velocity.team.add("Ada", effect_key="member:1", idempotency_key="mine")
        ledger.always["lease"] = httpx.Response(401, json={"code": "no", "message": "no"})
        with pytest.raises(Exception, match="401"):
            await q.velocity.team.add("Ada", effect_key="member:1")


# -- actions of Vendo -----------------------------------------------------------------------------


async def test_an_action_is_done_once(
    vendo: AsyncVendo, verity: AsyncVerityClient, platform: FakeVendo, ledger: FakeLedger
) -> None:
    """Under the effect's own key, and whoever comes later gets its data, whatever that is."""
    q = AsyncClient(vendo=vendo, verity=verity)
    platform.executed = {"data": [1, None]}
    for _ in range(3):
        assert await q.vendo.data.execute("slack.send", effect_key="mail:1") == [1, None]
    assert len(platform.requests) == 1
    assert platform.requests[0].headers["idempotency-key"] == idempotency_key("ns", "mail:1")
    assert ledger.bodies("lease")[0]["effectName"] == "vendo.execute"


async def test_a_users_action_is_done_once(
    vendo: AsyncVendo, verity: AsyncVerityClient, platform: FakeVendo
) -> None:
    """A client for a user knows the ledger of the one it was made of."""
    q = AsyncClient(vendo=vendo, verity=verity)  # held: the ledger is its own
    ann = q.vendo.for_user("jwt.of.ann")
    for _ in range(2):
        assert await ann.data.execute("slack.send", effect_key="mail:1") == {"done": True}
    assert [r.headers["x-vendo-user-jwt"] for r in platform.requests] == ["jwt.of.ann"]


async def test_another_effects_result_is_no_data(
    vendo: AsyncVendo, verity: AsyncVerityClient, platform: FakeVendo
) -> None:
    """It is told apart, and nothing is sent."""
    q = AsyncClient(vendo=vendo, verity=verity)

    async def act() -> str:
        return "re_1"

    await q.verity.protect("refund:1", act=act)
    with pytest.raises(ValidationError, match="refund:1"):
        await q.vendo.data.execute("slack.send", effect_key="refund:1")
    assert platform.requests == []
