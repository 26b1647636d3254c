# Generated from src/quatrain/_async/verity.py by scripts/make_sync.py. Do not edit.
"""The effect client. Source: contracts, Verity."""

from __future__ import annotations

import functools
import inspect
import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, Unpack

from .._options import CallOptions, EffectOptions, OnConflict, OnLease, OnUnavailable, OnUncertain
from .._retry import RetryPolicy
from .._runtime._sync import SYSTEM_CLOCK, Act, Clock, Fn
from .._secret import Secret
from ..errors.verity import FAMILY, VerityConfigError, VerityValidationError
from ..models.verity import (
    CommitRequestBody,
    CommitResponse,
    ConflictRetryConfig,
    FailRequestBody,
    FailResponse,
    LeaseRequestBody,
    LeaseResponse,
    ObserveResponse,
    RenewRequestBody,
    RenewResponse,
    ReportObserveBody,
)
from .effects import Effects, require_namespace
from .platform import PlatformClient
from .protect import Action, Plan, Run, check_payload, checked_on_lease
from .workflows import WorkflowContext

if TYPE_CHECKING:
    import httpx

P = ParamSpec("P")
T = TypeVar("T")
Wire = Mapping[str, Any]


class VerityClient(PlatformClient):
    """Effects that happen exactly once, however often they are tried.

    ::

        with VerityClient(namespace="payments") as verity:
            receipt = verity.protect("refund:order_48392", observe=find, act=refund)

    Settings that are not given come from ``VERITY_BASE_URL``, ``VERITY_API_KEY`` and
    ``VERITY_NAMESPACE``. Construction does no I/O; one client serves any number of event loops.

    - ``namespace``, ``agent_id``: defaults of every call.
    - ``auto_renew``: renew leases in the background, at ``renew_at_fraction`` (0.3 to 0.9) of
      their duration.
    - ``request_timeout_s``, or ``timeout``: seconds for each step of a request.
    - ``conflict_retry``: how long to go on asking for a lease that another agent holds.
    - ``on_uncertain``, ``on_unavailable``: defaults of ``protect``'s parameters.
    - ``max_retries``: tries after the first where a request may be repeated.
    - ``http_client``: the caller's ``httpx.Client``, used for everything and never closed.
    - ``allow_insecure``: send the key over plain http to other hosts than this one.

    Raises VerityConfigError for a setting that is missing or unusable.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | Secret | None = None,
        namespace: str | None = None,
        agent_id: str | None = None,
        auto_renew: bool = True,
        renew_at_fraction: float = 0.65,
        request_timeout_s: float = 20.0,
        conflict_retry: ConflictRetryConfig | None = None,
        logger: logging.Logger | None = None,
        on_uncertain: OnUncertain = "act",
        on_unavailable: OnUnavailable = "block",
        timeout: float | None = None,
        max_retries: int = 2,
        http_client: httpx.Client | None = None,
        allow_insecure: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not isinstance(api_key, str | Secret | None):
            raise VerityConfigError("api_key has to be a string")
        api_key = Secret(api_key or os.environ.get("VERITY_API_KEY", ""))
        base_url = base_url or os.environ.get("VERITY_BASE_URL", "")
        for name, value in (("VERITY_BASE_URL", base_url), ("VERITY_API_KEY", api_key)):
            if not value:
                msg = f"{name.removeprefix('VERITY_').lower()} is missing: pass it, or set {name}"
                raise VerityConfigError(msg)
        # the HTTP stack comes with the first client: who imports the package need not wait for it
        from .ledger import Ledger  # noqa: PLC0415
        from .transport import Transport  # noqa: PLC0415

        transport = Transport(
            base_url,
            api_key,
            family=FAMILY,
            timeout=request_timeout_s if timeout is None else timeout,
            policy=RetryPolicy(max_retries=max_retries),
            allow_insecure=allow_insecure,
            http_client=http_client,
            clock=clock,
        )
        self._transports = (transport,)
        self._ledger = Ledger(transport)
        self.namespace = namespace or os.environ.get("VERITY_NAMESPACE") or None
        self.agent_id = agent_id
        self.effects = Effects(self._ledger, self.namespace)
        self._auto_renew = auto_renew
        if not isinstance(renew_at_fraction, int | float):
            raise VerityConfigError("renew_at_fraction has to be a number, 0.3 to 0.9")
        self._renew_at_fraction = renew_at_fraction
        self._conflict_retry = conflict_retry or ConflictRetryConfig()
        self._log = logger or logging.getLogger("verity")
        self._on_uncertain: OnUncertain = _one_of("on_uncertain", on_uncertain, "act", "raise")
        self._on_unavailable: OnUnavailable = _one_of(
            "on_unavailable", on_unavailable, "block", "proceed"
        )

    def protect(
        self,
        effect_key: str,
        *,
        act: Act[T],
        observe: Act[T | None] | None = None,
        **options: Unpack[EffectOptions],
    ) -> T:
        """Do *act* once, however often this is called, and answer its result.

        A later call answers the recorded result without acting. When an earlier attempt was cut
        off, *observe* is asked first: what it returns is recorded as the result, and None means
        that nothing has happened yet. When *act* raises, the effect is recorded as failed, and
        stays so until somebody resets it (``client.effects.reset``). Both may block, as the lease
        is renewed all the same, and may take one parameter: then they get an EffectContext.

        - *effect_key*, ``key_suffix``, ``namespace``: the effect is ``key``, or ``key:suffix``, in
          the call's namespace, else the client's.
        - ``effect_name``, ``agent_id``, ``input_json`` (at most 64 KiB): for the ledger's readers.
        - ``lease_duration_ms``: 5,000 to 120,000; 30,000 when not given.
        - ``on_conflict``: while another agent holds the lease, ``"retry"`` (the default) goes on
          asking, as the client's ``conflict_retry`` says; ``"throw"`` does not.
        - ``on_lease``: called with the Lease once it is held, or with the cached answer.
        - ``on_uncertain``: when an earlier attempt was cut off and nothing can tell what it did,
          ``"act"`` (the default) does it, maybe again; ``"raise"`` raises EffectUncertainError.
        - ``on_unavailable``: when the ledger can't be reached, ``"block"`` (the default) raises;
          ``"proceed"`` acts unprotected.
        - ``timeout`` (seconds for each step), ``max_retries``: of this effect's requests.

        Raises what *act* raises, and: EffectPreviouslyFailedError, EffectUncertainError,
        LeaseConflictError, LeaseLostError, CommitUncertainError, VerityApiError,
        VerityTransportError, VerityConfigError, VerityValidationError.
        """
        options["namespace"] = options.get("namespace") or self.namespace
        options["agent_id"] = options.get("agent_id") or self.agent_id
        return self.run_effect(effect_key, act=act, observe=observe, **options)

    def run_effect(
        self,
        effect_key: str,
        *,
        act: Act[T],
        observe: Act[T | None] | None = None,
        namespace: str | None = None,
        key_suffix: str | None = None,
        effect_name: str | None = None,
        agent_id: str | None = None,
        lease_duration_ms: int | None = None,
        input_json: Any = None,
        on_conflict: OnConflict = "retry",
        on_lease: OnLease | None = None,
        on_uncertain: OnUncertain | None = None,
        on_unavailable: OnUnavailable | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        workflow: tuple[str, str, str] | tuple[None, None, None] = (None, None, None),
    ) -> T:
        """What ``protect`` and a workflow's ``protect`` share; *workflow* is name, case, run."""
        if not isinstance(effect_key, str) or not effect_key:
            msg = "effect_key has to be a non-empty string"
            raise VerityValidationError(msg)
        if input_json is not None:
            check_payload("input_json", input_json)
        workflow_name, case_id, run_id = workflow
        plan = Plan(
            namespace=require_namespace(namespace),
            request=LeaseRequestBody(
                effect_key=f"{effect_key}:{key_suffix}" if key_suffix else effect_key,
                effect_name=effect_name,
                agent_id=agent_id,
                lease_duration_ms=lease_duration_ms,
                input_json=input_json,
                workflow_name=workflow_name,
                case_id=case_id,
                run_id=run_id,
            ),
            act=Action.check("act", act),
            observe=None if observe is None else Action.check("observe", observe),
            on_conflict=_one_of("on_conflict", on_conflict, "retry", "throw"),
            on_lease=checked_on_lease(on_lease),
            on_uncertain=_one_of(
                "on_uncertain", on_uncertain or self._on_uncertain, "act", "raise"
            ),
            on_unavailable=_one_of(
                "on_unavailable", on_unavailable or self._on_unavailable, "block", "proceed"
            ),
            conflict_retry=self._conflict_retry,
            auto_renew=self._auto_renew,
            renew_at_fraction=self._renew_at_fraction,
            requests={"timeout": timeout, "max_retries": max_retries},
        )
        result: T = Run(self._ledger, plan, self._log).protect()
        return result

    def protected(
        self,
        *,
        key: str | Callable[..., str],
        observe: Act[Any] | None = None,
        **options: Unpack[EffectOptions],
    ) -> _Protector:
        """Turn a function into a protected one.

        ::

            @verity.protected(key="refund:{order_id}", observe=find_refund)
            def refund(order_id: str) -> str: ...

        *key* is a format string over the function's parameters, or a function of its arguments;
        *observe* gets the same arguments. A parameter that the call leaves over gets the
        EffectContext. *options* and errors are those of ``protect``.
        """

        def protect(fn: Act[Any]) -> Any:
            key_of = key if callable(key) else functools.partial(_format_key, key, fn)

            @functools.wraps(fn)
            def protected(*args: Any, **kwargs: Any) -> Any:
                return self.protect(
                    key_of(*args, **kwargs),
                    act=_bound(fn, *args, **kwargs),
                    observe=observe and _bound(observe, *args, **kwargs),
                    **options,
                )

            return protected

        return protect

    def workflow(self, workflow_name: str) -> WorkflowContext:
        """``workflow(name).case(id).run()``: effects that belong together."""
        return WorkflowContext(self, workflow_name)

    # -- the endpoints, one by one ------------------------------------------------------------

    def request_lease(
        self, namespace: str, body: LeaseRequestBody | Wire, **options: Unpack[CallOptions]
    ) -> LeaseResponse:
        """Ask for a lease. Raises LeaseConflictError, VerityApiError, VerityTransportError."""
        return self._ledger.lease(namespace, body, **options)[0]

    def commit(
        self, namespace: str, body: CommitRequestBody | Wire, **options: Unpack[CallOptions]
    ) -> CommitResponse:
        """Record a result. Raises VerityConflictError when the fence token is not the newest."""
        return self._ledger.commit(namespace, body, **options)

    def fail(
        self, namespace: str, body: FailRequestBody | Wire, **options: Unpack[CallOptions]
    ) -> FailResponse:
        """Record a failure. Raises VerityConflictError when the fence token is not the newest."""
        return self._ledger.fail(namespace, body, **options)

    def renew(
        self, namespace: str, body: RenewRequestBody | Wire, **options: Unpack[CallOptions]
    ) -> RenewResponse:
        """Hold a lease for longer. Raises VerityApiError 409, 404, 410 or 403 when it is gone."""
        return self._ledger.renew(namespace, body, **options)

    def report_observe(
        self, namespace: str, body: ReportObserveBody | Wire, **options: Unpack[CallOptions]
    ) -> ObserveResponse:
        """Leave a line about a run of ``observe`` in the audit trail."""
        return self._ledger.report_observe(namespace, body, **options)


class _Protector(Protocol):
    # with overloads before it nobody calls it; the blocking flavour has only this one
    def __call__(self, fn: Callable[P, T], /) -> Fn[P, T]: ...  # pyright: ignore[reportInconsistentOverload]


def _format_key(template: str, fn: Act[Any], *args: Any, **kwargs: Any) -> str:
    # partial: a parameter left over is for the EffectContext
    bound = inspect.signature(fn).bind_partial(*args, **kwargs)
    bound.apply_defaults()
    try:
        return template.format_map(bound.arguments)
    except (LookupError, AttributeError, TypeError, ValueError) as exc:
        msg = f"no key can be made of {template!r} for this call: {exc!r}"
        raise VerityValidationError(msg) from None


def _bound(fn: Act[Any], *args: Any, **kwargs: Any) -> Act[Any]:
    # positional where it can be: after an argument by keyword no context could be passed
    bound = inspect.signature(fn).bind_partial(*args, **kwargs)
    return functools.partial(fn, *bound.args, **bound.kwargs)


def _one_of(name: str, value: T, *allowed: str) -> T:
    if value not in allowed:
        msg = f"{name} has to be {' or '.join(map(repr, allowed))}, not {value!r}"
        raise VerityConfigError(msg)
    return value
