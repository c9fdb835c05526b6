"""Beyond one process: a run dealt to shards, which are processes of this machine or actors of Ray.

deal        who goes to which shard: whole societies, or people of each society
work        what a shard does: an ordinary simulation of its people
ensemble    all shards, told the same things at the same time; one that is lost begins again
conductor   a simulation whose ticks are held by the ensemble
rooms       where shards live: `local` (processes, shared memory) and `cluster` (Ray)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rehearse.experiments.build import Assembly
    from rehearse.experiments.rebuilding import Leg


@dataclass(frozen=True, slots=True)
class Spread:
    """Over how many shards a run is spread, and where they live."""

    shards: int = 1
    on: str = "local"
    """`local`; `ray`, or `ray://HOST:PORT` for a cluster that is there already."""


ONE_PROCESS = Spread()


@contextmanager
def assembled(legs: Sequence[Leg], spread: Spread = ONE_PROCESS) -> Iterator[Assembly]:
    """Build a run at its first tick, in one process or in shards, which end with the block.

    Raises UserError where it cannot be built or dealt.
    """
    if spread == ONE_PROCESS:
        from rehearse.experiments.rebuilding import in_legs

        yield in_legs(legs)
        return
    from rehearse.experiments.shards.assembly import assemble_in_shards

    assembly = assemble_in_shards(legs, spread)
    try:
        yield assembly
    finally:
        assembly.close()
