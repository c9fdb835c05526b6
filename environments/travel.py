"""The real travellers behind the scenario `travel`, and what their choices say about their tastes.

210 people who travelled between Sydney, Canberra and Melbourne in 1987, by air, train, bus or car:
what each way would have cost them, how long they would have waited, and which one they took (Greene
and Hensher; see `data/README.md`). Their tastes are estimated by conditional logit
(`rehearse.environments.logit`). Costs are in 1987 Australian dollars, waits in minutes, income in
thousands of dollars a year.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.environments import logit
from rehearse.environments.items import Attribute, make_catalogue
from rehearse.environments.logit import Fit
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


def table() -> Columns:
    """Return the travellers, a row each: gc_air, …, ttme_air, …, hinc, psize, and `chosen` (0 is air)."""
    return Columns(dict(_travellers()))


def fit(people: Columns) -> Fit:
    """Estimate tastes over `ATTRIBUTES` from what people faced and chose.

    Raises DataError where the choices do not identify the tastes.
    """
    return logit.fit(attributes(people), np.asarray(people["chosen"], dtype=np.intp), tuple(ATTRIBUTES))


def attributes(people: Columns) -> Floats:
    """Return what each person faces of each attribute of each way, shape (n, 4, 6)."""
    catalogue = make_catalogue(MODES, ATTRIBUTES, Chance(0))
    return catalogue.faced(people, np.arange(people.length))


def shares(people: Columns, tastes: Floats) -> Floats:
    """Return the part of the people expected to take each way, shape (4,)."""
    return np.asarray(logit.chances(attributes(people), tastes).mean(axis=0))


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
