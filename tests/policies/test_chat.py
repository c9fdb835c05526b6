"""Chat assistants behind `/v1/chat/completions`: tools, words, failures, money, replay without the server."""

from __future__ import annotations

import json
import threading
import time
import warnings
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import rehearse
from rehearse.contract import Fault
from rehearse.environments.assist import domains
from rehearse.errors import PolicyLoadError, ScenarioError
from rehearse.experiments.build import Props, assemble
from rehearse.scenario.model import Part

SMALL = {"users": 12, "ticks": 1, "replicas": 1}
GOALS = {"people.settings.goals": {"booking": 0.4}}
LODGING = domains.load("lodging")
THANKS = "Thank you and goodbye."


def said_by(messages, role):
    """Return the acts of what somebody said in a conversation, from the words alone."""
    texts = (m["content"] for m in messages if m["role"] == role and m["content"])
    acts = [LODGING.told(LODGING.read(text, role)) for text in texts]
    return [act for turn in acts for act in turn], (acts or [()])[-1]


def call(name, /, **arguments):
    """Return a call of a function."""
    return name, json.dumps(arguments)


class Assistant:
    """An assistant by rule that reads English; `broken` maps the number of a question to what is replied."""

    def __init__(self, broken=None, slow=None):
        self.broken, self.slow = broken or {}, slow or {}
        self.bodies, self.headers = [], []
        self.lock = threading.Lock()

    def whole(self, body):
        """Return what is replied to a question."""
        content, calls = self.reply(body)
        return replied({"role": "assistant", "content": content, "tool_calls": as_calls(calls)})

    def reply(self, body):
        """Return words and calls: look first, then say something."""
        messages = body["messages"]
        acts, now = said_by(messages, "user")
        told = {a.slot: a.value for a in acts if a.intent == "inform"}
        wanted = {s: v for s, v in told.items() if s in {"area", "price", "kind"}}
        results = [json.loads(m["content"]) for m in messages if m["role"] == "tool"]
        if any(a.intent == "bye" for a in now):
            return THANKS, [call("goodbye")]
        if not results:
            return "Let me look.", [call("find", **wanted)]
        if not results[0]["first"]:
            return None, [call("nothing_fits")]
        best = results[0]["first"][0]
        details = {s: told[s] for s in ("people", "day") if s in told}
        if any(a.intent == "book" for a in acts) and len(details) == 2 and THANKS not in str(messages):
            if len(results) == 1:
                return None, [call("book", name=best["name"], **details)]
            return f"Booked: {best['name']}!", []
        asked = [a.slot for a in now if a.intent == "request" and a.slot in best]
        if any(a.intent == "book" for a in now):
            return None, [call("ask", slot=s) for s in ("people", "day") if s not in told][:1]
        answers = [call("tell", **{slot: best[slot] for slot in asked})] if asked else []
        return "How about this?", [call("recommend", name=best["name"]), *answers]


def replied(message):
    """Return a message as the protocol has it."""
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    return {"choices": [{"index": 0, "message": message}], "usage": usage}


@contextmanager
def served(assistant):
    """Serve on loopback; give the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one piece

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send(200, {"object": "list", "data": [{"id": "rules"}]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with assistant.lock:
                number = len(assistant.bodies)
                assistant.bodies.append(body)
                assistant.headers.append(dict(self.headers))
            time.sleep(assistant.slow.get(number, 0.0))
            status, message = assistant.broken.get(number, (200, None))
            whole = assistant.whole(body) if message is None else replied(message)
            self.send(status, message if isinstance(message, str) else whole)

        def send(self, status, told):
            said = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
    finally:
        server.shutdown()
        server.server_close()


def as_calls(calls):
    """Return calls as the protocol has them."""
    return [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(calls)
    ]


def run_with(url, out, settings=None, **changes):
    """Run a small `assist` with the assistant at an address."""
    policy = {"policy": {"name": url, "settings": settings or {}}}
    return rehearse.run("assist", out=out, settings=GOALS | policy, **SMALL | changes)


def asked(url, count=4, turns=1, **settings):
    """Return the first turn of a small `assist`, and the seam that was asked."""
    short = {"time.max_turns": turns}
    scenario = rehearse.load("assist", users=count, ticks=1, replicas=1, settings=short)
    policy = {"name": url, "settings": {"concurrency": 1} | settings}
    assembly = assemble(scenario.model_copy(update={"policy": Part(**policy)}))
    seen = []
    watcher = type("W", (), {"on_turn": lambda _, x: seen.append(x), "on_tick": lambda *_: None})()
    assembly.simulation.watchers.append(watcher)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assembly.simulation.advance()
    return seen[0], assembly.policy.asked


def words_of(codes):
    """Return the faults of answers in words."""
    return [Fault(code).word for code in codes]


def test_a_chat_assistant_serves_people_and_replays_without_its_server(tmp_path):
    """It looks, recommends, answers and books by calls; its words are kept; the record proves itself."""
    assistant = Assistant()
    with served(assistant) as url:
        settings = {"price": {"prompt": 0.5, "completion": 1.5}, "model": "rules"}
        run = run_with(url, tmp_path / "run", settings)
    ends = run.turns.query("SELECT avg(success) AS s FROM turns WHERE \"end\" <> 'none'")
    assert ends["s"][0] > 0.8
    assert run.turns.query("SELECT DISTINCT fault FROM turns")["fault"].tolist() == ["none"]
    words = run.turns.query("SELECT * FROM words")
    assert any(text.startswith("Booked: ") for text in words["reply"].tolist())
    calls = [call for text in words["calls"].tolist() if text for call in json.loads(text)]
    assert {call["tool"] for call in calls} == {"find", "book"}
    found = run.turns.query(
        "SELECT sum(spent) AS spent, sum(prompt_tokens) AS p, sum(completion_tokens) AS c FROM turns"
    )
    assert found["p"][0] == 100 * len(assistant.bodies)
    assert found["spent"][0] == pytest.approx(0.0005 * found["p"][0] + 0.0015 * found["c"][0])
    source = run.turns.manifest["policy"]["sources"][0]
    assert (source["protocol"], source["model"]) == ("chat", "rules")
    replayed = rehearse.replay(run.folder)
    assert replayed.same, replayed.detail


def test_blocks_tiles_and_company_change_nothing_of_what_is_asked():
    """People in blocks of three, one conversation at a time: the very same record."""
    found = []
    with served(Assistant()) as url:
        for cut in ({}, {"block": 3, "tile": 2}):
            scenario = rehearse.load(
                "assist", settings={"policy": {"name": url}} | GOALS, **SMALL | {"users": 8}
            )
            assembly = assemble(scenario, Props(**cut))
            recorder = assembly.new_recorder()
            assembly.simulation.watchers.append(recorder)
            assembly.simulation.advance()
            found.append(recorder.digest)
    assert found[0] == found[1]


def test_each_failure_is_the_fault_of_its_own_row():
    """A reply that cannot be understood is the assistant's failure; a server that fails is none of its."""
    broken = [
        (503, ""),
        (500, "no"),
        (200, "oops"),
        (200, {"content": None}),
        (200, {"content": "x", "tool_calls": as_calls([("sing", "{}")])}),
        (200, {"tool_calls": as_calls([("find", "{area:")])}),
        (200, {"tool_calls": as_calls([call("find", colour="red")])}),
        (200, {"tool_calls": as_calls([call("ask", slot="colour")])}),
        (302, ""),
    ]
    assistant = Assistant(broken=dict(enumerate(broken)), slow={9: 4.0})
    with served(assistant) as url:
        first, seam = asked(url, count=11, timeout_ms=2000)
    assert words_of(first.decisions.fault) == [
        "unreached", "raised", "wrong_shape", "wrong_shape", "unknown_action", "wrong_shape", "wrong_shape",
        "wrong_shape", "unreached", "unreached", "none",
    ]  # fmt: skip
    assert (first.decisions.action[:-1] == -1).all()
    assert any("colour" in sentence for sentence in seam.complaints.sentences)


def test_an_assistant_that_only_looks_is_stopped():
    """After so many messages that only call tools the turn is the assistant's failure, and books nothing."""
    forever = {n: (200, {"tool_calls": as_calls([call("book", name="Juniper House")])}) for n in range(3)}
    with served(Assistant(broken=forever)) as url:
        first, _ = asked(url, count=1, rounds=3)
    assert words_of(first.decisions.fault) == ["wrong_shape"]
    assert (first.outcomes.becomes["booked"] == -1).all()


def test_retries_are_on_only_where_they_are_asked_for():
    """What failed and then came is an answer; `attempts` counts every call of the turn."""
    with served(Assistant(broken={0: (503, "")})) as url:
        first, _ = asked(url, count=1, retries=1)
    assert words_of(first.decisions.fault) == ["none"]
    assert first.decisions.detail["attempts"].tolist() == [3]


def test_the_conversation_is_sent_as_far_back_as_settings_say(monkeypatch):
    """System, then the last turns, then what is said now; marks, secrets and further fields go along."""
    monkeypatch.setenv("CHAT_TOKEN", "Bearer hush-hush")
    assistant = Assistant()
    settings = {"history": 1, "system": "Be brief.", "seed": 7, "max_tokens": 99, "body": {"top_p": 0.5}}
    with served(assistant) as url:
        asked(url, count=1, turns=4, secrets={"Authorization": "CHAT_TOKEN"}, **settings)
    roles = [[m["role"] for m in body["messages"]] for body in assistant.bodies]
    assert roles[0] == ["system", "user"]
    assert all(sent[:4] == ["system", "user", "assistant", "user"] for sent in roles[2:])
    last = assistant.bodies[-1]
    assert last["messages"][0]["content"] == "Be brief."
    assert (last["seed"], last["max_tokens"], last["top_p"]) == (7, 99, 0.5)
    assert {tool["function"]["name"] for tool in last["tools"]} >= {"find", "book", "recommend", "goodbye"}
    assert assistant.headers[0]["Authorization"] == "Bearer hush-hush"
    assert assistant.headers[0]["baggage"] == "user_agent.synthetic.type=test"


def test_functions_may_have_names_of_their_own():
    """An assistant with its own functions is understood by what settings say that they do."""
    tools = {
        "search": {"does": "find", "arguments": {"district": "area"}},
        "suggest": {"does": "inform", "arguments": {"hotel": "name"}},
        "next_one": {"does": "alternative"},
    }
    says = {
        0: (200, {"tool_calls": as_calls([call("search", district="hills")])}),
        1: (200, {"tool_calls": as_calls([call("suggest", hotel="Juniper House")])}),
        2: (200, {"tool_calls": as_calls([call("next_one")])}),
    }
    assistant = Assistant(broken=says)
    with served(assistant) as url:
        first, _ = asked(url, count=2, tools=tools)
    found = json.loads(assistant.bodies[1]["messages"][-1]["content"])
    assert found["count"] > 0
    assert {entity["area"] for entity in found["first"]} == {"hills"}
    assert "district" in assistant.bodies[0]["tools"][0]["function"]["parameters"]["properties"]
    items = [first.requests.items[i] for i in first.decisions.action]
    assert items == ["offer", "alternative"]
    assert LODGING.told(first.responses.said.answer[0])[0].value == "Juniper House"


def test_where_nobody_speaks_it_chooses_an_item(tmp_path):
    """In a world of items the message is what models see, as JSON, and the one function chooses."""

    class Lender(Assistant):
        def reply(self, body):
            seen = json.loads(body["messages"][-1]["content"])
            return None, [call("choose", item="grant" if seen["score"] >= 620 else "refuse")]

    with served(Lender()) as url:
        run = rehearse.run("lending", policy=url, out=tmp_path / "run", users=6, ticks=1, replicas=1)

    def here(requests):
        return np.where(requests["score"] >= 620, "grant", "refuse")

    same = rehearse.run("lending", policy=here, out=tmp_path / "here", users=6, ticks=1, replicas=1)
    actions = [r.turns.query('SELECT action FROM turns ORDER BY "user", tick, turn') for r in (run, same)]
    assert (actions[0]["action"] == actions[1]["action"]).all()
    assert rehearse.replay(run.folder).same


def test_plain_json_speaks_too(tmp_path):
    """Behind any other address people are sent with text and history, and answered with a text each."""

    class Plain(Assistant):
        def whole(self, body):
            seen = body["instances"][0]
            assert [m["by"] for m in seen["history"]] == ["user", "assistant"] * seen["turn"]
            return {"predictions": [{"text": THANKS if "bye" in seen["text"] else "One moment."}]}

    with served(Plain()) as url:
        run = run_with(url.replace("v1/chat/completions", "decide"), tmp_path / "run", {"batch": 1}, users=3)
    replies = set(run.turns.query("SELECT reply FROM words")["reply"].tolist())
    assert "One moment." in replies
    assert replies <= {"One moment.", THANKS}
    assert rehearse.replay(run.folder).same


def test_a_chat_model_may_lend_people_its_words(tmp_path):
    """It puts acts into words that nobody else decides by; a replay has them from the record, without it."""

    class Wordsmith(Assistant):
        def reply(self, body):
            return f"{body['messages'][-1]['content'].partition('nothing: ')[2]} ({len(self.bodies)})", []

    smith = Wordsmith()
    size = {"users": 3, "ticks": 1, "replicas": 1, "settings": GOALS}
    with served(smith) as url:
        lent = GOALS | {"world.settings.client": {"name": url, "settings": {"model": "smith"}}}
        run = rehearse.run("assist", out=tmp_path / "lent", **size | {"settings": lent})
    assert smith.bodies[0]["model"] == "smith"
    words = run.turns.query("SELECT said, reply FROM words")
    assert all(text.endswith(")") for name in ("said", "reply") for text in words[name].tolist() if text)
    plain = rehearse.run("assist", out=tmp_path / "plain", **size)
    assert run.digest == plain.digest
    replayed = rehearse.replay(run.folder)
    assert replayed.same, replayed.detail


def test_a_chat_model_may_judge_but_decides_nothing_by_itself(tmp_path):
    """Its opinions stand in a column and a metric of their own, and in no criterion that does not say so."""

    class Critic(Assistant):
        def reply(self, body):
            return "I give it 80." if "hank" in body["messages"][-1]["content"] else "No idea.", []

    critic = Critic()
    claim = {"metric": "opinion:politeness", "at_least": 0.5}
    size = {"users": 3, "ticks": 1, "replicas": 1}
    with served(critic) as url:
        judge = {"world.settings.judge": {"client": url}}
        with pytest.raises(ScenarioError, match="opinion: true"):
            rehearse.run("assist", settings=judge | {"criteria": [claim]}, out=tmp_path / "no", **size)
        settings = judge | {"criteria": [claim | {"opinion": True}]}
        run = rehearse.run("assist", settings=settings, out=tmp_path / "run", **size)
    joined = 'words JOIN turns USING (replica, tick, "user", session, turn)'
    found = run.turns.query(f"SELECT reply, opinion_politeness AS o FROM {joined}")
    thought = dict(zip(found["reply"].tolist(), found["o"].tolist(), strict=True))
    assert thought[THANKS] == pytest.approx(0.8)
    assert any(np.isnan(o) for o in thought.values())
    assert len(critic.bodies) == len(thought), "each different answer is judged once"
    replayed = rehearse.replay(run.folder)
    assert replayed.same, replayed.detail


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"tools": {"sing": {"does": "singing"}}}, "singing"),
        ({"temprature": 1.0}, "temperature"),
        ({}, "Start its server"),
    ],
)
def test_mistakes_are_found_before_the_first_question(settings, named):
    """A wrong setting or address is one message."""
    with pytest.raises(PolicyLoadError, match=named):
        asked("http://127.0.0.1:9/v1/chat/completions", **settings)
