"""``quatrain effects``: list, show and reset, from a file and over HTTP."""

import json

import pytest

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.verity import VerityClient

HOSTILE = "a\x1b[2J\u202eb\nc [red]d[/] :smile: \u2028'; DROP TABLE effects; --"


@pytest.fixture
def run(cli, database):
    """Run ``quatrain effects … --database``."""

    def effects(*args, **env):
        return cli("effects", *args, "--database", database, **env)

    return effects


def test_list(run, ledger):
    """A table, newest first."""
    for key in ("one", "two"):
        ledger.protect(key, act=lambda: 1, agent_id="me")
    result = run("list")
    rows = [line.split("│")[1:4] for line in result.stdout.splitlines() if "│" in line]

    assert (0, "") == (result.exit_code, result.stderr)
    assert [["shop", "two", "COMMITTED"], ["shop", "one", "COMMITTED"]] == [
        [text.strip() for text in row] for row in rows
    ]


def test_list_as_json(run, ledger):
    """The wire's own fields."""
    ledger.protect("one", act=lambda: 1)
    (effect,) = json.loads(run("list", "--json").stdout)

    assert ("shop", "one", "COMMITTED", 1) == (
        effect["namespace"],
        effect["effectKey"],
        effect["status"],
        effect["fenceToken"],
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["c1:pack", "bad", "good"]),
        (["--status", "failed"], ["bad"]),
        (["--namespace", "orders"], ["c1:pack"]),
        (["--workflow", "orders"], ["c1:pack"]),
        (["--case", "c1"], ["c1:pack"]),
        (["--case", "c2"], []),
        (["--key", "oo"], ["good"]),
        (["--key", "%"], []),
        (["--status", "COMMITTED", "--limit", "1"], ["c1:pack"]),
    ],
)
def test_filters(run, ledger, fail, options, expected):
    """Each filter keeps what it names."""
    ledger.protect("good", act=lambda: 1)
    fail("bad")
    ledger.workflow("orders").case("c1").run().protect("pack", act=lambda: 1)
    found = json.loads(run("list", "--json", *options).stdout)

    assert expected == [effect["effectKey"] for effect in found]


def test_limit(run, ledger):
    """What the limit leaves out is said, on standard error."""
    for number in range(3):
        ledger.protect(f"k{number}", act=lambda: 1)
    results = [run("list", "--json", "--limit", limit) for limit in (2, 3)]

    assert [2, 3] == [len(json.loads(result.stdout)) for result in results]
    assert ["There are more than 2: raise --limit, or export them.\n", ""] == [
        result.stderr for result in results
    ]


def test_show(run, ledger, fail):
    """Everything about one effect, its payloads and its audit trail."""
    fail("one", agent_id="me", input_json={"order": 7})
    result = run("show", "one")

    assert (0, "") == (result.exit_code, result.stderr)
    for text in ('"order": 7', "no funds", "FAILED", "LEASE_GRANTED", "Audit trail", "me"):
        assert text in result.stdout


def test_show_as_json(run, ledger):
    """Effect and trail in one document."""
    ledger.protect("one", act=lambda: {"n": 1})
    shown = json.loads(run("show", "one", "--json").stdout)

    assert {"n": 1} == shown["effect"]["result"]
    assert ["LEASE_GRANTED", "COMMITTED"] == [event["type"] for event in shown["events"]]


def test_show_cuts_what_is_long(run, ledger):
    """A long payload is cut, and says so; JSON has all of it."""
    ledger.protect("one", act=lambda: "x" * 5_000)
    shown = [run("show", "one", *options).stdout for options in ([], ["--json"])]

    assert [False, True] == ["x" * 2_001 in text for text in shown]
    assert "5,002 characters in all; --json has them" in shown[0]


def test_hostile_text_is_shown_and_not_obeyed(run, ledger):
    """Control characters are escaped; markup and emoji codes are plain text."""
    ledger.protect(HOSTILE, act=lambda: HOSTILE, agent_id=HOSTILE, namespace=HOSTILE)
    results = [run("list"), run("show", HOSTILE), run("list", "--json"), run("export")]

    for result in results:
        assert 0 == result.exit_code
        assert set() == {char for char in result.output if not char.isprintable()} - {"\n"}
    for result in results[:2]:
        assert r"a\x1b[2J\u202eb\nc [red]d[/] :smile: \u2028'; DROP" in result.stdout
    assert HOSTILE == json.loads(results[2].stdout)[0]["effectKey"]


def test_namespace_is_needed_when_there_are_several(run, ledger):
    """A key that two namespaces have is ambiguous until one is named."""
    ledger.protect("one", act=lambda: "shop's")
    ledger.protect("one", act=lambda: "farm's", namespace="farm")
    ledger.protect("one more", act=lambda: 1, namespace="zoo")
    ambiguous = run("show", "one")
    named = run("show", "one", "--namespace", "farm", "--json")
    by_environment = run("show", "one", "--json", VERITY_NAMESPACE="shop")

    assert 2 == ambiguous.exit_code
    assert "several namespaces have that key; say which: --namespace farm, shop" in ambiguous.stderr
    assert ["farm's", "shop's"] == [
        json.loads(result.stdout)["effect"]["result"] for result in (named, by_environment)
    ]


def test_reset(run, ledger, fail):
    """A failed effect may run again, and the trail says why."""
    fail("one")
    result = run("reset", "one", "--reason", "funds are back")

    assert (0, "one in shop is reset: the next attempt may act.\n") == (
        result.exit_code,
        result.stderr,
    )
    assert "done" == ledger.protect("one", act=lambda: "done")
    reset = next(event for event in ledger.effects.events("one") if event.type == "RESET")
    assert "funds are back" == reset.detail["reason"]


def test_reset_as_json(run, fail):
    """The effect as it now is."""
    fail("one")

    assert "RESET" == json.loads(run("reset", "one", "--reason", "x", "--json").stdout)["status"]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["reset", "done", "--reason", "x"], 1, "409 not_resettable: "),
        (["reset", "done", "--reason", ""], 1, "422 validation_failed: body.reason: "),
        (["reset", "done"], 2, "Missing option '--reason'. Try: quatrain effects reset --help"),
        (["reset", "none", "--reason", "x"], 1, "there is no effect none"),
        (["show", "none"], 1, "there is no effect none"),
        (["show", "none", "--namespace", "shop"], 1, "404 effect_not_found: "),
        (["show", "a\x1b[2J"], 1, r"there is no effect a\x1b[2J"),
        (["show"], 2, "Missing argument 'KEY'. Try: quatrain effects show --help"),
        (["list", "--status", "ODD"], 2, "Invalid value for '--status': 'ODD' is not one of "),
        (["list", "--limit", "0"], 2, "Invalid value for '--limit': "),
        (["list", "--limit", "many"], 2, "Invalid value for '--limit': "),
        (["list", "--api-key", "x"], 2, "--database is a ledger of its own: "),
        (["list", "--odd"], 2, "No such option "),
    ],
)
def test_mistakes(run, ledger, args, code, message):
    """What can't be is one line: exit status 2 for a wrong command line, 1 for the rest."""
    ledger.protect("done", act=lambda: 1)
    result = run(*args)

    assert (code, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(f"Error: {message}")


def test_tenant_and_mode_of_a_file(run, cli, database, ledger):
    """A file's test data, its live data and other tenants' are looked at one by one."""
    ledger.protect("test", act=lambda: 1)
    with EmbeddedPlatform(database) as platform:
        key = cli("keys", "create", "--live", "--tenant", "acme", "--database", database).stdout
        with VerityClient(base_url=f"{platform.url}/v1", api_key=key.strip()) as client:
            client.protect("live", act=lambda: 1, namespace="shop")
    args = ([], ["--live"], ["--tenant", "acme"], ["--live", "--tenant", "acme"])
    found = [json.loads(run("list", "--json", *options).stdout) for options in args]

    assert [["test"], [], [], ["live"]] == [[e["effectKey"] for e in each] for each in found]


# -- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def platform(database, ledger):
    ledger.protect("one", act=lambda: 1)
    with EmbeddedPlatform(database) as platform:
        yield platform


def test_over_http(cli, platform):
    """The environment says which ledger, or the command line does."""
    env = platform.env
    options = ["--base-url", env["VERITY_BASE_URL"], "--api-key", env["VERITY_API_KEY"]]
    results = [
        cli("effects", "list", "--json", **env),
        cli("effects", "list", "--json", *options),
        cli("effects", "show", "one", "--json", **env),
    ]

    assert [0, 0, 0] == [result.exit_code for result in results]
    assert "one" == json.loads(results[1].stdout)[0]["effectKey"]


def test_a_file_beats_the_environment(cli, platform, database):
    """--database on the command line is what counts, wherever the environment points."""
    env = {"VERITY_BASE_URL": "http://127.0.0.1:9/v1", "VERITY_API_KEY": "vt_test_x"}

    assert 0 == cli("effects", "list", "--database", database, **env).exit_code


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"VERITY_API_KEY": "vt_test_wrong"}, 1, "401 unauthenticated: "),
        ({"VERITY_API_KEY": "with\nnewline"}, 1, ""),
        ({"VERITY_API_KEY": None}, 1, "api_key is missing: pass it, or set VERITY_API_KEY"),
        ({"VERITY_BASE_URL": None}, 2, "which ledger? Set VERITY_BASE_URL and VERITY_API_KEY, or "),
        ({"VERITY_BASE_URL": "ftp://localhost"}, 1, "base_url has to begin with https://"),
        ({"VERITY_BASE_URL": "http://[::1"}, 1, "base_url is not a URL: "),
        ({"VERITY_BASE_URL": "http://example.com/v1"}, 1, "base_url would send the key "),
        ({"VERITY_BASE_URL": "http://127.0.0.1:9/v1"}, 1, "no answer from http://127.0.0.1:9/v1"),
    ],
)
def test_ledgers_that_can_not_be_asked(cli, platform, change, code, message):
    """A wrong key, address or server is one line, without the key in it."""
    env = {**platform.env, **change}
    result = cli("effects", "list", **env)

    assert (code, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(f"Error: {message}")
    assert (env["VERITY_API_KEY"] or "?!") not in result.stderr


def test_a_base_url_without_the_version(cli, platform):
    """The answer of what is no ledger is one line, too."""
    result = cli("effects", "list", **{**platform.env, "VERITY_BASE_URL": platform.url})

    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert result.stderr.startswith("Error: 404 ")


def test_a_revoked_key(cli, platform, database):
    """A revoked key is told from nothing but that it is not let in."""
    key = cli("keys", "create", "--database", database).stdout.strip()
    cli("keys", "revoke", "key_1", "--database", database)
    result = cli("effects", "list", **{**platform.env, "VERITY_API_KEY": key})

    assert 1 == result.exit_code
    assert result.stderr.startswith("Error: 401 unauthenticated: ")


@pytest.mark.parametrize("option", [["--live"], ["--tenant", "acme"]])
def test_realm_options_are_for_files(cli, platform, option):
    """Over HTTP the key decides whose data it is."""
    result = cli("effects", "list", *option, **platform.env)

    assert 2 == result.exit_code
    assert "--live and --tenant go with --database" in result.stderr


def test_a_missing_file(cli, tmp_path):
    """Looking at a database that is not there does not make one."""
    result = cli("effects", "list", "--database", "none.db")

    assert (2, 1) == (result.exit_code, result.stderr.count("\n"))
    assert "File 'none.db' does not exist" in result.stderr
    assert [] == list(tmp_path.iterdir())


# -- what an operator does ------------------------------------------------------------------------


@pytest.fixture
def uncertain(run, ledger):
    """Put an effect whose lease was released into the ledger."""

    def make(key):
        ledger.request_lease("shop", {"effectKey": key, "agentId": "ann"})
        assert 0 == run("release", key, "--namespace", "shop", "--reason", "hangs").exit_code

    return make


def test_release(run, ledger):
    """Its holder is refused, and the trail says who took the lease, and why."""
    lease = ledger.request_lease("shop", {"effectKey": "one", "agentId": "ann"})
    result = run("release", "one", "--namespace", "shop", "--reason", "hangs")

    assert (0, "") == (result.exit_code, result.stdout)
    assert "one in shop has no holder any more" in result.stderr
    line = ledger.effects.events("one", namespace="shop")[-1]
    assert ("LEASE_RELEASED", {"reason": "hangs", "by": "embedded", "holder": "ann"}) == (
        line.type,
        line.detail,
    )
    with pytest.raises(Exception, match="not the newest"):
        ledger.renew(
            "shop",
            {
                "effectKey": "one",
                "fenceToken": lease.fence_token,
                "leaseToken": lease.lease_token,
            },
        )


def test_resolve_as_done(run, ledger, uncertain):
    """The result is what later attempts get; nobody acts."""
    uncertain("one")
    options = ["--namespace", "shop", "--reason", "looked", "--json"]
    result = run("resolve", "one", "--done", "--result", '{"id": 7}', *options)

    assert (0, "COMMITTED") == (result.exit_code, json.loads(result.stdout)["status"])
    assert {"id": 7} == ledger.protect("one", act=lambda: pytest.fail("acted"))


def test_resolve_as_not_done(run, ledger, uncertain):
    """The next attempt acts."""
    uncertain("one")
    result = run("resolve", "one", "--not-done", "--namespace", "shop", "--reason", "looked")

    assert "not done: the next attempt may act" in result.stderr
    assert 7 == ledger.protect("one", act=lambda: 7)


def test_what_has_moved_on_is_left_alone(run, uncertain):
    """The fence that was seen is not the newest."""
    uncertain("one")
    options = ["--namespace", "shop", "--reason", "r", "--fence", "1"]
    result = run("resolve", "one", "--done", *options)

    assert 1 == result.exit_code
    assert "the effect has moved on" in result.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["resolve", "one"], "--done, or --not-done"),
        (["resolve", "one", "--not-done", "--result", "1"], "--result goes with --done"),
        (["resolve", "one", "--done", "--result", "{"], "not JSON"),
        (["release", "one", "--live", "--url", "http://127.0.0.1:1"], "--live goes with"),
    ],
)
def test_operators_mistakes(cli, args, says):
    """Told before anything is asked."""
    result = cli("effects", *args, "--namespace", "shop", "--reason", "r")

    assert 2 == result.exit_code
    assert says in result.stderr


def test_operators_may_leave_the_namespace_out(run, ledger, uncertain):
    """Where one has that key; the environment may name it, too."""
    uncertain("one")
    found = run("resolve", "one", "--done", "--reason", "r")
    assert (0, True) == (found.exit_code, "one in shop is resolved as done" in found.stderr)
    ledger.request_lease("shop", {"effectKey": "two"})
    ledger.request_lease("farm", {"effectKey": "two"})
    ambiguous = run("release", "two", "--reason", "r")
    assert 2 == ambiguous.exit_code
    assert "several namespaces have that key; say which: --namespace farm, shop" in ambiguous.stderr
    assert 0 == run("release", "two", "--reason", "r", VERITY_NAMESPACE="farm").exit_code
    assert ["EXPIRED", "RUNNING"] == [
        ledger.effects.get("two", namespace=namespace).status for namespace in ("farm", "shop")
    ]
    for command in (["release"], ["resolve", "--not-done"], ["release", "--live"]):
        missing = run(*command, "no one", "--reason", "r")
        assert (1, True) == (missing.exit_code, "there is no effect no one" in missing.stderr)


def test_effects_in_no_such_state(run, ledger):
    """What is settled is neither resolved nor released."""
    ledger.protect("one", act=lambda: 1)
    for args in (["resolve", "one", "--done"], ["release", "one"]):
        result = run(*args, "--namespace", "shop", "--reason", "r")
        assert 1 == result.exit_code
        assert "the effect is COMMITTED" in result.stderr


def test_live_effects_are_live(run, ledger):
    """The file's test data is not touched."""
    ledger.request_lease("shop", {"effectKey": "one"})
    result = run("release", "one", "--live", "--namespace", "shop", "--reason", "r")

    assert 1 == result.exit_code
    assert "there is no such effect" in result.stderr
