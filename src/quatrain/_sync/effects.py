# Generated from src/quatrain/_async/effects.py by scripts/make_sync.py. Do not edit.
"""The ledger's query API: what effects there are, and how each came to be what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from .._paging import CursorWalk, check
from ..errors.verity import VerityConfigError, VerityValidationError
from ..models.verity import Effect, EffectEvent, EffectPage, EffectTrail, EffectTrailPage
from .pages import PAGE_SIZE, Pages

if TYPE_CHECKING:
    from .ledger import Ledger

TRAIL_PAGE_SIZE: Final = 1_000
"""Lines of audit asked for at once."""


class Effects:
    """``client.effects``: list, look at, and reset effects. An addition of the local platform."""

    def __init__(self, ledger: Ledger, namespace: str | None) -> None:
        self._ledger = ledger
        self._namespace = namespace

    def list(
        self,
        *,
        namespace: str | None = None,
        status: str | None = None,
        workflow: str | None = None,
        case: str | None = None,
        key: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        payloads: bool = False,
    ) -> EffectPage:
        """A page of effects, newest first; ``next_cursor`` leads to the next.

        *key* is a substring; every filter is optional, and without *namespace* all are listed.
        *limit* is 1 to 200. *payloads* adds input, result and error to each. Raises
        VerityValidationFailedError for a status, limit or cursor that the ledger does not know.
        """
        query = {
            "namespace": namespace,
            "status": status,
            "workflow": workflow,
            "case": case,
            "key": key,
            "limit": str(limit),
            "cursor": cursor,
            "payloads": "true" if payloads else None,
        }
        return self._ledger.effects({k: v for k, v in query.items() if v is not None})

    def iter(
        self,
        *,
        namespace: str | None = None,
        status: str | None = None,
        workflow: str | None = None,
        case: str | None = None,
        key: str | None = None,
        payloads: bool = False,
        page_size: int = PAGE_SIZE,
        max_items: int | None = None,
        prefetch: bool = False,
    ) -> Iterator[Effect]:
        """Every effect that matches, newest first, page after page as the loop goes on.

        Effects that are added meanwhile do not appear. The filters are those of ``list``. With
        *prefetch* the next page is asked for while the loop works on this one; it is off by
        default, as whoever looks for an effect commonly stops before.
        """
        check(page_size, max_items, refuse=VerityValidationError)

        def fetch(limit: int, cursor: str | None) -> EffectPage:
            return self.list(
                namespace=namespace,
                status=status,
                workflow=workflow,
                case=case,
                key=key,
                limit=limit,
                cursor=cursor,
                payloads=payloads,
            )

        return Pages(fetch, CursorWalk(page_size, max_items), prefetch=prefetch)

    def get(self, effect_key: str, *, namespace: str | None = None) -> Effect:
        """One effect, with its payloads. Raises VerityNotFoundError."""
        return self._ledger.effect(self._in(namespace), _checked(effect_key))

    def events(self, effect_key: str, *, namespace: str | None = None) -> Sequence[EffectEvent]:
        """The effect's whole audit trail, oldest first. Raises VerityNotFoundError."""
        found: list[EffectEvent] = []
        query = {"effectKey": _checked(effect_key), "limit": "200"}
        while True:
            page = self._ledger.events(self._in(namespace), query)
            found += page.items
            if page.next_cursor is None or not page.items:
                return found
            query["cursor"] = page.next_cursor

    def iter_trail(
        self, *, namespace: str | None = None, page_size: int = TRAIL_PAGE_SIZE
    ) -> Iterator[EffectTrail]:
        """The audit trails of all effects, or of one *namespace*'s, in the order of their ids.

        A trail longer than a page comes in several parts, one behind the other. What is added
        meanwhile to effects that were handed out already does not appear. *page_size* is lines, 1
        to 1,000.
        """
        check(page_size, None, refuse=VerityValidationError)

        def fetch(limit: int, cursor: str | None) -> EffectTrailPage:
            query = {"namespace": namespace, "limit": str(limit), "cursor": cursor}
            return self._ledger.trail({k: v for k, v in query.items() if v is not None})

        return Pages(fetch, CursorWalk(page_size, None), prefetch=True)

    def reset(self, effect_key: str, *, reason: str, namespace: str | None = None) -> Effect:
        """Let a failed or expired effect run again; *reason* goes into the audit trail.

        Raises VerityConflictError when it is in another state, and VerityNotFoundError.
        """
        return self._ledger.reset(self._in(namespace), _checked(effect_key), reason)

    def _in(self, namespace: str | None) -> str:
        return require_namespace(namespace or self._namespace)


def require_namespace(namespace: str | None) -> str:
    """*namespace*, unless there is none: then VerityConfigError."""
    if not namespace:
        msg = "a namespace is needed: pass namespace= here, or to the client"
        raise VerityConfigError(msg)
    return namespace


def _checked(effect_key: str) -> str:
    if not isinstance(effect_key, str) or not effect_key:
        msg = "effect_key has to be a non-empty string"
        raise VerityValidationError(msg)
    return effect_key
