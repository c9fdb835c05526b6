"""The benchmark: it runs, says what it could not measure, and shows a miss as a miss."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"

pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="benchmarks are not shipped with the package")


@pytest.fixture
def performance(monkeypatch):
    """Return the module that writes the table."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import performance

    return performance


def found(**keys):
    """Return what a run found: all promises kept unless told otherwise."""
    machine = {"cores": 2, "processor": "one", "system": "Linux", "python": "3.11", "load before": 0.1}
    return {"notes": {}, "date": "today", "version": "1", "machine": machine, "measured": {}} | keys


def run(script, *arguments):
    """Run a benchmark as `make bench` does."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment)


def test_a_figure_beyond_its_target_is_shown_as_missed(performance):
    """The table calls a ratio above 1.4 missed, and one below met."""
    table = performance.table(found(overhead_w_100k=1.41, overhead_w_1m=1.39))
    assert "| ≤ 1.40 | 1.41 | **missed** |" in table
    assert "| ≤ 1.40 | 1.39 | met |" in table


def test_a_rate_below_its_target_is_shown_as_missed(performance):
    """Where more is better the comparison turns round."""
    table = performance.table(found(x_mesa_objects=49.9, x_recsim=150.0))
    assert "| ≥ 50.0 | 49.9 | **missed** |" in table
    assert "| ≥ 150 | 150 | met |" in table


def test_what_could_not_be_measured_stands_there_with_its_reason(performance):
    """A peer that is not installed is no figure, and the table says why."""
    table = performance.table(found(x_trecs=None, notes={"x_trecs": "it needs Python 3.8"}))
    assert "| – | not measured: it needs Python 3.8 |" in table


def test_only_what_stands_between_the_markers_is_rewritten(performance):
    """The words of the page stay."""
    page = f"before\n{performance.BEGIN}\nold\n{performance.END}\nafter\n"
    written = performance.rewritten(page, found(overhead_w_100k=1.2))
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
    assert "old" not in written
    assert performance.rewritten(written, found(overhead_w_100k=1.2)) == written


def test_a_page_without_markers_is_refused(performance):
    """Nothing is written over a page that is not ours."""
    with pytest.raises(ValueError, match="lacks"):
        performance.rewritten("a page", found())


def test_the_published_table_is_that_of_the_published_figures(performance):
    """docs/performance.md says what benchmarks/latest.json says."""
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    latest = BENCHMARKS / "latest.json"
    if not latest.is_file():
        pytest.skip("nothing has been published yet")
    assert performance.rewritten(page, json.loads(latest.read_text(encoding="utf-8"))) == page


def test_the_mesa_twin_lives_through_the_workload():
    """A plain-Mesa run of W comes to the satisfaction, refusals and turns that were measured for it."""
    said = run("w_mesa.py", "--users", 400, "--ticks", 2, "--model", "cheap").stdout
    lived = json.loads(said.splitlines()[-1])["lived"]
    assert lived["satisfaction"] == pytest.approx(0.53, rel=0.05)
    assert lived["nothing taken"] == pytest.approx(0.26, rel=0.15)
    assert lived["turns a session"] == pytest.approx(5.2, rel=0.05)


@pytest.mark.parametrize("model", ["linear", "cheap"])
def test_the_engine_and_its_mesa_twin_live_through_the_same(model, monkeypatch):
    """On the same items W comes to the same satisfaction, outcomes, refusals and turns in both."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("REHEARSE_FAST", "0")
    import w_mesa
    import w_ours
    from w_models import items_of

    monkeypatch.setattr(w_mesa, "catalogue", lambda: items_of(7))
    ours = w_ours.ours(1000, 3, model)["lived"]
    twin = w_mesa.measure(1000, 3, model, by_row=False)["lived"]
    assert ours == pytest.approx(twin, rel=0.04)


@pytest.mark.slow
def test_a_quick_run_measures_or_says_why_not(tmp_path, performance):
    """`bench.py --quick` fills every promised key with a number, or null and a note."""
    out, page = tmp_path / "latest.json", tmp_path / "performance.md"
    page.write_text(f"{performance.BEGIN}\n{performance.END}\n", encoding="utf-8")
    run("bench.py", "--quick", "--out", out, "--page", page)
    written = json.loads(out.read_text(encoding="utf-8"))
    assert list(written)[: len(performance.KEYS)] == list(performance.KEYS)
    for key in performance.KEYS:
        assert written[key] is not None or written["notes"][key], key
    measured = ("overhead_w_100k", "x_mesa_objects", "scale_1m_over_10k", "influence_over_csr")
    assert all(written[key] > 0.0 for key in measured)
    assert 0.0 < written["bytes_per_user"] < 1000.0
    assert performance.table(written) in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "people"), [("lending", 1000), ("pricing", 600), ("assist", 400)])
def test_worlds_and_their_objects_live_through_the_same(name, people, monkeypatch):
    """The engine and a twin in plain objects come to the same turns, reward and regret."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("REHEARSE_FAST", "0")
    import worlds

    world = worlds.WORLDS[name]
    lived = [worlds.in_columns(world, people, recorded=False), worlds.in_objects(world, people, keeps=True)]
    ours, theirs = (came_to for _, came_to in lived)
    assert theirs == pytest.approx(ours, rel=0.1, abs=0.015)


def test_the_published_worlds_are_those_of_the_published_figures(monkeypatch):
    """The second table of docs/performance.md says what benchmarks/worlds.json says."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import performance
    import worlds

    page = worlds.PAGE.read_text(encoding="utf-8")
    latest = json.loads(worlds.PUBLISHED.read_text(encoding="utf-8"))
    assert performance.between(page, worlds.section(latest), performance.WORLDS) == page


def test_a_world_that_is_too_slow_is_shown_as_missed(monkeypatch):
    """Fifty times is met, less is missed, and a peer that is not there is told with the reason."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import worlds

    rates = dict.fromkeys(("engine_rate_with_loading", "objects_rate_at_half", "engine_rate_recorded"), 1.0)
    found = {"world": "w", "objects": 10, "engine_rate": 99.0, "objects_rate": 2.0, **rates}
    assert worlds.row(found | {"ratio": 49.9}).endswith("| **missed** |")
    assert worlds.row(found | {"ratio": 50.0}).endswith("| met |")
    absent = worlds.row({"world": "w", "missing": "it needs Python 3.7"})
    assert absent.endswith("| not measured: it needs Python 3.7 |")
    assert absent.count("|") == worlds.HEAD.splitlines()[0].count("|")
