"""Exact arithmetic: as accurate as the library's, and the same bits in any company."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from rehearse import exact
from rehearse.chance import Chance

finite = st.floats(-1e6, 1e6)


def test_exp_is_accurate_to_the_last_bits():
    """Over its whole range, exp is within 1e-15 of numpy's, relatively."""
    x = np.linspace(-700, 700, 200_001)
    assert np.abs(exact.exp(x) / np.exp(x) - 1).max() < 1e-15


def test_log_is_accurate_and_knows_its_edges():
    """The logarithm agrees with numpy to 1e-15, is minus infinity at 0 and NaN below."""
    x = np.exp(np.linspace(-600, 600, 200_001))
    assert np.allclose(exact.log(x), np.log(x), rtol=1e-15, atol=1e-15)
    assert exact.log(0.0) == -np.inf
    assert np.isnan(exact.log(-1.0))


def test_exp_and_log_undo_each_other():
    """Taking the logarithm of exp(x) gives x."""
    x = np.linspace(-50, 50, 10_001)
    assert np.allclose(exact.log(exact.exp(x)), x, rtol=1e-14, atol=1e-14)


def test_normal_quantiles_and_distribution_agree_with_scipy():
    """The normal quantile and distribution functions agree with scipy to 1e-13."""
    u = np.linspace(1e-9, 1 - 1e-9, 100_001)
    z = np.linspace(-5.9, 5.9, 10_001)
    assert np.abs(exact.normal_from_uniform(u) - stats.norm.ppf(u)).max() < 1e-13
    assert np.abs(exact.normal_cdf(z) - stats.norm.cdf(z)).max() < 1e-13


@given(arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 40)), elements=finite))
def test_total_is_the_sum_and_each_row_stands_alone(x):
    """The tree sum equals the sum to rounding, and a row's sum has the same bits in any company."""
    sums = exact.total(x)
    assert np.allclose(sums, x.sum(axis=-1), rtol=1e-9, atol=1e-6)
    assert all(exact.total(row) == whole for row, whole in zip(x, sums, strict=True))


@given(
    st.integers(1, 300),
    st.integers(1, 32),
    st.integers(1, 50),
    st.integers(0, 2**32 - 1),
)
def test_matmul_has_the_same_bits_for_any_number_of_rows(n, d, m, seed):
    """A row's scores do not depend on how many rows stand beside it, nor on the order of the terms."""
    left = Chance(seed).normal("left", 0, np.arange(n), count=d)
    right = Chance(seed).normal("right", 0, np.arange(d), count=m)
    whole = exact.matmul(left, right)
    assert np.array_equal(exact.matmul(left[:1], right), whole[:1])
    assert np.array_equal(exact.matmul(left[:, ::-1], right[::-1]), whole)
    assert np.allclose(whole, left @ right, atol=1e-4)


def test_matmul_is_exact_at_its_limits():
    """Even where every term is as large as the grid allows, no bit is lost."""
    d = 32
    limit = exact.grid_limit(d)
    left = np.full((1, d), limit - 2.0**-20)
    right = np.full((d, 1), limit - 2.0**-20)
    step = int((limit - 2.0**-20) * 2**20)
    assert exact.matmul(left, right)[0, 0] == d * step * step / 2**40
