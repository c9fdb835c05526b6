"""What a law is: something that has its say at some moments of people's lives, on columns of theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rehearse.chance import Chance
from rehearse.columns import Array, Columns, Rows
from rehearse.contract import Codes, End, Flags, Ints, Offer, Outcomes, Turn
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats


@dataclass(frozen=True, slots=True)
class Setting:
    """Where laws hold: the people, the names of the attributes of items, and the luck."""

    columns: Columns
    attributes: tuple[str, ...]
    chance: Chance

    def add(self, name: str, values: Array) -> None:
        """Give people a column; raises ScenarioError where they have one of that name."""
        if name in self.columns:
            problem = f"people.traits: {name!r} is the name of something that people have by people.laws."
            raise ScenarioError(problem, "Choose another name for the trait.")
        self.columns[name] = values

    def start(self, name: str, path: str) -> None:
        """Let a column begin, in every session, where the trait of that name says: it stays as NAME_start."""
        if name not in self.columns:
            problem = f"{path}: people have no trait {name!r}, which says where it begins."
            raise ScenarioError(problem, f"Give people.traits.{name}.")
        self.add(f"{name}_start", self.columns[name])
        self.columns[name] = np.array(self.columns[name], dtype=np.float32)

    def place(self, name: str, path: str) -> int:
        """Return where an attribute stands among the world's; raises ScenarioError for none."""
        if name not in self.attributes:
            problem = f"{path}: the world's items have no attribute {name!r}."
            raise ScenarioError(problem, did_you_mean(name, self.attributes))
        return self.attributes.index(name)

    def block(self, name: str, path: str) -> slice:
        """Return where an attribute, or the block of attributes NAME_1, NAME_2, … stands."""
        found = [i for i, known in enumerate(self.attributes) if known.rpartition("_")[0] == name]
        if name in self.attributes or not found:
            return slice(at := self.place(name, path), at + 1)
        return slice(found[0], found[-1] + 1)


@dataclass(frozen=True, slots=True)
class Moment:
    """What n people did in a turn."""

    turn: Turn
    offer: Offer
    choice: Ints
    """The item taken, or -1."""

    @property
    def taken(self) -> Flags:
        """Return who took something."""
        return np.asarray(self.choice >= 0)

    def attribute(self, place: int) -> Floats:
        """Return an attribute of what was taken, shape (n,); that of item 0 where nothing was."""
        return self.offer.one(self.choice, place)


class Law:
    """A law without anything to say; others say what they have to."""

    told: tuple[str, ...] = ()
    """The columns that the record tells as they are when a turn is over."""

    def open(self, rows: Rows, tick: int) -> None:
        """Let a session begin for these people."""

    def ask(self, turn: Turn) -> None:
        """Let a turn begin."""

    def meet(self, moment: Moment) -> Codes | None:
        """Take in what people did; return why they leave now, an `End` each, or None for nobody."""

    def remember(self, moment: Moment, outcomes: Outcomes) -> None:
        """Take in how it turned out."""

    def close(self, turn: Turn) -> None:
        """Let the session of these people end."""

    def comes(self, piece: slice, tick: int) -> Flags | None:
        """Return who of a piece of the population may open a session now; None: everybody."""


def because(end: End, leaves: Flags) -> Codes:
    """Return `end` for those who leave, and NONE for the others."""
    return np.where(leaves, np.int8(end), np.int8(End.NONE))
