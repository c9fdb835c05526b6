"""What all policies made of others share: their parts behind seams, who acted, who is told, what is kept.

Each part is asked through a seam of its own. Models are numbered from left to right, those within parts
too; the column `model` says which one's answer a person got. Nothing changes while a tick lasts: what a
policy made of others remembers, it learns from `Feedback` when the tick is over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from rehearse.columns import Array, Rows, everywhere
from rehearse.contract import (
    NOTHING,
    Codes,
    Decisions,
    Fault,
    Feedback,
    Ints,
    Policy,
    Publishes,
    Requests,
    Stage,
    nothing_of,
)
from rehearse.policies.asked import Asked
from rehearse.policies.settings import refused
from rehearse.scenario.base import Strict
from rehearse.scenario.model import Part

MODEL = "model"
MADE = "made"
"""Under this name a state says which model a part is."""
Load = Callable[[object, str], Policy]
"""Makes a policy of a part (a name, `{name, settings}`, a model, or another composition) under its word."""
Words = dict[str, tuple[str, ...]]
CODES = {"rationale": "rationales", "guard": "guards"}
"""Codes of decisions, and the attributes of policies that say what they are called."""


class Composition(Strict):
    """A policy made of others as it is written: the parts come first, the settings after them."""

    registered: ClassVar[str]
    """The name under which scenarios find it."""
    parts: ClassVar[tuple[str, ...]]
    """Its fields that are policies."""

    def __init__(self, *parts: object, **settings: Any) -> None:
        """Take the parts in the order of the fields, and settings by name; raises PolicyLoadError."""
        try:
            super().__init__(**dict(zip(type(self).model_fields, parts, strict=False)), **settings)
        except ValidationError as error:
            raise refused(error, type(self), self.registered) from None

    @abstractmethod
    def made(self, stage: Stage, load: Load, where: str) -> Composed:
        """Return the policy; `where` is its place among others, "" for the outermost."""

    def spelled(self) -> Part | None:
        """Return it as a scenario writes it; None where a part is an object that only Python can hold."""
        settings = self.model_dump(mode="json", exclude=set(self.parts), exclude_defaults=True)
        for name in self.parts:
            part = getattr(self, name)
            told = part.spelled() if isinstance(part, Composition) else part
            if not isinstance(told, str | Mapping | Part):
                return None
            settings[name] = told.model_dump() if isinstance(told, Part) else told
        return Part(name=self.registered, settings=settings)


class Composed(ABC):
    """A policy made of others; `columns` are those that it records itself, by name, with their types."""

    version = "1"
    foreign = False
    reads = True
    """Its parts' answers have been checked."""
    aside: tuple[str, ...] = ()
    """Parts that are asked beside the one that acts: all their columns carry their name."""
    learn: Callable[[Feedback], None]
    """Only where it or a part of it learns."""

    def __init__(
        self,
        name: str,
        parts: Mapping[str, Policy],
        stage: Stage,
        columns: Mapping[str, Any] | None = None,
        *,
        learns: bool = False,
    ) -> None:
        self.stage = stage
        self.parts = {word: Asked(part, stage) for word, part in parts.items()}
        self.name = f"{name}({', '.join(part.name for part in parts.values())})"
        versions = ", ".join([type(self).version, *(part.version for part in parts.values())])
        self.version = ", ".join(dict.fromkeys(versions.split(", ")))
        self.coupled = any(getattr(part, "coupled", False) for part in parts.values())
        self.sees_truth = any(getattr(part, "sees_truth", False) for part in parts.values())
        self.replicas = np.sort(stage.replicas)
        own = dict(columns or {})
        self.columns: dict[str, Any] = {MODEL: np.int8} | own
        self.words: Words = {}
        self._inner = self._names(parts)
        self._base = self._numbered(parts)
        if learns or any(hasattr(part, "learn") for part in parts.values()):
            self.learn = self.hear

    @abstractmethod
    def decide(self, requests: Requests) -> Decisions:
        """Answer each request."""

    def hear(self, feedback: Feedback) -> None:
        """Tell each model of the turns in which it acted."""
        for word, part in self.parts.items():
            part.learn(self.told(word, feedback))

    def published(self) -> Mapping[str, Array]:
        """Return what is known of the first part: it is the one in service."""
        first = next(iter(self.parts.values())).policy
        return first.published() if isinstance(first, Publishes) else {}

    def state(self) -> dict[str, Array]:
        """Return what the parts remember, and which models they are."""
        kept: dict[str, Array] = {f"{word}/{MADE}": np.array(part.name) for word, part in self.parts.items()}
        return kept | {f"{word}/{n}": a for word, part in self.parts.items() for n, a in part.state().items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave; a part that was another model then begins afresh, as in some forks."""
        for word, part in self.parts.items():
            begins = f"{word}/"
            own = {n.removeprefix(begins): a for n, a in state.items() if n.startswith(begins)}
            if str(own.pop(MADE, "")) == part.name:
                part.restore(own)

    def seat(self, tile: int | None, wall_limit_s: float) -> None:
        """Ask the parts with tiles of this size and within this limit of time."""
        for word, asked in self.parts.items():
            self.parts[word] = Asked(asked.policy, self.stage, tile, wall_limit_s)
            if isinstance(asked.policy, Composed):
                asked.policy.seat(tile, wall_limit_s)

    def ask(self, word: str, requests: Requests) -> Decisions:
        """Return a part's answers, with codes and columns as they are called out here."""
        answer = self.parts[word].decide(requests)
        detail = self._blank(len(answer))
        out = self._inner[word]
        detail |= {out[name]: array for name, array in answer.detail.items() if name in out}
        zeros: Codes = np.zeros(len(answer), dtype=np.int8)
        detail[MODEL] = _moved(answer.detail.get(MODEL, zeros), self._base[word][MODEL])
        codes: dict[str, Any] = {
            name: _moved(getattr(answer, name), self._base[word][name]) for name in CODES
        }
        return replace(answer, **codes, detail=detail)

    def given(self, slate: Ints, model: Codes | int = NOTHING, **columns: Array | float) -> Decisions:
        """Return answers for which no part was asked, by the model that they count as (none: -1)."""
        detail = self._blank(len(slate))
        detail[MODEL] = np.broadcast_to(np.asarray(model, dtype=np.int8), len(slate))
        return replace(Decisions.of(slate, **columns), detail=detail)

    def refusals(self, rows: int) -> Decisions:
        """Return as many answers that refuse to ask the model."""
        return self.given(np.full((rows, 1), NOTHING, dtype=np.int32), fault=Fault.REFUSED)

    def share_out(self, requests: Requests, word_of: NDArray[np.integer[Any]]) -> Decisions:
        """Return the answers of several parts: each answers the requests that bear its number."""
        words = list(self.parts)
        if len(requests) and (word_of == word_of[0]).all():
            return self.ask(words[int(word_of[0])], requests)
        rows = [np.flatnonzero(word_of == number) for number in range(len(words))]
        asked = [
            self.ask(word, requests.take(some)) for word, some in zip(words, rows, strict=True) if len(some)
        ]
        return put_together(asked, [some for some in rows if len(some)])

    def society(self, replica: Array) -> Rows:
        """Return the position of each society in arrays kept here."""
        return np.searchsorted(self.replicas, replica)

    def acted(self, word: str, feedback: Feedback) -> NDArray[np.bool_]:
        """Return in which turns a part, or something within it, acted."""
        zeros: Codes = np.zeros(len(feedback.user), dtype=np.int8)
        model: Codes = np.asarray(feedback.detail.get(MODEL, zeros), dtype=np.int8)
        first = self._base[word][MODEL]
        last = first + len(models_of(word, self.parts[word].policy))
        return np.asarray((model >= first) & (model < last))

    def told(self, word: str, feedback: Feedback) -> Feedback:
        """Return what a part is told, in its own words: a plain model of the turns in which it acted."""
        composed = isinstance(self.parts[word].policy, Composed)
        mine = self.acted(word, feedback)
        chosen = np.flatnonzero(mine | composed)
        some, out = feedback.take(chosen), self._inner[word]
        detail = {name: some.detail[out[name]] for name in out if out[name] in some.detail}
        if MODEL in some.detail and composed:
            model = detail.get(MODEL, _moved(some.detail[MODEL], -self._base[word][MODEL]))
            detail[MODEL] = np.where(mine[chosen], model, np.int8(NOTHING))
        return replace(some, detail=detail)

    def _blank(self, n: int) -> dict[str, Array]:
        return {name: everywhere(nothing_of(kind), n, kind) for name, kind in self.columns.items()}

    def _names(self, parts: Mapping[str, Policy]) -> dict[str, dict[str, str]]:
        """Return what the columns of each part are called out here, and take them over.

        A part with a name that is taken, here or by a part beside it, gets its word before all its names:
        parts learn from their columns, and must not read another's.
        """
        own, inner = set(self.columns) - {MODEL}, {word: _columns(part) for word, part in parts.items()}
        names: dict[str, dict[str, str]] = {}
        for word, part in parts.items():
            aside = word in self.aside
            taken = own.union(*(set(inner[other]) - {MODEL} for other in parts if other != word))
            begins = f"{word}_" if aside or taken & set(inner[word]) else ""
            names[word] = {name: begins + name for name in inner[word] if aside or name != MODEL}
            words: Words = getattr(part, "words", {})
            self.columns |= {called: inner[word][name] for name, called in names[word].items()}
            self.words |= {called: words[name] for name, called in names[word].items() if name in words}
        return names

    def _numbered(self, parts: Mapping[str, Policy]) -> dict[str, dict[str, int]]:
        """Return from where on the codes of each part are counted; keep what they are called."""
        base: dict[str, dict[str, int]] = {}
        models: list[str] = []
        said: dict[str, list[str]] = {name: [] for name in CODES}
        for word, part in parts.items():
            base[word] = {MODEL: len(models)} | {name: len(said[name]) for name in CODES}
            models += models_of(word, part)
            for name, attribute in CODES.items():
                said[name] += getattr(part, attribute, ())
        self.rationales, self.guards = (tuple(said[name]) for name in CODES)
        self.words[MODEL] = tuple(models)
        return base


def _columns(part: Policy) -> Mapping[str, Any]:
    columns: Mapping[str, Any] = getattr(part, "columns", {})
    return columns


def models_of(word: str, part: Policy) -> Sequence[str]:
    """Return what the models of a part are called outside it."""
    return [f"{word}.{name}" for name in part.words[MODEL]] if isinstance(part, Composed) else [word]


def put_together(answers: Sequence[Decisions], rows: Sequence[Rows]) -> Decisions:
    """Return answers to some of the requests each as answers to all; `rows` says to which."""
    filled = [answer for answer in answers if len(answer)] or list(answers)[:1]
    whole = Decisions.join(filled)
    return whole.take(np.argsort(np.concatenate(rows), kind="stable"))


def noted(decisions: Decisions, **columns: Array | float) -> Decisions:
    """Return decisions with more to tell: columns of the policy's own, arrays or one value for all."""
    return replace(
        decisions, detail={**decisions.detail, **{n: _whole(a, len(decisions)) for n, a in columns.items()}}
    )


def _whole(column: Array | float, rows: int) -> Array:
    return column if isinstance(column, np.ndarray) else np.full(rows, column)


def _moved(codes: Array, by: int) -> Array:
    numbers: Codes = np.asarray(codes, dtype=np.int8)
    return np.where(numbers >= 0, numbers + np.int8(by), numbers) if by else numbers
