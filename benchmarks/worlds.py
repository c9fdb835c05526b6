"""How fast every world runs at 100,000 people beside the same world written as plain Mesa objects.

    python benchmarks/worlds.py                 all; rewrites the second table of docs/performance.md
    python benchmarks/worlds.py --only lending assist --repeats 3
    python benchmarks/worlds.py --arm pricing --side engine --users 100000      one process: a line of JSON

User turns per CPU second (`time.process_time`), people made before, with a model that costs next to
nothing. Each arm runs in a process of its own on one thread; both sides take turns, and the best
repetition of each counts. *Not recorded*: both only count turns, reward and regret. *Recorded*: both
write every turn to Parquet with the same writer; the engine also chains its digest. *With loading*: a
first small run counts, in which the engine is imported and compiled kernels are loaded. The objects are
as many as there is patience for: their rate does not grow with more of them, as half as many say.

Exit code 1: turns a person, reward or regret differ by more than 4 %, so that two are no twins.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import peers
import performance
from measuring import HERE, NotMeasured, machine, script, written

TURNS = 20
"""As many turns as a session of RecSim's worlds has here."""
BUSY = 1.5
"""The load from which on the page says that the machine was not ours alone; 1 is what a benchmark leaves."""
USERS, TARGET, TOLERANCE = 100_000, 50.0, 0.04
PUBLISHED = HERE / "worlds.json"
PAGE = HERE.parent / "docs" / "performance.md"
OUTCOMES = ("turns", "reward", "regret")
"""What must agree in both: turns a person, and means of a turn."""


@dataclass(frozen=True)
class World:
    """A world that is measured beside another program of it."""

    title: str
    module: str
    """The module of `twins` with its `scenario(*given, users, ticks)`."""
    model: str = ""
    """The class there that is the same world in objects; none where the peer is the original."""
    given: tuple[str, ...] = ()
    ticks: int = 1
    count: int = 1_000
    """How many people the other program has."""
    peer: peers.Peer | None = None
    """The original: another program, in an environment of its own."""

    @property
    def twin(self) -> Any:
        """Return the module, loaded when it is asked for."""
        return importlib.import_module(f"twins.{self.module}")


TRECS = replace(peers.TRECS, given=("--model", "random"))
RECSIM = replace(peers.RECSIM, given=("--model", "fixed", "--candidates", 200, "--slate", 2))
EVOLUTION = ("interest-evolution",)
WORLDS = {
    "t-recs": World("recommend-v1 / T-RECS itself", "trecs", ticks=5, peer=TRECS, count=2_000),
    "recsim": World("recommend-v1 / RecSim itself", "recsim", given=EVOLUTION, peer=RECSIM),
    "evolution": World("recommend-v1, interest evolution", "recsim", "Site", EVOLUTION),
    "exploration": World(
        "recommend-v1, interest exploration", "recsim", "Site", ("interest-exploration",), count=2_000
    ),
    "satisfaction": World(
        "recommend-v1, long-term satisfaction", "recsim", "Site", ("long-term-satisfaction",), count=4_000
    ),
    "lending": World("lending-v1, a cut", "lending", "Bank", ticks=10, count=10_000),
    "triage": World("triage-v1, a queue", "triage", "Queue", ticks=20, count=40_000),
    "pricing": World("pricing-v1, one price", "pricing", "Shop", ticks=20, count=10_000),
    "assist": World("assist-v1, slot filling", "assist", "Desk", count=2_000),
}


# ── One arm, in a process of its own ──


def engine(world: World, users: int) -> dict[str, Any]:
    """Live through a world in columns; return what it took, and what came of it."""
    began = time.process_time()
    in_columns(world, 1000, recorded=True)
    warm = time.process_time() - began
    plain, lived = in_columns(world, users, recorded=False)
    kept, _ = in_columns(world, users, recorded=True)
    return {"loading_s": warm, "plain_s": plain, "recorded_s": kept} | lived


def in_columns(world: World, users: int, *, recorded: bool) -> tuple[float, dict[str, float]]:
    """Return the CPU seconds of the ticks of a world in columns, and what came of it."""
    from rehearse.experiments.build import assemble
    from rehearse.experiments.rebuilding import words_of
    from rehearse.record.parts import write_part

    assembly = assemble(_scenario(world, users))
    simulation, counting = assembly.simulation, Counting()
    simulation.watchers.append(counting)
    with tempfile.TemporaryDirectory() as folder:
        if recorded:
            recorder = assembly.new_recorder()
            words, path = words_of(assembly), Path(folder)
            recorder.keep = lambda tick, turns, _: write_part(path / f"{tick}.parquet", [turns], words)
            simulation.watchers.append(recorder)
        began = time.process_time()
        for _ in range(world.ticks):
            simulation.advance()
        spent = time.process_time() - began
    return spent, counting.lived(users)


class Counting:
    """A watcher that counts turns, and sums up reward and regret, as the objects do."""

    def __init__(self) -> None:
        self.turns, self.reward, self.regret = 0, 0.0, 0.0

    def on_turn(self, exchange: Any) -> None:
        """Count a turn of a block."""
        self.turns += len(exchange.turn)
        self.reward += float(exchange.outcomes.reward.astype("float64").sum())
        self.regret += float(exchange.outcomes.regret.astype("float64").sum())

    def on_tick(self, tick: int, users: Any) -> None:
        """Do nothing."""

    def lived(self, users: int) -> dict[str, float]:
        """Return turns a person, and mean reward and regret of a turn."""
        turns = self.turns
        return {"turns": turns / users, "reward": self.reward / turns, "regret": self.regret / turns}


def objects(world: World, users: int) -> dict[str, Any]:
    """Live through a world as objects, or in the original; return the same as far as it says so."""
    if world.peer is not None:
        turns = ("--users", users, "--ticks", TURNS if world.module == "recsim" else world.ticks)
        found = peers.run(replace(world.peer, given=(*world.peer.given, *turns)), make=False)
        return {"plain_s": found["cpu_s"], "turns": found["turns"] / users}
    plain, lived = in_objects(world, users, keeps=False)
    kept, _ = in_objects(world, users, keeps=True)
    return {"plain_s": plain, "recorded_s": kept} | lived


def in_objects(world: World, users: int, *, keeps: bool) -> tuple[float, dict[str, float]]:
    """Return the CPU seconds of the ticks of a world as objects, and what came of it."""
    with suppress(ImportError):
        import pyarrow as pa  # noqa: F401 -- what writes is loaded before the clock starts
    model = getattr(world.twin, world.model)(*world.given, users, world.ticks, keeps=keeps)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        for tick in range(world.ticks):
            model.step()
            if keeps:
                model.write(Path(folder) / f"{tick}.parquet")
        spent = time.process_time() - began
    turns = model.turns
    return spent, {"turns": turns / users, "reward": model.reward / turns, "regret": model.regret / turns}


def _scenario(world: World, users: int) -> Any:
    from rehearse.scenario.model import Scenario

    found = world.twin.scenario(*world.given, users, world.ticks)
    if isinstance(found, Scenario):
        return found
    told = {"name": "throughput", "assumptions": ["A benchmark."], "limitations": ["A benchmark."]}
    return Scenario.model_validate({**told, "replicas": 1, **found})


# ── All of them ──


def measure(only: tuple[str, ...] = (), users: int = USERS, repeats: int = 2) -> dict[str, Any]:
    """Measure worlds on both sides in turn; return what was found of each, printing as it goes."""
    found: dict[str, Any] = {}
    for name, world in WORLDS.items():
        if not only or name in only:
            try:
                found[name] = one(name, world, users, repeats)
            except NotMeasured as reason:
                found[name] = {"world": world.title, "missing": str(reason)}
            print(row(found[name]), flush=True)
    return found


def one(name: str, world: World, users: int, repeats: int) -> dict[str, Any]:
    """Measure one world: both sides in turn, and the objects once more at half the size."""
    sides: dict[str, dict[str, Any]] = {}
    sizes = {"objects": world.count, "engine": users}
    for rest in ({"half": world.count // 2}, *[{}] * (repeats - 1)):
        for side, count in (sizes | rest).items():
            arm = script("worlds.py", "--arm", name, "--side", side, "--users", count)
            for what in (key for key in arm if key.endswith("_s")):
                arm[what] = min(arm[what], sides.get(side, arm)[what])
            sides[side] = arm
    return _compared(world, users, sides)


def _compared(world: World, users: int, sides: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    ours, theirs, half = sides["engine"], sides["objects"], sides["half"]
    turns, same = ours["turns"] * users, theirs["turns"] * world.count
    found = {
        "world": world.title,
        "users": users,
        "objects": world.count,
        "engine_rate": turns / ours["plain_s"],
        "engine_rate_with_loading": turns / (ours["plain_s"] + ours["loading_s"]),
        "engine_rate_recorded": turns / ours["recorded_s"],
        "loading_s": ours["loading_s"],
        "objects_rate": same / theirs["plain_s"],
        "objects_rate_at_half": half["turns"] * (world.count // 2) / half["plain_s"],
        "apart": {what: theirs[what] / ours[what] - 1.0 for what in OUTCOMES if theirs.get("reward")},
    }
    if "recorded_s" in theirs:
        found["objects_rate_recorded"] = same / theirs["recorded_s"]
        found["ratio_recorded"] = found["engine_rate_recorded"] / found["objects_rate_recorded"]
    return found | {"ratio": found["engine_rate"] / found["objects_rate"]}


HEAD = (
    "| World | Engine | with loading | Objects (how many) | half as many | Times |"
    " Engine, recorded | Objects, recorded | Times | Target ≥ 50 |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def row(found: Mapping[str, Any]) -> str:
    """Return what was found of a world as a line of the table."""
    if "missing" in found:
        return f"| {found['world']} |{' – |' * 8} not measured: {found['missing']} |"
    recorded = "objects_rate_recorded" in found
    cells = (
        found["world"],
        *(f"{found[what]:,.0f}" for what in ("engine_rate", "engine_rate_with_loading")),
        f"{found['objects_rate']:,.0f} ({found['objects']:,})",
        f"{found['objects_rate_at_half']:,.0f}",
        f"{found['ratio']:.1f}",
        f"{found['engine_rate_recorded']:,.0f}",
        f"{found['objects_rate_recorded']:,.0f}" if recorded else "–",
        f"{found['ratio_recorded']:.1f}" if recorded else "–",
        "met" if found["ratio"] >= TARGET else "**missed**",
    )
    return f"| {' | '.join(cells)} |"


def section(found: Mapping[str, Any]) -> str:
    """Return what stands between the markers of the page."""
    on = found["machine"]
    busy = " Other programs kept the machine busy meanwhile." if on["load before"] > BUSY else ""
    where = f"{on['cores']} cores of {on['processor']}, Python {on['python']}, numpy {on['numpy']}"
    when = f"Measured {found['date']} on {where}, mesa {on['mesa']}; load before: {on['load before']:.1f}."
    return "\n".join([HEAD, *map(row, found["worlds"].values()), "", when + busy])


def agree(found: Mapping[str, Any]) -> bool:
    """Tell whether both sides lived through the same, as far as the other says what it lived through."""
    return all(abs(by) <= TOLERANCE for by in found.get("apart", {}).values())


def publish(found: Mapping[str, Any]) -> None:
    """Write the figures, and their table into the page."""
    written(PUBLISHED, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    page = PAGE.read_text(encoding="utf-8")
    written(PAGE, performance.between(page, section(found), performance.WORLDS))


def main() -> int:
    """Measure one arm, or all worlds side by side."""
    asked = _arguments()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if asked.arm:
        os.environ.setdefault("REHEARSE_FAST", "1")
        arm = engine if asked.side == "engine" else objects
        print(json.dumps(arm(WORLDS[asked.arm], asked.users)))
        return 0
    on, when = machine(), datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    print(f"load before: {on['load before']:.1f}\n\n{HEAD}")
    found = measure(tuple(asked.only), asked.users, asked.repeats)
    for name, each in found.items():
        apart = ", ".join(f"{what} {by:+.1%}" for what, by in each.get("apart", {}).items())
        print(f"{name}: the objects differ by {apart}{'' if agree(each) else ': they are no twins'}")
    if not asked.only and asked.users == USERS:
        publish({"date": when, "machine": on, "worlds": found})
    return 0 if all(map(agree, found.values())) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure every world beside plain Mesa objects.")
    parser.add_argument("--only", nargs="*", default=(), choices=tuple(WORLDS), help="and do not publish")
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--repeats", type=int, default=2, help="runs of each side; the best counts")
    parser.add_argument("--arm", choices=tuple(WORLDS), default=None, help="measure one side of one world")
    parser.add_argument("--side", choices=("engine", "objects", "half"), default="engine")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
