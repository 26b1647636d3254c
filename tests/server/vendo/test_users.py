"""Users' tokens: only this platform's, for this tenant, in their time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server.store import Store
from quatrain.server.vendo.records import UserTokenInvalidError
from quatrain.server.vendo.safe import Safe
from quatrain.server.vendo.sealing import Ring, new_key
from quatrain.server.vendo.secretkey import GivenKey
from quatrain.server.vendo.users import UserTokens, read

from .._support import START, ServerClock
from ._support import TENANT, Caller, refusal

LIST = "/api/deployments/me/connections"


@pytest.fixture
def users(store: Store) -> UserTokens:
    return users_with(store, new_key())


def users_with(store: Store, key: Secret) -> UserTokens:
    return UserTokens(store, Safe(store, GivenKey.of(key)))


async def issued(users: UserTokens, user: str = "bob", tenant: str = TENANT) -> bytes:
    token, _ = await users.issue(tenant, user)
    return token.reveal().encode()


async def test_a_token(users: UserTokens, clock: ServerClock) -> None:
    """Names its user until its end, which is told."""
    token, until = await users.issue(TENANT, "Bob Ünal", seconds=60)
    assert START + 60_000 == until
    assert "Bob Ünal" == await users.user_of(token.reveal().encode(), TENANT)
    clock.advance(59_999)
    assert "Bob Ünal" == await users.user_of(token.reveal().encode(), TENANT)
    clock.advance(1)
    with pytest.raises(UserTokenInvalidError, match="has expired"):
        await users.user_of(token.reveal().encode(), TENANT)


async def test_the_longest_names(users: UserTokens) -> None:
    """What can be issued can be read."""
    user, tenant = "😀" * 200, "🏠" * 200
    assert user == await users.user_of(await issued(users, user, tenant), tenant)


async def test_it_is_a_jwt(users: UserTokens) -> None:
    """As RFC 7519 has it, for whoever looks at one."""
    header, payload, _ = (await issued(users)).decode().split(".")
    read = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, payload)]
    assert {"alg": "HS256", "typ": "JWT"} == read[0]
    assert {"sub": "bob", "aud": TENANT, "iat": START // 1_000, "exp": START // 1_000 + 3_600} == (
        read[1]
    )


async def test_another_tenant(users: UserTokens) -> None:
    """Its users are not ours, whatever they are called."""
    token = await issued(users, tenant="other")
    with pytest.raises(UserTokenInvalidError, match="another tenant"):
        await users.user_of(token, TENANT)


async def test_another_key(store: Store, users: UserTokens) -> None:
    """Signs nothing here; an old one of ours still does."""
    old = new_key()
    token = await issued(users_with(store, old))
    with pytest.raises(UserTokenInvalidError):
        await users.user_of(token, TENANT)
    both = users_with(store, Secret(f"{new_key().reveal()},{old.reveal()}"))
    assert "bob" == await both.user_of(token, TENANT)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "RS256"}])
async def test_other_headers(store: Store, header: dict[str, str]) -> None:
    """Even rightly signed, only ours is read."""
    key = new_key()
    users = users_with(store, key)
    claims = {"sub": "bob", "aud": TENANT, "exp": START}
    content = f"{part(header)}.{part(claims)}"
    ring = GivenKey.of(key).ring
    signed = hmac.new(ring.signing[0], content.encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
    for token in (f"{content}.{signature}", f"{content}."):
        with pytest.raises(UserTokenInvalidError):
            await users.user_of(token.encode(), TENANT)


async def test_any_change(users: UserTokens) -> None:
    """Of one character, in every place."""
    token = await issued(users)
    for position in range(len(token)):
        other = b"A" if token[position : position + 1] != b"A" else b"B"
        changed = token[:position] + other + token[position + 1 :]
        with pytest.raises(UserTokenInvalidError):
            await users.user_of(changed, TENANT)


@pytest.mark.parametrize("end", [b"=", b".", b".x", b" ", b"\xff"])
async def test_more_behind_it(users: UserTokens, end: bytes) -> None:
    """There is one way to write a token."""
    token = await issued(users)
    with pytest.raises(UserTokenInvalidError):
        await users.user_of(token + end, TENANT)


@given(token=st.binary(max_size=200))
def test_any_bytes(token: bytes) -> None:
    """Are refused, and break nothing."""
    with pytest.raises(UserTokenInvalidError):
        read(Ring.parse(Secret("A" * 43)), token)


@pytest.mark.parametrize(
    "wrong",
    [{"user_id": ""}, {"user_id": "a\nb"}, {"seconds": 0}, {"seconds": 10**9}, {"tenant": ""}],
)
async def test_what_can_not_be_issued(users: UserTokens, wrong: dict[str, object]) -> None:
    """Nobody, and for no time or for ever."""
    given: dict[str, object] = {"tenant": TENANT, "user_id": "bob", **wrong}
    with pytest.raises(InputError):
        await users.issue(**given)  # type: ignore[arg-type]


async def test_over_the_wire(caller: Caller, platform: Starlette) -> None:
    """A bad one is refused, and so are two."""
    token, _ = await platform.state.vendo.users.issue(TENANT, "bob")
    caller.user = token.reveal()
    await caller.get(LIST)
    caller.user = token.reveal() + "x"
    assert (401, "user_token_invalid") == await refusal(caller, "GET", LIST)
    caller.user = ""
    assert (401, "user_token_invalid") == await refusal(caller, "GET", LIST)
    caller.user = None
    own = ("authorization", f"Bearer {caller.secret.reveal()}")
    twice = [own, *[("x-vendo-user-jwt", token.reveal())] * 2]
    response = await caller.http.get(LIST, headers=twice)
    assert (401, "user_token_invalid") == (
        response.status_code,
        response.headers["vendo-error-code"],
    )
