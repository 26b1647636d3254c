"""Texts that look like addresses to return to, for tests that must not be led astray."""

from __future__ import annotations

from hypothesis import strategies as st

LISTED = ("https://app.example", "http://plain.example:8080")

_PIECES = [
    *("https://", "http://", "HTTPS://", "https:", "//", "/", "\\", "\\\\", "javascript:", "data:"),
    *("app.example", "APP.example", "plain.example", "evil.example", "localhost", "127.0.0.1"),
    *("127.1", "0x7f.1", "[::1]", "[::1", "]", "::1", "[::ffff:7f00:1]", ".", "..", "\u3002", "@"),
    *(":", ":443", ":8080", ":80", ":0", ":65979", "?", "#", "&", "=", "%", "%2f", "%40", "%00"),
    *("%5c", ";", ",", " ", "\t", "\n", "\r", "\0", "\u2028", "\u00ad", "\uff41", "\u00df", "user"),
    *("state=1", "a=b", "path", "*", "^", "|", "<", ">", '"', "'"),
]

_near = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["https://", "http://", "https:/", "//", ""]),
    st.sampled_from(["", "", "user@", "\\", "app.example@", "evil.example\\"]),
    st.sampled_from(["app.example", "plain.example:8080", "localhost:3000", "127.0.0.1", "[::1]"]),
    st.sampled_from(
        ["", "", ":443", ".", "@evil.example", "\\@evil.example", ".evil.example", ":"]
    ),
    st.lists(st.sampled_from(_PIECES), max_size=4).map("".join).map(lambda rest: f"/{rest}"),
)

texts = _near | st.lists(st.sampled_from(_PIECES), max_size=8).map("".join) | st.text()
"""A third of them almost right."""
