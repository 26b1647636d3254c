"""The Dockerfile and the compose file, checked as far as that goes without an engine.

What they name exists, what they run runs, and what they promise of safety is written in them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from quatrain._secret import Secret
from quatrain.cli.serve import serve
from quatrain.server.embedded import EmbeddedPlatform
from quatrain.server.store import PostgresURL
from quatrain.server.vendo.sealing import Ring, new_key

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "examples" / "deploy"
LONG = 60.0
INSTRUCTIONS = {
    *("FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE"),
    *("HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"),
}


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions, in order, with what follows each."""
    text = (DEPLOY / "Dockerfile").read_text()
    kept = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(kept).replace("\\\n", " ")
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.split("\n"))]


def last(name: str) -> str:
    """What the last *name* instruction says, which is what holds."""
    return [rest for each, rest in dockerfile() if each == name][-1]


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


# -- the image ------------------------------------------------------------------------------------


def test_the_instructions() -> None:
    """All are ones that there are; it begins with a base, and the second stage is what runs."""
    names = [name for name, _ in dockerfile()]

    assert set() == set(names) - INSTRUCTIONS
    assert ("FROM", 2) == (names[0], names.count("FROM"))
    bases = [rest.partition(" ")[0] for name, rest in dockerfile() if name == "FROM"]
    assert {bases[0]} == set(bases)
    minor = re.fullmatch(r"python:3\.(\d+)-slim", bases[0])
    assert minor is not None
    assert int(minor[1]) >= 11


def test_what_it_copies_is_there_and_let_through() -> None:
    """The build's context holds that and no more: no key and no database gets into an image."""
    let = {
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied: set[str] = set()
    for name, rest in dockerfile():
        if name == "COPY" and not rest.startswith("--from"):
            copied |= set(rest.split()[:-1])
    copied = {each.removeprefix("./") for each in copied}

    assert let == copied
    assert [] == [each for each in copied if not (ROOT / each).exists()]
    assert "*" in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()


def test_what_it_installs() -> None:
    """Extras that the package has; the wheel's own files are among what is copied."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r'"\.\[([a-z,]+)\]"', "".join(rest for _, rest in dockerfile()))

    assert set() == set(extras.split(",")) - set(project["optional-dependencies"])
    assert {project["readme"], *project["license-files"]} == {"README.md", "LICENSE"}


def test_it_does_not_run_as_root() -> None:
    """But as a number, whose is the volume."""
    user = last("USER")

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    making = next(rest for name, rest in dockerfile() if name == "RUN" and "useradd" in rest)
    uid = user.partition(":")[0]
    assert f"--uid {uid}" in making
    assert f"-o {uid} -g {uid} -m 0700 {last('VOLUME')}" in making
    assert f"QUATRAIN_DATABASE={last('VOLUME')}/" in last("ENV")


def test_what_it_runs(tmp_path: Path) -> None:
    """As it is written, but for the address: it serves, and its check says whether it is ready."""
    entry, command = json.loads(last("ENTRYPOINT")), json.loads(last("CMD"))
    assert ["quatrain"] == entry
    command[command.index("--host") + 1] = "127.0.0.1"
    command[command.index("--port") + 1] = "0"
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "quatrain.cli", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "QUATRAIN_DATABASE": str(tmp_path / "q.db")},
    )
    assert process.stdout is not None
    url = process.stdout.readline().rpartition(" ")[2].strip()
    healthy = health_check(url)
    (tmp_path / "q.db").rename(tmp_path / "moved")
    unhealthy = health_check(url)
    process.send_signal(getattr(signal, last("STOPSIGNAL")))
    _, errors = process.communicate(timeout=LONG)
    gone = health_check(url)

    assert [0, 1, 1] == [healthy, unhealthy, gone]
    assert {"quatrain.server.access", "quatrain.server.store"} == {
        json.loads(line)["logger"] for line in errors.splitlines()
    }


def health_check(url: str) -> int:
    """The exit status of the image's own check, of the platform at *url*."""
    options, _, text = last("HEALTHCHECK").partition(" CMD ")
    timeout = re.search(r"--timeout=(\d+)s", options)
    assert timeout is not None
    name, *arguments = json.loads(text.replace("http://127.0.0.1:8787", url))
    assert "python" == name
    assert url in text.replace("http://127.0.0.1:8787", url)
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, check=False, timeout=LONG
    )
    return done.returncode


def test_ports_agree() -> None:
    """What is served, exposed and asked is the same port."""
    command = json.loads(last("CMD"))
    port = command[command.index("--port") + 1]

    assert port == last("EXPOSE")
    assert f"http://127.0.0.1:{port}/readyz" in last("HEALTHCHECK")


# -- with PostgreSQL ------------------------------------------------------------------------------


def test_the_command(compose: Any) -> None:
    """Options that ``quatrain serve`` has."""
    name, *options = compose["services"]["quatrain"]["command"]
    parsed = serve.make_context("serve", list(options)).params

    assert "serve" == name
    assert ("0.0.0.0", 8787, True, ("quatrain",)) == tuple(
        parsed[each] for each in ("host", "port", "allow_remote", "allowed_host")
    )


@pytest.mark.once
def test_it_serves_on_postgresql(compose: Any, postgres_url: PostgresURL) -> None:
    """As the file has it, but for the address: made from what the file gives it, and ready."""
    service = compose["services"]["quatrain"]
    command = [each.replace("0.0.0.0", "127.0.0.1") for each in service["command"]]
    command[command.index("--port=8787")] = "--port=0"
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "quatrain.cli", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            **dict.fromkeys(service["environment"], new_key().reveal()),
            "QUATRAIN_DATABASE": postgres_url.secret.reveal(),
        },
    )
    assert process.stdout is not None
    url = process.stdout.readline().rpartition(" ")[2].strip()
    healthy = health_check(url)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LONG)

    assert (0, -signal.SIGTERM) == (healthy, process.returncode)


def test_what_is_named_is_there(compose: Any) -> None:
    """Services, volumes, the Dockerfile; and no field that compose does not know of."""
    services = compose["services"]
    known = {
        *("build", "image", "init", "restart", "stop_grace_period", "read_only", "cap_drop"),
        *("security_opt", "tmpfs", "environment", "command", "ports", "depends_on", "volumes"),
        "healthcheck",
    }
    assert {"name", "services", "volumes"} == set(compose)
    for service in services.values():
        assert set() == set(service) - known
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"]
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "healthcheck" in services[other]
    build = services["quatrain"]["build"]
    assert ROOT == (DEPLOY / build["context"]).resolve()
    assert (ROOT / build["dockerfile"]).is_file()


def test_secrets_are_asked_for_and_not_written(compose: Any) -> None:
    """Each comes from the environment, without a default; the example names it, empty."""
    text = (DEPLOY / "compose.yaml").read_text()
    wanted = set(re.findall(r"\$\{(\w+)(?::\?[^}]*)\}", text))
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / "env.example").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    assert text.count("${") == len(re.findall(r"\$\{\w+:\?", text))
    assert dict.fromkeys(wanted, "") == example
    url = compose["services"]["quatrain"]["environment"]["QUATRAIN_DATABASE"]
    db = compose["services"]["db"]["environment"]
    assert f"postgresql://{db['POSTGRES_USER']}:" in url
    assert url.endswith(f"@db:5432/{db['POSTGRES_DB']}")


def test_the_key_that_the_example_makes() -> None:
    """Is one that Vendo's tokens can be sealed with."""
    lines = (DEPLOY / "env.example").read_text().splitlines()
    command = next(line.rpartition("   ")[2].strip() for line in lines if "-base64" in line)
    assert ["openssl", "rand", "-base64", "32"] == shlex.split(command)
    try:
        made = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    Ring.parse(Secret(made.stdout.strip()))


def test_only_this_machine_reaches_it(compose: Any) -> None:
    """The database nobody; what stops has the time that its requests have."""
    services = compose["services"]

    assert ["127.0.0.1:8787:8787"] == services["quatrain"]["ports"]
    assert "ports" not in services["db"]
    assert "35s" == services["quatrain"]["stop_grace_period"]
    assert (True, ["ALL"]) == (services["quatrain"]["read_only"], services["quatrain"]["cap_drop"])
    assert re.fullmatch(r"postgres:\d+", services["db"]["image"])


def test_a_service_is_called_by_its_name(tmp_path: Path, compose: Any) -> None:
    """Other containers say ``http://quatrain:8787``: the Host header is let in."""
    (name,) = [each for each in compose["services"] if each != "db"]
    assert f"--allowed-host={name}" in compose["services"][name]["command"]
    with EmbeddedPlatform(tmp_path / "q.db") as platform:
        answer = httpx.get(f"{platform.url}/readyz", headers={"host": f"{name}:8787"})
    assert 400 == answer.status_code  # which is why it has to be said
