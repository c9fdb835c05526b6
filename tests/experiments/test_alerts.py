"""Alerts reach a real receiver on loopback, in the form that Alertmanager's API v2 asks for."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import rehearse
from rehearse.errors import PolicyLoadError, UserError
from rehearse.experiments import alerts
from rehearse.experiments.cli import main
from rehearse.policies.sandbox import must_allow, walled

DEARER = {"tick": 12, "what": "items.train.gc", "times": 3.0, "note": "fares triple"}
SETTINGS = {
    "latency": [],
    "faults": [],
    "drift": [DEARER],
    "monitors": [{"series": "actions"}, {"series": "fault_rate", "detector": "ewma"}],
    "criteria": [
        {"metric": "goal_completion", "at_least": 0.99, "why": "never met"},
        {"metric": "fault_rate", "at_most": 0.5},
        {"metric": "acceptance", "at_least": 0.99, "group": "low income"},
    ],
}
SMALL = {"users": 80, "ticks": 20, "replicas": 3}


class Heard(BaseHTTPRequestHandler):
    """Alertmanager's POST /api/v2/alerts, and webhooks elsewhere; says 400 to what is no list of alerts."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v2/alerts":
            for alert in body:
                self.must_be_postable(alert)
        self.server.heard.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(f"you said {str(self.headers['Authorization']).removeprefix('Bearer ')}".encode())

    def must_be_postable(self, alert):
        """Hold an alert against `postableAlert` of Alertmanager's OpenAPI document."""
        assert set(alert) <= {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}
        assert alert["labels"]["alertname"]
        for pairs in (alert["labels"], alert["annotations"]):
            assert all(isinstance(value, str) and value for value in pairs.values())
            assert all(name.isidentifier() for name in pairs)
        starts, ends = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
        assert starts.tzinfo is not None
        assert starts <= ends
        assert "://" in alert["generatorURL"]

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def receiver():
    """Return a receiver at a free port of this machine: `heard`, `status`, `address`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Heard)
    server.heard, server.status = [], 200
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a run in which two criteria fail, one passes, and one of two monitors rings."""
    return rehearse.run("travel", out=tmp_path_factory.mktemp("run") / "run", settings=SETTINGS, **SMALL)


def sent(finished, *addresses):
    """Send the alerts of a run and return the complaints."""
    said = []
    alerts.send(finished, alerts.receivers(addresses, finished.turns.scenario), said.append)
    return said


def test_alertmanager_is_told_what_failed_what_rang_and_what_is_over(finished, receiver):
    """Failed criteria and alarms fire, the rest resolves; labels name what is judged and not the run."""
    assert sent(finished, f"{receiver.address}/api/v2/alerts") == []
    ((path, headers, body),) = receiver.heard
    assert path == "/api/v2/alerts"
    assert headers["User-Agent"].endswith("(synthetic traffic)")
    assert headers["baggage"] == "user_agent.synthetic.type=test"
    fires = {}
    for alert in body:
        about = alert["labels"].get("metric") or alert["labels"]["series"]
        over = datetime.fromisoformat(alert["endsAt"]) <= datetime.now(UTC)
        fires[alert["labels"]["alertname"], about] = not over
    assert fires == {
        ("RehearseCriterionFailed", "goal_completion"): True,
        ("RehearseCriterionFailed", "fault_rate"): False,
        ("RehearseCriterionFailed", "acceptance"): True,
        ("RehearseDrift", "actions"): True,
        ("RehearseDrift", "fault_rate"): False,
    }
    told = next(a for a in body if a["labels"].get("series") == "actions")
    assert "At tick 1" in told["annotations"]["summary"]
    assert "fares triple" in told["annotations"]["description"]
    identity = {"alertname", "job", "scenario", "policy", "severity", "series", "detector"}
    assert set(told["labels"]) == identity
    assert told["annotations"]["digest"] == finished.digest


def test_a_webhook_is_told_the_verdict_the_alarms_and_the_alerts(finished, receiver, monkeypatch):
    """One JSON object; parts of the address and the authorisation come from the environment."""
    monkeypatch.setenv("HOOK_PATH", "s3cret-hook-path")
    monkeypatch.setenv("REHEARSE_ALERT_AUTHORIZATION", "Bearer s3cret-token")
    assert sent(finished, receiver.address + "/${HOOK_PATH}") == []
    ((path, headers, body),) = receiver.heard
    assert (path, headers["Authorization"]) == ("/s3cret-hook-path", "Bearer s3cret-token")
    assert body["verdict"] == "fail"
    assert body["digest"] == finished.digest
    assert [c["metric"] for c in body["criteria"]] == ["goal_completion", "fault_rate", "acceptance"]
    assert body["alarms"] == finished.alarms
    assert len(body["alerts"]) == 5


def test_an_alert_that_cannot_be_sent_is_said_without_secrets(finished, receiver, monkeypatch):
    """A receiver that refuses, or is not there, costs a sentence; what it repeats of a secret is hidden."""
    monkeypatch.setenv("HOOK_PATH", "s3cret-hook-path")
    monkeypatch.setenv("REHEARSE_ALERT_AUTHORIZATION", "Bearer s3cret-token")
    receiver.status = 500
    said = sent(finished, receiver.address + "/${HOOK_PATH}", "http://127.0.0.1:9/hook")
    assert len(said) == 2
    assert "500 you said ***" in said[0]
    assert "${HOOK_PATH}" in said[0]
    assert "was not reached" in said[1]
    assert "s3cret" not in "".join(said)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://alerts.example.com/api/v2/alerts", "alerts.example.com:80, which the sandbox"),
        ("alertmanager:9093", "no address"),
        ("http://localhost/${NOT_SET_ANYWHERE}", "no variable 'NOT_SET_ANYWHERE'"),
    ],
)
def test_an_address_that_may_not_be_used_is_refused_before_the_run(address, said, tmp_path):
    """Hosts that the sandbox does not allow are not called; nothing is run first."""
    with pytest.raises(UserError, match=said):
        rehearse.run("travel", out=tmp_path / "run", alert=address)
    assert not (tmp_path / "run").exists()


def test_a_receiver_may_be_told_where_the_model_may_not_call():
    """`sandbox.alerts` lets Rehearse send there, and keeps the model out."""
    scenario = rehearse.load("travel", settings={"sandbox.alerts": ["alerts.example.com:9093"]})
    assert alerts.receivers("http://alerts.example.com:9093/hook", scenario)
    with walled(scenario.sandbox), pytest.raises(PolicyLoadError, match=r"sandbox\.allow"):
        must_allow("alerts.example.com", 9093)
    with pytest.raises(UserError, match="is no host, such as"):
        rehearse.load("travel", settings={"sandbox.alerts": ["http://alerts.example.com"]})


def test_the_command_line_sends_and_never_loses_the_run(tmp_path, receiver, capsys):
    """`--alert` twice: one is heard, the other complained of on stderr; the exit code is the verdict's."""
    out = str(tmp_path / "run")
    size = ["--users", "30", "--ticks", "2", "--replicas", "2", "--set", "criteria=[]", "--set", "drift=[]"]
    to = ["--alert", f"{receiver.address}/hook", "--alert", "http://127.0.0.1:9/hook"]
    assert main(["run", "travel", "-q", "--out", out, *size, *to]) == 3
    assert [body["verdict"] for _, _, body in receiver.heard] == ["unsure"]
    assert "rehearse: no alert was sent to http://127.0.0.1:9/hook" in capsys.readouterr().err
