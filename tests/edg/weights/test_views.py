# SPDX-License-Identifier: MIT
"""Weights from many views: E[w_K] = Z for every target and network, and what breaks it is seen.

Controls: an element that is no symmetry, latents that are not drawn anew, one set of elements for a batch.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from helpers.edg import boltzmann, boltzmann_spins, jackknife_log_mean, make_model, mean_err
from helpers.stats import assert_z
from helpers.targets import TARGETS, ess, exact_log_z

import lattices
from edgphys.edg.core.path import log_weights
from edgphys.edg.weights.views import ViewSpread, harmonic_mean, redraw
from edgphys.systems import Ising
from edgphys.systems.lattice.random_symmetry import RandomSymmetry

N_STEPS = 4


def views(model, n, n_views, seed, move=None, n_batch=4000):
    """log w of every view, (n_views, n): the one that made the draw first."""
    generator = torch.Generator(model.device).manual_seed(seed)
    move = move or model.target.system.random_symmetry
    parts = []
    for _ in range(n // n_batch):
        with torch.no_grad():
            draw = model.draw(n_batch, generator)
            log_density, configurations = model.target.lift(draw.x, generator)
            first = log_weights(model, draw, log_density, N_STEPS, generator)
            more = redraw(model, configurations, n_views - 1, N_STEPS, move, generator)
        parts.append(torch.cat([first[None], more]))
    return torch.cat(parts, 1).cpu()


@pytest.mark.statistical
@pytest.mark.parametrize("n_views", [2, 5])
@pytest.mark.parametrize("scale", [0.0, 0.03])
@pytest.mark.parametrize("name", TARGETS)
def test_mean_weight_is_z(name, scale, n_views, device):
    target = TARGETS[name]()
    model = make_model(target, scale=scale, device=device)
    log_w = harmonic_mean(views(model, 4000, n_views, seed=7))
    assert log_w.dtype == torch.float64
    assert ess(log_w) > 0.15
    n_tests = 2 * 2 * len(TARGETS)
    assert_z(*jackknife_log_mean(log_w), exact_log_z(target), n_tests=n_tests, max_err=0.04)


@pytest.mark.statistical
@pytest.mark.parametrize("name", TARGETS)
def test_the_gap_falls_with_the_number_of_views(name, device):
    """E[log w_K] rises and stays below log Z; the same draws for all K, so differences are sharp."""
    target = TARGETS[name]()
    rows = views(make_model(target, scale=0.03, device=device), 16_000, 8, seed=8)
    bounds = [harmonic_mean(rows[:k]) for k in (1, 2, 8)]
    for few, many in itertools.pairwise(bounds):
        gain, err = mean_err(many - few)
        assert gain > 4.0 * err
    last, err = mean_err(bounds[-1])
    assert last - 4.0 * err < exact_log_z(target)
    assert ess(bounds[-1]) > ess(bounds[0])


@pytest.mark.statistical
def test_views_of_exact_configurations_bound_from_above(device):
    """E[1 / w_K] = 1 / Z and E[log w_K] >= log Z over Boltzmann draws, falling with K."""
    target = TARGETS["square in a field"]()
    model = make_model(target, scale=0.03, device=device)
    generator = torch.Generator(device).manual_seed(9)
    spins = boltzmann_spins(target.system, 8000, torch.Generator().manual_seed(1)).float().to(device)
    rows = redraw(model, spins, 4, N_STEPS, target.system.random_symmetry, generator).cpu()
    log_z = exact_log_z(target)
    one, four = rows[0], harmonic_mean(rows)
    assert_z(*jackknife_log_mean(-one), -log_z, n_tests=2, max_err=0.04)
    assert_z(*jackknife_log_mean(-four), -log_z, n_tests=2, max_err=0.04)
    fall, err = mean_err(one - four)
    assert fall > 4.0 * err
    bound, err = mean_err(four)
    assert bound + 4.0 * err > log_z


def deviation(model, move, seed):
    """z-score of log Z with 5 views that `move` makes."""
    log_w = harmonic_mean(views(model, 8000, 5, seed, move))
    estimate, err = jackknife_log_mean(log_w)
    return (estimate - exact_log_z(model.target)) / err


@pytest.mark.statistical
def test_latents_that_are_not_drawn_anew_are_caught(device, monkeypatch):
    """Backward paths with the noise of one another: each view alone is right, their mean is not."""
    model = make_model(TARGETS["phi4 broken"](), scale=0.1, device=device)
    generator = torch.Generator(device)
    right = torch.randn

    def stale(*shape, **keywords):
        keywords.pop("generator", None)
        return right(*shape, generator=generator.manual_seed(5), **keywords)

    fresh = deviation(model, None, 4)
    monkeypatch.setattr("edgphys.edg.core.path.torch.randn", stale)
    assert abs(fresh) < 4.5 < 8.0 < abs(deviation(model, None, 4))


def independent_spins(move, seed, n=2000, n_views=4):
    """z-score of log Z of independent spins that break every symmetry of their ring, from all sides."""
    system = Ising(lattices.build("chain", (12,)), temperature=4.0)
    bias = 0.3 * torch.randn(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def log_w(s):
        return -system.beta * system.energy(s) - torch.nn.functional.logsigmoid(2.0 * bias * s).sum(1)

    generator = torch.Generator().manual_seed(seed)
    up = torch.rand(n, 12, generator=generator, dtype=torch.float64) < torch.sigmoid(2.0 * bias)
    s = 2.0 * up.double() - 1.0
    move = move or system.random_symmetry
    rows = torch.stack([log_w(s), *(log_w(move(s, generator)) for _ in range(n_views - 1))])
    estimate, err = jackknife_log_mean(harmonic_mean(rows))
    return (estimate - boltzmann(system)[2]) / err


def shared_element(s, generator):
    """One element for the whole batch, as no one should."""
    ring = RandomSymmetry(lattices.build("chain", (12,)), ("translation", "point_group", "z2"))
    element = ring(torch.arange(1.0, 13.0)[None], generator)[0]
    return s[:, element.abs().long() - 1] * element.sign()


def shuffle(s, generator):
    """No symmetry of a ring."""
    return s.gather(1, torch.argsort(torch.rand(s.shape, generator=generator), 1))


@pytest.mark.statistical
def test_elements_of_their_own_are_right_and_shared_or_wrong_ones_are_caught():
    """Shared elements make errors that draws share: no bias, but scores wider than the error bars say."""
    own, shared, wrong = (
        np.array([independent_spins(move, seed) for seed in range(60)])
        for move in (None, shared_element, shuffle)
    )
    err = math.sqrt(2.0 / 60.0)
    assert_z(own.mean(), 60**-0.5, 0.0, n_tests=2, max_err=0.2)
    assert_z(np.square(own).mean(), err, 1.0, n_tests=2, max_err=0.2)
    assert np.square(shared).mean() > 1.0 + 8.0 * err
    assert abs(wrong.mean()) > 8.0


@pytest.mark.parametrize(
    ("name", "extent", "pbc"), [("square", (4, 4), True), ("kagome", (2, 2), True), ("chain", (5,), False)]
)
def test_elements_are_those_of_the_space_group_each_as_often(name, extent, pbc):
    lattice = lattices.build(name, extent, pbc, allow_double_bonds=True)
    symmetries = ("translation", "point_group") if pbc else ("point_group",)
    moves = RandomSymmetry(lattice, symmetries)
    group = {tuple(row) for row in lattice.space_group().tolist()}
    drawn = moves.permutations(200 * len(group), torch.Generator().manual_seed(0)).tolist()
    counts = {row: 0 for row in group}
    for row in map(tuple, drawn):
        counts[row] += 1  # KeyError for what is no element
    chi = (np.array(list(counts.values())) - 200.0) ** 2 / 200.0
    assert chi.sum() < len(group) + 6.0 * math.sqrt(2.0 * len(group))
    assert moves.order % len(group) == 0


def test_only_declared_symmetries_are_drawn():
    lattice = lattices.build("square", (4, 4))
    s = torch.arange(1.0, 17.0)[None].expand(50, -1)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(RandomSymmetry(lattice, ())(s, generator), s)
    assert bool((RandomSymmetry(lattice, ("point_group",))(s, generator) > 0).all())
    assert bool((RandomSymmetry(lattice, ("z2",))(s, generator).abs() == s).all())


def test_harmonic_mean_takes_impossible_views():
    log_w = torch.tensor([[0.0, 1.0], [math.inf, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(harmonic_mean(log_w), torch.tensor([math.log(2.0), 1.0], dtype=torch.float64))


def test_split_of_the_variance():
    """log w = a of the draw + b of the view: the parts have the variances of a and b."""
    generator = torch.Generator().manual_seed(0)
    spread = ViewSpread()
    for _ in range(10):
        a = 0.5 * torch.randn(1, 4000, generator=generator, dtype=torch.float64)
        spread.add(a + 2.0 * torch.randn(7, 4000, generator=generator, dtype=torch.float64))
    parts = spread.attrs()
    assert parts["log_weight_variance_within"] == pytest.approx(4.0, rel=0.02)
    assert parts["log_weight_variance_between"] == pytest.approx(0.25, rel=0.1)
    assert ViewSpread().attrs() == {}
