"""The limit on the wall clock: what hangs is interrupted, what cannot be interrupted is ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from rehearse.contract import Stage
from rehearse.errors import PolicyHungError
from rehearse.policies import load
from rehearse.policies.asked import Asked
from rehearse.policies.limits import within
from rehearse.testing import made_requests

STAGE = Stage(items=("a", "b"), features=("x",), groups=("all",), replicas=np.arange(1, dtype=np.int32))
SWALLOWS = """
import time
from rehearse.policies.limits import within

with within(0.2, "the decision model 'deaf'", grace=0.2):
    while True:
        try:
            time.sleep(1)
        except BaseException:
            pass
"""


def sleeps(requests):
    """Hang."""
    time.sleep(60)


def retries(person):
    """Hang, and try again when that fails."""
    while True:
        try:
            time.sleep(60)
        except Exception:  # noqa: BLE001, S112 - the careless loop that the limit must get through
            continue


@pytest.mark.parametrize("model", [sleeps, retries])
def test_a_model_that_hangs_is_given_up(model):
    """The run ends with an error that names the model and the limit, also out of a retry loop."""
    asked = Asked(load(model, STAGE), STAGE, wall_limit_s=0.2)
    began = time.monotonic()
    with pytest.raises(PolicyHungError, match=rf"{model.__name__}' gave no answer within 0\.2 seconds"):
        asked.decide(made_requests(STAGE, 3))
    assert time.monotonic() - began < 5


def test_a_model_that_answers_in_time_is_left_alone():
    """After a call in time no alarm is left ticking, and the handler that was there is back."""
    asked = Asked(load(lambda person: 1, STAGE), STAGE, wall_limit_s=30)
    before = signal.getsignal(signal.SIGALRM)
    assert not asked.decide(made_requests(STAGE, 3)).fault.any()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_interrupted_model_that_answers_late_is_still_too_late():
    """Catching the interruption and answering all the same is no way round the limit."""

    def stubborn(requests):
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001 - the point of the test
            return np.zeros(len(requests), int)

    with pytest.raises(PolicyHungError):
        Asked(load(stubborn, STAGE), STAGE, wall_limit_s=0.2).decide(made_requests(STAGE, 3))


def test_the_limit_holds_for_each_person():
    """A model that takes its time for each person, but less than the limit, is not taken to hang."""

    def slow(person):
        time.sleep(0.1)
        return 1

    def slower_and_slower(person):
        time.sleep(0.1 if person["x"] < 3 else 60)

    requests = made_requests(STAGE, 8)
    requests.features[:, 0] = np.arange(8)
    assert not Asked(load(slow, STAGE), STAGE, wall_limit_s=0.3).decide(requests).fault.any()
    with pytest.raises(PolicyHungError):
        Asked(load(slower_and_slower, STAGE), STAGE, wall_limit_s=0.3).decide(requests)


def test_limits_nest():
    """The inner limit holds inside the outer one, which goes on afterwards."""
    with pytest.raises(PolicyHungError, match="outer"), within(0.5, "outer"):  # noqa: PT012 - they nest
        with pytest.raises(PolicyHungError, match="inner"), within(0.1, "inner"):
            time.sleep(60)
        with within(30, "longer than the outer one"):
            pass
        time.sleep(60)


def test_an_outer_limit_rings_within_a_longer_inner_one():
    """A long inner limit does not put off a short outer one."""
    began = time.monotonic()
    with pytest.raises(PolicyHungError), within(0.2, "outer"), within(30, "inner"):
        time.sleep(60)
    assert time.monotonic() - began < 5


def test_someone_elses_alarm_still_rings():
    """A timer that was set before rings at its time, and its handler is the one that was there."""
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(time.monotonic()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with within(30, "a model"):
            pass
        with within(30, "another"):
            time.sleep(0.4)
        assert len(rang) == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_call_in_another_thread_needs_no_signal():
    """Outside the main thread there is no alarm, and a call in time works."""
    found = []

    def call():
        asked = Asked(load(lambda person: 1, STAGE), STAGE, wall_limit_s=30)
        found.append(asked.decide(made_requests(STAGE, 3)).action.tolist())

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert found == [[1, 1, 1]]


def test_what_cannot_be_interrupted_ends_the_process():
    """A model that swallows everything is ended with one line and exit code 4."""
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWS], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 4
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("rehearse: the decision model 'deaf' gave no answer within 0.2 seconds")
    assert "time.wall_limit_s" in line
