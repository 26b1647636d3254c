"""Where the platform's secret key comes from: a setting, the environment, or a file of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final, Protocol, Self

import attrs

from quatrain._secret import Secret
from quatrain.errors import ConfigError
from quatrain.server.store import PostgresURL

from .sealing import Ring, new_key

VARIABLE: Final = "QUATRAIN_SECRET_KEY"
_MAX_BYTES: Final = 65_536
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class KeySource(Protocol):
    """Has the secret key, or makes one."""

    def load(self, *, may_create: bool) -> Ring:
        """The keys; a new one only with *may_create*. Raises ConfigError; blocks."""
        ...


@attrs.frozen
class GivenKey:
    """A key that somebody else keeps."""

    ring: Ring

    @classmethod
    def of(cls, text: Secret) -> Self:
        """As ``Ring.parse`` reads it. Raises ConfigError."""
        return cls(Ring.parse(text))

    def load(self, *, may_create: bool) -> Ring:
        """The keys that were given."""
        del may_create
        return self.ring


@attrs.frozen
class KeyFile:
    """A file that only its owner may read, made when a key is first needed.

    Whoever has the database's file and not this one can't open a token; so keep a copy of both, and
    not in one place.
    """

    path: Path

    def load(self, *, may_create: bool) -> Ring:
        """The keys in the file. Raises ConfigError."""
        try:
            try:
                return self._read()
            except FileNotFoundError:
                if not may_create:
                    raise
            self._create()
            return self._read()
        except OSError as exc:
            raise ConfigError(
                f"the secret key's file {self.path} can't be used: {exc.strerror or exc}"
            ) from exc

    def _read(self) -> Ring:
        with self.path.open("rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError(f"the secret key's file {self.path} is no plain file")
            if found.st_mode & _OTHERS:
                raise ConfigError(
                    f"others than its owner may read or change the secret key's file {self.path}:"
                    " `chmod 600` it, and think about who may have seen it"
                )
            text = file.read(_MAX_BYTES)
        try:
            return Ring.parse(Secret(text.decode("ascii").strip()))
        except (UnicodeDecodeError, ConfigError):
            raise ConfigError(
                f"the secret key's file {self.path} holds no key, which would be 32 bytes in base64"
            ) from None

    def _create(self) -> None:
        """All of it or nothing, once: of several processes the first one's key is everybody's."""
        # the whole key is on the disk before the file has its name: nobody reads half of one
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(number, "wb") as file:  # noqa: PTH123  a descriptor
                file.write(new_key().reveal().encode("ascii") + b"\n")
                file.flush()
                os.fsync(number)
            # another process was quicker, and its key is the one
            with contextlib.suppress(FileExistsError):
                os.link(draft, self.path)
        finally:
            draft.unlink(missing_ok=True)
        self._sync_directory()

    def _sync_directory(self) -> None:
        # before anything is sealed with it: a key that a power cut takes back opens nothing
        number = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)


class NoKey:
    """None was given, and there is no place for one: processes on several machines share it."""

    def load(self, *, may_create: bool) -> Ring:
        """Raises ConfigError."""
        del may_create
        raise ConfigError(
            f"on PostgreSQL the secret key comes from {VARIABLE}: 32 random bytes in base64, the"
            " same for every process on the database (openssl rand -base64 32)"
        )


def key_source(given: Secret | None, database: Path | PostgresURL) -> KeySource:
    """The key that was *given*, else the environment's, else the file beside the database.

    Raises ConfigError for one that is no key.
    """
    text = given or Secret(os.environ.get(VARIABLE, ""))
    if text:
        return GivenKey.of(text)
    if isinstance(database, PostgresURL):
        return NoKey()
    return KeyFile(database.absolute().with_name(f"{database.name}.key"))
