"""How many threads a run may take: said in one place, before the libraries below are loaded.

BLAS gets one: on products of small blocks two took up to four times the CPU. What can be worked out in
parts that do not know of one another (influence, the leaves of the digest) goes side by side in as
many threads as REHEARSE_THREADS says: two where a run is alone in its machine, one in each of several
shards, which fill the cores by themselves. What the environment says already stands; no result
depends on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import TypeVar

from rehearse.errors import UserError

Part = TypeVar("Part")
Result = TypeVar("Result")

BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
OWN = "REHEARSE_THREADS"


def hold(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what is not set, for a process that has the machine to itself."""
    for name in BLAS:
        environment.setdefault(name, "1")
    environment.setdefault(OWN, str(min(2, os.cpu_count() or 1)))


def own() -> int:
    """Return how many threads work side by side; raises UserError where the environment says no number."""
    said = os.environ.get(OWN, "1")
    if not said.isdecimal() or int(said) < 1:
        problem = f"{OWN}={said}: this is no number of threads."
        raise UserError(problem, f"Set it to 1 or more, for example {OWN}=2.")
    return int(said)


def side_by_side(work: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
    """Go over what is worked out of each part, in order; the parts must not know of one another."""
    pieces, threads = list(parts), own()
    if min(threads, len(pieces)) < 2:
        yield from map(work, pieces)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, pieces)
