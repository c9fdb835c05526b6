"""The page on noise and drift: what stands there runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from rehearse import load
from rehearse.errors import ScenarioError
from rehearse.experiments.build import assemble
from rehearse.scenario.model import Drift

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "noise-and-drift.md").read_text(encoding="utf-8")
YAMLS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", YAMLS)
def test_each_section_of_the_page_can_be_rehearsed(text):
    """Put into `travel`, with a policy that learns, it takes a tick."""
    section = YAML(typ="safe").load(text)
    section = {f"people.{k}": v for k, v in section["people"].items()} if "people" in section else section
    given = load("travel", users=30, replicas=1, settings={"policy": {"name": "epsilon-v1"}} | section)
    assemble(given).simulation.advance()


def test_the_world_of_the_page_moves_as_it_says():
    """Its prices follow a schedule, are restored from their state, and it refuses what it does not name."""
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], names)  # noqa: S102 -- the page's own program
    rise = Drift(tick=2, what="price.*", times=2.0)
    bakery = names["Bakery"](("bread",), (rise,))
    assert bakery.drift(1) == []
    assert bakery.price("bread") == 2.5
    assert bakery.drift(2) == ["price.* × 2"]
    kept = bakery.state()
    bakery.drift(0)
    bakery.restore(kept)
    assert bakery.price("bread") == 5.0
    with pytest.raises(ScenarioError, match="rent"):
        names["Bakery"](("bread",), (Drift(tick=0, what="rent"),))
