"""Calls to an assistant, from scenario to record: words, tools, judgement, determinism."""

from __future__ import annotations

import json

import numpy as np
import pytest

import rehearse
from rehearse.dialogue.acts import Act
from rehearse.errors import PolicyLoadError, ScenarioError, UserError
from rehearse.experiments import running
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.replaying import replay
from rehearse.policies import Shadow
from rehearse.record.reading import RunRecord

SMALL = {"users": 60, "ticks": 2, "replicas": 2}
NOISY = {
    "world.settings.noise": {"drop": 0.05, "intent": 0.02, "slot": 0.02, "value": 0.05},
    "people.settings.goals": {"booking": 0.5, "impossible": 0.3, "disclosure": 0.6, "change": 0.05},
}


def digest(scenario, **cut):
    """Return the digest of a scenario run in memory, cut up in some way."""
    assembly = assemble(scenario, Props(**cut))
    recorder = assembly.new_recorder()
    assembly.simulation.watchers.append(recorder)
    for _ in range(scenario.time.ticks):
        assembly.simulation.advance()
    return recorder.digest


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run a small society on a noisy line, with people who change their minds."""
    out = tmp_path_factory.mktemp("runs") / "calls"
    return rehearse.run("assist", out=out, settings=NOISY, **SMALL)


def told(finished, sql):
    """Return the rows of a query."""
    return finished.turns.query(sql)


def test_every_turn_has_its_words(finished):
    """The side table has a row a turn, keyed like the turns, with acts, sentences and tool calls."""
    words = told(finished, 'SELECT * FROM words ORDER BY replica, tick, "user", turn')
    turns = told(finished, 'SELECT * FROM turns ORDER BY replica, tick, "user", turn')
    assert words.length == turns.length
    for key in ("replica", "tick", "user", "session", "turn"):
        assert (words[key] == turns[key]).all()
    assert "answer_0" not in turns
    counts = [text.count("(") for text in words["meant"].tolist()]
    assert counts == turns["acts"].tolist()
    calls = [json.loads(text) for text in words["calls"].tolist() if text]
    assert {call["tool"] for turn in calls for call in turn} >= {"find", "look_up", "book"}


def test_noise_stands_between_what_was_meant_and_what_was_heard(finished):
    """Both are kept; they differ in about as many acts as the chances say."""
    shares = told(finished, "SELECT sum(acts_right) / sum(acts) AS s FROM turns")["s"][0]
    assert 0.8 < shares < 0.92
    differ = told(finished, "SELECT count(*) AS n FROM words WHERE meant <> heard")["n"][0]
    assert differ > 0


def test_a_replay_proves_the_record_and_finds_an_edited_word(finished):
    """The words are in the digest, and each is held against the replay."""
    assert replay(finished.folder).same
    part = next((finished.folder / "words").glob("*.parquet"))
    whole = part.read_bytes()
    from rehearse.tables import query, write_table

    edited = query("SELECT * FROM words", words=str(part))
    said = np.array(edited["said"], dtype=np.str_)
    said[0] = "I said something else."
    edited["said"] = said
    write_table(part, edited)
    try:
        found = replay(finished.folder)
        assert not found.same
        assert found.difference is not None
        assert found.difference.column == "said"
    finally:
        part.write_bytes(whole)


@pytest.mark.parametrize("policy", ["slot-filling-v1", "forgetful-v1", "random-v1", "greedy-v1"])
def test_blocks_and_tiles_leave_no_trace(policy):
    """The same record whether people call in blocks of 7 or all at once, and the model sees 1 or all."""
    scenario = rehearse.load(
        "assist", settings=NOISY | {"policy": {"name": policy}}, users=30, ticks=1, replicas=2
    )
    assert digest(scenario) == digest(scenario, block=17, tile=13)


def test_other_people_leave_no_trace():
    """Ten people live the same lives alone as among forty."""
    some = rehearse.load("assist", settings=NOISY, users=40, ticks=1, replicas=1)
    alone, among = (assemble(some, Props(only=only)) for only in (np.arange(10), None))
    kept = []
    for assembly in (alone, among):
        recorder = assembly.new_recorder()
        recorder.keep = lambda _tick, turns, _society: kept.append(turns)
        assembly.simulation.watchers.append(recorder)
        assembly.simulation.advance()
    few, many = kept
    mine = many.take(np.flatnonzero(many["user"] < 10))
    assert all((few[name] == mine[name]).all() for name in few if few[name].dtype.kind in "iu")


def test_an_interrupted_run_goes_on_to_the_same_words(tmp_path, monkeypatch):
    """A run that was cut off after a checkpoint ends with the same digest and the same table of words."""
    scenario = rehearse.load("assist", settings=NOISY, users=30, ticks=4, replicas=2)
    whole = running.run(scenario, out=tmp_path / "whole")

    def cut(self, progress=None):
        from rehearse.agents.model import Rehearsal

        simulation = self.assembly.simulation
        self.recorder.keep = self._keep
        simulation.watchers.append(self.recorder)
        for _ in range(2):
            Rehearsal(simulation).step()
        self.checkpoint()
        self.folder.flush()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(running.Production, "play", cut)
        with pytest.raises(KeyboardInterrupt):
            running.run(scenario, out=tmp_path / "cut")
    resumed = running.resume(tmp_path / "cut")
    assert resumed.digest == whole.digest
    sql = 'SELECT * FROM words ORDER BY replica, tick, "user", turn'
    one, other = (RunRecord(run.folder).query(sql) for run in (whole, resumed))
    assert all((one[name] == other[name]).all() for name in one)


def a_function(request):
    """Recommend the first place that fits, in words, and book what is asked for."""
    if any(act["intent"] == "bye" for act in request["acts"]):
        return {"text": "Thank you and goodbye."}
    earlier = [act for message in request["history"] for act in message["acts"] if message["by"] == "user"]
    told = {a["slot"]: a["value"] for a in [*earlier, *request["acts"]] if a["intent"] == "inform"}
    fits = request["tools"].find(**{s: v for s, v in told.items() if s in {"area", "price", "kind"}})
    if not fits:
        return "I am sorry, nothing fits all that you asked for."
    asked = [a["slot"] for a in request["acts"] if a["intent"] == "request" and a["slot"] in fits[0]]
    said = [f"I can recommend {fits[0]['name']}.", "Let me add that the weather is fine."]
    return {"text": " ".join(said + [f"The {slot} is {fits[0][slot]}." for slot in asked])}


def test_a_function_is_told_acts_and_history_and_answers_in_text(tmp_path):
    """Its own words stand in the record, its calls too, and what they amount to is what people hear."""
    goals = {"people.settings.goals": {"booking": 0.0}}
    run = rehearse.run("assist", policy=a_function, out=tmp_path / "f", settings=goals, **SMALL)
    words = run.turns.query("SELECT * FROM words")
    assert any("the weather is fine" in text for text in words["reply"].tolist())
    assert any("find" in text for text in words["calls"].tolist())
    served = run.turns.query("SELECT avg(success) AS s FROM turns WHERE \"end\" <> 'none'")["s"][0]
    assert served > 0.5
    assert run.turns.query("SELECT count(*) AS n FROM turns WHERE fault <> 'none'")["n"][0] == 0
    assert replay(run.folder, policy=a_function).same


def test_a_whole_batch_may_be_answered_in_acts():
    """A batch policy sees `requests.talk`, and its tools leave no trace where it then fails."""

    def batch(requests):
        talk = requests.talk
        answers = []
        for i in range(len(requests)):
            heard = {act.intent for act in talk.message(i).acts}
            name = talk.tools(i).find()[0]["name"]
            answers.append([("bye",)] if "bye" in heard else [("inform", "name", name)])
        if requests.turn == 1:
            raise RuntimeError
        return {"acts": answers}

    scenario = rehearse.load("assist", users=20, ticks=1, replicas=1)
    seen = []
    assembly = assemble(scenario, Props(policy=batch, tile=8))
    assembly.simulation.watchers.append(
        type("W", (), {"on_turn": lambda _, x: seen.append(x), "on_tick": print})()
    )
    assembly.simulation.advance()
    first, second = seen[:2]
    assert (first.responses.said.answer[:, 0] >> 24 == Act.INFORM).all()
    assert (first.responses.said.calls[:, 0] >> 24 == Act.FIND).all()
    assert (second.responses.said.calls < 0).all()
    assert (second.decisions.fault > 0).all()


def test_success_is_read_off_the_end_state(tmp_path):
    """A model that lies about the phone number leaves people content and without success."""

    def liar(request):
        intents = {act["intent"] for act in request["acts"]}
        if "bye" in intents:
            return {"acts": [{"intent": "bye"}]}
        found = request["tools"].find()[0]
        asked = [
            act["slot"] for act in request["acts"] if act["intent"] == "request" and act["slot"] != "name"
        ]
        lies = [{"intent": "inform", "slot": slot, "value": "whatever"} for slot in asked]
        return {"acts": [{"intent": "inform", "slot": "name", "value": found["name"]}, *lies]}

    goals = {"people.settings.goals": {"booking": 0.0, "requests": [0.0, 1.0]}}
    run = rehearse.run("assist", policy=liar, out=tmp_path / "liar", settings=goals, **SMALL)
    met = "avg(CAST(\"end\" = 'goal_met' AS INT)) AS met"
    ends = run.turns.query(f"SELECT avg(success) AS s, {met} FROM turns WHERE \"end\" <> 'none'")
    assert ends["s"][0] == 0.0
    assert ends["met"][0] > 0.3


def test_what_is_booked_wrongly_is_harm():
    """Booking the first thing in the database, for nobody in particular, is harm, and no success."""

    def careless(request):
        request["tools"].book(request["tools"].find()[0]["name"])
        return "more"

    scenario = rehearse.load("assist", users=50, ticks=1, replicas=1)
    assembly = assemble(scenario, Props(policy=careless))
    seen = []
    assembly.simulation.watchers.append(
        type("W", (), {"on_turn": lambda _, x: seen.append(x), "on_tick": print})()
    )
    assembly.simulation.advance()
    assert (seen[0].outcomes.harm == 1.0).all()
    assert not any(x.outcomes.becomes["success"].any() for x in seen)


def test_a_shadow_books_nothing_and_sees_no_booking_of_the_other():
    """Each model has its own tools: what the candidate calls for is done by nobody."""
    seen = []

    def live(request):
        request["tools"].book("Juniper House")
        return "more"

    def candidate(request):
        seen.append(request["tools"].booked)
        request["tools"].book("Maple Court")
        return "more"

    scenario = rehearse.load("assist", users=5, ticks=1, replicas=1)
    assembly = assemble(scenario, Props(policy=Shadow(live, candidate)))
    first = []
    watcher = type("W", (), {"on_turn": lambda _, x: first.append((x, len(seen))), "on_tick": print})()
    assembly.simulation.watchers.append(watcher)
    assembly.simulation.advance()
    turn, asked = first[0]
    assert seen[:asked] == [None] * 5
    domain = assembly.simulation.world.domain
    booked = {domain.entities[i] for i in turn.outcomes.becomes["booked"].tolist()}
    assert booked == {"Juniper House"}


def test_the_weak_is_worse_than_the_rule_which_is_below_the_oracle():
    """Success and regret put forgetful, slot-filling and the oracle in order."""
    regret, success = {}, {}
    for policy in ("forgetful-v1", "slot-filling-v1", "greedy-v1"):
        scenario = rehearse.load(
            "assist", settings=NOISY | {"policy": {"name": policy}}, users=200, ticks=1, replicas=1
        )
        seen = []
        assembly = assemble(scenario)
        assembly.simulation.watchers.append(
            type("W", (), {"on_turn": lambda _, x, s=seen: s.append(x), "on_tick": print})()
        )
        assembly.simulation.advance()
        regret[policy] = np.concatenate([x.outcomes.regret for x in seen]).mean()
        success[policy] = sum(x.outcomes.becomes["success"][x.end > 0].sum() for x in seen)
        assert all((x.outcomes.regret >= 0).all() for x in seen)
    assert regret["greedy-v1"] < regret["slot-filling-v1"] < regret["forgetful-v1"]
    assert success["greedy-v1"] > success["slot-filling-v1"] > success["forgetful-v1"]


def test_callers_and_assistants_refuse_other_worlds():
    """Each says in words what it needs."""
    with pytest.raises(ScenarioError, match="assist-v1"):
        assemble(rehearse.load("feed", settings={"people.model": "callers-v1"}))
    with pytest.raises(PolicyLoadError, match="no dialogue"):
        assemble(rehearse.load("feed", settings={"policy": {"name": "slot-filling-v1"}}))
    with pytest.raises(ScenarioError, match="inform_combination"):
        assemble(rehearse.load("assist", settings={"people.settings.behaviour.inform_combinatio": 0.5}))
    with pytest.raises(ScenarioError, match="noise"):
        assemble(rehearse.load("assist", settings={"drift": [{"tick": 1, "what": "noise.valu", "add": 0.1}]}))


CLIENT = '''
class Shouts:
    """A language model that shouts."""

    def complete(self, prompt):
        return prompt.partition("nothing: ")[2].upper()
'''


def test_a_language_model_puts_calls_into_words_where_one_is_named(tmp_path):
    """Its words stand in the record and nothing else changes; what is no client is refused."""
    client = tmp_path / "client.py"
    client.write_text(CLIENT)
    size = {"users": 3, "ticks": 1, "replicas": 1}
    spoken = {"world.settings.client": f"{client}:Shouts"}
    plain, loud = (
        rehearse.run("assist", settings=given, out=tmp_path / str(len(given)), **size)
        for given in ({}, spoken)
    )
    said = [run.turns.query('SELECT said, reply FROM words ORDER BY "user", turn') for run in (plain, loud)]
    for name in ("said", "reply"):
        assert [words.upper() for words in said[0][name]] == said[1][name].tolist()
    with pytest.raises(UserError, match="no `complete`"):
        assemble(rehearse.load("assist", settings={"world.settings.client": "builtins:dict"}))
