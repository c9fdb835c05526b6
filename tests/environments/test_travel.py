"""The travellers are the published ones, and their tastes are what maximum likelihood makes of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import Turn
from rehearse.environments import travel
from rehearse.environments.recommend import Recommend, Settings, build
from rehearse.errors import DataError
from rehearse.scenario.load import load

ROOT = Path(__file__).parents[2]
ESTIMATES = {
    "gc": -0.015501530053846716,
    "ttme": -0.0961248495778477,
    "air": 5.207447286799557,
    "train": 3.8690446639253677,
    "bus": 3.163196320522521,
    "air_income": 0.013287007946575943,
}
"""An independent fit of the same model; Stata's `clogit` prints the same to its last digit."""
LOG_LIKELIHOOD = -199.1284


@pytest.fixture(scope="module")
def fitted() -> travel.Fit:
    """Return the fit, made once."""
    return travel.fit(travel.table())


def test_the_file_is_the_one_its_readme_names() -> None:
    """The shipped CSV has the checksum that its README gives."""
    checksum = hashlib.sha256(travel.FILE.read_bytes()).hexdigest()
    assert checksum in (travel.FILE.parent / "README.md").read_text(encoding="utf-8")


def test_each_row_is_a_traveller() -> None:
    """210 travellers, the first with the numbers of the file's first four lines."""
    table = travel.table()
    assert table.length == 210
    assert np.bincount(table["chosen"].astype(int)).tolist() == [58, 63, 30, 59]
    first = {name: float(table[name][0]) for name in ("ttme_air", "gc_bus", "invt_car", "hinc", "psize")}
    assert first == {"ttme_air": 69.0, "gc_bus": 70.0, "invt_car": 180.0, "hinc": 35.0, "psize": 1.0}
    assert table["chosen"][0] == travel.MODES.index("car")


def test_a_caller_cannot_spoil_the_table() -> None:
    """Adding or replacing a column of one table leaves the next one as it was."""
    travel.table()["gc_air"] = np.zeros(210)
    assert travel.table()["gc_air"].min() > 0.0


def test_tastes_are_those_of_maximum_likelihood(fitted: travel.Fit) -> None:
    """Log-likelihood and estimates equal an independent fit's to 1e-4."""
    assert fitted.log_likelihood == pytest.approx(LOG_LIKELIHOOD, abs=1e-4)
    assert dict(zip(fitted.names, fitted.estimates, strict=True)) == pytest.approx(ESTIMATES, abs=1e-4)


def test_standard_errors_are_those_of_stata(fitted: travel.Fit) -> None:
    """The standard errors equal those that Stata's `clogit` prints for this model and these data."""
    printed = [0.004408, 0.0104398, 0.7790551, 0.4431269, 0.4502659, 0.0102624]
    assert fitted.errors == pytest.approx(printed, abs=1e-6)


def test_the_constants_make_shares_fit(fitted: travel.Fit) -> None:
    """With a constant for every way but one, expected shares equal the shares of the sample."""
    sample = np.bincount(travel.table()["chosen"].astype(int)) / 210
    assert travel.shares(travel.table(), fitted.estimates) == pytest.approx(sample, abs=1e-6)


def test_a_longer_wait_at_the_airport_moves_people(fitted: travel.Fit) -> None:
    """Ten minutes more at the airport give the shares of the independent reckoning."""
    table = travel.table()
    table["ttme_air"] = table.numbers("ttme_air") + 10.0
    expected = [0.17632953521705946, 0.3296342201982376, 0.15769489986248295, 0.33634134472222016]
    assert travel.shares(table, fitted.estimates) == pytest.approx(expected, abs=1e-5)


def test_choices_that_tell_nothing_are_an_error() -> None:
    """Where everybody faces the same waits, tastes cannot be told apart and the error says so."""
    table = travel.table()
    for mode in travel.MODES:
        table[f"ttme_{mode}"] = np.full(210, 30.0)
    with pytest.raises(DataError, match="do not identify"):
        travel.fit(table)


def test_the_scenario_ships_the_fitted_tastes(fitted: travel.Fit) -> None:
    """Means of tastes and weights of the rehearsed model are the estimates, rounded to four digits."""
    scenario = load("travel")
    estimates = dict(zip(fitted.names, fitted.estimates, strict=True))
    laws = {
        name: law.normal.mean if law.normal else law.constant for name, law in scenario.people.tastes.items()
    }
    assert laws == pytest.approx(estimates, abs=5.1e-5)
    weights = scenario.policy.settings["weights"]
    constants = {mode: weights[mode]["1"] for mode in ("air", "train", "bus")}
    stated = {"gc": weights["gc"], "ttme": weights["ttme"], "air_income": weights["air"]["hinc"]} | constants
    assert stated == pytest.approx(estimates, abs=5.1e-5)


def test_the_scenario_offers_what_was_fitted() -> None:
    """The world of the scenario sets out the very attributes that tastes were estimated over."""
    world, people = _world(), travel.table()
    assert world.attributes == tuple(travel.ATTRIBUTES)
    offer = world.offer(_everybody(), people)
    assert np.array_equal(offer.attributes, travel.attributes(people))
    assert world.features == tuple(f"{a}_{m}" for a in ("gc", "ttme") for m in travel.MODES)
    assert offer.features[:, 4 + 1].tolist() == people["ttme_train"].tolist()


def test_train_fares_rise_on_day_20_and_the_model_sees_it() -> None:
    """From tick 20 the cost by train is 30 dollars more, in what people face and in the features."""
    world, people = _world(), travel.table()
    before = world.offer(_everybody(), people)
    said = [sentence for tick in range(21) for sentence in world.drift(tick)]
    after = world.offer(_everybody(), people)
    change = after.attributes - before.attributes
    assert (change[:, 1, 0] == 30.0).all()
    assert np.count_nonzero(change) == 210
    assert (after.features[:, 1] - before.features[:, 1] == 30.0).all()
    assert len(said) == 1
    assert "train fares rise" in said[0]


def test_income_makes_the_groups() -> None:
    """The cuts of the scenario part the travellers into three groups of a quarter of them or more."""
    groups = load("travel").people.groups
    assert groups is not None
    bands = np.bincount(np.searchsorted(groups.cuts, travel.table()["hinc"], side="right"))
    assert len(bands) == len(groups.names)
    assert bands.min() >= 210 / 4


def test_the_storm_closes_the_airport() -> None:
    """In `travel-storm` air cannot be had on days 10 and 11 only, and the fares rise all the same."""
    scenario = load("travel-storm")
    world = build(scenario.world.settings, data=None, drift=scenario.drift, chance=Chance(1))
    closed = []
    for tick in range(21):
        world.drift(tick)
        available = world.offer(_everybody(), travel.table()).available
        if available is not None:
            assert available[0].tolist() == [False, True, True, True]
            closed.append(tick)
    assert closed == [10, 11]
    assert world.offer(_everybody(), travel.table()).attributes[0, 1, 0] == 71.0 + 30.0


def test_the_attributes_of_the_scenario_are_written_as_fitted() -> None:
    """The settings of the scenario describe each attribute as `travel.ATTRIBUTES` does."""
    settings = Settings.model_validate(load("travel").world.settings)
    assert settings.attributes == travel.ATTRIBUTES


def _world() -> Recommend:
    scenario = load("travel")
    return build(scenario.world.settings, data=None, drift=scenario.drift, chance=Chance(scenario.seed))


def _everybody() -> Turn:
    rows = np.arange(210)
    return Turn(rows, np.zeros(210, np.int32), rows, tick=0, turn=0, chance=Chance(1))


def test_the_table_feeds_people() -> None:
    """The world's table has every column that its items need."""
    world = _world()
    table = world.table()
    assert isinstance(table, Columns)
    assert set(world.needs) <= set(table)
