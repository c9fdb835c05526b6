"""Traits that go together do so as stated, and stay what they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rehearse.agents.copula import cholesky, measured
from rehearse.agents.population import draw
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.errors import DataError, ScenarioError
from rehearse.scenario.people import People

LAWS = {
    "a": {"normal": {"mean": 2.0, "sd": 3.0}},
    "b": {"exponential": {"mean": 2.0}},
    "c": {"uniform": {"low": 0.0, "high": 10.0}},
}
MATRIX = [[1.0, 0.7, -0.4], [0.7, 1.0, 0.0], [-0.4, 0.0, 1.0]]


def drawn(*, table=None, attributes=(), **parts):
    """Draw 20,000 people with the three laws."""
    people = People.model_validate({"count": 20_000, "traits": LAWS, **parts})
    return draw(
        people,
        attributes=attributes,
        needs=(),
        table=table,
        chance=Chance(3),
        replicas=np.zeros(1, dtype=np.int32),
    )


def together(matrix, of=("a", "b", "c")):
    """Return one stated correlation."""
    return [{"of": list(of), "matrix": matrix}]


def test_stated_correlations_are_those_of_the_normal_scores():
    """Spearman's rho of 20,000 people is 6/pi·asin(r/2) for each stated r, within .03."""
    columns = drawn(correlations=together(MATRIX))
    ranks = stats.spearmanr(np.stack([columns[n] for n in "abc"], axis=1)).statistic
    assert ranks == pytest.approx(6.0 / np.pi * np.arcsin(np.array(MATRIX) / 2.0), abs=0.03)


def test_each_trait_keeps_its_own_law():
    """Correlating traits changes who has which value, not the distribution of any of them."""
    columns = drawn(correlations=together(MATRIX))
    laws = {"a": stats.norm(2.0, 3.0), "b": stats.expon(scale=2.0), "c": stats.uniform(0.0, 10.0)}
    for name, law in laws.items():
        assert stats.kstest(columns[name], law.cdf).pvalue > 1e-4


def test_no_correlation_is_the_identity():
    """With an identity matrix a normal trait is the very number it is without one."""
    plain, identity = drawn(), drawn(correlations=together(np.eye(3).tolist()))
    assert np.array_equal(plain["a"], identity["a"])
    assert plain["b"] == pytest.approx(identity["b"], rel=1e-5)


def test_the_first_trait_is_never_moved():
    """The factor is triangular: the first trait named is what it is alone."""
    assert np.array_equal(drawn()["a"], drawn(correlations=together(MATRIX))["a"])


def test_tastes_can_go_together_with_traits():
    """A taste is named `taste_<attribute>` among correlated traits."""
    columns = drawn(
        attributes=("price",),
        tastes={"price": {"normal": {}}},
        correlations=together([[1, -0.8], [-0.8, 1]], of=("a", "taste_price")),
    )
    assert np.corrcoef(columns["a"], columns["taste"][:, 0])[0, 1] == pytest.approx(-0.8, abs=0.02)


def test_a_segment_keeps_its_people_in_their_order():
    """Who stands high among all stands high in their segment's law too."""
    columns = drawn(
        correlations=together(MATRIX),
        segments=[{"name": "s", "share": 0.5, "traits": {"c": {"normal": {"mean": 100}}}}],
    )
    inside = columns["segment"] == 1
    rho = stats.spearmanr(columns["a"][inside], columns["c"][inside]).statistic
    assert rho == pytest.approx(6.0 / np.pi * np.arcsin(-0.2), abs=0.03)
    assert columns["c"][inside].min() > 90.0


def test_measured_correlations_make_synthetic_people_like_those_observed():
    """People drawn column by column, correlated as measured, keep margins and rank correlations."""
    z = Chance(9).normal("observed", 0, np.arange(3000), count=2)
    observed = Columns({"x": np.round(np.exp(z[:, 0]), 1), "y": z[:, 0] * -0.6 + z[:, 1] * 0.8})
    columns = drawn(
        table=observed,
        source={"table": "world"},
        traits={},
        correlations=together("measured", of=("x", "y")),
    )
    rho = stats.spearmanr(observed["x"], observed["y"]).statistic
    assert stats.spearmanr(columns["x"], columns["y"]).statistic == pytest.approx(rho, abs=0.03)
    assert set(np.unique(columns["x"])) <= set(observed["x"].astype(np.float32))
    assert np.median(columns["x"]) == pytest.approx(np.median(observed["x"]), abs=0.1)
    rows = set(
        zip(observed["x"].astype(np.float32).tolist(), observed["y"].astype(np.float32).tolist(), strict=True)
    )
    drawn_rows = zip(columns["x"].tolist(), columns["y"].tolist(), strict=True)
    assert sum(pair in rows for pair in drawn_rows) < 2000


def test_measured_is_pearsons_formula_of_spearmans_rho():
    """2·sin(pi·rho/6), with the mean rank for equal values; weights count as repeats."""
    x, y = np.array([1.0, 2, 2, 3, 9, 4]), np.array([2.0, 1, 5, 5, 7, 0])
    rho = stats.spearmanr(x, y).statistic
    assert measured({"x": x, "y": y})[0][1] == pytest.approx(2.0 * np.sin(np.pi * rho / 6.0), abs=1e-14)
    times = np.array([1, 3, 2, 1, 2, 4])
    repeated = {"x": np.repeat(x, times), "y": np.repeat(y, times)}
    weighted = measured({"x": x, "y": y}, times.astype(np.float64))
    assert weighted[1][0] == pytest.approx(measured(repeated)[0][1], abs=1e-12)


@given(st.lists(st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4), min_size=4, max_size=4))
def test_the_factor_times_its_transpose_is_the_matrix(rows):
    """L·Lᵀ gives the matrix back, for any correlation matrix that is not nearly singular."""
    base = np.array(rows) + 2.0 * np.eye(4)
    covariance = base @ base.T + 0.1 * np.eye(4)
    scale = np.sqrt(np.diag(covariance))
    matrix = covariance / scale[:, None] / scale
    factor = np.array(cholesky(tuple(map(tuple, matrix.tolist()))))
    assert np.array_equal(factor, np.tril(factor))
    assert factor @ factor.T == pytest.approx(matrix, abs=1e-12)


@pytest.mark.parametrize(
    ("matrix", "of", "said"),
    [
        ([[1, 0.5], [0.4, 1]], "ab", "its mirror"),
        ([[1, 0.5], [0.5, 2]], "ab", "diagonal entry 2 is 2"),
        ([[1, 0.5]], "ab", "2 × 2"),
        ([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]], "abc", "not positive definite"),
        ([[1, 0.5], [0.5, 1]], "az", "no trait 'z'"),
        ([[1, 0.5], [0.5, 1]], "aa", "stands twice"),
    ],
)
def test_a_matrix_that_cannot_be_is_refused(matrix, of, said):
    """Asymmetric, impossible or misnamed correlations are a ScenarioError that says where."""
    with pytest.raises(ScenarioError, match=said):
        drawn(correlations=together(matrix, of=tuple(of)))


def test_a_trait_goes_together_in_one_matrix_only():
    """Two matrices for one trait would contradict each other."""
    with pytest.raises(ScenarioError, match="'b' stands in more than one"):
        drawn(
            correlations=[
                *together([[1, 0.5], [0.5, 1]], of=("a", "b")),
                *together([[1, 0.5], [0.5, 1]], of=("b", "c")),
            ]
        )


def test_measuring_needs_a_table_that_varies():
    """No source, or a constant column, has no correlation to measure."""
    with pytest.raises(ScenarioError, match=r"without people\.source"):
        drawn(correlations=together("measured"))
    table = Columns({"x": np.ones(3), "y": np.arange(3.0)})
    with pytest.raises(DataError, match="'x' is 1 in every row"):
        drawn(table=table, source={"table": "world"}, correlations=together("measured", of=("x", "y")))
