"""What a scenario puts round its people: schedules that change them, and what blurs what a model sees."""

from __future__ import annotations

from rehearse.agents.drifting import Drifting
from rehearse.agents.manners import COLUMN
from rehearse.agents.observed import Observed
from rehearse.agents.population import segment_names
from rehearse.agents.strategic import Strategic
from rehearse.agents.wrapped import Wrapped
from rehearse.contract import Users, World
from rehearse.errors import ScenarioError
from rehearse.scenario.model import Scenario

Dress = (Strategic, Drifting, Observed)


def dressed(users: Users, world: World, scenario: Scenario, since: int = 0) -> Users:
    """Return people within what the scenario puts round them, from a tick on.

    Raises ScenarioError where it names what people do not have.
    """
    if scenario.people.manners and COLUMN not in users.columns:
        problem = f"people.manners: the people {scenario.people.model!r} all do as they feel."
        raise ScenarioError(problem, "Leave it out: manners are of those who take what they like (crowd-v1).")
    if scenario.people.strategy is not None:
        users = Strategic(users, scenario.people.strategy)
    drifts = [drift for drift in scenario.drift if drift.of_people]
    if drifts:
        users = Drifting(users, drifts, world.attributes, segment_names(scenario.people), since)
    return Observed(users, scenario.observation, since) if scenario.observation else users


def exchanged(users: Users, fresh: Users) -> Users:
    """Return people with a fresh dress in the place of the old one; whoever listens in stays."""
    if isinstance(users, Wrapped) and not isinstance(users, Dress):
        users.inner = exchanged(users.inner, fresh)
        return users
    return fresh


def same_dress(one: Scenario, other: Scenario) -> bool:
    """Tell whether two scenarios put the same round their people."""
    drifts = [[drift for drift in scenario.drift if drift.of_people] for scenario in (one, other)]
    strategies = one.people.strategy, other.people.strategy
    return drifts[0] == drifts[1] and strategies[0] == strategies[1] and one.observation == other.observation
