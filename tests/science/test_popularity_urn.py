"""A model that recommends what it recommended before is an urn, whose law is known exactly."""

from __future__ import annotations

import numpy as np
import pytest

import rehearse

pytestmark = pytest.mark.science


def urn(items, draws, societies, *, policy, **world):
    """Return a model in which one person of each society is shown one item a tick."""
    return rehearse.model(
        {
            "name": "urn",
            "world": {
                "name": "recommend-v1",
                "settings": {"items": items, "attributes": {"quality": {"value": 0.0}}, **world},
            },
            "people": {
                "count": 1,
                "tastes": {"quality": 1.0},
                "behaviour": {"visit_trust": 0.0, "quits": False},
                "memory": {"on": False},
            },
            "policy": {"name": "exposure-v1", "settings": policy},
            "time": {"ticks": draws, "max_turns": 1},
            "replicas": societies,
            "seed": 3,
            "assumptions": ["One person is shown one item a tick."],
            "limitations": ["It is an urn."],
        }
    )


def shown_after(model, draws):
    """Return how often each item was shown in each society, (societies, items)."""
    for _ in range(draws):
        model.step()
    shown = model.simulation.state()["policy/shown"]
    assert (shown.sum(axis=1) == draws).all()
    return shown


def shares(settings, draws, societies):
    """Return the share of the first of two items in what was shown, in each of some societies."""
    shown = shown_after(urn(["a", "b"], draws, societies, policy=settings), draws)
    return (1.0 + shown[:, 0]) / (2.0 + draws)


@pytest.mark.parametrize(
    ("exponent", "share", "alone"),
    [
        (0.0, 0.5278952866382458, 0.0),
        (0.5, 0.5629025593371277, 0.0),
        (1.0, 0.7487562189054731, 0.19900497512437823),
        (1.5, 0.9342619474172352, 0.8092503596301605),
        (2.0, 0.9807607513096874, 0.9670458369273884),
    ],
)
def test_popularity_to_a_power_is_the_known_urn(exponent, share, alone):
    """200 draws in 5,000 societies: the expected larger share, and how often it exceeds .9."""
    first = shares({"exponent": exponent}, 200, 5000)
    larger = np.maximum(first, 1.0 - first)
    assert larger.mean() == pytest.approx(share, abs=0.01)
    assert (larger > 0.9).mean() == pytest.approx(alone, abs=0.025)


@pytest.mark.parametrize(("epsilon", "share"), [(0.0, 0.99800796812749), (0.1, 0.9483123063302246)])
def test_the_most_shown_stays_so_but_for_exploration(epsilon, share):
    """500 draws of what was shown most, explored with ε: the larger share tends to 1 − ε/2."""
    first = shares({"exponent": None, "epsilon": epsilon}, 500, 500)
    assert np.maximum(first, 1.0 - first).mean() == pytest.approx(share, abs=0.01)


def test_the_rich_get_richer_where_new_items_come_out():
    """One new item a tick, drawn as often as it is shown: 4 / (j (j + 1) (j + 2)) of them have j − 1 (±.012).

    Krapivsky, Redner and Leyvraz (2000) for growth by one attachment a step, an exponent of 3.
    """
    creators = {"start": 1, "each_tick": 1}
    growing = urn({"count": 201}, 200, 200, policy={"exponent": 1.0}, creators=creators)
    shown = shown_after(growing, 200)
    j = np.arange(1, 6)
    found = [(shown == k - 1).mean() for k in j]
    assert found == pytest.approx(4.0 / (j * (j + 1) * (j + 2)), abs=0.012)
