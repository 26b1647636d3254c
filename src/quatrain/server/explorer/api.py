"""The Explorer over HTTP: who may come in, the way to a page, and what can't be done."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote_plus, urlencode

from quatrain._secret import Secret
from quatrain.server import webpages
from quatrain.server.asgi import (
    REQUEST_ID,
    ClientGoneError,
    Receive,
    Send,
    Streamed,
    header,
    send_streamed,
)
from quatrain.server.asgi import Scope as Request
from quatrain.server.keys import KeyRing
from quatrain.server.ledger import Ledger
from quatrain.server.problems import ProblemError, RefusedError, internal_error
from quatrain.server.routes import Routes
from quatrain.server.store import Store, StoreUnavailableError
from quatrain.server.webpages import Answer, Headers, PageError

from . import actions, answers, bulk, dashboard, effects, export, queries, workflows
from .call import Call, read_form
from .sessions import Session, Sessions, cookie

Handler = Callable[[Call], Awaitable[Answer | Streamed]]

_log: Final = logging.getLogger("quatrain.server")
_VISIBLE: Final = re.compile(r"[!-~]{0,4000}")


class SignInError(Exception):
    """Nobody is signed in."""


class Explorer:
    """The ASGI app that is mounted at ``/explorer``."""

    def __init__(self, store: Store, ledger: Ledger, keys: KeyRing) -> None:
        self._store = store
        self._ledger = ledger
        self._sessions = Sessions(store, keys)
        self._modes: dict[int, str] = {}
        self._open = Routes[Callable[[Request, Receive], Awaitable[Answer]]](
            {"GET /login": self.show_login, "POST /login": self.login}
        )
        self._routes = Routes[Handler](
            {
                "GET /": dashboard.show,
                "GET /effects": effects.show_list,
                "GET /newer": effects.show_newer,
                "GET /effects/{id}": effects.show,
                "POST /effects/{id}/{action}": actions.act,
                "GET /bulk": bulk.ask,
                "POST /bulk": bulk.act,
                "GET /workflows": workflows.show_list,
                "GET /workflow": workflows.show,
                "GET /export.jsonl": export.json_lines,
                "GET /export.csv": export.table,
                "POST /logout": self.logout,
            }
        )

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        """Answer one request, always with a page."""
        if not answers.PAGES.is_loaded:  # most platforms never show one
            await asyncio.to_thread(answers.PAGES.load)
        try:
            answer = await self._answer(scope, receive)
        except ClientGoneError:
            raise
        except Exception as exc:  # noqa: BLE001 - it is answered, and logged where nobody expected it
            answer = _refusal(scope, exc)
        if isinstance(answer, Streamed):
            await send_streamed(receive, send, answer)
        else:
            await webpages.send(send, answer)

    async def _answer(self, scope: Request, receive: Receive) -> Answer | Streamed:
        below = scope["path"].removeprefix(scope["root_path"])
        if below.startswith("/assets/"):
            found = answers.asset(below.removeprefix("/assets/"))
            if found is None or scope["method"] not in {"GET", "HEAD"}:
                raise PageError(404, "Nothing here", "There is nothing at this address.")
            return found
        if below == "/login":
            operation, _ = self._open.find(scope)
            return await operation(scope, receive)
        # who is not signed in learns nothing about what there is
        session = await self._sessions.of(scope)
        if session is None:
            raise SignInError
        handler, names = self._routes.find(scope)
        mode = await self._mode(session)
        return await handler(Call(self._store, self._ledger, session, mode, scope, receive, names))

    async def _mode(self, session: Session) -> str:
        realm_id = session.principal.realm_id
        if realm_id not in self._modes:
            self._modes[realm_id] = await self._store.read(queries.mode, realm_id)
        return self._modes[realm_id]

    # -- signing in and out -----------------------------------------------------------------------

    async def show_login(self, scope: Request, _receive: Receive) -> Answer:
        """The page that asks for a key."""
        then = _then(scope)
        if await self._sessions.of(scope) is not None:
            return answers.redirect(f"{scope['root_path']}/{then}")
        return _login_page(scope, then)

    async def login(self, scope: Request, receive: Receive) -> Answer:
        """Begin a session, or say what is wrong with the key."""
        sent = await read_form(scope, receive)
        then = _checked_then(sent.get("then", ""))
        key = Secret(sent.pop("key", "").strip())
        session = await self._sessions.begin(key)
        if session is None:
            text = "That is no key of this platform, or it was revoked."
            return _login_page(scope, then, status=401, error=text)
        if not session.token:
            text = "That key may not look at effects: it has neither the scope effects:read nor"
            return _login_page(scope, then, status=403, error=f"{text} platform:manage.")
        location = f"{scope['root_path']}/{then}"
        return answers.redirect(location, headers=(cookie(scope, session),))

    async def logout(self, call: Call) -> Answer:
        """End the session."""
        await call.form()
        await self._sessions.end(call.session)
        return answers.redirect(f"{call.root}/login", headers=(cookie(call.scope, None),))


def _login_page(
    scope: Request, then: str, *, status: int = 200, error: str | None = None
) -> Answer:
    # a Strict cookie does not come along with a link from elsewhere; one step on this site has it
    from_elsewhere = header(scope, b"sec-fetch-site") == b"cross-site"
    return answers.page(
        "login.html",
        scope["root_path"],
        status=status,
        then=then,
        error=error,
        from_elsewhere=from_elsewhere,
    )


def _then(scope: Request) -> str:
    """Where to go after signing in, below the Explorer's own address."""
    _, _, text = scope["query_string"].decode("latin-1").partition("then=")
    return _checked_then(unquote_plus(text))


def _checked_then(given: str) -> str:
    return given.lstrip("/") if _VISIBLE.fullmatch(given) else ""


def _to_login(scope: Request) -> Answer:
    if any(name == b"hx-request" for name, _ in scope["headers"]):
        # a script can't follow a redirect to a page of another kind: the browser is told to
        location = ("hx-redirect", f"{scope['root_path']}/login")
        return Answer(401, b"", (location, *answers.PRIVATE))
    raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    then = "/".join(raw.split("/")[1 + scope["root_path"].count("/") :])
    if scope["query_string"]:
        then += f"?{scope['query_string'].decode('latin-1')}"
    query = f"?{urlencode({'then': then})}" if then and scope["method"] == "GET" else ""
    return answers.redirect(f"{scope['root_path']}/login{query}")


def _refusal(scope: Request, exc: Exception) -> Answer:
    """The page of what can't be done."""
    headers: Headers = ()
    match exc:
        case SignInError():
            return _to_login(scope)
        case PageError():
            status, title, message = exc.status, exc.title, exc.message
        case RefusedError():
            status, title, message = 409, "That can’t be done now", f"{exc}."
        case ProblemError():
            title = "Nothing here" if exc.status == 404 else "That did not work"
            status, headers = exc.status, tuple(exc.headers.items())
            message = "There is nothing at this address." if status == 404 else f"{exc.message}."
        case StoreUnavailableError():
            _log.warning("%s: %s", scope[REQUEST_ID], exc)
            status, title, headers = 503, "Not now", (("retry-after", "1"),)
            message = f"The database can’t be used at the moment: {exc}. Try again."
        case _:
            _log.error("%s failed", scope[REQUEST_ID], exc_info=exc)
            status, title = 500, "That did not work"
            message = f"{internal_error().message}."
    return answers.page(
        "refused.html",
        scope["root_path"],
        status=status,
        headers=headers,
        title=title,
        message=message[:1].upper() + message[1:],
        request_id=scope[REQUEST_ID],
    )
