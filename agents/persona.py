"""Who a person can be: a law for every trait and every taste, laid in layers.

A trait is a named number that differs from person to person. Those in `TRAITS` steer behaviour and
always exist; a scenario may name more, for the world, for groups or for the model to see. Four
layers are laid one over the other, the later one winning:

    1. `TRAITS`, the defaults
    2. the columns of the source table
    3. `people.traits` and `people.tastes` of the scenario: the base persona
    4. a segment's own traits and tastes
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from rehearse.errors import ScenarioError, did_you_mean
from rehearse.scenario.distributions import law_of
from rehearse.scenario.people import Distribution, People, Segment, Uniform

TRAITS: dict[str, Distribution] = {
    "patience": Distribution(constant=5.0, low=1.0),
    "noise": Distribution(constant=1.0, low=0.001),
    "trust": Distribution(constant=0.5, low=0.0, high=1.0),
    "susceptibility": Distribution(constant=1.0, low=0.0),
    "opinion": Distribution(uniform=Uniform(low=0.0, high=1.0), low=0.0, high=1.0),
    "threshold": Distribution(constant=0.3, low=0.0, high=1.0),
}
"""The traits that steer behaviour: their laws where nothing else is said, and the bounds they keep."""

MEANINGS: dict[str, str] = {
    "patience": "how many turns without success a rested person bears",
    "noise": "the scale of the choice's chance: 1 is the standard logit, more is noisier",
    "trust": "the trust in the model to begin with, 0 to 1",
    "susceptibility": "how strongly friends move this person: a factor on an influence's weight",
    "opinion": "the opinion to begin with, 0 to 1",
    "threshold": "the share of friends that must have adopted before this person does",
    "satisfaction": "the satisfaction to begin with, 0 to 1",
    "habit": "the habit of using the model to begin with, 0 to 1",
    "adopted": "1 for those who use the model from the start",
}

STARTS: dict[str, Distribution] = {
    "satisfaction": Distribution(constant=0.5, low=0.0, high=1.0),
    "habit": Distribution(constant=0.0, low=0.0, high=1.0),
    "adopted": Distribution(constant=0.0, low=0.0, high=1.0),
}
"""Traits that say where something begins, if they are given; the same bounds hold."""

TASTE = "taste_"
"""What the name of a taste begins with where it stands among traits: `taste_<attribute>`."""
OTHERS = "each"
"""The name, among tastes, that stands for all attributes not named."""
TAKEN = frozenset({"user", "replica", "segment", "group", "taste", "visits"})
"""Columns that the population itself makes, and the weight of the chance to come that a drift moves."""
BASE = "base"
"""The segment of those who are in none."""


@dataclass(frozen=True, slots=True)
class Persona:
    """What the people of a segment are drawn from."""

    segment: str
    laws: Mapping[str, Distribution]
    """By name of the trait; tastes are named `taste_<attribute>`."""


def personas(
    people: People, attributes: tuple[str, ...], columns: Collection[str] = ()
) -> tuple[Persona, ...]:
    """Return the base persona, then that of each segment; all have the same traits.

    `columns` are the numeric columns of the source table. Raises ScenarioError for a name that cannot
    be right, an attribute that nobody has a taste for, and a value out of bounds.
    """
    base = resolve(people, attributes, columns=columns)
    found = [base]
    for segment in people.segments:
        persona = resolve(people, attributes, segment, columns=columns)
        extra = sorted(set(persona.laws) - set(base.laws))
        if extra:
            problem = (
                f"people.segments.{segment.name}: the base persona has no trait {extra[0]!r} to override."
            )
            raise ScenarioError(
                problem, f"{did_you_mean(extra[0], base.laws)} Or give it under people.traits."
            )
        found.append(persona)
    return tuple(found)


def resolve(
    people: People,
    attributes: tuple[str, ...],
    segment: Segment | None = None,
    *,
    columns: Collection[str] = (),
) -> Persona:
    """Lay the four layers over one another for one segment, or for those in none."""
    layers = [("people", people.traits, people.tastes)]
    if segment is not None:
        layers.append((f"people.segments.{segment.name}", segment.traits, segment.tastes))
    laws = dict(TRAITS) | {name: _from_column(name) for name in columns if _may_carry(name)}
    tastes: dict[str, Distribution] = {}
    for where, own_traits, own_tastes in layers:
        _check_names(own_traits, own_tastes, attributes, where)
        laws |= {name: _bounded(name, law, f"{where}.traits.{name}") for name, law in own_traits.items()}
        tastes |= own_tastes
    laws |= {TASTE + a: _taste(a, tastes, columns) for a in attributes}
    return Persona(BASE if segment is None else segment.name, laws)


def check_spelling(people: People, used: Iterable[str]) -> None:
    """Raise ScenarioError for a trait that nothing uses and that looks like one that something would."""
    steering = {*TRAITS, *STARTS, *used}
    given = [("people", people.traits), *((f"people.segments.{s.name}", s.traits) for s in people.segments)]
    for where, traits in given:
        for name in sorted(set(traits) - steering):
            if difflib.get_close_matches(name, steering, n=1, cutoff=0.8):
                problem = f"{where}.traits: nothing uses a trait {name!r}."
                raise ScenarioError(problem, did_you_mean(name, steering))


def _check_names(
    traits: Collection[str], tastes: Collection[str], attributes: tuple[str, ...], where: str
) -> None:
    for name in traits:
        if name in TAKEN or name.startswith(TASTE):
            problem = f"{where}.traits: {name!r} is the name of something else."
            raise ScenarioError(problem, "Choose another name; tastes are given under `tastes`.")
    for name in tastes:
        if name not in attributes and name != OTHERS:
            problem = f"{where}.tastes: the world's items have no attribute {name!r}."
            raise ScenarioError(problem, did_you_mean(name, {*attributes, OTHERS}))


def _taste(attribute: str, tastes: Mapping[str, Distribution], columns: Collection[str]) -> Distribution:
    named = tastes.get(attribute) or tastes.get(OTHERS)
    if named is not None:
        return named
    if TASTE + attribute in columns:
        return Distribution(column=TASTE + attribute)
    problem = f"people.tastes: nobody has a taste for the world's attribute {attribute!r}."
    raise ScenarioError(problem, f"Give people.tastes.{attribute}, or people.tastes.{OTHERS} for all others.")


def _may_carry(name: str) -> bool:
    return name not in TAKEN and not name.startswith(TASTE)


def _from_column(name: str) -> Distribution:
    law = Distribution(column=name)
    return _bounded(name, law, f"column {name!r}")


def _bounded(name: str, law: Distribution, where: str) -> Distribution:
    """Return a law held within the bounds that a steering trait keeps."""
    steering = TRAITS.get(name) or STARTS.get(name)
    if steering is None:
        return law
    least, most = steering.low, steering.high
    _check_stated(law, least, most, where)
    low = max((b for b in (law.low, least) if b is not None), default=None)
    high = min((b for b in (law.high, most) if b is not None), default=None)
    if low is not None and high is not None and low > high:
        problem = (
            f"{where}: bounds {law.low} to {law.high} leave nothing of what is possible, {least} to {most}."
        )
        raise ScenarioError(problem, "Leave the bounds out; the possible ones are kept anyway.")
    return law.model_copy(update={"low": low, "high": high})


def _check_stated(law: Distribution, least: float | None, most: float | None, where: str) -> None:
    name, value = law_of(law)
    stated = {"constant": (value,), "discrete": getattr(value, "values", ())}.get(name, ())
    for number in stated:
        if (least is not None and number < least) or (most is not None and number > most):
            bounds = f"at least {least:g}" + ("" if most is None else f" and at most {most:g}")
            problem = f"{where} is {number:g}; it must be {bounds}."
            raise ScenarioError(problem, "Give a value within these bounds.")
