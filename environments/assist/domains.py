"""Reading a domain: one that ships, one of the user's own, or the restaurants of CamRest676.

A domain file is YAML: `constraints` (the slots that people choose by), `booking` (slots that are told for
a booking, each with its values), `requestable` (what may be asked about) and `database`, a CSV file beside
it with a column `name` and one for every other slot; or the rows themselves.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
from pydantic import Field

from rehearse import registry
from rehearse.dialogue.domain import NAME, Domain
from rehearse.dialogue.phrases import Client, Model, Put, Templates
from rehearse.errors import DataError, NotFoundError, UserError, did_you_mean
from rehearse.scenario.base import Strict
from rehearse.scenario.document import parse
from rehearse.scenario.wrong import check

FOLDER = Path(__file__).parent
SHIPPED = FOLDER / "domains"
MOST_VALUES = 32_000
MOST_SLOTS = 24
Row = Mapping[str, str]


class DomainFile(Strict):
    """What a domain file says."""

    title: str
    constraints: Annotated[tuple[str, ...], Field(min_length=1, max_length=8)]
    booking: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    requestable: tuple[str, ...] = ()
    database: str | tuple[dict[str, str], ...]
    """A CSV file beside this one, or the rows."""
    phrases: dict[str, dict[str, Put]] = Field(default_factory=dict)
    """Templates instead of those that ship, by `user` or `assistant`, then by act."""


def load(name: str) -> Domain:
    """Return a domain that ships, by name, or one from a YAML file; raises NotFoundError, DataError."""
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        known = sorted(file.stem for file in SHIPPED.glob("*.yaml"))
        path = SHIPPED / f"{name}.yaml"
        if name not in known:
            problem = f"there is no domain {name!r}."
            raise NotFoundError(problem, f"{did_you_mean(name, known)} Or give a YAML file.")
    told = check(DomainFile, parse(_read(path), str(path)).plain(), under=path.name)
    rows = told.database
    if isinstance(rows, str):
        rows = tuple(csv.DictReader(_read(path.parent / rows).decode("utf-8").splitlines()))
    return made(told, rows, str(path))


class ClientSpec(Strict):
    """A language model: what makes a client, and the settings that it takes."""

    name: str
    """The address of a chat model, a registered name, or FILE.py:NAME."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Its settings."""


def worded(domain: Domain, client: str | ClientSpec) -> Domain:
    """Return a domain whose words come from a language model; raises as `client_of` does."""
    model = client_of(client, "world.settings.client")
    return replace(domain, phrases=Model(model, cast("Templates", domain.phrases)))


def client_of(client: str | ClientSpec, setting: str) -> Client:
    """Return a language model; NotFoundError where there is none of that name, UserError for no client."""
    spec = ClientSpec(name=client) if isinstance(client, str) else client
    name, settings = spec.name, spec.settings
    if name.startswith(("http://", "https://")):
        name, settings = "chat-v1", {"url": spec.name} | settings
    made: Client = registry.load("clients", name)(**settings)
    if not callable(getattr(made, "complete", None)):
        problem = f"{setting}: {name!r} gives a {type(made).__name__}, which has no `complete`."
        raise UserError(problem, "Name a class or a function that gives something with complete(prompt).")
    return made


def made(told: DomainFile, rows: Sequence[Row], label: str) -> Domain:
    """Return a domain from what its file says and the rows of its database; raises DataError."""
    others = [s for s in told.requestable if s not in (*told.constraints, *told.booking, NAME)]
    slots = (*told.constraints, *told.booking, *others, NAME)
    _check(slots, rows, label)
    columns = {slot: [_plain(row[slot]) for row in rows] for slot in slots if slot not in told.booking}
    values = tuple(
        told.booking[s] if s in told.booking else tuple(columns[s] if s == NAME else sorted(set(columns[s])))
        for s in slots
    )
    number = [{value: place for place, value in enumerate(known)} for known in values]
    table = np.full((len(rows), len(slots)), -1, dtype=np.int16)
    for place, slot in enumerate(slots):
        if slot in columns:
            table[:, place] = [number[place][value] for value in columns[slot]]
    return Domain(
        title=told.title,
        slots=slots,
        constraints=len(told.constraints),
        booking=len(told.booking),
        requestable=np.array([s in told.requestable for s in slots]),
        values=values,
        table=table,
        phrases=Templates(_phrases(told.phrases), slots),
    )


def _check(slots: Sequence[str], rows: Sequence[Row], label: str) -> None:
    if len(set(slots)) < len(slots) or len(slots) > MOST_SLOTS:
        problem = f"{label}: the slots are {', '.join(slots)}."
        raise DataError(problem, f"Name each once, and {MOST_SLOTS} at most.")
    if not 0 < len(rows) < MOST_VALUES:
        problem = f"{label}: its database has {len(rows)} rows."
        raise DataError(problem, f"Give at least one, and fewer than {MOST_VALUES:,}.")
    names = [_plain(row.get(NAME, "")) for row in rows]
    if "" in names or len({name.lower() for name in names}) < len(names):
        problem = f"{label}: an entity of the database has no name, or another one's."
        raise DataError(problem, "Give every row a `name` of its own.")


def _plain(value: str | None) -> str:
    return " ".join(value.split()) if value else "not known"


def _phrases(own: Mapping[str, Mapping[str, Put]]) -> dict[str, dict[str, Put]]:
    return {by: {**put, **own.get(by, {})} for by, put in _shipped_phrases().items()}


@cache
def _shipped_phrases() -> dict[str, dict[str, Any]]:
    path = FOLDER / "phrases.yaml"
    return dict(parse(_read(path), path.name).plain())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"{str(path)!r} could not be read: {error.strerror}."
        raise DataError(problem, "Check the path of the domain and of its database.") from error
