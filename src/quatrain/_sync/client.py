# Generated from src/quatrain/_async/client.py by scripts/make_sync.py. Do not edit.
"""All platforms behind one client, each built from the environment when it is first touched."""

from __future__ import annotations

from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..errors import ConfigError
from .verity import VerityClient

if TYPE_CHECKING:
    from ..server.local import LocalPlatform


class Client:
    """The platforms of this package in one place.

    ::

        with Client() as q:
            receipt = q.verity.protect("refund:order_48392", act=refund, namespace="payments")

    A platform that is not given is built from its environment variables on first touch; one that
    is missing is a ConfigError naming it. Nothing falls back to a local platform by itself: two
    hosts on two private ledgers would both act.
    """

    def __init__(self, *, verity: VerityClient | None = None) -> None:
        self._platforms = {} if verity is None else {"verity": verity}
        self._local: LocalPlatform | None = None

    @classmethod
    def local(cls, database: str | PathLike[str], *, namespace: str = "default") -> Self:
        """A client with a platform of its own in this process, on the SQLite file *database*.

        Several processes may share the file. Needs the extra ``[server]``. *namespace* is the
        effects' default. Raises ConfigError when the extra is missing or the database can't be
        used.
        """
        try:
            from ..server.local import LocalPlatform  # noqa: PLC0415 - the extra may be missing
        except ModuleNotFoundError as exc:
            missing = (exc.name or "").partition(".")[0]
            msg = f"local() needs {missing}, which is not installed: the extra quatrain[server]"
            raise ConfigError(msg) from exc

        platform = LocalPlatform(database)
        client = cls(
            verity=VerityClient(
                base_url=platform.verity_url,
                api_key=platform.api_key,
                namespace=namespace,
                http_client=platform.http_client(),
            )
        )
        client._local = platform
        return client

    @property
    def verity(self) -> VerityClient:
        """Effects that happen exactly once."""
        try:
            return self._platforms["verity"]
        except KeyError:  # several threads may come at once: one wins
            return self._platforms.setdefault("verity", VerityClient())

    def close(self) -> None:
        """Close the platforms' clients, and the local platform. Twice is fine."""
        for platform in self._platforms.values():
            platform.close()
        if self._local is not None:
            self._local.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
