"""The log: JSON lines in a file while it is open, silence else."""

from __future__ import annotations

import json

import numpy as np
import structlog

from rehearse import log


def lines(path):
    """Return the events of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_events_are_json_lines_with_time_level_and_name(tmp_path):
    """Every event is one line that any tool can read."""
    path = tmp_path / "log.jsonl"
    with log.log_to(path):
        log.get_log("run").info("tick", tick=3, mean=np.float32(0.5), folder=tmp_path)
        log.get_log("run").debug("not kept")
    (event,) = lines(path)
    assert event.pop("timestamp").endswith("Z")
    expected = {
        "event": "tick",
        "level": "info",
        "log": "run",
        "tick": 3,
        "mean": 0.5,
        "folder": str(tmp_path),
    }
    assert event == expected


def test_without_a_file_nothing_is_written(tmp_path, capsys):
    """Events before and after go nowhere, not to stdout."""
    path = tmp_path / "log.jsonl"
    logger = log.get_log("run")
    logger.info("before")
    with log.log_to(path):
        logger.info("during")
    logger.info("after")
    assert [event["event"] for event in lines(path)] == ["during"]
    assert capsys.readouterr() == ("", "")


def test_an_inner_log_has_its_own_file(tmp_path):
    """A run within a run does not write into the outer one's log."""
    logger = log.get_log("run")
    with log.log_to(tmp_path / "outer"):
        with log.log_to(tmp_path / "inner"):
            logger.info("inner")
        logger.info("outer")
    assert [e["event"] for e in lines(tmp_path / "inner")] == ["inner"]
    assert [e["event"] for e in lines(tmp_path / "outer")] == ["outer"]


def test_a_programs_own_structlog_is_left_alone(tmp_path):
    """Our settings are ours."""
    before = structlog.get_config()
    with log.log_to(tmp_path / "log.jsonl"):
        log.get_log("run").info("x")
    assert structlog.get_config() == before


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path):
    """A full disk or a closed file loses events, never the run."""
    with log.log_to(tmp_path / "log.jsonl"):
        log._SINK.files[-1].close()
        log.get_log("run").info("lost")


def test_a_traceback_is_kept_where_it_can_be_found(tmp_path):
    """In the log of the run, else in a file of its own."""
    with log.log_to(tmp_path / "log.jsonl"):
        pass
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError as error:
        path = log.keep_traceback(error, command=["run"])
    assert path == tmp_path / "log.jsonl"
    (event,) = lines(path)
    assert "ZeroDivisionError: by nothing" in event["exception"]
    assert event["command"] == ["run"]
