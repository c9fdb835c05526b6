"""What `rehearse.search` is: the verb of the command line, for Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearse.experiments.api import Given
    from rehearse.experiments.search.results import Search


def search(
    scenario: Given,
    *,
    against: str = "worst",
    budget: int = 100,
    searcher: str | None = None,
    seed: int = 1,
    axes: Mapping[str, Any] | None = None,
    policy: str | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    jobs: int | None = None,
    resume: bool = False,
    shrink: bool = True,
    trust: bool = False,
    **changes: Any,
) -> Search:
    """Look for what breaks a model, in the ranges that a scenario declares under `search:` or `axes` gives.

        found = rehearse.search("travel", axes={"people.behaviour.drains.wait_per_second": [0.1, 3.0]})
        print(found)  # the worst case, which fields matter, where each turns
        found.file  # the least scenario that still fails, which `rehearse run` takes

    `against` is a criterion by its metric (`wait[foreign]` of a group), or the worst of all. `budget` is how
    many points are run; `searcher` is `tpe` (Optuna), `evolution` or `random`, None the best installed, and
    `seed` is its own: the same seed gives the same search whatever `jobs` is. `out` is the folder
    (`searches/NAME`); with `resume` no run in it is made again. `policy` is a reference and
    `changes` are those of `load`. Raises UserError where the search cannot be begun.
    """
    from rehearse.experiments.api import load
    from rehearse.experiments.search.conducting import Asked
    from rehearse.experiments.search.conducting import search as conduct

    return conduct(
        load(scenario, **changes),
        Asked(against, budget, searcher, seed, shrink),
        axes=axes,
        origin=str(scenario) if isinstance(scenario, str | Path) else None,
        policy=policy,
        data=None if data is None else Path(data),
        out=None if out is None else Path(out),
        jobs=jobs,
        resume=resume,
        trust=trust,
    )
