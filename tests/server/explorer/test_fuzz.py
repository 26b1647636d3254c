"""Random addresses and forms: each gets a page, and none a 5xx."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quatrain.server import Settings, create_app

from .conftest import FORM, Browser, browser_of, hidden

FIELDS = [
    *("state", "namespace", "workflow", "case", "agent", "key", "age", "before", "action", "then"),
    *("counted", "reason", "result", "outcome", "fence", "name", "form_token"),
]
PATHS = [
    *("/", "/effects", "/effects/eff_000000000001", "/workflow", "/workflows", "/bulk", "/login"),
    *("/export.csv", "/export.jsonl", "/effects/eff_000000000001/reset", "/logout", "/assets/x"),
    *("/effects/eff_000000000001/resolve", "/effects/eff_000000000001/release"),
]
texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["", "1", "-1", "9" * 18, "9" * 19, "FAILED", "EXPIRED", "reset", "older-1h", "done", "\0", "²"]
)
queries = st.dictionaries(st.sampled_from(FIELDS), texts, max_size=6).map(urlencode)
raw = queries | st.text(st.sampled_from("abc=&%;+0f"), max_size=20)


class Site:
    """An app with a loop of its own: Hypothesis makes many requests in one test function."""

    def __init__(self, directory: Path) -> None:
        self.runner = asyncio.Runner()
        self.app = create_app(Settings(database=directory / "quatrain.db", background=False))
        self.lifespan = self.app.router.lifespan_context(self.app)
        self.runner.run(self.lifespan.__aenter__())
        self.browser = self.runner.run(self.start())

    async def start(self) -> Browser:
        browser = browser_of(self.app)
        await browser.login()
        await browser.ledger.lease(browser.effect())
        self.token = hidden(await browser.text("/effects"), "form_token")
        return browser

    def close(self) -> None:
        self.runner.run(self.browser.http.aclose())
        self.runner.run(self.lifespan.__aexit__(None, None, None))
        self.runner.close()

    def ask(self, method: str, path: str, **options: Any) -> Any:
        return self.runner.run(self.browser.http.request(method, path, **options))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("explorer"))
    yield site
    site.close()


quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(path=st.sampled_from(PATHS), query=raw, partial=st.booleans())
@example(path="/effects", query="before=" + "9" * 18, partial=True)
@example(path="/effects", query="key=%00", partial=False)
def test_any_address_has_a_page(site: Site, path: str, query: str, partial: bool) -> None:
    """Or leads to one."""
    headers = {"hx-request": "true"} if partial else {}
    answer = site.ask("GET", f"{path}?{query}", headers=headers)
    assert answer.status_code < 500, answer.text


@quick
@given(path=st.sampled_from([p for p in PATHS if p != "/logout"]), form=raw, signed=st.booleans())
def test_any_form_has_an_answer(site: Site, path: str, form: str, signed: bool) -> None:
    """With the session's token and without."""
    body = f"form_token={site.token}&{form}" if signed else form
    answer = site.ask("POST", path, content=body, headers=FORM)
    assert answer.status_code < 500, answer.text


@quick
@given(cookie=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60))
def test_any_cookie_is_read(site: Site, cookie: str) -> None:
    """Beside the session's own, too."""
    own = site.browser.http.cookies["quatrain_explorer"]
    for value in (cookie, f"quatrain_explorer={own}; {cookie}"):
        headers = {"cookie": value.encode("latin-1")}
        assert site.ask("GET", "/effects", headers=headers).status_code in {200, 303}
