"""``quatrain velerian``: keys, ABPs, networks and runs, on a file and over HTTP."""

import asyncio
import json
import time
from textwrap import indent

import httpx
import pytest

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.store import SqliteStore
from quatrain.server.velerian.runs import Runs

from ._support import LONG

HOSTILE = "a\x9b2J\u202eb [red]d[/] :smile: \u2028'; DROP TABLE velerian_runs; --"
POLICY = """\
default: allow
rules:
  - name: weapons
    when: {field: prompt, op: contains, value: weapon}
    then: deny
    reason: weapons are not discussed
"""

#: Aliases of aliases: small to write down, and more than any memory holds.
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(60))
MERGED = "a0: &a0 {x: x}\n" + "".join(
    f"a{n + 1}: &a{n + 1} {{<<: [*a{n}, *a{n}]}}\n" for n in range(60)
)


@pytest.fixture
def run(cli, database):
    """Run ``quatrain velerian … --database``, on a seeded file."""
    cli("velocity", "seed", "--database", database)

    def velerian(*args, **env):
        return cli("velerian", *args, "--database", database, **env)

    return velerian


@pytest.fixture
def write(tmp_path):
    """Write a file into the directory that commands are run in; its name."""

    def into(text, name="file.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return into


@pytest.fixture
def queue(run, database):
    """Queue a run that nobody executes, and tell its id."""

    def ask(prompt, slug="research", **more):
        with SqliteStore(database) as store:
            return asyncio.run(Runs(store).start("local", slug, prompt_text=prompt, **more))

    return ask


def listed(run, *what):
    """What a command lists, as JSON."""
    return json.loads(run(*what, "--json").stdout)


def rows_of(result):
    """The cells of a table."""
    lines = [line for line in result.stdout.splitlines() if "│" in line]
    return [[text.strip() for text in line.split("│")[1:-1]] for line in lines]


# -- keys -----------------------------------------------------------------------------------------


def test_keys_create_prints_the_key_alone(run):
    """Standard output is the key, ready for $(…); the rest is for people."""
    result = run("keys", "create", "--scope", "read", "--name", "ci")

    assert (0, ["vk_live_"]) == (
        result.exit_code,
        [line[:8] for line in result.stdout.splitlines()],
    )
    assert "key_1: ci may: read. The key can't be shown again.\n" == result.stderr


def test_keys_create_options(run):
    """Whose it is, how much it may, and until when."""
    run("keys", "create", "--user", "ann", "--rate", "5", "--expires", "2999-01-01")
    (key,) = listed(run, "keys", "list")

    assert ("ann", 5, "2999-01-01T00:00:00.000Z") == (
        *(key["user_id"], key["rate_per_minute"], key["expires_at"]),
    )
    assert ["audit:read", "evidence:read", "runs:read", "runs:write"] == key["scopes"]


def test_keys_list_shows_no_secret(run):
    """A table of the keys, which holds none."""
    key = run("keys", "create").stdout.strip()
    result = run("keys", "list")

    assert [["key_1", "default", "local"]] == [row[:3] for row in rows_of(result)]
    assert key[len("vk_live_") + 4 :] not in result.output


def test_keys_revoke(run):
    """A revoked key stays in the list."""
    run("keys", "create")
    result = run("keys", "revoke", "key_1")

    assert (0, "", "key_1, default, is revoked.\n") == (
        *(result.exit_code, result.stdout, result.stderr),
    )
    assert listed(run, "keys", "list")[0]["revoked_at"] is not None


def test_keys_on_a_new_database(cli, database):
    """It is made: a key is the first thing that anybody needs."""
    assert 0 == cli("velerian", "keys", "create", "--database", database).exit_code
    assert database.exists()


# -- ABPs and networks ----------------------------------------------------------------------------


def test_abps_from_a_file_to_their_end(run, write):
    """Added as a draft, deployed, retired; the id is all that standard output gets."""
    added = run("abps", "add", write(f"name: Chat\npolicy:\n{indent(POLICY, '  ')}"))
    abp_id = added.stdout.strip()
    said = [added.stderr]
    said += [run("abps", step, abp_id).stderr for step in ("deploy", "retire")]

    assert [
        "Chat is added: draft.\n",
        f"{abp_id}, Chat, is deployed.\n",
        f"{abp_id}, Chat, is retired.\n",
    ] == said
    assert [abp_id, "Chat", "retired", "allow", "1"] == rows_of(run("abps", "list"))[-1][:5]


def test_an_abp_with_an_id_and_a_state(run, write):
    """As the seed has them."""
    file = write("abp_id: mine\nname: Mine\nstate: deployed\npolicy: {}\n")

    assert ("mine\n", "Mine is added: deployed.\n") == (
        (result := run("abps", "add", file)).stdout,
        result.stderr,
    )
    assert "deployed" == listed(run, "abps", "list")[-1]["state"]


def test_abps_as_a_table(run):
    """Those of the demo, with what decides when no rule does."""
    assert [
        ["loan-review", "Loan review", "deployed", "allow", "5"],
        ["contract-summary", "Contract summary", "draft", "require_human", "1"],
        ["claims-triage", "Claims triage, first edition", "retired", "deny", "0"],
    ] == [row[:5] for row in rows_of(run("abps", "list"))]


def test_networks(run, write):
    """With a policy from a file, or without."""
    said = [
        run("networks", "add", "chat", "--policy", write(POLICY), "--model", "m-1").stderr,
        run("networks", "add", "free", "--name", "Free for all").stderr,
    ]
    chat, free = listed(run, "networks", "list")[-2:]

    assert ["chat can be invoked.\n", "free can be invoked.\n"] == said
    assert ("m-1", "weapons", {}) == (
        *(chat["model_id"], chat["policy"]["rules"][0]["name"], free["policy"]),
    )
    assert [
        ["chat", "chat", "m-1", "allow", "1"],
        ["free", "Free for all", "echo", "allow", "0"],
    ] == [row[:5] for row in rows_of(run("networks", "list"))[-2:]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name: [", "while parsing a flow node"),
        ("- a\n", "it is no mapping"),
        ("", "it is no mapping"),
        ("name: x\n", "it has no policy"),
        ("name: x\npolicy: {}\npolcy: {}\n", "'polcy' is none of name, policy, abp_id, state"),
        ("name: x\npolicy: {a: 1, a: 2}\n", "'a' is given twice in one mapping"),
        ("name: x\npolicy: [{a: {b: 1, b: 2}}]\n", "'b' is given twice in one mapping"),
        ("name: x\npolicy: {default: 2026-01-01}\n", "it holds what JSON does not"),
        ("name: x\npolicy: {default: .nan}\n", "Out of range float values are not JSON"),
        ("name: x\npolicy: &a {b: *a}\n", "Circular reference detected"),
        ("name: x\npolicy: !!python/object/apply:os.abort []\n", "could not determine a constr"),
        ("name: " + "[" * 5_000, "it is nested too deeply"),
        (BOMB, "it comes to more than 100,000 values"),
        (MERGED, "it comes to more than 100,000 values"),
    ],
)
def test_files_that_can_not_be_used(run, write, text, reason):
    """One line says why; nothing is added, and nothing that a file says is run."""
    result = run("abps", "add", write(text))

    assert (1, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith("Error: file.yaml can't be used: ")
    assert reason in result.stderr
    assert 3 == len(listed(run, "abps", "list"))


def test_a_file_that_is_no_text(run, tmp_path):
    """Named, too."""
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")

    assert "Error: x.yaml can't be used: it is not UTF-8\n" == run("abps", "add", "x.yaml").stderr


# -- runs -----------------------------------------------------------------------------------------


def test_runs(run, queue):
    """Newest first; as many as are wanted."""
    ids = [queue(f"prompt {number}") for number in range(3)]
    everything, two = run("runs", "list"), run("runs", "list", "--limit", "2")

    assert [[run_id, "research", "queued"] for run_id in ids[::-1]] == [
        row[:3] for row in rows_of(everything)
    ]
    assert (2, "There are more than 2: raise --limit.\n") == (len(rows_of(two)), two.stderr)
    assert [] == listed(run, "runs", "list", "--status", "failed")
    assert 3 == len(listed(run, "runs", "list", "--status", "queued"))


def test_a_run_as_it_is(run, queue):
    """A card for people, JSON for programs."""
    run_id = queue("what is it?", metadata={"a": 1})
    shown = run("runs", "show", run_id).stdout

    for text in (run_id, "research", "echo", "queued", "what is it?", '"a": 1'):
        assert text in shown
    assert "what is it?" == listed(run, "runs", "show", run_id)["prompt_text"]


def test_commands_leave_runs_to_who_serves_the_file(run, queue):
    """A process that ends at once would only half do them."""
    run_id = queue("x")
    for _ in range(3):
        assert "queued" == listed(run, "runs", "show", run_id)["status"]


def test_hostile_text_is_shown_and_not_obeyed(run, queue):
    """Control characters are escaped; markup and emoji codes are plain text."""
    run_id = queue(HOSTILE)
    results = [run("runs", "list"), run("runs", "show", run_id), run("runs", "list", "--json")]

    for result in results:
        assert set() == {char for char in result.output if not char.isprintable()} - {"\n"}
    assert r"a\x9b2J\u202eb [red]d[/] :smile: \u2028'; DROP" in results[0].stdout
    assert HOSTILE == json.loads(results[2].stdout)[0]["prompt_text"]


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["keys", "create", "--scope", "odd"], 2, "Invalid value for '--scope': 'odd' is not one "),
        (["keys", "create", "--rate", "0"], 2, "Invalid value for '--rate': 0 is not in the range"),
        (["keys", "create", "--expires", "soon"], 1, "422 validation_failed: body.expires_at: "),
        (["keys", "revoke", "key_9"], 1, "404 not_found: there is no key 'key_9'"),
        (["abps", "add", "none.yaml"], 2, "Invalid value for 'FILE': File 'none.yaml' does not"),
        (["abps", "deploy", "none"], 1, "404 not_found: there is no ABP 'none'"),
        (["abps", "deploy", "claims-triage"], 1, "409 retired: the ABP 'claims-triage' is retired"),
        (["networks", "add", "Not A Slug"], 1, "422 validation_failed: a network's slug is 1 to"),
        (["networks", "add", "research"], 1, "409 exists: there is a network 'research' already"),
        (["runs", "show", "none"], 1, "404 not_found: there is no such run"),
        (["runs", "list", "--status", "odd"], 2, "Invalid value for '--status': 'odd' is not one"),
        (["odd"], 2, "No such command 'odd'. Try: quatrain velerian --help"),
    ],
)
def test_mistakes(run, args, code, message):
    """What can't be is one line: exit status 2 for a wrong command line, 1 for the rest."""
    result = run(*args)

    assert (code, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(f"Error: {message}")


@pytest.mark.parametrize(
    "args",
    [
        *(["keys", "list"], ["keys", "revoke", "key_1"], ["abps", "list"], ["abps", "deploy", "x"]),
        *(["networks", "list"], ["runs", "list"], ["runs", "show", "x"]),
    ],
    ids=" ".join,
)
def test_a_database_that_there_is_not(cli, database, args):
    """Who looks at nothing is told so, and no database is made."""
    result = cli("velerian", *args)

    assert (1, "Error: there is no database quatrain.db\n") == (result.exit_code, result.stderr)
    assert not (database.parent / "quatrain.db").exists()


# -- over HTTP ------------------------------------------------------------------------------------


def test_over_http(cli, database):
    """A key that is made so asks a network, whose run the served platform executes."""
    with EmbeddedPlatform(database, velerian_runner=lambda request: "served") as platform:
        env = {"QUATRAIN_URL": platform.url, "QUATRAIN_API_KEY": platform.api_key.reveal()}
        key = cli("velerian", "keys", "create", **env).stdout.strip()
        cli("velerian", "networks", "add", "mine", **env)
        answer = httpx.post(
            f"{platform.url}/api/agenticx/networks/mine/invoke",
            json={"prompt_text": "x"},
            headers={"authorization": f"Bearer {key}"},
        )
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            result = cli("velerian", "runs", "show", answer.json()["run_id"], "--json", **env)
            if (shown := json.loads(result.stdout))["finished_at"] is not None:
                break

    assert ("succeeded", "served") == (shown["status"], shown["output_text"])
