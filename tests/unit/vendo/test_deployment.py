"""Which deployment this is, as the environment says."""

from __future__ import annotations

import importlib

import pytest

from quatrain.vendo import deployment

VARIABLES = {
    "api_key": "VENDO_API_KEY",
    "api_url": "VENDO_API_URL",
    "deployment_id": "VENDO_DEPLOYMENT_ID",
    "deployment_slug": "VENDO_DEPLOYMENT_SLUG",
    "tenant_id": "VENDO_TENANT_ID",
}


@pytest.mark.parametrize(("name", "variable"), VARIABLES.items())
def test_a_name_is_a_variable(monkeypatch: pytest.MonkeyPatch, name: str, variable: str) -> None:
    """As it is at that moment."""
    for value in ("one", "two"):
        monkeypatch.setenv(variable, value)
        assert value == getattr(deployment, name)
    from_import = getattr(importlib.import_module("quatrain.vendo.deployment"), name)
    assert "two" == from_import


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("value", [None, ""])
def test_a_name_that_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """None, or the default of the only one that has any; empty counts as unset."""
    monkeypatch.delenv(VARIABLES[name], raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLES[name], str(value))
    expected = "https://vendo.run" if name == "api_url" else None
    assert expected == getattr(deployment, name)


@pytest.mark.parametrize(("value", "expected"), [(None, False), ("", False), ("dep_1", True)])
def test_it_runs_on_vendo(monkeypatch: pytest.MonkeyPatch, value: object, expected: bool) -> None:
    """Where it has a deployment's id."""
    monkeypatch.delenv("VENDO_DEPLOYMENT_ID", raising=False)
    if value is not None:
        monkeypatch.setenv("VENDO_DEPLOYMENT_ID", str(value))
    assert expected is deployment.is_running_on_vendo()


def test_any_other_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="tenant_idd"):
        deployment.tenant_idd  # type: ignore[attr-defined]  # noqa: B018


def test_the_names_are_listed() -> None:
    """For editors, and for ``import *``."""
    assert sorted([*VARIABLES, "is_running_on_vendo"]) == dir(deployment) == deployment.__all__
