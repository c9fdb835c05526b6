"""What a scenario schedules to change in triage: how many workers a queue has."""

from __future__ import annotations

from rehearse.errors import ScenarioError
from rehearse.scenario.model import Drift

WORKERS = "workers"


class Shifts:
    """How many workers there are at each tick: new = old · times + add, rounded, at least 1."""

    def __init__(self, drift: tuple[Drift, ...], workers: int) -> None:
        """Take what is scheduled; ScenarioError for a path that there is not."""
        for place, change in enumerate(drift):
            if change.what != WORKERS:
                problem = f"drift[{place}].what is {change.what!r}, which does not drift in a queue."
                raise ScenarioError(problem, f"Known: {WORKERS}; and people.… for the people.")
        self._drift = sorted(drift, key=lambda change: change.tick)
        self._workers = workers

    def at(self, tick: int) -> int:
        """Return the number of workers in a tick."""
        count = float(self._workers)
        for change in self._drift:
            if change.tick <= tick and (change.until is None or tick < change.until):
                count = count * change.times + change.add
        return max(1, round(count))

    def sentences(self, tick: int) -> list[str]:
        """Say what changes with the start of a tick."""
        edges = {change.tick for change in self._drift} | {change.until for change in self._drift}
        note = "; ".join(change.note for change in self._drift if change.tick == tick and change.note)
        said = f"workers: {self.at(tick)}" + (f" ({note})" if note else "")
        return [said] if tick in edges else []


def refuse(drift: tuple[Drift, ...], kind: str) -> None:
    """Raise ScenarioError where something is to drift in a world in which nothing does."""
    if drift:
        problem = f"a drift of {drift[0].what!r} was given to triage-v1 (kind: {kind}), where nothing drifts."
        raise ScenarioError(problem, "Leave it out; fork a run to change its settings from some tick on.")
