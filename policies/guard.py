"""Guard: what a model may not do, to whom, how often, and when enough harm was done.

A guard trips where all that it says holds: the slate names one of its items, the person is of its group, was
offered them often enough in the tick, and the society's harm has used up the budget. Then the offer is
vetoed or replaced, or the run stops. How often is read off what the person was shown in the session (the last
ten items at most); harm is what the turns of earlier ticks did, in each society by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from rehearse.columns import Array
from rehearse.contract import Decisions, Feedback, Flags, Requests, Stage
from rehearse.errors import NotCompletedError, PolicyLoadError, UserError, did_you_mean
from rehearse.policies.composed import Composed, Composition, Load, noted
from rehearse.policies.conditions import without
from rehearse.policies.settings import item_number
from rehearse.scenario.base import Name, NotNegative


class Guard(Composition):
    """A model, and a rule that its answers must keep."""

    registered = "guard-v1"
    parts = ("policy",)
    policy: Any
    """The model."""
    name: Name = "guard"
    """What the record calls it."""
    items: tuple[str | int, ...] = ()
    """The items concerned; none: all."""
    group: str | None = None
    """Only people of this group."""
    at_most: Annotated[int, Field(ge=0, le=10)] = 0
    """How many of these items a person may be offered in a tick; 0: none."""
    harm_budget: NotNegative | None = None
    """The rule holds only once a society's harm has come to so much; None: always."""
    then: Literal["veto", "replace", "stop"] = "veto"
    """The person gets no answer, or another item, or the run stops."""
    replace: str | int | None = None
    """The item that is offered instead."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.then == "replace") != (self.replace is not None):
            problem = "give `replace`, the item offered instead, with `then: replace`, and only with it"
            raise ValueError(problem)
        if self.replace is not None and (self.replace in self.items or not self.items):
            problem = f"{self.replace!r} is one of the items concerned, and cannot be the replacement"
            raise ValueError(problem)
        if not self.items and not self.at_most and self.group is None and self.harm_budget is None:
            problem = "this forbids everything: give items, group, at_most or harm_budget"
            raise ValueError(problem)
        return self

    def made(self, stage: Stage, load: Load, where: str) -> Composed:  # noqa: ARG002 - it draws nothing
        """Return the policy."""
        return GuardPolicy(self, load(self.policy, "policy"), stage)


class GuardPolicy(Composed):
    """A model within a rule; where the rule changed an answer, the column `guard` names it.

    With a budget, the column `harm_done` is what the society's harm had come to before the tick.
    """

    def __init__(self, given: Guard, policy: Any, stage: Stage) -> None:
        budget = given.harm_budget is not None
        own = {"harm_done": np.float32} if budget else {}
        super().__init__(given.registered, {"policy": policy}, stage, own, learns=budget)
        self._given, self._code = given, np.int8(len(self.guards))
        self.guards = (*self.guards, given.name)
        path = f"{given.registered}, items"
        items = given.items or range(len(stage.items))
        self._items = np.array([item_number(item, stage, path) for item in items], dtype=np.int32)
        self._instead = None if given.replace is None else item_number(given.replace, stage, path)
        self._group = None if given.group is None else _group(given.group, stage)
        self._harm = np.zeros(len(self.replicas))

    def decide(self, requests: Requests) -> Decisions:
        """Let the model answer, within the rule."""
        answer = self.ask("policy", requests)
        society = self.society(requests.replica)
        broken = np.isin(answer.slate, self._items)
        if self._given.at_most:
            before = np.isin(requests.shown, self._items).sum(axis=1)
            broken &= before[:, None] + np.cumsum(broken, axis=1) > self._given.at_most
        if self._group is not None:
            broken &= (requests.group == self._group)[:, None]
        if self._given.harm_budget is not None:
            broken &= (self._harm[society] >= self._given.harm_budget)[:, None]
            answer = noted(answer, harm_done=self._harm[society].astype(np.float32))
        if broken.any() and self._given.then == "stop":
            self._stop(requests, broken)
        return without(requests, answer, broken, self._code, self._instead)

    def hear(self, feedback: Feedback) -> None:
        """Tell the model, and add up the harm."""
        super().hear(feedback)
        if self._given.harm_budget is None or not len(feedback.user):
            return
        if feedback.harm is None:
            problem = f"the guard {self._given.name!r} has a budget of harm, and this world has none."
            raise UserError(problem, "Leave out harm_budget.")
        mine = self.acted("policy", feedback)
        harm = np.where(mine, np.nan_to_num(feedback.harm.astype(np.float64)), 0.0)
        self._harm += np.bincount(self.society(feedback.replica), weights=harm, minlength=len(self.replicas))

    def state(self) -> dict[str, Array]:
        """Return each society's harm so far, and what the model remembers."""
        return super().state() | {"harm": self._harm.copy()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        super().restore(state)
        self._harm = np.array(state["harm"], dtype=np.float64)

    def _stop(self, requests: Requests, broken: Flags) -> None:
        row = int(broken.any(axis=1).argmax())
        who = f"user {requests.user[row]} of replica {requests.replica[row]}"
        when = f"at tick {requests.tick}, turn {requests.turn}"
        problem = f"the guard {self._given.name!r} stopped the run {when}, at an answer to {who}."
        raise NotCompletedError(problem, "Mend the model, or let the guard veto or replace.")


def _group(name: str, stage: Stage) -> int:
    if name not in stage.groups:
        problem = f"guard-v1 names {name!r}, and there is no such group."
        raise PolicyLoadError(problem, did_you_mean(name, stage.groups))
    return stage.groups.index(name)
