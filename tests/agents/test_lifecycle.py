"""Coming and going: hazards against closed forms, silent ties, and lives that others do not touch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearse.agents import lifecycle
from rehearse.agents.crowd import Crowd, build
from rehearse.agents.lifecycle import Coming, Leaving
from rehearse.agents.ties import Ties, freeze
from rehearse.chance import Chance
from rehearse.contract import Offer
from rehearse.errors import ScenarioError
from rehearse.scenario.lifecycle import Arrivals, Churn, Wave
from rehearse.scenario.people import People


class Nowhere:
    """A world with one item, which nobody is asked about here."""

    name, items, attributes, features, needs, coupled = "nowhere", ("a",), ("x",), (), (), False

    def table(self):
        return None

    def offer(self, turn, people):
        return Offer(np.ones((1, 1)), np.zeros((len(turn), 0), dtype=np.float32), None)


def crowd_of(count, replicas=(0,), seed=3, only=None, **people):
    """Return people who do nothing but come and go."""
    given = {"tastes": {"x": 1.0}, "traits": {"trust": 1.0}} | people
    which = np.array(replicas, dtype=np.int32)
    return build(People(count=count, **given), Nowhere(), Chance(seed), which, only)


def pass_time(crowd, ticks, first=0):
    """Let ticks go by without sessions; return a census of each."""
    found = []
    for tick in range(first, first + ticks):
        crowd.open(tick)
        crowd.socialise(tick)
        crowd.live(tick)
        found.append({name: values.tolist() for name, values in crowd.summary().items()})
    return found


def here(crowd):
    """Return how many are here."""
    return int(crowd.columns["alive"].sum())


def test_without_a_law_nobody_comes_or_goes():
    """Nothing is kept about comings and goings where there are none."""
    crowd = crowd_of(20)
    pass_time(crowd, 3)
    assert crowd.columns["alive"].all()
    assert "arrived" not in crowd.columns
    assert "here" not in crowd.summary()


@pytest.mark.parametrize(("start", "expected"), [(50, 50), (0.25, 50), (0, 0), (0.999, 200), (1, 1)])
def test_the_first_ids_are_here_at_the_start(start, expected):
    """A whole number of people, or below 1 a share of all."""
    crowd = crowd_of(200, arrivals={"start": start})
    assert np.flatnonzero(crowd.columns["alive"]).tolist() == list(range(expected))
    assert (crowd.columns["arrived"][:expected] == 0).all()
    assert (crowd.columns["arrived"][expected:] == -1).all()


def test_people_come_by_schedule_in_the_order_of_their_ids():
    """Waves bring so many in their tick, the steady ones so many in each."""
    waves = [{"tick": 2, "people": 30}, {"tick": 4, "people": 0.1}]
    crowd = crowd_of(100, arrivals={"start": 10, "waves": waves, "steady": 2})
    counts = pass_time(crowd, 6)
    assert [c["arrived"][0] for c in counts] == [10, 2, 32, 2, 12, 2]
    assert [c["here"][0] for c in counts] == [10, 12, 44, 46, 58, 60]
    arrived = crowd.columns["arrived"]
    assert (np.diff(arrived[arrived >= 0]) >= 0).all()
    assert arrived[10:12].tolist() == [1, 1]
    assert (crowd.columns["came_by"][10:60] == Coming.SCHEDULE).all()


@given(st.integers(1, 400), st.floats(0, 0.99), st.floats(0, 3.0), st.lists(st.integers(1, 9), max_size=4))
def test_nobody_is_due_twice(count, start, steady, ticks):
    """Every id is due in one tick at most, however start, waves and the steady ones are mixed."""
    arrivals = Arrivals(start=start, steady=steady, waves=tuple(Wave(tick=t, people=0.2) for t in ticks))
    users = np.arange(count)
    due = sum(lifecycle.scheduled(arrivals, users, tick, count).astype(int) for tick in range(1, 12))
    first = lifecycle.by_start(arrivals, count)
    assert due.max() <= 1
    assert not due[:first].any()


def test_a_constant_hazard_makes_stays_geometric():
    """With hazard h a person stays exactly k ticks with chance (1 − h)^(k−1) h."""
    crowd = crowd_of(20_000, churn={"rate": 0.2})
    pass_time(crowd, 8)
    stayed, left = crowd.columns["ticks_here"], crowd.columns["left"]
    assert (stayed[left >= 0] == left[left >= 0] + 1).all()
    for k in range(1, 8):
        expected = 0.8 ** (k - 1) * 0.2
        assert (left == k - 1).mean() == pytest.approx(expected, abs=4 * (expected / 20_000) ** 0.5)
    assert (crowd.columns["left_for"][left >= 0] == Leaving.CHANCE).all()


def test_a_constant_hazard_of_coming_makes_waits_geometric():
    """With hazard p a person first comes in tick k with chance (1 − p)^(k−1) p."""
    crowd = crowd_of(20_000, arrivals={"start": 0, "rate": 0.15})
    pass_time(crowd, 8)
    for k in range(1, 9):
        expected = 0.85 ** (k - 1) * 0.15
        assert (crowd.columns["arrived"] == k).mean() == pytest.approx(
            expected, abs=4 * (expected / 20_000) ** 0.5
        )


def test_who_leaves_comes_back_after_a_geometric_absence():
    """With hazard r a person is away for exactly k ticks with chance (1 − r)^(k−1) r, one tick at least."""
    crowd = crowd_of(20_000, churn={"distrust": 1.0}, returns={"rate": 0.3}, traits={"trust": 0.0})
    pass_time(crowd, 1)
    assert here(crowd) == 0
    crowd.columns["trust"][:] = 1.0
    pass_time(crowd, 7, first=1)
    away = crowd.columns["returned"] - 1
    assert away[away >= 0].min() == 1
    for k in range(1, 6):
        expected = 0.7 ** (k - 1) * 0.3
        assert (away == k).mean() == pytest.approx(expected, abs=5 * (expected / 20_000) ** 0.5)


def test_who_was_removed_does_not_come_back():
    """Only who left may return; whom a program took out stays out, also after an earlier return."""
    crowd = crowd_of(6, churn={"distrust": 1.0}, returns={"rate": 1.0}, traits={"trust": 0.0})
    crowd.columns["alive"][0] = False
    pass_time(crowd, 1)
    crowd.columns["trust"][:] = 1.0
    pass_time(crowd, 2, first=1)
    assert crowd.columns["alive"].tolist() == [False] + [True] * 5
    crowd.columns["alive"][1] = False
    pass_time(crowd, 3, first=3)
    assert crowd.columns["alive"].tolist() == [False, False] + [True] * 4


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        ({"dissatisfaction": 0.4}, lambda s, t: 0.4 * (1 - s)),
        ({"distrust": 0.4}, lambda s, t: 0.4 * (1 - t * t)),
        (
            {"rate": 0.05, "dissatisfaction": 0.3, "distrust": 0.2},
            lambda s, t: 0.05 + 0.3 * (1 - s) + 0.2 * (1 - t * t),
        ),
        ({"rate": 0.8, "dissatisfaction": 0.8}, lambda s, t: np.minimum(0.8 + 0.8 * (1 - s), 1)),
    ],
)
def test_leaving_depends_on_satisfaction_and_trust_as_stated(law, expected):
    """In every tenth of satisfaction (and of trust) as many leave as the hazards add up to."""
    n = 40_000
    crowd = crowd_of(n, churn=law)
    dice = np.random.default_rng(1)
    crowd.columns["satisfaction"][:], crowd.columns["trust"][:] = dice.random((2, n))
    s, t = crowd.columns.numbers("satisfaction"), crowd.columns.numbers("trust")
    crowd.live(0)
    left = ~crowd.columns["alive"]
    for by in (s, t):
        band = np.minimum((by * 10).astype(int), 9)
        hazard = np.broadcast_to(expected(s, t), n)
        for b in range(10):
            assert left[band == b].mean() == pytest.approx(hazard[band == b].mean(), abs=0.04)


@given(
    st.lists(st.floats(0, 1, width=16), min_size=1, max_size=4),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=9),
)
def test_each_reason_strikes_with_its_own_hazard(hazards, uniforms):
    """A number strikes the reason into whose interval it falls, and none beyond their sum."""
    u = np.array(uniforms)
    found = lifecycle.struck([np.full(len(u), h) for h in hazards], u)
    bounds = np.concatenate([[0.0], np.cumsum(hazards)])
    for number, why in zip(u, found, strict=True):
        if why < 0:
            assert number >= bounds[-1]
        else:
            assert bounds[why] <= number < bounds[why + 1]


def test_friends_are_counted_by_hand():
    """Shares are of all friends for word of mouth, and of those who ever were here for the others."""
    ties = freeze(6, np.array([0, 0, 0, 0, 1]), np.array([1, 2, 3, 4, 2]))
    flags = {name: np.zeros(6, dtype=bool) for name in ("here", "left", "satisfied")}
    flags["here"][[1, 2]], flags["left"][[3]], flags["satisfied"][[2, 3]] = True, True, True
    found = lifecycle.look(ties, np.arange(6), lifecycle.states(**flags))
    assert found.word.tolist() == [0.25, 0.5, 0.0, 0.0, 0.0, 0.0]
    assert found.gone == pytest.approx([1 / 3, 0, 0, 0, 0, 0])
    assert found.here == pytest.approx([2 / 3, 1, 1, 0, 0, 0])
    some = lifecycle.look(ties, np.array([5, 0]), lifecycle.states(**flags))
    assert some.word.tolist() == [0.0, 0.25]


def test_those_whose_friends_left_leave_more_often():
    """The hazard is `friends` times the share of friends who left; it is the reason that is kept."""
    society = {"graph": {"kind": "watts_strogatz", "degree": 10}}
    crowd = crowd_of(20_000, churn={"friends": 0.5}, society=society)
    crowd.columns["alive"][::4] = False
    crowd.columns["left"][::4] = 0
    state = crowd.columns["alive"].copy(), ~crowd.columns["alive"], np.ones(20_000, bool)
    share = lifecycle.look(crowd.ties, np.arange(20_000), lifecycle.states(*state)).gone
    before = crowd.columns["alive"].copy()
    crowd.socialise(1)
    crowd.live(1)
    left = before & ~crowd.columns["alive"]
    for low, high in ((0.0, 0.15), (0.15, 0.25), (0.25, 0.35), (0.35, 1.0)):
        some = before & (share >= low) & (share < high)
        assert left[some].mean() == pytest.approx(0.5 * share[some].mean(), abs=0.02)
    assert (crowd.columns["left_for"][left] == Leaving.FRIENDS).all()


def test_growth_by_word_of_mouth_follows_bass():
    """On a dense random graph arrivals follow F' = F + (p + q·F)(1 − F), the Bass model in steps."""
    p, q, n = 0.02, 0.5, 3000
    society = {"graph": {"kind": "erdos_renyi", "degree": 60}}
    crowd = crowd_of(n, arrivals={"start": 0.05, "rate": p, "word_of_mouth": q}, society=society)
    share = 0.05
    for count in pass_time(crowd, 14):
        assert count["here"][0] / n == pytest.approx(share, abs=0.04)
        share += (p + q * share) * (1.0 - share)
    assert count["here"][0] > 0.9 * n
    friends = (crowd.columns["came_by"] == Coming.FRIENDS).sum()
    assert 0.5 * n < friends < 0.95 * n


def test_where_all_know_all_growth_is_the_bass_model():
    """The share of those here follows F' = F + (p + q·F)(1 − F) to within the chance of 4 × 900 people."""
    p, q, n, societies = 0.03, 0.4, 900, 4
    crowd = crowd_of(
        n,
        replicas=range(societies),
        arrivals={"start": 0, "rate": p, "word_of_mouth": q},
        society={"graph": {"kind": "complete"}},
    )
    share = 0.0
    for count in pass_time(crowd, 12):
        assert sum(count["here"]) / (n * societies) == pytest.approx(share, abs=0.035)
        share += (p + q * share) * (1.0 - share)


def test_only_the_satisfied_bring_friends():
    """Nobody comes on the word of people whose satisfaction lies below what is asked."""
    society = {"graph": {"kind": "karate"}}
    given = {"arrivals": {"start": 10, "word_of_mouth": 1.0, "satisfied": 0.6}, "society": society}
    crowd = crowd_of(34, **given)
    pass_time(crowd, 3)
    assert here(crowd) == 10
    crowd.columns["satisfaction"][:10] = 0.61
    pass_time(crowd, 3, first=3)
    assert here(crowd) > 10


SOCIETY = {
    "graph": {"kind": "watts_strogatz", "degree": 4},
    "influences": [{"what": "trust", "weight": 0.5}, {"what": "opinion", "how": "bounded", "reach": 1.0}],
}


@pytest.mark.parametrize("order", ["synchronous", "sequential"])
def test_ties_to_those_who_are_not_here_are_silent(order):
    """Those here move one another as if nobody else existed; the others keep what they have."""
    crowd = crowd_of(40, arrivals={"start": 20}, society=SOCIETY | {"order": order})
    alone = crowd_of(40, society=SOCIETY | {"order": order})
    first = np.arange(20)
    alone.ties = alone.ties.among(np.arange(40) < 20)
    for people in (crowd, alone):
        people.columns["trust"][:] = np.linspace(0, 1, 40)
        people.columns["opinion"][:] = np.linspace(1, 0, 40)
    kept = {name: crowd.columns[name][20:].copy() for name in ("trust", "opinion")}
    for people in (crowd, alone):
        pass_time(people, 3)
    for name, values in kept.items():
        assert np.array_equal(crowd.columns[name][first], alone.columns[name][first])
        assert np.array_equal(crowd.columns[name][20:], values)


def test_nobody_adopts_before_being_here():
    """Even who needs no friend to adopt waits until the arrival."""
    society = {"graph": {"kind": "karate"}, "influences": [{"what": "adoption", "share": 0.0}]}
    crowd = crowd_of(34, arrivals={"start": 30}, society=society, traits={"adopted": 0.0})
    crowd.socialise(0)
    assert crowd.columns["adopted"].tolist() == [True] * 30 + [False] * 4


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20),
    st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_silencing_keeps_exactly_the_ties_among_those_here(pairs, flags):
    """A tie is kept where both ends are here, with its weight, and no other."""
    one, other = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    ties = freeze(8, one, other, np.arange(len(one)) + 1.0)
    present = np.array(flags)
    found = ties.among(present)

    def listed(some: Ties):
        owner, friend, weight = some.around(some.everybody())
        return [(a, b, w) for a, b, w in zip(owner.tolist(), friend.tolist(), weight.tolist(), strict=True)]

    assert listed(found) == [(a, b, w) for a, b, w in listed(ties) if present[a] and present[b]]


def test_nobody_is_part_of_a_cascade_before_being_here():
    """Who comes having adopted begins a cascade, or belongs to a friend's, only from the arrival on."""
    society = {
        "graph": {"kind": "karate"},
        "influences": [{"what": "adoption", "share": 1.0}],
        "emergence": {"measures": ["cascades"]},
    }
    traits = {"trust": 1.0, "adopted": 1.0}
    crowd = crowd_of(34, arrivals={"start": 10, "steady": 2}, society=society, traits=traits)
    for tick, count in enumerate(pass_time(crowd, 5)):
        assert count["cascades"][0] * count["cascade_size"][0] == pytest.approx(10 + 2 * tick)


def test_who_arrives_has_an_untouched_mind():
    """Who comes in tick 9 has what people have at the start, with goals that begin then."""
    goal = {"name": "use", "rate": 0.0, "at_start": 1.0, "deadline": 4}
    crowd = crowd_of(
        60, arrivals={"start": 30, "waves": [{"tick": 9, "people": 30}]}, goals=[goal], society=SOCIETY
    )
    fresh = {name: values[30:].copy() for name, values in crowd.columns.items()}
    crowd.columns["trust"][:30] = 0.1
    pass_time(crowd, 9)
    opened = crowd.open(9)
    assert opened.tolist() == list(range(30, 60))
    assert (crowd.columns["goal_deadline"][30:, 0] == 12).all()
    touched = {
        "alive",
        "arrived",
        "came_by",
        "sessions",
        "session",
        "intent",
        "adopted",
        "habit",
        "refusals",
        "shown",
    }
    touched |= {name for name in fresh if name.startswith("goal") or name == "progress"}
    for name in set(fresh) - touched:
        assert np.array_equal(crowd.columns[name][30:], fresh[name], equal_nan=True), name


def test_what_is_forgotten_on_coming_back_is_as_at_the_start():
    """`forgets` names what begins anew; everything else is as it was left, memory faded meanwhile."""
    law = {"churn": {"rate": 1.0}, "returns": {"rate": 1.0, "forgets": ["trust", "memory"]}}
    crowd = crowd_of(8, memory={"decay": 0.5}, **law)
    kept = crowd_of(8, memory={"decay": 0.5}, **(law | {"returns": {"rate": 1.0}}))
    for some in (crowd, kept):
        some.columns["trust"][:], some.columns["satisfaction"][:] = 0.2, 0.9
        some.columns["memory_item"][:, 0], some.columns["memory_weight"][:, 0] = 0, 1.0
        pass_time(some, 2)
        assert here(some) == 0
        some.open(2)
        assert here(some) == 8
    assert crowd.columns["trust"].tolist() == [1.0] * 8
    assert (crowd.columns["memory_item"] == -1).all()
    assert kept.columns["trust"] == pytest.approx([0.2] * 8)
    assert (kept.columns["memory_weight"][:, 0] == 0.25).all()
    for some in (crowd, kept):
        assert some.columns["satisfaction"] == pytest.approx([0.9] * 8)


def test_the_census_adds_up():
    """In every tick here' = here − left + arrived' + returned', and ticks_here is the sum of here."""
    society = {"graph": {"kind": "barabasi_albert", "degree": 6}}
    crowd = crowd_of(
        400,
        replicas=(0, 3),
        arrivals={"start": 80, "steady": 20, "word_of_mouth": 0.3},
        churn={"rate": 0.1, "friends": 0.2},
        returns={"rate": 0.2, "friends": 0.2},
        society=society,
    )
    counts = pass_time(crowd, 10)
    for before, now in pairwise(counts):
        for r in range(2):
            came = now["arrived"][r] + now["returned"][r]
            assert now["here"][r] == before["here"][r] - before["left"][r] + came
    total = crowd.columns["ticks_here"].reshape(2, -1).sum(axis=1)
    assert total.tolist() == [sum(c["here"][r] for c in counts) for r in range(2)]
    assert any(c["returned"][0] for c in counts)


def test_later_arrivals_change_nothing_for_strangers():
    """A society with more people to come is the same for those whom nobody new knows."""
    law = {"arrivals": {"start": 200, "steady": 40}, "churn": {"rate": 0.05}, "returns": {"rate": 0.3}}
    few, many = crowd_of(1000, **law), crowd_of(1500, **law)
    for crowd in (few, many):
        pass_time(crowd, 30)
    for name in few.columns:
        assert np.array_equal(few.columns[name], many.columns[name][:1000], equal_nan=True), name
    assert here(many) > here(few)


def test_later_arrivals_change_nothing_for_those_never_tied_to_them(tmp_path):
    """Friends decide who comes and goes, and 500 more people who know only one another make no difference."""
    dice = np.random.default_rng(5)
    known, others = dice.integers(0, 1000, (4000, 2)), dice.integers(1000, 1500, (2000, 2))
    law = {
        "arrivals": {"start": 200, "steady": 30, "rate": 0.02, "word_of_mouth": 0.2},
        "churn": {"rate": 0.02, "friends": 0.2},
        "returns": {"rate": 0.1, "friends": 0.2},
    }
    crowds = []
    for count, pairs in ((1000, known), (1500, np.concatenate([known, others]))):
        path = tmp_path / f"{count}.txt"
        path.write_text("".join(f"{a} {b}\n" for a, b in pairs if a != b))
        society = {"graph": {"kind": "edges", "path": str(path)}, "influences": [{"what": "trust"}]}
        traits = {"trust": {"uniform": {"low": 0.2, "high": 1.0}}}
        crowds.append(crowd_of(count, society=society, traits=traits, **law))
        pass_time(crowds[-1], 15)
    few, many = crowds
    for name in few.columns:
        assert np.array_equal(few.columns[name], many.columns[name][:1000], equal_nan=True), name
    assert (many.columns["arrived"][1000:] > 0).any()


def test_one_person_and_one_replica_alone_come_and_go_alike():
    """Nobody else is needed to know when a person comes and goes, where friends have no part in it."""
    law = {"arrivals": {"start": 0.3, "rate": 0.1}, "churn": {"rate": 0.1}, "returns": {"rate": 0.3}}
    everybody = crowd_of(50, replicas=(0, 4), **law)
    alone = crowd_of(50, replicas=(4,), only=np.array([33]), **law)
    for crowd in (everybody, alone):
        pass_time(crowd, 12)
    for name in alone.columns:
        assert np.array_equal(alone.columns[name][0], everybody.columns[name][83], equal_nan=True), name


def test_friends_who_bring_one_another_are_coupled():
    """Where friends decide who comes, people are not independent, and nobody can be run alone."""
    law = {"arrivals": {"start": 5, "word_of_mouth": 0.1}, "society": {"graph": {"kind": "karate"}}}
    assert crowd_of(34, **law).coupled
    with pytest.raises(ScenarioError, match="influenced by others"):
        crowd_of(34, only=np.array([3]), **law)


@pytest.mark.parametrize(
    "law",
    [
        {"arrivals": {"start": 5, "word_of_mouth": 0.1}},
        {"churn": {"friends": 0.1}},
        {"returns": {"friends": 0.1}},
    ],
)
def test_friends_without_a_graph_are_refused(law):
    """A law about friends in a society without ties is a mistake that is named."""
    with pytest.raises(ValueError, match="nobody has friends"):
        People(**law)


def test_a_trait_cannot_take_the_name_of_a_coming_or_going():
    """A trait called `arrived` is refused where people arrive, and nobody minds where none do."""
    with pytest.raises(ScenarioError, match="'arrived' is the name of something"):
        crowd_of(5, traits={"arrived": 1.0}, arrivals={"start": 2})
    assert isinstance(crowd_of(5, traits={"arrived": 1.0}), Crowd)


def test_preferential_attachment_lets_the_first_know_most():
    """Arrivals in the order of ids grow a Barabási–Albert graph as it is defined: the early know most."""
    society = {"graph": {"kind": "barabasi_albert", "degree": 6}, "influences": [{"what": "trust"}]}
    crowd = crowd_of(500, arrivals={"start": 100, "steady": 40}, society=society)
    sizes = []
    for tick in range(10):
        pass_time(crowd, 1, first=tick)
        spoken = crowd.ties.among(crowd.columns["alive"])
        sizes.append(int(spoken.degree.sum()))
        assert (spoken.degree[~crowd.columns["alive"]] == 0).all()
    assert sizes == sorted(sizes)
    assert sizes[-1] > 4 * sizes[0]
    assert crowd.ties.degree[:50].mean() > 3 * crowd.ties.degree[450:].mean()


def test_hazards_of_leaving_are_as_written():
    """The four hazards of `leaving`, for one person, by hand."""
    churn = Churn(rate=0.1, dissatisfaction=0.2, distrust=0.4, friends=0.3)
    found = lifecycle.leaving(churn, np.array([0.25]), np.array([0.5]), np.array([0.5]))
    assert np.concatenate(found) == pytest.approx([0.1, 0.15, 0.3, 0.15])


def test_a_record_tells_of_those_only_who_came():
    """Who decided to come when the run was over never came; reasons are told one place further."""
    crowd = crowd_of(6, arrivals={"start": 2, "steady": 1}, churn={"rate": 0.0})
    pass_time(crowd, 2)
    assert crowd.columns["arrived"].tolist() == [0, 0, 1, 2, -1, -1]
    found = lifecycle.told(crowd.columns, 2)
    assert found["arrived"].tolist() == [0, 0, 1, -1, -1, -1]
    words = lifecycle.WORDS["came_by"]
    assert [words[code] for code in found["came_by"]] == ["start", "start", "schedule", "", "", ""]
    assert [lifecycle.WORDS["left_for"][code] for code in found["left_for"]] == [""] * 6
    assert lifecycle.told(crowd_of(6).columns, 2) == {}
