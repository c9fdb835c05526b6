"""Rehearsals in MLflow tracking: what is there afterwards, on a real store and behind a real server."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import rehearse
from rehearse.errors import UserError
from rehearse.experiments import tracking
from rehearse.experiments.cli import main
from rehearse.log import events

_spec = importlib.util.spec_from_file_location("mlflow_store", Path(__file__).with_name("mlflow_store.py"))
mlflow_store = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(mlflow_store)

needs_mlflow = pytest.mark.skipif(not mlflow_store.INSTALLED, reason=mlflow_store.WHY)
needs_server = pytest.mark.skipif(
    not mlflow_store.is_server_installed(), reason="the full mlflow, which has the server, is not installed"
)
SMALL = {"users": 60, "ticks": 3, "replicas": 2}
NO_STORE = """
import sys
for name in ("sqlalchemy", "alembic", "flask"):
    sys.modules[name] = None
import rehearse
ref, out = sys.argv[1:]
run = rehearse.run("lending", policy=ref, out=out, track="mlflow", users=60, ticks=3, replicas=2)
print(run.digest)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a small finished run."""
    return rehearse.run("lending", out=tmp_path_factory.mktemp("tracked") / "run", **SMALL)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return the address of an empty store."""
    return mlflow_store.fresh(tmp_path_factory, tmp_path_factory.mktemp("store"))


def client(uri):
    """Return MLflow's own client, which the tests read with."""
    import mlflow

    return mlflow.MlflowClient(tracking_uri=uri)


@needs_mlflow
def test_a_run_is_logged_with_all_that_it_came_to(run, store):
    """Settings, metrics with intervals and by tick, verdict, digest, people and files are in MLflow."""
    found = rehearse.track(run.folder, store, experiment="credit", params={"note": "first"})
    read = client(store)
    logged = read.get_run(found.run_id)
    params, metrics, tags = logged.data.params, logged.data.metrics, logged.data.tags
    manifest, verdict = run.turns.manifest, run.turns.verdict
    assert (params["scenario"], params["seed"], params["people.count"]) == ("lending", "11", "60")
    assert (params["model"], params["model.version"], params["note"]) == ("threshold-v1", "1", "first")
    assert params["policy.settings.at"] == "620"
    for criterion in verdict["criteria"]:
        name = criterion["metric"].replace(":", "/")
        told = [metrics[f"{name}{end}"] for end in ("", ".low", ".high")]
        assert told == [criterion["estimate"], criterion["low"], criterion["high"]]
    (blue,) = [g for g in verdict["groups"] if g["group"] == "blue"]
    harm = next(m for m in blue["measures"] if m["metric"] == "harm")
    assert metrics["group/blue/harm"] == harm["estimate"]
    by_tick = {point.step: point.value for point in read.get_metric_history(found.run_id, "tick/harm")}
    asked = "SELECT tick, avg(h) AS h FROM (SELECT tick, avg(harm) AS h FROM turns GROUP BY replica, tick)"
    rows = run.turns.query(f"{asked} GROUP BY tick ORDER BY tick")
    assert by_tick == pytest.approx(dict(zip(rows["tick"].tolist(), rows["h"].tolist(), strict=True)))
    assert (tags["rehearse.verdict"], tags["rehearse.digest"]) == (run.verdict, run.digest)
    assert verdict["sentence"] in tags["mlflow.note.content"]
    assert logged.info.run_name == "run"
    assert logged.info.status == "FINISHED"
    (people,) = logged.inputs.dataset_inputs
    assert people.dataset.digest == manifest["people_digest"][:36]
    assert tags["rehearse.people_digest"] == manifest["people_digest"]
    files = {file.path for file in read.list_artifacts(found.run_id)}
    assert files == {"report.html", "manifest.json", "verdict.json", "scenario.yaml"}


@needs_mlflow
def test_runs_are_nested_below_a_parent_that_counts_verdicts(run, store, tmp_path, capsys):
    """`track_all` and `--name` log a sweep as one run with a run each below it; what is no run is told."""
    table = tmp_path / "results.csv"
    table.write_text("x\n1\n")
    found = tracking.track_all(
        [run.folder, tmp_path, run.folder],
        store,
        name="sweep",
        params=[{"at": 600}, {}, {"at": 640}],
        artifacts=[table],
    )
    read = client(store)
    top = read.get_run(found.run_id)
    assert top.info.run_name == "sweep"
    assert (top.data.metrics["runs"], top.data.metrics[f"runs.{run.verdict}"]) == (2.0, 2.0)
    assert [file.path for file in read.list_artifacts(found.run_id)] == ["results.csv"]
    experiment = read.get_experiment_by_name("lending").experiment_id
    below = read.search_runs([experiment], f"tags.mlflow.parentRunId = '{found.run_id}'")
    assert {child.data.params["at"] for child in below} == {"600", "640"}
    assert len(found.left_out) == 1
    one = rehearse.track(run.folder, store, parent=found.run_id)
    assert read.get_run(one.run_id).data.tags["mlflow.parentRunId"] == found.run_id
    folders = [str(run.folder), str(run.folder)]
    assert main(["track", *folders, "--to", store, "--name", "again", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["tracked"]
    assert len(told["children"]) == 2


@needs_mlflow
def test_a_long_list_of_settings_is_logged_in_batches(run, store, tmp_path):
    """More parameters and more points than a store takes at once are all there."""
    params = {f"axis.{i}": i for i in range(230)}
    found = rehearse.track(run.folder, store, params=params)
    logged = client(store).get_run(found.run_id).data.params
    assert {logged[name] for name in params} == {str(i) for i in params.values()}


@needs_mlflow
def test_failing_to_log_loses_neither_run_nor_verdict(monkeypatch, tmp_path, capsys):
    """A server that is not there is a warning; record, report and exit code are as without it."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    nobody = "http://127.0.0.1:9"
    with pytest.warns(UserWarning, match="cannot be reached"):
        run = rehearse.run("lending", out=tmp_path / "a", track=nobody, **SMALL)
    assert (run.folder / "report.html").is_file()
    assert [event["log"] for event in events(run.folder / "log.jsonl", "not_tracked")] == ["track"]
    words = ["--users", "60", "--ticks", "3", "--replicas", "2", "--out", str(tmp_path / "b"), "--quiet"]
    code = main(["run", "lending", *words, "--track", nobody])
    assert code == {"pass": 0, "fail": 1, "unsure": 3}[run.verdict]
    assert "warning: the run is kept" in capsys.readouterr().err
    assert main(["track", str(run.folder), "--to", nobody]) == 2


@needs_mlflow
def test_run_logs_where_the_environment_says(store, monkeypatch, tmp_path):
    """`track="mlflow"` is the store of MLFLOW_TRACKING_URI, and the experiment that of its variable."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    run = rehearse.run("lending", out=tmp_path / "run", track="mlflow", **SMALL)
    (told,) = events(run.folder / "log.jsonl", "tracked")
    assert told["experiment"] == "named"
    assert client(store).get_run(told["run_id"]).data.tags["rehearse.digest"] == run.digest


@pytest.mark.parametrize(
    ("uri", "installed", "said"),
    [
        (None, True, "MLFLOW_TRACKING_URI"),
        ("http://me:secret@host", True, "holds a password"),
        ("sqlite:///x.db", False, r"rehearse\[mlflow\]"),
    ],
)
def test_what_cannot_be_logged_to_is_told_before_the_run(monkeypatch, tmp_path, uri, installed, said):
    """No address, a password in it, or no mlflow: one message, and nothing is run."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    there = (lambda _: object()) if installed else (lambda _: None)
    monkeypatch.setattr(tracking.store, "find_spec", there)
    with pytest.raises(UserError, match=said) as caught:
        rehearse.run("lending", out=tmp_path / "run", track=uri or "mlflow", **SMALL)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return the address of a real server, which keeps artifacts itself."""
    folder = tmp_path_factory.mktemp("server")
    uri = mlflow_store.fresh(tmp_path_factory, folder)
    artifacts = f"--artifacts-destination={folder / 'artifacts'}"
    with mlflow_store.served(folder, "server", f"--backend-store-uri={uri}", artifacts) as address:
        yield address


@pytest.mark.slow
@needs_server
def test_a_server_takes_what_a_store_takes(run, store, server):
    """Over HTTP the same is logged as into SQLite."""
    here, there = (rehearse.track(run.folder, uri, experiment="both").run_id for uri in (store, server))
    one, other = client(store).get_run(here), client(server).get_run(there)
    assert one.data.metrics == other.data.metrics
    assert one.data.params == other.data.params
    assert one.data.tags["rehearse.digest"] == other.data.tags["rehearse.digest"] == run.digest
    assert len(client(server).list_artifacts(there)) == len(tracking.FILES)


@pytest.mark.slow
@needs_server
def test_a_model_behind_a_server_needs_the_skinny_client_alone(server, tmp_path, monkeypatch):
    """Without SQLAlchemy, alembic and Flask a process rehearses by alias and logs the verdict back."""
    pytest.importorskip("skops", reason="the model is saved with skops (extra sklearn)")
    import mlflow
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame({"score": [300.0, 500.0, 640.0, 850.0]})
    model = LogisticRegression().fit(frame, ["refuse", "refuse", "grant", "grant"])
    for name, value in (mlflow_store.QUIET | {"MLFLOW_TRACKING_URI": server}).items():
        monkeypatch.setenv(name, value)
    form = {"serialization_format": "skops", "pip_requirements": []}
    with mlflow.start_run():
        mlflow.sklearn.log_model(model, name="model", registered_model_name="credit", **form)
    read = client(server)
    read.set_registered_model_alias("credit", "champion", "1")
    words = [sys.executable, "-c", NO_STORE, "models:/credit@champion", str(tmp_path / "run")]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    here = rehearse.run("lending", policy=model, out=tmp_path / "here", **SMALL)
    assert done.stdout.split()[-1] == here.digest
    (source,) = json.loads((tmp_path / "run" / "manifest.json").read_text())["policy"]["sources"]
    assert (source["registry"], source["alias"], source["version"]) == (server, "champion", "1")
    version = read.get_model_version("credit", "1")
    assert version.tags["rehearse.verdict.lending"] == here.verdict
    logged = read.get_run(version.tags["rehearse.run.lending"])
    assert logged.data.tags["rehearse.digest"] == here.digest
    assert version.source.endswith(logged.inputs.model_inputs[0].model_id)
