"""How far callers are from the people who were recorded in CamRest676, and the behaviour that comes nearest.

    python benchmarks/assist_fidelity.py ../shared/data/camrest/data.zip [TRIALS]

Two distributions are compared: the numbers of constraints told and of questions asked in a turn of a
person (together), and the number of such turns in a dialogue. The distance is Jensen and Shannon's, the
square root of the divergence in bits. The search draws parameters at random, takes the best and moves them
one by one, twice; it looks at the sum of both distances to the first half of the people (every other
dialogue). What is told is the distance to the second half, which the search has not seen.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

import numpy as np

import rehearse
from rehearse.contract import End, Exchange, Users
from rehearse.environments.assist import camrest
from rehearse.experiments.build import Props, assemble

SEARCHED = {
    "behaviour.inform_combination": (0.2, 1.0),
    "behaviour.request_combination": (0.2, 1.0),
    "behaviour.add_slot_to_request": (0.0, 0.5),
    "behaviour.ask_with_constraints": (0.0, 0.5),
    "behaviour.ask_name": (0.0, 1.0),
    "behaviour.tell_about_change": (0.0, 1.0),
    "behaviour.alternatives_after_venue": (0.0, 0.4),
    "behaviour.change_after_venue": (0.0, 0.3),
    "behaviour.repeat_when_asked_new": (0.0, 0.5),
    "behaviour.no_after_reqmore": (0.0, 1.0),
    "behaviour.bye_once_complete": (0.4, 1.0),
    "behaviour.null_response": (0.0, 0.2),
    "goals.impossible": (0.0, 0.6),
    "goals.disclosure": (0.3, 1.0),
}
CALLS, TRIALS, ROUNDS = 1500, 60, 2
STEPS = (-0.3, -0.1, 0.1, 0.3)
"""How far a parameter is moved, in parts of its range."""
Counts = Counter[Hashable]


def distance(one: Counts, other: Counts) -> float:
    """Return the Jensen–Shannon distance of two tables of counts: 0 alike, 1 for nothing in common."""
    keys = sorted(one.keys() | other.keys(), key=str)
    p, q = (np.array([counts[key] for key in keys], dtype=float) / counts.total() for counts in (one, other))
    m = (p + q) / 2

    def divergence(a: np.ndarray) -> float:
        there = a > 0
        return float((a[there] * np.log2(a[there] / m[there])).sum())

    return float(np.sqrt(max((divergence(p) + divergence(q)) / 2, 0.0)))


class Tally:
    """A watcher that counts acts by turn and turns by dialogue (`contract.Watcher`)."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.acts: Counts = Counter()
        self.turns: Counts = Counter()

    def on_turn(self, exchange: Exchange) -> None:
        """Count a turn of one block."""
        detail = exchange.outcomes.detail
        self.acts.update(zip(detail["informs"].tolist(), detail["questions"].tolist(), strict=True))
        self.turns[exchange.turn.turn + 1] += int((exchange.end != End.NONE).sum())

    def on_tick(self, tick: int, users: Users) -> None:
        """Do nothing."""


def of_people(corpus: camrest.Corpus, dialogues: Iterable[int]) -> tuple[Counts, Counts]:
    """Return the same counts of recorded dialogues."""
    told = corpus.user_turns()
    chosen = np.isin(told["dialogue"], list(dialogues))
    acts = zip(told["informs"][chosen].tolist(), told["questions"][chosen].tolist(), strict=True)
    lengths = np.bincount(told["dialogue"][chosen])
    return Counter(acts), Counter(lengths[lengths > 0].tolist())


def of_callers(data: Path, settings: dict[str, float], seed: int = 1) -> tuple[Counts, Counts]:
    """Return the counts of callers with these settings under `people.settings`."""
    base = {"people.traits": {}, "people.groups": None, "people.settings": {}, "criteria": []}
    behaviour = {f"people.settings.{path}": value for path, value in settings.items()}
    scenario = rehearse.load("assist", users=CALLS, ticks=1, replicas=1, seed=seed, settings=base | behaviour)
    tally = Tally()
    simulation = assemble(scenario, Props(data=data)).simulation
    simulation.watchers.append(tally)
    simulation.advance()
    return tally.acts, tally.turns


def fit(far: Callable[[dict[str, float]], float], trials: int) -> dict[str, float]:
    """Return the parameters that come nearest: the best of random ones, then moved one by one."""
    rng = np.random.default_rng(0)
    drawn = [{path: float(rng.uniform(*bounds)) for path, bounds in SEARCHED.items()} for _ in range(trials)]
    best = min(((far(settings), settings) for settings in drawn), key=lambda pair: pair[0])
    for _ in range(ROUNDS):
        for path, (low, high) in SEARCHED.items():
            moved = [best[1][path] + step * (high - low) for step in STEPS]
            near = [best[1] | {path: round(min(max(value, low), high), 2)} for value in moved]
            best = min((best, *((far(settings), settings) for settings in near)), key=lambda pair: pair[0])
    return best[1]


def main(data: Path, trials: int = TRIALS) -> None:
    """Print the distances of the defaults and of the best of so many trials."""
    corpus = camrest.read(data)
    every = range(len(corpus.dialogues))
    first, second = of_people(corpus, every[::2]), of_people(corpus, every[1::2])
    fitted = fit(lambda settings: sum(map(distance, of_callers(data, settings), first)), trials)
    print("distance to the second half of the people      acts of a turn   turns of a dialogue")
    rows = {"the first half of the people": first, "callers, defaults": of_callers(data, {}, 2)}
    rows["callers, fitted to the first half"] = of_callers(data, fitted, 2)
    for name, counts in rows.items():
        acts, turns = map(distance, counts, second)
        mean = sum(k * v for k, v in counts[1].items()) / counts[1].total()  # type: ignore[operator]
        print(f"{name:<45}{acts:>16.3f}{turns:>22.3f}   mean {mean:.2f} turns")
    for path, value in fitted.items():
        print(f"  {path}: {value}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(n) for n in sys.argv[2:]))
