# SPDX-License-Identifier: MIT
"""`EDG` from the outside: what its datasets hold, files, messages, and exactness of draws, chains and bounds.

One model of the 4x4 Ising torus at T = 2.3, trained for a second, serves most tests; enumeration of its 65536
states is exact. The chain is also run from an untrained model, where ignoring the weights must be found.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import xarray as xr
from helpers.edg import boltzmann
from helpers.samplers import (
    LATTICES,
    SMALL_FIELD,
    TINY_FIELD,
    decoded,
    exact_square,
    quick_field,
    square,
    trained_square,
)
from helpers.stats import assert_z

import lattices
from edgphys import dataset
from edgphys.edg import EDG, target_names
from edgphys.errors import NotExactError, UnknownNameError
from edgphys.estimators import estimate
from edgphys.systems import (
    Ising,
)

SITES = {"open chain": ("x",), "honeycomb": ("x", "y", "basis")}


def check_dataset(samples, system, dims, path):
    dataset.validate(samples)
    observables = set(system.measure(np.ones((1, system.n_sites))))
    assert observables <= set(samples.data_vars)
    for name, variable in samples.data_vars.items():
        if name != "configurations":
            assert variable.dims == dims and variable.dtype == np.float64, name
        assert np.isfinite(variable.to_numpy()).all(), name
    np.testing.assert_allclose(samples["reduced_energy"], system.beta * samples["energy"])
    attrs = decoded(samples)
    assert attrs["parameters"] == system.parameters and observables <= set(attrs["definitions"])
    assert attrs["settings"]["training"]["n_steps"] == 2
    assert samples.attrs["n_sites"] == system.n_sites and samples.attrs["z2_symmetric"] in (0, 1)
    dataset.write(samples, path)
    found = dataset.read(path)
    xr.testing.assert_equal(found, samples)
    assert found.attrs.keys() == samples.attrs.keys()
    assert decoded(found) == attrs


@pytest.mark.parametrize("name", LATTICES)
def test_datasets_are_whole_and_survive_a_file(name, tmp_path):
    system = LATTICES[name]()
    sites = SITES.get(name, ("x", "y"))
    edg = quick_field(system)
    samples = edg.sample(30, seed=1, n_views=1, keep=True, progress=False)
    check_dataset(samples, system, ("draw",), tmp_path / "samples.nc")
    assert samples.sizes["draw"] == 30 and samples.attrs["method"] == "edg" and samples.attrs["seed"] == 1
    assert samples["configurations"].dims == ("draw", *sites)
    measured = system.measure(samples["configurations"].to_numpy())
    np.testing.assert_allclose(measured["energy"], samples["energy"], rtol=1e-5)
    chain = edg.chain(40, seed=2, n_views=1, keep=True, progress=False)
    check_dataset(chain, system, ("chain", "draw"), tmp_path / "chain.nc")
    assert dict(chain.sizes) == {"chain": 4, "draw": 10} | dict(zip(sites, system.event_shape, strict=True))
    assert chain.attrs["method"] == "edg_chain" and "log_weight_joint" not in chain
    assert 0.0 <= decoded(chain)["settings"]["acceptance"] <= 1.0
    # Fits of 2 steps of 4, and four chains of ten after a warm-up of ten.
    assert samples.attrs["n_energy_calls"] == 30 + 8 and chain.attrs["n_energy_calls"] == 80 + 8
    assert "configurations" not in edg.sample(3, seed=1, progress=False)
    assert "configurations" not in edg.chain(4, seed=1, progress=False)


def test_seed_decides_the_draws():
    edg, state = trained_square(), torch.get_rng_state()
    first, again = (edg.sample(50, seed=3, keep=True, progress=False) for _ in range(2))
    other = edg.sample(50, seed=4, keep=True, progress=False)
    assert first.equals(again) and not first.equals(other)
    assert not np.array_equal(first["log_weight_joint"], other["log_weight_joint"])
    assert edg.chain(40, seed=3, progress=False).equals(edg.chain(40, seed=3, progress=False))
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_do_not_repeat_each_other():
    weights = (
        trained_square().sample(90, seed=5, batch_size=30, progress=False)["log_weight_joint"].to_numpy()
    )
    assert len(np.unique(weights)) == 90


def edg():
    return EDG(square(), **TINY_FIELD)


BAD = {
    "no draws": (lambda: edg().sample(0, 1), ValueError, "n_samples must be an integer >= 1, got 0"),
    "bool": (lambda: edg().sample(True, 1), TypeError, "n_samples must be an integer >= 1, got True"),
    "float": (lambda: edg().sample(10.0, 1), TypeError, "n_samples must be an integer >= 1, got 10.0"),
    "seed": (lambda: edg().sample(1, -1), ValueError, "seed must be an integer >= 0, got -1"),
    "no seed": (lambda: edg().sample(1, None), TypeError, "seed must be an integer >= 0, got None"),
    "steps": (lambda: edg().fit(0, -1), ValueError, "n_steps must be an integer >= 0, got -1"),
    "batch": (lambda: edg().fit(0, 1, 0), ValueError, "batch_size must be an integer >= 3, got 0"),
    "rate": (
        lambda: edg().fit(0, 1, learning_rate=math.nan),
        ValueError,
        "learning_rate must be positive and finite, got nan",
    ),
    "share": (
        lambda: edg().fit(0, 1, path_share=1.5),
        ValueError,
        r"path_share must be a number in \[0, 1\], got 1.5",
    ),
    "device": (
        lambda: edg().fit(0, 1, device="abacus"),
        ValueError,
        "device must be one that torch has here, got 'abacus'",
    ),
    "target": (
        lambda: EDG(square(), target="nonsense"),
        UnknownNameError,
        "target must be auto, decimation, relaxation for Ising",
    ),
    "system": (lambda: EDG("ising"), TypeError, "system must be a system of edgphys.systems, got str"),
    "K": (
        lambda: EDG(square(), n_path_steps=0),
        ValueError,
        "n_path_steps must be an integer >= 1, got 0",
    ),
    "one size": (
        lambda: EDG(square(), decoder_size=(8,)),
        TypeError,
        r"decoder_size must be 2 integers \(channels, blocks\), got \(8,\)",
    ),
    "size": (lambda: EDG(square(), encoder_size=16), TypeError, "encoder_size must be 2 integers"),
    "no blocks": (
        lambda: EDG(square(), encoder_size=(8, 0)),
        ValueError,
        "encoder_size must be an integer >= 1, got 0",
    ),
    "form": (
        lambda: EDG(square(), form="new"),
        UnknownNameError,
        "form must be one of angle, paper, got 'new'",
    ),
    "schedule": (lambda: EDG(square(), schedule="sub-vp"), ValueError, "schedule belongs to form='paper'"),
    "weights": (
        lambda: edg().sample(1, 1, weights="flat"),
        UnknownNameError,
        "weights must be one of path, ode, got 'flat'",
    ),
    "chains": (
        lambda: edg().chain(10, 1, n_chains=4),
        ValueError,
        "n_samples must be a multiple of n_chains = 4, got 10",
    ),
    "reference": (
        lambda: edg().upper_bound(edg().chain(4, 1), 1),
        ValueError,
        "reference must have the variable configurations",
    ),
    "size of reference": (
        lambda: edg().upper_bound(quick_field(LATTICES["open chain"]()).chain(4, 1, keep=True), 1),
        ValueError,
        r"reference must have configurations of shape \(4, 4\), got \(5,\)",
    ),
    "other reference": (
        lambda: edg().upper_bound(quick_field(square(temperature=2.2)).chain(4, 1, keep=True), 1),
        ValueError,
        "reference must be of",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_one_line(case):
    call, kind, message = BAD[case]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("target", target_names(square()))
@pytest.mark.statistical
def test_both_signs_are_equally_likely(target):
    """Of m, among draws as they come, before any weight: by construction, trained or not."""
    untrained = EDG(square(), target=target, **SMALL_FIELD)
    for k, edg in enumerate([untrained, trained_square()] if target == "decimation" else [untrained]):
        m = edg.sample(4000, seed=8 + k, progress=False)["magnetization"].to_numpy()
        up, n = int((m > 0).sum()), int((m != 0).sum())
        assert_z(up / n, 0.5 / math.sqrt(n), 0.5, n_tests=3, max_err=0.01)


@pytest.mark.statistical
def test_draws_give_the_exact_results():
    found = estimate(trained_square().sample(8000, seed=9, progress=False))
    values = exact_square()
    limits = {"energy": 0.2, "abs_magnetization": 0.02, "log_z": 0.01}
    for name, limit in limits.items():
        assert_z(float(found[name]), float(found[f"{name}_err"]), values[name], n_tests=3, max_err=limit)
    assert float(found["elbo"]) < values["log_z"] + 4.0 * float(found["elbo_err"])
    assert float(found["reliable"]) == 1.0


@pytest.mark.statistical
def test_ode_weights_and_path_weights_give_one_log_z():
    system = Ising(lattices.build("chain", (6,)), 1.5)
    edg, log_z = EDG(system, **TINY_FIELD), boltzmann(system)[2]
    for options, limit in (({}, 0.01), ({"weights": "ode", "n_ode_steps": 8}, 0.01)):
        found = estimate(edg.sample(2000, seed=14, progress=False, **options))
        assert_z(float(found["log_z"]), float(found["log_z_err"]), log_z, n_tests=2, max_err=limit)
    noisy = edg.sample(20, seed=14, weights="ode", divergence="hutchinson", n_ode_steps=4, progress=False)
    assert noisy.attrs["log_weight_exact"] == 0
    with pytest.raises(NotExactError, match="Hutchinson"):
        estimate(noisy)
