"""Everything Rehearse raises on purpose, as one tree.

    RehearseError
    ├── UserError              the caller's mistake: exit code 2, one message, no traceback
    │   ├── ScenarioError      a scenario that cannot be read or does not make sense
    │   ├── NotFoundError      a name, file, run or user that is not there
    │   ├── DataError          a table that lacks a column or holds values that cannot be used
    │   ├── PolicyLoadError    a decision model that cannot be loaded
    │   └── OutputError        a place that cannot be written, or a run folder that is damaged
    ├── SandboxError           the decision model tried what the sandbox does not allow
    ├── ContractError          a world, policy or people that broke the contract
    ├── StoppedError           the caller stopped it (Ctrl-C): exit code 130, with how to go on
    └── NotCompletedError      the run could not be finished: exit code 4
        └── PolicyHungError    the decision model gave no answer on the wall clock

A message says what was asked, what was found and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RehearseError(Exception):
    """The root of every error that Rehearse raises on purpose."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        """Keep what was wrong and what to do about it."""
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem} {remedy}".strip())


class UserError(RehearseError):
    """The caller asked for something that cannot be done as asked."""


class ScenarioError(UserError):
    """A scenario cannot be read or does not make sense."""


class NotFoundError(UserError):
    """A name, file, run or user is not there."""


class DataError(UserError):
    """A table lacks a column or holds values that cannot be used."""


class PolicyLoadError(UserError):
    """A decision model cannot be loaded."""


class OutputError(UserError):
    """A place cannot be written, or a run folder is damaged."""


class ContractError(RehearseError):
    """A world, policy or population broke the contract."""


class SandboxError(RehearseError):
    """The decision model tried what the sandbox does not allow; no OSError, which would be tried again."""


class StoppedError(RehearseError):
    """The caller stopped it on the way; the message says how to go on."""


class NotCompletedError(RehearseError):
    """The run could not be finished, for a reason that is not the model's answers."""


class PolicyHungError(NotCompletedError):
    """The decision model gave no answer within the wall-clock limit."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest known names, or lists what there is."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=2, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(repr(n) for n in near)}?"
    if not choices:
        return "Nothing is known here."
    shown = ", ".join(choices[:12]) + (", …" if len(choices) > 12 else "")
    return f"Known: {shown}."
