# SPDX-License-Identifier: MIT
"""Clusters of particles: coordinates, gradients, kernels, symmetries, exact values, soft core, structures."""

from __future__ import annotations

import itertools
import math
from typing import ClassVar

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
import torch

from edgphys.errors import NotExactError
from edgphys.exact.pair_clusters import pair_moments
from edgphys.systems.continuous.harmonic import Harmonic
from edgphys.systems.particles.base import AbstractParticleSystem
from edgphys.systems.particles.double_well_particles import DoubleWellParticles
from edgphys.systems.particles.lennard_jones import PAIR_COUNTS, LennardJones
from edgphys.systems.particles.mackay import mackay_cluster
from edgphys.systems.particles.mean_free import helmert

SYSTEMS = {
    "dw4": DoubleWellParticles,
    "dw3_3d": lambda: DoubleWellParticles(n_particles=3, n_axes=3, temperature=0.6, a=0.3, tau=2.0),
    "lj13": LennardJones,
    "lj13_twice": lambda: LennardJones(pair_count="twice", temperature=2.0, oscillator=0.5),
    "lj4_soft": lambda: LennardJones(n_particles=4, n_axes=2, core=0.9, epsilon=2.0, rm=1.2),
}


@pytest.fixture(params=SYSTEMS)
def system(request):
    return SYSTEMS[request.param]()


def points_of(system, n=6, seed=0):
    return np.ascontiguousarray(system.random_configurations(n, np.random.default_rng(seed)))


def positions_of(system, n=6, seed=0):
    return system.to_configurations(torch.from_numpy(points_of(system, n, seed)))


# ---------------------------------------------------------------------------------- coordinates


@pytest.mark.parametrize("n", [2, 3, 13, 55])
def test_helmert_basis_is_orthonormal_and_mean_free(n):
    basis = helmert(n)
    np.testing.assert_allclose(basis @ basis.T, np.eye(n - 1), atol=1e-14)
    np.testing.assert_allclose(basis.sum(1), 0.0, atol=1e-13)


def test_positions_and_coordinates_roundtrip(system):
    y = torch.from_numpy(points_of(system))
    positions = system.to_configurations(y)
    assert positions.shape == (6, *system.event_shape) and y.shape[1] == system.n_variables
    assert positions.mean(1).abs().max() < 1e-13
    torch.testing.assert_close(system.from_configurations(positions + 5.0), y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(positions.square().sum((1, 2)), y.square().sum(1))


def test_every_function_takes_positions_and_coordinates(system):
    y = points_of(system)
    positions = positions_of(system).numpy()
    np.testing.assert_allclose(system.energy(positions), system.energy(y), rtol=1e-11)
    for one, other in zip(system.measure(positions).values(), system.measure(y).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11)
    np.testing.assert_allclose(system.action_terms(positions), system.action_terms(y), rtol=1e-11)
    wrong = np.zeros((2, *system.event_shape[::-1], 1))
    with pytest.raises(ValueError, match=r"configurations must have shape \(n_batch, .*got \(2, "):
        system.energy(wrong)


def test_energy_from_scratch(system):
    """Two loops over the particles, and nothing of the package."""
    positions = positions_of(system).numpy()
    for x, energy in zip(positions, system.energy(positions), strict=True):
        total = 0.5 * system.oscillator * (x - x.mean(0)).ravel() @ (x - x.mean(0)).ravel()
        for i, j in itertools.permutations(range(system.n_particles), 2):
            r = math.dist(x[i], x[j])
            if isinstance(system, DoubleWellParticles):
                u = r - system.offset
                total += (system.a * u + system.b * u**2 + system.c * u**4) / (2 * system.tau)
            else:
                at = max(r, system.core)
                sixth = (system.rm / at) ** 6
                slope = -12.0 * (sixth**2 - sixth) / at
                share = 0.5 * system.pair_count * system.epsilon
                total += share * (sixth**2 - 2 * sixth + slope * (r - at))
        assert energy == pytest.approx(total, rel=1e-11)


# ------------------------------------------------------------------------------ gradients, kernel


def test_gradient_is_that_of_autograd(system):
    x = torch.from_numpy(points_of(system)).requires_grad_()
    (expected,) = torch.autograd.grad(system.reduced_energy(x).sum(), x)
    torch.testing.assert_close(system.gradient(x), expected, rtol=1e-11, atol=1e-9)
    (curvature,) = torch.autograd.grad(system.gradient(x).square().sum(), x)
    assert torch.isfinite(curvature).all() and curvature.abs().max() > 0
    positions = positions_of(system).requires_grad_()
    (expected,) = torch.autograd.grad(system.reduced_energy(positions).sum(), positions)
    torch.testing.assert_close(system.gradient(positions), expected, rtol=1e-11, atol=1e-9)
    assert system.gradient(positions).sum(1).abs().max() < 1e-9 * (1 + expected.abs().max())  # no net force


def test_kernel_is_the_torch_energy(system):
    for point in points_of(system):
        out, before = np.full(system.n_variables, np.nan), point.copy()
        value = system.kernel(point, out, system.kernel_parameters)
        energy, gradient = system.energy_and_gradient(point[None])
        assert value == pytest.approx(energy[0], rel=1e-12, abs=1e-11)
        np.testing.assert_allclose(out, gradient[0], rtol=1e-10, atol=1e-10 * (1 + np.abs(gradient).max()))
        np.testing.assert_array_equal(point, before)


def test_soft_core_is_continuous_with_its_slope_and_leaves_the_rest():
    true = LennardJones(n_particles=2, n_axes=1, oscillator=1e-9)
    soft = true.softened(0.8)
    r = np.array([0.8 - 1e-7, 0.8 + 1e-7])
    slope = np.diff(soft.pair_energy(r)) / 2e-7
    assert slope == pytest.approx(-12 * (0.8**-13 - 0.8**-7), rel=1e-5)
    outside, inside = np.linspace(0.8, 3, 50), np.linspace(0.0, 0.8, 50)
    np.testing.assert_array_equal(soft.pair_energy(outside), true.pair_energy(outside))
    assert np.isfinite(soft.pair_energy(inside)).all()
    np.testing.assert_allclose(np.diff(soft.pair_energy(inside), 2), 0.0, atol=1e-9)  # a line
    with np.errstate(divide="ignore"):
        assert true.pair_energy(np.array([1e-60])) == np.inf
    assert "linear (C1) below r = 0.8" in soft.formula and soft.replace(core=0.0).formula == true.formula


def test_soft_core_gradients_are_finite_where_particles_meet():
    system = LennardJones(n_particles=3, core=0.8)
    x = torch.zeros(1, system.n_variables, dtype=torch.float64, requires_grad=True)
    assert torch.isfinite(system.gradient(x)).all()
    (slope,) = torch.autograd.grad(system.reduced_energy(x).sum(), x)
    assert torch.isfinite(slope).all()
    out = np.full(system.n_variables, np.nan)
    value = system.kernel(np.zeros(system.n_variables), out, system.kernel_parameters)
    assert value == pytest.approx(float(system.energy(x.detach())[0])) and np.isfinite(out).all()


def test_fraction_below_the_core():
    system = LennardJones(n_particles=3, n_axes=1, core=0.8)
    positions = np.array([[[-1.0], [0.0], [1.0]], [[-1.0], [0.0], [0.7]], [[-0.75], [0.0], [0.75]]])
    assert system.below_core(positions) == pytest.approx(2 / 3)
    assert system.below_core(torch.from_numpy(positions), 0.71) == pytest.approx(1 / 3)


# ------------------------------------------------------------------------------------- symmetries


def rotations(n_axes, n, seed=0):
    """Orthogonal matrices, reflections among them."""
    return scipy.stats.ortho_group.rvs(n_axes, n, random_state=np.random.default_rng(seed))


def relative_change(system, positions, moved):
    energy = system.energy(positions)
    return np.abs(system.energy(moved) - energy).max() / np.abs(energy).max()


def test_energy_invariant_under_symmetries(system):
    rng = np.random.default_rng(1)
    positions = positions_of(system).numpy()
    for rotation in rotations(system.n_axes, 5):
        order = rng.permutation(system.n_particles)
        moved = positions[:, order] @ rotation + rng.standard_normal(system.n_axes)
        assert relative_change(system, positions, moved) < 1e-10
    assert relative_change(system, positions, 1.01 * positions) > 1e-6  # a map that is no symmetry
    bent = positions.copy()
    bent[:, 0, 0] *= -1.1
    assert relative_change(system, positions, bent) > 1e-6


def test_gradient_equivariant_under_symmetries(system):
    positions = positions_of(system)
    order = np.random.default_rng(2).permutation(system.n_particles)
    rotation = torch.from_numpy(rotations(system.n_axes, 2)[0])
    moved = system.gradient(positions[:, order] @ rotation)
    torch.testing.assert_close(moved, system.gradient(positions)[:, order] @ rotation, rtol=1e-8, atol=1e-8)


# ------------------------------------------------------------------------------------ exact values


def test_dw4_exact_values():
    """The published parameters, each pair once; half and twice the pair energy give other numbers."""
    system = DoubleWellParticles()
    exact, pairs = system.exact_results(), system.exact_pairs()
    assert exact["log_z"] == pytest.approx(29.66723, abs=5e-6)
    assert exact["energy"] == pytest.approx(-22.5415, abs=5e-5)
    assert pairs.distance == pytest.approx(4.04499, abs=5e-6)
    assert pairs.weights @ pairs.density == pytest.approx(1.0, abs=1e-12)
    assert pairs.weights @ (pairs.density * pairs.distances) == pytest.approx(pairs.distance, abs=1e-12)
    assert system.replace(tau=2.0).exact_results()["energy"] == pytest.approx(-9.75149, abs=1e-4)


def test_energy_is_the_derivative_of_log_z():
    system = DoubleWellParticles(n_particles=3, temperature=0.8)
    low, high = (system.replace(temperature=0.8 + s).exact_results() for s in (-1e-3, 1e-3))
    exact = system.exact_results()
    assert exact["energy"] == pytest.approx(0.64 * (high["log_z"] - low["log_z"]) / 2e-3, rel=1e-5)
    slope = (high["energy"] - low["energy"]) / 2e-3
    assert exact["specific_heat"] == pytest.approx(slope / 4, rel=1e-4)


@pytest.mark.slow
def test_dw4_energy_and_specific_heat_are_derivatives_of_log_z():
    system = DoubleWellParticles()
    low, high = (system.replace(temperature=1 + s).exact_results() for s in (-1e-3, 1e-3))
    exact = system.exact_results()
    assert exact["energy"] == pytest.approx((high["log_z"] - low["log_z"]) / 2e-3, rel=1e-5)
    assert exact["specific_heat"] == pytest.approx((high["energy"] - low["energy"]) / 2e-3 / 6, rel=1e-4)


@pytest.mark.parametrize("n_particles", [2, 3, 4])
def test_quadrature_of_springs(n_particles):
    """w = r^2 / (2 n) is |y|^2 / 2 in total: a Gaussian in 2 (n - 1) dimensions."""
    moments = pair_moments(lambda r: r * r / (2 * n_particles), n_particles, 2, 0.7)
    d = 2 * (n_particles - 1)
    assert moments.log_z == pytest.approx(0.5 * d * math.log(2 * math.pi * 0.7), abs=1e-9)
    assert moments.energy == pytest.approx(0.35 * d, abs=1e-8)
    assert moments.variance == pytest.approx(0.245 * d, abs=1e-8)
    # the difference of two particles is normal with variance 2 (1 - 1/n) T n/(n - 1) = 2 T in each direction
    assert moments.distance == pytest.approx(math.sqrt(1.4 * math.pi / 2), abs=1e-8)


@pytest.mark.parametrize("temperature", [1.0, 16.0])
def test_three_on_a_line_against_a_grid(temperature):
    """At T = 16 particles pass through each other, where the weight has edges."""
    system = DoubleWellParticles(3, 1, temperature=temperature)
    grid = np.linspace(-14.0, 14.0, 561)
    pairs = np.stack(np.meshgrid(grid, grid, indexing="ij"))
    energies = system.pair_energy(np.abs([*pairs, pairs[0] - pairs[1]])).sum(0)
    weights = np.exp(-energies / temperature)
    log_z = math.log(weights.sum() * (grid[1] - grid[0]) ** 2 / math.sqrt(3.0))
    exact = system.exact_results()
    assert exact["log_z"] == pytest.approx(log_z, abs=2e-7)  # of the grid, at the edges
    assert exact["energy"] == pytest.approx((weights * energies).sum() / weights.sum(), abs=3e-5)
    assert abs(system.replace(offset=4.01).exact_results()["log_z"] - log_z) > 1e-5  # the control


def test_quadrature_of_springs_on_a_line():
    """w = r^2 / 6 is |y|^2 / 2 in total."""
    moments = pair_moments(lambda r: r * r / 6, 3, 1, 0.7)
    assert moments.log_z == pytest.approx(math.log(2 * math.pi * 0.7), abs=1e-9)
    assert (moments.energy, moments.variance) == pytest.approx((0.7, 0.49), abs=1e-8)
    assert moments.distance == pytest.approx(math.sqrt(2.8 / math.pi), abs=1e-8)


def test_lennard_jones_dimer_against_adaptive_quadrature():
    system = LennardJones(n_particles=2, temperature=0.7, pair_count=2)

    def weight(r, power=0):
        energy = 2 * (r**-12 - 2 * r**-6) + r * r / 4
        return energy**power * 4 * math.pi * r**2 * math.exp(-energy / 0.7)

    z, first = (
        scipy.integrate.quad(weight, 0.5, 20, (k,), points=[0.9, 1, 1.2, 2], epsabs=1e-12)[0] for k in (0, 1)
    )
    exact = system.exact_results()
    assert exact["log_z"] == pytest.approx(math.log(z) - 1.5 * math.log(2), abs=1e-9)
    assert exact["energy"] == pytest.approx(first / z, abs=1e-8)


def test_quadrature_is_refused_where_there_is_none():
    assert LennardJones().exact == () and LennardJones().exact_results() == {}
    assert DoubleWellParticles(n_particles=5).exact == ()
    with pytest.raises(NotExactError, match="got 5 in 2 dimensions"):
        DoubleWellParticles(n_particles=5).exact_pairs()
    with pytest.raises(NotExactError, match="does not fall off"):
        pair_moments(lambda r: -np.exp(-r), 2, 3, 1.0)


def test_mean_free_measure_by_importance_sampling():
    """log Z of DW4 from normal draws of y; the constant of a held particle is log 4 off."""
    system = DoubleWellParticles(temperature=8.0)
    scale, n = 2.3, 200_000
    noise = np.random.default_rng(0).standard_normal((n, 6))
    log_w = (
        -system.energy(scale * noise) / 8.0 + 0.5 * (noise**2).sum(1) + 3 * math.log(2 * math.pi * scale**2)
    )
    weights = np.exp(log_w - log_w.max())
    log_z = math.log(weights.mean()) + log_w.max()
    error = weights.std() / weights.mean() / math.sqrt(n)
    exact = system.exact_results()["log_z"]
    assert error < 0.02 and abs(log_z - exact) < 4 * error
    assert abs(log_z - exact - math.log(4)) > 20 * error


# -------------------------------------------------------------------- clusters, conventions, rebuild


@pytest.mark.parametrize("n_particles, ground_state", [(13, -44.326801), (55, -279.248470)])
def test_mackay_clusters_relax_to_the_known_ground_states(n_particles, ground_state):
    """Hoare and Pal; Wales and Doye, J. Phys. Chem. A 101 (1997) 5111, table 1."""
    system = LennardJones(n_particles, oscillator=1e-12)
    start = system.centres[0]

    def function(y):
        energy, gradient = system.energy_and_gradient(y[None].copy())
        return energy[0], gradient[0]

    relaxed = scipy.optimize.minimize(function, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    assert relaxed.fun == pytest.approx(ground_state, abs=1e-4)
    assert function(start)[0] < 0.93 * ground_state  # and the start is close to it


def test_mackay_clusters_have_their_shells():
    for n_particles in (13, 55, 147):
        points = mackay_cluster(n_particles, 2.0)
        gaps = np.linalg.norm(points[:, None] - points, axis=2)[np.triu_indices(n_particles, 1)]
        assert gaps.min() == pytest.approx(2.0) and np.abs(points.mean(0)).max() < 1e-12
    with pytest.raises(ValueError, match=r"must be one of \(13, 55, 147, 309\), got 14"):
        mackay_cluster(14)


def test_pair_counts_differ_by_a_factor_in_the_pair_energy_only():
    once, twice = (LennardJones(pair_count=count) for count in PAIR_COUNTS)
    positions = positions_of(once).numpy()
    trap = 0.5 * (positions**2).sum((1, 2))
    pairs = once.energy(positions) - trap
    np.testing.assert_allclose(twice.energy(positions) - trap, 2 * pairs, rtol=1e-10)
    assert once.definitions["pair_count"] == "1: each pair counts once"
    assert twice.definitions["pair_count"] == "2: each pair counts twice"
    assert "each pair twice" in twice.definitions["energy"]
    assert "mean-free" in once.definitions["log_z"] and once.identity() != twice.identity()


def test_starts_have_no_overlaps_and_visit_the_cluster():
    for n in (13, 55):
        system = LennardJones(n)
        points = points_of(system, 6)
        assert system.measure(points)["shortest_distance"].min() > 0.8
        energies = system.energy(points)
        assert energies[0::2].min() > energies[1::2].max()


def test_parameters_rebuild_the_system(system):
    again = type(system)(**system.parameters)
    points = points_of(system)
    assert repr(again) == repr(system) and again.identity() == system.identity()
    np.testing.assert_array_equal(again.energy(points), system.energy(points))
    assert {"n_particles", "n_axes", "pair_count"}.isdisjoint(system.conditions)
    assert {*system.measure(points), *system.exact} <= system.definitions.keys()


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: LennardJones(1), ValueError, "n_particles must be an integer >= 2, got 1"),
        (
            lambda: LennardJones(pair_count=3),
            ValueError,
            r'must be 1 \("once"\) or 2 \("twice"\), got 3',
        ),
        (lambda: LennardJones(pair_count="thrice"), ValueError, "got 'thrice'"),
        (lambda: LennardJones(core=1.0), ValueError, "core must be below rm = 1, got 1"),
        (lambda: LennardJones(core=-0.1), ValueError, "core must be finite and not negative, got -0.1"),
        (lambda: LennardJones(oscillator=0.0), ValueError, "oscillator must be positive and finite, got 0.0"),
        (lambda: DoubleWellParticles(c=0.0), ValueError, "c must be positive and finite, got 0.0"),
        (lambda: DoubleWellParticles(n_axes=1.5), TypeError, "n_axes must be an integer >= 1, got 1.5"),
    ],
)
def test_bad_parameters_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("pair_count", ["once", "twice"])
def test_particles_that_coincide_are_refused_not_an_error(pair_count):
    # A diverging trajectory rounds particles onto one place; chains refuse an infinite or undefined energy.
    system = LennardJones(pair_count=pair_count)
    x, gradient = np.zeros(system.n_variables), np.empty(system.n_variables)
    energy = system.kernel(x, gradient, system.kernel_parameters)
    assert not energy < np.inf
    # Negative control: with a core the energy of the same points is finite.
    soft = system.replace(core=0.9)
    assert np.isfinite(soft.kernel(x, gradient, soft.kernel_parameters))


# ------------------------------------------------------------------------------------------ pair law


def sum_over_pairs(system, y):
    law = system.pair_law
    first, second = np.triu_indices(law.n_particles, 1)
    x = system.to_configurations(y)
    return law.constant + law.reduced((x[:, first] - x[:, second]).square().sum(2)).sum(1)


def test_reduced_energy_is_the_sum_of_the_pair_law(system):
    assert (system.pair_law.n_particles, system.pair_law.n_axes) == system.event_shape
    y = torch.from_numpy(points_of(system)).requires_grad_()
    total, expected = sum_over_pairs(system, y), system.reduced_energy(y)
    torch.testing.assert_close(total, expected, rtol=1e-12, atol=1e-12 * float(expected.detach().abs().max()))
    (slope,) = torch.autograd.grad(total.sum(), y)
    scale = float(slope.abs().max())
    torch.testing.assert_close(slope, system.gradient(y), rtol=1e-10, atol=1e-11 * scale)
    law = system.pair_law.reduced(torch.ones(2, 1, 3))
    assert law.shape == (2, 1, 3) and law.dtype == torch.float32
    # The control: with another oscillator, or counted the other way, the sums differ.
    easier = system.replace(temperature=1.01 * system.temperature)
    assert not torch.allclose(sum_over_pairs(easier, y), expected, rtol=1e-6)


def test_no_pair_law_where_the_energy_is_no_sum_over_pairs():
    class Bent(AbstractParticleSystem):
        """Particles with a term of three."""

        name, n_particles, n_axes, event_shape, oscillator = "bent", 3, 2, (3, 2), 1.0
        parameters: ClassVar[dict] = {}

        def _pair_law(self, r):
            return r * r, 2 * r

        def _energy(self, flat):
            return super()._energy(flat) + flat[:, 0] ** 4

    assert Bent().pair_law is None and Harmonic().pair_law is None
