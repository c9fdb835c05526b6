"""Content filtering: what a person took says what attributes they like.

With A (m, c) what is known of the items and n_u how often person u took each, the profile of u is

    x_u = argmin over x ≥ 0 of |A x − n_u|²,        score_ui = A_i · x_u

as in the replication of Chaney, Stewart and Engelhardt ("How algorithmic confounding in recommendation
systems increases homogeneity and decreases utility", RecSys 2018) with T-RECS (Lucherini and others,
arXiv:2107.08959). It is found from AᵀA and Aᵀn_u alone by sequential coordinate descent (Franc, Hlaváč
and Navara, "Sequential coordinate-wise algorithm for the non-negative least squares problem", 2005),
for many people at once and always from 0, so that a profile follows from what was taken and nothing
else. scipy's `nnls` solves for one person at a time and rounds as its libraries do: it would be slower,
and not the same bits on every machine. Where items do not tell attributes apart the two may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rehearse.contract import Decisions, Requests, Stage
from rehearse.errors import PolicyLoadError
from rehearse.exact import Floats, grid_limit, matmul, on_grid, total
from rehearse.policies.settings import checked
from rehearse.policies.taken import Retrained, RetrainedSettings
from rehearse.scenario.base import Positive

SWEEPS = 400
AT_ONCE = 4096
"""People whose profiles are found together; it changes no result."""


class ContentSettings(RetrainedSettings):
    """Settings of `content-v1`."""

    close: Positive = 1e-6
    """How exactly a profile is found: the largest step left, in units of taking one item."""


class Content(Retrained):
    """Ranks items by how well their attributes fit what a person took; retrained after every tick.

    The scenario says what is known of items (`world.settings.catalogue` of recommend-v1); before
    anything was taken all items fit alike.
    """

    name = "content-v1"

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(ContentSettings, settings, self.name)
        super().__init__(given, stage)
        self._close = given.close
        self._known: tuple[Floats | None, Floats] = (None, np.zeros((0, 0)))

    def decide(self, requests: Requests) -> Decisions:
        """Give everybody the items that fit them best."""
        catalogue, gram = self._catalogue(requests)
        rows = self._taken.rows(requests.replica, requests.user)
        profile = np.empty((len(rows), len(gram)))
        for start in range(0, len(rows), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            # Whole numbers times numbers on the grid: sums are exact in whatever order.
            wanted = np.matmul(self._taken.flat.take(rows[some], axis=0).astype(np.float64), catalogue)
            profile[some] = nonnegative(gram, wanted, self._close)
        size = np.maximum(profile.max(axis=1, initial=0.0), 1e-300)[:, None]
        shape = np.where(size > 1e-300, profile / size, 0.0)
        columns = np.ascontiguousarray(catalogue.T)
        slate, score = self._picker.best(requests, lambda at: matmul(shape[at], columns))
        return Decisions.of(slate, score=score * size[:, 0], propensity=1.0, version=self._learned)

    def _catalogue(self, requests: Requests) -> tuple[Floats, Floats]:
        given = requests.catalogue
        if given is None:
            problem = f"{self.name} knows nothing of the items of this world."
            raise PolicyLoadError(problem, "Name attributes under world.settings.catalogue.")
        if self._known[0] is not given:
            items = on_grid(given, grid_limit(given.shape[1]))
            self._known = (given, total((items[:, :, None] * items[:, None, :]).transpose(1, 2, 0)))
        return on_grid(given, grid_limit(given.shape[1])), self._known[1]


def nonnegative(gram: Floats, wanted: Floats, close: float = 1e-9) -> Floats:
    """Return for each row b of `wanted` (n, c) the x ≥ 0 that makes xᵀGx / 2 − bᵀx least, shape (n, c).

    With G = AᵀA (c, c) and b = Aᵀy this is the non-negative least-squares fit of y. Each number is
    moved to its best in turn, again and again, until no step of a row, measured by what it changes,
    exceeds `close`. Every row stands alone; attributes that no item has get 0.
    """
    x = np.zeros(wanted.shape)
    slope = -wanted.astype(np.float64)
    scale = np.sqrt(np.diag(gram))
    here = np.flatnonzero(scale > 0.0)
    left = np.arange(len(x))
    for _ in range(SWEEPS):
        if not len(left):
            break
        now, down = x[left], slope[left]
        most = np.zeros(len(left))
        for j in here:
            moved = np.maximum(now[:, j] - down[:, j] / gram[j, j], 0.0)
            step = moved - now[:, j]
            down += step[:, None] * gram[j]
            now[:, j] = moved
            np.maximum(most, np.abs(step) * scale[j], out=most)
        x[left], slope[left] = now, down
        left = left[most > close]
    return x
