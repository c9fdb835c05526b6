"""Logistic regression to its optimum, with the same bits on every machine.

Minimised over weights w and the constant b, for n rows with labels y in {0, 1},

    (1/n) Σ [ln(1 + e^z) − y z] + (λ/2) |w|²,    z = b + w · x,  the constant without a penalty

by Newton's method with steps halved where they would go up. Sums are made in a fixed tree
(`rehearse.exact`) and the equations solved by Cholesky's method in plain numbers: no BLAS, whose last
bits depend on the machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rehearse.exact import Floats, exp, log, sigmoid, total

STEPS = 60
HALVINGS = 40
CLOSE = 1e-22
"""Newton's decrement, gradient · step, at which the optimum is reached."""
RIDGE = 1e-12
"""Added to what Cholesky's method divides by, where features are copies of one another."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model."""

    weights: Floats
    """Shape (d,)."""
    constant: float
    loss: float
    """What is minimised, the penalty included."""
    accuracy: float
    """The share of rows on whose side of one half the label lies."""


def fit(features: Floats, labels: Floats, penalty: float) -> Fit:
    """Return the optimum for features (n, d) and labels (n,), of which there must be both kinds."""
    columns = [np.ascontiguousarray(column, dtype=np.float64) for column in features.T]
    columns.append(np.ones(len(labels)))
    pull = [penalty] * (len(columns) - 1) + [0.0]
    weights = [0.0] * len(columns)
    loss = _loss(columns, labels, weights, pull)
    for _ in range(STEPS):
        slope, curve = _slopes(columns, labels, weights, pull)
        step = solved(curve, slope)
        weights, lower = _lowered(columns, labels, weights, pull, step, loss)
        done = sum(g * s for g, s in zip(slope, step, strict=True)) <= CLOSE or lower >= loss
        loss = min(loss, lower)
        if done:
            break
    right = (_scores(columns, weights) > 0.0) == (labels > 0.5)
    return Fit(np.array(weights[:-1]), weights[-1], loss, float(np.count_nonzero(right)) / len(labels))


def solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Return x with matrix · x = right, for a symmetric matrix that is positive definite (Cholesky)."""
    size = len(right)
    low = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j] - sum(low[i][k] * low[j][k] for k in range(j))
            low[i][j] = math.sqrt(max(rest, RIDGE)) if i == j else rest / low[j][j]
    half = [0.0] * size
    for i in range(size):
        half[i] = (right[i] - sum(low[i][k] * half[k] for k in range(i))) / low[i][i]
    found = [0.0] * size
    for i in reversed(range(size)):
        found[i] = (half[i] - sum(low[k][i] * found[k] for k in range(i + 1, size))) / low[i][i]
    return found


def _scores(columns: list[Floats], weights: list[float]) -> Floats:
    scores = np.zeros(len(columns[0]))
    for column, weight in zip(columns, weights, strict=True):
        scores += weight * column
    return scores


def _loss(columns: list[Floats], labels: Floats, weights: list[float], pull: list[float]) -> float:
    z = _scores(columns, weights)
    each = np.maximum(z, 0.0) - labels * z + log(1.0 + exp(-np.abs(z)))
    return float(total(each)) / len(labels) + 0.5 * sum(p * w * w for p, w in zip(pull, weights, strict=True))


def _slopes(
    columns: list[Floats], labels: Floats, weights: list[float], pull: list[float]
) -> tuple[list[float], list[list[float]]]:
    """Return the gradient and the matrix of second derivatives."""
    n, size = len(labels), len(columns)
    chance = sigmoid(_scores(columns, weights))
    off, spread = chance - labels, chance * (1.0 - chance)
    slope = [float(total(off * columns[j])) / n + pull[j] * weights[j] for j in range(size)]
    curve = [[0.0] * size for _ in range(size)]
    for i in range(size):
        weighed = spread * columns[i]
        for j in range(i + 1):
            curve[i][j] = curve[j][i] = float(total(weighed * columns[j])) / n + (pull[i] if i == j else 0.0)
    return slope, curve


def _lowered(
    columns: list[Floats],
    labels: Floats,
    weights: list[float],
    pull: list[float],
    step: list[float],
    loss: float,
) -> tuple[list[float], float]:
    """Return the weights after the step, or after the largest half of a half of it that does not go up."""
    size = 1.0
    for _ in range(HALVINGS):
        tried = [w - size * s for w, s in zip(weights, step, strict=True)]
        lower = _loss(columns, labels, tried, pull)
        if lower <= loss:
            return tried, lower
        size *= 0.5
    return weights, loss
