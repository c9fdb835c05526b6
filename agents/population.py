"""The population: drawing people as columns.

Rows are replica-major: all people of the first society by id, then those of the second. Each draw
is addressed by (purpose, replica, user), so that user 5 of replica 2 is the same person however
many others there are, and whether or not they are drawn with the others.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.copula import Copula, copula_of, measured
from rehearse.agents.instead import coded, set_traits
from rehearse.agents.persona import BASE, STARTS, TAKEN, TASTE, TRAITS, Persona, check_spelling, personas
from rehearse.agents.source import PeopleTable, codes_of_words, open_table
from rehearse.chance import Chance
from rehearse.columns import Columns, Rows
from rehearse.errors import DataError, NotFoundError, ScenarioError, did_you_mean
from rehearse.exact import Floats, normal_cdf
from rehearse.scenario.distributions import Empirical, at_score, law_of, quantile, within
from rehearse.scenario.instead import Instead
from rehearse.scenario.people import Correlation, Distribution, Grouping, People

BLOCK = 1 << 15
"""People drawn at a time, so that the numbers in between stay in cache; it changes no result."""
ALL = ("all",)

Numbers = NDArray[np.floating[Any]]
"""Values of a trait: float32 or float64."""


def draw(
    people: People,
    *,
    attributes: tuple[str, ...],
    needs: tuple[str, ...],
    table: Columns | None,
    chance: Chance,
    replicas: NDArray[np.int32],
    only: Rows | None = None,
) -> Columns:
    """Draw everybody, or `only` those ids, in each replica; return one row a person.

    The columns are user (int64), replica (int32), segment and group (int8: positions in
    `segment_names` and `group_names`), every trait, shape (n,), and taste, shape (n, len(attributes)):
    float32, or float64 where `people.society.precise` names them. A numeric column of the source table
    is a trait too, where no trait has its name. Raises ScenarioError or DataError for what cannot be drawn.
    """
    source = open_table(people.source, table)
    maker = _maker(people, attributes, needs, source, chance)
    replica, user = _everybody(people.count, replicas, only)
    columns = Columns({"user": user, "replica": replica})
    columns["segment"] = np.zeros(len(user), dtype=np.int8)
    columns["group"] = np.zeros(len(user), dtype=np.int8)
    for name in maker.traits:
        columns[name] = np.empty(len(user), dtype=maker.kind(name))
    columns["taste"] = np.empty((len(user), len(attributes)), dtype=maker.kind(TASTE))
    for start in range(0, len(user), BLOCK):
        maker.fill(columns, slice(start, start + BLOCK))
    set_traits(people.instead, columns, trait_names(columns))
    if people.groups is not None:
        columns["group"] = _groups(people.groups, columns, source, chance)
    columns["group"] = coded(
        people.instead, "group", np.asarray(columns["group"], np.int8), group_names(people)
    )
    return columns


def segment_names(people: People) -> tuple[str, ...]:
    """Return what the codes in column `segment` are called: `base`, then the segments."""
    return (BASE, *(segment.name for segment in people.segments))


def group_names(people: People) -> tuple[str, ...]:
    """Return what the codes in column `group` are called; without groups all are in `all`."""
    return ALL if people.groups is None else people.groups.names


def trait_names(columns: Columns) -> tuple[str, ...]:
    """Return the names of the traits among columns that `draw` returned."""
    return tuple(name for name in columns if name not in TAKEN)


@dataclass(frozen=True, slots=True)
class _Block:
    """Some people whose values are being made."""

    replica: NDArray[np.int32]
    user: Rows
    row: Rows | None
    """Each person's row in the source table."""
    scores: dict[str, Floats] = field(default_factory=dict)
    """The normal scores of the traits that go together with others."""

    def where(self, mask: NDArray[np.bool_]) -> _Block:
        """Return some of the people."""
        row = None if self.row is None else self.row[mask]
        scores = {name: z[mask] for name, z in self.scores.items()}
        return replace(self, replica=self.replica[mask], user=self.user[mask], row=row, scores=scores)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Everything that is settled before the first person is drawn."""

    personas: tuple[Persona, ...]
    shares: tuple[float, ...]
    """Of the segments; the rest is base."""
    attributes: tuple[str, ...]
    copulas: tuple[Copula, ...]
    source: PeopleTable | None
    observed: dict[str, Floats]
    """The columns of the source table that some law names."""
    spread: dict[str, Empirical]
    """The same as distributions, for traits that go together with others."""
    chance: Chance
    precise: tuple[str, ...]
    """The columns that are kept in 64 bits."""
    instead: tuple[Instead, ...]

    @property
    def traits(self) -> tuple[str, ...]:
        """Return the names of the traits that are no tastes."""
        return tuple(name for name in self.personas[0].laws if not name.startswith(TASTE))

    def kind(self, name: str) -> type[np.floating[Any]]:
        """Return the type in which a trait or a taste is kept."""
        column = "taste" if name.startswith(TASTE) else name
        return np.float64 if column in self.precise else np.float32

    def fill(self, columns: Columns, part: slice) -> None:
        """Make the people of a part of the rows."""
        replica, user = _ids(columns)
        replica, user = replica[part], user[part]
        row = None if self.source is None else self.source.rows(self.chance, replica, user)
        block = _Block(replica, user, row)
        for copula in self.copulas:
            independent = {n: self.chance.normal(_purpose(n), replica, user)[:, 0] for n in copula.of}
            block.scores.update(copula.mix(independent))
        segment = coded(self.instead, "segment", self._deal(block), [one.segment for one in self.personas])
        columns["segment"][part] = segment
        for name in self.traits:
            columns[name][part] = self._values(name, block, segment)
        for place, attribute in enumerate(self.attributes):
            columns["taste"][part, place] = self._values(TASTE + attribute, block, segment)

    def _deal(self, block: _Block) -> NDArray[np.int8]:
        if not self.shares:
            return np.zeros(len(block.user), dtype=np.int8)
        u = self.chance.uniform("segment", block.replica, block.user)[:, 0]
        place = np.searchsorted(np.cumsum(self.shares), u, side="right")
        return np.where(place < len(self.shares), place + 1, 0).astype(np.int8)

    def _values(self, name: str, block: _Block, segment: NDArray[np.int8]) -> Numbers:
        """Return one trait of each person: the base persona's, or what their segment has instead."""
        base = self.personas[0].laws[name]
        values = self._drawn(name, base, block)
        for code, persona in enumerate(self.personas[1:], start=1):
            law = persona.laws[name]
            if law != base:
                mask = segment == code
                values[mask] = self._drawn(name, law, block.where(mask))
        return values

    def _drawn(self, name: str, law: Distribution, block: _Block) -> Numbers:
        with np.errstate(over="ignore"):
            values: Numbers = self._evaluate(name, law, block).astype(self.kind(name))
        gap_allowed = law.column is not None
        if np.isinf(values).any() or (np.isnan(values).any() and not gap_allowed):
            problem = f"{name!r} is drawn so large (or so uncertain) that a 32-bit number cannot hold it."
            raise ScenarioError(problem, "Use smaller parameters, or bounds (low, high).")
        return values

    def _evaluate(self, name: str, law: Distribution, block: _Block) -> Floats:
        kind, detail = law_of(law)
        if kind == "column" and name in block.scores:
            return within(law, self.spread[detail].quantile(normal_cdf(block.scores[name])))
        if kind == "column":
            return within(law, self.observed[detail][block.row])
        if name in block.scores:
            return at_score(law, block.scores[name])
        if kind == "constant":
            return within(law, np.full(len(block.user), detail))
        return quantile(law, self.chance.uniform(_purpose(name), block.replica, block.user)[:, 0])


def _purpose(name: str) -> str:
    return f"trait/{name}"


def _maker(
    people: People,
    attributes: tuple[str, ...],
    needs: tuple[str, ...],
    source: PeopleTable | None,
    chance: Chance,
) -> _Maker:
    kinds = personas(people, attributes, () if source is None else source.numeric)
    _check_needs(needs, kinds[0], source)
    asked = _asked(people, needs)
    check_spelling(people, asked)
    observed = _observed(kinds, source, asked | _given(people))
    copulas = tuple(_copula(c, kinds[0], source) for c in people.correlations)
    together = [name for copula in copulas for name in copula.of]
    twice = sorted({name for name in together if together.count(name) > 1})
    if twice:
        problem = f"people.correlations: {twice[0]!r} stands in more than one of them."
        raise ScenarioError(problem, "Put all traits that go together into one matrix.")
    weights = None if source is None else source.weights
    return _Maker(
        personas=kinds,
        shares=tuple(segment.share for segment in people.segments),
        attributes=attributes,
        copulas=copulas,
        source=source,
        observed=observed,
        spread={c: Empirical.of(observed[c], weights) for c in _columns_of(kinds, together)},
        chance=chance,
        precise=people.society.precise,
        instead=people.instead,
    )


def _asked(people: People, needs: tuple[str, ...]) -> set[str]:
    """Return the traits that something uses."""
    grouping = set() if people.groups is None else {people.groups.trait}
    together = {name for correlation in people.correlations for name in correlation.of}
    return {*TRAITS, *STARTS, *needs, *people.visible} | grouping | together


def _given(people: People) -> set[str]:
    return set(people.traits).union(*(segment.traits for segment in people.segments))


def _columns_of(kinds: tuple[Persona, ...], names: Collection[str]) -> set[str]:
    laws = (kind.laws[name] for kind in kinds for name in names)
    return {law.column for law in laws if law.column is not None}


def _check_needs(needs: tuple[str, ...], base: Persona, source: PeopleTable | None) -> None:
    for name in needs:
        if name not in base.laws:
            table = "there is no people.source" if source is None else f"{source.label} lacks it"
            known = set(base.laws) if source is None else {*base.laws, *source.columns}
            problem = f"the world needs people to have {name!r}: people.traits lacks it, and {table}."
            raise DataError(problem, did_you_mean(name, known))


def _observed(kinds: tuple[Persona, ...], source: PeopleTable | None, used: set[str]) -> dict[str, Floats]:
    """Return the columns that laws name; those of traits that are used must have no gaps."""
    observed: dict[str, Floats] = {}
    for kind in kinds:
        for name, law in kind.laws.items():
            if law.column is None:
                continue
            if source is None:
                problem = f"{name!r} is taken from column {law.column!r}, but there is no people.source."
                raise ScenarioError(problem, "Name the table under people.source, or give another law.")
            if name in used or name.startswith(TASTE):
                observed[law.column] = source.numbers(law.column, f"{name!r}")
            else:
                observed.setdefault(law.column, source.columns.numbers(law.column))
    return observed


def _copula(correlation: Correlation, base: Persona, source: PeopleTable | None) -> Copula:
    if correlation.matrix != "measured":
        return copula_of(correlation, base.laws, correlation.matrix)
    if source is None:
        problem = (
            f"people.correlations of {', '.join(correlation.of)} are to be measured without people.source."
        )
        raise ScenarioError(problem, "Name the table under people.source, or state the matrix.")
    taken = {name: base.laws[name].column if name in base.laws else None for name in correlation.of}
    columns = {n: source.numbers(column or n, "people.correlations") for n, column in taken.items()}
    return copula_of(correlation, base.laws, measured(columns, source.weights))


def _everybody(count: int, replicas: NDArray[np.int32], only: Rows | None) -> tuple[NDArray[np.int32], Rows]:
    ids = np.arange(count, dtype=np.int64) if only is None else np.asarray(only, dtype=np.int64)
    outside = ids[(ids < 0) | (ids >= count)]
    if outside.size:
        problem = f"there is no user {outside[0]}."
        raise NotFoundError(problem, f"The {count} people have the ids 0 to {count - 1}.")
    return np.repeat(np.asarray(replicas, dtype=np.int32), len(ids)), np.tile(ids, len(replicas))


def _ids(columns: Columns) -> tuple[NDArray[np.int32], Rows]:
    return np.asarray(columns["replica"], dtype=np.int32), np.asarray(columns["user"], dtype=np.int64)


def _groups(
    grouping: Grouping, columns: Columns, source: PeopleTable | None, chance: Chance
) -> NDArray[np.int8]:
    name = grouping.trait
    if name in trait_names(columns):
        return _bands(grouping, np.asarray(columns[name]))
    if source is None or name not in source.columns:
        problem = f"people.groups.trait: there is no trait {name!r}."
        raise ScenarioError(problem, did_you_mean(name, trait_names(columns)))
    if grouping.cuts or source.columns[name].dtype.kind != "U":
        problem = f"people.groups: column {name!r} of {source.label} holds no numbers to cut."
        raise DataError(problem, "Leave cuts out and give the words of the column as names.")
    words = np.asarray(source.columns[name], dtype=np.str_)
    codes = codes_of_words(words, grouping.names, f"column {name!r} of {source.label}")
    return codes.take(source.rows(chance, *_ids(columns)))


def _bands(grouping: Grouping, values: Numbers) -> NDArray[np.int8]:
    if grouping.cuts:
        # Of one type on both sides: a value that was written equal to a cut is equal to it.
        cuts = np.asarray(grouping.cuts, dtype=values.dtype)
        return np.searchsorted(cuts, values, side="right").astype(np.int8)
    codes = values.astype(np.int8)
    wrong = np.flatnonzero((codes != values) | (codes < 0) | (codes >= len(grouping.names)))
    if wrong.size:
        problem = f"people.groups: {grouping.trait!r} is {values[wrong[0]]:g}, which is the code of no group."
        raise DataError(problem, f"Give cuts, or whole numbers from 0 to {len(grouping.names) - 1}.")
    return codes
