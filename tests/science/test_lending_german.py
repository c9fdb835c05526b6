"""`lending-german`: its twin of the German credit data, and a model from MLflow's registry and its server."""

from __future__ import annotations

import csv
import importlib.util
import os
import re
import socket
import subprocess
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import rehearse
from rehearse.columns import Columns
from rehearse.environments.lending import german
from rehearse.errors import DataError
from rehearse.experiments.twin import twin, write
from rehearse.record.reading import RunRecord

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "german.data"
needs_data = pytest.mark.skipif(not DATA.is_file(), reason="needs shared/data/german.data beside the project")
PAGE = (ROOT / "docs" / "howto" / "mlflow.md").read_text(encoding="utf-8")

_path = ROOT / "tests" / "experiments" / "mlflow_store.py"
_spec = importlib.util.spec_from_file_location("mlflow_store", _path)
mlflow_store = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(mlflow_store)


def shipped():
    """Return the rows of the table that comes with the scenario."""
    text = Path(str(files("rehearse") / "catalogue" / "lending-german.csv")).read_text(encoding="utf-8")
    head, *rows = csv.reader(text.splitlines())
    return head, [tuple(map(float, row)) for row in rows]


@needs_data
@pytest.mark.science
def test_the_twin_that_is_shipped_is_like_the_data_and_holds_no_row_of_them(tmp_path):
    """Of seed 1994: means to .15 sd of UCI's table, correlations of each attribute with the risk to .12."""
    table = german.read(DATA)
    head, rows = shipped()
    made = twin(table, rows=1000, seed=1994, label="bad", codes=german.CODED)
    write(made, tmp_path / "twin.csv")
    assert (tmp_path / "twin.csv").read_bytes() == (
        files("rehearse") / "catalogue" / "lending-german.csv"
    ).read_bytes()
    assert head == list(table)
    told = {name: np.array(column) for name, column in zip(head, zip(*rows, strict=True), strict=True)}
    people = [name for name in head if name != "bad"]
    real = set(zip(*(table[name].tolist() for name in people), strict=True))
    assert not real & set(zip(*(told[name].tolist() for name in people), strict=True))
    for name in people:
        assert abs(told[name].mean() - table[name].mean()) < 0.15 * table[name].std(), name
        with_risk = [np.corrcoef(t[name], t["bad"])[0, 1] for t in (told, table)]
        assert abs(with_risk[0] - with_risk[1]) < (0.15 if name == "amount" else 0.12), name


def test_a_twin_keeps_ranks_and_invents_rows():
    """Two columns that go together do so in the twin; codes without order keep what they say of the label."""
    rng = np.random.default_rng(3)
    size = rng.normal(size=800)
    label = (size + rng.normal(size=800) > 0).astype(float)
    code = np.where(label > 0, rng.choice([1.0, 4.0], 800), rng.choice([2.0, 3.0], 800))
    table = Columns({"size": size, "double": 2 * size + rng.normal(size=800), "code": code, "label": label})
    found = twin(table, rows=4000, seed=5, label="label", codes=["code"])
    for pair in (("size", "double"), ("size", "label")):
        here, there = (np.corrcoef(t[pair[0]], t[pair[1]])[0, 1] for t in (table, found))
        assert abs(here - there) < 0.06, pair
    likely = np.isin(found["code"], [1.0, 4.0])
    assert found["label"][likely].mean() > 0.85
    assert found["label"][~likely].mean() < 0.15
    assert set(found["size"].tolist()) & set(size.tolist()) <= {size.min(), size.max()}
    with pytest.raises(DataError, match="'label'"):
        twin(table, rows=5, seed=1, codes=["code"], label="lable")


def test_a_stranger_can_run_it(tmp_path):
    """Without data and MLflow the scorecard fitted on the twin lends better than granting or refusing all."""
    run = rehearse.run("lending-german", users=400, out=tmp_path / "run")
    reward = next(c for c in run.criteria if c["metric"] == "reward")
    assert reward["low"] > 0.0
    assert run.turns.groups == ("men", "women")
    everybody = {"policy": {"name": "constant-v1", "settings": {"slate": "grant"}}}
    granted = rehearse.run("lending-german", users=400, settings=everybody, out=tmp_path / "granted")
    assert granted.verdict == "fail"


@needs_data
@pytest.mark.slow
@pytest.mark.skipif(
    not (mlflow_store.INSTALLED and find_spec("sklearn") and find_spec("skops")),
    reason="MLflow is not installed (extras mlflow and sklearn)",
)
def test_from_the_registry_and_from_its_server_the_model_decides_the_same(tmp_path, tmp_path_factory):
    """The page's program trains, registers, rehearses by alias, logs back, serves and rehearses again."""
    (program,) = [p for p in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "subprocess" in p]
    with socket.create_server(("127.0.0.1", 0)) as free:
        program = program.replace('"5001"', f'"{free.getsockname()[1]}"')
    (tmp_path / "german.data").write_bytes(DATA.read_bytes())
    uri = mlflow_store.fresh(tmp_path_factory, tmp_path)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # mlflow runs uvicorn, which lies beside it
    environment = os.environ | mlflow_store.QUIET | {"MLFLOW_TRACKING_URI": uri, "PATH": path}
    words = [sys.executable, "-c", program]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False, timeout=900
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split()[1] == "True", done.stdout
    import mlflow

    read = mlflow.MlflowClient(tracking_uri=uri)
    version = read.get_model_version_by_alias("german", "champion")
    asked = 'SELECT replica, "user", tick, turn, action, score, choice, fault FROM turns ORDER BY ALL'
    registered, served = (RunRecord(tmp_path / name).query(asked) for name in ("registered", "served"))
    assert all((registered[name] == served[name]).all() for name in registered)
    assert len(np.unique(registered["action"])) == 2
    logged = read.get_run(version.tags["rehearse.run.lending-german"])
    verdict = logged.data.tags["rehearse.verdict"]
    assert version.tags["rehearse.verdict.lending-german"] == verdict
    assert version.source.endswith(logged.inputs.model_inputs[0].model_id)
