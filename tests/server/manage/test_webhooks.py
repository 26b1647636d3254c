"""Webhooks, managed: where events go, what was sent, and sending it again."""

import pytest

from quatrain.models.velocity import EVENT_SCOPES

URL = "https://example.com/hooks?a=1"


async def test_add(api):
    """An endpoint gets every event unless some are named; its secret is shown this once."""
    made = [
        await api.made("/webhooks", url=URL),
        await api.made("/webhooks", url=URL, events=["team.added", "tasks.created"]),
        await api.made("/webhooks", url=URL, events=["*"], secret="s" * 16),
    ]
    listed = await api.items("/webhooks")

    assert [["*"], ["tasks.created", "team.added"], ["*"]] == [each["events"] for each in made]
    assert ["whsec_", "whsec_", "ssssss"] == [each["secret"][:6] for each in made]
    assert made[0]["secret"] != made[1]["secret"]
    assert [{**each, "secret": None} for each in made] == [
        {**each, "secret": None} for each in listed
    ]
    assert ("whe_1", URL, "local", None) == (
        *(listed[0]["endpoint_id"], listed[0]["url"], listed[0]["extension_slug"]),
        listed[0]["removed_at"],
    )
    assert all(each["secret"] not in str(listed) for each in made)


async def test_whose_events(api, api_of):
    """Of the only extension, or of the local one; any other is named."""
    acme = api_of("acme")
    none_yet = await acme.post("/webhooks", url=URL)
    await acme.made("/velocity/installs", slug="one")
    first = await acme.made("/webhooks", url=URL)
    await acme.made("/velocity/installs", slug="two")
    of_two = await acme.post("/webhooks", url=URL)
    second = await acme.made("/webhooks", url=URL, extension="two")
    await api.made("/velocity/installs", slug="two")
    by_default = await api.made("/webhooks", url=URL)

    assert ["one", "two", "local"] == [
        each["extension_slug"] for each in (first, second, by_default)
    ]
    assert [
        "body.extension: there is no extension 'local': install it first",
        "body.extension: there is no extension 'local': install it, or name one, two",
    ] == [answer.json()["message"] for answer in (none_yet, of_two)]


async def test_a_list_of_nothing_but_mistakes(api):
    """Its first ones are told: no request makes an answer that dwarfs it."""
    answer = await api.post("/webhooks", url=URL, events=["never", *[0] * 100_000])
    faults = answer.json()["errors"]

    assert (422, 20) == (answer.status_code, len(faults))
    assert [["body", "events", 0], ["body", "events", 19]] == [
        faults[0]["loc"],
        faults[-1]["loc"],
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "body.url: is missing"),
        ({"url": "ftp://example.com"}, "body.url: a webhook's URL begins with https:// or "),
        ({"url": "//example.com"}, "body.url: a webhook's URL begins with "),
        ({"url": "http://me:secret@example.com"}, "body.url: a webhook's URL must not hold cred"),
        ({"url": "http://example.com/#x"}, "body.url: a webhook's URL must not hold a fragment"),
        ({"url": "http://exa mple.com/"}, "body.url: a webhook's URL "),
        ({"url": 7}, "body.url: expected a string"),
        ({"url": URL, "events": ["odd"]}, "body.events.0: must be one of module.updated, "),
        ({"url": URL, "events": []}, "body.events: must name at least one"),
        ({"url": URL, "events": "tasks.created"}, "body.events: expected an array"),
        ({"url": URL, "secret": "s" * 15}, "body.secret: must have at least 16 characters"),
        ({"url": URL, "secret": "s " * 16}, "body.secret: must be visible ASCII characters"),
        ({"url": URL, "secret": "s" * 501}, "body.secret: has 501 characters"),
        ({"url": URL, "extension": "odd"}, "body.extension: there is no extension 'odd'"),
    ],
)
async def test_endpoints_that_can_not_be(api, body, message):
    """Refused with a sentence that says what is wrong; a secret is not repeated."""
    answer = await api.post("/webhooks", **body)

    assert 422 == answer.status_code
    assert answer.json()["message"].startswith(message)
    assert "secret@" not in answer.text
    assert "sss" not in answer.text
    assert [] == await api.items("/webhooks")


async def test_remove(api):
    """What waits for it is cancelled, nothing more is sent there, and it stays in the list."""
    made = await api.made("/webhooks", url=URL)
    await api.made("/webhooks/trigger", event="team.added")
    path = f"/webhooks/{made['endpoint_id']}/remove"
    removed = await api.made(path)
    again = await api.made(path)
    count = (await api.made("/webhooks/trigger", event="team.added"))["deliveries"]
    (delivery,) = await api.items("/webhooks/deliveries")
    resent = await api.post(f"/webhooks/deliveries/{delivery['delivery_id']}/resend")

    assert removed["removed_at"] is not None
    assert (removed, [removed], 0) == (again, await api.items("/webhooks"), count)
    assert "CANCELLED" == delivery["status"]
    assert (409, "endpoint_removed") == (resent.status_code, resent.json()["code"])


@pytest.mark.parametrize("name", ["whe_99", "whe_x", "99", "whe_", "whe_99999999999999999999"])
async def test_endpoints_that_there_are_not(api, name):
    """404 for what we did not give out."""
    answer = await api.post(f"/webhooks/{name}/remove")

    assert (404, "endpoint_not_found") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("event", EVENT_SCOPES)
async def test_trigger_a_sample(api, event):
    """Every event has a sample, with the fields that the contract names."""
    await api.made("/webhooks", url=URL)
    count = (await api.made("/webhooks/trigger", event=event))["deliveries"]
    (sent,) = await api.items("/webhooks/deliveries")

    assert (1, event, "PENDING", 0) == (count, sent["event"], sent["status"], sent["attempts"])
    assert {} != sent["payload"]


async def test_trigger_with_a_payload(api):
    """What is sent is what was given; who gets it is as ever."""
    await api.made("/webhooks", url=URL, events=["team.added"])
    counts = [
        (await api.made("/webhooks/trigger", event=event, payload={"a": [1, "é"]}))["deliveries"]
        for event in ("team.added", "tasks.created")
    ]
    (sent,) = await api.items("/webhooks/deliveries")

    assert ([1, 0], {"a": [1, "é"]}) == (counts, sent["payload"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "body.event: is missing"),
        ({"event": "odd"}, "body.event: must be one of "),
        ({"event": "team.added", "payload": [1]}, "body.payload: must be an object"),
        ({"event": "team.added", "payload": "x" * 70_000}, "body.payload: takes 70,002 bytes"),
    ],
)
async def test_triggers_that_can_not_be(api, body, message):
    """Refused with a sentence that says what is wrong."""
    answer = await api.post("/webhooks/trigger", **body)

    assert 422 == answer.status_code
    assert answer.json()["message"].startswith(message)


async def test_deliveries_in_pages(api):
    """Newest first; a page tells where the next one begins, the last one that it is the last."""
    await api.made("/webhooks", url=URL)
    for number in range(5):
        await api.made("/webhooks/trigger", event="team.added", payload={"n": number})
    found, cursor = [], None
    for _ in range(3):
        query = {} if cursor is None else {"cursor": cursor}
        page = (await api.get("/webhooks/deliveries", limit=2, **query)).json()
        found.append([each["payload"]["n"] for each in page["items"]])
        cursor = page["next_cursor"]

    assert ([[4, 3], [2, 1], [0]], None) == (found, cursor)


async def test_filters(api):
    """By status and by event."""
    first = await api.made("/webhooks", url=URL)
    await api.made("/webhooks/trigger", event="team.added")
    await api.made(f"/webhooks/{first['endpoint_id']}/remove")
    await api.made("/webhooks", url=URL)
    await api.made("/webhooks/trigger", event="tasks.created")
    queries = [{"status": "CANCELLED"}, {"status": "PENDING"}, {"event": "team.added"}]
    queries += [{"event": "team.added", "status": "PENDING"}, {"event": "module.updated"}, {}]
    found = [await api.items("/webhooks/deliveries", **query) for query in queries]

    assert [
        *(["team.added"], ["tasks.created"], ["team.added"]),
        *([], [], ["tasks.created", "team.added"]),
    ] == [[each["event"] for each in each_found] for each_found in found]


@pytest.mark.parametrize(
    "query", [{"status": "ODD"}, {"limit": 0}, {"limit": 201}, {"limit": "x"}, {"cursor": "odd!"}]
)
async def test_queries_that_can_not_be(api, query):
    """Refused, and it is said what is wrong."""
    answer = await api.get("/webhooks/deliveries", **query)
    (fault,) = answer.json()["errors"]

    assert (422, ["query", *query]) == (answer.status_code, fault["loc"])


async def test_resend(api, clock, wakes):
    """Due at once, under the id that it had."""
    await api.made("/webhooks", url=URL)
    await api.made("/webhooks/trigger", event="team.added")
    (sent,) = await api.items("/webhooks/deliveries")
    clock.advance(60_000)
    wakes.clear()
    again = await api.made(f"/webhooks/deliveries/{sent['delivery_id']}/resend")

    assert (sent["delivery_id"], "PENDING") == (again["delivery_id"], again["status"])
    assert "2027-01-15T08:01:00.000Z" == again["next_attempt_at"]
    assert ["woken"] == wakes


async def test_resending_what_there_is_not(api):
    """404."""
    answer = await api.post("/webhooks/deliveries/dlv_none/resend")

    assert (404, "delivery_not_found") == (answer.status_code, answer.json()["code"])
