# SPDX-License-Identifier: MIT
"""Transfer operators against enumeration, direct sums over all fields, dense matrices and the free field."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from helpers.oracles import (
    dense_ising_log_z,
    dense_phi4_log_z,
    enumerate_ising,
    phi4_action,
    sum_over_grid,
    torus_bonds,
)

import lattices
from edgphys.errors import NotExactError
from edgphys.exact import enumeration, gaussian, transfer

COUPLINGS = [(0.25, 0.956, 0.022), (0.3, -0.6, 0.4), (-0.2, 0.5, 0.3), (0.0, 1.0, 0.5)]


@pytest.mark.parametrize(
    ("coupling", "field"), [(1.0, 0.0), (1.0, 0.4), (-1.0, 0.0), (-1.0, -0.6), (0.0, 0.2)]
)
@pytest.mark.parametrize("n", [3, 8, 9])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 30.0])
def test_ising_ring_equals_enumeration(n, temperature, coupling, field):
    expected = enumeration.ising(lattices.build("chain", (n,)), temperature, coupling, field)
    found = transfer.ising_chain(n, temperature, coupling, field)
    expected = {name: value for name, value in expected.items() if not name.startswith("staggered_")}
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def test_ising_ring_of_two_has_a_double_bond():
    exact = enumerate_ising(2, torus_bonds(2), 1.7, 1.0, 0.2)
    found = transfer.ising_chain(2, 1.7, 1.0, 0.2)
    assert found["log_z"] == pytest.approx(exact["log_z"], rel=1e-13)
    assert found["energy"] == pytest.approx(exact["energy"], rel=1e-13)


@pytest.mark.parametrize("n", [50, 1000, 2000])
@pytest.mark.parametrize("temperature", [0.02, 0.5, 3.0])
def test_long_ising_rings_equal_the_eigenvalue_formula(n, temperature):
    k = 1 / temperature
    expected = n * (k + math.log1p(math.exp(-2 * k))) + math.log1p(math.tanh(k) ** n)
    found = transfer.ising_chain(n, temperature)
    assert found["log_z"] == pytest.approx(expected, rel=1e-11)
    tail = math.tanh(k) ** n
    energy = -n * (math.tanh(k) + tail / math.tanh(k)) / (1 + tail)
    assert found["energy"] == pytest.approx(energy, rel=1e-9)


def test_ring_is_a_torus_of_width_one_in_the_oracle():
    assert transfer.ising_chain(12, 1.3)["log_z"] == pytest.approx(
        dense_ising_log_z(1, 12, 1 / 1.3) - 12 / 1.3
    )


def averages(n, bonds, couplings, end, n_nodes, waves=()):
    """Estimates of n coupled sites by a direct sum over all fields."""

    def action(fields):
        return phi4_action(fields, bonds, *couplings)

    def wave(amplitudes):
        return lambda fields: abs(sum(a * x for a, x in zip(amplitudes, fields, strict=True))) ** 2

    functions = [
        action,
        lambda f: action(f) ** 2,
        lambda f: sum(f) ** 2,
        lambda f: sum(f) ** 4,
        lambda f: f[0] ** 2,
        *map(wave, waves),
    ]
    log_z, (s, s2, m2, m4, phi2, *power) = sum_over_grid(n, action, functions, end, n_nodes)
    result = {
        "log_z": log_z,
        "energy": s,
        "specific_heat": (s2 - s**2) / n,
        "susceptibility": m2 / n,
        "binder_cumulant": 1 - m4 / (3 * m2**2),
        "phi2": phi2,
    }
    return result, m2, power


def compare(found, expected, rel):
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=rel, abs=rel), name


@pytest.mark.parametrize("couplings", COUPLINGS)
@pytest.mark.parametrize("n", [2, 3, 4])
def test_phi4_ring_equals_direct_sum(n, couplings):
    wave = np.exp(2j * np.pi * np.arange(n) / n)
    end = 7.0 if couplings[2] < 0.1 else 3.8
    expected, m2, (power,) = averages(n, torus_bonds(n), couplings, end, {2: 60, 3: 60, 4: 40}[n], [wave])
    found = transfer.phi4_chain(n, *couplings)
    compare(found, expected, 1e-8)
    assert found["magnetization"] == 0.0
    assert found["accuracy"] < 1e-10
    if m2 > power * (1 + 1e-9):
        length = math.sqrt(m2 / power - 1) / (2 * math.sin(math.pi / n))
        assert found["correlation_length"] == pytest.approx(length, rel=1e-7)


@pytest.mark.parametrize("n", [3, 16, 101])
@pytest.mark.parametrize(("hop", "quadratic"), [(0.25, 0.956), (0.49, 1.0), (-0.3, 0.8)])
def test_phi4_ring_equals_the_free_field(n, hop, quadratic):
    expected = gaussian.free_field(lattices.build("chain", (n,)), hop, quadratic)
    found = transfer.phi4_chain(n, hop, quadratic, 0.0)
    del expected["abs_magnetization"]
    accuracy = found.pop("accuracy")
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-11, nan_ok=True)
    assert accuracy < 1e-10


def test_phi4_ring_does_not_depend_on_the_grid():
    coarse = transfer._chain_on_grid(24, 0.4, -0.8, 0.3, 96)
    fine = transfer._chain_on_grid(24, 0.4, -0.8, 0.3, 192)
    assert fine == pytest.approx(coarse, rel=1e-11)


def test_phi4_ring_energy_is_a_derivative_of_log_z():
    """<S> and Var S are derivatives of ln Z in a common factor of the couplings: central differences."""
    couplings, h = np.array([0.4, -0.8, 0.3]), 1e-3
    low, mid, high = (transfer.phi4_chain(12, *(couplings * s)) for s in (1 - h, 1, 1 + h))
    assert mid["energy"] == pytest.approx(-(high["log_z"] - low["log_z"]) / (2 * h), rel=1e-4)
    curvature = (high["log_z"] - 2 * mid["log_z"] + low["log_z"]) / h**2
    assert mid["specific_heat"] == pytest.approx(curvature / 12, rel=1e-4)


@pytest.mark.parametrize("couplings", COUPLINGS)
def test_phi4_torus_equals_direct_sum(couplings):
    waves = [np.array([1, 1, -1, -1]), np.array([1, -1, 1, -1])]
    end = 7.0 if couplings[2] < 0.1 else 3.8
    expected, m2, power = averages(4, torus_bonds(2, 2), couplings, end, 40, waves)
    found = transfer.phi4_torus((2, 2), *couplings, rank=16)
    compare(found, expected, 3e-8)
    if m2 > np.mean(power) * (1 + 1e-9):
        length = math.sqrt(m2 / np.mean(power) - 1) / 2
        assert found["correlation_length"] == pytest.approx(length, rel=1e-6)


@pytest.mark.parametrize("couplings", [(0.2, -0.3, 0.4), (-0.15, 0.5, 0.3)])
def test_phi4_torus_of_three_by_three_and_two_by_five(couplings):
    for width, length, n_nodes in ((3, 3, 9), (2, 5, 18)):
        expected = dense_phi4_log_z(width, length, *couplings, n_nodes)
        found = transfer.phi4_torus((length, width), *couplings, rank=10 if width == 2 else 8)
        assert found["log_z"] == pytest.approx(expected, rel=2e-7)
        assert found["accuracy"] < 1e-3


@pytest.mark.parametrize(("extent", "rank"), [((2, 4), 12), ((3, 3), 9), ((4, 3), 8), ((4, 4), 6)])
@pytest.mark.parametrize("hop", [0.15, -0.15])
def test_phi4_torus_equals_the_free_field(extent, rank, hop):
    """All estimates; the truncation falls quickly with the rank, and `accuracy` must cover the true error."""
    lattice = lattices.build("square", extent, allow_double_bonds=True)
    expected = gaussian.free_field(lattice, hop, 1.0)
    found = transfer.phi4_torus(extent, hop, 1.0, 0.0, rank=rank)
    accuracy = found["accuracy"]
    assert accuracy < 2e-3
    for name, value in found.items():
        if name != "accuracy":
            assert value == pytest.approx(
                expected[name], abs=max(accuracy, 1e-11) * max(1, abs(value)), nan_ok=True
            ), name
    if hop > 0:
        assert found["log_z"] == pytest.approx(expected["log_z"], abs=1e-7)


def test_phi4_torus_converges_with_the_rank():
    errors = [
        transfer.phi4_torus((2, 3), 0.25, 0.956, 0.022, rank=rank)["accuracy"] for rank in (6, 8, 10, 12)
    ]
    assert all(later < 0.2 * earlier for earlier, later in itertools.pairwise(errors))
    assert errors[-1] < 1e-6


@pytest.mark.parametrize("function", [transfer.phi4_chain, transfer.phi4_torus])
@pytest.mark.parametrize(
    ("couplings", "error", "match"),
    [
        ((0.2, 1.0, -0.1), ValueError, r"quartic must not be negative, got -0.1"),
        ((0.6, 1.0, 0.0), ValueError, r"quadratic must exceed \d \|hop\| when quartic is 0, got 1.0"),
        ((0.6, "1", 0.0), TypeError, "quadratic must be a real number"),
        ((math.nan, 1.0, 0.1), ValueError, "hop must be finite"),
    ],
)
def test_bad_couplings(function, couplings, error, match):
    with pytest.raises(error, match=match):
        function(3 if function is transfer.phi4_chain else (3, 3), *couplings)


def test_bad_sizes():
    with pytest.raises(ValueError, match="n must be an integer from 2 to 65536, got 1"):
        transfer.phi4_chain(1, 0.1, 1.0, 0.1)
    with pytest.raises(ValueError, match="n must be an integer from 2 to 4096, got 5000"):
        transfer.ising_chain(5000, 1.0)
    with pytest.raises(NotExactError, match=r"extent must have one side of at most 4 .* got \(5, 5\)"):
        transfer.phi4_torus((5, 5), 0.1, 1.0, 0.1)
    with pytest.raises(ValueError, match=r"extent must be a pair of integers, got 3"):
        transfer.phi4_torus(3, 0.1, 1.0, 0.1)
    with pytest.raises(ValueError, match="rank must be an integer from 4 to 16, got 17"):
        transfer.phi4_torus((3, 3), 0.1, 1.0, 0.1, rank=17)


@pytest.mark.parametrize("n", [2, 5, 8])
@pytest.mark.parametrize("k", [-2.0, -0.3, 0.0, 0.2, 1.5])
def test_correlator_of_a_ring_at_its_lowest_momentum(n, k):
    spins = 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    wave = np.abs(spins @ np.exp(2j * np.pi * np.arange(n) / n)) ** 2 / n
    for h in (0.0, 0.3):
        weights = np.exp(k * (spins * np.roll(spins, 1, 1)).sum(1) + h * spins.sum(1))
        exact = weights @ wave / weights.sum()
        assert transfer._ising_ring_correlator(n, k, h) == pytest.approx(exact, rel=1e-12, abs=1e-13)


def test_ring_where_float64_has_no_weight_of_a_broken_bond():
    """e^{-2 beta J} is 0 in float64: the ground states are all there is."""
    assert transfer.ising_chain(32, temperature=0.002)["log_z"] == pytest.approx(
        16000 + math.log(2.0), rel=1e-15
    )
    frustrated = transfer.ising_chain(33, temperature=0.002, coupling=-1.0)
    assert frustrated["log_z"] == pytest.approx(500 * 31 + math.log(2 * 33), rel=1e-15)
    cold = transfer.ising_chain(32, temperature=0.1)["correlation_length"]  # leading order in e^{-2K}
    assert cold == pytest.approx(0.5 * math.exp(20.0), rel=1e-3)
