"""A request to the Explorer that has been let in, and what its pages work with."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import attrs

from quatrain.errors import InputError
from quatrain.server import webforms
from quatrain.server.asgi import Receive
from quatrain.server.asgi import Scope as Request
from quatrain.server.endpoint import read_body
from quatrain.server.ledger import EffectId, Ledger
from quatrain.server.store import Store
from quatrain.server.webpages import Answer, PageError

from . import answers
from .sessions import Session


@attrs.frozen
class Call:
    """A request of somebody who is signed in."""

    store: Store
    ledger: Ledger
    session: Session
    mode: str
    """Whether the data is live or test."""
    scope: Request
    receive: Receive
    names: Mapping[str, str]
    """Those in the path."""

    @property
    def realm_id(self) -> int:
        """Whose effects."""
        return self.session.principal.realm_id

    @property
    def root(self) -> str:
        """Where the Explorer's addresses begin."""
        root: str = self.scope["root_path"]
        return root

    @property
    def partial(self) -> bool:
        """Whether a script asks, for a part of the page that it is on."""
        return any(name == b"hx-request" for name, _ in self.scope["headers"])

    def effect(self, namespace: str, effect_key: str) -> EffectId:
        """An effect of the realm."""
        return EffectId(self.realm_id, namespace, effect_key)

    def query(self) -> dict[str, str]:
        """The address's query. Raises PageError."""
        try:
            return webforms.fields(self.scope["query_string"])
        except InputError as exc:
            raise PageError(400, "That is no address of ours", str(exc)) from None

    async def form(self) -> dict[str, str]:
        """What was posted, when it surely comes from a page of this session. Raises PageError."""
        sent = await read_form(self.scope, self.receive)
        presented = sent.pop("form_token", "").encode()
        if not hmac.compare_digest(presented, self.session.form_token.encode()):
            raise elsewhere()
        return sent

    def page(self, template: str, *, status: int = 200, **values: Any) -> Answer:
        """A web page for who is signed in."""
        return answers.page(
            template,
            self.root,
            status=status,
            who=self.session.principal,
            mode=self.mode,
            may_act=self.session.may_act,
            form_token=self.session.form_token,
            **values,
        )

    def require_actor(self) -> None:
        """Raises PageError for a session that may only look."""
        if not self.session.may_act:
            raise PageError(
                403,
                "This session may only look",
                "To change effects, sign in with a key that has the scope effects:reset or"
                " platform:manage. Nothing was changed.",
            )


async def read_form(scope: Request, receive: Receive) -> dict[str, str]:
    """A form that no page from elsewhere has posted. Raises PageError."""
    if not webforms.from_own_page(scope) or not webforms.is_form(scope):
        raise elsewhere()
    try:
        return webforms.fields(await read_body(receive))
    except InputError as exc:
        raise PageError(400, "That did not work", str(exc)) from None


def elsewhere() -> PageError:
    """403: a form that is not of a page of this session."""
    return PageError(
        403,
        "That did not come from this page",
        "Nothing was changed. Go back, load the page again, and repeat it.",
    )
