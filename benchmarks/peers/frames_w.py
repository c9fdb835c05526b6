"""Workload W in mesa-frames: people are rows of a polars frame; runs in an environment of its own.

    python benchmarks/peers/frames_w.py --users 100000 --ticks 3 --model cheap

Single numbers are polars expressions; where a person has several (tastes, memories, a slate) numpy
works on the arrays that polars holds. Who has left waits in a frame of their own, so that no turn
touches them. Every turn is recorded and written to Parquet before the clock stops.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from mesa_frames import AgentSetPolars, ModelDF

sys.path.insert(0, str(Path(__file__).parents[1]))

from bare import MODELS
from workload import (
    FEATURES,
    FRIENDS,
    LEAVE_BASE,
    LEAVE_SLOPE,
    MAX_TURNS,
    MEMORY,
    NOTHING_TAKEN,
    NOTHING_WORTH,
    POSITION_BIAS,
    REWIRE,
    SATISFACTION,
    SATISFACTION_RATE,
    SLATE,
    SOCIAL_WEIGHT,
    TASTE_CHANGE,
    TASTE_WEIGHT,
    TASTES,
    catalogue,
    crowd,
)

ONE = np.float32(1.0)


class People(AgentSetPolars):
    """Everybody, a row each."""

    def __init__(self, model: Society, people: int) -> None:
        super().__init__(model)
        drawn = crowd(people)
        frame = {
            "unique_id": np.arange(people, dtype=np.int64),
            "taste": drawn.tastes,
            "covariates": drawn.covariates,
            "patience_max": drawn.patience.astype(np.int8),
            "patience": drawn.patience.astype(np.int8),
            "satisfaction": np.full(people, SATISFACTION, dtype=np.float32),
            "last": np.zeros(people, dtype=np.float32),
            "items": np.zeros((people, MEMORY), dtype=np.int16),
            "outcomes": np.zeros((people, MEMORY), dtype=np.float32),
            "slot": np.zeros(people, dtype=np.int8),
        }
        self.add(pl.DataFrame({name: pl.Series(name, values) for name, values in frame.items()}))
        self.friends = small_world(people, model.random_numbers)

    def step(self) -> None:
        """Let everybody hold a session, turn by turn, and then hear their friends."""
        gone, tick = [], self.model.tick
        self.agents = self.agents.with_columns(patience=pl.col("patience_max"))
        for turn in range(MAX_TURNS):
            self.take_turn(tick, turn)
            stays = self.agents["patience"] > 0
            gone.append(self.agents.filter(~stays))
            self.agents = self.agents.filter(stays)
            if not len(self.agents):
                break
        self.agents = pl.concat([*gone, self.agents]).sort("unique_id")
        self.listen()

    def observe(self, tick: int, turn: int) -> Any:
        """Return what the model may see, (n, 32)."""
        frame, items = self.agents, self.model.items
        seen = np.empty((len(frame), FEATURES), dtype=np.float32)
        outcomes = frame["outcomes"].to_numpy()
        remembered = items.vectors.take(frame["items"].to_numpy(), axis=0)
        seen[:, :TASTES] = np.einsum("nm,nmd->nd", outcomes, remembered) / np.float32(MEMORY)
        seen[:, TASTES : TASTES + MEMORY] = outcomes
        seen[:, 24], seen[:, 25] = turn / MAX_TURNS, tick
        seen[:, 26], seen[:, 27] = frame["last"].to_numpy(), frame["patience"].to_numpy()
        seen[:, 28:] = frame["covariates"].to_numpy()
        return seen

    def take_turn(self, tick: int, turn: int) -> None:
        """Ask the model, choose, and live with what follows."""
        model, frame = self.model, self.agents
        slates = model.decide(self.observe(tick, turn))
        place, item, outcome, taste = self.choose(slates)
        uniform = model.random_numbers.random((2, len(frame)), dtype=np.float32)
        took = place < SLATE
        rows, slot = np.flatnonzero(took), frame["slot"].to_numpy()
        memories, outcomes = frame["items"].to_numpy().copy(), frame["outcomes"].to_numpy().copy()
        memories[rows, slot[rows]], outcomes[rows, slot[rows]] = item[rows], outcome[rows]
        drawn = {"took": took, "last": outcome, "uniform": uniform[0], "taste": taste}
        drawn |= {"items": memories, "outcomes": outcomes}
        frame = frame.with_columns(**{name: pl.Series(name, values) for name, values in drawn.items()})
        impression = pl.when("took").then("last").otherwise(NOTHING_TAKEN)
        frame = frame.with_columns(
            satisfaction=(
                (1.0 - SATISFACTION_RATE) * pl.col("satisfaction") + SATISFACTION_RATE * impression
            ).cast(pl.Float32),
            patience=pl.col("patience") - 1,
            slot=((pl.col("slot") + pl.col("took")) % MEMORY).cast(pl.Int8),
        )
        leaving = 1.0 / (1.0 + (-(LEAVE_BASE + LEAVE_SLOPE * (1.0 - pl.col("satisfaction")))).exp())
        patience = pl.when(pl.col("uniform") < leaving).then(0).otherwise(pl.col("patience"))
        self.agents = frame.with_columns(patience=patience.cast(pl.Int8)).drop("took", "uniform")
        self.note(tick, turn, slates, place, frame)

    def choose(self, slates: Any) -> tuple[Any, Any, Any, Any]:
        """Return the place taken, the item, how it turned out and the taste after it."""
        items, draw = self.model.items, self.model.random_numbers
        n, taste = len(slates), self.agents["taste"].to_numpy()
        vectors = items.vectors.take(slates, axis=0)
        worth = np.float32(TASTE_WEIGHT) * np.einsum("nkd,nd->nk", vectors, taste) + items.quality.take(
            slates
        )
        worth -= np.float32(POSITION_BIAS) * np.arange(SLATE, dtype=np.float32)
        weights = np.empty((n, SLATE + 1), dtype=np.float32)
        weights[:, :SLATE] = worth
        weights[:, SLATE] = np.float32(NOTHING_WORTH) - self.agents["satisfaction"].to_numpy()
        reached = np.cumsum(np.exp(weights), axis=1)
        target = draw.random(n, dtype=np.float32) * reached[:, -1]
        place = (reached <= target[:, None]).sum(axis=1).clip(max=SLATE)
        taken, every = np.minimum(place, SLATE - 1), np.arange(n)
        noise = draw.random(n, dtype=np.float32) - np.float32(0.5)
        outcome = ONE / (ONE + np.exp(-(worth[every, taken] + noise)))
        outcome[place == SLATE] = 0.0
        step = (np.float32(TASTE_CHANGE) * outcome)[:, None]
        moved = taste + step * (vectors[every, taken] - taste)
        return place, slates[every, taken].astype(np.int16), outcome, moved

    def note(self, tick: int, turn: int, slates: Any, place: Any, frame: pl.DataFrame) -> None:
        """Keep the turn."""
        n = len(frame)
        kept = {"session": np.full(n, tick, np.int16), "turn": np.full(n, turn, np.int8)}
        kept |= {f"slate_{i}": slates[:, i].astype(np.int16) for i in range(SLATE)}
        told = frame.select("unique_id", "satisfaction", outcome="last")
        self.model.turns.append(told.with_columns(**kept, choice=place.astype(np.int8)))

    def listen(self) -> None:
        """Mix tastes with the mean of friends'."""
        taste = self.agents["taste"].to_numpy()
        heard = np.asarray(self.friends @ taste)
        mixed = np.float32(1.0 - SOCIAL_WEIGHT) * taste + np.float32(SOCIAL_WEIGHT) * heard
        self.agents = self.agents.with_columns(taste=pl.Series("taste", mixed))


class Society(ModelDF):
    """People, items and the decision model."""

    def __init__(self, people: int, model: str) -> None:
        super().__init__(seed=1)
        self.items = catalogue()
        self.decide = MODELS[model](self.items)
        self.random_numbers = np.random.default_rng(1)
        self.tick, self.turns = 0, []
        self.people = People(self, people)
        self.agents += self.people

    def step(self) -> None:
        """Let a tick pass."""
        self.people.step()
        self.tick += 1


def small_world(people: int, rng: Any) -> Any:
    """Return the matrix that means over friends, a small world."""
    from scipy.sparse import coo_array, diags_array

    half = FRIENDS // 2
    one = np.repeat(np.arange(people), half)
    other = (one + np.tile(np.arange(1, half + 1), people)) % people
    moved = rng.random(len(one)) < REWIRE
    other[moved] = rng.integers(0, people, moved.sum())
    apart = one != other
    one, other = one[apart], other[apart]
    both = (np.concatenate([one, other]), np.concatenate([other, one]))
    ties = coo_array((np.ones(len(both[0]), np.float32), both), shape=(people, people)).tocsr()
    ties.data[:] = 1.0
    share = (1.0 / np.maximum(np.diff(ties.indptr), 1)).astype(np.float32)
    return (diags_array(share) @ ties).tocsr().astype(np.float32)


def main() -> int:
    """Run once and print what it took as a line of JSON."""
    parser = argparse.ArgumentParser(description="Run workload W in mesa-frames.")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--ticks", type=int, default=3)
    parser.add_argument("--model", choices=tuple(MODELS), default="cheap")
    asked = parser.parse_args()
    society = Society(asked.users, asked.model)
    began = time.process_time()
    for _ in range(asked.ticks):
        society.step()
    turns = pl.concat(society.turns)
    with tempfile.TemporaryDirectory() as folder:
        turns.write_parquet(Path(folder) / "turns.parquet", compression="zstd", compression_level=1)
    spent = time.process_time() - began
    took = turns.filter(pl.col("choice") < SLATE)
    lived = {
        "satisfaction": turns["satisfaction"].mean(),
        "outcome": took["outcome"].mean(),
        "nothing taken": 1.0 - len(took) / len(turns),
        "turns a session": len(turns) / (turns["turn"] == 0).sum(),
    }
    print(json.dumps({"turns": len(turns), "cpu_s": spent, "lived": lived}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
