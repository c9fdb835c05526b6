"""Detectors ring when something shifted, in any number of streams, and can be stopped and gone on with."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from rehearse.detect import CUSUM, DETECTORS, EWMA, PageHinkley, Spec
from rehearse.errors import UserError

STEP = np.where(np.arange(200) < 120, 0.0, 3.0) + np.random.default_rng(3).standard_normal(200) / 2
OURS = (CUSUM(h=6), EWMA(L=4), PageHinkley(threshold=20))


@pytest.mark.parametrize("detector", OURS, ids=lambda d: d.name)
def test_a_step_rings_soon_after_and_tells_its_onset_and_size(detector):
    """A step of 3 at 120 is found within 20 ticks, dated to the tick, and measured to half a unit."""
    ring = detector.run(STEP)[0]
    assert 120 <= ring.tick < 140
    assert ring.onset == 120
    assert ring.size == pytest.approx(3.0, abs=0.5)
    assert (ring.stream, ring.start, ring.detector) == (0, 0, detector.name)


@pytest.mark.parametrize("detector", OURS, ids=lambda d: d.name)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 80))
def test_many_streams_are_each_watched_as_if_alone_and_can_be_gone_on_with(detector, seed, cut):
    """Streams do not meet, and a watcher restored from its state goes on as the one that gave it."""
    chart = detector.model_copy(update={"reference": 8})
    streams = np.random.default_rng(seed).standard_normal((3, 80)) + np.arange(80) // 40 * 4
    streams[:, 5] = np.nan
    together = chart.rings(streams)
    assert all((chart.rings(row) == rung).all() for row, rung in zip(streams, together, strict=True))
    first, second = chart.watcher(3), chart.watcher(3)
    early = [first.hear(streams[:, t]) for t in range(cut)]
    second.restore(first.state())
    late = [second.hear(streams[:, t]) for t in range(cut, 80)]
    assert np.array_equal(np.array([*early, *late]).T, together)


def test_a_reference_tells_what_is_usual():
    """Values in units of their own ring as standardised ones do, whatever the unit."""
    plain = CUSUM(h=8, reference=50)
    assert [r.tick for r in plain.run(STEP)] == [r.tick for r in plain.run(1e6 + 1e3 * STEP)]
    assert plain.run(STEP)[0].onset == 120
    assert not CUSUM(h=8, reference=50, least=100.0).rings(STEP).any()


def test_one_side_is_deaf_to_the_other():
    """An upward chart hears no fall."""
    assert not CUSUM(h=6, side="up").rings(-STEP).any()
    assert CUSUM(h=6, side="down").rings(-STEP).any()


def test_a_constant_stream_never_rings_until_it_changes():
    """Without any scatter the least change is one."""
    stream = np.where(np.arange(60) < 40, 0.3, 0.3001)
    assert [r.tick for r in CUSUM(reference=10).run(stream)] == [40]


def test_ticks_without_a_value_are_passed_over():
    """NaN neither rings nor changes what is remembered."""
    holes = np.full(250, np.nan)
    holes[::2][:100] = STEP[70:170]
    whole, some = CUSUM(h=6).run(STEP[70:170])[0], CUSUM(h=6).run(holes)[0]
    assert (some.tick, some.onset) == (2 * whole.tick, 2 * whole.onset - 1)


def test_run_lengths_count_from_one():
    """A stream that rings at once has run for one tick; one that never rings has 0."""
    assert CUSUM(h=4).run_lengths([[9.0, 0.0], [0.0, 0.0]]).tolist() == [1, 0]


def test_a_detector_is_written_as_a_name_or_with_settings():
    """Every detector can be read from plain data; what it does not know is refused."""
    read = TypeAdapter(Spec).validate_python
    assert read("ewma") == EWMA()
    assert read({"name": "cusum", "k": 0.25, "h": 8}) == CUSUM(k=0.25, h=8)
    assert {type(read(name)) for name in DETECTORS} == set(DETECTORS.values())
    with pytest.raises(ValidationError, match="kk"):
        read({"name": "cusum", "kk": 1})
    with pytest.raises(ValidationError, match="page-hinkley"):
        read("pagehinkley")


def test_without_river_its_detectors_say_how_to_get_it(monkeypatch):
    """The message names the detector and the extra."""
    monkeypatch.setitem(sys.modules, "river", None)
    with pytest.raises(UserError, match=r"'adwin' is river's.*pip install 'rehearse\[drift\]'"):
        DETECTORS["adwin"]().run(STEP)
