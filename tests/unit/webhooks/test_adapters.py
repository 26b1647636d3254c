"""One contract for every way from a web framework to a handler, in the real frameworks."""

from __future__ import annotations

import io
import json
import secrets
import subprocess
import sys
import types
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests._require import import_for

import quatrain
from quatrain.errors import ConfigError
from quatrain.webhooks import (
    WebhookHandler,
    asgi_app,
    async_django_view,
    delivery,
    django_view,
    flask_view,
    starlette_endpoint,
    starlette_route,
)

starlette = import_for("interop", "starlette.applications", "starlette")
fastapi = import_for("interop", "fastapi", "fastapi")
flask = import_for("interop", "flask", "flask")
django = import_for("interop", "django", "django")

SECRET = "whsec_of_a_test"
PAYLOAD = {"action": "Rufe Jürgen an", "module_source": "M1"}
LIMIT = 1_000

Send = Callable[..., Any]


class InThread(httpx.AsyncBaseTransport):
    """A WSGI app, called as the ASGI ones are."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._transport = httpx.WSGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        plain = httpx.Request(request.method, request.url, headers=request.headers, content=content)
        response = self._transport.handle_request(plain)
        return httpx.Response(
            response.status_code, headers=response.headers, content=response.read()
        )


# -- the frameworks -------------------------------------------------------------------------------


def alone(handler: WebhookHandler) -> Any:
    return httpx.ASGITransport(asgi_app(handler))


def mounted_in_starlette(handler: WebhookHandler) -> Any:
    app = starlette.Starlette()
    app.mount("/webhooks", asgi_app(handler))
    return httpx.ASGITransport(app)


def routed_by_starlette(handler: WebhookHandler) -> Any:
    route = starlette_route(handler, "/webhooks", name="hooks")
    assert ("hooks", "/webhooks") == (route.name, route.path)
    return httpx.ASGITransport(starlette.Starlette(routes=[route]))


def endpoint_of_starlette(handler: WebhookHandler) -> Any:
    app = starlette.Starlette()
    app.add_route("/webhooks", starlette_endpoint(handler), methods=METHODS)
    return httpx.ASGITransport(app)


def routed_by_fastapi(handler: WebhookHandler) -> Any:
    app = fastapi.FastAPI()
    app.router.routes.append(starlette_route(handler))
    return httpx.ASGITransport(app)


def api_route_of_fastapi(handler: WebhookHandler) -> Any:
    app = fastapi.FastAPI()
    app.add_api_route("/webhooks", starlette_endpoint(handler), methods=METHODS)
    return httpx.ASGITransport(app)


def in_flask(handler: WebhookHandler) -> Any:
    app = flask.Flask("test")
    app.add_url_rule("/webhooks", view_func=flask_view(handler))
    return InThread(app)


def in_flask_that_has_read_it(handler: WebhookHandler) -> Any:
    """Another part of the program was there first."""
    app = flask.Flask("test")

    @app.before_request
    def read() -> None:
        flask.request.get_data()

    app.add_url_rule("/webhooks/<name>", view_func=flask_view(handler))
    app.add_url_rule("/webhooks", view_func=flask_view(handler), endpoint="other")
    return InThread(app)


def django_settings(view: Any) -> None:
    from django.conf import settings
    from django.urls import clear_url_caches, path

    if not settings.configured:
        settings.configure(
            SECRET_KEY=secrets.token_hex(32),
            ALLOWED_HOSTS=["test"],
            MIDDLEWARE=[
                "django.middleware.common.CommonMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware",
            ],
        )
        django.setup()
    urls = types.ModuleType("urls")
    urls.urlpatterns = [path("webhooks", view)]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urls
    clear_url_caches()


def in_django(handler: WebhookHandler) -> Any:
    django_settings(django_view(handler))
    from django.core.handlers.wsgi import WSGIHandler

    return InThread(WSGIHandler())


def in_django_under_asgi(handler: WebhookHandler) -> Any:
    django_settings(django_view(handler))
    from django.core.handlers.asgi import ASGIHandler

    return httpx.ASGITransport(ASGIHandler())


def in_async_django(handler: WebhookHandler) -> Any:
    django_settings(async_django_view(handler))
    from django.core.handlers.asgi import ASGIHandler

    return httpx.ASGITransport(ASGIHandler())


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
AWAITING = [
    alone,
    mounted_in_starlette,
    routed_by_starlette,
    endpoint_of_starlette,
    routed_by_fastapi,
    api_route_of_fastapi,
    in_async_django,
]
PLAIN = [in_flask, in_flask_that_has_read_it, in_django, in_django_under_asgi]


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Django runs on asyncio alone."""
    return "asyncio"


@pytest.fixture
def calls() -> list[Any]:
    return []


@pytest.fixture
def handler(calls: list[Any]) -> WebhookHandler:
    handler = WebhookHandler(SECRET, max_body_bytes=LIMIT)
    handler.on("tasks.created")(calls.append)
    return handler


@pytest.fixture(params=[*AWAITING, *PLAIN], ids=lambda adapter: adapter.__name__)
async def client(
    request: pytest.FixtureRequest, handler: WebhookHandler
) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=request.param(handler), base_url="http://test", follow_redirects=True
    ) as client:
        yield client


def request(payload: Any = PAYLOAD) -> dict[str, Any]:
    headers, body = delivery(SECRET, "tasks.created", payload, delivery_id="d1")
    return {"headers": headers, "content": body}


def told(response: httpx.Response) -> tuple[int, str | None, Any]:
    return response.status_code, response.headers.get("content-type"), response.json()


# -- the contract ---------------------------------------------------------------------------------


async def test_a_delivery_is_handled_once(client: httpx.AsyncClient, calls: list[Any]) -> None:
    """The raw body comes through whole, and the answer comes back as JSON."""
    expected = {"ok": True, "event_type": "tasks.created", "delivery_id": "d1"}
    for _ in range(2):
        response = await client.post("/webhooks", **request())
        assert (200, "application/json", expected) == told(response)
    assert [PAYLOAD] == calls


async def test_a_wrong_signature(client: httpx.AsyncClient, calls: list[Any]) -> None:
    """Is refused as the handler says."""
    wrong = {**request(), "content": b"{}"}
    expected = {"ok": False, "error": "invalid signature"}
    assert (401, "application/json", expected) == told(await client.post("/webhooks", **wrong))
    assert (401, "application/json", expected) == told(await client.post("/webhooks"))
    assert [] == calls


async def test_a_function_that_fails(client: httpx.AsyncClient, handler: WebhookHandler) -> None:
    """Is answered by the handler, not by the framework's page of errors."""
    handler.on("tasks.created")(lambda payload: 1 / 0)
    status, _, answer = told(await client.post("/webhooks", **request()))
    assert (500, "handler failed") == (status, answer["error"])


async def test_a_body_that_is_too_large(client: httpx.AsyncClient, calls: list[Any]) -> None:
    """At the limit it is read, above it it is not."""
    fitting = request("x" * (LIMIT - 2))
    assert 200 == (await client.post("/webhooks", **fitting)).status_code
    expected = {"ok": False, "error": "body too large"}
    response = await client.post("/webhooks", **request("x" * (LIMIT - 1)))
    assert (413, "application/json", expected) == told(response)
    assert 1 == len(calls)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method(client: httpx.AsyncClient, calls: list[Any], method: str) -> None:
    """Only POST is a delivery, however well the request is signed."""
    response = await client.request(method, "/webhooks", **request())
    expected = {"ok": False, "error": "method not allowed"}
    assert (405, "application/json", expected) == told(response)
    assert "POST" == response.headers["allow"]
    assert [] == calls


@pytest.mark.parametrize("adapter", AWAITING)
async def test_async_functions_are_awaited(
    adapter: Callable[..., Any], handler: WebhookHandler, calls: list[Any]
) -> None:
    """Wherever the framework has a loop."""

    @handler.on("tasks.created")
    async def work(payload: Any) -> None:
        calls.append("awaited")

    transport = adapter(handler)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", follow_redirects=True
    ) as client:
        assert 200 == (await client.post("/webhooks", **request())).status_code
    assert [PAYLOAD, "awaited"] == calls


async def test_a_flask_view_takes_what_its_rule_has(handler: WebhookHandler) -> None:
    """Variables of the path are nothing to it."""
    async with httpx.AsyncClient(
        transport=in_flask_that_has_read_it(handler), base_url="http://test"
    ) as client:
        assert 200 == (await client.post("/webhooks/acme", **request())).status_code


async def test_fastapi_documents_an_endpoint(handler: WebhookHandler) -> None:
    """It takes nothing but the request: no parameter is made of it."""
    app = fastapi.FastAPI()
    app.add_api_route("/webhooks", starlette_endpoint(handler), methods=["POST"])
    (operation,) = app.openapi()["paths"]["/webhooks"].values()
    assert ({"200"}, False) == (set(operation["responses"]), "parameters" in operation)


class Unreadable:
    """What the client sends, which is never to be waited for."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("it was read")

    readline = read


@pytest.mark.parametrize("adapter", [in_flask, in_django])
def test_wsgi_reads_nothing_that_is_announced_too_large(
    adapter: Callable[..., InThread], handler: WebhookHandler
) -> None:
    """Not a byte of it."""
    length = {"CONTENT_LENGTH": str(LIMIT + 1)}
    assert "413" == status_of(adapter(handler).app, Unreadable(), **length)


class Dripping(io.BytesIO):
    """A body that comes in small pieces, its length unknown."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7 if size is None or size < 0 else min(size, 7))


@pytest.mark.parametrize(("length", "expected"), [(LIMIT, "200"), (LIMIT + 1, "413")])
def test_wsgi_reads_a_body_in_pieces(handler: WebhookHandler, length: int, expected: str) -> None:
    """All of one that fits, and no more than one byte too many."""
    headers, body = request("x" * (length - 2)).values()
    stream = Dripping(body if length == LIMIT else body + b"and more" * 100)
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    app = in_flask(handler).app
    assert expected == status_of(app, stream, **named, **{"wsgi.input_terminated": True})
    assert length == stream.tell()


def status_of(app: Any, stream: Any, **environ: Any) -> str:
    """What a WSGI app answers, called as a server does."""
    usual = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/webhooks",
        "SERVER_NAME": "test",
        "SERVER_PORT": "80",
        "wsgi.input": stream,
        "wsgi.url_scheme": "http",
    }
    statuses: list[str] = []
    answer = app(usual | environ, lambda status, headers: statuses.append(status))
    b"".join(answer)
    answer.close()
    return statuses[0][:3]


# -- ASGI by itself -------------------------------------------------------------------------------


class Connection:
    """One connection to an ASGI app: what it receives, and what it sends."""

    def __init__(self, *messages: dict[str, Any], **scope: Any) -> None:
        self.messages = list(messages)
        self.sent: list[Any] = []
        usual = {"type": "http", "method": "POST", "headers": [], "path": "/"}
        self.scope = usual | scope

    async def receive(self) -> Any:
        return self.messages.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def through(self, app: Any) -> list[Any]:
        await app(self.scope, self.receive, self.send)
        return self.sent


def chunks(parts: Iterable[bytes]) -> list[dict[str, Any]]:
    return [{"type": "http.request", "body": part, "more_body": True} for part in parts]


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def test_a_chunked_body_is_put_together(handler: WebhookHandler, calls: list[Any]) -> None:
    """Empty chunks, and a last one without a body, included."""
    headers, body = request()["headers"], request()["content"]
    parts = [body[:3], b"", body[3:]]
    connection = Connection(*chunks(parts), {"type": "http.request"}, headers=raw(headers))
    sent = await connection.through(asgi_app(handler))
    assert (200, [PAYLOAD]) == (sent[0]["status"], calls)


async def test_no_more_is_read_than_the_limit(handler: WebhookHandler) -> None:
    """However long a body goes on, without saying so or with a wrong length."""
    for headers in ([], [(b"content-length", b"5")], [(b"content-length", b"\xb2")]):
        connection = Connection(*chunks([b"x" * 600] * 5), headers=headers)
        sent = await connection.through(asgi_app(handler))
        assert (413, 3) == (sent[0]["status"], len(connection.messages))


@pytest.mark.parametrize("length", [b"1001", b"9" * 5_000])
async def test_what_is_announced_too_large_is_not_read(
    handler: WebhookHandler, length: bytes
) -> None:
    """Not a byte of it."""
    connection = Connection(*chunks([b"x"]), headers=[(b"content-length", length)])
    sent = await connection.through(asgi_app(handler))
    assert (413, 1) == (sent[0]["status"], len(connection.messages))


async def test_a_client_that_has_gone_is_not_answered(handler: WebhookHandler) -> None:
    """Half a request is none."""
    connection = Connection(*chunks([b"x"]), {"type": "http.disconnect"})
    assert [] == await connection.through(asgi_app(handler))
    endpoint = endpoint_of_starlette(handler).app
    connection = Connection(*chunks([b"x"]), {"type": "http.disconnect"}, path="/webhooks")
    assert 400 == (await connection.through(endpoint))[0]["status"]


async def test_the_app_lives_by_itself(handler: WebhookHandler) -> None:
    """Servers that ask whether it has started, and whether it has ended, are told."""
    words = ["lifespan.startup", "lifespan.shutdown"]
    connection = Connection(*({"type": word} for word in words), type="lifespan")
    sent = await connection.through(asgi_app(handler))
    assert [{"type": f"{word}.complete"} for word in words] == sent


async def test_what_is_no_request(handler: WebhookHandler) -> None:
    """A websocket is turned away; what is unknown is an error, as ASGI wants it."""
    sent = await Connection(type="websocket").through(asgi_app(handler))
    assert ["websocket.close"] == [message["type"] for message in sent]
    with pytest.raises(ConfigError, match="not 'gopher'"):
        await Connection(type="gopher").through(asgi_app(handler))


def test_under_uvicorn_alone(handler: WebhookHandler) -> None:
    """A real server, a real socket, a body in pieces."""
    program = """
import json, socket, sys, threading, urllib.request
import uvicorn
from quatrain.webhooks import WebhookHandler, asgi_app, delivery

ran = []
handler = WebhookHandler("whsec_test")
handler.on("e")(ran.append)
listening = socket.create_server(("127.0.0.1", 0))
url = "http://127.0.0.1:%d/" % listening.getsockname()[1]
server = uvicorn.Server(uvicorn.Config(asgi_app(handler), log_level="critical", lifespan="on"))
thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
thread.start()
headers, body = delivery("whsec_test", "e", {"x": "y" * 100_000})
request = urllib.request.Request(url, body, headers)
with urllib.request.urlopen(request) as answer:
    print(answer.status, json.load(answer)["ok"], len(ran[0]["x"]))
server.should_exit = True
thread.join()
"""
    import_for("interop", "uvicorn", "uvicorn")
    printed = run(program)
    assert "200 True 100000\n" == printed


# -- without them ---------------------------------------------------------------------------------


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={"PYTHONPATH": str(Path(quatrain.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def test_without_any_framework() -> None:
    """The package imports, its ASGI app works, and the rest says what is missing."""
    program = """
import json, sys
for name in ("starlette", "fastapi", "flask", "django", "httpx", "uvicorn", "trio"):
    sys.modules[name] = None
from quatrain import ConfigError, webhooks

handler = webhooks.WebhookHandler("whsec_test")
webhooks.asgi_app(handler)
said = []
for name in ("starlette_route", "starlette_endpoint", "flask_view", "django_view",
             "async_django_view"):
    try:
        getattr(webhooks, name)(handler)
    except ConfigError as exc:
        said.append(str(exc))
print(json.dumps(said))
"""
    expected = [
        "starlette_route() needs starlette, which is not installed",
        "starlette_endpoint() needs starlette, which is not installed",
        "flask_view() needs flask, which is not installed",
        "django_view() needs django, which is not installed",
        "async_django_view() needs django, which is not installed",
    ]
    assert expected == json.loads(run(program))


def test_no_framework_is_imported_before_it_is_asked_for() -> None:
    """Whoever uses one need not wait for the others."""
    program = """
import sys
from quatrain.webhooks import WebhookHandler, asgi_app
asgi_app(WebhookHandler("whsec_test"))
print(sorted({"starlette", "fastapi", "flask", "django", "httpx", "sqlite3"} & set(sys.modules)))
"""
    assert "['sqlite3']\n" == run(program)
