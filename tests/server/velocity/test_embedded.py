"""Velocity OS on the platform in this process: keys that are lent, and the demo's data."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from quatrain import AsyncClient, Client
from quatrain.errors import ConfigError, InputError
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.lent import Lent
from quatrain.server.local import LocalPlatform
from quatrain.server.store import StoreUnavailableError
from quatrain.velocity import VelocityOS, WebhookHandler, WebhookSignatureError

PATH = "/api/v1/extensions/whoami"


def whoami(client: httpx.Client, url: str, key: str) -> Any:
    """The answer's data."""
    response = client.get(f"{url}{PATH}", headers={"authorization": f"Bearer {key}"})
    assert response.status_code == 200, response.text
    return response.json()["data"]


@pytest.mark.on_file
def test_the_local_platform_lends_a_key(database: Path) -> None:
    """Of all scopes, to the data of its tenant; a key that nobody can show."""
    with LocalPlatform(database) as platform, platform.http_client() as client:
        assert "http://localhost" == platform.velocity_url
        key = platform.velocity_key
        assert ("vos_ext_", False) == (key.reveal()[:8], key.reveal() in repr(key))
        found = whoami(client, platform.velocity_url, key.reveal())
        assert ("Maya Okafor", "local", "Local extension", 10) == (
            found["user"]["name"],
            found["extension"]["slug"],
            found["extension"]["name"],
            len(found["extension"]["granted_scopes"]),
        )
    for file in database.parent.iterdir():
        assert key.reveal().encode() not in file.read_bytes()


def test_another_tenant_has_data_of_its_own(database: Path) -> None:
    """None, at first."""
    with (
        LocalPlatform(database, tenant="acme") as platform,
        platform.http_client() as client,
    ):
        found = whoami(client, platform.velocity_url, platform.velocity_key.reveal())
        assert ("acme", "growth") == (found["user"]["name"], found["user"]["tier"])


def test_the_embedded_platforms_environment_leads_there(database: Path) -> None:
    """Also after a restart, with the same key; the process's others do not open it."""
    with httpx.Client() as client:
        platform = EmbeddedPlatform(database)
        for _ in range(2):
            with platform:
                env = platform.env
                assert (platform.url, platform.velocity_key.reveal()) == (
                    env["VOS_BASE_URL"],
                    env["VOS_EXT_KEY"],
                )
                found = whoami(client, env["VOS_BASE_URL"], env["VOS_EXT_KEY"])
                assert ("Maya Okafor", 1) == (found["user"]["name"], found["extension"]["id"])
                headers = {"authorization": f"Bearer {env['VERITY_API_KEY']}"}
                assert 401 == client.get(f"{platform.url}{PATH}", headers=headers).status_code


def test_a_platform_without_a_seed_is_empty(database: Path) -> None:
    """seed=None, for each way to run it."""
    with EmbeddedPlatform(database, seed=None) as platform, httpx.Client() as client:
        found = whoami(client, platform.url, platform.env["VOS_EXT_KEY"])
        assert ("local", "growth") == (found["user"]["name"], found["user"]["tier"])
    with LocalPlatform(database, seed=None) as local, local.http_client() as client:
        found = whoami(client, local.velocity_url, local.velocity_key.reveal())
        assert "local" == found["user"]["name"]


@pytest.mark.parametrize(
    ("url", "events"), [("ftp://127.0.0.1/", None), ("http://127.0.0.1/", ["task.created"])]
)
def test_a_webhook_that_can_not_be_added(database: Path, url: str, events: Any) -> None:
    """The mistake is the caller's."""
    with LocalPlatform(database) as platform, pytest.raises(InputError, match=r"^body\."):
        platform.add_webhook(url, events=events)


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.on_file
def test_no_webhook_is_added_when_nothing_can_be_written(database: Path, used: bool) -> None:
    """That is no mistake in what was given, whether or not the key was recognised before."""
    with LocalPlatform(database) as platform:
        if used:
            platform.add_webhook("http://127.0.0.1/")
        assert platform.keys
        database.unlink()
        with pytest.raises(StoreUnavailableError, match="was removed or replaced"):
            platform.add_webhook("http://127.0.0.1/")


@pytest.mark.parametrize("platform", [LocalPlatform, EmbeddedPlatform])
def test_there_is_one_seed(platform: Any, database: Path) -> None:
    """Told at once."""
    with pytest.raises(ConfigError, match="seed"):
        platform(database, seed="other")


# -- webhooks -------------------------------------------------------------------------------------


class Inbox(BaseHTTPRequestHandler):
    """Takes every request for the test to look at."""

    requests: ClassVar[queue.Queue[tuple[Any, bytes]]] = queue.Queue()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()
        self.requests.put((self.headers, body))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def inbox() -> Iterator[str]:
    """Where it is; what it gets is on ``Inbox.requests``."""
    Inbox.requests = queue.Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Inbox)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


def test_webhooks_are_signed_with_the_secret_of_the_environment(database: Path, inbox: str) -> None:
    """So whoever is started with it can verify them, and nobody else."""
    with EmbeddedPlatform(database) as platform:
        secret = platform.add_webhook(inbox, events=["team.added"])
        assert secret == platform.webhook_secret
        assert secret.reveal() == platform.env["VOS_WEBHOOK_SECRET"]
        assert secret.reveal() not in repr(platform) + repr(vars(platform))
        with VelocityOS(platform.velocity_key, base_url=platform.url) as vos:
            vos.tasks.create("Not asked for", "L12")
            vos.team.add("Ada")
        headers, body = Inbox.requests.get(timeout=30)
    event = WebhookHandler(secret).parse(headers, body)
    assert ("team.added", "Ada") == (event.event_type, event.payload["name"])
    with pytest.raises(WebhookSignatureError):
        WebhookHandler("whsec_another").parse(headers, body)


def test_a_url_is_one_endpoint_however_often_it_is_added(database: Path, inbox: str) -> None:
    """Each run has a secret of its own: with it goes what waited, and nothing comes twice."""
    lent = Lent.new()
    with LocalPlatform(database, background=False) as platform:
        platform.add_webhook(inbox)
        http_client = platform.http_client()
        with VelocityOS(
            platform.velocity_key, base_url=platform.velocity_url, http_client=http_client
        ) as vos:
            vos.team.add("Ada")
    with LocalPlatform(database, background=False, lent=lent) as platform:
        platform.add_webhook(inbox)
    with LocalPlatform(database, lent=lent) as platform:
        platform.portal.open()
        event = WebhookHandler(lent.webhook_secret).parse(*Inbox.requests.get(timeout=30))
        assert ("team.added", "Ada") == (event.event_type, event.payload["name"])
    assert Inbox.requests.empty()


@pytest.mark.parametrize(("tenant", "seed"), [("local", None), ("acme", "demo")])
def test_an_account_without_an_extension_gets_one(
    database: Path, inbox: str, tenant: str, seed: Any
) -> None:
    """That of the key that is lent."""
    with LocalPlatform(database, tenant=tenant, seed=seed) as platform:
        platform.add_webhook(inbox)
        http_client = platform.http_client()
        with VelocityOS(
            platform.velocity_key, base_url=platform.velocity_url, http_client=http_client
        ) as vos:
            vos.team.add("Ada")
        assert "team.added" == Inbox.requests.get(timeout=30)[0]["X-VOS-Event-Type"]


@pytest.mark.parametrize(
    ("url", "events", "reason"),
    [
        ("ftp://127.0.0.1/", None, "http"),
        ("http://user:pass@127.0.0.1/", None, "credentials"),
        ("http://127.0.0.1/", ["team.lost"], "team.added"),
        ("http://127.0.0.1/", [], "events"),
    ],
)
def test_what_can_not_be_an_endpoint_is_refused(
    database: Path, url: str, events: Any, reason: str
) -> None:
    """With the reason."""
    with EmbeddedPlatform(database) as platform, pytest.raises(InputError, match=reason):
        platform.add_webhook(url, events=events)


def test_the_environment_leads_the_commands_there_too(database: Path) -> None:
    """The platform's own API, which the key may use."""
    with EmbeddedPlatform(database) as platform:
        env = platform.env
        headers = {"authorization": f"Bearer {env['QUATRAIN_API_KEY']}"}
        url = f"{env['QUATRAIN_URL']}/manage/v1/velocity/account"
        assert "academy" == httpx.get(url, headers=headers).json()["tier"]


# -- the umbrella's own platform ------------------------------------------------------------------


def test_client_local_has_the_business_data(database: Path) -> None:
    """On one file with the ledger, for writes that are effects."""
    for _ in range(2):
        with Client.local(database) as q:
            assert "Maya Okafor" == q.velocity.whoami().user.name
            q.velocity.team.add("Ada", effect_key="member:ada")
            assert 1 == [member.name for member in q.velocity.team.list()].count("Ada")


async def test_async_client_local_has_the_business_data(database: Path) -> None:
    """The same, awaited."""
    for _ in range(2):
        async with AsyncClient.local(database) as q:
            await q.velocity.tasks.create("Once", "L12", effect_key="task:1")
            backlog = await q.velocity.tasks.list()
            assert 1 == [task.action for task in backlog.open].count("Once")
