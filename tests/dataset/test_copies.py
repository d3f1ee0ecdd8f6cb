# SPDX-License-Identifier: MIT
"""Draws that are there twice are found, in any place; chains that merely look alike are not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from helpers.datasets import chains, weighted

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.dataset.copies import find_copy
from edgphys.errors import DatasetError


def walk(n_chains, n_draws, stay, n_levels, seed):
    """Random walks on a ring of levels, shape (1, n_chains, n_draws)."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([-1, 0, 1], (n_chains, n_draws), p=[(1 - stay) / 2, stay, (1 - stay) / 2])
    return (np.cumsum(steps, axis=1) % n_levels)[None].astype(float)


DISCRETE = [(0.5, 2), (0.9, 2), (0.0, 3), (0.5, 40), (0.99, 5)]


@pytest.mark.parametrize("stay, n_levels", DISCRETE)
def test_discrete_chains_are_told_from_copies(stay, n_levels):
    for seed in range(10):
        one = walk(4, 3000, stay, n_levels, seed)
        assert find_copy(one) is None
        later = np.concatenate([one[:, 2:3, 300:], walk(1, 300, stay, n_levels, seed + 99)], axis=2)
        for copy in (one[:, 2:3], later):
            assert find_copy(np.concatenate([one, copy], axis=1)) is not None


def test_what_says_nothing_is_not_called_a_copy():
    assert find_copy(np.zeros((2, 4, 500))) is None
    assert find_copy(np.tile(np.arange(500) % 2.0, (1, 4, 1))) is None  # a clock: all chains alike
    assert find_copy(np.random.default_rng(0).standard_normal((1, 4, 3))) is None
    held = np.repeat(np.random.default_rng(1).standard_normal((1, 4, 20)), 50, axis=2)
    assert find_copy(held) is None and find_copy(held[:, [0, 1, 0]]) is not None


def test_padding_is_no_copy():
    x = np.random.default_rng(0).standard_normal((2, 4, 300))
    x[:, 1:, 100:] = np.nan
    assert find_copy(x) is None
    x[:, 3, :100] = x[:, 0, 150:250]
    assert find_copy(x) == ((0, 151), (3, 1))


COPIES = {
    "a copy of all": lambda s: xr.concat([s, s, s, s], "chain"),
    "one chain of four": lambda s: xr.concat([s, s.isel(chain=[1])], "chain"),
    "a resumed run": lambda s: xr.concat([s.isel(draw=slice(0, 300)), s.isel(draw=slice(100, 400))], "chain"),
}


@pytest.mark.parametrize("name", COPIES)
def test_estimates_refuse_copies(name):
    system = ep.Ising(lattices.build("square", (4, 4)), temperature=2.5)
    samples = ep.mcmc.run(system, "metropolis", n_chains=4, n_sweeps=400, seed=1, n_threads=1)
    ep.estimate(samples)
    twice = COPIES[name](samples).assign_attrs(samples.attrs)
    for make in (
        ep.estimate,
        lambda s: ep.average(s, "energy"),
        lambda s: ep.energy_histogram(s, 4),
        ep.estimators.autocorrelation_times,
    ):
        with pytest.raises(
            ValueError, match=r"samples must hold every chain once, got chain \d as a copy of chain \d$"
        ):
            make(twice)


def test_draws_are_not_counted_twice():
    one = chains(2, 100)
    with pytest.raises(ValueError, match=r"must hold every draw once, got draw 101 as a copy of draw 1$"):
        ep.estimate(xr.concat([one, one], "draw").assign_attrs(one.attrs))
    one = weighted(100, seed=1)
    twice = xr.concat([one, one], "draw").assign_attrs(one.attrs)
    with pytest.raises(ValueError, match=r"must hold every draw once, got draw 101 as a copy of draw 1$"):
        ep.estimate(twice)


@pytest.mark.parametrize(
    "make, word", [(chains, "chain 2 of all as a copy of chain 0"), (weighted, "draw 41")]
)
def test_merging_looks_at_the_draws_not_at_the_seeds_alone(make, word):
    one = make(seed=1)
    with pytest.raises(DatasetError, match=f"must not hold the same draws twice, got {word}"):
        dataset.merge([one, one.assign_attrs(seed=2)])
    assert dataset.merge([one, make(seed=2)]).attrs["seed"] == [1, 2]
