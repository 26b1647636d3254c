"""A task is added, a webhook tells of it, and a receiver that fails at first handles it once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import attrs
import httpx

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.velocity import VelocityOS, delivery

from ..output import waiting
from .receiver import Receiver
from .story import Teller, check

__all__ = ["WebhookStory"]

ACTION: Final = "Call the ten newest leads"
MODULE: Final = "L12"


@attrs.frozen
class WebhookStory:
    """One run of it; every step is checked, with the backlog and with what the receiver got."""

    platform: EmbeddedPlatform
    velocity: VelocityOS
    receiver: Receiver
    teller: Teller = attrs.field(factory=Teller)
    got: list[Mapping[str, Any]] = attrs.field(factory=list)
    """The payloads that the extension has handled."""

    def tell(self) -> None:
        """Run all of it. Raises ClickException for the first step that did not come out."""
        self.teller.say("\nAdding a task, with an extension that wants to hear of it.\n")
        with self.teller.step("The extension is installed, and its receiver registered"):
            self._register()
        with self.teller.step("A task is added, and the webhook comes, but the receiver fails"):
            self._add_a_task()
        with self.teller.step("The webhook comes again, signed anew, and is handled"):
            delivery_id = self._wait_for_it_again()
        with self.teller.step("A third copy is answered and not handled; a forged one is refused"):
            self._send_copies(delivery_id)
        self.teller.say(
            f"\n[bold green]Heard once.[/] One task, one failure, one webhook handled: {ACTION}."
        )

    def _register(self) -> None:
        me = self.velocity.whoami()
        check("it may read tasks:", "read:tasks" in me.extension.granted_scopes, expected=True)
        handler = self.receiver.listen(
            self.platform.add_webhook(self.receiver.url, events=["tasks.created"])
        )
        failures = iter([ConnectionError("the extension's own database is away")])

        @handler.on("tasks.created")
        def remember(payload: Mapping[str, Any]) -> None:
            for failure in failures:
                raise failure
            self.got.append(payload)

    def _add_a_task(self) -> None:
        log = logging.getLogger("quatrain.webhooks")
        log.disabled = True  # that it fails, and how, is the story's to tell
        try:
            self.velocity.tasks.create(ACTION, MODULE, category="people", timeframe="this_week")
            _, status = self.receiver.next_answer()
        finally:
            log.disabled = False
        check("it was answered", status, 500)
        check("so far it has handled", len(self.got), 0)
        backlog = [task.action for task in self.velocity.tasks.list().open]
        check("the backlog has it:", ACTION in backlog, expected=True)

    def _wait_for_it_again(self) -> str:
        with waiting("Waiting for the platform's next try"):
            answer, status = self.receiver.next_answer()
        check("it was answered", status, 200)
        check("it has handled", [payload["action"] for payload in self.got], [ACTION])
        delivery_id: str = answer["delivery_id"]
        return delivery_id

    def _send_copies(self, delivery_id: str) -> None:
        payload = dict(self.got[0])
        for secret, expected in ((self.platform.webhook_secret, 200), ("whsec_guessed", 401)):
            headers, body = delivery(secret, "tasks.created", payload, delivery_id=delivery_id)
            answer = httpx.post(self.receiver.url, headers=headers, content=body, trust_env=False)
            check("it was answered", answer.status_code, expected)
        check("it has handled", len(self.got), 1)
