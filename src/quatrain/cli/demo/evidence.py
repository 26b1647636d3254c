"""An invocation is governed, its evidence is checked, and a forged copy of it is found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import attrs

from quatrain.velerian import EvidenceError, InvokeResult, VelerianClient, verify_evidence

from .story import Teller, WentWrongError, check

__all__ = ["EvidenceStory"]

ABP: Final = "loan-review"


@attrs.frozen
class EvidenceStory:
    """One run of it; files go into *directory*."""

    velerian: VelerianClient
    directory: Path
    teller: Teller = attrs.field(factory=Teller)

    def tell(self) -> None:
        """Run all of it. Raises ClickException for the first step that did not come out."""
        self.teller.say("\nReviewing two loans, under a policy.\n")
        with self.teller.step("The small loan is reviewed; the large one waits for a person"):
            small = self._review(amount=8_000, outcome="allow")
            self._review(amount=900_000, outcome="require_human")
        with self.teller.step("The review's evidence is downloaded, and verifies without asking"):
            evidence = self._download(small)
            report = verify_evidence(evidence, head=small.evidence_pack_chain_hash)
            check("packs that verify:", report.packs, 1)
        with self.teller.step("A copy that says that the loan was larger does not verify"):
            reason = self._forge(evidence)
        self.teller.say(f"\n[bold green]Found out.[/] {reason}.")

    def _review(self, amount: int, outcome: str) -> InvokeResult:
        prompt = f"Is a loan of {amount} sound?"
        result = self.velerian.invoke_abp(ABP, {"amount": amount, "prompt": prompt})
        check("the verdict is", result.outcome, outcome)
        check("it has an output:", result.output is not None, result.is_allowed)
        return result

    def _download(self, result: InvokeResult) -> Path:
        export = self.velerian.invocation_evidence(ABP, result.invocation_id)
        return self.velerian.download_evidence(export, self.directory / "evidence.json")

    def _forge(self, evidence: Path) -> str:
        whole: dict[str, Any] = json.loads(evidence.read_text("utf-8"))
        text = json.dumps(whole).replace("8000", "9000")
        forged = self.directory / "forged.json"
        forged.write_text(text, "utf-8")
        check("something was changed:", text != json.dumps(whole), expected=True)
        try:
            verify_evidence(forged)
        except EvidenceError as exc:
            return str(exc).capitalize()
        raise WentWrongError("it verified")
