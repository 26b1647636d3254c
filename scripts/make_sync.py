"""Write the blocking flavour of the sources from the awaiting one.

    python scripts/make_sync.py            write what changed, delete what has no source
    python scripts/make_sync.py --check    write nothing; fail unless the trees are as generated

unasync drops the async keywords and renames names. Before it, comments, docstrings and strings are
converted, which it would leave alone or mangle; after it, ruff sorts and formats. What can't come
out right is refused with its place, and so is an async word that is left over.

What has no blocking counterpart stands between ``# async-only: begin`` and ``# async-only: end``.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib.metadata
import io
import itertools
import re
import subprocess
import sys
import tempfile
import tokenize
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import unasync  # type: ignore[import-untyped]  # ships no annotations

ROOT = Path(__file__).resolve().parent.parent

TREES = {
    "src/quatrain/_async": "src/quatrain/_sync",
    "tests/_async": "tests/_sync",
}

# Names that follow no rule below. One that no source uses any more fails the check.
RENAMES = {
    "AnyIOBackend": "SyncBackend",  # httpcore's
    "async_auth_flow": "sync_auth_flow",  # httpx's
    "async_http_client": "http_client",  # of the local platform
    "handle_async_request": "handle_request",
}

# Names that only look as if something were left over: both flavours have them, the contract's.
KEPT = {"await_run"}

# The rules: AsyncLease, _AsyncLane, AbstractAsyncContextManager; aclose, aiter_lines, __aenter__.
ASYNC_CLASS = re.compile(r"Async(?=[A-Z])")
ASYNC_VERB = re.compile(r"(_*)a((?:close|closing|enter|exit|iter|next|read)(?:_\w*)?)")

# Used beside their blocking twins these still come out right: both mean the same thing then.
TWINS = {"AsyncExitStack", "AsyncGenerator", "AsyncIterable", "AsyncIterator"}

# Keywords in prose: of code only. "You have to await it" is for the author to reword.
KEYWORD = re.compile(
    r"\basync (?=(?:with|for|def)\b)"
    r"|\bawait (?=\w+(?:[(\[]|\.\w))"  # await fn(…), await items[0], await client.aclose()
    r"|(?<=`)await (?=\w)"
)
ARTICLE = re.compile(r"\b([Aa])n (?=[^\sA-Za-z]*Async[B-DFGJ-NP-TV-Z])")  # an AsyncLease, a Lease
WORD = re.compile(r"\\.|\w+")  # an escape is no part of a word: "\naclose"

LEFT_OVER = re.compile(
    r"\w*(?:async|await|coroutine|anyio)\w*|\btrio\b"
    r"|(?<![a-z])a(?:clos(?:e|ing)|enter|exit|iter|next|read)",
    re.IGNORECASE,
)


class Refused(Exception):  # noqa: N818 - it is the sources that are at fault
    """The sources can't be converted; each argument is one place and the reason."""


@dataclass(frozen=True)
class Project:
    """Where the sources are, where their twins go, and what is renamed beyond the rules."""

    root: Path = ROOT
    trees: Mapping[str, str] = field(default_factory=lambda: TREES)
    renames: Mapping[str, str] = field(default_factory=lambda: RENAMES)

    def sources(self) -> dict[str, str]:
        """The text of every source by its path from the root."""
        files = self._below(self.trees)
        if strangers := [path for path in files if not path.endswith(".py")]:
            raise Refused(*(f"{path}: only Python belongs in the trees" for path in strangers))
        return {path: file.read_text("utf-8") for path, file in files.items()}

    def generated(self) -> dict[str, bytes]:
        """What the generated trees hold now, by path from the root."""
        files = self._below(self.trees.values())
        return {path: file.read_bytes() for path, file in files.items()}

    def _below(self, trees: Iterable[str]) -> dict[str, Path]:
        files = (file for tree in trees for file in sorted((self.root / tree).rglob("*")))
        return {
            file.relative_to(self.root).as_posix(): file
            for file in files
            if file.is_file() and file.parent.name != "__pycache__"
        }

    def twin(self, path: str) -> str:
        """Where the twin of a source goes."""
        tree = next(tree for tree in self.trees if path.startswith(f"{tree}/"))
        return self.trees[tree] + path.removeprefix(tree)

    def rename(self, word: str) -> str:
        """A name of the blocking flavour from one of the awaiting flavour."""
        if word in self.renames:
            return self.renames[word]
        if word == "_async":  # the packages themselves
            return "_sync"
        if verb := ASYNC_VERB.fullmatch(word):
            return verb[1] + verb[2]
        return ASYNC_CLASS.sub("", word)

    def convert(self, prose: str) -> str:
        """A comment, docstring or string with its names and its code converted."""
        prose = ARTICLE.sub(r"\1 ", KEYWORD.sub("", prose))
        return WORD.sub(lambda word: self.rename(word[0]), prose)


# -- from sources to twins ------------------------------------------------------------------------


def generate(project: Project) -> dict[str, str]:
    """The text of every generated file by its path from the root; raises Refused."""
    sources = project.sources()
    refusals = list(wrong_tools(project))
    for path, source in sources.items():
        try:
            found = traps(project, cut_async_only(source, filler="\n"))
            refusals += [f"{path}:{line}: {why}" for line, why in sorted(found)]
        except SyntaxError as exc:
            refusals.append(f"{path}:{exc.lineno}: {exc.msg}")
    if refusals:
        raise Refused(*refusals)
    with tempfile.TemporaryDirectory() as folder:
        files = _through_unasync(project, Path(folder), sources)
        for path, file in files.items():
            file.write_text(f"{banner(path)}\n{file.read_text('utf-8')}", "utf-8")
        # F401: what only the blocks that were cut had imported
        _ruff(project, ["check", "--select=I,F401,RUF022", "--fix", "--exit-zero"], files.values())
        _ruff(project, ["format"], files.values())
        return {project.twin(path): file.read_text("utf-8") for path, file in files.items()}


def _through_unasync(project: Project, folder: Path, sources: Mapping[str, str]) -> dict[str, Path]:
    """The blocking files, in *folder*, by the paths of their sources."""
    files = {path: folder / "awaiting" / path for path in sources}
    for path, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(cut_async_only(sources[path]), "utf-8")
    _ruff(project, ["format"], files.values())  # `await (x)`: unasync would make `await(x)` `x)`
    words: set[str] = set()
    for file in files.values():
        text = _prepare(project, file.read_text("utf-8"))
        file.write_text(text, "utf-8")
        words.update(WORD.findall(text))
    table = {word: new for word in sorted(words) if (new := project.rename(word)) != word}
    rule = unasync.Rule(f"{folder}/awaiting/", f"{folder}/blocking/", table)
    unasync.unasync_files([str(file) for file in files.values()], [rule])
    return {path: folder / "blocking" / path for path in sources}


def banner(path: str) -> str:
    """The first line of the file that the source at *path* gives."""
    return f"# Generated from {path} by scripts/make_sync.py. Do not edit."


def cut_async_only(source: str, filler: str = "") -> str:
    """*source* less its async-only blocks, each line of which becomes *filler*."""
    kept: list[str] = []
    begun: int | None = None
    for number, line in enumerate(io.StringIO(source), 1):
        mark = line.strip()
        if mark == "# async-only: begin" and begun is None:
            begun = number
        elif mark == "# async-only: end" and begun is not None:
            begun = None
            kept.append(filler)
            continue
        elif mark.startswith("# async-only"):
            raise SyntaxError(f"{mark!r} pairs with nothing", (None, number, None, None))
        kept.append(line if begun is None else filler)
    if begun is not None:
        raise SyntaxError("'# async-only: begin' without its end", (None, begun, None, None))
    return "".join(kept)


def _prepare(project: Project, source: str) -> str:
    """Convert what unasync leaves alone, and drop the brackets that only ``await`` needs."""
    source = _splice(source, ((span, "") for span in _needless_brackets(source)))
    return _splice(source, (((a, b), project.convert(source[a:b])) for a, b in _prose(source)))


def _splice(text: str, edits: Iterable[tuple[tuple[int, int], str]]) -> str:
    for (begin, end), new in sorted(edits, reverse=True):
        text = text[:begin] + new + text[end:]
    return text


def _prose(source: str) -> Iterator[tuple[int, int]]:
    """Where the comments and strings are.

    An f-string is one string, fields and all, as it is for Python 3.11; later ones split it, and
    unasync would then rename in its fields on these only.
    """
    at = _offsets(source)
    begun: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_START":
            begun.append(at(token.start))
        elif kind == "FSTRING_END":
            begin = begun.pop()
            if not begun:
                yield begin, at(token.end)
        elif kind in {"COMMENT", "STRING"} and not begun:
            yield at(token.start), at(token.end)


def _offsets(source: str) -> Callable[[tuple[int, int]], int]:
    """Row and column, as tokenize has them, to an offset in *source*."""
    begins = list(itertools.accumulate((len(line) for line in io.StringIO(source)), initial=0))
    return lambda place: begins[place[0] - 1] + place[1]


def _needless_brackets(source: str) -> Iterator[tuple[int, int]]:
    """Around ``(await get()).text``, where ruff would keep them: ``(get()).text``."""
    at = _offsets(source)
    lines = [line.encode() for line in io.StringIO(source)]

    def place(row: int, column: int) -> int:
        return at((row, len(lines[row - 1][:column].decode())))  # ast counts bytes

    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Attribute(value=ast.Await() as inner)
                | ast.Subscript(value=ast.Await() as inner)
                | ast.Call(func=ast.Await() as inner)
            ):
                begin = place(inner.lineno, inner.col_offset)
                end = place(inner.end_lineno or 0, inner.end_col_offset or 0)
                if source[begin - 1] == "(" and source[end] == ")":  # not on lines of their own
                    yield begin - 1, begin
                    yield end, end + 1


def _ruff(project: Project, command: Sequence[str], files: Iterable[Path]) -> None:
    if paths := [str(file) for file in files]:  # one by one: a folder's may be excluded, these not
        config = f"--config={project.root / 'pyproject.toml'}"
        program = [sys.executable, "-m", "ruff", *command, config, "--no-cache", "--quiet", *paths]
        done = subprocess.run(
            program, capture_output=True, text=True, check=False, cwd=project.root
        )
        if done.returncode:
            raise Refused(f"ruff {command[0]}: {done.stderr.strip()}")


# -- what is refused ------------------------------------------------------------------------------


def traps(project: Project, source: str) -> Iterator[tuple[int, str]]:
    """Lines of *source* that would come out wrong, and why."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and any(
            isinstance(n, ast.Await) for n in ast.walk(node)
        ):
            yield node.lineno, "await inside an f-string: await into a variable first"
        if isinstance(node, ast.Module | ast.ClassDef):
            yield from _twice_defined(project, node)
    for match in re.finditer(r"\bAsyncGenerator\[", source):
        if _has_comma(source[match.end() :]):
            line = source.count("\n", 0, match.start()) + 1
            yield line, "AsyncGenerator[X, Y]: Generator takes three: write AsyncIterator[X]"
    names = _names(tree)
    for name, line in names.items():
        twin = project.rename(name)
        if ASYNC_CLASS.search(name) and twin in names and name not in TWINS:
            yield line, f"{name} and {twin} are both used, and would be one"


def _names(tree: ast.Module) -> dict[str, int]:
    """The names that code uses, in f-strings too, and a line each."""
    return {
        name: node.lineno
        for node in ast.walk(tree)
        for field_ in ("id", "attr", "name", "asname", "arg")
        if isinstance(name := getattr(node, field_, None), str)
        if isinstance(node, ast.expr | ast.stmt | ast.alias | ast.arg | ast.keyword)
    }


def _twice_defined(project: Project, body: ast.Module | ast.ClassDef) -> Iterator[tuple[int, str]]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    lines = {item.name: item.lineno for item in body.body if isinstance(item, kinds)}
    for name, line in lines.items():
        twin = project.rename(name)
        if twin != name and twin in lines and not ASYNC_CLASS.search(name):
            yield line, f"{name} and {twin} are both defined, and would be one"


def _has_comma(text: str) -> bool:
    """Whether a comma comes before the bracket that *text* begins inside of is closed."""
    depth = 0
    for char in text:
        if char in "[(":
            depth += 1
        elif char in "])":
            depth -= 1
        if depth < 0:
            return False
        if char == "," and depth == 0:
            return True
    return False


def left_over(files: Mapping[str, str]) -> Iterator[str]:
    """Where generated files still speak of what only the awaiting flavour has."""
    for path, text in files.items():
        for number, line in enumerate(io.StringIO(text), 1):
            words = [word for word in LEFT_OVER.findall(line) if word not in KEPT]
            if words and number > 1:  # the first line is the banner
                yield f"{path}:{number}: {', '.join(words)} left over: {line.strip()}"


def unused_renames(project: Project) -> Iterator[str]:
    """Entries of the table of renames that nothing needs; all are needed while nothing exists."""
    if sources := project.sources():
        words = {word for text in sources.values() for word in WORD.findall(cut_async_only(text))}
        for name in project.renames:
            if name not in words:
                yield f"{name} is in the table of renames, and no source uses it"


def wrong_tools(project: Project) -> Iterator[str]:
    """The tools that are not the versions pinned in pyproject: they may generate other text."""
    settings = tomllib.loads((project.root / "pyproject.toml").read_text("utf-8"))
    for requirement in settings["dependency-groups"]["lint"]:
        name, _, pinned = requirement.partition("==")
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "not"
        if found != pinned:
            yield f"{requirement} is needed, {found} installed: pip install --group lint"


# -- the command ----------------------------------------------------------------------------------


def compare(made: Mapping[str, str], kept: Mapping[str, bytes]) -> Iterator[str]:
    """How the generated trees differ from what the sources give."""
    for path in sorted(made.keys() | kept.keys()):
        if path not in kept:
            yield f"{path}: missing"
        elif path not in made:
            yield f"{path}: orphan: it has no source"
        elif kept[path] != made[path].encode():
            before = kept[path].decode("utf-8", "replace").splitlines(keepends=True)
            after = made[path].splitlines(keepends=True)
            diff = difflib.unified_diff(before, after, "as it is", "as generated")
            yield f"{path}: drift\n{''.join(diff)}"


def write(project: Project, made: Mapping[str, str]) -> Iterator[str]:
    """Make the generated trees what they should be, and tell of each file that changes."""
    kept = project.generated()
    for path, text in made.items():
        if kept.get(path) != text.encode():
            file = project.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
            yield f"wrote {path}"
    for path in sorted(kept.keys() - made.keys()):
        (project.root / path).unlink()
        yield f"deleted {path}"


def main(arguments: Sequence[str] | None = None, project: Project | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail on any drift")
    check = parser.parse_args(arguments).check
    project = project or Project()
    try:
        made = generate(project)
    except Refused as exc:
        problems = list(exc.args)
    else:
        problems = [*left_over(made)]
        if check:
            problems += [*unused_renames(project), *compare(made, project.generated())]
        else:
            for line in write(project, made):
                print(line)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
