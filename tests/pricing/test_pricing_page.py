"""The page about the world `pricing-v1` says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rehearse.experiments.api import load
from rehearse.experiments.build import assemble

PAGE = Path(__file__).parents[2] / "docs" / "worlds" / "pricing.md"


def blocks(kind):
    """Return the pieces of code of a kind on the page."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_scenario_to_copy_can_be_rehearsed(tmp_path):
    """The scenario of the page runs as it stands."""
    path = tmp_path / "shop.yaml"
    path.write_text(blocks("yaml")[0], encoding="utf-8")
    simulation = assemble(load(path, users=50, replicas=2)).simulation
    for _ in range(3):
        simulation.advance()
    assert simulation.world.store.units.tolist() != [240, 240]


def test_the_market_by_itself_works(capsys):
    """The prices that the page prints are those that it says."""
    exec(blocks("python")[0], {})  # noqa: S102 - what a reader would copy
    nash, monopoly, _ = capsys.readouterr().out.split("\n", 2)
    assert nash == "[1.47292666 1.47292666]"
    assert monopoly == "[1.92498092 1.92498092]"


def test_several_sellers_work():
    """The loop over a market of several sellers runs to its end."""
    pytest.importorskip("pettingzoo", reason="pettingzoo is not installed (extra gym)")
    names = {}
    exec(blocks("python")[1], names)  # noqa: S102
    assert set(names["rewards"]) == {"here", "rival"}
