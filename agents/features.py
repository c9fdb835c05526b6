"""Asking: what people want from the model, and what it may see of them.

The features are, in this order: those of the world's situation, the traits that the scenario says
are visible, and two of the session. All else (tastes, trust, patience left, goals) the model must
infer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from rehearse.agents.blocks import raw
from rehearse.columns import Columns
from rehearse.contract import NOTHING, Offer, Requests, Turn
from rehearse.errors import ScenarioError, did_you_mean

SESSION = ("turn", "refusals")
"""The number of this turn from 0, and how many turns of the session have brought nothing."""
SHOWN = 10
"""How many of the items shown in a session people and model keep in view."""
RENAMED = {"patience": "patience_max"}
"""Traits whose column has another name, because their own names what changes during a session."""

HIDDEN = frozenset({"trust", "satisfaction"})
"""Traits that say where a state of mind begins, which nobody else can look into."""


def feature_names(
    situation: tuple[str, ...], visible: tuple[str, ...], traits: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the names of the features; raise ScenarioError where a visible trait does not exist."""
    for place, name in enumerate(visible):
        if name in HIDDEN:
            problem = f"people.visible.{place}: no model can see {name!r}."
            raise ScenarioError(problem, "Leave it out: the model must infer it from what people do.")
        if name not in traits:
            problem = f"people.visible.{place}: there is no trait {name!r}."
            remedy = f"{did_you_mean(name, traits)} Traits are numbers: a column of words is none."
            raise ScenarioError(problem, remedy)
    names = (*situation, *visible, *SESSION)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problem = f"people.visible: the model would see two features named {twice[0]!r}."
        raise ScenarioError(problem, "Leave it out of people.visible, or rename the trait.")
    return names


def add_columns(columns: Columns, number: DTypeLike = np.int32) -> None:
    """Give people what they keep in mind during a session; `number` is a type that holds item ids."""
    n = columns.length
    columns["shown"] = np.full((n, SHOWN), NOTHING, dtype=number)
    columns["intent"] = np.zeros(n, dtype=np.int8)
    columns["refusals"] = np.zeros(n, dtype=np.int16)


def ask(
    turn: Turn,
    offer: Offer,
    columns: Columns,
    *,
    items: tuple[str, ...],
    names: tuple[str, ...],
    visible: tuple[str, ...],
) -> Requests:
    """Put together what each person asks, and what the model may see."""
    known = offer.features.shape[1]
    features = np.empty((len(turn), len(names)), dtype=np.float32)
    features[:, :known] = offer.features
    for place, name in enumerate(visible, start=known):
        features[:, place] = columns[RENAMED.get(name, name)].take(turn.rows)
    features[:, -2] = turn.turn
    features[:, -1] = columns["refusals"].take(turn.rows)
    return Requests(
        names=names,
        features=features,
        items=items,
        replica=turn.replica,
        user=turn.user,
        tick=turn.tick,
        turn=turn.turn,
        intent=raw(columns, "intent").take(turn.rows),
        group=raw(columns, "group").take(turn.rows),
        shown=raw(columns, "shown").take(turn.rows, axis=0).astype(np.int32, copy=False),
        available=offer.available,
        catalogue=offer.catalogue,
        chance=turn.chance,
    )
