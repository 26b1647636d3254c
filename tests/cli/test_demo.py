"""``quatrain demo``: real workers, a real SIGKILL, real webhooks, and an honest verdict."""

import json
import sys
import types

import pytest

from quatrain.cli.demo import effects as refund_module
from quatrain.cli.demo import evidence as evidence_module
from quatrain.cli.demo import receiver as receiver_module
from quatrain.cli.demo import webhooks as webhooks_module
from quatrain.velocity import WebhookHandler


def test_demo(cli, database):
    """Every step comes out, and the ledger says so afterwards."""
    result = cli("demo", "--database", database)
    key = result.stderr.split()[5]
    shown = json.loads(cli("effects", "show", key, "--database", database, "--json").stdout)

    assert (0, 15) == (result.exit_code, result.stdout.count("ok  "))
    assert "Exactly once. Three attempts, one SIGKILL, one refund: re_1" in result.stdout
    assert "Heard once. One task, one failure, one webhook handled" in result.stdout
    assert "Found out. The evidence does not verify at link 0" in result.stdout
    assert "In step. Four changes, one restart, four events heard." in result.stdout
    assert ("COMMITTED", "observed", 2) == (
        shown["effect"]["status"],
        shown["effect"]["source"],
        shown["effect"]["fenceToken"],
    )


BLIND = """
from quatrain.cli.demo import worker as demo_worker
demo_worker.Provider.find = lambda provider, order: None
demo_worker.main()
"""

SPENDTHRIFT = """
from quatrain.cli.demo import worker as demo_worker
pay = demo_worker.Provider.refund
def pay_twice(provider, order, amount):
    pay(provider, order, amount)
    return pay(provider, order, amount)
demo_worker.Provider.refund = pay_twice
demo_worker.main()
"""


@pytest.mark.parametrize(
    ("worker", "step", "reason"),
    [
        ("", "", "a worker ended too early: it said nothing on standard error"),
        ("raise SystemExit('no ledger')", "", "a worker ended too early: no ledger"),
        ("print('hello')", "", "a worker said hello"),
        ("print('{}', flush=True); input()", "Worker 1 pays", "it said {}, and not {'did': "),
        (SPENDTHRIFT, "Worker 1 pays", "refunds in the provider's books: 2, and not 1"),
        (BLIND, "Worker 2 waits", "it did ['observed', 'acted', 'returned'], and not ["),
    ],
    ids=["silent", "failing", "odd", "lying", "spendthrift", "blind"],
)
def test_a_step_that_does_not_come_out(cli, monkeypatch, worker, step, reason):
    """The demo says which step failed, and ends with status 1 and no verdict."""
    monkeypatch.setattr(refund_module, "WORKER", (sys.executable, "-c", worker))
    result = cli("demo")

    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert f"The demo failed at: {step}" in result.stderr
    assert reason in result.stderr
    assert "Exactly once" not in result.stdout


class Deaf(WebhookHandler):
    """Believes nobody."""

    def handle(self, headers, raw_body):
        return {"ok": False, "error": "invalid signature"}, 401


class Gullible(WebhookHandler):
    """Believes everybody, every time."""

    def handle(self, headers, raw_body):
        for function in self._functions["tasks.created"]:
            try:
                function(json.loads(raw_body))
            except ConnectionError:
                return {"ok": False}, 500
        return {"ok": True, "delivery_id": headers["X-VOS-Delivery-ID"]}, 200


@pytest.mark.parametrize(
    ("handler", "step", "reason"),
    [
        (Deaf, "A task is added", "it was answered 401, and not 500"),
        (Gullible, "A third copy", "it was answered 200, and not 401"),
    ],
)
def test_a_webhook_that_does_not_come_out(cli, monkeypatch, handler, step, reason):
    """The demo says which step failed here, too."""
    monkeypatch.setattr(refund_module.RefundStory, "tell", lambda story: None)
    monkeypatch.setattr(receiver_module, "WebhookHandler", handler)
    result = cli("demo")

    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert f"The demo failed at: {step}" in result.stderr
    assert reason in result.stderr
    assert "Heard once" not in result.stdout


def test_a_webhook_that_does_not_come(cli, monkeypatch):
    """Is waited for no longer than is sensible."""
    monkeypatch.setattr(refund_module.RefundStory, "tell", lambda story: None)
    monkeypatch.setattr(receiver_module, "PATIENCE", 0.0)
    result = cli("demo")

    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert "no webhook came" in result.stderr


@pytest.mark.parametrize(
    ("believed", "reason"),
    [(0, "packs that verify: 0, and not 1"), (1, "it verified")],
)
def test_evidence_that_does_not_come_out(cli, monkeypatch, believed, reason):
    """The demo says which step failed here, too."""
    for story in (refund_module.RefundStory, webhooks_module.WebhookStory):
        monkeypatch.setattr(story, "tell", lambda story: None)
    report = types.SimpleNamespace(packs=believed)
    monkeypatch.setattr(evidence_module, "verify_evidence", lambda *_, **__: report)
    result = cli("demo")

    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert reason in result.stderr
    assert "Found out" not in result.stdout
