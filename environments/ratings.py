"""Items and people from real ratings: the factors of a ratings matrix become attributes and tastes.

Of a file with a line a rating (userId, movieId, rating; more columns are left alone), the items
rated most often are kept. With r_ui the rating of item i by person u in stars,

    quality    b_i = Σ_u (r_ui − mean) / (count_i + 5)
    leniency   b_u = Σ_i (r_ui − mean − b_i) / (count_u + 5)
    rest       e_ui = r_ui − mean − b_i − b_u where rated, 0 elsewhere
    vectors    V, the right vectors of the largest singular values of e, scaled: x_i = √m · spread · V_i
    tastes     t_u = argmin Σ_(i rated by u) (e_ui − t · x_i)² + ridge · |t|²

The shrunk means are the baselines of Koren ("Factorization meets the neighborhood", 2008), the
vectors the factors of PureSVD (Cremonesi and others, "Performance of recommender algorithms on top-N
recommendation tasks", 2010). Tastes depart from PureSVD, whose zeros for what was not rated would
give strong tastes to those who rated much. A star is worth `strength` in utility, which is an
assumption: true utility is strength · (t_u · x_i + b_i).

Singular vectors have no sign and the last bits of a decomposition differ between machines: each
vector's largest entry is made positive, and all numbers are rounded to multiples of 2⁻¹².
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rehearse.columns import Array, Columns
from rehearse.environments.items import Catalogue
from rehearse.errors import DataError
from rehearse.exact import Floats
from rehearse.scenario.base import Positive, Strict

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

NEEDED = ("userId", "movieId", "rating")
SHRINK = 5.0
"""Ratings at the mean that each item and person is taken to have besides their own."""
STEP = 2.0**-12
Places = NDArray[np.intp]


class Ratings(Strict):
    """How items and tastes are made from a file of ratings."""

    dims: Annotated[int, Field(ge=1, le=256)] = 16
    """Factors: the attributes vector_1, vector_2, …; `quality` comes last."""
    min_ratings: Annotated[int, Field(ge=1)] = 20
    """Items and people with fewer ratings are left out."""
    spread: Positive = 0.25
    """Standard deviation of the entries of items' vectors, about the origin."""
    ridge: Positive = 10.0
    """How strongly tastes are drawn towards none, in squared stars for a taste of length 1."""
    strength: Positive = 1.0
    """Utility of a star."""


@dataclass(frozen=True, slots=True)
class _Marks:
    """Ratings with people and items counted from 0."""

    person: Places
    item: Places
    stars: Floats
    people: Array
    """The ids of the people, by number."""
    items: Array

    def of_items(self, keep: Places) -> _Marks:
        """Return the ratings of these items (by number), with all counted anew."""
        number = np.full(len(self.items), -1)
        number[keep] = np.arange(len(keep))
        lines = np.flatnonzero(number[self.item] >= 0)
        people, person = np.unique(self.person[lines], return_inverse=True)
        return _Marks(
            person, number[self.item[lines]], self.stars[lines], self.people[people], self.items[keep]
        )

    def of_people(self, least: int) -> _Marks:
        """Return the ratings of those who gave at least so many."""
        lines = np.flatnonzero(np.bincount(self.person)[self.person] >= least)
        people, person = np.unique(self.person[lines], return_inverse=True)
        return _Marks(person, self.item[lines], self.stars[lines], self.people[people], self.items)


def read(path: Path, settings: Ratings, count: int) -> tuple[Catalogue, Columns]:
    """Return the catalogue of the `count` items rated most, and the people with their tastes.

    The people's table has `person` (their id in the file), `ratings` (how many they gave) and a
    column taste_NAME for each attribute. Raises DataError where the file does not hold enough.
    """
    marks = _often_rated(_read_marks(path), settings.min_ratings, count)
    _check_size(path, marks, settings)
    items, people = _factors(marks, settings)
    names = (*(f"vector_{k + 1}" for k in range(settings.dims)), "quality")
    table: dict[str, Array] = {"person": marks.people, "ratings": np.bincount(marks.person)}
    table |= {f"taste_{name}": people[:, k] for k, name in enumerate(names)}
    return Catalogue(tuple(f"item_{i}" for i in marks.items), names, items), Columns(table)


def _read_marks(path: Path) -> _Marks:
    from rehearse.tables import read_table

    table = read_table(path)
    missing = [name for name in NEEDED if name not in table]
    if missing:
        problem = f"{path} has no column {', '.join(missing)}; it has {', '.join(table)}."
        raise DataError(problem, "A file of ratings has the columns userId, movieId and rating.")
    for name in NEEDED:
        if table[name].dtype.kind not in "iuf" or not np.isfinite(table.numbers(name)).all():
            problem = f"{path}: column {name} holds something that is not a number."
            raise DataError(problem, "Give a finite number on every line.")
    people, person = np.unique(table["userId"], return_inverse=True)
    items, item = np.unique(table["movieId"], return_inverse=True)
    return _Marks(person, item, table.numbers("rating"), people, items)


def _often_rated(marks: _Marks, least: int, count: int) -> _Marks:
    often = np.bincount(marks.item, minlength=len(marks.items))
    first = np.argsort(-often, kind="stable")[:count]
    return marks.of_items(np.sort(first[often[first] >= least])).of_people(least)


def _check_size(path: Path, marks: _Marks, settings: Ratings) -> None:
    smaller = min(len(marks.people), len(marks.items))
    if smaller <= settings.dims:
        problem = (
            f"{path} has {len(marks.people)} people and {len(marks.items)} items with at least "
            f"{settings.min_ratings} ratings, too few for {settings.dims} factors."
        )
        raise DataError(problem, "Lower world.settings.ratings.dims or min_ratings, or give more ratings.")


def _factors(marks: _Marks, settings: Ratings) -> tuple[Floats, Floats]:
    """Return the items' attributes (m, d) and the people's tastes (people, d), quality last."""
    from scipy.sparse import csr_matrix

    rest = marks.stars - marks.stars.mean()
    quality = _shrunk_means(rest, marks.item, len(marks.items))
    rest = rest - quality[marks.item]
    rest = rest - _shrunk_means(rest, marks.person, len(marks.people))[marks.person]
    matrix = csr_matrix((rest, (marks.person, marks.item)), shape=(len(marks.people), len(marks.items)))
    vectors = _right_vectors(matrix, settings.dims) * (np.sqrt(len(quality)) * settings.spread)
    tastes = _tastes(matrix, vectors, settings.ridge)
    items = np.column_stack([vectors, quality])
    people = settings.strength * np.column_stack([tastes, np.ones(len(tastes))])
    return np.rint(items / STEP) * STEP, np.rint(people / STEP) * STEP


def _right_vectors(matrix: csr_matrix, count: int) -> Floats:
    """Return the right vectors (m, count) of the largest singular values, those first, signs fixed."""
    from scipy.sparse.linalg import svds

    start = 1.0 / np.arange(1.0, min(matrix.shape) + 1.0)
    found: Any = svds(matrix, k=count, v0=start, tol=0.0, return_singular_vectors="vh")
    right: Floats = found[2][::-1].T
    largest = right[np.abs(right).argmax(axis=0), np.arange(count)]
    return right * np.where(largest < 0.0, -1.0, 1.0)


def _tastes(matrix: csr_matrix, vectors: Floats, ridge: float) -> Floats:
    """Return each person's ridge regression of their ratings on the vectors of what they rated."""
    tastes = np.zeros((matrix.shape[0], vectors.shape[1]))
    for person, (first, last) in enumerate(pairwise(matrix.indptr)):
        rated = vectors[matrix.indices[first:last]]
        square = rated.T @ rated + ridge * np.eye(vectors.shape[1])
        tastes[person] = np.linalg.solve(square, rated.T @ matrix.data[first:last])
    return tastes


def _shrunk_means(values: Floats, groups: Places, count: int) -> Floats:
    """Return the mean of each group, drawn towards 0 as if `SHRINK` more values were there."""
    sums, sizes = np.bincount(groups, weights=values, minlength=count), np.bincount(groups, minlength=count)
    return np.asarray(sums / (sizes + SHRINK))
