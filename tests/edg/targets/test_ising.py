# SPDX-License-Identifier: MIT
"""Ising targets on tiny lattices, where every state can be summed.

The oracle of the decimated density is written anew in `decimated_log_density`, from the formula
alone. It is integrated by Gauss-Hermite quadrature to ln Z of all spins (1e-10), then compared to the target:
the energy is an upper bound (Jensen), `lift` and `lower` are unbiased (z-tests).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.edg import (
    all_spins,
    boltzmann,
    boltzmann_spins,
    decimated_log_density,
    gauss_hermite_grid,
    jackknife_log_mean,
    log_gaussian,
    mean_err,
    restricted_group,
)
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg.targets.ising import IsingDecimationTarget, IsingRelaxationTarget
from edgphys.edg.targets.sublattices import exchange
from edgphys.systems import Ising

# name, extent, periodic: 1 to 4 soft spins. Open ends give spins of unequal degree, and a star.
LATTICES = {
    "star": ("chain", (3,), False),
    "open chain": ("chain", (5,), False),
    "ring": ("chain", (4,), True),
    "ring of six": ("chain", (6,), True),
    "plaquette": ("square", (2, 2), False),
    "open 2x3": ("square", (2, 3), False),
    "honeycomb": ("honeycomb", (1, 3), False),
    "open 3x3": ("square", (3, 3), False),  # the spin in the centre has more neighbours than any soft spin
}
COUPLINGS = [(1.0, 0.0), (-1.0, 0.0), (1.0, 0.4), (-1.0, 0.4), (1.0, -0.7)]


def ising(lattice, coupling=1.0, field=0.0, temperature=2.0):
    return Ising(lattices.build(*LATTICES[lattice]), temperature, coupling=coupling, field=field)


def set_split(target, log_alpha, tilt):
    with torch.no_grad():
        target.log_alpha.fill_(log_alpha)
        target.tilt.fill_(tilt)
    return target


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize(("coupling", "field"), COUPLINGS)
def test_decimated_density_integrates_to_z(lattice, coupling, field):
    target = IsingDecimationTarget(ising(lattice, coupling, field))
    _, _, log_z = boltzmann(target.system)
    y, weights = gauss_hermite_grid(target.n_dims, 40 if target.n_dims < 4 else 18)
    for alpha in (None, 0.5):
        density_ratio = torch.exp(decimated_log_density(target, y, alpha) - log_gaussian(y))
        assert math.log(float(weights @ density_ratio)) == pytest.approx(log_z, rel=1e-10)


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize(("coupling", "field"), COUPLINGS)
def test_energy_is_a_bound_on_the_density(lattice, coupling, field):
    """Also for other alpha and tilt than at the start, and with padding where degrees are unequal."""
    target = IsingDecimationTarget(ising(lattice, coupling, field)).double()
    y = 1.5 * torch.randn(200, target.n_dims, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for log_alpha, tilt in ((target.log_alpha.item(), target.tilt.item()), (-1.5, 0.3), (-3.0, -0.2)):
        set_split(target, log_alpha, tilt)
        gap = target.energy(y) + decimated_log_density(target, y)
        assert gap.min() > -1e-10
        # The bound is <log e^R> <= log <e^R>, computed here by summing the states.
        states = all_spins(len(target.spin))
        m = states @ target.incidence.T
        local = target.reduced_coupling * m + target.bias
        remainder = (torch.logaddexp(local, -local) - tilt * m - 0.5 * math.exp(log_alpha) * m**2).sum(1)
        fields = target.bias + (tilt + math.exp(0.5 * log_alpha) * y) @ target.incidence
        p = torch.softmax(fields @ states.T, 1)
        jensen = torch.log(p @ torch.exp(remainder)) - p @ remainder
        np.testing.assert_allclose(gap.detach(), jensen, atol=1e-9)


@pytest.mark.parametrize("lattice", ["star", "ring", "ring of six", "plaquette"])
@pytest.mark.parametrize("coupling", [1.0, -1.0])
def test_no_remainder_with_two_neighbours(lattice, coupling):
    """m takes the values 0 and +-2: log f is exactly quadratic there, the bound an equality."""
    target = IsingDecimationTarget(ising(lattice, coupling)).double()
    y = torch.randn(100, target.n_dims, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    # alpha is a float32 parameter
    np.testing.assert_allclose(target.energy(y).detach(), -decimated_log_density(target, y), atol=1e-6)


def test_no_remainder_on_the_honeycomb():
    """m takes the values +-1 and +-3: constant r for alpha = (log f(3) - log f(1)) / 4."""
    system = Ising(lattices.build("honeycomb", (3, 3)), 1.8)
    target = IsingDecimationTarget(system).double()
    k = 1 / 1.8
    alpha = 0.25 * (math.log(math.cosh(3 * k)) - math.log(math.cosh(k)))
    set_split(target, math.log(alpha), 0.0)
    y = torch.randn(50, target.n_dims, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    np.testing.assert_allclose(target.energy(y).detach(), -decimated_log_density(target, y), atol=1e-9)
    set_split(target, math.log(1.3 * alpha), 0.0)
    assert (target.energy(y) + decimated_log_density(target, y)).min() > 0.01


@pytest.mark.parametrize(
    "system", [("ring of six", 1.0, 0.0), ("open 2x3", -1.0, 0.4), ("plaquette", 1.0, -0.7)]
)
def test_energy_is_differentiable_in_all_it_depends_on(system):
    target = IsingDecimationTarget(ising(*system)).double()
    y = torch.randn(3, target.n_dims, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    start = (target.log_alpha.detach().clone(), target.tilt.detach().clone())

    def energy(y, log_alpha, tilt):
        parameters = {"log_alpha": log_alpha, "tilt": tilt}
        return torch.func.functional_call(
            _Energy(target), {f"target.{k}": v for k, v in parameters.items()}, (y,)
        )

    torch.autograd.gradcheck(energy, [value.requires_grad_() for value in (y, *start)])


class _Energy(torch.nn.Module):
    """functional_call replaces parameters of a module's `forward`; the target's function is `energy`."""

    def __init__(self, target):
        super().__init__()
        self.target = target

    def forward(self, y):
        return self.target.energy(y)


LIFTED = [("star", 1.0, 0.4), ("ring", -1.0, 0.0), ("open 2x3", -1.0, 0.4), ("open 3x3", 1.0, 0.0)]


@pytest.mark.statistical
@pytest.mark.parametrize("n_spin_draws", [1, 3])
def test_lift_is_unbiased_at_every_point(n_spin_draws):
    """Mean of exp(log_density) at fixed y against the sum over states; alpha off its best: R varies."""
    generator = torch.Generator().manual_seed(11)
    for case in LIFTED:
        target = set_split(IsingDecimationTarget(ising(*case), n_spin_draws), -1.5, 0.2)
        for scale in (0.0, 1.0, -2.0):
            y = scale * torch.ones(1, target.n_dims, dtype=torch.float64)
            log_density, configurations = target.lift(y.expand(20000, -1), generator)
            assert log_density.dtype == torch.float64 and configurations.shape == (
                20000,
                target.system.n_sites,
            )
            assert torch.all(configurations.abs() == 1.0)
            exact = float(decimated_log_density(target, y))
            mean, err = mean_err(torch.exp(log_density - exact))
            assert_z(mean, err, 1.0, n_tests=2 * 3 * len(LIFTED), max_err=0.02)


def observables(system, spins):
    """Energy, |m|, m, and one product per bond: enough to see a spin that is on the wrong site."""
    first, second = torch.tensor(system.lattice.bonds.T.astype(np.int64))
    pairs = spins[:, first] * spins[:, second]
    m = spins.mean(1)
    return torch.cat([m[:, None], m.abs()[:, None], spins[:, :1], pairs], dim=1)


def weighted_lift(target, n, generator):
    """Configurations with weights exp(log_density) / q(y), y from a wide Gaussian q."""
    y = 1.6 * torch.randn(n, target.n_dims, dtype=torch.float64, generator=generator)
    log_density, configurations = target.lift(y, generator)
    return log_density - log_gaussian(y, 1.6), configurations


@pytest.mark.statistical
@pytest.mark.parametrize("case", LIFTED)
def test_lifted_configurations_are_boltzmann_distributed(case):
    target = set_split(IsingDecimationTarget(ising(*case), 3), -1.0, 0.1)
    log_w, configurations = weighted_lift(target, 40000, torch.Generator().manual_seed(12))
    spins, probabilities, log_z = boltzmann(target.system)
    assert_z(*jackknife_log_mean(log_w), log_z, max_err=0.02)
    exact = probabilities @ observables(target.system, spins)
    w = torch.exp(log_w - log_z)[:, None]
    deviations = w * (observables(target.system, configurations) - exact)  # mean zero, exactly
    for column in deviations.T:
        assert_z(*mean_err(column), 0.0, n_tests=deviations.shape[1] * len(LIFTED), max_err=0.02)


@pytest.mark.statistical
def test_lift_with_a_wrong_choice_of_spins_is_found(monkeypatch):
    """Keeping the first draw, instead of one in proportion to exp(R), must fail."""
    target = set_split(IsingDecimationTarget(ising("open 2x3", -1.0, 0.4), 3), -1.0, 0.1)
    true_remainder = IsingDecimationTarget._sum_remainder

    def flat(self, up):
        return true_remainder(self, up).mean(0, keepdim=True).expand(up.shape[0], -1)

    monkeypatch.setattr(IsingDecimationTarget, "_sum_remainder", flat)
    log_w, configurations = weighted_lift(target, 40000, torch.Generator().manual_seed(12))
    spins, probabilities, log_z = boltzmann(target.system)
    exact = probabilities @ observables(target.system, spins)
    deviations = torch.exp(log_w - log_z)[:, None] * (observables(target.system, configurations) - exact)
    z = deviations.mean(0) / deviations.std(0) * len(deviations) ** 0.5
    assert z.abs().max() > 6.0
    assert_off(*jackknife_log_mean(log_w), log_z, least=5.0, max_err=0.02)


def check_lower(target, scale, seed, n_tests, n=40000):
    """Exact samples: E[q exp(-log_density)] = 1 / Z for normalised q, and E[log_density - log q] >= ln Z."""
    generator = torch.Generator().manual_seed(seed)
    configurations = boltzmann_spins(target.system, n, generator)
    _, _, log_z = boltzmann(target.system)
    x, log_density = target.lower(configurations, generator)
    assert x.shape == (n, target.n_dims) and log_density.dtype == torch.float64
    log_ratio = log_gaussian(x.double(), scale) - log_density
    estimate, err = jackknife_log_mean(log_ratio)
    assert_z(-estimate, err, log_z, n_tests=n_tests, max_err=0.02)
    upper, err = mean_err(-log_ratio)
    assert upper - 4 * err > log_z  # a Gaussian around 0 is far from the target: strictly above
    return configurations, x


@pytest.mark.statistical
@pytest.mark.parametrize("case", LIFTED)
def test_lower_of_the_decimation(case):
    target = set_split(IsingDecimationTarget(ising(*case, temperature=3.0)), -1.5, 0.1)
    spins, x = check_lower(target, 0.8, seed=13, n_tests=len(LIFTED))
    # y_b = sqrt(alpha) m_b + noise: moments that tie x to its configuration.
    m = spins[:, target.spin] @ target.incidence.T
    noise = x - math.exp(-0.75) * m
    for values, exact in ((noise, 0.0), (noise**2, 1.0), (noise * m, 0.0)):
        assert_z(*mean_err(values.mean(1)), exact, n_tests=3 * len(LIFTED), max_err=0.02)


RELAXED = [("ring", 1.0, 0.0), ("open chain", -1.0, 0.4), ("plaquette", 1.0, 0.4)]


@pytest.mark.statistical
@pytest.mark.parametrize("case", RELAXED)
def test_lower_of_the_relaxation(case):
    check_lower(IsingRelaxationTarget(ising(*case, temperature=3.0)), 0.8, seed=14, n_tests=len(RELAXED))


@pytest.mark.parametrize("case", RELAXED)
def test_relaxation_integrates_to_z(case):
    """Trapezoidal rule on a grid of 4 variables; the five-site chain by the sum over spins instead."""
    target = IsingRelaxationTarget(ising(*case, temperature=3.0))
    _, _, log_z = boltzmann(target.system)
    n_nodes = 24 if target.n_dims == 4 else 14
    y, weights = gauss_hermite_grid(target.n_dims, n_nodes)
    log_density, spins = target.lift(y, torch.Generator().manual_seed(15))
    assert spins.shape == (len(y), target.system.n_sites)
    assert torch.equal(log_density, -target.energy(y))
    assert math.log(float(weights @ torch.exp(log_density - log_gaussian(y)))) == pytest.approx(
        log_z, rel=1e-7
    )


@pytest.mark.statistical
@pytest.mark.parametrize("case", RELAXED)
def test_lift_of_the_relaxation(case):
    target = IsingRelaxationTarget(ising(*case, temperature=3.0))
    log_w, configurations = weighted_lift(target, 40000, torch.Generator().manual_seed(16))
    spins, probabilities, log_z = boltzmann(target.system)
    assert_z(*jackknife_log_mean(log_w), log_z, n_tests=len(RELAXED), max_err=0.02)
    exact = probabilities @ observables(target.system, spins)
    deviations = torch.exp(log_w - log_z)[:, None] * (observables(target.system, configurations) - exact)
    for column in deviations.T:
        assert_z(*mean_err(column), 0.0, n_tests=deviations.shape[1] * len(RELAXED), max_err=0.02)


SYMMETRIC = [
    (IsingDecimationTarget, "square", (4, 4), True),
    (IsingDecimationTarget, "square", (3, 4), False),
    (IsingDecimationTarget, "honeycomb", (3, 3), True),
    (IsingDecimationTarget, "cubic", (2, 2, 3), False),
    (IsingRelaxationTarget, "triangular", (3, 4), True),
    (IsingRelaxationTarget, "kagome", (3, 3), True),
]


@pytest.mark.parametrize(("kind", "name", "extent", "pbc"), SYMMETRIC)
@pytest.mark.parametrize("field", [0.0, 0.3])
def test_energy_has_the_symmetry_of_the_lattice(kind, name, extent, pbc, field):
    lattice = lattices.build(name, extent, pbc)
    target = kind(Ising(lattice, 2.0, field=field)).double()
    sites = target.soft.numpy() if kind is IsingDecimationTarget else np.arange(lattice.n_sites)
    group = restricted_group(lattice, sites)
    assert len(group) > 1
    y = torch.randn(1, target.n_dims, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    energies = target.energy(y[0][group]).detach()
    np.testing.assert_allclose(energies, target.energy(y).item(), rtol=1e-12)
    flipped = target.energy(-y).item()
    assert target.symmetric == (field == 0.0)
    assert (abs(flipped - target.energy(y).item()) < 1e-10) == target.symmetric
    # Labels of pairs are constant along the group: what the layers rely on.
    for permutation in group.numpy():
        assert np.array_equal(target.orbits[np.ix_(permutation, permutation)], target.orbits)
    shuffled = torch.randperm(target.n_dims, generator=torch.Generator().manual_seed(6))
    assert abs(target.energy(y[:, shuffled]).item() - target.energy(y).item()) > 1e-6


@pytest.mark.parametrize(
    ("name", "extent", "pbc", "exists"),
    [
        ("square", (4, 4), True, True),
        ("chain", (5,), False, False),
        ("chain", (6,), False, True),
        ("square", (3, 3), False, False),
        ("square", (3, 4), False, True),
        ("honeycomb", (3, 4), True, True),
        ("cubic", (4, 4, 4), True, True),
        ("triangular", (3, 3), True, False),
    ],
)
def test_exchange_is_a_symmetry_that_swaps_the_sublattices(name, extent, pbc, exists):
    lattice = lattices.build(name, extent, pbc)
    swap = exchange(Ising(lattice, 2.0))
    assert (swap is not None) == exists
    if exists:
        assert np.array_equal(np.sort(swap), np.arange(lattice.n_sites))
        assert np.array_equal(lattice.adjacency[np.ix_(swap, swap)], lattice.adjacency)
        assert np.array_equal(lattice.bipartition[swap], -lattice.bipartition)


@pytest.mark.parametrize(
    "system", [("square", (4, 4), True, 1.0), ("square", (4, 4), True, 8.0), ("honeycomb", (3, 3), True, 1.4)]
)
@pytest.mark.parametrize("field", [0.0, 0.4, -0.4])
def test_gaussian_start_has_the_symmetry_of_the_lattice(system, field):
    name, extent, pbc, temperature = system
    lattice = lattices.build(name, extent, pbc)
    target = IsingDecimationTarget(Ising(lattice, temperature, field=field))
    start = target.gaussian_start()
    assert np.linalg.eigvalsh(start.covariance).min() > 0.0
    assert np.all(start.mean * (1.0 if field == 0.0 else field) >= 0.0)
    assert bool(start.mean.any()) == (temperature < 2.0 or field != 0.0)
    for permutation in restricted_group(lattice, target.soft.numpy()).numpy():
        np.testing.assert_allclose(
            start.covariance[np.ix_(permutation, permutation)], start.covariance, atol=1e-10
        )
        np.testing.assert_allclose(start.mean[permutation], start.mean, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "extent", "coupling", "ordered"),
    [
        ("triangular", (3, 3), -1.0, False),
        ("square", (5, 4), -1.0, False),
        ("kagome", (3, 3), -1.0, False),
        ("square", (4, 4), -1.0, True),
        ("triangular", (3, 3), 1.0, True),
    ],
)
def test_relaxation_starts_from_symmetric_order_or_none(name, extent, coupling, ordered):
    """Where order would break the lattice symmetry (frustration) the start has none, however cold."""
    lattice = lattices.build(name, extent)
    target = IsingRelaxationTarget(Ising(lattice, 0.8, coupling=coupling))
    start = target.gaussian_start()
    assert bool(start.mean.any()) == ordered
    np.testing.assert_allclose(start.mean, np.abs(start.mean).max() * target.pattern, atol=1e-9)
    for permutation in lattice.space_group():
        np.testing.assert_allclose(
            start.covariance[np.ix_(permutation, permutation)], start.covariance, atol=1e-10
        )
