"""What if: a life lived again with one answer changed, beside the life as it was."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from rehearse.errors import NotFoundError, UserError, did_you_mean
from rehearse.experiments.journey import prose
from rehearse.experiments.journey.story import Journey, Step
from rehearse.experiments.journey.telling import NOT_THE_RECORD, alike, journey_of, tell
from rehearse.experiments.report import words

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

KEYS = ("tick", "turn", "action")
EXAMPLE = "Write it like tick=3,turn=1,action=train."
GUTTER = 5


@dataclass(frozen=True, slots=True)
class Change:
    """One answer that is to be another."""

    tick: int
    turn: int
    """Counted from 1, as journeys tell it."""
    action: str

    @classmethod
    def parse(cls, text: str) -> Change:
        """Read `tick=3,turn=1,action=train`; raises UserError that says what is wrong with it."""
        given = dict(_pair(part) for part in text.split(",") if part.strip())
        missing = [key for key in KEYS if key not in given]
        if missing:
            problem = f"the change {text!r} does not say {words.listed(missing)}."
            raise UserError(problem, EXAMPLE)
        return cls(_whole("tick", given["tick"]), _whole("turn", given["turn"]), given["action"])

    def said(self, unit: str) -> str:
        """Return the change as it stands in a sentence."""
        return f"{unit} {self.tick}, turn {self.turn}: the model proposes {self.action}"


class WhatIf(NamedTuple):
    """A life as it was, and as it would have been."""

    was: Journey
    would: Journey

    @property
    def first_difference(self) -> tuple[int, int] | None:
        """Return the tick and turn from which the lives differ, or None."""
        for one, other in zip_longest(self.was.steps, self.would.steps):
            if _different(one, other):
                step = min((s for s in (one, other) if s is not None), key=lambda s: (s.tick, s.turn))
                return step.tick, step.turn
        return None

    def text(self, width: int = 150, titles: tuple[str, str] = ("AS IT WAS", "AS IT WOULD HAVE BEEN")) -> str:
        """Return both lives side by side, aligned on ticks, and what changed in the end."""
        column = max((width - GUTTER) // 2, 36)
        lines = [*prose.heading(self.would), ""]
        lines += _row(" ", [titles[0]], [titles[1]], column)
        first = self.first_difference
        for tick in range(self.was.ticks):
            days = [prose.day_of(journey, tick, column) for journey in self]
            if days[0] == days[1]:
                days[1] = ["the same"] if days[0] else []
            if any(days):
                mark = _mark(tick, first, differ=days[1] != ["the same"])
                lines += ["", *_row(mark, days[0], days[1], column)]
        lines += ["", *_row(" ", prose.ending(self.was, column), prose.ending(self.would, column), column)]
        return "\n".join([*lines, "", *self.changes(), *prose.closing(self.was, width)])

    def changes(self) -> list[str]:
        """Return what the change came to, in sentences."""
        first = self.first_difference
        if first is None:
            return ["Nothing else would have been different."]
        unit = self.was.unit
        lines = [f"The lives differ from {unit} {first[0]}, turn {first[1]} on."]
        for (name, one), (_, other) in zip(_sums(self.was), _sums(self.would), strict=True):
            before, after = words.number(one), words.number(other)
            if before != after:
                lines.append(f"  {name:<22} {before:>8} → {after}")
        return lines if len(lines) > 1 else [*lines, "In the end it would have come to the same."]


def what_if(
    record: RunRecord, user: int, replica: int = 0, change: str = "", *, policy: object | None = None
) -> WhatIf:
    """Live a life again with one answer changed; return it beside the life as it was.

    `change` is written `tick=3,turn=1,action=train`. Everybody has the same luck as before, so what
    differs follows from the one answer. Raises UserError for a change that cannot be made.
    """
    from rehearse.experiments.journey.living import live

    asked = Change.parse(change)
    recorded = tell(record, user, replica, inner=False, policy=policy)
    _check(asked, recorded, record.items)
    override = {(replica, user, asked.tick, asked.turn - 1): record.items.index(asked.action)}
    was = live(record, user, replica, policy=policy)
    would = live(record, user, replica, override, policy=policy)
    persona = replace(recorded.persona, friends=was.friends)
    said = asked.said(recorded.unit)
    journey = replace(journey_of(record, persona, was.rows, was.life), note=recorded.note)
    return WhatIf(
        was=journey if alike(recorded.steps, journey.steps) else replace(journey, note=NOT_THE_RECORD),
        would=replace(journey_of(record, persona, would.rows, would.life), change=said),
    )


def _check(asked: Change, recorded: Journey, items: tuple[str, ...]) -> None:
    if asked.action not in items:
        problem = f"there is nothing named {asked.action!r} to propose."
        raise NotFoundError(problem, did_you_mean(asked.action, items))
    session = recorded.session(asked.tick)
    step = next((step for step in session if step.turn == asked.turn), None)
    if step is None:
        raise _no_turn(asked, recorded, session)
    if step.answer == asked.action:
        problem = (
            f"in {recorded.unit} {asked.tick}, turn {asked.turn}, the model proposed {asked.action!r} anyway."
        )
        raise UserError(
            problem, f"Ask for something else: {words.listed((i for i in items if i != asked.action), 'or')}."
        )


def _no_turn(asked: Change, recorded: Journey, session: tuple[Step, ...]) -> NotFoundError:
    person = f"user {recorded.persona.user}"
    if session:
        problem = f"{person} has no turn {asked.turn} in {recorded.unit} {asked.tick}."
        return NotFoundError(problem, f"That session has turns 1 to {session[-1].turn}.")
    ticks = list(dict.fromkeys(step.tick for step in recorded.steps))
    problem = f"{person} has no session in {recorded.unit} {asked.tick}."
    if not ticks:
        return NotFoundError(problem, "This person never opened one; choose another.")
    near = sorted(sorted(ticks, key=lambda tick: abs(tick - asked.tick))[:12])
    more = " (the nearest)" if len(ticks) > len(near) else ""
    return NotFoundError(
        problem, f"There are sessions in {recorded.unit}s {words.listed(map(str, near))}{more}."
    )


def _pair(part: str) -> tuple[str, str]:
    key, equals, value = (piece.strip() for piece in part.partition("="))
    if not equals or not value:
        problem = f"{part.strip()!r} is not of the form key=value."
        raise UserError(problem, EXAMPLE)
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        problem = f"a change has no {key!r}."
        raise UserError(problem, f"{hint}{EXAMPLE}")
    return key, value


def _whole(key: str, text: str) -> int:
    if not text.isdecimal():
        problem = f"{key} must be a whole number from {1 if key == 'turn' else 0}, got {text!r}."
        raise UserError(problem, EXAMPLE)
    return int(text)


def _different(one: Step | None, other: Step | None) -> bool:
    if one is None or other is None:
        return one is not other
    return (one.tick, one.turn, one.slate, one.took, one.end) != (
        other.tick,
        other.turn,
        other.slate,
        other.took,
        other.end,
    )


def _mark(tick: int, first: tuple[int, int] | None, *, differ: bool) -> str:
    if first is not None and tick == first[0]:
        return "▶"
    return "≠" if differ else " "


def _row(mark: str, left: list[str], right: list[str], column: int) -> list[str]:
    """Return two blocks of lines side by side, the mark between their first lines."""
    lines = []
    for place, (one, other) in enumerate(zip_longest(left, right, fillvalue="")):
        sign = mark if place == 0 else " "
        lines.append(f"{one:<{column}} {sign} │ {other}".rstrip())
    return lines


def _sums(journey: Journey) -> list[tuple[str, float]]:
    ended = [step for step in journey.steps if step.end != "none"]
    sums: list[tuple[str, float]] = [
        ("sessions", len(ended)),
        ("turns", len(journey.steps)),
        ("sessions with goal met", sum(step.end == "goal_met" for step in ended)),
        ("regret in all", sum(step.regret for step in journey.steps if math.isfinite(step.regret))),
    ]
    if journey.life is not None:
        last = journey.life.at(journey.ticks - 1)
        sums += [("satisfaction", last.satisfaction), ("trust", last.trust), ("opinion", last.opinion)]
        sums += [("goals given up", last.goals_given_up), ("still there", last.alive)]
    return sums
