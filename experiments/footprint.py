"""The footprint: how much memory a run will take at its peak, said before it takes any.

Some people are seated and live a few ticks in a small run of the same scenario, so that what their
model, their world and the record hold is counted as it is. The rest follows from how many there are:

    program    what is loaded, now and by the end of the run
    people     their columns
    graph      ties as they stay
    world      what the world keeps about each person (`bytes_per_user`, if it says so)
    record     the turns of a tick, laid out and put together; what waits to be written; a checkpoint
    work       the most of: drawing the graph; a block in session, and influence; writing up the end

What a model under test holds is not counted: nobody can know. `docs/design/memory.md` tells where the
constants come from, and how near the sum has come to what was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rehearse.columns import Columns
from rehearse.compiled import WORTHWHILE, available
from rehearse.engine.kernel import BLOCK
from rehearse.errors import UserError
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.resources import available_memory, held_memory
from rehearse.experiments.shards import ONE_PROCESS, Spread
from rehearse.scenario.model import Part, Scenario
from rehearse.scenario.society import Graph, Society

SMALL = 4000
"""So few people are not worth trying out."""
ROUGHLY = 6000
"""Bytes a person, where few are."""
PROBED, PROBED_TICKS = 1500, 3
LOADED_LATER = 120 << 20
"""Libraries that are loaded after the beginning: tables, sparse products, the report."""
COMPILED = 140 << 20
"""Compiled kernels and what compiles them: measured 135 (Python 3.11) and 140 MiB (3.13) for `feed` where
they are made for the first time, 104 and 108 where they come from the cache."""
TIE_END, TIE_ROW = 4, 8
"""Bytes of a frozen graph: for each end of a tie, and for each person."""
DRAWING_END = 24
"""Bytes for each end of a tie while the graph of one society is drawn, beside those that stay."""
BLOCK_ROW = 1400
"""Bytes for each person of a block in session, beside the attributes that they face."""
FACED = 5
"""How many times the attributes that a person faces are held, in double precision."""
TOUCHED = 1.2
"""How many times what passes along the ties is held, in double precision."""
ENDING_ROW = 150
"""Bytes a person for the table of people and for the questions of verdict and report."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes that a run is expected to hold at its peak, by what holds them."""

    parts: dict[str, int]
    tried: _Tried | None = None
    """What a small run showed."""
    machine: _Machine = field(default_factory=lambda: _Machine(held_memory()))

    @property
    def peak(self) -> int:
        """Return the sum."""
        return sum(self.parts.values())

    @property
    def in_mb(self) -> dict[str, int]:
        """Return the parts and the peak in MiB, for the manifest."""
        return {"peak": self.peak >> 20} | {name: size >> 20 for name, size in self.parts.items()}

    @property
    def named(self) -> str:
        """Return the parts that matter as words, the largest first."""
        largest = sorted(self.parts.items(), key=lambda part: -part[1])
        return ", ".join(f"{name} {said(size)}" for name, size in largest if size >= self.peak / 100)

    def __str__(self) -> str:
        """Say it in a line."""
        return f"Memory: about {said(self.peak)} at the peak ({self.named})."


def stated(
    scenario: Scenario,
    data: Path | None,
    spread: Spread = ONE_PROCESS,
    *,
    over_memory: bool,
    say: Callable[[str], None] | None,
) -> Footprint:
    """Return what a run will hold, once it is told to `say`; raises UserError where it would not fit."""
    memory = expected(scenario, data, spread.shards)
    if not over_memory and "://" not in spread.on:  # a cluster has memory of its own
        must_fit(memory, scenario)
    if say is not None:
        say(str(memory))
    return memory


def expected(scenario: Scenario, data: Path | None = None, shards: int = 1) -> Footprint:
    """Return what a run of the scenario will hold; raises UserError for what cannot be built.

    Shards on this machine are processes of their own, each with what is loaded; where they have
    people of each society, each draws all ties and hears of everybody.
    """
    tried = None if scenario.people_in_all <= SMALL else _try_out(scenario, data)
    if tried is not None:  # what cannot be built was told before anything heavy is loaded
        import rehearse.agents.model  # noqa: F401 - every run loads it, with Mesa, so it counts as held
    return _summed(scenario, tried, _Machine(held_memory(), shards))


def must_fit(footprint: Footprint, scenario: Scenario) -> None:
    """Raise UserError where the run would not find as much memory as it needs."""
    free = available_memory()
    if free is None or footprint.peak <= free + held_memory():
        return
    problem = (
        f"{scenario.people_in_all:,} people need about {said(footprint.peak)} of memory at the peak "
        f"({footprint.named}), and {said(free)} are free."
    )
    count = _most(footprint, scenario, free + held_memory())
    fits = f" (--users {count} would do)" if count else ""
    remedy = f"Rehearse fewer people{fits} or fewer --replicas, or try it all the same with --over-memory."
    raise UserError(problem, remedy)


def _most(footprint: Footprint, scenario: Scenario, free: int) -> int:
    """Return how many people in each society would fit, in steps of a twentieth of those asked for; or 0."""
    counts = [scenario.people.count * share // 20 for share in range(19, 0, -1)]
    machine = footprint.machine
    sizes = [(count, _summed(_with(scenario, count), footprint.tried, machine).peak) for count in counts]
    return next((count for count, peak in sizes if peak <= free), 0)


def _with(scenario: Scenario, count: int) -> Scenario:
    people = scenario.people.model_copy(update={"count": count})
    return scenario.model_copy(update={"people": people})


def _summed(scenario: Scenario, tried: _Tried | None, machine: _Machine) -> Footprint:
    users = scenario.people_in_all
    compiles = available() and users * scenario.time.ticks >= WORTHWHILE
    program = machine.program(COMPILED if compiles and tried is not None else 0)
    if tried is None:
        return Footprint({"program": program, "people": ROUGHLY * users}, machine=machine)
    turns, state = int(tried.turns * users), int(tried.columns * users)
    ends, everyone = _ends(scenario), machine.who_know_all(scenario.replicas)
    record = 2 * turns + max(turns, state)
    blocks = users if tried.together else min(users, BLOCK * machine.shards)
    session = tried.block_row * blocks + tried.influence * users * everyone
    drawing = DRAWING_END * ends * machine.shards // scenario.replicas
    parts = {
        "program": program,
        "people": state,
        "graph": (TIE_END * ends + (TIE_ROW * users if ends else 0)) * machine.graphs(scenario.replicas),
        "world": tried.world * users,
        "record": record,
        "work": max(drawing - record, session, ENDING_ROW * users - record),
    }
    return Footprint(parts, tried, machine)


EVERYBODY = "everybody"
"""The layer on which a small trial lets social rules work."""


def small(scenario: Scenario, few: int = PROBED) -> Scenario:
    """Return the scenario with a few people in one society, all here from the start, who know nobody."""
    society = _acquainted(scenario.people.society)
    count = min(few, scenario.people.count)
    came = scenario.people.arrivals
    here = None if came is None else came.model_copy(update={"start": count, "waves": (), "steady": 0.0})
    changes = {"count": count, "society": society, "arrivals": here}
    people = scenario.people.model_copy(update=changes)
    return scenario.model_copy(update={"people": people, "replicas": 1})


@dataclass(frozen=True, slots=True)
class _Machine:
    """The processes of a run: what each holds of itself, and into how many shards it is dealt."""

    held: int
    shards: int = 1

    def program(self, compiled: int) -> int:
        """Return what is loaded in all processes by the end; one more leads the shards."""
        return (self.held + compiled + LOADED_LATER) * (self.shards + 1 if self.shards > 1 else 1)

    def who_know_all(self, replicas: int) -> int:
        """Return how many processes hear of all people: shards that have people of each society."""
        return self.shards if self.shards > replicas else 1

    def graphs(self, replicas: int) -> int:
        """Return how many times all ties are held: by who leads, and by those who deal within societies."""
        if self.shards == 1:
            return 1
        return self.shards + 1 if self.shards > replicas else 2


def _acquainted(society: Society) -> Society:
    """Return a society of few without friends, in which the rules still give people their columns.

    Ties that change are left out: nobody has any to change.
    """
    if not society.graphs:
        return Society(emergence=society.emergence)
    every = [
        rule.model_copy(update={"layer": EVERYBODY}) for rule in society.rules if rule.name != "rewiring-v1"
    ]
    layers = {EVERYBODY: Graph(kind="complete")}
    return Society(emergence=society.emergence, layers=layers, rules=tuple(every))


@dataclass(frozen=True, slots=True)
class _Tried:
    """What a small run of a scenario showed, in bytes a person."""

    columns: float
    turns: float
    """The turns of a tick, at most."""
    world: int
    block_row: int
    influence: int
    together: bool
    """Whether everybody is worked on at once."""


def _try_out(scenario: Scenario, data: Path | None) -> _Tried:
    few = min(PROBED, scenario.people.count)
    quick = Part(name="random-v1")
    assembly = assemble(small(scenario, few).model_copy(update={"policy": quick}), Props(data=data))
    world, people = assembly.simulation.world, assembly.simulation.users.columns
    sizes: list[float] = []
    recorder = assembly.new_recorder()
    recorder.keep = lambda _tick, turns, _society: sizes.append(_held(turns) / few)
    assembly.simulation.watchers.append(recorder)
    for _ in range(min(PROBED_TICKS, scenario.time.ticks)):
        assembly.simulation.advance()
    attributes = 8 * len(world.items) * len(world.attributes)
    alike: int | None = getattr(world, "bytes_per_user", None)
    return _Tried(
        columns=_held(people) / few,
        turns=max(sizes),
        world=alike or 0,
        block_row=BLOCK_ROW + 4 * len(assembly.stage.features) + (FACED * attributes if alike is None else 0),
        influence=int(TOUCHED * _touched(scenario, len(world.attributes))),
        together=world.coupled,
    )


def _held(columns: Columns) -> int:
    """Return the bytes of columns; one that holds one value all along takes none."""
    return sum(a.nbytes for a in columns.values() if a.strides[0] != 0)


def _touched(scenario: Scenario, attributes: int) -> int:
    """Return the bytes a person of what passes along the ties at a time."""
    society = scenario.people.society
    columns = [rule.settings.get("column", "") for rule in society.all_rules] if society.graphs else []
    return 8 * max([0, *(attributes if column == "taste" else 1 for column in columns)])


def _ends(scenario: Scenario) -> int:
    """Return how many ends the ties of all societies and layers have, about."""
    people, grouping = scenario.people, scenario.people.groups
    groups = 1 if grouping is None else len(grouping.names)
    each = [_ends_of(graph, people.count, groups) for graph in people.society.graphs.values()]
    return int(sum(each) * scenario.replicas)


def _ends_of(graph: Graph, count: int, groups: int) -> float:
    """Return how many ends a society's ties have, its groups taken to be as large as one another."""
    each = {
        "complete": 0.0,
        "karate": 156.0,
        "edges": 2.0 * _lines(graph),
        "stochastic_block": count * count * (graph.within + (groups - 1) * graph.between) / groups,
    }
    return each.get(graph.kind, float(graph.degree * count))


def _lines(graph: Graph) -> int:
    path = Path(graph.path or "")
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)


def said(size: float) -> str:
    """Return a size in memory as words."""
    return f"{size / 2**30:.1f} GB" if size >= 2**30 / 10 * 9.5 else f"{size / 2**20:.0f} MB"
