"""Contagion: few treatments a tick among people who infect one another.

People stand on a graph and catch something from friends by a social rule of theirs (`sir-v1`, `seir-v1`,
`sis-v1`; SI is SIR without recovery), which works after the sessions of a tick. The model answers for each
person whether to treat; of those it would treat in a society, the `doses` with the highest score get it:

    treatment    stage → `treats`[stage] with chance `efficacy`, susceptible → recovered by default
    contagion    then, all at once: S → I with 1 − (1 − τ)^(infectious friends), I → R with chance ρ, …
    truth        worth · 1[treated would change stage] − price for treating, 0 for not
    reward       1 where a treatment changed a stage
    cost         price of each dose given
    harm         severity for each tick in which a person is infected, after treatment

So treated people change first, and then it spreads, as in Atwood, Srinivasan, Halpern and Sculley, "Fair
treatment allocations in social networks" (arXiv:1911.05489, 2019; ml-fairness-gym's infectious disease).
Ties among equal scores, and models that give none, are drawn by lot. The truth is of the person alone: whom
treating saves from infection is seen in the course of the contagion, not in `regret`.

What a model sees: `stage_seen` (the code of the stage; an infected person is seen as such with chance
`detect`, anew each tick, and else as susceptible) and the columns of people named in `shows`, such as
`degree` and `centrality` (rule `centrality-v1`) or how many friends are ill (rule `friends-v1`).

Columns of a turn, besides those of every world: `treated` (1: got a dose), `stage` (before the dose), and
the column of stages itself (after it). The measures of the rule count the people in each stage by tick.
A drift moves `doses` (rounded) and `detect`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.contract import Decisions, End, Flags, Offer, Outcomes, Responses, Turn
from rehearse.environments.triage.passing import societies
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.base import Name, NotNegative, Share, Strict
from rehearse.scenario.drift import Moves
from rehearse.scenario.model import Drift
from rehearse.scenario.wrong import check

TREAT, WAIT = 0, 1
SUSCEPTIBLE = 0


class Settings(Strict):
    """What a scenario writes under `world.settings`."""

    kind: Literal["contagion"] = "contagion"
    doses: int = Field(default=1, ge=0)
    """How many treatments there are in a tick, in each society."""
    column: Name = "infection"
    """The column of stages that the social rule moves."""
    stages: tuple[Name, ...] = Field(default=("susceptible", "infected", "recovered"), min_length=2)
    """What the codes 0, 1, … of the column mean; with seir-v1 there is `exposed` between the first two."""
    treats: dict[Name, Name] = Field(default={"susceptible": "recovered"})
    """What a treatment makes of people in a stage; those in others stay as they are."""
    efficacy: Share = 1.0
    """The chance that a treatment works."""
    detect: Share = 1.0
    """The chance that an infected person is seen as such in a tick."""
    shows: tuple[Name, ...] = ()
    """Columns of people that the model may see."""
    worth: NotNegative = 1.0
    """What a treatment that changes a stage is worth to the person."""
    price: NotNegative = 0.1
    """What a treatment costs, in the same unit."""
    severity: NotNegative = 1.0
    """The harm of a tick of infection."""


def build(
    settings: Mapping[str, Any], data: Path | None, drift: tuple[Drift, ...], chance: Chance
) -> Contagion:
    """Return the world; raises ScenarioError for what does not fit."""
    if data is not None:
        problem = f"the data file {str(data)!r} was given to a world of contagion, which reads none."
        raise ScenarioError(problem, "Give people their ties by people.society.graph (kind: edges).")
    del chance  # treatments are drawn as they are given
    return Contagion(check(Settings, dict(settings), under="world.settings"), drift)


class Contagion:
    """Treatments among people who infect one another (`contract.World`); see the module's docstring."""

    name = "triage-v1"
    items: tuple[str, ...] = ("treat", "wait")
    refusals: tuple[str, ...] = ("wait",)
    attributes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    coupled = True
    bytes_per_user = 0
    may_change = ("doses", "treats", "efficacy", "detect", "worth", "price", "severity")
    """Settings that may differ from some tick on, where a run forks off."""

    def __init__(self, settings: Settings, drift: tuple[Drift, ...]) -> None:
        self.features = ("stage_seen", *settings.shows)
        self._settings = settings
        self._moves = Moves(drift, ("doses", "detect"), "the world triage-v1 (kind: contagion)")
        self._infected = self._code("infected", "infected")
        self._after = np.arange(len(settings.stages), dtype=np.int8)
        for stage, to in settings.treats.items():
            self._after[self._code(stage, "treats")] = self._code(to, "treats")

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out that people can be treated, and what is seen of them."""
        stage = self._stage(turn, people)
        seen = stage
        detect = self._moves.now("detect", self._settings.detect)
        if detect < 1.0:
            hidden = turn.uniform("triage/detect")[:, 0] >= detect
            seen = np.where(hidden & (stage == self._infected), SUSCEPTIBLE, stage)
        shown = [self._column(name, people).take(turn.rows) for name in self._settings.shows]
        features = np.column_stack([seen, *shown]).astype(np.float32)
        return Offer(attributes=np.zeros((len(self.items), 0)), features=features)

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return what treating each person is worth to that person, and waiting, shape (n, 2)."""
        worth = np.zeros((len(turn), len(self.items)))
        worth[:, TREAT] = self._settings.worth * self._treatable(turn, people) - self._settings.price
        return worth

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Give the doses, and say what the treated become."""
        settings, truth = self._settings, self.truth(turn, people, offer)
        stage = self._stage(turn, people)
        treated = self._chosen(turn, decisions, responses.choice == TREAT)
        missed = (responses.choice == TREAT) & ~treated
        works = treated & (turn.uniform("triage/efficacy")[:, 0] < settings.efficacy)
        after = np.where(works, self._after.take(stage), stage).astype(np.int8)
        taken = np.take_along_axis(truth, np.maximum(decisions.action, 0)[:, None], axis=1)[:, 0]
        regret = np.where(decisions.action >= 0, truth.max(axis=1) - taken, np.nan).astype(np.float32)
        return Outcomes(
            reward=(after != stage).astype(np.float32),
            experience=np.where(treated, 1.0, np.nan).astype(np.float32),
            ideal=truth.argmax(axis=1).astype(np.int32),
            regret=regret,
            right=np.where(np.isnan(regret), -1, regret <= 0.0).astype(np.int8),
            cost=(settings.price * treated).astype(np.float32),
            harm=(settings.severity * (after == self._infected)).astype(np.float32),
            missed=missed,
            end=np.where(missed, End.INFEASIBLE, End.NONE).astype(np.int8),
            becomes={settings.column: after},
            detail={"treated": treated.astype(np.int8), "stage": stage},
        )

    def table(self) -> Columns | None:
        """Return None: people come from no data."""
        return None

    def drift(self, tick: int) -> list[str]:
        """Let doses and detection be what is scheduled; say each change."""
        return self._moves.enter(tick)

    def state(self) -> dict[str, Array]:
        """Return the tick; stages belong to the people."""
        return self._moves.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._moves.restore(state)

    def _chosen(self, turn: Turn, decisions: Decisions, asked: Flags) -> Flags:
        """Mark who gets a dose: in each society those with the highest scores, equals by lot."""
        score = np.where(np.isnan(decisions.score), -np.inf, decisions.score)
        doses = max(0, round(self._moves.now("doses", float(self._settings.doses))))
        lot = turn.uniform("triage/lot")[:, 0]
        chosen = np.zeros(len(turn), dtype=np.bool_)
        for _, part in societies(turn):
            rows = part.start + np.flatnonzero(asked[part])
            order = np.lexsort((lot[rows], -score[rows]))
            chosen[rows[order[:doses]]] = True
        return chosen

    def _treatable(self, turn: Turn, people: Columns) -> Flags:
        stage = self._stage(turn, people)
        return np.asarray(self._after.take(stage) != stage)

    def _stage(self, turn: Turn, people: Columns) -> NDArray[np.int8]:
        stage = np.asarray(self._column(self._settings.column, people).take(turn.rows), dtype=np.int8)
        if len(stage) and stage.max() >= len(self._after):
            problem = f"people's {self._settings.column!r} has the code {stage.max()}, which is no stage."
            raise ScenarioError(problem, "Name all stages of the rule under world.settings.stages.")
        return stage

    def _column(self, name: str, people: Columns) -> Array:
        if name not in people:
            problem = f"the world triage-v1 (kind: contagion) needs people to have a column {name!r}."
            hint = "Stages come with a rule of people.society.rules (sir-v1), degree with centrality-v1."
            raise ScenarioError(problem, f"{did_you_mean(name, people)} {hint}")
        return people[name]

    def _code(self, stage: str, path: str) -> int:
        if stage not in self._settings.stages:
            problem = f"world.settings.{path}: there is no stage {stage!r}."
            raise ScenarioError(problem, did_you_mean(stage, self._settings.stages))
        return self._settings.stages.index(stage)
