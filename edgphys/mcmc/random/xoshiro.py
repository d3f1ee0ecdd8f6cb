# SPDX-License-Identifier: MIT
"""xoshiro256++: the random numbers inside the numba kernels, with a state that is passed by hand.

A state is an array ``rng`` of four ``uint64`` words, one array per chain, filled from a spawned
``numpy.random.SeedSequence`` and advanced in place. Period ``2**256 - 1``; 64 good bits per call. Nothing
global is read or written, so what a chain draws does not depend on the thread that runs it.

`advance_words` is the same step on four local variables: inner loops that store into other arrays keep the
state in registers with it, which is about twice as fast.

References
----------
Blackman and Vigna, Scrambled linear pseudorandom number generators, ACM Trans. Math. Softw. 47, 36 (2021),
doi:10.1145/3460772.

Examples
--------
>>> rng = new_state(np.random.SeedSequence(7))
>>> bool(0.0 <= uniform(rng) < 1.0)
True
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

__all__ = ["advance_words", "new_state", "next_word", "random_site", "uniform", "unit_interval"]

# Plain int literals are int64 in numba, and int64 with uint64 gives float64: every constant is typed.
_S17, _S23, _S45, _S19, _S41 = (np.uint64(k) for k in (17, 23, 45, 19, 41))
_S11, _S32 = np.uint64(11), np.uint64(32)
_TO_UNIT = 2.0**-53


def new_state(seed: np.random.SeedSequence) -> np.ndarray:
    """State of a generator, shape (4,), uint64, from a seed sequence (four zero words are replaced)."""
    words = seed.generate_state(4, np.uint64)
    if not words.any():  # the one state that xoshiro cannot leave
        words[0] = 1
    return words


@njit(nogil=True, cache=True, inline="always")
def advance_words(s0, s1, s2, s3):
    """One step on local words: ``(random word, s0, s1, s2, s3)``, all uint64."""
    mixed = s0 + s3
    word = ((mixed << _S23) | (mixed >> _S41)) + s0
    shifted = s1 << _S17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << _S45) | (s3 >> _S19)
    return word, s0, s1, s2, s3


@njit(nogil=True, cache=True)
def next_word(rng):
    """64 random bits; advances `rng`, shape (4,), uint64, in place."""
    word, rng[0], rng[1], rng[2], rng[3] = advance_words(rng[0], rng[1], rng[2], rng[3])
    return word


@njit(nogil=True, cache=True)
def uniform(rng):
    """Uniform float64 in [0, 1) with 53 random bits."""
    return unit_interval(next_word(rng))


@njit(nogil=True, cache=True, inline="always")
def unit_interval(word):
    """Uniform float64 in [0, 1) of 64 random bits."""
    return (word >> _S11) * _TO_UNIT


@njit(nogil=True, cache=True)
def random_site(rng, n_sites):
    """Site index in ``0..n_sites-1``, for fewer than ``2**32`` sites.

    Probabilities are equal up to ``n_sites / 2**32``. They do not depend on the configuration, so this
    leaves every transition kernel that picks a site first exactly stationary.
    """
    return ((next_word(rng) >> _S32) * uint64(n_sites)) >> _S32
