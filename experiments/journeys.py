r"""Journeys: finding lives worth reading among all that were recorded.

    print(journeys.find(record, where="\"group\" = 'low income' AND met = 0", limit=5).text())

`where` is a condition in SQL on a row a person: the columns of users, and what their turns came to
(`LIFE`). People are told apart by FEATURES, each in standard deviations; the typical are nearest to
all others on average, the odd ones farthest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rehearse.errors import DataError, UserError, did_you_mean
from rehearse.experiments.report import words

if TYPE_CHECKING:
    from rehearse.columns import Columns
    from rehearse.record.reading import RunRecord

Floats = NDArray[np.float64]

LIFE = {
    "turns": "count(*)",
    "opened": "count(*) FILTER (\"end\" <> 'none')",
    "met": "count(*) FILTER (\"end\" = 'goal_met')",
    "abandoned": "count(*) FILTER (\"end\" = 'abandoned')",
    "taken": "count(*) FILTER (choice >= 0)",
    "failures": "count(*) FILTER (fault <> 'none')",
    "regret": "avg(regret) FILTER (isfinite(regret))",
    "rightness": 'avg("right") FILTER ("right" >= 0)',
    "content": "avg(satisfaction) FILTER (\"end\" <> 'none' AND isfinite(satisfaction))",
    "waited_ms": "avg(latency) FILTER (isfinite(latency))",
}
"""What a person's turns came to; `content` is the mean satisfaction at the end of sessions."""
LIFE_IN_SESSIONS = LIFE | {
    "turns": "sum(turn + 1)",
    "taken": "sum(accepted)",
    "failures": "sum(faults)",
    "regret": "sum(regret_sum) / nullif(sum(regret_turns), 0)",
    "rightness": 'sum("right") / nullif(sum(judged), 0)',
    "waited_ms": "sum(latency_sum) / nullif(sum(latency_turns), 0)",
}
"""The same, where a row a session was kept."""
COUNTS = ("turns", "opened", "met", "abandoned", "taken", "failures")
"""What is 0, and not unknown, of somebody who never came."""
FEATURES = ("opened", "met", "abandoned", "turns", "taken", "regret", "rightness", "content")
COMPARED = 1000
"""People that everybody's distance is measured to, evenly spread over those found."""
CONSIDERED = 20_000
"""Of more people, so many evenly spread ones are looked at for typical and odd lives."""
WORST = 3
"""Worst-served people named for each group."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose life may be worth reading."""

    replica: int
    user: int
    group: str
    segment: str
    opened: int
    met: int
    abandoned: int
    content: float | None
    regret: float | None


@dataclass(frozen=True, slots=True)
class Path:
    """A way through a session, and how many sessions went it."""

    steps: tuple[str, ...]
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Stage:
    """How many sessions came so far."""

    name: str
    count: int
    of_all: float | None
    of_previous: float | None


@dataclass(frozen=True, slots=True)
class Journeys:
    """Lives that match, how their sessions went, and which to read."""

    run: str
    where: str
    found: int
    """People who match."""
    of: int
    matching: tuple[Person, ...]
    paths: tuple[Path, ...]
    funnel: tuple[Stage, ...]
    typical: tuple[Person, ...]
    odd: tuple[Person, ...]
    worst: tuple[Person, ...]
    """The worst served of each group: the fewest goals met for the sessions opened."""

    def text(self) -> str:
        """Return everything as aligned tables."""
        asked = f" where {self.where}" if self.where else ""
        head = f"{words.whole(self.found)} of {words.plural(self.of, 'person', 'people')}{asked}"
        parts = [[head], _people("People", self.matching), self._funnel(), self._paths()]
        parts += [_people("Typical lives", self.typical), _people("Odd lives", self.odd)]
        parts.append(_people("Worst served of each group", self.worst))
        lines = [line for part in parts if part for line in [*part, ""]]
        chosen = next(iter((*self.worst, *self.typical)), None)
        if chosen is not None:
            replica = f" --replica {chosen.replica}" if chosen.replica else ""
            lines.append(f"Read one: rehearse journey {self.run} --user {chosen.user}{replica}")
        return "\n".join(lines).rstrip()

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return asdict(self)

    def _funnel(self) -> list[str]:
        rows = [
            (
                stage.name,
                words.whole(stage.count),
                words.percent(stage.of_all),
                words.percent(stage.of_previous),
            )
            for stage in self.funnel
        ]
        return _table("Sessions", ("came so far", "sessions", "of all", "of the step before"), rows)

    def _paths(self) -> list[str]:
        rows = [(" → ".join(p.steps), words.whole(p.count), words.percent(p.share)) for p in self.paths]
        return _table("Frequent paths", ("path", "sessions", "share"), rows)


def find(record: RunRecord, where: str | None = None, limit: int = 10) -> Journeys:
    """Find people by a condition in SQL, and tell how their sessions went and whom to read about.

    `limit` is how many people and paths are named. Raises UserError for a condition that DuckDB
    cannot make sense of, naming the columns there are, and for a run of which no turns were kept. Of
    a run of which those of a sample of the people were kept, it is about the sample.
    """
    if record.scope.kind == "none":
        problem = f"no turns of {str(record.folder)!r} were kept, so there are no lives to choose among."
        raise UserError(problem, "Run it again with --record all, or tell one life: `rehearse journey`.")
    if limit < 1:
        problem = f"limit must be at least 1, got {limit}."
        raise UserError(problem, "Ask for one life or more.")
    lives = _lives(record, where)
    people = [_person(lives, i) for i in range(min(lives.length, limit))]
    typical, odd = _typical_and_odd(lives, max(1, min(3, limit)))
    whole = record.query(f"SELECT count(*) AS n FROM {_people_kept(record)}")
    return Journeys(
        run=str(record.folder),
        where=where or "",
        found=lives.length,
        of=int(whole["n"][0]),
        matching=tuple(people) if where else (),
        paths=_paths(record, where, limit),
        funnel=_funnel(record, where),
        typical=tuple(_person(lives, i) for i in typical),
        odd=tuple(_person(lives, i) for i in odd),
        worst=tuple(_person(lives, i) for i in _worst(lives, record.groups)),
    )


def _everybody(record: RunRecord) -> str:
    """Return SQL for one row a person: the columns of users and of LIFE."""
    taken = set(record.query("SELECT * FROM users LIMIT 0"))
    life = LIFE_IN_SESSIONS if record.scope.view == "sessions" else LIFE
    asked = ", ".join(f'{sql} AS "{name}"' for name, sql in life.items() if name not in taken)
    counted = ", ".join(
        f'coalesce(l."{name}", 0) AS "{name}"' if name in COUNTS else f'l."{name}"'
        for name in life
        if name not in taken
    )
    return f"""(SELECT u.*, {counted} FROM {_people_kept(record)} u LEFT JOIN
        (SELECT replica, "user", {asked} FROM {record.scope.view} GROUP BY ALL) l
        ON u.replica = l.replica AND u."user" = l."user")"""


def _people_kept(record: RunRecord) -> str:
    """Return SQL for the people there is something to read of: those recorded who ever were here."""
    comes_and_goes = "ticks_here" in record.query("SELECT * FROM users LIMIT 0")
    asked = [*["recorded"] * (record.scope.kind == "sample"), *["ticks_here > 0"] * comes_and_goes]
    return f"(SELECT * FROM users WHERE {' AND '.join(asked)})" if asked else "users"


def _lives(record: RunRecord, where: str | None) -> Columns:
    everybody = _everybody(record)
    names = ", ".join(f'"{n}"' for n in dict.fromkeys(("replica", "user", "group", "segment", *LIFE)))
    sql = f'SELECT {names} FROM {everybody} WHERE {_condition(record, where)} ORDER BY replica, "user"'
    return record.query(sql)


def _condition(record: RunRecord, where: str | None) -> str:
    """Return a condition that works, or raise UserError with the columns there are."""
    if not where or not where.strip():
        return "TRUE"
    asked = f"({where}\n)"
    columns = record.query(f"SELECT * FROM {_everybody(record)} LIMIT 0")
    if ";" in where:
        problem = f"the condition {where!r} holds a semicolon."
        raise UserError(problem, _remedy("", tuple(columns)))
    try:
        record.query(f"SELECT 1 AS one FROM {_everybody(record)} WHERE {asked} LIMIT 1")
    except DataError as error:
        reason = error.problem.removeprefix("a table could not be read: ").rstrip("!.")
        problem = f"the condition {where!r} cannot be used: {reason}."
        raise UserError(problem, _remedy(reason, tuple(columns))) from error
    return asked


def _remedy(reason: str, columns: tuple[str, ...]) -> str:
    unknown = re.search(r'[Cc]olumn "([^"]+)" not found', reason)
    hint = f"{did_you_mean(unknown[1], columns)} " if unknown else ""
    known = f"Columns: {', '.join(columns)}."
    return f'{hint}Write "group" and "user" in double quotes, texts in single ones. {known}'


def _chosen(record: RunRecord, where: str | None) -> str:
    """Return SQL for the turns (or sessions) of those who match."""
    view = record.scope.view
    if not where or not where.strip():
        return view
    who = f'SELECT replica, "user" FROM {_everybody(record)} WHERE {_condition(record, where)}'
    return f'(SELECT t.* FROM {view} t SEMI JOIN ({who}) w ON t.replica = w.replica AND t."user" = w."user")'


def _paths(record: RunRecord, where: str | None, limit: int) -> tuple[Path, ...]:
    if record.scope.view == "sessions":
        return ()
    step = "CASE WHEN action < 0 THEN 'no answer' WHEN choice >= 0 THEN 'took' ELSE 'passed' END"
    found = record.query(
        f"""WITH session AS (SELECT string_agg({step}, '|' ORDER BY turn) AS steps,
            coalesce(max("end") FILTER ("end" <> 'none'), 'none') AS ended
            FROM {_chosen(record, where)} GROUP BY replica, "user", tick)
        SELECT steps, ended, count(*) AS n, count(*) / sum(count(*)) OVER () AS share
        FROM session GROUP BY ALL ORDER BY n DESC, steps, ended LIMIT {limit}"""
    )
    most = record.scenario.time.max_turns
    return tuple(
        Path(
            steps=(*_runs(str(found["steps"][i]).split("|")), words.ended(str(found["ended"][i]), most)),
            count=int(found["n"][i]),
            share=float(found["share"][i]),
        )
        for i in range(found.length)
    )


def _runs(steps: Sequence[str]) -> list[str]:
    """Return steps with those that follow themselves counted: passed ×3."""
    runs: list[tuple[str, int]] = []
    for step in steps:
        if runs and runs[-1][0] == step:
            runs[-1] = (step, runs[-1][1] + 1)
        else:
            runs.append((step, 1))
    return [step if count == 1 else f"{step} ×{count}" for step, count in runs]


def _funnel(record: RunRecord, where: str | None) -> tuple[Stage, ...]:
    in_sessions = record.scope.view == "sessions"
    answered, taken = ("answers > 0", "accepted > 0") if in_sessions else ("action >= 0", "choice >= 0")
    found = record.query(
        f"""WITH session AS (SELECT bool_or({answered}) AS answered, bool_or({taken}) AS taken,
            bool_or("end" = 'goal_met') AS met FROM {_chosen(record, where)} GROUP BY replica, "user", tick)
        SELECT count(*) AS opened, count(*) FILTER (answered) AS answered,
        count(*) FILTER (answered AND taken) AS taken, count(*) FILTER (answered AND taken AND met) AS met
        FROM session"""
    )
    names = {"opened": "opened", "answered": "answered", "taken": "something taken", "met": "goal met"}
    counts = [int(found[name][0]) for name in names]
    before = [counts[0], *counts[:-1]]
    return tuple(
        Stage(name, n, _share(n, counts[0]), _share(n, previous))
        for name, n, previous in zip(names.values(), counts, before, strict=True)
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _typical_and_odd(lives: Columns, count: int) -> tuple[list[int], list[int]]:
    """Return the rows of lives nearest to all others on average, and of those farthest."""
    opened = np.flatnonzero(lives.numbers("opened") > 0)
    if len(opened) < 3:
        return [], []
    rows = opened[_spread(len(opened), CONSIDERED)]
    scores = _standardised(lives, rows)
    others = scores[_spread(len(rows), COMPARED)]
    mean = np.array([np.sqrt(((others - score) ** 2).sum(axis=1)).mean() for score in scores])
    order = np.argsort(mean, kind="stable")
    return [int(rows[i]) for i in order[:count]], [int(rows[i]) for i in order[::-1][:count]]


def _spread(length: int, most: int) -> NDArray[np.int64]:
    """Return up to `most` positions, evenly spread."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).astype(np.int64))


def _standardised(lives: Columns, rows: NDArray[np.int64]) -> Floats:
    """Return the FEATURES in standard deviations from their mean; what is unknown counts as the mean."""
    columns = []
    for name in FEATURES:
        values = lives.numbers(name)[rows]
        known = np.isfinite(values)
        mean, spread = (values[known].mean(), values[known].std()) if known.any() else (0.0, 0.0)
        columns.append(
            np.where(known, (values - mean) / spread, 0.0) if spread > 0.0 else np.zeros(len(rows))
        )
    return np.stack(columns, axis=1)


def _worst(lives: Columns, groups: Sequence[str]) -> list[int]:
    """Return those of each group with the fewest goals met for the sessions opened; then the least content.

    One success and one failure are added to everybody's, so that a single bad session does not lead.
    """
    met = (lives.numbers("met") + 1.0) / (lives.numbers("opened") + 2.0)
    order = np.lexsort((lives.numbers("content"), met))
    came = order[lives.numbers("opened")[order] > 0]
    return [int(i) for group in groups for i in came[lives["group"][came] == group][:WORST]]


def _person(lives: Columns, row: int) -> Person:
    def number(name: str) -> float | None:
        value = float(lives[name][row])
        return round(value, 6) if math.isfinite(value) else None

    def count(name: str) -> int:
        return int(lives[name][row])

    return Person(
        replica=count("replica"),
        user=count("user"),
        group=str(lives["group"][row]),
        segment=str(lives["segment"][row]),
        opened=count("opened"),
        met=count("met"),
        abandoned=count("abandoned"),
        content=number("content"),
        regret=number("regret"),
    )


def _people(title: str, people: Sequence[Person]) -> list[str]:
    heads = ("user", "replica", "group", "segment", "sessions", "met", "given up", "satisfaction", "regret")
    rows = [
        (
            str(p.user),
            str(p.replica),
            p.group,
            p.segment,
            words.whole(p.opened),
            words.whole(p.met),
            words.whole(p.abandoned),
            words.fixed(p.content),
            words.fixed(p.regret),
        )
        for p in people
    ]
    return _table(title, heads, rows)


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a titled table as lines: words to the left, numbers to the right."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    texts = {i for i, head in enumerate(heads) if head in {"path", "came so far", "group", "segment"}}

    def line(cells: Sequence[str]) -> str:
        placed = [
            c.ljust(w) if i in texts else c.rjust(w)
            for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  " + "  ".join(placed).rstrip()

    return [title, line(heads), line(["─" * width for width in widths]), *map(line, rows)]
