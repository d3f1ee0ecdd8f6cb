# SPDX-License-Identifier: MIT
"""Probabilities of single-spin flips as integers: floor(p 2^n_bits), to be compared with random bits.

Compared as integers, rare excitations (probability 1e-12 and below) keep their exact rate, and so do their
complements.
"""

from __future__ import annotations

import math

__all__ = ["LAZY", "LAZY_STEPS", "logistic", "scaled"]

# Metropolis makes a move that costs nothing with probability LAZY = 1 - 2^-LAZY_STEPS = 15/16, which in the
# words of `edgphys.mcmc.ising.bits.sweep` is no extra work; `edgphys.mcmc.ising.metropolis` says why.
LAZY_STEPS = 4
LAZY = 1 - 2.0**-LAZY_STEPS


def scaled(p: float, n_bits: int) -> int:
    """floor(p 2^n_bits).

    Examples
    --------
    >>> scaled(0.75, 3)
    6
    """
    return int(math.ldexp(p, n_bits))


def logistic(x: float, n_bits: int) -> int:
    """2^n_bits / (1 + exp(-x)), the smaller of it and its complement exact to the rounding of a double.

    Examples
    --------
    >>> logistic(0.0, 3), logistic(-60.0, 64), 2**64 - logistic(60.0, 64)
    (4, 0, 1)
    """
    small = scaled(math.exp(-abs(x)) / (1.0 + math.exp(-abs(x))), n_bits)
    return small if x < 0 else 2**n_bits - max(small, 1)
