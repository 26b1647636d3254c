"""``quatrain keys``: make, list and revoke."""

import json

import pytest

from quatrain.server.local import LocalPlatform
from quatrain.verity import VerityAuthenticationError, VerityClient


def client_with(platform, key):
    return VerityClient(
        base_url=platform.verity_url,
        api_key=key,
        namespace="shop",
        http_client=platform.http_client(),
    )


def test_create_prints_the_key_alone(cli, database):
    """Standard output is the key, ready for $(…); the rest is for people."""
    result = cli("keys", "create", "--database", database)

    assert 0 == result.exit_code
    assert ["vt_test_"] == [line[:8] for line in result.stdout.splitlines()]
    assert "key_1: a test key of local, named default. It can't be shown again.\n" == result.stderr


def test_a_created_key_opens_the_database(cli, database):
    """The key is good for what was asked, in a platform that is running already."""
    with LocalPlatform(database) as platform:
        key = cli("keys", "create", "--database", database).stdout.strip()
        with client_with(platform, key) as client:
            assert 1 == client.protect("k", act=lambda: 1)


def test_create_options(cli, database):
    """Mode, tenant, name and scopes are those that were asked for."""
    args = ["--live", "--tenant", "acme", "--name", "ci", "--scope", "effects:read"]
    key = cli("keys", "create", "--database", database, *args).stdout
    (listed,) = json.loads(cli("keys", "list", "--database", database, "--json").stdout)

    assert key.startswith("vt_live_")
    assert ("live", "acme", "ci", ["effects:read"]) == (
        listed["mode"],
        listed["tenant"],
        listed["name"],
        listed["scopes"],
    )


def test_list_shows_no_key(cli, database):
    """A table of the keys, which holds none of them."""
    key = cli("keys", "create", "--database", database, "--name", "[red]x").stdout.strip()
    result = cli("keys", "list", "--database", database)

    assert key[len("vt_test_") + 4 :] not in result.output
    assert "[red]x" in result.stdout
    assert "" == result.stderr


def test_revoke(cli, database):
    """A revoked key opens nothing; it stays in the list."""
    with LocalPlatform(database) as platform:
        key = cli("keys", "create", "--database", database).stdout.strip()
        result = cli("keys", "revoke", "key_1", "--database", database)
        (listed,) = json.loads(cli("keys", "list", "--database", database, "--json").stdout)
        with client_with(platform, key) as client, pytest.raises(VerityAuthenticationError):
            client.effects.list()

    assert (0, "key_1, named default, is revoked.\n") == (result.exit_code, result.stderr)
    assert listed["revokedAt"] is not None


def test_database_from_the_environment(cli, database):
    """QUATRAIN_DATABASE says which file; without it, it is quatrain.db."""
    cli("keys", "create", QUATRAIN_DATABASE=str(database))
    cli("keys", "create")

    assert [True, True] == [path.exists() for path in (database, database.parent / "quatrain.db")]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["list", "--database", "none.db"], "there is no database none.db"),
        (["revoke", "key_1", "--database", "none.db"], "there is no database none.db"),
        (["create", "--database", "none/x.db"], "the database "),
        (["create", "--name", ""], "a key's name is 1 to 200 printable characters, not ''"),
        (["create", "--tenant", "a\x1b[2J"], r"a tenant is 1 to 200 printable characters"),
        (["create", "--database", ":memory:"], "database ':memory:' is no file"),
    ],
)
def test_mistakes(cli, args, message):
    """What can't be is one line and exit status 1, and makes no database."""
    result = cli("keys", *args)

    assert (1, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(f"Error: {message}")


def test_revoking_a_key_that_is_not_there(cli, database):
    """An unknown key is one line."""
    cli("keys", "create", "--database", database)
    results = [cli("keys", "revoke", name, "--database", database) for name in ("key_9", "\x1b[2J")]

    assert [
        (1, "Error: there is no key 'key_9'\n"),
        (1, "Error: there is no key '\\x1b[2J'\n"),
    ] == [(result.exit_code, result.stderr) for result in results]


def test_a_file_that_is_no_database(cli, database):
    """Somebody else's file is refused and left as it is."""
    database.write_text("dear diary" * 100)
    result = cli("keys", "create", "--database", database)

    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert "can't be used" in result.stderr
    assert "dear diary" * 100 == database.read_text()
