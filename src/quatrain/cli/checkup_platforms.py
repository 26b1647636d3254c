"""The client's side of ``quatrain doctor``: each platform that the environment names.

Nothing is changed anywhere. What a key may write is found out by asking for changes of an effect
that there is not: a key that may not is told so before anybody looks for it.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import httpx

from quatrain._version import __version__
from quatrain.errors import (
    APIError,
    AuthenticationError,
    ConfigError,
    PermissionDeniedError,
    QuatrainError,
    TransportError,
)
from quatrain.velerian import VelerianClient
from quatrain.velocity import VelocityOS
from quatrain.vendo import Vendo
from quatrain.verity import RenewRequestBody, VerityClient

from .checkup import SKEW_HARMFUL, SKEW_NOTED, Finding, Level

__all__ = ["platforms"]

TIMEOUT: Final = 5.0
"""Seconds for each step of a request."""
_NAMESPACE: Final = "quatrain-doctor"


def platforms(
    *, now: Callable[[], float] = time.time, transport: httpx.BaseTransport | None = None
) -> Iterator[Finding]:
    """Ask every platform that the environment has a variable for.

    *now* is this machine's clock, and *transport* the way to the platforms, in tests.
    """
    asked = [each for each in _PLATFORMS if any(os.environ.get(name) for name in each.variables)]
    if not asked:
        names = ", ".join(each.variables[-1] for each in _PLATFORMS)
        yield Finding(
            "here", Level.WARNING, "no platform is set in the environment", f"set one of {names}"
        )
    for each in asked:
        yield from _Visit(each, now, transport).findings()


@attrs.define
class _Visit:
    """One platform, asked once."""

    of: _Platform
    now: Callable[[], float]
    transport: httpx.BaseTransport | None
    skews: list[tuple[float, float]] = attrs.field(factory=list)
    """Of each answer: how far its clock is ahead of ours, and how far that may be off."""
    _began: float = 0.0

    def findings(self) -> Iterator[Finding]:
        hooks: Any = {"request": [self._asked], "response": [self._answered]}
        with httpx.Client(event_hooks=hooks, timeout=TIMEOUT, transport=self.transport) as http:
            try:
                client = self.of.make(http)
            except (ConfigError, QuatrainError) as exc:
                yield self._finding(Level.ERROR, str(exc), self.of.set_it)
                return
            with client:
                url = client._transports[0].origin.base_url  # noqa: SLF001  as its repr shows it
                yield from self._ask(client, url)
            yield from self._clock()
            yield from self._version(http, url)
        yield from self.of.besides()

    def _ask(self, client: Any, url: str) -> Iterator[Finding]:
        try:
            may = self.of.ask(client)
        except TransportError as exc:
            fix = "is it running, and is the URL right? See " + self.of.variables[1]
            yield self._finding(Level.ERROR, f"{url} does not answer: {exc}", fix)
        except AuthenticationError as exc:
            what = f"{url} does not know the key: {exc}"
            yield self._finding(Level.ERROR, what, self.of.set_it)
        except PermissionDeniedError as exc:
            yield self._finding(Level.ERROR, f"{url}: {exc}", self.of.set_it)
        except APIError as exc:
            what = f"{url} answers with an error: {exc}"
            fix = "look at the log of the platform, and check " + self.of.variables[1]
            yield self._finding(Level.ERROR, what, fix)
        else:
            yield self._finding(Level.OK, f"{url} answers, and knows the key")
            yield from self._scopes(may)

    def _scopes(self, may: dict[str, bool]) -> Iterator[Finding]:
        if granted := [name for name, fine in may.items() if fine]:
            yield self._finding(Level.OK, f"the key may: {', '.join(granted)}")
        if missing := [name for name, fine in may.items() if not fine]:
            what = f"the key may not: {', '.join(missing)}"
            yield self._finding(Level.WARNING, what, f"if that is needed, {self.of.set_it}")

    def _clock(self) -> Iterator[Finding]:
        if not self.skews:
            return
        ahead, doubt = min(self.skews, key=lambda skew: skew[1])
        certain = max(0.0, abs(ahead) - doubt)
        if certain < SKEW_NOTED:
            yield self._finding(Level.OK, "its clock agrees with this machine's")
            return
        way = "ahead of" if ahead > 0 else "behind"
        yield self._finding(
            Level.ERROR if certain >= SKEW_HARMFUL else Level.WARNING,
            f"its clock is about {abs(ahead):,.0f} s {way} this machine's: leases do not depend on"
            " it, but webhooks are refused from 300 s on",
            "let both machines set their clocks by NTP",
        )

    def _version(self, http: httpx.Client, url: str) -> Iterator[Finding]:
        """Of a platform of this package; the hosted ones don't say."""
        parts = urlsplit(url)
        try:
            answer = http.get(f"{parts.scheme}://{parts.netloc}/readyz")
            content = answer.json()
            version, reasons = content["version"], content["reasons"]
        except (httpx.HTTPError, ValueError, TypeError, LookupError):
            return
        if reasons:
            what = f"it is not ready: {'; '.join(map(str, reasons))}"
            yield self._finding(Level.ERROR, what, "run `quatrain doctor --database` where it runs")
        if version == __version__:
            yield self._finding(Level.OK, f"it is quatrain {version}, as here")
        else:
            what = f"it is quatrain {version}, and here is {__version__}"
            yield self._finding(Level.WARNING, what, "install the same version on both sides")

    def _asked(self, _: httpx.Request) -> None:
        self._began = self.now()

    def _answered(self, response: httpx.Response) -> None:
        theirs = _date(response.headers.get("date"))
        if theirs is not None:
            ended = self.now()
            # whole seconds: it stands for half a second later, on average
            middle = (self._began + ended) / 2
            self.skews.append((theirs + 0.5 - middle, (ended - self._began) / 2 + 0.5))

    def _finding(self, level: Level, what: str, fix: str | None = None) -> Finding:
        return Finding(self.of.name, level, what, fix)


def _date(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        found: datetime = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found.timestamp()


# -- what each platform is asked ------------------------------------------------------------------


def _ask_verity(client: VerityClient) -> dict[str, bool]:
    nobody = f"nobody:{uuid.uuid4()}"
    body = RenewRequestBody(effect_key=nobody, fence_token=0, lease_token="none")  # noqa: S106
    asking = "quatrain doctor asks what its key may do"
    # the first one's errors are the platform's; of the others only a refusal is told
    may = {"effects:read": _may(lambda: client.effects.list(limit=1), but=())}
    may["effects:write"] = _may(lambda: client.renew(_NAMESPACE, body))
    may["effects:reset"] = _may(
        lambda: client.effects.reset(nobody, reason=asking, namespace=_NAMESPACE)
    )
    return may


def _ask_velocity(client: VelocityOS) -> dict[str, bool]:
    return dict.fromkeys(sorted(client.whoami().extension.granted_scopes), True)


def _ask_velerian(client: VelerianClient) -> dict[str, bool]:
    may = {"runs:read": _may(client.usage_summary, but=())}
    return may | {"audit:read": _may(lambda: client.list_audit_log(limit=1))}


def _ask_vendo(client: Vendo) -> dict[str, bool]:
    client.connections.list()
    return {}


def _may(ask: Callable[[], object], but: tuple[type[Exception], ...] = (APIError,)) -> bool:
    """Whether the key may ask that; other errors than *but* are raised."""
    try:
        ask()
    except PermissionDeniedError:
        return False
    except AuthenticationError:
        raise
    except but:
        return True  # let in, and refused for what was asked
    return True


def _nothing() -> Iterator[Finding]:
    return iter(())


def _vendo_hosts() -> Iterator[Finding]:
    """An origin of one's own with the hosted platform's others: the key would go to both."""
    names = ("VENDO_CREDENTIALS_URL", "VENDO_DATA_PROXY_URL")
    if os.environ.get("VENDO_BASE_URL") and (
        missing := [name for name in names if not os.environ.get(name)]
    ):
        what = f"VENDO_BASE_URL is set, and {' and '.join(missing)} not: the key goes to the hosted"
        fix = "set all three: below a served platform's URL they are /credentials and /composio"
        yield Finding("vendo", Level.WARNING, f"{what} platform, too", fix)


@attrs.frozen
class _Platform:
    """How a platform is asked."""

    name: str
    variables: tuple[str, str]
    """Of the key, and of the URL."""
    make: Callable[[httpx.Client], Any]
    ask: Callable[[Any], dict[str, bool]]
    set_it: str
    """What to do when the key is not right."""
    besides: Callable[[], Iterator[Finding]] = _nothing


def _settings(http: httpx.Client) -> dict[str, Any]:
    return {"http_client": http, "max_retries": 0, "timeout": TIMEOUT}


_PLATFORMS: Final = (
    _Platform(
        "verity",
        ("VERITY_API_KEY", "VERITY_BASE_URL"),
        lambda http: VerityClient(**_settings(http)),
        _ask_verity,
        "make a key with `quatrain keys create` and set VERITY_API_KEY to it",
    ),
    _Platform(
        "velocity",
        ("VOS_EXT_KEY", "VOS_BASE_URL"),
        lambda http: VelocityOS(**_settings(http)),
        _ask_velocity,
        "make a key with `quatrain velocity install` and set VOS_EXT_KEY to it",
    ),
    _Platform(
        "velerian",
        ("VELERIAN_API_KEY", "VELERIAN_BASE_URL"),
        lambda http: VelerianClient(**_settings(http)),
        _ask_velerian,
        "make a key with `quatrain velerian keys create` and set VELERIAN_API_KEY to it",
    ),
    _Platform(
        "vendo",
        ("VENDO_API_KEY", "VENDO_BASE_URL"),
        lambda http: Vendo(**_settings(http)),
        _ask_vendo,
        "make a key with `quatrain vendo keys create` and set VENDO_API_KEY to it",
        _vendo_hosts,
    ),
)
