"""What two lives of everybody come to, for groups and segments, by what differed first, by ties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from rehearse.experiments.counterfactual.attribution import Flags, Ints, Lives
from rehearse.experiments.counterfactual.values import Moved, Share
from rehearse.experiments.intervals import Floats, Sample, Unit, t_interval
from rehearse.experiments.pairing import holm, p_value
from rehearse.experiments.verdict import CONFIDENCE, rounded

if TYPE_CHECKING:
    from rehearse.experiments.build import Assembly

UNREACHED = -1


def summed_up(lives: Lives, unit: Unit, confidence: float = CONFIDENCE) -> tuple[Moved, ...]:
    """Return how every outcome moved, for everybody, each group and each segment, corrected by Holm."""
    people = lives.people
    whole: list[tuple[Literal["group", "segment"] | None, str | None, Flags]] = [
        (None, None, np.ones(people.length, np.bool_))
    ]
    pairs = set(zip(people["group"].tolist(), people["segment"].tolist(), strict=True))
    same = all(len({pair[i] for pair in pairs}) == len(pairs) for i in (0, 1))
    kinds: tuple[Literal["group", "segment"], ...] = ("group",) if same else ("group", "segment")
    for kind in kinds:
        names = sorted({str(name) for name in people[kind].tolist()})
        whole += [(kind, name, people[kind] == name) for name in names if len(names) > 1]
    rows = [_moved(lives, part, outcome, unit, confidence) for part in whole for outcome in lives.outcomes]
    corrected = holm([p for _, p in rows]).tolist()
    return tuple(
        row.model_copy(update={"p_corrected": rounded(p)})
        for (row, _), p in zip(rows, corrected, strict=True)
    )


def _moved(
    lives: Lives, part: tuple[Any, Any, Flags], outcome: str, unit: Unit, confidence: float
) -> tuple[Moved, float]:
    (kind, name, here), people = part, lives.people
    was, now = (people.numbers(f"{outcome}_{side}")[here] for side in ("before", "after"))
    both = np.isfinite(was) & np.isfinite(now)
    replica = np.asarray(people["replica"])[here][both]
    found = t_interval(_sample(now[both] - was[both], replica, unit), confidence)
    turns, flipped = (int(people.numbers(n)[here].sum()) for n in ("turns", "flipped"))
    row = Moved(
        kind=kind,
        name=name,
        people=int(here.sum()),
        touched=float((people.numbers("first_tick")[here] >= 0).mean()),
        flipped=flipped / turns if turns else None,
        outcome=outcome,
        before=rounded(float(was[both].mean())) if both.any() else None,
        after=rounded(float(now[both].mean())) if both.any() else None,
        difference=rounded(found.estimate),
        low=rounded(found.low),
        high=rounded(found.high),
        p_corrected=None,
    )
    return row, p_value(found)


def _sample(moved: Floats, replica: NDArray[Any], unit: Unit) -> Sample:
    if unit == "users":
        return Sample(moved, "users", len(moved))
    there, place = np.unique(replica, return_inverse=True)
    means = np.bincount(place, moved, minlength=len(there)) / np.bincount(place, minlength=len(there))
    return Sample.of_replicas(means)


def shares(lives: Lives, by: Sequence[tuple[str, Flags]]) -> tuple[Share, ...]:
    """Return what some of the people, by name, add to each outcome's difference."""
    people, found = lives.people, []
    for name, here in by:
        ticks = people.numbers("first_tick")[here]
        sums = {o: rounded(float(np.nansum(lives.moved(o)[here]))) or 0.0 for o in lives.outcomes}
        met = ticks[ticks >= 0]
        found.append(
            Share(
                name=name,
                people=int(here.sum()),
                first_tick=rounded(float(met.mean())) if len(met) else None,
                differences=sums,
            )
        )
    return tuple(found)


def distances(lives: Lives, assembly: Assembly, sources: Sequence[int]) -> Ints | None:
    """Return how many ties lie between each person and the nearest source; −1: none lead there.

    Without `sources` (ids, in every replica) they are those of each replica who were changed first. None
    where nobody knows anybody, or everybody everybody.
    """
    ties = getattr(assembly.simulation.users, "ties", None)
    if ties is None or not hasattr(ties, "indptr") or type(ties).__name__ == "Everyone":
        return None
    people = lives.people
    first, replica = np.asarray(people["first_tick"], np.int64), np.asarray(people["replica"], np.int64)
    reached = np.full(people.length, UNREACHED, np.int64)
    if sources:
        reached[np.isin(people["user"], sources)] = 0
    else:
        for one in np.unique(replica):
            met = first[(replica == one) & (first >= 0)]
            if len(met):
                reached[(replica == one) & (first == met.min())] = 0
    at, step = np.flatnonzero(reached == 0), 0
    while at.size:
        step += 1
        _, friends, _ = ties.around(at)
        at = np.unique(friends[reached[friends] == UNREACHED])
        reached[at] = step
    return reached
