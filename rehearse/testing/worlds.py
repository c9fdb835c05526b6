"""What every world must keep to, tried on people who are handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.contract import NOTHING, Begins, Decisions, End, Flags, Ints, Offer, Outcomes, Responses, Turn
from rehearse.errors import UserError
from rehearse.exact import Floats
from rehearse.scenario.model import Drift

Build = Callable[[tuple[Drift, ...]], Any]
CLOSE = 1e-6
LATER = 3
"""The tick at which a world is put away and taken up again."""
NOWHERE = "no.such.path"
NAMES = ("name", "items", "attributes", "features", "needs", "coupled")
VERBS = ("offer", "settle", "truth", "table", "drift", "state", "restore")


def check_world(world: Any, people: Columns, build: Build | None = None) -> list[str]:
    """Return a sentence for each rule of the contract that a world breaks; none if it keeps to it.

    `people` holds at least replica, user, taste (n, d) and the columns that the world needs. The
    sentence begins with the name of the rule. With `build`, which makes the same world anew with a
    schedule of changes, it is also tried whether the world can be resumed and refuses unknown changes.
    """
    missing = [name for name in (*NAMES, *VERBS) if not hasattr(world, name)]
    if missing:
        return [f"names: the world has no {' and no '.join(missing)}."]
    lacking = [name for name in world.needs if name not in people]
    if lacking:
        return [f"needs: the people have no column {lacking[0]!r}."]
    if getattr(world, "apart", False):
        replica = people["replica"]
        people = people.take(np.flatnonzero(replica == replica[:1]))
    found: list[str] = []
    try:
        found.extend(_broken(_begun(world, people), people))
        if build is not None:
            found.extend(_built(build, people))
    except Exception as error:  # noqa: BLE001 - that it raises is the finding
        found.append(f"raises: it raised {type(error).__name__}: {error}")
    return found


def _broken(world: Any, people: Columns) -> Iterator[str]:
    before = {name: array.copy() for name, array in people.items()}
    for sentence in world.drift(0):
        if not isinstance(sentence, str):
            yield f"drift: it told of a change by a {type(sentence).__name__}, not a sentence."
    turn = _everybody(people)
    offer = world.offer(turn, people)
    wrong = list(_misshapen(world, offer, len(turn)))
    yield from wrong
    if wrong:
        return
    truth = world.truth(turn, people, offer)
    yield from _untrue(world, truth, len(turn))
    outcomes, item = _settled(world, turn, people, offer), _items(world, turn, offer)
    yield from _unsettled(world, outcomes, len(turn))
    yield from _unlikely(offer, outcomes, item)
    yield from _unserved(outcomes, turn)
    yield from _misjudged(truth, outcomes, item)
    yield from _unheard_of(world, outcomes, people)
    yield from _unanswered(world, turn, people, offer)
    if not world.coupled:
        yield from _dependent(world, turn, people)
    changed = [name for name, array in before.items() if not _same(array, people[name])]
    if changed:
        yield f"mutation: it changed the people's column {changed[0]!r}."
    yield from _forgetful(world, turn, people, offer)


def _everybody(people: Columns) -> Turn:
    rows = np.arange(people.length, dtype=np.int64)
    replica = np.asarray(people["replica"], dtype=np.int32)
    user = np.asarray(people["user"], dtype=np.int64)
    return Turn(rows=rows, replica=replica, user=user, tick=0, turn=0, chance=Chance(7))


def _items(world: Any, turn: Turn, offer: Offer) -> Ints:
    """Return an item for everybody by their id, one that they can have."""
    item = (turn.user % len(world.items)).astype(np.int32)
    if offer.available is None:
        return item
    can = offer.available[np.arange(len(turn)), item]
    return np.where(can, item, offer.available.argmax(axis=1)).astype(np.int32)


def _settled(world: Any, turn: Turn, people: Columns, offer: Offer) -> Outcomes:
    """Return what follows when everybody is offered an item by their id and two in three take it."""
    item = _items(world, turn, offer)
    took = _takes(turn)
    responses = Responses(
        choice=np.where(took, item, NOTHING).astype(np.int32),
        position=np.where(took, 0, NOTHING).astype(np.int8),
        utility=np.where(took, 0.0, np.nan).astype(np.float32),
        end=np.full(len(turn), End.NONE, dtype=np.int8),
    )
    settled: Outcomes = world.settle(turn, people, offer, Decisions.of(item), responses)
    return settled


def _takes(turn: Turn) -> Flags:
    return np.asarray(turn.user % 3 > 0)


def _misshapen(world: Any, offer: Offer, n: int) -> Iterator[str]:
    m, d, f = len(world.items), len(world.attributes), len(world.features)
    if offer.attributes.shape not in {(m, d), (n, m, d)}:
        found = offer.attributes.shape
        yield f"shape: Offer.attributes has shape {found}, not ({m}, {d}) or ({n}, {m}, {d})."
    if offer.features.shape != (n, f):
        yield f"shape: Offer.features has shape {offer.features.shape}, not ({n}, {f})."
    if offer.available is not None and offer.available.shape != (n, m):
        yield f"shape: Offer.available has shape {offer.available.shape}, not ({n}, {m})."
    if not np.isfinite(offer.attributes).all() or not np.isfinite(offer.features).all():
        yield "finite: the offer holds values that are no numbers."
    for what in ("items", "attributes", "features"):
        if len(set(getattr(world, what))) < len(getattr(world, what)):
            yield f"names: two of the {what} have the same name."
    if m and set(world.items) <= set(getattr(world, "refusals", ())):
        yield "items: all items are refusals, so that nobody could take anything."


def _untrue(world: Any, truth: Floats, n: int) -> Iterator[str]:
    if truth.shape != (n, len(world.items)):
        yield f"shape: truth has shape {truth.shape}, not ({n}, {len(world.items)})."
    elif not np.isfinite(truth).all():
        yield "finite: a true utility is no number."


def _unsettled(world: Any, outcomes: Outcomes, n: int) -> Iterator[str]:
    columns = _columns(outcomes)
    plain = [name for name, array in columns.items() if not isinstance(array, np.ndarray)]
    if plain:
        yield f"shape: Outcomes.{plain[0]} is a {type(columns[plain[0]]).__name__}, not an array."
        return
    misshapen = [name for name, array in columns.items() if array.shape != (n,)]
    if misshapen:
        yield f"shape: Outcomes.{misshapen[0]} has shape {np.shape(columns[misshapen[0]])}, not ({n},)."
        return
    if not np.isfinite(outcomes.reward).all():
        yield "finite: a reward is no number."
    if ((outcomes.experience < 0) | (outcomes.experience > 1)).any():
        yield "range: an experience lies outside 0 to 1."
    if (outcomes.regret < 0).any():
        yield "range: a regret is negative."
    if ((outcomes.ideal < NOTHING) | (outcomes.ideal >= len(world.items))).any():
        yield "items: an ideal is no item."
    for name, codes in (("right", outcomes.right), ("label", outcomes.label)):
        if codes is not None and not np.isin(codes, (-1, 0, 1)).all():
            yield f"range: `{name}` must be 1, 0 or -1."


def _unlikely(offer: Offer, outcomes: Outcomes, item: Ints) -> Iterator[str]:
    """Tell of outcomes that cannot be, given what was offered and answered."""
    for name in ("cost", "harm"):
        array = getattr(outcomes, name)
        if array is not None and np.isinf(array).any():
            yield f"finite: a {name} is infinite."
    known = np.flatnonzero(outcomes.ideal >= 0)
    if offer.available is not None and not offer.available[known, outcomes.ideal[known]].all():
        yield "items: an ideal is an item that the person cannot have."
    if (outcomes.regret[known][outcomes.ideal[known] == item[known]] > CLOSE).any():
        yield "regret: it is not 0 where the answer was the ideal."
    if outcomes.end is not None and not np.isin(outcomes.end, list(End)).all():
        yield "range: an `end` is no `End`."
    for name, values in outcomes.becomes.items():
        if values.dtype.kind == "f" and np.isinf(values).any():
            yield f"finite: what people's {name!r} becomes is infinite."


def _unserved(outcomes: Outcomes, turn: Turn) -> Iterator[str]:
    """Tell of people who missed what they never took, or got what they missed."""
    if outcomes.missed is None:
        return
    if (outcomes.missed & ~_takes(turn)).any():
        yield "missed: somebody missed what they did not take."
    if outcomes.label is not None and (outcomes.label[outcomes.missed] == 1).any():
        yield "missed: the label is 1 where somebody did not get what they took."


def _misjudged(truth: Floats, outcomes: Outcomes, item: Ints) -> Iterator[str]:
    """Tell of judgements that do not agree with what is true."""
    known = np.flatnonzero(outcomes.ideal >= 0)
    ideal = outcomes.ideal[known]
    if (truth[known, ideal] < truth[known, item[known]] - CLOSE).any():
        yield "truth: an ideal is worth less to the person than the answer was."
    matters = truth[known, ideal] > truth[known].min(axis=1)
    if (outcomes.right[known][matters & (ideal == item[known])] == 0).any():
        yield "right: the ideal answer was judged wrong."


def _unanswered(world: Any, turn: Turn, people: Columns, offer: Offer) -> Iterator[str]:
    """Tell of judgements of answers that were never given."""
    n = len(turn)
    nothing = np.full(n, NOTHING, dtype=np.int32)
    unknown = np.full(n, np.nan, dtype=np.float32)
    responses = Responses(nothing, nothing.astype(np.int8), unknown, np.zeros(n, dtype=np.int8))
    outcomes = world.settle(turn, people, offer, Decisions.of(nothing, fault=1), responses)
    if (outcomes.right != NOTHING).any():
        yield "unanswered: `right` is not -1 where there was no answer to judge."
    if not np.isnan(outcomes.regret).all():
        yield "unanswered: a regret is a number where there was no answer."


def _built(build: Build, people: Columns) -> Iterator[str]:
    """Make the world anew: alike, resumed in the midst, and with a change of what it does not have."""
    straight, resumed = (_begun(build(()), people) for _ in range(2))
    for tick in range(LATER):
        straight.drift(tick)
        resumed.drift(tick)  # as whoever resumes a run does, before the state is taken back
        turn = replace(_everybody(people), tick=tick)
        _settled(straight, turn, people, straight.offer(turn, people))
    resumed.restore({name: np.array(array) for name, array in straight.state().items()})
    turn = replace(_everybody(people), tick=LATER)
    told = [world.drift(LATER) for world in (straight, resumed)]
    offers = [world.offer(turn, people) for world in (straight, resumed)]
    same = all(
        _same(getattr(offers[0], name), getattr(offers[1], name)) for name in ("features", "attributes")
    )
    if told[0] != told[1] or not same:
        yield "state: a world that was resumed has another offer."
    pairs = zip((straight, resumed), offers, strict=True)
    one, other = (_columns(_settled(world, turn, people, offer)) for world, offer in pairs)
    for name in [name for name in one if not _same(one[name], other[name])]:
        yield f"state: in a world that was resumed the {name} of a person is another."
    try:
        build((Drift(tick=0, what=NOWHERE),))
    except UserError:
        return
    yield f"drift: a change of {NOWHERE!r}, which the world does not have, is not refused."


def _begun(world: Any, people: Columns) -> Any:
    if isinstance(world, Begins):
        world.begin(np.unique(people["replica"]).astype(np.int32))
    return world


def _unheard_of(world: Any, outcomes: Outcomes, people: Columns) -> Iterator[str]:
    """Tell of names that nobody has: items refused, columns of people that change."""
    for name in getattr(world, "refusals", ()):
        if name not in world.items:
            yield f"items: the refusal {name!r} is no item."
    for name, values in outcomes.becomes.items():
        if name not in people:
            yield f"becomes: people have no column {name!r}; name it in `needs`."
        elif values.shape != people[name].shape:
            yield f"shape: {name!r} becomes {values.shape}, where people have {people[name].shape}."


def _dependent(world: Any, turn: Turn, people: Columns) -> Iterator[str]:
    """Ask for every other person, and compare with what they got among all."""
    half = np.arange(len(turn), dtype=np.int64) % 2 == 0
    some = turn.where(half)
    offer, fewer = world.offer(turn, people), world.offer(some, people)
    if not _same(offer.features[half], fewer.features):
        yield "independence: the features of a person moved when others were left out."
    if not _same(world.truth(turn, people, offer)[half], world.truth(some, people, fewer)):
        yield "independence: the truth of a person moved when others were left out."
    all_of_them = _columns(_settled(world, turn, people, offer))
    for name, array in _columns(_settled(world, some, people, fewer)).items():
        if not _same(all_of_them[name][half], array):
            yield f"independence: the {name} of a person moved when others were left out."


def _forgetful(world: Any, turn: Turn, people: Columns, offer: Offer) -> Iterator[str]:
    if world.coupled:  # what was settled may have changed what there is
        offer = world.offer(turn, people)
    kept = {name: np.array(array) for name, array in world.state().items()}
    loose = [name for name, array in kept.items() if array.dtype.kind == "O"]
    if loose:
        yield f"state: {loose[0]!r} is no array of numbers or text, so that it cannot be saved."
        return
    world.restore(kept)
    if any(name not in world.state() or not _same(a, world.state()[name]) for name, a in kept.items()):
        yield "state: after restore, the state is not what it was."
    if not _same(world.offer(turn, people).features, offer.features):
        yield "determinism: the same moment, asked again, had another offer."


def _columns(outcomes: Outcomes) -> dict[str, Array]:
    more = ("detail", "becomes")
    named = {f.name: getattr(outcomes, f.name) for f in fields(Outcomes) if f.name not in more}
    plain = {name: array for name, array in outcomes.becomes.items() if array.ndim == 1}
    return {name: a for name, a in named.items() if a is not None} | plain | dict(outcomes.detail)


def _same(one: Array, other: Array) -> bool:
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
