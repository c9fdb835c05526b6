"""Feeding back: the labelled cases of a run that a team retrains on, and where they came from.

A case is a turn: what the model saw, what it answered, what would have been right, what came of it. The
record does not hold what the model saw, so the run is lived again, which gives the same turns. A case
fails for one reason or more:

    wrong        another answer would have been the best
    harm         it did harm
    regret       it cost utility against the best answer
    session      its session ended without the goal, and not for want of a way or by the person's own will
    error        the model did not answer, or too late
    criterion:…  it shows a criterion of that metric, which did not pass, at its worst
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.columns import Columns
from rehearse.contract import Exchange, Users
from rehearse.errors import UserError, did_you_mean
from rehearse.experiments.metrics import Part, find
from rehearse.experiments.metrics.base import Gap, turns_of
from rehearse.experiments.metrics.society import first_quarter, ticks_of
from rehearse.experiments.rebuilding import rebuilt
from rehearse.record.reading import RunRecord
from rehearse.tables import write_table, write_text

REASONS = {
    "wrong": '"right" = 0',
    "harm": "harm > 0",
    "regret": "regret > 0",
    "error": "\"end\" = 'policy_error'",
    "session": '(replica, "user", tick, session) IN (SELECT (replica, "user", tick, session) FROM turns '
    "WHERE \"end\" IN ('abandoned', 'policy_stop', 'policy_error', 'turn_cap', 'time_budget', 'guard'))",
}
NEEDS = {"harm": "harm"}
"""Columns that not every record has."""
SEEN = "sees_"
"""Before the names of what the model saw, which may be those of other columns."""
KEYS = ("replica", "user", "tick", "turn")
TOLD = ("session", "score", "propensity", "rationale", "label", "right", "reward", "harm", "regret")
FORMATS = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    file: Path
    manifest: Path
    """JSON beside it: the run, the model, what counts as failing, how many cases for which reason."""
    cases: int
    reasons: dict[str, int]


@dataclass(slots=True)
class _Witness:
    """Notes what the model saw in some turns."""

    wanted: dict[int, Columns]
    """By tick: those turns in the order of their keys, with the place of each in the table."""
    seen: np.ndarray[Any, np.dtype[np.float32]]
    action: np.ndarray[Any, np.dtype[np.int64]]

    def on_turn(self, exchange: Exchange) -> None:
        """Note the features of the turns that are wanted."""
        turn, wanted = exchange.turn, self.wanted.get(exchange.turn.tick)
        if wanted is None:
            return
        here = (np.asarray(turn.replica, np.int64) << 40) | np.asarray(turn.user, np.int64)
        chosen = np.asarray(wanted["turn"], np.int64) == turn.turn
        keys, places = np.asarray(wanted["person"])[chosen], np.asarray(wanted["place"])[chosen]
        at = np.searchsorted(keys, here)
        at[at == len(keys)] = 0
        hit = keys[at] == here if len(keys) else np.zeros(len(here), np.bool_)
        self.seen[places[at[hit]]] = exchange.requests.features[hit]
        self.action[places[at[hit]]] = exchange.decisions.action[hit]

    def on_tick(self, tick: int, users: Users) -> None:
        """Nothing to note of a tick."""
        del tick, users


def export(
    run: Path,
    to: Path | None = None,
    *,
    failing: bool = True,
    only: Sequence[str] = (),
    where: str | None = None,
    policy: object | None = None,
) -> Exported:
    """Write the cases of a run, the failing ones or all, to a Parquet or CSV file; a manifest beside it.

    `only` names reasons; `where` is SQL over turns that cases must meet. `policy` is the model, where the
    run met a Python object. Raises UserError where turns were not kept, or nothing is found.
    """
    record = RunRecord(run)
    if record.scope.kind not in {"all", "sample"}:
        problem = f"{str(run)!r} kept no turns (--record {record.scope})."
        raise UserError(problem, "Run it again with --record all.")
    file = to if to is not None else run / f"{'failing' if failing else 'cases'}.parquet"
    if file.suffix not in FORMATS:
        problem = f"{str(file)!r} is neither a Parquet nor a CSV file."
        raise UserError(problem, "Name it cases.parquet or cases.csv.")
    reasons = _reasons(record, only) if failing else {}
    cases = _cases(record, reasons, where)
    if not cases.length:
        what = f" for {', '.join(reasons)}" if reasons else ""
        problem = f"no turn of {str(run)!r} {'fails' + what if failing else 'is like that'}."
        raise UserError(problem, "Look at the verdict: `rehearse report`.")
    table = _with_what_was_seen(record, cases, list(reasons), policy)
    counted = {name: int(cases.numbers(f"why_{i}").sum()) for i, name in enumerate(reasons)}
    told = _manifest(record, file, table, reasons, counted, where)
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".csv":
        write_text(file, _as_csv(table))
    else:
        write_table(file, table, metadata={"rehearse": json.dumps(told)})
    beside = file.with_name(f"{file.name}.json")
    write_text(beside, json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    return Exported(file, beside, table.length, counted)


def _reasons(record: RunRecord, only: Sequence[str]) -> dict[str, str]:
    """Return the reasons that this record can show, by name, as SQL over turns."""
    there = record.query("SELECT * FROM turns LIMIT 0")
    found = {name: sql for name, sql in REASONS.items() if NEEDS.get(name, "end") in there}
    for criterion in record.verdict["criteria"]:
        metric = find(criterion["metric"])
        metric = metric.measure.of if isinstance(metric.measure, Gap) else metric
        if criterion["verdict"] == "pass" or metric.cases is None:
            continue
        ticks = ticks_of(record)
        quarter = first_quarter(ticks)
        sql = metric.cases.where.replace("{quarter}", str(quarter)).replace("{late}", str(ticks - quarter))
        part = Part("group", criterion["group"]) if criterion["group"] else None
        keys = 'replica, "user", tick, turn'
        found[f"criterion:{criterion['metric']}"] = (
            f"({keys}) IN (SELECT ({keys}) FROM {turns_of(part)} WHERE {sql})"
        )
    unknown = [name for name in only if name not in found]
    if unknown:
        problem = f"there is no reason {unknown[0]!r} to fail in this run."
        raise UserError(problem, did_you_mean(unknown[0], found))
    return {name: sql for name, sql in found.items() if not only or name in only}


def _cases(record: RunRecord, reasons: dict[str, str], where: str | None) -> Columns:
    """Return the turns that fail, with a column for each reason."""
    flags = "".join(f", coalesce({sql}, false)::INTEGER AS why_{i}" for i, sql in enumerate(reasons.values()))
    fails = " OR ".join(f"why_{i} = 1" for i in range(len(reasons))) or "true"
    turns = f"SELECT *{flags} FROM turns" + (f" WHERE {where}" if where else "")
    return record.query(
        f"""SELECT t.*, u."group", u.segment FROM ({turns}) t
        JOIN (SELECT replica, "user", "group", segment FROM users) u
          ON u.replica = t.replica AND u."user" = t."user"
        WHERE {fails} ORDER BY t.replica, t."user", t.tick, t.turn"""
    )


def _with_what_was_seen(
    record: RunRecord, cases: Columns, reasons: list[str], policy: object | None
) -> Columns:
    """Return the cases as they are written, after living the run again."""
    from rehearse.agents.model import Rehearsal

    assembly = rebuilt(record, policy)
    names = assembly.stage.features
    witness = _Witness(
        wanted=_by_tick(cases),
        seen=np.full((cases.length, len(names)), np.nan, np.float32),
        action=np.full(cases.length, -2, np.int64),
    )
    assembly.simulation.watchers.append(witness)
    model = Rehearsal(assembly.simulation)
    for _ in range(1 + int(cases["tick"].max())):
        model.step()
    if not np.array_equal(witness.action, np.asarray(cases["action"], np.int64)):
        problem = f"{str(record.folder)!r} cannot be lived again as it was."
        raise UserError(problem, "Export a run that was made with this code: `rehearse replay` tells.")
    found = _written(record, cases, names, witness.seen)
    found["why"] = _whys(cases, reasons)
    return found


def _by_tick(cases: Columns) -> dict[int, Columns]:
    person = (np.asarray(cases["replica"], np.int64) << 40) | np.asarray(cases["user"], np.int64)
    tick, place = np.asarray(cases["tick"], np.int64), np.arange(cases.length)
    order = np.lexsort((person, np.asarray(cases["turn"], np.int64), tick))
    ticks, starts = np.unique(tick[order], return_index=True)
    parts = np.split(order, starts[1:])
    turn = np.asarray(cases["turn"], np.int64)
    return {
        int(t): Columns({"person": person[at], "turn": turn[at], "place": place[at]})
        for t, at in zip(ticks, parts, strict=True)
    }


def _written(record: RunRecord, cases: Columns, names: tuple[str, ...], seen: Any) -> Columns:
    items = np.array([*record.items, ""])  # −1, nothing, is the last
    found = Columns({name: cases[name] for name in (*KEYS, "group", "segment")})
    for i, name in enumerate(names):
        found[SEEN + name] = seen[:, i]
    for name, column in (("decision", "action"), ("choice", "choice"), ("truth", "ideal")):
        found[name] = items[np.asarray(cases[column], np.int64)]
    for name in TOLD:
        if name in cases:
            found[name] = cases[name]
    found["end"] = cases["end"]
    found["weight"] = _weights(cases)
    return found


def _weights(cases: Columns) -> Any:
    """Return 1 / propensity, where the model says how likely its answer was; else 1."""
    chance = cases.numbers("propensity") if "propensity" in cases else np.full(cases.length, np.nan)
    known = np.isfinite(chance) & (chance > 0.0)
    return np.where(known, 1.0 / np.where(known, chance, 1.0), 1.0)


def _whys(cases: Columns, reasons: Sequence[str]) -> Any:
    """Return why each case fails: `wrong,harm`."""
    flags = [cases.numbers(f"why_{i}") > 0.0 for i in range(len(reasons))]
    told = [
        ",".join(name for name, hit in zip(reasons, hits, strict=True) if hit)
        for hits in zip(*flags, strict=True)
    ]
    return np.array(told if flags else [""] * cases.length)


def _as_csv(table: Columns) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*(table[name].tolist() for name in table), strict=True))
    return text.getvalue()


def _manifest(
    record: RunRecord,
    file: Path,
    table: Columns,
    reasons: dict[str, str],
    counted: dict[str, int],
    where: str | None,
) -> dict[str, Any]:
    manifest = record.manifest
    return {
        "file": file.name,
        "cases": table.length,
        "columns": list(table),
        "reasons": {name: {"sql": sql, "cases": counted[name]} for name, sql in reasons.items()},
        "where": where,
        "weight": "1 / propensity where the model tells it, else 1",
        "run": str(record.folder.resolve()),
        **{key: manifest[key] for key in ("digest", "scenario", "seed", "policy", "people_digest")},
    }
