"""Skips that can be turned into failures."""

from __future__ import annotations

import json

import pytest
from tests._require import import_for, missing


def test_what_is_missing_is_skipped_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default, and when other things are demanded."""
    monkeypatch.setenv("QUATRAIN_REQUIRE", "postgres, browser")
    with pytest.raises(pytest.skip.Exception, match="package nowhere is not installed"):
        import_for("interop", "quatrain_is_not_this", "nowhere")


def test_what_is_demanded_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same reason."""
    monkeypatch.setenv("QUATRAIN_REQUIRE", "postgres, interop")
    with pytest.raises(pytest.fail.Exception, match="demands interop: not here"):
        missing("interop", "not here")


def test_what_is_there_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Demanded or not."""
    monkeypatch.setenv("QUATRAIN_REQUIRE", "interop")
    assert json is import_for("interop", "json", "python")
