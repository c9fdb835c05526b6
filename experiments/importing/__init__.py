"""Logs of sessions that were held elsewhere, as records that metrics read.

    log = read_log("trajectories.json", {"user": "task_id", "session": "trial", "success": "reward = 1"})
    Measures(log).interval(find("pass^3"), 0.95)

See `read_log` for what a log may tell, and `files` for the kinds of files.
"""

from __future__ import annotations

from rehearse.experiments.importing.log import Log, read_log

__all__ = ["Log", "read_log"]
