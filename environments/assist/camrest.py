"""CamRest676: restaurants in Cambridge, and what 676 people were asked to find there.

Wen and others, "A network-based end-to-end trainable task-oriented dialogue system", EACL 2017, in
ConvLab's unified format: a zip file with `ontology.json`, `CamRestDB.json` and `dialogues.json`. People
are drawn from its goals; `dialogues` are what people and wizards said, in acts.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.dialogue.domain import Domain
from rehearse.environments.assist.domains import DomainFile, made
from rehearse.errors import DataError

DOMAIN = "restaurant"
FILES = ("CamRestDB.json", "dialogues.json")
CONSTRAINTS = ("food", "price range", "area")
REQUESTABLE = ("food", "price range", "area", "phone", "address", "postcode")
SPELT = {"pricerange": "price range"}


@dataclass(frozen=True, slots=True)
class Corpus:
    """The restaurants, the goals a row a person, and the dialogues as they were recorded."""

    domain: Domain
    goals: Columns
    """`goal_SLOT`: the number of a value, or -1; `ask_SLOT`: 1 where it is to be found out."""
    dialogues: tuple[Mapping[str, Any], ...]

    def user_turns(self) -> Columns:
        """Return what people said, a row a turn: dialogue, turn, informs and questions."""
        rows: list[tuple[int, int, int, int]] = []
        for number, dialogue in enumerate(self.dialogues):
            said = [turn for turn in dialogue["turns"] if turn["speaker"] == "user"]
            for place, turn in enumerate(said):
                acts = [act["intent"] for group in turn["dialogue_acts"].values() for act in group]
                rows.append((number, place, acts.count("inform"), acts.count("request")))
        table = np.array(rows, dtype=np.int32).reshape(-1, 4)
        names = ("dialogue", "turn", "informs", "questions")
        return Columns({name: table[:, place] for place, name in enumerate(names)})


def read(path: Path) -> Corpus:
    """Return what the file holds; raises DataError where it is no CamRest676 in the unified format."""
    database, dialogues = (_json(path, name) for name in FILES)
    told = DomainFile(title=DOMAIN, constraints=CONSTRAINTS, requestable=REQUESTABLE, database=())
    rows = [_row(entry) for entry in database]
    domain = made(told, _named_apart(rows), str(path))
    try:
        return Corpus(domain, _goals(domain, dialogues), tuple(dialogues))
    except (KeyError, TypeError) as error:
        problem = f"{str(path)!r}: a dialogue has no {error}."
        raise DataError(problem, "Give CamRest676 in ConvLab's unified format.") from error


def _json(path: Path, name: str) -> list[dict[str, Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            found = [member for member in archive.namelist() if Path(member).name == name]
            told = json.loads(archive.read(found[0])) if found else None
    except (OSError, zipfile.BadZipFile, json.JSONDecodeError) as error:
        problem = f"{str(path)!r} could not be read: {error}."
        raise DataError(problem, "Give the zip file of CamRest676 in ConvLab's unified format.") from error
    if not isinstance(told, list):
        problem = f"{str(path)!r} holds no {name} with a list."
        raise DataError(problem, "Give the zip file of CamRest676 in ConvLab's unified format.")
    return told


def _row(entry: Mapping[str, Any]) -> dict[str, str]:
    row = {SPELT.get(key, key): str(value) for key, value in entry.items()}
    return {slot: row.get(slot, "") for slot in (*REQUESTABLE, "name")}


def _named_apart(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the rows with a number after the name of every branch but the first."""
    seen: dict[str, int] = {}
    for row in rows:
        name = " ".join(row["name"].lower().split())
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            row["name"] = f"{row['name']} {seen[name]}"
    return rows


def _goals(domain: Domain, dialogues: list[dict[str, Any]]) -> Columns:
    n = len(dialogues)
    columns: dict[str, Array] = {}
    for slot in domain.slots[:-1]:
        number, bare = domain.slot(slot), slot.replace(" ", "_")
        want, ask = np.full(n, -1, dtype=np.int16), np.zeros(n, dtype=np.int8)
        for row, dialogue in enumerate(dialogues):
            goal = dialogue["goal"]
            value = goal.get("inform", {}).get(DOMAIN, {}).get(slot, "")
            found = domain.value(number, value)
            want[row] = found if found < len(domain.values[number]) else -1
            ask[row] = slot in goal.get("request", {}).get(DOMAIN, {})
        columns[f"ask_{bare}"] = ask
        if number < domain.constraints:
            columns[f"goal_{bare}"] = want
    return Columns(columns)
