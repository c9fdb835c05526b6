"""What a journey is made of: a persona, turns, and moments of an inner life."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

PERSONAS = "crowd-v1"
"""The model of people who have an inner life from tick to tick to tell of."""


@dataclass(frozen=True, slots=True)
class Trait:
    """A number that tells a person apart."""

    name: str
    value: float
    rank: float
    """The share of people who have less of it, 0 to 1 (those who have as much count half)."""


@dataclass(frozen=True, slots=True)
class Persona:
    """Who somebody is."""

    user: int
    replica: int
    group: str
    segment: str
    traits: tuple[Trait, ...]
    """Those in which people differ."""
    facts: Mapping[str, Mapping[str, float]]
    """What is different for each item: by name, by item."""
    tastes: tuple[Trait, ...]
    """How much each attribute of an item counts."""
    friends: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A turn as this person lived it; numbers that there were none of are NaN, items are names or ''."""

    tick: int
    session: int
    turn: int
    """Counted from 1."""
    intent: str
    answer: str
    slate: tuple[str, ...]
    score: float
    rationale: str
    version: int
    wait_ms: float
    fault: str
    guard: str
    took: str
    experience: float
    ideal: str
    regret: float
    right: int
    satisfaction: tuple[float, float]
    """Before and after."""
    patience: tuple[float, float]
    progress: tuple[float, float]
    end: str
    detail: Mapping[str, float]
    """More that the world tells: cost, harm, delay, …"""
    missed: bool = False
    """Took something that was gone; `took` is then nothing."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What passed in words (`rehearse.record.words`); nothing where people and model do not speak."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Something the person wants."""

    name: str
    strength: float
    deadline: int
    got: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Something the person took and remembers."""

    item: str
    experience: float
    weight: float


@dataclass(frozen=True, slots=True)
class Friend:
    """Somebody who moved the person."""

    user: int
    value: float
    """What the friend had: trust, opinion, …"""
    pull: float
    """How far the friend moved the person."""


@dataclass(frozen=True, slots=True)
class Influenced:
    """What friends did to the person at the end of a tick."""

    what: str
    before: float
    after: float
    friends: tuple[Friend, ...]
    """Those who moved the person most, the strongest first."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The inner life at the end of a tick."""

    tick: int
    alive: bool
    goals: tuple[Goal, ...]
    """The one pursued first."""
    memories: tuple[Memory, ...]
    """The latest first."""
    trust: float
    satisfaction: float
    opinion: float
    habit: float
    patience: float
    goals_met: int
    goals_given_up: int
    influenced: tuple[Influenced, ...] = ()
    arrived: str = ""
    """Why the person was here from this tick on for the first time; '' where that was not so."""
    returned: str = ""
    """Why he or she was back from this tick on."""
    left: str = ""
    """Why he or she left at the end of this tick."""


@dataclass(frozen=True, slots=True)
class Life:
    """A life as it was lived again: how it began, and a moment a tick."""

    start: Moment
    moments: tuple[Moment, ...]

    def at(self, tick: int) -> Moment:
        """Return the moment at the end of a tick, or the start for -1."""
        return self.start if tick < 0 else self.moments[tick]


@dataclass(frozen=True, slots=True)
class Journey:
    """One person's life with a model."""

    scenario: str
    model: str
    unit: str
    """What a tick is called."""
    ticks: int
    persona: Persona
    steps: tuple[Step, ...]
    max_turns: int = 0
    """How many turns a session may have; 0: not known."""
    life: Life | None = None
    """None where it was not asked for."""
    change: str = ""
    """The answer that was changed, in words; '' for a life as it was recorded."""
    note: str = ""
    """What the reader should know about how this was put together."""

    def session(self, tick: int) -> tuple[Step, ...]:
        """Return the turns of a tick's session, none where there was none."""
        return tuple(step for step in self.steps if step.tick == tick)

    def text(self, width: int = 96) -> str:
        """Return the life as it is read."""
        from rehearse.experiments.journey.prose import told

        return told(self, width)

    def to_json(self) -> dict[str, Any]:
        """Return the life as plain values for JSON; NaN becomes None."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
