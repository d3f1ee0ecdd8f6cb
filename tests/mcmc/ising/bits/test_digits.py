# SPDX-License-Identifier: MIT
"""Binary digits of flip probabilities: those of the other samplers, small ones too."""

from __future__ import annotations

import numpy as np
import pytest

from edgphys.mcmc.ising import flip_probabilities
from edgphys.mcmc.ising.bits import digits
from edgphys.mcmc.ising.bits import sweep as bits_sweep
from edgphys.mcmc.ising.bits.logic import HEAT_BATH, IN_FIELD, METROPOLIS
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.mcmc.ising.metropolis import IsingMetropolis


@pytest.mark.parametrize("p", [LAZY, LAZY * np.exp(-8 / 2.27), LAZY * np.exp(-32.0), 1e-14])
def test_digits_are_those_of_the_probability(p):
    number = flip_probabilities.scaled(p, digits._BITS)
    assert 0 <= p - number / 2.0**digits._BITS < 2.0**-digits._BITS
    pattern, digit, found = digits.steps(number), 0, []
    for j in range(digits.PLANES):
        digit ^= pattern >> j & 1
        found.append(digit)
    alone, shared = digits.rests(number)
    head = sum(d / 2.0 ** (j + 1) for j, d in enumerate(found))
    assert head + shared / 2.0**digits._BITS == number / 2.0**digits._BITS
    head = sum(d / 2.0 ** (j + 1) for j, d in enumerate(found[: bits_sweep.ALONE]))
    assert abs(head + alone / 2.0 ** (64 + bits_sweep.ALONE) - p) < 2.0**-69


def scaled(numbers):
    return np.array([number / 2.0**digits._BITS for number in numbers])


def test_probabilities_are_those_of_the_other_samplers():
    q, beta, coupling, field = 4, 0.43, -0.7, 0.2
    table = IsingMetropolis.flip_table(beta, coupling, field, q) / 2.0**64
    ours = scaled(digits.probabilities(IN_FIELD, q, beta, coupling, field))
    up_minus_down = 2 * np.arange(q + 1) - q
    for row, spin in enumerate((-1, 1)):
        theirs = table[(2 * q + 1) * row + spin * up_minus_down + q]
        np.testing.assert_allclose(ours[(q + 1) * row :][: q + 1], theirs, rtol=1e-14)
    local = coupling * up_minus_down + field
    heat_bath = scaled(digits.probabilities(HEAT_BATH, q, beta, coupling, field))
    np.testing.assert_allclose(heat_bath, 1 / (1 + np.exp(-2 * beta * local)), rtol=1e-14)
    plain = scaled(digits.probabilities(METROPOLIS, q, beta, coupling, 0.0))
    np.testing.assert_allclose(plain, LAZY * np.exp(-beta * 2 * 0.7 * np.array([2, 4])), rtol=1e-14)


def test_rare_spins_of_the_heat_bath_keep_their_rate():
    down, up = digits.probabilities(HEAT_BATH, 1, 1.0, 16.0, 0.0)
    scale = 2.0**digits._BITS
    assert down / scale == pytest.approx(np.exp(-32.0), rel=1e-6)
    assert (2**digits._BITS - up) / scale == pytest.approx(np.exp(-32.0), rel=1e-6)
