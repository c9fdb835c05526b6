"""The rehearsal as a Mesa model: one step is one tick.

What a Mesa user knows works as they know it: `model.step()`, `model.agents.select(...)`, `.agg(...)`,
`.do(...)`, `mesa.DataCollector`. People are columns (`model.people`); handles and sets of them are
made when asked for, so a model of a million people costs what its columns cost.

`Rehearsal(simulation)` is a scenario with its people. `Rehearsal()` begins empty, as a Mesa model does,
and people written in Python join it; see `rehearse.agents.cast`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import mesa
import numpy as np
from numpy.typing import DTypeLike

from rehearse.agents.agentset import AgentSet
from rehearse.agents.attributes import column
from rehearse.agents.cast import Cast, Desk, Unasked
from rehearse.agents.crowd import Crowd
from rehearse.agents.goals import Agenda
from rehearse.agents.graph import from_networkx
from rehearse.agents.ties import Ties
from rehearse.agents.user import User, seat
from rehearse.agents.wrapped import innermost
from rehearse.chance import Chance, key_of
from rehearse.columns import Columns, Rows
from rehearse.contract import Flags, Policy, World
from rehearse.engine import Simulation
from rehearse.engine.kernel import BLOCK
from rehearse.errors import ContractError, NotFoundError
from rehearse.scenario.model import Time

MOST_TICKS = 1_000_000
KEPT_HANDLES = 200_000
"""Up to so many people each has one handle, kept once it was asked for; beyond, handles are made anew."""


class Rehearsal(mesa.Model):
    """A society that meets a decision model, as a Mesa model.

    Derive from it to add behaviour: `step` may do more before or after `super().step()`. A method
    `batch_<name>(rows, ...)` is the batch twin of a handle's method `<name>`, used by `AgentSet.do`.

    Without a scenario, a derived class says on what terms its people, each a `Client`, meet the model:
    the class attributes below, and `measures`, which the record keeps of every tick.
    """

    items: ClassVar[tuple[str, ...]] = ()
    """What the decision model can propose to people written in Python."""
    features: ClassVar[tuple[str, ...]] = ()
    """What it may see of them."""
    slate: ClassVar[int] = 1
    """How many items it may propose at a time."""
    one_by_one: ClassVar[bool] = False
    """Whether people written in Python meet it one after another, in an order by chance, or all at once."""

    def __init__(
        self,
        simulation: Simulation | None = None,
        *,
        user_class: type[User] = User,
        rng: int | None = None,
        policy: Policy | None = None,
        ticks: int | None = None,
        replica: int = 0,
    ) -> None:
        """Take a simulation at the start of a tick, or none: then people join by being made.

        `rng` seeds Mesa's own generators (`model.random`, `model.rng`), which only serve what is added
        in Python; left out, it is the seed of the scenario. The people's luck is `simulation.chance`.
        Without a scenario `rng` (1 if left out) is the seed of that too, `policy` is the decision model,
        `ticks` says when `running` ends (None: never), and `replica` which independent society this is.
        """
        if simulation is None:
            simulation = self._empty(1 if rng is None else rng, policy, ticks, replica)
            rng = _own_seed(simulation.chance.seed, replica)
        super().__init__(rng=simulation.chance.seed if rng is None else rng)
        self.simulation = simulation
        self.user_class = user_class
        self.cells = simulation.users.columns.cells
        self.running = self.tick < simulation.time.ticks
        self._handles: list[User] = []
        if isinstance(simulation.users, Cast):
            simulation.users.model = self
        for name, attribute in user_class.attributes.items():
            if name not in self.people:
                self.people[name] = attribute.fill(self.people.length)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"cells", "_handles"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, cells=state["simulation"].users.columns.cells, _handles=[])

    def step(self) -> None:
        """Let one tick pass; `running` ends with the last tick of the scenario."""
        self.simulation.advance()
        self.cells = self.people.cells  # shards gather the columns anew
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
        users = innermost(self.simulation.users)
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
        """Return the classes of people, in the order in which they came."""
        users = self.simulation.users
        return list(users.kinds) if isinstance(users, Cast) else [self.user_class]

    @property
    def agents_by_type(self) -> dict[type[User], AgentSet]:
        """Return everybody who has not left for good, by class."""
        everybody = self.agents
        if len(self.agent_types) == 1:
            return dict.fromkeys(self.agent_types, everybody)
        kind = self.people["kind"].take(everybody.rows)
        return {cls: self.people_in(everybody.rows[kind == i]) for i, cls in enumerate(self.agent_types)}

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
        return self.handle(int(found[0]))

    def people_in(self, rows: Rows) -> AgentSet:
        """Return the set of the people in some rows, each given once."""
        return AgentSet.of(self, rows)

    def handle(self, row: int) -> User:
        """Return the handle of the person in a row."""
        kept = self._handles
        if 0 <= row < len(kept):
            return kept[row]
        return self.handles(np.array([row], dtype=np.int64))[0] if self._keeps else self._made(row)

    def handles(self, rows: Rows) -> list[User]:
        """Return the handles of the people in some rows."""
        if not self._keeps:
            return [self._made(row) for row in rows.tolist()]
        kept = self._handles
        if len(kept) < self.people.length:
            kept += [self._made(row) for row in range(len(kept), self.people.length)]
        return [kept[row] for row in rows.tolist()]

    def are(self, agent_type: type[User]) -> Flags:
        """Tell of every row whether its person is of a class."""
        fits = np.array([issubclass(cls, agent_type) for cls in self.agent_types], dtype=np.bool_)
        several = len(fits) > 1
        flags: Flags = fits[self.people["kind"]] if several else np.full(self.people.length, fits.all())
        return flags

    def friends_of(self, row: int) -> Rows:
        """Return the rows of those whom the person in a row knows, ascending."""
        ties: Ties | None = getattr(self.simulation.users, "ties", None)
        if ties is None or row >= len(ties):
            return np.zeros(0, dtype=np.int64)
        return ties.neighbours(row).astype(np.int64)

    def tie(self, graph: Any, weight: str | None = None) -> None:
        """Let people know one another: any networkx graph, its i-th node the i-th person.

        `weight` names the edge attribute that says how strong a tie is. People of a scenario are tied in
        every replica, in place of `people.society.graph`, for all its rules and those added later; a policy
        was told of ties at the start. Raises ContractError where there are more nodes than people, or for
        people in shards.
        """
        if isinstance(innermost(self.simulation.users), Crowd):
            self.crowd.tie(graph, weight)
            return
        cast = self._cast("ties were")
        ties = from_networkx(graph, weight=weight)
        if len(ties) > cast.columns.length:
            problem = f"the graph has {len(ties):,} nodes for {cast.columns.length:,} people."
            raise ContractError(problem, "Let the people join first.")
        cast.ties = ties

    def measures(self) -> Mapping[str, float]:
        """Return what the record keeps of every tick of people written in Python: numbers by name."""
        return {}

    def declare(self, name: str, value: Any = 0.0, dtype: DTypeLike | None = None) -> None:
        """Give everybody a new attribute, the same value or one from an array for each."""
        taken = getattr(self.user_class, name, None)
        if name in self.people or (taken is not None and taken is not column(name)):
            problem = f"people already have {name!r}."
            raise ContractError(problem, "Choose another name, or set it with model.agents.set(name, value).")
        kind = np.asarray(value).dtype if dtype is None else dtype
        self.people[name] = np.array(np.broadcast_to(np.asarray(value, dtype=kind), (self.people.length,)))

    def make_room(self, n: int) -> None:
        """Prepare for n people to join; raises ContractError where a scenario drew the people."""
        self._cast(f"{n} more people were").reserve(n)

    def register_agent(self, agent: Any) -> None:
        """Give a person who joins a row; raises ContractError where a scenario drew the people."""
        cast = self._cast(f"a {type(agent).__name__} was")
        if not isinstance(agent, User):
            problem = f"a {type(agent).__name__} was to join people."
            raise ContractError(problem, "Derive its class from rehearse.agents.user.User.")
        row = cast.join(type(agent))
        seat(agent, row)
        if self._keeps and len(self._handles) == row:
            self._handles.append(agent)

    def deregister_agent(self, agent: User) -> None:
        """Let a person leave for good; raise KeyError if they have left already."""
        alive = self.people["alive"]
        if not alive[agent.row]:
            raise KeyError(agent)
        alive[agent.row] = False

    def remove_all_agents(self) -> None:
        """Let everybody leave for good."""
        self.people["alive"][:] = False

    def _empty(self, seed: int, policy: Policy | None, ticks: int | None, replica: int) -> Simulation:
        people = Cast(self.features, replica)
        return Simulation(
            world=Desk(self.items if policy is not None else (), people),
            users=people,
            policy=Unasked() if policy is None else policy,
            chance=Chance(seed),
            time=Time(ticks=MOST_TICKS if ticks is None else ticks, max_turns=1),
            block=1 if self.one_by_one else BLOCK,
        )

    @property
    def _keeps(self) -> bool:
        return self.people.length <= KEPT_HANDLES

    def _made(self, row: int) -> User:
        users = self.simulation.users
        return (users.kind_of(row) if isinstance(users, Cast) else self.user_class).at(self, row)

    def _cast(self, who: str) -> Cast:
        users = self.simulation.users
        if not isinstance(users, Cast):
            problem = f"{who} asked for, where the scenario drew the people."
            raise ContractError(problem, "Set people.count in the scenario, or make a Rehearsal without one.")
        return users


def collector(
    model_reporters: Mapping[str, Any], agent_reporters: Mapping[str, Any] | None = None
) -> mesa.DataCollector:
    """Return Mesa's DataCollector for these reporters, for those who do not import Mesa themselves."""
    return mesa.DataCollector(model_reporters=model_reporters, agent_reporters=agent_reporters or None)


def _own_seed(seed: int, replica: int) -> int:
    """Return the seed of Mesa's generators in a replica: in the first that of the run, else its own."""
    return seed if replica == 0 else key_of(seed, f"mesa/{replica}")[0]
