"""``quatrain velocity``: what a founder does, on a file and over HTTP."""

import json

import pytest

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.velocity.values import SCOPES

HOSTILE = "a\x1b[2J\u202eb [red]d[/] :smile: \u2028'; DROP TABLE velocity_tasks; --"


@pytest.fixture
def run(cli, database):
    """Run ``quatrain velocity … --database``, on a seeded file."""
    cli("velocity", "seed", "--database", database)

    def velocity(*args, **env):
        return cli("velocity", *args, "--database", database, **env)

    return velocity


def listed(run, *what):
    """What a command lists, as JSON."""
    return json.loads(run(*what, "--json").stdout)


def rows_of(result):
    """The cells of a table."""
    lines = [line for line in result.stdout.splitlines() if "│" in line]
    return [[text.strip() for text in line.split("│")[1:-1]] for line in lines]


def test_install_prints_the_key_alone(run):
    """Standard output is the key, ready for $(…); the rest is for people."""
    result = run("install", "ghl-sync", "--scope", "read:team", "--scope", "read:tasks")
    install = listed(run, "installs")[-1]

    assert (0, ["vos_ext_"]) == (
        result.exit_code,
        [line[:8] for line in result.stdout.splitlines()],
    )
    assert (
        "ins_2: ghl-sync is installed and may: read:tasks read:team. "
        "The key can't be shown again.\n"
    ) == result.stderr
    assert ["read:tasks", "read:team"] == install["scopes"]


def test_install_options(run):
    """Name, developer and sandbox are those that were asked for; it may do everything."""
    result = run("install", "x", "--name", "The X", "--developer", "Xs", "--sandbox")
    install = listed(run, "installs")[-1]

    assert "x is installed in the sandbox and may: everything. " in result.stderr
    assert ("The X", "Xs", True, sorted(SCOPES)) == (
        *(install["extension_name"], install["developer"], install["sandbox"]),
        install["scopes"],
    )


def test_installs_show_no_key(run):
    """A table of the installs, which holds no key."""
    key = run("install", "x").stdout.strip()
    result = run("installs")

    assert [["ins_1", "local"], ["ins_2", "x"]] == [row[:2] for row in rows_of(result)]
    assert key[len("vos_ext_") + 4 :] not in result.output


def test_revoke(run):
    """A revoked install stays in the list."""
    run("install", "x")
    result = run("revoke", "ins_2")
    installs = listed(run, "installs")

    assert (0, "", "ins_2, of x, is revoked.\n") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )
    assert [False, True] == [each["revoked_at"] is not None for each in installs]


def test_tasks(run):
    """A task's life: its id is all that standard output gets."""
    added = run("tasks", "add", "Call", "--module", "F1", "--category", "people", "--assignee", "J")
    task_id = added.stdout.strip()
    said = [
        added.stderr,
        run("tasks", "update", task_id, "--assignee", "", "--category", "finance").stderr,
    ]
    (open_task,) = [t for t in listed(run, "tasks", "list")["open"] if t["task_id"] == task_id]
    said.append(run("tasks", "complete", task_id).stderr)
    (done,) = [t for t in listed(run, "tasks", "list")["completed"] if t["task_id"] == task_id]

    assert "task_8\n" == added.stdout
    assert ("Call", "F1", "finance", None) == (
        *(open_task["action"], open_task["module_source"], open_task["category"]),
        open_task["assignee"],
    )
    assert ("Call", "finance") == (done["action"], done["category"])
    assert [
        "Call is in the backlog.\n",
        "task_8, Call, is changed.\n",
        "task_8, Call, is done.\n",
    ] == said


def test_tasks_as_a_table(run):
    """Open ones first, then those that are done."""
    rows = rows_of(run("tasks", "list"))

    assert [f"task_{number}" for number in range(1, 8)] == [row[0] for row in rows]
    assert [False] * 5 + [True] * 2 == [row[-1] != "-" for row in rows]


def test_team(run):
    """Somebody joins."""
    result = run("team", "add", "Ann", "--role", "Ops", "--email", "ann@example.com")
    run("team", "add", "Bob")

    assert "Ann is on the team.\n" == result.stderr
    assert [["Ann", "Ops", "ann@example.com"], ["Bob", "-", "-"]] == rows_of(run("team", "list"))[
        -2:
    ]
    assert {"name": "Bob", "role": "", "email": ""} == listed(run, "team", "list")[-1]


@pytest.mark.parametrize("output", ['{"a": [1, "é"]}', "null", "@output.json"])
def test_modules(run, tmp_path, output):
    """A module is completed with JSON from the command line, or from a file."""
    (tmp_path / "output.json").write_text("[1, 2]", encoding="utf-8")
    result = run("modules", "complete", "x9", "--output", output)

    assert "X9 is completed.\n" == result.stderr
    assert ["X9", "completed", "yes"] == rows_of(run("modules", "list"))[-1][:3]
    assert ("X9", True) == (
        listed(run, "modules", "list")[-1]["code"],
        listed(run, "modules", "list")[-1]["has_output"],
    )


def test_tier_and_show(run):
    """The account as it is."""
    result = run("tier", "growth", "--source", "billing")
    shown = run("show")

    assert "Maya Okafor is on the tier growth.\n" == result.stderr
    assert "growth" == listed(run, "show")["tier"]
    for text in ("maya@harborandpine.example", "growth", '"business_name": "Harbor & Pine"'):
        assert text in shown.stdout


def test_seed(cli, database):
    """Another tenant's account gets the demo's data when that is wanted, and not before."""
    options = ["--tenant", "acme", "--database", database]
    before = cli("velocity", "team", "list", "--json", *options, "--tenant", "acme")
    result = cli("velocity", "seed", *options)
    after = json.loads(cli("velocity", "team", "list", "--json", *options).stdout)

    assert (1, 0, "Maya Okafor has business data.\n") == (
        before.exit_code,  # there was no file
        result.exit_code,
        result.stderr,
    )
    assert 3 == len(after)


def test_hostile_text_is_shown_and_not_obeyed(run):
    """Control characters are escaped; markup and emoji codes are plain text."""
    text = HOSTILE.replace("\x1b", "\x9b")
    run("tasks", "add", text, "--module", "F1")
    results = [run("tasks", "list"), run("tasks", "list", "--json"), run("tasks", "complete", text)]
    results.append(run("tasks", "complete", "task_8"))

    for result in results:
        assert set() == {char for char in result.output if not char.isprintable()} - {"\n"}
    assert r"a\x9b[2J\u202eb [red]d[/] :smile: \u2028'; DROP" in results[0].stdout
    assert text == json.loads(results[1].stdout)["open"][-1]["action"]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["install", "Not A Slug"], 1, "422 validation_failed: an extension's slug is 1 to 100 "),
        (["install", "x", "--scope", "odd"], 2, "Invalid value for '--scope': 'odd' is not one "),
        (["install"], 2, "Missing argument 'SLUG'. Try: quatrain velocity install --help"),
        (["revoke", "ins_9"], 1, "404 not_found: there is no install 'ins_9'"),
        (["revoke", ""], 1, "no URL can be made of it: "),
        (["tasks", "add", "x"], 2, "Missing option '--module'"),
        (["tasks", "add", "", "--module", "x"], 1, "422 validation_failed: body.action: "),
        (
            ["tasks", "add", "x", "--module", "y", "--deadline", "soon"],
            1,
            "422 validation_failed: ",
        ),
        (["tasks", "add", "x", "--module", "y", "--category", ""], 2, "Invalid value for '--cat"),
        (["tasks", "update", "task_1"], 2, "what is to change? Give an option"),
        (["tasks", "update", "task_9", "--action", "x"], 1, "404 not_found: there is no task"),
        (["tasks", "complete", "task_7"], 1, "409 task_completed: "),
        (["tasks", "complete", "\x1b[2J"], 1, r"404 not_found: there is no task '\x1b[2J'"),
        (["team", "add", "x", "--email", "y"], 1, "422 validation_failed: body.email: "),
        (["modules", "complete", "x"], 2, "Missing option '--output'"),
        (["modules", "complete", "x", "--output", "{"], 2, "Invalid value for '--output': it is "),
        (["modules", "complete", "x", "--output", "NaN"], 2, "Invalid value for '--output': it is"),
        (
            ["modules", "complete", "x", "--output", "@none"],
            2,
            "Invalid value for '--output': none ",
        ),
        (
            ["modules", "complete", "x", "--output", "@."],
            2,
            "Invalid value for '--output': . can't",
        ),
        (["tier", ""], 1, "422 validation_failed: body.tier: "),
        (["odd"], 2, "No such command 'odd'. Try: quatrain velocity --help"),
        (["show", "--url", "http://127.0.0.1:9"], 2, "--database is a platform of its own"),
        (["show", "--api-key", "vt_test_x"], 2, "--database is a platform of its own"),
    ],
)
def test_mistakes(run, args, code, message):
    """What can't be is one line: exit status 2 for a wrong command line, 1 for the rest."""
    result = run(*args)

    assert (code, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(f"Error: {message}")


def test_a_key_without_a_platform(cli):
    """A key is for a platform that is served: which one has to be said."""
    result = cli("velocity", "show", "--api-key", "vt_test_x", QUATRAIN_URL="")

    assert (2, 1) == (result.exit_code, result.stderr.count("\n"))
    assert result.stderr.startswith("Error: which platform? --api-key goes with --url")


@pytest.mark.parametrize(
    "args",
    [
        *(["show"], ["installs"], ["revoke", "ins_1"], ["tier", "x"], ["tasks", "list"]),
        *(["tasks", "add", "x", "--module", "y"], ["team", "list"], ["modules", "list"]),
    ],
    ids=" ".join,
)
def test_a_database_that_there_is_not(cli, database, args):
    """Who looks at nothing is told so, and no database is made."""
    result = cli("velocity", *args)

    assert (1, "Error: there is no database quatrain.db\n") == (result.exit_code, result.stderr)
    assert not (database.parent / "quatrain.db").exists()


def test_database_from_the_environment(cli, database):
    """QUATRAIN_DATABASE says which file; without it, it is quatrain.db."""
    cli("velocity", "install", "x", QUATRAIN_DATABASE=str(database))
    cli("velocity", "install", "x")

    assert [True, True] == [path.exists() for path in (database, database.parent / "quatrain.db")]


# -- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def platform(database):
    with EmbeddedPlatform(database) as platform:
        yield platform


@pytest.fixture
def env(cli, database, platform):
    """Where a served platform is, with a key to manage it."""
    scope = ["--scope", "platform:manage"]
    key = cli("keys", "create", *scope, "--tenant", "acme", "--database", database).stdout.strip()
    return {"QUATRAIN_URL": platform.url, "QUATRAIN_API_KEY": key}


def test_over_http(cli, env, database):
    """The environment says which platform, or the command line does; the key says whose data."""
    options = ["--url", f"{env['QUATRAIN_URL']}/", "--api-key", env["QUATRAIN_API_KEY"]]
    results = [
        cli("velocity", "team", "add", "Ann", **env),
        cli("velocity", "team", "list", "--json", *options),
        cli(
            "velocity", "team", "list", "--json", "--database", database, "--tenant", "acme", **env
        ),
    ]

    assert [0, 0, 0] == [result.exit_code for result in results]
    assert [["Ann"], ["Ann"]] == [
        [each["name"] for each in json.loads(result.stdout)] for result in results[1:]
    ]


@pytest.mark.parametrize(
    ("change", "args", "code", "message"),
    [
        ({"QUATRAIN_API_KEY": "vt_test_wrong"}, [], 1, "401 unauthenticated: "),
        ({"QUATRAIN_API_KEY": "with\nnewline"}, [], 1, "api_key is empty, too long, or holds "),
        ({"QUATRAIN_API_KEY": None}, [], 2, "which key? Set QUATRAIN_API_KEY, or give --api-key"),
        ({"QUATRAIN_URL": "ftp://localhost"}, [], 1, "base_url has to begin with https://"),
        ({"QUATRAIN_URL": "http://example.com"}, [], 1, "base_url would send the key "),
        ({"QUATRAIN_URL": "http://127.0.0.1:9"}, [], 1, "no answer from http://127.0.0.1:9/"),
        ({}, ["--tenant", "x"], 2, "--tenant goes with --database; elsewhere the key decides"),
    ],
)
def test_platforms_that_can_not_be_asked(cli, env, change, args, code, message):
    """A wrong key, address or server is one line, without the key in it."""
    env = {**env, **change}
    result = cli("velocity", "show", *args, **env)

    assert (code, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(f"Error: {message}")
    assert (env["QUATRAIN_API_KEY"] or "?!") not in result.stderr


def test_a_key_without_the_scope(cli, env, database):
    """A key that was made for effects does not manage."""
    key = cli("keys", "create", "--database", database).stdout.strip()
    result = cli("velocity", "show", **{**env, "QUATRAIN_API_KEY": key})

    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert "Error: 403 forbidden: this key lacks the scope platform:manage" in result.stderr
