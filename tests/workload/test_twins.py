"""Compiled kernels and their twins in numpy: the same bits, whatever they are given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse import compiled, exact
from rehearse.agents import choice, feelings, memory
from rehearse.agents.laws import rotation, tastes
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.environments import scores
from rehearse.environments.pricing.buyers import Buyers
from rehearse.environments.pricing.settings import Reference
from rehearse.errors import UserError
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble
from rehearse.policies.judge import in_order
from rehearse.threads import side_by_side

numba = pytest.importorskip("numba", reason="numba (extra fast) is not installed: there is one twin only")


@pytest.fixture(autouse=True)
def _as_it_was():
    """Leave the switch as it was found."""
    was = compiled.on()
    yield
    compiled.expect(10**9 if was else 0)


def both(work):
    """Return what some work gives in numpy and compiled."""
    compiled.expect(0)
    plain = work()
    compiled.expect(10**9)
    return plain, work()


@settings(deadline=None)
@given(st.lists(st.floats(width=64), min_size=1, max_size=40))
def test_exponentials_and_logarithms_have_the_same_bits(numbers):
    """e**x and ln x are the same bits for every double, infinities and NaN among them."""
    with np.errstate(invalid="ignore"):
        for function in (exact.exp, exact.log):
            plain, loop = both(lambda function=function: function(np.array(numbers)))
            assert plain.tobytes() == loop.tobytes() or np.array_equal(plain, loop, equal_nan=True)


@settings(deadline=None)
@given(n=st.integers(1, 6), size=st.integers(1, 9), seed=st.integers(0, 10**6))
def test_tastes_change_by_the_same_bits(n, size, seed):
    """Tastes that turn or are reinforced, and what the search keeps of them, are the same bits."""
    random = np.random.default_rng(seed)
    taste, item = np.rint(random.normal(size=(2, n, size)) * 3.0) * random.choice([0.0, 0.25, 1.1], (2, n, 1))
    finder, rows = scores.IdealFinder(random.normal(size=(5, size)), np.arange(5) > 1), np.arange(n)

    def changed():
        near = exact.on_grid(taste, 2.0)
        shared = scores.SharedScores(finder, rows, near)
        told = shared.of(rows.astype(np.int32) % 6 - 1), shared.ideal
        once = tastes.reinforced(np.clip(taste, -1.0, 1.0), item, np.full(n, 0.5), 0.3)
        return near, *told, once, rotation.turned(taste, item, 0.1)

    plain, loop = both(changed)
    assert all(one.tobytes() == other.tobytes() for one, other in zip(plain, loop, strict=True))


@settings(deadline=None)
@given(n=st.integers(0, 6), width=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_what_was_shown_is_the_same(n, width, seed):
    """Who saw an action before, and what they saw last, are the same, however long slates are."""
    random = np.random.default_rng(seed)
    before, slate = random.integers(-1, 4, (9, 4)), random.integers(-1, 4, (n, width))
    rows = np.sort(random.choice(9, n, replace=False))

    def shown():
        again, now = np.zeros(n, dtype=np.bool_), before.astype(np.int16)
        feelings._find(now, rows, slate[:, 0].astype(np.int32), again)
        feelings._show(now, rows, slate.astype(np.int32))
        return again, now

    plain, loop = both(shown)
    assert all(map(np.array_equal, plain, loop))


@settings(deadline=None)
@given(st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=40), st.floats(0.0, 2.0))
def test_prices_are_worth_the_same_bits(numbers, gain):
    """What each price is worth to buyers is the same bits."""
    some = np.array(numbers)
    buyers = Buyers(some, some[::-1].copy(), some, some, Reference(gain=gain, loss=0.3))
    plain, loop = both(lambda: buyers.value(0.1, np.arange(-3.0, 3.0)))
    assert plain.tobytes() == loop.tobytes()


@settings(deadline=None)
@given(st.lists(st.floats(min_value=2.0**-34, max_value=1.0 - 2.0**-34), min_size=1, max_size=40))
def test_normal_numbers_have_the_same_bits(uniform):
    """The normal quantile is the same bits in the middle, in the tails and far out."""
    plain, loop = both(lambda: exact.normal_from_uniform(np.array(uniform)))
    assert plain.tobytes() == loop.tobytes()


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**40),
    user=st.integers(0, 2**46),
    replica=st.integers(0, 2**15),
    tick=st.integers(0, 2**20),
    turn=st.integers(0, 2**15),
    count=st.integers(1, 9),
)
def test_draws_have_the_same_bits(seed, user, replica, tick, turn, count):
    """A draw is the same whichever twin makes it, at any address."""
    ids, societies = np.arange(user, user + 5), np.full(5, replica, np.int32)
    plain, loop = both(
        lambda: Chance(seed).bits("x", societies, ids, tick=tick, turn=turn, count=count).copy()
    )
    assert np.array_equal(plain, loop)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-2, 6), min_size=3, max_size=3), min_size=1, max_size=5))
def test_slates_are_judged_alike(slates):
    """Both twins agree about which slates are full, known and free of repeats."""
    table = np.array(slates, dtype=np.int32)
    plain, loop = both(lambda: in_order(table, 6))
    right = all(len(set(slate)) == 3 and min(slate) >= 0 and max(slate) < 6 for slate in slates)
    assert plain == loop == right


def digest(name, how, **size):
    """Return the digest of a scenario that is run in memory."""
    assembly = assemble(load(name, **size), Props(block=how.get("block", 32_768)))
    recorder = assembly.new_recorder()
    assembly.simulation.watchers.append(recorder)
    compiled.expect(10**9 if how.get("fast") else 0)
    for _ in range(assembly.simulation.time.ticks):
        assembly.simulation.advance()
    return recorder.digest


@pytest.mark.parametrize("name", ["workload", "feed", "travel"])
def test_a_run_has_one_digest_compiled_or_not(name):
    """A whole run gives the same digest in numpy and compiled, in any blocks."""
    size = {"users": 150, "ticks": 3, "replicas": 2}
    plain = digest(name, {}, **size)
    assert digest(name, {"fast": True}, **size) == plain
    assert digest(name, {"fast": True, "block": 7}, **size) == plain
    assert digest(name, {"block": 64}, **size) == plain


def test_compiling_is_announced_once(capsys):
    """Who waits for kernels to be made ready is told so before, and only once."""
    said = []
    compiled.expect(10**9)
    compiled.announce(said.append)
    twin = compiled.twin_of(np.negative)(lambda x: -x)
    twin(np.ones(2))
    twin(np.ones(2))
    assert len(said) == 1
    assert "kernels" in said[0]


@pytest.mark.parametrize("name", ["workload", "feed"])
def test_a_run_has_one_digest_in_one_thread_or_two(name, monkeypatch):
    """Working side by side in threads changes no bit."""
    size = {"users": 9000, "ticks": 2, "replicas": 1}
    monkeypatch.setenv("REHEARSE_THREADS", "1")
    alone = digest(name, {}, **size)
    monkeypatch.setenv("REHEARSE_THREADS", "2")
    assert digest(name, {}, **size) == alone


def test_a_number_of_threads_must_be_one(monkeypatch):
    """What is no number of threads is refused in words."""
    monkeypatch.setenv("REHEARSE_THREADS", "many")
    with pytest.raises(UserError, match="no number of threads"):
        list(side_by_side(abs, [1, 2]))


@settings(deadline=None, max_examples=30)
@given(
    people=st.integers(1, 9),
    items=st.integers(1, 7),
    places=st.integers(1, 6),
    dims=st.integers(1, 18),
    seed=st.integers(0, 1000),
)
def test_choices_have_the_same_bits(people, items, places, dims, seed):
    """What items are worth to people, what they recall of them and what they take is the same either way."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=(people, dims)).astype(np.float32)
    table, slates = rng.normal(size=(items, dims)), rng.integers(-1, items, (places, people), dtype=np.int32)
    ring = {
        "memory_item": rng.integers(-1, items, (people, 5), dtype=np.int32),
        "memory_value": rng.random((people, 5), dtype=np.float32),
        "memory_weight": rng.random((people, 5), dtype=np.float32),
    }
    uniform = rng.random(people)

    def chosen():
        worth = choice.worth(taste, table, slates)
        known = memory.recall(Columns(ring), np.arange(people), slates, weight=1.5, boredom=0.2)
        place = choice.logit_choice((worth + known.effect).T, np.zeros(people), np.ones(people), uniform)
        return worth, known.effect, known.bitter, place

    for plain, loop in zip(*both(chosen), strict=True):
        assert plain.tobytes() == loop.tobytes()
