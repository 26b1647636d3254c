"""An integration is connected, an app hears of it and uses its token, whatever comes in between."""

from __future__ import annotations

import attrs

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.vendo import NotConnected, Vendo

from .service import Listener, Service
from .story import Teller, WentWrongError, check

__all__ = ["IntegrationStory"]


@attrs.frozen
class IntegrationStory:
    """One run of it; every step is checked, with what the service got and the app heard."""

    platform: EmbeddedPlatform
    vendo: Vendo
    service: Service
    teller: Teller = attrs.field(factory=Teller)

    def tell(self) -> None:
        """Run all of it. Raises ClickException for the first step that did not come out."""
        self.teller.say("\nConnecting Slack, for an app that wants to post there.\n")
        with Listener(self.vendo) as listener:
            with self.teller.step("Slack is connected, and the app hears of it"):
                first = self._connect(listener)
            with self.teller.step("The app's token opens it; refused, it is renewed and works"):
                self._post(first)
            with self.teller.step("The platform restarts, and what happens is heard once"):
                second = self._restart(listener)
            with self.teller.step("Disconnected, it is out of the app's reach"):
                self._disconnect(listener, first, second)
        self.teller.say("\n[bold green]In step.[/] Four changes, one restart, four events heard.")

    def _connect(self, listener: Listener) -> str:
        connection_id = self.platform.connect("slack")
        heard(listener, "connection.connected", connection_id)
        return connection_id

    def _post(self, connection_id: str) -> None:
        with self.vendo.session("slack") as slack:
            slack.post(self.service.url, json={})
            self.service.revoked.add(self.vendo.token("slack"))
            self.platform.expire_token(connection_id)
            slack.post(self.service.url, json={})
        check("the service answered", self.service.answers, [200, 401, 200])

    def _restart(self, listener: Listener) -> str:
        self.platform.stop()
        self.platform.start()
        connection_id = self.platform.connect("openai", key="sk-of-the-demo")
        heard(listener, "connection.connected", connection_id)
        return connection_id

    def _disconnect(self, listener: Listener, *connections: str) -> None:
        for connection_id in connections:
            self.platform.disconnect(connection_id)
            heard(listener, "connection.disconnected", connection_id)
        self.vendo.invalidate("slack")
        try:
            self.vendo.token("slack")
        except NotConnected:
            return
        raise WentWrongError("there is still a token")


def heard(listener: Listener, kind: str, connection_id: str) -> None:
    """The next event has to be this one."""
    message = listener.next()
    found = message.type, message.data["connection_id"]
    check("the app heard", found, (kind, connection_id))
