"""The search for failure: what it finds, that it repeats, what it shrinks, and what it says of mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rehearse
from rehearse.errors import NotFoundError, OutputError, ScenarioError, UserError
from rehearse.experiments import cli
from rehearse.experiments.search import region, shrinking
from rehearse.experiments.search.aims import Aim, aim
from rehearse.experiments.search.searchers import SEARCHERS, searcher
from rehearse.experiments.search.space import room
from rehearse.scenario.edit import changed
from rehearse.scenario.model import Criterion

PLANTED = Path(__file__).parent / "planted"
INCOME = "people.traits.income.normal.mean"
AXES = {INCOME: [20.0, 90.0], "people.goals.0.rate": [0.3, 0.9]}
CORNER = f"""
name: corner
extends: {PLANTED / "lender.yaml"}
people:
  traits: {{score: {{normal: {{mean: 740, sd: 30}}}}, age: {{normal: {{mean: 28, sd: 5}}, low: 18}}}}
search: null
"""


@pytest.fixture(scope="module")
def corner(tmp_path_factory):
    """Return a scenario of people whom the planted lender refuses where they earn little."""
    path = tmp_path_factory.mktemp("search") / "corner.yaml"
    path.write_text(CORNER)
    return path


@pytest.fixture(scope="module")
def found(corner):
    """Return a search in it."""
    out = corner.parent / "found"
    return rehearse.search(corner, axes=AXES, searcher="evolution", budget=12, seed=3, out=out, jobs=0)


def test_it_finds_where_a_model_breaks_and_says_which_field_turns_it(found):
    """A lender that refuses who earns little fails below some income, wherever everything else is."""
    income = found.region[0]
    assert found.found
    assert income.name == INCOME
    assert income.matters > 0.6
    assert income.low == 20.0
    assert income.ends[0]
    assert 25.0 < income.high < 45.0
    assert "fails from" in str(found)


def test_its_folder_holds_a_page_a_table_and_what_was_found(found):
    """The report says what is printed and has charts; the other files are for programs."""
    page = (found.folder / "report.html").read_text()
    assert {"margins", "what-matters"} <= set(found.charts())
    assert INCOME in page
    assert "margin" in page
    assert json.loads((found.folder / "search.json").read_text())["at"] == found.worst.values
    assert found.table().length == 12
    assert min(found.table().numbers("margin")) == found.worst.outcome.margin


def test_what_is_left_is_a_small_scenario_that_fails_when_it_is_run(found, tmp_path):
    """The file extends the original, fits on a screen, and a rehearsal of it gives the verdict fail."""
    text = found.file.read_text()
    assert len(text.splitlines()) <= 40
    assert "extends: " in text
    assert "evaluation" in text
    run = rehearse.run(found.file, out=tmp_path / "run")
    assert run.verdict == "fail"
    assert rehearse.load(found.file).people.count < rehearse.load(PLANTED / "lender.yaml").people.count


def test_a_search_that_is_resumed_makes_no_run_again_and_gives_the_same(found, corner, capsys):
    """`rehearse search --resume` reads every run from the folder, and ends with 1 where something fails."""
    lines = sorted(
        line for file in (found.folder / "done").iterdir() for line in file.read_text().splitlines()
    )
    options = [x for path, ends in AXES.items() for x in ("--axis", f"{path}={json.dumps(ends)}")]
    call = ["search", str(corner), "--searcher", "evolution", "--budget", "12", "--seed", "3", "--resume"]
    code = cli.main([*call, *options, "--out", str(found.folder), "--jobs", "0", "--json"])
    told = json.loads(capsys.readouterr().out)
    again = sorted(
        line for file in (found.folder / "done").iterdir() for line in file.read_text().splitlines()
    )
    assert code == 1
    assert again == lines
    assert told == json.loads(json.dumps(found.data()))


def test_a_search_is_the_same_whatever_works_at_it(found, corner, tmp_path):
    """With a process of its own and without, the first points and their margins are the same, bit for bit."""
    given = {"axes": AXES, "searcher": "evolution", "seed": 3, "shrink": False}
    other = rehearse.search(corner, **given, budget=4, jobs=1, out=tmp_path / "one")
    ours, theirs = found.table(), other.table()
    assert theirs.length == 4
    for name in (*AXES, "margin"):
        assert ours[name][:4].tolist() == theirs[name].tolist()


@pytest.mark.parametrize("name", list(SEARCHERS))
def test_a_searcher_repeats_and_does_not_mind_points_without_an_answer(name):
    """The same seed and answers give the same points, inside the cube; another seed gives others."""
    if name == "tpe":
        pytest.importorskip("optuna", reason="the extra `search` is not installed")

    def asked(seed):
        one, points = searcher(name, (0, 3, 0), seed), []
        for _ in range(8):
            batch = one.ask(4)
            one.tell(batch, [None if p[0] < 0.3 else p[0] + p[2] for p in batch])
            points += batch
        return points

    first = asked(7)
    assert first == asked(7)
    assert first != asked(8)
    assert all(0.0 <= u <= 1.0 for point in first for u in point)


def test_evolution_comes_nearer_than_chance_does():
    """On a bowl in four dimensions, 60 points each, evolution's best is twice as near over twenty seeds."""

    def best(name, seed):
        one, least = searcher(name, (0, 0, 0, 0), seed), np.inf
        for _ in range(15):
            batch = one.ask(4)
            values = [sum((u - 0.8) ** 2 for u in point) for point in batch]
            one.tell(batch, values)
            least = min(least, *values)
        return least

    evolved, drawn = ([best(name, seed) for seed in range(20)] for name in ("evolution", "random"))
    assert np.median(evolved) < np.median(drawn) / 2


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0.01, 1.0),
    st.tuples(*[st.floats(0.0, 1.0)] * 3).map(sorted),
    st.sampled_from(["at_least", "at_most"]),
)
def test_the_margin_is_below_nought_exactly_where_the_verdict_is_fail(bound, interval, direction):
    """It is the verdict's own rule, and of two criteria the lesser margin counts."""
    low, estimate, high = interval
    criterion = Criterion.model_validate({"metric": "reward", direction: bound})
    line = {"metric": "reward", "group": "", "estimate": estimate, "low": low, "high": high}
    margin, _ = Aim((criterion,)).least([line])
    assert (margin < 0.0) == (high < bound if direction == "at_least" else low > bound)
    assert Aim((criterion,)).least([]) == (None, criterion)


def test_shrinking_leaves_what_the_failure_needs_and_nothing_else():
    """Where only little income among enough people breaks the model, all else goes back as it was."""
    base = rehearse.load(PLANTED / "lender.yaml")
    drift = [{"tick": 0, "what": "chance", "times": 0.5}]
    found = changed(
        base, {INCOME: 22.3141, "people.traits.age.normal.mean": 30.0, "drift": drift, "time.ticks": 9}
    )

    def fails(scenario):
        return scenario.people.traits["income"].normal.mean < 40 and scenario.people.count >= 7

    one, other = (s.model_dump(mode="json", exclude={"search"}) for s in (found, base))
    left = shrinking.Shrinking(one, other, ["people.traits.age.normal.mean", INCOME], fails, 200).least()
    assert left.people.traits["age"].normal.mean == 45
    assert 36 < left.people.traits["income"].normal.mean < 40
    assert (left.drift, left.time.ticks, left.people.count, left.replicas) == ((), 1, 7, 2)


def test_the_region_ends_where_the_model_turns():
    """Bisection comes within a sixteenth of the way of the edge, and a list says which values fail."""
    base = rehearse.load(PLANTED / "lender.yaml")
    axes = {INCOME: [20.0, 100.0], "time.max_turns": {"values": [1, 2, 3]}}
    space = room(base.model_copy(update={"search": None}), axes)
    fields = region.region(
        space, [], (0.5, 0.9), lambda batch: [40 < v[INCOME] < 70 and v["time.max_turns"] != 1 for v in batch]
    )
    by_name = {field.name: field for field in fields}
    assert 40 < by_name[INCOME].low < 43
    assert 67 < by_name[INCOME].high < 70
    assert by_name["time.max_turns"].low == [2, 3]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"axes": {"people.contu": [1, 9]}}, ScenarioError, "count"),
        ({"axes": {INCOME: [9, 1]}}, ScenarioError, "not up"),
        ({"against": "true_positive"}, ScenarioError, "true_positive_rate"),
        ({"searcher": "evolutoin"}, NotFoundError, "evolution"),
        ({"budget": 0}, UserError, "budget"),
    ],
)
def test_a_mistake_is_told_before_anything_is_run(corner, tmp_path, given, error, says):
    """Unknown fields, ranges that lead nowhere, criteria and searchers that there are not are refused."""
    with pytest.raises(error, match=says):
        rehearse.search(corner, **{"axes": AXES, "jobs": 0, "out": tmp_path / "x"} | given)


def test_a_range_that_fits_nothing_is_told_with_its_line(tmp_path):
    """What a file declares is refused with the place where it stands, and so is a range that goes down."""
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nextends: lending\nsearch:\n  people.behaviour.visit_rte: {range: [0, 1]}\n")
    with pytest.raises(ScenarioError, match=r"mine\.yaml:4:3: .*visit_rte") as caught:
        rehearse.search(path, out=tmp_path / "x")
    assert "visit_rate" in caught.value.remedy
    path.write_text("name: mine\nextends: lending\nsearch:\n  people.behaviour.visit_rate: {range: [1, 0]}\n")
    with pytest.raises(ScenarioError, match=r"mine\.yaml:4:.*not up"):
        rehearse.load(path)


def test_a_scenario_says_where_to_search_or_is_refused(corner, found):
    """Without ranges there is nothing to search, and a folder that holds a search is not overwritten."""
    with pytest.raises(ScenarioError, match="does not say where to search"):
        rehearse.search(corner)
    with pytest.raises(OutputError, match="already"):
        rehearse.search(corner, axes=AXES, out=found.folder)
    declared = aim(rehearse.load(PLANTED / "lender.yaml"), "true_positive_rate")
    assert [c.metric for c in declared.criteria] == ["true_positive_rate"]


@pytest.mark.parametrize("name", ["lender", "recommender", "assistant", "seller", "clinic"])
def test_planted_models_do_well_as_their_scenarios_are_written(name):
    """The ranges of the planted defects are read, and the scenario as written is inside them."""
    scenario = rehearse.load(PLANTED / f"{name}.yaml")
    space = room(scenario)
    assert len(space.axes) >= 5
    assert space.scenario({}).name == scenario.name
