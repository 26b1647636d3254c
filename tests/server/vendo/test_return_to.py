"""Where the connect page sends browsers: to listed origins and this machine, and nowhere else."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quatrain.errors import ConfigError, InputError
from quatrain.server import Settings
from quatrain.server.vendo import return_to

from ._urls import LISTED, texts

ALLOWED = frozenset(map(return_to.origin_of, LISTED))


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://app.example", "https://app.example"),
        ("https://app.example/", "https://app.example"),
        ("https://app.example/back?a=1&b=%2F", "https://app.example"),
        ("https://app.example:443/back", "https://app.example"),
        ("HTTPS://App.Example/Back", "https://app.example"),
        ("https://app.example//elsewhere.example/@x", "https://app.example"),
        ("https://app.example?next=//elsewhere.example", "https://app.example"),
        ("http://plain.example:8080/", "http://plain.example:8080"),
        ("http://localhost/", "http://localhost"),
        ("http://localhost:3000/back", "http://localhost:3000"),
        ("https://localhost:3000/back", "https://localhost:3000"),
        ("http://127.0.0.1:45123/cb", "http://127.0.0.1:45123"),
        ("http://127.8.9.1/cb", "http://127.8.9.1"),
        ("http://[::1]:9000/cb", "http://[::1]:9000"),
        ("http://[0:0:0:0:0:0:0:1]/cb", "http://[::1]"),
    ],
)
def test_listed_origins_and_this_machine_are_returned_to(text: str, origin: str) -> None:
    """The text is kept as it was given."""
    checked = return_to.checked(text, ALLOWED)

    assert (text, origin) == (checked.url, checked.origin)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/back",
        "//app.example/back",
        "app.example/back",
        "https:app.example",
        "https:/app.example",
        "https:///app.example",
        "https://",
        "https://?x",
        "https://evil.example/",
        "https://app.example.evil.example/",
        "https://evil.example/https://app.example/",
        "https://sub.app.example/",
        "https://app.example:444/",
        "http://app.example/",  # the other scheme
        "http://plain.example/",
        "https://app.example.:443/",
        "https://app.example@evil.example/",
        "https://evil.example\\@app.example/",
        "https://app.example\\.evil.example/",
        "https:\\\\app.example/",
        "https://user@app.example/",
        "https://user:pass@app.example/",
        "https://app.example:@evil.example/",
        "https://app.example:443@evil.example/",
        "https://app.example/#",
        "https://app.example/#state",
        "https://evil.example#app.example",
        "https://evil.example?app.example",
        " https://app.example/",
        "https://app.example/ ",
        "https://app.example/\n",
        "https://app.example\t.evil.example/",
        "ht\ntps://app.example/",
        "https://app.example/\r\nSet-Cookie: a=b",
        "https://app.example/\0",
        "https://app.example/%zz",
        "https://app.example/\u3002",
        "https://app.example/\u017f",  # an s, for who ignores case
        "https://app\u3002example/",
        "https://\uff41pp.example/",
        'https://app.example/"><script>alert(1)</script>',
        "https://app.example:0/",
        "https://app.example:65979/",  # 443 when it is cut to 16 bits
        "https://app.example:00443000/",
        "https://app.example:/",
        "https://app..example/",
        "https://.app.example/",
        "https://app.example;evil.example/",
        "https://app.example,evil.example/",
        "https://%61pp.example/",
        "javascript:alert(1)",
        "javascript://app.example/%0aalert(1)",
        "data:text/html,hello",
        "file:///etc/passwd",
        "ftp://app.example/",
        "blob:https://app.example/1",
        "http://localhost.evil.example/",
        "http://localhost./",
        "http://evil.localhost.example/",
        "http://127.1/",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.01/",
        "http://0x7f.0.0.1/",
        "http://2130706433/",
        "http://0/",
        "http://128.0.0.1/",
        "http://10.0.0.1/",
        "http://[::]/",
        "http://[::2]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::1/",
        "http://[::1]evil.example/",
        "http://[::1%25lo]/",
        "http://::1/",
        "https://app.example/?state=1",
        "https://app.example/?a=1&st%61tus=connected",
        "https://app.example/?slug",
        "https://app.example/" + "a" * 2_048,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """Whatever a browser would make of it; with a reason in words."""
    with pytest.raises(InputError, match=r"return_to|does not send"):
        return_to.checked(text, ALLOWED)


@given(texts)
@example("https://app.example/?")
def test_what_is_taken_is_read_alike_by_another_parser(text: str) -> None:
    """No text leads elsewhere than to a listed origin or this machine."""
    try:
        checked = return_to.checked(text, ALLOWED)
    except InputError:
        return
    answer = checked.with_answer(state="s&=#", slug="openai", status="connected")

    parts = urlsplit(answer)
    assert answer.startswith(text)
    assert answer.isascii()
    assert answer.isprintable()
    assert parts.username is None
    assert "" == parts.fragment
    port = (
        f":{parts.port}"
        if parts.port not in {None, {"http": 80, "https": 443}[parts.scheme]}
        else ""
    )
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    assert (
        checked.origin.startswith("http://[") or checked.origin == f"{parts.scheme}://{host}{port}"
    )
    assert checked.origin in ALLOWED or host == "localhost" or host.startswith(("127.", "["))
    assert ("state", "s&=#") in parse_qsl(parts.query)


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("http://localhost", "http://localhost?state=a&slug=b&status=denied"),
        ("http://localhost/x?", "http://localhost/x?&state=a&slug=b&status=denied"),
        (
            "http://localhost/x?y=%2f&y=1",
            "http://localhost/x?y=%2f&y=1&state=a&slug=b&status=denied",
        ),
    ],
)
def test_an_answer_is_added_to_the_query_that_there_is(url: str, answer: str) -> None:
    """Which is kept to the letter."""
    checked = return_to.checked(url, ALLOWED)

    assert answer == checked.with_answer(state="a", slug="b", status="denied")


@given(st.text(alphabet=[chr(code) for code in range(0x21, 0x7F)], min_size=1, max_size=512))
def test_a_state_comes_back_as_it_was(state: str) -> None:
    """Whatever its characters mean in addresses."""
    checked = return_to.checked("https://app.example/back?a=b", ALLOWED)

    answer = urlsplit(checked.with_answer(state=state, slug="openai", status="connected"))

    expected = {"a": "b", "state": state, "slug": "openai", "status": "connected"}
    assert expected == dict(parse_qsl(answer.query, keep_blank_values=True, strict_parsing=True))


def test_settings_take_origins_in_any_way_of_writing_them() -> None:
    """They are compared in one."""
    settings = Settings(vendo_return_to=["HTTPS://App.example:443/", "http://[0::1]:80"])

    assert {"https://app.example", "http://[::1]"} == settings.vendo_return_to


@pytest.mark.parametrize(
    "value",
    [
        "https://app.example",
        ["app.example"],
        ["https://app.example/path"],
        ["https://app.example?"],
        ["https://*.example"],
        ["*"],
        ["null"],
        [""],
        [None],
        ["https://user@app.example"],
        ["https://app.example:0"],
        ["http://127.1"],
    ],
)
def test_settings_refuse_what_is_no_origin(value: object) -> None:
    """A pattern would be a hole, a path a promise that nobody keeps."""
    with pytest.raises(ConfigError, match="origin"):
        Settings(vendo_return_to=value)
