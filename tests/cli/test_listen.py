"""``quatrain webhooks listen``: what arrives is verified, printed and handed on."""

import json
import signal
import socket

import httpx
import pytest

from quatrain.cli.receiver import MAX_BODY, make_app
from quatrain.webhooks import WebhookHandler, delivery, sign, verify_signature
from tests.mixed._server import Server

from ._support import LONG, Listening

SECRET = "whsec_of-the-tests-0123456789"
PAYLOAD = {"action": "Call", "module_source": "F1"}


def post(url, headers, body):
    return httpx.post(url, headers=headers, content=body, timeout=LONG)


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def listen(cli, database):
    """Start a process that listens: ``listen("--json")``; cli is for its directory."""
    started = []

    def start(*options, secret=SECRET):
        env = {} if secret is None else {"VOS_WEBHOOK_SECRET": secret}
        started.append(Listening("--database", database, *options, **env))
        return started[-1]

    yield start
    for listening in started:
        listening.kill()


def test_prints_what_comes(listen):
    """A line about each delivery and its payload; a wrong signature is answered with 401."""
    listening = listen()
    headers, body = delivery(SECRET, "tasks.created", PAYLOAD, delivery_id="dlv_1")
    answers = [post(listening.url, headers, body), post(listening.url, headers, b"{}")]
    status, said, errors = listening.stop(signal.SIGINT)
    first, *payload, last = said.splitlines()

    assert [200, 401] == [answer.status_code for answer in answers]
    assert [
        {"ok": True, "event_type": "tasks.created", "delivery_id": "dlv_1"},
        {"ok": False, "error": "invalid signature"},
    ] == [answer.json() for answer in answers]
    assert first.endswith("Z  tasks.created  dlv_1  verified, answered 200")
    assert PAYLOAD == json.loads("".join(payload))
    assert "Z  tasks.created  dlv_1  refused: " in last
    assert last.endswith(", answered 401")
    assert (0, "Stopped.\n") == (status, errors)


def test_prints_json(listen):
    """A line a delivery, for other programs, as it comes."""
    listening = listen("--json")
    headers, body = delivery(SECRET, "tasks.created", PAYLOAD, delivery_id="dlv_1")
    post(listening.url, headers, body)
    good = json.loads(listening.line())
    post(listening.url, {}, body)
    bad = json.loads(listening.line())

    assert (True, "tasks.created", "dlv_1", PAYLOAD, None, 200) == (
        *(good["verified"], good["event"], good["delivery_id"], good["payload"], good["refused"]),
        good["status"],
    )
    assert (False, None, None, None, 401) == (
        *(bad["verified"], bad["event"], bad["delivery_id"], bad["payload"], bad["status"]),
    )


def test_hostile_text_is_shown_and_not_obeyed(listen):
    """Of headers and payloads, signed or not, nothing reaches the terminal as it is."""
    text = "a\x1b[2J\u202e\x9b [red]d[/]"
    for options in ([], ["--json"]):
        listening = listen(*options)
        headers, body = delivery(SECRET, "tasks.created", {text: text}, delivery_id="dlv_1")
        names = {"X-VOS-Event-Type": b"b\x9b[2J", "X-VOS-Delivery-ID": b"c\x85"}
        post(listening.url, {**headers, **names}, body)
        post(listening.url, names, body)
        _, said, _ = listening.stop(signal.SIGINT)

        assert set() == {char for char in said if not " " <= char <= "~"} - {"\n"}
        assert 2 == said.count("[2J") - said.count("u001b[2J")


def test_a_long_payload_is_cut(listen):
    """And it is said; JSON has all of it."""
    text = "x" * 5_000
    said = []
    for options in ([], ["--json"]):
        listening = listen(*options)
        post(listening.url, *delivery(SECRET, "tasks.created", {"a": text}))
        said.append(listening.stop(signal.SIGINT)[1])

    assert [False, True] == [text in each for each in said]
    assert "5,013 characters in all; --json has them" in said[0]


def test_forwards_byte_for_byte(listen):
    """Headers and body go on as they came, and the other's answer comes back."""

    def teapot(exchange):
        exchange.answer(b"\x00short", status=418, headers=("content-type: x/y", "x-mine: 1"))

    with Server(teapot) as server:
        target = server.url.replace("/v1", "/hooks?a=%20b")
        listening = listen("--forward-to", target, "--json")
        headers, body = delivery(SECRET, "tasks.created", {"é": "\n"}, delivery_id="dlv_1")
        sent = {**headers, "x-other": "kept", "connection": "close, x-hop", "x-hop": "dropped"}
        answer = post(listening.url, sent, body)
        refused = post(listening.url, {**headers, "X-VOS-Signature": "t=1,v1=0"}, body)
        said = json.loads(listening.line())
        listening.stop(signal.SIGINT)
    (got,) = server.exchanges

    assert (418, b"\x00short", "x/y", "1") == (
        *(answer.status_code, answer.content, answer.headers["content-type"]),
        answer.headers["x-mine"],
    )
    assert ("POST", "/hooks?a=%20b", body) == (got.method, got.target, got.body)
    assert {name.lower(): value for name, value in headers.items()}.items() <= got.headers.items()
    assert "kept" == got.headers["x-other"]
    assert "x-hop" not in got.headers
    assert f"127.0.0.1:{server.port}" == got.headers["host"]
    assert (418, 401) == (said["status"], refused.status_code)


def test_register(serving, listen, cli, database):
    """It adds itself for as long as it runs; a change of another process arrives, verified."""
    listening = listen("--register", "--json", secret=None)
    endpoints = [json.loads(cli("webhooks", "list", "--json", "--database", database).stdout)]
    cli("velocity", "tasks", "add", "Call", "--module", "F1", "--database", database)
    said = json.loads(listening.line())
    status, _, errors = listening.stop(signal.SIGINT)
    endpoints.append(json.loads(cli("webhooks", "list", "--json", "--database", database).stdout))
    (before,), (after,) = endpoints

    assert (True, "tasks.created", "Call") == (
        said["verified"],
        said["event"],
        said["payload"]["action"],
    )
    assert listening.url == before["url"]
    assert [True, False] == [each["removed_at"] is None for each in (before, after)]
    assert (0, "Stopped.\n") == (status, errors)


def test_several_secrets(listen):
    """While one replaces another: any verifies, and the first is the one that will sign."""
    new, old = "whsec_new-0123456789", "whsec_old-0123456789"
    listening = listen("--register", "--json", secret=f"{new}, {old}")
    answers = [
        post(listening.url, *delivery(secret, "tasks.created", PAYLOAD)).status_code
        for secret in (new, old, f"{new}, {old}")
    ]

    assert [200, 200, 401] == answers


def test_the_first_of_several_secrets_signs(serving, listen, cli, database):
    """As the client reads them, so that both sides of --forward-to agree."""
    listening = listen("--register", "--json", secret="whsec_new-0123456789,short")
    cli("webhooks", "trigger", "team.added", "--database", database)

    assert json.loads(listening.line())["verified"]


def test_register_says_what_it_gets(listen, cli, database):
    """Whose events."""
    cli("velocity", "install", "crm", "--database", database)
    listening = listen("--register", "--extension", "crm", secret=None)

    assert listening.announced.endswith("/webhooks. Ctrl-C stops it. It gets every event of crm.\n")


def test_who_verifies_behind_it_is_told_the_secret(serving, listen, cli, database):
    """The one that was made up, and only where deliveries are handed on: else nobody needs it."""
    with Server(lambda exchange: exchange.answer({})) as server:
        options = ["--register", "--json", "--forward-to", server.url]
        said = []
        for secret in (None, SECRET):
            listening = listen(*options, secret=secret)
            cli("webhooks", "trigger", "team.added", "--database", database)
            listening.line()
            listening.process.send_signal(signal.SIGINT)
            said.append(listening.process.stderr.readline())
    got = server.exchanges[0]
    told = said[0].strip().removeprefix("The secret, this once: export VOS_WEBHOOK_SECRET=")

    assert verify_signature(told, got.headers["x-vos-signature"], got.body)
    assert "Stopped.\n" == said[1]


def test_a_terminated_listener_removes_itself(listen, cli, database):
    """SIGTERM as well as Ctrl-C."""
    listening = listen("--register", secret=None)
    status, _, _ = listening.stop(signal.SIGTERM)
    (endpoint,) = json.loads(cli("webhooks", "list", "--json", "--database", database).stdout)

    assert (128 + signal.SIGTERM, True) == (status, endpoint["removed_at"] is not None)


def test_register_with_a_secret(listen, cli, database):
    """The secret that is given is the one that will sign."""
    listening = listen("--register", "--extension", "local", "--json")
    post(listening.url, *delivery(SECRET, "tasks.created", PAYLOAD))

    assert json.loads(listening.line())["verified"]


def test_what_can_not_be_removed_is_said(listen, database):
    """The endpoint's name is told to whoever has to remove it then."""
    listening = listen("--register", secret=None)
    database.rename(database.with_suffix(".gone"))
    status, _, errors = listening.stop(signal.SIGINT)

    assert 0 == status
    assert errors.startswith(
        f"Not removed: there is no database {database}. Try: quatrain webhooks"
    )
    assert "remove whe_1\n" in errors


def test_nobody_reads_it_any_more(listen):
    """It ends, rather than take what it can't show."""
    listening = listen()
    listening.process.stdout.close()
    listening.process.stdout = None
    post(listening.url, *delivery(SECRET, "tasks.created", PAYLOAD))
    _, errors = listening.process.communicate(timeout=LONG)

    assert (1, "") == (listening.process.returncode, errors)


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 2, "which secret? Set VOS_WEBHOOK_SECRET, or give --register"),
        (["--secret", ""], 2, "which secret? Set VOS_WEBHOOK_SECRET, or give --register"),
        (["--secret", "x", "--extension", "x"], 2, "--extension goes with --register"),
        (["--secret", "x", "--port", "70000"], 2, "Invalid value for '--port': "),
        (["--secret", "x", "--forward-to", "ftp://x"], 2, "Invalid value for '--forward-to': a "),
        (["--secret", "x", "--forward-to", "odd"], 2, "Invalid value for '--forward-to': a webh"),
        (["--port", 0, "--register", "--secret", "short"], 1, "422 validation_failed: body.secret"),
        (["--port", 0, "--register", "--extension", "x"], 1, "422 validation_failed: body.extens"),
        (["--port", 0, "--register", "--url", "http://127.0.0.1:9"], 2, "which key? Set QUATRAIN_"),
    ],
)
def test_mistakes(cli, args, code, message):
    """What can't be is one line, and nothing listens."""
    result = cli("webhooks", "listen", *args)

    assert (code, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(f"Error: {message}")


def test_a_port_in_use(cli):
    """A port that somebody else has is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = cli("webhooks", "listen", "--port", port, "--secret", "x")

    assert (
        f"Error: 127.0.0.1:{port} can't be listened on: Address already in use\n" == result.stderr
    )


# -- what it takes --------------------------------------------------------------------------------


@pytest.fixture
def anyio_backend():
    """Uvicorn runs on asyncio alone."""
    return "asyncio"


@pytest.fixture
async def receive():
    """Send something to a receiver: its answer, and what it showed."""

    async def run(headers, body, *, forward_to=None, method="POST", path="/"):
        shown = []
        handler = WebhookHandler(SECRET)
        app = make_app(handler, shown.append, forward_to=forward_to, now_ms=lambda: 0)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client,
        ):
            answer = await client.request(method, path, headers=headers, content=body)
        return answer, shown

    return run


async def test_any_path(receive):
    """Whatever the platform was told."""
    answer, (shown,) = await receive(*delivery(SECRET, "x", PAYLOAD), path="/a//b?c")

    assert (200, "1970-01-01T00:00:00.000Z", "x") == (answer.status_code, shown.at, shown.event)


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
async def test_other_methods(receive, method):
    """Are none of a webhook's."""
    answer, shown = await receive({}, b"", method=method)

    assert (405, "POST", []) == (answer.status_code, answer.headers["allow"], shown)


async def test_a_body_that_is_no_json(receive):
    """Signed, and still nothing that can be shown."""
    headers, _ = delivery(SECRET, "x", PAYLOAD)
    headers["X-VOS-Signature"] = sign(SECRET, b"{")
    answer, (shown,) = await receive(headers, b"{")

    assert (400, {"ok": False, "error": "invalid json body"}) == (
        answer.status_code,
        answer.json(),
    )
    assert (None, 400) == (shown.payload, shown.status)
    assert shown.refused is not None


async def test_a_body_that_is_too_large(receive):
    """Is not read to its end, and not shown."""
    answer, shown = await receive({}, b"x" * (MAX_BODY + 1))

    assert (413, []) == (answer.status_code, shown)


async def test_nobody_to_hand_on_to(receive):
    """502, and it is said why."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    answer, (shown,) = await receive(*delivery(SECRET, "x", PAYLOAD), forward_to=url)

    assert (502, 502, PAYLOAD) == (answer.status_code, shown.status, shown.payload)
    assert shown.problem.startswith(f"{url} gave no answer: ")
    assert {"ok": False, "error": shown.problem} == answer.json()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda exchange: exchange.drop(), "gave no answer: "),
        (lambda exchange: exchange.raw(b"what?\r\n\r\n"), "gave no answer: "),
        (lambda exchange: exchange.answer(b"x" * (MAX_BODY + 1)), "answered with more than 1,048,"),
    ],
    ids=["hangs up", "no HTTP", "too much"],
)
async def test_answers_that_can_not_be_handed_back(receive, answer, reason):
    """502, and it is said why."""
    with Server(answer) as server:
        result, (shown,) = await receive(*delivery(SECRET, "x", PAYLOAD), forward_to=server.url)

    assert 502 == result.status_code
    assert shown.problem.startswith(f"{server.url} {reason}")


async def test_no_answer_in_time(receive, monkeypatch):
    """A receiver that never answers is given up, with 502."""
    monkeypatch.setattr("quatrain.cli.receiver.TIMEOUT", 0.1)
    with Server(lambda exchange: None) as server:
        result, (shown,) = await receive(*delivery(SECRET, "x", PAYLOAD), forward_to=server.url)

    assert 502 == result.status_code
    assert shown.problem.startswith(f"{server.url} gave no answer")


@pytest.mark.parametrize("status", [204, 301, 304, 500])
async def test_answers_are_handed_back(receive, status):
    """Redirects are not followed; an answer without a body stays one."""
    with Server(
        lambda exchange: exchange.answer(status=status, headers=("location: /x",))
    ) as server:
        result, (shown,) = await receive(*delivery(SECRET, "x", PAYLOAD), forward_to=server.url)

    assert (status, b"", "/x", status) == (
        *(result.status_code, result.content, result.headers["location"]),
        shown.status,
    )
    assert 1 == len(server.exchanges)
    assert (status in {301, 500}) == ("content-length" in result.headers)
