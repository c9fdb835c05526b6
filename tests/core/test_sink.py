"""The sink: work in order, in the background, with a bounded queue and errors that are told at once."""

from __future__ import annotations

import threading
import time

import pytest

from rehearse.errors import OutputError
from rehearse.record.sink import Sink


@pytest.fixture
def gate():
    """Return an event that a test opens for the work that waits for it."""
    event = threading.Event()
    yield event
    event.set()


def refuse():
    """Meet with a full disk."""
    problem = "the disk is full."
    raise OutputError(problem, "Free some space.")


def test_work_is_done_in_order():
    """What is handed over first is done first, and all of it is done when the sink is drained."""
    done: list[int] = []
    sink = Sink()
    for i in range(100):
        sink.put(lambda i=i: done.append(i), 1)
    sink.drain()
    assert done == list(range(100))
    assert sink.held == 0


def test_a_run_waits_where_too_much_is_held(gate):
    """Work that would not fit waits until there is room, so that memory stays bounded."""
    sink = Sink(limit=10)
    sink.put(gate.wait, 6)
    late = threading.Thread(target=sink.put, args=(lambda: None, 6))
    late.start()
    time.sleep(0.05)
    assert late.is_alive()
    assert sink.held == 6
    gate.set()
    late.join(10)
    assert not late.is_alive()
    sink.drain()


def test_a_piece_larger_than_the_queue_is_taken_alone():
    """One tick of a large society is written though it is more than may wait."""
    sink, done = Sink(limit=10), []
    for i in range(3):
        sink.put(lambda i=i: done.append((i, sink.held)), 100)
    sink.drain()
    assert done == [(0, 100), (1, 100), (2, 100)]


@pytest.mark.parametrize("ask", ["put", "check", "drain"])
def test_what_went_wrong_is_raised_in_the_run(ask):
    """A full disk met in the background is raised by whatever the run asks next; nothing more is written."""
    sink, done = Sink(), []
    sink.put(refuse, 1)
    with pytest.raises(OutputError, match="full"):
        sink.drain()
    with pytest.raises(OutputError, match="full"):
        sink.put(lambda: done.append(1), 1) if ask == "put" else getattr(sink, ask)()
    sink.stop()
    assert not done


def test_work_behind_an_error_is_dropped(gate):
    """A checkpoint is not written after a part that could not be."""
    sink, done = Sink(), []
    sink.put(lambda: gate.wait() and refuse(), 1)
    sink.put(lambda: done.append(1), 1)
    gate.set()
    with pytest.raises(OutputError):
        sink.drain()
    sink.stop()
    assert not done


def test_a_stopped_sink_finishes_what_it_does_and_drops_the_rest(gate):
    """Ctrl-C leaves whole files: what is being written is finished, what waits is not begun."""
    sink, done = Sink(), []
    started = threading.Event()
    sink.put(lambda: (started.set(), gate.wait(), done.append("first")), 1)
    sink.put(lambda: done.append("second"), 1)
    started.wait(10)
    threading.Timer(0.05, gate.set).start()
    sink.stop()
    assert done == ["first"]
