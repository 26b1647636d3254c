"""``quatrain doctor``: what is well, what is not, and what to do about it."""

import json
import os
import sqlite3
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest

import quatrain.cli.checkup_database as checkup_database
import quatrain.cli.checkup_platforms as checkup_platforms
from quatrain import __version__
from quatrain.cli.checkup import Level
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.keys import KeyRing
from quatrain.server.local import LocalPlatform
from quatrain.server.store import SqliteStore

NOW = 1_800_000_000.0


@pytest.fixture
def platform(database):
    """A platform that is served, with every key in ``env``."""
    with EmbeddedPlatform(database) as platform:
        yield platform


@pytest.fixture
def look(cli):
    """Run ``quatrain doctor --json``: exit status, and findings as (area, level, what, fix)."""

    def doctor(*args, **env):
        result = cli("doctor", "--json", *args, **env)
        assert "" == result.stderr
        return result.exit_code, [tuple(each.values()) for each in json.loads(result.stdout)]

    return doctor


def told(findings, area, *levels):
    """What was told about *area*, at some levels."""
    return [
        (what, fix)
        for each, level, what, fix in findings
        if each == area and level in (levels or ("warning", "error"))
    ]


def test_all_is_well(cli, platform, database):
    """Everything answers; the exit status is 0."""
    result = cli("doctor", "--database", database, **platform.env)

    assert (0, "") == (result.exit_code, result.stderr)
    assert [] == [line for line in result.stdout.splitlines() if not line.startswith("ok ")]
    for text in (
        f"here: quatrain {__version__}, Python ",
        f"verity: {platform.url}/v1 answers, and knows the key",
        "verity: the key may: effects:read, effects:write, effects:reset",
        "velocity: the key may: ",
        "velerian: the key may: runs:read, audit:read",
        f"vendo: {platform.url} answers, and knows the key",
        f"verity: it is quatrain {__version__}, as here",
        "vendo: its clock agrees with this machine's",
        "database: its schema has version ",
    ):
        assert text in result.stdout


def test_nothing_was_changed(look, platform, database):
    """It asks for changes, and makes none."""
    look(**platform.env)
    connection = sqlite3.connect(database)
    counts = [
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        for table in ("effects", "effect_events")
    ]
    connection.close()

    assert [(0,), (0,)] == counts


def test_nothing_is_set(look):
    """A warning, and which variables there are."""
    code, findings = look()

    assert 0 == code
    ((what, fix),) = told(findings, "here")
    assert "no platform is set in the environment" == what
    assert fix.startswith("set one of VERITY_BASE_URL, VOS_BASE_URL, ")


@pytest.mark.parametrize(
    ("env", "area", "what", "fix"),
    [
        ({"VERITY_BASE_URL": "{url}/v1"}, "verity", "api_key is missing", "keys create"),
        ({"VERITY_API_KEY": "vt_test_x"}, "verity", "base_url is missing", "keys create"),
        (
            {"VERITY_BASE_URL": "{url}/v1", "VERITY_API_KEY": "vt_test_x"},
            "verity",
            "{url}/v1 does not know the key: 401 unauthenticated",
            "make a key with `quatrain keys create`",
        ),
        (
            {"VERITY_BASE_URL": "{url}/v2", "VERITY_API_KEY": "vt_test_x"},
            "verity",
            "{url}/v2 answers with an error: 404",
            "check VERITY_BASE_URL",
        ),
        (
            {"VERITY_BASE_URL": "http://127.0.0.1:9/v1", "VERITY_API_KEY": "vt_test_x"},
            "verity",
            "http://127.0.0.1:9/v1 does not answer: ",
            "See VERITY_BASE_URL",
        ),
        (
            {"VOS_BASE_URL": "{url}", "VOS_EXT_KEY": "x"},
            "velocity",
            "{url} does not know the key: 401",
            "quatrain velocity install",
        ),
        (
            {"VELERIAN_BASE_URL": "{url}", "VELERIAN_API_KEY": "x"},
            "velerian",
            "{url} does not know the key: 401",
            "quatrain velerian keys create",
        ),
        (
            {"VENDO_BASE_URL": "{url}", "VENDO_API_KEY": "x"},
            "vendo",
            "{url} does not know the key: 401",
            "quatrain vendo keys create",
        ),
        (
            {"VERITY_BASE_URL": "http://ledger.example/v1", "VERITY_API_KEY": "x"},
            "verity",
            "ledger.example",
            "quatrain keys create",
        ),
    ],
)
def test_what_is_wrong_with_a_platform(look, platform, env, area, what, fix):
    """One error says what, and what to do; the exit status is 1."""
    env = {name: value.format(url=platform.url) for name, value in env.items()}
    code, findings = look(**env)

    assert 1 == code
    ((told_what, told_fix),) = told(findings, area, "error")
    assert what.format(url=platform.url) in told_what
    assert fix in told_fix


@pytest.mark.parametrize(
    ("scopes", "may", "may_not"),
    [
        (["effects:read"], "effects:read", "effects:write, effects:reset"),
        (["effects:write"], "effects:write", "effects:read, effects:reset"),
        (["platform:manage"], None, "effects:read, effects:write, effects:reset"),
    ],
)
def test_scopes(look, platform, scopes, may, may_not):
    """What the key lacks is a warning: it may be meant so."""
    _, secret = platform.keys.create(scopes=scopes)
    env = {"VERITY_BASE_URL": f"{platform.url}/v1", "VERITY_API_KEY": secret.reveal()}
    code, findings = look(**env)

    assert 0 == code
    assert [f"the key may not: {may_not}"] == [what for what, _ in told(findings, "verity")]
    granted = [what for what, _ in told(findings, "verity", "ok") if "may:" in what]
    assert ([] if may is None else [f"the key may: {may}"]) == granted


def test_a_key_for_the_wrong_hosts(look, platform):
    """With one of Vendo's origins set, the others are the hosted platform's."""
    env = {name: platform.env[name] for name in ("VENDO_BASE_URL", "VENDO_API_KEY")}
    code, findings = look(**env)
    ((what, fix),) = told(findings, "vendo")

    assert 0 == code
    assert "VENDO_CREDENTIALS_URL and VENDO_DATA_PROXY_URL not: the key goes to the hosted" in what
    assert fix.startswith("set all three")


def test_no_secret_is_told(cli, platform, database):
    """Keys are in no finding."""
    text = cli("doctor", "--database", database, **platform.env).output
    wrong = cli("doctor", **{**platform.env, "VERITY_API_KEY": "vt_test_wrong"}).output

    for value in (*platform.env.values(), "vt_test_wrong"):
        assert "://" in value or value not in text + wrong


# -- clocks and versions --------------------------------------------------------------------------


@pytest.fixture
def answers(monkeypatch):
    """Have a stand-in answer instead of a platform, with this date and this content at /readyz."""

    def stand_in(ahead=0.0, took=0.0, ready=None, date=None):
        clock = [NOW]

        def answer(request):
            theirs = datetime.fromtimestamp(int(clock[0] + took / 2 + ahead), UTC)
            clock[0] += took
            headers = {"date": date or format_datetime(theirs, usegmt=True)}
            if request.url.path == "/readyz":
                return httpx.Response(200, json=ready, headers=headers)
            return httpx.Response(200, json={"items": [], "nextCursor": None}, headers=headers)

        monkeypatch.setenv("VERITY_BASE_URL", "https://ledger.example/v1")
        monkeypatch.setenv("VERITY_API_KEY", "vt_test_x")
        transport = httpx.MockTransport(answer)
        return list(checkup_platforms.platforms(now=lambda: clock[0], transport=transport))

    return stand_in


def about(findings, word):
    return [(each.level, each.what) for each in findings if word in each.what]


@pytest.mark.parametrize(
    ("ahead", "took", "level", "what"),
    [
        (0.0, 0.0, Level.OK, "its clock agrees"),
        (9.0, 0.0, Level.OK, "its clock agrees"),
        (-9.0, 0.0, Level.OK, "its clock agrees"),
        (25.0, 60.0, Level.OK, "its clock agrees"),
        (60.0, 0.0, Level.WARNING, "its clock is about 60 s ahead of"),
        (-60.0, 0.0, Level.WARNING, "its clock is about 60 s behind"),
        (3_600.0, 1.0, Level.ERROR, "its clock is about 3,600 s ahead of"),
    ],
)
def test_clocks(answers, ahead, took, level, what):
    """Told from the Date of its answers; a slow answer leaves that much in doubt."""
    ((found, text),) = about(answers(ahead, took), "clock")

    assert level == found
    assert what in text


@pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Jan 2027 08:00:00 GMT"])
def test_dates_that_are_none(answers, date):
    """Nothing is said of the clock."""
    found = answers(date=date or "-")

    assert [] == about(found, "clock")


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        (None, []),
        ({"status": "fine"}, []),
        (["version"], []),
        (
            {"version": __version__, "reasons": []},
            [(Level.OK, f"it is quatrain {__version__}, as here")],
        ),
        (
            {"version": "9.9", "reasons": ["the disk is full"]},
            [
                (Level.ERROR, "it is not ready: the disk is full"),
                (Level.WARNING, f"it is quatrain 9.9, and here is {__version__}"),
            ],
        ),
    ],
)
def test_versions(answers, ready, expected):
    """A platform of this package says which it is, and whether it is ready; others don't."""
    assert expected == about(answers(ready=ready), "it is ")


# -- the database ---------------------------------------------------------------------------------


@pytest.fixture
def made(database, monkeypatch):
    """A database that is in use, with a connection in Vendo."""
    monkeypatch.setattr(checkup_database, "ENOUGH", 0)
    with LocalPlatform(database) as platform:
        platform.connect("openai", key="sk-pasted")
    return database


def test_a_database(look, made):
    """Its file, its room, its schema, its content, its secret key."""
    code, findings = look("--database", made)
    expected = [
        f"{made}, ",
        "the disk has ",
        "its schema has version ",
        "all of it can be read",
        "1 tokens of Vendo's connections are sealed with the key in the file beside it",
    ]
    found = [what for what, _ in told(findings, "database", "ok")]

    assert (0, []) == (code, told(findings, "database"))
    assert expected == [what[: len(start)] for what, start in zip(found, expected, strict=True)]


def damage_mode(path):
    path.chmod(0o644)


def damage_key_gone(path):
    path.with_name(f"{path.name}.key").unlink()


def damage_key_other(path):
    path.with_name(f"{path.name}.key").write_text("A" * 43 + "=\n")


def damage_key_open(path):
    path.with_name(f"{path.name}.key").chmod(0o644)


def damage_version(version):
    def damage(path):
        connection = sqlite3.connect(path)
        connection.execute("DELETE FROM schema_versions WHERE version > 1")
        connection.execute("UPDATE schema_versions SET version = ?", (version,))
        connection.commit()
        connection.close()

    return damage


def damage_journal(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def damage_pages(path):
    with path.open("r+b") as file:
        file.seek(8_192)
        file.write(os.urandom(4_096 * 20))


def damage_all(path):
    path.write_bytes(b"no database" * 1_000)


def other_database(path):
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()


def gone(path):
    path.unlink()


def directory(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "level", "what", "fix"),
    [
        (damage_mode, "warning", "others than its owner may read", "chmod 600 "),
        (damage_key_gone, "error", "and there is no key: ", "restore the key"),
        (damage_key_other, "error", "1 of them with another key than the file", "restore the key"),
        (damage_key_open, "error", "others than its owner may read", "restore the key"),
        (
            damage_version(99),
            "error",
            "version 99, and this quatrain knows up to",
            "newer quatrain",
        ),
        (damage_version(1), "warning", "version 1, and this quatrain works with", "serve"),
        (damage_journal, "warning", "its journal mode is delete", "the next `quatrain serve`"),
        (damage_pages, "error", "it ", "last backup"),
        (damage_all, "error", "it can't be read as a database: file is not a", "last backup"),
        (other_database, "error", "it is not a quatrain database", "the file of a platform"),
        (gone, "error", "can't be looked at: No such file", "quatrain serve --database"),
        (directory, "error", "is no plain file", "the database's file"),
    ],
)
def test_what_is_wrong_with_a_database(look, made, damage, level, what, fix):
    """What it is, and what to do; only an error makes the exit status 1."""
    damage(made)
    code, findings = look("--database", made)
    found = told(findings, "database", level)

    assert (level == "error") == code
    assert [True] == [what in told_what and fix in told_fix for told_what, told_fix in found][:1]


def test_a_disk_that_is_nearly_full(look, made, monkeypatch):
    """Before the platform says so."""
    monkeypatch.setattr(checkup_database, "ENOUGH", 2**62)
    code, findings = look("--database", made)
    ((what, _),) = told(findings, "database")

    assert (1, True) == (code, what.startswith("the disk has "))


def test_a_log_that_has_grown(look, made, monkeypatch):
    """Somebody holds it up."""
    monkeypatch.setattr(checkup_database, "LARGE_LOG", 0)
    with SqliteStore(made) as store:
        KeyRing(store).create()
        code, findings = look("--database", made)
    ((what, _),) = told(findings, "database")

    assert (0, True) == (code, what.startswith("the write-ahead log has grown to "))


def test_a_key_in_the_environment(look, made):
    """It goes before the file."""
    code, findings = look("--database", made, QUATRAIN_SECRET_KEY="A" * 43 + "=")
    ((what, _),) = told(findings, "database")

    assert (1, True) == (code, "with another key than QUATRAIN_SECRET_KEY has" in what)


def test_the_database_of_the_environment(look, made):
    """It is looked at without being named."""
    code, findings = look(QUATRAIN_DATABASE=str(made))

    assert 0 == code
    assert "all of it can be read" in [what for what, _ in told(findings, "database", "ok")]
