"""What would bring a person on: the ground truth of a dialogue turn, known only with the person's goal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rehearse.dialogue.acts import Act, Acts, says
from rehearse.dialogue.belief import Belief
from rehearse.dialogue.domain import Domain, Values
from rehearse.dialogue.menu import (
    ALTERNATIVE,
    ANSWER,
    BOOK,
    CLOSE,
    MORE,
    MOVES,
    OFFER,
    REPEAT,
    menu,
    next_match,
)
from rehearse.exact import Floats

Flags = NDArray[np.bool_]


def due(domain: Domain, belief: Belief, want: Values, books: Flags, said: Acts) -> NDArray[np.int32]:
    """Return which items of the menu would bring each person on, as bits.

    `belief` is what the assistant can know, `want` and `books` are the goal, `said` is what the person
    meant to say. To ask for a slot is due where the assistant takes it for something else than it is; to
    recommend, where what would be recommended is wanted, or nothing could be; to answer, where there
    are questions about a venue that fits; to book, where that is asked for and all details are right; to
    close, after a goodbye; to have it said again, where nothing came through; else to ask for more.
    """
    first = len(menu(domain)) - len(MOVES)
    bits = np.zeros(len(belief), dtype=np.int32)
    good = domain.fit(want, belief.venue)
    bye = says(said, Act.BYE)
    others = says(said, Act.REQALTS)
    fitting, _ = next_match(domain, belief, other=others & good)
    possible = domain.fits(want).any(axis=1)
    offers = domain.fit(want, fitting) | ((fitting < 0) & (~possible | (others & good)))
    asked = (belief.asked & domain.requestable).any(axis=1)
    details = slice(domain.constraints, domain.informable)
    ready = books & good & (belief.known[:, details] == want[:, details]).all(axis=1)
    moves = {
        OFFER: offers & ~others & ~(good & (belief.venue == fitting) & ~(asked | belief.did(Act.REQUEST))),
        ALTERNATIVE: offers & others,
        ANSWER: good & asked & ~others,
        BOOK: ready & (belief.booked != belief.venue) & ~others,
        CLOSE: bye,
        REPEAT: (belief.heard == 0) & (said >= 0).any(axis=1),
    }
    for slot in range(domain.informable):
        matters = books if slot >= domain.constraints else ~good
        bits |= _bit((want[:, slot] >= 0) & (belief.known[:, slot] != want[:, slot]) & matters & ~bye, slot)
    for move, is_due in moves.items():
        bits |= _bit(is_due if move == CLOSE else is_due & ~bye, first + move)
    return bits | _bit(bits == 0, first + MORE)


def as_utilities(bits: NDArray[np.int32], items: int) -> Floats:
    """Return bits as utilities in turns, shape (n, items): 1 for what is due, 0 for a turn wasted."""
    return (bits[:, None] >> np.arange(items) & 1).astype(np.float64)


def _bit(flags: Flags, place: int) -> NDArray[np.int32]:
    return np.asarray(flags, dtype=np.int32) << np.int32(place)
