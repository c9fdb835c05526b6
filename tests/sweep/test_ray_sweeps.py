"""A sweep in a Ray cluster: the table that processes of this machine give, whoever is lost on the way."""

from __future__ import annotations

import pytest

import rehearse

pytest.importorskip("ray", reason="sweeps are made in a Ray cluster with the extra `ray`")

MODEL = """
import os
from pathlib import Path

def once_deadly(x, seed):
    flag = Path(__file__).with_name("died")
    if x == 3 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), 9)
    return {"sum": x + seed}
"""


def test_a_cluster_gives_the_same_table_with_an_actor_killed(tmp_path):
    """A sweep on two actors, one of them killed in the middle, has the table of one process, bit for bit."""
    (tmp_path / "model.py").write_text(MODEL)
    plan = {"run": f"{tmp_path}/model.py:once_deadly", "axes": {"x": [1, 2, 3, 4, 5]}, "seeds": 4}
    found = rehearse.sweep(plan, out=tmp_path / "ray", jobs=2, on="ray")
    assert (tmp_path / "died").exists()
    assert not found.failed.length
    rehearse.sweep(plan, out=tmp_path / "here", jobs=0)
    one, other = ((tmp_path / name / "results.parquet").read_bytes() for name in ("ray", "here"))
    assert one == other
