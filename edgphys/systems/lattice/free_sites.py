# SPDX-License-Identifier: MIT
"""Independent draws of sites without couplings between them: where the path from a reference begins.

    spins    p(s) = exp(b s) / 2 cosh b
    fields   p(x) ~ exp(-quadratic x^2 - quartic x^4)

Fields by rejection from a Gaussian exp(-k x^2): exp(-quadratic x^2 - quartic x^4 + k x^2) is at most
exp(c^2 / (4 quartic)), c = k - quadratic, and k = (quadratic + sqrt(quadratic^2 + 4 quartic)) / 2 accepts
most often.

References
----------
von Neumann, Various techniques used in connection with random digits, NBS Appl. Math. Ser. 12, 36 (1951).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_fields", "draw_spins", "draw_spins_in_fields"]


def draw_spins(local_field: float, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray:
    """Independent spins +1 and -1 in a reduced field b, float64.

    Examples
    --------
    >>> draw_spins(1e3, (1, 3), np.random.default_rng(0)).tolist()
    [[1.0, 1.0, 1.0]]
    """
    # Of the rarer sign, whose probability does not round to 1.
    rare = rng.random(shape) < math.exp(-2.0 * abs(local_field)) / (1.0 + math.exp(-2.0 * abs(local_field)))
    return math.copysign(1.0, local_field) * (1.0 - 2.0 * rare)


def draw_spins_in_fields(local_fields: NDArray, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Independent spins +1 and -1, each in a reduced field of its own, float64 (n, len(local_fields)).

    Examples
    --------
    >>> draw_spins_in_fields(np.array([1e3, -1e3]), 1, np.random.default_rng(0)).tolist()
    [[1.0, -1.0]]
    """
    fields = np.asarray(local_fields, dtype=np.float64)
    small = np.exp(-2.0 * np.abs(fields))
    rare = rng.random((n, len(local_fields))) < small / (1.0 + small)
    return np.where(rare, -1.0, 1.0) * np.copysign(1.0, fields)


def draw_fields(
    quadratic: float, quartic: float, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Independent fields with the density of one site, float64.

    Examples
    --------
    >>> fields = draw_fields(0.5, 0.0, (20_000,), np.random.default_rng(0))
    >>> bool(abs(fields.var() - 1.0) < 0.05)
    True
    """
    k = 0.5 * (quadratic + math.sqrt(quadratic**2 + 4.0 * quartic))
    highest = 0.25 * quartic / k**2  # c^2 / (4 quartic) with c = quartic / k
    fields = np.empty(math.prod(shape))
    missing = np.arange(len(fields))
    while len(missing):
        x = rng.standard_normal(len(missing)) / math.sqrt(2.0 * k)
        square = x * x
        accepted = np.log(rng.random(len(x))) < (k - quadratic) * square - quartic * square**2 - highest
        fields[missing[accepted]] = x[accepted]
        missing = missing[~accepted]
    return fields.reshape(shape)
