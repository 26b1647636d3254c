"""Run something under a policy, keep its evidence, and check that by yourself.

python examples/governed_run.py

The platform in this process judges each payload by the policy of ``loan-review``. What came of it
is in a chain of evidence, which ``verify_evidence`` checks without asking anybody.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from quatrain import Client
from quatrain.velerian import EvidenceError, VelerianClient, verify_evidence

ABP = "loan-review"
LOANS = [
    {"amount": 8_000, "prompt": "Is a loan of 8,000 sound?"},
    {"amount": 30_000, "prompt": "Is a loan of 30,000 sound?"},
    {"amount": 900_000, "prompt": "Is a loan of 900,000 sound?"},
    {"amount": 500, "applicant": {"country": "KP"}},
]


def review(velerian: VelerianClient, evidence: Path) -> str | None:
    """Have all loans reviewed, and the evidence in a file; answers the last pack's hash."""
    head = None
    for loan in LOANS:
        result = velerian.invoke_abp(ABP, loan)
        print(f"{loan['amount']:>9,}: {result.outcome}", *result.aggregated_conditions, sep=", ")
        head = result.evidence_pack_chain_hash
    export = velerian.evidence_package(ABP, since="2020-01-01T00:00:00Z")
    velerian.download_evidence(export, to=evidence)
    return head


def main() -> None:
    """Review, verify, forge, verify again."""
    with tempfile.TemporaryDirectory() as directory:
        evidence = Path(directory, "evidence.json")
        with Client.local(Path(directory, "quatrain.db")) as q:
            head = review(q.velerian, evidence)
            actions = [row["action"] for row in q.velerian.iter_audit_log()]
            print(f"The audit log has {', '.join(dict.fromkeys(actions))}.")

        report = verify_evidence(evidence, head=head)  # nobody is asked any more
        print(f"{report.packs} packs verify.")

        evidence.write_text(evidence.read_text().replace("900000", "9000"))
        try:
            verify_evidence(evidence)
        except EvidenceError as exc:
            print(f"Forged: {exc}")


if __name__ == "__main__":
    main()
