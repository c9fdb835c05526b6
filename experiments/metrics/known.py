"""The metrics that Rehearse knows, and how they are found by name.

A name is one of METRICS, or `gap:` (of two groups with a sign: `difference:`) and one of those that can be
taken of a group, or a measure of opinions and the column that is taken for one (`echo:trust`), or `mean:`
and a recorded column, or one of repeated sessions (`pass^3`, `pass@3`), or the number of alarms (`alarms`,
`alarms:acceptance`), or that of a plug-in (a factory without arguments in the entry-point group
`rehearse.checks` returns a Metric).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rehearse.errors import ScenarioError, did_you_mean
from rehearse.experiments.metrics import (
    alarms,
    calibration,
    emergence,
    fairness,
    lives,
    models,
    repeats,
    society,
    triage,
)
from rehearse.experiments.metrics.base import (
    JUDGED,
    Cases,
    Gap,
    Lives,
    Metric,
    Quantile,
    Ratio,
    Repeats,
    Resource,
    Society,
    top_item,
)
from rehearse.registry import entries
from rehearse.scenario.model import Criterion

GAP, DIFFERENCE, OPINION = "gap:", "difference:", "opinion:"
ANSWERED = "action >= 0"
MODELS = "\"end\" <> 'infra_error' AND fault NOT IN ('injected', 'unreached', 'refused')"
"""Turns in which the model itself was asked: not those that the scenario, the infrastructure or what spares
the model (a breaker, a limit, a full queue) left without an answer."""
GROWTH = "count(*) FILTER (tick >= {late}) - count(*) FILTER (tick < {quarter})"
BETTER = "where {ideal} was better by {regret:.2f}"


def _latency(percent: int) -> Metric:
    return Metric(
        name=f"latency_p{percent}",
        scale="ms",
        better="lower",
        meaning=f"The simulated time within which {percent} of 100 answers came.",
        phrase=f"{percent} of 100 answers came within {{}} of simulated time",
        measure=Quantile("latency", percent / 100.0),
        cases=Cases("isfinite(latency)", "latency DESC", "waited {latency:,.0f} ms of simulated time"),
    )


_ALL = (
    Metric(
        name="goal_completion",
        scale="share",
        better="higher",
        meaning="The share of sessions that ended with the goal met.",
        phrase="{} sessions ended with the goal met",
        measure=Ratio.of_sessions("\"end\" = 'goal_met'", JUDGED),
        cases=Cases(
            f"{JUDGED} AND \"end\" <> 'goal_met'",
            "satisfaction, turn DESC",
            "ended without the goal met ({end}) at turn {turn}, satisfaction {satisfaction:.2f}",
        ),
    ),
    Metric(
        name="success",
        scale="share",
        better="higher",
        meaning="The share of sessions whose end state, checked by the world, is what the person wanted.",
        phrase="{} sessions ended with what the person wanted, by the end state",
        measure=Ratio("success", JUDGED),
        cases=Cases(
            f"{JUDGED} AND success = 0",
            "turn DESC",
            "did not get what was wanted ({end}) by turn {turn}",
        ),
        needs=("success",),
    ),
    Metric(
        name="opinion:politeness",
        scale="level",
        better="higher",
        meaning="What a language model thought of how polite answers were: an opinion, 0 to 1.",
        phrase="A language model found answers {} polite, on average, of 1: an opinion",
        measure=Ratio.of_column("opinion_politeness"),
        needs=("opinion_politeness",),
        plain="politeness, in the opinion of a language model",
    ),
    Metric(
        name="acceptance",
        scale="share",
        better="higher",
        meaning="The share of answers of which the person took something.",
        phrase="{} answers were accepted",
        measure=Ratio("choice >= 0", ANSWERED, sessions=("accepted", "answers")),
        cases=Cases(
            f"{ANSWERED} AND choice < 0",
            "CASE WHEN isfinite(regret) THEN regret ELSE 0 END DESC",
            f"went without {{action}}, {BETTER}",
        ),
    ),
    Metric(
        name="regret",
        scale="utility",
        better="lower",
        meaning="How much true utility the person lost, on average, by the answer instead of the best item.",
        phrase="The mean regret of an answer was {}",
        measure=Ratio.of_column("regret"),
        cases=Cases("isfinite(regret) AND regret > 0", "regret DESC", f"was offered {{action}}, {BETTER}"),
    ),
    Metric(
        name="rightness",
        scale="share",
        better="higher",
        meaning="The share of answers that were right by the ground truth.",
        phrase="{} answers were right",
        measure=Ratio('"right" = 1', '"right" >= 0', sessions=('"right"', "judged")),
        cases=Cases(
            '"right" = 0',
            "CASE WHEN isfinite(regret) THEN regret ELSE 0 END DESC",
            f"was wrongly offered {{action}}, {BETTER}",
        ),
    ),
    Metric(
        name="score_error",
        scale="utility",
        better="lower",
        meaning="The mean square of a model's score less what the person expected of the item, where taken.",
        phrase="The mean squared error of scores of what was taken first was {}",
        measure=Ratio("(score - utility) ** 2", "position = 0 AND isfinite(score) AND isfinite(utility)"),
        cases=Cases(
            "position = 0 AND isfinite(score) AND isfinite(utility)",
            "abs(score - utility) DESC",
            "took {action}, scored {score:.2f} and worth {utility:.2f}",
        ),
        needs=("score",),
    ),
    Metric(
        name="satisfaction",
        scale="level",
        better="higher",
        meaning="How satisfied people were at the end of a session, 0 to 1, on average.",
        phrase="The mean satisfaction at the end of a session was {}",
        measure=Ratio.of_sessions("satisfaction", f"{JUDGED} AND isfinite(satisfaction)"),
        cases=Cases(JUDGED, "satisfaction, turn DESC", "ended with satisfaction {satisfaction:.2f} ({end})"),
    ),
    Metric(
        name="abandonment",
        scale="share",
        better="lower",
        meaning="The share of sessions that the person gave up out of impatience or after a setback.",
        phrase="{} sessions were given up",
        measure=Ratio.of_sessions("\"end\" = 'abandoned'", JUDGED),
        cases=Cases(
            "\"end\" = 'abandoned'",
            "satisfaction, turn DESC",
            "gave up at turn {turn}, last offered {action}, satisfaction {satisfaction:.2f}",
        ),
    ),
    Metric(
        name="turns_to_goal",
        scale="turns",
        better="lower",
        meaning="How many turns it took, on average, in sessions that met the goal.",
        phrase="Sessions that met the goal took {} on average",
        measure=Ratio.of_sessions("turn + 1", "\"end\" = 'goal_met'"),
        cases=Cases("\"end\" = 'goal_met'", "turn DESC, satisfaction", "met the goal only at turn {turn}"),
    ),
    _latency(50),
    _latency(95),
    _latency(99),
    Metric(
        name="measured_latency_p95",
        scale="ms",
        better="lower",
        meaning="The wall-clock time within which 95 of 100 answers came on the machine of the run.",
        phrase="95 of 100 answers came within {} on the machine of the run",
        measure=Quantile("measured_ms", 0.95),
        cases=Cases("isfinite(measured_ms)", "measured_ms DESC", "the call took {measured_ms:,.1f} ms"),
        needs=("measured_ms",),
    ),
    Metric(
        name="policy_cpu_per_1000",
        scale="s",
        better="lower",
        meaning="CPU seconds that the model used for 1,000 decisions.",
        phrase="1,000 decisions of the model took {} of CPU time",
        measure=Resource("policy_cpu_per_1000"),
    ),
    Metric(
        name="policy_memory_mb",
        scale="MB",
        better="lower",
        meaning="The memory that the model's calls added at their peak.",
        phrase="The model's calls took up to {} of memory",
        measure=Resource("policy_memory_mb"),
    ),
    Metric(
        name="error_rate",
        scale="share",
        better="lower",
        meaning="The share of calls to the model that it failed to answer; not of those that it never saw: "
        "injected faults, failures of the infrastructure, refusals to ask it.",
        phrase="{} calls failed through the model",
        measure=Ratio("fault <> 'none'", MODELS, sessions=("failed", "calls")),
        cases=Cases(f"{MODELS} AND fault <> 'none'", "tick, turn", "got no answer ({fault})"),
    ),
    Metric(
        name="infra_error_rate",
        scale="share",
        better="lower",
        meaning="The share of sessions that were left because an answer was lost by no fault of the model: "
        "an injected fault, a failure of the infrastructure, a refusal to ask. No other metric of sessions "
        "counts them.",
        phrase="{} sessions were ended by the infrastructure",
        measure=Ratio.of_sessions("\"end\" = 'infra_error'", "\"end\" <> 'none'"),
        cases=Cases("\"end\" = 'infra_error'", "tick, turn", "was left without an answer ({fault})"),
    ),
    Metric(
        name="fault_rate",
        scale="share",
        better="lower",
        meaning="The share of calls that brought no answer for any reason, injected faults and refusals too.",
        phrase="{} calls brought no answer",
        measure=Ratio("fault <> 'none'", "fault IS NOT NULL", sessions=("faults", "turn + 1")),
        cases=Cases("fault <> 'none'", "tick, turn", "got no answer ({fault})"),
    ),
    Metric(
        name="harm",
        scale="amount",
        better="lower",
        meaning="The harm done to the person in a turn, on average, in the world's own unit.",
        phrase="The mean harm of a turn was {}",
        measure=Ratio.of_column("harm"),
        cases=Cases(
            "isfinite(harm) AND harm > 0", "harm DESC", "was harmed by {harm:.3g} when offered {action}"
        ),
        needs=("harm",),
    ),
    Metric(
        name="reward",
        scale="amount",
        better="higher",
        meaning="What the operator gained in a turn, on average, in the world's own unit.",
        phrase="The mean reward of a turn was {}",
        measure=Ratio.of_column("reward"),
        cases=Cases("isfinite(reward)", "reward", "brought a reward of {reward:.3g} with {action}"),
    ),
    *fairness.METRICS,
    *calibration.METRICS,
    *lives.METRICS,
    Metric(
        name="drift:actions",
        scale="index",
        better="lower",
        meaning="How far the mix of answers moved from the first quarter of the run to the last.",
        phrase="The mix of answers moved by a PSI of {}",
        measure=Society(society.action_drift),
        cases=Cases(
            f"tick >= {{late}} AND action = {top_item('action', GROWTH)}",
            "tick, turn",
            "was offered {action}, the answer that grew most",
        ),
    ),
    Metric(
        name="drift:outcomes",
        scale="index",
        better="lower",
        meaning="How far acceptance and satisfaction moved from the first quarter of the run to the last.",
        phrase="The mix of outcomes moved by a PSI of {}",
        measure=Society(society.outcome_drift),
        cases=Cases(
            "tick >= {late}",
            "satisfaction, turn DESC",
            "was at satisfaction {satisfaction:.2f} late in the run",
        ),
    ),
    *triage.METRICS,
    *models.METRICS,
    *emergence.METRICS,
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""Every metric by name, in the order of reports."""
HEADLINES = tuple(m.name for m in _ALL if isinstance(m.measure, Ratio | Lives))
"""What is worth telling of every group."""


def find(name: str) -> Metric:
    """Return the metric of a name; raises ScenarioError that names the nearest ones."""
    if name in METRICS:
        return METRICS[name]
    if name.startswith(GAP):
        return _gap(find(name.removeprefix(GAP)))
    if name.startswith(DIFFERENCE):
        return _signed(find(name.removeprefix(DIFFERENCE)))
    followed = (
        emergence.of_column(name) or fairness.of_column(name) or repeats.of_name(name) or alarms.of_name(name)
    )
    if followed is not None:
        return followed
    plugged = entries("checks")
    if name in plugged:
        metric: Metric = plugged[name].load()()
        return metric
    problem = f"there is no metric named {name!r}."
    known = [*METRICS, alarms.NAME, *plugged, *(f"{GAP}{n}" for n, m in METRICS.items() if of_groups(m))]
    raise ScenarioError(problem, did_you_mean(name, known))


def check(criteria: Iterable[Criterion], groups: Sequence[str]) -> None:
    """Raise ScenarioError where a criterion names a metric or group that there is not."""
    for criterion in criteria:
        metric = find(criterion.metric)
        gap = metric.measure
        if isinstance(gap, Gap) and gap.signed and not gap.among(len(groups)):
            problem = f"{criterion.metric!r} is between two groups, and there are {len(groups)}."
            raise ScenarioError(problem, f"Write '{GAP}{gap.of.name}' for the largest of many.")
        if OPINION in criterion.metric and not criterion.opinion:
            problem = f"{criterion.metric!r} is what a language model thinks, which decides no criterion."
            raise ScenarioError(problem, "Leave it to the table of metrics, or say `opinion: true`.")
        if criterion.group is None:
            continue
        if criterion.group not in groups:
            problem = f"{criterion.metric!r} is asked of the group {criterion.group!r}, which is not there."
            raise ScenarioError(problem, did_you_mean(criterion.group, groups))
        if not of_groups(metric):
            problem = (
                f"{criterion.metric!r} cannot be taken of one group, and {criterion.group!r} is asked for."
            )
            raise ScenarioError(problem, "Leave out `group`.")


def of_groups(metric: Metric) -> bool:
    """Return whether a metric can be taken of some of the people."""
    measure = metric.measure
    return isinstance(measure, Ratio | Lives | Quantile | Repeats) or (
        isinstance(measure, Society) and measure.by_part
    )


def _signed(metric: Metric) -> Metric:
    return replace(
        _gap(metric, DIFFERENCE),
        meaning=f"The first of two groups minus the second in {metric.title}.",
        phrase=f"The first group minus the second in {metric.title} was {{}}",
        measure=Gap(metric, signed=True),
        plain=f"difference in {metric.title}",
    )


def _gap(metric: Metric, head: str = GAP) -> Metric:
    if not of_groups(metric):
        problem = f"{head}{metric.name} was asked for, and {metric.name!r} cannot be taken of one group."
        raise ScenarioError(problem, did_you_mean("", [m for m in METRICS if of_groups(METRICS[m])]))
    return Metric(
        name=f"{head}{metric.name}",
        scale="points" if metric.scale == "share" else metric.scale,
        better="lower",
        meaning=f"The largest difference between two groups in {metric.title}.",
        phrase=f"The largest difference between groups in {metric.title} was {{}}",
        measure=Gap(metric),
        needs=metric.needs,
        cases=metric.cases,
        plain=f"gap in {metric.title}",
    )
