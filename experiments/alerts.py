"""Alerts: what a finished run has to say to those who watch, sent to Prometheus Alertmanager or to a webhook.

A failed criterion and a monitor that rang fire; a passed criterion and a monitor that was quiet resolve what
an earlier run fired, for an alert's labels, which are its identity, name the scenario, the policy and the
criterion or monitor, and never the run. What is unsure changes nothing. An address whose path ends in
/api/v2/alerts is an Alertmanager's; any other is sent one JSON object with the verdict, the alarms and the
same alerts. The walls of the scenario's sandbox stand round the sending: this machine, and the hosts of
`sandbox.allow` and `sandbox.alerts`; the model may call only those of the former.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rehearse import redact
from rehearse.errors import RehearseError, UserError
from rehearse.experiments.monitor import CALIBRATED, monitors_of, unrecorded
from rehearse.policies.complaints import AnswerError
from rehearse.policies.http.wire import Wire
from rehearse.policies.outward import Hosts
from rehearse.policies.sandbox import DEFAULT_PORTS, loading, walled

if TYPE_CHECKING:
    from rehearse.experiments.outcome import Finished
    from rehearse.scenario.model import Scenario
    from rehearse.scenario.sandbox import Sandbox

ALERTMANAGER = "/api/v2/alerts"
AUTHORIZATION = "REHEARSE_ALERT_AUTHORIZATION"
"""The environment variable that holds the header Authorization, where the receiver asks for one."""
VARIABLE = re.compile(r"\$\{(\w+)\}")
"""A part of an address that is secret, by the environment variable that holds it."""
FIRES_FOR = timedelta(days=1)
"""Without another run an alert resolves after so long: nobody sends it again."""
TIMEOUT_S = 10.0
Alert = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Receiver:
    """An address that alerts are sent to."""

    name: str
    """As it was given, without the values of secrets."""
    url: str

    @property
    def alertmanager(self) -> bool:
        """Return whether it speaks the API of Alertmanager."""
        return urlsplit(self.url).path.rstrip("/").endswith(ALERTMANAGER)


def receivers(addresses: str | Sequence[str], scenario: Scenario) -> list[Receiver]:
    """Return who is to be sent alerts; raises UserError where an address cannot be used, before a run."""
    given = [addresses] if isinstance(addresses, str) else addresses
    found = [Receiver(address, VARIABLE.sub(_from_environment, address)) for address in given]
    for receiver in found:
        parts = urlsplit(receiver.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            problem = f"alerts are to be sent to {receiver.name!r}, which is no address."
            raise UserError(problem, f"Write http://HOST:9093{ALERTMANAGER}, or that of a webhook.")
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        if not Hosts(_walls(scenario).allow).may_reach(parts.hostname, port):
            where = f"{parts.hostname}:{port}"
            problem = f"alerts are to be sent to {where}, which the sandbox of the scenario does not allow."
            raise UserError(problem, f"Add it: --set 'sandbox.alerts=[\"{where}\"]'.")
    return found


def send(finished: Finished, to: Sequence[Receiver], say: Callable[[str], None]) -> None:
    """Send what a run has to say; where that fails, `say` it and go on."""
    if not to:
        return
    redact.learn([AUTHORIZATION])
    alerts = list(alerts_of(finished))
    for receiver in to:
        body = alerts if receiver.alertmanager else summary(finished, alerts)
        try:
            with walled(_walls(finished.turns.scenario)), loading():
                _wire(receiver).post(receiver.url, json.dumps(body, allow_nan=False).encode())
        except (AnswerError, RehearseError, OSError, ValueError) as error:
            why = error.sentence if isinstance(error, AnswerError) else str(error)
            said = f"no alert was sent to {receiver.name}: it {why}."
            say(redact.redacted(said.replace(receiver.url, receiver.name)))


def alerts_of(finished: Finished) -> Iterator[Alert]:
    """Return the alerts of a run, as Alertmanager takes them: those that fire, and those that are over."""
    record = finished.turns
    verdict, now = record.verdict, datetime.now(UTC)
    common = {
        "job": "rehearse",
        "scenario": record.scenario.name,
        "policy": str(record.manifest["policy"]["name"]),
    }
    about = {"generatorURL": (finished.folder / "report.html").resolve().as_uri()}
    for found in verdict["criteria"] if finished.verdict != "not completed" else ():
        labels = {"metric": found["metric"], "group": found["group"] or "everybody", "severity": "critical"}
        labels |= common | {"alertname": "RehearseCriterionFailed", "bound": _bound(found)}
        if found["verdict"] != "unsure":
            told = _told(found["sentence"], finished, found["why"])
            yield about | _alert(labels, told, now, fires=found["verdict"] == "fail")
    heard = [m for m in monitors_of(record) if m.series not in unrecorded(record)]
    watched = {(m.series, m.detector.name if m.detector else CALIBRATED) for m in heard}
    for series, detector in sorted(watched):
        rang = [a for a in verdict["alarms"] if (a["series"], a["detector"]) == (series, detector)]
        labels = {"series": series, "detector": detector, "severity": "warning"}
        labels |= common | {"alertname": "RehearseDrift"}
        said = " ".join(a["sentence"] for a in rang) or f"{series} did not shift."
        cause = next((a["cause"] for a in rang if a["cause"]), "")
        yield about | _alert(labels, _told(said, finished, cause), now, fires=bool(rang))


def summary(finished: Finished, alerts: Sequence[Alert]) -> dict[str, Any]:
    """Return what a webhook is sent."""
    verdict, manifest = finished.turns.verdict, finished.turns.manifest
    return {
        "schema_version": 1,
        "run": manifest["run"],
        "scenario": manifest["scenario"],
        "policy": {name: manifest["policy"][name] for name in ("name", "version")},
        "digest": finished.digest,
        "verdict": finished.verdict,
        "sentence": verdict["sentence"],
        "criteria": [{k: v for k, v in c.items() if k != "evidence"} for c in verdict["criteria"]],
        "alarms": verdict["alarms"],
        "alerts": list(alerts),
    }


def _alert(labels: Mapping[str, str], told: Mapping[str, str], now: datetime, *, fires: bool) -> Alert:
    ends = now + FIRES_FOR if fires else now
    times = {"startsAt": now.isoformat(), "endsAt": ends.isoformat()}
    return {"labels": dict(labels), "annotations": {k: v for k, v in told.items() if v}, **times}


def _told(sentence: str, finished: Finished, why: str) -> dict[str, str]:
    return {"summary": sentence, "description": why, "run": finished.folder.name, "digest": finished.digest}


def _bound(criterion: Mapping[str, Any]) -> str:
    return f"{criterion['direction'].replace('_', ' ')} {criterion['threshold']:g}"


def _walls(scenario: Scenario) -> Sandbox:
    spec = scenario.sandbox
    return spec.model_copy(update={"allow": (*spec.allow, *spec.alerts)})


def _wire(receiver: Receiver) -> Wire:
    hidden = {"Authorization": AUTHORIZATION} if os.environ.get(AUTHORIZATION) else {}
    return Wire(receiver.url, hidden, TIMEOUT_S)


def _from_environment(found: re.Match[str]) -> str:
    name = found[1]
    if not os.environ.get(name):
        problem = f"the environment has no variable {name!r}, which the address for alerts names."
        raise UserError(problem, "Set it, and run again.")
    redact.learn([name])
    return os.environ[name]
