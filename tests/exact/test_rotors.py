# SPDX-License-Identifier: MIT
"""Chains and narrow tori of rotors against quadrature over the spins; stiffness against a finite twist."""

from __future__ import annotations

import numpy as np
import pytest

import lattices
from edgphys.errors import NotExactError
from edgphys.exact import rotor_chains, xy_tori
from edgphys.systems import XY, Heisenberg

KINDS = {2: XY, 3: Heisenberg}


def sphere(n, n_nodes):
    """Points and weights of a product rule on the circle or the sphere."""
    turn = 2.0 * np.pi * np.arange(n_nodes) / n_nodes
    if n == 2:
        return np.stack([np.cos(turn), np.sin(turn)], axis=1), np.full(n_nodes, 2.0 * np.pi / n_nodes)
    z, weights = np.polynomial.legendre.leggauss(n_nodes // 2)
    z, azimuth = (each.ravel() for each in np.meshgrid(z, turn, indexing="ij"))
    across = np.sqrt(1.0 - z**2)
    points = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), z], axis=1)
    return points, np.repeat(weights, n_nodes) * 2.0 * np.pi / n_nodes


def log_z_of_chain(system, beta, *, field=None, twist=0.0):
    """By one quadrature after the other; `twist` turns the second spin of each bond about z."""
    points, weights = sphere(system.n_components, 24)
    turned = points.copy()
    turned[:, 0] = np.cos(twist) * points[:, 0] - np.sin(twist) * points[:, 1]
    turned[:, 1] = np.sin(twist) * points[:, 0] + np.cos(twist) * points[:, 1]
    is_ring, n = all(system.lattice.pbc), system.n_sites
    field = float(system.site_fields[0]) if field is None else field
    site = weights * np.exp(beta * field * points[:, system.field_axis])
    links = {(int(i), int(j)): k for k, (i, j) in enumerate(system.lattice.bonds)}
    total = np.diag(site)
    for i in range(n if is_ring else n - 1):
        coupling = system.bond_couplings[links[tuple(sorted((i, (i + 1) % n)))]]
        step = np.exp(beta * coupling * points @ turned.T)
        total = total @ step if i == n - 1 else total @ (step * site)
    return float(np.log(np.trace(total) if is_ring else total.sum()))


def chain(n, periodic, *given):
    return KINDS[n](lattices.build("chain", (4,), periodic), 0.8, *given)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize(
    ("periodic", "given"),
    [
        (True, (1.0, 0.4)),
        (False, (-0.7, -0.6)),
        (True, ([1.0, 0.5, -0.3, 1.2],)),
        (False, ([1.0, 0.5, -0.3],)),
    ],
)
def test_chains_equal_quadrature(n, periodic, given):
    system = chain(n, periodic, *given)
    exact, beta, h = system.exact_results(), system.beta, 1e-3
    low, middle, high = (log_z_of_chain(system, beta + d) for d in (-h, 0.0, h))
    assert exact["log_z"] == pytest.approx(middle, rel=1e-12)
    assert exact["energy"] == pytest.approx(-(high - low) / (2 * h), rel=1e-5)
    second = beta**2 * (high - 2 * middle + low) / h**2 / 4
    assert exact["specific_heat"] == pytest.approx(second, rel=1e-5)
    field = float(system.site_fields[0])
    low, high = (log_z_of_chain(system, beta, field=field + d) for d in (-h, h))
    mean = (high - low) / (2 * h * beta * 4)
    assert exact["magnetization"] == pytest.approx(mean, rel=1e-5, abs=1e-9)
    wrong = chain(n, not periodic, given[0] if isinstance(given[0], float) else 1.0, *given[1:])
    assert wrong.exact_results()["log_z"] != pytest.approx(exact["log_z"], rel=1e-3)  # control


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("coupling", [1.0, [1.0, 0.5, -0.3, 1.2]])
def test_stiffness_of_a_ring_is_the_curvature_by_a_twist(n, coupling):
    system, d = chain(n, True, coupling), 1e-3
    low, middle, high = (log_z_of_chain(system, system.beta, twist=t) for t in (-d, 0.0, d))
    curvature = -system.temperature * (high - 2.0 * middle + low) / d**2 / system.n_sites
    assert system.exact_results()["helicity_modulus"] == pytest.approx(curvature, rel=1e-5)
    assert "helicity_modulus" not in chain(n, False).exact


@pytest.mark.parametrize("n", [2, 3])
def test_long_chains_and_free_spins(n):
    """N spins in a row are N - 1 bonds; a field on free spins is the first site of a chain without bonds."""
    short, long = (KINDS[n](lattices.build("chain", (k,), False), 0.5) for k in (100, 300))
    per_bond = (long.exact_results()["log_z"] - short.exact_results()["log_z"]) / 200
    ring = KINDS[n](lattices.build("chain", (4096,)), 0.5).exact_results()
    assert ring["log_z"] / 4096 == pytest.approx(per_bond, rel=1e-12)
    fields = np.array([0.7, -0.2, 0.0])
    free = KINDS[n](lattices.build("chain", (3,)), 0.8, 0.0, fields)
    assert free.exact_results()["log_z"] == pytest.approx(free.reference().log_z, rel=1e-13)
    points, weights = sphere(n, 40)
    along = points[:, free.field_axis]
    laws = [weights * np.exp(free.beta * h * along) for h in fields]
    means = [(law @ along) / law.sum() for law in laws]
    assert free.exact_results()["magnetization"] == pytest.approx(np.mean(means), rel=1e-12)
    assert free.exact_results()["energy"] == pytest.approx(-(fields @ means), rel=1e-12)


def log_z_of_torus(beta, couplings, twists=(0.0, 0.0), n_nodes=12):
    """3 x 3 spins: rows by the trace of their transfer matrix, one angle held."""
    turn = 2.0 * np.pi * np.arange(n_nodes) / n_nodes
    a, b, c = np.meshgrid(turn, turn, turn, indexing="ij")
    row = np.exp(beta * couplings[0] * sum(np.cos(p - q + twists[0]) for p, q in ((a, b), (b, c), (c, a))))
    step = np.exp(beta * couplings[1] * np.cos(turn[:, None] - turn + twists[1]))
    starts = np.arange(n_nodes**2)
    place = starts // n_nodes, starts % n_nodes, 0, starts
    vector = np.zeros((n_nodes,) * 3 + (n_nodes**2,))
    vector[place] = 1.0
    for _ in range(3):
        vector *= row[..., None]
        for axis in range(3):
            vector = np.moveaxis(np.tensordot(step, vector, axes=(1, axis)), 0, axis)
    return float(np.log(n_nodes * vector[place].sum()) + 9 * np.log(2.0 * np.pi / n_nodes))


def test_torus_equals_quadrature_and_its_stiffness_the_curvature_by_a_twist():
    temperature, couplings, d = 2.0, (1.0, 0.6), 3e-3
    exact = xy_tori.torus((3, 3), temperature, couplings)
    middle = log_z_of_torus(1 / temperature, couplings)
    assert exact["log_z"] == pytest.approx(middle, rel=1e-10)
    for axis, twist in (("x", (d, 0.0)), ("y", (0.0, d))):
        curvature = -2.0 * temperature * (log_z_of_torus(0.5, couplings, twist) - middle) / d**2 / 9
        assert exact[f"helicity_modulus_{axis}"] == pytest.approx(curvature, rel=1e-4)
    slope = (log_z_of_torus(0.5 + d, couplings) - log_z_of_torus(0.5 - d, couplings)) / (2 * d)
    assert exact["energy"] == pytest.approx(-slope, rel=1e-4)
    turned = xy_tori.torus((3, 3), temperature, couplings[::-1])
    assert turned["log_z"] == pytest.approx(middle, rel=1e-12)
    assert turned["helicity_modulus_x"] == pytest.approx(exact["helicity_modulus_y"], rel=1e-10)
    assert exact["helicity_modulus_x"] != pytest.approx(exact["helicity_modulus_y"], rel=1e-2)  # control


def test_torus_is_a_chain_of_rings_and_knows_its_signs():
    """Without bonds between the rows, rings; signs that frustrate nothing change log Z by nothing."""
    rings = xy_tori.torus((3, 5), 1.5, (1.0, 0.0))
    ring = rotor_chains.chain(2, 1.5, np.ones(3), is_ring=True)
    assert rings["log_z"] == pytest.approx(5 * ring["log_z"], rel=1e-11)
    assert rings["helicity_modulus_x"] == pytest.approx(ring["helicity_modulus"], rel=1e-9)
    assert rings["helicity_modulus_y"] == pytest.approx(0.0, abs=1e-12)
    lattice = lattices.build("square", (3, 4))
    signed = XY(lattice, 2.0, {"x": 1.0, "y": -0.5}).exact_results()
    assert signed["log_z"] == pytest.approx(xy_tori.torus((3, 4), 2.0, (1.0, 0.5))["log_z"], rel=1e-13)
    assert not XY(lattice, 2.0, {"x": -1.0, "y": 0.5}).exact  # a ring of three is frustrated


def test_no_exact_results_where_none_are_known():
    assert not XY(lattices.build("square", (4, 4)), 1.0).exact
    assert not XY(lattices.build("square", (3, 4)), 0.1).exact
    assert not Heisenberg(lattices.build("square", (3, 4)), 1.0).exact
    assert not XY(lattices.build("chain", (9,)), 0.02, -1.0).exact  # the signs of an odd ring cancel
    assert not XY(lattices.build("chain", (4,)), 1.0, field=[0.1, 0.2, 0.0, 0.0]).exact
    with pytest.raises(NotExactError, match="temperature must be higher for 200 waves"):
        rotor_chains.chain(2, 1e-3, np.ones(3), is_ring=True)
    with pytest.raises(NotExactError, match="lattice must be narrow and warm"):
        xy_tori.torus((4, 4), 1.0, (1.0, 1.0))
