"""What people of the common workload do in a turn, each as a loop to be compiled and its twin in numpy.

    utility   u_k = 2 · taste · vector_k + quality_k − .1 · k        places k of the slate from 0
    choice    place k with weight e^u_k, nothing with weight e^(1 − satisfaction)
    outcome   y = σ(u + noise), noise uniform in ±.5; nothing taken: y = 0
    taste     moves .02 · y of the way to the vector of what was taken
    memory    a ring of the last 8 items with their outcomes
    mood      satisfaction' = .9 · satisfaction + .1 · (y, or .3 where nothing was taken)
    leaving   with chance σ(−3.5 + 3 · (1 − satisfaction')), or when patience (less 1 a turn) is used up

Sums over the 16 dimensions are taken in single precision, in a fixed tree of halves; the rest is double.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rehearse import exact
from rehearse.columns import Columns, Rows
from rehearse.compiled import twin_of
from rehearse.contract import NOTHING, Codes, End, Flags, Ints, Singles
from rehearse.exact import Floats, exp_each, exp_loop

DIMS, RING, COVARIATES = 16, 8, 4
FEATURES = DIMS + RING + 4 + COVARIATES
BETA, POSITION, MOOD_OF_NOTHING = 2.0, 0.1, 0.3
LEARNING, MOVE = 0.02, 0.1
HAZARD, HAZARD_BY_MOOD = -3.5, 3.0
MOST_TURNS = 10
SHARE = np.float32(1 / RING)
LEFT, DONE = int(End.ABANDONED), int(End.USER_STOP)

Small = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The items, as the kernels want them."""

    vectors: Singles
    """Shape (m, 16)."""
    quality: Floats
    """Shape (m,)."""


def observe(people: Columns, rows: Rows, items: Catalogue, turn: int) -> Singles:
    """Return what the model sees of these people, shape (n, 32).

    The mean of what they remember weighted by its outcome (16), the outcomes remembered (8), the turn
    over 10, the number of the session, the last outcome, patience left, and four covariates.
    """
    seen = np.empty((len(rows), FEATURES), dtype=np.float32)
    _observe(
        rows, _small(people, "memory_item"), _single(people, "memory_value"), items.vectors,
        _single(people, "covariates"), np.asarray(people["session"], np.int32), _single(people, "outcome"),
        _single(people, "patience"), np.float32(turn / MOST_TURNS), seen,
    )  # fmt: skip
    return seen


def _observe_plainly(
    rows: Rows, item: Small, value: Singles, vectors: Singles, covariates: Singles, session: Ints,
    outcome: Singles, patience: Singles, when: np.float32, seen: Singles,
) -> None:  # fmt: skip
    remembered, worth = item.take(rows, axis=0), value.take(rows, axis=0)
    mean = worth[:, :1] * vectors.take(remembered[:, 0], axis=0)
    for place in range(1, RING):
        mean += worth[:, place, None] * vectors.take(remembered[:, place], axis=0)
    seen[:, :DIMS] = mean * SHARE
    seen[:, DIMS : DIMS + RING] = worth
    seen[:, DIMS + RING] = when
    for place, column in enumerate((session, outcome, patience), start=DIMS + RING + 1):
        seen[:, place] = column.take(rows)
    seen[:, -COVARIATES:] = covariates.take(rows, axis=0)


@twin_of(_observe_plainly)
def _observe(
    rows: Rows, item: Small, value: Singles, vectors: Singles, covariates: Singles, session: Ints,
    outcome: Singles, patience: Singles, when: np.float32, seen: Singles,
) -> None:  # fmt: skip
    for i in range(len(rows)):
        row = rows[i]
        mine, worth, what = seen[i], value[row], item[row]
        one, two, three, four = vectors[what[0]], vectors[what[1]], vectors[what[2]], vectors[what[3]]
        five, six, seven, eight = vectors[what[4]], vectors[what[5]], vectors[what[6]], vectors[what[7]]
        for d in range(DIMS):  # added in the order of the ring; compiled, sixteen dimensions at a time
            first = ((worth[0] * one[d] + worth[1] * two[d]) + worth[2] * three[d]) + worth[3] * four[d]
            half = ((first + worth[4] * five[d]) + worth[5] * six[d]) + worth[6] * seven[d]
            mine[d] = (half + worth[7] * eight[d]) * SHARE
        for place in range(RING):
            mine[DIMS + place] = worth[place]
        mine[DIMS + RING] = when
        mine[DIMS + RING + 1] = session[row]
        mine[DIMS + RING + 2] = outcome[row]
        mine[DIMS + RING + 3] = patience[row]
        for d in range(COVARIATES):
            mine[DIMS + RING + 4 + d] = covariates[row, d]


@dataclass(frozen=True, slots=True)
class Scrolled:
    """What n people did with their slates."""

    choice: Ints
    position: Codes
    utility: Singles
    end: Codes


def scroll(people: Columns, rows: Rows, items: Catalogue, slate: Ints, draws: Floats) -> Scrolled:
    """Let people choose from slates (n, k), live through what they took, and go on or leave.

    `draws` (n, 3) are uniform: for the choice, the outcome and leaving.
    """
    n, places = slate.shape
    utility = np.empty((n, places))
    weigh(rows, _single(people, "taste"), items.vectors, items.quality, slate, utility)
    done = Scrolled(
        choice=np.empty(n, np.int32), position=np.empty(n, np.int8),
        utility=np.empty(n, np.float32), end=np.empty(n, np.int8),
    )  # fmt: skip
    weights = np.empty((n, places + 1))
    weights[:, :-1] = utility
    weights[:, -1] = 1.0 - _single(people, "satisfaction").take(rows)
    exp_each(weights.reshape(-1))
    took = np.empty(n)
    take(weights, utility, slate, draws, done.position, done.choice, took)
    done.utility[:] = took
    live(
        rows, done.position, done.choice, took, draws, items.vectors, _single(people, "taste"),
        _small(people, "memory_item"), _single(people, "memory_value"),
        np.asarray(people["memory_next"], np.int8), _single(people, "satisfaction"),
        _single(people, "patience"), _single(people, "outcome"), done.end,
    )  # fmt: skip
    return done


def _weigh_plainly(
    rows: Rows, taste: Singles, vectors: Singles, quality: Floats, slate: Ints, utility: Floats
) -> None:
    mine = taste.take(rows, axis=0)
    for place in range(slate.shape[1]):
        item = slate[:, place]
        parts = mine * vectors.take(item, axis=0)
        while parts.shape[1] > 1:
            half = parts.shape[1] // 2
            parts = parts[:, :half] + parts[:, half:]
        utility[:, place] = BETA * parts[:, 0].astype(np.float64) + quality.take(item) - POSITION * place


@twin_of(_weigh_plainly)
def weigh(
    rows: Rows, taste: Singles, vectors: Singles, quality: Floats, slate: Ints, utility: Floats
) -> None:
    """Work out what each person expects of each place of the slate, into utility (n, k)."""
    for i in range(len(rows)):
        mine = taste[rows[i]]
        for place in range(slate.shape[1]):
            item = slate[i, place]
            theirs = vectors[item]
            a0 = mine[0] * theirs[0] + mine[8] * theirs[8]
            a1 = mine[1] * theirs[1] + mine[9] * theirs[9]
            a2 = mine[2] * theirs[2] + mine[10] * theirs[10]
            a3 = mine[3] * theirs[3] + mine[11] * theirs[11]
            a4 = mine[4] * theirs[4] + mine[12] * theirs[12]
            a5 = mine[5] * theirs[5] + mine[13] * theirs[13]
            a6 = mine[6] * theirs[6] + mine[14] * theirs[14]
            a7 = mine[7] * theirs[7] + mine[15] * theirs[15]
            product = ((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7))
            utility[i, place] = BETA * product + quality[item] - POSITION * place


def _take_plainly(
    weights: Floats, utility: Floats, slate: Ints, draws: Floats, position: Codes, choice: Ints, took: Floats
) -> None:
    every, places = np.arange(len(slate)), slate.shape[1]
    reached = np.cumsum(weights, axis=1)
    target = draws[:, 0] * reached[:, -1]
    place = (reached[:, :-1] <= target[:, None]).sum(axis=1)
    taken: Flags = place < places
    held = np.minimum(place, places - 1)
    position[:] = np.where(taken, place, NOTHING)
    choice[:] = np.where(taken, slate[every, held], NOTHING)
    took[:] = np.where(taken, utility[every, held], np.nan)


@twin_of(_take_plainly)
def take(
    weights: Floats, utility: Floats, slate: Ints, draws: Floats, position: Codes, choice: Ints, took: Floats
) -> None:
    """Choose a place of the slate or nothing by weights (n, k + 1), nothing last."""
    places = slate.shape[1]
    for i in range(len(slate)):
        whole = 0.0
        for place in range(places + 1):
            whole += weights[i, place]
        target, reached, place = draws[i, 0] * whole, 0.0, 0
        for passed in range(places):  # all of them: nobody can foresee which is the last
            reached += weights[i, passed]
            place += reached <= target
        if place < places:
            position[i], choice[i], took[i] = place, slate[i, place], utility[i, place]
        else:
            position[i], choice[i], took[i] = NOTHING, NOTHING, np.nan


def _live_plainly(
    rows: Rows, position: Codes, choice: Ints, took: Floats, draws: Floats, vectors: Singles,
    taste: Singles, item: Small, value: Singles, following: Codes, satisfaction: Singles,
    patience: Singles, outcome: Singles, end: Codes,
) -> None:  # fmt: skip
    taken = position >= 0
    turned_out = np.where(taken, _outcome(np.where(taken, took, 0.0), draws[:, 1]), 0.0)
    some, their = rows[taken], choice[taken]
    step = (LEARNING * turned_out[taken]).astype(np.float32)[:, None]
    mine = taste.take(some, axis=0)
    taste[some] = mine + step * (vectors.take(their, axis=0) - mine)
    slot = following.take(some)
    item[some, slot] = their
    value[some, slot] = turned_out[taken]
    following[some] = (slot + 1) % RING
    felt = np.where(taken, turned_out, MOOD_OF_NOTHING)
    mood = (1.0 - MOVE) * satisfaction.take(rows).astype(np.float64) + MOVE * felt
    satisfaction[rows] = mood
    outcome[rows] = turned_out
    left = patience.take(rows) - np.float32(1.0)
    patience[rows] = left
    leaves = draws[:, 2] < exact.sigmoid(HAZARD + HAZARD_BY_MOOD * (1.0 - mood))
    end[:] = np.where(leaves, LEFT, np.where(left <= 0, DONE, 0))


def _outcome(utility: Floats, uniform: Floats) -> Floats:
    return exact.sigmoid(utility + (uniform - 0.5))


@twin_of(_live_plainly)
def live(
    rows: Rows, position: Codes, choice: Ints, took: Floats, draws: Floats, vectors: Singles,
    taste: Singles, item: Small, value: Singles, following: Codes, satisfaction: Singles,
    patience: Singles, outcome: Singles, end: Codes,
) -> None:  # fmt: skip
    """Let what was taken turn out, and people learn from it, feel, remember, go on or leave."""
    n = len(rows)
    powers, mood = np.empty(n), np.empty(n)
    for i in range(n):
        powers[i] = -(took[i] + (draws[i, 1] - 0.5)) if position[i] >= 0 else 0.0
    exp_loop(powers)
    for i in range(n):
        row, felt, turned_out = rows[i], MOOD_OF_NOTHING, 0.0
        if position[i] >= 0:
            felt = turned_out = 1.0 / (1.0 + powers[i])
            step, vector, mine = np.float32(LEARNING * turned_out), vectors[choice[i]], taste[row]
            for d in range(DIMS):
                mine[d] += step * (vector[d] - mine[d])
            slot = following[row]
            item[row, slot] = choice[i]
            value[row, slot] = turned_out
            following[row] = (slot + 1) % RING
        mood[i] = (1.0 - MOVE) * satisfaction[row] + MOVE * felt
        satisfaction[row] = mood[i]
        outcome[row] = turned_out
        patience[row] -= np.float32(1.0)
        powers[i] = -(HAZARD + HAZARD_BY_MOOD * (1.0 - mood[i]))
    exp_loop(powers)
    for i in range(n):
        if draws[i, 2] < 1.0 / (1.0 + powers[i]):
            end[i] = LEFT
        else:
            end[i] = DONE if patience[rows[i]] <= 0.0 else 0


def _single(people: Columns, name: str) -> Singles:
    return np.asarray(people[name], dtype=np.float32)


def _small(people: Columns, name: str) -> Small:
    return np.asarray(people[name], dtype=np.int16)
