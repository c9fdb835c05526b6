"""Arithmetic that gives the same bits on every machine.

`np.exp`, `np.log` and a BLAS product may differ in the last bit between processors, versions and
batch sizes. What decides a person's life here is therefore computed only with operations that
IEEE 754 defines to the bit (add, subtract, multiply, divide, square root, rounding, scaling by a
power of two), in a stated order. All functions take and return float64 arrays and treat each
element alone, so that one person's numbers never depend on who stands beside them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rehearse.compiled import inlined, twin_of

Floats = NDArray[np.float64]

LN2_HIGH = 6.93147180369123816490e-01
"""The upper bits of ln 2: k · LN2_HIGH is exact for every |k| < 2048."""
LN2_LOW = 1.90821492927058770002e-10
INVERSE_LN2 = 1.44269504088896338700
SQRT2 = 1.41421356237309514547
EXP_RANGE = 708.0
GRID = 2.0**20
ROUNDER = 1.5 * 2.0**52
_POWERS = np.ldexp(1.0, np.arange(-1022, 1023))
"""The powers of two that `exp` needs."""

# Taylor coefficients 1/k! suffice on |r| <= ln2/2: the first one left out is below 2e-17.
_EXP_TERMS = tuple(
    1.0 / f
    for f in (
        87178291200.0,
        6227020800.0,
        479001600.0,
        39916800.0,
        3628800.0,
        362880.0,
        40320.0,
        5040.0,
        720.0,
        120.0,
        24.0,
        6.0,
        2.0,
        1.0,
        1.0,
    )
)
_LOG_TERMS = tuple(2.0 / k for k in (21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0))


def exp(x: ArrayLike) -> Floats:
    """Return e**x, with a relative error below 1e-15; arguments are held within ±708."""
    powers = np.array(x, dtype=np.float64, order="C")
    exp_each(powers.reshape(-1))
    return powers


def _exp_each(x: Floats) -> None:
    bounded = np.where(x > -EXP_RANGE, np.minimum(x, EXP_RANGE), -EXP_RANGE)
    k = np.rint(bounded * INVERSE_LN2)
    r = (bounded - k * LN2_HIGH) - k * LN2_LOW
    total = np.full_like(r, _EXP_TERMS[0])
    for term in _EXP_TERMS[1:]:
        total *= r
        total += term
    x[:] = np.where(np.isnan(x), x, np.ldexp(total, k.astype(np.int32)))


@inlined
def exp_one(x: float) -> float:
    """Return e**x of one number, for compiled loops: the steps of `exp`, bit for bit.

    Adding and taking away 1.5 · 2**52 rounds to the nearest whole number, halves to even, as np.rint
    does; and a product with a power of two is exact, as np.ldexp is.
    """
    bounded = min(x, EXP_RANGE) if x > -EXP_RANGE else -EXP_RANGE
    k = (bounded * INVERSE_LN2 + ROUNDER) - ROUNDER
    r = (bounded - k * LN2_HIGH) - k * LN2_LOW
    total = _EXP_TERMS[0]
    for term in _EXP_TERMS[1:]:
        total = total * r + term
    return total * _POWERS[int(k) + 1022] if x == x else x  # noqa: PLR0124 -- NaN stays NaN


@inlined
def exp_loop(x: Floats) -> None:
    """Put e**x in the place of each of some numbers, shape (n,), within a compiled loop."""
    for i in range(len(x)):
        x[i] = exp_one(x[i])


exp_each = twin_of(_exp_each)(exp_loop)
"""Put e**x in the place of each of some numbers, shape (n,)."""


def log(x: ArrayLike) -> Floats:
    """Return ln x for positive x (minus infinity at 0, NaN below), relative error below 1e-15."""
    found = np.array(x, dtype=np.float64, order="C")
    _log_each(found.reshape(-1))
    return found


def _log_each_plainly(x: Floats) -> None:
    mantissa, exponent = np.frexp(np.abs(x))
    low = mantissa < SQRT2 / 2
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    k = np.where(low, exponent - 1, exponent).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    total = np.full_like(z, _LOG_TERMS[0])
    for term in _LOG_TERMS[1:]:
        total = total * z + term
    result = k * LN2_HIGH + (s * total + k * LN2_LOW)
    x[:] = np.where(x > 0.0, result, np.where(x == 0.0, -np.inf, np.nan))


@twin_of(_log_each_plainly)
def _log_each(x: Floats) -> None:
    for i in range(len(x)):
        if x[i] > 0.0:
            x[i] = _log_one(x[i])
        else:
            x[i] = -np.inf if x[i] == 0.0 else np.nan


def sigmoid(x: ArrayLike) -> Floats:
    """Return 1 / (1 + e**-x)."""
    return np.asarray(1.0 / (1.0 + exp(-np.asarray(x, dtype=np.float64))))


def total(x: NDArray[np.generic]) -> Floats:
    """Return the sum over the last axis, added in a fixed tree of halves, in float64."""
    parts = np.asarray(x, dtype=np.float64)
    while parts.shape[-1] > 1:
        half = parts.shape[-1] // 2
        folded = parts[..., :half] + parts[..., half : 2 * half]
        odd = parts[..., 2 * half :]
        parts = np.concatenate([folded, odd], axis=-1) if odd.shape[-1] else folded
    return parts[..., 0] if parts.shape[-1] else np.zeros(parts.shape[:-1])


def on_grid(x: ArrayLike, limit: float = 16.0) -> Floats:
    """Round to multiples of 2**-20 and hold within ±limit, so that `matmul` is exact."""
    found = np.array(x, dtype=np.float64, order="C")
    _put_on_grid(found.reshape(-1), limit)
    return found


def _put_on_grid_plainly(x: Floats, limit: float) -> None:
    x[:] = np.clip(np.rint(x * GRID) / GRID, -limit, limit)


@twin_of(_put_on_grid_plainly)
def _put_on_grid(x: Floats, limit: float) -> None:
    for i in range(len(x)):
        near = np.rint(x[i] * GRID) / GRID
        if near < -limit:
            near = -limit
        elif near > limit:
            near = limit
        x[i] = near


def grid_limit(terms: int) -> float:
    """Return how large numbers on the grid may be so that `terms` products add up exactly."""
    return float(2.0 ** ((13 - math.ceil(math.log2(max(terms, 1)))) // 2))


def matmul(rows: ArrayLike, columns: ArrayLike, out: Floats | None = None) -> Floats:
    """Return rows (n, d) @ columns (d, m) with the same bits for any n, BLAS and machine.

    Both sides are rounded to a grid of 2**-20 and held within `grid_limit(d)` first (±16 up to 32
    terms). Each product is then a multiple of 2**-40 and every partial sum stays below 2**13, which
    fits the 53 bits of a double: nothing is ever rounded, so the order of addition cannot matter.
    """
    right = np.asarray(columns, dtype=np.float64)
    limit = grid_limit(right.shape[0])
    return np.matmul(on_grid(rows, limit), on_grid(right, limit), out=out)


def normal_from_uniform(u: ArrayLike) -> Floats:
    """Return the standard normal quantile of u in (0, 1).

    Wichura (1988), Algorithm AS 241 (PPND16), Applied Statistics 37: relative error about 1e-16.
    """
    normal = np.array(u, dtype=np.float64, order="C")
    _quantile_each(normal.reshape(-1))
    return normal


def _quantile_each_plainly(p: Floats) -> None:
    q = p - 0.5
    normal = np.asarray(q * _ratio(0.180625 - q * q, _AS241_A, _AS241_B))
    outer = np.flatnonzero(np.abs(q) > 0.425)
    if len(outer):
        flat = p.take(outer)
        tail = np.sqrt(-log(np.minimum(flat, 1.0 - flat)))
        far = tail > 5.0
        size = _ratio(tail - 1.6, _AS241_C, _AS241_D)
        if far.any():
            size = np.where(far, _ratio(tail - 5.0, _AS241_E, _AS241_F), size)
        normal[outer] = np.where(flat < 0.5, -size, size)
    p[:] = normal


@twin_of(_quantile_each_plainly)
def _quantile_each(p: Floats) -> None:
    for i in range(len(p)):
        q = p[i] - 0.5
        if abs(q) <= 0.425:
            p[i] = q * _ratio_one(0.180625 - q * q, _AS241_A, _AS241_B)
            continue
        tail = math.sqrt(-_log_one(min(p[i], 1.0 - p[i])))
        if tail > 5.0:
            size = _ratio_one(tail - 5.0, _AS241_E, _AS241_F)
        else:
            size = _ratio_one(tail - 1.6, _AS241_C, _AS241_D)
        p[i] = -size if q < 0.0 else size


@inlined
def _log_one(value: float) -> float:
    mantissa, exponent = math.frexp(value)
    if mantissa < SQRT2 / 2:
        mantissa *= 2.0
        exponent -= 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    total = _LOG_TERMS[0]
    for term in _LOG_TERMS[1:]:
        total = total * z + term
    return exponent * LN2_HIGH + (s * total + exponent * LN2_LOW)


@inlined
def _ratio_one(x: float, above: tuple[float, ...], below: tuple[float, ...]) -> float:
    top, bottom = above[0], below[0]
    for place in range(1, len(above)):
        top = top * x + above[place]
        bottom = bottom * x + below[place]
    return top / bottom


def normal_cdf(z: ArrayLike) -> Floats:
    """Return the standard normal distribution function, absolute error below 1e-14.

    Marsaglia's (2004) series phi(z) · (z + z³/3 + z⁵/15 + …) inside |z| < 6, 0 or 1 to 1e-9 outside.
    """
    x = np.clip(np.asarray(z, dtype=np.float64), -6.0, 6.0)
    square = x * x
    term = x.copy()
    series = x.copy()
    for k in range(3, 161, 2):
        term = term * square / k
        series = series + term
    density = exp(-0.5 * square) * 0.39894228040143267794
    return np.clip(0.5 + density * series, 0.0, 1.0)


def _ratio(x: Floats, above: tuple[float, ...], below: tuple[float, ...]) -> Floats:
    top, bottom = np.full_like(x, above[0]), np.full_like(x, below[0])
    for a, b in zip(above[1:], below[1:], strict=True):
        top *= x
        top += a
        bottom *= x
        bottom += b
    return np.asarray(top / bottom)


_AS241_A = (
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080e0,
)
_AS241_B = (
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
)
_AS241_C = (
    7.74545014278341407640e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258e0,
    3.64784832476320460504e0,
    5.76949722146069140550e0,
    4.63033784615654529590e0,
    1.42343711074968357734e0,
)
_AS241_D = (
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940e0,
    2.05319162663775882187e0,
    1.0,
)
_AS241_E = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    1.24266094738807843860e-3,
    2.65321895265761230930e-2,
    2.96560571828504891230e-1,
    1.78482653991729133580e0,
    5.46378491116411436990e0,
    6.65790464350110377720e0,
)
_AS241_F = (
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    1.48753612908506148525e-2,
    1.36929880922735805310e-1,
    5.99832206555887937690e-1,
    1.0,
)
