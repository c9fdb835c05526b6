"""Bounds of a run: what it took since it began or was resumed, held against what it may take."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from rehearse.scenario.bounds import Bounds

if TYPE_CHECKING:
    from rehearse.experiments.build import Assembly
    from rehearse.experiments.resources import Meter
    from rehearse.record.recorder import Recorder
    from rehearse.scenario.model import Scenario

UNITS = {
    "user_turns": "user-turns",
    "wall_s": "seconds of wall-clock time",
    "memory_mb": "MiB of memory",
    "money": "of money spent",
    "harm": "of harm",
    "refusals": "tries that the sandbox refused",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run took so far."""

    user_turns: float
    wall_s: float
    memory_mb: float
    money: float
    harm: float
    refusals: float

    def since(self, earlier: Taken) -> Taken:
        """Return what was taken since; memory is what is held now."""
        found = {f.name: getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self)}
        return Taken(**found | {"memory_mb": self.memory_mb})


class Watch:
    """Looks at the end of each tick whether a bound is reached."""

    def __init__(self, scenario: Scenario, assembly: Assembly, recorder: Recorder, meter: Meter) -> None:
        self._scenario, self._assembly = scenario, assembly
        self._recorder, self._meter = recorder, meter
        self.begin()

    def begin(self) -> None:
        """Count from here."""
        self._began = self._taken()

    def stop(self) -> dict[str, Any] | None:
        """Return which bound is reached, as `reached` does."""
        bounds = self._scenario.bounds
        if bounds == Bounds():
            return None
        tick, ticks = self._assembly.simulation.tick, self._scenario.time.ticks
        return reached(bounds, self._taken().since(self._began), tick, ticks)

    def _taken(self) -> Taken:
        recorder, assembly = self._recorder, self._assembly
        wall, memory = self._meter.wall, assembly.memory / 2**20
        return Taken(recorder.user_turns, wall, memory, recorder.spent, recorder.harm, assembly.refusals)


def reached(bounds: Bounds, taken: Taken, tick: int, ticks: int) -> dict[str, Any] | None:
    """Return which bound is reached, with a sentence, for the manifest; None where none is."""
    for name, unit in UNITS.items():
        most, now = getattr(bounds, name), getattr(taken, name)
        if most is not None and (now > most if name in {"harm", "refusals"} else now >= most):
            why = f"{now:,.6g} {unit} reached bounds.{name} ({most:,.6g})"
            sentence = f"Stopped after {tick} of {ticks} ticks: {why}."
            return {"tick": tick, "bound": name, "sentence": sentence}
    return None
