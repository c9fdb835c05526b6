"""Who would repay: the chance p of it, by score and group, by traits, or as the data say.

    nearest, below, linear      p is read off a table of scores (of the applicant's group)
    logistic                    p = 1 / (1 + e^−(constant + Σ weight · trait))
    burden                      p' = 1 / (1 + e^−(ln(p/(1 − p)) − burden · interest))

A person repays a loan of chance p' if the one uniform draw of the turn is below it: so whoever repays a
dear loan would have repaid a cheaper one, and all loans are judged by the same luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rehearse.columns import Array, Columns, Rows
from rehearse.environments.lending.settings import Curve, Settings
from rehearse.errors import DataError, ScenarioError
from rehearse.exact import Floats, log, sigmoid

DATA = "data"
EVERYBODY = "all"


@dataclass(frozen=True, slots=True)
class Table:
    """Chances by score, told at k scores."""

    scores: Floats
    """Ascending, shape (k,)."""
    chances: Floats
    """Shape (g, k): a row a group, or one for all."""
    linear: bool
    edges: Floats
    """Where the next score begins to count, shape (k − 1,)."""

    def at(self, score: Floats, group: Array) -> Floats:
        """Return the chance of each person, shape (n,)."""
        row = np.zeros(len(score), np.int64) if len(self.chances) == 1 else np.asarray(group, np.int64)
        if not self.linear:
            return np.asarray(self.chances[row, np.searchsorted(self.edges, score, side="right")])
        place = np.clip(np.searchsorted(self.scores, score, side="right") - 1, 0, len(self.scores) - 2)
        low, high = self.scores[place], self.scores[place + 1]
        part = np.clip((score - low) / (high - low), 0.0, 1.0)
        below, above = self.chances[row, place], self.chances[row, place + 1]
        return np.asarray(below + part * (above - below))


class Repays:
    """The law of repayment of a scenario."""

    def __init__(self, settings: Settings, data: Path | None) -> None:
        """Read what the settings name; raises ScenarioError or DataError for what cannot be used."""
        self._settings, self._law = settings, settings.repayment
        self._table = None if self._law.curve is None else table_of(self._law.curve, settings.groups, data)
        self._cuts = None if self._law.qualifies is None else by_group(self._law.qualifies, settings.groups)

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the traits that it reads."""
        law = self._law
        if law.logistic is not None:
            return tuple(law.logistic.weights)
        read = (law.chance or law.repaid or law.defaulted,)
        return tuple(name for name in read if name is not None)

    def chance(self, people: Columns, rows: Rows) -> Floats:
        """Return the chance of each person to repay a loan without interest, shape (n,)."""
        law = self._law
        if law.logistic is not None:
            return sigmoid(_weighed(law.logistic.constant, law.logistic.weights, people, rows))
        if law.defaulted is not None:
            return 1.0 - _share(people, rows, law.defaulted)
        told = law.chance or law.repaid
        if told is not None:
            return _share(people, rows, told)
        score, group = people.numbers(self._settings.score, rows), people["group"].take(rows)
        if self._table is not None:
            return self._table.at(score, _known(group, len(self._table.chances)))
        cuts = np.zeros(1) if self._cuts is None else self._cuts
        return np.asarray(score >= reached(cuts, group), dtype=np.float64)

    def of_terms(self, chance: Floats, interest: Floats) -> Floats:
        """Return the chance to repay each loan, shape (n, terms), given that without interest."""
        if self._law.burden == 0.0:
            return np.repeat(chance[:, None], len(interest), axis=1)
        certain = (chance <= 0.0) | (chance >= 1.0)
        inside = np.where(certain, 0.5, chance)
        odds = log(inside) - log(1.0 - inside)
        burdened = sigmoid(odds[:, None] - self._law.burden * interest[None, :])
        return np.where(certain[:, None], chance[:, None], burdened)


def table_of(curve: Curve, groups: tuple[str, ...], data: Path | None) -> Table:
    """Return the chances that a scenario tells by score, a row a group or one for all."""
    scores, rows = _written(curve) if curve.table is None else _read(curve, data)
    told = np.stack([rows[name] for name in _in_order(tuple(rows), groups, "repayment.curve")])
    told = told * curve.scale
    chances = 1.0 - told if curve.as_told == "defaulted" else told
    if not ((chances >= 0.0) & (chances <= 1.0)).all():
        problem = f"repayment.curve holds the chance {chances[(chances < 0) | (chances > 1)][0]:g}."
        raise DataError(
            problem, "Chances lie between 0 and 1: set `scale` to .01 where they are percentages."
        )
    if len(scores) < 2 or not (np.diff(scores) > 0.0).all():
        problem = "repayment.curve needs two scores or more, in ascending order, each once."
        raise DataError(problem, "Sort the table by score.")
    middle = np.nextafter(0.5 * (scores[1:] + scores[:-1]), np.inf)
    return Table(
        scores, chances, curve.between == "linear", scores[1:] if curve.between == "below" else middle
    )


def by_group(given: float | Mapping[str, float], groups: tuple[str, ...]) -> Floats:
    """Return a number for each group, or one for all, shape (g,) or (1,)."""
    if not isinstance(given, Mapping):
        return np.array([given], dtype=np.float64)
    return np.array([given[name] for name in _in_order(tuple(given), groups, "a setting by group")])


def reached(cuts: Floats, group: Array) -> Floats:
    """Return the number that holds for each person's group."""
    return (
        np.broadcast_to(cuts, len(group))
        if len(cuts) == 1
        else cuts[np.asarray(_known(group, len(cuts)), np.int64)]
    )


def _known(group: Array, count: int) -> Array:
    if count > 1 and len(group) and int(np.asarray(group, np.int64).max()) >= count:
        code = int(np.asarray(group, np.int64).max())
        problem = f"world.settings.groups names {count} groups, and somebody is in group number {code}."
        raise DataError(problem, "Name all of people.groups.names, in their order.")
    return group


def _in_order(given: tuple[str, ...], groups: tuple[str, ...], what: str) -> tuple[str, ...]:
    if given == (EVERYBODY,):
        return given
    if set(given) != set(groups):
        problem = f"world.settings: {what} is told for {', '.join(given)}, and groups are {list(groups)}."
        raise ScenarioError(problem, "Give world.settings.groups the names of people.groups, in their order.")
    return groups


def _written(curve: Curve) -> tuple[Floats, dict[str, Floats]]:
    told = curve.chances if isinstance(curve.chances, dict) else {EVERYBODY: curve.chances}
    return np.array(curve.scores), {name: np.array(row) for name, row in told.items()}


def _read(curve: Curve, data: Path | None) -> tuple[Floats, dict[str, Floats]]:
    from rehearse.tables import read_table

    if curve.table == DATA and data is None:
        problem = "world.settings.repayment.curve.table is 'data', and the run was given no data."
        raise ScenarioError(problem, "Give a table with --data, or name a file.")
    found = read_table(data if curve.table == DATA and data is not None else Path(str(curve.table)))
    if curve.by is not None and isinstance(curve.of, str):
        return _by_row(curve, found, str(curve.by))
    columns = curve.of if isinstance(curve.of, dict) else {EVERYBODY: curve.of}
    for name in (curve.at, *columns.values()):
        if name not in found or found[name].dtype.kind not in "biuf":
            problem = f"world.settings.repayment.curve needs a column of numbers {name!r}."
            raise DataError(problem, f"The table has {', '.join(found)}.")
    scores, first = np.unique(found.numbers(curve.at), return_index=True)
    return scores, {name: found.numbers(column)[first] for name, column in columns.items()}


def _by_row(curve: Curve, found: Columns, by: str) -> tuple[Floats, dict[str, Floats]]:
    """Return the chances of a table with a row for each score of each group."""
    names = [name for name in (by, curve.at, str(curve.of)) if name not in found]
    if names:
        problem = f"world.settings.repayment.curve needs a column {names[0]!r}."
        raise DataError(problem, f"The table has {', '.join(found)}.")
    rows: dict[str, Floats] = {}
    scores = np.unique(found.numbers(curve.at))
    for word in np.unique(found[by]).tolist():
        mine = found.take(np.flatnonzero(found[by] == word))
        own, first = np.unique(mine.numbers(curve.at), return_index=True)
        if not np.array_equal(own, scores):
            problem = f"world.settings.repayment.curve: {word} is not told at the same scores as others."
            raise DataError(problem, "Give a row for each score of each group.")
        rows[str(word)] = mine.numbers(str(curve.of))[first]
    return scores, rows


def _weighed(constant: float, weights: Mapping[str, float], people: Columns, rows: Rows) -> Floats:
    odds = np.full(len(rows), constant)
    for name, weight in weights.items():
        odds += weight * people.numbers(name, rows)
    return odds


def _share(people: Columns, rows: Rows, name: str) -> Floats:
    found = people.numbers(name, rows)
    if len(found) and not (found.min() >= 0.0 and found.max() <= 1.0):
        problem = f"the trait {name!r} says who repays or defaults, and somebody's is {_outside(found):g}."
        raise DataError(problem, "Give 1 for yes and 0 for no, or a chance between them.")
    return found


def _outside(values: Floats) -> float:
    return float(values[~((values >= 0.0) & (values <= 1.0))][0])
