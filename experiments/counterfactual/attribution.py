"""Two lives of everybody side by side: what differs first, and what each life came to.

flipped     turns that both lives have, in which the model answered otherwise
first tick  at which anything about a person's turns differs; −1: nothing does
cause       what differs first: `decision` (another answer), `asked` (there is a turn in one life
            alone), `other` (the same answer, and something else came of it); `none`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.errors import UserError
from rehearse.experiments.intervals import Floats
from rehearse.record.reading import RunRecord

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
CAUSES = ("none", "decision", "asked", "other")
READ = ("action", "choice", "end", "satisfaction", "reward", "harm", "regret")
FOLLOWS = frozenset({"choice", "end", "satisfaction", "reward", "harm", "regret"})
OUTCOMES = ("sessions", "goals met", "reward", "harm", "regret", "satisfaction")
"""What a life comes to: how many sessions, and goals met in them; sums over turns; the mean at their ends."""
TICKS = 32
"""Bits of a turn's number that are below the person's."""


@dataclass(frozen=True, slots=True)
class Lives:
    """Both lives of everybody, as a table of one row a person; `attribute` makes it."""

    people: Columns
    """Of each person: who, turns, flipped, first_tick, cause; of each outcome `NAME_before`, `NAME_after`."""
    outcomes: tuple[str, ...]

    def moved(self, outcome: str) -> Floats:
        """Return for each person how an outcome moved, after − before."""
        return self.people.numbers(f"{outcome}_after") - self.people.numbers(f"{outcome}_before")


def attribute(a: RunRecord, b: RunRecord) -> Lives:
    """Lay the turns of two runs of the same people side by side; raises UserError for other people."""
    users = a.query('SELECT replica, "user", "group", segment FROM users ORDER BY replica, "user"')
    others = b.query('SELECT replica, "user" FROM users ORDER BY replica, "user"')
    if any(not np.array_equal(users[name], others[name]) for name in ("replica", "user")):
        problem = "the two runs are of other people."
        raise UserError(problem, "Change one thing of a run: `rehearse counterfactual`.")
    place = _Places.of(users)
    before, after = (_turns(record, place) for record in (a, b))
    people = Columns({name: users[name] for name in users})
    for name, column in _first_differences(before, after, users.length).items():
        people[name] = column
    outcomes = []
    for name, (was, now) in _outcomes(before, after, users.length).items():
        people[f"{name}_before"], people[f"{name}_after"] = was, now
        outcomes.append(name)
    return Lives(people, tuple(outcomes))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a person stands in the table."""

    keys: Ints

    @classmethod
    def of(cls, users: Columns) -> _Places:
        return cls(_person(users))

    def __call__(self, turns: Columns) -> Ints:
        return np.searchsorted(self.keys, _person(turns))


def _person(table: Columns) -> Ints:
    return (np.asarray(table["replica"], np.int64) << 40) | np.asarray(table["user"], np.int64)


def _turns(record: RunRecord, place: Callable[[Columns], Ints]) -> Columns:
    there = record.query("SELECT * FROM turns LIMIT 0")
    names = ", ".join(name if name != "end" else '"end"' for name in READ if name in there)
    slate = ", ".join(name for name in there if name.startswith("slate_"))
    found = record.query(
        f'SELECT replica, "user", tick, turn, {names}{", " + slate if slate else ""} FROM turns '
        'ORDER BY replica, "user", tick, turn'
    )
    found["person"] = place(found)
    return found


def _key(turns: Columns, longest: int) -> Ints:
    """Return a number for each turn that rises with person, tick and turn."""
    tick = np.asarray(turns["tick"], np.int64)
    return (
        (np.asarray(turns["person"], np.int64) * (1 << TICKS))
        + tick * longest
        + np.asarray(turns["turn"], np.int64)
    )


def _first_differences(before: Columns, after: Columns, people: int) -> Columns:
    longest = 1 + max([0, *(int(t["turn"].max()) for t in (before, after) if t.length)])
    keys = [_key(turns, longest) for turns in (before, after)]
    both, here, there = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
    decided = _unlike(before, after, here, there, lambda n: n == "action" or n.startswith("slate_"))
    other = _unlike(before, after, here, there, FOLLOWS.__contains__) & ~decided
    alone = np.concatenate([np.setdiff1d(keys[0], both), np.setdiff1d(keys[1], both)])
    found = np.concatenate([both[decided], alone, both[other]])
    cause = np.repeat(np.array([1, 2, 3]), [int(decided.sum()), len(alone), int(other.sum())])
    order = np.lexsort((cause, found))
    who, first = np.unique(found[order] >> TICKS, return_index=True)
    ticks, causes = np.full(people, -1, np.int64), np.zeros(people, np.int64)
    ticks[who] = (found[order][first] & ((1 << TICKS) - 1)) // longest
    causes[who] = cause[order][first]
    person = both >> TICKS
    return Columns(
        {
            "turns": np.bincount(person, minlength=people),
            "flipped": np.bincount(person[decided], minlength=people),
            "first_tick": ticks,
            "cause": np.array(CAUSES)[causes],
        }
    )


def _unlike(before: Columns, after: Columns, here: Ints, there: Ints, which: Callable[[str], bool]) -> Flags:
    found = np.zeros(len(here), np.bool_)
    for name in (n for n in before if n in after and which(n)):
        x, y = before[name][here], after[name][there]
        gaps = np.isnan(x) & np.isnan(y) if x.dtype.kind == "f" else np.zeros(len(x), np.bool_)
        found |= (x != y) & ~gaps
    return found


def _outcomes(before: Columns, after: Columns, people: int) -> dict[str, tuple[Floats, Floats]]:
    sides = [_life(turns, people) for turns in (before, after)]
    return {name: (sides[0][name], sides[1][name]) for name in OUTCOMES if all(name in s for s in sides)}


def _life(turns: Columns, people: int) -> dict[str, Floats]:
    """Return what each person's life came to."""
    who, end = np.asarray(turns["person"]), np.asarray(turns["end"])
    last = ~np.isin(end, ("none", "infra_error"))

    def summed(values: Any, where: Any = None) -> Floats:
        known = np.isfinite(values) if where is None else where & np.isfinite(values)
        return np.bincount(who[known], np.asarray(values, np.float64)[known], minlength=people).astype(
            np.float64
        )

    ones = np.ones(len(who))
    found = {"sessions": summed(ones, last), "goals met": summed(ones, end == "goal_met")}
    found |= {name: summed(turns[name]) for name in ("reward", "harm", "regret") if name in turns}
    if "satisfaction" in turns:
        pleased = summed(turns["satisfaction"], last)
        with np.errstate(invalid="ignore"):
            found["satisfaction"] = np.asarray(pleased / found["sessions"])
    return found
