"""An assistant that fills slots, for one call at a time: acts are tuples, the database a list of entities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

INFORM, REQUEST, REQALTS, BOOK, NEGATE, AFFIRM, THANK, HELLO, BYE, REQMORE, NOOFFER, BOOKED = range(12)
OFFER, ALTERNATIVE, ANSWER, BOOKING, MORE, REPEAT, CLOSE = 100, 101, 102, 103, 104, 105, 107
Act = tuple[int, int, int]
"""What is done, the slot, the value; -1 for none."""


def does(acts: Iterable[Act], what: int) -> bool:
    """Tell whether something is among acts."""
    return any(act[0] == what for act in acts)


def several(acts: Iterable[Act], places: int) -> list[int]:
    """Return acts as so many numbers, as they are recorded."""
    codes = [(act << 24) | ((slot & 255) << 16) | (value & 0xFFFF) for act, slot, value in acts][:places]
    return codes + [-1] * (places - len(codes))


class Belief:
    """What an assistant knows of a call."""

    def __init__(self) -> None:
        self.known: dict[int, int] = {}
        self.asked: set[int] = set()
        self.venue = self.booked = -1
        self.details: dict[int, int] = {}
        self.heard: list[Act] = []

    def hear(self, said: list[Act], informable: int) -> None:
        """Take in what a person said."""
        self.heard = said
        for act, slot, value in said:
            if act == INFORM and slot < informable:
                self.known[slot] = value
            elif act == REQUEST:
                self.asked.add(slot)

    def say(self, said: list[Act], name: int) -> None:
        """Take in what was answered."""
        for act, slot, value in said:
            if act == INFORM:
                self.asked.discard(slot)
                if slot == name:
                    self.venue = value


class Assistant:
    """Fills slots: asks, recommends, answers, books."""

    def __init__(self, domain: Any) -> None:
        self.table = [tuple(map(int, row)) for row in domain.table]
        self.constraints, self.informable, self.name = domain.constraints, domain.informable, domain.name
        self.requestable = {int(slot) for slot in np.flatnonzero(domain.requestable)}

    def fitting(self, wanted: dict[int, int]) -> list[int]:
        """Return the entities that have what is wanted."""
        asked = [(s, v) for s, v in wanted.items() if s < self.constraints and v >= 0]
        return [n for n, entity in enumerate(self.table) if all(entity[s] == v for s, v in asked)]

    def fits(self, wanted: dict[int, int], entity: int) -> bool:
        """Tell whether an entity has what is wanted; none has not."""
        has = self.table[entity]
        return entity >= 0 and all(has[s] == v for s, v in wanted.items() if s < self.constraints and v >= 0)

    def next_match(self, belief: Belief, matches: list[int], *, other: bool) -> int:
        """Return what is recommended: the first that fits, or the next after the last one; -1 for none."""
        if other and belief.venue >= 0:
            left = [n for n in matches if n != belief.venue]
            return next((n for n in left if n > belief.venue), left[0] if left else -1)
        return matches[0] if matches else -1

    def choose(self, belief: Belief, matches: list[int]) -> int:
        """Return what to do: a slot to ask for, or a move."""
        heard, known, venue = belief.heard, belief.known, belief.venue
        if does(heard, BYE) or does(heard, REQALTS):
            return CLOSE if does(heard, BYE) else ALTERNATIVE
        fresh = venue >= 0 and does(heard, INFORM) and not self.fits(known, venue)
        there = venue >= 0 and not fresh
        missing = [slot for slot in range(self.constraints) if slot not in known]
        asked = bool(belief.asked & self.requestable)
        asks = missing and len(matches) > 3 and not there and not asked
        if (asked and there) or (self.name in belief.asked and not asks):
            return ANSWER if asked and there else OFFER
        lacking = [slot for slot in range(self.constraints, self.informable) if slot not in known]
        ordered = does(heard, BOOK)
        books = ordered or len(lacking) < self.informable - self.constraints
        if books and there and (ordered or belief.booked != venue):
            return lacking[0] if lacking else BOOKING
        if asks:
            return missing[0]
        done = there and not asked and not does(heard, INFORM) and not does(heard, NEGATE)
        return MORE if done else OFFER

    def speak(self, belief: Belief, item: int, matches: list[int]) -> tuple[list[Act], list[Act]]:
        """Return an item as acts and tool calls."""
        if item in {OFFER, ALTERNATIVE}:
            return self._offer(belief, self.next_match(belief, matches, other=item == ALTERNATIVE), matches)
        if item == ANSWER:
            has = self.table[belief.venue]
            told = [(INFORM, slot, has[slot]) for slot in sorted(belief.asked & self.requestable)]
            return [(INFORM, self.name, belief.venue), *told], [(REQUEST, self.name, belief.venue)]
        if item == BOOKING:
            belief.booked = belief.venue
            given = range(self.constraints, self.informable)
            belief.details = {slot: belief.known[slot] for slot in given if slot in belief.known}
            calls = [(BOOK, self.name, belief.venue), *((INFORM, s, v) for s, v in belief.details.items())]
            return [(BOOKED, self.name, belief.venue)], calls
        bare = {MORE: REQMORE, CLOSE: BYE}.get(item)
        return [(REQUEST, item, -1) if bare is None else (bare, -1, -1)], []

    def _offer(self, belief: Belief, entity: int, matches: list[int]) -> tuple[list[Act], list[Act]]:
        given = [
            (INFORM, s, belief.known[s]) for s in range(self.constraints) if belief.known.get(s, -1) >= 0
        ]
        calls = [(REQUEST, -1, -1), *given, (INFORM, -1, len(matches))]
        if entity < 0:
            return [(NOOFFER, -1, -1)], calls
        has = self.table[entity]
        stated = [slot for slot in range(self.constraints) if slot in belief.known][:2]
        asked = sorted(belief.asked & self.requestable)
        slots = dict.fromkeys([*stated, *asked])
        return [(INFORM, self.name, entity), *((INFORM, slot, has[slot]) for slot in slots)], calls

    def due(self, belief: Belief, matches: list[int], caller: Any) -> set[int]:
        """Return what would bring a person on."""
        want, said = caller.want, caller.said
        if does(said, BYE):
            return {CLOSE}
        good, others = self.fits(want, belief.venue), does(said, REQALTS)
        fitting = self.next_match(belief, matches, other=others and good)
        possible = bool(self.fitting(want))
        offers = self.fits(want, fitting) or (fitting < 0 and (not possible or (others and good)))
        asked = bool(belief.asked & self.requestable)
        right = {
            slot
            for slot, value in want.items()
            if belief.known.get(slot, -1) != value
            and (caller.books if slot >= self.constraints else not good)
        }
        again = good and belief.venue == fitting and not (asked or does(belief.heard, REQUEST))
        if offers:
            right |= {ALTERNATIVE} if others else set() if again else {OFFER}
        if good and asked and not others:
            right.add(ANSWER)
        details = range(self.constraints, self.informable)
        ready = caller.books and good and all(belief.known.get(s, -1) == want.get(s, -1) for s in details)
        if ready and belief.booked != belief.venue and not others:
            right.add(BOOKING)
        return right or {MORE}
