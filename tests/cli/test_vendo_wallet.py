"""``quatrain vendo wallet``."""

import json

import pytest

from quatrain.server.embedded import EmbeddedPlatform


@pytest.fixture
def run(cli, database):
    """Run ``quatrain vendo wallet … --database``."""

    def wallet(*args):
        return cli("vendo", "wallet", *args, "--database", database)

    return wallet


def test_what_is_in_it(run):
    """For a person, and as JSON; the wallet need not have been used before."""
    shown = run()
    assert 0 == shown.exit_code, shown.output
    assert "5,000,000 micros (USD 5.00)" in shown.stdout
    assert {
        "tenant": "local",
        "credits_micros": 5_000_000,
        "currency": "USD",
        "daily_micros": None,
        "monthly_micros": None,
        "used_today_micros": 0,
        "used_month_micros": 0,
    } == json.loads(run("--json").stdout)


def test_what_is_changed(run):
    """Each by itself, or all at once; ``none`` takes a cap away."""

    def after(*args):
        found = json.loads(run(*args, "--json").stdout)
        return found["credits_micros"], found["daily_micros"], found["monthly_micros"]

    assert (5_000_005, 10, 100) == after("--top-up", 5, "--daily", 10, "--monthly", 100)
    assert (5_000_005, None, 100) == after("--daily", "none")
    assert (5_000_005, None, 0) == after("--monthly", 0)
    assert (5_000_006, None, 0) == after("--top-up", 1)


@pytest.mark.parametrize("wrong", [("--top-up", 0), ("--daily", -1), ("--monthly", "much")])
def test_what_makes_no_sense(run, wrong):
    """Is a usage error."""
    assert 2 == run(*wrong).exit_code


def test_of_a_platform_that_is_served(cli, database):
    """By its management API."""
    with EmbeddedPlatform(database) as platform:
        found = cli("vendo", "wallet", "--top-up", 7, "--json", **platform.env)
    assert 5_000_007 == json.loads(found.stdout)["credits_micros"], found.output
