"""RecSim's three worlds as plain Mesa objects: the user models of its code, one `mesa.Agent` a person.

Vectors are numpy arrays where RecSim has them, all else floats. As in the scenarios of the catalogue the
documents are drawn once (RecSim draws them again in every step, which costs far more), and what would
have been best of all documents is worked out, for regret. Slates are drawn at random.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import mesa
import numpy as np
from twins.plain import Twin, sigmoid

TURNS = 20
"""The longest session measured here."""
RANDOM = {"name": "random-v1"}


def scenario(name: str, users: int, ticks: int) -> Any:
    """Return a scenario of the catalogue with slates at random and sessions of 20 turns at most."""
    from rehearse.experiments.api import load

    settings = {"policy": RANDOM, "time.max_turns": TURNS, "criteria": []}
    return load(name, users=users, ticks=ticks, replicas=1, settings=settings)


class Documents:
    """What can be shown, as the engine has drawn it, by attribute."""

    def __init__(self, name: str) -> None:
        from rehearse.contract import Turn
        from rehearse.experiments.build import assemble

        made = assemble(scenario(name, 10, 1)).simulation
        nobody = np.zeros(0, dtype=np.int64)
        turn = Turn(nobody, nobody.astype(np.int32), nobody, tick=0, turn=0, chance=made.chance)
        table = np.asarray(made.world.offer(turn, made.users.columns).attributes)
        self.named: Mapping[str, Any] = dict(zip(made.world.attributes, table.T, strict=True))
        topics = [name for name in made.world.attributes if name.startswith("topic_")]
        self.count = len(table)
        self.topics = np.column_stack([self.named[name] for name in topics]) if topics else None

    def number(self, name: str) -> list[float]:
        """Return an attribute of all as floats."""
        return [float(value) for value in self.named[name]]


class Viewer(mesa.Agent):  # type: ignore[misc]
    """Somebody who is shown documents."""

    model: Site

    def __init__(self, model: Site) -> None:
        super().__init__(model)
        self.satisfaction, self.patience, self.session = 0.5, 10.0, -1

    def step(self) -> None:
        """Hold a session."""
        self.session += 1
        self.begin()
        turn, taken, going = 0, 0, True
        while going:
            slate = self.model.slate()
            before = self.satisfaction, taken
            worth = self.worth(slate)
            place = self.choose(worth)
            best, regret = self.judge(slate[0])
            reward = self.consume(slate[place]) if place >= 0 else self.pass_over()
            taken += place >= 0
            going = self.stays() and turn < TURNS - 1
            self.model.note(reward, regret)
            if self.model.keeps:
                chosen = (slate[place], place, worth[place]) if place >= 0 else (-1, -1, math.nan)
                who = self.unique_id, self.model.tick, self.session, turn, 30.0 * turn, min(turn, 1)
                shown = slate[0], slate[-1], 1.0 / self.model.documents.count
                after = self.satisfaction, self.patience, taken, reward, best, regret, int(regret <= 0.0)
                row = (*who, *shown, *chosen, *before, *after, int(not going), *self.kept())
                self.model.rows.append(row)
            turn += 1

    def begin(self) -> None:
        """Open a session."""

    def judge(self, shown: int) -> tuple[int, float]:
        """Return the best document, and how much worse the one shown is."""
        scores = self.scores()
        best = int(scores.argmax())
        return best, float(scores[best] - scores[shown])

    def choose(self, worth: list[float]) -> int:
        """Return the place taken, -1 for none."""
        weights = [self.attraction(value) for value in worth]
        target = self.model.random.random() * (sum(weights) + self.nothing)
        for place, weight in enumerate(weights):
            target -= weight
            if target < 0.0:
                return place
        return -1

    nothing: ClassVar[float] = 0.0
    """How attractive it is to take nothing."""

    def attraction(self, worth: float) -> float:
        """Return what utility makes of a document."""
        return worth

    def worth(self, slate: list[int]) -> list[float]:
        """Return what the documents of a slate are worth."""
        scores = self.scores()
        return [float(scores[number]) for number in slate]

    @abstractmethod
    def scores(self) -> Any:
        """Return what all documents are worth."""

    @abstractmethod
    def consume(self, number: int) -> float:
        """Live with a document; return what it brings."""

    def pass_over(self) -> float:
        """Take nothing."""
        return 0.0

    def stays(self) -> bool:
        """Tell whether the session may go on."""
        return True

    def kept(self) -> tuple[float, ...]:
        """Return what else is recorded."""
        return ()


class Exposed(Viewer):
    """A user of long-term satisfaction: takes what is shown, and clickbait wears him or her out."""

    def begin(self) -> None:
        """Have time; exposure lasts."""
        if self.session == 0:
            self.exposure = self.model.random.uniform(-1.6667, 1.6667)
            self.satisfaction = sigmoid(0.01 * self.exposure)
        self.budget = 60

    def judge(self, shown: int) -> tuple[int, float]:
        """Return the document with the least clickbait, the same for all."""
        return self.model.least, self.model.clickbait[shown] - self.model.clickbait[self.model.least]

    def choose(self, worth: list[float]) -> int:
        """Take the first."""
        del worth
        return 0

    def worth(self, slate: list[int]) -> list[float]:
        """Return how free of clickbait it is."""
        return [-self.model.clickbait[slate[0]]]

    def consume(self, number: int) -> float:
        """Be engaged, and become more or less satisfied."""
        gauss, bait = self.model.random.gauss, self.model.clickbait[number]
        mean = bait * 5.0 + (1.0 - bait) * 4.0
        engaged = math.exp(gauss(mean * self.satisfaction, 1.0))
        self.exposure = 0.7 * self.exposure - 2.0 * (bait - 0.5) + gauss(0.0, 0.05)
        self.satisfaction = sigmoid(0.01 * self.exposure)
        self.budget -= 1
        return engaged

    def kept(self) -> tuple[float, ...]:
        """Return exposure and budget."""
        return self.exposure, self.budget


class Explored(Viewer):
    """A user of interest exploration: one of two kinds, who never changes."""

    nothing = math.exp(5.0)

    def begin(self) -> None:
        """Have an affinity to each of two topics."""
        if self.session == 0:
            means = (0.1, 0.7) if self.model.random.random() < 0.3 else (0.7, 0.1)
            draw = self.model.random.lognormvariate
            self.affinity = np.array([draw(mean, 0.1) for mean in means])

    def scores(self) -> Any:
        """Return affinity to the topic plus quality."""
        return self.model.documents.topics @ self.affinity + self.model.quality

    def attraction(self, worth: float) -> float:
        """Return e**worth."""
        return math.exp(worth)

    def consume(self, number: int) -> float:
        """Click."""
        del number
        return 1.0


class Evolving(Viewer):
    """A user of interest evolution: interests move with what is watched, within a budget of time."""

    nothing = 2.0
    STEP: ClassVar[float] = 0.3

    def begin(self) -> None:
        """Have interests for good, and time anew."""
        if self.session == 0:
            self.interests = self.model.rng.uniform(-1.0, 1.0, 20)
        self.budget = 200.0

    def scores(self) -> Any:
        """Return how each document suits the interests."""
        return self.model.documents.topics @ self.interests

    def attraction(self, worth: float) -> float:
        """Return worth + 1."""
        return worth + 1.0

    def consume(self, number: int) -> float:
        """Watch, as far as time lasts, and change."""
        document, interests = self.model.documents.topics[number], self.interests
        self.watched = min(self.budget, 4.0)
        self.budget += self.watched * (0.26471 * self.model.quality[number] - 1.0)
        self.budget = max(self.budget, 0.0)
        step = (-self.STEP * np.abs(interests) + self.STEP) * document * (document - interests)
        likely = float((interests + 1.0) / 2.0 @ document)
        moved = interests + step if self.model.random.random() < likely else interests - step
        self.interests = np.clip(moved, -1.0, 1.0)
        return self.watched

    def pass_over(self) -> float:
        """Lose half a unit of time."""
        self.watched = 0.0
        self.budget = max(self.budget - 0.5, 0.0)
        return 0.0

    def stays(self) -> bool:
        """Stay while there is time."""
        return self.budget > 0.0

    def kept(self) -> tuple[float, ...]:
        """Return budget and what was watched."""
        return self.budget, self.watched


KINDS: dict[str, tuple[type[Viewer], int, tuple[str, ...]]] = {
    "long-term-satisfaction": (Exposed, 1, ("exposure", "budget")),
    "interest-exploration": (Explored, 2, ()),
    "interest-evolution": (Evolving, 2, ("budget", "watched")),
}
"""The people of each world, how much they are shown, and what else their rows hold."""


class Site(Twin):
    """Documents and viewers."""

    def __init__(self, name: str, users: int, ticks: int = 1, *, keeps: bool) -> None:
        del ticks  # people live on as long as they are let
        super().__init__(keeps=keeps)
        kind, self.size, own = KINDS[name]
        self.names = (
            *("user", "tick", "session", "turn", "sim_time", "intent", "action", "slate_1", "propensity"),
            *("choice", "position", "utility", "satisfaction_before", "progress_before", "satisfaction"),
            *("patience", "progress", "reward", "ideal", "regret", "right", "end", *own),
        )
        self.documents = documents = Documents(name)
        if kind is Exposed:
            self.clickbait = documents.number("clickbait")
            self.least = self.clickbait.index(min(self.clickbait))
        elif kind is Explored:
            self.quality = documents.named["quality"]
        else:
            self.quality = documents.number("quality")
        for _ in range(users):
            kind(self)

    def slate(self) -> list[int]:
        """Return documents drawn at random."""
        return self.random.sample(range(self.documents.count), self.size)
