"""What a detector is: settings that give watchers, and how a whole stream is run through one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from rehearse.columns import Array

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ring:
    """A detector rang: in which stream and tick, and what had shifted since when."""

    stream: int
    tick: int
    onset: int
    """The tick that best parts before from since, by least squares."""
    start: int
    """The first tick after the ring before it; 0 for the first."""
    before: float
    """The mean from `start` until the onset."""
    after: float
    """The mean from the onset to the ring."""
    detector: str

    @property
    def size(self) -> float:
        """Return by how much the mean shifted, in units of the stream."""
        return self.after - self.before


class Watcher(Protocol):
    """A detector at work on some streams, which remembers what it heard."""

    def hear(self, values: Floats) -> Flags:
        """Take one value a stream, NaN where there is none, and tell which streams rang."""
        ...

    def state(self) -> Mapping[str, Array]:
        """Return what is remembered."""
        ...

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        ...


class Detector(BaseModel, ABC):
    """Settings of a detector. It begins anew after each ring."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    name: str

    @model_serializer(mode="wrap")
    def _with_its_name(self, dumped: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Without its name nobody could read it again, though that is what it always is.
        return {"name": self.name} | dict(dumped(self))

    @abstractmethod
    def watcher(self, streams: int = 1) -> Watcher:
        """Return a watcher of so many streams that has heard nothing yet."""

    def rings(self, values: ArrayLike) -> Flags:
        """Tell where it rings, in the shape of the streams: (ticks,) or (streams, ticks)."""
        given = np.asarray(values, dtype=np.float64)
        by_tick = np.ascontiguousarray(np.atleast_2d(given).T)
        watcher = self.watcher(by_tick.shape[1])
        rung = [watcher.hear(now) for now in by_tick]
        return np.array(rung, dtype=np.bool_).reshape(by_tick.shape).T.reshape(given.shape)

    def run(self, values: ArrayLike) -> list[Ring]:
        """Return every ring in streams of shape (ticks,) or (streams, ticks), by stream and tick."""
        streams = np.atleast_2d(np.asarray(values, dtype=np.float64))
        found: list[Ring] = []
        for stream, rung in enumerate(np.atleast_2d(self.rings(streams))):
            start = 0
            for tick in np.flatnonzero(rung).tolist():
                found.append(ring_in(streams[stream], stream, tick, start, self.name))
                start = tick + 1
        return found

    def run_lengths(self, values: ArrayLike) -> Ints:
        """Return after how many ticks each stream rang first, 0 where it never did; shape (streams,)."""
        by_tick = np.ascontiguousarray(np.atleast_2d(np.asarray(values, dtype=np.float64)).T)
        watcher = self.watcher(by_tick.shape[1])
        lengths = np.zeros(by_tick.shape[1], dtype=np.int64)
        for tick, now in enumerate(by_tick):
            lengths[watcher.hear(now) & (lengths == 0)] = tick + 1
            if lengths.all():
                break
        return lengths


def ring_in(stream: Floats, place: int, tick: int, start: int, detector: str) -> Ring:
    """Return a ring at a tick, with its onset and size read off the stream since `start`."""
    onset = onset_of(stream, start, tick)
    before = stream[start:onset] if onset > start else stream[tick : tick + 1]
    return Ring(place, tick, onset, start, _mean(before), _mean(stream[onset : tick + 1]), detector)


def onset_of(stream: Floats, start: int, tick: int) -> int:
    """Return the tick in (start, tick] that best parts before from since, by least squares."""
    if tick <= start:
        return tick
    known = np.isfinite(stream[start : tick + 1])
    sums = np.cumsum(np.where(known, stream[start : tick + 1], 0.0))
    counts = np.cumsum(known)
    early, late = counts[:-1], counts[-1] - counts[:-1]
    both = (early > 0) & (late > 0)
    gap = sums[:-1] / np.maximum(early, 1) - (sums[-1] - sums[:-1]) / np.maximum(late, 1)
    return start + 1 + int(np.argmax(np.where(both, gap * gap * early * late, -1.0)))


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
