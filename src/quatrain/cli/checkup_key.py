"""What ``quatrain doctor`` says of the key that Vendo's tokens are sealed with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from quatrain.errors import ConfigError
from quatrain.server.store import PostgresURL
from quatrain.server.vendo.secretkey import VARIABLE, GivenKey, key_source

from .checkup import Finding, Level

__all__ = ["secret_key"]


def secret_key(sealed: Sequence[bytes], database: Path | PostgresURL) -> Iterator[Finding]:
    """Whether the key that there is opens these tokens; beside a file, one is made when needed."""
    what = f"{len(sealed):,} tokens of Vendo's connections are sealed"
    lost = "restore the key that it was; else people must connect again"
    try:
        source = key_source(None, database)
        if not sealed and not isinstance(database, PostgresURL):
            return
        ring = source.load(may_create=False)
    except ConfigError as exc:
        if sealed:
            yield Finding("database", Level.ERROR, f"{what}, and there is no key: {exc}", lost)
        else:
            none = f"nothing can be connected in Vendo: {exc}"
            fix = f"set {VARIABLE} for the platform"
            yield Finding("database", Level.WARNING, none, fix)
        return
    where = VARIABLE if isinstance(source, GivenKey) else "the file beside it"
    if not sealed:
        yield Finding("database", Level.OK, f"Vendo's tokens will be sealed with {where}")
    elif foreign := sum(not ring.knows(each) for each in sealed):
        what = f"{what}, {foreign:,} of them with another key than {where} has"
        yield Finding("database", Level.ERROR, what, lost)
    else:
        what = f"{what} with the key in {where}: keep a copy of it apart from backups"
        yield Finding("database", Level.OK, what)
