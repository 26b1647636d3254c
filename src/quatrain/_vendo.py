"""Vendo's settings, its arguments, checked, and its answers, read. Source: contracts, Vendo."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import attrs

from ._catalogue import CATALOGUE
from ._tokens import Issued
from .errors.vendo import NotConnected, ValidationError
from .models.vendo import Balance, Connection, Integration, SpendCaps

T = TypeVar("T")

PERIODS: Final = ("day", "month")

# -- settings -------------------------------------------------------------------------------------


def setting(name: str) -> str | None:
    """An environment variable; an empty one counts as unset."""
    return os.environ.get(name) or None


def token_variable(slug: str) -> str:
    """The variable whose token goes before any other."""
    return f"VENDO_TOKEN_{slug.upper().replace('-', '_')}"


def own_variables(slug: str) -> list[str]:
    """Where a key of one's own is looked for; none for a slug that is not in the catalogue."""
    known = CATALOGUE.get(slug)
    return [] if known is None else list(known.env_vars)


def own_token(slug: str) -> str | None:
    """The key of one's own, from the slug's primary variable."""
    names = own_variables(slug)
    return setting(names[0]) if names else None


def not_connected(slug: str) -> NotConnected:
    """There is no token for *slug*, and no platform to ask."""
    names = [*own_variables(slug)[:1], token_variable(slug)]
    return NotConnected(
        message=f"there is no token for {slug}",
        code="binding_missing",
        slug=slug,
        suggested_fix=f"set {' or '.join(names)}, or VENDO_API_KEY to have it from the platform",
    )


def unbound(slug: str) -> NotConnected:
    """The platform has no token for *slug*."""
    return NotConnected(
        message=f"there is no connection to {slug}", code="binding_missing", slug=slug
    )


# -- arguments ------------------------------------------------------------------------------------


def slug_of(value: Any) -> str:
    """The name of an integration."""
    if not isinstance(value, str) or not value.strip():
        raise ValidationError("a slug has to be a string that is not empty")
    if value.startswith("_") or "," in value:  # the bulk request's own words
        raise ValidationError("a slug begins with no underscore, and holds no comma")
    return value


def slugs_of(value: Any) -> list[str]:
    """Several, each once; a single one is a mistake."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValidationError("slugs have to be a list of strings")
    return [*dict.fromkeys(map(slug_of, value))]


def filled(name: str, value: Any) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValidationError(f"{name} has to be a string that is not empty")
    return value


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    """What becomes a JSON object."""
    if not isinstance(value, Mapping):
        raise ValidationError(f"{name} has to be a mapping, not {type(value).__name__}")
    return value


def period_of(value: Any) -> str:
    """What usage is told of."""
    if value not in PERIODS:
        raise ValidationError("period has to be 'day' or 'month'")
    return str(value)


# -- answers --------------------------------------------------------------------------------------


def connections(answer: Any) -> list[Connection]:
    """All connections of an app."""
    return _listed("connections", answer, Connection)


def integrations(answer: Any) -> list[Integration]:
    """All that can be connected."""
    return [_with_profiles(each) for each in _listed("integrations", answer, Integration)]


def integration(answer: Any) -> Integration:
    """One that can be connected; some platforms wrap it."""
    found = _object(answer)
    inner = found.get("integration", found)
    return _with_profiles(_structured(_named(inner), Integration))


def balance(answer: Any) -> Balance:
    """What is left to spend."""
    return _structured(answer, Balance)


def spend_caps(answer: Any) -> SpendCaps:
    """What may be spent."""
    return _structured(answer, SpendCaps)


def usage(answer: Any) -> dict[str, Any]:
    """What has been spent."""
    return dict(_object(answer))


def executed(answer: Any) -> Any:
    """What an action answered. A refusal can come as a success whose ``error`` says why."""
    if not isinstance(answer, Mapping):
        return answer
    if isinstance(answer.get("error"), str) and answer["error"]:
        from ._structure import RefusedAnswerError  # noqa: PLC0415

        raise RefusedAnswerError
    return answer.get("data", answer)


def data_of(answer: Any) -> Any:
    """What ``executed`` read, where it was kept as an effect's result."""
    found = _object(answer)
    if "data" not in found:
        raise _wrong("there is no data in it")
    return found["data"]


def issued(answer: Any, wall_now: float) -> Issued:
    """A token, as the credentials host issues it; *wall_now* is the Unix time."""
    found = _object(answer)
    value, kind = found.get("access_token"), found.get("token_type")
    if not isinstance(value, str) or not value:
        raise _wrong("there is no access_token in it")
    if not isinstance(kind, str | None):
        raise _wrong("its token_type is no string")
    try:
        return Issued.of(value, kind, found.get("expires_at"), wall_now)
    except ValueError as exc:
        raise _wrong(str(exc)) from None


def issued_in_bulk(answer: Any, slugs: list[str], wall_now: float) -> dict[str, Issued | None]:
    """Those of *slugs*; one that is null, or left out, is None."""
    tokens = _object(_object(answer).get("tokens"))
    given = {slug: tokens.get(slug) for slug in slugs}
    return {slug: None if each is None else issued(each, wall_now) for slug, each in given.items()}


def _listed(name: str, answer: Any, model: type[T]) -> list[T]:
    items = _object(answer).get(name)
    if items is None:
        return []
    if not isinstance(items, list):
        raise _wrong(f"{name} is a {type(items).__name__}, and should be a list")
    return [_structured(_named(item), model) for item in items]


def _named(item: Any) -> Any:
    """*item* under the name of slug: some call it their provider."""
    if isinstance(item, Mapping) and item.get("slug") is None and "provider" in item:
        return {**item, "slug": item["provider"]}
    return item


def _with_profiles(found: Integration) -> Integration:
    if found.supported_profiles or not found.default_profile:
        return found
    return attrs.evolve(found, supported_profiles=[found.default_profile], raw=found.raw)


def _object(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, Mapping):
        raise _wrong(f"expected an object, got {type(answer).__name__}")
    return answer


def _structured(answer: Any, model: type[T]) -> T:
    from ._structure import SNAKE_CASE  # noqa: PLC0415 - cattrs comes with the first answer

    return SNAKE_CASE.structure(answer, model)


def _wrong(reason: str) -> Exception:
    from ._structure import WireError  # noqa: PLC0415

    return WireError(reason)
