"""What can be asked of runs besides their verdict, for Python: parts of what `import rehearse` offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearse.scenario.model import Scenario

if TYPE_CHECKING:
    from rehearse.experiments.api import Given
    from rehearse.experiments.compare import Comparison
    from rehearse.experiments.counterfactual import Counterfactual
    from rehearse.experiments.deciding import Decision
    from rehearse.experiments.exporting import Exported
    from rehearse.experiments.least_change import LeastChange


def compare(a: str | Path, b: str | Path, *, across: bool = False) -> Comparison:
    """Compare two recorded runs of the same people with the same luck, B − A.

    With `across` their scenarios may differ; other people are then compared as two samples.
    """
    from rehearse.experiments.compare import compare as compare_records
    from rehearse.record.reading import RunRecord

    return compare_records(RunRecord(a), RunRecord(b), across=across)


def counterfactual(
    of: str | Path | Mapping[str, Any] | Scenario,
    *,
    flip: str | Sequence[str] = (),
    instead: str | Sequence[str] = (),
    without: str | Sequence[str] = (),
    without_tie: str | Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    policy: object | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    trust: bool = False,
    **changes: Any,
) -> Counterfactual:
    """Say what becomes of the same people with the same luck if one thing is otherwise.

    `of` is the folder of a run, or a scenario, which is then run first (`changes` are those of `load`).
    `flip` names a group, a segment or a 0-or-1 trait; `instead` sets what everybody has (`income*1.1`,
    `group=blue`); `without` is a path that is taken out (`faults.0`); `without_tie` a pair (`12-57`);
    `settings` any other change. `people` of a run are in `OUT/attribution.parquet`, a row each.
    """
    from rehearse.experiments.counterfactual import Change
    from rehearse.experiments.counterfactual import counterfactual as made

    listed = [_listed(one) for one in (flip, instead, without, without_tie)]
    run = isinstance(of, str | Path) and (Path(of) / "manifest.json").is_file()
    return made(
        Path(str(of)) if run else _loaded(of, changes),
        Change(listed[0], listed[1], listed[2], listed[3], settings=settings or {}),
        policy=policy,
        data=None if data is None else Path(data),
        out=None if out is None else Path(out),
        trust=trust,
    )


def decide(
    scenario: Given,
    *,
    policy: object | None = None,
    most: int = 64,
    data: str | Path | None = None,
    out: str | Path | None = None,
    trust: bool = False,
    record: str = "all",
    **changes: Any,
) -> Decision:
    """Run a scenario with seed after seed until each criterion is decided, `most` runs at most.

    Every run is looked at, and the intervals hold at every look (`rehearse.experiments.sequences`).
    The other arguments are those of `run`; `out` is the folder in which the runs come to lie.
    """
    from rehearse.experiments.deciding import decide as decide_scenario

    return decide_scenario(
        _loaded(scenario, changes),
        most=most,
        out=None if out is None else Path(out),
        policy=policy,
        data=None if data is None else Path(data),
        trust=trust,
        record=record,
    )


def export(
    run: str | Path,
    to: str | Path | None = None,
    *,
    failing: bool = True,
    only: str | Sequence[str] = (),
    where: str | None = None,
    policy: object | None = None,
) -> Exported:
    """Write the cases of a run that a team retrains on; see `rehearse.experiments.exporting`.

    `to` is a Parquet or CSV file; a manifest comes to lie beside it. `only` names reasons to fail,
    `where` is SQL over turns; `policy` is the model, where the run met a Python object.
    """
    from rehearse.experiments.exporting import export as write

    target = None if to is None else Path(to)
    return write(Path(run), target, failing=failing, only=_listed(only), where=where, policy=policy)


def least_change(
    run: str | Path,
    user: int,
    replica: int = 0,
    *,
    tick: int | None = None,
    turn: int = 1,
    may_change: str | Sequence[str] = (),
    to: str | None = None,
    policy: object | None = None,
) -> LeastChange:
    """Return the least change of what the model saw of a person that turns its decision.

    Of `may_change` (`["score+", "debt-"]`; default: the scenario's `people.actionable`), one feature or two.
    `to` is what the decision is to become; without `tick` the last decision that was none such.
    """
    from rehearse.experiments.least_change import least_change as search
    from rehearse.record.reading import RunRecord

    record = RunRecord(run)
    return search(
        record, user, replica, tick=tick, turn=turn, may_change=_listed(may_change), to=to, policy=policy
    )


def _loaded(given: Given, changes: Mapping[str, Any]) -> Scenario:
    from rehearse.experiments.api import load

    return load(given, **changes)


def _listed(said: str | Sequence[str]) -> list[str]:
    """Return what may be one name or several."""
    return [said] if isinstance(said, str) else list(said)
