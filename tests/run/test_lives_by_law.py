"""Runs of people who live by laws of their own: the promises hold for each of their scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble
from rehearse.scenario.load import from_yaml
from rehearse.scenario.model import Scenario

NAMES = [
    *("long-term-satisfaction", "long-term-satisfaction-steep", "interest-exploration"),
    *("interest-evolution", "slates", "retention", "organic-bandit", "search", "journey"),
]


def small(name: str) -> Scenario:
    """Return a scenario of the catalogue with few people."""
    return load(name, users=24, ticks=2, replicas=2, settings={"time.max_turns": 25})


def lived(scenario: Scenario, props: Props | None = None, *, broken_off: int | None = None) -> Columns:
    """Return all turns; `broken_off` takes the state at a tick over into an assembly made anew."""
    assembly = assemble(scenario, props or Props())
    pages: list[Columns] = []
    for tick in range(scenario.time.ticks):
        if tick == broken_off:
            kept = assembly.simulation.state()
            assembly = assemble(scenario, props or Props())
            assembly.simulation.restore(kept, tick)
        recorder = assembly.new_recorder()
        recorder.keep = lambda _tick, turns, _society: pages.append(turns)
        assembly.simulation.watchers = [recorder]
        assembly.simulation.meet(assembly.policy)
        assembly.simulation.advance()
    filled = [page for page in pages if page.length]
    return Columns({n: np.concatenate([p[n] for p in filled]) for n in filled[0]})


def assert_same(one: Columns, other: Columns) -> None:
    """Hold all columns but the measured time to the same bits."""
    assert set(one) == set(other)
    for name in set(one) - {"measured_ms"}:
        assert one[name].tobytes() == other[name].tobytes(), name


@pytest.mark.parametrize("name", NAMES)
def test_laws_keep_the_promise(name: str) -> None:
    """The same lives in blocks of any size, whoever else is there, and after breaking off."""
    scenario = small(name)
    whole = lived(scenario)
    assert_same(lived(scenario, Props(block=7)), whole)
    assert_same(lived(scenario, broken_off=1), whole)
    if scenario.policy.name != "epsilon-v1":  # people who teach one learner are no strangers
        some = np.arange(0, 24, 3)
        alone = lived(scenario, Props(only=some))
        assert_same(alone, whole.take(np.flatnonzero(np.isin(whole["user"], some))))


@pytest.mark.parametrize("name", NAMES)
def test_nobody_acts_after_leaving(name: str) -> None:
    """A session has turns 0, 1, …, without a gap, and only the last one has an end."""
    turns = lived(small(name))
    key = [turns[n] for n in ("turn", "user", "replica", "tick")]
    order = np.lexsort(key)
    session = np.stack([a[order] for a in key[1:]])
    number, ended = turns["turn"][order], turns["end"][order] != 0
    same = (session[:, 1:] == session[:, :-1]).all(axis=0)
    assert (number[1:][same] == number[:-1][same] + 1).all()
    assert (number[1:][~same] == 0).all()
    assert not ended[:-1][same].any()
    assert ended[:-1][~same].all()
    assert ended[-1]


def named(name: str, **settings: Any) -> Columns:
    """Return the turns of a small scenario with settings changed."""
    return lived(load(small(name), users=60, settings=settings))


def test_budgets_are_never_negative_and_watching_uses_them_up() -> None:
    """Nobody watches more than there is, or longer than an item lasts; at 0 the session is over."""
    turns = named("interest-evolution", **{"people.traits.budget": 15})
    assert turns["budget"].min() == 0.0
    assert turns["watched"].max() == 4.0
    over = turns["budget"] <= 0.0
    assert (turns["end"][over] == 7).all()
    assert np.array_equal(turns["reward"], turns["watched"])


def test_a_budget_that_does_not_refill_is_all_there_ever_is() -> None:
    """Who has used it up stays away for good."""
    settings = {"people.traits.budget": 10, "people.laws.leaving.budget.refills": False}
    turns = named("long-term-satisfaction", **settings)
    assert turns["tick"].max() == 0
    assert np.unique(turns["user"], return_counts=True)[1].tolist() == [20] * 60  # 10 turns, 2 societies


def test_interests_stay_within_bounds_and_grow_for_what_is_liked() -> None:
    """Interests lie between -1 and 1 and move only by what was taken."""
    scenario = small("interest-evolution")
    assembly = assemble(scenario)
    before = assembly.simulation.users.columns["taste"].copy()
    assembly.simulation.advance()
    after = assembly.simulation.users.columns["taste"]
    assert np.abs(after[:, :20]).max() <= 1.0
    assert (after[:, 20:] == before[:, 20:]).all()
    assert (after[:, :20] != before[:, :20]).any()


def test_people_look_around_in_their_own_state_alone() -> None:
    """While they look around, something is viewed and nothing is taken of the slate."""
    turns = named("organic-bandit")
    organic = turns["state"] == 0.0
    assert (turns["choice"][organic] == -1).all()
    assert (turns["viewed"][organic] >= 0).all()
    assert organic[turns["turn"] == 0].all()
    assert 0 < (turns["choice"] >= 0).sum() < 0.1 * (~organic).sum()


def test_the_clock_of_searchers_is_their_own() -> None:
    """The first result takes query, page and snippet; what is taken takes a document more."""
    turns = named("search")
    first = turns["turn"] == 0
    taken = turns["choice"] >= 0
    assert (turns["seconds"][first & ~taken] == 18.0).all()
    assert (turns["seconds"][first & taken] == 41.0).all()
    assert np.array_equal(turns["sim_time"][turns["turn"] == 1], turns["seconds"][_before(turns)])


def _before(turns: Columns) -> np.ndarray[Any, Any]:
    """Return where the turn before each second turn stands."""
    return np.flatnonzero(turns["turn"] == 1) - 1


def test_the_scenario_of_the_page_runs() -> None:
    """What `docs/worlds/recommend.md` shows is a scenario; its people watch, leave and come back."""
    page = Path(__file__).parents[2] / "docs" / "worlds" / "recommend.md"
    if not page.exists():
        pytest.skip("the page is not beside the tests")
    written = page.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    scenario = from_yaml(written).model_copy(update={"replicas": 1})
    turns = lived(load(scenario, users=50, ticks=3))
    assert turns["watched"].max() > 0.0
    assert np.unique(turns["tick"][turns["turn"] == 0]).tolist() == [0, 1, 2]
