"""Reading what a model answered: names, numbers, slates or mappings become checked Decisions.

Accepted for n requests: n item names or numbers, an (n, k) table of them, `Decisions`, or a mapping
with "action" (or "slate") and, if the model knows them, "score", "propensity" and "spent" (what the answer
cost). A row that cannot be used gets a fault and an empty slate; only an answer whose shape cannot be
matched to the requests is refused whole, with AnswerError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array
from rehearse.contract import NOTHING, Decisions, Fault, Flags, Requests
from rehearse.dialogue.talk import Reply
from rehearse.errors import did_you_mean
from rehearse.exact import Floats
from rehearse.policies.complaints import AnswerError, Complaints
from rehearse.policies.judge import NOT_A_NUMBER, UNKNOWN, Judge, Places, emptied, in_order
from rehearse.policies.speech import Transcript, each

KEYS = ("action", "slate", "score", "propensity", "spent")
NUMBERS = ("score", "propensity")
SPENT = "spent"
"""What an answer cost; it stands in a column of its own."""
SAID = (*NUMBERS, SPENT)
NEUTRAL = (*NUMBERS, "latency", "version", "rationale", "fault")


@dataclass(frozen=True, slots=True)
class Failed:
    """One person's question to which a per-person model raised."""

    sentence: str
    fault: Fault = Fault.RAISED


def read(answer: object, requests: Requests, complaints: Complaints) -> Decisions:
    """Return the answer to a batch as Decisions; raise AnswerError where its shape is not the batch's."""
    if isinstance(answer, Decisions):
        return _checked(answer, requests, complaints)
    spoken = each(answer, len(requests)) if requests.talk is not None else None
    if spoken is not None:
        return read_each(list(spoken), requests, complaints)
    parts = _parts(answer)
    table = _table(parts["slate"], len(requests))
    given = {name: _column(name, parts[name], len(requests)) for name in SAID if name in parts}
    return _finish(table, given, {}, requests, complaints, complete=True)


def read_each(answers: Sequence[object], requests: Requests, complaints: Complaints) -> Decisions:
    """Return answers given one person at a time as Decisions; each stands or falls alone."""
    failed: dict[int, tuple[Fault, str]] = {}
    rows: list[Sequence[object]] = []
    given = {name: np.full(len(answers), np.nan) for name in SAID}
    said: set[str] = set()
    transcript = Transcript(requests)
    for i, answer in enumerate(answers):
        try:
            rows.append(_one(transcript.item(i, answer), i, given, said))
        except AnswerError as error:
            rows.append(())
            failed[i] = (error.fault, error.sentence)
    table = np.full((len(rows), max(1, *map(len, rows))), None, dtype=object)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    given = {name: column for name, column in given.items() if name in said}
    return transcript.finish(_finish(table, given, failed, requests, complaints, complete=False))


def _one(answer: object, i: int, given: dict[str, NDArray[np.float64]], said: set[str]) -> Sequence[object]:
    if isinstance(answer, Failed):
        raise AnswerError(answer.fault, answer.sentence)
    parts = _parts(answer)
    for name in given.keys() & parts.keys():
        said.add(name)
        given[name][i] = _column(name, [parts[name]], 1)[0]
        if np.isnan(given[name][i]):  # in the column NaN says that a person's answer had none
            raise AnswerError(Fault.NOT_A_NUMBER, f"gave the {name} {parts[name]!r:.80}")
    return _slate(parts["slate"])


def _slate(value: object) -> Sequence[object]:
    if isinstance(value, str | Integral | Real):
        return (value,)
    if value is None:
        raise AnswerError(Fault.WRONG_SHAPE, "answered None")
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, np.ndarray) and value.ndim <= 1:
        return value.reshape(-1).tolist()
    raise AnswerError(Fault.WRONG_SHAPE, f"answered a {type(value).__name__} where one item or a list is due")


def _parts(answer: object) -> Mapping[str, object]:
    if not isinstance(answer, Mapping):
        return {"slate": answer}
    unknown = [key for key in answer if key not in KEYS]
    if unknown:
        sentence = f"answered with the key {unknown[0]!r}. {did_you_mean(str(unknown[0]), KEYS)}"
        raise AnswerError(Fault.WRONG_SHAPE, sentence)
    if ("action" in answer) == ("slate" in answer):
        raise AnswerError(Fault.WRONG_SHAPE, "answered a mapping without exactly one of 'action' and 'slate'")
    slate = answer["slate"] if "slate" in answer else answer["action"]
    return {name: answer[name] for name in SAID if name in answer} | {"slate": slate}


def _table(raw: object, n: int) -> Array:
    try:
        table = np.asarray(raw)
    except ValueError:  # rows of different lengths
        table = _ragged(raw)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or len(table) != n or table.shape[1] == 0:
        found = f"shape {np.shape(table)}" if table.ndim else f"{type(raw).__name__} {raw!r:.80}"
        raise AnswerError(Fault.WRONG_SHAPE, f"answered {found} to {n} requests")
    if table.dtype.kind not in "iufUO":
        raise AnswerError(Fault.WRONG_SHAPE, f"answered {table.dtype} values, not item names or numbers")
    return table


def _ragged(raw: object) -> Array:
    rows = [list(_slate(row)) for row in raw] if isinstance(raw, list | tuple) else []
    table = np.full((len(rows), max([1, *map(len, rows)])), None, dtype=object)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def _column(name: str, raw: object, n: int) -> NDArray[np.float64]:
    try:
        column = np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError):
        sentence = f"gave the {name} {raw!r:.80}, which is no number"
        raise AnswerError(Fault.NOT_A_NUMBER, sentence) from None
    if column.shape not in {(n,), (n, 1), ()}:
        raise AnswerError(Fault.WRONG_SHAPE, f"gave {name} of shape {column.shape} to {n} requests")
    return np.broadcast_to(column.reshape(-1), (n,))


@lru_cache(maxsize=8)
def _numbers_of(items: tuple[str, ...]) -> dict[str, int]:
    return {name: number for number, name in enumerate(items)}


def _places(table: Array, items: tuple[str, ...]) -> Places:
    """Return item numbers, UNKNOWN or NOT_A_NUMBER in place of what names no item."""
    if table.dtype.kind in "UO":
        known = _numbers_of(items)
        flat = [_place(value, known) for value in table.reshape(-1).tolist()]
        return np.asarray(flat, dtype=np.int64).reshape(table.shape)
    numbers = np.asarray(table, dtype=np.float64)
    finite = np.isfinite(numbers)
    known_number = (numbers == np.rint(numbers)) & (numbers >= NOTHING) & (numbers < len(items))
    places = np.where(finite & known_number, numbers, UNKNOWN)
    return np.where(finite, places, NOT_A_NUMBER).astype(np.int64)


def _place(value: object, known: Mapping[str, int]) -> int:
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return known.get(value, UNKNOWN)
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return UNKNOWN
    number = float(value)
    if not np.isfinite(number):
        return NOT_A_NUMBER
    return int(number) if number.is_integer() and NOTHING <= number < len(known) else UNKNOWN


def _finish(
    table: Array,
    given: Mapping[str, Floats],
    failed: Mapping[int, tuple[Fault, str]],
    requests: Requests,
    complaints: Complaints,
    *,
    complete: bool,
) -> Decisions:
    """Judge a table of answers; `complete`: every row gave its numbers, so that NaN is a fault."""
    places = _places(table, requests.items)
    fault = np.zeros(len(places), dtype=np.int8)
    for row, (code, sentence) in failed.items():
        fault[row] = code
        complaints.note(code, sentence)
    judge = Judge(fault, complaints)
    judge.slates(places, table, requests)
    for name, column in given.items():
        right = RIGHT[name](column)
        judge.number(name, column, right if complete else right | np.isnan(column))
    told = {name: column for name, column in given.items() if name != SPENT}
    made = Decisions.of(np.maximum(places, NOTHING), fault=fault, **told)
    return emptied(replace(made, detail={SPENT: given[SPENT]}) if SPENT in given else made)


def _checked(answer: Decisions, requests: Requests, complaints: Complaints) -> Decisions:
    """Return Decisions that a model made itself, copied, with unusable rows found out.

    Here NaN as a score or propensity says that there is none. Guard and measured time are not the
    model's to set.
    """
    columns = {name: np.asarray(getattr(answer, name)) for name in Decisions.columns()}
    detail = _costs(answer, len(requests))
    if _clean(columns, requests):
        neutral = {name: columns[name][0] for name in NEUTRAL}
        made = Decisions.of(columns["slate"], **neutral | {"guard": None, "measured": None})
        made = replace(made, detail=detail) if detail else made
        return made if answer.reply is None else replace(made, reply=_reply(answer.reply, requests))
    for name, column in columns.items():
        if column.shape[:1] != (len(requests),):
            sentence = f"answered {name} of shape {column.shape} to {len(requests)} requests"
            raise AnswerError(Fault.WRONG_SHAPE, sentence)
    raw = _table(columns.pop("slate"), len(requests))
    places = _places(raw, requests.items)
    columns["fault"] = np.array(columns["fault"], dtype=np.int8)
    made = Decisions.of(np.maximum(places, NOTHING), **columns | {"guard": None, "measured": None})
    made = replace(made, fault=made.fault.copy(), detail=detail)  # the judge writes into it
    judge = Judge(made.fault, complaints)
    judge.slates(places, raw, requests)
    judge.number("score", made.score, ~np.isinf(made.score))
    judge.number("propensity", made.propensity, np.isnan(made.propensity) | _is_share(made.propensity))
    judge.number("latency", made.latency, np.isfinite(made.latency) & (made.latency >= 0.0))
    return emptied(made if answer.reply is None else replace(made, reply=_reply(answer.reply, requests)))


def _costs(answer: Decisions, n: int) -> dict[str, Array]:
    """Return the one column of its own that any model may tell."""
    return {SPENT: _column(SPENT, answer.detail[SPENT], n)} if SPENT in answer.detail else {}


def _reply(reply: Reply, requests: Requests) -> Reply | None:
    """Return what a model said in acts of its own, copied; nothing where nobody speaks."""
    if requests.talk is None:
        return None
    if len(reply) != len(requests):
        raise AnswerError(Fault.WRONG_SHAPE, f"said {len(reply)} replies to {len(requests)} requests")
    return reply.take(np.arange(len(requests)))


def _clean(columns: Mapping[str, Array], requests: Requests) -> bool:
    """Tell at a glance whether these are whole numbers of items, and nothing else was said."""
    slate: Array = columns["slate"]
    n, told_once = len(requests), all(columns[name].strides == (0,) for name in NEUTRAL)
    if not told_once or slate.ndim != 2 or slate.dtype != np.int32 or not 0 < n == len(slate):
        return False
    silent = all(np.isnan(columns[name][0]) for name in NUMBERS)
    prompt = columns["fault"][0] == 0 and columns["latency"][0] == 0.0
    whole = requests.available is None and all(len(columns[name]) == n for name in NEUTRAL)
    return silent and prompt and whole and in_order(np.asarray(slate, np.int32), len(requests.items))


def _is_share(column: NDArray[np.floating[Any]]) -> Flags:
    return np.asarray((column >= 0.0) & (column <= 1.0))


RIGHT: Mapping[str, Callable[[Floats], Flags]] = {
    "score": np.isfinite,
    "propensity": _is_share,
    SPENT: lambda column: np.asarray(np.isfinite(column) & (column >= 0.0)),
}
"""What the numbers of an answer may be."""
