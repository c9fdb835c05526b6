"""Early warnings ring before a slowly forced tipping point, and not where nothing is about to tip."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage, stats

from rehearse.chance import Chance
from rehearse.experiments.intervals import Sample, interval
from rehearse.experiments.metrics import Measures, find
from rehearse.experiments.metrics.warning import early_warning, kendall, smooth

_spec = importlib.util.spec_from_file_location("record_maker", Path(__file__).with_name("record_maker.py"))
maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(maker)

SERIES = hnp.arrays(np.float64, (3, 25), elements=st.floats(-1.0, 1.0), unique=True)


def grazed(pressure, replicas=20):
    """Return May's (1977) grazed stock x under a pressure that changes in time, a line a replica.

    dx = x (1 − x / 10) − c x² / (x² + 1) + noise, which has a fold at c = 2.604; a line ends before the fall.
    """
    noise = Chance(4).normal("noise", np.arange(replicas)[:, None], np.arange(len(pressure)))[..., 0]
    stock = np.full(replicas, 8.0)
    lines = np.empty((replicas, len(pressure)))
    for t, c in enumerate(pressure):
        for _ in range(5):
            stock += 0.1 * (stock * (1.0 - stock / 10.0) - c * stock**2 / (stock**2 + 1.0))
        stock = np.maximum(stock + 0.03 * noise[:, t], 0.0)
        lines[:, t] = stock
    return lines


def test_it_rings_before_a_fold_and_not_without_one():
    """Under a pressure that rises to the fold both indicators rise; under a steady one they do not."""
    forced = early_warning(grazed(np.linspace(1.5, 2.58, 1000)))
    steady = early_warning(grazed(np.full(1000, 1.5)))
    rising, calm = (interval(Sample.of_replicas(found.sign), 0.95) for found in (forced, steady))
    assert calm.low < 0.0  # no sign of anything
    assert rising.low > max(0.3, calm.high)
    assert (forced.variance[:, -1] > forced.variance[:, 0]).mean() > 0.8


def test_growing_noise_alone_is_no_sign():
    """Noise that doubles raises the variance but not the autocorrelation: the smaller τ stays low."""
    noise = Chance(2).normal("noise", np.arange(20)[:, None], np.arange(400))[..., 0]
    found = early_warning(noise * np.linspace(1.0, 2.0, 400))
    assert found.variance_tau.mean() > 0.7
    assert abs(found.sign.mean()) < 0.35


@given(SERIES)
def test_tau_is_kendalls(series):
    """It is what SciPy finds against time, line by line."""
    expected = [stats.kendalltau(np.arange(25), line).statistic for line in series]
    assert kendall(series) == pytest.approx(expected)


def test_smoothing_is_a_gaussian_mean():
    """Away from the ends it is SciPy's filter; a constant stays what it is everywhere."""
    line = Chance(1).normal("x", 0, np.arange(100))[:, 0]
    expected = ndimage.gaussian_filter1d(line, 4.0, truncate=4.0)
    assert smooth(line, 4.0)[20:80] == pytest.approx(expected[20:80])
    assert smooth(np.full(30, 0.7), 5.0) == pytest.approx(np.full(30, 0.7))


def test_indicators_are_those_of_each_window():
    """Variance and lag-1 correlation in the last window are what numpy finds in it."""
    line = Chance(3).normal("x", 0, np.arange(80))[:, 0]
    found = early_warning(line)
    left = (line - smooth(line, 8.0))[-40:]
    assert found.variance.shape == (41,)
    assert found.variance[-1] == pytest.approx(left.var(ddof=1))
    assert found.autocorrelation[-1] == pytest.approx(np.corrcoef(left[:-1], left[1:])[0, 1])


@given(SERIES, st.floats(0.1, 10.0), st.floats(-3.0, 3.0))
def test_units_do_not_matter(series, scale, origin):
    """The sign is the same in any unit and from any origin."""
    plain, told = early_warning(series).sign, early_warning(scale * series + origin).sign
    assert told == pytest.approx(plain, abs=0.05)


def test_a_series_that_stands_still_or_has_gaps_gives_none():
    """A constant, and a line with a hole in it, have no sign."""
    line = Chance(3).normal("x", 0, np.arange(60))[:, 0]
    holed = line.copy()
    holed[5] = np.nan
    assert np.isnan(early_warning(np.stack([np.full(60, 0.3), holed])).sign).all()
    assert np.isfinite(early_warning(line).sign)


@pytest.mark.parametrize(("ticks", "known"), [(60, 4), (20, 0)])
def test_a_verdict_can_ask_for_it(ticks, known):
    """`early_warning:` and a column of ticks is a metric of each replica; short runs have none."""
    record = maker.sessions_of_one_turn(goal=True, replicas=4, count=2, ticks=ticks)
    record.ticks["adopted"] = Chance(9).uniform("x", 0, np.arange(4 * ticks))[:, 0]
    metric = find("early_warning:adopted")
    sample = Measures(record).sample(metric)
    assert sample.size == known
    assert not Measures(record).applies(find("early_warning:echo"))
    if known:
        lines = record.ticks.numbers("adopted").reshape(ticks, 4).T
        assert sample.values == pytest.approx(early_warning(lines).sign)
