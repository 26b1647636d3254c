"""The address to which an app sends a person."""

from __future__ import annotations

from urllib.parse import urlencode

from quatrain._secret import Secret

from .call import connect_page


def page_url(origin: str, slug: str, *, app_key: Secret, return_to: str, state: str) -> str:
    """Where a person connects an integration for the app with this key.

    It holds the key in plain text: open it, and show it to nobody. The page takes it out of the
    address bar at once. *origin* is the platform's; *return_to* must be on this machine, or at an
    origin that the platform's settings list; *state* is good for once, and comes back with the
    answer. The page says what is wrong with any of them. Source: contracts, Vendo.
    """
    query = {"app_key": app_key.reveal(), "return_to": return_to, "state": state}
    return f"{connect_page(origin, slug)}?{urlencode(query)}"
