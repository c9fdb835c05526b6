"""Models in ONNX files: the same answers as where they were trained, and mistakes in words."""

from __future__ import annotations

import numpy as np
import pytest

import rehearse
from rehearse.contract import Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import load
from rehearse.policies.asked import Asked
from rehearse.testing import check_policy, made_requests

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra onnx)")
skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx, which makes ONNX files, is not installed")
linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
types = pytest.importorskip("skl2onnx.common.data_types")

STAGE = Stage(
    items=("train", "air", "bus", "car"),
    features=("gc_air", "gc_train", "hinc", "turn"),
    groups=("all",),
    replicas=np.arange(2, dtype=np.int32),
    slate=3,
)
CLASSES = ["air", "bus", "train"]


def fitted(labels=CLASSES, width=4):
    """Return a logistic regression over a matrix."""
    grid = np.stack([np.sin(np.arange(120) * (i + 1)) for i in range(width)], axis=1)
    chosen = np.array(labels)[np.digitize(grid[:, 0] + grid[:, -1], [-0.5, 0.5]) % len(labels)]
    return linear_model.LogisticRegression().fit(grid, chosen)


def saved(model, path, *, zipmap=False, columns=None):
    """Save a model as ONNX: with one matrix, or with a column for each name."""
    matrix = [("X", types.FloatTensorType([None, model.n_features_in_]))]
    inputs = matrix if columns is None else [(name, types.FloatTensorType([None, 1])) for name in columns]
    made = skl2onnx.to_onnx(model, initial_types=inputs, options={"zipmap": zipmap})
    path.write_bytes(made.SerializeToString())
    return str(path)


def test_scores_are_read_by_class_and_ranked(tmp_path):
    """With the classes said, the most probable items are proposed as scikit-learn has them."""
    model = fitted()
    policy = load(saved(model, tmp_path / "model.onnx"), STAGE, {"outputs": {"classes": CLASSES}, "k": 3})
    requests = made_requests(STAGE, 60)
    answer = Asked(policy, STAGE).decide(requests)
    here = Asked(load(model, STAGE, {"k": 3}), STAGE).decide(requests)
    assert (answer.slate == here.slate).all()
    assert np.allclose(answer.score, here.score, atol=1e-6)
    assert policy.origin()["kind"] == "onnx"
    check_policy(policy, STAGE)


@pytest.mark.parametrize("zipmap", [False, True])
def test_a_label_counts_where_nobody_names_the_classes(tmp_path, zipmap):
    """Columns of scores without names are no items, so the label is the answer; names in the output are."""
    model = fitted()
    path = saved(model, tmp_path / "model.onnx", zipmap=zipmap)
    requests = made_requests(STAGE, 60)
    answer = Asked(load(path, STAGE, {"avoid_shown": False}), STAGE).decide(requests)
    assert [STAGE.items[i] for i in answer.action] == model.predict(requests.features.astype(float)).tolist()
    assert np.isfinite(answer.score).all()


def test_columns_are_found_by_name_and_may_have_other_names(tmp_path):
    """One input for each feature, under its name there or as the settings translate it."""
    pipeline = pytest.importorskip("sklearn.pipeline")
    compose = pytest.importorskip("sklearn.compose")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"hinc": np.sin(np.arange(90.0)), "cost": np.cos(np.arange(90.0))})
    label = np.where(frame["hinc"] + frame["cost"] > 0, "bus", "car")
    taken = compose.ColumnTransformer([("all", "passthrough", ["hinc", "cost"])])
    model = pipeline.make_pipeline(taken, linear_model.LogisticRegression()).fit(frame, label)
    path = saved(model, tmp_path / "named.onnx", columns=["hinc", "cost"])
    requests = made_requests(STAGE, 40)
    with pytest.raises(PolicyLoadError, match="'cost'"):
        load(path, STAGE)
    answer = Asked(load(path, STAGE, {"features": {"cost": "gc_air", "hinc": "hinc"}}), STAGE).decide(
        requests
    )
    given = pd.DataFrame({"hinc": requests["hinc"], "cost": requests["gc_air"]}).astype(float)
    assert [STAGE.items[i] for i in answer.action] == model.predict(given).tolist()


def test_mistakes_are_told_in_words(tmp_path):
    """A file that is no model, a wrong width and an unknown setting are one message each."""
    (tmp_path / "broken.onnx").write_bytes(b"this is no model")
    with pytest.raises(PolicyLoadError, match="could not be loaded"):
        load(str(tmp_path / "broken.onnx"), STAGE)
    with pytest.raises(PolicyLoadError, match="there is no file"):
        load(str(tmp_path / "absent.onnx"), STAGE)
    path = saved(fitted(width=3), tmp_path / "narrow.onnx")
    with pytest.raises(PolicyLoadError, match="takes 3 columns, and is to be given 4"):
        load(path, STAGE)
    with pytest.raises(PolicyLoadError, match="outputs"):
        load(path, STAGE, {"outputs": {"clases": CLASSES}})


def test_a_run_with_an_onnx_file_replays(tmp_path):
    """The file is an input of the run; the replay gives the same digest."""
    scores = np.linspace(-1.0, 1.0, 200)[:, None]
    model = linear_model.LogisticRegression().fit(scores, np.where(scores[:, 0] > 0, "grant", "refuse"))
    path = saved(model, tmp_path / "credit.onnx")
    policy = f'{path}?features=["score"]'
    run = rehearse.run("lending", policy=policy, users=60, ticks=2, replicas=2, out=tmp_path / "run")
    assert path in run.turns.manifest["inputs"]
    assert run.turns.manifest["policy"]["sources"][0]["kind"] == "onnx"
    assert rehearse.replay(run.folder).same
