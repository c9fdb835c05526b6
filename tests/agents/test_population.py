"""People are drawn from laws and tables as the scenario says, each by their own address."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rehearse.agents import MEANINGS, TRAITS, population
from rehearse.agents.persona import STARTS
from rehearse.agents.population import draw, group_names, segment_names, trait_names
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.errors import DataError, NotFoundError, ScenarioError
from rehearse.scenario.distributions import quantile
from rehearse.scenario.people import Distribution, People

REPLICAS = np.array([0, 1, 2], dtype=np.int32)
TABLE = Columns(
    {
        "income": np.array([10.0, 20.0, 30.0, 40.0]),
        "sex": np.array(["f", "m", "m", "f"]),
        "weight": np.array([0.0, 1.0, 3.0, 0.0]),
        "taste_price": np.array([-1.0, -2.0, -3.0, -4.0]),
        "gap": np.array([1.0, np.nan, 3.0, 4.0]),
    }
)
EVERY_LAW = {
    "n": {"normal": {"mean": 1.0, "sd": 2.0}},
    "l": {"lognormal": {"mean": 0.0, "sd": 0.5}},
    "u": {"uniform": {"low": -1.0, "high": 3.0}},
    "x": {"exponential": {"mean": 2.0}},
    "w": {"weibull": {"shape": 1.5, "scale": 10.0}},
    "b": {"beta": {"a": 2.0, "b": 3.0}},
    "d": {"discrete": {"values": [1, 2, 5], "shares": [1, 1, 2]}},
}


def people_of(**given_parts):
    """Return people, 20 if nothing else is said."""
    return People.model_validate({"count": 20, **given_parts})


def drawn(people, *, attributes=(), needs=(), table=None, seed=1, replicas=REPLICAS, only=None):
    """Draw people with the settings that most tests share."""
    return draw(
        people,
        attributes=attributes,
        needs=needs,
        table=table,
        chance=Chance(seed),
        replicas=replicas,
        only=only,
    )


def same(one, other):
    """Tell whether two tables are equal in every column."""
    return set(one) == set(other) and all(np.array_equal(one[n], other[n], equal_nan=True) for n in one)


def rows_of(columns, mask):
    """Return the rows where a mask is true."""
    return columns.take(np.flatnonzero(mask))


def test_columns_have_the_stated_shapes_and_kinds():
    """Rows are replica-major, ids start at 0 in each replica, and every column has its stated kind."""
    columns = drawn(people_of(traits=EVERY_LAW, tastes={"each": 1.0}), attributes=("price", "time"))
    assert columns["user"].tolist() == list(range(20)) * 3
    assert columns["replica"].tolist() == [0] * 20 + [1] * 20 + [2] * 20
    assert (columns["user"].dtype, columns["replica"].dtype) == (np.int64, np.int32)
    assert (columns["segment"].dtype, columns["group"].dtype) == (np.int8, np.int8)
    assert columns["taste"].shape == (60, 2)
    assert all(columns[name].dtype == np.float32 for name in (*TRAITS, *EVERY_LAW, "taste"))
    assert set(trait_names(columns)) == {*TRAITS, *EVERY_LAW}


def test_every_steering_trait_has_a_meaning():
    """What is reserved is explained, and nothing else is."""
    assert set(MEANINGS) == {*TRAITS, *STARTS}


def test_a_person_is_the_same_whoever_else_is_there():
    """Fewer people, one replica alone, or a few ids alone: the same persons in every column."""
    parts = {
        "traits": EVERY_LAW,
        "tastes": {"each": {"normal": {}}},
        "segments": [{"name": "few", "share": 0.3, "traits": {"n": 7.0}}],
        "correlations": [{"of": ["n", "u"], "matrix": [[1, 0.6], [0.6, 1]]}],
        "source": {"table": "world"},
    }
    whole = drawn(people_of(**parts), attributes=("price",), table=TABLE)
    smaller = drawn(people_of(**{**parts, "count": 12}), attributes=("price",), table=TABLE)
    assert same(smaller, rows_of(whole, whole["user"] < 12))
    alone = drawn(
        people_of(**parts), attributes=("price",), table=TABLE, replicas=np.array([2], dtype=np.int32)
    )
    assert same(alone, rows_of(whole, whole["replica"] == 2))
    few = drawn(people_of(**parts), attributes=("price",), table=TABLE, only=np.array([3, 17]))
    assert same(few, rows_of(whole, np.isin(whole["user"], [3, 17])))


def test_the_size_of_blocks_changes_nobody(monkeypatch):
    """People made seven at a time are the people made all at once."""
    parts = {"traits": EVERY_LAW, "correlations": [{"of": ["n", "b"], "matrix": [[1, 0.6], [0.6, 1]]}]}
    whole = drawn(people_of(**parts))
    monkeypatch.setattr(population, "BLOCK", 7)
    assert same(drawn(people_of(**parts)), whole)


def test_another_seed_gives_other_people():
    """The seed matters."""
    people = people_of(traits={"n": EVERY_LAW["n"]})
    assert not np.array_equal(drawn(people)["n"], drawn(people, seed=2)["n"])


@pytest.mark.parametrize(
    ("name", "mean", "sd"),
    [
        ("n", 1.0, 2.0),
        ("l", np.exp(0.125), np.sqrt((np.exp(0.25) - 1.0) * np.exp(0.25))),
        ("u", 1.0, 4.0 / np.sqrt(12.0)),
        ("x", 2.0, 2.0),
        ("b", 0.4, 0.2),
        ("d", 3.25, np.sqrt(1.0 / 4 + 4.0 / 4 + 25.0 / 2 - 3.25**2)),
    ],
)
def test_drawn_values_follow_their_law(name, mean, sd):
    """Mean and standard deviation of 60,000 draws are the law's, within five standard errors."""
    values = drawn(people_of(count=20_000, traits={name: EVERY_LAW[name]}))[name].astype(np.float64)
    assert values.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(60_000))
    assert values.std() == pytest.approx(sd, rel=0.04)


@given(
    name=st.sampled_from(sorted(EVERY_LAW)),
    u=st.lists(st.floats(1e-9, 1.0 - 1e-9), min_size=2, max_size=20),
    low=st.none() | st.floats(-1.0, 0.5),
    high=st.none() | st.floats(0.6, 2.0),
)
def test_quantiles_ascend_and_keep_their_bounds(name, u, low, high):
    """A larger standing never gives a smaller value, and no value passes the stated bounds."""
    law = Distribution.model_validate({**EVERY_LAW[name], "low": low, "high": high})
    values = quantile(law, np.sort(np.array(u)))
    assert np.all(np.diff(values) >= 0.0)
    assert low is None or values.min() >= low
    assert high is None or values.max() <= high


def test_a_discrete_value_without_a_share_is_never_drawn():
    """Shares are probabilities, also where they are zero at the ends."""
    law = Distribution.model_validate({"discrete": {"values": [9, 1, 2, 8], "shares": [0, 1, 3, 0]}})
    u = np.array([2.0**-33, 0.2499, 0.25, 1.0 - 2.0**-33])
    assert quantile(law, u).tolist() == [1.0, 1.0, 2.0, 2.0]


def test_segments_are_dealt_by_share_and_override_the_base():
    """A segment's traits and tastes replace the base's for its members only."""
    people = people_of(
        count=20_000,
        traits={"budget": 10.0},
        tastes={"price": -1.0, "each": 0.5},
        segments=[
            {"name": "rich", "share": 0.2, "traits": {"budget": 99.0}},
            {"name": "thrifty", "share": 0.1, "tastes": {"price": -5.0}},
        ],
    )
    columns = drawn(people, attributes=("price", "time"), replicas=REPLICAS[:1])
    segment = columns["segment"]
    assert segment_names(people) == ("base", "rich", "thrifty")
    assert np.bincount(segment) / 20_000 == pytest.approx([0.7, 0.2, 0.1], abs=0.015)
    assert np.array_equal(columns["budget"], np.where(segment == 1, 99.0, 10.0))
    assert np.array_equal(columns["taste"][:, 0], np.where(segment == 2, -5.0, -1.0))
    assert (columns["taste"][:, 1] == 0.5).all()


def test_a_segment_changes_nobody_else():
    """Adding a segment leaves those outside it as they were."""
    traits = {"n": EVERY_LAW["n"]}
    before = drawn(people_of(traits=traits))
    after = drawn(
        people_of(traits=traits, segments=[{"name": "s", "share": 0.4, "traits": {"n": {"normal": {}}}}])
    )
    base = after["segment"] == 0
    assert 0 < base.sum() < 60
    assert np.array_equal(before["n"][base], after["n"][base])


def test_rows_taken_as_they_are_go_round():
    """`as_is`: user i is row i, again from the start when the table ends; columns become traits."""
    columns = drawn(
        people_of(source={"table": "world", "use": "as_is"}),
        table=TABLE,
        attributes=("price",),
        needs=("income",),
    )
    assert columns["income"][:6].tolist() == [10.0, 20.0, 30.0, 40.0, 10.0, 20.0]
    assert columns["taste"][:4, 0].tolist() == [-1.0, -2.0, -3.0, -4.0]
    assert "sex" not in columns
    assert np.isnan(columns["gap"][1])


def test_resampled_rows_keep_together_and_follow_the_weights():
    """`resample`: all columns of a person come from one row, drawn with the weights."""
    people = people_of(count=20_000, source={"table": "world", "weight": "weight"})
    columns = drawn(people, table=TABLE, attributes=("price",), replicas=REPLICAS[:1])
    assert np.array_equal(columns["taste"][:, 0], -columns["income"] / 10.0)
    assert set(columns["income"].tolist()) == {20.0, 30.0}
    assert (columns["income"] == 30.0).mean() == pytest.approx(0.75, abs=0.02)


def test_layers_lie_over_one_another():
    """Default < table column < people.traits < segment."""
    table = Columns({"patience": np.array([3.0]), "noise": np.array([2.0]), "trust": np.array([0.9])})
    people = people_of(
        source={"table": "world"},
        traits={"noise": 4.0},
        segments=[{"name": "s", "share": 1.0, "traits": {"trust": 0.1}}],
    )
    columns = drawn(people, table=table)
    found = {name: float(columns[name][0]) for name in ("susceptibility", "patience", "noise", "trust")}
    assert found == pytest.approx({"susceptibility": 1.0, "patience": 3.0, "noise": 4.0, "trust": 0.1})


def test_a_steering_trait_is_held_within_its_bounds():
    """Patience is at least one turn and trust a share, however wide the law."""
    wide = {"normal": {"mean": 0.5, "sd": 50.0}}
    columns = drawn(people_of(count=500, traits={"patience": wide, "trust": wide, "noise": wide}))
    assert columns["patience"].min() == 1.0
    assert (columns["trust"].min(), columns["trust"].max()) == (0.0, 1.0)
    assert columns["noise"].min() > 0.0


def test_groups_are_bands_of_a_trait():
    """A value equal to a cut belongs to the band above, also where float32 rounds it down."""
    table = Columns({"share": np.array([0.69, 0.7, 0.3, 0.29999])})
    people = people_of(
        count=4,
        source={"table": "world", "use": "as_is"},
        groups={"trait": "share", "cuts": [0.3, 0.7], "names": ["low", "middle", "high"]},
    )
    assert drawn(people, table=table, replicas=REPLICAS[:1])["group"].tolist() == [1, 2, 1, 0]
    assert group_names(people) == ("low", "middle", "high")


def test_groups_are_codes_or_words():
    """Without cuts the values are codes, and words of a text column are found among the names."""
    coded = people_of(
        count=4, traits={"g": {"discrete": {"values": [0, 1]}}}, groups={"trait": "g", "names": ["a", "b"]}
    )
    columns = drawn(coded)
    assert np.array_equal(columns["group"], columns["g"])
    worded = people_of(
        count=4, source={"table": "world", "use": "as_is"}, groups={"trait": "sex", "names": ["m", "f"]}
    )
    assert drawn(worded, table=TABLE, replicas=REPLICAS[:1])["group"].tolist() == [1, 0, 0, 1]


def test_without_groups_all_are_in_one():
    """No grouping: everybody has code 0, called `all`."""
    people = people_of()
    assert not drawn(people)["group"].any()
    assert group_names(people) == ("all",)


def test_people_come_from_a_file(tmp_path):
    """A CSV file named as the source gives the same people as the same table in memory."""
    path = tmp_path / "people.csv"
    path.write_text("income,sex\n10,f\n20,m\n30,m\n40,f\n")
    from_file = drawn(people_of(source={"table": str(path)}))
    from_memory = drawn(
        people_of(source={"table": "world"}), table=Columns({"income": TABLE["income"], "sex": TABLE["sex"]})
    )
    assert same(from_file, from_memory)


WORLD = {"table": "world"}


@pytest.mark.parametrize(
    ("parts", "error", "said"),
    [
        ({"traits": {"patience": 0}}, ScenarioError, "people.traits.patience is 0"),
        ({"traits": {"trust": {"discrete": {"values": [0.5, 2]}}}}, ScenarioError, "at most 1"),
        ({"traits": {"trust": {"normal": {}, "low": 2.0}}}, ScenarioError, "leave nothing"),
        ({"traits": {"patiance": 3}}, ScenarioError, "Did you mean 'patience'"),
        ({"traits": {"user": 3}}, ScenarioError, "name of something else"),
        ({"traits": {"big": 1e39}}, ScenarioError, "'big' is drawn so large"),
        ({"traits": {"big": {"lognormal": {"sd": 1e6}}}}, ScenarioError, "'big' is drawn so large"),
        ({"traits": {"x": {"column": "income"}}}, ScenarioError, "no people.source"),
        ({"tastes": {"prise": 1}}, ScenarioError, "Did you mean 'price'"),
        ({"tastes": {}}, ScenarioError, "taste for the world's attribute 'price'"),
        ({"segments": [{"name": "s", "share": 0.5, "traits": {"wealth": 1}}]}, ScenarioError, "'wealth'"),
        ({"source": WORLD, "traits": {"x": {"column": "incone"}}}, DataError, "Did you mean 'income'"),
        ({"source": WORLD, "traits": {"x": {"column": "sex"}}}, DataError, "holds text"),
        (
            {"source": WORLD, "traits": {"x": {"column": "gap"}}},
            DataError,
            "'gap' of the world's table is nan in row 2",
        ),
        ({"source": WORLD, "visible": ["gap"]}, DataError, "nan in row 2"),
        ({"source": {**WORLD, "weight": "gap"}}, DataError, "nan in row 2"),
        ({"source": {**WORLD, "weight": "taste_price"}}, DataError, "-1 in row 1"),
        ({"source": {"table": "missing.csv"}}, DataError, "missing.csv"),
        ({"groups": {"trait": "incom", "names": ["a"]}}, ScenarioError, "'incom'"),
        ({"traits": {"g": 2}, "groups": {"trait": "g", "names": ["a", "b"]}}, DataError, "code of no group"),
        ({"source": WORLD, "groups": {"trait": "sex", "names": ["m"]}}, DataError, "holds 'f'"),
        (
            {"source": WORLD, "groups": {"trait": "sex", "cuts": [1], "names": ["a", "b"]}},
            DataError,
            "no numbers",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said_plainly(parts, error, said):
    """Each mistake is an error of the right kind that names the place and what was found there."""
    people = people_of(**{"tastes": {"each": 1.0}, **parts})
    with pytest.raises(error) as caught:
        drawn(people, attributes=("price",), table=TABLE)
    assert said in str(caught.value)
    assert caught.value.remedy


def test_a_needed_column_that_is_missing_is_named():
    """The world's needs are checked against traits and table, and the message says what there is."""
    with pytest.raises(DataError, match=r"'incone'.*world's table lacks it.*Did you mean 'income'"):
        drawn(people_of(source=WORLD), needs=("incone",), table=TABLE)
    with pytest.raises(DataError, match=r"'income'.*no people\.source"):
        drawn(people_of(), needs=("income",))
    with pytest.raises(DataError, match="'gap' of the world's table is nan in row 2"):
        drawn(people_of(source=WORLD), needs=("gap",), table=TABLE)


def test_a_world_without_a_table_cannot_be_a_source():
    """`source: world` needs a world that ships people."""
    with pytest.raises(ScenarioError, match="no table of people"):
        drawn(people_of(source=WORLD))


def test_only_people_who_are_there_can_be_drawn():
    """An id beyond the population is not found."""
    with pytest.raises(NotFoundError, match="no user 20"):
        drawn(people_of(), only=np.array([3, 20]))


@pytest.mark.parametrize(
    "parts",
    [
        {"traits": {"x": {"uniform": {"low": 2, "high": 1}}}},
        {"traits": {"x": {"discrete": {"values": [1, 2], "shares": [1]}}}},
        {"traits": {"x": {"discrete": {"values": [1, 2], "shares": [0, 0]}}}},
        {"traits": {"x": {"normal": {}, "low": 2, "high": 1}}},
        {"traits": {"x": {"normal": {"sd": float("nan")}}}},
        {"groups": {"trait": "x", "cuts": [2, 1], "names": ["a", "b", "c"]}},
        {"groups": {"trait": "x", "cuts": [1], "names": ["a"]}},
        {"groups": {"trait": "x", "names": ["a", "a"]}},
        {"segments": [{"name": "base", "share": 0.1}]},
        {"segments": [{"name": "a", "share": 0.1}, {"name": "a", "share": 0.1}]},
        {"segments": [{"name": "a", "share": 0.7}, {"name": "b", "share": 0.7}]},
        {"source": {"table": "world", "use": "as_is", "weight": "w"}},
    ],
)
def test_a_scenario_that_contradicts_itself_is_refused(parts):
    """What can be seen without drawing anybody is refused when the scenario is read."""
    with pytest.raises(ValidationError):
        people_of(**parts)
