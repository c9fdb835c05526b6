"""The scenario `feed` once more, as a plain Mesa model: one `mesa.Agent` a person.

What people do is what `catalogue/feed.yaml` says and `rehearse.agents.scalar` spells out, written
as a Mesa user would write it: ordinary attributes, methods for one person, `random` for chance. Only
what is asked of the decision model is done for all active people of a turn at once, and so is what
needs every item (the truly best one), since a thousand products a person in plain Python would
only show that Python is slow at products.

It promises none of what the engine promises: no digest, no addressed chance, no resuming.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import mesa
import networkx as nx
import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]
Integers = NDArray[np.int64]
Policy = Callable[[Singles, Integers], tuple[Integers, Singles]]
"""From utilities (n, m) and items shown before (n, 10) to slates (n, 5) and scores of the first."""

SLATE, SHOWN, MAX_TURNS, TILE = 5, 10, 10, 256
OUTSIDE, POSITION_BIAS, BAD_MARGIN, CONTENT = 2.0, 0.1, 3.0, 0.05
BOREDOM, TASTE_CHANGE, SATISFACTION_RATE, NOTHING_TAKEN = 1.0, 0.01, 0.3, 0.3
DRAIN, FREE_WAIT_MS, WAIT_PER_SECOND, RECOVERY = 0.5, 500.0, 0.2, 0.5
VISIT_RATE, CHURN_RATE = 0.9, 0.01
MEMORIES, DECAY, TRUST_RATE, TRUST_WEIGHT, HABIT_RATE, HABIT_WEIGHT = 8, 0.9, 0.1, 0.5, 0.1, 0.3
BITTER = -0.1
NEED, DEADLINE, GOAL_AT_START, GOAL_RATE = 3.0, 3, 0.6, 0.6
FRIENDS, REWIRE, TASTE_INFLUENCE, TRUST_INFLUENCE = 10, 0.1, 0.02, 0.05
LATENCY, SPREAD, THINK_S = math.log(120.0), 0.4, 30.0
CENTRE, NOISE, TOLERANCE = 0.5, 0.5 * math.sqrt(3.0), 0.25


class Goal:
    """Something that a person wants: three items taken, before a deadline."""

    __slots__ = ("deadline", "got", "strength")

    def __init__(self, strength: float, deadline: int) -> None:
        self.strength = strength
        self.deadline = deadline
        self.got = 0.0


class Event:
    """An item that was taken, how it turned out, and how fresh that is."""

    __slots__ = ("item", "value", "weight")

    def __init__(self, item: int, value: float) -> None:
        self.item = item
        self.value = value
        self.weight = 1.0


class Person(mesa.Agent):  # type: ignore[misc]
    """Somebody who scrolls through the feed."""

    model: Feed

    def __init__(self, model: Feed, taste: Singles) -> None:
        super().__init__(model)
        uniform = model.random.random
        self.taste = taste
        self.friends: list[Person] = []
        self.alive = True
        self.patience = self.patience_max = 4.0 + 4.0 * uniform()
        self.opinion = uniform()
        self.satisfaction = self.trust = 0.5
        self.habit = 0.0
        self.memory: deque[Event] = deque(maxlen=MEMORIES)
        self.goals: list[Goal] = []
        self.goals_met = self.goals_given_up = 0
        self.sessions = 0
        self.shown: list[int] = []
        self.intent = "first"
        self.refusals = 0
        self.clock = 0.0
        if uniform() < GOAL_AT_START:
            self.want(0)

    @property
    def progress(self) -> float:
        """Return how far the goal pursued is got."""
        return min(self.goals[0].got / NEED, 1.0) if self.goals else 0.0

    def want(self, first: int) -> None:
        """Have a goal, from a tick on."""
        self.goals.insert(0, Goal(0.5 * self.model.random.random(), first + DEADLINE - 1))

    def comes(self) -> bool:
        """Open a session, or pass it over; the habit follows."""
        if not (self.alive and self.goals):
            return False
        willing = math.sqrt(self.trust)
        likely = VISIT_RATE * (willing + HABIT_WEIGHT * self.habit * (1.0 - willing))
        comes = bool(self.model.random.random() < likely)
        self.habit += HABIT_RATE * (comes - self.habit)
        if comes:
            self.sessions += 1
            self.shown = []
            self.intent = "first"
            self.refusals = 0
            self.clock = 0.0
        return comes

    def take_turn(
        self, turn: int, slate: list[int], worth: list[float], score: float, ideal: int, best: float
    ) -> bool:
        """Respond to a slate of known worth, live with what follows, record it; go on or not."""
        uniform = self.model.random.random
        latency = self.model.random.lognormvariate(LATENCY, SPREAD)
        before = (self.satisfaction, self.patience, self.progress)
        clock, intent = self.clock, self.intent
        seen = self.appraise(slate, worth)
        place = self.choose(seen)
        taken = place >= 0
        setback = self.drain(slate[0], max(seen), latency)
        if taken:
            surplus = seen[place] - OUTSIDE
            self.goals[0].got += 1.0
            self.satisfaction += SATISFACTION_RATE * (sigmoid(surplus) - self.satisfaction)
        else:
            self.satisfaction += SATISFACTION_RATE * (NOTHING_TAKEN - self.satisfaction)
            self.refusals += 1
        end = self.ends(turn, content=taken and not setback and uniform() < CONTENT, setback=setback)
        self.intent = "more" if taken else "another"
        self.shown = (slate + self.shown)[:SHOWN]
        self.clock += THINK_S + latency / 1000.0
        experience = self.consume(slate[place], worth[place]) if taken else math.nan
        regret = max(best - worth[0], 0.0)
        self.model.turns.append(
            {
                "tick": self.model.tick,
                "user": self.unique_id,
                "session": self.sessions - 1,
                "turn": turn,
                "sim_time": clock,
                "intent": intent,
                "action": slate[0],
                "slate_1": slate[1],
                "slate_2": slate[2],
                "slate_3": slate[3],
                "slate_4": slate[4],
                "score": score,
                "latency": latency,
                "choice": slate[place] if taken else -1,
                "position": place,
                "utility": seen[place] if taken else math.nan,
                "satisfaction_before": before[0],
                "satisfaction": self.satisfaction,
                "patience_before": before[1],
                "patience": self.patience,
                "progress_before": before[2],
                "progress": self.progress,
                "reward": float(taken),
                "experience": experience,
                "ideal": ideal,
                "regret": regret,
                "right": regret <= TOLERANCE,
                "end": end,
            }
        )
        self.close(end)
        return end == "none"

    def appraise(self, slate: list[int], worth: list[float]) -> list[float]:
        """See the slate: its worth, the wish, trust, the place, and what is remembered."""
        lent = self.goals[0].strength + TRUST_WEIGHT * (self.trust - 0.5)
        seen = [value + lent - POSITION_BIAS * place for place, value in enumerate(worth)]
        for event in self.memory:
            if event.item in slate:
                seen[slate.index(event.item)] += event.weight * (event.value - 0.5 - BOREDOM)
        return seen

    def choose(self, seen: list[float]) -> int:
        """Take an item by multinomial logit, or nothing."""
        weights = [math.exp(value) for value in seen]
        target = self.model.random.random() * (sum(weights) + math.exp(OUTSIDE))
        for place, weight in enumerate(weights):
            target -= weight
            if target < 0.0:
                return place
        return -1

    def drain(self, action: int, best: float, latency: float) -> bool:
        """Lose patience; return whether something went wrong."""
        wrong = (action in self.shown) + (best <= OUTSIDE - BAD_MARGIN)
        known = [event.weight * (event.value - 0.5) for event in self.memory if event.item == action]
        wrong += bool(known) and sum(known) <= BITTER
        cost = DRAIN + DRAIN * wrong
        if latency > FREE_WAIT_MS:
            cost += WAIT_PER_SECOND * (latency - FREE_WAIT_MS) / 1000.0
        self.patience = max(self.patience - cost, 0.0)
        return wrong > 0

    def ends(self, turn: int, *, content: bool, setback: bool) -> str:
        """Return why the session ends, the weightiest reason first."""
        if self.progress >= 1.0:
            return "goal_met"
        if self.patience <= 0.0:
            return "abandoned"
        if setback and self.model.random.random() < (1.0 - self.patience / self.patience_max) ** 2:
            return "abandoned"
        if content:
            return "user_stop"
        return "turn_cap" if turn + 1 == MAX_TURNS else "none"

    def consume(self, item: int, worth: float) -> float:
        """Find out how good an item is, remember it, and come to like what it is like."""
        uniform = self.model.random.random
        luck = NOISE * (uniform() + uniform() + uniform() + uniform() - 2.0)
        experience = sigmoid(worth - CENTRE + luck)
        self.satisfaction += SATISFACTION_RATE * (experience - self.satisfaction)
        self.taste = self.taste + TASTE_CHANGE * experience * (self.model.items[item] - self.taste)
        self.memory.append(Event(item, experience))
        self.trust += TRUST_RATE * (experience - self.trust)
        return experience

    def close(self, end: str) -> None:
        """Leave the session behind."""
        if end == "goal_met":
            self.goals_met += 1
            self.goals.pop(0)
        elif end == "abandoned":
            self.trust -= TRUST_RATE * self.trust

    def listen(self) -> None:
        """Hear what the friends who are here like and trust; nobody moves yet."""
        friends = [friend for friend in self.friends if friend.alive] if self.alive else []
        self.next_taste, self.next_trust = self.taste, self.trust
        if not friends:
            return
        share = 1.0 / len(friends)
        heard = share * sum([friend.taste for friend in friends[1:]], friends[0].taste)
        self.next_taste = (1.0 - TASTE_INFLUENCE) * self.taste + TASTE_INFLUENCE * heard
        trust = share * sum([friend.trust for friend in friends])
        self.next_trust = (1.0 - TRUST_INFLUENCE) * self.trust + TRUST_INFLUENCE * trust

    def live(self) -> None:
        """Move towards friends, rest, forget, perhaps leave for good; goals expire and arise."""
        self.taste, self.trust = self.next_taste, self.next_trust
        self.patience += RECOVERY * (self.patience_max - self.patience)
        for event in self.memory:
            event.weight *= DECAY
        uniform, tick = self.model.random.random, self.model.tick
        if self.alive and uniform() < CHURN_RATE * (1.0 - self.trust * self.trust):
            self.alive = False
        if self.goals and any(goal.deadline <= tick for goal in self.goals):
            kept = [goal for goal in self.goals if goal.deadline > tick]
            self.goals_given_up += len(self.goals) - len(kept)
            self.goals = kept
        if self.alive and not self.goals and uniform() < GOAL_RATE:
            self.want(tick + 1)


class Feed(mesa.Model):  # type: ignore[misc]
    """People, the items they are shown, and the decision model that shows them."""

    def __init__(self, items: NDArray[np.float64], people: int, policy: Policy, seed: int = 1) -> None:
        super().__init__(rng=seed)
        self.items = items.astype(np.float32)
        self.columns = np.ascontiguousarray(self.items.T)
        self.policy = policy
        self.tick = 0
        self.turns: list[dict[str, Any]] = []
        self.ticks: list[dict[str, Any]] = []
        tastes = self.rng.normal(0.0, 0.5, (people, items.shape[1])).astype(np.float32)
        tastes[:, -1] = 1.0
        persons = [Person(self, taste.copy()) for taste in tastes]
        graph = nx.watts_strogatz_graph(people, FRIENDS, REWIRE, seed=seed)
        for number, person in enumerate(persons):
            person.friends = [persons[friend] for friend in graph[number]]
        self.ends = np.array(graph.edges()).T

    def step(self) -> None:
        """Let a tick pass: sessions, influence, life."""
        active = [person for person in self.agents if person.comes()]
        sessions, before = len(active), len(self.turns)
        for turn in range(MAX_TURNS):
            if not active:
                break
            active = self.hold_turn(active, turn)
        self.agents.do("listen")
        self.agents.do("live")
        self.ticks.append(self.society() | {"sessions": sessions, "turns": len(self.turns) - before})
        self.tick += 1

    def hold_turn(self, active: list[Person], turn: int) -> list[Person]:
        """Ask the decision model for everybody who is there, together; return who goes on."""
        tastes = np.stack([person.taste for person in active])
        shown = np.array([person.shown for person in active], dtype=np.int64)
        slates, scores, ideals, best = self.weigh(tastes, shown)
        worths = np.einsum("nkd,nd->nk", self.items.take(slates, axis=0), tastes)
        told = (slates.tolist(), worths.tolist(), scores.tolist(), ideals.tolist(), best.tolist())
        return [p for p, *what in zip(active, *told, strict=True) if p.take_turn(turn, *what)]

    def weigh(self, tastes: Singles, shown: Integers) -> tuple[Integers, Singles, Integers, Singles]:
        """Return slates and their scores, each person's truly best item and what that is worth."""
        n = len(tastes)
        slates, scores = np.empty((n, SLATE), dtype=np.int64), np.empty(n, dtype=np.float32)
        ideals, best = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.float32)
        buffer = np.empty((TILE, len(self.items)), dtype=np.float32)
        for start in range(0, n, TILE):  # a tile of utilities stays in the cache
            some = slice(start, min(start + TILE, n))
            utilities = np.matmul(tastes[some], self.columns, out=buffer[: some.stop - start])
            ideals[some] = utilities.argmax(axis=1)
            best[some] = utilities[np.arange(len(utilities)), ideals[some]]
            slates[some], scores[some] = self.policy(utilities, shown[some])
        return slates, scores, ideals, best

    def society(self) -> dict[str, Any]:
        """Return how the society fares, as it is recorded for every tick."""
        people = list(self.agents)
        living = [person for person in people if person.alive]
        satisfaction = np.array([person.satisfaction for person in people])
        here = np.array([person.alive for person in people])[self.ends].all(axis=0)
        return {
            "tick": self.tick,
            "alive": len(living) / len(people),
            "trust": np.mean([person.trust for person in living]),
            "satisfaction": np.mean([person.satisfaction for person in living]),
            "opinion": np.mean([person.opinion for person in living]),
            "habit": np.mean([person.habit for person in living]),
            "goals_open": np.mean([len(person.goals) for person in living]),
            "polarisation": 4.0 * np.var([person.opinion for person in living]),
            "assortativity_of_satisfaction": assortativity(satisfaction, self.ends[:, here]),
        }

    def write(self, folder: Path) -> None:
        """Write the turns and the ticks to Parquet."""
        for name, rows in (("turns", self.turns), ("ticks", self.ticks)):
            table = {key: np.array([row[key] for row in rows]) for key in rows[0]}
            table = {key: a.astype(object) if a.dtype.kind == "U" else a for key, a in table.items()}
            with duckdb.connect(config={"threads": 1}) as connection:
                connection.register("source", table)
                path, options = folder / f"{name}.parquet", "FORMAT parquet, COMPRESSION zstd"
                connection.execute(f"COPY (SELECT * FROM source) TO '{path}' ({options})")


def greedy(utilities: Singles, shown: Integers) -> tuple[Integers, Singles]:
    """Show the truly best items that were not shown before: passes of argmax beat a partition."""
    every = np.arange(len(utilities))
    utilities[every[:, None], shown] = -np.inf
    slates = np.empty((len(utilities), SLATE), dtype=np.int64)
    for place in range(SLATE):
        slates[:, place] = utilities.argmax(axis=1)
        if place == 0:
            scores = utilities[every, slates[:, 0]]
        utilities[every, slates[:, place]] = -np.inf
    return slates, scores


def constant(utilities: Singles, shown: Integers) -> tuple[Integers, Singles]:  # noqa: ARG001 (a policy)
    """Show everybody the first items of the catalogue."""
    slates = np.tile(np.arange(SLATE), (len(utilities), 1))
    return slates, np.full(len(utilities), np.nan, dtype=np.float32)


POLICIES: dict[str, Policy] = {"greedy-v1": greedy, "constant-v1": constant}


def assortativity(values: NDArray[np.float64], ends: Integers) -> float:
    """Return the correlation, over ties, of what people have with what their friends have."""
    one, other = values[ends[0]], values[ends[1]]
    return float(np.corrcoef(np.concatenate([one, other]), np.concatenate([other, one]))[0, 1])


def sigmoid(x: float) -> float:
    """Return 1 / (1 + e**-x)."""
    return 1.0 / (1.0 + math.exp(-x))
