"""Patience and satisfaction: what a turn costs people, and when they have had enough.

Patience p is counted in turns, from the personal most P down. Each turn drains it:

    p' = max(0, p − turn − Σ drains of what went wrong − wait per second · seconds beyond the free ones)

What went wrong is a setback if it drains anything. After a setback a person leaves with the chance
(1 − p'/P)² (Schatzmann and Young 2009, as PyDial has it), and at p' = 0 for certain. Satisfaction s
moves towards each impression x by s' = s + rate · (x − s). All shapes are (n,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rehearse import exact
from rehearse.agents.blocks import moved
from rehearse.contract import Codes, End, Fault, Flags, Singles, unanswered
from rehearse.exact import Floats
from rehearse.scenario.people import Drains

NOTHING_TAKEN = 0.3
"""How satisfying a turn is that offered nothing worth taking."""
NO_ANSWER = 0.0
"""How satisfying a turn is in which the model failed to answer."""


@dataclass(frozen=True, slots=True)
class Setbacks:
    """What went wrong in a turn, for each person."""

    repeat: Flags
    """The action was shown before in this session."""
    contradiction: Flags
    """The action was taken before and is remembered as bad."""
    bad_offer: Flags
    """The best of the slate lies `bad_margin` or more below the outside option."""
    error: Flags
    """No answer came."""

    def parts(self, drains: Drains) -> tuple[tuple[Flags, float], ...]:
        """Return what may have gone wrong with what it drains, in the order in which it is added."""
        return (
            (self.repeat, drains.repeat),
            (self.contradiction, drains.contradiction),
            (self.bad_offer, drains.bad_offer),
            (self.error, drains.error),
        )

    def felt(self, drains: Drains) -> Flags:
        """Return who had a setback: something went wrong that drains patience."""
        felt = np.zeros(len(self.error), dtype=np.bool_)
        for happened, cost in self.parts(drains):
            if cost > 0.0:
                felt |= happened
        return felt


def drained(patience: Floats, setbacks: Setbacks, latency: Singles, drains: Drains) -> Floats:
    """Return the patience left after a turn; `latency` in simulated milliseconds."""
    cost = np.full(len(patience), drains.turn)
    for happened, each in setbacks.parts(drains):
        if each > 0.0:
            cost += each * happened
    if drains.wait_per_second > 0.0:
        beyond = np.maximum(latency.astype(np.float64) - drains.free_wait_ms, 0.0)
        cost += drains.wait_per_second * (beyond / 1000.0)
    return np.asarray(np.maximum(patience - cost, 0.0))


def quit_chance(patience: Floats, most: Floats) -> Floats:
    """Return the chance (1 − p/P)² to leave after a setback; 1 for those who never had patience."""
    left = np.clip(patience / np.where(most > 0.0, most, 1.0), 0.0, 1.0)
    gone = 1.0 - np.where(most > 0.0, left, 0.0)
    return np.asarray(gone * gone)


def leaves(patience: Floats, chance: Floats | float, setback: Flags, uniform: Floats) -> Flags:
    """Return who has had enough: no patience is left, or a setback was one too many."""
    return np.asarray((patience <= 0.0) | (setback & (uniform < chance)))


def reasons(
    *, content: Flags, leaves: Flags, fault: Codes, progress: Floats, available: Flags | None
) -> Codes:
    """Return why each session ends, or `End.NONE`; where there are several reasons, the last said here.

    Leaving content; leaving with no patience left or after a setback, which is an error of the model or
    of the infrastructure where no answer came; the goal met; nothing that could be had.
    """
    end = np.full(len(content), End.NONE, dtype=np.int8)
    end[content] = End.USER_STOP
    end[leaves] = End.ABANDONED
    failed = leaves & (fault != Fault.NONE)
    end[failed] = unanswered(fault[failed])
    end[progress >= 1.0] = End.GOAL_MET
    if available is not None:
        end[~available.any(axis=1)] = End.INFEASIBLE
    return end


def impression(surplus: Floats, taken: Flags, error: Flags) -> Floats:
    """Return how satisfying a turn is by what it offered, 0 to 1.

    What was taken counts by how far it lies above the outside option: 1 / (1 + e^−surplus).
    """
    without = np.where(error, NO_ANSWER, NOTHING_TAKEN)
    return np.where(taken, exact.sigmoid(np.where(taken, surplus, 0.0)), without)


def recovered(patience: Floats, most: Floats, part: float) -> Floats:
    """Return patience after a tick's rest: a part of what was lost comes back."""
    return moved(patience, most, part)
