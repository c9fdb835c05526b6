"""One person, written out: the behaviour of `Crowd` for a single human being, in plain numbers.

The crowd moves thousands of people in a few array operations each. Here the same equations stand
one below the other, in the same order of arithmetic, so that they can be read, and so that a test
can hold both to the same bits. `Person.of` reads a row of the crowd's columns, `save` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from rehearse.agents.blocks import raw
from rehearse.agents.choice import NOISE_FLOOR
from rehearse.agents.crowd import CHOOSE, CONTENT, QUIT
from rehearse.agents.features import SHOWN
from rehearse.agents.memory import BITTER
from rehearse.agents.patience import NO_ANSWER, NOTHING_TAKEN
from rehearse.agents.plain import exp, log, sigmoid, single, total
from rehearse.columns import Columns
from rehearse.contract import NOTHING, End, Intent
from rehearse.scenario.people import Behaviour, Drains, GoalSpec, MemorySpec, People

IMPOSSIBLE = float("-inf")


class Memory(NamedTuple):
    """Something taken, how it turned out (0 to 1), and how fresh that is."""

    item: int = NOTHING
    value: float = 0.0
    weight: float = 0.0


class Setbacks(NamedTuple):
    """What went wrong in a turn."""

    repeat: bool
    contradiction: bool
    bad_offer: bool
    error: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """What reaches a person in a turn: the situation, and the model's answer to it."""

    slate: Sequence[int]
    attributes: Sequence[Sequence[float]]
    """Of every item, as this person faces them."""
    available: Sequence[bool] | None = None
    beside: Sequence[float] | None = None
    """What is expected of every item beside taste · attributes; None: nothing."""
    latency: float = 0.0
    failed: bool = False
    tick: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person does in a turn."""

    choice: int
    position: int
    utility: float | None
    end: End


@dataclass(slots=True)
class Person:
    """What a person is and carries along, as far as a turn reads or changes it."""

    taste: list[float]
    noise: float
    reservation: float
    trust: float
    satisfaction: float
    patience: float
    patience_max: float
    refusals: int
    intent: Intent
    shown: list[int]
    """Newest first, -1 pads."""
    memory: list[Memory]
    memory_next: int
    """The place of the oldest memory, which the next one takes."""
    goal: int
    """Which goal is pursued."""
    goal_strength: float
    goal_deadline: int
    goal_got: float
    progress: float
    had: list[int]
    """A bit for each item had before, eight to a number; none where people take things again."""

    @classmethod
    def of(cls, columns: Columns, row: int) -> Self:
        """Read a row of the crowd's columns."""
        ring = (raw(columns, f"memory_{part}")[row].tolist() for part in Memory._fields)
        same = ("noise", "trust", "satisfaction", "patience", "patience_max", "refusals", "memory_next")
        return cls(
            taste=raw(columns, "taste")[row].tolist(),
            reservation=float(raw(columns, "reservation")[row]) if "reservation" in columns else 0.0,
            intent=Intent(int(raw(columns, "intent")[row])),
            shown=raw(columns, "shown")[row].tolist(),
            memory=[Memory(*parts) for parts in zip(*ring, strict=True)],
            goal=int(raw(columns, "goal_kind")[row, 0]),
            goal_strength=float(raw(columns, "goal_strength")[row, 0]),
            goal_deadline=int(raw(columns, "goal_deadline")[row, 0]),
            goal_got=float(raw(columns, "goal_got")[row, 0]),
            progress=float(raw(columns, "progress")[row]),
            had=raw(columns, "had")[row].tolist() if "had" in columns else [],
            **{name: raw(columns, name)[row].item() for name in same},
        )

    def save(self, columns: Columns, row: int) -> None:
        """Write what a turn may have changed into a row of the crowd's columns."""
        for name in ("trust", "satisfaction", "patience", "refusals", "intent", "progress", "memory_next"):
            columns[name][row] = getattr(self, name)
        columns["taste"][row] = self.taste
        columns["shown"][row] = self.shown
        if self.had:
            columns["had"][row] = self.had
        for part in Memory._fields:
            columns[f"memory_{part}"][row] = [getattr(memory, part) for memory in self.memory]
        columns["goal_strength"][row, 0] = self.goal_strength
        columns["goal_got"][row, 0] = self.goal_got


# ── A turn ────────────────────────────────────────────────────────────────────────────────────────


def respond(person: Person, proposal: Proposal, people: People, draws: Sequence[float]) -> Answer:
    """Choose, count it towards the goal, lose patience, be pleased or not, leave or go on."""
    behaviour = people.behaviour
    goal = people.goals[max(person.goal, 0)]
    utilities = [utility(person, proposal, place, people) for place in range(len(proposal.slate))]
    without = outside(person, proposal, people)
    position = choose(utilities, without, person.noise, behaviour, draws)
    taken = position >= 0
    surplus = utilities[position] - without if taken else 0.0
    served = taken and (goal.bearable is None or surplus >= goal.bearable)
    got = person.goal_got + served
    progress = min(got / goal.need, 1.0)
    setbacks = went_wrong(person, proposal, max(utilities) <= without - behaviour.bad_margin, people.memory)
    patience = drained(person.patience, setbacks, proposal.latency, behaviour.drains)
    setback = felt(setbacks, behaviour.drains)
    quits = behaviour.quits and setback and draws[QUIT] < quit_chance(patience, person.patience_max)
    end = reason(
        infeasible=proposal.available is not None and not any(proposal.available),
        met=progress >= 1.0,
        leaves=patience <= 0.0 or quits,
        error=proposal.failed,
        content=taken and not setback and draws[CONTENT] < behaviour.content,
    )
    person.goal_got, person.progress, person.patience = single(got), single(progress), single(patience)
    pleased = impression(surplus, taken=taken, failed=proposal.failed)
    person.satisfaction = single(moved(person.satisfaction, pleased, behaviour.satisfaction_rate))
    note(person, proposal, taken=taken)
    choice = proposal.slate[position] if taken else NOTHING
    return Answer(choice, position, single(utilities[position]) if taken else None, end)


def remember(
    person: Person, proposal: Proposal, answer: Answer, experience: float | None, people: People
) -> None:
    """Take in how it turned out: `experience` is 0 to 1, or None where nothing came of it."""
    mind = people.memory
    if person.had and answer.choice != NOTHING:
        person.had[answer.choice // 8] |= 1 << answer.choice % 8
    if experience is not None and answer.choice != NOTHING:
        rate = people.behaviour.satisfaction_rate
        person.satisfaction = single(moved(person.satisfaction, experience, rate))
        learning = people.goals[max(person.goal, 0)].learning
        person.goal_strength = single(person.goal_strength + learning * (experience - 0.5))
        step = people.behaviour.taste_change * experience
        attributes = proposal.attributes[answer.choice]
        person.taste = [single(t + step * (a - t)) for t, a in zip(person.taste, attributes, strict=True)]
        if mind.on:
            push(person, answer.choice, experience)
            person.trust = single(moved(person.trust, experience, mind.trust_rate))
    if mind.on and proposal.failed:
        person.trust = single(moved(person.trust, 0.0, mind.trust_rate))


def utility(person: Person, proposal: Proposal, place: int, people: People) -> float:
    """Return what the item in a place of the slate is worth to the person; −∞ if it cannot be had."""
    item = proposal.slate[place]
    closed = proposal.available is not None and not proposal.available[item]
    if item == NOTHING or closed or item in proposal.slate[:place]:
        return IMPOSSIBLE
    if person.had and person.had[item // 8] >> item % 8 & 1:
        return IMPOSSIBLE
    worth = worth_of(person.taste, proposal.attributes[item])
    worth += 0.0 if proposal.beside is None else proposal.beside[item]
    worth += person.goal_strength
    if people.memory.on:
        worth += people.memory.trust_weight * (person.trust - 0.5)
        worth += recalled(person.memory, item, people.memory.weight, people.behaviour.boredom)
    return worth - people.behaviour.position_bias * place


def outside(person: Person, proposal: Proposal, people: People) -> float:
    """Return what it is worth to the person to take nothing."""
    behaviour = people.behaviour
    worth = behaviour.outside + person.reservation
    if behaviour.reservation == "logsum":
        worth += inclusive_value(person, proposal)
    worth -= behaviour.relax * person.refusals
    return worth - markdown(people.goals[max(person.goal, 0)], person.goal_deadline, proposal.tick)


def worth_of(taste: Sequence[float], attributes: Sequence[float]) -> float:
    """Return Σ_d taste_d · attribute_d."""
    return total([t * a for t, a in zip(taste, attributes, strict=True)])


def inclusive_value(person: Person, proposal: Proposal) -> float:
    """Return s · ln Σ e^(u/s) over all items that can be had, as such."""
    scale = max(person.noise, NOISE_FLOOR)
    beside = proposal.beside or [0.0] * len(proposal.attributes)
    worths = [worth_of(person.taste, a) + more for a, more in zip(proposal.attributes, beside, strict=True)]
    if proposal.available is not None:
        worths = [w if had else IMPOSSIBLE for w, had in zip(worths, proposal.available, strict=True)]
    best = max(worths)
    if best == IMPOSSIBLE:
        return float(np.finfo(np.float64).min)
    weights = [exp((w - best) / scale) if w > IMPOSSIBLE else 0.0 for w in worths]
    return best + scale * log(total(weights))


def markdown(goal: GoalSpec, deadline: int, tick: int) -> float:
    """Return how much less the outside option is worth as the deadline comes near."""
    left = deadline - tick + 1.0
    if goal.deadline == 1:
        return goal.revision
    near = min(max((goal.deadline - left) / (goal.deadline - 1.0), 0.0), 1.0)
    return goal.revision * near


def choose(
    utilities: Sequence[float],
    without: float,
    noise: float,
    behaviour: Behaviour,
    draws: Sequence[float],
) -> int:
    """Return the place taken, or -1."""
    if behaviour.choice == "cascade":
        return cascade_choice(utilities, without, noise, behaviour.attention, draws[CHOOSE:])
    if behaviour.choice == "always":
        return next((place for place, u in enumerate(utilities) if u > IMPOSSIBLE), NOTHING)
    return logit_choice(utilities, without, noise, draws[CHOOSE])


def logit_choice(utilities: Sequence[float], without: float, noise: float, uniform: float) -> int:
    """Return the place taken, or -1, by inversion of one uniform number."""
    options = [*utilities, without]
    best = max(options)
    scale = max(noise, NOISE_FLOOR)
    weights = [exp((u - best) / scale) if u > IMPOSSIBLE else 0.0 for u in options]
    target = uniform * total(weights)
    reached = 0.0
    for place, weight in enumerate(weights[:-1]):
        reached += weight
        if reached > target:
            return place
    return NOTHING


def cascade_choice(
    utilities: Sequence[float], without: float, noise: float, attention: float, uniforms: Sequence[float]
) -> int:
    """Return the place taken, or -1, looking at one after another from the top."""
    for place, (worth, uniform) in enumerate(zip(utilities, uniforms, strict=True)):
        above = (worth - without) / max(noise, NOISE_FLOOR)
        take = sigmoid(above) if worth > IMPOSSIBLE else 0.0
        if uniform < take:
            return place
        if uniform >= take + (1.0 - take) * attention:
            return NOTHING
    return NOTHING


def went_wrong(person: Person, proposal: Proposal, bad_offer: bool, mind: MemorySpec) -> Setbacks:  # noqa: FBT001
    """Return what went wrong in a turn; after an error there is nothing else to judge."""
    if proposal.failed:
        return Setbacks(repeat=False, contradiction=False, bad_offer=False, error=True)
    action = proposal.slate[0]
    return Setbacks(
        repeat=action != NOTHING and action in person.shown,
        contradiction=mind.on and action != NOTHING and bitter(person.memory, action),
        bad_offer=bad_offer,
        error=False,
    )


def felt(setbacks: Setbacks, drains: Drains) -> bool:
    """Return whether something went wrong that drains patience."""
    return any(
        happened and getattr(drains, name) > 0.0
        for name, happened in zip(Setbacks._fields, setbacks, strict=True)
    )


def drained(patience: float, setbacks: Setbacks, latency: float, drains: Drains) -> float:
    """Return the patience left after a turn; `latency` in simulated milliseconds."""
    cost = drains.turn
    for name, happened in zip(Setbacks._fields, setbacks, strict=True):
        cost += getattr(drains, name) * happened
    cost += drains.wait_per_second * (max(latency - drains.free_wait_ms, 0.0) / 1000.0)
    return max(patience - cost, 0.0)


def quit_chance(patience: float, most: float) -> float:
    """Return the chance (1 − p/P)² to leave after a setback."""
    left = min(patience / most, 1.0) if most > 0.0 else 0.0
    return (1.0 - left) * (1.0 - left)


def reason(*, infeasible: bool, met: bool, leaves: bool, error: bool, content: bool) -> End:
    """Return why the session ends, the weightiest reason first, or NONE."""
    if infeasible:
        return End.INFEASIBLE
    if met:
        return End.GOAL_MET
    if leaves:
        return End.POLICY_ERROR if error else End.ABANDONED
    return End.USER_STOP if content else End.NONE


def impression(surplus: float, *, taken: bool, failed: bool) -> float:
    """Return how satisfying a turn is by what it offered, 0 to 1."""
    if taken:
        return sigmoid(surplus)
    return NO_ANSWER if failed else NOTHING_TAKEN


def recalled(memories: Sequence[Memory], item: int, weight: float, boredom: float) -> float:
    """Return what memory adds to the utility of an item."""
    return total(
        [m.weight * (weight * (m.value - 0.5) - boredom) if m.item == item else 0.0 for m in memories]
    )


def bitter(memories: Sequence[Memory], item: int) -> bool:
    """Return whether an item is remembered as having served badly."""
    return total([m.weight * (m.value - 0.5) if m.item == item else 0.0 for m in memories]) <= BITTER


def push(person: Person, item: int, value: float) -> None:
    """Remember one more event, in place of the oldest."""
    person.memory[person.memory_next] = Memory(item, single(value), 1.0)
    person.memory_next = (person.memory_next + 1) % len(person.memory)


def faded(memories: Sequence[Memory], decay: float) -> list[Memory]:
    """Return the memories after a tick."""
    return [memory._replace(weight=single(memory.weight * decay)) for memory in memories]


def note(person: Person, proposal: Proposal, *, taken: bool) -> None:
    """Keep what this session has come to, for the next turn of it."""
    person.refusals += not taken
    person.intent = Intent.MORE if taken else Intent.ANOTHER
    if proposal.failed:
        person.intent = Intent.RETRY
    else:
        person.shown = [*proposal.slate, *person.shown][:SHOWN]


def moved(value: float, towards: float, rate: float) -> float:
    """Return a value moved part of the way."""
    return value + rate * (towards - value)
