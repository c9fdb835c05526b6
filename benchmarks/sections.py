"""The sections of the benchmark: which arms are measured, and which ratios come of them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import peers
import performance
from measuring import NotMeasured, piece, script


@dataclass(frozen=True)
class Found:
    """What a section came to."""

    keys: Mapping[str, float | None] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    small: int = 10_000
    middle: int = 100_000
    large: int = 1_000_000
    twin: int = 3_000
    ticks: int = 5
    twin_ticks: int = 5
    rows: int = 102_400
    repeats: int = 3
    trimmed: bool = False
    """Leave out the arms that only say what something else would have cost."""


QUICK = Sizes(500, 1_000, 2_000, twin=100, ticks=1, twin_ticks=1, rows=2_048, repeats=1, trimmed=True)
OF = {
    "memory": "bytes_per_user",
    "influence": "influence_over_csr",
    "handles": "handles_over_mesa",
    "shards": "shards2_over_two_copies",
}
"""Which promised figure is the whole point of a section."""
Arm = Callable[[], Any]
Measured = dict[str, Any]
"""What the best repetition of an arm said, with `ns` a row or user turn; or a NotMeasured."""


def all_of(*, quick: bool, make_peers: bool, repeats: int | None) -> dict[str, Callable[[], Found]]:
    """Return the sections in the order in which they are measured."""
    sizes = QUICK if quick else Sizes()
    sizes = sizes if repeats is None else replace(sizes, repeats=repeats)
    pieces = {"influence": "influence", "handles": "handles_vs_mesa", "shards": "shards"}
    sections = {
        "workload": partial(workload, sizes),
        "scale": partial(scale, sizes),
        "memory": partial(memory, sizes),
    }
    if not quick:
        sections["peers"] = partial(against_peers, sizes, make=make_peers)
    sections |= {name: partial(from_piece, module, quick=quick) for name, module in pieces.items()}
    if not quick:
        sections["recording"] = partial(from_piece, "recording", quick=False)
        sections["phases"] = partial(phases, sizes)
        sections["feed"] = feed
    return sections


def workload(sizes: Sizes) -> Found:
    """Measure W in the engine against the bare models and against plain Mesa objects."""
    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "seen.npy"
        with suppress(NotMeasured):  # the bare models then see numbers like those of a run
            script("w_ours.py", "--seen", seen, "--users", sizes.rows // 4, "--model", "linear")
        return _workload(sizes, seen)


def _workload(sizes: Sizes, seen: Path) -> Found:
    arms = {
        "bare linear": _bare("linear", sizes, seen),
        "linear 100k": _ours("linear", sizes.middle, 2 * sizes.ticks),
        "bare cheap": _bare("cheap", sizes, seen),
        "cheap 100k": _ours("cheap", sizes.middle, 2 * sizes.ticks),
        "mesa cheap": _mesa("cheap", sizes),
        "mesa linear": _mesa("linear", sizes),
        "linear 1m": _ours("linear", sizes.large, sizes.ticks),
    }
    others = {
        "linear 100k, all columns": _ours("linear", sizes.middle, 2 * sizes.ticks, "all"),
        "cheap 100k, all columns": _ours("cheap", sizes.middle, 2 * sizes.ticks, "all"),
        "linear 100k, tiles of 256": _ours("linear", sizes.middle, 2 * sizes.ticks, tile=256),
        "cheap 100k, tiles of 256": _ours("cheap", sizes.middle, 2 * sizes.ticks, tile=256),
    }
    best = alternate(arms, sizes.repeats)
    if not sizes.trimmed:
        best |= alternate(others, min(sizes.repeats, 2))
    return _overheads(best)


def _overheads(best: Measured) -> Found:
    found = _ratios(best, {name: (arm, "bare linear") for name, arm in OVERHEADS.items()}, "whole_ns")
    beside = {
        "x_mesa_objects": ("mesa cheap", "cheap 100k"),
        "x_mesa_objects_linear": ("mesa linear", "linear 100k"),
        "overhead_without_making_people": ("linear 100k", "bare linear"),
        "cost_of_the_full_row_linear": ("linear 100k, all columns", "linear 100k"),
        "cost_of_the_full_row_cheap": ("cheap 100k, all columns", "cheap 100k"),
        "cost_of_the_usual_tile_linear": ("linear 100k, tiles of 256", "linear 100k"),
        "cost_of_the_usual_tile_cheap": ("cheap 100k, tiles of 256", "cheap 100k"),
    }
    found = _both(found, _ratios(best, beside))
    rate, why = _value(best, "cheap 100k", lambda arm: 1e9 / arm["ns"])
    notes = {} if rate is not None else {"cheap_turns_per_cpu_s": why}
    return _both(found, Found({"cheap_turns_per_cpu_s": rate}, notes))


OVERHEADS = {
    "overhead_w_100k": "linear 100k",
    "overhead_w_1m": "linear 1m",
    "overhead_w_100k_full_row": "linear 100k, all columns",
}
"""Ratios of a whole run, people and ties made, to the bare decision model."""


def scale(sizes: Sizes) -> Found:
    """Measure the cost of a user turn at 10,000 and at 1,000,000 users, with the cheap model."""
    arms = {
        "cheap 10k": _ours("cheap", sizes.small, 20 * sizes.ticks),
        "cheap 1m": _ours("cheap", sizes.large, sizes.ticks),
    }
    best = alternate(arms, sizes.repeats)
    return _ratios(best, {"scale_1m_over_10k": ("cheap 1m", "cheap 10k")})


def memory(sizes: Sizes) -> Found:
    """Measure what a user holds before the first tick."""
    seated = script("w_ours.py", "--seat", "--users", sizes.middle)
    return Found({"bytes_per_user": seated["bytes_per_user"]}, detail={"memory": seated})


def phases(sizes: Sizes) -> Found:
    """Measure where the time of a run goes, on W and on `feed`."""
    ticks = 2 * sizes.ticks
    found = {
        f"W, {model}": script(
            "w_ours.py", "--phases", "--model", model, "--users", sizes.middle, "--ticks", ticks
        )
        for model in ("linear", "cheap")
    }
    for policy in ("random-v1", "greedy-v1"):
        given = ("--scenario", "feed", "--policy", policy, "--users", sizes.middle, "--ticks", ticks)
        found[f"feed, {policy}"] = script("phases.py", *given)
    return Found(detail={"phases": found})


def against_peers(sizes: Sizes, *, make: bool) -> Found:
    """Measure the peers and the engine in turn; whoever cannot be had is null."""
    arms: dict[str, Arm] = {
        "cheap, beside peers": _ours("cheap", sizes.middle, 2 * sizes.ticks),
        "linear, beside peers": _ours("linear", sizes.middle, 2 * sizes.ticks),
    }
    arms |= {peer.name: partial(peers.run, peer, make=make) for peer in peers.PEERS}
    beside = {
        "x_mesa_frames": (peers.FRAMES.name, "cheap, beside peers"),
        "x_trecs": (peers.TRECS.name, "cheap, beside peers"),
        "x_trecs_linear": (peers.TRECS.name, "linear, beside peers"),
        "x_recsim": (peers.RECSIM.name, "cheap, beside peers"),
    }
    return _ratios(alternate(arms, sizes.repeats), beside)


def feed() -> Found:
    """Measure the scenario `feed` against its plain-Mesa twin."""
    given = ("--users", 100_000, "--twin-users", 3_000, "--ticks", 10, "--repeats", 1)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "feed.json"
        script("feed_vs_mesa.py", *given, "--json", out, answers=False)
        found = json.loads(out.read_text(encoding="utf-8"))
    ratios = {f"feed_over_mesa_{name}": found[f"{name}-v1"]["ratio"] for name in ("greedy", "constant")}
    return Found(ratios, detail={"feed": found})


def from_piece(module: str, *, quick: bool) -> Found:
    """Take what a module measures: what begins with a promised key is one, the rest is detail."""
    found = piece(module, quick=quick)
    return Found({k: v for k, v in found.items() if k in performance.KEYS}, detail={module: found})


def alternate(arms: Mapping[str, Arm], repeats: int) -> Measured:
    """Measure all arms in turn, some times over; the quickest repetition of each counts."""
    best: Measured = {}
    for _ in range(repeats):
        for name, arm in arms.items():
            if isinstance(best.get(name), NotMeasured):
                continue
            try:
                found = _per_turn(arm())
            except NotMeasured as reason:
                best[name] = reason
                continue
            if name not in best or found["ns"] < best[name]["ns"]:
                best[name] = found
    return best


def _per_turn(found: dict[str, Any]) -> dict[str, Any]:
    """Return what an arm said, with nanoseconds of CPU a turn: of its sessions, and with making people."""
    if "ns" in found:  # the bare models, which have no people
        return found | {"whole_ns": found["ns"]}
    whole = found["cpu_s"] + found.get("setup_cpu_s", 0.0)
    turns = found["turns"] / 1e9
    return found | {"ns": found["cpu_s"] / turns, "whole_ns": whole / turns}


def _bare(model: str, sizes: Sizes, seen: Path) -> Arm:
    return partial(script, "bare.py", "--model", model, "--rows", sizes.rows, "--seen", seen)


def _ours(model: str, users: int, ticks: int, columns: str = "w", tile: int = 0) -> Arm:
    given = ("--model", model, "--users", users, "--ticks", ticks, "--columns", columns, "--tile", tile)
    return partial(script, "w_ours.py", *given)


def _mesa(model: str, sizes: Sizes) -> Arm:
    given = ("--model", model, "--users", sizes.twin, "--ticks", sizes.twin_ticks)
    return partial(script, "w_mesa.py", *given)


def _ratios(best: Measured, pairs: Mapping[str, tuple[str, str]], of: str = "ns") -> Found:
    """Return time of the first ÷ time of the second of each pair."""
    keys: dict[str, float | None] = {}
    notes: dict[str, str] = {}
    for key, pair in pairs.items():
        if not set(pair) <= best.keys():
            continue
        missing = [best[name] for name in pair if isinstance(best[name], NotMeasured)]
        keys[key] = None if missing else best[pair[0]][of] / best[pair[1]][of]
        if missing:
            notes[key] = str(missing[0])
    detail = {n: {"missing": str(m)} if isinstance(m, NotMeasured) else m for n, m in best.items()}
    return Found(keys, notes, detail)


def _value(best: Measured, name: str, of: Callable[[Any], float]) -> tuple[float | None, str]:
    arm = best[name]
    return (None, str(arm)) if isinstance(arm, NotMeasured) else (of(arm), "")


def _both(one: Found, other: Found) -> Found:
    return Found({**one.keys, **other.keys}, {**one.notes, **other.notes}, {**one.detail, **other.detail})
