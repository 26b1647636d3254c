"""Installs: made once, recognised, revoked, lent; and the extensions that they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.models.velocity import Scope
from quatrain.server.store import Store
from quatrain.server.velocity import Account, BusinessData, Caller, Extension, Installs, NewTask
from quatrain.server.velocity.installs import new_secret

from .._support import START, ServerClock
from ._support import add_endpoint, outbox, rows

ALL = frozenset(get_args(Scope))


class Monotonic:
    """Seconds that only the test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Monotonic:
    return Monotonic()


@pytest.fixture
def installs(store: Store, seconds: Monotonic) -> Installs:
    return Installs(store, monotonic=seconds)


def presented(secret: Secret) -> bytes:
    return secret.reveal().encode()


async def test_an_install_says_what_it_is_for(installs: Installs, account: Account) -> None:
    """A key of a prefix and 32 random bytes; the record keeps its first few characters."""
    install, secret = installs.create(account.id, "sync", name="Sync", developer="Dev")
    text = secret.reveal()
    assert ("vos_ext_", 8 + 43) == (text[:8], len(text))
    assert ("ins_1", 1, "sync", "Sync", "Dev", text[:12], ALL, False, START, None, None) == (
        install.install_id,
        install.extension_id,
        install.slug,
        install.name,
        install.developer,
        install.hint,
        install.scopes,
        install.sandbox,
        install.created_at,
        install.last_used_at,
        install.revoked_at,
    )
    assert [install] == installs.list(account.id)


@pytest.mark.on_file
async def test_the_key_is_shown_once_and_stored_nowhere(
    installs: Installs, account: Account, database: Path
) -> None:
    """Neither repr nor any file of the database holds it."""
    install, secret = installs.create(account.id, "sync")
    assert secret.reveal() not in repr((install, secret))
    for file in database.parent.iterdir():
        assert presented(secret) not in file.read_bytes()


async def test_an_extension_is_made_once(installs: Installs, account: Account) -> None:
    """A later install changes its name only when it brings one."""
    _, secret = installs.create(account.id, "sync")
    await installs.authenticate(presented(secret))
    assert [Extension(1, "sync", "sync", "local", START)] == installs.extensions(account.id)
    installs.create(account.id, "sync", name="Sync", developer="Dev")
    installs.create(account.id, "sync")
    installs.create(account.id, "other")
    caller = await installs.authenticate(presented(secret))
    assert caller is not None
    assert ("Sync", "Dev") == (caller.name, caller.developer)
    first, second = installs.extensions(account.id)
    assert Extension(1, "sync", "Sync", "Dev", START) == first
    assert Extension(second.id, "other", "other", "local", START) == second  # ids may have gaps


async def test_a_key_is_recognised_until_it_is_revoked(
    installs: Installs, account: Account
) -> None:
    """Revocation by this process works at once."""
    install, secret = installs.create(account.id, "sync", scopes={"read:team"}, sandbox=True)
    expected = Caller(
        install.install_id,
        account.id,
        "acme",
        "default",
        install.extension_id,
        "sync",
        "sync",
        "local",
        frozenset({"read:team"}),
        True,
    )
    assert expected == await installs.authenticate(presented(secret))
    assert START == installs.revoke(account.id, install.install_id).revoked_at
    assert await installs.authenticate(presented(secret)) is None


async def test_another_process_sees_the_revocation_within_a_second(
    installs: Installs, account: Account, store: Store, seconds: Monotonic
) -> None:
    """What is cached is trusted for a second, no longer."""
    install, secret = installs.create(account.id, "sync")
    await installs.authenticate(presented(secret))
    Installs(store).revoke(account.id, install.install_id)
    seconds.now = 1.0
    assert await installs.authenticate(presented(secret)) is None


async def test_unknown_keys_are_nobody(installs: Installs) -> None:
    """Whatever is presented, it is not an error."""
    for key in (b"", b"vos_ext_", b"vos_ext_" + b"A" * 43, b"\xff\x00", b"x" * 100_000):
        assert await installs.authenticate(key) is None


async def test_use_is_noted(installs: Installs, account: Account, clock: ServerClock) -> None:
    """About once a minute, as for the platform's other keys."""
    _, secret = installs.create(account.id, "sync")
    clock.advance(5)
    await installs.authenticate(presented(secret))
    installs.create(account.id, "sync")  # waits its turn behind the note of the use
    assert [START + 5, None] == [install.last_used_at for install in installs.list(account.id)]


async def test_revoking_twice_keeps_the_first_time(
    installs: Installs, account: Account, clock: ServerClock
) -> None:
    """The second is a no-op."""
    install, _ = installs.create(account.id, "sync")
    first = installs.revoke(account.id, install.install_id)
    clock.advance(5)
    assert first == installs.revoke(account.id, install.install_id)


@pytest.mark.parametrize(
    "install_id", ["ins_9", "ins_", "9", "", "key_1", "ins_-1", "ins_" + "9" * 30]
)
async def test_revoking_what_is_not_there_is_an_input_error(
    installs: Installs, account: Account, install_id: str
) -> None:
    """The message names it."""
    installs.create(account.id, "sync")
    with pytest.raises(InputError, match="there is no install"):
        installs.revoke(account.id, install_id)


async def test_accounts_know_nothing_of_each_others_installs(
    installs: Installs, account: Account, data: BusinessData
) -> None:
    """Nor can they revoke them; two may have an extension of one slug."""
    other = await data.ensure_account("other")
    install, secret = installs.create(account.id, "sync", name="Sync")
    assert [] == installs.list(other.id) == installs.extensions(other.id)
    with pytest.raises(InputError, match="there is no install"):
        installs.revoke(other.id, install.install_id)
    assert await installs.authenticate(presented(secret)) is not None
    theirs, _ = installs.create(other.id, "sync")
    assert ("sync", 2) == (theirs.name, theirs.extension_id)


@pytest.mark.parametrize(
    "bad",
    [
        {"slug": ""},
        {"slug": "Sync"},
        {"slug": "a b"},
        {"slug": "a_b"},
        {"slug": "é"},
        {"slug": "a\n"},
        {"slug": "x" * 101},
        {"name": ""},
        {"name": "a\nb"},
        {"developer": "x" * 201},
        {"scopes": {"read:everything"}},
    ],
)
async def test_what_makes_no_sense_is_refused(
    installs: Installs, account: Account, bad: dict[str, Any]
) -> None:
    """And nothing is made."""
    with pytest.raises(InputError):
        installs.create(account.id, **{"slug": "sync", **bad})
    assert [] == installs.list(account.id) == installs.extensions(account.id)


async def test_a_lent_key_is_never_stored(installs: Installs, store: Store) -> None:
    """It makes an account and an install of which nobody has the key, once."""
    for _ in range(2):
        secret = new_secret()
        installs.lend(secret, tenant="new")
        caller = await installs.authenticate(presented(secret))
        assert caller is not None
        assert ("ins_1", "new", "local", "Local extension", ALL, False) == (
            caller.install_id,
            caller.tenant,
            caller.slug,
            caller.name,
            caller.scopes,
            caller.sandbox,
        )
        assert await Installs(store).authenticate(presented(secret)) is None
    assert [("",)] == rows(store, "SELECT hint FROM velocity_installs")


async def test_a_lent_key_gets_its_extension_events(
    installs: Installs, data: BusinessData, store: Store, account: Account
) -> None:
    """And never stands for an install that somebody made and may revoke."""
    made, _ = installs.create(account.id, "sync")
    endpoint = add_endpoint(store, made.extension_id)
    installs.revoke(account.id, made.install_id)
    secret = new_secret()
    installs.lend(secret, tenant="acme", slug="sync", scopes={"read:tasks"})
    caller = await installs.authenticate(presented(secret))
    assert caller is not None
    assert ("ins_2", {"read:tasks"}) == (caller.install_id, caller.scopes)
    await data.create_task(account.id, NewTask(action="a", module_source="m"))
    assert (endpoint, "tasks.created") == outbox(store)[-1][:2]


async def test_a_lent_key_has_the_scopes_it_was_lent(
    installs: Installs, account: Account, store: Store
) -> None:
    """Each set of them is an install of its own; one that was revoked stays so."""
    installs.create(account.id, "sync", scopes={"read:team"})
    ids = []
    for scopes in ({"read:team"}, {"read:tasks"}, {"read:team"}):
        secret = new_secret()
        installs.lend(secret, tenant="acme", slug="sync", scopes=scopes)
        caller = await installs.authenticate(presented(secret))
        assert caller is not None
        assert scopes == caller.scopes
        ids.append(caller.install_id)
    assert ["ins_2", "ins_3", "ins_2"] == ids
    installs.revoke(account.id, "ins_2")
    caller = await installs.authenticate(presented(secret))
    assert caller is not None
    assert "ins_4" == caller.install_id


@pytest.mark.parametrize(
    "bad", [{"tenant": ""}, {"tenant": "t", "slug": "S"}, {"tenant": "t", "scopes": {"x"}}]
)
def test_what_is_lent_is_checked(installs: Installs, bad: dict[str, Any]) -> None:
    """When it is lent, not when it is used."""
    with pytest.raises(InputError):
        installs.lend(new_secret(), **bad)
