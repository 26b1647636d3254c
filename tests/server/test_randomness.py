"""Tokens: long, never twice, not even after a fork."""

from __future__ import annotations

import subprocess
import sys

from quatrain.server.randomness import TokenSupply, token

_FORK = """
import os
from quatrain.server.randomness import token
token()
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(write, token().encode())
    os._exit(0)
os.waitpid(pid, 0)
assert os.read(read, 100).decode() != token()
"""


def test_tokens_are_long_and_differ() -> None:
    """32 URL-safe characters each, over several draws from the system."""
    tokens = {token() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert {len(text) for text in tokens} == {32}
    assert all(text.replace("-", "").replace("_", "").isalnum() for text in tokens)


def test_a_supply_never_repeats_another() -> None:
    """Each draws its own."""
    assert TokenSupply().take() != TokenSupply().take()


def test_a_fork_does_not_repeat_its_parents_tokens() -> None:
    """The child draws anew."""
    assert subprocess.run([sys.executable, "-c", _FORK], check=False).returncode == 0
