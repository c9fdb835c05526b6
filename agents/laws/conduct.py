"""Conduct: the laws of a scenario put together, as a crowd goes by them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rehearse.agents.appraisal import Appraisal
from rehearse.agents.choice import attention_choice
from rehearse.agents.laws import choosing
from rehearse.agents.laws.budget import Budget
from rehearse.agents.laws.exposure import Exposure
from rehearse.agents.laws.journey import Journey
from rehearse.agents.laws.law import Law, Moment, Setting
from rehearse.agents.laws.returning import DayOfReturn
from rehearse.agents.laws.seconds import Seconds
from rehearse.agents.laws.stopping import Counts, Depth, Stay
from rehearse.agents.laws.tastes import Reinforcement, Slerp, Walk
from rehearse.agents.laws.temper import Temper
from rehearse.columns import Rows
from rehearse.contract import Codes, End, Flags, Offer, Outcomes, Responses, Singles, Turn
from rehearse.exact import Floats
from rehearse.scenario import laws as written
from rehearse.scenario.people import Behaviour

MADE = ("budget", "watched", "exposure", "feedback", "state", "viewed", "temper", "seconds", "stay")
"""Columns that laws make, which a world may ask for by name."""


class Conduct:
    """How people go by the laws of their scenario; without laws it has nothing to say."""

    def __init__(self, laws: written.Laws | None, setting: Setting) -> None:
        """Give people the columns that the laws keep."""
        self._laws = laws or written.Laws()
        self._people = setting.columns
        self._journey = _journey(self._laws, setting)
        self._seconds = None if self._laws.seconds is None else Seconds(self._laws.seconds, setting)
        # Time passes before anybody looks at the clock.
        first: tuple[Law | None, ...] = (self._seconds, self._journey)
        self._all = [law for law in (*first, *_others(self._laws, setting, self._journey)) if law is not None]
        if self._laws.choice is not None and self._laws.choice.each is not None:
            setting.add("feedback", np.zeros(setting.columns.length, dtype=np.float32))
        self._offer: Offer | None = None

    @property
    def told(self) -> tuple[str, ...]:
        """Return the columns that the record tells as they are when a turn is over."""
        feedback = ("feedback",) if "feedback" in self._people else ()
        return (*feedback, *(name for law in self._all for name in law.told))

    def draws(self, behaviour: Behaviour, places: int) -> int:
        """Return how many uniform numbers a choice takes."""
        return choosing.draws(self._laws.choice, behaviour, places)

    def choose(
        self, turn: Turn, offer: Offer, seen: Appraisal, uniforms: Floats, behaviour: Behaviour
    ) -> tuple[Codes, Flags | None]:
        """Return the place that each person takes, or -1, and who looks around; None: nobody ever does."""
        position = self._chosen(turn, offer, seen, uniforms, behaviour)
        if self._journey is None or "viewed" not in self._people:
            return position, None
        return position, self._journey.look_around(turn, offer, position)

    def open(self, rows: Rows, tick: int) -> None:
        """Let sessions begin."""
        for law in self._all:
            law.open(rows, tick)

    def ask(self, turn: Turn) -> None:
        """Let a turn begin."""
        for law in self._all:
            law.ask(turn)

    def meet(self, turn: Turn, offer: Offer, responses: Responses) -> tuple[Codes, Singles | None]:
        """Take in what people did; return why they leave, and what the turn took in seconds."""
        self._offer = offer
        moment = Moment(turn, offer, responses.choice)
        usual = self._laws.leaving.usual
        end = responses.end if usual else np.full(len(turn), End.NONE, dtype=np.int8)
        for law in self._all:
            reasons = law.meet(moment)
            if reasons is not None:
                end = np.where(end == End.NONE, reasons, end)
        return end, None if self._seconds is None else self._seconds.of(moment)

    def remember(self, turn: Turn, responses: Responses, outcomes: Outcomes) -> None:
        """Take in how it turned out."""
        if self._offer is not None:
            moment = Moment(turn, self._offer, responses.choice)
            for law in self._all:
                law.remember(moment, outcomes)

    def close(self, turn: Turn) -> None:
        """Let sessions end."""
        for law in self._all:
            law.close(turn)

    def come(self, piece: slice, tick: int, wants: Flags) -> Flags:
        """Return who of those who want to may open a session now."""
        for law in self._all:
            may = law.comes(piece, tick)
            wants = wants if may is None else wants & may
        return wants

    def _chosen(
        self, turn: Turn, offer: Offer, seen: Appraisal, uniforms: Floats, behaviour: Behaviour
    ) -> Codes:
        law = self._laws.choice
        if law is None:
            return choosing.usual(behaviour, seen, uniforms)
        if law.proportional is not None:
            return choosing.proportional(law.proportional, seen, uniforms)
        if law.sequential is not None:
            return choosing.sequential(law.sequential, seen, uniforms)
        if law.attention is not None:
            return attention_choice(seen.utilities.T, law.attention.exponent)
        assert law.each is not None  # noqa: S101 -- exactly one is given
        position, feedback = choosing.each(law.each, seen, offer, uniforms)
        self._people["feedback"][turn.rows] = feedback
        return position


def _journey(laws: written.Laws, setting: Setting) -> Journey | None:
    return None if laws.leaving.journey is None else Journey(laws.leaving.journey, setting)


def _others(laws: written.Laws, setting: Setting, journey: Journey | None) -> Iterator[Law]:
    tastes, satisfaction, returning = laws.tastes, laws.satisfaction, laws.returning
    yield from _leaving(laws.leaving, setting)
    if tastes.reinforcement is not None:
        yield Reinforcement(tastes.reinforcement, setting)
    if tastes.walk is not None:
        yield Walk(tastes.walk, setting, () if journey is None else journey.states)
    if tastes.slerp is not None:
        yield Slerp(tastes.slerp, setting)
    if satisfaction is not None and satisfaction.exposure is not None:
        yield Exposure(satisfaction.exposure, setting)
    if returning is not None and returning.day is not None:
        yield DayOfReturn(returning.day, setting)


def _leaving(leaving: written.Leaving, setting: Setting) -> Iterator[Law]:
    if leaving.budget is not None:
        yield Budget(leaving.budget, setting)
    if leaving.temper is not None:
        yield Temper(leaving.temper, setting)
    if (misses := leaving.misses) is not None:
        yield Counts("misses", misses.after, setting, taken=False, in_a_row=misses.in_a_row)
    if leaving.takes is not None:
        yield Counts("takes", leaving.takes, setting, taken=True, in_a_row=False)
    if leaving.turns is not None:
        yield Depth(leaving.turns)
    if leaving.stay is not None:
        yield Stay(leaving.stay, setting)
