"""Where the secret key comes from, and what happens when it is not the right one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import quatrain
from quatrain._secret import Secret
from quatrain.errors import ConfigError
from quatrain.server import Settings, create_app
from quatrain.server.vendo.records import UnavailableError
from quatrain.server.vendo.sealing import new_key
from quatrain.server.vendo.secretkey import VARIABLE, GivenKey, KeyFile, key_source

from ._support import rows


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "quatrain.db.key"


@pytest.mark.on_file
def test_the_file_is_made_once(file: Path, database: Path) -> None:
    """For its owner only, and nothing else is left behind."""
    source = key_source(None, database)
    assert source == KeyFile(file)
    first = source.load(may_create=True)
    assert 0o600 == file.stat().st_mode & 0o777
    assert first.names == source.load(may_create=True).names
    assert [file.name] == [each.name for each in file.parent.iterdir()]


def test_it_is_not_made_unasked(file: Path) -> None:
    """Where one must be there already."""
    with pytest.raises(ConfigError, match="No such file"):
        KeyFile(file).load(may_create=False)
    assert not file.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_read(file: Path, mode: int) -> None:
    """Is refused, and stays as it is."""
    file.write_text(new_key().reveal())
    file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        KeyFile(file).load(may_create=True)
    assert mode == file.stat().st_mode & 0o777


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 43, b"A" * 43 + b",x"])
def test_a_file_that_holds_no_key(file: Path, content: bytes) -> None:
    """Is not overwritten: it may be mended."""
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="holds no key"):
        KeyFile(file).load(may_create=True)
    assert content == file.read_bytes()


def test_what_is_no_file(file: Path) -> None:
    """A directory of that name, and a directory that is missing."""
    file.mkdir()
    with pytest.raises(ConfigError, match="can't be used"):
        KeyFile(file).load(may_create=True)
    with pytest.raises(ConfigError, match="can't be used"):
        KeyFile(file.parent / "none" / "key").load(may_create=True)


def test_processes_that_make_it_at_once(file: Path) -> None:
    """All get the same key: the first one's."""
    program = (
        "import sys, pathlib; from quatrain.server.vendo.secretkey import KeyFile\n"
        "file = KeyFile(pathlib.Path(sys.argv[1])); print('ready', flush=True); input()\n"
        "print(*file.load(may_create=True).names)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(quatrain.__file__).parents[1])}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert "ready\n" == racer.stdout.readline()
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    answers = [racer.communicate()[0] for racer in racers]
    assert {" ".join(KeyFile(file).load(may_create=False).names) + "\n"} == set(answers)
    assert [file.name] == [each.name for each in file.parent.iterdir()]


def test_who_loses_the_race_takes_the_winners_key(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made between the look and the making."""
    winner = new_key()
    link = os.link

    def beaten(source: Path, target: Path) -> None:
        file.write_text(winner.reveal())
        file.chmod(0o600)
        link(source, target)

    monkeypatch.setattr(os, "link", beaten)
    assert GivenKey.of(winner).ring.names == KeyFile(file).load(may_create=True).names


def test_the_order(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting wins over the environment, and that over the file."""
    given, of_environment = new_key(), new_key()
    monkeypatch.setenv(VARIABLE, of_environment.reveal())
    assert GivenKey.of(given).ring.names == key_source(given, database).load(may_create=False).names
    assert (
        GivenKey.of(of_environment).ring.names
        == key_source(None, database).load(may_create=False).names
    )


def test_a_setting_that_is_no_key(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is found out when the settings are made, the environment's when the app is."""
    with pytest.raises(ConfigError, match="a secret key is"):
        Settings(database=database, secret_key="hunter2-hunter2")
    monkeypatch.setenv(VARIABLE, "hunter2-hunter2")
    with pytest.raises(ConfigError, match="a secret key is") as caught:
        create_app(Settings(database=database))
    assert "hunter2" not in str(caught.value)


def test_settings_do_not_show_it(database: Path) -> None:
    """In their repr."""
    key = new_key()
    assert key.reveal() not in repr(Settings(database=database, secret_key=key))


async def use(database: Path, secret_key: Secret | None) -> str:
    """Connect telegram, and tell openai's token, on a platform with that key."""
    app = create_app(Settings(database=database, seed=None, secret_key=secret_key))
    async with app.router.lifespan_context(app):
        vendo = app.state.vendo
        await vendo.connections.connect("acme", "shop", "telegram", key=Secret("t-1"))
        _, secret = vendo.keys.create("acme", "shop")
        caller = await vendo.keys.authenticate(secret.reveal().encode())
        return (await vendo.connections.token(caller, "openai")).access.reveal()


async def prepare(database: Path, secret_key: Secret | None) -> None:
    """Connect openai under that key."""
    app = create_app(Settings(database=database, seed=None, secret_key=secret_key))
    async with app.router.lifespan_context(app):
        await app.state.vendo.connections.connect("acme", "shop", "openai", key=Secret("o-1"))


async def test_another_key(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is opened, nothing is written; with the right one all is there."""
    first = new_key()
    await prepare(database, first)
    with pytest.raises(UnavailableError, match="sealed with the secret key"):
        await use(database, new_key())
    (warning,) = caplog.messages
    assert "sealed with the secret key" in warning
    assert first.reveal() not in warning
    app = create_app(Settings(database=database, seed=None))
    async with app.router.lifespan_context(app):
        assert [("openai",)] == rows(app.state.store, "SELECT slug FROM vendo_connections")
    assert "o-1" == await use(database, first)


@pytest.mark.on_file
async def test_a_key_file_that_was_lost(database: Path, file: Path) -> None:
    """No new one is made: it would only hide that the right one is missing."""
    await prepare(database, None)
    kept = file.read_bytes()
    file.unlink()
    with pytest.raises(UnavailableError, match=r"No such file.* sealed with the secret key"):
        await use(database, None)
    assert not file.exists()
    file.write_bytes(kept)
    file.chmod(0o600)
    assert "o-1" == await use(database, None)


async def test_a_new_key(database: Path) -> None:
    """The old one stands behind it until all is sealed anew."""
    old, new = new_key(), new_key()
    await prepare(database, old)
    both = Secret(f"{new.reveal()},{old.reveal()}")
    assert "o-1" == await use(database, both)
    with pytest.raises(UnavailableError, match="sealed with the secret key"):
        await use(database, new)
    app = create_app(Settings(database=database, seed=None, secret_key=both))
    async with app.router.lifespan_context(app):
        assert [1, 0] == [await app.state.vendo.connections.reseal() for _ in range(2)]
    assert "o-1" == await use(database, new)
