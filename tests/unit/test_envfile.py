"""Env files: what is written is read back exactly, by python-dotenv and by shells."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import dotenv
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from quatrain._envfile import assignment, compose, expands, read, statements

NAMES = ("A", "B_C", "_d", "Z9")
AWKWARD = list("'\"\\$`(){}#=\n\r\t \u00a0\u2028\x0b\x1c\ufeffABnrtvx!;&|~*éa\U0001f600")
VALUES = st.text(st.sampled_from(AWKWARD), max_size=30) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60
)

PIECES = [*AWKWARD, "export ", "A=", "B_C='", 'Z9="', "\n", "\n"]
FILES = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@pytest.fixture(autouse=True)
def quiet():
    """python-dotenv says of each line that it can't read."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("env") / ".env"


def by_dotenv(path: Path, text: str, *, interpolate: bool = False) -> dict[str, str | None]:
    """What python-dotenv reads from a file of that text."""
    path.write_bytes(text.encode())
    return dict(dotenv.dotenv_values(path, interpolate=interpolate))


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("", "A="),
        ("sk-proj_1.2/3:4@5%6+7,8=", "A=sk-proj_1.2/3:4@5%6+7,8="),
        ("two words", "A='two words'"),
        ("#x", "A='#x'"),
        ("$HOME `x` \\n", "A='$HOME `x` \\n'"),
        ("a\nb", "A='a\nb'"),
        ("it's", 'A="it\'s"'),
        ('{"it\'s": "a\\\\b"}', 'A="{\\"it\'s\\": \\"a\\\\\\\\b\\"}"'),
        ("it's $x\n`y`", 'A="it\'s \\$x\n\\`y\\`"\n#\rA="it\'s $x\\n`y`"'),
        ("a\rb", 'A="a\rb"\n#\rA="a\\rb"'),
        ("C:\\my dir\\", "A=C:\\\\my\\ dir\\\\\n#\rA=C:\\my dir\\"),
    ],
)
def test_how_a_value_is_written(value: str, line: str) -> None:
    """As plainly as both readers allow."""
    assert assignment("A", value) == f"{line}\n"


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
@settings(deadline=None)
@example({"A": "'\\", "B_C": "'"})
@example({"A": "${B_C}", "B_C": "x"})
def test_python_dotenv_reads_it_back(env: Path, values: dict[str, str]) -> None:
    """Whatever the values are; with its own interpolation all that it would not expand."""
    text = compose("", values, [])
    assert by_dotenv(env, text) == values
    assert list(by_dotenv(env, text)) == sorted(values)
    if not any(expands(value) for value in values.values()):
        assert by_dotenv(env, text, interpolate=True) == values


@pytest.mark.parametrize("value", ["${X}", "a${}b", "${X:-y}", "${a$b}"])
def test_what_python_dotenv_expands_is_known(env: Path, value: str) -> None:
    """Nothing that can be written says otherwise."""
    assert expands(value)
    assert by_dotenv(env, assignment("A", value), interpolate=True) != {"A": value}


@pytest.mark.parametrize("shell", ["sh", "bash"])
@given(values=st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1))
@settings(deadline=None, max_examples=30)
@example(values={"A": "'; touch owned; '", "Z9": "'$(touch owned)`touch owned`\\"})
@example(values={"A": "\r'\n$(touch owned)\n", "Z9": '"; touch owned #'})
def test_a_shell_reads_the_same_and_runs_nothing(
    env: Path, shell: str, values: dict[str, str]
) -> None:
    """Its variables are the values; it prints nothing and makes nothing."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    env.write_bytes(compose("", values, []).encode())
    show = "import json, os, sys; print(json.dumps({n: os.environ.get(n) for n in sys.argv[1:]}))"
    done = subprocess.run(
        [shell, "-c", 'set -a; . ./.env; exec "$@"', "-", sys.executable, "-c", show, *values],
        capture_output=True,
        text=True,
        check=False,
        cwd=env.parent,
        env={"LANG": "C.UTF-8", "PYTHONUTF8": "1"},
    )
    assert (done.stderr, json.loads(done.stdout)) == ("", values)
    assert [path.name for path in env.parent.iterdir()] == [".env"]


@given(FILES)
@settings(deadline=None, max_examples=500)
@example("';'=")
@example("'\r'=1")
@example("A='x' y\nB=1")
@example("A='x\nB='y'\nC=1")
def test_a_file_is_read_as_python_dotenv_reads_it(env: Path, text: str) -> None:
    """And its statements are all of it."""
    expected = {k: v for k, v in by_dotenv(env, text).items() if v is not None}
    assert read(text) == expected
    assert "".join(each.text for each in statements(text)) == text.removeprefix("\ufeff")


@given(
    FILES,
    st.dictionaries(st.sampled_from(NAMES), VALUES),
)
@settings(deadline=None, max_examples=300)
def test_others_lines_stay_and_ours_are_read(env: Path, text: str, values: dict[str, str]) -> None:
    """Whatever a person wrote, even what nobody can read; and it is the same the next time."""
    assume(not text.startswith("\ufeff\ufeff"))  # one is taken off with each reading
    composed = compose(text, values, values)
    assert {name: by_dotenv(env, composed).get(name) for name in values} == values
    others = {name: value for name, value in read(text).items() if name not in values}
    assert {k: v for k, v in read(composed).items() if k not in values} == others
    assert compose(composed, values, values) == composed
    assert read(compose(composed, {}, values)) == others


def test_what_is_of_others_keeps_its_place_and_its_text() -> None:
    """Ours come first, sorted; what was ours and is no more is gone with all its lines."""
    text = "\ufeff# mine\r\nZ = 1 # one\nA=old\n\n# of b\nb='two\nlines'\nexport OLD=1\n9=9\nlast"
    assert compose(text, {"C": "3", "A": "it's $1"}, {"OLD"}) == (
        'A="it\'s \\$1"\n#\rA="it\'s $1"\nC=3\n'
        "# mine\r\nZ = 1 # one\n\n# of b\nb='two\nlines'\n9=9\nlast"
    )
    written = compose(text, {"C": "3", "A": "it's $1"}, {"OLD"})
    assert compose(written, {}, {"A", "C"}) == (
        "# mine\r\nZ = 1 # one\n\n# of b\nb='two\nlines'\n9=9\nlast"
    )


def test_what_nobody_can_read_takes_nothing_of_ours_along() -> None:
    """A quote that somebody forgot to close would, if it came first."""
    text = "MINE='unclosed\nA=1\n"
    composed = compose(text, {"A": "2", "B": "'"}, {"A", "B"})
    assert composed == "A=2\nB=\"'\"\nMINE='unclosed\n"
