"""The sandbox: a model reaches nobody whom the scenario does not name, and what it tries is told."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

import rehearse
from rehearse.errors import PolicyLoadError, SandboxError
from rehearse.policies.outward import Hosts
from rehearse.policies.sandbox import Within, must_allow, outside, walled
from rehearse.scenario.sandbox import Sandbox
from rehearse.scenario.wrong import check

SMALL = {"users": 12, "ticks": 2, "replicas": 2}
ELSEWHERE = ("192.0.2.1", 443)
"""An address of TEST-NET-1 (RFC 5737), which is nobody's."""


def calls_home(person):
    """Call another host before answering."""
    socket.create_connection(ELSEWHERE, timeout=5)
    return "car"


def calls_home_and_goes_on(person):
    """Call another host, and make do without."""
    with contextlib.suppress(Exception):
        socket.create_connection(ELSEWHERE, timeout=5)
    return "car"


def calls_in_a_thread(person):
    """Call another host from a thread of its own."""
    caught = []

    def call():
        try:
            socket.create_connection(ELSEWHERE, timeout=5)
        except Exception as error:  # noqa: BLE001 - handed on below
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]
    return "car"


def begins_a_program(person):
    """Leave the process."""
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return "car"


@pytest.mark.parametrize("model", [calls_home, calls_in_a_thread, begins_a_program])
def test_a_model_that_leaves_the_sandbox_is_refused_and_the_record_says_so(model, tmp_path):
    """Fault, count, verdict, manifest, log and report tell it; the run goes to its end."""
    done = rehearse.run("travel", policy=model, out=tmp_path / "r", **SMALL)
    tried = "begin a process" if model is begins_a_program else "tried to call 192.0.2.1:443"
    assert done.turns.query("SELECT DISTINCT fault FROM turns")["fault"].tolist() == ["forbidden"]
    refused = done.turns.manifest["sandbox"]["refused"]
    assert [tried in what for what in refused] == [True]
    assert sum(refused.values()) >= done.user_turns
    (sentence,) = done.turns.verdict["refusals"]
    assert sentence.startswith("The model tried to")
    assert tried in done.problems[0]
    assert sentence.split(":")[0] in (done.folder / "report.html").read_text()


def test_a_model_that_makes_do_without_keeps_its_answers_and_is_told_of(tmp_path):
    """Catching the error hides nothing; what it answers then is an answer."""
    done = rehearse.run("travel", policy=calls_home_and_goes_on, out=tmp_path / "r", **SMALL)
    assert done.turns.query("SELECT DISTINCT fault FROM turns")["fault"].tolist() == ["none"]
    assert done.turns.manifest["sandbox"]["refused"] == {"tried to call 192.0.2.1:443": done.user_turns}


def test_shards_hold_a_model_too_and_go_on_talking(tmp_path):
    """Pipes and sockets of the run itself go through; refusals of all shards are counted together."""
    (tmp_path / "model.py").write_text(
        "import socket\ndef decide(person):\n    socket.create_connection(('192.0.2.1', 443), timeout=5)\n"
    )
    reference = f"{tmp_path / 'model.py'}:decide"
    done = rehearse.run("travel", policy=reference, out=tmp_path / "r", shards=2, **SMALL)
    assert done.turns.manifest["sandbox"]["refused"] == {"tried to call 192.0.2.1:443": done.user_turns}


def test_a_model_that_calls_home_when_it_is_loaded_is_not_loaded(tmp_path):
    """The error names the host and the setting."""
    (tmp_path / "model.py").write_text("import socket\nsocket.create_connection(('192.0.2.1', 443))\n")
    with pytest.raises(PolicyLoadError, match=r"192\.0\.2\.1:443.*sandbox\.allow"):
        rehearse.run("travel", policy=f"{tmp_path / 'model.py'}:decide", out=tmp_path / "r", **SMALL)


def test_this_machine_can_always_be_called():
    """A server on loopback is reached within the walls, by name and by number."""
    with socket.create_server(("127.0.0.1", 0)) as server, walled(Sandbox()) as walls, Within(walls):
        for host in ("localhost", "127.0.0.1"):
            socket.create_connection((host, server.getsockname()[1]), timeout=5).close()
        assert walls.count == 0


def test_outside_of_a_call_nothing_is_held():
    """Before, after and beside the model's own code the hook lets everything pass."""
    with walled(Sandbox()) as walls:
        with Within(walls):
            with pytest.raises(SandboxError), socket.socket(type=socket.SOCK_DGRAM) as sock:
                sock.connect(ELSEWHERE)
            with outside(), socket.socket(type=socket.SOCK_DGRAM) as sock:
                sock.connect(ELSEWHERE)  # nothing is sent by connecting a datagram socket
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.connect(ELSEWHERE)
    assert not issubclass(SandboxError, OSError)


@pytest.mark.parametrize(
    ("allowed", "host", "port", "may"),
    [
        ("models.example.com", "Models.Example.com.", 443, True),
        ("models.example.com:443", b"models.example.com", 443, True),
        ("models.example.com:443", "models.example.com", 80, False),
        ("10.1.2.3", "10.1.2.3", 80, True),
        ("10.1.2.3:80", "::ffff:10.1.2.3", 80, True),
        ("[2001:db8::1]:443", "2001:db8::1", 443, True),
        ("[2001:db8::1]:443", "2001:db8::2", 443, False),
        ("models.example.com", "models.example.com.evil.org", 443, False),
    ],
)
def test_hosts_are_allowed_by_name_number_and_port(allowed, host, port, may, monkeypatch):
    """An entry means one host, however it is written, at any port or at the one that it names."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])
    assert Hosts(check(Sandbox, {"allow": [allowed]}).allow).may_reach(host, port) is may


def test_the_addresses_of_an_allowed_name_are_allowed(monkeypatch):
    """Libraries look a name up and connect to a number: that is the same host."""
    told = [(0, 0, 0, "", ("198.51.100.7", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: told)
    hosts = Hosts(["models.example.com:443"])
    assert hosts.may_look_up("models.example.com")
    assert hosts.may_reach("198.51.100.7", 443)
    assert not hosts.may_reach("198.51.100.7", 22)
    assert not hosts.may_reach("198.51.100.8", 443)
    assert not hosts.may_look_up("example.com")


def test_an_adapter_says_at_once_that_its_host_is_not_allowed():
    """The message names the setting to write; without a scenario nothing is asked."""
    must_allow("models.example.com", 443)
    with walled(Sandbox(allow=("localhost:8080",))):
        must_allow("127.0.0.1", 9)
        with pytest.raises(PolicyLoadError, match=r"add 'models\.example\.com:443' to sandbox\.allow"):
            must_allow("models.example.com", 443)
    with pytest.raises(PolicyLoadError, match=r"models\.example\.com:443, which the sandbox"):
        rehearse.run("travel", policy="https://models.example.com/invocations", **SMALL)


def test_a_run_without_foreign_code_sets_no_hook(tmp_path, monkeypatch):
    """Built-in models cost nothing: the hook is not even there; a foreign one brings it."""
    hooks = []
    monkeypatch.setattr("rehearse.policies.sandbox._HOOKED", [])
    monkeypatch.setattr("rehearse.policies.sandbox._hook_in", lambda: hooks.append("in"))
    rehearse.run("travel", policy="random-v1", out=tmp_path / "own", **SMALL)
    assert not hooks
    rehearse.run("travel", policy=lambda person: "car", out=tmp_path / "foreign", **SMALL)
    assert hooks


def test_walls_count_the_kinds_that_they_remember():
    """A model that tries a new host each time does not fill the memory."""
    with walled(Sandbox()) as walls:
        for number in np.arange(300):
            walls.add({"refused": {f"tried to call host-{number}": 1}})
    assert len(walls.refused) <= 101
    assert walls.count == 300
