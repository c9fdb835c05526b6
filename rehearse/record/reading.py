"""Reading a run folder: its scenario, its manifest, and its tables through SQL."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from rehearse.columns import Columns
from rehearse.errors import DataError, NotFoundError, OutputError
from rehearse.record.recorder import KINDS
from rehearse.record.scope import Scope
from rehearse.record.words import WORDS
from rehearse.scenario.model import Scenario
from rehearse.tables import Filled, View, ask, query

MANIFEST = "manifest.json"
SCENARIO = "scenario.yaml"
TURNS = "turns"
SESSIONS = "sessions"
USERS = "users.parquet"
TICKS = "ticks.parquet"
TIES = "ties.parquet"
VERDICT = "verdict.json"
FINISHED = "finished"
NOT_RECORDED = {
    "i1": "CAST(-1 AS TINYINT)", "i2": "CAST(-1 AS SMALLINT)", "i4": "CAST(-1 AS INTEGER)",
    "i8": "CAST(-1 AS BIGINT)", "f4": "CAST('nan' AS FLOAT)",
}  # fmt: skip
WORDS_NOT_RECORDED = {"intent": "'first'", "fault": "'none'", "end": "'none'"}


class RunRecord:
    """A run folder, read only.

    Raises NotFoundError where the folder is no run, OutputError where it is damaged or unfinished.
    """

    def __init__(self, folder: Path | str, *, finished: bool = True) -> None:
        """Open a run folder; with `finished`, refuse one that was interrupted."""
        self.folder = Path(folder)
        if not (self.folder / MANIFEST).is_file():
            problem = f"{str(self.folder)!r} is not a run folder: it has no {MANIFEST}."
            raise NotFoundError(problem, "Give the folder that `rehearse run` printed.")
        if finished and self.manifest.get("status") == "running":
            problem = f"the run in {str(self.folder)!r} was interrupted at tick {self.manifest.get('tick')}."
            raise OutputError(problem, f"Finish it with `rehearse resume {self.folder}`.")

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Return the manifest: what ran, on what, when, and the digest."""
        return self._json(MANIFEST)

    @cached_property
    def verdict(self) -> dict[str, Any]:
        """Return the verdict as it was written."""
        return self._json(VERDICT)

    @cached_property
    def scenario(self) -> Scenario:
        """Return the resolved scenario of the run."""
        from rehearse.scenario.load import from_yaml

        path = self.folder / SCENARIO
        try:
            return from_yaml(path.read_bytes(), str(path))
        except OSError as error:
            problem = f"{str(path)!r} could not be read: {error.strerror}."
            raise OutputError(problem, "Run the scenario again.") from error

    @cached_property
    def scope(self) -> Scope:
        """Return what was kept of the turns."""
        return Scope.in_manifest(self.manifest)

    @property
    def items(self) -> tuple[str, ...]:
        """Return the names of the items, by id."""
        return tuple(self.manifest["items"])

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the names of the groups."""
        return tuple(self.manifest["groups"])

    def query(self, sql: str) -> Columns:
        """Run a SELECT over the views turns, users, ticks (and ties, where people know each other).

        There is a view sessions where a row a session was kept instead of the turns, and a view words where
        people and model spoke (`rehearse.record.words`). Raises DataError that says where the SQL
        is wrong.
        """
        views: dict[str, View] = {"turns": Filled(f"{self.folder}/{TURNS}/*.parquet", self._not_recorded)}
        if (self.folder / SESSIONS).is_dir():
            views["sessions"] = f"{self.folder}/{SESSIONS}/*.parquet"
        if (self.folder / WORDS).is_dir():
            views[WORDS] = f"{self.folder}/{WORDS}/*.parquet"
        for name, file in (("users", USERS), ("ticks", TICKS), ("ties", TIES)):
            if (self.folder / file).is_file():
                views[name] = str(self.folder / file)
        words = set(re.findall(r"\w+", sql.lower()))
        named = {name: view for name, view in views.items() if name in words}
        try:
            return ask(sql, **named)  # opening a table that is not asked takes as long as asking one
        except DataError:
            return ask(sql, **views)  # whose message knows all the names

    @cached_property
    def _not_recorded(self) -> dict[str, str]:
        """Return what stands for the columns that the scenario does not record, in SQL."""
        if self.scenario.columns is None:
            return {}
        told = set(query("SELECT * FROM turns LIMIT 0", turns=f"{self.folder}/{TURNS}/*.parquet"))
        values = {name: NOT_RECORDED[kind] for kind, names in KINDS.items() for name in names}
        return {name: value for name, value in (values | WORDS_NOT_RECORDED).items() if name not in told}

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            problem = f"the run in {str(self.folder)!r} has no {name}."
            raise OutputError(problem, f"Finish it with `rehearse resume {self.folder}`.") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            problem = f"{str(path)!r} is damaged: {error}."
            raise OutputError(problem, "Run the scenario again.") from error
        if not isinstance(found, dict):
            problem = f"{str(path)!r} holds {type(found).__name__} where an object belongs."
            raise OutputError(problem, "Run the scenario again.")
        return found
