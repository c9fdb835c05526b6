"""Programs as models: lines of JSON, deadlines, deaths, dialogues, and replay without the program."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import rehearse
from rehearse.contract import Fault, Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import Shadow, load
from rehearse.policies.asked import Asked
from rehearse.testing import made_requests

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="programs are not guarded on this system")
STAGE = Stage(
    items=("refuse", "grant", "ask"),
    features=("score", "age"),
    groups=("all",),
    replicas=np.arange(2, dtype=np.int32),
)
HEAD = "import json, os, sys, time\nfor line in sys.stdin:\n    people = json.loads(line)['instances']\n"
TAIL = "    print(json.dumps({'predictions': said}), flush=True)\n"


@pytest.fixture
def program(tmp_path):
    """Return how to write a program that works out `said` of `people`, as a reference."""

    def written(*lines, tail=TAIL):
        path = tmp_path / "model.py"
        path.write_text(HEAD + "".join(f"    {line}\n" for line in lines) + tail)
        return f"exec:{sys.executable} -S {path}"

    return written


def seated(ref, **settings):
    """Return a program behind its seam."""
    return Asked(load(ref, STAGE, settings), STAGE)


def faults(answer):
    """Return the words of the faults of an answer."""
    return [Fault(code).word for code in answer.fault]


CUT = "said = ['grant' if p['score'] > 0.5 else 'refuse' for p in people]"


def test_each_person_gets_the_programs_answer_in_lines_of_one_size(program):
    """One line in, one line out; scores, prices and versions are told."""
    requests = made_requests(STAGE, 40)
    ref = program(CUT, "assert len(people) == 16, len(people)", "sys.stderr.write('hello\\n')")
    seam = seated(ref, batch=16, price_per_call=0.5)
    answer = seam.decide(requests)
    assert answer.action.tolist() == (requests["score"] > 0.5).astype(int).tolist()
    assert answer.detail["spent"].tolist() == [0.5 / 16] * 32 + [0.5 / 8] * 8
    version = seam.version
    assert seated(program(CUT, "pass"), batch=16).version != version
    with_list = seated("exec:", run=ref.removeprefix("exec:").split(), batch=40)
    assert with_list.decide(requests).action.tolist() == answer.action.tolist()


@pytest.mark.parametrize(
    ("line", "fault", "sentence"),
    [
        ("time.sleep(60)", "hung", "took longer than 1 s over an answer and was ended"),
        ("os._exit(9)", "crashed", "ended by itself (exit code 9)"),
        ("print('no json', flush=True); continue", "wrong_shape", "answered b'no json\\n', which is no JSON"),
        ("print('{}', flush=True); continue", "wrong_shape", "answered without 'predictions': {}"),
        ("print('1\\n2', flush=True); continue", "wrong_shape", "answered more than once"),
        ("said = [1]", "wrong_shape", "gave 1 predictions to 8 requests"),
    ],
)
def test_a_line_that_brings_nothing_is_a_fault_of_its_people(line, fault, sentence, program):
    """The others have their answers, from a new process where the old one has ended."""
    ref = program(CUT, f"if people[0]['score'] == FIRST: {line}")
    requests = made_requests(STAGE, 24)
    path = Path(ref.split()[-1])
    path.write_text(path.read_text().replace("FIRST", repr(float(requests["score"][8]))))
    seam = seated(ref, batch=8, timeout_ms=1000.0 if fault == "hung" else 30_000.0)
    answer = seam.decide(requests)
    assert faults(answer) == ["none"] * 8 + [fault] * 8 + ["none"] * 8
    assert list(seam.complaints.sentences) == [sentence]


def test_a_program_that_is_not_there_is_a_mistake(tmp_path):
    """It is said before the first tick, with what to do."""
    for ref, said in (
        ("exec:./nowhere-to-be-found", "no program './nowhere-to-be-found'"),
        ("exec:", "names no program"),
        ("exec:'a", "no command"),
    ):
        with pytest.raises(PolicyLoadError, match=said):
            rehearse.run("travel", policy=ref, out=tmp_path / "r", users=12, ticks=1, replicas=2)


def test_a_recorded_run_is_replayed_without_the_program(program, tmp_path):
    """Also in shards, and where the program is a part of another policy; the manifest names it."""
    small = {"users": 12, "ticks": 2, "replicas": 2}
    ref = program("said = [p['items'][p['turn'] % 2] for p in people]")
    done = rehearse.run("travel", policy=ref, out=tmp_path / "r", **small)
    (source,) = done.turns.manifest["policy"]["sources"]
    assert (source["kind"], source["command"][1]) == ("program", "-S")
    shadow = rehearse.run("travel", policy=Shadow(ref, "random-v1"), out=tmp_path / "s", **small)
    Path(ref.split()[-1]).unlink()
    assert rehearse.replay(done.folder).same
    assert rehearse.replay(shadow.folder).same


def test_a_program_holds_a_dialogue_and_calls_tools(program, tmp_path):
    """It hears words and history, and is asked again with what its calls found."""
    ref = program(
        "said = []",
        "for p in people:",
        "    found = p.get('results', [])",
        "    if not found:",
        "        said.append({'call': 'find', 'with': {}})",
        "    else:",
        "        assert p['text'] and found[0]['call'] == 'find', p",
        "        name = found[0]['result'][len(p['history']) % 3]['name']",
        "        said.append({'acts': [{'intent': 'inform', 'slot': 'name', 'value': name}]})",
    )
    done = rehearse.run("assist", policy=ref, out=tmp_path / "r", users=6, ticks=1, replicas=2)
    assert set(done.turns.query("SELECT fault FROM turns")["fault"].tolist()) == {"none"}
    words = done.turns.query("SELECT * FROM words")
    assert all("find" in calls for calls in words["calls"].tolist())
    assert all("inform(name=" in answered for answered in words["answered"].tolist())
    assert rehearse.replay(done.folder).same
