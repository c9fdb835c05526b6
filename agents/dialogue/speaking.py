"""What callers say: the top of the agenda, in one breath where that is their way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.dialogue.agenda import as_acts, kind_of
from rehearse.agents.dialogue.mind import Mind
from rehearse.dialogue.acts import NO_ACT, SPOKEN, Act, Acts, code, packed
from rehearse.dialogue.domain import Domain
from rehearse.exact import Floats

Flags = NDArray[np.bool_]
Likely = Callable[[str], Floats | float]
"""The chance of a kind of behaviour, for each person or for all."""
BREATHS = SPOKEN - 2
"""Items that are joined to the first one, at most."""
GREET, GO_ON, NAME_IT, BYE_NOW, ADD_SLOT, ADD_NAME, NOTHING, ASK_TOO, COMBINE = range(9)
DRAWS = COMBINE + BREATHS
INFORM, REQUEST, BARE = range(3)


def plan(mind: Mind, domain: Domain, disclosed: Floats, disclosure: float, order: Floats) -> None:
    """Put on the agendas what the goals ask for: goodbye, questions, constraints in some order on top."""
    agenda, slots = mind.agenda, len(domain.slots)
    everybody = np.ones(len(mind), dtype=np.bool_)
    agenda.push_where(everybody, agenda.bare(Act.BYE))
    ranks = np.argsort(order, axis=1, kind="stable")
    for place in range(slots):
        slot = ranks[:, place]
        agenda.push_where(mind.asks[np.arange(len(mind)), slot], slots + slot)
    for place in range(slots):
        slot = ranks[:, place]
        at = np.arange(len(mind)), slot
        tells = (slot < domain.constraints) & (mind.want[at] >= 0) & (disclosed[at] < disclosure)
        agenda.push_where(tells, slot)


def speak(mind: Mind, domain: Domain, likely: Likely, u: Floats, *, first: bool) -> Acts:
    """Return what people say now; it is taken off their agendas."""
    _remind(mind, domain)
    before, slots, n = mind.ranks.copy(), len(domain.slots), len(mind)
    said = np.full((n, 5 + 2 * BREATHS), NO_ACT, dtype=np.int32)
    if first:
        said[:, 0] = np.where(u[:, GREET] < likely("greeting"), code(Act.HELLO), NO_ACT)
    ends = _preface(mind, said, likely, u)
    item = _main(mind, domain, said, likely, u, ~ends)
    kind = kind_of(item, slots)
    going = item >= 0
    for breath in range(BREATHS):
        p = np.where(kind == INFORM, likely("inform_combination"), likely("request_combination"))
        top = mind.agenda.top()
        going &= (kind < BARE) & (kind_of(top, slots) == kind) & (u[:, COMBINE + breath] < p)
        _say(mind, said, 3 + breath, np.where(going, top, -1), slots)
    questions = (kind == REQUEST) & (item >= 0)
    informs = mind.ranks[:, :slots]
    left = questions & (informs.max(axis=1) > 0) & (u[:, ADD_SLOT] < likely("add_slot_to_request"))
    _say(mind, said, 3 + BREATHS, np.where(left, informs.argmax(axis=1), -1), slots)
    named = questions & (mind.venue >= 0) & (u[:, ADD_NAME] < likely("add_venue_name"))
    said[:, 4 + BREATHS] = np.where(named, code(Act.INFORM, domain.name, np.maximum(mind.venue, 0)), NO_ACT)
    told_all = (kind == INFORM) & (item >= 0) & (mind.ranks[:, :slots].max(axis=1) == 0)
    asks_too = told_all & (u[:, ASK_TOO] < likely("ask_with_constraints"))
    for breath in range(BREATHS):
        top = mind.agenda.top()
        asks_too &= kind_of(top, slots) == REQUEST
        _say(mind, said, 5 + BREATHS + breath, np.where(asks_too, top, -1), slots)
        asks_too &= u[:, COMBINE + breath] < likely("request_combination")
    mute = u[:, NOTHING] < likely("null_response")
    mind.ranks[mute] = before[mute]
    said[mute] = NO_ACT
    return packed(said, SPOKEN)


def _remind(mind: Mind, domain: Domain) -> None:
    """Put back what is still to be asked or booked of the venue, and was not dealt with."""
    agenda, slots = mind.agenda, len(domain.slots)
    there = mind.venue >= 0
    unmet = mind.open_questions
    for question in np.flatnonzero(domain.requestable).tolist():
        item = slots + question
        agenda.push_where(unmet[:, question] & there & ~agenda.has(item), item)
    book = agenda.bare(Act.BOOK)
    due = mind.books & ~mind.confirmed & there & ~unmet.any(axis=1) & ~agenda.has(book) & (mind.ending == 0)
    agenda.push_where(due, book)
    for slot in range(domain.constraints, domain.informable):
        agenda.push_where(due, slot)


def _preface(mind: Mind, said: Acts, likely: Likely, u: Floats) -> Flags:
    """Say yes, no or thanks where that is on top; tell who says no more than that."""
    agenda = mind.agenda
    ends = np.zeros(len(mind), dtype=np.bool_)
    top = agenda.top()
    for act in (Act.NEGATE, Act.AFFIRM, Act.THANK):
        rows = np.flatnonzero(top == agenda.bare(act))
        said[rows, 1] = code(act)
        agenda.drop(rows, agenda.bare(act))
        if act is Act.AFFIRM:
            ends[rows] = u[rows, GO_ON] >= np.broadcast_to(likely("affirm_combination"), len(mind))[rows]
    return ends


def _main(
    mind: Mind, domain: Domain, said: Acts, likely: Likely, u: Floats, going: Flags
) -> NDArray[np.int64]:
    """Say what is on top; return the item, or -1 for those who said something that is on no agenda."""
    agenda, slots = mind.agenda, len(domain.slots)
    top = np.where(going, agenda.top(), -1)
    bye = top == agenda.bare(Act.BYE)
    lost = (mind.venue < 0) & (mind.ending == 0)
    asks_first = (kind_of(top, slots) == REQUEST) & (u[:, NAME_IT] < likely("ask_name"))
    names = lost & (asks_first | bye)
    waits = bye & ~names & mind.complete & (u[:, BYE_NOW] >= likely("bye_once_complete"))
    said[names, 2] = code(Act.REQUEST, domain.name)
    said[waits, 2] = code(Act.THANK)
    item = np.where(names | waits, -1, top)
    _say(mind, said, 2, item, slots)
    return item


def _say(mind: Mind, said: Acts, place: int, item: NDArray[np.int64], slots: int) -> None:
    """Say an item each, where there is one, and take it off."""
    rows = np.flatnonzero(item >= 0)
    said[rows, place] = as_acts(item[rows], mind.want[rows], slots)
    mind.agenda.drop(rows, item[rows])
