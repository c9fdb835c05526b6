"""What is set instead of what was drawn: the same people, but for one thing.

A person has the same draws of chance as before: of another segment, they keep their place in the spread
of each trait and have it of that segment's law. What rests on a trait that is set, such as a group that
is cut from it, follows; what was drawn beside it does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.scenario.instead import Instead

CODED = ("segment", "group")


def coded(
    specs: Sequence[Instead], what: str, codes: NDArray[np.int8], names: Sequence[str]
) -> NDArray[np.int8]:
    """Return codes of a segment or a group as they are set; raises ScenarioError for a name there is not."""
    for spec in specs:
        if spec.what != what:
            continue
        if spec.flip:
            if len(names) != 2:
                problem = f"people.instead flips {what}, and there are {len(names)} of it, not two."
                raise ScenarioError(problem, f"Name the one that everybody is to have: value: {names[0]}.")
            codes = (1 - codes).astype(np.int8)
        else:
            if spec.value not in names:
                problem = f"people.instead: there is no {what} {spec.value!r}."
                raise ScenarioError(problem, did_you_mean(str(spec.value), names))
            codes = np.full_like(codes, names.index(str(spec.value)))
    return codes


def set_traits(specs: Sequence[Instead], columns: Columns, traits: Sequence[str]) -> None:
    """Set traits in place; raises ScenarioError for one that people do not have or that cannot be flipped."""
    for spec in specs:
        if spec.what in CODED:
            continue
        if spec.what not in traits:
            problem = f"people.instead: people have no {spec.what!r}."
            raise ScenarioError(problem, did_you_mean(spec.what, [*CODED, *traits]))
        kind = columns[spec.what].dtype
        values = columns.numbers(spec.what)
        if spec.flip:
            if not np.isin(values, (0.0, 1.0)).all():
                problem = f"people.instead flips {spec.what!r}, which has other values than 0 and 1."
                raise ScenarioError(problem, "Say what it is to be: value, or times and add.")
            values = 1.0 - values
        elif spec.value is not None:
            values = np.full_like(values, _number(spec))
        columns[spec.what] = (values * spec.times + spec.add).astype(kind)


def _number(spec: Instead) -> float:
    if isinstance(spec.value, str):
        problem = f"people.instead: {spec.what} is to be {spec.value!r}, and it is a number."
        raise ScenarioError(problem, "Give a number.")
    return float(spec.value or 0.0)
