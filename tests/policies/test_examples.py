"""The examples: each runs as it stands, and prints what the file beside it says.

They run in the process of the tests, where all is loaded; `.ci/run` runs each in a process of its own.

After a change that is meant, write the files anew: python examples/NAME.py > examples/NAME.out
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest

from rehearse.experiments.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"
NEEDS = {"train_traveller_model": ("skops", "sklearn"), "train_in_gym": ("gymnasium", "gym")}
"""What an example imports beyond the project's own needs, and the extra that brings it."""
SMALL = ("--users", "40", "--ticks", "3", "--set", "replicas=2", "--json")
VERDICTS = {0, 1, 3}
"""The exit codes of a run that was completed and judged."""


def run(folder, path):
    """Run an example in a folder, and return what it printed."""
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        runpy.run_path(str(path), run_name="__main__")
    return said.getvalue()


def rehearse(folder, reference):
    """Rehearse a model by its reference on the command line, and return the object that is printed."""
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        assert main(["run", "travel", "--policy", reference, *SMALL]) in VERDICTS
    return json.loads(said.getvalue())


@pytest.fixture(scope="module", params=sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def example(request, tmp_path_factory):
    """Return an example that was run, what it printed, and the folder that it ran in."""
    needed, extra = NEEDS.get(request.param.stem, ("rehearse", ""))
    if find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed (extra {extra})")
    folder = tmp_path_factory.mktemp(request.param.stem)
    return request.param, run(folder, request.param), folder


def test_an_example_prints_what_stands_beside_it(example):
    """Each example ends well, and its output is the expected one, to the letter."""
    path, said, _ = example
    assert said == path.with_suffix(".out").read_text(encoding="utf-8")


@pytest.mark.parametrize("example", [EXAMPLES / "train_traveller_model.py"], indirect=True)
def test_a_model_saved_with_skops_is_rehearsed(example):
    """The model that the example trains on half of the travellers goes through `travel` by its file."""
    _, _, folder = example
    one, other = (rehearse(folder, "traveller_model.skops") for _ in range(2))
    assert one["verdict"] in {"pass", "fail", "unsure"}
    assert one["digest"] == other["digest"]


def test_a_function_in_a_file_is_rehearsed(tmp_path):
    """A plain function, named on the command line by its file, goes through `travel` to a verdict."""
    told = rehearse(tmp_path, f"{EXAMPLES / 'mymodel.py'}:decide")
    assert told["verdict"] in {"pass", "fail", "unsure"}
    assert told["user_turns"] > 0
