"""Social filtering: what friends took.

    score_ui = own · n_ui + Σ over friends v of u  n_vi        n: how often a person took an item so far

as in T-RECS (Lucherini and others, arXiv:2107.08959), where a matrix of followers is multiplied with
one of interactions; `own` stands for its diagonal. Friends are those of the scenario's graph at the
start of the society.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rehearse.columns import Rows
from rehearse.contract import Decisions, Network, Requests, Stage
from rehearse.errors import PolicyLoadError
from rehearse.exact import Floats
from rehearse.policies.settings import checked
from rehearse.policies.taken import Retrained, RetrainedSettings
from rehearse.scenario.base import NotNegative


class SocialSettings(RetrainedSettings):
    """Settings of `social-v1`."""

    own: NotNegative = 0.0
    """How much what the person took counts beside what a friend did."""


class Social(Retrained):
    """Ranks items by how often the person's friends took them; needs a graph (people.society.graph).

    It looks at everybody of a society, so that a society must be held in one place.
    """

    name = "social-v1"
    coupled = True

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(SocialSettings, settings, self.name)
        super().__init__(given, stage)
        self._own = given.own
        self._network = stage.ties

    def decide(self, requests: Requests) -> Decisions:
        """Give everybody what their friends took most."""
        network = self._friends()
        rows = self._taken.rows(requests.replica, requests.user)
        slate, score = self._picker.best(requests, lambda at: self._scores(network, rows[at]))
        return Decisions.of(slate, score=score, propensity=1.0, version=self._learned)

    def _friends(self) -> Network:
        if self._network is None:
            problem = f"{self.name} ranks by what friends took, and nobody here has friends."
            raise PolicyLoadError(problem, "Set people.society.graph, to any kind but complete.")
        return self._network

    def _scores(self, network: Network, rows: Rows) -> Floats:
        counts = self._taken.flat
        scores: Floats = counts.take(rows, axis=0).astype(np.float64) * self._own
        starts, stops = network.indptr[rows], network.indptr[rows + 1]
        for place, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
            # Whole numbers: the sum is exact in whatever order.
            scores[place] += counts.take(network.friends[start:stop], axis=0).sum(axis=0, dtype=np.int64)
        return scores
