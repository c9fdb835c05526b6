"""The memory that a run will take is said before it begins, and comes true."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from rehearse.errors import UserError
from rehearse.experiments import api, footprint, resources
from rehearse.experiments.cli import main

LEAST, MOST = 0.9, 1.6
"""What was said, over what was measured."""

PROGRAM = """
import json, sys
from rehearse.experiments import api, resources
name, users, replicas, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
done = api.run(name, users=users, replicas=replicas, ticks=4, out=out)
measured = resources.peak_memory_mb()
print(json.dumps({"said": done.turns.manifest["memory_mb"], "measured": measured}))
"""


def said_and_measured(name, users, replicas, folder):
    """Run a scenario in a process of its own; return what was said and what was measured, in MiB."""
    words = [name, str(users), str(replicas), str(folder)]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, check=True)
    found = json.loads(done.stdout)
    return found["said"]["peak"], found["measured"]


@pytest.mark.parametrize("name", ["feed", "travel"])
@pytest.mark.parametrize(
    ("users", "replicas"), [(4_000, 5), pytest.param(20_000, 5, marks=pytest.mark.science)]
)
def test_what_is_said_comes_true(name, users, replicas, tmp_path):
    """Never less than nine tenths of what a run takes is said, and at most six tenths too much."""
    said, measured = said_and_measured(name, users, replicas, tmp_path / "run")
    assert LEAST <= said / measured <= MOST, f"said {said:.0f} MiB, measured {measured:.0f} MiB"


def test_a_larger_society_needs_more():
    """People, replicas and friends take memory; ticks do not."""

    def peak(**changes):
        return footprint.expected(api.load("feed", **changes)).parts

    base = peak(users=5_000, replicas=4)
    assert peak(users=10_000, replicas=4)["people"] == pytest.approx(2 * base["people"], rel=0.01)
    assert peak(users=5_000, replicas=8)["people"] == pytest.approx(2 * base["people"], rel=0.01)
    alone = peak(users=5_000, replicas=4, settings={"people.society.graph": {"kind": "none"}})
    assert alone["graph"] == 0 < base["graph"]
    assert peak(users=5_000, replicas=4, ticks=400)["record"] == base["record"]
    shards = footprint.expected(api.load("feed", users=5_000, replicas=4), shards=2)
    assert shards.parts["program"] > 2 * base["program"] - footprint.LOADED_LATER - footprint.COMPILED


def test_a_run_that_would_not_fit_says_so_first(monkeypatch, tmp_path):
    """It names what is needed, what is free, and what would fit; nothing is written."""
    monkeypatch.setattr(footprint, "available_memory", lambda: 600 << 20)
    with pytest.raises(UserError, match=r"1,000,000 people need about .* and 600 MB are free") as raised:
        api.run("feed", users=200_000, replicas=5, out=tmp_path / "run")
    assert "--users" in raised.value.remedy
    assert not (tmp_path / "run").exists()
    fits = int(raised.value.remedy.split("--users ")[1].split()[0])
    memory = footprint.expected(api.load("feed", users=fits, replicas=5))
    footprint.must_fit(memory, api.load("feed", users=fits, replicas=5))


def test_it_can_be_tried_all_the_same(monkeypatch, tmp_path):
    """With the override the run begins whatever memory there is."""
    monkeypatch.setattr(footprint, "available_memory", lambda: 1 << 20)
    with pytest.raises(UserError, match="--over-memory"):
        api.run("travel", users=20, ticks=2, replicas=2, out=tmp_path / "no")
    done = api.run("travel", users=20, ticks=2, replicas=2, out=tmp_path / "run", over_memory=True)
    assert done.user_turns > 0


def test_where_the_system_does_not_tell_every_run_begins(monkeypatch):
    """Nothing is refused for want of knowledge."""
    monkeypatch.setattr(footprint, "available_memory", lambda: None)
    scenario = api.load("travel", users=1_000_000, replicas=99)
    footprint.must_fit(footprint.Footprint({"program": 1 << 50}), scenario)


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_of_a_control_group_counts(version, monkeypatch, tmp_path):
    """What a container may take is free, less what it uses; without a limit the machine is."""
    whole = resources.available_memory()
    monkeypatch.setattr(resources, "_CONTROL", tmp_path)
    names = resources.GROUPS[2 - version]
    files = [tmp_path / name for name in names]
    files[0].parent.mkdir(exist_ok=True)
    for file, text in zip(files, ("3000000", "2000000", "cache 5\ninactive_file 500000\n"), strict=True):
        file.write_text(text)
    assert resources.available_memory() == 1_500_000
    files[0].write_text("max\n")
    free = resources.available_memory()
    assert whole is None or free == pytest.approx(whole, rel=0.2)


def test_check_says_what_a_run_will_take(capsys):
    """`rehearse check` prints the line that `rehearse run` prints, and runs nothing."""
    assert main(["check", "feed", "--users", "100000", "--replicas", "3"]) == 0
    said = capsys.readouterr().out
    assert "feed: 300,000 people, 20 days." in said
    assert "Memory: about " in said
    assert "people " in said
    assert main(["check", "feed", "--set", "policy.name=nobody"]) == 2
