"""Two close models are told apart with far fewer people where both meet the same ones, on two worlds."""

from __future__ import annotations

import pytest

import rehearse

pytestmark = [pytest.mark.science, pytest.mark.slow]


def cut(at):
    """Return a rule that grants from a score on."""
    return {"name": "threshold-v1", "settings": {"feature": "score", "at": at}}


def split():
    """Return the scenario's model with an oracle for one in twenty people."""
    champion = rehearse.load("travel").policy.model_dump()
    settings = {"champion": champion, "challenger": {"name": "greedy-v1"}, "share": 0.05}
    return [champion, {"name": "split-v1", "settings": settings}]


WORLDS = {
    "lending": ({"users": 200, "ticks": 4, "replicas": 4}, [cut(620.0), cut(630.0)]),
    "travel": ({"users": 60, "ticks": 5, "replicas": 12}, split()),
}


@pytest.mark.parametrize("world", WORLDS)
def test_pairing_makes_intervals_a_third_as_wide(world, tmp_path):
    """The same people under both against other people under each: interval for interval, by `compare`."""
    size, policies = WORLDS[world]
    runs = [
        rehearse.run(
            world, seed=seed, settings={"criteria": [], "policy": policy}, out=tmp_path / name, **size
        )
        for name, seed, policy in (("a", 1, policies[0]), ("b", 1, policies[1]), ("c", 2, policies[1]))
    ]
    same = rehearse.compare(runs[0].folder, runs[1].folder)
    others = rehearse.compare(runs[0].folder, runs[2].folder, across=True)
    assert (same.paired, others.paired) == (True, False)
    told = {d.metric: d for d in same.differences}
    apart = {d.metric: d for d in others.differences}
    for metric in ("acceptance", "satisfaction", "reward", "harm"):
        width, without = (d.high - d.low for d in (told[metric], apart[metric]))
        assert 0.0 < width < without / 3.0, metric
        assert told[metric].variance_ratio > 9.0
