"""Fitted models as policies: features by name, classes as items, skops and trust."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.contract import Fault, Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import load
from rehearse.policies.asked import Asked
from rehearse.testing import check_policy, made_requests

pd = pytest.importorskip("pandas")
linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")

STAGE = Stage(
    items=("air", "train", "bus", "car"),
    features=("gc_air", "gc_train", "hinc", "turn"),
    groups=("all",),
    replicas=np.arange(2, dtype=np.int32),
    slate=4,
)


def fitted(columns=("hinc", "gc_air"), labels=("air", "bus", "train"), **options):
    """Return a logistic regression on a data frame with these columns, whose classes are these."""
    count = 120
    grid = np.stack([np.sin(np.arange(count) * (i + 1)) for i in range(len(columns))], axis=1)
    chosen = np.array(labels)[np.digitize(grid[:, 0], [-0.5, 0.5])[:count] % len(labels)]
    frame = pd.DataFrame(grid, columns=list(columns))
    return linear_model.LogisticRegression(**options).fit(frame, chosen), frame


def asked_of(model, **how):
    """Return the seam round a model."""
    return Asked(load(model, STAGE, how), STAGE, 16)


def test_the_most_probable_item_is_proposed():
    """Columns are found by name, classes are item names, and the score is the probability."""
    model, _ = fitted()
    requests = made_requests(STAGE, 50)
    answer = asked_of(model).decide(requests)
    frame = pd.DataFrame(requests.features[:, [2, 0]].astype(float), columns=["hinc", "gc_air"])
    expected = model.predict_proba(frame)
    named = [STAGE.items[i] for i in answer.action]
    assert named == model.predict(frame).tolist()
    assert np.allclose(answer.score, expected.max(axis=1), atol=1e-6)
    assert (answer.propensity == 1).all()


def test_what_was_shown_is_passed_over():
    """The next probable item follows a refusal, unless the model is told to insist."""
    model, _ = fitted()
    requests = made_requests(STAGE, 20)
    first = asked_of(model, k=3).decide(requests).slate
    again = replace(requests, shown=first[:, :1].copy())
    assert np.array_equal(asked_of(model).decide(again).action, first[:, 1])
    assert np.array_equal(asked_of(model, avoid_shown=False).decide(again).action, first[:, 0])


def test_items_that_are_no_class_are_never_proposed():
    """A model that knows three of four items answers within them, even for slates of four."""
    model, _ = fitted()
    answer = asked_of(model, k=4).decide(made_requests(STAGE, 30))
    assert (answer.slate[:, :3] != 3).all()
    assert (answer.slate[:, 3] == -1).all()
    assert not answer.fault.any()


def test_classes_may_be_item_numbers():
    """Whole numbers as labels are item numbers."""
    model, _ = fitted(labels=(0, 2, 1))
    named, _ = fitted()
    requests = made_requests(STAGE, 30)
    assert np.array_equal(asked_of(model).decide(requests).slate, asked_of(named).decide(requests).slate)


def test_a_model_without_probabilities_answers_its_label():
    """Where there is only `predict`, the label is the answer."""
    svm = pytest.importorskip("sklearn.svm")
    _, frame = fitted()
    model = svm.LinearSVC().fit(frame, np.where(frame["hinc"] > 0, "car", "bus"))
    requests = made_requests(STAGE, 30)
    answer = asked_of(model).decide(requests)
    assert np.array_equal(
        answer.action == 3,
        model.predict(pd.DataFrame(requests.features[:, [2, 0]].astype(float), columns=["hinc", "gc_air"]))
        == "car",
    )
    assert np.isnan(answer.score).all()


def test_an_estimator_keeps_the_contract():
    """A fitted model passes the conformance test, trees and pipelines included."""
    compose = pytest.importorskip("sklearn.compose")
    pipeline = pytest.importorskip("sklearn.pipeline")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    tree = pytest.importorskip("sklearn.tree")
    model, frame = fitted()
    chosen = model.predict(frame)
    scale = compose.ColumnTransformer(
        [("scale", preprocessing.StandardScaler(), ["hinc"])], remainder="passthrough"
    )
    piped = pipeline.make_pipeline(scale, linear_model.LogisticRegression()).fit(frame, chosen)
    for one in (model, piped, tree.DecisionTreeClassifier(max_depth=3).fit(frame, chosen)):
        assert check_policy(load(one, STAGE), STAGE) == []


def test_probabilities_that_are_no_numbers_are_faults_of_their_rows():
    """NaN from a model spoils the rows it stands in, and no others."""

    class Odd:
        classes_ = np.array(["air", "train"])

        def predict_proba(self, rows):
            chances = np.tile([0.3, 0.7], (len(rows), 1))
            chances[rows[:, 3] == 7] = np.nan
            return chances

    requests = made_requests(STAGE, 30)
    requests.features[[4, 20], 3] = 7
    answer = asked_of(Odd()).decide(requests)
    assert np.flatnonzero(answer.fault == Fault.NOT_A_NUMBER).tolist() == [4, 20]
    assert (answer.action[answer.fault == 0] == 1).all()


def test_probabilities_of_another_shape_are_faults():
    """Too few columns cannot be matched to the classes."""

    class Short:
        classes_ = np.array(["air", "train"])

        def predict_proba(self, rows):
            return np.ones((len(rows), 1))

    assert (asked_of(Short()).decide(made_requests(STAGE, 5)).fault == Fault.WRONG_SHAPE).all()


def test_features_that_are_missing_are_listed():
    """A model fitted on what cannot be seen here is refused, with what there is."""
    model, _ = fitted(columns=("hink", "gc_air"))
    with pytest.raises(PolicyLoadError) as caught:
        load(model, STAGE)
    assert all(
        word in str(caught.value)
        for word in ("'hink'", "Did you mean 'hinc'", "gc_air, gc_train, hinc, turn")
    )


def test_models_that_do_not_fit_are_refused():
    """Foreign classes, another number of unnamed features, no fit at all: each is one message."""
    bare = linear_model.LogisticRegression().fit(np.eye(3), ["air", "bus", "car"])
    cases = {
        "'plane'": fitted(labels=("air", "bus", "plane"))[0],
        "class 9": fitted(labels=(0, 1, 9))[0],
        "3 features without names; here are 4": bare,
        "has not been fitted": linear_model.LogisticRegression(),
    }
    for words, model in cases.items():
        with pytest.raises(PolicyLoadError, match=words):
            load(model, STAGE)


def test_a_skops_file_is_a_policy(tmp_path):
    """A model saved with skops answers as the model did, and its version is the file's digest."""
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    model, _ = fitted()
    path = tmp_path / "travellers.skops"
    io.dump(model, path)
    loaded = load(str(path), STAGE)
    requests = made_requests(STAGE, 30)
    assert loaded.name == "travellers.skops"
    assert len(loaded.version) == 12
    assert np.array_equal(loaded.decide(requests).slate, load(model, STAGE).decide(requests).slate)


def test_a_skops_file_with_other_types_needs_trust(tmp_path):
    """Types that skops does not know to be safe are named, and loaded only with trust."""
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    path = tmp_path / "odd.skops"
    io.dump(Suspect(), path)
    with pytest.raises(PolicyLoadError, match=r"Suspect.*--trust"):
        load(str(path), STAGE)
    assert load(str(path), STAGE, trust=True).decide(made_requests(STAGE, 3)).action.tolist() == [1, 1, 1]


class Suspect:
    """A model of a type that is not scikit-learn's."""

    def predict(self, rows):
        return np.ones(len(rows), int)
