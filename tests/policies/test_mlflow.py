"""Models in an MLflow registry: pinned when a run begins, read without running code, or with trust."""

from __future__ import annotations

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

import rehearse
from rehearse.contract import Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import Split, load
from rehearse.policies.asked import Asked
from rehearse.testing import made_requests

pytestmark = [
    pytest.mark.slow,  # a fresh store takes ten seconds
    pytest.mark.skipif(
        not all(map(find_spec, ("mlflow", "sqlalchemy", "sklearn", "skops"))),
        reason="MLflow is not installed (extras mlflow and sklearn)",
    ),
]
STAGE = Stage(
    items=("refuse", "grant"),
    features=("score", "turn"),
    groups=("all",),
    replicas=np.arange(2, dtype=np.int32),
)
SMALL = {"users": 60, "ticks": 2, "replicas": 2}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return a registry in SQLite: credit (skops twice, then a pickle), served, and rule, a pyfunc."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        import mlflow
        import pandas as pd
        from sklearn.linear_model import LogisticRegression

        folder = tmp_path_factory.mktemp("mlflow")
        uri = f"sqlite:///{folder}/store.db"
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(tracking_uri=uri)
        experiment = client.create_experiment("credit", artifact_location=str(folder / "artifacts"))

        class Rule(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                return np.where(model_input["score"] >= 600, "grant", "refuse")

        frame = pd.DataFrame({"score": np.linspace(300.0, 850.0, 111)})
        kept = {"registered_model_name": "credit", "name": "model", "pip_requirements": []}
        models = [
            LogisticRegression().fit(frame, np.where(frame.score > c, "grant", "refuse")) for c in (620, 500)
        ]
        with mlflow.start_run(experiment_id=experiment) as run:
            for model, form in zip([*models, models[0]], ("skops", "skops", "cloudpickle"), strict=True):
                mlflow.sklearn.log_model(model, serialization_format=form, **kept)
            scored = {"serialization_format": "skops", "pyfunc_predict_fn": "predict_proba"}
            mlflow.sklearn.log_model(models[0], **kept | {"registered_model_name": "served"} | scored)
            signature = mlflow.models.infer_signature(frame, np.array(["grant"]))
            rule = {"python_model": Rule(), "signature": signature}
            mlflow.pyfunc.log_model(**kept | {"registered_model_name": "rule"}, **rule)
        mlflow.set_tracking_uri(before)
        for name in ("credit", "rule"):
            client.set_registered_model_alias(name, "champion", 1)
        yield SimpleNamespace(uri=uri, client=client, models=models, run_id=run.info.run_id)


@pytest.fixture(autouse=True)
def named(store, monkeypatch):
    """Let the environment name the registry."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)


def test_a_registered_model_answers_as_it_was_trained(store):
    """Alias and version lead to the same model, whose probabilities are scikit-learn's own."""
    requests = made_requests(STAGE, 40)
    here = Asked(load(store.models[0], STAGE), STAGE).decide(requests)
    for ref in ("models:/credit@champion", "models:/credit/1"):
        policy = load(ref, STAGE)
        answer = Asked(policy, STAGE).decide(requests)
        assert (answer.slate == here.slate).all()
        assert (answer.score == here.score).all()
        assert (policy.name, policy.version, policy.origin()["run_id"]) == ("credit", "1", store.run_id)


def test_code_runs_only_with_trust(store):
    """A pickle and a pyfunc are refused, and answer where trust is said."""
    requests = made_requests(STAGE, 40)
    for ref in ("models:/credit/3", "models:/rule@champion"):
        with pytest.raises(PolicyLoadError, match="can run any code"):
            load(ref, STAGE)
    answer = Asked(load("models:/rule/1", STAGE, trust=True), STAGE).decide(requests)
    assert answer.action.tolist() == (requests["score"] >= 600).astype(int).tolist()
    trusted = Asked(load("models:/credit/3", STAGE, trust=True), STAGE).decide(requests)
    assert (trusted.slate == Asked(load("models:/credit/1", STAGE), STAGE).decide(requests).slate).all()


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("models:/credti@champion", "credit"),
        ("models:/credit@chmpion", "champion"),
        ("models:/credit/9", "Known: 1, 2, 3"),
        ("models:/credit", "models:/NAME@ALIAS"),
        ("models:/credit/1?registry=sqlite:////no/such.db", "no registry"),
        ("models:/credit/1?registry=http://me:secret@host", "holds a password"),
        ("models:/credit/1?digest=sha256-0", "other files"),
    ],
)
def test_mistakes_name_what_there_is(ref, said):
    """A wrong name, alias, version or registry is one message, with what is near."""
    with pytest.raises(PolicyLoadError, match=said):
        load(ref, STAGE)


def test_a_run_stays_with_the_version_that_the_alias_meant(store, tmp_path):
    """The alias is resolved once: the manifest says to what, and a replay goes by that when it has moved."""
    ref = f"models:/credit@champion?registry={store.uri}"
    run = rehearse.run("lending", policy=ref, out=tmp_path / "run", **SMALL)
    parted = rehearse.run(
        "lending", policy=Split("threshold-v1", ref, share=0.5), out=tmp_path / "split", **SMALL
    )
    (source,) = run.turns.manifest["policy"]["sources"]
    assert (source["alias"], source["version"], source["run_id"]) == ("champion", "1", store.run_id)
    assert source["digest"] in run.turns.scenario.policy.name
    store.client.set_registered_model_alias("credit", "champion", 2)
    try:
        moved = rehearse.run("lending", policy=ref, out=tmp_path / "moved", **SMALL)
        assert moved.digest != run.digest
        for past in (run, parted):
            replayed = rehearse.replay(past.folder)
            assert replayed.same, replayed.detail
    finally:
        store.client.set_registered_model_alias("credit", "champion", 1)


@pytest.mark.skipif(
    not all(map(find_spec, ("fastapi", "uvicorn"))),
    reason="FastAPI and uvicorn, which serve models, are not installed",
)
def test_a_model_served_by_mlflow_equals_the_same_model_from_the_registry(store, tmp_path):
    """Over HTTP the same version decides the same, to the same digest of turns."""
    import threading
    import time

    import mlflow
    import uvicorn
    from mlflow.pyfunc.scoring_server import init

    app = init(mlflow.pyfunc.load_model(store.client.get_model_version_download_uri("served", "1")))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        said = '?features=["score"]&outputs={"classes":["grant","refuse"]}'
        url = f"http://127.0.0.1:{port}/invocations{said}"
        served = rehearse.run("lending", policy=url, out=tmp_path / "served", **SMALL)
    finally:
        server.should_exit = True
        thread.join()
    here = rehearse.run("lending", policy="models:/served/1", out=tmp_path / "here", **SMALL)
    assert served.digest == here.digest
    assert not served.problems
    assert rehearse.replay(served.folder).same
