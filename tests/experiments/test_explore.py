"""Exploring a scenario: dials, drawing, page, and the model class made from parameters."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import mesa
import numpy as np
import pytest

from rehearse.agents.ties import freeze
from rehearse.experiments.commands import explore
from rehearse.experiments.explore import drawing
from rehearse.experiments.explore.dials import dials
from rehearse.experiments.models import ScenarioModel
from rehearse.scenario.edit import changed
from rehearse.scenario.load import load

QUICK = {"name": "travel", "users": 30, "ticks": 3, "replicas": 1}


def ring(n, reach=2):
    """Return the ties of a ring of n people."""
    one = np.arange(n)
    pairs = [(one, np.roll(one, -step)) for step in range(1, reach + 1)]
    return freeze(n, *(np.concatenate(ends) for ends in zip(*pairs, strict=True)))


@pytest.mark.parametrize("name", ["travel", "feed"])
def test_dials_hold_their_value_and_turn_to_scenarios_that_are_valid(name):
    """Every dial stands between its bounds, and turned to either end it still makes a scenario."""
    scenario = load(name)
    found = dials(scenario)
    paths = [dial.path for dial in found]
    assert len(set(paths)) == len(paths)
    assert {"people.count", "seed", "people.behaviour.outside", "people.society.graph.degree"} <= set(paths)
    assert any(path.startswith("policy.settings.") for path in paths)
    for dial in found:
        assert dial.low <= dial.value <= dial.high, dial
        assert dial.step > 0
        for end in (dial.low, dial.high):
            changed(scenario, {dial.path: int(end) if dial.whole else end})


def test_dials_are_read_from_what_was_changed():
    """A dial shows the value that the scenario has now."""
    turned = changed(load("travel"), {"people.behaviour.outside": 0.25})
    assert next(d for d in dials(turned) if d.path == "people.behaviour.outside").value == 0.25


def test_a_large_society_is_sampled_and_hangs_together():
    """Of many people so many are drawn as fit, all of them reached from the first through others drawn."""
    ties = ring(5000)
    rows = drawing.sample(ties, 5000)
    pairs = drawing.ties_among(ties, rows)
    assert len(rows) == drawing.MOST_NODES
    assert (np.diff(rows) > 0).all()
    reached = {0}
    for _ in range(len(rows)):
        reached |= {b for a, b in pairs.tolist() if a in reached} | {
            a for a, b in pairs.tolist() if b in reached
        }
    assert len(reached) == len(rows)
    assert drawing.sample(None, 5000).tolist() == list(range(drawing.MOST_NODES))
    assert drawing.sample(ties, 60).tolist() == list(range(60))


def test_the_layout_brings_friends_together():
    """Nodes lie in the unit square, apart from one another, friends nearer than others; always the same."""
    ties = ring(60)
    pairs = drawing.ties_among(ties, np.arange(60))
    at = drawing.layout(60, pairs)
    assert ((at >= 0.0) & (at <= 1.0)).all()
    between = np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=2))
    assert between[np.triu_indices(60, 1)].min() > 0.005
    assert between[pairs[:, 0], pairs[:, 1]].mean() < 0.4 * between.mean()
    np.testing.assert_array_equal(at, drawing.layout(60, pairs))
    assert drawing.layout(0, np.zeros((0, 2), np.int64)).shape == (0, 2)
    assert drawing.layout(1, np.zeros((0, 2), np.int64)).shape == (1, 2)


def test_the_drawing_is_svg_with_a_node_a_person():
    """What is drawn is XML: a circle a person, coloured from 0 to 1, a path a tie, names escaped."""
    pairs = np.array([[0, 1], [1, 2]])
    alive = np.array([True, True, False])
    text = drawing.graph(drawing.layout(3, pairs), pairs, np.array([0.0, 1.0, 0.5]), alive, ["a", "<b>", "c"])
    tree = ET.fromstring(text)  # noqa: S314 -- our own
    circles = [node for node in tree.iter() if node.tag == "circle"]
    assert [node.get("fill") for node in circles] == ["#2166ac", "#d6602a", "#ffffff"]
    assert circles[1].findtext("title") == "<b>"
    assert len([node for node in tree.iter() if node.tag == "path"]) == 2
    ET.fromstring(drawing.legend("trust"))  # noqa: S314 -- our own


def test_series_leave_out_what_was_never_known():
    """One chart a measure with values; gaps and constants do no harm."""
    told = {"trust": [0.5, math.nan, 0.5], "turns": [3.0], "regret": [math.nan, math.nan]}
    tree = ET.fromstring(drawing.series(told, 10))  # noqa: S314 -- our own
    texts = [node.text for node in tree.iter() if node.tag == "text"]
    assert {"trust", "turns", "0.5", "3"} <= set(texts)
    assert "regret" not in texts


def test_the_model_is_made_from_plain_keywords():
    """Names, short names and dotted paths make the scenario; each step collects what the tick came to."""
    model = ScenarioModel(**QUICK, rng=4, **{"people.behaviour.outside": 0.5})
    assert (model.rehearsed.seed, model.rehearsed.people.count) == (4, 30)
    assert model.rehearsed.people.behaviour.outside == 0.5
    model.run_model()
    frame = model.datacollector.get_model_vars_dataframe()
    assert len(frame) == model.tick == 3
    assert frame["turns"].sum() > 0
    assert frame["satisfaction"].iloc[-1] == pytest.approx(
        model.agents.agg("satisfaction", np.mean), abs=1e-6
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_batch_run_sweeps_a_scenario(processes):
    """Mesa's batch_run makes, runs and collects the model for every combination, also in other processes."""
    found = mesa.batch_run(
        ScenarioModel,
        {**QUICK, "seed": [1, 2], "people.behaviour.visit_rate": [0.1, 1.0], "attributes": "satisfaction"},
        number_processes=processes,
        max_steps=5,
        display_progress=False,
    )
    assert len(found) == 4 * 30
    turns = {(row["seed"], row["people.behaviour.visit_rate"]): row["turns"] for row in found}
    assert len(turns) == 4
    assert turns[1, 0.1] < turns[1, 1.0]
    assert all(0.0 <= row["satisfaction"] <= 1.0 for row in found)


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    """Where Solara is not installed, the command says how to install it, with the exit code of a mistake."""
    from rehearse.experiments import cli

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["explore", "travel"]) == cli.MISTAKE
    assert 'pip install "rehearse[viz]"' in capsys.readouterr().err


def test_what_was_asked_reaches_the_page(monkeypatch):
    """The page is told the scenario, the numbers and what is set; a mistake ends before any server starts."""
    from rehearse.experiments import cli

    served = []
    monkeypatch.setattr(explore, "_must_be_installed", lambda: None)
    monkeypatch.setattr(explore, "_serve", lambda port, opens: served.append((port, opens)))
    monkeypatch.setenv(explore.ASKED, "")
    options = ["--users", "50", "--set", "people.behaviour.outside=0.5", "--port", "9000", "--no-open"]
    assert cli.main(["explore", "travel", *options]) == 0
    assert served == [(9000, False)]
    asked = explore.os.environ[explore.ASKED]
    assert explore.json.loads(asked) == {"name": "travel", "users": 50, "people.behaviour.outside": 0.5}
    for wrong in (["travle"], ["travel", "--set", "people.mood=1"], ["travel", "--port", "x"]):
        assert cli.main(["explore", *wrong]) == cli.MISTAKE
    assert len(served) == 1


@pytest.mark.filterwarnings("ignore::UserWarning")  # Solara's check of Mesa's own components
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_page_is_drawn_and_follows_a_step():
    """The page renders without a browser: sliders for the dials, the graph, and a series after a step."""
    solara = pytest.importorskip("solara", reason="needs the extra viz")
    import ipyvuetify

    from rehearse.experiments.explore import page

    element = page.page_of(**{key: QUICK[key] for key in ("name", "users", "ticks")})
    _, drawn = solara.render(solara.AppLayout(children=[element]), handle_error=False)
    try:
        sliders = {slider.label for slider in drawn.find(ipyvuetify.Slider).widgets}
        assert {"count", "behaviour.outside", "society.graph.degree"} <= sliders
        for tick in (0, 1):
            texts = [str(title.children) for title in drawn.find(ipyvuetify.CardTitle).widgets]
            assert any(f"Tick {tick} of 3" in text for text in texts), texts
            assert any("30 of 30 people" in text for text in texts), texts
            drawn.find(ipyvuetify.Btn, children=["Step"]).widget.click()
    finally:
        drawn.close()
