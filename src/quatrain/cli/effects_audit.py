"""``quatrain effects audit``: the audit trail as lines of JSON, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs
import click

from quatrain._trail import Finding, TrailCheck
from quatrain.verity import EffectTrail

from .export import opened
from .options import LedgerOptions, json_option, ledger_options
from .output import note, print_json, progress
from .text import json_text, printable

__all__ = ["audit"]

SHOWN: Final = 1_000
"""Findings that are told; one that is broken throughout would never stop to tell."""
_OF_EFFECT: Final = ("effectId", "namespace", "effectKey")


@click.command()
@click.option("--verify", is_flag=True, help="Check it, and tell what is wrong.")
@click.option("--namespace", help="Of this namespace only.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True),
    default="-",
    help="A file, which appears, readable by you alone, when it is complete.  [default: stdout]",
)
@json_option
@ledger_options
def audit(
    ledger: LedgerOptions, verify: bool, namespace: str | None, output: str, as_json: bool
) -> None:
    """Export the audit trail of all effects, a JSON object a line, or check it.

    With --verify nothing is exported. From the trail alone it is told whether the ledger kept its
    promises: no fence token was given out twice, nobody settled an effect under an old one, none
    was committed twice or begun again after that, and each is what its last line says. The exit
    status is 1 when something is wrong. A ledger that is in use may be checked.
    """
    if verify and output != "-":
        raise click.UsageError("--output goes with an export, not with --verify.")
    if as_json and not verify:
        raise click.UsageError("an export is JSON anyway: --json goes with --verify.")
    with ledger.open() as client, progress("Reading the audit trail", total=None) as advance:
        trails = client.effects.iter_trail(namespace=namespace)
        if not verify:
            _export(trails, output)
            return
        check = TrailCheck()
        findings = _verify(check, trails, advance)
    if as_json:
        print_json(_verdict_as_json(check, findings))
    else:
        for finding in findings:
            click.echo(_in_words(finding))
        click.echo(_verdict(check, len(findings)))
    if check.findings:
        raise click.exceptions.Exit(1)


def _export(trails: Iterable[EffectTrail], output: str) -> None:
    count = 0
    with opened(output) as file:
        for part in trails:
            whose = {name: part.raw[name] for name in _OF_EFFECT}
            for line in part.raw["events"]:
                file.write(f"{json_text({**whose, **line})}\n")
                count += 1
    if output != "-":
        note(f"Exported {count:,} lines to {printable(output)}.")


def _verify(check: TrailCheck, trails: Iterable[EffectTrail], advance: Any) -> list[Finding]:
    """The first findings; *check* has the number of all."""
    kept: list[Finding] = []
    for part in trails:
        _keep(kept, check.look(part))
        advance(check.lines)
    _keep(kept, check.end())
    return kept


def _keep(kept: list[Finding], found: Iterable[Finding]) -> None:
    for finding in found:
        if len(kept) < SHOWN:
            kept.append(finding)


def _in_words(finding: Finding) -> str:
    where = f"{finding.namespace} / {finding.effect_key} ({finding.effect_id})"
    line = "" if finding.seq is None else f", line {finding.seq}"
    return printable(f"{finding.rule}: {where}{line}: {finding.message}")


def _verdict(check: TrailCheck, shown: int) -> str:
    read = f"{check.effects:,} effects, {check.lines:,} lines"
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(check.unknown.items()))
    judged = f"; not judged, as this version does not know them: {printable(kinds)}" * bool(kinds)
    if not check.findings:
        return f"OK: {read}: every fence was given out once, every effect done once{judged}."
    cut = f" (the first {shown:,} are shown)" * (shown < check.findings)
    return f"BROKEN: {check.findings:,} found wrong{cut} in {read}{judged}."


def _verdict_as_json(check: TrailCheck, findings: list[Finding]) -> dict[str, Any]:
    return {
        "ok": not check.findings,
        "effects": check.effects,
        "lines": check.lines,
        "findings": [attrs.asdict(finding) for finding in findings],
        "findingsInAll": check.findings,
        "notJudged": dict(check.unknown),
    }
