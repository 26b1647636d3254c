# Generated from src/quatrain/_async/writes.py by scripts/make_sync.py. Do not edit.
"""Writes that happen once: under an idempotency key, or as an effect of the ledger.

What the platforms' clients share of it: each says how its write is sent and how its answer is read.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from .. import _http
from .._runtime._sync import Fn
from .._structure import Reader, RefusedAnswerError, WireError
from ..errors._family import Family

if TYPE_CHECKING:
    from .._lease import EffectContext
    from .transport import Call, Transport
    from .verity import VerityClient

T = TypeVar("T")


def write_once(
    call: Call,
    send: Fn[[Call], Mapping[str, Any]],
    reads: Reader[T],
    *,
    effects: Callable[[], VerityClient] | None,
    transport: Transport,
    family: Family,
    idempotency_key: str | None = None,
    effect_key: str | None = None,
    again: Reader[T] | None = None,
) -> T:
    """What *reads* makes of the whole answer that *send* gets for *call* under a key.

    *send* raises for an answer that *reads* can't read: what can't be read is an error of the one
    who writes, not of all who come later. With an *effect_key* it is the act of that effect in the
    ledger that *effects* answers; what that has kept is read by *again*.

    Raises the family's InputError for keys that can't be, and for an effect whose result is of
    another kind, and its ConfigError where there is no ledger.
    """
    if effect_key is None:
        return reads(send(_keyed(call, key_of(idempotency_key, family), family)))
    if idempotency_key is not None:
        raise family.input("an effect has an idempotency key of its own: pass one of the two")
    if effects is None:
        raise family.config("effect_key needs a client that holds Verity as well: Client")
    call = transport.prepared(call)  # a slip in the arguments is no failed effect

    def act(effect: EffectContext) -> Mapping[str, Any]:
        return send(_keyed(call, effect.idempotency_key, family))

    answer = effects().protect(effect_key, act=act, effect_name=call.name)
    with contextlib.suppress(RefusedAnswerError, WireError):
        return (again or reads)(answer)
    msg = f"the effect {effect_key!r} is another one: its result is not of this kind"
    raise family.input(msg)


def key_of(given: str | None, family: Family) -> str:
    """*given*, checked, or one that is made up."""
    key = str(uuid.uuid4()) if given is None else given
    return _http.check_header("idempotency_key", key, family.input)


def _keyed(call: Call, key: str, family: Family) -> Call:
    value = _http.check_header("idempotency_key", key, family.input)
    return attrs.evolve(call, headers={**call.headers, "Idempotency-Key": value})
