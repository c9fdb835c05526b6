"""The small vocabularies of the contract: array kinds, and codes that are numbers in columns."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Codes = NDArray[np.int8]
Singles = NDArray[np.float32]
Flags = NDArray[np.bool_]

NOTHING = -1
"""The item id of no item: an empty place in a slate, a choice of nothing, an unknown truth."""


def nothing_of(kind: Any) -> float:
    """Return what stands in a column of a type where there is nothing to tell."""
    return np.nan if np.dtype(kind).kind == "f" else NOTHING


class Code(IntEnum):
    """A small vocabulary: numbers in columns, words (`Code.words()`) everywhere else."""

    @property
    def word(self) -> str:
        """Return the member's name as it is written in records and reports."""
        return self.name.lower()

    @classmethod
    def words(cls) -> tuple[str, ...]:
        """Return the words in the order of their numbers."""
        return tuple(member.word for member in cls)


class Intent(Code):
    """What a person asks the model for in a turn."""

    FIRST = 0
    """Opens the session: propose something."""
    ANOTHER = 1
    """Took nothing last turn: propose something else."""
    MORE = 2
    """Was served and the goal is not reached yet: go on."""
    RETRY = 3
    """Got no answer last turn (an error): ask again."""


class End(Code):
    """Why a session ended; NONE while it goes on. Success is not implied by a reason."""

    NONE = 0
    GOAL_MET = 1
    ABANDONED = 2
    """Patience was used up, or a setback made the person leave."""
    INFEASIBLE = 3
    """Nothing that was on offer could meet the goal."""
    USER_STOP = 4
    """Left content or busy, with nothing having gone wrong."""
    POLICY_STOP = 5
    TURN_CAP = 6
    TIME_BUDGET = 7
    GUARD = 8
    POLICY_ERROR = 9
    """Left because the model failed to answer."""
    INFRA_ERROR = 10
    """Left because an answer was lost that is not held against the model: see `Fault.elsewhere`."""
    TRANSFERRED = 11
    """The model handed the person over to somebody else."""


class Fault(Code):
    """What went wrong with the model's answer to one person; NONE when nothing did."""

    NONE = 0
    RAISED = 1
    WRONG_SHAPE = 2
    NOT_A_NUMBER = 3
    UNKNOWN_ACTION = 4
    TOO_SLOW = 5
    """The simulated latency passed the deadline."""
    INJECTED = 6
    """The scenario made the call fail."""
    REFUSED = 7
    """The model was not asked, to spare it: an open circuit, a limit of its rate, a full queue."""
    UNREACHED = 8
    """The infrastructure failed: no connection to the model's server, no answer in time, no service."""
    FORBIDDEN = 9
    """The model failed because it tried what the sandbox does not allow."""
    CRASHED = 10
    """The process of the model ended by itself."""
    HUNG = 11
    """The model gave no answer on the wall clock, and its process was ended."""

    @classmethod
    def elsewhere(cls) -> tuple[Fault, ...]:
        """Return the faults that are not the model's: injected, not reached, not asked to spare it."""
        return cls.INJECTED, cls.UNREACHED, cls.REFUSED


def unanswered(fault: Codes) -> Codes:
    """Return why a session ends that is left for want of an answer, by what went wrong with the answer."""
    lost = np.isin(fault, Fault.elsewhere())
    return np.where(lost, np.int8(End.INFRA_ERROR), np.int8(End.POLICY_ERROR))
