"""What every policy must keep to, tried on made-up requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from rehearse.chance import Chance
from rehearse.columns import Array, Rows
from rehearse.contract import NOTHING, Decisions, Fault, Feedback, Flags, Intent, Requests, Stage
from rehearse.exact import Floats

ROWS = 24
ALONE = 6
"""So many rows are also asked one by one."""
CLOSE = 1e-5
"""Scores may move by the rounding of single precision; what is offered may not."""


def check_policy(policy: Any, stage: Stage) -> list[str]:
    """Return a sentence for each rule of the contract that a policy breaks; none if it keeps to it.

    The sentence begins with the name of the rule. A policy that learns is left as it was found if
    it can be restored.
    """
    missing = [name for name in ("name", "version", "decide") if not hasattr(policy, name)]
    if missing:
        return [f"names: the policy has no {' and no '.join(missing)}."]
    found: list[str] = []
    try:
        found.extend(_broken(policy, stage))
    except Exception as error:  # noqa: BLE001 - that it raises is the finding
        found.append(f"raises: it raised {type(error).__name__}: {error}")
    return found


def _broken(policy: Any, stage: Stage) -> Iterator[str]:
    for limited in (False, True):
        requests = _fitting(policy, stage, limited=limited)
        before = _copied(requests)
        answer = policy.decide(requests)
        changed = [name for name, array in before.items() if not _same(array, getattr(requests, name))]
        if changed:
            yield f"mutation: decide changed the requests' {changed[0]}."
        wrong = list(_misshapen(answer, requests))
        yield from wrong
        if wrong:
            return
        yield from _unusable(answer, requests)
        yield from _infinite(answer)
        yield from _moving(policy.decide, answer, requests)
    if hasattr(policy, "learn"):
        yield from _forgetful(policy, stage)


def made_requests(
    stage: Stage,
    rows: int = ROWS,
    *,
    limited: bool = False,
    truth: bool = False,
    one_society: bool = False,
) -> Requests:
    """Return requests of people with drawn features, spread over the societies of the stage.

    `limited`: in a second turn, where each person was shown an item and cannot have another.
    """
    chance, user = Chance(stage.seed), np.arange(rows, dtype=np.int64)
    m, f = len(stage.items), len(stage.features)
    societies = np.sort(stage.replicas)[: 1 if one_society else None]
    shown = np.full((rows, 4), NOTHING, dtype=np.int32)
    available = None
    if limited and m > 2:
        shown[:, 0] = user % m
        available = np.ones((rows, m), dtype=bool)
        available[user, (user + 1) % m] = False
    utility = chance.normal("testing/utility", 0, user, count=m)
    return Requests(
        names=stage.features,
        features=chance.normal("testing/features", 0, user, count=max(f, 1))[:, :f].astype(np.float32),
        items=stage.items,
        replica=societies[user * len(societies) // rows].astype(np.int32),
        user=user,
        tick=3,
        turn=int(limited),
        intent=np.full(rows, Intent.ANOTHER if limited else Intent.FIRST, dtype=np.int8),
        group=np.zeros(rows, dtype=np.int8),
        shown=shown,
        available=available,
        catalogue=chance.uniform("testing/catalogue", 0, np.arange(m), count=3),
        chance=chance,
        truth=(lambda at: utility[at]) if truth else None,
    )


def _fitting(policy: Any, stage: Stage, *, limited: bool = False) -> Requests:
    """Return requests as the kernel would put them to this policy."""
    return made_requests(
        stage,
        limited=limited,
        truth=getattr(policy, "sees_truth", False),
        one_society=getattr(policy, "by_replica", False),
    )


def _misshapen(answer: object, requests: Requests) -> Iterator[str]:
    if not isinstance(answer, Decisions):
        yield f"shape: decide returned a {type(answer).__name__}, not Decisions (see Decisions.of)."
        return
    for name in Decisions.columns():
        column: Array = np.asarray(getattr(answer, name))
        wanted = 2 if name == "slate" else 1
        if column.ndim != wanted or len(column) != len(requests):
            yield f"shape: {name} has shape {column.shape} for {len(requests)} requests."
    if np.asarray(answer.slate).dtype.kind != "i":
        yield f"shape: the slate holds {np.asarray(answer.slate).dtype}, not whole numbers of items."


def _unusable(answer: Decisions, requests: Requests) -> Iterator[str]:
    failed = answer.fault != Fault.NONE
    if failed.any():
        yield f"answers: {int(failed.sum())} of {len(failed)} sound requests got no usable answer."
    slate = answer.slate[~failed]
    if (answer.slate[failed] != NOTHING).any():
        yield "faults: a row with a fault has items in its slate."
    if ((slate < NOTHING) | (slate >= len(requests.items))).any():
        yield f"items: the slate names items outside 0 to {len(requests.items) - 1}."
        return
    if (slate[:, 0] == NOTHING).any():
        yield "items: a slate has no first item."
    ordered = np.sort(slate, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NOTHING)).any():
        yield "items: a slate names an item twice."
    if requests.available is not None:
        can = np.take_along_axis(requests.available[~failed], np.maximum(slate, 0), axis=1)
        if (~can & (slate != NOTHING)).any():
            yield "available: a slate names an item that the person cannot have."


def _infinite(answer: Decisions) -> Iterator[str]:
    if np.isinf(answer.score).any():
        yield "finite: a score is infinite; NaN says that there is none."
    if ((answer.propensity < 0) | (answer.propensity > 1)).any():
        yield "finite: a propensity lies outside 0 to 1; NaN says that there is none."
    if not (np.isfinite(answer.latency) & (answer.latency >= 0)).all():
        yield "finite: a latency is negative or no number."


def _moving(decide: Callable[[Requests], Decisions], answer: Decisions, requests: Requests) -> Iterator[str]:
    rows = np.arange(ROWS, dtype=np.int64)
    if _moved(decide(requests), answer):
        yield "determinism: the same requests, asked again, got other answers."
        return
    if _moved(decide(_reordered(requests, rows[::-1])), answer.take(rows[::-1])):
        yield "independence: answers moved when the rows came in reverse order."
    padded = np.concatenate([rows[:ALONE], np.zeros(ROWS - ALONE, dtype=np.int64)])
    if _moved(decide(_reordered(requests, padded)).take(rows[:ALONE]), answer.take(rows[:ALONE])):
        yield "independence: answers moved when others stood beside a row."
    alone = [decide(_reordered(requests, rows[i : i + 1])) for i in range(ALONE)]
    if _moved(Decisions.join(alone), answer.take(rows[:ALONE])):
        yield "independence: answers moved when a row was asked alone."


def _reordered(requests: Requests, rows: Rows) -> Requests:
    return requests.take(np.ascontiguousarray(rows))


def _forgetful(policy: Any, stage: Stage) -> Iterator[str]:
    if not (hasattr(policy, "state") and hasattr(policy, "restore")):
        yield "state: it learns, but has no state and restore, so that no run with it can be resumed."
        policy.learn(_feedback(policy, stage))
        return
    start = {name: np.array(array) for name, array in policy.state().items()}
    requests = _fitting(policy, stage)
    policy.learn(_feedback(policy, stage))
    kept = {name: np.array(array) for name, array in policy.state().items()}
    loose = [name for name, array in kept.items() if array.dtype.kind == "O"]
    if loose:
        yield f"state: {loose[0]!r} is no array of numbers or text, so that it cannot be saved."
    learned = policy.decide(requests)
    policy.learn(_feedback(policy, stage))
    policy.restore(kept)
    if _moved(policy.decide(requests), learned):
        yield "state: after restore, the answers differ from those when the state was taken."
    again = policy.state()
    moved = [name for name, array in kept.items() if name not in again or not _same(array, again[name])]
    if moved:
        yield f"state: after restore, {moved[0]!r} is not what it was."
    policy.restore(start)


def _feedback(policy: Any, stage: Stage) -> Feedback:
    requests = _fitting(policy, stage)
    decisions = policy.decide(requests)
    slate = decisions.slate
    took: Flags = np.arange(ROWS) % 3 > 0
    reward: Floats = np.where(took, 1.0, 0.0)
    return Feedback(
        features=requests.features,
        slate=slate,
        choice=np.where(took, slate[:, -1], NOTHING).astype(np.int32),
        reward=reward.astype(np.float32),
        propensity=np.full(ROWS, np.nan, dtype=np.float32),
        replica=requests.replica,
        user=requests.user,
        turn=np.zeros(ROWS, dtype=np.int16),
        group=requests.group,
        label=(requests.user % 2).astype(np.int8),
        detail=decisions.detail,
        tick=requests.tick,
    )


def _copied(requests: Requests) -> dict[str, Array]:
    arrays = {f.name: getattr(requests, f.name) for f in fields(Requests)}
    return {name: a.copy() for name, a in arrays.items() if isinstance(a, np.ndarray)}


def _same(one: Array, other: Array) -> bool:
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))


def _moved(one: Decisions, other: Decisions) -> bool:
    if not np.array_equal(*_as_wide(one, other)):
        return True
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("score", "propensity")]
    return not all(np.allclose(a, b, rtol=CLOSE, atol=CLOSE, equal_nan=True) for a, b in pairs)


def _as_wide(one: Decisions, other: Decisions) -> tuple[Array, Array]:
    both = Decisions.join([one, replace(other)]).slate
    return both[: len(one)], both[len(one) :]
