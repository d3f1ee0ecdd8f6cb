# SPDX-License-Identifier: MIT
r"""Exact draws of one spin in a field.

The angle f to the field has the density

    two components      exp(k cos f)             (von Mises), f in [-pi, pi)
    three components    exp(k cos f) sin f       the cosine is exponential, the azimuth uniform

with k >= 0 the field over the temperature. Von Mises by rejection from a wrapped Cauchy density (Best and
Fisher), of which at least 66 per cent are accepted, and for k below `_WEAK` from a uniform angle; the cosine
by the inverse of its distribution function. All in terms of g = 1 - cos f, which keeps its digits however
strong the field is.

References
----------
Best and Fisher, Appl. Stat. 28, 152 (1979), doi:10.2307/2346732.
"""

from __future__ import annotations

import math

from numba import njit

from edgphys.mcmc.random.xoshiro import advance_words, unit_interval

__all__ = ["circle_point", "exponential_cosine", "von_mises"]

# Uniform angles are accepted with exp(-k) I_0(k) > 0.75 there.
_WEAK = 0.3


@njit(nogil=True, cache=True)
def circle_point(s0, s1, s2, s3):
    """Cosine and sine of a uniform angle, from a point in the unit disc; and the state of the generator."""
    square = 2.0
    a = b = 0.0
    while square >= 1.0 or square == 0.0:
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        a = 2.0 * unit_interval(word) - 1.0
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        b = 2.0 * unit_interval(word) - 1.0
        square = a * a + b * b
    return (a * a - b * b) / square, 2.0 * a * b / square, s0, s1, s2, s3


@njit(nogil=True, cache=True)
def von_mises(k, s0, s1, s2, s3):
    """1 - cos f, the sign of f, and the state of the generator."""
    if k < _WEAK:
        while True:
            cosine, sine, s0, s1, s2, s3 = circle_point(s0, s1, s2, s3)
            word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
            if unit_interval(word) < math.exp(k * (cosine - 1.0)):
                return 1.0 - cosine, math.copysign(1.0, sine), s0, s1, s2, s3
    # Their r = (1 + rho^2) / 2 rho is (1 + s) / 2 k, s^2 = 1 + 4 k^2; r - 1 without cancellation.
    r_less_one = (1.0 + 1.0 / (math.sqrt(1.0 + 4.0 * k * k) + 2.0 * k)) / (2.0 * k)
    while True:
        z, sine, s0, s1, s2, s3 = circle_point(s0, s1, s2, s3)
        word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
        u = unit_interval(word)
        g = r_less_one * (1.0 - z) / (1.0 + r_less_one + z)
        c = k * (r_less_one + g)
        # The first bound mostly spares the logarithm.
        if c * (2.0 - c) > u or u == 0.0 or math.log(c / u) + 1.0 >= c:
            return g, math.copysign(1.0, sine), s0, s1, s2, s3


@njit(nogil=True, cache=True)
def exponential_cosine(k, s0, s1, s2, s3):
    """1 - cos f and the state of the generator."""
    word, s0, s1, s2, s3 = advance_words(s0, s1, s2, s3)
    u = unit_interval(word)
    if k < 1e-8:
        return 2.0 * u, s0, s1, s2, s3
    return min(2.0, -math.log1p(u * math.expm1(-2.0 * k)) / k), s0, s1, s2, s3
