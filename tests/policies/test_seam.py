"""The seam: what is accepted as an answer, how faults are kept to their rows, what is accounted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.contract import Decisions, Fault, Stage
from rehearse.errors import ContractError, NotCompletedError, UserError
from rehearse.log import log_to
from rehearse.policies import load
from rehearse.policies.asked import CALLS_PER_TILE, Asked
from rehearse.testing import check_policy, made_requests

ITEMS = ("air", "train", "bus", "car")
STAGE = Stage(
    items=ITEMS, features=("x", "y"), groups=("low", "high"), replicas=np.arange(2, dtype=np.int32), seed=3
)
EXPECTED = np.arange(40) % 4
"""What the good answers below mean, for the 40 people of `ask`."""


def ask(function, rows=40, tile=16, **changes):
    """Return the seam round a function and its answers to some people, numbered in feature x."""
    requests = replace(made_requests(STAGE, rows), **changes)
    requests.features[:, 0] = np.arange(rows)
    asked = Asked(load(function, STAGE), STAGE, tile)
    return asked, asked.decide(requests)


def numbers(requests):
    """Return the good answer to each request: the person's number, counted by fours."""
    return requests.features[:, 0].astype(int) % 4


def named(requests):
    """Return the same by name."""
    return [ITEMS[i] for i in numbers(requests)]


ACCEPTED = {
    "numbers": numbers,
    "a list": lambda requests: numbers(requests).tolist(),
    "whole floats": lambda requests: numbers(requests).astype(float),
    "names": named,
    "an array of names": lambda requests: np.array(named(requests)),
    "slates": lambda requests: np.column_stack([numbers(requests), (numbers(requests) + 1) % 4]),
    "slates of names": lambda requests: [
        [name, "train" if name == "air" else "air"] for name in named(requests)
    ],
    "slates of different lengths": lambda requests: [
        [n] if n else [n, 2] for n in numbers(requests).tolist()
    ],
    "a mapping": lambda requests: {"action": named(requests), "score": np.ones(len(requests))},
    "a mapping with a slate": lambda requests: {"slate": numbers(requests)[:, None], "propensity": 0.5},
    "Decisions": lambda requests: Decisions.of(numbers(requests), score=1.0),
    "a person's name": lambda person: ITEMS[int(person["x"]) % 4],
    "a person's number": lambda person: int(person["x"]) % 4,
    "a person's slate": lambda person: [int(person["x"]) % 4, None],
    "a person's array": lambda person: np.array([int(person["x"]) % 4]),
    "a person's mapping": lambda person: {"action": int(person["x"]) % 4, "score": 0.5, "propensity": 1},
}


@pytest.mark.parametrize("form", ACCEPTED)
def test_answers_are_accepted_in_many_forms(form):
    """Names, numbers, slates, mappings and Decisions all mean the same."""
    asked, answer = ask(ACCEPTED[form])
    assert np.array_equal(answer.action, EXPECTED)
    assert not answer.fault.any()
    assert not asked.complaints.sentences


def test_scores_and_propensities_are_kept():
    """What the model gives beside the action is recorded; what only some give is missing for the others."""
    _, answer = ask(
        lambda requests: {"action": numbers(requests), "score": requests.features[:, 0], "propensity": 0.25}
    )
    assert np.array_equal(answer.score, np.arange(40))
    assert (answer.propensity == 0.25).all()
    _, answer = ask(lambda person: {"action": 1, "score": 2.0} if person["x"] < 3 else 1)
    assert np.array_equal(np.flatnonzero(np.isfinite(answer.score)), [0, 1, 2])
    assert not answer.fault.any()


def bad_at(row, answer):
    """Return a function per person that gives everybody a train, and one person something else."""

    def decide(person):
        return answer(person) if person["x"] == row else "train"

    return decide


def fails(person):
    """Raise."""
    raise KeyError("no such traveller")


def leaves(person):
    """Try to end the program."""
    raise SystemExit(3)


BROKEN = {
    "raises": (fails, Fault.RAISED, "KeyError: 'no such traveller'"),
    "exits": (leaves, Fault.RAISED, "SystemExit: 3"),
    "nan": (lambda person: float("nan"), Fault.NOT_A_NUMBER, "nan"),
    "infinite": (lambda person: float("inf"), Fault.NOT_A_NUMBER, "inf"),
    "nan score": (lambda person: {"action": 1, "score": float("nan")}, Fault.NOT_A_NUMBER, "score nan"),
    "word score": (lambda person: {"action": 1, "score": "high"}, Fault.NOT_A_NUMBER, "'high'"),
    "propensity": (lambda person: {"action": 1, "propensity": 1.5}, Fault.NOT_A_NUMBER, "propensity 1.5"),
    "misspelt": (lambda person: "trian", Fault.UNKNOWN_ACTION, "Did you mean 'train'"),
    "too high": (lambda person: 4, Fault.UNKNOWN_ACTION, "numbered 0 to 3"),
    "negative": (lambda person: -7, Fault.UNKNOWN_ACTION, "-7"),
    "huge": (lambda person: 10**30, Fault.UNKNOWN_ACTION, "numbered 0 to 3"),
    "a fraction": (lambda person: 1.5, Fault.UNKNOWN_ACTION, "1.5"),
    "a truth": (lambda person: True, Fault.UNKNOWN_ACTION, "True"),
    "nothing": (lambda person: None, Fault.WRONG_SHAPE, "None"),
    "an empty slate": (lambda person: [], Fault.UNKNOWN_ACTION, "named no item"),
    "twice": (lambda person: ["bus", "bus"], Fault.WRONG_SHAPE, "twice"),
    "a set": (lambda person: {"bus"}, Fault.WRONG_SHAPE, "set"),
    "a wrong key": (lambda person: {"actoin": "bus"}, Fault.WRONG_SHAPE, "Did you mean 'action'"),
    "no action": (lambda person: {"score": 1.0}, Fault.WRONG_SHAPE, "'action'"),
    "a table": (lambda person: np.zeros((2, 2)), Fault.WRONG_SHAPE, "ndarray"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_one_broken_answer_harms_nobody_else(kind):
    """The row gets its fault and an empty slate; the other rows their answers; the log one sentence."""
    wrong, fault, words = BROKEN[kind]
    asked, answer = ask(bad_at(7, wrong))
    assert answer.fault[7] == fault
    assert answer.slate[7].tolist() == [-1] * answer.slate.shape[1]
    assert np.isnan(answer.score[7])
    others = np.arange(40) != 7
    assert not answer.fault[others].any()
    assert (answer.action[others] == 1).all()
    assert asked.account.faults == {fault.word: 1}
    (sentence,) = asked.complaints.sentences
    assert words in sentence


def test_an_item_that_cannot_be_had_is_a_fault():
    """Availability binds the model too, row by row."""
    available = np.ones((40, 4), bool)
    available[[3, 30], 1] = False
    asked, answer = ask(lambda requests: np.ones(len(requests), int), available=available)
    assert np.flatnonzero(answer.fault == Fault.UNKNOWN_ACTION).tolist() == [3, 30]
    assert "'train', which this person cannot have" in next(iter(asked.complaints.sentences))


@pytest.mark.parametrize("bad", [[0], [15], [16, 17], [5, 21, 39]])
def test_a_call_that_fails_as_a_whole_is_asked_again_by_halves(bad):
    """A batch function that chokes on some rows loses only those."""

    def decide(requests):
        if np.isin(requests.features[:, 0], bad).any():
            raise ValueError("cannot digest this")
        return numbers(requests)

    asked, answer = ask(decide)
    assert np.flatnonzero(answer.fault == Fault.RAISED).tolist() == bad
    good = ~np.isin(np.arange(40), bad)
    assert np.array_equal(answer.action[good], EXPECTED[good])
    assert len(asked.complaints.sentences) == 1


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (lambda requests: [1, 2], Fault.WRONG_SHAPE),
        (lambda requests: None, Fault.WRONG_SHAPE),
        (lambda requests: "train", Fault.WRONG_SHAPE),
        (lambda requests: np.zeros((len(requests), 2, 2)), Fault.WRONG_SHAPE),
        (lambda requests: np.zeros((len(requests), 0)), Fault.WRONG_SHAPE),
        (lambda requests: np.ones(len(requests), bool), Fault.WRONG_SHAPE),
        (lambda requests: np.full(len(requests), np.nan), Fault.NOT_A_NUMBER),
        (lambda requests: {"action": numbers(requests), "score": [1.0, 2.0, 3.0]}, Fault.WRONG_SHAPE),
        (lambda requests: replace(Decisions.of(numbers(requests)), score=np.zeros(3)), Fault.WRONG_SHAPE),
        (lambda requests: 1 / 0, Fault.RAISED),
    ],
)
def test_a_model_that_always_fails_ends_quickly(answer, fault):
    """Every row has the fault, and no tile costs more than its calls."""
    asked, decisions = ask(answer, rows=600, tile=256)
    assert (decisions.fault == fault).all()
    assert (decisions.slate == -1).all()
    assert asked.account.calls <= 3 * CALLS_PER_TILE


def test_foreign_models_get_tiles_of_one_shape():
    """Every call has exactly so many rows, padded by the first; built-in policies are never padded."""
    seen = []

    def decide(requests):
        seen.append(requests.features[:, 0].astype(int).tolist())
        return numbers(requests)

    ask(decide)
    assert [len(rows) for rows in seen] == [16, 16, 16]
    assert seen[2] == [*range(32, 40), *[32] * 8]


def test_a_model_asked_a_person_at_a_time_is_asked_once_for_each():
    """No padding, no repetition: a model that counts its calls counts people."""
    seen = []
    ask(lambda person: seen.append(person["x"]) or 1)
    assert seen == list(range(40))


def test_foreign_models_do_not_see_what_they_would_not_know():
    """Features they see by name; group and truth are hidden, and their draws are not those of the people."""
    seen = {}

    def decide(requests):
        seen["x"] = (requests["x"] == requests.features[:, 0]).all()
        with pytest.raises(ContractError, match="'group'"):
            requests["group"]
        seen.update(group=requests.group, truth=requests.truth, seed=requests.chance.seed)
        return numbers(requests)

    truth = made_requests(STAGE, 40, truth=True).truth
    ask(decide, group=np.ones(40, np.int8), truth=truth)
    assert seen["x"]
    assert (seen["group"] == -1).all()
    assert seen["truth"] is None
    assert seen["seed"] != STAGE.seed


def test_a_person_is_a_plain_dict():
    """Features by name, what can be had, what was shown, the intent and the turn; nothing else."""
    seen = []

    def decide(person):
        seen.append(person)
        return person["items"][0]

    shown = np.tile(np.array([2, 1, -1], np.int32), (40, 1))
    available = np.tile([False, True, True, True], (40, 1))
    _, answer = ask(decide, shown=shown, available=available, turn=2, intent=np.ones(40, np.int8))
    assert (answer.action == 1).all()
    person = {key: value for key, value in seen[5].items() if key not in {"x", "y"}}
    assert person == {
        "items": ["train", "bus", "car"],
        "shown": ["bus", "train"],
        "intent": "another",
        "turn": 2,
    }
    assert seen[5]["x"] == 5.0
    json.dumps(seen[5])


def test_a_model_cannot_change_what_others_see():
    """Writing into the requests leaves the kernel's arrays alone."""

    def decide(requests):
        requests.features[:] = -1
        requests.shown[:] = 0
        return np.ones(len(requests), int)

    requests = made_requests(STAGE, 40)
    before = requests.features.copy()
    Asked(load(decide, STAGE), STAGE, 16).decide(requests)
    assert np.array_equal(requests.features, before)
    assert (requests.shown == -1).all()


def test_what_it_cost_is_accounted():
    """Calls, rows, CPU seconds and wall time add up; each row carries the time of its call."""
    asked, answer = ask(lambda requests: numbers(requests) + 0 * sum(range(20_000)))
    assert asked.account.calls == 3
    assert asked.account.rows == 40
    assert asked.account.cpu_s > 0
    assert 0 < asked.account.wall_s < 60
    assert asked.account.ms_per_row == pytest.approx(1000 * asked.account.wall_s / 40)
    assert (answer.measured > 0).all()
    assert len(set(answer.measured.tolist())) == 3
    assert set(asked.account.as_dict()) >= {"calls", "rows", "cpu_s", "peak_growth_bytes", "ms_per_row"}


def test_memory_that_a_call_takes_is_seen():
    """A model that fills 200 MB pushes up the peak, and the account says so."""

    def decide(requests):
        np.ones(400 * 2**20, dtype=np.int8)
        return numbers(requests)

    asked, _ = ask(decide, rows=10)
    assert asked.account.peak_growth_bytes > 50 * 2**20


def test_each_sentence_is_logged_once(tmp_path):
    """The log of the run tells what went wrong, once, however many people it met."""
    path = tmp_path / "log.jsonl"
    with log_to(path):
        ask(lambda person: "plane")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["policy_error"]
    assert lines[0]["fault"] == "unknown_action"
    assert "'plane'" in lines[0]["problem"]


def test_the_probe_tells_whether_answers_depend_on_the_batch():
    """A model that looks at its neighbours is found out, and one that does not is cleared."""

    def steady(requests):
        return numbers(requests)

    def by_place(requests):
        return np.arange(len(requests)) % 4

    def by_company(requests):
        return {
            "action": numbers(requests),
            "score": requests.features[:, 0] - requests.features[:, 0].mean(),
        }

    requests = made_requests(STAGE, 40)
    requests.features[:, 0] = np.arange(40)
    found = {f: Asked(load(f, STAGE), STAGE, 32).probe(requests) for f in (steady, by_place, by_company)}
    assert not found[steady].sensitive
    assert found[steady].rows == 32
    assert found[by_place].reordered == 32
    assert not found[by_company].reordered
    assert found[by_company].company == 16


def test_probing_costs_nothing_in_the_account():
    """What the probe asks is not what people asked."""
    asked, _ = ask(numbers)
    calls = asked.account.calls
    asked.probe(made_requests(STAGE, 40))
    assert asked.account.calls == calls


def test_nobody_asking_is_no_call():
    """Without requests there are no answers, and the model is left in peace."""
    asked, _ = ask(numbers)
    calls = asked.account.calls
    answer = asked.decide(made_requests(STAGE, 4).take(np.array([], dtype=np.int64)))
    assert len(answer) == 0
    assert asked.account.calls == calls


def test_an_interrupt_passes():
    """Ctrl-C while the model works ends the run, and is no fault of the model."""

    def decide(requests):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(decide)


class Counter:
    """A learner of somebody else: it offers the item after the last that was taken in its society."""

    name = "counter"
    version = "7"

    def __init__(self):
        self.next = np.zeros(1, dtype=np.int64)

    def decide(self, requests):
        wish = np.full((len(requests), 4), 1.0) + (np.arange(4) == self.next[0] % 4)
        return (wish if requests.available is None else wish * requests.available).argmax(axis=1)

    def learn(self, feedback):
        self.next[0] += int(feedback.choice.max(initial=-1)) + 1

    def state(self):
        return {"next": self.next.copy()}

    def restore(self, state):
        self.next = np.array(state["next"])


def lesson(choice):
    """Return feedback in which everybody of society 1 took an item, and nobody of society 0."""
    from rehearse.contract import Feedback

    requests = made_requests(STAGE, 10)
    taken = np.where(requests.replica == 1, choice, -1).astype(np.int32)
    return Feedback(
        features=requests.features,
        slate=taken[:, None],
        choice=taken,
        reward=np.ones(10, np.float32),
        propensity=np.ones(10, np.float32),
        replica=requests.replica,
        user=requests.user,
        turn=np.zeros(10, np.int16),
        group=requests.group,
        tick=0,
    )


def test_a_learner_of_somebody_else_keeps_the_contract():
    """A class that learns, with its state as arrays, passes the conformance test."""
    assert check_policy(load(Counter, STAGE), STAGE) == []


def test_a_foreign_learner_without_state_cannot_be_resumed():
    """What it learned would be lost: restoring it says so instead."""

    class Closed(Counter):
        state = restore = property()

    asked = Asked(load(Closed, STAGE), STAGE, 16)
    asked.restore(asked.state())
    asked.learn(lesson(1))
    with pytest.raises(UserError, match="no `state` and `restore`"):
        asked.restore(asked.state())


def test_a_state_that_cannot_be_saved_is_refused():
    """A state of other things than arrays breaks the contract, and says which part."""

    class Loose(Counter):
        def state(self):
            return {"memory": {1, 2}}

    with pytest.raises(ContractError, match="0/memory"):
        Asked(load(Loose, STAGE), STAGE, 16).state()


@pytest.mark.parametrize("thing", [Counter, Counter()])
def test_a_foreign_learner_has_a_copy_for_each_society(thing):
    """Societies share nothing through a learner; versions count its lessons; its state comes back."""
    asked = Asked(load(thing, STAGE), STAGE, 16)
    requests = made_requests(STAGE, 40)
    asked.learn(lesson(1))
    kept = asked.state()
    answer = asked.decide(requests)
    assert set(answer.action[requests.replica == 0].tolist()) == {0}
    assert set(answer.action[requests.replica == 1].tolist()) == {2}
    assert set(answer.version.tolist()) == {1}
    asked.learn(lesson(0))
    asked.restore(kept)
    assert np.array_equal(asked.decide(requests).slate, answer.slate)


def test_a_foreign_learner_that_fails_to_learn_ends_the_run():
    """The run is not completed, and the message holds what the model raised."""

    class Dunce(Counter):
        def learn(self, feedback):
            raise RuntimeError("no more room")

    asked = Asked(load(Dunce, STAGE), STAGE, 16)
    with pytest.raises(
        NotCompletedError, match="failed to learn from tick 0: it raised RuntimeError: no more room"
    ):
        asked.learn(lesson(1))


def test_draws_of_a_foreign_model_are_addressed():
    """`requests.uniform` gives a model chance of its own that repeats with the run."""

    def decide(requests):
        return (requests.uniform("mine")[:, 0] * 4).astype(int)

    (_, one), (_, other) = ask(decide, tile=16), ask(decide, tile=7)
    assert np.array_equal(one.slate, other.slate)
    assert len(set(one.action.tolist())) == 4
    _, else_where = ask(decide, chance=Chance(STAGE.seed + 1))
    assert not np.array_equal(one.slate, else_where.slate)


@pytest.mark.parametrize("says", [-1, 0, 2])
def test_where_nothing_can_be_had_no_answer_is_wrong(says):
    """A model that names nothing, or anything, to somebody who can have nothing is not to blame."""
    requests = made_requests(STAGE, 6)
    available = np.ones((6, len(STAGE.items)), dtype=bool)
    available[::2] = False

    class Sells:
        name, version = "sells", "1"

        def decide(self, requests):
            can = requests.available.any(axis=1)
            return Decisions.of(np.where(can, 1, says))

    answer = Asked(load(Sells(), STAGE), STAGE).decide(replace(requests, available=available))
    assert answer.fault.tolist() == [Fault.NONE] * 6
    assert answer.action[1::2].tolist() == [1] * 3
    silent = load(lambda requests: [-1] * len(requests), STAGE)
    fault = Asked(silent, STAGE, tile=6).decide(replace(requests, available=available)).fault
    assert (fault[1::2] != Fault.NONE).all()
