"""Models behind HTTP: three protocols, failures told apart, marks, secrets, and replay without the server."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import rehearse
from rehearse.contract import Fault, Stage
from rehearse.errors import PolicyLoadError, UserError
from rehearse.experiments.metrics import Measures, find
from rehearse.policies import Split, load
from rehearse.policies.asked import Asked
from rehearse.testing import made_requests

STAGE = Stage(
    items=("refuse", "grant", "ask"),
    features=("score", "age"),
    groups=("all",),
    replicas=np.arange(2, dtype=np.int32),
)
CUT = 0.5
SMALL = {"users": 60, "ticks": 4, "replicas": 2}


class Service:
    """A small server of one model; `broken` maps the number of a question to what is answered instead."""

    def __init__(self, cut=CUT):
        self.cut = cut
        self.bodies, self.headers, self.connections, self.broken = [], [], set(), {}
        self.hangs_up = False

    def answer(self, path, body):
        """Return what the model says to a question, in the protocol of the path."""
        if "instances" in body:
            return {
                "predictions": ["grant" if p["score"] >= self.cut else "refuse" for p in body["instances"]]
            }
        if "dataframe_split" in body:
            place = body["dataframe_split"]["columns"].index("score")
            return {"predictions": [int(row[place] >= self.cut) for row in body["dataframe_split"]["data"]]}
        tensor = body["inputs"][0]
        scores = np.array(tensor["data"]).reshape(tensor["shape"])[:, 0]
        chances = np.column_stack([scores < self.cut, scores >= self.cut, 0 * scores]) * 0.75
        told = {"name": "probabilities", "shape": list(chances.shape), "datatype": "FP64"}
        return {"outputs": [told | {"data": chances.reshape(-1).tolist()}]}


@contextmanager
def served(service):
    """Serve on loopback; give the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            if "/v2/models/" in self.path and not self.path.endswith("/credit"):
                return self.reply(404, b"{}")
            inputs = [{"name": name, "shape": [-1, 1], "datatype": "FP32"} for name in ("score", "age")]
            return self.reply(
                200, json.dumps({"name": "credit", "versions": ["7"], "inputs": inputs}).encode()
            )

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = len(service.bodies)
            service.bodies.append(body)
            service.headers.append(dict(self.headers))
            service.connections.add(self.client_address)
            status, said = service.broken.get(number, (200, None))
            self.close_connection = service.hangs_up
            if status == 0:
                self.close_connection = True
                return None
            return self.reply(
                status, json.dumps(service.answer(self.path, body)).encode() if said is None else said
            )

        def reply(self, status, said):
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def asked(url, **settings):
    """Return the seam round a model behind HTTP."""
    return Asked(load(url, STAGE, settings), STAGE)


@pytest.mark.parametrize("path", ["/v2/models/credit", "/invocations", "/decide"])
def test_every_protocol_brings_the_models_answers(path):
    """Whatever the protocol, each person gets the answer to his own features, in batches of one size."""
    service = Service()
    requests = made_requests(STAGE, 50)
    with served(service) as server:
        seam = asked(server + path, batch=16, concurrency=2)
        answer = seam.decide(requests)
    assert answer.action.tolist() == (requests["score"] >= CUT).astype(int).tolist()
    assert len(service.bodies) == 4
    assert len(service.connections) <= 2
    sizes = {len(next(iter(body.values()))) for body in service.bodies if "instances" in body}
    assert sizes <= {16}
    if path.startswith("/v2"):
        assert np.allclose(answer.score, 0.75)


def test_what_calls_cost_is_told_beside_the_answers():
    """The price of a call is shared by those in it, and kept where the model is a part of another."""
    requests = made_requests(STAGE, 12)
    with served(Service()) as server:
        settings = {"batch": 8, "price_per_call": 1.0, "price_per_row": 0.125}
        answer = asked(f"{server}/decide", **settings).decide(requests)
        whole = Split("random-v1", {"name": f"{server}/decide", "settings": settings}, share=1.0)
        within = Asked(load(whole, STAGE), STAGE).decide(requests)
    assert answer.detail["spent"].tolist() == [0.25] * 8 + [0.375] * 4
    assert within.detail["spent"].tolist() == answer.detail["spent"].tolist()


def test_failures_are_told_apart():
    """A broken service is the infrastructure's failure, a refused question the model's; others go on."""
    service = Service()
    service.broken = {0: (503, b"busy"), 1: (422, b"bad"), 2: (200, b"oops"), 3: (0, b""), 5: (302, b"")}
    with served(service) as server:
        answer = asked(f"{server}/decide", batch=8, concurrency=1).decide(made_requests(STAGE, 48))
    faults = [Fault(code) for code in answer.fault[::8]]
    unreached = Fault.UNREACHED
    assert faults == [unreached, Fault.RAISED, Fault.WRONG_SHAPE, unreached, Fault.NONE, unreached]
    assert (answer.slate[answer.fault > 0] == -1).all()
    assert len(service.bodies) == 6, "nothing is asked twice unless retries are on"


def test_a_row_that_cannot_be_used_harms_no_other():
    """Within one call, an unknown item is the fault of its own row."""
    service = Service()
    said = {"predictions": ["grant", "sell", None, {"action": "refuse", "score": 0.25}, ["grant", "refuse"]]}
    service.broken = {0: (200, json.dumps(said).encode())}
    with served(service) as server:
        answer = asked(f"{server}/decide", batch=5).decide(made_requests(STAGE, 5))
    assert [Fault(code).word for code in answer.fault] == [
        "none",
        "unknown_action",
        "wrong_shape",
        "none",
        "none",
    ]
    assert answer.score[3] == 0.25


def test_retries_are_recorded_as_attempts():
    """What failed twice and then came is an answer, and the record says that it took three attempts."""
    service = Service()
    service.broken = {0: (503, b""), 1: (0, b"")}
    with served(service) as server:
        answer = asked(f"{server}/decide", batch=8, concurrency=1, retries=2).decide(made_requests(STAGE, 16))
    assert not answer.fault.any()
    assert answer.detail["attempts"].tolist() == [3] * 8 + [1] * 8


def test_a_server_that_never_answers_is_given_up():
    """A call ends with its time, as a failure of the infrastructure."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/decide"
        answer = asked(url, timeout_ms=50).decide(made_requests(STAGE, 4))
    assert (answer.fault == Fault.UNREACHED).all()


def test_a_connection_that_the_server_closed_is_not_used_again():
    """A server that hangs up after each reply is called on a new connection, and nothing fails."""
    service = Service()
    service.hangs_up = True
    with served(service) as server:
        seam = asked(f"{server}/decide")
        for _ in range(2):
            assert not seam.decide(made_requests(STAGE, 3)).fault.any()
            time.sleep(0.2)
    assert len(service.connections) == 2


def test_traffic_is_marked_and_secrets_are_hidden(monkeypatch):
    """Calls say that they are synthetic; a secret goes to the server, and never into what is said of it."""
    monkeypatch.setenv("CREDIT_TOKEN", "hush-hush")
    service = Service()
    service.broken = {0: (500, b"no, hush-hush is wrong")}
    with served(service) as server:
        seam = asked(f"{server}/decide", secrets={"Authorization": "CREDIT_TOKEN"})
        seam.decide(made_requests(STAGE, 3))
    (headers,) = service.headers
    assert headers["Authorization"] == "hush-hush"
    assert headers["User-Agent"].startswith("rehearse/")
    assert headers["baggage"] == "user_agent.synthetic.type=test"
    assert len(headers["traceparent"].split("-")) == 4
    (sentence,) = seam.complaints.sentences
    assert "500 no, *** is wrong" in sentence


@pytest.mark.parametrize(
    ("ref", "settings", "named"),
    [
        ("http://me:secret@127.0.0.1/x", {}, "environment variable"),
        ("http:///x", {}, "no host"),
        ("http://127.0.0.1:port/x", {}, "no host"),
        ("http://127.0.0.1:9/x", {"bach": 3}, "batch"),
        ("http://127.0.0.1:9/x", {"secrets": {"Authorization": "REHEARSE_NO_SUCH"}}, "REHEARSE_NO_SUCH"),
        ("http://127.0.0.1:9/x", {}, "Start its server"),
    ],
)
def test_mistakes_are_found_before_the_first_question(ref, settings, named):
    """A wrong address, setting or environment is one message, and no password is repeated in it."""
    with pytest.raises(PolicyLoadError, match=named) as caught:
        load(ref, STAGE, settings).meet()
    assert "me:secret" not in str(caught.value)


def test_a_run_against_a_server_equals_one_in_process_and_replays_without_it(tmp_path):
    """The same decisions give the same digest, and the record gives it once more when the server is gone."""
    scenario = rehearse.load("lending", **SMALL)

    def decide(requests):
        return np.where(requests["score"] >= 620, "grant", "refuse")

    here = rehearse.run(scenario, policy=decide, out=tmp_path / "here")
    with served(Service(cut=620)) as server:
        url = f"{server}/decide"
        plain = rehearse.run(scenario, policy=url, out=tmp_path / "plain")
        bounds = scenario.bounds.model_copy(update={"user_turns": 1})
        part = scenario.model_copy(update={"bounds": bounds})
        stopped = rehearse.run(part, policy=url, out=tmp_path / "stopped")
    assert plain.digest == here.digest
    assert stopped.verdict == "not completed"
    for run in (plain, stopped):
        replayed = rehearse.replay(run.folder)
        assert replayed.same, replayed.detail
    assert plain.turns.manifest["policy"]["sources"][0]["url"] == url
    with pytest.raises(PolicyLoadError, match="Start its server"):
        rehearse.run(scenario, policy=url, out=tmp_path / "gone")
    manifest = plain.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"record": "all"', '"record": "sample:0.5"'))
    with pytest.raises(UserError, match="--record all"):
        rehearse.replay(plain.folder)


def test_a_part_of_a_policy_and_an_outage_are_replayed_too(tmp_path):
    """Within a split, with failures and retries, the record says all; an outage is not the model's fault."""
    service = Service(cut=620)
    service.broken = {0: (503, b""), 1: (503, b""), 2: (503, b"")}
    with served(service) as server:
        policy = Split("threshold-v1", f"{server}/decide?retries=1", share=0.9)
        with pytest.warns(UserWarning, match="was not reached"):
            run = rehearse.run("lending", policy=policy, out=tmp_path / "run", **SMALL)
    faults = run.turns.query("SELECT DISTINCT fault FROM turns ORDER BY fault")["fault"].tolist()
    assert faults == ["none", "unreached"]
    assert Measures(run.turns).interval(find("error_rate"), 0.95).estimate == 0
    replayed = rehearse.replay(run.folder)
    assert replayed.same, replayed.detail
