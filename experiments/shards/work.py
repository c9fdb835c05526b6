"""What a shard of whole societies does: it is an ordinary simulation, told from outside when to go on."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.errors import NotCompletedError, RehearseError
from rehearse.experiments.build import Assembly
from rehearse.experiments.folder import RunFolder
from rehearse.experiments.rebuilding import Leg, domain_of, in_legs, words_of
from rehearse.experiments.resources import held_memory, peak_memory_mb
from rehearse.experiments.shards.sayings import DONE, FAILED, READY, Facts, Link, Page, Spent, Start, Task
from rehearse.experiments.shards.states import LINKS, State, own_part
from rehearse.log import heard
from rehearse.record.reading import RunRecord
from rehearse.record.recorder import Recorder


class Shard:
    """A shard of a run: the verbs that it understands are its public methods."""

    def __init__(self, task: Task, link: Link) -> None:
        self.task = task
        self.link = link
        self.assembly = self.assemble()
        self.simulation = self.assembly.simulation
        self.recorder = self.record()
        self.recorder.keep = self._keep
        self.simulation.watchers.append(self.recorder)
        self.folder: RunFolder | None = None
        self.turns = self.society = Columns(length=0)

    def assemble(self) -> Assembly:
        """Build the simulation of this shard's people."""
        return in_legs([self.share(leg) for leg in self.task.legs])

    def share(self, leg: Leg) -> Leg:
        """Return a leg of the run with this shard's people only."""
        mine = self.task.deal.replicas_of(self.task.shard)
        return replace(leg, props=replace(leg.props, replicas=mine))

    def record(self) -> Recorder:
        """Return the recorder of this shard's turns."""
        return self.assembly.new_recorder()

    def facts(self) -> Facts:
        """Say what people these are."""
        users = self.simulation.users
        return Facts(users.coupled, tuple(users.columns))

    def begin(self, start: Start) -> None:
        """Stand at the start of a tick; parts that this shard wrote of later ticks go."""
        if start.path is not None:
            self.assembly.policy.keep_off(start.path)
            scope = RunRecord(start.path, finished=False).scope
            self.folder = RunFolder(start.path, scope, shard=f"-shard{self.task.shard}")
            self.folder.forget(start.tick)
        if start.state is not None:
            if LINKS in start.state:
                self.recorder.links = np.array(start.state[LINKS], dtype=np.uint8)
            self.simulation.restore(self._own(start.state), start.tick)

    def advance(self, wanted: tuple[str, ...]) -> Page:
        """Let a tick pass; `wanted` are columns of people to be handed over as they are at its end."""
        before, paid = self.recorder.user_turns, self.recorder.spent
        with heard() as said:
            self.simulation.advance()
        page = Page(
            self.recorder.user_turns - before,
            self.society,
            None if self.folder is not None else self.turns,
            harm=self.recorder.harm,
            spent=self.recorder.spent - paid,
            memory=held_memory(),
            sandbox=self.assembly.sandbox,
            columns=self.columns(wanted),
            log=tuple(said),
        )
        return self.proved(page)

    def proved(self, page: Page) -> Page:
        """Return a page with what proves it."""
        return replace(page, links=self.recorder.links)

    def columns(self, wanted: tuple[str, ...]) -> Mapping[str, Array]:
        """Return columns of this shard's people."""
        return {name: self.simulation.users.columns[name] for name in wanted}

    def state(self) -> State:
        """Write down the turns so far; return what is needed to go on from here."""
        if self.folder is not None:
            self.folder.flush()
        return self.simulation.state() | {LINKS: self.recorder.links}

    def sample_of_ties(self) -> Columns | None:
        """Return some ties of the first society here."""
        return self.assembly.sample_of_ties()

    def spent(self) -> Spent:
        """Return what this process used up so far."""
        asked: Any = self.assembly.policy.asked
        return Spent(time.process_time(), peak_memory_mb(), asked.account.as_dict())

    def _keep(self, tick: int, turns: Columns, society: Columns) -> None:
        self.turns, self.society = turns, society
        if self.folder is not None:
            self.folder.words = words_of(self.assembly)
            self.folder.domain = domain_of(self.assembly)
            self.folder.keep(tick, turns, Columns(length=0))

    def _own(self, state: State) -> State:
        """Return the arrays as this shard keeps them: what is kept by society, for its own only."""
        kept = self.simulation.state()
        places, whole = self.task.deal.places_of(self.task.shard), len(self.task.deal.replicas)
        return {name: own_part(a, kept.get(name), places, whole) for name, a in state.items()}


def serve(task: Task, link: Link) -> None:
    """Be a shard: build it, say so, and do what is asked for as long as somebody asks."""
    from rehearse.experiments.shards.parted import PartedShard

    try:
        shard = Shard(task, link) if task.deal.by == "replicas" else PartedShard(task, link)
        verb, given = link.ask(READY, shard.facts())
        while True:
            verb, given = link.ask(DONE, getattr(shard, verb)(*given))
    except (EOFError, ConnectionError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the one who leads the run is told
        link.ask(FAILED, portable(error))


def portable(error: Exception) -> Exception:
    """Return the error, or one like it that can be sent to another process."""
    if isinstance(error, RehearseError):
        return error
    where = traceback.extract_tb(error.__traceback__)[-1]
    found = f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
    problem = f"a shard failed: {found}."
    return NotCompletedError(problem, "Run again without --shards to see where.")
