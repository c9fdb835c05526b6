"""Plain sentences about numbers: what a criterion asked, what was found, and what follows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from rehearse.experiments.intervals import Interval, t_quantile
from rehearse.experiments.metrics import Metric
from rehearse.experiments.metrics.base import Gap, Scale
from rehearse.record.scope import Scope
from rehearse.scenario.model import Criterion

Word = Literal["pass", "fail", "unsure"]

UNITS: dict[Scale, str] = {
    "share": " %",
    "points": " points",
    "ms": " ms",
    "s": " s",
    "MB": " MB",
    "turns": " turns",
}
FINEST = 5
"""Decimals that are added at most to part the ends of a narrow interval."""
MOST_UNITS = 100_000
"""Beyond this many replicas or people it is not said how many would decide."""


def amount(value: float, scale: Scale, finer: int = 0) -> str:
    """Return a value with its unit, and so many more decimals than usual: `73 %`, `0.42`, `230 ms`."""
    if not math.isfinite(value):
        return "unknown"
    number = plain(100.0 * value if scale in {"share", "points"} else value, finer)
    return f"{number} turn" if number == "1" and scale == "turns" else number + UNITS.get(scale, "")


def plain(value: float, finer: int = 0) -> str:
    """Return a number as people write it: about three digits (and `finer` more), thousands apart."""
    size = abs(value)
    digits = 0 if size >= 100.0 else 1 if size >= 10.0 else 2
    if 0.0 < size < 0.1:
        digits = min(8, 1 - math.floor(math.log10(size)))
    text = f"{value:,.{digits + finer}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"", "-0"} else text


def span(found: Interval, scale: Scale) -> str:
    """Return an interval: `95 % interval 71–75 %`; or that there is nothing between its ends."""
    if found.unit == "run":
        return "measured once"
    if found.low == found.high:
        return "the same for everybody" if found.unit == "users" else f"the same in all {found.n:,} replicas"
    finer = _finer(found, scale)
    low, high = amount(found.low, scale, finer), amount(found.high, scale, finer)
    unit = UNITS.get(scale, "")
    between = " to " if found.low < 0.0 else "–"
    return f"{plain(100.0 * found.confidence)} % interval {low.removesuffix(unit)}{between}{high}"


def _finer(found: Interval, scale: Scale) -> int:
    """Return how many more decimals part the ends of a narrow interval."""
    return next((n for n in range(FINEST) if amount(found.low, scale, n) != amount(found.high, scale, n)), 0)


def out_of(share: float) -> str:
    """Return a share as a count of a round number: `73 of 100`, `4 of 10,000`."""
    rarer = min(share, 1.0 - share)
    base = 100
    while 0.0 < rarer * base < 0.95 and base < 1_000_000:
        base *= 10
    return f"{share * base:,.0f} of {base:,}"


def told(metric: Metric, value: float, finer: int = 0) -> str:
    """Return what a value of a metric means: `73 of 100 sessions ended with the goal met`."""
    said = out_of(value) if metric.scale == "share" else amount(value, metric.scale, finer)
    return metric.phrase.format(said)


def verdict_of(criterion: Criterion, found: Interval) -> Word:
    """Return pass if the whole interval is on the good side, fail if on the bad side, else unsure."""
    if not found.known:
        return "unsure"
    if criterion.at_least is not None:
        good, bad = found.low >= criterion.at_least, found.high < criterion.at_least
    else:
        most = criterion.at_most if criterion.at_most is not None else math.inf
        good, bad = found.high <= most, found.low > most
    return "pass" if good else "fail" if bad else "unsure"


def judged(criterion: Criterion, metric: Metric, found: Interval) -> str:
    """Return the sentence of a judged criterion, with the interval, the threshold and the verdict."""
    among = f"Among {criterion.group}: " if criterion.group else ""
    if not math.isfinite(found.estimate):
        return f"{among}Nothing was there to measure {metric.title} by: unsure."
    claim = told(metric, found.estimate, _finer(found, metric.scale) if found.known else 0)
    claim = claim[0].lower() + claim[1:] if among else claim
    if not found.known:
        remedy = "Rehearse two or more replicas."
        return f"{among}{claim}, but one {_singular(found)} allows no interval: unsure. {remedy}"
    word = verdict_of(criterion, found)
    beside = _beside(criterion, metric, found, word)
    advice = _advice(criterion, metric, found, word)
    return f"{among}{claim} ({span(found, metric.scale)}), {beside}: {word}.{advice}"


def not_kept(criterion: Criterion, scope: Scope) -> str:
    """Return the sentence of a criterion whose metric is read off what was not kept of the run."""
    kept = {"sessions": "only a row a session", "none": "none of the turns"}.get(scope.kind, in_sample(scope))
    return f"{criterion.metric} was not recorded ({kept} was kept): unsure. Run it again with --record all."


def in_sample(scope: Scope) -> str:
    """Return of whom a sample is: `a sample of 1 % of the people`."""
    return f"a sample of {plain(100.0 * scope.share)} % of the people"


def from_sample(sentence: str, scope: Scope) -> str:
    """Return a sentence as one about a sample of the people."""
    return f"In {in_sample(scope)}, {sentence[0].lower()}{sentence[1:]}"


def not_there(criterion: Criterion, metric: Metric) -> str:
    """Return the sentence of a criterion whose metric this record does not hold."""
    needed = ", ".join(metric.needs) or "any turn"
    how = f"; ask for it with {metric.asked}" if metric.asked else ""
    return f"This run did not record what {criterion.metric} needs ({needed}){how}: unsure."


def overall(words: list[Word]) -> str:
    """Return the sentence of the whole verdict."""
    if not words:
        return "The scenario states no criteria, so there was nothing to decide."
    count = {word: words.count(word) for word in ("pass", "fail", "unsure")}
    if count["pass"] == len(words):
        return "All criteria passed."
    parts = [
        f"{count['pass']} of {len(words)} criteria passed",
        f"{count['fail']} failed" if count["fail"] else "",
        f"{count['unsure']} could not be decided" if count["unsure"] else "",
    ]
    return ", ".join(p for p in parts if p) + "."


def refusals(sandbox: Mapping[str, Any]) -> list[str]:
    """Return what a model tried that the sandbox does not allow, from the manifest, the commonest first."""
    found = sorted(sandbox.get("refused", {}).items(), key=lambda one: -int(one[1]))
    return [
        f"The model {what}: {'refused ' * what.startswith('tried')}{times:,} time{'s' * (times != 1)}."
        for what, times in found
    ]


def _beside(criterion: Criterion, metric: Metric, found: Interval, word: Word) -> str:
    least = criterion.at_least is not None
    threshold = criterion.at_least if criterion.at_least is not None else criterion.at_most or 0.0
    limit = f"the {amount(threshold, metric.scale)} {'asked for' if least else 'allowed'}"
    if word == "unsure":
        return f"an interval that holds {limit}"
    if found.unit == "run" and found.estimate == threshold:
        return f"exactly {limit}"
    return f"{'above' if least == (word == 'pass') else 'below'} {limit}"


def _advice(criterion: Criterion, metric: Metric, found: Interval, word: Word) -> str:
    threshold = criterion.at_least if criterion.at_least is not None else criterion.at_most or 0.0
    distance = abs(found.estimate - threshold)
    reach = found.high - found.estimate if threshold > found.estimate else found.estimate - found.low
    if word != "unsure" or isinstance(metric.measure, Gap) or min(distance, reach) == 0.0 or found.n < 2:
        return ""
    # The half-width shrinks with the root of n, and with the t quantile that comes with it.
    error = reach / t_quantile(found.n - 1, found.confidence)
    needed = found.n
    for _ in range(4):
        scale = error * t_quantile(max(needed - 1, 1), found.confidence) / distance
        needed = max(2, math.ceil(found.n * scale * scale))
    if needed > MOST_UNITS or needed <= found.n:
        return ""
    return f" About {_round_up(needed):,} {found.unit} would decide it."


def _round_up(n: int) -> int:
    step = int(10 ** max(0, len(str(n)) - 2))
    return -(-n // step) * step


def _singular(found: Interval) -> str:
    return {"replicas": "replica", "users": "person", "run": "measurement"}[found.unit]
