"""What theory says of lenders and applicants, in runs of `lending-v1`: closed forms, no data needed."""

from __future__ import annotations

import numpy as np
import pytest

import rehearse

pytestmark = pytest.mark.science
COUNT = 10_000


def applicants(score, policy, ticks=1, people=None, **world):
    """Return a scenario of applicants with these scores who all ask once a tick and take what is granted."""
    return {
        "name": "theory",
        "world": {"name": "lending-v1", "settings": world},
        "people": {
            "count": COUNT,
            "traits": {"score": score},
            "visible": ["score"],
            "tastes": {"each": 0.0},
            "behaviour": {"choice": "always", "visit_trust": 0.0, "quits": False},
            "memory": {"on": False},
            "goals": [{"name": "borrow", "rate": 1.0, "at_start": 1.0, "deadline": 1}],
        }
        | (people or {}),
        "policy": policy,
        "time": {"ticks": ticks, "max_turns": 1},
        "replicas": 1,
        "seed": 3,
        "assumptions": ["Theory."],
        "limitations": ["Theory."],
    }


def threshold(at):
    """Return the policy that says yes from a score on."""
    return {"name": "threshold-v1", "settings": {"feature": "score", "at": at}}


@pytest.mark.parametrize(("cut", "outcome"), [(500.0, "decline"), (700.0, "best")])
def test_how_many_are_granted_decides_whether_scores_rise(tmp_path, cut, outcome):
    """Liu et al. 2018: Δμ = Σ π τ (75 ρ − 150 (1 − ρ)) and U = Σ π τ (ρ − 4 (1 − ρ)), to four errors.

    Granting all makes scores fall and loses money; granting from 700 on makes scores rise, and pays.
    """
    scores, spread, repay = [500.0, 600.0, 700.0, 800.0], [0.4, 0.3, 0.2, 0.1], [0.3, 0.6, 0.9, 0.95]
    scenario = applicants(
        {"discrete": {"values": scores, "shares": spread}},
        threshold(cut),
        terms={"grant": {"gain": 1.0, "loss": 4.0}},
        repayment={"curve": {"scores": scores, "chances": repay}},
        change={"repaid": 75, "default": -150},
    )
    done = rehearse.run(scenario, out=tmp_path / "run")
    found = done.turns.query("SELECT score_change, reward FROM turns")
    granted, rho = np.array(spread) * (np.array(scores) >= cut), np.array(repay)
    moved, worth = found["score_change"], found["reward"]
    change = float((granted * (75 * rho - 150 * (1 - rho))).sum())
    assert moved.mean() == pytest.approx(change, abs=4 * moved.std() / np.sqrt(COUNT))
    gain = float((granted * (rho - 4 * (1 - rho))).sum())
    assert worth.mean() == pytest.approx(gain, abs=4 * worth.std() / np.sqrt(COUNT))
    assert (moved.mean() < 0.0) == (outcome == "decline")
    assert (worth.mean() > 0.0) == (outcome == "best")


def test_people_within_reach_of_the_cut_move_to_it_and_no_further(tmp_path):
    """Hardt et al. 2016: scores 0 to 100, cost .1 a point, gain 1: those within 10 points show the cut.

    With the cut raised by these 10 points above where people begin to repay, everybody is judged right.
    """
    strategy = {"features": ["score"], "to": "threshold", "cost": 0.1, "gain": 1.0}
    uniform = {"uniform": {"low": 0.0, "high": 100.0}}
    rule = {"repayment": {"qualifies": 60.0}}
    for cut, wrong, margin in ((60.0, 0.1, 0.012), (70.0, 0.0, 0.0)):
        scenario = applicants(uniform, threshold(cut), people={"strategy": strategy}, **rule)
        found = rehearse.run(scenario, out=tmp_path / str(cut)).turns.query("SELECT * FROM turns")
        true, shown = found["true_score"], found["shown_score"]
        moves = (true >= cut - 10.0) & (true < cut)
        assert (shown == np.where(moves, np.float32(cut), true)).all()
        assert found["effort"] == pytest.approx(np.where(moves, 0.1 * (cut - true), 0.0), abs=1e-5)
        assert (found["selected"] != found["qualified"]).mean() == pytest.approx(wrong, abs=margin)


def test_applicants_are_shared_out_among_lenders(tmp_path):
    """Scores uniform on 0 to 100, a cut of 60 here at 30 %; others from 20 at 60 %, from 80 at 20 %.

    Half of those refused ask the others, a quarter of those granted take a cheaper loan: .4 nobody,
    .35 here, .2 and .05 elsewhere, to four standard errors.
    """
    others = [
        {"name": "street", "at_least": 20, "rate": 0.6},
        {"name": "online", "at_least": 80, "rate": 0.2},
    ]
    scenario = applicants(
        {"uniform": {"low": 0.0, "high": 100.0}},
        threshold(60.0),
        terms={"grant": {"rate": 0.3}},
        repayment={"curve": {"scores": [0, 100], "chances": [0, 1], "between": "linear"}},
        market={"lenders": others, "seek": 0.5, "compare": 0.25},
    )
    lender = rehearse.run(scenario, out=tmp_path / "run").turns.query("SELECT lender FROM turns")["lender"]
    shares = np.bincount(lender + 1, minlength=4) / COUNT
    expected = np.array([0.4, 0.35, 0.2, 0.05])
    assert (np.abs(shares - expected) < 4.0 * np.sqrt(expected * (1 - expected) / COUNT)).all()


@pytest.mark.parametrize(("answer", "disappointed", "share"), [("grant", 0.5, 0.3), ("refuse", 0.5, 6 / 13)])
def test_a_refusal_changes_when_people_ask_again(tmp_path, answer, disappointed, share):
    """A wish arises at 30 % a tick; who is refused gives it up half of the time, else asks on.

    The share h that asks is h = h (1 − d) + (1 − h (1 − d)) · .3 in the long run: .3 if granted (d = 1),
    6/13 if refused with d = 1/2. Every tick it is within .02 (four standard errors of 10,000 people).
    """
    goal = {
        "name": "borrow",
        "rate": 0.3,
        "at_start": share,
        "deadline": 1000,
        "disappointment": disappointed,
    }
    drains = {"turn": 0.0, "bad_offer": 1.0}
    scenario = applicants(
        620.0,
        {"name": "constant-v1", "settings": {"slate": [answer]}},
        ticks=8,
        people={
            "traits": {"score": 620.0, "patience": 1.0},
            "goals": [goal],
            "behaviour": {"choice": "always", "visit_trust": 0.0, "quits": False, "drains": drains},
        },
        repayment={"qualifies": 600.0},
    )
    record = rehearse.run(scenario, out=tmp_path / "run").turns
    asked = record.query("SELECT sessions FROM ticks ORDER BY tick")["sessions"] / COUNT
    assert asked == pytest.approx(np.full(8, share), abs=0.02)


@pytest.mark.parametrize(("strength", "settles"), [(1.0, True), (8.0, False)])
def test_retraining_settles_only_where_people_answer_little(tmp_path, strength, settles):
    """Perdomo et al. 2020: half of the people answer, x + ε · w: the steps of retraining shrink, or do not.

    1,000 people with two features and logistic regression, λ = .1; each round's model is that of the same
    loop written out with scikit-learn, to 1e-5.
    """
    linear_model = pytest.importorskip("sklearn.linear_model", reason="the loop is written out with it")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 2)).round(6)
    good = (rng.uniform(size=1000) < 1.0 / (1.0 + np.exp(0.3 - x @ [1.5, -1.0]))).astype(int)
    table = tmp_path / "people.csv"
    np.savetxt(table, np.column_stack([x, good]), "%.6f", ",", header="a,b,good", comments="")
    learner = {"name": "logistic-v1", "settings": {"features": ["a", "b"], "penalty": 0.1}}
    answering = {"features": ["a"], "to": "weights", "strength": strength, "share": 0.5}
    source = {"table": "world", "use": "as_is"}
    people = {"count": 1000, "traits": {}, "source": source, "visible": ["a", "b"], "strategy": answering}
    rule = {"table": "data", "repayment": {"repaid": "good"}, "labels": "always", "change": None}
    model = rehearse.model(applicants(0.0, learner, ticks=6, people=people, **rule), data=table)
    found = []
    while model.running:
        model.step()
        weights = model.policy.published()
        found.append([weights["weight.a"][0], weights["weight.b"][0], weights["constant"][0]])
    answers, told = model.people["shown_a"] != model.people["true_a"], np.zeros(2)
    for mine in found:
        fit = linear_model.LogisticRegression(C=0.01, tol=1e-10).fit(
            x + np.outer(answers, [strength * told[0], 0.0]), good
        )
        told = fit.coef_[0]
        assert mine == pytest.approx([*told, fit.intercept_[0]], abs=1e-5)
    steps = np.linalg.norm(np.diff(found, axis=0), axis=1)
    assert (steps[-1] < 0.01 * steps[0]) if settles else (steps[-1] > 0.3 * steps[0])
