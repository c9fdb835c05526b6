"""The report says in sentences what a scenario puts between people and the model."""

from __future__ import annotations

from rehearse.experiments import api
from rehearse.experiments.report.between import sentences


def test_the_report_says_what_stood_between_people_and_the_model(tmp_path):
    """Noise with the turns it touched, odd people with their number, late feedback with its law."""
    settings = {
        "observation": [
            {"kind": "biased", "features": ["hinc"], "times": 0.5, "rate": 0.25, "lasts": "ever", "until": 3},
            {"kind": "stale", "features": ["gc_*", "ttme_*"], "age": 2, "group": "low income", "start": 1},
        ],
        "people.manners": [
            {
                "name": "bots",
                "share": 0.5,
                "answers": "always",
                "says": {"hinc": {"add": 9.0}},
                "note": "scrapers",
            }
        ],
        "feedback": {"delay": {"exponential": {"mean": 2.0}}, "positives": 3, "lost_after": 9},
    }
    done = api.run("travel", users=60, ticks=4, replicas=2, settings=settings, out=tmp_path / "run")
    said = sentences(done.turns)
    bots = int((done.turns.query("SELECT manner FROM users")["manner"] == "bots").sum())
    share = done.turns.query("SELECT avg((noised > 0)::DOUBLE) AS share FROM turns")["share"][0]
    assert said[:2] == [
        "The model saw hinc biased (times 0.5) in 25 % of cases, drawn once for ever, until tick 3.",
        "The model saw gc_* and ttme_* of low income stale (age 2), from tick 1.",
    ]
    odd = "they take whatever comes first and say what is not so of themselves: scrapers."
    assert said[3] == f"{bots} of 120 people are bots: {odd}"
    late = "What a learning model is told came late, by exponential (mean 2) ticks, of positives 3"
    assert said[4:] == [f"{late}; after more than 9 it never came."]
    assert f"In {100 * share:.1f} % of turns" in said[2]
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert "bots: they take whatever comes first" in page


def test_where_nothing_stood_between_nothing_is_said(tmp_path):
    """A scenario without noise has no such section."""
    done = api.run("travel", users=20, ticks=2, replicas=1, out=tmp_path / "run")
    assert sentences(done.turns) == []
    assert 'id="between"' not in (done.folder / "report.html").read_text(encoding="utf-8")
