# Generated from tests/_async/test_writes_as_effects.py by scripts/make_sync.py. Do not edit.
"""Writes to a business platform as effects of the ledger: once, whoever tries and however often."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from quatrain import Client, ConfigError
from quatrain._lease import idempotency_key
from quatrain.velocity import InputError, ScopeMissingError, ServerError, Task, VelocityOS
from quatrain.vendo import ValidationError, Vendo
from quatrain.verity import EffectPreviouslyFailedError, VerityClient

from .._business import FakeBusiness
from .._doubles import FakeLedger
from .._vendo import FakeVendo


@pytest.fixture
def q(vos: VelocityOS, verity: VerityClient) -> Client:
    return Client(velocity=vos, verity=verity)


def test_it_is_written_once(q: Client, business: FakeBusiness, ledger: FakeLedger) -> None:
    """Later calls get the first one's answer, and send nothing to the business."""
    tasks = q.velocity.tasks
    answers = [tasks.create("Ship it", "L12", effect_key="task:1") for _ in range(3)]
    assert answers == [Task("L12", "Ship it", "", "", "", "", "")] * 3
    assert len(business.requests) == 1
    assert ledger.verbs == ["lease", "commit", "lease", "lease"]
    assert ledger.bodies("lease")[0]["effectName"] == "velocity.tasks"


def test_each_attempt_has_the_effects_idempotency_key(
    q: Client, business: FakeBusiness, ledger: FakeLedger
) -> None:
    """So an attempt after one that was cut off is known to the business for what it is."""
    ledger.expire("member:1")
    assert q.velocity.team.add("Ada", effect_key="member:1").name == "Ada"
    sent = business.requests[0].headers["idempotency-key"]
    assert sent == idempotency_key("ns", "member:1")


def test_an_answer_from_the_ledger_tells_of_the_sandbox(q: Client, business: FakeBusiness) -> None:
    """It is the whole answer that is kept."""
    business.sandbox = True
    for _ in range(2):
        assert q.velocity.team.add("Ada", effect_key="member:1").sandbox is True


def test_a_refused_write_is_a_failed_effect(
    q: Client, business: FakeBusiness, ledger: FakeLedger
) -> None:
    """Like whatever an act raises."""
    business.faults.extend([503] * 4)
    with pytest.raises(ServerError):
        q.velocity.team.add("Ada", effect_key="member:1")
    with pytest.raises(EffectPreviouslyFailedError):
        q.velocity.team.add("Ada", effect_key="member:1")
    assert ledger.bodies("fail")[0]["error"]["name"] == "ServerError"


def test_a_missing_scope_is_no_effect(q: Client, ledger: FakeLedger) -> None:
    """It is refused before anything."""
    q.velocity.whoami()
    q.velocity._api.granted_scopes = frozenset()
    with pytest.raises(ScopeMissingError):
        q.velocity.team.add("Ada", effect_key="member:1")
    assert ledger.verbs == []


def test_an_effect_of_another_kind_is_told_apart(q: Client) -> None:
    """Its result is no answer of the business."""

    def act() -> str:
        return "re_1"

    q.verity.protect("refund:1", act=act)
    with pytest.raises(InputError, match="refund:1"):
        q.velocity.team.add("Ada", effect_key="refund:1")


def test_an_effect_of_another_write_is_told_apart(q: Client, business: FakeBusiness) -> None:
    """Nobody takes it for a success: nothing was written."""
    q.velocity.tasks.create("Ship it", "L12", effect_key="first")
    q.velocity.team.add("Ada", effect_key="second")
    with pytest.raises(InputError, match="first"):
        q.velocity.team.add("Ada", effect_key="first")
    with pytest.raises(InputError, match="second"):
        q.velocity.tasks.create("Ship it", "L12", effect_key="second")
    assert len(business.requests) == 2


@pytest.mark.parametrize("slip", [{"timeout": -1}, {"max_retries": -1}, {"role": object()}])
def test_a_slip_in_the_arguments_is_no_failed_effect(
    q: Client, ledger: FakeLedger, slip: dict[str, Any]
) -> None:
    """Mended, it is written under the same key."""
    with pytest.raises(InputError):
        q.velocity.team.add("Ada", effect_key="member:1", **slip)
    assert ledger.verbs == []
    assert q.velocity.team.add("Ada", effect_key="member:1").name == "Ada"


def test_two_keys_are_one_too_many(q: Client, ledger: FakeLedger) -> None:
    """The effect has an idempotency key of its own."""
    with pytest.raises(InputError, match="one of the two"):
        q.velocity.team.add("Ada", effect_key="member:1", idempotency_key="mine")
    assert ledger.verbs == []


def test_it_takes_a_client_that_holds_both(
    vos: VelocityOS,
    connect_velocity: Callable[..., VelocityOS],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Alone there is no ledger, and without its settings there is none either."""
    with pytest.raises(ConfigError, match="Client"):
        vos.team.add("Ada", effect_key="member:1")
    monkeypatch.delenv("VERITY_BASE_URL", raising=False)
    q = Client(velocity=vos)
    with pytest.raises(ConfigError, match="VERITY_BASE_URL"):
        q.velocity.team.add("Ada", effect_key="member:1")
    del q
    gc.collect()
    with pytest.raises(ConfigError, match="gone"):
        vos.team.add("Ada", effect_key="member:1")


def test_a_client_built_from_the_environment_has_it_too(
    monkeypatch: pytest.MonkeyPatch, verity: VerityClient, ledger: FakeLedger
) -> None:
    """The umbrella builds Velocity's client on first touch."""
    monkeypatch.setenv("VOS_EXT_KEY", "vos_ext_double")
    monkeypatch.setenv("VOS_BASE_URL", "http://127.0.0.1:9")
    with Client(verity=verity) as q:
        assert q.velocity is q.velocity
        with pytest.raises(InputError, match="one of the two"):
            q.velocity.team.add("Ada", effect_key="member:1", idempotency_key="mine")
        ledger.always["lease"] = httpx.Response(401, json={"code": "no", "message": "no"})
        with pytest.raises(Exception, match="401"):
            q.velocity.team.add("Ada", effect_key="member:1")


# -- actions of Vendo -----------------------------------------------------------------------------


def test_an_action_is_done_once(
    vendo: Vendo, verity: VerityClient, platform: FakeVendo, ledger: FakeLedger
) -> None:
    """Under the effect's own key, and whoever comes later gets its data, whatever that is."""
    q = Client(vendo=vendo, verity=verity)
    platform.executed = {"data": [1, None]}
    for _ in range(3):
        assert q.vendo.data.execute("slack.send", effect_key="mail:1") == [1, None]
    assert len(platform.requests) == 1
    assert platform.requests[0].headers["idempotency-key"] == idempotency_key("ns", "mail:1")
    assert ledger.bodies("lease")[0]["effectName"] == "vendo.execute"


def test_a_users_action_is_done_once(
    vendo: Vendo, verity: VerityClient, platform: FakeVendo
) -> None:
    """A client for a user knows the ledger of the one it was made of."""
    q = Client(vendo=vendo, verity=verity)  # held: the ledger is its own
    ann = q.vendo.for_user("jwt.of.ann")
    for _ in range(2):
        assert ann.data.execute("slack.send", effect_key="mail:1") == {"done": True}
    assert [r.headers["x-vendo-user-jwt"] for r in platform.requests] == ["jwt.of.ann"]


def test_another_effects_result_is_no_data(
    vendo: Vendo, verity: VerityClient, platform: FakeVendo
) -> None:
    """It is told apart, and nothing is sent."""
    q = Client(vendo=vendo, verity=verity)

    def act() -> str:
        return "re_1"

    q.verity.protect("refund:1", act=act)
    with pytest.raises(ValidationError, match="refund:1"):
        q.vendo.data.execute("slack.send", effect_key="refund:1")
    assert platform.requests == []
