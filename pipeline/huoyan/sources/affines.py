"""Affine transforms as tuples (a, b, c, d, e, f): x = a*col + b*row + c, y = d*col + e*row + f."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from huoyan.records import FloatArray

AffineTuple = tuple[float, float, float, float, float, float]


def of(transform: Sequence[float]) -> AffineTuple:
    """The first six numbers of an `affine.Affine`."""
    a, b, c, d, e, f = transform[:6]
    return float(a), float(b), float(c), float(d), float(e), float(f)


def moved(affine: AffineTuple, col: float, row: float) -> AffineTuple:
    """The transform of a grid whose origin is pixel (col, row) of that of `affine`."""
    a, b, c, d, e, f = affine
    return a, b, a * col + b * row + c, d, e, d * col + e * row + f


def apply(affine: AffineTuple, points: FloatArray) -> FloatArray:
    """(x, y) of each (col, row), shape (n, 2)."""
    a, b, c, d, e, f = affine
    return np.asarray(points @ np.array([[a, d], [b, e]]) + np.array([c, f]), dtype=np.float64)


def inverse(affine: AffineTuple) -> AffineTuple:
    """The way back.

    Raises:
        ZeroDivisionError: the pixels have no extent.
    """
    a, b, c, d, e, f = affine
    area = a * e - b * d
    a, b, d, e = e / area, -b / area, -d / area, a / area
    return a, b, -(a * c + b * f), d, e, -(d * c + e * f)


def after(outer: AffineTuple, inner: AffineTuple) -> AffineTuple:
    """The transform that does `inner` first, then `outer`."""
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f
