"""``quatrain vendo``: connections, apps and keys, on a file and over HTTP."""

import json

import httpx
import pytest
from click.testing import CliRunner

from quatrain.cli.root import quatrain
from quatrain.server.embedded import EmbeddedPlatform

from .conftest import UNSET
from .test_velerian import rows_of

HOSTILE = "a [red]d[/] :smile: '; DROP TABLE vendo_connections; --"


@pytest.fixture
def run(cli, database):
    """Run ``quatrain vendo … --database``, on a file that the first command makes."""

    def vendo(*args, **env):
        return cli("vendo", *args, "--database", database, **env)

    return vendo


@pytest.fixture
def say(database, cli):
    """The same, with something on standard input."""

    def vendo(*args, said):
        command = ["vendo", *args, "--database", str(database)]
        return CliRunner(catch_exceptions=False).invoke(quatrain, command, input=said, env=UNSET)

    return vendo


def listed(run, *what):
    """What a command lists, as JSON."""
    return json.loads(run(*what, "--json").stdout)


def test_a_key_that_is_pasted(run, say):
    """Is asked for, shown nowhere, and what is printed is the connection's id."""
    made = say("connect", "openai", said="sk-very-secret\n")
    (found,) = listed(run, "connections")

    assert (0, found["connection_id"]) == (made.exit_code, made.stdout.strip())
    assert "sk-very-secret" not in made.output
    assert "OpenAI is connected, for: local." in made.stderr
    assert ("openai", None, "connected", ["local"]) == (
        *(found["slug"], found["user_id"], found["status"], found["apps"]),
    )


def test_a_key_on_standard_input(run, say):
    """For what could be granted, too."""
    made = say("connect", "slack", "--key", "-", "--app", "shop", "--user", "bob", said="xoxb-1\n")
    (found,) = listed(run, "connections")

    assert 0 == made.exit_code
    assert ("slack", "bob", "byok_static", ["shop"]) == (
        *(found["slug"], found["user_id"], found["profile"], found["apps"]),
    )


def test_a_grant(run):
    """Needs nothing pasted, and is disconnected by its slug."""
    assert 0 == run("connect", "gmail").exit_code
    gone = run("disconnect", "gmail")
    (found,) = listed(run, "connections", "--all")

    assert (0, "user_oauth", "revoked") == (gone.exit_code, found["profile"], found["status"])
    assert [] == listed(run, "connections")
    assert "is disconnected" in gone.stderr


def test_one_users_own(run):
    """Is another than everybody's."""
    run("connect", "gmail")
    run("connect", "gmail", "--user", "bob")
    run("disconnect", "gmail", "--user", "bob")

    assert [None] == [each["user_id"] for each in listed(run, "connections")]


@pytest.mark.parametrize("which", ["gmail", "con_none"])
def test_nothing_to_disconnect(run, which):
    """One line says so."""
    run("apps")
    run("connect", "slack")
    refused = run("disconnect", which)

    assert (1, "") == (refused.exit_code, refused.stdout)
    assert "there is no connection" in refused.stderr


def test_an_unknown_integration(run):
    """Those that there are, are told."""
    refused = run("connect", "nothing")

    assert 2 == refused.exit_code
    assert "openai" in refused.stderr


def test_keys(run):
    """A secret is printed alone, listed by its first characters, and revoked."""
    made = run("keys", "create", "--app", "shop")
    (found,) = listed(run, "keys", "list")
    revoked = run("keys", "revoke", found["id"])
    (after,) = listed(run, "keys", "list")

    secret = made.stdout.strip()
    assert secret.startswith(found["hint"])
    assert len(secret) == 52
    assert ["shop"] == [each["app"] for each in listed(run, "apps")]
    assert 0 == revoked.exit_code
    assert after["revoked_at"] is not None


def test_a_key_of_one_connection(run):
    """Says what it opens."""
    connection = run("connect", "slack").stdout.strip()
    made = run("keys", "create", "--connection", connection)
    refused = run("keys", "create", "--connection", "con_none")

    assert made.stdout.startswith("vendo_ck_")
    assert "slack" in made.stderr
    assert (1, "") == (refused.exit_code, refused.stdout)


def test_tables(run):
    """For people."""
    run("connect", "slack", "--user", HOSTILE)
    run("keys", "create")

    ((_, slug, user, *_),) = rows_of(run("connections"))
    assert ("slack", HOSTILE) == (slug, user)
    assert "all of the app's" in run("keys", "list").stdout
    assert "local" in run("apps").stdout


def test_a_users_token(run):
    """Is printed alone."""
    made = run("user-token", "bob")

    assert 3 == len(made.stdout.strip().split("."))
    assert "For bob, until 2" in made.stderr


def test_resealing(run, database):
    """Nothing is to be done under the same key."""
    run("connect", "slack")

    assert "0 of the tokens" in run("reseal").stderr
    assert database.with_name(f"{database.name}.key").exists()


def test_the_page(cli):
    """Its address has the app's key, and needs no answer of the platform."""
    made = cli(
        *("vendo", "connect", "slack", "--page", "--return-to", "http://localhost:1/x?a=b"),
        *("--url", "http://127.0.0.1:8787/"),
        VENDO_API_KEY="vendo_sk_1",
    )
    url = httpx.URL(made.stdout.strip())

    assert ("/connections/connect/slack", "vendo_sk_1", "http://localhost:1/x?a=b") == (
        *(url.path, url.params["app_key"], url.params["return_to"]),
    )
    assert url.params["state"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--page", "--return-to", "http://localhost:1/"], "--url"),
        (["--page", "--url", "http://127.0.0.1:1"], "--return-to"),
        (["--return-to", "http://localhost:1/"], "--page"),
    ],
)
def test_the_page_needs(cli, args, said):
    """What it is made of."""
    refused = cli("vendo", "connect", "slack", *args)

    assert 2 == refused.exit_code
    assert said in refused.stderr


def test_over_http(cli, database):
    """A platform that is served: what is connected there can be used there."""
    with EmbeddedPlatform(database) as platform:
        env = platform.env
        made = cli("vendo", "connect", "slack", **env)
        answer = httpx.get(
            f"{env['VENDO_CREDENTIALS_URL']}/slack",
            headers={"authorization": f"Bearer {env['VENDO_API_KEY']}"},
        )

    assert 0 == made.exit_code, made.output
    assert answer.json()["access_token"].startswith("simulated-slack-access-")
