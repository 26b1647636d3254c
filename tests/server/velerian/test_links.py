"""Presigned links: what opens them, and for how long."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quatrain._secret import Secret
from quatrain.server import Settings, create_app
from quatrain.server.velerian import exports

from .._support import START, ServerClock
from ._exports import VALID, Site


async def test_a_link_needs_no_key_and_no_other_opens_anything(site: Site) -> None:
    """Whatever is altered of it: 403."""
    export = await site.evidence(await site.invoke())
    other = await site.evidence(await site.invoke())
    url = httpx.URL(export["download_url"])
    assert (url.scheme, url.host, url.path) == (
        "http",
        "localhost",
        f"/api/v2/exports/{export['export_id']}/download",
    )
    expires, signature = int(url.params["expires"]), url.params["signature"]
    assert (START + VALID) // 1000 == expires
    refused = [
        url.copy_set_param("expires", str(expires + 1)),
        url.copy_set_param("expires", str(2**63 - 1)),
        url.copy_set_param("expires", "-1"),
        url.copy_set_param("signature", signature[:-1]),
        url.copy_set_param("signature", signature.upper()),
        url.copy_set_param("signature", "ü"),
        url.copy_set_param("signature", ""),
        httpx.URL(str(url).replace(export["export_id"], other["export_id"])),
        httpx.URL(str(url).replace(export["export_id"], "exp_none")),
    ]
    for altered in refused:
        response = await site.open(str(altered))
        expected = {"detail": "this link is not one of this platform's, or has been altered"}
        assert (403, expected) == (response.status_code, response.json()), altered
    for name in ("expires", "signature"):
        response = await site.open(str(url.copy_remove_param(name)))
        assert 422 == response.status_code
        assert ["query", name] == response.json()["detail"][0]["loc"]
    assert 200 == (await site.open(str(url))).status_code


async def test_a_link_expires(site: Site, clock: ServerClock) -> None:
    """After a quarter of an hour, to the second."""
    clock.advance(1)
    export = await site.evidence(await site.invoke())
    assert "2027-01-15T08:15:01.000Z" == export["expires_at"]
    clock.advance(VALID + 998)
    assert 200 == (await site.open(export["download_url"])).status_code
    clock.advance(1)
    response = await site.open(export["download_url"])
    expected = {"detail": "this link has expired: ask for another export"}
    assert (403, expected) == (response.status_code, response.json())


async def test_links_open_on_every_platform_of_the_database(
    site: Site, database: Path, clock: ServerClock, tmp_path: Path
) -> None:
    """And on no other: the secret is the database's, and a random one."""
    export = await site.evidence(await site.invoke())
    url = httpx.URL(export["download_url"])
    for path, status in ((database, 200), (tmp_path / "other.db", 403)):
        settings = Settings(database=path, seed=None, background=False)
        async for twin in made_twin(settings, clock):
            await twin.services.store.write(_make_secret, None)
            assert status == (await twin.open(str(url))).status_code


def _make_secret(connection: sqlite3.Connection, now: int, _: None) -> str:
    return exports.presign.secret(connection, now, None)


async def made_twin(settings: Settings, clock: ServerClock) -> AsyncIterator[Site]:
    app = create_app(settings, now_ms=clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost/api/v2") as http,
    ):
        yield Site(app, http, Secret("none"))


async def test_a_link_before_any_was_made(site: Site) -> None:
    """There is no secret yet that it could be signed with."""
    response = await site.open("/exports/exp_x/download?expires=9999999999&signature=00")
    assert 403 == response.status_code


@given(expires=st.text(max_size=25), signature=st.text(), export_id=st.text(min_size=1))
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_any_link_is_refused_in_words(
    site: Site, expires: str, signature: str, export_id: str
) -> None:
    """And nothing else happens."""
    try:
        url = httpx.URL(
            f"http://localhost/api/v2/exports/{httpx.QueryParams({'': export_id})}/download",
            params={"expires": expires, "signature": signature},
        )
    except (httpx.InvalidURL, UnicodeEncodeError):
        return
    response = await site.http.get(url)
    assert response.status_code in {403, 404, 422}
    assert response.json()["detail"]
