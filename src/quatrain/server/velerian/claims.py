"""A run's way from queued to its end: the steps of the worker, each in one transaction.

Every function is an operation of the store. A claim has an end, and is renewed as long as its
process lives; when that dies, the run is begun again, which is why a model may be asked more than
once. Only the newest claim of a run can finish it: it ends once, with one pack of evidence.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from quatrain.evidence.chain import hash_of
from quatrain.server import jsontext
from quatrain.server.store import Connection, queries
from quatrain.server.times import iso_time

from . import audit, packs
from .networks import get_network
from .policy import Verdict
from .records import NotThereError
from .runs import COLUMNS, Run, RunStatus, run_of

MAX_ATTEMPTS: Final = 4
"""A run is begun once, and three times again when its process died."""

_SQL: Final = queries.load("velerian_runs")


@attrs.frozen
class Claim:
    """A run that has been taken, and its network's policy."""

    run: Run
    policy: dict[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Ending:
    """How a run ended."""

    status: RunStatus
    verdict: Verdict | None = None
    """The policy's; None when it could not be asked."""
    output: str | None = attrs.field(default=None, repr=False)
    """What the model said, withheld or not."""
    error: str | None = None

    @property
    def shown_output(self) -> str | None:
        """The output, unless it is withheld."""
        withheld = self.verdict is not None and self.verdict.outcome == "withhold"
        return None if withheld else self.output

    @property
    def governance_pass(self) -> bool | None:
        """Whether the policy let it run."""
        return None if self.verdict is None else self.verdict.outcome in {"allow", "withhold"}

    @property
    def reasons(self) -> list[str]:
        """The policy's: of its outcome, then the conditions."""
        return [] if self.verdict is None else [*self.verdict.reasons, *self.verdict.conditions]


def any_due(connection: Connection, now: int, _: None) -> bool:
    """Whether there is a run that can be claimed."""
    return connection.execute(_SQL["due"], {"now": now, "limit": 1}).fetchone() is not None


def claim(connection: Connection, now: int, params: dict[str, Any]) -> list[Claim]:
    """Take runs that wait, oldest first; until their claims end nobody else gets them.

    *params*: limit, claim_ms. One that was begun as often as it may be is ended here, as failed.
    """
    claims = []
    for (row_id,) in connection.execute(_SQL["due"], {**params, "now": now}).fetchall():
        values = {"id": row_id, "now": now, "claim_ms": params["claim_ms"]}
        row = connection.execute(_SQL["claim"].format(columns=COLUMNS), values).fetchone()
        if row is None:  # another platform was quicker, where transactions run side by side
            continue
        run = run_of(row)
        network = get_network(connection, now, {"tenant": run.tenant, "slug": run.network})
        if run.attempts > MAX_ATTEMPTS:
            text = f"the platform ended in the middle of it, {MAX_ATTEMPTS} times"
            _end(connection, now, run, Ending(status=RunStatus.FAILED, error=text))
        elif isinstance(network, NotThereError):
            _end(connection, now, run, Ending(status=RunStatus.FAILED, error=str(network)))
        else:
            _tell(connection, now, run, "run.start", {"attempt": run.attempts})
            claims.append(Claim(run, network.policy))
    return claims


def renew(connection: Connection, now: int, params: dict[str, Any]) -> int | None:
    """The claim's new end; None when the run is no longer its. *params*: id, attempt, claim_ms."""
    row = connection.execute(_SQL["renew"], {**params, "now": now}).fetchone()
    return None if row is None else int(row[0])


def let_go(connection: Connection, now: int, params: dict[str, Any]) -> None:
    """Leave the run to whoever looks next, as if it had not been begun. *params*: id, attempt."""
    connection.execute(_SQL["let_go"], {**params, "now": now})


def finish(connection: Connection, now: int, params: dict[str, Any]) -> bool:
    """End the run, with its evidence. *params*: id, attempt, ending.

    False: the claim is not the newest any more, or the run has ended; nothing is changed then.
    """
    row = connection.execute(_SQL["claimed"].format(columns=COLUMNS), params).fetchone()
    if row is None:
        return False
    _end(connection, now, run_of(row), params["ending"])
    return True


def _end(connection: Connection, now: int, run: Run, ending: Ending) -> None:
    pack = packs.append(
        connection,
        now,
        run.tenant,
        abp_id=None,
        subject_id=run.run_id,
        kind="run",
        body=_body(now, run, ending),
    )
    values = {
        "id": run.id,
        "status": ending.status.value,
        "output_text": ending.shown_output,
        "governance_pass": None if ending.governance_pass is None else int(ending.governance_pass),
        "governance_reasons": jsontext.dump(ending.reasons),
        "error": ending.error,
        "pack_id": pack.pack_id,
        "now": now,
    }
    connection.execute(_SQL["finish"], values)
    told = {"status": ending.status.value, "evidence_pack_id": pack.pack_id}
    _tell(connection, now, run, "run.finish", told)


def _body(now: int, run: Run, ending: Ending) -> dict[str, Any]:
    """What the evidence says of the run. Of a withheld output it has the hash only."""
    verdict = ending.verdict
    return {
        "outcome": None if verdict is None else verdict.outcome,
        "reasons": [] if verdict is None else list(verdict.reasons),
        "conditions": [] if verdict is None else list(verdict.conditions),
        "constraint_count": 0 if verdict is None else verdict.constraint_count,
        "network": run.network,
        "model_id": run.model_id,
        "user_id": run.user_id,
        "prompt_text": run.prompt_text,
        "metadata": run.metadata,
        "attachment_ids": run.attachment_ids,
        "status": ending.status.value,
        "output_text": ending.shown_output,
        "output_hash": None if ending.output is None else hash_of(ending.output),
        "error": ending.error,
        "attempts": run.attempts,
        "queued_at": iso_time(run.created_at),
        "started_at": None if run.started_at is None else iso_time(run.started_at),
        "finished_at": iso_time(now),
    }


def _tell(connection: Connection, now: int, run: Run, action: str, detail: dict[str, Any]) -> None:
    audit.append(
        connection,
        now,
        run.tenant,
        actor=run.user_id,
        action=action,
        resource_kind="run",
        resource_id=run.run_id,
        detail={"slug": run.network, **detail},
    )
