"""One browser for all of these tests, and a new profile in it for each.

Playwright keeps an event loop running in this thread, in which no other test could run one: it
stops with the last test of this package.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quatrain.server.embedded import EmbeddedPlatform
from tests._require import import_for, missing

from ._app import LocalApp

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """A Chromium without a screen: the machine's, or the one that Playwright installed."""
    playwright = import_for("browser", "playwright.sync_api", "playwright")
    with playwright.sync_playwright() as running:
        found = next(filter(None, map(shutil.which, _NAMES)), running.chromium.executable_path)
        if not Path(found).exists():
            missing("browser", f"there is no Chromium by the names {', '.join(_NAMES)}")
        chromium = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPlatform]:
    """Without the demo's data."""
    database = tmp_path_factory.mktemp("browser") / "quatrain.db"
    with EmbeddedPlatform(database, seed=None) as platform:
        yield platform


@pytest.fixture
def local_app(platform: EmbeddedPlatform) -> Iterator[LocalApp]:
    with LocalApp(platform) as app:
        yield app


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A tab of a new profile, in which no script may run and no policy be broken."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if "Security Policy" in said.text else None,
    )
    yield page
    context.close()
    assert [] == complaints
