# SPDX-License-Identifier: MIT
"""Upper bounds on log Z from reference samples: with the lower bound they hold log Z, and see lost modes.

The datasets can be written; what is no reference is refused.
"""

from __future__ import annotations

import functools
import json
import math

import numpy as np
import pytest
import torch
import xarray as xr
from helpers.samplers import (
    SMALL_FIELD,
    TINY_FIELD,
    TINY_MIXTURE,
    case,
    exact,
    exact_square,
    short_search,
    square,
    trained_square,
)

import lattices
from edgphys import dataset, mcmc
from edgphys.edg import EDG
from edgphys.edg.mixture.recipe import MixtureRecipe
from edgphys.errors import DatasetError, UnknownNameError
from edgphys.estimators import estimate
from edgphys.systems import (
    DoubleWell,
    Ising,
    Planar,
)

__all__ = ["short_search"]  # a fixture for all tests here


@functools.cache
def reference_square():
    return mcmc.run(square(), "wolff", n_chains=8, n_sweeps=1000, seed=11, keep=True)


def bound_from_above(edg):
    """Mean over chains, with the error of their spread."""
    found = edg.upper_bound(reference_square(), seed=12)["log_weight_reverse"]
    assert found.dims == ("chain", "draw") and found.dtype == np.float64
    means = found.mean("draw").to_numpy()
    return float(means.mean()), float(means.std(ddof=1)) / math.sqrt(len(means))


@pytest.mark.slow
@pytest.mark.statistical
def test_bounds_from_both_sides_hold_log_z():
    log_z, gaps = exact_square()["log_z"], []
    for edg in (EDG(square(), **SMALL_FIELD), trained_square()):
        samples = estimate(edg.sample(8000, seed=13, progress=False))
        upper, err = bound_from_above(edg)
        lower, lower_err = float(samples["elbo"]), float(samples["elbo_err"])
        # Student's t of 7 degrees of freedom: 5 errors are one in a thousand.
        assert lower - 4.0 * lower_err < log_z < upper + 5.0 * err
        assert upper - lower > 0.0 and err < 0.02
        gaps.append(upper - lower)
    assert gaps[1] < gaps[0] < 0.5


def test_reverse_weights_are_a_function_of_the_seed():
    edg, few = trained_square(), reference_square().isel(draw=slice(20))
    first, again, other = (edg.upper_bound(few, seed=seed) for seed in (1, 1, 2))
    assert first.equals(again) and not first.equals(other)


@functools.cache
def reference(name):
    return mcmc.run(case(name).system, "hmc", n_chains=8, n_sweeps=500, seed=3, keep=True)


def from_above(edg, samples):
    found = edg.upper_bound(samples, seed=4)["log_weight_reverse"]
    assert found.dims == ("chain", "draw") and found.dtype == np.float64
    means = found.mean("draw").to_numpy()
    return float(means.mean()), float(means.std(ddof=1)) / math.sqrt(len(means))


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["double well 1", "hamiltonian", "one component"])
def test_bounds_from_both_sides_hold_log_z_of_a_continuous_system(name):
    edg, log_z = case(name), exact(name)["log_z"]
    upper, err = from_above(edg, reference(name))
    found = estimate(edg.sample(4000, seed=5, progress=False))
    # Student's t of 7 degrees of freedom: 5 errors are one in a thousand.
    assert float(found["elbo"]) - 4.0 * float(found["elbo_err"]) < log_z < upper + 5.0 * err
    assert 0.0 < upper - float(found["elbo"]) < 1.5


@pytest.mark.statistical
def test_upper_bound_sees_a_mode_that_the_decoder_lost(monkeypatch):
    monkeypatch.setattr(MixtureRecipe, "has_wide", False)  # wide components find it again
    system = Planar("mog2")
    edg = EDG(system, **TINY_MIXTURE)
    with torch.no_grad():
        lost = edg.model.decoder.frames.means[:, 0] < 0
        edg.model.label_logits[lost] -= 20.0
    samples = estimate(edg.sample(2000, seed=6, progress=False))
    # Half of Z is missed without a sign of it.
    assert float(samples["log_z"]) == pytest.approx(-math.log(2.0), abs=0.05)
    assert float(samples["ess"]) > 0.5
    rng = np.random.default_rng(7)
    x = system._points[rng.integers(2, size=(8, 100))] + 0.5 * rng.standard_normal((8, 100, 2))
    states = xr.Dataset(
        {"configurations": (("chain", "draw", "coordinate"), x)},
        attrs={"system": system.name, "parameters": json.dumps(system.parameters)},
    )
    assert from_above(edg, states)[0] > 5.0


def test_upper_bound_refuses_what_is_no_reference():
    edg = EDG(DoubleWell(), **TINY_MIXTURE | {"n_components": 1})
    with pytest.raises(TypeError, match=r"reference must be an xarray.Dataset of samples, got NoneType"):
        edg.upper_bound(None, 0)
    chain = edg.chain(8, seed=0, keep=True, progress=False)
    chain["configurations"][0, 0] = np.nan
    with pytest.raises(ValueError, match="reference must have finite configurations, got 1 numbers that"):
        edg.upper_bound(chain, 0)
    with pytest.raises(UnknownNameError, match="divergence must be one of exact, hutchinson, got 'foo'"):
        edg.sample(10, 0, divergence="foo")


CASES = {
    "lattice": lambda: EDG(Ising(lattices.build("square", (4, 4)), 2.3), **TINY_FIELD),
    "continuous": lambda: EDG(DoubleWell(), **TINY_MIXTURE | {"n_components": 1}),
}


@pytest.mark.parametrize("name", CASES)
def test_bound_is_a_dataset_that_can_be_written_and_read(name, tmp_path):
    edg, path = CASES[name](), tmp_path / "bound.nc"
    bound = edg.upper_bound(edg.chain(8, seed=0, keep=True, progress=False), seed=5)
    dataset.validate(bound)
    attrs = bound.attrs
    assert attrs["kind"] == "bound" and attrs["system"] == edg.system.name and attrs["seed"] == 5
    assert json.loads(attrs["parameters"]) == edg.system.parameters
    assert json.loads(attrs["settings"])["n_path_steps"] == 2
    assert attrs["n_energy_calls"] >= 8
    dataset.write(bound, path)
    found = dataset.read(path)
    xr.testing.assert_equal(found, bound)
    assert found.attrs.keys() == attrs.keys()


def test_without_kind_or_with_other_variables_it_is_refused():
    edg = CASES["lattice"]()
    bound = edg.upper_bound(edg.chain(8, seed=0, keep=True, progress=False), seed=5)
    bare = bound.copy()
    del bare.attrs["kind"]
    with pytest.raises(DatasetError, match="kind must be one of"):
        dataset.validate(bare)
    with pytest.raises(DatasetError, match="must have the variable log_weight_reverse, got"):
        dataset.validate(bound.assign(energy=bound["log_weight_reverse"]))
    with pytest.raises(DatasetError, match="must have the dims"):
        dataset.validate(bound.isel(chain=0, drop=True))
