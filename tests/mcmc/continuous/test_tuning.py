# SPDX-License-Identifier: MIT
"""The warm-up finds the best acceptance, the scales and the length of the trajectories."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.wells import ALGORITHMS, SYSTEMS

import edgphys as ep
from edgphys.mcmc import run
from edgphys.mcmc.continuous import tuning as continuous_tuning
from edgphys.mcmc.core import dual_averaging


@pytest.mark.parametrize("kind", ["shipped", "torch"])
@pytest.mark.parametrize("algorithm, target", [("random_walk", 0.441), ("mala", 0.574), ("hmc", 0.8)])
def test_steps_are_tuned_to_the_best_acceptance(algorithm, target, kind):
    samples = run(SYSTEMS[kind](), algorithm, 4, 400, seed=1, n_warmup=600)
    settings = json.loads(samples.attrs["settings"])
    assert settings["measured"]["acceptance"] == pytest.approx(target, abs=0.1)
    other = run(SYSTEMS[kind](), algorithm, 4, 400, seed=1, n_warmup=600, options={"target_acceptance": 0.3})
    assert json.loads(other.attrs["settings"])["measured"]["acceptance"] == pytest.approx(0.3, abs=0.1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_preconditioning_learns_the_scales(algorithm):
    """A narrow direction of 1/30: the steps follow it, and the wide one moves faster."""
    system = ep.Harmonic(n_dims=2, ratio=900.0)
    jumps = {}
    for precondition in (False, True):
        options = {"precondition": precondition, "steps_per_sweep": 10}
        samples = run(system, algorithm, 4, 2000, seed=1, n_warmup=2000, options=options, keep=True)
        tuned = json.loads(samples.attrs["settings"])["tuned"]
        if precondition:
            wide, narrow = tuned["step_sizes"]
            assert wide / narrow == pytest.approx(30.0, rel=0.3)
            assert tuned["step_size"] == pytest.approx(np.sqrt(wide * narrow))
        wide = samples["configurations"][..., 0].values
        jumps[precondition] = np.mean(np.diff(wide, axis=1) ** 2)
    if algorithm != "hmc":  # there a longer trajectory makes up for it
        assert jumps[True] > 5 * jumps[False]


def test_trajectory_length_is_chosen_or_given():
    system = ep.Harmonic(n_dims=8)
    free = json.loads(run(system, "hmc", 4, 100, seed=1, n_warmup=2000).attrs["settings"])["tuned"]
    assert free["trajectory_length"] == pytest.approx(np.pi / 2, rel=1e-9)
    for length in (0.3, 6.0):
        options = {"trajectory_length": length}
        samples = run(system, "hmc", 4, 100, seed=1, n_warmup=2000, options=options)
        given = json.loads(samples.attrs["settings"])["tuned"]
        assert given["trajectory_length"] == length
        assert given["mean_steps"] == pytest.approx(max(1.0, length / given["step_size"]), rel=0.1)


def test_scales_keep_the_product_of_step_and_scale():
    tuning = continuous_tuning.new_tuning(1, 2, 0.5, 1.0)
    learned = continuous_tuning.tuning_views(tuning, 1, 2)
    rng = np.random.default_rng(0)
    for sweep in range(51):
        continuous_tuning.learn_scales(learned, rng.normal(size=(1, 2)) * [3.0, 0.1], sweep, 100, True)
    head, _, _, scales = learned
    assert scales[0] == pytest.approx(3.0, rel=0.3) and 0.1 < scales[1] < 1.0
    assert np.exp(head[dual_averaging.LOG_STEP]) * np.sqrt(scales.prod()) == pytest.approx(0.5)
