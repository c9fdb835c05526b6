"""From a table of turns or sessions to a record: users, sessions, turns, and why sessions ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Columns
from rehearse.errors import DataError
from rehearse.experiments.importing.files import source_of
from rehearse.record.recorder import KINDS
from rehearse.tables import View, query

Ints = NDArray[np.int64]
KNOWN = ("user", "session", "turn", "tick", "success", "end", "infra_error", "group", "segment")
ITEMS = ("action", "choice", "ideal")
PEOPLE = {"group": "everybody", "segment": "base"}
"""What stands for these where a log does not tell them."""
WORDS = {"intent": "first", "fault": None}
"""Nobody knows of calls that failed where a log does not tell of them."""


class Log:
    """A log as a record that metrics read (`metrics.Readable`): turns, users and ticks, held in memory.

    `users.name` is what the log calls them. Users are taken to be independent of one another.
    """

    def __init__(self, turns: Columns, users: Columns, items: tuple[str, ...], source: str) -> None:
        """Take the tables; see `read_log`."""
        self.items = items
        self.groups: tuple[str, ...] = tuple(dict.fromkeys(users["group"].tolist()))
        self.manifest: Mapping[str, Any] = {
            "imported": source,
            "items": list(items),
            "groups": list(self.groups),
            "coupled": False,
            "user_turns": turns.length,
        }
        ticks = np.arange(int(turns.numbers("tick").max()) + 1, dtype=np.int32)
        whole = Columns({"replica": np.zeros(len(ticks), np.int32), "tick": ticks})
        self._views: dict[str, View] = {"turns": turns, "users": users, "ticks": whole}

    def query(self, sql: str) -> Columns:
        """Run a SELECT over the views turns, users and ticks."""
        return query(sql, **self._views)


def read_log(
    source: str | Path | Columns,
    columns: Mapping[str, str],
    *,
    where: str | None = None,
    each: str | None = None,
) -> Log:
    """Return a log of sessions that were held elsewhere, as a record.

    `source` is a CSV, Parquet, JSON or JSON Lines file, or columns: a row a turn or a row a session, in the
    order in which they happened. `each` names a list in JSON of which every element is a row. `where` is SQL
    for the rows that count. `columns` says in SQL over the source's columns what is what:

        user         whose session it is: a person, or a task that was tried several times (needed)
        session      which of the user's sessions; without it every row is a session
        turn         which turn of the session; without it the order of rows says so
        tick         the time, in whole ticks from 0
        success      whether the session met its goal (as its last row says): it then ended by `goal_met`
        end          why the session ended, in the record's words; `unknown` where a row does not say
        infra_error  whether the infrastructure failed the session, so that it counts for nothing
        group, segment          some of the people, as the user's first row says
        action, choice, ideal   items: names, or numbers from 0
        selected, qualified     1 for a yes, and 1 where yes was right (-1: not known)

    Any other name becomes a column of turns: reward, regret, harm, latency (ms), satisfaction (0 to 1), or
    one of your own (`mean:NAME` reads it). Raises DataError for what cannot be read.
    """
    if "user" not in columns:
        problem = f"columns say nothing of `user`, whose session a row is: {', '.join(columns) or 'nothing'}."
        raise DataError(problem, f"Known: {', '.join((*KNOWN, *ITEMS))}, and columns of your own.")
    rows = _asked(source_of(source, each), columns, where)
    user, names = _numbered(rows["user"])
    session = _sessions(user, rows["session"] if "session" in rows else np.arange(rows.length))
    turn = rows.numbers("turn") if "turn" in rows else np.zeros(rows.length)
    order = np.lexsort((np.arange(rows.length), turn, session, user))
    rows, user, session = rows.take(order), user[order], session[order]
    turns, items = _turns(rows, user, session)
    first = np.searchsorted(user, np.arange(len(names)))
    people: dict[str, Array] = {
        "replica": np.zeros(len(names), np.int32),
        "user": np.arange(len(names)),
        "name": names,
    }
    for name, otherwise in PEOPLE.items():
        people[name] = rows[name][first].astype(str) if name in rows else np.full(len(names), otherwise)
    said = "columns" if isinstance(source, Columns) else str(source)
    return Log(turns, Columns(people), items, said)


def _asked(view: View, columns: Mapping[str, str], where: str | None) -> Columns:
    wanted = ", ".join(f'({sql}) AS "{name}"' for name, sql in columns.items())
    found = query(f"SELECT {wanted} FROM source{'' if where is None else f' WHERE {where}'}", source=view)
    if not found.length:
        problem = f"the log has no rows{'' if where is None else f' where {where}'}."
        raise DataError(problem, "Give a table with rows, or another `where`.")
    return found


def _turns(rows: Columns, user: Ints, session: Ints) -> tuple[Columns, tuple[str, ...]]:
    """Return the turns, in order, and the names of the items."""
    begins = np.append(True, (np.diff(user) != 0) | (np.diff(session) != 0))
    ends = np.append(begins[1:], True)
    place = np.arange(rows.length)
    start = np.maximum.accumulate(np.where(begins, place, 0))
    known: dict[str, Array] = {
        "replica": np.zeros(rows.length, np.int32),
        "tick": _whole(rows, "tick") if "tick" in rows else np.zeros(rows.length, np.int32),
        "user": user,
        "session": session,
        "turn": (place - start).astype(np.int16),
        "end": np.where(ends, _reasons(rows), "none"),
    }
    items = _items(rows)
    known |= {name: _places(rows[name], items) for name in ITEMS if name in rows}
    own = {name: rows[name] for name in rows if name == "success" or name not in {*KNOWN, *ITEMS}}
    return Columns(_unsaid(rows.length) | own | known), items


def _reasons(rows: Columns) -> Array:
    """Return why a session would end with each row; `none` where a log tells of no ends."""
    if not {"success", "end", "infra_error"}.intersection(rows):
        return np.full(rows.length, "none")
    end = rows["end"].astype(str) if "end" in rows else np.full(rows.length, "unknown")
    end = np.where((end == "") | (end == "none"), "unknown", end)
    if "success" in rows:
        met = rows.numbers("success") > 0
        end = np.where(met, "goal_met", np.where(end == "goal_met", "unknown", end))
    if "infra_error" in rows:
        end = np.where(rows.numbers("infra_error") > 0, "infra_error", end)
    return end


def _items(rows: Columns) -> tuple[str, ...]:
    told = [rows[name] for name in ITEMS if name in rows]
    if all(column.dtype.kind in "biuf" for column in told):
        numbers = np.concatenate([np.array([-1.0]), *(np.asarray(column, np.float64) for column in told)])
        return tuple(str(i) for i in range(int(np.nanmax(numbers)) + 1))
    return tuple(sorted({str(name) for column in told for name in column.tolist()} - {""}))


def _places(column: Array, items: tuple[str, ...]) -> Array:
    if column.dtype.kind in "biuf":
        return np.nan_to_num(np.asarray(column, dtype=np.float64), nan=-1.0).astype(np.int32)
    number = {name: i for i, name in enumerate(items)}
    return np.array([number.get(str(name), -1) for name in column.tolist()], dtype=np.int32)


def _unsaid(n: int) -> dict[str, Array]:
    """Return the columns that every record has, with nothing in them."""
    kinds = {name: np.dtype(kind) for kind, names in KINDS.items() for name in names}
    empty = {name: np.full(n, np.nan if kind.kind == "f" else -1, dtype=kind) for name, kind in kinds.items()}
    return {**empty, **{name: np.full(n, word, dtype=object) for name, word in WORDS.items()}}


def _numbered(column: Array) -> tuple[Ints, Array]:
    """Return numbers in the order in which values first appear, and the values as text."""
    found, first, place = np.unique(column, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(found), dtype=np.int64)
    number[order] = np.arange(len(found))
    return number[place], found[order].astype(str)


def _sessions(user: Ints, column: Array) -> Ints:
    """Return the number of each row's session among those of its user, from 0, as they first appear."""
    name, _ = _numbered(column)
    pair, _ = _numbered(user * (name.max() + 1) + name)
    owner = np.zeros(pair.max() + 1, dtype=np.int64)
    owner[pair] = user
    order = np.argsort(owner, kind="stable")
    number = np.empty(len(owner), dtype=np.int64)
    number[order] = np.arange(len(owner)) - np.searchsorted(owner[order], owner[order])
    return number[pair]


def _whole(rows: Columns, name: str) -> Array:
    values = rows.numbers(name)
    if not (np.isfinite(values).all() and (values >= 0).all() and (values == np.rint(values)).all()):
        problem = f"the log's `{name}` holds {values[~(values >= 0)][:1] or values[:1]}."
        raise DataError(problem, "It counts from 0 in whole numbers.")
    return values.astype(np.int32)
