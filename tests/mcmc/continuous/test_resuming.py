# SPDX-License-Identifier: MIT
"""Threads, pieces and interruptions change no number."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from helpers.wells import ALGORITHMS, SYSTEMS, torch_system, torch_well

import edgphys as ep
from edgphys.mcmc import run
from edgphys.mcmc.algorithms import make_sampler


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", ["shipped", "torch"])
def test_threads_and_pieces_change_no_number(monkeypatch, algorithm, kind):
    import importlib

    driver = importlib.import_module("edgphys.mcmc.core.driver")
    system, options = SYSTEMS[kind](), {"steps_per_sweep": 2}
    reference = run(system, algorithm, 10, 50, seed=7, n_warmup=60, keep=True, n_threads=1, options=options)
    assert len({row.tobytes() for row in reference["energy"].values}) == 10
    updates = make_sampler(system, algorithm, options).updates_per_sweep
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 7 * updates)
    cut = run(system, algorithm, 10, 50, seed=7, n_warmup=60, keep=True, n_threads=3, options=options)
    xr.testing.assert_equal(reference, cut)
    assert cut.attrs["settings"] == reference.attrs["settings"]
    assert not np.array_equal(run(system, algorithm, 10, 50, seed=8)["energy"], reference["energy"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", ["shipped", "torch"])
def test_a_resumed_run_is_the_same_to_the_bit(tmp_path, monkeypatch, algorithm, kind):
    system = SYSTEMS[kind]()
    arguments = {"n_chains": 3, "seed": 5, "n_warmup": 40, "keep": True}
    whole = run(system, algorithm, n_sweeps=60, **arguments)
    path = tmp_path / "chain.ckpt"
    run(system, algorithm, n_sweeps=25, checkpoint=path, **arguments)
    resumed = run(system, algorithm, n_sweeps=60, checkpoint=path, **arguments)
    xr.testing.assert_equal(whole, resumed)
    assert resumed.attrs["n_energy_calls"] == whole.attrs["n_energy_calls"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_killed_warm_up_goes_on(tmp_path, monkeypatch, algorithm):
    import importlib

    driver = importlib.import_module("edgphys.mcmc.core.driver")
    system, path = SYSTEMS["shipped"](), tmp_path / "chain.ckpt"
    arguments = {"n_chains": 2, "n_sweeps": 30, "seed": 5, "n_warmup": 60, "n_threads": 1}
    whole = run(system, algorithm, **arguments)
    sampler_class = type(make_sampler(system, algorithm))
    honest, calls = sampler_class.warm_up, []

    def dying(self, *args):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        honest(self, *args)

    updates = make_sampler(system, algorithm).updates_per_sweep
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 7 * updates)
    with monkeypatch.context() as patch:
        patch.setattr(sampler_class, "warm_up", dying)
        with pytest.raises(KeyboardInterrupt):
            run(system, algorithm, checkpoint=path, **arguments)
    xr.testing.assert_equal(whole, run(system, algorithm, checkpoint=path, **arguments))


def test_a_checkpoint_of_another_function_is_refused(tmp_path):
    arguments = {"n_chains": 2, "n_sweeps": 10, "seed": 5, "checkpoint": tmp_path / "chain.ckpt"}
    run(torch_system(), "random_walk", **arguments)
    other = ep.Potential(lambda x: torch_well(x) * 1.001, 1, centres=[[1.0], [-1.0]])
    with pytest.raises(ep.errors.DatasetError, match="fingerprint"):
        run(other, "random_walk", **arguments)
