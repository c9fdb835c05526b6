"""A model in a process of its own: the same answers, and whatever it does to itself harms nobody else."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import rehearse
from rehearse.contract import Fault, Feedback, Stage
from rehearse.errors import NotCompletedError, PolicyHungError, PolicyLoadError
from rehearse.policies import load
from rehearse.policies.asked import Asked
from rehearse.policies.sandbox import walled
from rehearse.scenario.sandbox import Sandbox
from rehearse.testing import made_requests

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is isolated on this system")
STAGE = Stage(
    items=("refuse", "grant", "ask"),
    features=("score", "age"),
    groups=("all",),
    replicas=np.arange(2, dtype=np.int32),
)
SMALL = {"users": 12, "ticks": 2, "replicas": 2}
ISOLATED = {"sandbox.isolate": True}
measured = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell")


def seated(model, wall_s=30.0, **spec):
    """Return a model in a process of its own behind its seam."""
    with walled(Sandbox(isolate=True, **spec)):
        return Asked(load(model, STAGE), STAGE, wall_limit_s=wall_s)


def faults(answer):
    """Return the words of the faults of an answer."""
    return [Fault(code).word for code in answer.fault]


def steady(person):
    """Answer by the score."""
    return {"action": int(person["score"] > 0.5), "score": person["score"] / 3, "propensity": 0.25}


def by_batch(requests):
    """Answer a batch by numbers that only numpy has."""
    return {"action": (requests["score"] > 0.5).astype(int), "score": np.tanh(requests["score"])}


def on_a_bad_day(do):
    """Return a model that does something else when the score is high, in which case it gives no answer."""

    def model(person):
        if person["score"] > 0.8:
            do()
        return "grant"

    return model


def hang():
    """Never come back."""
    while True:
        time.sleep(0.001)


def take_everything():
    """Hold ever more memory."""
    held = []
    while True:
        held.append(b"x" * 2**20 * len(held))


@pytest.mark.parametrize("model", [steady, by_batch, lambda person: "ask"])
def test_answers_are_the_same_bit_for_bit(model):
    """A function, or a closure that no pickle holds, answers as it does here."""
    requests = made_requests(STAGE, 300)
    here, there = Asked(load(model, STAGE), STAGE), seated(model)
    one, other = here.decide(requests), there.decide(requests)
    for name in ("slate", "score", "propensity", "fault", "version", "rationale"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert (there.name, there.version) == (here.name, here.version)
    assert there.account.cpu_s > 0.0


@pytest.mark.parametrize(
    ("does", "fault", "what"),
    [
        (lambda: ctypes.string_at(0), "crashed", "ended by itself (SIGSEGV)"),
        (lambda: os._exit(3), "crashed", "ended by itself (exit code 3)"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "crashed", "ended by itself (SIGKILL)"),
        (hang, "hung", "took longer than 1 s over an answer and was ended"),
    ],
    ids=["segfault", "exit", "kill", "hang"],
)
def test_only_the_person_at_whom_a_model_breaks_has_no_answer(does, fault, what):
    """The others of the call are asked again in a new process; it is counted, and told why."""
    requests = made_requests(STAGE, 12)
    bad = requests["score"] > 0.8
    assert 0 < bad.sum() < 5
    seam = seated(on_a_bad_day(does), wall_s=1.0 if fault == "hung" else 30.0)
    answer = seam.decide(requests)
    assert [word == fault for word in faults(answer)] == bad.tolist()
    assert (answer.action[~bad] == 1).all()
    assert seam.walls.refused == {what: bad.sum()}
    assert list(seam.complaints.sentences) == [what]


def test_a_batch_at_which_a_model_dies_is_halved_until_the_bad_row_stands_alone():
    """As for a model that raises."""
    bad = 7

    def model(requests):
        if (requests.user == bad).any():
            os.abort()
        return [1] * len(requests)

    answer = seated(model).decide(made_requests(STAGE, 40))
    assert np.flatnonzero(answer.fault).tolist() == [bad]
    assert faults(answer)[bad] == "crashed"


@measured
@pytest.mark.parametrize(
    ("does", "what"),
    [
        (take_everything, "tried to hold more than 64 MiB of memory"),
        (lambda: ctypes.CDLL(None).fork(), "tried to begin processes behind the back of the sandbox"),
    ],
    ids=["memory", "fork"],
)
def test_what_it_takes_is_limited(does, what):
    """Memory beyond the limit, and processes that no hook of Python hears of, end it: `forbidden`."""
    seam = seated(on_a_bad_day(does), memory_mb=64.0)
    answer = seam.decide(made_requests(STAGE, 12))
    assert "forbidden" in faults(answer)
    assert set(seam.walls.refused) == {what}


def test_an_answer_without_end_is_cut_off(monkeypatch):
    """It is refused; after five such ends the model is given up, and nobody waits for it any more."""
    monkeypatch.setattr("rehearse.policies.isolate.process.LONGEST", 10_000)
    seam = seated(lambda requests: np.zeros((len(requests), 5000), np.int32))
    for _ in range(8):
        assert set(faults(seam.decide(made_requests(STAGE, 3)))) == {"forbidden"}
    assert seam.walls.refused == {"tried to answer with more than 10,000 bytes": 5}


def test_the_walls_stand_in_the_other_process_too(tmp_path, monkeypatch):
    """Hosts, programs and files are refused there, secrets hidden, words counted, and all is told here."""
    monkeypatch.setenv("SOME_API_KEY", "sk-1234567890")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(
        "import os, socket, subprocess\n"
        "def tries():\n"
        "    yield lambda: socket.create_connection(('192.0.2.1', 443), timeout=5)\n"
        "    yield lambda: subprocess.run(['true'])\n"
        "    yield lambda: os.fork()\n"
        "    yield lambda: open('/elsewhere', 'w')\n"
        "def decide(person):\n"
        "    print('the key is', os.environ['SOME_API_KEY'])\n"
        "    for one in tries():\n"
        "        try:\n"
        "            one()\n"
        "        except Exception:\n"
        "            pass\n"
        "    return 'car'\n"
    )
    done = rehearse.run("travel", policy="model.py:decide", out=tmp_path / "r", settings=ISOLATED, **SMALL)
    sandbox = done.turns.manifest["sandbox"]
    assert sandbox["isolate"] is True
    assert set(sandbox["refused"].values()) == {done.user_turns}
    assert [what.split("(")[0] for what in sandbox["refused"]] == [
        "tried to call 192.0.2.1:443",
        "tried to begin a process ",
        "tried to begin a process ",
        "tried to write /elsewhere",
    ]
    assert sandbox["printed"] == done.user_turns * len("the key is sk-1234567890\n")
    assert "the key is ***" in (done.folder / "log.jsonl").read_text()


def test_a_run_whose_model_never_returns_ends_with_a_verdict_that_says_so(tmp_path):
    """Verdict, report, manifest and log tell why people had no answer; the others had theirs."""

    def model(person):
        if person["turn"] == 0:
            hang()
        return "car"

    settings = ISOLATED | {"time.wall_limit_s": 1.0}
    done = rehearse.run("travel", policy=model, out=tmp_path / "r", settings=settings, **SMALL)
    assert done.turns.query("SELECT DISTINCT fault FROM turns WHERE turn = 0")["fault"].tolist() == ["hung"]
    said = "The model took longer than 1 s over an answer and was ended: 5 times."
    assert done.turns.verdict["refusals"] == [said]
    assert said in (done.folder / "report.html").read_text()
    assert done.turns.manifest["status"] == "finished"
    assert "took longer than 1 s" in (done.folder / "log.jsonl").read_text()


LEARNER = """
import os
import numpy as np

class Model:
    def __init__(self):
        self.seen = np.zeros(3)

    def decide(self, requests):
        return np.full(len(requests), int(self.seen[0]) % len(requests.items))

    def learn(self, feedback):
        self.seen[0] += len(feedback.user)
        self.seen[1] += feedback.reward.sum()

    def state(self):
        return {"seen": self.seen}

    def restore(self, state):
        self.seen = np.array(state["seen"])
"""


def test_what_it_learns_goes_through_checkpoints(tmp_path):
    """A run with a learner comes to one digest: isolated or not, stopped and resumed, and replayed."""
    (tmp_path / "model.py").write_text(LEARNER)
    policy = f"{tmp_path / 'model.py'}:Model"
    here = rehearse.run("travel", policy=policy, out=tmp_path / "here", **SMALL)
    part = rehearse.run(
        "travel",
        policy=policy,
        out=tmp_path / "part",
        settings=ISOLATED | {"bounds.user_turns": 1},
        **SMALL,
    )
    assert part.verdict == "not completed"
    assert rehearse.resume(part.folder).digest == here.digest
    assert rehearse.replay(part.folder).same


def a_tick(requests):
    """Return what is told of a tick with these requests."""
    n = len(requests)
    return Feedback(
        features=requests.features,
        slate=np.zeros((n, 1), np.int32),
        choice=np.zeros(n, np.int32),
        reward=np.zeros(n, np.float32),
        propensity=np.ones(n, np.float32),
        replica=requests.replica,
        user=requests.user,
        turn=np.zeros(n, np.int16),
        group=np.zeros(n, np.int8),
        tick=0,
    )


def test_a_learner_that_dies_goes_on_with_what_it_had_learned():
    """What it knew after the last tick is given to the new process; without `state` the run breaks off."""

    class Model:
        def __init__(self):
            self.count = np.zeros(1)

        def decide(self, requests):
            if (requests["score"] > 0.99).any():
                os.abort()
            return np.full(len(requests), int(self.count[0]))

        def learn(self, feedback):
            self.count += 1

        def state(self):
            return {"count": self.count}

        def restore(self, state):
            self.count = state["count"]

    class Forgetful(Model):
        state = restore = property()

    requests = made_requests(STAGE, 8).take(np.arange(4))
    deadly = requests.take(np.arange(1))
    deadly.features[:] = 1.0
    for model in (Model, Forgetful):
        seam = seated(model)
        seam.learn(a_tick(requests))
        assert (seam.decide(requests).action == 1).all()
        assert faults(seam.decide(deadly)) == ["crashed"]
        if model is Model:
            assert (seam.decide(requests).action == 1).all()
        else:
            with pytest.raises(NotCompletedError, match="what it knew is lost"):
                seam.decide(requests)


def test_a_model_that_cannot_be_loaded_is_a_mistake_that_is_told(tmp_path):
    """What it raises, and that it died, are said as for a model that is loaded here."""
    for code, said in (
        ("import os; os._exit(7)", r"ended by itself \(exit code 7\)"),
        ("import socket; socket.create_connection(('192.0.2.1', 443))", r"sandbox\.allow"),
    ):
        (tmp_path / "model.py").write_text(f"{code}\ndef decide(person):\n    return 'car'\n")
        with pytest.raises(PolicyLoadError, match=said):
            seated(f"{tmp_path / 'model.py'}:decide")


def test_a_dialogue_is_the_same_in_another_process(tmp_path):
    """Words, history and tools pass both ways."""

    def model(person):
        found = person["tools"].find()
        said = f"I heard {person['text']!r} after {len(person['history'])} messages; there are {len(found)}."
        return {"text": said, "acts": [{"intent": "inform", "slot": "name", "value": found[0]["name"]}]}

    sizes = {"users": 6, "ticks": 1, "replicas": 2}
    here = rehearse.run("assist", policy=model, out=tmp_path / "here", **sizes)
    there = rehearse.run("assist", policy=model, out=tmp_path / "there", settings=ISOLATED, **sizes)
    assert here.digest == there.digest
    assert sorted(p.name for p in here.folder.rglob("*")) == sorted(p.name for p in there.folder.rglob("*"))


def test_learning_that_never_ends_breaks_the_run_off():
    """As without a process of its own; it is not waited for longer than the limit."""

    class Model:
        def decide(self, requests):
            return [0] * len(requests)

        def learn(self, feedback):
            hang()

    seam = seated(Model, wall_s=1.0)
    with pytest.raises(PolicyHungError, match="asked to learn, took longer"):
        seam.learn(a_tick(made_requests(STAGE, 4)))


def test_nothing_is_left_when_the_one_who_asks_is_killed(tmp_path):
    """A model that hangs, and the programs that it began, end with the run however that ends."""
    file = tmp_path / "pids"
    script = (
        "import numpy as np, os, subprocess, time\n"
        "from rehearse.contract import Stage\n"
        "from rehearse.policies import load\n"
        "from rehearse.policies.sandbox import walled\n"
        "from rehearse.scenario.sandbox import Sandbox\n"
        "from rehearse.testing import made_requests\n"
        "def model(person):\n"
        "    more = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        f"    with open({str(file)!r}, 'w') as f: f.write(f'{{os.getpid()}} {{more.pid}} .')\n"
        "    time.sleep(60)\n"
        "stage = Stage(('a',), ('x',), ('all',), np.arange(1, dtype=np.int32))\n"
        f"with walled(Sandbox(isolate=True, processes=True, write=({str(tmp_path)!r},))):\n"
        "    load(model, stage).decide(made_requests(stage, 2))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as run:
        until = time.monotonic() + 30
        while not (file.exists() and file.read_text().endswith(".")) and time.monotonic() < until:
            time.sleep(0.02)
        run.kill()
    left = [int(pid) for pid in file.read_text().split()[:2]]
    while any(Path(f"/proc/{pid}").exists() for pid in left) and time.monotonic() < until:
        time.sleep(0.02)
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]
