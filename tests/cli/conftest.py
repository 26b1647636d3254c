"""A command line to try, and a ledger with something in it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import quatrain as quatrain_package
from quatrain.cli.root import quatrain
from quatrain.server.local import LocalPlatform
from quatrain.verity import VerityClient

from ._support import Serving

#: What the environment of whoever runs the tests must not decide.
UNSET = dict.fromkeys(
    [
        *("QUATRAIN_DATABASE", "QUATRAIN_URL", "QUATRAIN_API_KEY", "VOS_WEBHOOK_SECRET"),
        *(
            "VELERIAN_BASE_URL",
            "VELERIAN_API_KEY",
            "QUATRAIN_RUNNER",
            "QUATRAIN_ACTIONS",
            "VOS_BASE_URL",
            "VOS_EXT_KEY",
        ),
        *("VENDO_BASE_URL", "VENDO_API_KEY", "VENDO_CREDENTIALS_URL", "VENDO_DATA_PROXY_URL"),
        "QUATRAIN_SECRET_KEY",
        *("VERITY_BASE_URL", "VERITY_API_KEY", "VERITY_NAMESPACE", "FORCE_COLOR"),
    ]
)


class Failure(Exception):
    """What an action raises."""


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Run the command line: ``cli("keys", "list", VARIABLE="value")``, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    # its own processes must find the package from there, too
    monkeypatch.setenv("PYTHONPATH", str(Path(quatrain_package.__file__).parents[1].absolute()))

    def run(*args, **env):
        # whatever is not turned into an exit status comes through, with its traceback
        return CliRunner(catch_exceptions=False).invoke(
            quatrain, [str(arg) for arg in args], env={**UNSET, **env}, prog_name="quatrain"
        )

    return run


@pytest.fixture
def database(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def serving(database):
    """A platform on the file *database*, served by a process of its own."""
    serving = Serving(database)
    yield serving
    serving.kill()


@pytest.fixture
def ledger(database):
    """A client of the ledger in the file *database*, as ``--database`` makes it."""
    with (
        LocalPlatform(database) as platform,
        VerityClient(
            base_url=platform.verity_url,
            api_key=platform.api_key,
            namespace="shop",
            http_client=platform.http_client(),
        ) as client,
    ):
        yield client


@pytest.fixture
def fail(ledger):
    """Put a failed effect into the ledger."""

    def run(key, **options):
        def act():
            raise Failure("no funds")

        with pytest.raises(Failure):
            ledger.protect(key, act=act, **options)

    return run
