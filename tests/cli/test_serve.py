"""``quatrain serve``: a real process, told to stop by real signals."""

import json
import os
import shlex
import signal
import socket
import subprocess

import httpx
import pytest

from quatrain.server.keys import KeyRing
from quatrain.server.store import SqliteStore
from quatrain.server.vendo.keys import AppKeys
from quatrain.verity import VerityClient

from ._support import LONG, QUATRAIN, Serving


def made_key(line):
    """The key that an announced line makes."""
    command = shlex.split(line.partition("$(")[2].rstrip(")\n"))
    return subprocess.run(
        [*QUATRAIN, *command[1:]], capture_output=True, text=True, timeout=LONG, check=True
    ).stdout.strip()


def test_what_it_says_is_what_to_do(serving, database):
    """The announced URL, and a key made the announced way, lead to the ledger."""
    key = made_key(serving.said[2])
    with VerityClient(base_url=serving.base_url, api_key=key, namespace="shop") as client:
        assert 1 == client.protect("k", act=lambda: 1)

    assert f"Serving {database} on {serving.url}\n" == serving.said[0]
    assert (
        f"{serving.url}/explorer shows the effects, to who has a key of theirs.\n"
        == serving.said[-2]
    )
    assert "Ctrl-C stops it.\n" == serving.said[-1]


def test_what_it_says_leads_to_velocity_os(serving):
    """So do the announced origin and extension key to Velocity OS."""
    origin = serving.said[3].strip().removeprefix("export VOS_BASE_URL=")
    headers = {"authorization": f"Bearer {made_key(serving.said[4])}"}
    answer = httpx.get(f"{origin}/api/v1/extensions/whoami", headers=headers)

    assert ("Maya Okafor", "local") == (
        answer.json()["data"]["user"]["name"],
        answer.json()["data"]["extension"]["slug"],
    )


def exported(line):
    """What an announced line exports, by name; keys are made the announced way."""
    texts = line.strip().removeprefix("export ").split(" ", 1)
    pairs = [text.partition("=")[::2] for text in texts]
    return {name: made_key(value) if "$(" in value else value for name, value in pairs}


def velerian(serving, method, path, **options):
    """Velerian's answer to who does what was announced."""
    env = exported(serving.said[5])
    headers = {"authorization": f"Bearer {env['VELERIAN_API_KEY']}"}
    return httpx.request(method, env["VELERIAN_BASE_URL"] + path, headers=headers, **options)


def test_what_it_says_leads_to_velerian(serving):
    """So do the last line's origin and key to Velerian."""
    answer = velerian(serving, "GET", "/api/v2/abps")

    assert "loan-review" == answer.json()["items"][0]["abp_id"]


def test_runner(database, tmp_path, monkeypatch):
    """What answers as the model is a function of a module in this directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serve_model.py").write_text("async def answer(request): return 'mine'\n")
    serving = Serving(database, "--runner", "serve_model:answer")
    path = "/api/v2/abps/loan-review/invoke"
    answer = velerian(serving, "POST", path, json={"payload": {"amount": 1}})
    serving.stop(signal.SIGINT)

    assert {"text": "mine"} == answer.json()["output"]


def test_actions(database, tmp_path, monkeypatch):
    """What Vendo's data proxy can do besides is in a module of this directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serve_acts.py").write_text("acts = {'x.y': lambda args, context: context.app}\n")
    with SqliteStore(database) as store:
        _, key = AppKeys(store).create("local", "shop")
    serving = Serving(database, "--actions", "serve_acts:acts")
    answer = httpx.post(
        f"{serving.url}/composio/v1/execute",
        json={"action_id": "x.y"},
        headers={"authorization": f"Bearer {key.reveal()}"},
    )
    serving.stop(signal.SIGINT)

    assert {"data": "shop"} == answer.json()


@pytest.mark.parametrize(
    ("options", "size"), [([], 3), (["--seed", "demo"], 3), (["--seed", "none"], 0)]
)
def test_seed(cli, database, options, size):
    """A new database gets a made-up business, unless nothing is wanted."""
    serving = Serving(database, *options)
    serving.stop(signal.SIGINT)
    team = json.loads(cli("velocity", "team", "list", "--database", database, "--json").stdout)

    assert size == len(team)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGINT, (0, "Stopped.\n", "")), (signal.SIGTERM, (-signal.SIGTERM, "", ""))],
)
def test_stops_when_told(serving, number, expected):
    """Ctrl-C is the way to end it, and no failure; SIGTERM ends it as it ends any program."""
    assert expected == serving.stop(number)


def test_serves_though_nobody_reads_what_it_says(database):
    """A closed standard output is no reason to stop, or to complain."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [*QUATRAIN, "serve", "--port", str(port), "--database", str(database)],
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(transport=transport) as client:
        answer = client.get(f"http://127.0.0.1:{port}/healthz")
    process.send_signal(signal.SIGINT)

    assert (200, (None, b""), 0) == (
        answer.status_code,
        process.communicate(timeout=LONG),
        process.returncode,
    )


def test_return_to(database):
    """Vendo's connect page sends people back to an origin that is given here, and to no other."""
    serving = Serving(database, "--return-to", "https://app.example")
    app_key = made_key(serving.said[7])
    answers = [
        httpx.get(
            f"{serving.url}/connections/connect/openai",
            params={"app_key": app_key, "state": "s", "return_to": f"{origin}/back"},
        ).status_code
        for origin in ("https://evil.example", "https://app.example")
    ]
    serving.stop(signal.SIGINT)

    assert [400, 303] == answers


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/back", "*"])
def test_what_is_no_origin(cli, database, origin):
    """It is refused before anything is served."""
    result = cli("serve", "--database", database, "--return-to", origin)

    assert 0 != result.exit_code
    assert "is not an origin such as https://app.example" in result.stderr
    assert not database.exists()


def test_what_was_answered_is_kept(serving, database):
    """Stopped and started again, it knows what it knew."""
    with SqliteStore(database) as store:
        _, secret = KeyRing(store).create()
    with VerityClient(base_url=serving.base_url, api_key=secret, namespace="shop") as client:
        client.protect("k", act=lambda: "first")
    serving.stop(signal.SIGINT)
    again = Serving(database)
    with VerityClient(base_url=again.base_url, api_key=secret, namespace="shop") as client:
        result = client.protect("k", act=lambda: "second")
    again.stop(signal.SIGINT)

    assert "first" == result


def test_what_fails_is_in_the_log(serving, database):
    """Whoever runs it reads on standard error what the answers only hint at."""
    database.unlink()
    answer = httpx.get(f"{serving.url}/healthz")
    _, _, errors = serving.stop(signal.SIGINT)

    assert 503 == answer.status_code
    assert "WARNING quatrain.server.store: 1 changes were not written: the database" in errors


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--host", "192.0.2.1"], "can be reached from other machines"),
        (["--host", "192.0.2.1", "--allow-remote", "--port", "0"], "192.0.2.1:0 can't be"),
        (["--host", "a b"], "host 'a b' is not an address to listen on"),
        (["--database", "none/x.db", "--port", "0"], "none/x.db can't be used"),
        (["--runner", "odd"], "runner 'odd' is not of the form module:function"),
        (["--runner", "no_such:x"], "runner 'no_such:x' can't be loaded: ModuleNotFoundError"),
        (["--actions", "odd"], "actions 'odd' is not of the form module:object"),
        (["--actions", "sys:path"], "are no mapping of ids to callables"),
    ],
)
def test_mistakes(cli, args, message):
    """What can't be served is one line."""
    result = cli("serve", *args)

    assert (1, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert message in result.stderr


def test_a_port_in_use(cli):
    """A port that somebody else has is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = cli("serve", "--port", port)

    assert (
        f"Error: 127.0.0.1:{port} can't be listened on: Address already in use\n" == result.stderr
    )
    assert 1 == result.exit_code


@pytest.mark.parametrize(
    ("options", "logged"),
    [
        ([], []),
        (["--log-requests"], ["GET /healthz 200"]),
        (["--log-format", "json"], ["GET /healthz 200"]),
        (["--log-format", "json", "--no-log-requests"], []),
    ],
)
def test_log(database, options, logged):
    """Requests are told in JSON, and in text where that is wanted."""
    serving = Serving(database, *options)
    httpx.get(f"{serving.url}/healthz?secret=1")
    _, _, errors = serving.stop(signal.SIGINT)
    lines = errors.splitlines()
    if "json" in options:
        lines = [json.loads(line)["message"] for line in lines]

    assert len(logged) == len(lines)
    assert all(start in line for start, line in zip(logged, lines, strict=True))
    assert "secret" not in errors


def test_metrics_for_everybody(database):
    """Without a key only if that is wanted."""
    statuses = []
    for options in ([], ["--metrics-public"]):
        serving = Serving(database, *options)
        statuses.append(httpx.get(f"{serving.url}/metrics").status_code)
        serving.stop(signal.SIGINT)

    assert [401, 200] == statuses
