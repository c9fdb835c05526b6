"""What a world can offer: items, their attributes, and how both are written in a scenario.

An attribute is a number that every item has and that people have a taste for. It may be the same
for all people (an (m, d) table, made once) or each person's own (an (n, m, d) array, filled from
their traits), and a trait may multiply it, as income multiplies a constant for air.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from rehearse.chance import Chance
from rehearse.columns import Columns, Rows
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.base import Name, NotNegative, Strict
from rehearse.scenario.distributions import law_of, pick, quantile
from rehearse.scenario.people import Distribution, Normal

ITEM = "{item}"
LAWS = ("value", "per_item", "item", "column", "normal", "drawn", "one_hot", "mixture")
BLOCKS = ("normal", "drawn")
"""The laws that may make a block of attributes with `dims`."""


class Numbered(Strict):
    """Items without names of their own: a prefix and a number from 1."""

    count: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many there are."""
    prefix: str = "item_"
    """What their names begin with."""

    def names(self) -> tuple[str, ...]:
        """Return the names."""
        return tuple(f"{self.prefix}{number}" for number in range(1, self.count + 1))


class OneHot(Strict):
    """Of a block of attributes each item has one at 1 and the others at 0: its topic, say."""

    shares: tuple[NotNegative, ...] = Field(min_length=2, max_length=1024)
    """How likely each is (scaled to add up to 1)."""

    @model_validator(mode="after")
    def _some_share(self) -> Self:
        if sum(self.shares) <= 0.0:
            problem = "at least one share must be above 0"
            raise ValueError(problem)
        return self


class Mixture(Strict):
    """Drawn once for each item, by a law that depends on what the item has of a `one_hot` attribute."""

    of: Name
    """The name of the one_hot attribute."""
    laws: tuple[Distribution, ...] = Field(min_length=2)
    """One for each of its places."""


class Attribute(Strict):
    """How the items have an attribute: exactly one law."""

    value: float | None = None
    """All items have it alike."""
    per_item: dict[str, float] | None = None
    """Each item has its own; items left out have 0."""
    item: str | None = None
    """1 for this item and 0 for all others: an alternative-specific constant."""
    column: str | None = None
    """A trait of the people, with `{item}` in its name: each person faces their own."""
    normal: Normal | None = None
    """Drawn once for each item."""
    drawn: Distribution | None = None
    """Drawn once for each item, by any law: uniform, beta, lognormal, discrete, …"""
    one_hot: OneHot | None = None
    """A block of attributes, named with _1, _2, … behind, of which each item has one."""
    mixture: Mixture | None = None
    """Drawn once for each item, by the law of its topic."""
    dims: Annotated[int, Field(ge=1, le=1024)] | None = None
    """With `normal` or `drawn`: a block of so many attributes, named with _1, _2, … behind."""
    times: str | None = None
    """A trait that multiplies it, such as income."""

    @model_validator(mode="after")
    def _exactly_one_law(self) -> Self:
        laws = [name for name in LAWS if getattr(self, name) is not None]
        problem = ""
        if len(laws) != 1:
            problem = f"give exactly one of {', '.join(LAWS)}; found {laws or 'none'}"
        elif self.dims is not None and laws[0] not in BLOCKS:
            problem = f"dims goes with {' and '.join(BLOCKS)} only"
        elif self.column is not None and ITEM not in self.column:
            problem = f"column must hold {ITEM}, as in 'gc_{ITEM}'; found {self.column!r}"
        if problem:
            raise ValueError(problem)
        return self

    @property
    def is_drawn(self) -> bool:
        """Tell whether chance has a part in it."""
        return any(getattr(self, law) is not None for law in ("normal", "drawn", "one_hot", "mixture"))

    def names(self, name: str) -> tuple[str, ...]:
        """Return the names of the attributes that this stands for, usually the one it has."""
        size = self.dims if self.one_hot is None else len(self.one_hot.shares)
        return (name,) if size is None else tuple(f"{name}_{k + 1}" for k in range(size))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The items with their attributes, before any drift. m items, d attributes."""

    items: tuple[str, ...]
    attributes: tuple[str, ...]
    values: Floats
    """What is the same for all people, shape (m, d); 0 where a column is read."""
    columns: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """Attributes that each person has their own of: the attribute, and the trait for each item."""
    factors: tuple[tuple[int, str], ...] = ()
    """Attributes that a trait multiplies: the attribute and the trait."""

    @property
    def personal(self) -> bool:
        """Tell whether people differ in what they face."""
        return bool(self.columns or self.factors)

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the traits that people must have, each once, in the order of the attributes."""
        traits = [trait for _, names in self.columns for trait in names]
        return tuple(dict.fromkeys(traits + [trait for _, trait in self.factors]))

    def faced(self, people: Columns, rows: Rows) -> Floats:
        """Return what each of these people faces, shape (n, m, d)."""
        out = np.repeat(self.values[None], len(rows), axis=0)
        for attribute, traits in self.columns:
            for item, trait in enumerate(traits):
                out[:, item, attribute] = people.numbers(trait, rows)
        for attribute, trait in self.factors:
            out[:, :, attribute] *= people.numbers(trait, rows)[:, None]
        return out


def make_catalogue(items: tuple[str, ...], attributes: Mapping[Name, Attribute], chance: Chance) -> Catalogue:
    """Return the catalogue that settings describe; what is random is drawn by item and never again."""
    names = tuple(each for name, attribute in attributes.items() for each in attribute.names(name))
    if len(set(names)) < len(names):
        problem = f"world.settings.attributes names {sorted({n for n in names if names.count(n) > 1})} twice."
        raise ScenarioError(problem, "A block with dims takes the names NAME_1, NAME_2, …: rename one.")
    drawing = _Drawing(attributes, len(items), chance)
    blocks = [
        drawing.block(name) if attribute.is_drawn else _static(name, attribute, items)
        for name, attribute in attributes.items()
    ]
    columns = [
        (names.index(name), tuple(attribute.column.replace(ITEM, item) for item in items))
        for name, attribute in attributes.items()
        if attribute.column is not None
    ]
    factors = [
        (names.index(each), attribute.times)
        for name, attribute in attributes.items()
        if attribute.times is not None
        for each in attribute.names(name)
    ]
    return Catalogue(items, names, np.concatenate(blocks, axis=1), tuple(columns), tuple(factors))


def position(name: str, names: tuple[str, ...], path: str) -> int:
    """Return where a name stands among names, or raise a ScenarioError that says where it was written."""
    if name not in names:
        problem = f"{path}: there is no {name!r}."
        raise ScenarioError(problem, did_you_mean(name, names))
    return names.index(name)


def spread_over(values: Mapping[str, float], items: tuple[str, ...], path: str) -> Floats:
    """Return numbers given by item name as an array (m,), 0 where an item is left out."""
    out = np.zeros(len(items))
    for name, value in values.items():
        out[position(name, items, f"{path}.{name}")] = value
    return out


def _static(name: str, attribute: Attribute, items: tuple[str, ...]) -> Floats:
    path = f"world.settings.attributes.{name}"
    if attribute.value is not None:
        return np.full((len(items), 1), attribute.value)
    if attribute.per_item is not None:
        return spread_over(attribute.per_item, items, f"{path}.per_item")[:, None]
    if attribute.item is not None:
        return spread_over({attribute.item: 1.0}, items, f"{path}.item")[:, None]
    return np.zeros((len(items), 1))


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What is drawn by item, each attribute with luck of its own."""

    attributes: Mapping[Name, Attribute]
    count: int
    chance: Chance

    def block(self, name: str) -> Floats:
        """Return the values of a block of attributes, shape (m, dims)."""
        attribute = self.attributes[name]
        if attribute.normal is not None:
            law, size = attribute.normal, attribute.dims or 1
            drawn = self.chance.normal(f"world/items/{name}", 0, np.arange(self.count), count=size)
            return np.asarray(law.mean + law.sd * drawn)
        if attribute.drawn is not None:
            return _quantiles(name, attribute.drawn, self._uniform(name, attribute.dims or 1))
        if attribute.mixture is not None:
            return self._mixed(name, attribute.mixture)
        return np.eye(len(attribute.names(name)))[self._places(name)]

    def _places(self, name: str) -> Rows:
        """Return which place of a one-hot block each item has, shape (m,)."""
        one_hot = self.attributes[name].one_hot if name in self.attributes else None
        if one_hot is None:
            hot = [known for known, attribute in self.attributes.items() if attribute.one_hot is not None]
            problem = f"world.settings.attributes: a mixture is of {name!r}, which is no one_hot attribute."
            raise ScenarioError(problem, did_you_mean(name, hot))
        return pick(np.cumsum(one_hot.shares), self._uniform(name)[:, 0])

    def _mixed(self, name: str, mixture: Mixture) -> Floats:
        places, uniform = self._places(mixture.of), self._uniform(name)
        size = len(self.attributes[mixture.of].names(mixture.of))
        if size != len(mixture.laws):
            problem = (
                f"world.settings.attributes.{name}.mixture has {len(mixture.laws)} laws "
                f"for the {size} places of {mixture.of!r}."
            )
            raise ScenarioError(problem, "Give one law for each place.")
        each = np.stack([_quantiles(name, law, uniform[:, 0]) for law in mixture.laws])
        return each[places, np.arange(self.count)][:, None]

    def _uniform(self, name: str, size: int = 1) -> Floats:
        return self.chance.uniform(f"world/items/{name}", 0, np.arange(self.count), count=size)


def _quantiles(name: str, law: Distribution, uniform: Floats) -> Floats:
    if law_of(law)[0] == "column":
        problem = f"world.settings.attributes.{name}: an item's attribute cannot be a column of the people."
        raise ScenarioError(problem, "Give `column` in place of `drawn`, or another law.")
    return quantile(law, uniform)
