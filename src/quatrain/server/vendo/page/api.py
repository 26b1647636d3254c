"""The connect page over HTTP: begin a visit, show the page, take the decision, send back.

An app sends a person to ``/connections/connect/{slug}?app_key=…&return_to=…&state=…``. The answer
is a redirect to the visit's own address, which holds nothing worth stealing: so the app's key
leaves the address bar, the history and any Referer at once. Who has the visit's cookie decides, and
once; the decision, the connection and its event are one transaction. Then the browser goes back to
``return_to`` with ``state``, ``slug`` and ``status``, which is ``connected`` or ``denied``.

The connection is everybody's of the app's tenant: the contract's address names no user.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from typing import Any, Final

import attrs

from quatrain._catalogue import CATALOGUE, Known
from quatrain._secret import Secret
from quatrain.errors import InputError
from quatrain.server import webforms, webpages
from quatrain.server.asgi import REQUEST_ID, ClientGoneError, Receive, Scope, Send
from quatrain.server.endpoint import read_body
from quatrain.server.problems import ProblemError, accepted, internal_error
from quatrain.server.randomness import token
from quatrain.server.routes import Routes
from quatrain.server.store import Connection, StoreUnavailableError
from quatrain.server.vendo import connections, return_to
from quatrain.server.vendo.call import Services
from quatrain.server.vendo.connections import Wanted
from quatrain.server.vendo.records import (
    AppUnknownError,
    Caller,
    UnavailableError,
    VendoRefusedError,
)
from quatrain.server.vendo.sealing import Ring
from quatrain.server.webpages import Answer, Headers, PageError

from . import answers, consent, forms, visits
from .forms import Ticket
from .visits import Outcome, Visit, VisitOverError, VisitRefusedError

_log: Final = logging.getLogger("quatrain.server")


@attrs.frozen
class _Request:
    """One request, and the names in its path."""

    scope: Scope
    receive: Receive
    path: dict[str, str]

    @property
    def root(self) -> str:
        """Where the page's addresses begin."""
        root: str = self.scope["root_path"]
        return root

    @property
    def known(self) -> Known:
        """The integration that the path names."""
        slug = self.path["slug"]
        try:
            return CATALOGUE[slug]
        except KeyError:
            raise PageError(
                404,
                "There is no such integration",
                f"This platform knows none by the name “{slug[:50]}”.",
            ) from None


@attrs.frozen
class _Shown:
    """A visit on which a request is, and what the browser keeps of it."""

    request: _Request
    known: Known
    ticket: Ticket
    visit: Visit
    back: return_to.ReturnTo

    def back_with(self, outcome: Outcome) -> str:
        return self.back.with_answer(state=self.ticket.state, slug=self.known.slug, status=outcome)


class ConnectPage:
    """The ASGI app that is mounted at ``/connections``.

    *allowed* are the origins, as ``return_to.origin_of`` writes them, that people may be sent back
    to besides this machine's.
    """

    def __init__(self, services: Services, *, allowed: frozenset[str] = frozenset()) -> None:
        self._services = services
        self._store = services.store
        self._allowed = allowed
        self._routes = Routes(
            {
                "GET /connect/{slug}": self.begin,
                "GET /connect/{slug}/{visit}": self.show,
                "POST /connect/{slug}/{visit}": self.decide,
                "GET /assets/{name}": self.asset,
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, always with a page."""
        if not answers.PAGES.is_loaded:  # most platforms never show one
            await asyncio.to_thread(answers.PAGES.load)
        try:
            operation, path = self._routes.find(scope)
            answer = await operation(_Request(scope, receive, path))
        except ClientGoneError:
            raise
        except Exception as exc:  # noqa: BLE001 - it is answered, and logged where nobody expected it
            answer = self._refusal(scope, exc)
        await webpages.send(send, answer)

    # -- what there is to do ----------------------------------------------------------------------

    async def begin(self, request: _Request) -> Answer:
        """Check what the app sent the person with, and take it out of the address."""
        try:
            sent = webforms.fields(request.scope["query_string"])
        except InputError as exc:
            raise _bad_link(str(exc)) from None
        caller = await self._admit(sent.get("app_key", ""))
        known = request.known
        try:
            state = forms.checked_state(sent.get("state", ""))
            back = return_to.checked(sent.get("return_to", ""), self._allowed)
        except InputError as exc:
            raise _bad_link(f"{exc}.") from None
        kept = {ticket.digest: ticket for ticket in forms.tickets(request.scope)}
        fresh = Ticket(Secret(token()), state)
        params = {
            "app_id": caller.app_id,
            "user_id": caller.user_id,
            "slug": known.slug,
            "state": visits.state_digest(state),
            "return_to": back.url,
            "digest": fresh.digest,
            "known": frozenset(kept),
        }
        digest: bytes = accepted(await self._store.write(visits.begin, params))
        address = f"{request.root}/connect/{known.slug}"
        headers = [] if digest in kept else [_cookie(request, fresh, address)]
        return answers.redirect(f"{address}/{forms.name_of(digest)}", headers=tuple(headers))

    async def show(self, request: _Request) -> Answer:
        """The page of a visit."""
        return self._page(await self._on_visit(request))

    async def decide(self, request: _Request) -> Answer:
        """Take the decision, or say what is wrong with what was typed."""
        shown = await self._on_visit(request)
        sent = await self._form(shown)
        decision = sent.get("decision")
        if decision not in {"connect", "deny"}:
            raise PageError(400, "That did not work", "The form says neither yes nor no.")
        key = None
        if decision == "connect" and not shown.known.oauth and shown.visit.outcome is None:
            try:
                key = forms.checked_key(sent.get("key", ""))
            except InputError as exc:
                return self._page(shown, status=422, error=str(exc))
        outcome: Outcome = "connected" if decision == "connect" else "denied"
        # a denial needs no secret key, and works without
        ring = await self._services.safe.ring() if outcome == "connected" else None
        decided = (shown.ticket.digest, outcome, key, ring)
        visit = accepted(await self._store.write(_decide, decided))
        self._services.wake()
        assert visit.outcome is not None  # noqa: S101  it was decided
        return answers.redirect(shown.back_with(visit.outcome))

    async def asset(self, request: _Request) -> Answer:
        """The style sheet."""
        answer = answers.PAGES.asset(request.path["name"])
        if answer is None:
            raise PageError(404, "Nothing here", "There is nothing at this address.")
        return answer

    # -- how it is done ---------------------------------------------------------------------------

    async def _admit(self, app_key: str) -> Caller:
        if not app_key:
            raise PageError(
                401,
                "Open this page from an app",
                "This address needs the key of the app that asks for the connection, where to go"
                " back to, and a state: an app makes it with connect_url().",
            )
        try:
            caller = await self._services.keys.authenticate(app_key.encode())
            if caller.connection_id is not None:
                raise AppUnknownError("this is the key of a connection, not of an app")
        except VendoRefusedError as refusal:
            raise PageError(
                refusal.status,
                "This app is not known here",
                f"The link was refused: {refusal}. Tell whoever runs the app.",
            ) from None
        return caller

    async def _on_visit(self, request: _Request) -> _Shown:
        """The visit that the path names, when this browser is on it."""
        known = request.known
        for ticket in forms.tickets(request.scope):
            if ticket.name != request.path["visit"]:
                continue
            visit = await self._store.read(visits.find, ticket.digest)
            if visit is None or visit.slug != known.slug:
                break
            if not hmac.compare_digest(visits.state_digest(ticket.state), visit.state):
                break
            try:
                # looked at again: the list may have changed
                back = return_to.checked(visit.return_to, self._allowed)
            except InputError:
                break
            return _Shown(request, known, ticket, visit, back)
        raise VisitOverError

    async def _form(self, shown: _Shown) -> dict[str, str]:
        """The form, when it surely is one of this visit's page."""
        scope = shown.request.scope
        elsewhere = PageError(
            403,
            "That did not come from this page",
            "Nothing was changed. Go back to the app and start again.",
        )
        if not webforms.from_own_page(scope) or not webforms.is_form(scope):
            raise elsewhere
        try:
            sent = webforms.fields(await read_body(shown.request.receive))
        except InputError as exc:
            raise PageError(400, "That did not work", str(exc)) from None
        presented = sent.get("form_token", "").encode()
        if not hmac.compare_digest(presented, shown.ticket.form_token.encode()):
            raise elsewhere
        return sent

    def _page(self, shown: _Shown, *, status: int = 200, error: str | None = None) -> Answer:
        """What a visit looks like."""
        request, known, visit = shown.request, shown.known, shown.visit
        values: dict[str, Any] = {
            "assets": f"{request.root}/assets",
            "app": visit.app_name,
            "name": known.name,
            "slug": known.slug,
        }
        if visit.outcome is not None:
            back = shown.back_with(visit.outcome)
            return answers.page(status, "decided.html", outcome=visit.outcome, back=back, **values)
        values |= {
            "action": f"{request.root}/connect/{known.slug}/{shown.ticket.name}",
            "form_token": shown.ticket.form_token,
            "origin": shown.back.origin,
            "connected": visit.connected,
        }
        leads_to = answers.form_action(shown.back, self._allowed)
        if known.oauth:
            values["scopes"] = consent.asked_for(known.slug)
            return answers.page(status, "consent.html", form_action=leads_to, **values)
        values |= {"error": error, "variable": known.env_vars[0]}
        return answers.page(status, "key.html", form_action=leads_to, **values)

    def _refusal(self, scope: Scope, exc: Exception) -> Answer:
        """The page of what can't be done."""
        headers: Headers = ()
        match exc:
            case PageError():
                status, title, message = exc.status, exc.title, exc.message
            case VisitRefusedError():
                status, title, message = exc.status, exc.title, str(exc)
            case ProblemError():
                title = "Nothing here" if exc.status == 404 else "That did not work"
                status, message = exc.status, f"{exc.message}."
                headers = tuple(exc.headers.items())
            case StoreUnavailableError() | UnavailableError():
                # the page does not say why, which is nobody's business but the platform's
                _log.warning("%s: %s", scope[REQUEST_ID], exc)
                status, title = 503, "Not now"
                message = "The platform can’t store anything at the moment. Try again."
                headers = (("retry-after", "1"),)
            case _:
                _log.error("%s failed", scope[REQUEST_ID], exc_info=exc)
                status, title = 500, "That did not work"
                message = f"{internal_error().message}."
        return answers.page(
            status,
            "refused.html",
            headers=headers,
            assets=f"{scope['root_path']}/assets",
            title=title,
            message=message[:1].upper() + message[1:],
            request_id=scope[REQUEST_ID],
        )


def _decide(
    connection: Connection,
    now: int,
    decision: tuple[bytes, Outcome, Secret | None, Ring | None],
) -> Visit | VisitOverError:
    """An operation of the store: what was decided, now or before."""
    digest, outcome, key, ring = decision
    decided = visits.decide(connection, now, digest, outcome)
    if isinstance(decided, VisitOverError):
        return decided
    visit, first = decided
    if first and ring is not None:
        connections.connect(
            connection,
            now,
            Wanted(
                tenant=visit.tenant,
                app_id=visit.app_id,
                user_id=visit.user_id,
                slug=visit.slug,
                ring=ring,
                key=key,
            ),
        )
    return visit


def _bad_link(message: str) -> PageError:
    return PageError(
        400, "This link is broken", f"{message[:1].upper()}{message[1:]} Tell whoever runs the app."
    )


def _cookie(request: _Request, ticket: Ticket, path: str) -> tuple[str, str]:
    name, value = ticket.cookie
    # Lax, not Strict: the person comes from the app's site, and a Strict cookie would be withheld
    # from the very redirect that sets it. What is posted needs the form's token besides.
    cookie = (
        f"{name}={value}; Path={path}; Max-Age={visits.LASTS_MS // 1_000}; HttpOnly; SameSite=Lax"
    )
    return "set-cookie", f"{cookie}; Secure" if request.scope["scheme"] == "https" else cookie
