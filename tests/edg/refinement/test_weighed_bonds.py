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
from edgphys.edg.recipes import recipe_for
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.reference_bound import ReferenceBound
from edgphys.edg.targets.registry import target_names
from edgphys.errors import UnknownNameError
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


def generator_of(system):
    laws = LatticeGenerator(system, width=8, root_width=8)
    perturb(laws, 0.3, 0)
    return laws


@pytest.mark.parametrize("name", KINDS)
def test_density_is_normalised_and_weights_are_those_of_the_energy(name):
    system = KINDS[name]()
    laws, spins = generator_of(system), all_spins(system.n_sites)
    with torch.no_grad():
        log_prob = laws.log_prob(spins)
        drawn, given = laws.sample(50, torch.Generator().manual_seed(0))
        np.testing.assert_allclose(laws.log_prob(drawn), given, atol=1e-6)
    assert float(torch.logsumexp(log_prob, 0)) == pytest.approx(0.0, abs=1e-5)
    log_z = float(torch.logsumexp(log_prob + laws.log_weight(spins, log_prob), 0))
    assert log_z == pytest.approx(system.exact_results()["log_z"], abs=1e-9)


@pytest.mark.parametrize("name", KINDS)
def test_exact_sites_are_summed_with_the_weights_of_their_bonds(name):
    """log_marginal + log p(exact | rest) = -beta E, for every state; not so with weights all alike."""
    system = KINDS[name]()
    refinement, spins = generator_of(system).refinement, all_spins(system.n_sites)

    def whole():
        around = refinement._around_exact(spins)
        exact = refinement.law.exact_log_prob(spins[:, refinement.exact], around).sum(1)
        return (refinement.log_marginal(spins) + exact).numpy()

    expected = -system.beta * system.energy(spins).numpy()
    np.testing.assert_allclose(whole(), expected, atol=1e-10)
    refinement.weights_around = refinement.inner_weights = None
    assert np.abs(whole() - expected).max() > 0.1


@pytest.mark.parametrize("name", KINDS)
def test_means_of_sites_are_those_given_all_but_the_exact_ones(name):
    system = KINDS[name]()
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
@pytest.mark.parametrize("name", [*KINDS, *GLASSES])
def test_untrained_weights_average_to_z(name):
    """Whatever EDG takes by default: E[w] = Z, and not that of another temperature."""
    system = (KINDS | GLASSES)[name]()
    draws = EDG(system, decoder_size=(4, 1), encoder_size=(4, 1)).sample(2000, seed=1, n_views=2)
    exact = system.exact_results()["log_z"]
    w = np.exp(draws["log_weight_joint"].values - exact)
    error = w.std(ddof=1) / math.sqrt(len(w))
    assert_z(w.mean(), error, 1.0, n_tests=5, max_err=0.15)
    other = np.exp(system.replace(temperature=1.0).exact_results()["log_z"] - exact)
    assert_off(w.mean(), error, other, least=8, max_err=0.15)


def test_decoders_that_serve():
    kinds, glass = KINDS["second_neighbours"](), GLASSES["glass"]()
    assert recipe_for(kinds, {})[0].name == "refinement" and recipe_for(glass, {})[0].name == "field"
    assert target_names(glass) == target_names(kinds) == ("relaxation",)
    with pytest.raises(UnknownNameError, match=r"got 'refinement': .* couplings differ from cell to cell"):
        EDG(glass, decoder="refinement")
    with pytest.raises(UnknownNameError, match=r"target must be auto, relaxation for .* got 'decimation'"):
        EDG(glass, target="decimation")
