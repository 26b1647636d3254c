"""A browser without a screen: it keeps cookies, reads forms and follows nothing by itself."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from starlette.applications import Starlette

from quatrain._secret import Secret
from quatrain.server.vendo.address import page_url

ORIGIN = "http://localhost"
BACK = "http://127.0.0.1:3000/back"

_states = itertools.count()


class Form(HTMLParser):
    """The form of a page, and what the page says."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action = ""
        self.values: dict[str, str] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given["action"]
        elif tag == "input":
            self.values[given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self.text += data


class Visitor:
    """Somebody whom an app sends to the page."""

    def __init__(self, app: Starlette, secret: Secret) -> None:
        self.app = app
        self.secret = secret
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        self.http = httpx.AsyncClient(transport=transport, base_url=ORIGIN)

    def another_browser(self) -> Visitor:
        """With no cookies."""
        return Visitor(self.app, self.secret)

    def address(self, slug: str = "openai", **changed: str) -> str:
        """Where the app sends somebody: good, but for what is *changed*."""
        query = {"return_to": BACK, "state": f"state-{next(_states)}", **changed}
        key = Secret(query.pop("app_key", self.secret.reveal()))
        return page_url(ORIGIN, slug, app_key=key, **query)

    async def opened(self, slug: str = "openai", **changed: str) -> tuple[str, Form]:
        """The page of a new visit: its address, and its form."""
        begun = await self.http.get(self.address(slug, **changed))
        assert 303 == begun.status_code, begun.text
        location = begun.headers["location"]
        page = await self.http.get(location)
        assert 200 == page.status_code, page.text
        return location, Form(page.text)

    async def submit(
        self, form: Form, headers: dict[str, str] | None = None, **changed: str
    ) -> httpx.Response:
        """Post the form as it is, but for what is *changed*."""
        return await self.http.post(
            form.action, data={**form.values, **changed}, headers=headers or {}
        )

    async def token(self, slug: str) -> dict[str, Any]:
        """What the app gets."""
        headers = {"authorization": f"Bearer {self.secret.reveal()}"}
        answer = await self.http.get(f"/credentials/{slug}", headers=headers)
        assert 200 == answer.status_code, answer.text
        return dict(answer.json())


def answer_in(response: httpx.Response) -> dict[str, str]:
    """What the browser is sent back to the app with."""
    assert 303 == response.status_code, response.text
    location = response.headers["location"]
    assert location.startswith(f"{BACK}?")
    return dict(parse_qsl(urlsplit(location).query, strict_parsing=True))


def rows(app: Starlette, statement: str) -> list[tuple[Any, ...]]:
    """What the database holds."""
    read = app.state.store.read_blocking
    return [tuple(row) for row in read(lambda connection, *_: connection.execute(statement), None)]
