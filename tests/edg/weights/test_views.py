# SPDX-License-Identifier: MIT
"""Weights from many views: E[w_K] = Z for every target and network, and what breaks it is seen.

Controls: an element that is no symmetry, latents that are not drawn anew, one set of elements for a batch.
"""

from __future__ import annotations

import functools
import itertools
import json
import math

import numpy as np
import pytest
import torch
from helpers.edg import (
    all_spins,
    boltzmann,
    boltzmann_spins,
    jackknife_log_mean,
    make_model,
    mean_err,
    perturb,
)
from helpers.own_systems import opened
from helpers.stats import assert_z
from helpers.targets import TARGETS, ess, exact_log_z

import lattices
from edgphys import mcmc
from edgphys.edg import EDG
from edgphys.edg.core.path import log_weights
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.weights.views import ViewSpread, harmonic_mean, redraw, redraw_by
from edgphys.estimators import estimate
from edgphys.systems import DoubleWell, Ising
from edgphys.systems.lattice.space_group import SpaceGroup

N_STEPS = 4


def _back(model, configurations, move, generator):
    return model.target.lower(move(configurations, generator), generator)


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
            back = functools.partial(_back, model, configurations, move, generator)
            more = redraw_by(back, model, n_views - 1, N_STEPS, generator)
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


@pytest.mark.slow
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
    rows = redraw(model, spins, 4, N_STEPS, generator).cpu()
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
    return s[:, SpaceGroup(lattices.build("chain", (12,))).draw(1, generator)[0]]


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


def test_mean_weight_of_two_views_is_z_by_enumeration():
    """All configurations of a ring of six spins and all pairs of elements of its group, summed."""
    system = Ising(lattices.build("chain", (6,)), temperature=1.5)
    elements = torch.from_numpy(system.lattice.space_group().astype(np.int64))
    assert len(elements) == 12
    model = perturb(LatticeGenerator(system, width=6, root_width=6, seed=1), 0.4, seed=2).requires_grad_(
        False
    )
    states = all_spins(6)
    log_q = torch.stack([model.log_prob(states[:, element]) for element in elements])
    assert float(log_q.std(0).max()) > 0.1  # the views differ
    log_w = model.log_weight(states, log_q)
    # x = g x_0 has the law sum_g q(g^{-1} x) / n; given x and g, the second element is uniform.
    pairs = harmonic_mean(torch.stack(torch.broadcast_tensors(log_w[:, None], log_w[None])))
    log_z = float(torch.logsumexp(pairs + log_q[:, None], dim=(0, 1, 2))) - 2 * math.log(len(elements))
    assert log_z == pytest.approx(boltzmann(system)[2], abs=1e-6)


with opened(Ising):

    class Declared(Ising):
        """Only some symmetries are declared."""

        symmetries = ()


@pytest.mark.parametrize(
    ("names", "same"),
    [((), "all"), (("z2",), "up to a sign"), (("point_group",), "nothing"), (("translation",), "nothing")],
)
def test_only_declared_symmetries_are_drawn(names, same, monkeypatch):
    monkeypatch.setattr(Declared, "symmetries", names)
    system = Declared(lattices.build("square", (4, 4)), temperature=1.0)
    s = torch.arange(1.0, 17.0)[None].expand(50, -1)
    moved = system.random_symmetry(s, torch.Generator().manual_seed(0))
    assert bool((moved < 0).any()) == ("z2" in names)
    kept = {"all": torch.equal(moved, s), "up to a sign": torch.equal(moved.abs(), s)}
    assert kept.get(same, not torch.equal(moved.abs(), s))
    torch.testing.assert_close(moved.abs().sort(1).values, s)


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


@pytest.fixture(scope="module")
def trained():
    """A generator of each kind, hardly trained, with its exact log Z."""
    ising = Ising(lattices.build("square", (4, 4)), temperature=3.0)
    well = DoubleWell(2, tilt=0.5)
    return {
        "lattice": EDG(ising).fit(seed=0, n_steps=5, progress=False),
        "mixture": EDG(well).fit(seed=0, n_steps=5, progress=False),
        "annealed": EDG(well, train_at={"temperature": 2.0}).fit(seed=0, n_steps=5, progress=False),
        "hamiltonian": EDG(well, decoder="hamiltonian", n_leapfrog=2).fit(seed=0, n_steps=2, progress=False),
    }


@pytest.mark.statistical
@pytest.mark.parametrize(
    "name",
    [
        "lattice",
        "annealed",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("mixture", "hamiltonian")),
    ],
)
def test_sampler_weighs_from_many_sides(trained, name):
    edg = trained[name]
    options = {"n_anneal": 10} if name == "annealed" else {}
    one, many = (edg.sample(4000, 1, n_views=k, progress=False, **options) for k in (1, 4))
    exact = edg.system.exact_results()["log_z"]
    for samples in (one, many):
        log_w = torch.from_numpy(samples["log_weight_joint"].to_numpy())
        assert_z(*jackknife_log_mean(log_w), exact, n_tests=8, max_err=0.1)
    assert float(many["log_weight_joint"].mean()) > float(one["log_weight_joint"].mean())
    assert json.loads(many.attrs["settings"])["n_views"] == 4
    assert many.attrs["log_weight_variance_within"] > 0.0
    assert "n_views" not in json.loads(one.attrs["settings"])
    assert float(estimate(many)["ess"]) > 0.1


def test_chain_and_upper_bound_take_views(trained):
    edg = trained["lattice"]
    chain = edg.chain(400, 2, n_views=3, progress=False)
    assert json.loads(chain.attrs["settings"])["n_views"] == 3
    reference = mcmc.run(edg.system, "swendsen_wang", n_chains=4, n_sweeps=500, seed=3, keep=True)
    one, many = (edg.upper_bound(reference, 4, n_views=k)["log_weight_reverse"] for k in (1, 4))
    assert float(many.mean()) < float(one.mean())
    assert many.dims == one.dims


def test_flow_weights_have_one_view(trained):
    with pytest.raises(ValueError, match="n_views must be 1 for weights='ode', got 2"):
        trained["lattice"].sample(10, 1, weights="ode", n_views=2)
    with pytest.raises(ValueError, match="n_views"):
        trained["lattice"].sample(10, 1, n_views=0)
