"""The conductor: a simulation whose ticks are held by shards.

It has no people of its own: it tells all shards to go on, passes on what they tell one another,
and puts together what they say. Its state is the state of a run in one process, so a run that began
with two shards is finished by four, or by none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rehearse.columns import Array, Columns
from rehearse.contract import Policy, Remembers
from rehearse.engine import Simulation
from rehearse.experiments.shards.deal import Deal
from rehearse.experiments.shards.ensemble import Ensemble
from rehearse.experiments.shards.gathering import Whole
from rehearse.experiments.shards.sayings import Page, Spent, Start
from rehearse.experiments.shards.states import PEOPLE, State, joined
from rehearse.experiments.society import sample_of_ties
from rehearse.log import pass_on

REMEMBERED = 32
"""Ticks after which what shards told one another is forgotten, once their state is gathered."""


@dataclass(slots=True, kw_only=True)
class Conductor(Simulation):
    """A simulation whose ticks are held by shards; its people are there when they were gathered."""

    ensemble: Ensemble
    deal: Deal
    path: Path | None = None
    """Where shards write the turns, or None: they hand them over."""
    whole: Whole
    """Everybody's columns as they are at the end of a tick."""
    pages: list[Page] = field(default_factory=list)
    """What the shards said of the last tick."""
    _begun: bool = False
    _state: State | None = None

    def __post_init__(self) -> None:
        """Take no notes: the shards do."""

    def meet(self, policy: Policy) -> None:
        """Go on with this policy, which the shards ask."""
        self.policy = policy

    def advance(self) -> None:
        """Let one tick pass in all shards."""
        shards = self._shards()
        if self.deal.by == "users" and self.tick - shards.start.tick >= REMEMBERED:
            self.state()
        self._begin(self.tick)
        self.pages = shards.all("advance", self.whole.wanted)
        pass_on(line for page in self.pages for line in page.log)
        self.whole.turn([page.columns for page in self.pages])
        self._show(self.pages[0].ties)
        for watcher in self.watchers:
            watcher.on_tick(self.tick, self.users)
        self.tick += 1

    def state(self) -> dict[str, Array]:
        """Gather what is needed to go on from here, as one process would have it."""
        shards = self._shards()
        state = self._joined(shards.all("state"))
        shards.forget(self.tick, state)
        return state

    def restore(self, state: Mapping[str, Array], tick: int) -> None:
        """Go back to what `state` gave at the start of a tick."""
        self.tick = tick
        for past in range(tick):
            self._begin(past)
        self._state = state

    def gather(self) -> list[Spent]:
        """Bring the people here; return what the shards used up."""
        state = self._joined(self._shards().all("state"))
        people = {name.removeprefix(PEOPLE): a for name, a in state.items() if name.startswith(PEOPLE)}
        self.users.columns = Columns(people)
        return self._shards().all("spent")

    def sample_of_ties(self) -> Columns | None:
        """Return some ties of the first society, which the first shard has whole or the people here know."""
        if self.deal.by == "users":
            return sample_of_ties(self)
        found: Columns | None = self._shards().all("sample_of_ties")[0]
        return found

    def _show(self, ties: Mapping[str, Array]) -> None:
        """Let the people here be seen as the shards have them."""
        if ties and isinstance(self.users, Remembers):
            self.users.restore(ties)
        gathered = getattr(self.users, "gathered", None)
        if gathered is None:
            self.users.columns = self.whole
        else:
            gathered(self.whole, self.tick)

    def _shards(self) -> Ensemble:
        if not self._begun:
            self.ensemble.begin(Start(self.tick, self._state, self.path))
            self._begun, self._state = True, None
        return self.ensemble

    def _joined(self, states: list[State]) -> dict[str, Array]:
        own = {f"world/{name}": a for name, a in self.world.state().items()}
        if isinstance(self.policy, Remembers):
            own |= {f"policy/{name}": a for name, a in self.policy.state().items()}
        return joined(states, self.deal, own)
