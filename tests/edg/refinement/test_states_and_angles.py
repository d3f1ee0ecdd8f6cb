# SPDX-License-Identifier: MIT
"""EDG of states and vectors from end to end: views, training, ranges of couplings, files; what is refused.

Potts by enumeration, XY by the sum of Bessel functions of a ring, Heisenberg by that over waves. The answer
of another temperature must be told from that of the weights.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import torch
from helpers.edg import jackknife_log_mean, perturb
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys.edg.core.bounds import path_bound
from edgphys.edg.refinement.generative_model import RefinementModel
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.laws_of import law_of
from edgphys.edg.weights.views import harmonic_mean, redraw


def potts(**couplings):
    return ep.Potts(lattices.build("square", (2, 4), (False, True)), **{"temperature": 1.4, **couplings})


def ring(**couplings):
    return ep.XY(lattices.build("chain", (6,)), **{"temperature": 1.3, **couplings})


def log_z_of(system):
    if system.family == "states" or system.name == "heisenberg":
        return system.exact_results()["log_z"]
    return math.log(((2 * math.pi * scipy.special.iv(np.arange(-30, 31), system.beta)) ** 6).sum())


def glass(**couplings):
    return potts(
        **{"temperature": 0.8, "coupling": lattices.random_bonds(potts().lattice, seed=0), **couplings}
    )


def vectors(**couplings):
    return ep.Heisenberg(lattices.build("chain", (6,)), **{"temperature": 1.0, **couplings})


SYSTEMS = {"potts": potts, "potts glass": glass, "ring": ring, "vectors": vectors}


def edg_of(system, scale=0.2, **options):
    edg = ep.EDG(system, decoder_size=(6, 6), **options)
    perturb(edg.model, scale, seed=3)
    return edg


def log_weights(edg, n, n_views):
    """log w of n draws from all sides, without their observables."""
    model, generator = edg.model, torch.Generator().manual_seed(1)
    draw = model.draw(n, generator)
    log_density, configurations = model.target.lift(draw.x, generator)
    first = log_density - draw.log_prob
    more = [redraw(model, configurations, 2, 1, generator) for _ in range(n_views - 1)]
    return harmonic_mean(torch.cat([first[None], *(one[:1] for one in more)]))


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["potts", "ring", "vectors"])
def test_views_are_unbiased(name):
    """Three views of random laws: E[w] = Z, and weights less apart than those of one view.

    A glass has no view but the permutations of its states, under which the laws do not change.
    """
    system = SYSTEMS[name]()
    one, three = (log_weights(edg_of(system), 2500, k) for k in (1, 3))
    assert float(three.std()) < float(one.std())
    found = jackknife_log_mean(three)
    assert_z(*found, log_z_of(system), n_tests=3, max_err=0.05)
    assert_off(
        *found, log_z_of(system.replace(temperature=0.85 * system.temperature)), least=6.0, max_err=0.05
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_default_decoder_and_file(name, tmp_path):
    edg = edg_of(SYSTEMS[name]())
    assert edg.options["target"] == "refinement"
    edg.fit(seed=0, n_steps=2, batch_size=16, training="energy", progress=False).save(tmp_path / "model.pt")
    draws, again = (
        one.sample(20, seed=1, progress=False)["log_weight_joint"]
        for one in (edg, ep.EDG.load(tmp_path / "model.pt"))
    )
    np.testing.assert_array_equal(draws, again)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("training", ["chains", "energy"])
def test_training_makes_weights_alike(name, training):
    system = SYSTEMS[name]()
    edg = ep.EDG(system, decoder_size=(8, 8))
    before = ep.estimate(edg.sample(1000, seed=1, n_views=1, progress=False))
    edg.fit(seed=0, n_steps=60, batch_size=64, training=training, learning_rate=0.05, progress=False)
    after = ep.estimate(edg.sample(1000, seed=1, n_views=1, progress=False))
    assert float(after["ess"]) > 0.95 > float(before["ess"])
    assert_z(float(after["log_z"]), float(after["log_z_err"]), log_z_of(system), n_tests=4, max_err=0.02)


@pytest.mark.parametrize("name", SYSTEMS)
def test_one_model_of_a_range_is_that_of_each_temperature(name):
    system = SYSTEMS[name]()
    edg = edg_of(system, conditions={"temperature": (1.0, 2.0)})
    laws = edg.model.generator
    node = laws.range.draw(6, torch.Generator().manual_seed(1))
    couplings = laws.range.at(node)
    x, log_prob = laws.sample(6, torch.Generator().manual_seed(2), couplings)
    sites = laws.refinement.law.by_site(x)
    marginal = laws.refinement.log_marginal(sites, couplings=couplings)
    means = laws.refinement.root_moments(sites, couplings)
    for row, k in enumerate(node.tolist()):
        alone = laws.at_couplings({"temperature": laws.range.systems[k].temperature})
        here = slice(row, row + 1)
        pairs = [
            (alone.log_prob(x[here]), log_prob),
            (alone.refinement.log_marginal(sites[here]), marginal),
            (alone.refinement.root_moments(sites[here]), means),
        ]
        for value, together in pairs:
            torch.testing.assert_close(value, together[here], rtol=1e-5, atol=1e-5)
    hot = edg_of(system, 0.05, conditions={"temperature": (1.0, 2.0)}).model.generator
    x, log_prob = hot.at_couplings({"temperature": 2.0}).sample(2000, torch.Generator().manual_seed(3))
    found = jackknife_log_mean(-0.5 * system.energy(x) - log_prob)
    assert_z(*found, log_z_of(system.replace(temperature=2.0)), n_tests=2, max_err=0.1)


def test_gradient_of_the_bound_is_finite_from_free_sites():
    """Where the window has no direction, and where all harmonics vanish."""
    for make in SYSTEMS.values():
        model = RefinementModel(LatticeGenerator(make(), width=6, root_width=6))
        path_bound(model, 32, torch.Generator().manual_seed(1)).total.backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert all(torch.isfinite(one).all() for one in gradients)
        assert any(float(one.abs().max()) > 0.0 for one in gradients)


def test_refused_in_one_line():
    table = {(0, 0): 1.0, (1, 1): -1.0}
    own = ep.LatticePotential(
        potts().lattice, site=None, bond=lambda a, b: table.get((a, b), 0.0), states=3, temperature=1.0
    )
    angles = ep.LatticePotential(
        potts().lattice, site=None, bond=lambda a, b: -torch.cos(a - b), field="angle", temperature=1.0
    )
    for system in (own, angles):
        with pytest.raises(
            ValueError, match=r"root must be 'autoregressive' for .* no products .* got 'edg'"
        ):
            ep.EDG(system, root="edg")
    with pytest.raises(ValueError, match=r"root must be 'autoregressive' for couplings .* differ"):
        ep.EDG(glass(), root="edg")
    with pytest.raises(ValueError, match="conditions must be temperature alone for potts"):
        ep.EDG(potts(), conditions={"field": (0.0, 1.0)}).fit(seed=0, n_steps=1)
    fields = ep.XY(lattices.build("square", (4, 4)), temperature=1.0, field=np.linspace(0.0, 1.0, 16))
    with pytest.raises(ValueError, match=r"no law .* of xy whose .* differ .*; .* and ep.free_energy by"):
        ep.EDG(fields)
    large = lattices.build("square", (17, 17))
    with pytest.raises(ValueError, match=r"more than 256 whose .* differ; decoder field learns from a"):
        ep.EDG(ep.Potts(large, 1.0, coupling=lattices.random_bonds(large, seed=0)))
    with pytest.raises(ValueError, match="decoder must be one of auto, refinement, got 'field'"):
        ep.EDG(ring(), decoder="field")
    with pytest.raises(ValueError, match="with one field for all sites"):
        law_of(fields)
