"""The rehearsal as a Mesa model: one step is one tick.

What a Mesa user knows works as they know it: `model.step()`, `model.agents.select(...)`, `.agg(...)`,
`.do(...)`, `mesa.DataCollector`. People are columns (`model.people`); handles and sets of them are
made when asked for, so a model of a million people costs what its columns cost.
"""

from __future__ import annotations

from typing import Any, NoReturn

import mesa
import numpy as np
from numpy.typing import DTypeLike

from rehearse.agents.agentset import AgentSet
from rehearse.agents.crowd import Crowd
from rehearse.agents.goals import Agenda
from rehearse.agents.ties import Ties
from rehearse.agents.user import User
from rehearse.columns import Columns, Rows
from rehearse.contract import Policy, World
from rehearse.engine import Simulation
from rehearse.errors import ContractError, NotFoundError


class Rehearsal(mesa.Model):
    """A society that meets a decision model, as a Mesa model.

    Derive from it to add behaviour: `step` may do more before or after `super().step()`. A method
    `batch_<name>(rows, ...)` is the batch twin of a handle's method `<name>`, used by `AgentSet.do`.
    """

    def __init__(
        self, simulation: Simulation, *, user_class: type[User] = User, rng: int | None = None
    ) -> None:
        """Take a simulation at the start of a tick.

        `rng` seeds Mesa's own generators (`model.random`, `model.rng`), which only serve what is added
        in Python; left out, it is the seed of the scenario. The people's luck is `simulation.chance`.
        """
        super().__init__(rng=simulation.chance.seed if rng is None else rng)
        self.simulation = simulation
        self.user_class = user_class
        self.running = self.tick < simulation.time.ticks

    def step(self) -> None:
        """Let one tick pass; `running` ends with the last tick of the scenario."""
        self.simulation.advance()
        self.running = self.tick < self.simulation.time.ticks

    @property
    def tick(self) -> int:
        """Return the tick that comes next, which is how many have passed."""
        return self.simulation.tick

    @property
    def people(self) -> Columns:
        """Return the columns of the population, themselves and not a copy."""
        return self.simulation.users.columns

    @property
    def crowd(self) -> Crowd:
        """Return the people as the engine moves them; raise ContractError where others act for them."""
        users = self.simulation.users
        if not isinstance(users, Crowd):
            problem = (
                f"the people of this simulation are a {type(users).__name__}, which has its own behaviour."
            )
            raise ContractError(problem, "Ask it, not the handles, what people do in a turn.")
        return users

    @property
    def world(self) -> World:
        """Return the world in which decisions have consequences."""
        return self.simulation.world

    @property
    def policy(self) -> Policy:
        """Return the decision model under test, in its wrappers."""
        return self.simulation.policy

    @property
    def agents(self) -> AgentSet:
        """Return everybody who has not left for good, in the order of their rows."""
        return AgentSet.of(self, np.flatnonzero(self.people["alive"]))

    @property
    def agent_types(self) -> list[type[User]]:
        """Return the one class of handles."""
        return [self.user_class]

    @property
    def agents_by_type(self) -> dict[type[User], AgentSet]:
        """Return everybody, under the one class of handles."""
        return {self.user_class: self.agents}

    @property
    def goal_names(self) -> tuple[str, ...]:
        """Return the names of the goals that people can have."""
        agenda: Agenda | None = getattr(self.simulation.users, "agenda", None)
        return () if agenda is None else agenda.names

    def user(self, user: int, replica: int | None = None) -> User:
        """Return the handle of a person by id; `replica` is the first society unless given."""
        people = self.people
        society = people["replica"][0] if replica is None else replica
        found = np.flatnonzero((people["user"] == user) & (people["replica"] == society))
        if not len(found):
            problem = f"there is no user {user} in replica {society}."
            raise NotFoundError(problem, f"Ids go from {people['user'].min()} to {people['user'].max()}.")
        return self.user_class(self, int(found[0]))

    def friends_of(self, row: int) -> Rows:
        """Return the rows of those whom the person in a row knows, ascending."""
        ties: Ties | None = getattr(self.simulation.users, "ties", None)
        return np.zeros(0, dtype=np.int64) if ties is None else ties.neighbours(row).astype(np.int64)

    def declare(self, name: str, value: Any = 0.0, dtype: DTypeLike | None = None) -> None:
        """Give everybody a new attribute, the same value or one from an array for each."""
        if name in self.people or hasattr(self.user_class, name):
            problem = f"people already have {name!r}."
            raise ContractError(problem, "Choose another name, or set it with model.agents.set(name, value).")
        kind = np.asarray(value).dtype if dtype is None else dtype
        self.people[name] = np.array(np.broadcast_to(np.asarray(value, dtype=kind), (self.people.length,)))

    def register_agent(self, agent: Any) -> NoReturn:
        """Refuse: who takes part is the scenario's to say."""
        problem = f"a {type(agent).__name__} was to join people whom the scenario drew."
        raise ContractError(problem, "Set people.count in the scenario.")

    def deregister_agent(self, agent: User) -> None:
        """Let a person leave for good; raise KeyError if they have left already."""
        alive = self.people["alive"]
        if not alive[agent.row]:
            raise KeyError(agent)
        alive[agent.row] = False

    def remove_all_agents(self) -> None:
        """Let everybody leave for good."""
        self.people["alive"][:] = False
