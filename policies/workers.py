"""Load and rate limits: how many may be served at a time, and what becomes of the others.

What waits in front of a model follows from how many asked in the tick before, in each society by itself:
nobody's wait depends on who else asks at the same moment, so the work may be cut up as one likes. With λ
requests a second, c workers and a mean service time 1/μ, the offered load is a = λ/μ and the utilisation
ρ = a/c. A request waits with probability C (Erlang's C formula), and then exponentially with rate cμ − λ
(Kleinrock, Queueing Systems I, 1975, M/M/c). From ρ = 1 on a queue grows without end: then 1/ρ of the
requests are served after the longest wait that is allowed, and the others refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from rehearse.columns import Array
from rehearse.contract import Decisions, Feedback, Flags, Requests, Stage
from rehearse.exact import Floats, log
from rehearse.policies.composed import Composed, Composition, noted, put_together
from rehearse.policies.composed import Load as Loader
from rehearse.scenario.base import NotNegative, Positive


class Counting(Composed):
    """A policy that counts how many of each society asked it in a tick."""

    counted: str
    """The column that is blank where it was not asked."""

    def __init__(self, name: str, policy: Any, stage: Stage, columns: Mapping[str, Any]) -> None:
        super().__init__(name, {"policy": policy}, stage, columns, learns=True)
        self._asked = np.zeros(len(self.replicas), dtype=np.int64)

    def hear(self, feedback: Feedback) -> None:
        """Tell the model, and count who asked."""
        super().hear(feedback)
        noted: Floats = np.asarray(
            feedback.detail.get(self.counted, np.zeros(len(feedback.user))), dtype=np.float64
        )
        rows = np.flatnonzero(noted >= 0.0)
        self._asked = np.bincount(self.society(feedback.replica[rows]), minlength=len(self.replicas))

    def state(self) -> dict[str, Array]:
        """Return how many asked, and what the model remembers."""
        return super().state() | {"asked": self._asked.copy()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        super().restore(state)
        self._asked = np.array(state["asked"], dtype=np.int64)

    def spared(self, requests: Requests, refused: Flags) -> Decisions:
        """Ask the model for those who are not refused."""
        rows, others = np.flatnonzero(~refused), np.flatnonzero(refused)
        asked = self.ask("policy", requests.take(rows))
        return put_together([asked, self.refusals(len(others))], [rows, others])


class Load(Composition):
    """A model, and the workers that serve it."""

    registered = "load-v1"
    parts = ("policy",)
    policy: Any
    """The model."""
    workers: Annotated[int, Field(ge=1, le=10_000)] = 1
    """How many serve at once."""
    service_ms: Positive = 50.0
    """How long a worker is busy with a request, on average."""
    busy_s: Positive = 3600.0
    """The seconds of a tick over which its requests come."""
    background: NotNegative = 0.0
    """Requests a second of others, for each society."""
    longest_ms: Positive = 10_000.0
    """Nobody waits longer: whose turn would come later is refused after so long."""

    def made(self, stage: Stage, load: Loader, where: str) -> Composed:
        """Return the policy."""
        return LoadPolicy(self, load(self.policy, "policy"), stage, where)


class LoadPolicy(Counting):
    """Columns `utilisation` (ρ) and `queued_ms` (the wait in the queue)."""

    counted = "utilisation"

    def __init__(self, given: Load, policy: Any, stage: Stage, where: str) -> None:
        own = {"utilisation": np.float32, "queued_ms": np.float32}
        super().__init__(given.registered, policy, stage, own)
        self._given, self._purpose = given, f"load{where}"

    def decide(self, requests: Requests) -> Decisions:
        """Let requests queue, and answer."""
        given = self._given
        society = self.society(requests.replica)
        rate = (self._asked / given.busy_s + given.background)[society]
        offered = rate * given.service_ms / 1000.0
        use = offered / given.workers
        luck = requests.uniform(self._purpose)[:, 0]
        wait = queued_ms(offered, given.workers, given.service_ms, luck)
        wait = np.where(use < 1.0, wait, np.where(luck * use < 1.0, given.longest_ms, np.inf))
        refused = wait > given.longest_ms
        wait = np.minimum(wait, given.longest_ms).astype(np.float32)
        answer = self.spared(requests, refused)
        answer = replace(answer, latency=(answer.latency + wait).astype(np.float32))
        return noted(answer, utilisation=use.astype(np.float32), queued_ms=wait)


def queued_ms(offered: Floats, workers: int, service_ms: float, luck: Floats) -> Floats:
    """Return waits in M/M/c queues, shape (n,), for draws in (0, 1); 0 where the queue is not stable.

    `offered` is a = λ/μ. Erlang's B by its recursion, B(k) = aB(k−1)/(k + aB(k−1)); C = B/(1 − ρ(1 − B)).
    """
    blocked = np.ones(len(offered))
    for k in range(1, workers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    use = offered / workers
    stable = use < 1.0
    waits = np.where(stable, blocked / np.where(stable, 1.0 - use * (1.0 - blocked), 1.0), 1.0)
    queues = stable & (luck < waits)
    # Whoever queues has luck / C uniform on (0, 1).
    longer = -log(np.where(queues, luck / np.where(waits > 0.0, waits, 1.0), 1.0))
    return np.where(queues, longer * service_ms / np.where(stable, workers - offered, 1.0), 0.0)


class RateLimit(Composition):
    """A model, and how often it may be asked."""

    registered = "rate-limit-v1"
    parts = ("policy",)
    policy: Any
    """The model."""
    person: Annotated[int, Field(ge=1)] | None = None
    """Requests of a person in a tick."""
    society: Annotated[int, Field(ge=1)] | None = None
    """Requests of a society in a tick: as many are refused, whoever they are, as there were too many in the
    tick before."""

    @model_validator(mode="after")
    def _limits(self) -> RateLimit:
        if self.person is None and self.society is None:
            problem = "this limits nothing: give person or society"
            raise ValueError(problem)
        return self

    def made(self, stage: Stage, load: Loader, where: str) -> Composed:
        """Return the policy."""
        return LimitPolicy(self, load(self.policy, "policy"), stage, where)


class LimitPolicy(Counting):
    """Column `limited` (1, 0)."""

    counted = "limited"

    def __init__(self, given: RateLimit, policy: Any, stage: Stage, where: str) -> None:
        super().__init__(given.registered, policy, stage, {"limited": np.int8})
        self._given, self._purpose = given, f"limit{where}"

    def decide(self, requests: Requests) -> Decisions:
        """Answer those who are within the limits."""
        given, refused = self._given, np.zeros(len(requests), dtype=np.bool_)
        if given.person is not None:
            refused |= requests.turn >= given.person
        if given.society is not None:
            passes = given.society / np.maximum(self._asked, given.society)
            refused |= requests.uniform(self._purpose)[:, 0] >= passes[self.society(requests.replica)]
        return noted(self.spared(requests, refused), limited=refused.astype(np.int8))
