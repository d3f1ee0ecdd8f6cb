# SPDX-License-Identifier: MIT
"""Datasets without a lattice, options that are refused, walls of infinite energy."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from helpers.wells import ALGORITHMS, SYSTEMS
from numba import njit

import edgphys as ep
from edgphys import dataset
from edgphys.mcmc import algorithms_for, run


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_dataset_without_a_lattice(tmp_path, algorithm):
    system = ep.MuellerBrown()
    assert algorithms_for(system) == ALGORITHMS
    samples = run(system, algorithm, 2, 100, seed=1, keep=True, thin=2)
    assert samples["configurations"].dims == ("chain", "draw", "coordinate")
    measured = system.measure(samples["configurations"].values.reshape(-1, 2))
    for name, values in measured.items():
        np.testing.assert_allclose(samples[name].values.ravel(), values, rtol=1e-12)
    bare = run(system, algorithm, 2, 100, seed=1, thin=2)
    xr.testing.assert_equal(bare, samples.drop_vars("configurations"))
    dataset.write(samples, tmp_path / "samples.nc")
    table = ep.estimate(dataset.read(tmp_path / "samples.nc"))
    assert table.attrs["n_variables"] == 2 and float(table["energy_err"]) > 0
    settings = json.loads(samples.attrs["settings"])
    assert ("trajectory" if algorithm == "hmc" else "proposals") in settings["sweep"]
    proposals = 2 * (20 + 100) * settings["options"]["steps_per_sweep"]
    assert samples.attrs["n_energy_calls"] == proposals
    assert (samples.attrs["n_gradient_calls"] == 0) == (algorithm == "random_walk")


@pytest.mark.parametrize("kind", ["shipped", "torch"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_warm_up_is_allowed(kind, algorithm):
    samples = run(SYSTEMS[kind](), algorithm, 2, 50, seed=0, n_warmup=0)
    assert json.loads(samples.attrs["settings"])["measured"]["acceptance"] > 0.1


def test_draws_in_blocks_are_those_of_one_block(monkeypatch):
    from edgphys.mcmc.continuous import base as continuous_base

    system = ep.MuellerBrown()
    reference = run(system, "mala", 2, 100, seed=1)
    monkeypatch.setattr(continuous_base, "_DRAWS_A_BLOCK", 7)
    xr.testing.assert_equal(reference, run(system, "mala", 2, 100, seed=1))


@pytest.mark.parametrize(
    "algorithm, options, message",
    [
        ("hmc", {"trajectory_length": 0.0}, r"trajectory_length must be positive and finite, got 0\.0"),
        ("mala", {"target_acceptance": 1.0}, r"target_acceptance must be a number in \(0, 1\), got 1\.0"),
        ("mala", {"start_scale": -1}, r"start_scale must be positive and finite, got -1"),
        ("random_walk", {"steps_per_sweep": 0}, r"steps_per_sweep must be an integer >= 1, got 0"),
        ("random_walk", {"precondition": 1}, r"precondition must be True or False, got 1"),
        ("random_walk", {"chains_per_batch": 1.5}, r"chains_per_batch must be an integer >= 1, got 1\.5"),
        ("random_walk", {"trajectory_length": 1.0}, r"must be among: .*; got 'trajectory_length'"),
        ("wolff", {}, r"must be one of random_walk, mala, hmc for double_well, got 'wolff'"),
    ],
)
def test_bad_options_are_refused(algorithm, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        run(SYSTEMS["shipped"](), algorithm, 1, 10, seed=0, options=options)


@njit
def wall(x, gradient_out, parameters):
    gradient_out[0] = x[0]
    return 0.5 * x[0] ** 2 if abs(x[0]) < 3.0 else np.inf


def test_walls_of_infinite_energy_hold():
    import torch

    def torch_wall(x):
        return torch.where(x[:, 0].abs() < 3.0, 0.5 * x[:, 0] ** 2, torch.inf)

    assert ep.Potential(torch_wall, 1, width=20.0).beta == 1.0  # most of its probes are in the wall
    for kernel in (wall, None):
        system = ep.Potential(torch_wall, 1, kernel=kernel, width=0.2)
        for algorithm in ALGORITHMS:
            samples = run(system, algorithm, 2, 300, seed=1, options={"start_scale": 2.0}, keep=True)
            assert np.abs(samples["configurations"]).max() < 3.0
    with pytest.raises(ValueError, match="start_scale must give points of finite energy, got none"):
        run(system, "random_walk", 2, 10, seed=1, options={"start_scale": 1e9})


def test_a_kernel_that_does_not_compile_is_named():
    @njit
    def broken(x, gradient_out, parameters):
        return x.no_such_attribute

    system = SYSTEMS["compiled"]()
    system._kernel = broken
    with pytest.raises(TypeError, match="kernel must compile as"):
        run(system, "hmc", 1, 10, seed=0)
