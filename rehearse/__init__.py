"""Rehearse: a dress rehearsal for decision models.

Simulated users with personas, goals and memory hold multi-turn sessions with a decision model, talk
to each other over a social graph and live on through simulated time; a verdict with evidence comes
out. In Python:

    import rehearse

    def decide(request):                       # or requests: a batch at a time
        return "train"

    result = rehearse.run("travel", policy=decide, ticks=20)
    print(result.verdict, result.folder)

`rehearse.model("travel")` gives the same rehearsal as a Mesa model, a tick a step.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearse.experiments.api import (
        compare,
        counterfactual,
        decide,
        export,
        fork,
        least_change,
        load,
        model,
        off_policy,
        play,
        read,
        read_log,
        replay,
        resume,
        run,
        search,
        sweep,
        track,
    )

__all__ = [
    "compare",
    "counterfactual",
    "decide",
    "export",
    "fork",
    "least_change",
    "load",
    "model",
    "off_policy",
    "play",
    "read",
    "read_log",
    "replay",
    "resume",
    "run",
    "search",
    "sweep",
    "track",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Loaded on first use: `import rehearse` and `rehearse --help` must stay light.
    if name in __all__:
        return getattr(import_module("rehearse.experiments.api"), name)
    problem = f"module 'rehearse' has no attribute {name!r}"
    raise AttributeError(problem)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
