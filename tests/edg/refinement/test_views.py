# SPDX-License-Identifier: MIT
"""E[w_K] = Z for every K and network, by enumeration; wrong and shared elements are caught.

On a ring of six spins all configurations and pairs of group elements are summed (1e-6). The statistical tests
count how far log_z lies from the exact value in units of its own error, over many batches.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from helpers.edg import all_spins, boltzmann, perturb

import lattices
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.views import draw_with_views
from edgphys.edg.weights.views import harmonic_mean
from edgphys.systems import Ising
from edgphys.systems.lattice.space_group import SpaceGroup

RING = Ising(lattices.build("chain", (6,)), temperature=1.5)


def generator_of(system, scale, seed=1):
    model = LatticeGenerator(system, width=6, root_width=6, seed=seed)
    return perturb(model, scale, seed=2).requires_grad_(False)


def mean_of_two_views(model, elements):
    """E[w_2] over draws and two elements of a list, by summing everything."""
    states = all_spins(6)
    log_q = torch.stack(
        [model.log_prob(states[:, element]) for element in elements]
    )  # (n_elements, n_states)
    log_w = model.log_weight(states, log_q)
    # x = g x_0 has the law sum_g q(g^{-1} x) / n; given x and g, the second element is uniform.
    harmonic = harmonic_mean(torch.stack(torch.broadcast_tensors(log_w[:, None], log_w[None])))
    return float(torch.logsumexp(harmonic + log_q[:, None], dim=(0, 1, 2))) - 2 * math.log(len(elements))


def test_mean_weight_is_z_by_enumeration():
    model = generator_of(RING, 0.4)
    elements = torch.from_numpy(RING.lattice.space_group().astype(np.int64))
    assert len(elements) == 12
    exact = boltzmann(RING)[2]
    assert mean_of_two_views(model, elements) == pytest.approx(exact, abs=1e-6)
    states = all_spins(6)
    spread = torch.stack([model.log_prob(states[:, element]) for element in elements]).std(0)
    assert float(spread.max()) > 0.1  # the views differ


class SharedGroup:
    """A wrong group of views: one element for the whole batch."""

    def __init__(self, group):
        self.group = group

    def move(self, configurations, generator):
        return configurations[:, self.group.draw(1, generator)[0]]


class WrongGroup:
    """A wrong group of views: an exchange of two neighbours, no symmetry of the energy."""

    def move(self, configurations, generator):
        swapped = torch.arange(configurations.shape[1])
        swapped[:2] = swapped[[1, 0]]
        return configurations[:, swapped]


def z_scores(group, n_views, n_batches=100, n=1000):
    """(log_z - exact) / error of independent batches on the ring."""
    model, exact = generator_of(RING, 0.4), boltzmann(RING)[2]
    generator, scores = torch.Generator().manual_seed(3), []
    for _ in range(n_batches):
        w = torch.exp(draw_with_views(model, group, n, n_views, generator).log_weight - exact)
        scores.append(float((w.mean() - 1.0) / (w.std() / n**0.5)))
    return np.array(scores)


@pytest.mark.statistical
@pytest.mark.parametrize("n_views", [1, 4])
def test_errors_are_those_stated(n_views):
    squares = z_scores(SpaceGroup(RING.lattice), n_views) ** 2
    low, high = scipy.stats.chi2.ppf([5e-5, 1 - 5e-5], len(squares))
    assert low < squares.sum() < high


@pytest.mark.statistical
def test_elements_shared_by_a_batch_are_caught():
    """Every weight is right, but errors are common to a batch: z-scores far wider than one."""
    squares = z_scores(SharedGroup(SpaceGroup(RING.lattice)), 4) ** 2
    assert squares.mean() > 2.5


@pytest.mark.statistical
def test_an_element_that_is_no_symmetry_is_caught():
    scores = z_scores(WrongGroup(), 2)
    assert abs(scores.mean()) * len(scores) ** 0.5 > 10.0


@pytest.mark.statistical
def test_gap_falls_with_the_number_of_views():
    system = Ising(lattices.build("square", (6, 6)), temperature=6.0)
    drawn = draw_with_views(
        generator_of(system, 0.08), SpaceGroup(system.lattice), 2000, 16, torch.Generator().manual_seed(4)
    )
    bounds = [float(harmonic_mean(drawn.log_weights[:, :k].T).mean()) for k in (1, 2, 4, 8, 16)]
    assert np.all(np.diff(bounds) > 0.0)
    assert bounds[-1] < system.exact_results()["log_z"]


def test_one_view_is_the_plain_weight():
    model = generator_of(RING, 0.4)
    group = SpaceGroup(RING.lattice)
    drawn = draw_with_views(model, group, 100, 1, torch.Generator().manual_seed(5))
    spins, log_prob = model.sample(100, torch.Generator().manual_seed(5))
    assert torch.equal(drawn.log_weight, model.log_weight(spins, log_prob))
    np.testing.assert_array_equal(RING.energy(drawn.configurations), RING.energy(spins))
