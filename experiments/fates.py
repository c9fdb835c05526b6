"""Who fared differently under two models: the people whose sessions ended most unlike, and their lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.experiments.metrics import Readable
from rehearse.experiments.metrics.base import JUDGED, Ratio
from rehearse.experiments.verdict import rounded
from rehearse.record.scope import Scope
from rehearse.scenario.base import Strict

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

NAMED = 10
"""People named as having gained or lost most."""


class Person(Strict):
    """Somebody who fared differently."""

    replica: int
    user: int
    group: str
    satisfaction: float
    """Mean satisfaction at the end of sessions, B − A."""
    regret: float | None
    """Mean regret, B − A."""

    def __str__(self) -> str:
        """Return who it is, and what changed."""
        regret = "" if self.regret is None else f", regret {self.regret:+.3g}"
        who = f"user {self.user} of replica {self.replica}"
        return f"{who} ({self.group}): satisfaction {self.satisfaction:+.2f}{regret}".replace("-", "−")


def changed_most(a: Readable, b: Readable) -> tuple[tuple[Person, ...], tuple[Person, ...]]:
    """Return the people whose satisfaction rose most under B, and those whose it fell most."""
    before, after = _fates(a), _fates(b)
    _, here, there = np.intersect1d(_ids(before), _ids(after), assume_unique=True, return_indices=True)
    pleased = after.numbers("satisfaction")[there] - before.numbers("satisfaction")[here]
    regret = after.numbers("regret")[there] - before.numbers("regret")[here]
    known = np.flatnonzero(np.isfinite(pleased))
    ranked = known[np.lexsort((np.nan_to_num(regret[known]), -pleased[known]))]

    def named(row: int) -> Person:
        return Person(
            replica=int(before["replica"][here[row]].item()),
            user=int(before["user"][here[row]].item()),
            group=str(before["group"][here[row]]),
            satisfaction=rounded(float(pleased[row])) or 0.0,
            regret=rounded(float(regret[row])),
        )

    rose = [named(row) for row in ranked[:NAMED] if pleased[row] > 0.0]
    fell = [named(row) for row in ranked[::-1][:NAMED] if pleased[row] < 0.0]
    return tuple(rose), tuple(fell)


def lives(a: RunRecord, b: RunRecord, person: Person, width: int = 150) -> str:
    """Return a person's life under both models, side by side, aligned on ticks; from the records."""
    from rehearse.experiments.journey.telling import tell
    from rehearse.experiments.journey.whatif import WhatIf

    both = [tell(record, person.user, person.replica, inner=False) for record in (a, b)]
    return WhatIf(*both).text(width, (f"A  {both[0].model}", f"B  {both[1].model}"))


def _fates(record: Readable) -> Columns:
    scope = Scope.in_manifest(record.manifest)
    over, under = Ratio.of_column("regret").sums(of_sessions=scope.view == "sessions")
    return record.query(
        f"""WITH fate AS (SELECT replica, "user", avg(satisfaction) FILTER ({JUDGED}) AS satisfaction,
          {over} / nullif({under}, 0) AS regret FROM {scope.view} GROUP BY ALL)
        SELECT u.replica, u."user", u."group", f.satisfaction, f.regret
        FROM users u JOIN fate f ON f.replica = u.replica AND f."user" = u."user"
        ORDER BY u.replica, u."user\""""
    )


def _ids(fates: Columns) -> NDArray[np.int64]:
    return (np.asarray(fates["replica"], np.int64) << 40) | np.asarray(fates["user"], np.int64)
