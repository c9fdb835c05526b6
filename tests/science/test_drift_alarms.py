"""Detectors against run lengths in print and against river.

Average run lengths of CUSUM (k = .5) by Page (Biometrika 41, 1954) and the NIST/SEMATECH e-Handbook
(6.3.2.3.1), of EWMA by Lucas and Saccucci (Technometrics 32, 1990), here from the integral equations to
many digits (Brook and Evans 1972). Tolerances: four standard errors of the simulation, as run lengths
scatter about as much as their mean; 5 % for CUSUM without a shift, .25 for a shift of one sigma.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rehearse.detect import ADWIN, CUSUM, DDM, EDDM, EWMA, HDDMA, HDDMW, KSWIN, Detector, PageHinkley

pytestmark = pytest.mark.science

STREAMS = Path(__file__).parents[3] / "shared" / "data" / "drift_streams.npz"
CUSUM_LENGTHS = [
    (4, 0.0, 335.37, 167.68),
    (4, 0.5, 26.68, 26.63),
    (4, 1.0, 8.383, 8.383),
    (4, 2.0, 3.343, 3.343),
    (5, 0.5, 38.01, 38.00),
    (5, 1.0, 10.376, 10.376),
    (5, 2.0, 4.009, 4.009),
]
EWMA_LENGTHS = [
    (0.1, 2.703, 1.0, 9.7455),
    (0.1, 2.814, 0.0, 499.47),
    (0.1, 2.814, 0.5, 31.297),
    (0.1, 2.814, 1.0, 10.331),
    (0.2, 2.86, 1.0, 9.8016),
    (0.25, 2.898, 2.0, 3.4636),
]


def mean_run_length(detector: Detector, shift: float, expected: float, runs: int) -> float:
    """Return the mean time to the first alarm in so many streams of normal numbers."""
    shape = (runs, int(9 * expected) + 60)
    noise = np.random.default_rng(1).standard_normal(shape, dtype=np.float32) + np.float32(shift)
    lengths = detector.run_lengths(noise)
    return float(np.where(lengths == 0, shape[1], lengths).mean())


@pytest.mark.parametrize(("h", "shift", "one", "two"), CUSUM_LENGTHS)
def test_cusum_runs_as_long_as_in_print(h: float, shift: float, one: float, two: float) -> None:
    """One- and two-sided, without a shift and with several."""
    runs = 5000
    for side, expected in (("up", one), ("both", two)):
        found = mean_run_length(CUSUM(k=0.5, h=h, side=side), shift, expected, runs)
        tolerance = 0.05 * expected if shift == 0.0 else min(0.25, 4.0 * expected / runs**0.5)
        assert found == pytest.approx(expected, abs=tolerance if shift != 0.5 else 0.05 * expected)


@pytest.mark.parametrize(("lam", "width", "shift", "expected"), EWMA_LENGTHS)
def test_ewma_runs_as_long_as_in_print(lam: float, width: float, shift: float, expected: float) -> None:
    """Limits as wide from the start as they become."""
    runs = 2000 if shift == 0.0 else 5000
    found = mean_run_length(EWMA(lam=lam, L=width), shift, expected, runs)
    assert found == pytest.approx(expected, rel=4.0 / runs**0.5)


def stream(name: str) -> NDArray[np.float64]:
    """Return a stream of the data folder: s1 abrupt in three parts, s2 and s3 errors of 0 and 1."""
    if not STREAMS.is_file():
        pytest.skip("the data folder with drift_streams.npz is not here")
    with np.load(STREAMS) as kept:
        return np.asarray(kept[name], dtype=np.float64)


RIVER = [
    (ADWIN(), "s1", [1023, 2047]),
    (ADWIN(), "s2", [2175]),
    (ADWIN(), "s3", []),
    (KSWIN(alpha=0.0001), "s1", [1016, 2012]),
    (DDM(), "s2", [150, 2218]),
    (EDDM(), "s2", [150, 302, 510, 639, 1049, 1195, 1333, 1473, 1631, 1771, 1951, 2057, 2134, 2237]),
    (HDDMA(), "s2", [2107]),
    (HDDMW(), "s2", [2095, 3341]),
    (HDDMW(), "s3", [2112, 14249]),
]


@pytest.mark.parametrize(("detector", "name", "expected"), RIVER)
def test_detectors_of_river_ring_where_they_did_elsewhere(
    detector: Detector, name: str, expected: list[int]
) -> None:
    """The same alarms, to the value, as river 0.26.1 by itself."""
    pytest.importorskip("river", reason="river comes with the extra `drift`")
    found = detector.run(stream(name))
    assert [ring.tick for ring in found] == expected


@pytest.mark.parametrize(("name", "expected"), [("s1", [1135, 2308]), ("s2", [2238])])
def test_page_hinkley_is_that_of_river(name: str, expected: list[int]) -> None:
    """Ours rings at the value at which river's does, and needs no river."""
    assert [ring.tick for ring in PageHinkley().run(stream(name))] == expected
