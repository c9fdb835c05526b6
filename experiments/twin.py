"""A synthetic twin of a table of people: like it in each column and in what goes together, each row invented.

    from rehearse.experiments.twin import twin, write
    from rehearse.tables import read_table

    table = read_table(Path("applicants.csv"))
    write(twin(table, rows=1000, seed=7, label="bad", codes=["purpose"]), "twin.csv")

Every column keeps its distribution, and each pair its rank correlation, through a Gaussian copula (Nelsen,
"An Introduction to Copulas", 2006, section 2.3; `rehearse.agents.copula`). Codes without an order (`codes`)
are put in the order of the label's mean among them, so that what they say about the label is kept. A column
of many values is drawn between those that were observed. A row that equals one of the table is drawn again.
What three columns say only together is lost; and a twin is no proof of privacy: rare values are still told.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rehearse.agents.copula import Matrix, cholesky, measured
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.errors import DataError, ScenarioError, did_you_mean
from rehearse.exact import Floats, normal_cdf, normal_from_uniform

MANY = 20
"""A column of more distinct values than this is drawn between them."""
SHRINK = 0.98
"""What measured correlations are multiplied by until they can hold together."""
TRIES = 50


def twin(
    table: Columns, *, rows: int, seed: int, label: str | None = None, codes: Sequence[str] = ()
) -> Columns:
    """Return a table of so many rows with the columns of another, all of them numbers.

    `label` is the column that orders `codes`. Raises DataError for a column that is not there, is no
    number or never varies.
    """
    told = {name: _numbers(table, name) for name in table}
    orders = {name: _order(told[name], _numbers(table, label or name)) for name in codes}
    ranked = {name: orders[name][1] if name in orders else values for name, values in told.items()}
    factor = _factor(_continuous(measured(ranked), list(ranked.values())))
    kept: list[tuple[float, ...]] = []
    taken, known = 0, {*zip(*told.values(), strict=True)}
    while len(kept) < rows and taken < TRIES * rows:
        people = np.arange(taken, taken + rows)
        found = _drawn(ranked, factor, Chance(seed), people)
        for name, (values, _) in orders.items():
            found[name] = values[found[name].astype(np.int64)]
        kept += [row for row in zip(*(c.tolist() for c in found.values()), strict=True) if row not in known]
        taken += rows
    return Columns(dict(zip(told, np.array(kept[:rows]).T, strict=True)))


def write(table: Mapping[str, Floats], path: str | Path) -> None:
    """Write columns of numbers as CSV, whole ones without a point."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(table)
        for row in zip(*(column.tolist() for column in table.values()), strict=True):
            out.writerow([int(value) if float(value).is_integer() else value for value in row])


def _numbers(table: Columns, name: str) -> Floats:
    if name not in table:
        problem = f"the table has no column {name!r}."
        raise DataError(problem, did_you_mean(name, table))
    if table[name].dtype.kind not in "biuf":
        problem = f"column {name!r} holds no numbers."
        raise DataError(problem, "Write codes for words, and name it in `codes`.")
    return table.numbers(name)


def _order(values: Floats, label: Floats) -> tuple[Floats, Floats]:
    """Return codes in the order of the label's mean among them, and each row's place in that order."""
    distinct, place = np.unique(values, return_inverse=True)
    means = np.bincount(place, weights=label) / np.bincount(place)
    order = np.argsort(means, kind="stable")
    return distinct[order], np.argsort(order, kind="stable")[place].astype(np.float64)


def _continuous(matrix: Matrix, columns: Sequence[Floats]) -> Matrix:
    """Return the correlations that lie behind those of columns with few values, whose ties hide some.

    Mean ranks of k values with shares p have 1 − Σp³ of the variance of ranks without ties (Kendall,
    "Rank Correlation Methods", 1948), so a correlation loses about the roots of both.
    """
    seen = [
        np.sqrt(1.0 - float(((np.unique(c, return_counts=True)[1] / len(c)) ** 3).sum())) for c in columns
    ]
    return tuple(
        tuple(1.0 if i == j else max(-0.95, min(0.95, r / (seen[i] * seen[j]))) for j, r in enumerate(row))
        for i, row in enumerate(matrix)
    )


def _factor(matrix: Matrix) -> Matrix:
    """Return the triangular factor of correlations, brought nearer to 0 until they can hold together."""
    while True:
        try:
            return cholesky(matrix)
        except ScenarioError:
            nearer = [
                [x if i == j else SHRINK * x for j, x in enumerate(row)] for i, row in enumerate(matrix)
            ]
            matrix = tuple(tuple(row) for row in nearer)


def _drawn(
    columns: Mapping[str, Floats], factor: Matrix, chance: Chance, people: np.ndarray
) -> dict[str, Floats]:
    uniform = {name: chance.uniform(f"twin/{name}", 0, people)[:, 0] for name in columns}
    scores = [normal_from_uniform(u) for u in uniform.values()]
    found = {}
    for row, (name, values) in zip(factor, columns.items(), strict=True):
        mixed = sum(weight * score for weight, score in zip(row, scores, strict=False))
        found[name] = _quantile(np.sort(values), normal_cdf(mixed))
    return found


def _quantile(observed: Floats, u: Floats) -> Floats:
    """Return the values at standings u in (0, 1): observed ones, or between them where there are many."""
    place = u * len(observed) - 0.5
    if len(np.unique(observed)) <= MANY:
        return observed[np.clip(np.rint(place), 0, len(observed) - 1).astype(np.int64)]
    between = np.interp(place, np.arange(len(observed)), observed)
    whole = bool((observed == np.rint(observed)).all())
    return np.rint(between) if whole else between
