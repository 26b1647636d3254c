"""Who is signed in, as the proxy's headers say."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import starlette.datastructures

from quatrain.errors.vendo import IdentityNotPresent
from quatrain.models.vendo import VendoIdentity
from quatrain.vendo import sso

HEADERS = {
    "X-Vendo-User-Id": "u_1",
    "X-Vendo-User-Email": "ada@example.com",
    "X-Vendo-User-Name": "Ada Lovelace",
    "X-Vendo-Tenant-Id": "t_1",
    "X-Vendo-Role": "owner",
}
ADA = VendoIdentity("u_1", "ada@example.com", "Ada Lovelace", "t_1", "owner")
NEEDED = [name for name in HEADERS if name != "X-Vendo-User-Name"]


@pytest.mark.parametrize(
    "headers",
    [
        HEADERS,
        {name.lower(): value for name, value in HEADERS.items()},
        {name.upper(): value for name, value in HEADERS.items()},
        [(name.encode(), value.encode()) for name, value in HEADERS.items()],
        httpx.Headers(HEADERS),
        starlette.datastructures.Headers(HEADERS),
        {**HEADERS, "Cookie": "a=b"},
    ],
)
def test_five_headers_are_an_identity(headers: Any) -> None:
    """In any case."""
    assert ADA == sso.identity_from_headers(headers)


@pytest.mark.parametrize("value", ["", " "])
def test_the_name_may_be_empty(value: str) -> None:
    """Not everybody has one; the header is there all the same."""
    identity = sso.identity_from_headers({**HEADERS, "X-Vendo-User-Name": value})
    assert VendoIdentity("u_1", "ada@example.com", "", "t_1", "owner") == identity


@pytest.mark.parametrize("missing", HEADERS)
def test_each_header_has_to_be_there(missing: str) -> None:
    """Or nobody is signed in."""
    headers = {name: value for name, value in HEADERS.items() if name != missing}
    assert None is sso.identity_from_headers(headers)


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("value", ["", " \t", None, 1, "\udcff"])
def test_an_empty_header_is_missing(name: str, value: Any) -> None:
    """All but the name."""
    assert None is sso.identity_from_headers({**HEADERS, name: value})


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_given_twice_is_missing(name: str) -> None:
    """A stranger's beside the proxy's must not be taken for it."""
    assert None is sso.identity_from_headers([*HEADERS.items(), (name.lower(), "stranger")])


@pytest.mark.parametrize("headers", [None, {}, 1, object(), "X-Vendo-User-Id: u_1"])
def test_nothing_is_raised(headers: Any) -> None:
    """What are no headers names nobody."""
    assert None is sso.identity_from_headers(headers)


def test_the_endpoint_answers_in_json() -> None:
    """All that a frontend needs to show who is signed in, and the ways out."""
    expected = {
        "user_id": "u_1",
        "email": "ada@example.com",
        "name": "Ada Lovelace",
        "tenant_id": "t_1",
        "role": "owner",
        "logout_url": "/__vendo/auth/logout",
        "dashboard_url": "https://vendo.run/dashboard",
    }
    assert expected == sso.identity_response(HEADERS)


def test_the_endpoint_has_no_answer_for_nobody() -> None:
    """The caller decides on the status."""
    with pytest.raises(IdentityNotPresent) as caught:
        sso.identity_response({})
    assert "identity_not_present" == caught.value.code


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, False), ("", False), ("0", False), ("true", False), ("1", True), (" 1 ", True)],
)
def test_sign_on_is_enabled_by_a_variable(monkeypatch: Any, value: Any, expected: bool) -> None:
    """Read at each call."""
    monkeypatch.delenv("VENDO_AUTH", raising=False)
    if value is not None:
        monkeypatch.setenv("VENDO_AUTH", value)
    assert expected is sso.is_enabled()


def test_the_places_are_the_contracts() -> None:
    """Pinned: frontends and the proxy know them."""
    places = sso.IDENTITY_ENDPOINT_PATH, sso.logout_url(), sso.dashboard_url()
    assert ("/api/vendo/identity", "/__vendo/auth/logout", "https://vendo.run/dashboard") == places
