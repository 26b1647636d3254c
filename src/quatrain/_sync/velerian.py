# Generated from src/quatrain/_async/velerian.py by scripts/make_sync.py. Do not edit.
"""The client of Velerian. Source: contracts, Velerian."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Unpack

from .. import _velerian as wire
from .._options import CallOptions, WriteOptions
from .._retry import RetryPolicy
from .._runtime._sync import SYSTEM_CLOCK, Clock
from .._secret import Secret
from .._version import __version__
from ..errors.velerian import (
    FAMILY,
    VelerianAPIError,
    VelerianConfigError,
    VelerianError,
    VelerianInputError,
    VelerianRunTimeoutError,
)
from ..models.velerian import (
    TERMINAL_RUN_STATES,
    EvidenceExport,
    InvokeResult,
    Page,
    UsageSummary,
)
from .requests import Requests

if TYPE_CHECKING:
    import httpx

    from .pages import Pages
    from .verity import VerityClient

DEFAULT_BASE_URL: Final = "https://app.velerian.ai"
USER_AGENT: Final = f"velerian-python-sdk/{__version__}"

Row = dict[str, Any]
"""A run or an entry of the audit log, as the platform has it."""


class VelerianClient(Requests):
    """Governed runs, their evidence, the audit log and usage.

    ::

        with VelerianClient() as velerian:
            result = velerian.invoke_abp("abp_refunds", {"amount": 40})
            if result.requires_human:
                print("waits for", result.approval_id)
            export = velerian.invocation_evidence("abp_refunds", result.invocation_id)
            velerian.download_evidence(export, to="evidence.json")

    Settings that are not given come from ``VELERIAN_API_KEY`` and ``VELERIAN_BASE_URL``.
    Construction does no I/O; one client serves any number of event loops.

    - ``api_key``: ``vk_live_…``. It is sent to the base URL's origin and nowhere else.
    - ``timeout``: seconds for each step of a request.
    - ``max_retries``: tries after the first, of requests that were turned away with 429 or failed
      for a passing reason; after what ``Retry-After`` asks for (more than 60 seconds: raised at
      once), else after a random wait of up to 0.5 seconds, doubling up to 60.
    - ``user_agent``: what servers log; ``velerian-python-sdk/<version>`` unless given.
    - ``http_client``: the caller's ``httpx.Client``, used for everything and never closed.
    - ``allow_insecure``: plain http to other hosts than this one.

    Every method takes ``timeout`` and ``max_retries`` for its own requests, and may raise
    VelerianAuthError, VelerianForbiddenError, VelerianRateLimitError, VelerianServerError,
    VelerianAPIError and VelerianTransportError. Raises VelerianConfigError for a setting that is
    missing or unusable.
    """

    def __init__(
        self,
        *,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        user_agent: str | None = None,
        http_client: httpx.Client | None = None,
        allow_insecure: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not isinstance(api_key, str | Secret | None):
            raise VelerianConfigError("api_key has to be a string")
        api_key = Secret(api_key or os.environ.get("VELERIAN_API_KEY", ""))
        if not api_key:
            raise VelerianConfigError("api_key is missing: pass it, or set VELERIAN_API_KEY")
        # the HTTP stack comes with the first client: who imports the package need not wait for it
        from .governance import GovernanceAPI  # noqa: PLC0415
        from .transport import Transport  # noqa: PLC0415

        transport = Transport(
            base_url or os.environ.get("VELERIAN_BASE_URL") or DEFAULT_BASE_URL,
            api_key,
            family=FAMILY,
            timeout=timeout,
            # contracts, Velerian, "Paths and errors"
            policy=RetryPolicy(max_retries=max_retries, base=0.5, cap=60.0, full_jitter=True),
            allow_insecure=allow_insecure,
            http_client=http_client,
            clock=clock,
            user_agent=user_agent or USER_AGENT,
        )
        self._transports = (transport,)
        self._clock = clock
        self._api = GovernanceAPI(transport, allow_insecure=allow_insecure)

    # -- governed runs ----------------------------------------------------------------------------

    def invoke_abp(
        self, abp_id: str, payload: Mapping[str, Any], **options: Unpack[WriteOptions]
    ) -> InvokeResult:
        """Put *payload* before an ABP's policy, and have it run if that allows. Scope: runs:write.

        A verdict that is not ``allow`` is an answer, no error. Retried under one idempotency key
        after 429 and 5xx; after no answer only with an ``idempotency_key`` of yours, as the
        contract promises nothing about others. With an ``effect_key`` it is an effect that happens
        once. Raises VelerianConflictError unless the ABP is deployed.
        """
        wire.check_mapping("payload", payload)
        path = ("api", "v2", "abps", wire.filled("abp_id", abp_id), "invoke")
        return self._api.post(*path, body={"payload": payload}, reads=wire.invocation, **options)

    def invoke_network(
        self,
        slug: str,
        prompt_text: str,
        metadata: Mapping[str, Any] | None = None,
        attachment_ids: Sequence[str] | None = None,
        wait: bool = True,
        poll_interval: float = 3.0,
        run_timeout: float = 900.0,
        *,
        on_progress: Callable[[Row], object] | None = None,
        **options: Unpack[WriteOptions],
    ) -> Row:
        """Have a network of agents answer *prompt_text*. Scope: runs:write.

        Answers the run at its end like ``await_run``, with ``slug``, ``run_id``, ``prompt_id``,
        ``run_url`` and ``model_id_used`` added; with ``wait=False`` at once, the queued run's
        ``run_id``, ``run_url`` and ``status``.

        It is queued once with each ``idempotency_key``, or as an effect that happens once with each
        ``effect_key``: whoever calls again waits for the same run. Raises VelerianRunTimeoutError,
        which has the ``run_id``, when *run_timeout* seconds were not enough.
        """
        body: Row = {"prompt_text": wire.filled("prompt_text", prompt_text)}
        if metadata is not None:
            body["metadata"] = wire.check_mapping("metadata", metadata)
        if attachment_ids is not None:
            body["attachment_ids"] = wire.names("attachment_ids", attachment_ids)
        wire.check_waits(poll_interval, run_timeout, on_progress)
        slug = wire.filled("slug", slug)
        queued = self._api.post(
            *("api", "agenticx", "networks", slug, "invoke"),
            query=wire.QUEUED,
            body=body,
            reads=wire.queued_run,
            **options,
        )
        if not wait:
            return queued
        run_id = queued["run_id"]
        row = self.await_run(
            run_id,
            poll_interval=poll_interval,
            run_timeout=run_timeout,
            on_progress=on_progress,
            timeout=options.get("timeout"),
            max_retries=options.get("max_retries"),
        )
        return {
            **row,
            "slug": slug,
            "run_id": run_id,
            "prompt_id": run_id,
            "run_url": queued.get("run_url"),
            "model_id_used": row.get("model_id"),
        }

    def await_run(
        self,
        run_id: str,
        *,
        poll_interval: float = 3.0,
        run_timeout: float = 900.0,
        on_progress: Callable[[Row], object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Row:
        """The run, once it is ``succeeded``, ``failed`` or ``blocked``. Scope: runs:read.

        It is looked at now, every *poll_interval* seconds, and after *run_timeout* for the last
        time: then VelerianRunTimeoutError is raised, and the run goes on. *on_progress*, a plain
        function, is called with the run each time it was looked at.
        """
        wire.check_waits(poll_interval, run_timeout, on_progress)
        run_id = wire.filled("run_id", run_id)
        began = self._clock.now()
        while True:
            try:
                row = self._api.get("pack-runs", run_id, reads=wire.run, **options)
            except VelerianError as exc:
                exc.add_note(f"run {run_id} goes on, and can be waited for again")
                raise
            if on_progress is not None:
                on_progress(row)
            status = row.get("status")
            if status in TERMINAL_RUN_STATES:
                return row
            waited = self._clock.now() - began
            if waited >= run_timeout:
                raise VelerianRunTimeoutError(run_id, status, waited)
            self._clock.sleep(min(poll_interval, run_timeout - waited))

    # -- evidence ---------------------------------------------------------------------------------

    def invocation_evidence(
        self,
        abp_id: str,
        invocation_id: str,
        format: str | None = None,  # noqa: A002 - the contract's name
        **options: Unpack[CallOptions],
    ) -> EvidenceExport:
        """The evidence of one invocation, ready to be downloaded. Scope: evidence:read."""
        path = wire.filled("abp_id", abp_id), wire.filled("invocation_id", invocation_id)
        return self._api.get(
            *("abps", path[0], "invocations", path[1], "evidence"),
            query=wire.query(format=format),
            reads=wire.export,
            **options,
        )

    def evidence_package(
        self,
        abp_id: str,
        since: str | datetime,
        format: str | None = None,  # noqa: A002 - the contract's name
        **options: Unpack[CallOptions],
    ) -> EvidenceExport:
        """All evidence of an ABP *since* then, ready to be downloaded. Scope: evidence:read.

        *since* is a datetime with its zone, or ISO-8601 text.
        """
        return self._api.get(
            *("abps", wire.filled("abp_id", abp_id), "evidence-package"),
            query=wire.query(since=wire.time("since", since), format=format),
            reads=wire.export,
            **options,
        )

    def download_evidence(
        self,
        export: EvidenceExport,
        to: str | PathLike[str],
        *,
        on_progress: Callable[[int, int | None], object] | None = None,
        max_bytes: int | None = None,
        **options: Unpack[CallOptions],
    ) -> Path:
        """Write what *export* holds to the file *to*, which only its owner can read; its path.

        The file is there whole or not at all: it is written beside its place and moved there once
        all of it is on the disk. Memory holds a few pieces, however large it is. Faults that pass
        are tried again until the first byte has come; after that the error is raised.

        A presigned link is fetched without the key, a stream with it, and redirects are not
        followed. *on_progress*, a plain function, is told the bytes so far, and all that there
        will be (None where the platform does not say). An answer of more than *max_bytes* is a
        VelerianAPIError; a link that has expired is whatever the platform answers then, mostly
        VelerianForbiddenError. Raises OSError where the file can't be written.
        """
        from .downloads import download  # noqa: PLC0415 - with it comes the HTTP stack

        wire.check_download(export, to, on_progress, max_bytes)
        call = self._api.link(export, **options)
        try:
            return download(
                self._api.transport,
                call,
                to,
                family=FAMILY,
                on_progress=on_progress,
                max_bytes=max_bytes,
            )
        except VelerianAPIError as exc:
            if call.keyless and exc.status_code in {400, 401, 403, 404, 410}:
                exc.add_note(f"the link was good until {export.expires_at}: ask for it again")
            raise

    # -- usage and audit --------------------------------------------------------------------------

    def usage_summary(self, **options: Unpack[CallOptions]) -> UsageSummary:
        """What the tenant has used until now."""
        return self._api.get("usage", "summary", reads=wire.usage, **options)

    def list_audit_log(
        self,
        *,
        action: str | None = None,
        resource_kind: str | None = None,
        resource_id: str | None = None,
        actor_user_id: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        limit: int = 50,
        offset: int = 0,
        **options: Unpack[CallOptions],
    ) -> Page[Row]:
        """One page of the audit log, as far as the filters match. Scope: audit:read."""
        query = wire.query(
            action=action,
            resource_kind=resource_kind,
            resource_id=resource_id,
            actor_user_id=actor_user_id,
            since=None if since is None else wire.time("since", since),
            until=None if until is None else wire.time("until", until),
            limit=str(wire.count("limit", limit, least=1)),
            offset=str(wire.count("offset", offset, least=0)),
        )
        return self._api.get("audit-log", query=query, reads=wire.page, **options)

    def iter_audit_log(
        self,
        *,
        action: str | None = None,
        resource_kind: str | None = None,
        resource_id: str | None = None,
        actor_user_id: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        page_size: int = 100,
        offset: int = 0,
        max_items: int | None = None,
        prefetch: bool = True,
        on_progress: Callable[[int], object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Pages[Row]:
        """Every row of the audit log that the filters match, page after page. Scope: audit:read.

        Begins after *offset* rows, and ends after *max_items* if given. The next page is asked for
        while the caller works on this one, unless *prefetch* is off. The walk's ``offset`` says
        where it is: another one goes on from there. *on_progress* is called with each page that
        comes: how many rows of the log have come.
        """
        from .pages import pages  # noqa: PLC0415

        def fetch(limit: int, offset: int) -> list[Row]:
            page = self.list_audit_log(
                action=action,
                resource_kind=resource_kind,
                resource_id=resource_id,
                actor_user_id=actor_user_id,
                since=since,
                until=until,
                limit=limit,
                offset=offset,
                **options,
            )
            return page.items

        return pages(
            fetch,
            page_size=page_size,
            offset=offset,
            max_items=max_items,
            prefetch=prefetch,
            on_progress=on_progress,
            refuse=VelerianInputError,
        )

    def iter_paginated(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        page_size: int = 100,
        limit_param: str = "limit",
        offset_param: str = "offset",
        items_key: str = "items",
        *,
        offset: int = 0,
        max_items: int | None = None,
        prefetch: bool = True,
        on_progress: Callable[[int], object] | None = None,
        **options: Unpack[CallOptions],
    ) -> Pages[Any]:
        """Every item of any list route, page after page; *path* and *params* as in ``request``.

        *limit_param* and *offset_param* are what the route calls them, *items_key* what it calls
        the list in its answer. The rest is as in ``iter_audit_log``.
        """
        from .governance import Ask  # noqa: PLC0415
        from .pages import pages  # noqa: PLC0415

        reads = wire.items(items_key)
        given = dict(wire.check_mapping("params", params or {}))

        def fetch(limit: int, offset: int) -> list[Any]:
            ask = Ask(params={**given, limit_param: limit, offset_param: offset}, **options)
            return self._api.fetch(path, ask, reads)

        return pages(
            fetch,
            page_size=page_size,
            offset=offset,
            max_items=max_items,
            prefetch=prefetch,
            on_progress=on_progress,
            refuse=VelerianInputError,
        )

    def protect_writes_with(self, effects: Callable[[], VerityClient]) -> None:
        """Have invocations that are given an ``effect_key`` protected by what *effects* answers.

        ``Client`` does so with the Verity client that it holds.
        """
        self._api.effects = effects
