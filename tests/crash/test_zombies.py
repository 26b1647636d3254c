"""A worker that is stopped, not killed: when it wakes up, somebody else has done its work."""

from __future__ import annotations

import json
import signal

import pytest

from quatrain.verity import VerityClient

from ._audit import audit
from ._processes import PATIENCE, Site


@pytest.mark.parametrize("flavour", ["async", "sync"])
def test_a_zombie_learns_that_its_lease_is_lost(flavour: str, site: Site) -> None:
    """LeaseLostError, with its result; what the newest holder recorded stands."""
    url = site.serve().url
    sleeper = site.start("_sleeper", flavour, url)
    assert sleeper.stdout is not None
    assert b"acting\n" == sleeper.stdout.readline()
    sleeper.send_signal(signal.SIGSTOP)

    site.expire_leases()
    with VerityClient(base_url=url, api_key=site.api_key, namespace="crash") as verity:
        mine = verity.protect("k", act=lambda: "mine", observe=lambda: None)
        sleeper.send_signal(signal.SIGCONT)
        out, err = sleeper.communicate(b"go on\n", timeout=PATIENCE)
        assert "mine" == mine == verity.protect("k", act=lambda: "again")

    assert (b"", {"lost": 1, "result": "late"}) == (err, json.loads(out))
    record = audit(site.database)["k"]
    assert ("COMMITTED", 2, '"mine"') == (record.status, record.fence_token, record.result)


@pytest.mark.parametrize("flavour", ["async", "sync"])
def test_a_sleeper_that_nobody_replaced_ends_its_work(flavour: str, site: Site) -> None:
    """Its lease ran out meanwhile; its fence token is still the newest."""
    sleeper = site.start("_sleeper", flavour, site.serve().url)
    assert sleeper.stdout is not None
    assert b"acting\n" == sleeper.stdout.readline()
    sleeper.send_signal(signal.SIGSTOP)
    site.expire_leases()
    sleeper.send_signal(signal.SIGCONT)
    out, err = sleeper.communicate(b"go on\n", timeout=PATIENCE)
    assert (b"", {"lost": None, "result": "late"}) == (err, json.loads(out))
    record = audit(site.database)["k"]
    assert ("COMMITTED", 1, '"late"') == (record.status, record.fence_token, record.result)
