"""Telling a life from its record, with the inner life lived again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rehearse.errors import NotFoundError
from rehearse.experiments.journey.story import PERSONAS, Journey, Life, Persona, Step, Trait
from rehearse.record.words import WORDS

if TYPE_CHECKING:
    from rehearse.columns import Columns
    from rehearse.record.reading import RunRecord

Row = Mapping[str, Any]

STATE = frozenset(
    {
        "user",
        "replica",
        "group",
        "segment",
        "alive",
        "arrived",
        "left",
        "returned",
        "came_by",
        "left_for",
        "ticks_here",
        "times_left",
        "adopted",
        "sessions",
        "session",
        "patience",
        "satisfaction",
        "trust",
        "habit",
        "opinion",
        "intent",
        "refusals",
        "memory_next",
        "progress",
        "goals_met",
        "goals_given_up",
        "goal_just_met",
        *("venue", "booked", "confirmed", "once", "repeats", "ending", "due", "success"),
        *("status", "wait", "server"),
    }
)
"""Columns of people that a run changes: no traits."""
IN_MIND = ("goal_", "ask_", "belief_", "booked_for", "answers_", "agenda_")
"""What the names of columns begin with that hold what is in people's minds during a session."""
TASTE = "taste_"
NOT_THE_RECORD = (
    "The replay differs from the record (has the code changed?): what is told of it is the replay's."
)
NOT_RECORDED = (
    "The turns of this person were not kept. The life is lived again, and `rehearse replay` proves that "
    "it is the same."
)
TOLD = frozenset(
    {
        "replica",
        "tick",
        "user",
        "session",
        "turn",
        "sim_time",
        "intent",
        "action",
        "score",
        "propensity",
        "version",
        "rationale",
        "latency",
        "measured_ms",
        "fault",
        "guard",
        "choice",
        "position",
        "utility",
        "satisfaction_before",
        "satisfaction",
        "patience_before",
        "patience",
        "progress_before",
        "progress",
        "reward",
        "experience",
        "ideal",
        "regret",
        "right",
        "label",
        "missed",
        "status",
        "server",
        "end",
        "row",
    }
)
"""Columns of turns that are told otherwise, or are codes; all others are a world's own details."""


def tell(
    record: RunRecord, user: int, replica: int = 0, *, inner: bool = True, policy: object | None = None
) -> Journey:
    """Tell the life of a person of a recorded run.

    With `inner` the society is replayed, so that memory, goals and friends can be told; `policy` is
    needed where the model was given as a Python object. Raises NotFoundError where there is no such
    person, UserError where the run cannot be replayed.
    """
    persona = persona_of(record, user, replica)
    if not record.scope.keeps_turns_of(user):
        return _lived_again(record, persona, policy)
    found = record.query(
        f'SELECT * FROM turns WHERE replica = {replica} AND "user" = {user} ORDER BY tick, turn'
    )
    rows = [{name: found[name][i].item() for name in found} for i in range(found.length)]
    spoken = _words(record, user, replica)
    rows = [row | {"words": spoken.get((row["tick"], row["turn"]), {})} for row in rows]
    journey = journey_of(record, persona, rows, None)
    if not inner or record.scenario.people.model != PERSONAS:
        return journey
    from rehearse.experiments.journey.living import live

    lived = live(record, user, replica, policy=policy)
    journey = replace(journey, life=lived.life, persona=replace(persona, friends=lived.friends))
    if alike(journey.steps, steps_of(record, lived.rows)):
        return journey
    return replace(journey, note=NOT_THE_RECORD)


def _words(record: RunRecord, user: int, replica: int) -> dict[tuple[int, int], dict[str, str]]:
    """Return what passed in words in each turn of a person, by tick and turn."""
    if not (record.folder / WORDS).is_dir():
        return {}
    found = record.query(f'SELECT * FROM {WORDS} WHERE replica = {replica} AND "user" = {user}')
    told = [name for name in found if found[name].dtype.kind == "U"]
    return {
        (int(found["tick"][i]), int(found["turn"][i])): {name: str(found[name][i]) for name in told}
        for i in range(found.length)
    }


def _lived_again(record: RunRecord, persona: Persona, policy: object | None) -> Journey:
    from rehearse.experiments.journey.living import live

    lived = live(record, persona.user, persona.replica, policy=policy)
    persona = replace(persona, friends=lived.friends)
    return replace(journey_of(record, persona, lived.rows, lived.life), note=NOT_RECORDED)


def journey_of(record: RunRecord, persona: Persona, rows: Iterable[Row], life: Life | None) -> Journey:
    """Put a life together from rows of turns."""
    scenario, policy = record.scenario, record.manifest["policy"]
    return Journey(
        scenario=f"{scenario.name}, version {scenario.version}",
        model=f"{policy['name']}, version {policy['version']}",
        unit=scenario.time.unit,
        ticks=scenario.time.ticks,
        persona=persona,
        steps=steps_of(record, rows),
        max_turns=scenario.time.max_turns,
        life=life,
    )


def steps_of(record: RunRecord, rows: Iterable[Row]) -> tuple[Step, ...]:
    """Return rows of turns as steps."""
    return tuple(_step(row, record.items) for row in rows)


def alike(some: tuple[Step, ...], others: tuple[Step, ...]) -> bool:
    """Return whether two lives took the same turns to the same ends."""
    keys = [[(s.tick, s.turn, s.answer, s.took, s.end) for s in steps] for steps in (some, others)]
    return keys[0] == keys[1]


def _step(row: Row, items: tuple[str, ...]) -> Step:
    def name(item: int) -> str:
        return items[item] if 0 <= item < len(items) else ""

    def number(column: str) -> float:
        return float(row.get(column, np.nan))

    def pair(column: str) -> tuple[float, float]:
        return number(f"{column}_before"), number(column)

    further = sorted((c for c in row if c.startswith("slate_")), key=lambda c: int(c.removeprefix("slate_")))
    return Step(
        tick=int(row["tick"]),
        session=int(row["session"]) + 1,
        turn=int(row["turn"]) + 1,
        intent=str(row["intent"]),
        answer=name(row["action"]),
        slate=tuple(n for n in (name(row[c]) for c in ("action", *further)) if n),
        score=number("score"),
        rationale=str(row.get("rationale", "")),
        version=int(row["version"]),
        wait_ms=number("latency"),
        fault=str(row["fault"]),
        guard=str(row.get("guard", "")),
        took=name(row["choice"]),
        missed=row.get("missed", 0) == 1,
        experience=number("experience"),
        ideal=name(row["ideal"]),
        regret=number("regret"),
        right=int(row["right"]),
        satisfaction=pair("satisfaction"),
        patience=pair("patience"),
        progress=pair("progress"),
        end=str(row["end"]),
        words=row.get("words", {}),
        detail={c: float(row[c]) for c in row if c not in TOLD and c not in further and _is_number(row[c])},
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def persona_of(record: RunRecord, user: int, replica: int) -> Persona:
    """Return who a person is, with what sets him or her apart from all others of the run."""
    found = record.query(f'SELECT * FROM users WHERE replica = {replica} AND "user" = {user}')
    if not found.length:
        raise _nobody(record, user, replica)
    names = [n for n in found if n not in STATE and found[n].dtype.kind in "fiu"]
    names = [n for n in names if not n.startswith(IN_MIND)]
    traits = _ranked(record, found, names)
    by_item, plain = _by_item(traits, record.items)
    return Persona(
        user=user,
        replica=replica,
        group=str(found["group"][0]),
        segment=str(found["segment"][0]),
        traits=tuple(replace(t, name=_renamed(t.name)) for t in plain if not t.name.startswith(TASTE)),
        facts=by_item,
        tastes=tuple(replace(t, name=t.name.removeprefix(TASTE)) for t in plain if t.name.startswith(TASTE)),
    )


def _renamed(name: str) -> str:
    return "patience" if name == "patience_max" else name


def _ranked(record: RunRecord, found: Columns, names: list[str]) -> list[Trait]:
    """Return the traits in which people differ, with their ranks among everybody."""
    asked = [
        f'avg(CASE WHEN "{n}"::DOUBLE < {v!r}::DOUBLE THEN 1.0 WHEN "{n}"::DOUBLE = {v!r}::DOUBLE THEN 0.5 '
        f'ELSE 0.0 END) AS "rank_{n}", '
        f'min("{n}") AS "low_{n}", max("{n}") AS "high_{n}"'
        for n in names
        if np.isfinite(v := float(found[n][0]))
    ]
    if not asked:
        return []
    ranks = record.query(f"SELECT {', '.join(asked)} FROM users")
    return [
        Trait(n, float(found[n][0]), float(ranks[f"rank_{n}"][0]))
        for n in names
        if f"rank_{n}" in ranks and ranks[f"low_{n}"][0] != ranks[f"high_{n}"][0]
    ]


def _by_item(traits: list[Trait], items: tuple[str, ...]) -> tuple[dict[str, dict[str, float]], list[Trait]]:
    """Return what is there for every item (`wait_air`, `wait_train`, …) as one fact, and the other traits."""
    value = {t.name: t.value for t in traits if not t.name.startswith(TASTE)}
    found: dict[str, dict[str, float]] = {}
    for name, number in value.items():
        stem, _, item = name.rpartition("_")
        if stem and item in items:
            found.setdefault(stem, {})[item] = number
    facts = {stem: by for stem, by in found.items() if len(by) > 1}
    used = {f"{stem}_{item}" for stem, by in facts.items() for item in by}
    return facts, [t for t in traits if t.name not in used]


def _nobody(record: RunRecord, user: int, replica: int) -> NotFoundError:
    known = record.query(
        'SELECT min("user") AS first, max("user") AS last, min(replica) AS low, '
        "max(replica) AS high FROM users"
    )
    first, last, low, high = (int(known[name][0]) for name in ("first", "last", "low", "high"))
    problem = f"there is no user {user} in replica {replica} of this run."
    return NotFoundError(problem, f"Users go from {first} to {last}, replicas from {low} to {high}.")
