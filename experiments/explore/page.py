"""The page on which a scenario is explored: Mesa's SolaraViz with our graph and series.

`solara run rehearse.experiments.explore.page` shows the scenario that the environment variable names
which `rehearse explore` sets. A notebook makes its own: `page_of("travel")`.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import solara
from mesa.visualization import Slider, SolaraViz
from mesa.visualization.utils import update_counter

from rehearse.experiments.explore import drawing
from rehearse.experiments.explore.dials import Dial, dials
from rehearse.experiments.models import ScenarioModel

ASKED = "REHEARSE_EXPLORE"
"""Holds, as JSON, what `rehearse explore` was asked: the keyword parameters of ScenarioModel."""
COLOURS = ("satisfaction", "opinion", "trust")
SERIES = (
    "satisfaction",
    "turns",
    "regret",
    "acceptance",
    "trust",
    "opinion",
    "polarisation",
    "reward",
    "alive",
)
BEGIN = "Press Step or ▶ on the left; after turning a dial, Reset."


def page_of(name: str, **parameters: Any) -> Any:
    """Return the page of a scenario as a Solara element; `parameters` as for ScenarioModel."""
    return _viz(*prepared(name, **parameters))


def prepared(name: str, **parameters: Any) -> tuple[ScenarioModel, dict[str, Any]]:
    """Return a scenario's model, small enough to look at, and what it is made from: values and sliders."""
    from rehearse.experiments.api import load

    asked = {"replicas": 1, **parameters}
    numbers = {key: asked.pop(key) for key in ("users", "seed") if key in asked}
    data = ("policy", "data", "trust", "replicas", "ticks")
    paths = {path: value for path, value in asked.items() if path not in data}
    found = dials(load(name, **numbers, settings=paths))
    fixed = {"name": name, **asked}
    turned: dict[str, Any] = {dial.path: dial.value for dial in found}
    return ScenarioModel(**fixed, **turned), fixed | {dial.path: _slider(dial) for dial in found}


def _viz(model: ScenarioModel, parameters: dict[str, Any]) -> Any:
    title = f"Rehearse: {model.rehearsed.title or model.rehearsed.name}"
    return SolaraViz(model, components=[society, history], model_params=parameters, name=title)


@solara.component  # type: ignore[untyped-decorator]
def society(model: ScenarioModel) -> None:
    """Show who knows whom, coloured by what people feel."""
    update_counter.get()  # drawn again with every step
    what, choose = solara.use_state(COLOURS[0])
    ties = getattr(model.simulation.users, "ties", None)
    society_size = int((model.people["replica"] == model.people["replica"][0]).sum())
    rows, pairs, places = solara.use_memo(lambda: _drawn(ties, society_size), [model])
    with solara.Card(f"{len(rows):,} of {society_size:,} people"):
        solara.Select(
            "Coloured by", values=[c for c in COLOURS if c in model.people], value=what, on_value=choose
        )
        names = [f"user {user}" for user in model.people["user"].take(rows).tolist()]
        alive = np.asarray(model.people["alive"].take(rows), dtype=np.bool_)
        values = drawing.coloured(model.people, rows, what)
        solara.HTML(
            unsafe_innerHTML=drawing.graph(places, pairs, values, alive, names) + drawing.legend(what)
        )


@solara.component  # type: ignore[untyped-decorator]
def history(model: ScenarioModel) -> None:
    """Show what became of the society, tick by tick."""
    update_counter.get()
    told = model.datacollector.model_vars
    ticks = model.rehearsed.time.ticks
    with solara.Card(f"Tick {model.tick} of {ticks}, decided by {model.policy.name}"):
        if model.tick == 0:
            solara.Text(BEGIN)
        else:
            shown = {name: told[name] for name in SERIES if name in told}
            solara.HTML(unsafe_innerHTML=drawing.series(shown, ticks))


def _drawn(ties: Any, people: int) -> tuple[Any, Any, Any]:
    rows = drawing.sample(ties, people)
    pairs = drawing.ties_among(ties, rows)
    return rows, pairs, drawing.layout(len(rows), pairs)


def _slider(dial: Dial) -> Slider:
    kind = int if dial.whole else float
    numbers = (kind(number) for number in (dial.value, dial.low, dial.high, dial.step))
    return Slider(dial.label, *numbers, dtype=kind)


@solara.component  # type: ignore[untyped-decorator]
def Page() -> None:  # noqa: N802 -- the name that Solara looks for
    """Show the scenario that was asked for."""
    asked = os.environ.get(ASKED, '{"name": "travel"}')
    _viz(*solara.use_memo(lambda: prepared(**json.loads(asked)), [asked]))
