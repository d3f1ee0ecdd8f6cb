# SPDX-License-Identifier: MIT
"""Multi-spin coding: averages by enumeration, observables of the kernel, the sampler."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import xarray as xr
from helpers.chains import all_spins, assert_chains, assert_chains_off, boltzmann, estimates
from helpers.multispin import CASES, build, make_system

from edgphys.exact import kaufman
from edgphys.mcmc import algorithms, run
from edgphys.mcmc.ising.bits import digits
from edgphys.mcmc.ising.bits.multispin import IsingMultispin

driver = importlib.import_module("edgphys.mcmc.core.driver")


def sample(system, n_draws, seed, thin=1, n_warmup=200, **options):
    """Dataset of all the chains of one group."""
    sampler = IsingMultispin(system, options)
    state = sampler.start(0, np.random.SeedSequence(seed))
    sampler.warm_up(state, 0, n_warmup, n_warmup)
    rows = np.empty((sampler.chains_per_state, n_draws, sampler.n_columns))
    sampler.advance(state, {}, thin, rows, np.empty((len(rows), 0, system.n_sites), np.int8))
    columns = dict(zip(sampler.columns, np.moveaxis(rows, -1, 0), strict=False))
    m = columns["magnetization"]
    columns |= {"abs_magnetization": np.abs(m), "magnetization_2": m**2, "magnetization_4": m**4}
    variables = {name: (("chain", "draw"), values) for name, values in columns.items()}
    return xr.Dataset(variables, attrs={"beta": system.beta, "n_sites": system.n_sites})


def exact_estimates(system):
    probability, energy = boltzmann(system)
    values = {name: v for name, v in system.measure(all_spins(system.n_sites)).items() if name != "energy"}
    values |= {"energy": energy, "energy_2": energy**2}
    return estimates({name: probability @ v for name, v in values.items()}, system.beta, system.n_sites)


# Lattices for which more of the kernel is compiled than for the others.
SLOW = {"chain_field", "square_half_open"}


@pytest.mark.statistical
@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in CASES]
)
def test_averages_agree_with_enumeration(case):
    system, rule = build(case)
    samples = sample(system, 600, 11, rule=rule)
    exact = exact_estimates(system)
    assert_chains(samples, exact, max_err=0.06, n_tests=len(CASES) * len(exact))


@pytest.mark.statistical
@pytest.mark.parametrize("case", ["square", "square_heat_bath", "honeycomb"])
def test_a_temperature_one_percent_off_is_caught(monkeypatch, case):
    right = digits.probabilities
    monkeypatch.setattr(
        digits, "probabilities", lambda rule, q, beta, *rest: right(rule, q, beta / 1.01, *rest)
    )
    system, rule = build(case)
    samples = sample(system, 2000, 11, rule=rule)
    exact = exact_estimates(system)
    assert_chains_off(samples, exact, max_err=0.06, least=9.0)


@pytest.mark.statistical
def test_energy_and_specific_heat_of_the_torus():
    """144 sites of a colour: two batches of shared words, and a rest."""
    system = make_system("square", (16, 18), temperature=2.4)
    samples = sample(system, 600, 7, thin=2, n_warmup=300)
    torus = 16, 18, 2.4
    exact = {"energy": kaufman.energy(*torus), "specific_heat": kaufman.specific_heat(*torus)}
    assert_chains(samples, exact, max_err=0.6, n_tests=2)
    exact["energy"] = kaufman.energy(16, 18, 2.4 * 1.01)
    assert_chains_off(samples, exact, max_err=0.6, least=15.0)


@pytest.mark.parametrize(
    "case, words",
    [
        ("square_half_open", 4),
        ("triangular_frustrated", 4),
        pytest.param("square", 1, marks=pytest.mark.slow),
        pytest.param("square", 8, marks=pytest.mark.slow),
    ],
)
def test_kernel_observables_are_those_of_the_system(case, words):
    system, rule = build(case)
    sampler = IsingMultispin(system, {"rule": rule, "words": words})
    state = sampler.start(0, np.random.SeedSequence(1))
    rows, kept = np.empty((50, 4, sampler.n_columns)), np.empty((50, 4, system.n_sites), np.int8)
    sampler.advance(state, {}, 3, rows, kept)
    measured = system.measure(kept.reshape(200, *system.event_shape))
    for k, name in enumerate(sampler.columns[: sampler.n_columns]):
        np.testing.assert_allclose(rows[..., k].ravel(), measured[name], rtol=1e-10, atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(sampler.unpack(state)[:50], kept[:, -1])


def test_starts_are_wider_than_the_target():
    sampler = IsingMultispin(make_system("square", (16, 16)), {"words": 1})
    means = sampler.unpack(sampler.start(0, np.random.SeedSequence(2))).mean(1)
    assert np.all(means[1::4] == 1) and np.all(means[3::4] == -1)
    assert np.all(np.abs(means[::2]) < 0.4) and len(set(means[::2])) > 8
    sampler = IsingMultispin(make_system("square", (16, 16), coupling=-1.0), {})
    staggered = sampler.unpack(sampler.start(0, np.random.SeedSequence(2)))[1]
    assert abs(staggered.astype(int) @ sampler.system.lattice.bipartition) == 256


def test_same_seed_gives_the_same_bits_in_any_number_of_pieces(monkeypatch):
    monkeypatch.setattr(algorithms, "_SAMPLERS", (IsingMultispin,))
    system = make_system("square", (4, 6), temperature=2.3)
    arguments = system, "multispin", 300, 40
    reference = run(*arguments, seed=7, n_threads=1, keep=True)
    assert reference.sizes["chain"] == 300
    assert len({row.tobytes() for row in reference["energy"].values}) == 300
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 7 * system.n_sites)
    xr.testing.assert_equal(reference, run(*arguments, seed=7, n_threads=2, keep=True))
    thinned = run(system, "multispin", 300, 40, seed=7, thin=4, n_warmup=8)
    np.testing.assert_array_equal(reference["energy"][:, 3::4], thinned["energy"])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"rule": "glauber"}, r"rule must be one of metropolis, heat_bath, got 'glauber'"),
        ({"words": 3}, r"words must be 1, 2, 4 or 8, got 3"),
        ({"words": True}, r"words must be 1, 2, 4 or 8, got True"),
        ({"lanes": 4}, r"must be among: rule, words; got 'lanes'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        IsingMultispin(make_system("square", (4, 4)), options)
