# SPDX-License-Identifier: MIT
"""`EDG` from the outside: what its datasets hold, files, messages, and exactness of draws, chains and bounds.

One model of the 4x4 Ising torus at T = 2.3, trained for a second, serves most tests; enumeration of its 65536
states is exact. The chain is also run from an untrained model, where ignoring the weights must be found.
"""

from __future__ import annotations

import functools
import json
import math

import numpy as np
import pytest
import torch
import xarray as xr
from helpers.edg import boltzmann
from helpers.stats import assert_z

import lattices
from edgphys import dataset, mcmc
from edgphys.edg import EDG, sampler, storage, target_names
from edgphys.errors import DatasetError, NotExactError, UnknownNameError
from edgphys.estimators import estimate
from edgphys.systems import Ising, Phi4

SMALL = {"n_path_steps": 4, "decoder_size": (8, 2), "encoder_size": (8, 2)}
TINY = {"n_path_steps": 2, "decoder_size": (2, 1), "encoder_size": (2, 1)}


def square(**parameters):
    return Ising(lattices.build("square", (4, 4)), **{"temperature": 2.3, **parameters})


def quick(system, seed=0, n_steps=2, **options):
    return EDG(system, **{**TINY, **options}).fit(seed, n_steps, batch_size=4, device="cpu", progress=False)


@functools.cache
def trained():
    return EDG(square(), **SMALL).fit(0, 60, learning_rate=6e-3, device="cpu", progress=False)


@functools.cache
def exact():
    """<energy>, <|m|>, <m^2> and ln Z by enumeration."""
    spins, probabilities, log_z = boltzmann(square())
    m = spins.mean(1)
    values = {
        "energy": square().energy(spins),
        "abs_magnetization": m.abs(),
        "magnetization_2": m**2,
    }
    return {name: float(probabilities @ value) for name, value in values.items()} | {"log_z": log_z}


CASES = {
    "square": lambda: square(),
    "field": lambda: square(field=0.3),
    "honeycomb": lambda: Ising(lattices.build("honeycomb", (3, 3)), 1.8),
    "triangular": lambda: Ising(lattices.build("triangular", (3, 3)), 4.0),
    "open chain": lambda: Ising(lattices.build("chain", (5,), False), 2.0),
    "phi4": lambda: Phi4(lattices.build("square", (4, 4)), kappa=0.2, lam=0.1),
}
SITES = {"open chain": ("x",), "honeycomb": ("x", "y", "basis")}
SAME = ("created", "wall_time", "settings")  # settings hold the training time


def decoded(samples):
    """The attributes that hold JSON text."""
    return {
        name: json.loads(samples.attrs[name])
        for name in ("parameters", "definitions", "settings", "versions")
    }


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


@pytest.mark.parametrize("name", CASES)
def test_datasets_are_whole_and_survive_a_file(name, tmp_path):
    system = CASES[name]()
    sites = SITES.get(name, ("x", "y"))
    edg = quick(system)
    samples = edg.sample(30, seed=1, keep=True, progress=False)
    check_dataset(samples, system, ("draw",), tmp_path / "samples.nc")
    assert samples.sizes["draw"] == 30 and samples.attrs["method"] == "edg" and samples.attrs["seed"] == 1
    assert samples["configurations"].dims == ("draw", *sites)
    measured = system.measure(samples["configurations"].to_numpy())
    np.testing.assert_allclose(measured["energy"], samples["energy"], rtol=1e-5)
    chain = edg.chain(40, seed=2, keep=True, progress=False)
    check_dataset(chain, system, ("chain", "draw"), tmp_path / "chain.nc")
    assert dict(chain.sizes) == {"chain": 4, "draw": 10} | dict(zip(sites, system.event_shape, strict=True))
    assert chain.attrs["method"] == "edg_chain" and "log_weight_joint" not in chain
    assert 0.0 <= decoded(chain)["settings"]["acceptance"] <= 1.0
    # Fits of 2 steps of 4, and four chains of ten after a warm-up of ten.
    assert samples.attrs["n_energy_calls"] == 30 + 8 and chain.attrs["n_energy_calls"] == 80 + 8
    assert "configurations" not in edg.sample(3, seed=1, progress=False)
    assert "configurations" not in edg.chain(4, seed=1, progress=False)


def test_seed_decides_the_draws():
    edg, state = trained(), torch.get_rng_state()
    first, again = (edg.sample(50, seed=3, keep=True, progress=False) for _ in range(2))
    other = edg.sample(50, seed=4, keep=True, progress=False)
    assert first.equals(again) and not first.equals(other)
    assert not np.array_equal(first["log_weight_joint"], other["log_weight_joint"])
    assert edg.chain(40, seed=3, progress=False).equals(edg.chain(40, seed=3, progress=False))
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_do_not_repeat_each_other():
    weights = trained().sample(90, seed=5, batch_size=30, progress=False)["log_weight_joint"].to_numpy()
    assert len(np.unique(weights)) == 90


FORMS = [{}, {"form": "paper"}, {"form": "paper", "schedule": "vp-linear", "time_proposal": "uniform"}]


@pytest.mark.parametrize("options", FORMS)
@pytest.mark.parametrize("name", ["field", "honeycomb", "phi4"])
def test_saved_and_loaded_sampler_draws_the_same(name, options, tmp_path):
    edg, path = quick(CASES[name](), **options), tmp_path / "edg.pt"
    edg.save(path)
    found = EDG.load(path, device="cpu")
    assert found.options == edg.options and found.history.equals(edg.history)
    assert found.system.parameters == edg.system.parameters
    for key, value in edg.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[key], value), key
    before, after = (one.sample(20, seed=6, keep=True, progress=False) for one in (edg, found))
    assert before.equals(after)
    assert {k: v for k, v in before.attrs.items() if k not in SAME} == {
        k: v for k, v in after.attrs.items() if k not in SAME
    }
    assert decoded(before)["settings"] == decoded(after)["settings"]
    assert edg.chain(8, seed=7, progress=False).equals(found.chain(8, seed=7, progress=False))


def test_files_are_not_overwritten_unless_asked(tmp_path):
    path = tmp_path / "edg.pt"
    quick(square()).save(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"path: .*edg.pt exists; .* pass overwrite=True"):
        quick(square(), seed=1).save(path)
    assert path.read_bytes() == before
    quick(square(), seed=1).save(path, overwrite=True)
    assert path.read_bytes() != before and [p.name for p in tmp_path.iterdir()] == ["edg.pt"]
    with pytest.raises(ValueError, match=r"path: the folder .* does not exist"):
        quick(square()).save(tmp_path / "no" / "edg.pt")


def test_files_that_are_no_samplers_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "edg.pt"
    with pytest.raises(DatasetError, match="there is no file"):
        EDG.load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"edg.pt is not a saved sampler"):
        EDG.load(path)
    torch.save({"format": "other"}, path)
    with pytest.raises(DatasetError, match=r"edg.pt is not a saved sampler"):
        EDG.load(path)
    monkeypatch.setattr(storage, "_VERSION", 99)
    quick(square()).save(path, overwrite=True)
    monkeypatch.undo()
    with pytest.raises(DatasetError, match="has version 99, this edgphys reads 1"):
        EDG.load(path)


class Tilted(Phi4):
    """Another energy under the name of phi^4."""

    def reduced_energy(self, x):
        return super().reduced_energy(x) + x.flatten(1).sum(1)


def test_a_system_that_a_file_cannot_rebuild_is_not_saved(tmp_path, monkeypatch):
    lattice, path = lattices.build("chain", (6,)), tmp_path / "edg.pt"
    with pytest.raises(DatasetError, match=r"one of Ising, Phi4, .* as they are, to be saved, got Tilted"):
        EDG(Tilted(lattice, kappa=0.2, lam=0.1), **TINY).save(path)
    system = Phi4(lattice, kappa=0.2, lam=0.1)
    monkeypatch.setattr(system, "reduced_energy", lambda x: 2.0 * Phi4.reduced_energy(system, x))
    with pytest.raises(DatasetError, match="as they are"):
        EDG(system, **TINY).save(path)
    assert not path.exists()


def edg():
    return EDG(square(), **TINY)


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
        r"path_share must lie in \[0, 1\], got 1.5",
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
        r"decoder_size must be two integers \(channels, blocks\), got \(8,\)",
    ),
    "size": (lambda: EDG(square(), encoder_size=16), TypeError, "encoder_size must be two integers"),
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
        lambda: edg().upper_bound(quick(CASES["open chain"]()).chain(4, 1, keep=True), 1),
        ValueError,
        r"reference must have configurations of shape \(4, 4\), got \(5,\)",
    ),
    "other reference": (
        lambda: edg().upper_bound(quick(square(temperature=2.2)).chain(4, 1, keep=True), 1),
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


@pytest.mark.parametrize("target", target_names(square()))
@pytest.mark.statistical
def test_both_signs_are_equally_likely(target):
    """Of m, among draws as they come, before any weight: by construction, trained or not."""
    untrained = EDG(square(), target=target, **SMALL)
    for k, edg in enumerate([untrained, trained()] if target == "decimation" else [untrained]):
        m = edg.sample(4000, seed=8 + k, progress=False)["magnetization"].to_numpy()
        up, n = int((m > 0).sum()), int((m != 0).sum())
        assert_z(up / n, 0.5 / math.sqrt(n), 0.5, n_tests=3, max_err=0.01)


@pytest.mark.statistical
def test_draws_give_the_exact_results():
    found = estimate(trained().sample(8000, seed=9, progress=False))
    values = exact()
    limits = {"energy": 0.2, "abs_magnetization": 0.02, "log_z": 0.01}
    for name, limit in limits.items():
        assert_z(float(found[name]), float(found[f"{name}_err"]), values[name], n_tests=3, max_err=limit)
    assert float(found["elbo"]) < values["log_z"] + 4.0 * float(found["elbo_err"])
    assert float(found["reliable"]) == 1.0


def chain_scores(edg, seed):
    """(estimate, err, exact, limit of the error) of two observables of a chain."""
    found = estimate(edg.chain(16000, seed=seed, n_chains=8, progress=False))
    limits = {"energy": 0.3, "abs_magnetization": 0.02}
    return [(float(found[name]), float(found[f"{name}_err"]), exact()[name], limits[name]) for name in limits]


@pytest.mark.statistical
@pytest.mark.parametrize("kind", ["trained", "untrained", "untrained relaxation"])
def test_chain_gives_the_exact_results(kind, monkeypatch):
    """Whatever the network. Accepting every proposal, which ignores the weights, must be found untrained."""
    if kind == "trained":
        edg = trained()
    else:
        edg = EDG(square(), **SMALL, target="relaxation" if "relaxation" in kind else "auto")
    for value, err, right, limit in chain_scores(edg, seed=10):
        assert_z(value, err, right, n_tests=6, max_err=limit)
    if kind != "trained":
        monkeypatch.setattr(
            sampler, "accepted_indices", lambda w, rng: np.tile(np.arange(w.shape[1]), (len(w), 1))
        )
        with pytest.raises(AssertionError, match="z = "):
            for value, err, right, limit in chain_scores(edg, seed=10):
                assert_z(value, err, right, n_tests=6, max_err=limit)


@functools.cache
def reference():
    return mcmc.run(square(), "wolff", n_chains=8, n_sweeps=1000, seed=11, keep=True)


def bound_from_above(edg):
    """Mean over chains, with the error of their spread."""
    found = edg.upper_bound(reference(), seed=12)["log_weight_reverse"]
    assert found.dims == ("chain", "draw") and found.dtype == np.float64
    means = found.mean("draw").to_numpy()
    return float(means.mean()), float(means.std(ddof=1)) / math.sqrt(len(means))


@pytest.mark.statistical
def test_bounds_from_both_sides_hold_log_z():
    log_z, gaps = exact()["log_z"], []
    for edg in (EDG(square(), **SMALL), trained()):
        samples = estimate(edg.sample(8000, seed=13, progress=False))
        upper, err = bound_from_above(edg)
        lower, lower_err = float(samples["elbo"]), float(samples["elbo_err"])
        # Student's t of 7 degrees of freedom: 5 errors are one in a thousand.
        assert lower - 4.0 * lower_err < log_z < upper + 5.0 * err
        assert upper - lower > 0.0 and err < 0.02
        gaps.append(upper - lower)
    assert gaps[1] < gaps[0] < 0.5


def test_reverse_weights_are_a_function_of_the_seed():
    edg, few = trained(), reference().isel(draw=slice(20))
    first, again, other = (edg.upper_bound(few, seed=seed) for seed in (1, 1, 2))
    assert first.equals(again) and not first.equals(other)


@pytest.mark.statistical
def test_ode_weights_and_path_weights_give_one_log_z():
    system = Ising(lattices.build("chain", (6,)), 1.5)
    edg, log_z = EDG(system, **TINY), boltzmann(system)[2]
    for options, limit in (({}, 0.01), ({"weights": "ode", "n_ode_steps": 8}, 0.01)):
        found = estimate(edg.sample(2000, seed=14, progress=False, **options))
        assert_z(float(found["log_z"]), float(found["log_z_err"]), log_z, n_tests=2, max_err=limit)
    noisy = edg.sample(20, seed=14, weights="ode", divergence="hutchinson", n_ode_steps=4, progress=False)
    assert noisy.attrs["log_weight_exact"] == 0
    with pytest.raises(NotExactError, match="Hutchinson"):
        estimate(noisy)
