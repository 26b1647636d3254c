# Generated from src/quatrain/_async/velocity.py by scripts/make_sync.py. Do not edit.
"""The client of Velocity OS. Source: contracts, Velocity OS."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Unpack

from .._options import CallOptions
from .._retry import RetryPolicy
from .._runtime._sync import SYSTEM_CLOCK, Clock
from .._secret import Secret
from .._version import __version__
from ..errors.velocity import FAMILY, ConfigError
from ..models.velocity import WhoAmI
from .platform import PlatformClient

if TYPE_CHECKING:
    import httpx

    from ..webhooks import SeenStore, WebhookHandler
    from .verity import VerityClient

DEFAULT_BASE_URL: Final = "https://app.velocityos.app"
USER_AGENT: Final = f"VelocityOS-Python-SDK/{__version__}"

WebhookSecrets = str | Secret | Sequence[str | Secret]


class VelocityOS(PlatformClient):
    """A founder's business data, through an install of your extension.

    ::

        with VelocityOS() as vos:
            me = vos.whoami()
            backlog = vos.tasks.list()
            for task in backlog.open:
                print(task.action, task.deadline)
            vos.tasks.create(f"Call {me.user.name}", "L12", timeframe="this_week")

    - ``profile.get``, ``modules.list``, ``modules.get``, ``offers.list``, ``team.list``,
      ``partnerships.list``, ``tasks.list`` and ``academy.programs`` read. They take ``timeout`` and
      ``max_retries`` for the one call.
    - ``tasks.create`` and ``team.add`` write. They take an ``idempotency_key`` as well, and, when
      the client is a ``Client``'s, an ``effect_key``: what is written again with the same one
      is not done again.

    They raise AuthenticationError, ScopeMissingError, NotFoundError, ValidationFailedError,
    RateLimitError, ServerError and TransportError, all of them VelocityOSError, and InputError for
    what is refused before any request.

    Settings that are not given come from ``VOS_EXT_KEY``, ``VOS_WEBHOOK_SECRET`` (several: by
    commas) and ``VOS_BASE_URL``. Construction does no I/O; one client serves any number of event
    loops.

    - ``api_key``: the install's key, ``vos_ext_…``.
    - ``base_url``: the platform's origin, without a path; the hosted one unless set. With
      ``quatrain serve`` it is ``http://127.0.0.1:8787``.
    - ``webhook_secret``: ``whsec_…``, or several of them while they are rotated; for
      ``webhook_handler`` only.
    - ``timeout``: seconds for each step of a request.
    - ``max_retries``: tries after the first, 0.5, 1.5 and 4 seconds after one another.
    - ``user_agent``: what servers log; ``VelocityOS-Python-SDK/<version>`` unless given.
    - ``http_client``: the caller's ``httpx.Client``, used for everything and never closed.
    - ``allow_insecure``: send the key over plain http to other hosts than this one.

    Raises ConfigError for a setting that is missing or unusable.
    """

    def __init__(
        self,
        api_key: str | Secret | None = None,
        *,
        webhook_secret: WebhookSecrets | None = None,
        base_url: str | None = None,
        timeout: float = 30.0,
        user_agent: str = "",
        max_retries: int = 3,
        http_client: httpx.Client | None = None,
        allow_insecure: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        # both rebound: what is raised from here on shows no secret among this frame's locals
        webhook_secret = _secrets(webhook_secret)
        if not isinstance(api_key, str | Secret | None):
            raise ConfigError("api_key has to be a string")
        api_key = Secret(api_key or os.environ.get("VOS_EXT_KEY", ""))
        if not api_key:
            raise ConfigError("api_key is missing: pass it, or set VOS_EXT_KEY")
        if webhook_secret is None:
            raise ConfigError("webhook_secret has to be a string, or several")
        self._webhook_secrets = webhook_secret
        # the HTTP stack comes with the first client: who imports the package need not wait for it
        from .business import (  # noqa: PLC0415
            AcademyResource,
            ModulesResource,
            OffersResource,
            PartnershipsResource,
            ProfileResource,
            TasksResource,
            TeamResource,
        )
        from .extension import ExtensionAPI  # noqa: PLC0415
        from .transport import Transport  # noqa: PLC0415

        transport = Transport(
            base_url or os.environ.get("VOS_BASE_URL") or DEFAULT_BASE_URL,
            api_key,
            family=FAMILY,
            timeout=timeout,
            # 0.5, 1.5 and 4 seconds (contracts, Velocity OS, "Client behaviour")
            policy=RetryPolicy(max_retries=max_retries, base=0.5, factor=3.0, cap=4.0, jitter=0.0),
            allow_insecure=allow_insecure,
            http_client=http_client,
            clock=clock,
            user_agent=user_agent or USER_AGENT,
        )
        self._transports = (transport,)
        self._api = api = ExtensionAPI(transport)
        self._me: WhoAmI | None = None
        self.profile = ProfileResource(api)
        self.modules = ModulesResource(api)
        self.offers = OffersResource(api)
        self.team = TeamResource(api)
        self.partnerships = PartnershipsResource(api)
        self.tasks = TasksResource(api)
        self.academy = AcademyResource(api)

    def whoami(self, *, refresh: bool = False, **options: Unpack[CallOptions]) -> WhoAmI:
        """Whom the key acts for, and what it may do; asked for once in the client's life.

        From then on a call that lacks its scope raises ScopeMissingError without a request.
        *refresh* asks again. Raises AuthenticationError for a key that is unknown or revoked.
        """
        if self._me is None or refresh:
            from .. import _envelope as envelope  # noqa: PLC0415

            me = self._api.get("whoami", scope=None, reads=envelope.whole(WhoAmI), **options)
            self._me = me
            self._api.granted_scopes = frozenset(me.extension.granted_scopes)
        return self._me

    @property
    def granted_scopes(self) -> list[str] | None:
        """What the install was granted; None before ``whoami`` has been asked."""
        return None if self._me is None else list(self._me.extension.granted_scopes)

    @property
    def sandbox_mode(self) -> bool | None:
        """Whether the last answer was the sandbox's dummy data; None before the first."""
        return self._api.sandbox

    def webhook_handler(
        self,
        *,
        max_skew_seconds: int = 300,
        max_body_bytes: int = 1_048_576,
        seen: SeenStore | None = None,
    ) -> WebhookHandler:
        """A handler for the platform's webhooks, with this client's secret.

        *max_skew_seconds*: how far a signature's time may be off, either way. *max_body_bytes*: no
        larger body is looked at. *seen*: where handled deliveries are remembered; in memory unless
        given. Raises ConfigError when there is no secret.
        """
        from ..webhooks import WebhookHandler  # noqa: PLC0415

        if not self._webhook_secrets:
            raise ConfigError("webhook_secret is missing: pass it, or set VOS_WEBHOOK_SECRET")
        return WebhookHandler(
            self._webhook_secrets,
            max_skew_seconds=max_skew_seconds,
            max_body_bytes=max_body_bytes,
            seen=seen,
        )

    def protect_writes_with(self, effects: Callable[[], VerityClient]) -> None:
        """Have writes that are given an ``effect_key`` protected by what *effects* answers.

        ``Client`` does so with the Verity client that it holds.
        """
        self._api.effects = effects


def _secrets(given: WebhookSecrets | None) -> tuple[Secret, ...] | None:
    """Those that are given, or else set; None for what can't be any."""
    if given is None:
        given = [part.strip() for part in os.environ.get("VOS_WEBHOOK_SECRET", "").split(",")]
    if isinstance(given, str | Secret):
        given = [given]
    if not isinstance(given, Sequence) or not all(isinstance(s, str | Secret) for s in given):
        return None
    return tuple(secret for secret in map(Secret, given) if secret)
