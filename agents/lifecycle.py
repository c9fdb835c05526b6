"""Coming and going: who is here, who is not here yet, and who left.

Everybody who can ever live in a society is a row from the start; what changes is whether they are
here. At the end of a tick all look (`look`) at what their friends have come to, and then each row
by itself, with one draw of its own, decides (`decide`): who is here may leave at once, who is not may
come at the beginning of the next tick (`admit`). Columns, one row a person, -1 where it never was:

    alive                     is here
    arrived, left, returned   the first tick here; the last tick here before leaving; the first one back
    came_by, left_for         why the person came last, and why he or she left last (`Coming`, `Leaving`)
    ticks_here, times_left    in how many ticks so far; how often the person left

Who is not here opens no session, has no goals, is not influenced and influences nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rehearse.agents import memory
from rehearse.agents.among import EVERYBODY, Among
from rehearse.agents.blocks import raw
from rehearse.agents.everyone import Everyone
from rehearse.agents.ties import Ties
from rehearse.chance import Chance
from rehearse.columns import Array, Columns, Rows
from rehearse.contract import NOTHING, Codes, Flags
from rehearse.contract.codes import Code
from rehearse.exact import Floats
from rehearse.scenario.lifecycle import Arrivals, Churn, Returns, Some, by_friends
from rehearse.scenario.people import People


class Coming(Code):
    """Why somebody came, or came back."""

    START = 0
    SCHEDULE = 1
    """With a wave, or as one of the steady ones."""
    SELF = 2
    FRIENDS = 3


class Leaving(Code):
    """Why somebody left."""

    CHANCE = 0
    """Whatever had happened."""
    DISSATISFACTION = 1
    DISTRUST = 2
    FRIENDS = 3
    """Because friends had left."""


WORDS = {"came_by": ("", *Coming.words()), "left_for": ("", *Leaving.words())}
"""What the codes of the columns are called in a record (`told`)."""


# ── The hazards of some rows, one row of numbers a reason ─────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Around:
    """What each of some rows sees of its friends, shape (n,); 0 for those without any."""

    word: Floats
    """The share of all friends who are here and satisfied."""
    gone: Floats
    """The share who left, of those friends who ever were here."""
    here: Floats
    """The share who are here, of those friends who ever were."""

    @classmethod
    def nothing(cls, count: int) -> Self:
        """Return what people without friends see."""
        return cls(*(np.zeros(count) for _ in range(3)))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Put together what consecutive rows see."""
        shares = zip(*((part.word, part.gone, part.here) for part in parts), strict=True)
        return cls(*(np.concatenate(share) for share in shares))

    def take(self, rows: Rows) -> Around:
        """Return what some of the rows see."""
        return Around(self.word.take(rows), self.gone.take(rows), self.here.take(rows))


def coming(arrivals: Arrivals, scheduled: Flags, word: Floats) -> tuple[Floats, ...]:
    """Return the hazards of arriving, for SCHEDULE, SELF and FRIENDS: 1 or 0, p, q · share (Bass 1969)."""
    return scheduled.astype(np.float64), np.full(len(word), arrivals.rate), arrivals.word_of_mouth * word


def leaving(churn: Churn, satisfaction: Floats, trust: Floats, gone: Floats) -> tuple[Floats | float, ...]:
    """Return the hazards of leaving, in the order of `Leaving`; 0 is one that nobody runs."""
    return (
        churn.rate and np.full(len(trust), churn.rate),
        churn.dissatisfaction and churn.dissatisfaction * (1.0 - satisfaction),
        churn.distrust and churn.distrust * (1.0 - trust * trust),
        churn.friends and churn.friends * gone,
    )


def returning(returns: Returns, here: Floats) -> tuple[Floats, ...]:
    """Return the hazards of coming back, for SELF and FRIENDS."""
    return np.full(len(here), returns.rate), returns.friends * here


def struck(hazards: Sequence[Floats | float], uniform: Floats) -> Codes:
    """Return which hazard strikes each row, a position in `hazards`, or -1 for none.

    The hazards lie one after another from 0 on; what the uniform number falls into strikes. So the
    chance of any is their sum, at most 1, and that of each is its own (Prentice et al. 1978).
    """
    found = np.full(len(uniform), NOTHING, dtype=np.int8)
    reached = np.zeros(len(uniform))
    for place, hazard in enumerate(hazards):
        if isinstance(hazard, float) and hazard == 0.0:
            continue
        reached += hazard
        found[(found == NOTHING) & (uniform < reached)] = place
    return found


def states(here: Flags, left: Flags, satisfied: Flags) -> Floats:
    """Return what people look for in their friends, as ones and zeros, shape (n, 3): see `look`."""
    return np.stack([here & satisfied, here, left], axis=1).astype(np.float64)


def look(ties: Ties, rows: Rows, everybody: Floats) -> Around:
    """Return what some rows see of their friends, given everybody's `states`; friends count 1 each."""
    ties = ties.unweighted()
    # Sums of ones and zeros are whole numbers: the same in any order.
    word, remain, lost = ties.total(everybody, rows).T
    return Around(
        word=_share(word, ties.mass(rows)),
        gone=_share(lost, lost + remain),
        here=_share(remain, lost + remain),
    )


def scheduled(arrivals: Arrivals, users: Rows, tick: int, count: int) -> Flags:
    """Return who is due to come in a tick, given ids; nobody in tick 0."""
    place = users - by_start(arrivals, count)
    return np.asarray((place >= _due(arrivals, tick - 1, count)) & (place < _due(arrivals, tick, count)))


def by_start(arrivals: Arrivals, count: int) -> int:
    """Return how many of `count` people are here from the start: the first ids."""
    return min(int(_people(arrivals.start, count) + 0.5), count)


def _due(arrivals: Arrivals, tick: int, count: int) -> int:
    """Return how many have come by schedule by some tick."""
    waves = sum(_people(wave.people, count) for wave in arrivals.waves if wave.tick <= tick)
    # Shares such as .1 are a little off; a thousandth of a person makes them whole again.
    return int(waves + _people(arrivals.steady, count) * max(tick, 0) + 1e-3)


def _people(some: Some, count: int) -> float:
    return some if some >= 1.0 else some * count


def _share(part: Floats, whole: Floats) -> Floats:
    return np.asarray(part / np.maximum(whole, 1.0))


# ── All people of a run ───────────────────────────────────────────────────────────────────────────


def add_columns(columns: Columns, people: People) -> None:
    """Say who is here before the first tick; the further columns only where anybody comes or goes."""
    here = np.ones(columns.length, dtype=np.bool_)
    if people.arrivals is not None:
        here = raw(columns, "user") < by_start(people.arrivals, people.count)
    columns["alive"] = here
    if comes_and_goes(people):
        _add_passages(columns, here)


def _add_passages(columns: Columns, here: Flags) -> None:
    """Add what is kept of comings and goings, of which there were none so far."""
    columns["arrived"] = np.where(here, 0, NOTHING).astype(np.int32)
    columns["came_by"] = np.where(here, Coming.START, NOTHING).astype(np.int8)
    columns["left_for"] = np.full(columns.length, NOTHING, dtype=np.int8)
    for name in ("left", "returned"):
        columns[name] = np.full(columns.length, NOTHING, dtype=np.int32)
    for name in ("ticks_here", "times_left"):
        columns[name] = np.zeros(columns.length, dtype=np.int32)


def told(columns: Columns, tick: int) -> dict[str, Array]:
    """Return the columns as a record keeps them when `tick` comes next; nothing where nobody comes or goes.

    Whoever decided to come only then has not come yet. A reason is its code plus 1, and 0 is none.
    """
    if "arrived" not in columns:
        return {}
    due = {name: raw(columns, name) >= tick for name in ("arrived", "returned")}
    found: dict[str, Array] = {
        name: np.where(late, NOTHING, raw(columns, name)) for name, late in due.items()
    }
    reasons = {"came_by": due["arrived"] | due["returned"], "left_for": np.zeros(columns.length, np.bool_)}
    found |= {n: np.where(late, 0, raw(columns, n) + 1).astype(np.int8) for n, late in reasons.items()}
    return found


def ever_here(columns: Columns) -> Flags:
    """Return who was here in some tick that is over; where nobody comes or goes that is everybody."""
    if "ticks_here" not in columns:
        return np.ones(columns.length, dtype=np.bool_)
    return np.asarray(raw(columns, "ticks_here") > 0)


def comes_and_goes(people: People) -> bool:
    """Tell whether anybody comes or leaves after the start."""
    return not (people.arrivals is None and people.churn is None and people.returns is None)


class Lifecycle:
    """The comings and goings of a crowd, on its columns."""

    def __init__(self, people: People, columns: Columns, chance: Chance) -> None:
        """Take columns that `add_columns` has filled up, before the first tick."""
        self._people = people
        self._columns = columns
        self._chance = chance
        self._tick = 0
        self._on = comes_and_goes(people)
        self._around: Around | None = None
        self._spoken: tuple[Flags, Ties, Ties] | None = None
        forgets = () if people.returns is None else people.returns.forgets
        self._fresh = {name: raw(columns, name).copy() for name in forgets if name != "memory"}
        self._blank = "memory" in forgets

    def change(self, people: People) -> None:
        """Go on by other hazards; who is here by now stays."""
        self._people, self._on = people, self._on or comes_and_goes(people)
        if self._on and "arrived" not in self._columns:
            _add_passages(self._columns, raw(self._columns, "alive"))

    def admit(self, tick: int) -> Rows:
        """Let those in who decided to be here from this tick on; return their rows, ascending."""
        self._tick = tick
        columns = self._columns
        if not self._on or tick == 0:
            return np.zeros(0, dtype=np.int64)
        back = raw(columns, "returned") == tick
        rows = np.flatnonzero((back | (raw(columns, "arrived") == tick)) & ~raw(columns, "alive"))
        raw(columns, "alive")[rows] = True
        again = rows[back.take(rows)]
        for name, values in self._fresh.items():
            columns[name][again] = values.take(again)
        if self._blank:
            memory.forget(columns, again)
        return rows

    def look(self, ties: Ties, among: Among = EVERYBODY) -> None:
        """Let everybody look at their friends, before anybody comes or goes."""
        people, columns = self._people, self._columns
        if not by_friends(people.arrivals, people.churn, people.returns):
            return
        heard: Mapping[str, NDArray[Any]] = among.heard(columns, ("alive", "arrived", "satisfaction"))
        here = heard["alive"]
        left = ~here & (heard["arrived"] >= 0)
        pleased = np.float32(0.0 if people.arrivals is None else people.arrivals.satisfied)
        everybody = states(here, left, heard["satisfaction"] >= pleased)
        # Where all know all, what everybody sees is known at once.
        whole = isinstance(ties, Everyone)
        parts = [look(ties, rows, everybody) for rows in ([ties.everybody()] if whole else ties.parts())]
        self._around = Around.joined(parts)

    def decide(self, piece: slice, tick: int) -> None:
        """Let some of a piece of the population leave at the end of a tick, or come with the next one."""
        columns = self._columns
        if not self._on:
            return
        alive = raw(columns, "alive")[piece]
        raw(columns, "ticks_here")[piece] += alive
        u = self._chance.uniform("life", columns["replica"][piece], columns["user"][piece], tick=tick)[:, 0]
        here, gone = np.flatnonzero(alive), np.flatnonzero(~alive)
        self._leave(piece.start + here, u.take(here), tick)
        if len(gone):
            self._come(piece.start + gone, u.take(gone), tick)

    def _come(self, rows: Rows, uniform: Floats, tick: int) -> None:
        """Let some of those who are not here come with the next tick."""
        arrived, returned, left = (raw(self._columns, n).take(rows) for n in ("arrived", "returned", "left"))
        new = arrived < 0
        # Whom a program removed did not leave: such a person does not come back.
        away = ~new & (left >= np.maximum(arrived, returned))
        for who, law in ((away, self._return), (new, self._arrive)):
            some = np.flatnonzero(who)
            law(rows.take(some), uniform.take(some), tick)

    def _leave(self, rows: Rows, uniform: Floats, tick: int) -> None:
        churn, columns = self._people.churn, self._columns
        if churn is None:
            return
        satisfaction, trust = columns.numbers("satisfaction", rows), columns.numbers("trust", rows)
        why = struck(leaving(churn, satisfaction, trust, self._seen(rows).gone), uniform)
        self._note(rows, why, Leaving.CHANCE, {"left": tick, "alive": False}, "left_for")
        raw(columns, "times_left")[rows[why >= 0]] += 1

    def _return(self, rows: Rows, uniform: Floats, tick: int) -> None:
        if self._people.returns is not None:
            why = struck(returning(self._people.returns, self._seen(rows).here), uniform)
            self._note(rows, why, Coming.SELF, {"returned": tick + 1}, "came_by")

    def _arrive(self, rows: Rows, uniform: Floats, tick: int) -> None:
        arrivals, columns = self._people.arrivals, self._columns
        if arrivals is None:
            return
        due = scheduled(arrivals, raw(columns, "user").take(rows), tick + 1, self._people.count)
        why = struck(coming(arrivals, due, self._seen(rows).word), uniform)
        self._note(rows, why, Coming.SCHEDULE, {"arrived": tick + 1}, "came_by")

    def _note(self, rows: Rows, why: Codes, first: Code, values: dict[str, int], reason: str) -> None:
        """Write down to whom it happened and why; place 0 among the hazards has the code `first`."""
        happened = why >= 0
        some = rows[happened]
        self._columns[reason][some] = why[happened] + np.int8(first)
        for name, value in values.items():
            self._columns[name][some] = value

    def _seen(self, rows: Rows) -> Around:
        return Around.nothing(len(rows)) if self._around is None else self._around.take(rows)

    def ties(self, ties: Ties) -> Ties:
        """Return the ties among those who are here."""
        here = raw(self._columns, "alive")
        if here.all():
            return ties
        known = self._spoken
        if known is None or known[1] is not ties or not np.array_equal(known[0], here):
            known = self._spoken = here.copy(), ties, ties.among(here)
        return known[2]

    def gathered(self, columns: Columns, tick: int) -> None:
        """Be seen, by `census`, with everybody's columns as they are at the end of a tick."""
        self._columns, self._tick, self._spoken = columns, tick, None

    def census(self, replicas: int) -> dict[str, Floats]:
        """Return how many were here in the present tick, and of them came for it or left at its end."""
        columns, tick = self._columns, self._tick
        if not self._on:
            return {}
        left = raw(columns, "left") == tick
        found = {
            "here": raw(columns, "alive") | left,
            "arrived": raw(columns, "arrived") == tick,
            "returned": raw(columns, "returned") == tick,
            "left": left,
        }
        return {n: f.reshape(replicas, -1).sum(axis=1).astype(np.float64) for n, f in found.items()}
