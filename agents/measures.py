"""Measures of a society: what becomes of its people, one number for each replica at the end of a tick.

Which are taken besides the cheap ones is the scenario's to say (`people.society.emergence`); what
each means stands in `rehearse.agents.emergence`. Sums over people are added in the fixed tree of
`exact.total`; those over ties one by one in the order of the rows, or in whole numbers. Dead people
(who left for good) count only in the share of those alive, and in cascades.

Columns for cascades: adopted_after (n,), after how many ticks a person adopted, 0 for those who had
from the start, -1 for those who have not; adopted_from (n,), the id of the friend who led, or -1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.among import EVERYBODY, Among
from rehearse.agents.blocks import raw
from rehearse.agents.emergence import adoption, mixing, opinions
from rehearse.agents.emergence.mixing import assortativity
from rehearse.agents.lifecycle import ever_here
from rehearse.agents.ties import Ties
from rehearse.columns import Columns
from rehearse.contract import Flags
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.emergence import Emergence

MEANS = ("trust", "satisfaction", "opinion", "habit", "adopted")
OPINION = "opinion"


def check(asked: Emergence, columns: Columns) -> None:
    """Raise ScenarioError where a measure is asked of something that these people do not have."""
    plain = [name for name, a in columns.items() if a.ndim == 1 and a.dtype.kind in "fi"]
    for name in asked.of:
        if name not in plain:
            problem = f"people.society.emergence.of: people have no column {name!r} of one number each."
            raise ScenarioError(problem, did_you_mean(name, plain))


def begin(asked: Emergence, columns: Columns) -> None:
    """Check what is asked for, and give people the columns that it needs."""
    check(asked, columns)
    if "cascades" in asked.measures:
        began = raw(columns, "adopted") & raw(columns, "alive")
        columns["adopted_after"] = np.where(began, 0, adoption.NEVER).astype(np.int32)
        columns["adopted_from"] = np.full(columns.length, adoption.NOBODY, dtype=np.int64)


def note_adoptions(
    asked: Emergence, columns: Columns, ties: Ties | None, tick: int, among: Among = EVERYBODY
) -> None:
    """Keep who adopted in this tick and from whom, at its end; no more than that where not asked for."""
    if ties is None or "cascades" not in asked.measures:
        return
    after = raw(columns, "adopted_after")
    fresh = np.flatnonzero(raw(columns, "adopted") & (after == adoption.NEVER) & ever_here(columns))
    after[fresh] = tick + 1
    heard: Mapping[str, NDArray[Any]] = among.heard(columns, ("adopted_after",))
    source = adoption.credit(heard["adopted_after"], ties, fresh, own=after)
    led = source != adoption.NOBODY
    raw(columns, "adopted_from")[fresh[led]] = heard["user"][source[led]]


def summary(
    columns: Columns, replicas: int, ties: Ties | None, asked: Emergence | None = None
) -> dict[str, Floats]:
    """Return the measures, each of shape (replicas,); NaN where nobody is left to measure.

    Of opinions (and of every other column that is asked for, with its name in that of the measure)
    `polarisation` and `bimodality`; `assortativity_of_satisfaction` where there are ties; and the
    families that the scenario asks for.
    """
    asked = asked or Emergence()
    alive = raw(columns, "alive").reshape(replicas, -1)
    measures = {"alive": opinions.mean(alive.astype(np.float64))}
    measures |= {name: opinions.mean(_lines(columns, name, replicas), alive) for name in MEANS}
    held = (raw(columns, "goal_kind") >= 0).sum(axis=1).reshape(replicas, -1)
    measures["goals_open"] = opinions.mean(held.astype(np.float64), alive)
    for name in asked.of:
        measures |= _spread(columns, name, alive, asked)
    if ties is not None:
        measures["assortativity_of_satisfaction"] = assortativity(
            columns.numbers("satisfaction"), ties, replicas
        )
        measures |= _along_ties(columns, ties, alive, asked)
    return measures


def _spread(columns: Columns, name: str, alive: Flags, asked: Emergence) -> dict[str, Floats]:
    """Return how opinions lie, ties left aside."""
    of, values = _of(name), _lines(columns, name, len(alive))
    found = {
        f"polarisation{of}": opinions.polarisation(values, alive),
        f"bimodality{of}": opinions.bimodality(values, alive),
    }
    if "clusters" in asked.measures:
        seen = opinions.clusters(values, asked.gap, alive)
        found[f"clusters{of}"] = seen.count.astype(np.float64)
        found[f"major_clusters{of}"] = seen.major.astype(np.float64)
        found[f"largest_cluster{of}"] = seen.largest
    return found


def _along_ties(columns: Columns, ties: Ties, alive: Flags, asked: Emergence) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    if "echo" in asked.measures:
        for name in asked.of:
            found |= _echo(columns, name, ties, alive, asked)
    if "segregation" in asked.measures:
        found |= _segregation(columns, ties, alive)
    if "cascades" in asked.measures:
        found |= _cascades(columns, len(alive))
    return found


def _echo(columns: Columns, name: str, ties: Ties, alive: Flags, asked: Emergence) -> dict[str, Floats]:
    values = columns.numbers(name)
    groups = opinions.opinion_groups(values, asked.cuts)
    groups[~alive.ravel()] = mixing.NONE
    counts = mixing.mixing_matrix(groups, ties, kinds=len(asked.cuts) + 1, replicas=len(alive))
    found = {
        f"echo{_of(name)}": mixing.within(counts),
        f"echo_by_chance{_of(name)}": mixing.within_by_chance(counts),
    }
    if name != "satisfaction":
        found[f"assortativity{_of(name)}"] = assortativity(values, ties, len(alive))
    return found


def _segregation(columns: Columns, ties: Ties, alive: Flags) -> dict[str, Floats]:
    groups = np.where(alive.ravel(), raw(columns, "group"), np.int8(mixing.NONE))
    counts = mixing.mixing_matrix(groups, ties, replicas=len(alive))
    return {
        "segregation": mixing.newman(counts),
        "same_group_friends": mixing.same_group_friends(groups, ties, len(alive)),
    }


def _cascades(columns: Columns, replicas: int) -> dict[str, Floats]:
    """Return how many cascades there are so far, and what the largest one of each replica looks like."""
    size = columns.length // replicas
    led_by = raw(columns, "adopted_from")
    start = np.arange(columns.length) // size * size
    source = np.where(led_by != adoption.NOBODY, start + led_by, adoption.NOBODY)
    found = adoption.cascades(source, raw(columns, "adopted_after") != adoption.NEVER)
    society = found.root // size
    many = np.bincount(society, minlength=replicas).astype(np.float64)
    reached = np.bincount(society, weights=found.size, minlength=replicas)
    # The largest of each replica, of several the one whose first adopter stands first.
    order = np.lexsort((found.root, -found.size, society))
    best = order[np.unique(society[order], return_index=True)[1]]
    places = society[best]
    told = {"cascades": many, "cascade_size": np.where(many > 0, reached / np.maximum(many, 1.0), np.nan)}
    for name, values in (
        ("largest_cascade", found.size),
        ("cascade_depth", found.depth),
        ("structural_virality", found.virality),
    ):
        told[name] = np.full(replicas, np.nan)
        told[name][places] = values[best]
    return told


def _of(name: str) -> str:
    return "" if name == OPINION else f"_of_{name}"


def _lines(columns: Columns, name: str, replicas: int) -> Floats:
    """Return a column with a row for each replica."""
    return columns.numbers(name).reshape(replicas, -1)
