# SPDX-License-Identifier: MIT
"""The driver: reproducibility, the dataset, the arguments, and the random numbers."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
import xarray as xr

import lattices
from edgphys.errors import UnknownNameError
from edgphys.mcmc import algorithms_for, run
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.random.xoshiro import new_state, next_word, random_site, uniform
from edgphys.systems import Ising, Phi4

driver = importlib.import_module("edgphys.mcmc.core.driver")

SYSTEMS = {
    "square": lambda: Ising(lattices.build("square", (4, 6)), 2.3, field=0.1),
    "kagome": lambda: Ising(lattices.build("kagome", (3, 4)), 2.3),
    "honeycomb_open": lambda: Ising(lattices.build("honeycomb", (3, 3), False), 2.3, -1.0),
    "cubic": lambda: Ising(lattices.build("cubic", (3, 4, 3)), 4.0),
    "phi4": lambda: Phi4(lattices.build("square", (4, 6)), 0.25, 0.022),
    "phi4_open": lambda: Phi4(lattices.build("square", (4, 3), (True, False)), 0.25, 0.5),
    "phi4_four_dimensions": lambda: Phi4(lattices.build("hypercubic", (3, 3, 3, 3)), 0.1, 0.5),
}
CASES = [(name, algorithm) for name, make in SYSTEMS.items() for algorithm in algorithms_for(make())]


@pytest.mark.parametrize("name, algorithm", CASES)
def test_kernel_observables_are_those_of_the_system(name, algorithm):
    system = SYSTEMS[name]()
    options = {"improved": False} if algorithm == "swendsen_wang" else {}  # else only the means agree
    samples = run(system, algorithm, 3, 20, seed=1, keep=True, options=options)
    configurations = samples["configurations"].values
    assert configurations.shape == (3, 20, *system.event_shape)
    measured = system.measure(configurations.reshape(60, *system.event_shape))
    assert set(samples.data_vars) == set(measured) | {"configurations"}
    for key, values in measured.items():
        assert samples[key].dtype == np.float64
        np.testing.assert_allclose(samples[key].values.ravel(), values, rtol=1e-10, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("name, algorithm", [("square", "metropolis"), ("kagome", "wolff"), *CASES[-3:]])
def test_same_seed_gives_the_same_bits_in_any_number_of_threads_and_pieces(monkeypatch, name, algorithm):
    system = SYSTEMS[name]()
    reference = run(system, algorithm, 5, 60, seed=7, n_threads=1, keep=True)
    for n_threads, updates in ((3, driver._UPDATES_PER_PIECE), (2, 7 * system.n_sites)):
        monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", updates)
        xr.testing.assert_equal(
            reference, run(system, algorithm, 5, 60, seed=7, n_threads=n_threads, keep=True)
        )
    other = run(system, algorithm, 5, 60, seed=8)
    assert not np.array_equal(reference["energy"], other["energy"])
    energy = reference["energy"].values
    assert len({row.tobytes() for row in energy}) == 5


def test_thinning_keeps_every_nth_draw_of_the_same_chain():
    system = SYSTEMS["square"]()
    full = run(system, "metropolis", 2, 60, seed=7, n_warmup=5)
    thinned = run(system, "metropolis", 2, 60, seed=7, n_warmup=5, thin=4)
    np.testing.assert_array_equal(full["energy"][:, 3::4], thinned["energy"])
    assert run(system, "metropolis", 2, 61, seed=7, thin=4).sizes["draw"] == 15


def test_starts_are_wider_than_the_target():
    sampler = make_sampler(SYSTEMS["square"](), "metropolis")
    children = np.random.SeedSequence(0).spawn(4)
    means = [sampler.start(c, child).configuration.sum() / 24 for c, child in enumerate(children)]
    assert means[1] == 1 and means[3] == -1 and abs(means[0]) < 0.8
    staggered = make_sampler(SYSTEMS["honeycomb_open"](), "metropolis").start(1, children[1]).configuration
    assert abs(staggered.sum()) < 4


def test_attributes_say_what_was_done():
    samples = run(SYSTEMS["phi4"](), "hmc", 2, 50, seed=9, thin=2)
    attrs, settings = samples.attrs, json.loads(samples.attrs["settings"])
    assert (attrs["method"], attrs["seed"], attrs["kind"], attrs["system"]) == ("hmc", 9, "samples", "phi4")
    assert settings["n_warmup"] == 10 and settings["n_sweeps"] == 50 and settings["thin"] == 2
    assert settings["options"] == {"trajectory_length": None, "step_size": None, "target_acceptance": 0.8}
    assert 0 < settings["tuned"]["step_size"] <= settings["tuned"]["trajectory_length"]
    assert 0 < settings["measured"]["acceptance"] <= 1
    assert attrs["n_energy_calls"] == 2 * 60 and attrs["n_gradient_calls"] >= 2 * 2 * 60
    metropolis = run(SYSTEMS["square"](), "metropolis", 2, 50, seed=9)
    assert metropolis.attrs["n_energy_calls"] == 2 * 60 and metropolis.attrs["n_gradient_calls"] == 0


def test_configuration_dimensions_are_named():
    kagome = run(SYSTEMS["kagome"](), "metropolis", 1, 3, seed=1, keep=True)["configurations"]
    assert kagome.dims == ("chain", "draw", "x", "y", "basis") and kagome.dtype == np.int8
    field = run(SYSTEMS["phi4_four_dimensions"](), "metropolis", 1, 3, seed=1, keep=True)["configurations"]
    assert field.dims == ("chain", "draw", "x", "y", "z", "t") and field.dtype == np.float64


@pytest.mark.parametrize("algorithm", ["metropolis", "wolff"])
def test_no_warm_up_is_allowed(algorithm):
    assert run(SYSTEMS["kagome"](), algorithm, 1, 1, seed=0, n_warmup=0).sizes == {"chain": 1, "draw": 1}


@pytest.mark.parametrize("algorithm", ["metropolis", "hmc", "embedded_wolff"])
def test_no_warm_up_is_allowed_for_fields(algorithm):
    samples = run(SYSTEMS["phi4"](), algorithm, 2, 50, seed=0, n_warmup=0)
    assert json.loads(samples.attrs["settings"])["measured"]["acceptance"] > 0.1


def test_progress_bar_is_on_stderr(capsys):
    run(SYSTEMS["square"](), "metropolis", 2, 10, seed=0, progress=True)
    out, err = capsys.readouterr()
    assert not out and "metropolis" in err


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"n_chains": 0}, ValueError, r"n_chains must be an integer >= 1, got 0"),
        ({"n_sweeps": 0}, ValueError, r"n_sweeps must be an integer >= 1, got 0"),
        ({"n_sweeps": 2.5}, TypeError, r"n_sweeps must be an integer >= 1, got 2\.5"),
        ({"seed": None}, TypeError, r"seed must be an integer >= 0, got None"),
        ({"seed": -1}, ValueError, r"seed must be an integer >= 0, got -1"),
        ({"n_warmup": -1}, ValueError, r"n_warmup must be an integer >= 0, got -1"),
        ({"thin": 0}, ValueError, r"thin must be an integer >= 1, got 0"),
        ({"thin": 11}, ValueError, r"thin must be at most n_sweeps = 10, got 11"),
        ({"n_threads": 0}, ValueError, r"n_threads must be an integer >= 1, got 0"),
        ({"algorithm": "hmc"}, UnknownNameError, r"must be one of metropolis, .* for ising, got 'hmc'"),
        ({"options": {"ordr": 1}}, UnknownNameError, r"must be among: order; got 'ordr'"),
        (
            {"options": {"order": "up"}},
            UnknownNameError,
            r"order must be one of checkerboard, random, got 'up'",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    good = {"algorithm": "metropolis", "n_chains": 1, "n_sweeps": 10, "seed": 0}
    with pytest.raises(error, match=message):
        run(SYSTEMS["square"](), **(good | arguments))


@pytest.mark.parametrize(
    "algorithm, options, message",
    [
        ("hmc", {"trajectory_length": 0.0}, r"trajectory_length must be positive and finite, got 0\.0"),
        ("hmc", {"target_acceptance": 1.0}, r"target_acceptance must be a number in \(0, 1\), got 1\.0"),
        ("embedded_wolff", {"n_local": 0}, r"n_local must be an integer >= 1, got 0"),
        ("metropolis", {"order": "random"}, r"must be among: none; got 'order'"),
    ],
)
def test_bad_options_are_refused(algorithm, options, message):
    with pytest.raises(ValueError, match=message):
        run(SYSTEMS["phi4"](), algorithm, 1, 10, seed=0, options=options)


def test_an_exception_in_one_chain_reaches_the_caller(monkeypatch):
    def fail(self, *args):
        raise FloatingPointError("broken kernel")

    system = SYSTEMS["square"]()
    monkeypatch.setattr(type(make_sampler(system, "metropolis")), "advance", fail)
    with pytest.raises(FloatingPointError, match="broken kernel"):
        run(system, "metropolis", 3, 10, seed=0)


def test_xoshiro_reference_sequence():
    """First words of xoshiro256++ from the state 1, 2, 3, 4, as published with its implementations."""
    rng = np.array([1, 2, 3, 4], np.uint64)
    words = [int(next_word(rng)) for _ in range(5)]
    assert words == [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205]


def test_uniform_numbers_and_sites_stay_in_range():
    rng = new_state(np.random.SeedSequence(5))
    values = np.array([uniform(rng) for _ in range(4000)])
    assert values.min() >= 0 and values.max() < 1 and abs(values.mean() - 0.5) < 0.02
    sites = np.array([random_site(rng, 7) for _ in range(7000)])
    assert set(sites) == set(range(7)) and np.abs(np.bincount(sites) - 1000).max() < 130


def out_of_range(algorithm, **options):
    system = Phi4(lattices.build("square", (4, 4)), kappa=1e300, lam=0.1)
    return run(system, algorithm, n_chains=2, n_sweeps=20, seed=0, options=options)


def test_draws_beyond_float64_are_refused_before_anybody_writes_them():
    with pytest.raises(ValueError, match=r"energy must be finite on every draw, got 40 of 40 .* kappa=1e"):
        out_of_range("metropolis")


def test_trajectories_without_end_are_refused():
    with pytest.raises(ValueError, match="step_size must be at least 1/100000 of the trajectory_length"):
        out_of_range("hmc", trajectory_length=1.0, step_size=1e-9)
