"""One platform for a module's tests: each of them is a tenant of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ._platform import Recorder, ServedPlatform


@pytest.fixture
def anyio_backend() -> str:
    """The official SDK runs on asyncio alone."""
    return "asyncio"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPlatform]:
    with ServedPlatform(tmp_path_factory.mktemp("interop") / "quatrain.db") as served:
        yield served


@pytest.fixture
def platform(served: ServedPlatform) -> Iterator[ServedPlatform]:
    """With nothing recorded yet; all that goes over the wire has to be as OpenAPI tells it."""
    served.recorder.clear()
    yield served
    served.contract.check()


@pytest.fixture
def recorder(platform: ServedPlatform) -> Recorder:
    return platform.recorder
