"""What the twins of the worlds have in common: plain Mesa models that may keep a row of every turn."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mesa
import numpy as np


class Twin(mesa.Model):  # type: ignore[misc]
    """A world as objects: counts its turns, and keeps them where it was told to."""

    names: tuple[str, ...] = ()
    """What a row of the record holds."""

    def __init__(self, *, keeps: bool) -> None:
        super().__init__(rng=7)
        self.keeps, self.tick = keeps, 0
        self.rows: list[tuple[Any, ...]] = []
        self.turns = 0
        self.reward = self.regret = 0.0

    def note(self, reward: float, regret: float) -> None:
        """Count a turn."""
        self.turns += 1
        self.reward += reward
        self.regret += regret

    def step(self) -> None:
        """Let a tick pass: everybody lives through it."""
        self.agents.do("step")
        self.tick += 1

    def write(self, path: Path) -> None:
        """Write the turns kept so far to Parquet, with the engine's own writer, and forget them."""
        from rehearse.columns import Columns
        from rehearse.record.parts import write_part

        if not self.rows:
            return
        told = zip(self.names, zip(*self.rows, strict=True), strict=True)
        columns = Columns({name: narrow(np.array(each)) for name, each in told})
        write_part(path, [columns], {})
        self.rows.clear()


def narrow(column: Any) -> Any:
    """Return numbers in half the bytes, as the engine keeps them."""
    return column.astype({"f": np.float32, "i": np.int32}.get(column.dtype.kind, column.dtype))


def sigmoid(x: float) -> float:
    """Return 1 / (1 + e**-x)."""
    return 1.0 / (1.0 + math.exp(-x))
