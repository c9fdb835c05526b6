"""Traits that go together: a Gaussian copula.

Each person gets a standard normal score for every trait; the scores are mixed so that they have the
stated correlations, and each trait's own law turns its score into a value. The laws stay what they
are; only who has which value changes. (Nelsen, "An Introduction to Copulas", 2006, section 2.3.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rehearse.errors import DataError, ScenarioError, did_you_mean
from rehearse.exact import Floats, total
from rehearse.scenario.people import Correlation

Matrix = tuple[tuple[float, ...], ...]

TOLERANCE = 1e-9
LEAST_PIVOT = 1e-10
"""Below this a trait is so nearly determined by the others that the factor would be noise."""


@dataclass(frozen=True, slots=True)
class Copula:
    """Traits that go together, and the lower triangular factor of their correlation matrix."""

    of: tuple[str, ...]
    factor: Matrix

    def mix(self, scores: Mapping[str, Floats]) -> dict[str, Floats]:
        """Turn independent normal scores, by trait, into correlated ones."""
        mixed = {}
        for name, row in zip(self.of, self.factor, strict=True):
            score = row[0] * scores[self.of[0]]
            for weight, other in zip(row[1:], self.of[1:], strict=False):
                score = score + weight * scores[other]
            mixed[name] = score
        return mixed


def copula_of(correlation: Correlation, known: Collection[str], matrix: Matrix) -> Copula:
    """Make the copula of some known traits; raises ScenarioError where the matrix cannot be one."""
    where = f"people.correlations of {', '.join(correlation.of)}"
    for name in correlation.of:
        if name not in known:
            problem = f"{where}: there is no trait {name!r}."
            raise ScenarioError(problem, did_you_mean(name, known))
    if len(set(correlation.of)) < len(correlation.of):
        problem = f"{where}: a trait stands twice."
        raise ScenarioError(problem, "Name each trait once.")
    _check_matrix(matrix, len(correlation.of), where)
    return Copula(correlation.of, cholesky(matrix, where))


def cholesky(matrix: Matrix, where: str = "the matrix") -> Matrix:
    """Return the lower triangular L with L·Lᵀ = matrix, computed row by row in plain floats.

    Raises ScenarioError unless the matrix is positive definite.
    """
    rows: list[list[float]] = []
    for i, given in enumerate(matrix):
        row = [0.0] * len(matrix)
        for j in range(i + 1):
            other = rows[j] if j < i else row
            rest = given[j] - _dot(row, other, j)
            if i != j:
                row[j] = rest / other[j]
            elif rest > LEAST_PIVOT:
                row[j] = float(np.sqrt(rest))
            else:
                problem = (
                    f"{where}: the matrix is not positive definite (row {i + 1} follows from those above)."
                )
                raise ScenarioError(
                    problem, "Such correlations cannot hold together; bring them nearer to 0."
                )
        rows.append(row)
    return tuple(tuple(row) for row in rows)


def measured(columns: Mapping[str, Floats], weights: Floats | None = None) -> Matrix:
    """Return the normal-score correlations that the (weighted) rank correlations of columns imply.

    For a Gaussian copula with correlation r, Spearman's rank correlation is rho = 6/pi · asin(r/2),
    so r = 2 · sin(pi · rho / 6) (Pearson 1907). Equal values share the mean of their ranks. Raises
    DataError for a column that does not vary.
    """
    mass = np.ones(len(next(iter(columns.values())))) if weights is None else weights
    ranks = [_centred_ranks(name, values, mass) for name, values in columns.items()]
    matrix = [[1.0] * len(ranks) for _ in ranks]
    for i, one in enumerate(ranks):
        for j, other in enumerate(ranks[:i]):
            rho = float(total(mass * one * other) / np.sqrt(_spread(one, mass) * _spread(other, mass)))
            matrix[i][j] = matrix[j][i] = 2.0 * _sine(np.pi * rho / 6.0)
    return tuple(tuple(row) for row in matrix)


def _check_matrix(matrix: Matrix, size: int, where: str) -> None:
    if len(matrix) != size or any(len(row) != size for row in matrix):
        shape = f"{len(matrix)} rows of {sorted({len(row) for row in matrix})}"
        problem = f"{where}: {size} traits need a {size} × {size} matrix, found {shape}."
        raise ScenarioError(problem, "Give one row and one column a trait.")
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            mirrored = matrix[j][i]
            if abs(value - mirrored) > TOLERANCE:
                problem = f"{where}: row {i + 1} has {value:g} in column {j + 1}, its mirror {mirrored:g}."
                raise ScenarioError(problem, "Make the matrix symmetric.")
        if abs(row[i] - 1.0) > TOLERANCE:
            problem = f"{where}: diagonal entry {i + 1} is {row[i]:g}."
            raise ScenarioError(problem, "A trait's correlation with itself is 1.")


def _dot(one: Sequence[float], other: Sequence[float], count: int) -> float:
    result = 0.0
    for k in range(count):
        result += one[k] * other[k]
    return result


def _centred_ranks(name: str, values: Floats, mass: Floats) -> Floats:
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) < 2:
        problem = f"column {name!r} is {distinct[0]:g} in every row, so it has no rank correlation."
        raise DataError(problem, "Leave it out of the correlation, or state the matrix.")
    held = np.bincount(place, weights=mass)
    middle = np.cumsum(held) - held / 2.0
    ranks = middle[place]
    return np.asarray(ranks - total(mass * ranks) / total(mass), dtype=np.float64)


def _spread(ranks: Floats, mass: Floats) -> Floats:
    return total(mass * ranks * ranks)


def _sine(x: float) -> float:
    # Taylor's series; up to |x| = pi/6 the first term left out is below 1e-17.
    term = result = x
    for k in range(2, 16, 2):
        term = -term * x * x / (k * (k + 1))
        result += term
    return result
