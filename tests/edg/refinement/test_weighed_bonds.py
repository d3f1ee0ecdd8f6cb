# SPDX-License-Identifier: MIT
"""EDG of Ising models with couplings by kind, bond and site: laws with weights of bonds, and E[w] = Z."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.edg import all_spins, perturb
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg import EDG
from edgphys.edg.core.conditions import Conditions
from edgphys.edg.recipes import recipe_for
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.reference_bound import ReferenceBound
from edgphys.edg.targets.registry import target_names
from edgphys.errors import UnknownNameError
from edgphys.estimators import estimate
from edgphys.systems import Ising

SQUARE = lattices.build("square", (3, 3))
KINDS = {
    "second_neighbours": lambda: Ising(
        lattices.build("square-j1j2", (3, 4)), 1.7, {"first": 1.0, "second": -0.6}
    ),
    "anisotropic_field": lambda: Ising(
        lattices.build("square", (4, 3)), 1.7, {"x": 1.0, "y": -0.5}, field=0.3
    ),
    "double_bonds": lambda: Ising(
        lattices.build("square", (2, 4), allow_double_bonds=True), 1.7, {"x": 0.8, "y": -0.5}
    ),
}
GLASSES = {
    "glass": lambda: Ising(SQUARE, 2.0, lattices.random_bonds(SQUARE, "gaussian", seed=1)),
    "glass_in_random_fields": lambda: Ising(
        SQUARE, 2.0, lattices.random_bonds(SQUARE, seed=1), field=np.linspace(-0.5, 0.4, 9)
    ),
}
EVERY = KINDS | GLASSES


def generator_of(system):
    laws = LatticeGenerator(system, width=8, root_width=8)
    perturb(laws, 0.3, 0)
    return laws


@pytest.mark.parametrize("name", EVERY)
def test_density_is_normalised_and_weights_are_those_of_the_energy(name):
    system = EVERY[name]()
    laws, spins = generator_of(system), all_spins(system.n_sites)
    with torch.no_grad():
        log_prob = laws.log_prob(spins)
        drawn, given = laws.sample(50, torch.Generator().manual_seed(0))
        np.testing.assert_allclose(laws.log_prob(drawn), given, atol=1e-6)
    assert float(torch.logsumexp(log_prob, 0)) == pytest.approx(0.0, abs=1e-5)
    log_z = float(torch.logsumexp(log_prob + laws.log_weight(spins, log_prob), 0))
    assert log_z == pytest.approx(system.exact_results()["log_z"], abs=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_exact_sites_are_summed_with_the_weights_of_their_bonds(name):
    """log_marginal + log p(exact | rest) = -beta E, for every state; not so with weights all alike."""
    system = EVERY[name]()
    refinement, spins = generator_of(system).refinement, all_spins(system.n_sites)

    def whole():
        around = refinement._around_exact(spins)
        exact = refinement.law.exact_log_prob(spins[:, refinement.exact], around).sum(1)
        return (refinement.log_marginal(spins) + exact).numpy()

    expected = -system.beta * system.energy(spins).numpy()
    np.testing.assert_allclose(whole(), expected, atol=1e-10)
    refinement.weights_around = refinement.inner_weights = refinement.field_weights = None
    assert np.abs(whole() - expected).max() > 0.1


@pytest.mark.parametrize("name", EVERY)
def test_means_of_sites_are_those_given_all_but_the_exact_ones(name):
    system = EVERY[name]()
    refinement, spins = generator_of(system).refinement, all_spins(system.n_sites)
    site = int(refinement.root[-1])
    rows = torch.arange(0, len(spins), 97)
    moments = refinement.means.moments(
        refinement.law, spins[rows], refinement._around_exact(spins[rows]), torch.tensor([site])
    )
    flipped = spins[rows].clone()
    flipped[:, site] *= -1.0
    change = (refinement.log_marginal(spins[rows]) - refinement.log_marginal(flipped)) * spins[rows][:, site]
    np.testing.assert_allclose(moments[:, 0, 0], torch.tanh(0.5 * change), atol=1e-6)


def test_reference_is_moved_by_what_the_couplings_keep():
    """x and y differ: no rotation of a reference of the anisotropic model."""
    system = Ising(lattices.build("square", (4, 4)), 1.0, {"x": 1.0, "y": -0.5})
    spins = all_spins(16)[:: 2**9 + 1].float()
    moved, _ = ReferenceBound(generator_of(system), spins)._batch(200, torch.Generator().manual_seed(0))
    before, after = (set(np.round(system.energy(x).numpy(), 6).tolist()) for x in (spins, moved))
    assert after <= before
    uniform = ReferenceBound(generator_of(system.replace(coupling=1.0)), spins)
    other, _ = uniform._batch(200, torch.Generator().manual_seed(0))
    assert not set(np.round(system.energy(other).numpy(), 6).tolist()) <= before


@pytest.mark.statistical
@pytest.mark.parametrize("name", EVERY)
def test_untrained_weights_average_to_z(name):
    """Whatever EDG takes by default: E[w] = Z, and not that of another temperature."""
    system = EVERY[name]()
    draws = EDG(system, decoder_size=(4, 1), encoder_size=(4, 1)).sample(2000, seed=1, n_views=2)
    exact = system.exact_results()["log_z"]
    w = np.exp(draws["log_weight_joint"].values - exact)
    error = w.std(ddof=1) / math.sqrt(len(w))
    assert_z(w.mean(), error, 1.0, n_tests=5, max_err=0.15)
    other = np.exp(system.replace(temperature=1.0).exact_results()["log_z"] - exact)
    assert_off(w.mean(), error, other, least=8, max_err=0.15)


@pytest.mark.parametrize("name", GLASSES)
def test_a_glass_has_a_network_for_each_site_of_the_root(name):
    """The laws of a range weigh fields and bonds at its temperatures."""
    system = GLASSES[name]()
    ranges = Conditions({"temperature": (1.0, 3.0)})
    laws = LatticeGenerator(system, width=8, root_width=8, conditions=ranges)
    perturb(laws, 0.3, 0)
    classes, spins = laws.refinement.classes, all_spins(system.n_sites)
    assert not classes.learned and len(classes.root) + len(classes.exact) == system.n_sites
    node = torch.arange(len(spins)) % len(laws.range.systems)
    given = laws.range.at(node)
    with torch.no_grad():
        found = laws.refinement.log_marginal(spins, couplings=given)
        found += laws.refinement.log_density(spins, given)  # no learned class: of the exact sites alone
        log_prob = laws.log_prob(spins, laws.range.at(torch.zeros_like(node)))
    beta = torch.tensor([one.beta for one in laws.range.systems])[node]
    np.testing.assert_allclose(found, -beta * system.energy(spins), atol=1e-5)
    assert float(torch.logsumexp(log_prob, 0)) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("name", GLASSES)
def test_a_glass_learns(name):
    system = GLASSES[name]()
    edg = EDG(system).fit(seed=0, n_steps=200, progress=False)
    table = estimate(edg.sample(4000, seed=1, n_views=1, progress=False))
    assert float(table["ess"]) > 0.98
    found = float(table["log_z"]), float(table["log_z_err"])
    exact, hotter = (one.exact_results()["log_z"] for one in (system, system.replace(temperature=2.1)))
    assert_z(*found, exact, n_tests=2, max_err=0.01)
    assert_off(*found, hotter, least=8.0, max_err=0.01)


def test_decoders_that_serve():
    kinds, glass, large = KINDS["second_neighbours"](), GLASSES["glass"](), lattices.build("square", (17, 17))
    larger = Ising(large, 2.0, field=np.linspace(-0.5, 0.5, 289))
    assert [recipe_for(one, {})[0].name for one in (kinds, glass, larger)] == ["refinement"] * 2 + ["field"]
    assert target_names(glass) == target_names(kinds) == ("relaxation",)
    words = "ising, more than 256 whose couplings or fields differ"
    with pytest.raises(UnknownNameError, match=rf"got 'refinement': .* {words}"):
        EDG(larger, decoder="refinement")
    with pytest.raises(ValueError, match=r"root must be 'autoregressive' for couplings .* got 'edg'"):
        EDG(glass, root="edg")
    with pytest.raises(UnknownNameError, match=r"target must be auto, relaxation for .* got 'decimation'"):
        EDG(glass, target="decimation")
