"""A tick of influence against a bare sparse product: DeGroot on 16 tastes, a small world of 1,000,000.

The bare product is `A @ X` of scipy, A the matrix of ties with each row divided by its number, X the
tastes as the population holds them. What a tick adds to it is the mixing with one's own taste, the
people's own susceptibility, and the promise that no bit depends on how the work is cut.

    python benchmarks/piece.py influence
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

WEIGHT = 0.1
DIMS = 16


def measure(*, quick: bool = False) -> dict[str, float]:
    """Return the ratio, and nanoseconds a person of each; best of five, in turn."""
    from rehearse.engine.machine import keep_memory

    keep_memory()  # as a run does, for both arms
    people = 2_000 if quick else 1_000_000
    ties, columns = _society(people)
    influence = _influence(ties, columns)
    matrix, tastes = _matrix(ties), np.array(columns["taste"], dtype=np.float32)
    doubles, twice = matrix.astype(np.float64), tastes.astype(np.float64)
    arms: dict[str, Callable[[], Any]] = {
        "influence": influence,
        "bare_csr": lambda: matrix @ tastes,
        "bare_csr_float64": lambda: doubles @ twice,
    }
    spent = {name: min(each) for name, each in _in_turn(arms, 1 if quick else 5).items()}
    ns = {f"{name}_ns": seconds / people * 1e9 for name, seconds in spent.items()}
    ratios = {
        "influence_over_csr": spent["influence"] / spent["bare_csr"],
        "influence_over_csr_float64": spent["influence"] / spent["bare_csr_float64"],
    }
    return ratios | ns


def _in_turn(arms: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(repeats):
        for name, arm in arms.items():
            began = time.process_time()
            arm()
            spent[name].append(time.process_time() - began)
    return spent


def _society(people: int) -> tuple[Any, Any]:
    from rehearse.agents import graph
    from rehearse.chance import Chance
    from rehearse.columns import Columns
    from rehearse.scenario.society import Graph

    chance, replicas = Chance(1), np.zeros(1, dtype=np.int32)
    shape = Graph.model_validate({"kind": "watts_strogatz", "degree": 10, "rewire": 0.1})
    nobody = np.zeros(people, dtype=np.int8)
    ties = graph.build(shape, count=people, replicas=replicas, groups=nobody, chance=chance)
    user = np.arange(people, dtype=np.int64)
    tastes = np.empty((people, DIMS), dtype=np.float32)
    for start in range(0, people, 1 << 16):
        some = slice(start, start + (1 << 16))
        tastes[some] = 0.25 * chance.normal("bench/taste", 0, user[some], count=DIMS)
    columns = {
        "replica": np.zeros(people, dtype=np.int32),
        "user": user,
        "taste": tastes,
        "susceptibility": np.ones(people, dtype=np.float32),
    }
    return ties, Columns(columns)


def _influence(ties: Any, columns: Any) -> Callable[[], None]:
    from rehearse.agents.social import DeGroot, Rules
    from rehearse.chance import Chance

    rules = Rules([DeGroot(column="taste", weight=WEIGHT, own=0.0)], {"friends": ties}, Chance(1))
    return lambda: rules.advance(columns, 0)


def _matrix(ties: Any) -> Any:
    from scipy.sparse import csr_array

    shares = np.repeat(1.0 / np.maximum(ties.degree, 1), ties.degree).astype(np.float32)
    return csr_array((shares, ties.indices, ties.indptr.astype(ties.indices.dtype)), shape=(len(ties),) * 2)
