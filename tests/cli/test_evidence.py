"""``quatrain evidence``: one clear line, and an exit status that a script can go by."""

import json

import pytest

from quatrain.evidence.chain import START, canonical, link_after
from quatrain.evidence.manifest import Manifest, link_with_body, link_with_hash
from quatrain.evidence.writing import WRITERS, write

BODIES = [
    {"kind": "invocation", "subject_id": "inv_1", "outcome": "require_human"},
    {"kind": "run", "subject_id": "run_1", "status": "failed"},
    {"kind": "approval", "subject_id": "inv_1\x1b[2J", "outcome": "allow"},
]


def export(file_format, bodies=BODIES, hidden=(2,)):
    """The content of an export, and its chain hashes."""
    previous, links, hashes = START, [], []
    for sequence, given in enumerate(bodies, 1):
        body = {**given, "tenant_id": "acme", "sequence": sequence, "created_at": "2027-01-15"}
        link = link_after(previous, sequence, body)
        previous = link.chain_hash
        hashes.append(previous)
        links.append(
            link_with_hash(sequence, previous, link.body_hash)
            if sequence in hidden
            else link_with_body(sequence, previous, canonical(body))
        )
    manifest = Manifest(
        tenant_id="acme",
        artifact_kind="abp",
        exported_at="2027-01-16",
        start=START,
        count=len(links),
        packs=sum('"body":' in link for link in links),
        head=previous,
        first_sequence=1,
    )
    return b"".join(write(WRITERS[file_format](manifest), links)), hashes


@pytest.fixture(params=["json", "zip"])
def file(request, tmp_path):
    """An export, named as any file may be."""
    path = tmp_path / "evidence of\u202e ours"
    path.write_bytes(export(request.param)[0])
    return path


HASHES = export("json")[1]


def test_verify(cli, file):
    """What is proven, in one line."""
    result = cli("evidence", "verify", file)
    told = (
        "evidence of\\u202e ours verifies: 2 of 3 packs are in it (sequence 1 to 3, tenant acme);"
        f" its head is {HASHES[-1]}\n"
    )
    assert (0, "", 1) == (result.exit_code, result.stderr, result.stdout.count("\n"))
    assert result.stdout.endswith(told)


def test_verify_with_a_kept_hash(cli, file):
    """Which must be in it."""
    assert cli("evidence", "verify", file, "--head", HASHES[0]).exit_code == 0
    result = cli("evidence", "verify", file, "--head", "0" * 64)
    assert (1, "") == (result.exit_code, result.stdout)
    assert (
        "Error: the evidence does not verify: none of its 3 links has the hash that was kept\n"
        == result.stderr
    )


def test_verify_as_json(cli, file):
    """For programs, the failure as well."""
    result = cli("evidence", "verify", file, "--json")
    expected = {
        "verified": True,
        "tenant_id": "acme",
        "artifact_kind": "abp",
        "exported_at": "2027-01-16",
        "count": 3,
        "packs": 2,
        "first_sequence": 1,
        "last_sequence": 3,
        "head": HASHES[-1],
    }
    assert (0, expected) == (result.exit_code, json.loads(result.stdout))

    file.write_bytes(export("json")[0].replace(b"require_human", b"allow"))
    result = cli("evidence", "verify", file, "--json")
    reason = "its chain hash does not follow from its body and from the link before it"
    expected = {"verified": False, "reason": reason, "position": 0}
    assert (1, "", expected) == (result.exit_code, result.stderr, json.loads(result.stdout))


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_broken_file(cli, file, command):
    """One line says what is wrong and where; nothing of it is shown."""
    file.write_bytes(export("json")[0].replace(b'"outcome":"allow"', b'"outcome":"deny"'))
    result = cli("evidence", command, file)
    assert (1, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert "the evidence does not verify at link 2: its chain hash" in result.stderr


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_file_that_can_not_be_read(cli, command):
    """Fails in one line."""
    for name in ("none", "."):
        result = cli("evidence", command, name)
        assert (1, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))


def test_an_export_of_nothing(cli, tmp_path):
    """Verifies, and shows an empty table."""
    path = tmp_path / "nothing"
    path.write_bytes(export("json", [])[0])
    assert "0 of 0 packs are in it (sequence none," in cli("evidence", "verify", path).stdout
    assert cli("evidence", "show", path, "--json").stdout == "[]\n"


def test_show(cli, file):
    """The packs whose bodies are there; what they hold is shown and not obeyed."""
    result = cli("evidence", "show", file)
    assert (0, "") == (result.exit_code, result.stderr)
    rows = [line.split() for line in result.stdout.splitlines() if "inv_1" in line]
    assert [
        ["│", "1", "│", "2027-01-15", "│", "invocation", "│", "inv_1", "│", "require_human", "│"],
        ["│", "3", "│", "2027-01-15", "│", "approval", "│", "inv_1\\x1b[2J", "│", "allow", "│"],
    ] == rows
    assert "run_1" not in result.stdout


def test_show_as_json(cli, file):
    """Whole."""
    packs = json.loads(cli("evidence", "show", file, "--json").stdout)
    assert [(1, "require_human"), (3, "allow")] == [(p["sequence"], p["outcome"]) for p in packs]
    assert packs[1]["subject_id"] == "inv_1\x1b[2J"


def test_a_run_shows_its_status(cli, tmp_path):
    """It has no outcome."""
    path = tmp_path / "evidence"
    path.write_bytes(export("zip", hidden=())[0])
    assert "failed" in cli("evidence", "show", path).stdout
