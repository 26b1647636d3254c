"""HTTP as uvicorn speaks it, less one leak."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class Protocol(HttpToolsProtocol):
    """Tells every request of a connection when that is lost.

    A client may send a request behind one that is being answered. uvicorn then tells only the last
    one that the client has gone: a stream of events before it would be sent into nothing for ever,
    and keep its place.
    """

    _ahead: tuple[RequestResponseCycle, ...] = ()
    """Requests before the last one that came, whose answers are not complete."""

    def on_headers_complete(self) -> None:
        """Another request has come."""
        before = self.cycle
        super().on_headers_complete()
        if before is not None and before is not self.cycle:
            self._ahead = tuple(
                cycle for cycle in (*self._ahead, before) if not cycle.response_complete
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        for cycle in self._ahead:
            if not cycle.response_complete:
                cycle.disconnected = True
            cycle.message_event.set()
        self._ahead = ()
