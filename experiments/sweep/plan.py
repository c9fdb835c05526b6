"""Plans: what somebody writes to have many runs made, checked down to the place of a mistake.

    scenario: travel
    axes:
      policy: [greedy-v1, random-v1]
      people.behaviour.outside: {range: [0.2, 0.6], steps: 5}
    seeds: 20

An axis is called by the dotted path of what it changes, as `--set` does; `policy` takes references and
`scenario` names or files of scenarios. A plan may evaluate a Python function of its axes (`run:`) instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rehearse.errors import NotFoundError, ScenarioError, did_you_mean
from rehearse.scenario.axes import Axis
from rehearse.scenario.base import Count, Name, Positive, Strict
from rehearse.scenario.document import Node, Place, node_of, parse
from rehearse.scenario.wrong import check

UNTIL_DECIDED = "until decided"
OF_RESULTS = frozenset({"run", "point", "metric", "group", "estimate", "low", "high", "n", "unit", "verdict"})
RESERVED = OF_RESULTS | {"status", "digest", "user_turns", "seconds", "error"}
"""Columns of the table, which no axis may be called."""
Kind = Literal["product", "grid", "zip", "latin-hypercube", "sobol", "halton", "saltelli", "morris"]
Whole = Annotated[int, Field(ge=0, lt=2**63)]


class Design(Strict):
    """Which points of the axes are visited."""

    kind: Kind = "product"
    """`product` (or `grid`): every value with every other; `zip`: the first of each axis, then the second;
    `latin-hypercube`, `sobol`, `halton`: `n` points drawn over the ranges; `saltelli`, `morris`: for indices
    of sensitivity."""
    n: Count | None = None
    """Points of a design that draws; base points of saltelli, trajectories of morris."""
    seed: Whole = 1
    """Of the draws."""
    second_order: bool = False
    """Whether saltelli visits the points for indices of pairs too (n · (2d + 2) instead of n · (d + 2))."""
    levels: Annotated[int, Field(ge=2, le=64)] = 4
    """Of morris: how many values an axis has."""

    @property
    def draws(self) -> bool:
        """Return whether points are drawn over the ranges, so that axes need no steps."""
        return self.kind not in {"product", "grid", "zip"}

    @model_validator(mode="after")
    def _says_how_many(self) -> Self:
        if self.draws != (self.n is not None):
            problem = f"{self.kind} {'needs n, the number of points' if self.draws else 'takes no n'}"
            raise ValueError(problem)
        if self.kind == "saltelli" and (self.n or 0).bit_count() != 1:
            problem = f"saltelli needs a power of two for n, found {self.n}"
            raise ValueError(problem)
        return self


class Plan(Strict):
    """What runs are to be made."""

    name: Name | None = None
    """What the sweep is called; without it, as its file."""
    scenario: str | dict[str, Any] | None = None
    """A name of the catalogue, a YAML file counted from the plan's folder, or what such a file holds."""
    run: str | None = None
    """A function to evaluate instead: `module:function` or `FILE.py:function`."""
    set: dict[str, Any] = Field(default_factory=dict)
    """What every run changes of its scenario: dotted paths and values."""
    reduced: bool = False
    """Whether scenarios are run at the reduced size that they state for themselves (`about.reduced`)."""
    data: str | None = None
    """A table that the world is fed with."""
    axes: dict[str, Any] = Field(default_factory=dict)
    """What differs from run to run: dotted paths, each with a list of values or a range."""
    design: Design = Design()
    seeds: Annotated[int, Field(ge=1, le=1_000_000)] | tuple[Whole, ...] | Literal["until decided"] = 1
    """How many seeds for each point, from that of the scenario on; or which."""
    most_seeds: Count = 100
    """Of `until decided`: after so many seeds a point is left undecided."""
    common_random_numbers: bool = True
    """Whether every point has the same seeds, so that points differ by what was changed alone."""
    metrics: tuple[str, ...] = ()
    """Metrics to be measured besides those that every run has."""
    keep: Literal["metrics", "failing", "runs"] = "metrics"
    """What is kept of runs besides their metrics: no record, those of runs that fail, or all."""
    limit_s: Positive | None = None
    """Seconds after which a run is given up."""

    @model_validator(mode="after")
    def _runs_something(self) -> Self:
        asked = self.scenario is not None or self.set or self.reduced or "scenario" in self.axes
        if self.run is not None and asked:
            problem = "run evaluates a function, so that scenario, set and reduced would not be used"
            raise ValueError(problem)
        if self.run is None and self.scenario is None and "scenario" not in self.axes:
            problem = "it says neither a scenario nor a function to run"
            raise ValueError(problem)
        if isinstance(self.seeds, tuple) and not self.common_random_numbers:
            problem = "seeds are listed, so that every point has them: common_random_numbers cannot be false"
            raise ValueError(problem)
        if "seed" in self.axes and self.seeds != 1:
            problem = "seed is an axis, so that seeds would not be used"
            raise ValueError(problem)
        return self


@dataclass(frozen=True, slots=True)
class Planned:
    """A checked plan, and where everything in it was written."""

    plan: Plan
    axes: dict[str, Axis | list[Any]]
    tree: Node
    folder: Path
    """From which its files are counted."""
    name: str

    def place(self, *path: str) -> Place:
        """Return where something in the plan was written, to be named in a message."""
        node, at = self.tree, self.tree
        for key in path:
            at = node.child(key) or node
            node = at
        dotted = ".".join(path)
        return Place(f"{at.place}: {dotted}" if at.place.source else f"plan: {dotted}")


def read(plan: str | Path | Mapping[str, Any] | Plan) -> Planned:
    """Return a plan from a YAML file, a dict of what one holds, or a plan; raises UserError for mistakes."""
    if isinstance(plan, str | Path):
        path = Path(plan)
        tree, folder, name = parse(_bytes(path), str(path)), path.resolve().parent, path.stem
    else:
        data = plan.model_dump(mode="json") if isinstance(plan, Plan) else dict(plan)
        tree, folder, name = node_of(data, Place("")), Path.cwd(), "sweep"
    if not isinstance(tree.value, dict):
        problem = f"{tree.place}: a plan is a map of keys and values."
        raise ScenarioError(problem, "Begin with `scenario:` and `axes:`.")
    checked = check(Plan, tree.plain(), tree=tree)
    axes = {key: _axis(key, value, tree) for key, value in checked.axes.items()}
    return Planned(checked, axes, tree, folder, checked.name or name)


def _axis(key: str, value: Any, tree: Node) -> Axis | list[Any]:
    whole = tree.child("axes")
    node = (whole.child(key) if whole else None) or tree
    where = f"{node.place}: " if node.place.source else ""
    if key in RESERVED or key.startswith("_"):
        problem = f"{where}axes.{key}: that is a column of the table of results."
        raise ScenarioError(problem, f"Call it something else than {', '.join(sorted(RESERVED))}.")
    if isinstance(value, dict):
        return check(Axis, value, under=f"axes.{key}", tree=node)
    if not isinstance(value, list) or not value:
        problem = f"{where}axes.{key} must be a list of values or a range, found {value!r}."
        raise ScenarioError(problem, "Write [a, b, c], or {range: [0, 1], steps: 5}.")
    return list(value)


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        problem = f"there is no plan {str(path)!r}."
        near = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise NotFoundError(problem, did_you_mean(path.name, near) if near else "Check the path.")
    return path.read_bytes()
