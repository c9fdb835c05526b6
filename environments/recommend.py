"""The world `recommend-v1`: items with attributes, and people with tastes over them.

With tastes β_pa of person p and attributes x_pia of item i (a trait may multiply one: income × air):

    true utility    u_pi = Σ_a β_pa · x_pia                      McFadden (1974), systematic part
    ideal           argmax of u_pi over the items that can be had, the first where several tie
    regret          u_p,ideal − u_p,action ≥ 0, the action being the first item of the answer
    right           regret ≤ tolerance
    delay           D_i = −mean_i · ln U minutes, U uniform      exponential, one draw a turn
    surprise        −|β_p,felt_as| · (D_i − usual_i)             the mean before any drift is expected
    experience      σ(sensitivity · (felt + noise · ε)), felt = surprise, or surprise + u_pi − centre
    cost            an attribute of the item taken, such as its price
    harm            (u_p,ideal − u_p,taken − margin)⁺, told in an attribute's unit: / |β_p,per|
    reward          so much for each item taken

Utility is in logits: a difference of 1 multiplies the odds of a choice by e. Delays are in minutes,
costs and harm in the unit of their attribute. The choice itself belongs to the people: in a
multinomial logit the random part of utility is drawn there, and counts here as a slip and not as
a taste. So regret and harm measure the systematic part only.

Items and attributes are stated, drawn by the seed (independent normal vectors, as the documents of
RecSim's interest exploration are drawn once: Ie and others, "RecSim", arXiv:1909.04847, 2019), read
from the people's own rows (`table`), or factored from ratings (`ratings.py`). It departs from RecSim
and T-RECS in that true utility is known for every item, in that what a person took may turn out
otherwise than it was worth, and in that the catalogue is the same in all replicas, but for what
creators make (`creators.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.contract import NOTHING, Decisions, Flags, Ints, Offer, Outcomes, Responses, Singles, Turn
from rehearse.environments import consequences, ratings, travel
from rehearse.environments.aside import Aside, Utility
from rehearse.environments.consequences import Experience, Harm, Taken
from rehearse.environments.creators import Creators
from rehearse.environments.display import Display
from rehearse.environments.drift import Levers, Schedule
from rehearse.environments.engagement import Engagement, engaged
from rehearse.environments.items import (
    Attribute,
    Catalogue,
    Numbered,
    make_catalogue,
    position,
    spread_over,
)
from rehearse.environments.listed import Listed, catalogue_of
from rehearse.environments.ratings import Ratings
from rehearse.environments.scores import OwnScores, Scores, SharedScores, utilities
from rehearse.errors import ScenarioError
from rehearse.exact import Floats
from rehearse.scenario.base import Name, NotNegative, Strict
from rehearse.scenario.model import Drift
from rehearse.scenario.wrong import check

BEFORE = -1
"""The tick before the first: nothing has drifted yet."""


class Settings(Strict):
    """What a scenario writes under `world.settings`."""

    items: Annotated[tuple[Name, ...], Field(min_length=1)] | Numbered | Listed
    """The items: their names, how many, or a table."""
    attributes: dict[Name, Attribute] = Field(default_factory=dict)
    """Of the items; a table of items has theirs already."""
    table: Literal["modechoice", "data"] | None = None
    """The world's people: a table that ships with the project, unless a data file is given for the run;
    or `data`, only that file."""
    ratings: Ratings | None = None
    """A data file given for the run holds ratings: they replace the items and attributes above."""
    features: tuple[str, ...] = ()
    """Attributes that the model may see, one feature for each item: gc_air, gc_train, …"""
    catalogue: tuple[str, ...] = ()
    """Attributes, or blocks of them, that the model may look up for any item that is out; they must be the
    same for all people."""
    creators: Creators | None = None
    """Who makes the items, and when; None: all are there from the start."""
    utility: Utility | None = None
    """How worth differs from what tastes say, and what of it people know; None: not at all."""
    experience: Experience = Experience()
    reward: float | dict[str, float] = 1.0
    """For each item taken; or by item, 0 for those left out."""
    engagement: Engagement | None = None
    """What the reward of an item is multiplied by; None: 1."""
    cost: str | None = None
    """The attribute that says what an item costs the person; None: nothing."""
    harm: Harm | None = None
    tolerance: NotNegative = 0.0
    """Regret up to which an action is right."""

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        if isinstance(self.items, tuple) and len(set(self.items)) < len(self.items):
            problem = f"items names one twice: {', '.join(self.items)}"
            raise ValueError(problem)
        if isinstance(self.items, Listed) == bool(self.attributes):
            problem = "world.settings.attributes are needed, unless a table of items has them"
            raise ValueError(problem)
        return self


def build(
    settings: Mapping[str, Any], *, data: Path | None, drift: tuple[Drift, ...], chance: Chance
) -> Recommend:
    """Return the world; settings that make no sense are a ScenarioError that names their path."""
    checked = check(Settings, dict(settings), under="world.settings")
    if isinstance(checked.items, Listed):
        return Recommend(checked, catalogue_of(checked.items), _people(checked, data), drift)
    names = checked.items.names() if isinstance(checked.items, Numbered) else checked.items
    if data is not None and checked.ratings is not None:
        return Recommend(checked, *ratings.read(data, checked.ratings, len(names)), drift)
    catalogue = make_catalogue(names, checked.attributes, chance)
    return Recommend(checked, catalogue, _people(checked, data), drift)


class Recommend:
    """Items with attributes, and people with tastes over them; see the module's docstring."""

    name = "recommend-v1"
    coupled = False
    may_change = ("experience", "reward", "engagement", "cost", "harm", "tolerance")
    """Settings that may differ from some tick on, where a run forks off; the others make the items."""

    def __init__(
        self, settings: Settings, catalogue: Catalogue, table: Columns | None, drift: tuple[Drift, ...]
    ) -> None:
        """Resolve every name that the settings mention."""
        self.items, self.attributes = catalogue.items, catalogue.attributes
        self.needs = (*catalogue.needs, *_told_by_people(settings.engagement))
        self._settings, self._catalogue, self._table = settings, catalogue, table
        self._schedule = Schedule(drift, self.items, self.attributes)
        self._shown = [self._attribute(name, "features") for name in settings.features]
        self.features = tuple(f"{name}_{item}" for name in settings.features for item in self.items)
        self._reward = self._rewards(settings.reward)
        self._cost = self._attribute_or_none(settings.cost, "cost")
        per = None if settings.harm is None else settings.harm.per
        self._per = self._attribute_or_none(per, "harm.per")
        self._usual, self._felt_as = self._delays(settings.experience.delay)
        self._engages = self._engaging(settings.engagement)
        self._aside = None if settings.utility is None else Aside(settings.utility)
        self._display = self._displayed(settings)
        self.coupled = self.apart = self._display.apart
        self._tick = BEFORE
        self._enter(BEFORE)

    @property
    def bytes_per_user(self) -> int | None:
        """Return the bytes kept about each person besides columns; None where items are their own."""
        if self._catalogue.personal or self._aside is not None:
            return None if self._aside is None else 32 * len(self.items)
        return 2 * len(self.attributes) + 8

    def begin(self, replicas: Ints) -> None:
        """Hear which societies there are, each with creators of its own."""
        self._display.begin(replicas)
        self._enter(BEFORE)

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out the items as these people face them now."""
        n = len(turn)
        beside = known = None
        if self._catalogue.personal:
            faced = self._catalogue.faced(people, turn.rows)
            faced = faced * self._levers.scale + self._levers.shift if self._levers.moved else faced
            own = faced[:, :, self._shown].transpose(0, 2, 1)
            visible = own.reshape(n, len(self.features)).astype(np.float32)
        else:
            face = self._display.face(turn)
            faced, known = face.table, face.known
            if self._aside is not None:
                beside = self._aside.of(turn, people.numbers("taste", turn.rows), faced)[1]
            alike = faced[:, self._shown].T.reshape(-1).astype(np.float32)
            visible = np.broadcast_to(alike, (n, len(alike)))
        return Offer(faced, visible, self._available(n), beside, known)

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return each person's true utility of every item, shape (n, m)."""
        tastes = people.numbers("taste", turn.rows)
        finder = None if self._catalogue.personal else self._display.face(turn).finder
        if self._aside is not None:
            return self._aside.of(turn, tastes, self._display.face(turn).table)[0]
        if finder is not None:
            return finder.all(tastes)
        return utilities(tastes, np.asarray(offer.attributes, dtype=np.float64))

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Work out what follows from what people took, and how good the answer was."""
        tastes = people.numbers("taste", turn.rows)
        scores = self._scores(turn, people, tastes, offer)
        best = scores.of(scores.ideal)
        regret = np.maximum(best - scores.of(decisions.action), 0.0)
        right = np.where(np.isnan(regret), -1, regret <= self._settings.tolerance)
        took = np.flatnonzero(responses.choice >= 0)
        item = responses.choice.take(took)
        self._display.note(turn, item)
        taken = Taken(turn.take(took), item, scores.of(responses.choice).take(took), best.take(took))
        late, felt = self._turned_out(taken, tastes.take(took, axis=0))
        n = len(turn)
        return Outcomes(
            reward=_placed(self._gain(taken, people, offer.take(took)), took, n, 0.0),
            experience=_placed(felt, took, n, np.nan),
            ideal=scores.ideal,
            regret=regret.astype(np.float32),
            right=right.astype(np.int8),
            cost=self._costs(offer, took, item, n),
            harm=self._harms(taken, tastes.take(took, axis=0), took, n),
            detail={} if late is None else {"delay": _placed(late, took, n, np.nan)},
        )

    def table(self) -> Columns | None:
        """Return the people of the world's own data, a row a person, or None."""
        return self._table

    def drift(self, tick: int) -> list[str]:
        """Apply what is scheduled for the start of this tick; say each change in a sentence."""
        if self._schedule.changes(self._tick, tick) or self._settings.creators is not None:
            self._enter(tick)
        self._tick = tick
        return self._schedule.sentences(tick)

    def state(self) -> dict[str, Array]:
        """Return the tick, from which and the schedule all else follows but what creators made."""
        return {"tick": np.array([self._tick], dtype=np.int64)} | self._display.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go to the tick that `state` gave."""
        self._tick = int(np.asarray(state["tick"])[0])
        self._pull(self._tick)
        self._display.restore(state, self._tick, self._levers)

    def _enter(self, tick: int) -> None:
        self._tick = tick
        self._pull(tick)
        self._display.enter(tick, self._levers)

    def _pull(self, tick: int) -> None:
        self._levers: Levers = self._schedule.at(tick)
        self._law = self._schedule.experience(self._settings.experience, tick)
        self._late = np.maximum(self._usual * self._levers.delay_scale + self._levers.delay_shift, 0.0)

    def _scores(self, turn: Turn, people: Columns, tastes: Floats, offer: Offer) -> Scores:
        finder = None if self._catalogue.personal else self._display.face(turn).finder
        if finder is not None and self._aside is None:
            return SharedScores(finder, turn.rows, tastes)
        return OwnScores(self.truth(turn, people, offer), offer.available)

    def _turned_out(self, taken: Taken, tastes: Floats) -> tuple[Floats | None, Floats]:
        law = self._law
        if law.delay is None:
            return None, consequences.experience(law, taken, np.zeros(len(taken.item)))
        late = consequences.delay(taken, self._late)
        weight = np.abs(tastes[:, self._felt_as])
        surprise = weight * (self._usual.take(taken.item) - late)
        return late, consequences.experience(law, taken, surprise)

    def _gain(self, taken: Taken, people: Columns, offer: Offer) -> Floats:
        reward, law = self._reward.take(taken.item), self._settings.engagement
        if law is None:
            return reward
        attribute = offer.one(taken.item, self._engages)
        return np.asarray(reward * engaged(law, taken.turn, people, attribute))

    def _costs(self, offer: Offer, took: Array, item: Array, n: int) -> Singles | None:
        if self._cost is None:
            return None
        faced = offer.attributes
        paid = faced[item, self._cost] if faced.ndim == 2 else faced[took, item, self._cost]
        return _placed(paid, took, n, 0.0)

    def _harms(self, taken: Taken, tastes: Floats, took: Array, n: int) -> Singles | None:
        law = self._settings.harm
        if law is None:
            return None
        weight = None if self._per is None else tastes[:, self._per]
        return _placed(consequences.harm(law, taken, weight), took, n, 0.0)

    def _available(self, n: int) -> Flags | None:
        is_open = self._display.open
        return None if is_open.all() else np.broadcast_to(is_open, (n, len(is_open)))

    def _displayed(self, settings: Settings) -> Display:
        looked_up: list[int] = []
        for name in settings.catalogue:
            block = [i for i, known in enumerate(self.attributes) if known.rpartition("_")[0] == name]
            looked_up += (
                block if block and name not in self.attributes else [self._attribute(name, "catalogue")]
            )
        made = settings.creators is not None and settings.creators.count > 0
        if self._catalogue.personal and (looked_up or made or settings.utility is not None):
            problem = "world.settings: each person faces attributes of their own (column, times)."
            raise ScenarioError(
                problem, "Leave out catalogue, creators.count and utility, or those attributes."
            )
        return Display(self._catalogue.values, looked_up, settings.creators)

    def _attribute(self, name: str, path: str) -> int:
        return position(name, self.attributes, f"world.settings.{path}")

    def _attribute_or_none(self, name: str | None, path: str) -> int | None:
        return None if name is None else self._attribute(name, path)

    def _engaging(self, law: Engagement | None) -> int:
        if law is None or law.lognormal is None:
            return 0
        return self._attribute(law.lognormal.of, "engagement.lognormal.of")

    def _rewards(self, reward: float | dict[str, float]) -> Floats:
        if isinstance(reward, dict):
            return spread_over(reward, self.items, "world.settings.reward")
        return np.full(len(self.items), reward)

    def _delays(self, law: consequences.Delay | None) -> tuple[Floats, int]:
        if law is None:
            return np.zeros(len(self.items)), NOTHING
        means = spread_over(law.mean_minutes, self.items, "world.settings.experience.delay.mean_minutes")
        return means, self._attribute(law.felt_as, "experience.delay.felt_as")


def _told_by_people(law: Engagement | None) -> tuple[str, ...]:
    return () if law is None or law.column is None else (law.column,)


def _placed(values: Array, rows: Array, n: int, elsewhere: float) -> Singles:
    """Return a column (n,) with values in some rows and one number elsewhere."""
    out = np.full(n, elsewhere, dtype=np.float32)
    out[rows] = values
    return out


def _people(settings: Settings, data: Path | None) -> Columns | None:
    """Return the people that the data file holds, or those that ship, or None."""
    if data is None:
        return travel.table() if settings.table == "modechoice" else None
    if settings.table is None:
        problem = f"the data file {str(data)!r} was given to a world that reads none."
        raise ScenarioError(problem, "Set world.settings.table: data for people, or .ratings for ratings.")
    from rehearse.tables import read_table

    return read_table(data)
