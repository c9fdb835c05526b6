"""The laws against their equations: one person in plain numbers, closed forms, and what must always hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rehearse
from rehearse.agents.appraisal import Appraisal
from rehearse.agents.choice import cascade_choice, weighted_choice
from rehearse.agents.laws import alone, choosing
from rehearse.agents.laws.attraction import attraction
from rehearse.agents.laws.budget import spend
from rehearse.agents.laws.exposure import exposed
from rehearse.agents.laws.journey import follow, steps
from rehearse.agents.laws.returning import daily_chance, day_of_return
from rehearse.agents.laws.seconds import taken_by
from rehearse.agents.laws.stopping import length_of_stay
from rehearse.agents.laws.tastes import reinforced
from rehearse.agents.laws.temper import cooled
from rehearse.chance import Chance
from rehearse.contract import Offer
from rehearse.errors import ScenarioError
from rehearse.scenario import laws as written
from rehearse.scenario.people import People
from rehearse.scenario.wrong import check

N = 200_000
share = st.floats(0.0, 1.0)
few = st.floats(0.0, 5.0, allow_subnormal=False)
vector = hnp.arrays(np.float64, 6, elements=st.floats(-4.0, 4.0, allow_subnormal=False))
unit = hnp.arrays(np.float64, 6, elements=st.floats(2.0**-33, 1.0 - 2.0**-33))
FORMS: list[written.Attraction] = ["exponential", "linear", "sigmoid", "double-sigmoid"]


def uniforms(name: str, count: int = 1) -> Any:
    """Return many uniform numbers."""
    return Chance(3).uniform(name, 0, np.arange(N), count=count)


# ── One person and many ───────────────────────────────────────────────────────────────────────────


@given(vector, st.sampled_from(FORMS), st.floats(0.0, 3.0), st.floats(-2.0, 2.0), unit)
def test_choice_is_the_same_for_one_and_for_many(
    utility: Any, form: written.Attraction, noise: float, shift: float, uniform: Any
) -> None:
    """Attraction, and what is taken by shares or one after another, have the same bits."""
    utility[0] = -np.inf
    noisy = max(noise, 0.05)
    together = attraction(form, utility, noisy, shift)
    by_one = [alone.attraction(form, u, noisy, shift) for u in utility.tolist()]
    assert together.tolist() == by_one
    weights = np.repeat(together[:, None], 6, axis=1)
    assert weighted_choice(weights, uniform).tolist() == [alone.proportional(by_one, u) for u in uniform]
    take = np.minimum(together, 1.0)
    place = cascade_choice(take[None], 1.0, uniform[None])
    assert place.tolist() == [alone.sequential(by_one, uniform.tolist())]


@given(vector, vector, unit, share)
def test_interests_are_the_same_for_one_and_for_many(u: Any, d: Any, uniform: Any, rate: float) -> None:
    """Reinforced interests have the same bits, and stay within ±1."""
    interests, item = u / 4.0, (d + 4.0) / 8.0
    together = reinforced(np.tile(interests, (6, 1)), np.tile(item, (6, 1)), uniform, rate)
    by_one = [alone.reinforced(interests.tolist(), item.tolist(), x, rate) for x in uniform]
    assert together.tolist() == by_one
    assert np.abs(together).max() <= 1.0


@given(vector, vector, unit, few, share, st.booleans())
def test_what_is_used_up_is_the_same_for_one_and_for_many(
    a: Any, b: Any, uniform: Any, cost: float, memory: float, taken: bool
) -> None:
    """Exposure, budgets and temper have the same bits; budgets are never negative."""
    exposure = written.Exposure(of="x", memory=memory, effect=cost)
    assert exposed(exposure, a, uniform, b).tolist() == [
        alone.exposed(exposure, x, c, e) for x, c, e in zip(a, uniform, b, strict=True)
    ]
    watching = written.Watching(length="l", quality="q", gives_back=memory)
    law = written.Budget(turn=cost, nothing=memory, taken=cost, watching=watching)
    left = spend(law, np.abs(a), np.full(6, taken), np.abs(b), b)
    assert (left.left >= 0.0).all()
    assert (left.watched <= np.abs(a)).all()
    pairs = [alone.spend(law, abs(x), abs(y), y, taken=taken) for x, y in zip(a, b, strict=True)]
    assert list(zip(left.left.tolist(), left.watched.tolist(), strict=True)) == pairs
    temper = written.Temper(enough=1.5)
    assert cooled(temper, a, b).tolist() == [alone.cooled(temper, x, y) for x, y in zip(a, b, strict=True)]


@given(unit, unit, st.integers(1, 12), st.floats(0.3, 4.0), st.integers(0, 30), st.booleans())
@settings(deadline=None)
def test_times_are_the_same_for_one_and_for_many(
    uniform: Any, bias: Any, within: int, shape: float, turn: int, taken: bool
) -> None:
    """Lengths of stay, days of return, states and seconds have the same bits."""
    stay = written.Stay(shape=shape, scale=7.0)
    assert length_of_stay(stay, uniform).tolist() == [alone.length_of_stay(stay, u) for u in uniform.tolist()]
    law = written.DayOfReturn(within=within, base=-0.2, by_reward=0.3)
    chance = daily_chance(law, bias, uniform)
    days = day_of_return(chance, within, uniform)
    assert days.min() >= 1
    assert days.max() <= within
    for i in range(6):
        assert chance[i] == alone.daily_chance(law, float(bias[i]), float(uniform[i]))
        assert days[i] == alone.day_of_return(float(chance[i]), within, float(uniform[i]))
    reached = steps({"a": 0.2, "c": 0.5, "d": 0.3}, ("a", "b", "c", "d", "e"))
    after = follow(np.tile(reached, (6, 1)), uniform)
    assert after.tolist() == [alone.follow(reached.tolist(), u) for u in uniform]
    assert not np.isin(after, (1, 4)).any()
    clock = written.Seconds(session=10.0, turn=3.0, taken=23.0, page=written.Page(turns=10, seconds=5.0))
    assert taken_by(clock, turn, np.array([taken]))[0] == alone.seconds(clock, turn, taken=taken)


@pytest.mark.parametrize("name", ["interest-evolution", "long-term-satisfaction", "retention", "search"])
def test_a_handle_does_what_the_crowd_does(name: str) -> None:
    """A person who is asked through a handle, turn after turn, comes to what the crowd comes to."""
    together = rehearse.model(name, users=12, replicas=1, ticks=1, policy="constant-v1")
    by_one = rehearse.model(name, users=12, replicas=1, ticks=1, policy="constant-v1")
    turns: list[Any] = []
    together.simulation.watchers.append(_Listener(turns))
    together.step()
    crowd = by_one.crowd
    crowd.open(0)
    for exchange in turns:
        for place, row in enumerate(exchange.turn.rows.tolist()):
            user = by_one.handles(np.array([row]))[0]
            number = exchange.turn.turn
            proposal = user.proposal(exchange.decisions.slate[place].tolist(), turn=number)
            answer = user.respond(proposal, turn=number)
            assert answer.choice == exchange.responses.choice[place]
            assert answer.end == exchange.responses.end[place]
            experience, reward = exchange.outcomes.experience[place], float(exchange.outcomes.reward[place])
            felt = None if np.isnan(experience) else float(experience)
            user.remember(proposal, answer, felt, turn=number, reward=reward)
    for column in ("taste", "satisfaction", *crowd.told):
        assert np.array_equal(together.people[column], by_one.people[column]), column


class _Listener:
    """Keeps every exchange."""

    def __init__(self, turns: list[Any]) -> None:
        """Take the list that it goes into."""
        self._turns = turns

    def on_turn(self, exchange: Any) -> None:
        """Keep it."""
        self._turns.append(exchange)

    def on_tick(self, tick: int, users: Any) -> None:
        """Do nothing."""


# ── Closed forms ──────────────────────────────────────────────────────────────────────────────────


def seen(utilities: list[float], outside: float) -> Appraisal:
    """Return what many people think of one slate alike."""
    column = np.repeat(np.array(utilities)[:, None], N, axis=1)
    places = np.repeat(np.arange(len(utilities), dtype=np.int32)[:, None], N, axis=1)
    return Appraisal(places, column, np.full(N, outside), np.ones(N), np.zeros(N, dtype=np.bool_))


def frequencies(position: Any, places: int) -> list[float]:
    """Return how often each place was taken and, last, nothing."""
    return [float((position == place).mean()) for place in (*range(places), -1)]


def test_linear_shares_are_recsims_choice() -> None:
    """P(i) ∝ u·d_i + 1 and P(none) ∝ 2, with a normaliser of −1 (5 standard errors: .0056)."""
    interests = [0.8, -1.0, 0.1]
    law = written.Proportional(of="linear", shift=1.0)
    found = frequencies(choosing.proportional(law, seen(interests, 1.0), uniforms("share")), 3)
    weights = np.array([1.8, 0.0, 1.1, 2.0])
    assert found == pytest.approx((weights / weights.sum()).tolist(), abs=0.0056)
    assert found[1] == 0.0


def test_looking_one_after_another_is_recsims_cascade() -> None:
    """P(i) = p_i Π_{j<i} (1 − p_j), p = .65 · .05 · (u + 1)."""
    law = written.Sequential(of="linear", shift=1.0, attention=0.65, scale=0.05)
    found = frequencies(choosing.sequential(law, seen([9.0, -1.0, 20.0], 0.0), uniforms("cascade", 3)), 3)
    p = [0.65 * 0.05 * 10.0, 0.0, 0.65 * 0.05 * 21.0]
    expected = [p[0], 0.0, (1 - p[0]) * p[2], (1 - p[0]) * (1 - p[2])]
    assert found == pytest.approx(expected, abs=0.0056)


def test_reactions_to_a_slate_are_independent_but_for_similarity() -> None:
    """Mean feedback Σ_b w_b max(0, σ(u + shift_b) − ρ c), c the mean cosine with the others of the slate."""
    attributes = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    offer = Offer(attributes, np.zeros((N, 0), dtype=np.float32))
    law = written.Each(
        reactions={"click": written.Reaction(), "like": written.Reaction(weight=2.0, shift=-1.0)},
        similarity=0.4,
    )
    utilities = np.array([0.0, 1.0, -0.5])
    position, feedback = choosing.each(law, seen(utilities.tolist(), 0.0), offer, uniforms("each", 6))
    alike = 0.4 * np.array([0.5, 0.5, 0.0])
    click = np.maximum(1 / (1 + np.exp(-utilities)) - alike, 0.0)
    like = np.maximum(1 / (1 + np.exp(1.0 - utilities)) - alike, 0.0)
    assert feedback.mean() == pytest.approx((click + 2 * like).mean(), abs=0.01)
    none = (1 - click) * (1 - like)
    expected = [1 - none[0], none[0] * (1 - none[1]), none[0] * none[1] * (1 - none[2]), none.prod()]
    assert frequencies(position, 3) == pytest.approx(expected, abs=0.0056)


def test_the_day_of_return_is_a_truncated_geometric() -> None:
    """P(d) = P (1 − P)^(d − 1) / (1 − (1 − P)^D) for every day."""
    days = day_of_return(np.full(N, 0.3), 6, uniforms("day")[:, 0])
    weights = 0.3 * 0.7 ** np.arange(6)
    found = [float((days == day).mean()) for day in range(1, 7)]
    assert found == pytest.approx((weights / weights.sum()).tolist(), abs=0.0056)


def test_recogyms_click_rate_is_about_one_in_a_hundred() -> None:
    """ff(x) = σ(5 σ(2 σ(.3 x) − 2) − 6): .00942 at 0, between .0045 and .0293."""
    found = attraction("double-sigmoid", np.array([-100.0, 0.0, 100.0]))
    assert found == pytest.approx([0.004478469511646729, 0.009421517836464275, 0.02931223075134968])


# ── What a scenario may not say ───────────────────────────────────────────────────────────────────

STATE = {"to": {"leave": 1.0}}
ENDS = {"leave": "user_stop"}


@pytest.mark.parametrize(
    ("laws", "says"),
    [
        ({"choice": {}}, "exactly one of"),
        ({"choice": {"proportional": {}, "sequential": {}}}, "exactly one of"),
        (
            {"leaving": {"journey": {"start": {"a": 1}, "states": {"a": {"to": {"b": 1}}}, "ends": ENDS}}},
            "no state or end",
        ),
        (
            {"leaving": {"journey": {"start": {"a": 0.5}, "states": {"a": STATE}, "ends": ENDS}}},
            "not to 1",
        ),
        ({"leaving": {"stay": {"shape": 1, "scale": 9, "unit": "second"}}}, "laws.seconds"),
        ({"tastes": {"walk": {"of": "x", "states": ["a"]}}}, "no state 'a'"),
    ],
)
def test_laws_that_make_no_sense_are_refused(laws: dict[str, Any], says: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(ScenarioError, match=says):
        check(People, {"laws": laws})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"people.laws.tastes": {"reinforcement": {"of": "topix"}}}, "no attribute 'topix'"),
        ({"people.laws.leaving.temper": {}}, "no trait 'temper'"),
        ({"people.traits.watched": 1.0}, "by people.laws"),
    ],
)
def test_laws_that_do_not_fit_their_world_are_refused(changes: dict[str, Any], says: str) -> None:
    """An attribute or a trait that is missing, and one that a law makes itself, are named."""
    with pytest.raises(ScenarioError, match=says):
        rehearse.model(rehearse.load("interest-evolution", users=5, settings=changes))
