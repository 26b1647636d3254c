# Generated from src/quatrain/_async/writes.py by scripts/make_sync.py. Do not edit.
"""Writes that happen once: under an idempotency key, or as an effect of the ledger.

What the platforms' clients share of it: each says how its write is sent and how its answer is read.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _http
from .._options import WriteOptions
from .._runtime._sync import Fn
from .._structure import Reader, RefusedAnswerError, WireError
from ..errors._family import Family

if TYPE_CHECKING:
    from .._lease import EffectContext
    from .verity import VerityClient

T = TypeVar("T")


def write_once(
    name: str,
    send: Fn[[str], Mapping[str, Any]],
    reads: Reader[T],
    options: WriteOptions,
    *,
    effects: Callable[[], VerityClient] | None,
    family: Family,
) -> T:
    """What *reads* makes of the whole answer that *send* gets, under an idempotency key.

    *send* is given the key, and raises for an answer that *reads* can't read: what can't be read is
    an error of the one who writes, not of all who come later. With an ``effect_key`` among the
    *options* it is the act of that effect, *name* for short, in the ledger that *effects* answers.

    Raises the family's InputError for keys that can't be, and for an effect whose result is of
    another kind, and its ConfigError where there is no ledger.
    """
    effect_key = options.get("effect_key")
    if effect_key is None:
        return reads(send(idempotency_key(options.get("idempotency_key"), family)))
    if options.get("idempotency_key") is not None:
        raise family.input("an effect has an idempotency key of its own: pass one of the two")
    if effects is None:
        raise family.config("effect_key needs a client that holds Verity as well: Client")

    def act(effect: EffectContext) -> Mapping[str, Any]:
        return send(effect.idempotency_key)

    answer = effects().protect(effect_key, act=act, effect_name=name)
    try:
        return reads(answer)
    except (RefusedAnswerError, WireError):
        msg = f"the effect {effect_key!r} is another one: its result is not of this kind"
        raise family.input(msg) from None


def idempotency_key(given: str | None, family: Family) -> str:
    """*given*, checked, or one that is made up."""
    key = str(uuid.uuid4()) if given is None else given
    return _http.check_header("idempotency_key", key, family.input)
