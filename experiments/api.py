"""What `import rehearse` offers: the same verbs as the command line, for Python."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearse.experiments import alerts, asking, composition, running, tracking
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.outcome import Finished, finished
from rehearse.experiments.replaying import Replay
from rehearse.experiments.replaying import replay as replay_run
from rehearse.experiments.search import entry
from rehearse.experiments.shards import Spread
from rehearse.scenario.load import load as load_scenario
from rehearse.scenario.model import Scenario

Given = str | Path | Mapping[str, Any] | Scenario
"""A name of the catalogue, a YAML file, a dict of what such a file holds, or a scenario."""
search = entry.search

if TYPE_CHECKING:
    from rehearse.agents.model import Rehearsal
    from rehearse.agents.user import User
    from rehearse.columns import Columns
    from rehearse.experiments.importing import Log
    from rehearse.experiments.offpolicy import OffPolicy
    from rehearse.experiments.play import Played
    from rehearse.experiments.sweep.conducting import Progress
    from rehearse.experiments.sweep.plan import Plan
    from rehearse.experiments.sweep.results import Sweep

compare, counterfactual, decide = asking.compare, asking.counterfactual, asking.decide
export, least_change = asking.export, asking.least_change


def load(
    scenario: Given,
    *,
    users: int | None = None,
    ticks: int | None = None,
    seed: int | None = None,
    replicas: int | None = None,
    settings: dict[str, Any] | None = None,
) -> Scenario:
    """Return a scenario from the catalogue, a file or a dict, with some of it changed.

    `settings` maps dotted paths to values, as `--set` does: `{"people.behaviour.outside": 0.5}`.
    """
    base = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    numbers = {"users": users, "ticks": ticks, "seed": seed, "replicas": replicas}
    return _changed(base, numbers, settings or {})


def run(
    scenario: Given,
    *,
    policy: object | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    trust: bool = False,
    record: str = "all",
    keep_checkpoints: int | None = None,
    shards: int = 1,
    on: str = "local",
    over_memory: bool = False,
    tile: int | None = None,
    track: str | None = None,
    alert: str | Sequence[str] = (),
    **changes: Any,
) -> Finished:
    """Rehearse a scenario to its end; `changes` are those of `load` (users, ticks, seed, …).

    `policy` is a reference (`greedy-v1`, `model.py:decide`, `model.skops`), a function, or any
    object with `decide`, `predict` or `predict_proba`. `record` says what is kept of the turns: `all`,
    `sessions`, `none`, `sample:0.01`. `keep_checkpoints` keeps the state at every so many ticks, for
    quick forks. `shards` deals the run to so many processes, or to a Ray cluster with `on="ray"` or
    `on="ray://HOST:PORT"`; the result is the same. A run that memory will not do for is refused unless
    `over_memory`. `tile` is how many rows every call to a model of yours has, padded (256); 0 means all
    who ask, not padded. `track` is an MLflow server or store that the run is logged to (`track` does the
    same later), or `mlflow` for that of MLFLOW_TRACKING_URI; where it does not take the run, that is a
    warning. `alert` is the address of an Alertmanager (…/api/v2/alerts) or of a webhook, or several, that are
    told what failed and which monitors rang; where none could be sent, that is a warning. Warns where the
    model failed to answer, and says how: see `Finished.problems`.
    """
    uri = None if track is None else tracking.destination(track)
    resolved = load(scenario, **changes)
    to = alerts.receivers(alert, resolved)
    finished = running.run(
        resolved,
        policy=policy,
        data=None if data is None else Path(data),
        out=None if out is None else Path(out),
        trust=trust,
        record=record,
        keep_checkpoints=keep_checkpoints,
        spread=Spread(shards, on),
        over_memory=over_memory,
        tile=tile,
    )
    alerts.send(finished, to, lambda problem: warnings.warn(problem, stacklevel=4))
    for problem in finished.problems[:1]:
        warnings.warn(f"The model {problem}. `problems` of the result has all of them.", stacklevel=2)
    logged = None if uri is None else tracking.attempt(finished.folder, uri)
    for sentence in (logged,) if isinstance(logged, str) else () if logged is None else logged.left_out:
        warnings.warn(sentence, stacklevel=2)
    return finished


def model(
    scenario: Given,
    *,
    policy: object | None = None,
    data: str | Path | None = None,
    trust: bool = False,
    user_class: type[User] | None = None,
    **changes: Any,
) -> Rehearsal:
    """Return a scenario as a Mesa model at its first tick; every `step()` is a tick.

    `user_class` is a class derived from `rehearse.agents.user.User`: what it annotates and defines is
    added to the people of the scenario.
    """
    from rehearse.agents.model import Rehearsal
    from rehearse.agents.user import User

    resolved = composition.with_policy(load(scenario, **changes), policy)
    props = Props(
        policy=composition.only_python(policy),
        data=None if data is None else Path(data),
        trust=trust,
    )
    return Rehearsal(assemble(resolved, props).simulation, user_class=user_class or User)


def play(model: type[Rehearsal], *, policy: object, **given: Any) -> Played:
    """Rehearse a decision model in a society written in Python; see `rehearse.experiments.play`.

    `given` are `replicas`, `ticks`, `seed`, and parameters of the model.
    """
    from rehearse.experiments.play import play as play_society

    return play_society(model, policy=policy, **given)


def read_log(
    source: str | Path | Columns,
    columns: Mapping[str, str],
    *,
    where: str | None = None,
    each: str | None = None,
) -> Log:
    """Return a log of sessions held elsewhere as a record that metrics read; see `importing.read_log`."""
    from rehearse.experiments.importing import read_log as read

    return read(source, columns, where=where, each=each)


def off_policy(
    run: str | Path | Finished | Log,
    target: object,
    *,
    settings: Mapping[str, Any] | None = None,
    policy: object | None = None,
    model: object = "items",
    clip: float | None = None,
    truth: bool = True,
    confidence: float = 0.95,
    trust: bool = False,
) -> OffPolicy:
    """Return what another policy would earn, told from what one policy did: IPS, SNIPS, DM and DR.

    `run` is a recorded run whose policy said how likely its answers were; `target` a policy as in `run`,
    with `settings`. It is asked in the very contexts of the run. `model` is what dm and dr believe of
    rewards: `items`, `table`, `linear`, `oracle`, a number, an object with fit and predict, or None. `clip`
    adds estimates with weights held below it. With `truth` the target is run too, on the same people with
    the same luck. `policy` is the run's own, where that was a Python object.

    For a log of sessions held elsewhere (`read_log`, with columns reward and propensity) `target` names the
    column with the target's probability of the answer that was given. See `rehearse.experiments.offpolicy`.
    """
    from rehearse.experiments import offpolicy
    from rehearse.experiments.importing import Log

    if isinstance(run, Log):
        return offpolicy.of_log(run, str(target), clip=clip, confidence=confidence)
    return offpolicy.of_run(
        run.folder if isinstance(run, Finished) else Path(run),
        target,
        settings=settings,
        policy=policy,
        model=model,
        clip=clip,
        truth=truth,
        confidence=confidence,
        trust=trust,
    )


def resume(folder: str | Path, *, policy: object | None = None) -> Finished:
    """Finish an interrupted run; `policy` is its model, where that was a Python object."""
    return running.resume(Path(folder), policy=policy)


def fork(
    folder: str | Path,
    tick: int,
    *,
    settings: dict[str, Any] | None = None,
    policy: object | None = None,
    out: str | Path | None = None,
    parent_policy: object | None = None,
    trust: bool = False,
    over_memory: bool = False,
) -> Finished:
    """Go on with a finished run from the start of a tick under changed conditions, in a new folder.

    `settings` maps dotted paths to values; `policy` is another model, as in `run`. `parent_policy` is
    the model of the run itself, where that was a Python object. Raises UserError for what cannot be
    changed at a tick.
    """
    from rehearse.experiments.forking import fork as fork_run

    target = None if out is None else Path(out)
    return fork_run(
        Path(folder),
        tick,
        settings=settings,
        policy=policy,
        out=target,
        parent_policy=parent_policy,
        trust=trust,
        over_memory=over_memory,
    )


def sweep(
    plan: str | Path | Mapping[str, Any] | Plan,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    on: str = "local",
    resume: bool = False,
    shard: tuple[int, int] = (1, 1),
    trust: bool = False,
    progress: Progress | None = None,
) -> Sweep:
    """Make the runs of a plan (a YAML file or a dict of what one holds), and return their table.

        axes = {"policy": ["greedy-v1", "random-v1"]}
        found = rehearse.sweep({"scenario": "travel", "axes": axes, "seeds": 20})
        found.best("goal_completion")
        found.query("SELECT policy, avg(estimate) FROM results WHERE metric = 'regret' GROUP BY policy")

    `out` is the folder (`sweeps/NAME`); with `resume` one that holds a sweep is gone on with, and no run
    in it is made again. `jobs` is how many processes work: None one a core, 0 none. `shard` (i, n) makes
    every n-th run only; folders of shards merge by copying. A run that fails is recorded with its error.
    """
    from rehearse.experiments.sweep.conducting import sweep as conduct

    target = None if out is None else Path(out)
    return conduct(
        plan, out=target, jobs=jobs, on=on, resume=resume, shard=shard, trust=trust, progress=progress
    )


def read(folder: str | Path) -> Finished | Sweep:
    """Return the run or sweep in a folder, as `run` or `sweep` returned it; NotFoundError for neither."""
    from rehearse.experiments.sweep.results import Sweep, is_sweep

    return Sweep.at(folder) if is_sweep(folder) else finished(Path(folder))


def replay(folder: str | Path, *, policy: object | None = None) -> Replay:
    """Run a recorded run again and say whether it is the same; `policy` as in `resume`."""
    return replay_run(Path(folder), policy=policy)


def track(
    folder: str | Path,
    uri: str | None = None,
    *,
    experiment: str | None = None,
    parent: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> tracking.Tracked:
    """Log a finished run to MLflow tracking: parameters, metrics, verdict, report, people, model version.

    `uri` is a server (`http://127.0.0.1:5000`) or store (`sqlite:///mlflow.db`); None: MLFLOW_TRACKING_URI.
    `parent` is the id of the MLflow run to nest it under; `params` are logged besides the scenario's own.
    Raises UserError, or OutputError where MLflow does not take it. See `rehearse.experiments.tracking`.
    """
    return tracking.track(folder, uri, experiment=experiment, parent=parent, params=params)


def _changed(scenario: Scenario, numbers: dict[str, int | None], settings: dict[str, Any]) -> Scenario:
    from rehearse.scenario.edit import changed

    paths = {"users": "people.count", "ticks": "time.ticks", "seed": "seed", "replicas": "replicas"}
    edits = {paths[name]: value for name, value in numbers.items() if value is not None} | settings
    return changed(scenario, edits) if edits else scenario
