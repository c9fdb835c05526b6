"""The page on writing a world: what stands there runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rehearse.errors import NotFoundError, UserError
from rehearse.experiments import api

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "world.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the files that the page has its reader write."""
    for language, name in (("python", "reminder.py"), ("yaml", "reminder.yaml")):
        pieces = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
        (tmp_path / name).write_text("\n\n".join(pieces), encoding="utf-8")
    return tmp_path


def test_the_world_of_the_page_keeps_the_contract_in_a_hundred_lines(folder):
    """It says so itself, and it has fewer than 100 lines of code."""
    done = subprocess.run(
        [sys.executable, "reminder.py"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "keeps the contract"
    lines = (folder / "reminder.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) < 100


def test_the_scenario_of_the_page_runs_and_tires_people(folder):
    """An oracle does better than chance, regrets nothing, and the record tells how tired people are."""
    small = {"users": 100, "ticks": 5, "replicas": 2}
    chance = api.run(folder / "reminder.yaml", out=folder / "chance", **small)
    best = api.run(folder / "reminder.yaml", policy="greedy-v1", out=folder / "best", **small)
    asked = "SELECT avg(reward) AS reward, avg(regret) AS regret, max(fatigue) AS fatigue FROM turns"
    drawn, greedy = chance.turns.query(asked), best.turns.query(asked)
    assert drawn["regret"][0] > greedy["regret"][0] == 0.0
    assert 0.0 < drawn["fatigue"][0] <= 1.0
    assert api.replay(folder / "best").same


def test_a_world_that_is_not_there_is_told(folder):
    """A wrong name, a wrong file and a file that cannot be run are told in words."""
    scenario = folder / "reminder.yaml"
    (folder / "broken.py").write_text("raise ValueError(1)", encoding="utf-8")
    with pytest.raises(NotFoundError, match=r"no world named 'reminder-v9'.*worlds\.py:name"):
        api.run(scenario, settings={"world.name": "reminder-v9"})
    with pytest.raises(UserError, match=r"reminder.py has no 'bild'.*'build'"):
        api.run(scenario, settings={"world.name": f"{folder}/reminder.py:bild"})
    with pytest.raises(UserError, match="which holds a world, cannot be run: ValueError: 1"):
        api.run(scenario, settings={"world.name": f"{folder}/broken.py:build"})
