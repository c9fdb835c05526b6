"""The menu: what an assistant can do in a turn, and how the house puts it into acts and tool calls.

These are the summary actions of the field (Gašić and Young 2014): a model that answers with one of them
leaves it to the house to look into the database and to find the words. A model that answers in acts or
text is taken to have done what its acts amount to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rehearse.dialogue.acts import CALLED, NO_ACT, SPOKEN, Act, Acts, act_of, code, packed, silence, slot_of
from rehearse.dialogue.belief import Belief
from rehearse.dialogue.domain import Domain

Ints = NDArray[np.int32]
OFFER, ALTERNATIVE, ANSWER, BOOK, MORE, REPEAT, TRANSFER, CLOSE = range(8)
MOVES = ("offer", "alternative", "answer", "book", "more", "repeat", "transfer", "close")
STATED = 2
"""Constraints that a recommendation states again, so that the person can correct what was misheard."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What assistants said and did: acts and tool calls, a row a person."""

    said: Acts
    calls: Acts


def menu(domain: Domain) -> tuple[str, ...]:
    """Return the items: `ask_SLOT` for whatever people tell, then MOVES."""
    return (*(f"ask_{slot}".replace(" ", "_") for slot in domain.slots[: domain.informable]), *MOVES)


def item_of(domain: Domain, said: Acts) -> Ints:
    """Return the item that acts amount to, by the first that counts; -1 where nothing was said."""
    acts, slots = act_of(said), slot_of(said)
    first = len(menu(domain)) - len(MOVES)
    item = np.full(len(said), -1, dtype=np.int32)
    names = ((acts == Act.INFORM) & (slots == domain.name)).any(axis=1)
    told = np.where(names, first + OFFER, first + ANSWER)[:, None]
    asked = np.where(slots < domain.informable, slots, first + MORE)
    meant = np.full(said.shape, -1, dtype=np.int32)
    for act, what in (
        (Act.INFORM, told), (Act.NOOFFER, first + OFFER), (Act.BOOKED, first + BOOK),
        (Act.NOBOOK, first + BOOK), (Act.REQUEST, asked), (Act.CONFIRM, asked), (Act.REQMORE, first + MORE),
        (Act.REPEAT, first + REPEAT), (Act.TRANSFER, first + TRANSFER), (Act.BYE, first + CLOSE),
    ):  # fmt: skip
        meant = np.where(acts == act, what, meant)
    for place in reversed(range(said.shape[1])):
        item = np.where(meant[:, place] >= 0, meant[:, place], item)
    some = (said >= 0).any(axis=1) & (item < 0)
    return np.where(some, first + MORE, item).astype(np.int32)


def speak(domain: Domain, belief: Belief, item: Ints) -> Spoken:
    """Put items into acts, looking into the database; nothing is said for -1."""
    said, calls = silence(len(item)), silence(len(item), CALLED)
    first = len(menu(domain)) - len(MOVES)
    asks = (item >= 0) & (item < first)
    said[asks, 0] = code(Act.REQUEST, item[asks])
    for move, act in ((MORE, Act.REQMORE), (REPEAT, Act.REPEAT), (TRANSFER, Act.TRANSFER), (CLOSE, Act.BYE)):
        said[item == first + move, 0] = code(act)
    looks = np.flatnonzero((item == first + OFFER) | (item == first + ALTERNATIVE))
    if len(looks):
        other = item[looks] == first + ALTERNATIVE
        said[looks], calls[looks] = _offered(domain, belief.take(looks), other)
    for move, make in ((ANSWER, _answered), (BOOK, _booked)):
        rows = np.flatnonzero(item == first + move)
        if len(rows):
            said[rows], calls[rows] = make(domain, belief.take(rows))
    return Spoken(said, calls)


def next_match(
    domain: Domain, belief: Belief, *, other: NDArray[np.bool_] | bool = False
) -> tuple[Ints, Ints]:
    """Return the first entity that fits what is known, -1 for none, and how many do.

    Where `other`, the next one after what was recommended last, and never that one.
    """
    fits = domain.fits(belief.known)
    after = np.broadcast_to(other, len(belief)) & (belief.venue >= 0)
    count = fits.sum(axis=1, dtype=np.int32)
    entities = np.arange(fits.shape[1])
    if after.any():
        fits = fits & ~(after[:, None] & (entities == belief.venue[:, None]))
        rolled = fits & (~after[:, None] | (entities > belief.venue[:, None]))
        found = np.where(rolled.any(axis=1), rolled.argmax(axis=1), fits.argmax(axis=1))
    else:
        found = fits.argmax(axis=1)
    return np.where(fits.any(axis=1), found, NO_ACT).astype(np.int32), count


def _offered(domain: Domain, belief: Belief, other: NDArray[np.bool_]) -> tuple[Acts, Acts]:
    entity, count = next_match(domain, belief, other=other)
    there, has = entity >= 0, domain.table[np.maximum(entity, 0)]
    told = _slots_of(belief.known[:, : domain.constraints] != -1, there)
    parts = [
        np.where(there, code(Act.INFORM, domain.name, np.maximum(entity, 0)), code(Act.NOOFFER))[:, None]
    ]
    parts.append(
        code(np.where(told, Act.INFORM, NO_ACT), np.arange(domain.constraints), has[:, : domain.constraints])[
            :, :
        ]
    )
    wanted = belief.asked & domain.requestable & there[:, None]
    wanted[:, domain.name] = False
    parts.append(code(np.where(wanted, Act.INFORM, NO_ACT), np.arange(len(domain.slots)), has))
    return _once(np.concatenate(parts, axis=1)), _find(domain, belief, count)


def _slots_of(known: NDArray[np.bool_], there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the first slots that are known, as many as are stated again."""
    return np.asarray(known & (np.cumsum(known, axis=1) <= STATED) & there[:, None])


def _answered(domain: Domain, belief: Belief) -> tuple[Acts, Acts]:
    has, there = domain.table[np.maximum(belief.venue, 0)], belief.venue >= 0
    wanted = belief.asked & domain.requestable & there[:, None]
    said = code(np.where(wanted, Act.INFORM, NO_ACT), np.arange(len(domain.slots)), has)
    named = code(Act.INFORM, domain.name, np.maximum(belief.venue, 0))
    said = np.concatenate([np.where(there, named, code(Act.REQMORE))[:, None], said], axis=1)
    call = code(np.where(there, Act.LOOK_UP, NO_ACT), domain.name, np.maximum(belief.venue, 0))
    return _once(said), packed(call[:, None], CALLED)


def _booked(domain: Domain, belief: Belief) -> tuple[Acts, Acts]:
    there = belief.venue >= 0
    named = np.maximum(belief.venue, 0)
    said = np.where(there, code(Act.BOOKED, domain.name, named), code(Act.NOBOOK))
    call = code(np.where(there, Act.BOOK, NO_ACT), domain.name, named)[:, None]
    given = _given(belief, np.arange(domain.constraints, domain.informable), there)
    done = np.where(there, code(Act.BOOKED), NO_ACT)[:, None]
    return packed(said[:, None]), packed(np.concatenate([call, given, done], axis=1), CALLED)


def _find(domain: Domain, belief: Belief, count: Ints) -> Acts:
    call = np.broadcast_to(code(Act.FIND), (len(belief), 1))
    given = _given(belief, np.arange(domain.constraints), np.ones(len(belief), dtype=np.bool_))
    return packed(np.concatenate([call, given, code(Act.FOUND, value=count)[:, None]], axis=1), CALLED)


def _given(belief: Belief, slots: NDArray[np.int64], there: NDArray[np.bool_]) -> Acts:
    value = belief.known[:, slots]
    return code(np.where((value >= 0) & there[:, None], Act.INFORM, NO_ACT), slots, value)


def _once(said: Acts) -> Acts:
    """Return acts without those that stand before in the same row, packed."""
    for place in range(1, said.shape[1]):
        twice = (said[:, :place] == said[:, place : place + 1]).any(axis=1)
        said[twice, place] = NO_ACT
    return packed(said, SPOKEN)
