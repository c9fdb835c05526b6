"""Who is chosen, and rightly: rates over answers that say yes or no, and means of any recorded column.

A world that says yes or no records `selected` (1 for a yes, 0 for a no) and `qualified` (1 where yes was
right by the ground truth, 0 where not; -1 where that is not known). With `gap:` before a name it is the
largest difference between groups, as `gap:true_positive_rate`, the gap of equal opportunity (Hardt, Price
and Srebro 2016), and `gap:selection_rate`, that of demographic parity. `difference:` is the same of two
groups with its sign, the first minus the second.
"""

from __future__ import annotations

import re
from math import nan

import numpy as np

from rehearse.experiments.metrics.base import Cases, Kind, Metric, Ratio, Readable, Scale

MEAN = "mean:"
COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
YES, RIGHTLY, WRONGLY = "selected = 1", "qualified = 1", "qualified = 0"
NEEDS = ("selected", "qualified")
COUNTS = ("TP", "FN", "FP", "TN")
ALL = "all"
ASKED = "It is read off the columns selected and qualified, which worlds record that say yes or no."


def _rate(name: str, value: str, where: str, meaning: str, phrase: str, worst: str) -> Metric:
    return Metric(
        name=name,
        scale="share",
        better="lower" if name.startswith("false") else "higher",
        meaning=meaning,
        phrase=phrase,
        measure=Ratio(value, where),
        needs=NEEDS if "qualified" in value + where else NEEDS[:1],
        asked=ASKED,
        cases=Cases(worst, "tick, turn", "heard {action} where {ideal} was right"),
    )


METRICS = (
    _rate(
        "selection_rate",
        YES,
        "selected >= 0",
        "The share of answers that were a yes.",
        "{} answers were a yes",
        "selected = 0",
    ),
    _rate(
        "true_positive_rate",
        YES,
        f"{RIGHTLY} AND selected >= 0",
        "The share of those for whom yes was right who heard it.",
        "{} who should have heard yes heard it",
        f"{RIGHTLY} AND selected = 0",
    ),
    _rate(
        "false_positive_rate",
        YES,
        f"{WRONGLY} AND selected >= 0",
        "The share of those for whom no was right who heard yes.",
        "{} who should have heard no heard yes",
        f"{WRONGLY} AND {YES}",
    ),
    _rate(
        "precision",
        RIGHTLY,
        f"{YES} AND qualified >= 0",
        "The share of those who heard yes for whom it was right.",
        "{} who heard yes should have heard it",
        f"{WRONGLY} AND {YES}",
    ),
)


def table(record: Readable, parts: Kind = "group") -> dict[str, dict[str, float]]:
    """Return who was chosen and rightly, of all and of each group: n, TP, FN, FP, TN, FPR, FNR, PPV.

    Answers of which the truth is not known do not count. A rate of nothing is NaN.
    """
    told = ", ".join(
        f"count(*) FILTER (qualified = {truth} AND selected = {answer}) AS {name}"
        for name, truth, answer in (("TP", 1, 1), ("FN", 1, 0), ("FP", 0, 1), ("TN", 0, 0))
    )
    found = record.query(
        f"""SELECT u."{parts}" AS part, {told} FROM turns t JOIN users u USING (replica, "user")
        GROUP BY part ORDER BY part"""
    )
    counts = {name: np.asarray(found[name], dtype=np.int64) for name in COUNTS}
    named = {ALL: _rates({name: int(column.sum()) for name, column in counts.items()})}
    for i, part in enumerate(found["part"].tolist()):
        named[str(part)] = _rates({name: int(column[i]) for name, column in counts.items()})
    return named


def _rates(counts: dict[str, int]) -> dict[str, float]:
    tp, fn, fp, tn = (counts[name] for name in COUNTS)
    rates = {"FPR": (fp, fp + tn), "FNR": (fn, fn + tp), "PPV": (tp, tp + fp)}
    shares = {name: over / under if under else nan for name, (over, under) in rates.items()}
    return {"n": sum(counts.values()), **counts, **shares}


def of_column(name: str) -> Metric | None:
    """Return the mean of a recorded column of turns for `mean:COLUMN`, or None for another name."""
    column = name.removeprefix(MEAN)
    if column == name or not COLUMN.fullmatch(column):
        return None
    scale: Scale = "amount"
    number = f'TRY_CAST("{column}" AS DOUBLE)'
    return Metric(
        name=name,
        scale=scale,
        better="higher",
        meaning=f"The mean of the column {column} over the turns in which it is known.",
        phrase=f"The mean {column.replace('_', ' ')} of a turn was {{}}",
        measure=Ratio(number, f"isfinite({number})"),
        needs=(column,),
        asked=f"The world must record a column {column!r}.",
        cases=Cases(f"isfinite({number})", number, f"had a {column} of {{{column}}}"),
        plain=f"mean {column.replace('_', ' ')}",
    )
