# SPDX-License-Identifier: MIT
"""Quantum chains: free fermions against diagonalisation, this against netket, and products of matrices."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

import lattices
from edgphys.exact import diagonalisation, transverse_chain

NAMES = ("log_z", "free_energy", "energy", "specific_heat", "transverse_magnetization")


def trotter(lattice, coupling, field, beta, n_slices):
    """log of the trace of (exp(tau J sum sz sz) exp(tau Gamma sum sx))^n, by the matrices themselves."""
    tau, n = beta / n_slices, lattice.n_sites
    spins = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    along = (spins[:, lattice.bonds[:, 0]] * spins[:, lattice.bonds[:, 1]]).sum(1)
    one = np.array([[math.cosh(tau * field), math.sinh(tau * field)]] * 2)
    one[1] = one[1, ::-1]
    across = np.ones((1, 1))
    for _ in range(n):
        across = np.kron(one, across)
    step = np.exp(tau * coupling * along)[:, None] * across
    return math.log(np.trace(np.linalg.matrix_power(step, n_slices)))


@pytest.mark.parametrize("field", [0.4, 1.0, 1.7])
@pytest.mark.parametrize("ring", [True, False])
@pytest.mark.parametrize(
    ("n", "coupling", "temperature"), [(4, 1.0, 0.3), (5, 1.0, 1.0), (5, -0.7, 0.4), (6, -1.0, 1.0)]
)
def test_fermions_agree_with_diagonalisation(n, coupling, temperature, ring, field):
    lattice = lattices.build("chain", (n,), ring)
    known = diagonalisation.transverse_ising(lattice, temperature, field, np.full(lattice.n_bonds, coupling))
    found = transverse_chain.estimates(n, temperature, field, coupling, ring=ring)
    for name in NAMES:
        assert found[name] == pytest.approx(known[name], rel=1e-9, abs=1e-9), name
    # Both parities on one set of momenta, the textbook's limit of long rings, is another number.
    if ring and temperature < 0.5:
        loose = math.fsum(
            math.log(
                2
                * math.cosh(
                    math.sqrt(coupling**2 + field**2 - 2 * coupling * field * math.cos(q)) / temperature
                )
            )
            for q in (np.arange(n) + 0.5) * 2 * math.pi / n
        )
        assert abs(loose - known["log_z"]) > 1e-4


@pytest.mark.parametrize(("coupling", "n_slices"), [(1.0, 2), (1.0, 7), (-0.6, 5)])
def test_fermions_at_a_time_step_are_products_of_matrices(coupling, n_slices):
    lattice = lattices.build("chain", (4,))
    found = transverse_chain.log_z(4, 0.7, 0.8, coupling, ring=True, n_slices=n_slices)
    assert found == pytest.approx(trotter(lattice, coupling, 0.8, 1 / 0.7, n_slices), abs=1e-11)


def test_the_error_of_the_time_step_is_of_second_order():
    about = {"n_sites": 40, "temperature": 0.5, "field": 1.0, "coupling": 1.0, "ring": True}
    limit, steps = transverse_chain.log_z(**about), np.array([20, 40, 80, 160])
    errors = [transverse_chain.log_z(**about, n_slices=int(n)) - limit for n in steps]
    assert np.diff(np.log(errors)) / np.diff(np.log(1.0 / steps)) == pytest.approx(2.0, abs=0.01)


def test_long_chains_have_the_energy_of_the_infinite_one():
    """At the critical field the ground state has -4 J / pi a site (Pfeuty); and no overflow at 4096 sites."""
    found = transverse_chain.estimates(4096, 1e-3, 1.0, 1.0, ring=True)
    assert found["energy"] / 4096 == pytest.approx(-4.0 / math.pi, abs=1e-6)
    assert found["transverse_magnetization"] == pytest.approx(2.0 / math.pi, abs=1e-4)


def test_moments_of_two_spins_are_those_of_linear_algebra():
    lattice = lattices.build("chain", (2,), False)
    x, z, one = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0]), np.eye(2)
    h = -0.9 * np.kron(z, z) - 0.6 * (np.kron(x, one) + np.kron(one, x))
    m = np.kron(z, one) + np.kron(one, z)
    values, states = np.linalg.eigh(h)
    p = np.exp(-values / 0.8)
    p /= p.sum()
    between = states.T @ m @ states
    times = np.linspace(0.0, 1.25, 4001)
    both = [np.exp(-t * values) @ between**2 @ np.exp(-(1.25 - t) * values) for t in times]
    found = diagonalisation.transverse_ising(lattice, 0.8, 0.6, np.array([0.9]))
    kubo = np.trapezoid(both, times) / np.exp(-values / 0.8).sum() / 2
    assert found["susceptibility"] == pytest.approx(kubo, rel=1e-6)
    square = np.einsum("a,ia,ia->", p, states, m @ m @ states)
    assert found["equal_time_magnetization_2"] == pytest.approx(square / 4)


def test_longitudinal_fields_are_those_of_linear_algebra():
    """On a triangle: <M> and the susceptibility of Kubo as derivatives of log Z, which is of matrices."""
    lattice, bonds = lattices.build("chain", (3,)), np.array([0.9, -0.4, 0.7])
    x, z, one = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0]), np.eye(2)

    def at(matrix, site):
        return functools.reduce(np.kron, [matrix if k == site else one for k in range(3)])

    def log_z(longitudinal):
        pairs = zip(bonds, lattice.bonds, strict=True)
        h = -sum(j * at(z, a) @ at(z, b) for j, (a, b) in pairs)
        h = h - sum(0.6 * at(x, k) + longitudinal * at(z, k) for k in range(3))
        return np.logaddexp.reduce(-np.linalg.eigvalsh(h) / 0.8)

    found = diagonalisation.transverse_ising(lattice, 0.8, 0.6, bonds, 0.3)
    low, here, high = (log_z(0.3 + step) for step in (-1e-4, 0.0, 1e-4))
    assert found["log_z"] == pytest.approx(here, abs=1e-12)
    assert found["magnetization"] == pytest.approx(0.8 * (high - low) / 2e-4 / 3, rel=1e-7)
    assert found["susceptibility"] == pytest.approx(0.8 * (high - 2 * here + low) / 1e-8 / 3, rel=1e-5)
    without = diagonalisation.transverse_ising(lattice, 0.8, 0.6, bonds)
    tiny = diagonalisation.transverse_ising(lattice, 0.8, 0.6, bonds, 1e-9)  # in one sector, not two
    assert all(without[name] == pytest.approx(tiny[name], abs=1e-8) for name in without)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "extent", "pbc"), [("chain", (12,), True), ("square", (2, 3), False)])
def test_netket_agrees(name, extent, pbc):
    netket = pytest.importorskip("netket")
    lattice, field, temperature = lattices.build(name, extent, pbc), 0.9, 0.5
    hilbert = netket.hilbert.Spin(0.5, lattice.n_sites)
    graph = lattices.to_netket(lattice)
    values = netket.exact.full_ed(netket.operator.Ising(hilbert, graph, h=field, J=-1.0))
    log_z = np.logaddexp.reduce(-values / temperature)
    p = np.exp(-values / temperature - log_z)
    if name == "chain":
        found = transverse_chain.estimates(12, temperature, field, 1.0, ring=True)
    else:
        found = diagonalisation.transverse_ising(lattice, temperature, field, np.ones(lattice.n_bonds))
    assert found["log_z"] == pytest.approx(log_z, abs=1e-9)
    assert found["energy"] == pytest.approx(p @ values, abs=1e-8)
