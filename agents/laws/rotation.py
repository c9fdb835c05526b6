"""Rotation: tastes that turn towards what was taken and keep their strength.

With θ the angle between taste u and attributes a, and ê the direction of a across u,

    u' = |u| (cos(pθ) û + sin(pθ) ê)

turns u by the part p of θ: spherical linear interpolation, sin((1 − p)θ) / sin θ û + sin(pθ) / sin θ â,
written without a division by sin θ (Shoemake, "Animating rotation with quaternion curves", SIGGRAPH
1985), as T-RECS lets users drift (Lucherini and others, arXiv:2107.08959).
"""

from __future__ import annotations

import numpy as np

from rehearse.agents.blocks import fold_one
from rehearse.compiled import inlined, twin_of
from rehearse.exact import Floats, total

HALVINGS = 4
TERMS = 12


def turned(taste: Floats, towards: Floats, part: float) -> Floats:
    """Return tastes (n, d) turned by a part of the way to directions (n, d), their lengths kept.

    Who has no taste, or is turned to nowhere or to the very opposite, stays.
    """
    after = np.empty(taste.shape)
    _turn(taste, towards, part, after)
    return after


def _turn_plainly(taste: Floats, towards: Floats, part: float, after: Floats) -> None:
    length, far = _length(taste), _length(towards)
    along = total(taste * towards) / np.where(length > 0.0, length * length, 1.0)
    across = towards - along[:, None] * taste
    width = _length(across)
    turns = (length > 0.0) & (width > 1e-12 * far)
    angle = part * _angle(along * length, width)
    way = across * (length / np.where(turns, width, 1.0))[:, None]
    moved = _cosine(angle)[:, None] * taste + _sine(angle)[:, None] * way
    after[:] = np.where(turns[:, None], moved, taste)


@twin_of(_turn_plainly)
def _turn(taste: Floats, towards: Floats, part: float, after: Floats) -> None:
    parts, across = np.empty(taste.shape[1]), np.empty(taste.shape[1])
    for i in range(len(taste)):
        u, a = taste[i], towards[i]
        length, far = np.sqrt(_product(u, u, parts)), np.sqrt(_product(a, a, parts))
        along = _product(u, a, parts) / (length * length if length > 0.0 else 1.0)
        for d in range(len(u)):
            across[d] = a[d] - along * u[d]
        width = np.sqrt(_product(across, across, parts))
        after[i] = u
        if length > 0.0 and width > 1e-12 * far:
            angle = part * _angle_one(along * length, width)
            half, sine = _sine_one(angle / 2.0), _sine_one(angle)
            for d in range(len(u)):
                after[i, d] = (1.0 - 2.0 * half * half) * u[d] + sine * (across[d] * (length / width))


@inlined
def _product(one: Floats, other: Floats, parts: Floats) -> float:
    for d in range(len(one)):
        parts[d] = one[d] * other[d]
    return fold_one(parts, len(one))


@inlined
def _angle_one(x: float, y: float) -> float:
    for _ in range(HALVINGS):
        x = x + np.sqrt(x * x + y * y)
    t = y / (x if x > 0.0 else 1.0)
    square, series = t * t, 0.0
    for k in range(TERMS, -1, -1):
        series = (1.0 - 2.0 * (k % 2)) / (2 * k + 1) + square * series
    return t * series * 2.0**HALVINGS


@inlined
def _sine_one(angle: float) -> float:
    square, series = angle * angle, 1.0
    for k in range(2 * TERMS - 2, 0, -2):
        series = 1.0 - square / (k * (k + 1)) * series
    return angle * series


def _length(vectors: Floats) -> Floats:
    return np.asarray(np.sqrt(total(vectors * vectors)))


def _angle(x: Floats, y: Floats) -> Floats:
    """Return the angle of points (x, y ≥ 0) from 0 to π; it is halved until a short series will do."""
    for _ in range(HALVINGS):  # half the angle of (x, y) is that of (x + |(x, y)|, y)
        x = x + np.sqrt(x * x + y * y)
    t = y / np.where(x > 0.0, x, 1.0)
    square, series = t * t, np.zeros_like(t)
    for k in range(TERMS, -1, -1):
        series = (1.0 - 2.0 * (k % 2)) / (2 * k + 1) + square * series
    return np.asarray(t * series * 2.0**HALVINGS)


def _cosine(angle: Floats) -> Floats:
    half = _sine(angle / 2.0)
    return np.asarray(1.0 - 2.0 * half * half)


def _sine(angle: Floats) -> Floats:
    """Return the sine of angles from −π to π."""
    square, series = angle * angle, np.zeros_like(angle)
    for k in range(2 * TERMS, 0, -2):
        series = 1.0 - square / (k * (k + 1)) * series if k < 2 * TERMS else np.ones_like(angle)
    return np.asarray(angle * series)
