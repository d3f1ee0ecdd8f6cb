# SPDX-License-Identifier: MIT
"""One move of each algorithm is balanced in detail, and wrong rules are caught.

Detailed balance is tested on pairs (x, x'): x drawn exactly from a tilted double well, x' one move later.
Under a reversible kernel each pair of cells is as frequent as its mirror image, however x fluctuates.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from helpers.wells import ALGORITHMS, EDGES, SYSTEMS, exact_draws, torch_system
from numba import njit

from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.continuous import batch, mala
from edgphys.mcmc.core.acceptance import acceptances
from edgphys.mcmc.random.xoshiro import new_state

MOVES = {"shipped": 6_000, "compiled": 6_000, "torch": 20_000}
STEPS = {"random_walk": 0.8, "mala": 0.6, "hmc": 0.45}  # large: one move in two is refused


def one_move(system, algorithm, x, seed=5):
    """x after one move with the frozen step of STEPS."""
    sampler = make_sampler(system, algorithm, {} if system.kernel else {"chains_per_batch": len(x)})
    tuned = {"step_size": STEPS[algorithm], "mean_steps": 3.0}
    state = sampler.start(0, np.random.SeedSequence(seed))
    if system.kernel is None:
        state.configuration[:] = x[:, None]
        sampler.advance(state, tuned, 1, np.empty((len(x), 1, sampler.n_columns)), np.empty((len(x), 0, 1)))
        return state.configuration[:, 0].copy()
    rows, kept, moved = np.empty((1, sampler.n_columns)), np.empty((0, 1)), np.empty_like(x)
    for k, value in enumerate(x):
        state.configuration[0] = value
        sampler.advance(state, tuned, 1, rows, kept)
        moved[k] = state.configuration[0]
    return moved


def balance_p(before, after):
    """p-value of the symmetry of pairs of cells."""
    n_cells = len(EDGES) - 1
    pairs = np.zeros((n_cells, n_cells))
    np.add.at(pairs, (np.digitize(before, EDGES[1:-1]), np.digitize(after, EDGES[1:-1])), 1)
    upper = np.triu_indices(n_cells, 1)
    forth, back = pairs[upper], pairs.T[upper]
    seen = forth + back >= 10
    statistic = ((forth - back) ** 2)[seen] / (forth + back)[seen]
    assert seen.sum() > 5
    return scipy.stats.chi2.sf(statistic.sum(), seen.sum())


@pytest.mark.statistical
@pytest.mark.parametrize("kind", SYSTEMS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_move_is_balanced_in_detail(algorithm, kind):
    x, _ = exact_draws(MOVES[kind])
    moved = one_move(SYSTEMS[kind](), algorithm, x)
    assert 0.2 < np.mean(moved == x) < 0.9
    assert balance_p(x, moved) > 1e-4


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", ["shipped", "torch"])
def test_another_temperature_is_not_balanced(algorithm, kind):
    x, _ = exact_draws(MOVES[kind])
    assert balance_p(x, one_move(SYSTEMS[kind](temperature=2.0), algorithm, x)) < 1e-8


@pytest.mark.parametrize(
    "module, name, wrong, algorithm",
    [
        (mala, "log_hastings", lambda noise, back: np.zeros(len(noise)), "mala"),
        (batch, "acceptances", np.ones_like, "hmc"),
        (batch, "acceptances", lambda log_ratios: acceptances(0.5 * log_ratios), "random_walk"),
    ],
)
def test_wrong_rules_are_caught(monkeypatch, module, name, wrong, algorithm):
    """No Hastings factor, no acceptance test, half the energy."""
    monkeypatch.setattr(module, name, wrong)
    x, _ = exact_draws(MOVES["torch"])
    assert balance_p(x, one_move(torch_system(), algorithm, x)) < 1e-8


@njit
def flat_energy(x, gradient_out, parameters):
    gradient_out[0] = 8.0 * x[0] * (x[0] ** 2 - 1.0) + 0.3
    return 0.0 if abs(x[0]) < 50.0 else np.inf


@pytest.mark.parametrize("algorithm", ["mala", "hmc"])
def test_compiled_moves_need_the_energy(algorithm):
    """The gradient of the well, but an energy that is the same everywhere: what is left is no acceptance."""
    system = SYSTEMS["compiled"]()
    system._kernel = flat_energy
    x, _ = exact_draws(MOVES["compiled"])
    assert balance_p(x, one_move(system, algorithm, x)) < 1e-8


@njit
def wrong_gradient(x, gradient_out, parameters):
    gradient_out[0] = 3.0 * np.sin(5.0 * x[0])
    return 2.0 * (x[0] ** 2 - 1.0) ** 2 + 0.3 * x[0]


@pytest.mark.parametrize("algorithm", ["mala", "hmc"])
def test_errors_of_the_gradient_do_not_reach_the_distribution(algorithm):
    """Why differences are good enough: any function of x will do for the drift."""
    system = SYSTEMS["compiled"]()
    system._kernel = wrong_gradient
    x, _ = exact_draws(MOVES["compiled"])
    assert balance_p(x, one_move(system, algorithm, x)) > 1e-4


@pytest.mark.parametrize("algorithm", ["random_walk", "mala"])
def test_compiled_and_torch_chains_take_the_same_moves(algorithm):
    """From the same state and generator, with the same step: the same chain to rounding."""
    compiled = make_sampler(SYSTEMS["shipped"](), algorithm)
    batch = make_sampler(torch_system(), algorithm, {"chains_per_batch": 3})
    seeds = np.random.SeedSequence(4).spawn(3)
    group = batch.start(0, seeds[0])
    tuned = {"step_size": 0.4}
    group.rng[:3] = [new_state(seed) for seed in seeds]
    singles = [compiled.start(k, seed) for k, seed in enumerate(seeds)]
    for k, (single, seed) in enumerate(zip(singles, seeds, strict=True)):
        single.configuration[:] = group.configuration[k]
        single.rng = new_state(seed)
    together = np.empty((3, 30, 1))
    batch.advance(group, tuned, 1, np.empty((3, 30, batch.n_columns)), together)
    for k, single in enumerate(singles):
        alone = np.empty((30, 1))
        compiled.advance(single, tuned, 1, np.empty((30, compiled.n_columns)), alone)
        np.testing.assert_allclose(alone, together[k], rtol=1e-9)
        assert len(np.unique(alone)) > 5
