"""The real travellers behind the scenario `travel`, and what their choices say about their tastes.

210 people who travelled between Sydney, Canberra and Melbourne in 1987, by air, train, bus or car:
what each way would have cost them, how long they would have waited, and which one they took (Greene
and Hensher; see `data/README.md`). Their tastes are estimated by conditional logit (McFadden,
"Conditional logit analysis of qualitative choice behavior", 1974): with attributes x_pi of way i for
person p and tastes β,

    P(p takes i) = exp(β·x_pi) / Σ_j exp(β·x_pj),   log-likelihood = Σ_p ln P(p takes what p took),

which is concave in β, so that Newton's method finds its only maximum. Costs are in 1987 Australian
dollars, waits in minutes, income in thousands of dollars a year.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.environments.items import Attribute, make_catalogue
from rehearse.errors import DataError
from rehearse.exact import Floats

MODES = ("air", "train", "bus", "car")
ATTRIBUTES = {
    "gc": Attribute(column="gc_{item}"),
    "ttme": Attribute(column="ttme_{item}"),
    "air": Attribute(item="air"),
    "train": Attribute(item="train"),
    "bus": Attribute(item="bus"),
    "air_income": Attribute(item="air", times="hinc"),
}
"""What tastes are estimated over: generalised cost, terminal time, constants, income × air."""
FILE = Path(__file__).parent / "data" / "modechoice.csv"
FACED = ("ttme", "invc", "invt", "gc")
"""Columns of the file that differ from way to way; the others are the person's."""
STEPS = 50
CLOSE = 1e-10


@dataclass(frozen=True, slots=True)
class Fit:
    """Tastes estimated by maximum likelihood."""

    names: tuple[str, ...]
    estimates: Floats
    errors: Floats
    """Standard errors, from the inverse of the information matrix."""
    log_likelihood: float


def table() -> Columns:
    """Return the travellers, a row each: gc_air, …, ttme_air, …, hinc, psize, and `chosen` (0 is air)."""
    return Columns(dict(_travellers()))


def fit(people: Columns) -> Fit:
    """Estimate tastes over `ATTRIBUTES` from what people faced and chose.

    Raises DataError where the choices do not identify the tastes.
    """
    faced = attributes(people)
    chosen = np.asarray(people["chosen"], dtype=np.intp)
    taken = np.take_along_axis(faced, chosen[:, None, None], axis=1)[:, 0]
    tastes = np.zeros(len(ATTRIBUTES))
    for _ in range(STEPS):
        chances = _chances(faced, tastes)
        mean = np.einsum("nm,nmd->nd", chances, faced)
        gradient = (taken - mean).sum(axis=0)
        spread = faced - mean[:, None]
        information = np.einsum("nm,nmd,nme->de", chances, spread, spread)
        step = _solve(information, gradient)
        tastes = tastes + step
        if float(gradient @ step) < CLOSE:
            break
    likelihood = np.log(np.take_along_axis(_chances(faced, tastes), chosen[:, None], axis=1)).sum()
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return Fit(tuple(ATTRIBUTES), tastes, errors, float(likelihood))


def attributes(people: Columns) -> Floats:
    """Return what each person faces of each attribute of each way, shape (n, 4, 6)."""
    catalogue = make_catalogue(MODES, ATTRIBUTES, Chance(0))
    return catalogue.faced(people, np.arange(people.length))


def shares(people: Columns, tastes: Floats) -> Floats:
    """Return the part of the people expected to take each way, shape (4,)."""
    return np.asarray(_chances(attributes(people), tastes).mean(axis=0))


def _chances(faced: Floats, tastes: Floats) -> Floats:
    utility = faced @ tastes
    weight = np.exp(utility - utility.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _solve(information: Floats, gradient: Floats) -> Floats:
    # Numbers of very different size (dollars beside constants) need not mean an unsolvable system.
    size = np.sqrt(np.diag(information))
    scaled = information / np.maximum(np.outer(size, size), np.finfo(float).tiny)
    if not np.isfinite(scaled).all() or np.linalg.cond(scaled) > 1.0 / CLOSE:
        problem = f"the choices do not identify the tastes for {', '.join(ATTRIBUTES)}."
        raise DataError(problem, "Give people who differ in what they faced and in what they took.")
    return np.asarray(np.linalg.solve(information, gradient))


@lru_cache(maxsize=1)
def _travellers() -> dict[str, Array]:
    with FILE.open(encoding="ascii") as file:
        header = file.readline().strip().split(";")
        rows = np.loadtxt(file, delimiter=";")
    lines = {name: rows[:, k].reshape(-1, len(MODES)) for k, name in enumerate(header)}
    wide: dict[str, Array] = {
        f"{name}_{mode}": lines[name][:, way] for name in FACED for way, mode in enumerate(MODES)
    }
    wide |= {"hinc": lines["hinc"][:, 0], "psize": lines["psize"][:, 0]}
    return wide | {"chosen": lines["choice"].argmax(axis=1).astype(np.int64)}
