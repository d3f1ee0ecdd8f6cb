# SPDX-License-Identifier: MIT
"""Circuits that count neighbours, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from edgphys.mcmc.ising.bits.logic import HEAT_BATH, IN_FIELD, METROPOLIS, classify, gather, n_classes
from edgphys.mcmc.ising.bits.simd import load, splat, static, store

_ZERO, _ONES = np.uint64(0), np.uint64(2**64 - 1)
static_four = static(4)


@njit
def _classify_one(words, neighbours, rule, degree, out):
    lanes = static_four
    spin = load(words, _ZERO, lanes)
    flip = splat(_ONES, lanes)
    bits = gather(words, neighbours, _ZERO, spin, flip, rule, degree)
    classes, active = classify(bits, spin, rule)
    store(out, _ZERO, active)
    place = np.uint64(4)
    for word in classes:
        store(out, place, word)
        place += np.uint64(4)


@pytest.mark.parametrize(
    "rule, q",
    [
        (METROPOLIS, 1),
        (METROPOLIS, 2),
        (METROPOLIS, 4),
        (METROPOLIS, 6),
        (METROPOLIS, 8),
        (HEAT_BATH, 5),
        (IN_FIELD, 3),
    ],
)
def test_circuits_count(rule, q):
    words = np.random.default_rng(1).integers(0, 2**64, (q + 1, 4), np.uint64)
    out = np.empty(4 * (1 + n_classes(rule, q)), np.uint64)
    neighbours = np.arange(1, q + 1, dtype=np.uint32)[None]
    _classify_one(words.ravel(), neighbours, static(rule), static(q + 1), out)
    bits, result = unpack(words), unpack(out.reshape(-1, 4))
    if rule == METROPOLIS:
        count = (bits[1:] == bits[0]).sum(0) - q // 2 - 1
    else:
        count = bits[1:].sum(0) + (q + 1) * bits[0] * (rule == IN_FIELD)
    np.testing.assert_array_equal(result[0], count >= 0)
    np.testing.assert_array_equal(result[1:], count == np.arange(len(result) - 1)[:, None])


def unpack(words):
    """Bits, int64, shape (n, 256), of uint64 (n, 4)."""
    return np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little").astype(int)
