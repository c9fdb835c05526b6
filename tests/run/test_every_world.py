"""The determinism promise, the contract and the laws of a record: every world, wrapper and social rule."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.contract import End
from rehearse.errors import ScenarioError
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble, world_of
from rehearse.registry import entries
from rehearse.scenario.load import catalogue
from rehearse.scenario.model import FaultKind, Scenario
from rehearse.testing import check_world

SMALL = {"users": 12, "ticks": 3, "replicas": 2}
TURNS = 5
"""Longer sessions are cut off here."""
NEED_DATA = {"feed-ratings", "lending-table"}
NAMES = [scenario.name for scenario in catalogue() if scenario.name not in NEED_DATA]
RULES = sorted(entries("rules"))
CUTS = ({"block": 5, "tile": 3}, 1), ({"block": 2, "tile": None}, 2)
"""How the work of each society is cut up, and the tick at which it is put away and taken up."""

SIGHT = [
    {"kind": "stale", "features": ["*"], "age": 2, "rate": 0.5, "lasts": "session"},
    {"kind": "missing", "features": ["*"], "rate": 0.2, "indicator": True, "value": 0.0, "until": 2},
    {"kind": "quantised", "features": ["*"], "step": 2.0, "rate": 0.3},
    {"kind": "biased", "features": ["*"], "times": 1.1, "rate": 0.3, "lasts": "ever"},
    {"kind": "noisy", "features": ["*"], "sd": 0.5, "start": 1},
    {"kind": "swapped", "features": ["*"], "rate": 0.2},
]
CONDITIONS = {
    "latency": [{"median_ms": 800.0, "spread": 1.0}],
    "faults": [{"kind": kind, "rate": 0.05} for kind in get_args(FaultKind) if kind != "stale_features"],
    "feedback": {"delay": {"pareto": {"least": 0.4, "tail": 1.2}}, "positives": 1, "lost_after": 4},
}
ODD = [
    {"name": "careless", "share": 0.3, "answers": "at_random", "rate": 0.5},
    {"name": "hostile", "share": 0.2, "answers": "contrarily", "says": {"turn": {"times": 2.0}}},
    {"name": "bots", "share": 0.1, "answers": "always"},
]
LIVES = {
    "people.arrivals": {"start": 0.7, "steady": 1, "rate": 0.1, "word_of_mouth": 0.2},
    "people.churn": {"rate": 0.1, "dissatisfaction": 0.1},
    "people.returns": {"rate": 0.4, "forgets": ["trust"]},
    "people.society.graph": {"kind": "watts_strogatz", "degree": 4, "rewire": 0.2},
    "people.society.influences": [{"what": "satisfaction", "weight": 0.3}],
}
VISITS = {"tick": 1, "what": "people.visits", "times": 0.5, "shape": "recurring", "period": 2, "lasts": 1}
TASTES = {"tick": 0, "what": "people.tastes.*", "times": 2.0, "shape": "seasonal", "period": 4}
LEARNER = {"policy": {"name": "epsilon-v1"}}
MOVES = {
    "travel": "items.*.gc", "feed": "items.*.quality", "retention": "experience.centre", "lending": "chance",
    "lending-strategic": "rate.grant", "triage": "workers", "triage-sites": "rates.*",
    "triage-outbreak": "doses", "pricing": "cost", "pricing-rivals": "cost",
    "assist": "noise.*", "workload": None,
}  # fmt: skip
"""For each world (and its ways) a scenario, and a path that a schedule may move there."""


@cache
def read(name):
    """Return a scenario as it is written; reading takes longer than a short life."""
    return load(name)


def small(name, **changes):
    """Return a scenario with few people, short sessions and changes."""
    scenario = load(read(name), **SMALL)
    short = {"time.max_turns": min(scenario.time.max_turns, TURNS)}
    if "arrivals" in scenario.world.settings:
        short["world.settings.arrivals"] = {"rate": 0.5, "branching": 0.3, "decay": 0.5}
    return load(scenario, settings=short | changes)


def wrapped(name):
    """Return a scenario with all wrappers round it that mean something there."""
    scenario, path = small(name), MOVES[name]
    drift = [] if path is None else [{"tick": 1, "what": path, "add": 1.0, "shape": "gradual", "over": 2}]
    given = {"observation": SIGHT, **CONDITIONS} | (LEARNER if name in {"travel", "feed", "pricing"} else {})
    if scenario.people.model in {"crowd-v1", "callers-v1"}:
        drift.append(VISITS)
    if scenario.people.model == "crowd-v1":
        rules = {} if scenario.people.society.rules else LIVES
        given |= {"people.manners": ODD, **rules}
        drift += [TASTES] if assemble(scenario).simulation.world.attributes else []
    return load(scenario, settings=given | {"drift": drift})


def society(rule):
    """Return a small feed whose people know one another, with this social rule alone."""
    graph = {"kind": "watts_strogatz", "degree": 4, "rewire": 0.2}
    settings = {"column": "adopted"} if rule == "friends-v1" else {}
    return small(
        "feed",
        **{
            "people.count": 24,
            "people.society": {"graph": graph, "rules": [{"name": rule, "settings": settings}]},
            "world.settings.items.count": 20,
        },
    )


def own(folder):
    """Return the scenario of the page on writing a world, with the world of its file."""
    page = (Path(__file__).parents[2] / "docs" / "howto" / "world.md").read_text(encoding="utf-8")
    for language, name in (("python", "reminder.py"), ("yaml", "reminder.yaml")):
        pieces = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
        (folder / name).write_text("\n\n".join(pieces), encoding="utf-8")
    return small(folder / "reminder.yaml", **{"world.name": f"{folder}/reminder.py:build"})


CASES = (
    [("scenario", name) for name in NAMES]
    + [("wrapped", name) for name in MOVES]
    + [("rule", rule) for rule in RULES]
    + [("own", "reminder")]
)


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request, tmp_path_factory):
    """Return what is rehearsed, the links of each society's digest, and what was lived tick by tick."""
    kind, name = request.param
    if kind == "own":
        scenario = own(tmp_path_factory.mktemp("own"))
    else:
        scenario = {"scenario": small, "wrapped": wrapped, "rule": society}[kind](name)
    return scenario, *lived(scenario)


def lived(scenario, pause=None, **props):
    """Return the links of a run in memory and its ticks; with `pause`, put away there and taken up anew."""
    ticks, assembly, recorder = [], *seated(scenario, props)
    for tick in range(scenario.time.ticks):
        if tick == pause:
            kept = {name: np.array(array) for name, array in assembly.simulation.state().items()}
            links, (assembly, recorder) = recorder.links.copy(), seated(scenario, props)
            assembly.simulation.restore(kept, pause)
            recorder.links = links
        recorder.keep = lambda _tick, turns, _society: ticks.append(turns)
        assembly.simulation.advance()
        ticks[-1] = ticks[-1], gone(assembly)
    return recorder.links, ticks


def seated(scenario, props):
    """Return a rehearsal at its first tick, and who records it."""
    assembly = assemble(scenario, Props(**props))
    recorder = assembly.new_recorder()
    assembly.simulation.watchers.append(recorder)
    return assembly, recorder


def gone(assembly):
    """Return who is gone for good at the end of a tick, by row."""
    people = assembly.simulation.users.columns
    return people["status"] > 1 if "server" in people else ~np.asarray(people["alive"], dtype=bool)


def test_every_life_is_the_same_however_it_is_come_by(case):
    """Each society alone, from its scenario as text, in other blocks and tiles, resumed: the same bits."""
    scenario, links, _ = case
    again = Scenario.model_validate_json(scenario.model_dump_json())
    for number, (cut, pause) in enumerate(CUTS):
        assert np.array_equal(lived(again, pause, replicas=[number], **cut)[0], links[number : number + 1])
    assert not np.array_equal(links[0], links[1])


def test_every_record_keeps_the_laws(case):
    """Regret is never negative, chances are chances, turns are counted, and nobody acts after leaving."""
    scenario, _, ticks = case
    comes_and_goes = scenario.people.arrivals is not None or scenario.people.returns is not None
    before = None
    for turns, after in ticks:
        if turns.length:
            who = np.asarray(turns["replica"], np.int64) * scenario.people.count + turns["user"]
            first = np.append(True, np.diff(who) != 0)
            last = np.append(first[1:], True)
            assert "regret" not in turns or not (turns["regret"] < 0.0).any()
            chances = turns["propensity"] if "propensity" in turns else np.ones(1)
            assert (np.isnan(chances) | ((chances > 0.0) & (chances <= 1.0))).all()
            assert (turns["turn"][first] == 0).all()
            assert (np.diff(turns["turn"].astype(np.int64))[~first[1:]] == 1).all()
            assert np.array_equal(turns["end"] != End.NONE, last)
            assert comes_and_goes or before is None or not before[who].any()
        before = after


@pytest.mark.parametrize("name", NAMES)
def test_every_world_keeps_the_contract(name):
    """No rule of `check_world` is broken by the world of any scenario, met by its people, or made anew."""
    scenario = small(name)
    simulation = assemble(scenario).simulation
    simulation.begin()

    def anew(drift):
        changed = scenario.model_copy(update={"drift": (*scenario.drift, *drift)})
        return world_of(changed, None, Chance(scenario.seed))

    assert check_world(simulation.world, simulation.users.columns, build=anew) == []


@pytest.mark.parametrize("name", MOVES)
def test_an_unknown_group_is_refused_in_every_world(name):
    """Whatever is meant for a group that there is not is answered with those that there are."""
    nobody = {"group": "nobody"}
    for given in (
        {"observation": [{"kind": "missing", "features": ["*"], **nobody}]},
        {"faults": [nobody]},
        {"guards": [{"name": "none", **nobody}]},
    ):
        with pytest.raises(ScenarioError, match=r"'nobody'.*(Known|Did you mean)"):
            assemble(small(name, **given))
