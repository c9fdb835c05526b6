"""Designs: the points of the axes that a sweep visits. The one door to scipy's quasi-Monte Carlo.

Latin hypercubes, Sobol' and Halton sequences are those of `scipy.stats.qmc`, scrambled with the seed of
the design. `saltelli` visits, for n base points of a Sobol' sequence in 2d dimensions, the matrices A, B and
A with one column from B (Saltelli 2002, 2010), row by row: n · (d + 2) points, or n · (2d + 2) with those
of B with one column from A for indices of pairs. `morris` walks n trajectories of d + 1 points over a
grid of levels, one axis a step (Morris 1991; step levels / (2 (levels − 1))).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.chance import Chance
from rehearse.errors import ScenarioError
from rehearse.experiments.sweep.plan import Design, Planned
from rehearse.scenario.axes import Axis

Unit = NDArray[np.float64]
"""Points in the unit cube, a row a point."""
Values = tuple[Any, ...]
"""The value of each axis at a point."""


def points(planned: Planned) -> list[Values]:
    """Return the values of the axes at every point, in the order of the design.

    Raises ScenarioError where axes and design do not go together.
    """
    axes, design = planned.axes, planned.plan.design
    if not axes:
        return [()]
    if design.draws:
        rows = cube(planned).tolist()
        return [tuple(value_at(a, u) for a, u in zip(axes.values(), row, strict=True)) for row in rows]
    listed = [_listed(planned, name, axis) for name, axis in axes.items()]
    if design.kind != "zip":
        return list(itertools.product(*listed))
    lengths = {name: len(values) for name, values in zip(axes, listed, strict=True)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {n}" for name, n in lengths.items())
        problem = f"{planned.place('design')}: axes that are zipped have as many values each, found {told}."
        raise ScenarioError(problem, "Give each as many, or take the product.")
    return list(zip(*listed, strict=True))


def cube(planned: Planned) -> Unit:
    """Return the points of a design that draws, in the unit cube: shape (points, axes)."""
    return _DRAWN[planned.plan.design.kind](planned.plan.design, len(planned.axes))


def _listed(planned: Planned, name: str, axis: Axis | list[Any]) -> list[Any]:
    if isinstance(axis, list):
        return axis
    if axis.step is not None and axis.range is not None:
        low, high = axis.range
        count = math.floor((high - low) / axis.step + 1e-9) + 1
        return [_rounded(axis, low + i * axis.step) for i in range(count)]
    if axis.steps is None:
        problem = f"{planned.place('axes', name)}: how many values is not said."
        raise ScenarioError(problem, "Add `steps: 5`, or take a design that draws, such as sobol.")
    return [value_at(axis, i / (axis.steps - 1)) for i in range(axis.steps)]


def value_at(axis: Axis | Sequence[Any], share: float) -> Any:
    """Return the value of an axis at a share of its way, from 0 to 1; of listed ones all are as likely."""
    if not isinstance(axis, Axis):
        return axis[min(int(share * len(axis)), len(axis) - 1)]
    if axis.log is not None:
        low, high = axis.log
        return _rounded(axis, low * (high / low) ** share)
    low, high = axis.range or (0.0, 1.0)
    return _rounded(axis, low + (high - low) * share)


def _rounded(axis: Axis, value: float) -> float | int:
    # Twelve digits: 0.1 · 3 is meant to be 0.3, and names of runs hang on it.
    return round(value) if axis.whole else float(f"{value:.12g}")


def _latin(design: Design, axes: int) -> Unit:
    from scipy.stats import qmc

    drawn: Unit = qmc.LatinHypercube(axes, rng=design.seed).random(design.n)
    return drawn


def _halton(design: Design, axes: int) -> Unit:
    from scipy.stats import qmc

    drawn: Unit = qmc.Halton(axes, rng=design.seed).random(design.n)
    return drawn


def _sobol(design: Design, axes: int) -> Unit:
    from scipy.stats import qmc

    count = design.n or 1
    whole = 1 << (count - 1).bit_length()  # a Sobol' sequence is balanced at powers of two
    drawn: Unit = qmc.Sobol(axes, rng=design.seed).random(whole)[:count]
    return drawn


def _saltelli(design: Design, axes: int) -> Unit:
    both = _sobol(design, 2 * axes)
    a, b = both[:, :axes], both[:, axes:]
    matrices = [a, *(_swapped(a, b, i) for i in range(axes))]
    matrices += [_swapped(b, a, i) for i in range(axes)] if design.second_order else []
    return np.asarray(np.stack([*matrices, b], axis=1).reshape(-1, axes), dtype=np.float64)


def _swapped(into: Unit, source: Unit, column: int) -> Unit:
    mixed: Unit = into.copy()
    mixed[:, column] = source[:, column]
    return mixed


def _morris(design: Design, axes: int) -> Unit:
    """Return trajectories: each begins somewhere on the grid and moves one axis after another, up or down."""
    step = design.levels / (2.0 * (design.levels - 1))
    low = design.levels - math.floor(step * (design.levels - 1) + 0.5)
    chance, walks = Chance(design.seed), []
    for walk in range(design.n or 1):
        drawn = chance.uniform("morris", 0, np.array([walk]), count=3 * axes)[0]
        start = np.floor(drawn[:axes] * low) / (design.levels - 1)
        up = drawn[axes : 2 * axes] < 0.5
        at: Unit = np.where(up, start, start + step)
        rows: list[Unit] = [at.copy()]
        for i in np.argsort(drawn[2 * axes :], kind="stable"):
            at[i] += step if up[i] else -step
            rows.append(at.copy())
        walks.append(np.stack(rows))
    clipped: Unit = np.clip(np.concatenate(walks), 0.0, 1.0)
    return clipped


_DRAWN: dict[str, Callable[[Design, int], Unit]] = {
    "latin-hypercube": _latin,
    "sobol": _sobol,
    "halton": _halton,
    "saltelli": _saltelli,
    "morris": _morris,
}
