"""An env file that follows the connections. Source: contracts, Vendo, "Reconciler"."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Mapping
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Self, TypedDict, Unpack
from urllib.parse import urlsplit

import attrs

from .._envsync import Diff, EnvFile, Variables
from .._restart import Restart
from .._runtime._async import SYSTEM_CLOCK, Act, Clock, Daemon, Keeper, takes_context
from .._runtime._async import call as call_act
from .._tokens import looking_anew
from ..errors import QuatrainError
from ..errors.vendo import ValidationError, VendoOnlyFeature

if TYPE_CHECKING:
    import httpx

    from .transport import AsyncTransport

SOONEST: Final = 1.0
"""Seconds from one look to the next, however many events come."""
LISTEN_AGAIN: Final = 300.0
"""Seconds until events are subscribed to again after they were refused."""
HOOK_TIMEOUT: Final = 10.0
"""Seconds for each step of the request to a reload hook."""
_CONNECTION: Final = ("connection.", "connection_")  # the kinds, and their old aliases
_log = logging.getLogger("quatrain.vendo")

EnvMapping = Act[Mapping[str, str]]
"""Gives {NAME: value}."""
OnChange = Literal["restart", "reload-hook"] | Act[object]


class AsyncEventClient(Protocol):
    """What is used of an AsyncVendo here."""

    @property
    def events(self) -> Any:
        """``subscribe()`` gives the messages."""

    def invalidate(self, slug: str | None = None) -> None:
        """Forget kept tokens."""


class AsyncReconcilerOptions(TypedDict, total=False):
    """What else an AsyncReconciler can be told; see there."""

    client: AsyncEventClient | None
    poll_seconds: float
    http_client: httpx.AsyncClient | None
    restart: Callable[[], object] | None
    clock: Clock


class AsyncReconciler:
    """Keeps an env file in step with what *mapping* gives, and tells the program.

    ::

        await reconciler.bootstrap(".env", mapping)  # before the program reads it
        load_dotenv()
        keeper = await reconciler.start(".env", mapping, on_change=apply)
        ...
        await keeper.stop()

    It looks every *poll_seconds*, and at once when an event says that a connection has changed;
    the token that was kept for it is dropped first. At every look the mapping's tokens are asked
    for anew: who missed an event follows with the next poll, and puts no old token back into a file
    that others keep as well. The file is written whole or not at all, for
    its owner alone (mode 0600): the mapping's variables, sorted by name, then whatever the file
    has of others', as it was. A variable that this wrote and that the mapping gives no more is
    removed. A symbolic link is written through. One mapping a file: several processes may keep it,
    each with the same mapping.

    - ``mapping``: a callable that gives {NAME: value}, all of them strings. If it raises, or gives
      anything else, the file stays as it was, and it is asked again: after a second, two, four, …
      and every *poll_seconds*.
    - ``on_change``: what is done when the file differs from what the program has, which is what
      stood in it when this was started. ``"restart"`` sends the process a SIGTERM, for its
      supervisor to start it again, once it is idle. ``"reload-hook"`` posts
      ``{"changed": [NAME, …]}``, all names that differ, to ``reload_url``. A callable is given the
      Diff (``added``, ``removed``, ``changed``). A hook or callable that fails is tried again with
      all that it missed meanwhile. What was not told when the process died is told after its next
      start: at least once, unless it dies in the middle of that as well.
    - ``client``: whose events are followed; the shortcuts' own, made from the environment, unless
      given. Without a platform there are no events, and it only polls.
    - ``http_client``: the caller's, for the reload hook.
    - ``restart``: called to end the process, instead of the SIGTERM.

    ``last_error`` is what went wrong the last time, and None when all is well. It is logged as a
    warning once, without a value.

    Raises ValidationError for a setting that makes no sense.
    """

    def __init__(
        self,
        env_file: str | PathLike[str],
        mapping: EnvMapping,
        on_change: OnChange = "restart",
        reload_url: str | None = None,
        *,
        client: AsyncEventClient | None = None,
        poll_seconds: float = 30.0,
        http_client: httpx.AsyncClient | None = None,
        restart: Callable[[], object] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._file = EnvFile(env_file)
        self._mapping = _callable("mapping", mapping)
        self._poll = _seconds("poll_seconds", poll_seconds)
        self._tell: Act[object]
        if on_change == "reload-hook":
            self._tell = AsyncReloadHook(reload_url, http_client, clock).post
        elif reload_url is not None:
            raise ValidationError('reload_url is for on_change="reload-hook"')
        elif on_change == "restart":
            self._tell = Restart() if restart is None else Restart(restart)
        else:
            self._tell = _callable("on_change", on_change, 'be "restart", "reload-hook" or ')
        self._client = client
        self._clock = clock
        self._known = Variables({})  # what the program has
        self._ours: frozenset[str] = frozenset()
        self._untold = Diff()
        self._inherited = Diff()  # what a process before this one did not get told
        self._stream: Any = None
        self._last_error: Exception | None = None
        self._worker: Daemon | None = None
        self._listener: Daemon | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._file.path}>"

    @property
    def last_error(self) -> Exception | None:
        """Why the file is not in step, or the program not told; None when all is well."""
        return self._last_error

    @property
    def running(self) -> bool:
        """Whether it keeps the file. Not in a process that was forked off after the start."""
        return self._worker is not None and self._worker.running

    async def plan(self) -> Diff:
        """What the next look would change in the file; changes nothing.

        Raises what the mapping raises, ValidationError for what it should not give, and
        VendoConfigError where the file can't be read.
        """
        return await plan(self._file.path, self._mapping)

    def wake(self) -> None:
        """Look now instead of at the next poll; from any thread."""
        if self._worker is not None:
            self._worker.wake()

    async def start(self) -> Self:
        """Begin; the first look is under way when this returns. Running already, it goes on.

        Raises VendoConfigError where the file can't be read.
        """
        if self.running:
            return self
        client = self._client
        if client is None:
            from .shortcuts import default_client  # noqa: PLC0415

            client = default_client()
        await self._take_stock()
        self._worker = Daemon(self._keep, clock=self._clock)
        self._listener = Daemon(self._listen, client, clock=self._clock)
        await self._worker.start()
        await self._listener.start()
        return self

    async def stop(self) -> None:
        """End it, from anywhere, ``on_change`` too; nothing is written afterwards. Twice is fine.

        A look that is under way is waited for, but not for long.
        """
        worker, listener = self._worker, self._listener
        if worker is None or listener is None:
            return
        worker.cancel()
        listener.cancel()
        # async-only: begin
        await listener.aclose()  # cancelled, it closes its stream itself
        # async-only: end
        stream, self._stream = self._stream, None
        if stream is not None and listener.running:
            await stream.aclose()
        await listener.aclose()
        await worker.aclose()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _take_stock(self) -> None:
        """Of what the program has, and what a process before this one left to be told."""
        found = await call_act(self._file.find)
        self._known, self._ours = found.values, found.state.names
        self._untold, self._inherited = Diff(), found.state.untold

    async def _keep(self, keeper: Keeper) -> None:
        failures = 0
        while not keeper.over:
            began = self._clock.now()
            try:
                await self._look(keeper)
            except Exception as exc:  # noqa: BLE001 - a user's callables raise anything
                failures += 1
                delay = min(self._poll, 2.0 ** min(failures - 1, 30))
                self._failed(exc, failures)
            else:
                failures, delay, self._last_error = 0, self._poll, None
            if await keeper.wait(delay):
                return
            while (early := began + SOONEST - self._clock.now()) > 0:
                if await keeper.wait(early):
                    return

    async def _look(self, keeper: Keeper) -> None:
        wanted = await _asked(self._mapping)
        if keeper.over:
            return
        since = self._untold.then(wanted.since(self._known, self._ours))
        ends = isinstance(self._tell, Restart)
        # a restart needs no memory: who starts reads the file
        self._untold = since.then(await call_act(self._file.write, wanted, None if ends else since))
        self._known, self._ours = wanted, frozenset(wanted.names)
        if not self._untold:
            return
        if ends:
            diff, self._untold = self._untold, Diff()
            await call_act(self._tell, diff)
            return
        if self._inherited:
            # told once before, in a process that died of it perhaps: this time nothing is left of
            # it, or a callable that ends its process would do so for ever
            self._inherited = Diff()
            await call_act(self._file.tell_off)
        await call_act(self._tell, self._untold)
        self._untold = Diff()
        await call_act(self._file.tell_off)

    def _failed(self, exc: Exception, failures: int) -> None:
        self._last_error = exc
        level = logging.WARNING if failures == 1 else logging.DEBUG
        _log.log(level, "%s is not in step, and tried again: %s", self._file.path, _words(exc))

    async def _listen(self, keeper: Keeper, client: AsyncEventClient) -> None:
        failures = 0
        while not keeper.over:
            try:
                await self._follow(keeper, client)
            except VendoOnlyFeature:
                _log.debug("there is no platform, and so no events: %s is polled", self._file.path)
                return
            except Exception as exc:  # noqa: BLE001 - polling goes on without
                if keeper.over:  # its stream was closed under it
                    return
                failures += 1
                level = logging.WARNING if failures == 1 else logging.DEBUG
                _log.log(level, "no events, %s is polled only: %s", self._file.path, _words(exc))
            if await keeper.wait(LISTEN_AGAIN):
                return

    async def _follow(self, keeper: Keeper, client: AsyncEventClient) -> None:
        async with contextlib.aclosing(client.events.subscribe()) as stream:
            self._stream = stream
            if keeper.over:  # asked after it is set: whoever stops this asks in the other order
                return
            async for message in stream:
                if keeper.over:
                    return
                if message.type.startswith(_CONNECTION):
                    slug = message.data.get("slug") if isinstance(message.data, Mapping) else None
                    # before the look: it must not find what was kept
                    _forget(client, slug)
                    self.wake()


def _forget(client: AsyncEventClient, slug: Any) -> None:
    try:
        client.invalidate(slug if isinstance(slug, str) else None)
    except QuatrainError:  # a slug that is none
        client.invalidate()


class AsyncReloadHook:
    """Where a program is told to read its file again. It gets names, and no key."""

    def __init__(
        self, reload_url: Any, http_client: httpx.AsyncClient | None, clock: Clock
    ) -> None:
        from .._address import Address  # noqa: PLC0415
        from .transport import Call  # noqa: PLC0415

        if not isinstance(reload_url, str) or not reload_url:
            raise ValidationError('on_change="reload-hook" needs reload_url')
        try:
            parts = urlsplit(reload_url)
        except ValueError:
            raise ValidationError("reload_url is no URL") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValidationError(
                "reload_url has to begin with http:// or https:// and a host, without credentials"
            )
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._client = http_client
        self._clock = clock
        address = Address.parse(
            reload_url.partition("#")[0],
            base=self._transport().origin,
            root="/",
            allow_insecure=True,
            refuse=ValidationError,
        )
        self._call = Call(name="vendo.reload", method="POST", address=address, keyless=True)

    async def post(self, diff: Diff) -> None:
        """Send all names that differ. Raises VendoError unless the answer is a 2xx."""
        transport = self._transport()  # it is not worth keeping a connection for
        try:
            await transport.answer(attrs.evolve(self._call, body={"changed": diff.names}))
        finally:
            await transport.aclose()

    def _transport(self) -> AsyncTransport:
        from .._retry import RetryPolicy  # noqa: PLC0415
        from .._secret import Secret  # noqa: PLC0415
        from ..errors.vendo import FAMILY  # noqa: PLC0415
        from .transport import AsyncTransport  # noqa: PLC0415

        return AsyncTransport(
            self._origin,
            Secret("none"),  # never sent
            family=FAMILY,
            timeout=HOOK_TIMEOUT,
            policy=RetryPolicy(max_retries=0),  # it is tried again with the next look
            allow_insecure=True,  # nothing in it is secret
            http_client=self._client,
            clock=self._clock,
        )


async def bootstrap(env_file: str | PathLike[str], mapping: EnvMapping) -> Diff:
    """Write *env_file* once, before the program reads it; what that changed.

    Nobody is told. Raises what *mapping* raises, ValidationError for what it should not give, and
    VendoConfigError where the file can't be written; the file is then as it was.
    """
    file = EnvFile(env_file)
    wanted = await _asked(_callable("mapping", mapping))
    return await call_act(file.write, wanted, None)


async def plan(env_file: str | PathLike[str], mapping: EnvMapping) -> Diff:
    """What ``bootstrap`` would change in *env_file*; changes nothing, and raises the same."""
    file = EnvFile(env_file)
    wanted = await _asked(_callable("mapping", mapping))
    return await call_act(file.plan, wanted)


async def start(
    env_file: str | PathLike[str],
    mapping: EnvMapping,
    on_change: OnChange = "restart",
    reload_url: str | None = None,
    **options: Unpack[AsyncReconcilerOptions],
) -> AsyncReconciler:
    """An AsyncReconciler that is running, with its *options*; end it with ``stop``.

    Raises ValidationError for settings that make no sense, and VendoConfigError where the file
    can't be read.
    """
    return await AsyncReconciler(env_file, mapping, on_change, reload_url, **options).start()


async def _asked(mapping: EnvMapping) -> Variables:
    """What *mapping* gives, of the tokens that there are and not those that were."""
    with looking_anew():
        return Variables.checked(await call_act(mapping))


def _callable(name: str, value: Any, otherwise: str = "be ") -> Any:
    """Raises ValidationError for what can't be called here."""
    if not callable(value):
        raise ValidationError(f"{name} has to {otherwise}a callable")
    try:
        takes_context(value)
    except TypeError as exc:
        raise ValidationError(f"{name} {exc}") from None
    return value


def _seconds(name: str, value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise ValidationError(f"{name} has to be a number of seconds, above 0 and finite")
    return float(value)


def _words(exc: Exception) -> str:
    """What may be logged: another's message might quote a value."""
    kind = type(exc).__name__
    return f"{kind}: {exc}" if isinstance(exc, QuatrainError) else kind
