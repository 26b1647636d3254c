"""Who may use the management API, whose data that is, and how it says no."""

import pytest

from quatrain.server.keys import DEFAULT_SCOPES, Mode


async def test_a_key_is_needed(http):
    """Without one, with an unknown one, and with one in another scheme: 401."""
    keys = [{}, {"authorization": "Bearer vt_test_x"}, {"authorization": "Basic eDp5"}]
    answers = [await http.get("/velocity/account", headers=headers) for headers in keys]

    assert [(401, "unauthenticated")] * 3 == [(a.status_code, a.json()["code"]) for a in answers]


async def test_the_scope_is_needed(api_of):
    """A key that may do everything with effects may not manage."""
    answer = await api_of("local", DEFAULT_SCOPES).get("/velocity/account")

    assert (403, "forbidden", "this key lacks the scope platform:manage") == (
        answer.status_code,
        answer.json()["code"],
        answer.json()["message"],
    )


async def test_an_extension_s_key_is_none(app, api, http):
    """What an extension was given does not open it."""
    key = (await api.made("/velocity/installs", slug="x"))["key"]
    answer = await http.get("/velocity/account", headers={"authorization": f"Bearer {key}"})

    assert 401 == answer.status_code


async def test_each_tenant_has_an_account(api, api_of):
    """A tenant's account is made when it is first asked for, and holds its own data only."""
    acme = api_of("acme")
    endpoint = await api.made("/webhooks", url="http://127.0.0.1:9/x")
    install = (await api.items("/velocity/installs"))[0]
    task = (await api.get("/velocity/tasks")).json()["open"][0]
    await api.made("/webhooks/trigger", event="tasks.created")
    (delivery,) = await api.items("/webhooks/deliveries")
    account = (await acme.get("/velocity/account")).json()
    refused = [
        await acme.post(f"/velocity/installs/{install['install_id']}/revoke"),
        await acme.post(f"/velocity/tasks/{task['task_id']}", action="mine"),
        await acme.post(f"/velocity/tasks/{task['task_id']}/complete"),
        await acme.post(f"/webhooks/{endpoint['endpoint_id']}/remove"),
        await acme.post(f"/webhooks/deliveries/{delivery['delivery_id']}/resend"),
    ]
    lists = ["/velocity/extensions", "/velocity/installs", "/velocity/team", "/velocity/modules"]
    lists += ["/webhooks", "/webhooks/deliveries"]

    assert ("acme", "growth", {}) == (account["tenant"], account["tier"], account["profile"])
    assert [[]] * 6 == [await acme.items(path) for path in lists]
    assert {"open": [], "completed": []} == (await acme.get("/velocity/tasks")).json()
    assert [404] * 5 == [answer.status_code for answer in refused]


async def test_live_and_test_keys_of_a_tenant_manage_the_same(app, http, api):
    """Velocity OS knows no test data: either key of a tenant leads to its one account."""
    _, secret = app.state.keys.create(mode=Mode.LIVE, scopes=["platform:manage"])
    headers = {"authorization": f"Bearer {secret.reveal()}"}
    answer = await http.get("/velocity/account", headers=headers)

    assert (await api.get("/velocity/account")).json() == answer.json()


async def test_the_error_envelope(api):
    """snake_case, with the request's id, and every fault of the content."""
    answer = await api.post("/velocity/tasks", action="", category="odd")
    said = answer.json()

    assert (422, {"code", "message", "request_id", "errors"}) == (answer.status_code, set(said))
    assert answer.headers["x-request-id"] == said["request_id"]
    assert [["body", "action"], ["body", "module_source"], ["body", "category"]] == [
        fault["loc"] for fault in said["errors"]
    ]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/odd", 404, "not_found"),
        ("GET", "/velocity/tasks/", 405, "method_not_allowed"),
        ("DELETE", "/webhooks", 405, "method_not_allowed"),
        ("GET", "/webhooks/deliveries/x/resend", 405, "method_not_allowed"),
        ("GET", "/velocity/%ff", 400, "not_utf8"),
        ("POST", "/velocity/tasks/task_1%2Fcomplete", 404, "not_found"),
    ],
)
async def test_paths(api, method, path, status, code):
    """What there is not is refused in the same envelope."""
    body = b'{"action": "x"}'
    answer = await api.http.request(method, path, headers=api.headers, content=body)

    assert (status, code) == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"event": NaN}', b"null"])
async def test_bodies_that_are_none(api, body):
    """A body that is not a JSON object is refused, and is no failure."""
    for path in ("/velocity/tasks", "/webhooks", "/webhooks/trigger", "/velocity/modules/X"):
        answer = await api.http.post(path, headers=api.headers, content=body)

        assert answer.status_code in {400, 422}, path
