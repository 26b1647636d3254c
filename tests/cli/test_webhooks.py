"""``quatrain webhooks``: where events go, what was sent, and sending it again."""

import json
import queue
import sqlite3

import pytest

from quatrain.webhooks import verify_signature
from tests.mixed._server import Server

from ._support import LONG

URL = "http://127.0.0.1:9/hooks"


@pytest.fixture
def run(cli, database):
    """Run ``quatrain webhooks … --database``."""

    def webhooks(*args, **env):
        return cli("webhooks", *args, "--database", database, **env)

    return webhooks


def listed(run, *what):
    """What a command lists, as JSON."""
    return json.loads(run(*what, "--json").stdout)


def give_up(database):
    """Have every waiting delivery fail for good, as after its last try."""
    with sqlite3.connect(database) as connection:
        connection.execute(
            "UPDATE webhook_deliveries SET status = 'FAILED', next_attempt_at = NULL,"
            " last_error = 'answered 500: no' WHERE status = 'PENDING'"
        )
    connection.close()


class Receiver:
    """Where events go: what came, one by one."""

    def __init__(self):
        self.came = queue.Queue()
        self.status = 200

    def __call__(self, exchange):
        exchange.answer({}, status=self.status)
        self.came.put(exchange)

    def next(self):
        return self.came.get(timeout=LONG)


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def server(receiver):
    with Server(receiver) as server:
        yield server


def test_a_change_arrives_signed(serving, run, cli, database, receiver, server):
    """Added while it is served, told of what another process changes, signed with the secret."""
    secret = run("add", server.url).stdout.strip()
    cli("velocity", "tasks", "add", "Call", "--module", "F1", "--database", database)
    got = receiver.next()
    signature = got.headers["x-vos-signature"]

    assert ("POST", "tasks.created") == (got.method, got.headers["x-vos-event-type"])
    assert {"action": "Call", "module_source": "F1", "category": None, "timeframe": None} == (
        got.json
    )
    assert verify_signature(secret, signature, got.body)
    assert not verify_signature("whsec_other", signature, got.body)


def test_over_http(serving, cli, database, receiver, server):
    """A served platform is managed over its own port, and sends at once."""
    scope = ["--scope", "platform:manage"]
    key = cli("keys", "create", *scope, "--database", database).stdout.strip()
    env = {"QUATRAIN_URL": serving.url, "QUATRAIN_API_KEY": key}
    added = cli("webhooks", "add", server.url, **env)
    sent = cli("webhooks", "trigger", "team.added", "--payload", '{"name": "Ann"}', **env)
    got = receiver.next()
    (delivery,) = json.loads(cli("webhooks", "deliveries", "--json", **env).stdout)
    again = cli("webhooks", "resend", delivery["delivery_id"], **env)

    assert [0, 0, 0] == [result.exit_code for result in (added, sent, again)]
    assert {"name": "Ann"} == got.json
    assert delivery["delivery_id"] == receiver.next().headers["x-vos-delivery-id"]


def test_add_prints_the_secret_alone(run):
    """Standard output is the secret, ready for $(…); the rest is for people."""
    results = [
        run("add", URL),
        run("add", URL, "--events", "team.added, tasks.created"),
        run("add", URL, "--event", "team.added", "--event", "tasks.created"),
        run("add", URL, "--secret", "s" * 16),
    ]

    assert [0] * 4 == [result.exit_code for result in results]
    assert ["whsec_", "whsec_", "whsec_", "ssssss"] == [result.stdout[:6] for result in results]
    assert [1] * 4 == [result.stdout.count("\n") for result in results]
    assert [
        f"whe_1: every event of local to {URL}. The secret can't be shown again.\n",
        f"whe_2: tasks.created, team.added of local to {URL}. The secret can't be shown again.\n",
    ] == [result.stderr for result in results[:2]]
    assert [["*"], ["tasks.created", "team.added"], ["tasks.created", "team.added"], ["*"]] == [
        endpoint["events"] for endpoint in listed(run, "list")
    ]


def test_add_for_an_extension(run, cli, database):
    """Whose events is said by its slug."""
    cli("velocity", "install", "ghl-sync", "--database", database)
    run("add", URL, "--extension", "ghl-sync")

    assert ["ghl-sync"] == [endpoint["extension_slug"] for endpoint in listed(run, "list")]


def test_list_and_remove(run):
    """A removed endpoint stays in the list, which shows no secret."""
    secret = run("add", URL).stdout.strip()
    result = run("remove", "whe_1")
    shown = run("list")

    assert (0, "", f"whe_1, {URL}, is removed.\n") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )
    assert listed(run, "list")[0]["removed_at"] is not None
    assert "every event" in shown.stdout
    assert secret not in shown.stdout


def test_trigger(run):
    """An event that did not happen goes to whoever wants it; it is said when that is nobody."""
    run("add", URL, "--events", "team.added")
    said = [run("trigger", event).stderr for event in ("team.added", "tasks.created")]
    run("add", URL)
    said.append(run("trigger", "team.added").stderr)

    assert [
        "team.added goes to 1 endpoint.\n",
        (
            "Nobody gets that event: `quatrain webhooks add URL` says where it should go, if the"
            " extension's scopes have read:tasks.\n"
        ),
        "team.added goes to 2 endpoints.\n",
    ] == said


def test_trigger_with_a_payload(run, tmp_path):
    """From the command line, or from a file."""
    run("add", URL)
    (tmp_path / "payload.json").write_text('{"from": "a file"}')
    for payload in ('{"from": "here"}', "@payload.json"):
        run("trigger", "team.added", "--payload", payload)

    assert [{"from": "a file"}, {"from": "here"}] == [
        delivery["payload"] for delivery in listed(run, "deliveries")
    ]


def test_deliveries(run, database):
    """A table, newest first, with the reason why the last attempt failed."""
    run("add", URL)
    run("trigger", "team.added")
    give_up(database)
    run("trigger", "tasks.created")
    result = run("deliveries")
    rows = [line.split("│")[1:-1] for line in result.stdout.splitlines() if "│" in line]
    cells = [[text.strip() for text in row] for row in rows]

    assert [
        ["tasks.created", "whe_1", "PENDING", "0"],
        ["team.added", "whe_1", "FAILED", "0"],
    ] == [row[1:5] for row in cells]
    assert ["-", "answered 500: no"] == [row[-1] for row in cells]


@pytest.mark.parametrize(
    ("options", "expected", "more"),
    [
        ([], [4, 3, 2, 1, 0], False),
        (["--status", "failed"], [1, 0], False),
        (["--status", "PENDING", "--event", "team.added"], [4, 2], False),
        (["--event", "tasks.created"], [3, 1], False),
        (["--limit", 2], [4, 3], True),
        (["--limit", 5], [4, 3, 2, 1, 0], False),
    ],
)
def test_filters(run, database, options, expected, more):
    """Each filter keeps what it names; what the limit leaves out is said."""
    run("add", URL)
    for number in range(5):
        event = "tasks.created" if number % 2 else "team.added"
        run("trigger", event, "--payload", json.dumps({"n": number}))
        if number == 1:
            give_up(database)
    result = run("deliveries", "--json", *options)

    assert expected == [each["payload"]["n"] for each in json.loads(result.stdout)]
    assert ("There are more than 2: raise --limit.\n" if more else "") == result.stderr


def test_many_deliveries(run, monkeypatch):
    """More than one page is shown as if it were one."""
    monkeypatch.setattr("quatrain.cli.webhooks.PAGE", 2)
    run("add", URL)
    for number in range(5):
        run("trigger", "team.added", "--payload", json.dumps({"n": number}))

    assert [4, 3, 2, 1, 0] == [each["payload"]["n"] for each in listed(run, "deliveries")]


def test_resend(run, database):
    """Those that are named, and all that have failed; what can't be is said, and stops nothing."""
    run("add", URL)
    for _ in range(3):
        run("trigger", "team.added")
        give_up(database)
    newest, middle, oldest = (each["delivery_id"] for each in listed(run, "deliveries"))
    named = run("resend", middle, "dlv_none", "a\x1b[2J", middle)
    after = [each["status"] for each in listed(run, "deliveries")]
    failed = run("resend", "--failed")

    assert (1, "") == (named.exit_code, named.stdout)
    assert (
        "1 delivery is sent again.\n"
        "Error: there is no delivery dlv_none; there is no delivery a\\x1b[2J\n"
    ) == named.stderr
    assert ["FAILED", "PENDING", "FAILED"] == after
    assert (0, "2 deliveries are sent again.\n") == (failed.exit_code, failed.stderr)
    assert ["PENDING"] * 3 == [each["status"] for each in listed(run, "deliveries")]
    assert [newest, middle, oldest] == [each["delivery_id"] for each in listed(run, "deliveries")]


def test_resending_to_what_was_removed(run):
    """Is refused, and it is said why."""
    run("add", URL)
    run("trigger", "team.added")
    run("remove", "whe_1")
    ((delivery,),) = [listed(run, "deliveries")]
    result = run("resend", delivery["delivery_id"])

    assert (1, f"{delivery['delivery_id']}: the delivery's endpoint was removed") == (
        result.exit_code,
        result.stderr.splitlines()[1].removeprefix("Error: "),
    )


def test_hostile_text_is_shown_and_not_obeyed(run, database):
    """What a receiver said, and where it is, is shown escaped."""
    run("add", "http://127.0.0.1:9/?[red]x")
    run("trigger", "team.added")
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE webhook_deliveries SET last_error = ?", ("a\x1b[2J\u202e[b]",))
    connection.close()
    results = [run("list"), run("deliveries")]

    assert r"a\x1b[2J\u202e[b]" in results[1].stdout
    assert "?[red]x" in results[0].stdout
    for result in results:
        assert set() == {char for char in result.output if not char.isprintable()} - {"\n"}


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["add"], 2, "Missing argument 'URL'. Try: quatrain webhooks add --help"),
        (["add", "ftp://x"], 1, "422 validation_failed: body.url: a webhook's URL begins with "),
        (["add", "http://me:pw@x"], 1, "422 validation_failed: body.url: a webhook's URL must not"),
        (["add", URL, "--events", "odd"], 2, "Invalid value for '--event' / '--events': there is "),
        (["add", URL, "--events", ""], 2, "Invalid value for '--event' / '--events': there is no "),
        (["add", URL, "--secret", "short"], 1, "422 validation_failed: body.secret: must have at "),
        (["add", URL, "--extension", "x"], 1, "422 validation_failed: body.extension: there is no"),
        (["remove", "whe_9"], 1, "404 endpoint_not_found: there is no such endpoint"),
        (["trigger", "odd"], 2, "Invalid value for 'EVENT': 'odd' is not one "),
        (["trigger", "team.added", "--payload", "[]"], 1, "422 validation_failed: body.payload: "),
        (["trigger", "team.added", "--payload", "{"], 2, "Invalid value for '--payload': it is no"),
        (["deliveries", "--status", "odd"], 2, "Invalid value for '--status': 'odd' is not one "),
        (["deliveries", "--limit", "0"], 2, "Invalid value for '--limit': "),
        (["resend"], 2, "which deliveries? Give their ids, or --failed"),
    ],
)
def test_mistakes(run, cli, database, args, code, message):
    """What can't be is one line: exit status 2 for a wrong command line, 1 for the rest."""
    cli("velocity", "seed", "--database", database)
    result = run(*args)

    assert (code, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(f"Error: {message}")
    assert "short" not in result.stderr
    assert "pw@" not in result.stderr


@pytest.mark.parametrize(
    "args",
    [["list"], ["remove", "whe_1"], ["deliveries"], ["resend", "x"], ["trigger", "team.added"]],
    ids=" ".join,
)
def test_a_database_that_there_is_not(cli, args):
    """Who looks at nothing is told so."""
    result = cli("webhooks", *args)

    assert (1, "Error: there is no database quatrain.db\n") == (result.exit_code, result.stderr)
