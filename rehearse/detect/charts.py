"""Control charts, many streams at a time: CUSUM, EWMA and Page–Hinkley.

z is a value in standard errors from what is usual, (x − mean) / sd; k, h and L are in the same unit.

    CUSUM         C⁺ = max(0, C⁺ + z − k), C⁻ = max(0, C⁻ − z − k); rings above h       (Page 1954)
    EWMA          Z = (1 − λ) Z + λ z; rings beyond ± L √(λ / (2 − λ) · (1 − (1 − λ)²ᵗ)) (Roberts 1959)
    Page–Hinkley  m = α m + x − x̄ ∓ δ; rings where m is further than a threshold from its least or greatest
                  (Page 1954, Hinkley 1971), in the form that river has, with which it agrees

The limits of EWMA are as wide from the start as they become (√(λ / (2 − λ))), for which most tables of run
lengths are made; with `widening` they begin narrow, as written above.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from rehearse.columns import Array
from rehearse.detect.base import Detector, Flags, Floats, Watcher

Memory = dict[str, Floats]
Side = Literal["both", "up", "down"]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
TINY = 1e-12


class Chart(Detector):
    """A detector of ours: arithmetic on arrays (streams,), a step a tick."""

    mean: float | None = None
    """What is usual; None: 0, or what the reference tells."""
    sd: Positive | None = None
    """How much is usual; None: 1, or what the reference tells."""
    reference: Annotated[int, Field(ge=2)] | None = None
    """So many values first tell what is usual, after each ring anew; in them it does not ring."""
    least: NotNegative = 0.0
    """The reference's standard deviation is taken for no smaller than this."""

    def watcher(self, streams: int = 1) -> Watcher:
        """Return a watcher of so many streams that has heard nothing yet."""
        return ChartWatcher(self, streams)

    @abstractmethod
    def begin(self, streams: int) -> Memory:
        """Return what it remembers before the first value."""

    @abstractmethod
    def step(self, memory: Memory, z: Floats) -> tuple[Memory, Flags]:
        """Return what it remembers after a value each, and where it rings."""


class CUSUM(Chart):
    """Cumulative sums: quickest to find a lasting shift of 2 k."""

    name: Literal["cusum"] = "cusum"
    k: NotNegative = 0.5
    """The allowance: half the shift that it is quickest to find."""
    h: Positive = 5.0
    """It rings above this."""
    side: Side = "both"

    def begin(self, streams: int) -> Memory:
        """Return two empty sums a stream."""
        return {"up": np.zeros(streams), "down": np.zeros(streams)}

    def step(self, memory: Memory, z: Floats) -> tuple[Memory, Flags]:
        """Add what is more than the allowance."""
        up = np.maximum(0.0, memory["up"] + z - self.k)
        down = np.maximum(0.0, memory["down"] - z - self.k)
        return {"up": up, "down": down}, _sided(up > self.h, down > self.h, self.side)


class EWMA(Chart):
    """An exponentially weighted moving average: finds small lasting shifts."""

    name: Literal["ewma"] = "ewma"
    lam: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    """λ: the weight of the newest value."""
    L: Positive = 2.814
    """It rings beyond so many standard deviations of the average."""
    side: Side = "both"
    widening: bool = False
    """Limits that begin narrow and become as wide as they otherwise are from the start."""

    def begin(self, streams: int) -> Memory:
        """Return an average of 0 over nothing."""
        return {"average": np.zeros(streams), "heard": np.zeros(streams)}

    def step(self, memory: Memory, z: Floats) -> tuple[Memory, Flags]:
        """Move the average towards the value."""
        average = memory["average"] + self.lam * (z - memory["average"])
        heard = memory["heard"] + 1.0
        widened = 1.0 - (1.0 - self.lam) ** (2.0 * heard) if self.widening else 1.0
        limit = self.L * np.sqrt(self.lam / (2.0 - self.lam) * widened)
        rung = _sided(average > limit, average < -limit, self.side)
        return {"average": average, "heard": heard}, rung


class PageHinkley(Chart):
    """Sums of differences from the running mean; its threshold is in units of the stream."""

    name: Literal["page-hinkley"] = "page-hinkley"
    delta: NotNegative = 0.005
    """Differences smaller than this do not count."""
    threshold: Positive = 50.0
    alpha: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9999
    """How much of the sum is kept from value to value."""
    least_values: Annotated[int, Field(ge=1)] = 30
    """It does not ring before so many values."""
    side: Side = "both"

    def begin(self, streams: int) -> Memory:
        """Return empty sums."""
        names = ("heard", "centre", "up", "down", "least_up", "most_down")
        memory = {name: np.zeros(streams) for name in names}
        return memory | {"least_up": np.full(streams, np.inf), "most_down": np.full(streams, -np.inf)}

    def step(self, memory: Memory, z: Floats) -> tuple[Memory, Flags]:
        """Add the difference from the mean of all values so far."""
        heard = memory["heard"] + 1.0
        centre = memory["centre"] + (z - memory["centre"]) / heard
        up = self.alpha * memory["up"] + z - centre - self.delta
        down = self.alpha * memory["down"] + z - centre + self.delta
        least, most = np.minimum(memory["least_up"], up), np.maximum(memory["most_down"], down)
        rung = _sided(up - least > self.threshold, most - down > self.threshold, self.side)
        names = ("heard", "centre", "up", "down", "least_up", "most_down")
        now = dict(zip(names, (heard, centre, up, down, least, most), strict=True))
        return now, rung & (heard >= self.least_values)


class ChartWatcher:
    """A chart at work: what is usual in each stream, and what the chart remembers of it."""

    def __init__(self, chart: Chart, streams: int) -> None:
        self._chart = chart
        self._memory = self._begun(streams)

    def hear(self, values: Floats) -> Flags:
        """Take one value a stream and tell which streams rang."""
        values = np.asarray(values, dtype=np.float64)
        known, memory = np.isfinite(values), self._memory
        x = np.where(known, values, 0.0)
        wanted = self._chart.reference or 0
        learning = memory["counted"] < wanted
        counted = memory["counted"] + 1.0
        ahead = x - memory["usual"]
        usual = memory["usual"] + ahead / counted
        learnt = {"counted": counted, "usual": usual, "scatter": memory["scatter"] + ahead * (x - usual)}
        moved, rung = self._chart.step(memory, self._standard(x))
        rung &= known & ~learning
        now = {name: np.where(known & learning, array, memory[name]) for name, array in learnt.items()}
        now |= {name: np.where(known & ~learning, array, memory[name]) for name, array in moved.items()}
        anew = self._begun(len(values))
        self._memory = {name: np.where(rung, anew[name], array) for name, array in now.items()}
        return np.asarray(rung, dtype=np.bool_)

    def state(self) -> Mapping[str, Array]:
        """Return what is remembered."""
        return {name: array.copy() for name, array in self._memory.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._memory = {name: np.array(state[name], dtype=np.float64) for name in self._memory}

    def _begun(self, streams: int) -> Memory:
        counted = {name: np.zeros(streams) for name in ("counted", "usual", "scatter")}
        return counted | self._chart.begin(streams)

    def _standard(self, x: Floats) -> Floats:
        """Return values in standard errors; a mean of n values is itself uncertain by sd / √n."""
        chart, memory, n = self._chart, self._memory, self._chart.reference
        mean = memory["usual"] if n and chart.mean is None else (chart.mean or 0.0)
        sd: Floats | float = chart.sd or 1.0
        if n and chart.sd is None:
            floor = np.maximum(chart.least, TINY * np.maximum(1.0, np.abs(memory["usual"])))
            sd = np.maximum(np.sqrt(memory["scatter"] / (n - 1)), floor)
        wider = np.sqrt(1.0 + 1.0 / n) if n and chart.mean is None else 1.0
        return np.asarray((x - mean) / (sd * wider))


def _sided(up: Flags, down: Flags, side: Side) -> Flags:
    return {"up": up, "down": down, "both": up | down}[side]
