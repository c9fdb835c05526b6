"""Several sellers who all learn: a market of `pricing-v1` as a `pettingzoo.ParallelEnv`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from rehearse.contract import Decisions, Exchange, Requests, Singles, Users
from rehearse.environments.pricing.world import Pricing
from rehearse.errors import UserError
from rehearse.exact import Floats
from rehearse.experiments.api import load
from rehearse.experiments.build import Assembly, Props, assemble
from rehearse.scenario.model import Part, Scenario

HERE = "here"
"""The seller whose place the model under test has in a run; the others are called as in the scenario."""
Told = dict[str, Any]
Step = tuple[dict[str, Singles], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Told]]


class Sellers(ParallelEnv[str, Singles, int]):
    """All sellers of a scenario set their prices at once, tick after tick; an episode is one society.

    Agents: `here`, then every rival of the scenario by name; the rivals' own rules are set aside.
    Action: the number of a price of the world's grid. Observation: the prices that all asked last, in
    the order of the agents, and the stock of `here` where there is one, float32; at first the middle
    price and the rivals' prices of the scenario. Reward: profit in the tick, a mean over the people who
    came (0 if nobody did); with `sales: expected` that of the logit shares. Truncated: the last tick is
    over. Infos: `visitors`, and each seller's `share` of them.

    `reset(seed=…)` begins with the first society of that root seed, `reset()` goes on with the next.
    `changes` are those of `rehearse.load`: users, ticks, seed, settings. Raises UserError for a scenario
    of another world or without rivals.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "rehearse_sellers_v1", "render_modes": []}

    def __init__(
        self,
        scenario: str | Path | Scenario = "duopoly",
        *,
        data: str | Path | None = None,
        render_mode: str | None = None,
        **changes: Any,
    ) -> None:
        self.render_mode = render_mode
        self._scenario = load(scenario, **changes)
        self._data = None if data is None else Path(data)
        self._number = -1
        self.possible_agents: list[str] = []
        world = self._market(self._seated(0).simulation.world)
        self.possible_agents = [HERE, *world.rivals.names]
        self.agents: list[str] = []
        self.prices: Floats = world.grid
        """What an action asks, shape (m,)."""
        seen = len(self.possible_agents) + (world.store is not None)
        box = spaces.Box(0.0, float(np.finfo(np.float32).max), shape=(seen,), dtype=np.float32)
        self.observation_spaces = dict.fromkeys(self.possible_agents, box)
        self.action_spaces = {name: spaces.Discrete(len(self.prices)) for name in self.possible_agents}

    def observation_space(self, agent: str) -> Any:
        """Return what a seller sees."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """Return the prices that a seller can ask."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Singles], dict[str, Told]]:
        """Open a market: that of a root seed, or the next one."""
        del options
        if seed is not None:
            self._scenario = self._scenario.model_copy(update={"seed": int(seed)})
        self._number = 0 if seed is not None else self._number + 1
        self._simulation = self._seated(self._number).simulation
        self._world = self._market(self._simulation.world)
        self._till = _Till(len(self.possible_agents))
        self._simulation.watchers.append(self._till)
        self.agents = list(self.possible_agents)
        self._asked = np.array([self._world.rivals.offered[0], *self._world.rivals.prices[0]])
        return self._to_all(self._seen()), {name: {} for name in self.agents}

    def step(self, actions: dict[str, int]) -> Step:
        """Let a tick pass in which each seller asks the price of its action."""
        numbers = [int(actions[name]) for name in self.possible_agents]
        self._asked = self.prices[numbers]
        self._till.clear()
        self._posted.number = numbers[0]
        self._world.rivals.ask(self._asked[None, 1:])
        self._simulation.advance()
        earned, shares = self._earned()
        over = self._simulation.tick >= self._scenario.time.ticks
        told = {
            name: {"share": float(share), "visitors": self._till.visitors}
            for name, share in zip(self.agents, shares, strict=True)
        }
        rewards = dict(zip(self.agents, earned.tolist(), strict=True))
        seen = self._to_all(self._seen())
        ended = dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, over)
        self.agents = [] if over else self.agents
        return seen, rewards, *ended, told

    def render(self) -> None:
        """Draw nothing: there is nothing to see but prices."""

    def close(self) -> None:
        """Let go of nothing."""

    def _market(self, world: object) -> Pricing:
        if isinstance(world, Pricing) and len(world.rivals):
            return world
        problem = f"the scenario {self._scenario.name!r} has no market of several sellers."
        raise UserError(problem, "Take one of the world pricing-v1 with rivals, such as duopoly.")

    def _seated(self, number: int) -> Assembly:
        self._posted = _Posted()
        props = Props(policy=self._posted, data=self._data, replicas=[number])
        more = max(self._scenario.replicas, number + 1)
        changes = {"replicas": more, "policy": Part(name=self._posted.name)}
        return assemble(self._scenario.model_copy(update=changes), props)

    def _seen(self) -> Singles:
        store = self._world.store
        stock = [] if store is None else [float(store.units[0])]
        return np.array([*self._asked, *stock], dtype=np.float32)

    def _to_all(self, seen: Singles) -> dict[str, Singles]:
        return {name: seen.copy() for name in self.agents}

    def _earned(self) -> tuple[Floats, Floats]:
        """Return each seller's profit and share, for each visitor."""
        till, rivals = self._till, self._world.rivals
        count = max(till.visitors, 1)
        shares = till.sold / count
        if self._scenario.world.settings.get("sales") == "expected":
            shares[1:] = rivals.expected()[0]
            shares[0] = till.reward / count / max(self._asked[0] - self._world.cost, 1e-300)
        margins = self._asked[1:] - rivals.cost
        return np.array([till.reward / count, *(margins * shares[1:])]), shares


class _Posted:
    """Asks everybody the price that was set last."""

    name, version = "posted", "1"

    def __init__(self) -> None:
        self.number = 0

    def decide(self, requests: Requests) -> Decisions:
        return Decisions.of(np.full(len(requests), self.number, dtype=np.int32))


class _Till:
    """Watches who bought from whom in a tick."""

    def __init__(self, sellers: int) -> None:
        self._sellers = sellers
        self.clear()

    def clear(self) -> None:
        """Begin a tick."""
        self.visitors, self.reward = 0, 0.0
        self.sold: Floats = np.zeros(self._sellers)

    def on_turn(self, exchange: Exchange) -> None:
        """Count the visitors of a turn, and what they bought where."""
        seller = np.asarray(exchange.outcomes.detail["seller"], dtype=np.int64)
        self.visitors += len(seller)
        self.reward += float(exchange.outcomes.reward.astype(np.float64).sum())
        self.sold += np.bincount(seller[seller >= 0], minlength=self._sellers)

    def on_tick(self, tick: int, users: Users) -> None:
        """Do nothing."""
