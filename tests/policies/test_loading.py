"""Loading a model by reference: every form works, and every mistake is one clear message."""

from __future__ import annotations

import hashlib
import pickle
import sys
import textwrap
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from rehearse.contract import Decisions, Stage
from rehearse.errors import PolicyHungError, PolicyLoadError
from rehearse.policies import files, load
from rehearse.policies.function import policy
from rehearse.testing import made_requests

STAGE = Stage(
    items=("air", "train", "bus", "car"),
    features=("gc_air", "hinc"),
    groups=("all",),
    replicas=np.arange(2, dtype=np.int32),
)
MODEL = """
    import beside

    def decide(person):
        return beside.ANSWER

    def by_batch(requests, item="bus"):
        return [item] * len(requests)

    class Chooser:
        def __init__(self, settings, stage):
            self.item = settings.get("item", stage.items[0])
        def decide(self, requests):
            return [self.item] * len(requests)

    class Plain:
        name = "plain"
        version = "3"
        def __init__(self, item="car"):
            self.item = item
        def decide(self, person):
            return self.item

    def factory(settings, stage):
        return Chooser({"item": "train"} | settings, stage)

    ready = Plain("air")
    number = 7
    two = lambda a, b: 0
    unclear = lambda x: 0
    nobody = lambda: 0
    async def later(person):
        return 1
    def one_by_one(requests):
        yield 1
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    """Return the path of a file with models, in the working folder."""
    (tmp_path / "beside.py").write_text("ANSWER = 'car'\n")
    (tmp_path / "mymodel.py").write_text(textwrap.dedent(MODEL))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path / "mymodel.py"
    sys.modules.pop("beside", None)


def first(ref, settings=None, **how):
    """Return the item that a policy offers the first of some people."""
    action = load(ref, STAGE, settings, **how).decide(made_requests(STAGE, 4, one_society=True)).action
    return STAGE.items[action[0]]


@pytest.mark.parametrize(
    ("reference", "item"),
    [
        ("constant-v1", "air"),
        ("constant-v1?slate=bus", "bus"),
        ("constant-v1:", "air"),
        ("mymodel.py:decide", "car"),
        ("./mymodel.py:decide", "car"),
        ("mymodel.py:by_batch", "bus"),
        ("mymodel.py:by_batch?item=train", "train"),
        ("mymodel.py:Chooser", "air"),
        ("mymodel.py:Chooser?item=bus", "bus"),
        ("mymodel.py:Plain", "car"),
        ("mymodel.py:Plain?item=train", "train"),
        ("mymodel.py:factory", "train"),
        ("mymodel.py:ready", "air"),
    ],
)
def test_every_form_of_reference_works(model, reference, item):
    """Names, files with functions, classes, factories and objects, each with settings."""
    assert first(reference) == item


def test_an_absolute_path_and_a_module_work(model, monkeypatch):
    """A file is found wherever it lies, and an installed module by its dotted name."""
    assert first(f"{model}:decide") == "car"
    monkeypatch.syspath_prepend(model.parent)
    assert first("mymodel:Plain") == "car"


def test_settings_of_the_reference_go_first(model):
    """What stands in the reference is nearer than the scenario's settings."""
    assert first("mymodel.py:by_batch", {"item": "train"}) == "train"
    assert first("mymodel.py:by_batch?item=air", {"item": "train"}) == "air"


def test_name_and_version_say_what_was_loaded(model):
    """The version is what the model states, else a digest of its file."""
    loaded = load("mymodel.py:decide", STAGE)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert (loaded.name, loaded.version) == ("mymodel:decide", digest[:12])
    assert (load("mymodel.py:Plain", STAGE).name, load("mymodel.py:Plain", STAGE).version) == ("plain", "3")
    assert load("greedy-v1", STAGE).name == "greedy-v1"


def test_a_file_is_read_afresh(model):
    """What runs is what the digest says, never an older compilation."""
    before = load("mymodel.py:decide", STAGE).version
    model.write_text("def decide(person):\n    return 'bus'\n")
    assert first("mymodel.py:decide") == "bus"
    assert load("mymodel.py:decide", STAGE).version != before
    assert not (model.parent / "__pycache__" / "mymodel.cpython-311.pyc").exists()


def test_callables_and_objects_may_be_given():
    """In Python the model itself is a reference."""

    class Object:
        def decide(self, requests):
            return Decisions.of(np.full(len(requests), 2))

    class Call:
        def __call__(self, person):
            return 3

    assert first(lambda person: "train") == "train"
    assert first(Object()) == "bus"
    assert first(Object) == "bus"
    assert first(Call()) == "car"
    ours = load("greedy-v1", STAGE)
    assert load(ours, STAGE) is ours


def test_an_annotation_or_the_decorator_says_how_to_ask():
    """Where the parameter's name says nothing, its annotation or the decorator does."""

    def annotated(x: dict[str, object]):
        return "bus"

    @policy(per="batch", name="mine", version="2")
    def marked(rows):
        return np.ones(len(rows), int)

    assert first(annotated) == "bus"
    assert first(marked) == "train"
    assert (load(marked, STAGE).name, load(marked, STAGE).version) == ("mine", "2")
    with pytest.raises(PolicyLoadError, match="'row'"):
        policy(per="row")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("gredy-v1", ["no policy named 'gredy-v1'", "Did you mean 'greedy-v1'"]),
        ("", ["no policy named ''"]),
        ("mymodel.py", ["mymodel.py", "mymodel.py:decide", "by_batch"]),
        ("mymodel.py:", ["mymodel.py:decide"]),
        ("mymodle.py:decide", ["no file mymodle.py", "Did you mean 'mymodel.py'"]),
        ("mymodel.py:decied", ["nothing called 'decied'", "Did you mean 'decide'"]),
        ("mymodel.py:number", ["is a int, which cannot be asked", "decide"]),
        ("mymodel.py:two", ["two(a, b) takes 2 arguments", "def decide(person)"]),
        ("mymodel.py:unclear", ["unclear(x)", "batch or a person"]),
        ("mymodel.py:nobody", ["takes 0 arguments"]),
        ("mymodel.py:later", ["async"]),
        ("mymodel.py:one_by_one", ["generator"]),
        ("mymodel.py:decide?item=bus", ["policy.settings.item", "no such parameter"]),
        ("mymodel.py:by_batch?itme=bus", ["policy.settings.itme", "Did you mean 'item'"]),
        ("mymodel.py:Plain?itme=bus", ["policy.settings.itme", "Did you mean 'item'"]),
        ("mymodel.py:ready?item=bus", ["policy.settings.item", "ready as it is"]),
        ("mymodel.py:by_batch?item", ["'item'", "key=value"]),
        ("folder", ["folder is a folder"]),
        ("folder/model.py:decide", ["no file folder/model.py"]),
        ("empty.py:decide", ["empty.py is empty"]),
        ("comment.py:decide", ["nothing called 'decide'", "defines nothing"]),
        ("raises.py:decide", ["raises.py could not be loaded", "ZeroDivisionError", "line 2"]),
        ("exits.py:decide", ["exits.py could not be loaded", "SystemExit"]),
        ("syntax.py:decide", ["syntax.py is not valid Python", "line 1"]),
        ("binary.py:decide", ["binary.py is not valid Python"]),
        ("no_such_package.sub:thing", ["no module 'no_such_package'", "Install it"]),
        ("mymodle:decide", ["no module 'mymodle'", "Install it"]),
        ("sub.other:decide", ["no module 'sub'", "Did you mean sub/other.py:decide?"]),
        ("json:dumpz", ["json has nothing called 'dumpz'", "'dumps'"]),
        ("notes.txt", ["'notes.txt' is not a kind of file"]),
        ("missing.skops", ["no file missing.skops"]),
        ("broken.skops", ["the model broken.skops could not be loaded"]),
        ("model.pkl", ["model.pkl is a pickle", "--trust"]),
        ("model.joblib", ["model.joblib is a pickle", "--trust"]),
        ("Failing", None),
    ],
)
def test_every_mistake_is_one_clear_message(model, reference, words):
    """The message says what was asked, what was found and what to do."""
    folder = model.parent
    (folder / "folder").mkdir()
    (folder / "sub").mkdir()
    (folder / "sub" / "other.py").write_text("def decide(person): return 0\n")
    (folder / "empty.py").write_text("\n  \n")
    (folder / "comment.py").write_text("# nothing yet\n")
    (folder / "raises.py").write_text("def decide(person): return 0\n1 / 0\n")
    (folder / "exits.py").write_text("import sys\nsys.exit(1)\n")
    (folder / "syntax.py").write_text("def decide(person) return 0\n")
    (folder / "binary.py").write_bytes(b"\x00\x01\x02")
    (folder / "notes.txt").write_text("a model?")
    (folder / "broken.skops").write_text("not a zip")
    (folder / "model.pkl").write_bytes(pickle.dumps(7))
    (folder / "model.joblib").write_bytes(pickle.dumps(7))
    ref = Failing if reference == "Failing" else reference
    with pytest.raises(PolicyLoadError) as caught:
        load(ref, STAGE)
    text = str(caught.value)
    assert all(word in text for word in words or ["Failing could not be made", "ValueError: no data"]), text
    assert "\n" not in text
    assert caught.value.remedy


class Failing:
    """A class that cannot be made."""

    def __init__(self):
        raise ValueError("no data")

    def decide(self, requests):
        return None


def test_a_pickle_is_opened_only_with_trust(model):
    """Trust lets a pickle run, and only then."""
    (model.parent / "model.pkl").write_bytes(
        pickle.dumps(SimpleNamespace(predict=partial(np.argmax, axis=1)))
    )
    requests = made_requests(STAGE, 9)
    answer = load("model.pkl", STAGE, trust=True).decide(requests)
    assert np.array_equal(answer.action, requests.features.argmax(axis=1))


def test_a_file_that_never_ends_loading_is_given_up(model, monkeypatch):
    """Loading has a limit of time of its own."""
    monkeypatch.setattr(files, "LOAD_LIMIT_S", 0.2)
    (model.parent / "endless.py").write_text("while True: pass\n")
    with pytest.raises(PolicyHungError, match=r"endless\.py gave no answer within 0\.2 seconds"):
        load("endless.py:decide", STAGE)
