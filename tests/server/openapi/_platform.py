"""A platform behind a real socket that has something of everything, and the names of that."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx

from quatrain.server import Settings, create_app
from quatrain.server.keys import ALL_SCOPES
from quatrain.server.serve import Server, bind, url_of

from .._support import ServerClock

PATIENCE = 10.0
"""Seconds until a platform that should be up is taken for one that never is."""
NAMESPACE = "contract"


@attrs.frozen
class Platform:
    """A running one, with a key for each half of it."""

    origin: str
    http: httpx.Client
    keys: dict[str, str] = attrs.field(factory=dict, repr=False)
    """By the name of their security scheme."""
    names: dict[str, str] = attrs.field(factory=dict)
    """Of things that there are, by the names that paths have for them."""

    def authorization(self, operation: dict[str, Any]) -> dict[str, str]:
        """The header that lets a request for an operation in."""
        for scheme in operation.get("security", [])[:1]:
            (name,) = scheme
            return {"authorization": f"Bearer {self.keys[name]}"}
        return {}

    def send(self, scheme: str, method: str, path: str, **options: Any) -> Any:
        """What a request that must succeed answers."""
        headers = {"authorization": f"Bearer {self.keys[scheme]}"}
        answer = self.http.request(method, path, headers=headers, **options)
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def manage(self, path: str, **body: Any) -> Any:
        """POST to the management API."""
        return self.send("verity", "POST", f"/manage/v1{path}", json=body)

    def lease(self, effect_key: str) -> dict[str, Any]:
        """A lease: what the requests of its holder carry."""
        path = f"/v1/effects/{NAMESPACE}/lease"
        answer = self.send("verity", "POST", path, json={"effectKey": effect_key})
        return {name: answer[name] for name in ("effectKey", "fenceToken", "leaseToken")}


@contextlib.contextmanager
def running(database: Path) -> Iterator[Platform]:
    """With the demo's data and more, and a rate that nobody reaches.

    It does nothing by itself: webhooks and runs wait.
    """
    settings = Settings(database=database, background=False, velerian_rate_per_minute=10**6)
    app = create_app(settings, now_ms=ServerClock())
    app.state.store.open()
    listener = bind("127.0.0.1", 0)
    origin = url_of(listener)
    ready = threading.Event()
    server = Server(app, url=origin, on_ready=lambda _: ready.set())
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="contract-platform"
    )
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        _, secret = app.state.keys.create(tenant="local", scopes=ALL_SCOPES)
        with httpx.Client(base_url=origin) as http:
            platform = Platform(origin, http, {"verity": secret.reveal()})
            _fill(platform)
            yield platform
    finally:
        server.should_exit = True
        thread.join()


def _fill(platform: Platform) -> None:
    """Make keys, and one of each thing; a key that is named is none that is used."""
    manage, names = platform.manage, platform.names
    platform.keys["velocity"] = manage("/velocity/installs", slug="contract")["key"]
    scopes = ["admin", "read", "write"]
    platform.keys["velerian"] = manage("/velerian/keys", scopes=scopes)["key"]
    platform.keys["vendo"] = manage("/vendo/keys")["key"]
    names["install_id"] = manage("/velocity/installs", slug="spare")["install_id"]
    task = {"action": "Try it", "module_source": "L1"}
    names["task_id"] = manage("/velocity/tasks", **task)["task_id"]
    names["code"] = manage("/velocity/modules/L1", output={"said": "so"})["code"]
    hook = manage("/webhooks", url="https://hooks.example.com/", extension="contract")
    names["endpoint_id"] = hook["endpoint_id"]
    manage("/webhooks/trigger", event="team.added")
    waiting = platform.send("verity", "GET", "/manage/v1/webhooks/deliveries")
    names["delivery_id"] = waiting["items"][0]["delivery_id"]

    names["id"] = names["key_id"] = manage("/velerian/keys")["id"]
    names["abp_id"] = "loan-review"
    invoke = "/api/v2/abps/loan-review/invoke"
    held = platform.send("velerian", "POST", invoke, json={"payload": {"amount": 10**6}})
    names["invocation_id"], names["approval_id"] = held["invocation_id"], held["approval_id"]
    evidence = f"/api/v2/abps/loan-review/invocations/{held['invocation_id']}/evidence"
    names["export_id"] = platform.send("velerian", "GET", evidence)["export_id"]
    run = platform.send(
        "velerian",
        "POST",
        "/api/agenticx/networks/research/invoke",
        json={"prompt_text": "What is new?"},
    )
    names["run_id"] = run["run_id"]

    made = manage("/vendo/connections", slug="notion", key="made-up")
    names["connection_id"] = made["connection_id"]
    manage("/vendo/connections", slug="slack")
