"""What callers make of an answer: notes, corrections, changes of the goal, and what they will say to it.

What answers the assistant is pushed last, so that it outranks what was planned before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.dialogue.behaviour import Drains
from rehearse.agents.dialogue.goals import pick
from rehearse.agents.dialogue.mind import NONSENSE, UNHEARD, Mind
from rehearse.agents.dialogue.speaking import Likely
from rehearse.contract import End
from rehearse.dialogue.acts import NO_SLOT, NO_VALUE, OTHER, Act, Acts, act_of, says, slot_of, value_of
from rehearse.dialogue.domain import ANY, Domain, as_values
from rehearse.exact import Floats

Flags = NDArray[np.bool_]
(
    ALTERNATIVES,
    CHANGE,
    WHICH,
    RELAX,
    VALUE,
    TELL,
    OVERRULE,
    CORRECT,
    LEAVE,
    REQMORE,
    THANK,
    START_OVER,
    ITSELF,
    MIND,
) = range(14)
ASKED = MIND + 1
"""From here on two draws for each place of an answer: whether a constraint is repeated, and which."""


def draws(width: int) -> int:
    """Return how many uniform numbers listening to an answer takes."""
    return ASKED + 2 * width


@dataclass(slots=True)
class Listener:
    """Some people at the table, hearing an answer of theirs each."""

    mind: Mind
    domain: Domain
    likely: Likely
    u: Floats
    answer: Acts
    said: Acts
    """What they have just said."""
    contradicted: Flags = field(init=False)
    """Who heard what is not wanted."""
    repeated: Flags = field(init=False)
    puzzled: Flags = field(init=False)
    """Who was not understood."""
    bored: Flags = field(init=False)
    """Who heard the very same thing for the third time."""

    def listen(self, changes: float = 0.0) -> None:
        """Take in the answer; `changes` is the chance that the goal changes of itself."""
        mind, answer = self.mind, self.answer
        silent = np.asarray(~(answer >= 0).any(axis=1))
        self.repeated = np.asarray((answer == mind.answer).all(axis=1) & ~silent)
        mind.repeats = np.where(self.repeated, mind.repeats + 1, 0).astype(np.int8)
        self.bored = np.asarray(mind.repeats >= 2)
        self.puzzled = silent | says(answer, Act.REPEAT)
        mind.answer = np.where(silent[:, None], mind.answer, answer)
        self._say_again(self.puzzled)
        self.contradicted = self._wrong()
        overrules = np.asarray(self.u[:, OVERRULE] < self.likely("overrule_correction"))
        self._note(refused=self.contradicted & ~overrules)
        self._correct(self.contradicted & ~overrules)
        self._answer_questions()
        self._confirmations()
        self._no_offer(says(answer, Act.NOOFFER))
        self._more(says(answer, Act.REQMORE))
        self.change((self.u[:, MIND] < changes) & ~mind.complete & (mind.ending == 0))

    def drained(self, drains: Drains, error: Flags, waited: Floats) -> None:
        """Lose patience."""
        felt = (
            (drains.turn, np.ones(len(self.mind))), (drains.repeat, self.repeated),
            (drains.misunderstood, self.puzzled & ~error), (drains.contradiction, self.contradicted),
            (drains.error, error), (drains.wait_per_second, waited),
        )  # fmt: skip
        lost = np.zeros(len(self.mind))
        for drain, amount in felt:
            lost += drain * amount
        self.mind.patience = np.maximum(self.mind.patience - lost, 0.0).astype(np.float32)
        self.mind.patience[self.bored & (drains.repeat > 0.0)] = 0.0

    def leaves(self) -> Flags:
        """Tell who hangs up: patience is below 1, or it was contradicted too much, (1 − p/P)²."""
        mind = self.mind
        ratio = mind.patience.astype(np.float64) / np.maximum(mind.patience_max, 1.0)
        too_much = self.contradicted & (self.u[:, LEAVE] < (1.0 - ratio) ** 2)
        return np.asarray((mind.patience < 1.0) | too_much)

    def _parts(self) -> tuple[Acts, Acts, Acts]:
        return act_of(self.answer), slot_of(self.answer), value_of(self.answer)

    def _wrong(self) -> Flags:
        """Tell who heard a value that is not wanted, where they care."""
        acts, slots, values = act_of(self.answer), slot_of(self.answer), as_values(self.answer)
        slot = np.minimum(slots, self.domain.name)
        wanted = np.take_along_axis(self.mind.want, slot.astype(np.int64), axis=1)
        told = (acts == Act.INFORM) & (slots < self.domain.constraints)
        # Where the question was what it is like, a value is an answer and not a mistake.
        asked = np.take_along_axis(self.mind.asks, slot.astype(np.int64), axis=1)
        return np.asarray((told & (wanted >= 0) & (values != wanted) & ~(asked & (wanted < 0))).any(axis=1))

    def _note(self, refused: Flags) -> None:
        """Take what is recommended for the venue, unless it is refused, and note what is said about it."""
        mind, (acts, slots, values) = self.mind, self._parts()
        mind.venue[refused] = -1
        fresh = np.zeros(len(mind), dtype=np.bool_)
        for place in range(acts.shape[1]):
            names = (acts[:, place] == Act.INFORM) & (slots[:, place] == self.domain.name) & ~refused
            rows = np.flatnonzero(names & (values[:, place] < len(self.domain.entities)))
            other = rows[mind.venue[rows] != values[rows, place]]
            mind.venue[other], mind.heard[other], mind.confirmed[other] = values[other, place], UNHEARD, False
            fresh[other] = True
            mind.heard[rows, self.domain.name] = values[rows, place]
        self._note_answers(refused)
        booked = np.flatnonzero(says(self.answer, Act.BOOKED) & mind.books)
        mind.confirmed[booked] = True
        mind.agenda.drop(booked, mind.agenda.bare(Act.BOOK))
        self._on_second_thoughts(fresh)

    def _note_answers(self, refused: Flags) -> None:
        mind, (acts, slots, values) = self.mind, self._parts()
        got = np.zeros(len(mind), dtype=np.bool_)
        for place in range(acts.shape[1]):
            tells = (
                (acts[:, place] == Act.INFORM) & (slots[:, place] != NO_SLOT) & (values[:, place] != NO_VALUE)
            )
            rows = np.flatnonzero(tells & (mind.venue >= 0) & ~refused)
            slot, value = slots[rows, place], values[rows, place]
            got[rows] |= mind.open_questions[rows, slot]
            mind.heard[rows, slot] = np.where(value >= OTHER - 1, NONSENSE, value)
            mind.agenda.drop(rows, len(self.domain.slots) + slot)
        mind.agenda.push_where(
            got & (self.u[:, THANK] < self.likely("thank_ack")), mind.agenda.bare(Act.THANK)
        )

    def _on_second_thoughts(self, fresh: Flags) -> None:
        """Let some, satisfied as they are, ask for another venue or want something else."""
        mind = self.mind
        first = fresh & ~mind.once
        alternatives = first & (self.u[:, ALTERNATIVES] < self.likely("alternatives_after_venue"))
        changes = first & ~alternatives & (self.u[:, CHANGE] < self.likely("change_after_venue"))
        mind.once |= alternatives | changes
        mind.agenda.push_where(alternatives, mind.agenda.bare(Act.REQALTS))
        self.change(changes)

    def change(self, who: Flags) -> None:
        """Change one constraint each: drop it or want another value; the venue no longer counts."""
        mind, slots = self.mind, self.domain.constraints
        slot = pick(mind.want[:, :slots] >= 0, self.u[:, WHICH])
        rows = np.flatnonzero(who & (slot >= 0))
        self._want_other(rows, slot[rows])
        mind.venue[rows] = -1
        mind.agenda.tuck(rows, slot[rows])
        tells = rows[self.u[rows, TELL] < _of(self.likely("tell_about_change"), rows)]
        mind.agenda.push(tells, slot[tells])

    def _want_other(self, rows: NDArray[np.int64], slot: NDArray[np.int64]) -> None:
        """Want anything of a slot, or another value of it, each as likely; or anything if there is none."""
        want = self.mind.want
        drops = self.u[rows, RELAX] < _of(self.likely("constraint_relax"), rows)
        known = np.array([len(values) for values in self.domain.values])[slot]
        step = 1 + (self.u[rows, VALUE] * (known - 1)).astype(np.int64)
        want[rows, slot] = np.where(drops | (known < 2), -1, (want[rows, slot] + step) % known)

    def _correct(self, wrong: Flags) -> None:
        """Put right what was wrong: with a no, with the value, or with both."""
        mind, (acts, slots, _) = self.mind, self._parts()
        values = as_values(self.answer)
        both, inform = self.likely("correct_by_negating"), self.likely("correct_by_informing")
        u = self.u[:, CORRECT]
        tells = wrong & (u < np.asarray(both) + inform)
        for place in range(acts.shape[1]):
            slot = np.minimum(slots[:, place], self.domain.name)
            wanted = mind.want[np.arange(len(mind)), slot]
            off = (acts[:, place] == Act.INFORM) & (slots[:, place] < self.domain.constraints)
            mind.agenda.push_where(tells & off & (wanted >= 0) & (wanted != values[:, place]), slot)
        mind.agenda.push_where(wrong & ((u < both) | ~tells), mind.agenda.bare(Act.NEGATE))

    def _answer_questions(self) -> None:
        """Prepare an answer to what was asked, unless a question about a venue is more pressing."""
        mind, (acts, slots, _) = self.mind, self._parts()
        pressing = (mind.venue >= 0) & mind.open_questions.any(axis=1)
        for place in reversed(range(acts.shape[1])):
            slot = slots[:, place]
            asked = (acts[:, place] == Act.REQUEST) & (slot < self.domain.informable) & ~pressing
            cares = mind.want[np.arange(len(mind)), np.minimum(slot, self.domain.name)] >= 0
            instead = ~cares & (self.u[:, ASKED + 2 * place] < self.likely("repeat_when_asked_new"))
            known = mind.want[:, : self.domain.constraints] >= 0
            other = pick(known, self.u[:, ASKED + 2 * place + 1])
            mind.agenda.push_where(asked & ~(instead & (other >= 0)), slot)
            mind.agenda.push_where(asked & instead & (other >= 0), other)

    def _confirmations(self) -> None:
        mind, (acts, slots, _) = self.mind, self._parts()
        values = as_values(self.answer)
        for place in range(acts.shape[1]):
            slot = slots[:, place]
            asked = (acts[:, place] == Act.CONFIRM) & (slot < self.domain.informable)
            wanted = mind.want[np.arange(len(mind)), np.minimum(slot, self.domain.name)]
            right = (values[:, place] == wanted) | ((wanted < 0) & (values[:, place] == ANY))
            itself = self.u[:, ITSELF] < self.likely("inform_to_confirm")
            mind.agenda.push_where(asked & (~right | itself), slot)
            mind.agenda.push_where(asked & right & ~itself, mind.agenda.bare(Act.AFFIRM))
            mind.agenda.push_where(asked & ~right, mind.agenda.bare(Act.NEGATE))

    def _no_offer(self, told: Flags) -> None:
        """Take what else is wanted, drop or change a constraint, say all again, or give up."""
        mind, slots = self.mind, self.domain.constraints
        told = told & ~(says(self.said, Act.REQALTS) & (mind.venue >= 0))
        mind.venue[told] = -1
        spare = mind.spare[:, :slots]
        turns = told & (spare >= 0).any(axis=1)
        rows, slot = np.flatnonzero(turns), (spare >= 0).argmax(axis=1)
        mind.want[rows, slot[rows]] = spare[rows, slot[rows]]
        mind.spare[rows, slot[rows]] = -1
        mind.agenda.push(rows, slot[rows])
        some = pick(mind.want[:, :slots] >= 0, self.u[:, WHICH])
        relaxes = np.flatnonzero(told & ~turns & (some >= 0))
        self._want_other(relaxes, some[relaxes])
        mind.agenda.push(relaxes, some[relaxes])
        stuck = told & ~turns & (some < 0)
        gives_up = stuck & (self.u[:, START_OVER] < self.likely("bye_or_start_over"))
        mind.ending[gives_up] = End.INFEASIBLE
        mind.agenda.clear(np.flatnonzero(gives_up))
        for slot_again in range(slots):
            mind.agenda.push_where(stuck & ~gives_up, slot_again)

    def _more(self, asked: Flags) -> None:
        mind, u = self.mind, self.u[:, REQMORE]
        done = mind.complete
        mind.agenda.push_where(
            asked & done & (u < self.likely("no_after_reqmore")), mind.agenda.bare(Act.NEGATE)
        )
        goes_on = asked & ~done & (u < self.likely("yes_after_reqmore"))
        mind.agenda.push_where(goes_on, mind.agenda.bare(Act.AFFIRM))

    def _say_again(self, who: Flags) -> None:
        """Put what was said back on top, in its order."""
        mind, slots = self.mind, len(self.domain.slots)
        acts, slot = act_of(self.said), slot_of(self.said)
        for place in reversed(range(self.said.shape[1])):
            tells = who & (acts[:, place] == Act.INFORM) & (slot[:, place] < self.domain.informable)
            asks = who & (acts[:, place] == Act.REQUEST) & (slot[:, place] < self.domain.name)
            mind.agenda.push_where(tells, slot[:, place])
            mind.agenda.push_where(asks, slots + slot[:, place])


def _of(chance: Floats | float, rows: NDArray[np.int64]) -> Floats | float:
    return chance if isinstance(chance, float) else chance[rows]
