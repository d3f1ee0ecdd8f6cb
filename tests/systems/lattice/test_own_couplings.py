# SPDX-License-Identifier: MIT
"""Couplings by kind and by bond of Hamiltonians of one's own: against the systems that take them.

Control: couplings in another order have other energies, gradients and exact results.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import edgphys as ep
import lattices
from edgphys.errors import EdgphysError
from edgphys.mcmc.core.action_terms import make_action_terms

SQUARE, CHAIN = lattices.build("square", (4, 3)), lattices.build("chain-j1j2", (6,))
RANDOM = np.random.default_rng(0).normal(size=SQUARE.n_bonds)
COUPLINGS = [0.7, {"x": 1.0, "y": -0.5}, {"y": 2.0}, RANDOM]
IDS = ["number", "kinds", "one kind", "bonds"]


def spins(coupling, **more):
    return ep.LatticePotential(SQUARE, bond=lambda a, b: -a * b, field="spin", coupling=coupling, **more)


def angles(coupling, **more):
    return ep.LatticePotential(
        SQUARE, bond=lambda a, b: -torch.cos(a - b), field="angle", coupling=coupling, **more
    )


@pytest.mark.parametrize("coupling", COUPLINGS, ids=IDS)
def test_spins_are_those_of_ising(coupling):
    own, shipped = spins(coupling, temperature=1.3), ep.Ising(SQUARE, 1.3, coupling)
    known = shipped.exact_results()
    for name, value in own.exact_results().items():
        assert value == pytest.approx(known.get(name, value), abs=1e-9, nan_ok=True), name
    assert set(own.symmetries) - {"permutation"} == set(shipped.symmetries)
    np.testing.assert_allclose(own.bond_couplings, shipped.bond_couplings)
    moved = own.replace(coupling=np.roll(shipped.bond_couplings, 1)).exact_results()["log_z"]
    assert (abs(moved - known["log_z"]) > 0.01) == (not isinstance(coupling, float))


@pytest.mark.parametrize("coupling", COUPLINGS, ids=IDS)
def test_angles_are_those_of_a_rotor(coupling):
    """Energy, gradient in torch and by the kernel, terms of the action, symmetries, path from free sites."""
    own, shipped = angles(coupling, temperature=0.9, strength=1.0), ep.XY(SQUARE, 0.9, coupling)
    x = np.random.default_rng(1).uniform(-3.0, 3.0, (5, 12))
    np.testing.assert_allclose(own.energy(x), shipped.energy(x), rtol=1e-12)
    np.testing.assert_allclose(own.action_terms(x) @ own.action_coefficients, own.beta * own.energy(x))
    assert own.symmetries == (*shipped.symmetries[:-2], "z2")
    np.testing.assert_allclose(own.replace(strength=0.5).energy(x), 0.5 * shipped.energy(x), rtol=1e-12)
    assert own.replace(strength=0.0).reference().log_z == pytest.approx(shipped.reference().log_z, abs=1e-9)
    if not isinstance(coupling, float):
        other = own.replace(coupling=np.roll(shipped.bond_couplings, 1))
        assert np.abs(other.energy(x) - shipped.energy(x)).min() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("coupling", COUPLINGS, ids=IDS)
def test_compiled_functions_have_the_couplings(coupling):
    own = angles(coupling, temperature=0.9, strength=0.7)
    x = np.random.default_rng(2).uniform(-3.0, 3.0, (3, 12))
    energies, gradients = own.energy_and_gradient(x)
    for row, energy, gradient in zip(x, energies, gradients, strict=True):
        found = np.empty(12)
        assert own.kernel(row, found, own.kernel_parameters) == pytest.approx(energy, rel=1e-12)
        np.testing.assert_allclose(found, gradient, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(make_action_terms(own)(x), own.action_terms(x), rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.statistical
def test_ladders_and_edg_see_the_couplings():
    """log Z by MBAR and by an EDG that has learned nothing, of angles with random bonds; not of others."""
    from helpers.stats import assert_off, assert_z

    ring = lattices.build("chain", (5,))
    bonds = np.array([1.0, -0.5, 0.3, 2.0, 0.8])
    own = ep.LatticePotential(ring, bond=lambda a, b: -torch.cos(a - b), field="angle", coupling=bonds)
    exact = ep.XY(ring, 1.0, bonds).exact_results()["log_z"]
    other = ep.XY(ring, 1.0, np.full(5, bonds.mean())).exact_results()["log_z"]
    by_edg = ep.EDG(own, decoder_size=(4, 1), encoder_size=(4, 1)).fit(seed=0, n_steps=40, progress=False)
    draws = by_edg.sample(8_000, seed=1, n_views=2, progress=False)
    for found in (ep.free_energy(own, method="mbar", seed=1, n_sweeps=1000), ep.estimate(draws)):
        pair = float(found["log_z"]), float(found["log_z_err"])
        assert_z(*pair, exact, n_tests=2, max_err=0.1)
        assert_off(*pair, other, least=4, max_err=0.1)


def test_of_reals_and_states():
    """A Gaussian chain by its determinant, and three states on a chain with second neighbours as Potts."""
    coupling = {"first": 1.0, "second": -0.2}
    field = ep.LatticePotential(
        CHAIN, site=lambda x: x**2, bond=lambda x, y: -x * y, field="real", coupling=coupling
    )
    x = np.random.default_rng(3).standard_normal((4, 6))
    pairs = np.zeros((6, 6))
    for (i, j), kind in zip(CHAIN.bonds, CHAIN.bond_kinds, strict=True):
        pairs[i, j] += (1.0, -0.2)[kind]
    np.testing.assert_allclose(field.energy(x), (x**2).sum(1) - np.einsum("ni,ij,nj->n", x, pairs, x))
    alike = ep.LatticePotential(CHAIN, bond=lambda a, b: -float(a == b), states=3, coupling=coupling)
    known = ep.Potts(CHAIN, 1.0, 3, coupling).exact_results()
    assert alike.exact_results()["log_z"] == pytest.approx(known["log_z"], abs=1e-10)


def test_an_argument_called_coupling_stays_one():
    """It is no factor of the bonds, and ladders do not take it for one."""
    own = ep.LatticePotential(
        SQUARE, site=lambda s, coupling: coupling * s, bond=lambda a, b: -a * b, field="spin", coupling=0.3
    )
    known = ep.Ising(SQUARE, 1.0, field=-0.3).exact_results()["log_z"]
    assert own.exact_results()["log_z"] == pytest.approx(known, abs=1e-10)
    free = own.replace(strength=0.0)
    assert own.reference().coupling == "strength"
    assert own.reference().log_z == pytest.approx(free.exact_results()["log_z"], abs=1e-10)
    assert "coupling" not in spins(None).parameters
    assert spins(None).replace(coupling=2.0).parameters["coupling"] == 2.0


@pytest.mark.parametrize("make", [spins, angles])
@pytest.mark.parametrize(
    ("coupling", "message"),
    [
        ({"third": 1.0}, "coupling must be numbers for kinds of bonds of the lattice square .*, got 'third'"),
        ({"x": math.nan}, r"coupling\['x'\] must be finite, got nan"),
        ([1.0, 2.0], r"coupling must be a number or an array of 24 finite numbers.*, got shape \(2,\)"),
        (np.full(24, math.inf), "coupling must be .*, got inf at bond 0"),
        (math.nan, "coupling must be finite, got nan"),
        ("strong", "coupling must be"),
    ],
)
def test_bad_couplings_are_one_line(make, coupling, message):
    with pytest.raises(EdgphysError, match=message) as caught:
        make(coupling)
    assert "\n" not in str(caught.value)
