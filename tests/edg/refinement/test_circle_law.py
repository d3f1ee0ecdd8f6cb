# SPDX-License-Identifier: MIT
"""Laws of angles with functions of one's own, random weights: exact given neighbours, equivariant, E[w] = Z.

Rings are judged by the trace of their transfer operator on a grid, which converges exponentially. Controls:
a normaliser of half the coupling, a turned density where the energy has axes.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from helpers.edg import assert_means_on_grid, jackknife_log_mean, perturb
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys.edg.recipes import recipe_for
from edgphys.edg.refinement.angle_law import AngleLaw
from edgphys.edg.refinement.circle_table import draw_harmonics, harmonics_of, wrapped
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.laws_of import common_form, has_law, law_of
from edgphys.systems.lattice.angle_harmonics import angle_harmonics

RING, KINDS = lattices.build("chain", (8,)), {"first": 1.0, "second": -0.4}


def own(bond, site=None, lattice=RING, **more):
    return ep.LatticePotential(lattice, site, bond, field="angle", temperature=0.8, **more)


SYSTEMS = {
    "xy": lambda: own(lambda a, b: -torch.cos(a - b)),
    "rods and arrows": lambda: own(lambda a, b: -0.4 * torch.cos(a - b) - 0.9 * torch.cos(2 * (a - b))),
    "rods": lambda: own(lambda a, b: 1.0 - torch.cos(2 * (a - b))),
    "many harmonics": lambda: own(lambda a, b: -1.5 * torch.log(1.3 + torch.cos(a - b))),
    "corners": lambda: own(lambda a, b: -torch.cos(a - b), lambda x: 0.6 * torch.cos(3 * x)),
    "crystal": lambda: own(lambda a, b: -torch.cos(a) * torch.cos(b) - 0.3 * torch.sin(a) * torch.sin(b)),
    "tilted": lambda: own(
        lambda a, b: -0.6 * torch.cos(a - b) - 0.4 * torch.sin(a + b), lambda x: -0.5 * torch.sin(x)
    ),
    "second neighbours": lambda: own(
        lambda a, b: -torch.cos(a - b), lattice=lattices.build("chain-j1j2", (8,)), coupling=KINDS
    ),
    "glass": lambda: own(
        lambda a, b: -torch.cos(a - b), lambda x: -0.3 * torch.cos(x), coupling=np.linspace(-1.0, 1.5, 8)
    ),
}
N_AXES = [0, 0, 0, 0, 1, 1, 2, 0, 1]


@pytest.fixture(params=SYSTEMS)
def system(request):
    return SYSTEMS[request.param]()


def laws_of(system, scale=0.05, seed=1):
    laws = LatticeGenerator(system, width=5, root_width=5, seed=seed)
    return perturb(laws, scale, seed=seed + 1).requires_grad_(False)


def energies(system, n):
    """Of a bond and of a site at n angles, float64 (n, n) and (n,)."""
    x = torch.arange(n, dtype=torch.float64) * (2.0 * math.pi / n)
    bond = system._bond(*torch.meshgrid(x, x, indexing="ij"))
    return bond.numpy(), system._site(x).numpy()


def log_z_of_ring(system, n=48):
    """Trace of the transfer operator; with second neighbours that of pairs of sites."""
    bond, site = energies(system, n)
    k, step = system.beta, 2.0 * math.pi / n
    if system.lattice.bond_kinds.max() == 0:
        J = {
            frozenset(ends): one for ends, one in zip(RING.bonds.tolist(), system.bond_couplings, strict=True)
        }
        product = np.eye(n)
        for i in range(8):
            weight = J[frozenset((i, (i + 1) % 8))]
            product = product @ np.exp(-k * (weight * bond + 0.5 * (site[:, None] + site))) * step
        return math.log(np.trace(product))
    n = 16
    bond, _ = energies(system, n)
    near, far = (np.exp(-k * J * bond) * 2.0 * math.pi / n for J in KINDS.values())
    far = far * n / (2.0 * math.pi)
    # (a, b) -> (b, c): the bond of b and c, and that of a and c.
    pairs = np.einsum("bc,ac,bd->abdc", near, far, np.eye(n)).reshape(n * n, n * n)
    return math.log(np.trace(np.linalg.matrix_power(pairs, system.n_sites)))


@pytest.mark.parametrize(("name", "n_axes"), list(zip(SYSTEMS, N_AXES, strict=True)))
def test_harmonics_are_those_of_the_functions(name, n_axes):
    system = SYSTEMS[name]()
    law, found = law_of(system), system.angle_harmonics
    assert found is not None and found.n_axes == n_axes and found.fold == (2 if name == "rods" else 1)
    x, y = torch.rand(2, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 9.0
    np.testing.assert_allclose(law.bond(x, y), system._bond(x, y), atol=1e-9)
    np.testing.assert_allclose(law.local(x), -system.beta * system._site(x), atol=1e-9)


def test_kinks_and_real_fields_have_no_law():
    kink = own(lambda a, b: torch.abs(torch.sin(0.5 * (a - b))))
    real = ep.LatticePotential(RING, site=lambda x: x**2, field="real")
    assert not any(map(has_law, (kink, real)))
    assert recipe_for(kink, {})[0].name == recipe_for(real, {})[0].name == "field"
    assert recipe_for(SYSTEMS["tilted"](), {})[0].name == "refinement"
    assert angle_harmonics(lambda x: 0.0 * x, lambda x, y: 0.0 * x).multiples.tolist() == [0.0]


def test_xy_written_anew_has_the_law_of_xy():
    law, shipped = law_of(SYSTEMS["xy"]()), AngleLaw(1.25, 0.0, 2.5)
    generator = torch.Generator().manual_seed(1)
    x = 6.0 * torch.rand(4, 7, dtype=torch.float64, generator=generator) - 3.0
    cosines, sines = torch.randn(2, 4, 7, 4, dtype=torch.float64, generator=generator)
    np.testing.assert_allclose(
        law.log_prob(x, cosines, sines), shipped.log_prob(x, cosines, sines), atol=1e-12
    )
    around, other = (2.0 * one.message(x) for one in (law, shipped))
    np.testing.assert_allclose(law.log_normaliser(around), shipped.log_normaliser(other), atol=1e-12)
    times = torch.tensor([0.0, 1.0, 2.0, 1.0, 0.5, 0.0, 1.0])
    on_grid = law.log_normaliser_on_grid(around, times), shipped.log_normaliser_on_grid(other, times)
    np.testing.assert_allclose(*on_grid, atol=1e-7)


def test_given_neighbours_the_law_is_exact(system):
    """Normalised, and drawn as it is, by its distribution function on a fine grid, not by one less steep."""
    law, n = law_of(system), 4000
    x = torch.tensor([0.4, -0.6], dtype=torch.float64)
    around = law.message(x).sum(1, keepdim=True).expand(-1, n)
    grid = torch.arange(n, dtype=torch.float64) * (2.0 * math.pi / n) - math.pi
    density = torch.exp(law.exact_log_prob(grid, around)).numpy() * 2.0 * math.pi / n
    assert density.sum() == pytest.approx(1.0, abs=1e-10)
    expected = sum(system._bond(grid, one.expand(n)) for one in x) + system._site(grid)
    shape = np.log(density) + system.beta * expected.numpy()
    assert np.ptp(shape) < 1e-7
    draws = law.draw_exact(around[:, :2000], torch.Generator().manual_seed(2)).numpy()
    assert draws.min() >= -math.pi and draws.max() < math.pi

    def p_value(density):
        below = np.cumsum(density) - 0.5 * density
        return scipy.stats.kstest(np.interp(draws, grid.numpy(), below / below[-1]), "uniform").pvalue

    assert p_value(density) > 1e-4 / len(SYSTEMS)
    assert p_value(np.sqrt(density)) < 1e-6


def test_rejection_is_under_its_bound():
    """Few nodes, steep densities: the chord alone would be drawn wrongly."""
    cosines, sines = (
        torch.tensor([one], dtype=torch.float64).expand(4000, 2) for one in ((3.0, 2.0), (0.0, 1.0))
    )
    nodes = torch.arange(8, dtype=torch.float64) * (math.pi / 4) - math.pi
    draws = draw_harmonics(harmonics_of(nodes, 2).T, cosines, sines, torch.Generator().manual_seed(0))
    grid = torch.arange(4000, dtype=torch.float64) * (math.pi / 2000) - math.pi
    density = torch.softmax((harmonics_of(grid, 2) * torch.cat([cosines, sines], -1)).sum(-1), 0).numpy()
    below = np.cumsum(density) - 0.5 * density
    assert scipy.stats.kstest(np.interp(draws, grid, below), "uniform").pvalue > 1e-4


@pytest.mark.statistical
def test_weights_on_a_ring_average_to_z(system):
    laws, exact = laws_of(system), log_z_of_ring(system)
    x, log_prob = laws.sample(1000, torch.Generator().manual_seed(3))
    np.testing.assert_allclose(log_prob, laws.log_prob(x), atol=5e-5)
    log_w = laws.log_weight(x, log_prob)
    assert_z(*jackknife_log_mean(log_w), exact, n_tests=len(SYSTEMS), max_err=0.1)
    assert_off(
        *jackknife_log_mean(log_w), log_z_of_ring(system.replace(temperature=1.2)), least=6.0, max_err=0.1
    )
    if len(laws.refinement.exact):
        around, law = laws.refinement._around_exact(x), laws.refinement.law
        wrong = law.log_normaliser(around).sum(1) - law.log_normaliser(0.5 * around).sum(1)
        assert_off(*jackknife_log_mean(log_w - wrong), exact, least=6.0, max_err=0.1)


def test_density_has_the_symmetry_of_the_energy(system):
    laws = laws_of(system, 0.3)
    x, log_prob = laws.sample(50, torch.Generator().manual_seed(4))
    turned = (laws.log_prob(wrapped(x + 0.7)) - log_prob).abs().max()
    reflected = (laws.log_prob(wrapped(-x)) - log_prob).abs().max()
    n_axes = system.angle_harmonics.n_axes
    assert (float(turned) < 5e-4) == (n_axes == 0)
    assert (float(reflected) < 5e-4) == (n_axes < 2)
    assert float(turned) < 5e-4 or float(turned) > 0.05


def test_marginal_is_the_integral_over_exact_sites(system):
    laws = laws_of(system, 0.3)
    x, log_prob = laws.sample(50, torch.Generator().manual_seed(5))
    refinement = laws.refinement
    log_learned = refinement.learned_log_density(x, range(refinement.n_classes))
    expected = laws.log_weight(x, log_prob) + laws.root.log_prob(refinement.restrict(x)) + log_learned
    np.testing.assert_allclose(refinement.log_marginal(x), expected, atol=5e-4)


@pytest.mark.parametrize("name", ["rods", "tilted", "second neighbours"])
def test_mean_of_an_angle_given_all_others(name):
    """Moments of a site with the exact ones integrated out, on a fine grid."""
    system = SYSTEMS[name]()
    x = 6.0 * torch.rand(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) - 3.0
    assert_means_on_grid(laws_of(system).refinement, x, 100, atol=1e-5)


def test_laws_of_several_temperatures_are_those_of_each():
    """Rows of a stack against the laws themselves; not in another order."""
    systems = [SYSTEMS["tilted"]().replace(temperature=one) for one in (0.8, 1.5, 3.0)]
    form = common_form(systems)
    laws = [law_of(one, form) for one in systems]
    rows = laws[0].stacked(laws).rows(torch.tensor([2, 0]))
    x = 6.0 * torch.rand(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 3.0
    around, times = laws[0].message(x) + laws[0].message(-x), torch.tensor([1.0, 0.0, 2.0, 1.0, 0.5])
    cosines, sines = torch.randn(2, 2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def values(law, k):
        return [
            law.local(x)[k],
            law.log_normaliser(around)[k],
            law.log_normaliser_on_grid(around, times)[k],
            law.log_weight_on_grid(around)[k],
            law.log_prob(x, cosines, sines)[k],
        ]

    for k, law in enumerate((laws[2], laws[0])):
        for found, expected in zip(values(rows, k), values(law, k), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-6)
        for found, other in zip(values(rows, k), values(laws[1], k), strict=True):
            assert float((found - other).abs().max()) > 0.01


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("name", ["xy", "rods and arrows", "tilted"])
def test_trained_laws_of_a_ring(name):
    system = SYSTEMS[name]()
    edg = ep.EDG(system, decoder_size=(16, 16)).fit(seed=0, n_steps=150, progress=False)
    draws = edg.sample(4000, seed=1, n_views=1, progress=False)
    found = ep.estimate(draws)
    pair = float(found["log_z"]), float(found["log_z_err"])
    assert_z(*pair, log_z_of_ring(system), n_tests=3, max_err=0.01)
    assert float(found["ess"]) > 0.9
