# SPDX-License-Identifier: MIT
"""Parallel tempering: swaps, averages at every rung, round trips, checkpoints, and the spacing of rungs.

Swaps are compared with their exact matrix, averages with enumeration and the transfer matrix, round trips
with an ideal ladder.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from helpers.chains import (
    all_spins,
    assert_chains,
    assert_chains_off,
    boltzmann,
    chi_square_p,
    estimates,
    phi4_chain_moments,
)
from helpers.datasets import bare
from helpers.ladders import exact_swap_matrix
from helpers.stats import assert_z

import lattices
from edgphys import dataset
from edgphys.errors import NotExactError, UnknownNameError
from edgphys.mcmc import algorithms_for, rung, space_ladder, temper
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.core.action_terms import make_action_terms
from edgphys.mcmc.random.xoshiro import new_state
from edgphys.mcmc.tempering import ladder as ladder_module
from edgphys.mcmc.tempering.swaps import count_trips, swap_round
from edgphys.systems import DoubleWell, Ising, LennardJones, Phi4

SQUARE = Ising(lattices.build("square", (4, 4)), 2.3, field=0.15)
RING = Phi4(lattices.build("chain", (8,)), 0.3, 0.2)

RIGHT = lambda e: np.minimum(1.0, np.exp(np.minimum(e, 0.0)))  # noqa: E731
WRONG_SIGN = lambda e: np.minimum(1.0, np.exp(np.minimum(-e, 0.0)))  # noqa: E731
ALWAYS = np.ones_like


def two_short_chains():
    """All 3-spin states, their terms, and two rungs of a ring in a field."""
    ring = Ising(lattices.build("chain", (3,)), 1.0, field=0.3)
    systems = [ring.replace(temperature=0.8), ring.replace(temperature=2.5)]
    terms = ring.action_terms(all_spins(3))
    return terms, np.array([s.action_coefficients for s in systems]), systems


# ------------------------------------------------------------------------------------------------- the swaps


def test_swap_counts_are_those_of_the_exact_matrix():
    terms, coefficients, _ = two_short_chains()
    rng, n_trials = new_state(np.random.SeedSequence(1)), 4000
    counts = np.zeros((64, 64))
    for x in range(8):
        for y in range(8):
            pair = np.stack([terms[x], terms[y]])
            for _ in range(n_trials // 10):
                replica = np.arange(2)
                swap_round(replica, pair, coefficients, rng, 0, np.zeros(1, np.int64), np.zeros(1))
                counts[8 * x + y, 8 * x + y if replica[0] == 0 else 8 * y + x] += 1
    assert chi_square_p(counts, exact_swap_matrix(terms, coefficients, RIGHT)) > 1e-4
    for wrong in (WRONG_SIGN, ALWAYS):
        matrix = exact_swap_matrix(terms, coefficients, wrong)
        assert counts[matrix == 0].any() or chi_square_p(counts, matrix) < 1e-12


@pytest.mark.parametrize("rule, right", [(RIGHT, True), (WRONG_SIGN, False), (ALWAYS, False)])
def test_swap_matrix_is_in_detailed_balance_with_the_joint_law(rule, right):
    terms, coefficients, systems = two_short_chains()
    first, second = (boltzmann(system)[0] for system in systems)
    joint = np.outer(first, second).ravel()
    flow = joint[:, None] * exact_swap_matrix(terms, coefficients, rule)
    assert np.allclose(flow, flow.T, atol=1e-15) is right
    assert np.allclose(flow.sum(0), joint, atol=1e-12) is right


def test_fast_terms_are_those_of_the_system():
    rng = np.random.default_rng(3)
    kagome = Ising(lattices.build("kagome", (3, 2), (True, False)), 2.0, field=0.1)
    spins = rng.choice(np.array([-1, 1], np.int8), (5, kagome.n_sites))
    np.testing.assert_array_equal(make_action_terms(kagome)(spins), kagome.action_terms(spins))
    tiny = Ising(lattices.build("square", (2, 3), allow_double_bonds=True), 2.0)  # double bonds
    spins = rng.choice(np.array([-1, 1], np.int8), (5, 6))
    np.testing.assert_array_equal(make_action_terms(tiny)(spins), tiny.action_terms(spins))
    fields = rng.standard_normal((5, 8))
    np.testing.assert_allclose(make_action_terms(RING)(fields), RING.action_terms(fields), rtol=1e-12)
    well, points = DoubleWell(n_dims=2, tilt=0.1), rng.standard_normal((5, 2))
    np.testing.assert_allclose(make_action_terms(well)(points), well.action_terms(points), rtol=1e-12)


def test_round_trips_of_an_ideal_ladder_take_twice_its_length():
    """All swaps accepted: up one rung a round, a round of rest at each end."""
    for n in (3, 4, 7):
        replica, stage, since = np.arange(n), np.zeros(n, np.int64), np.zeros(n, np.int64)
        trips, rng = np.zeros(2, np.int64), new_state(np.random.SeedSequence(0))
        flat = np.zeros((n, 1))
        attempted, probability = np.zeros(n - 1, np.int64), np.zeros(n - 1)
        n_rounds = 200 * n
        for now in range(n_rounds):
            swap_round(replica, flat, flat, rng, now % 2, attempted, probability)
            count_trips(replica, stage, since, now, trips)
            assert sorted(replica) == list(range(n))
        assert trips[1] == trips[0] * 2 * n
        assert abs(trips[0] - n * n_rounds / (2 * n)) <= n
        assert (probability == attempted).all()


# -------------------------------------------------------------------------------------------------- averages


@pytest.mark.statistical
@pytest.mark.parametrize(
    "ladder, algorithm, swap_every, thin",
    [
        ({"temperature": [1.8, 2.3, 3.2]}, "metropolis", 1, 1),
        ({"coupling": [0.0, 0.4, 0.8, 1.0]}, "metropolis", 2, 4),
        ({"field": [-0.2, 0.1, 0.5], "temperature": [2.0, 2.4, 2.8]}, "metropolis", 4, 2),
    ],
)
def test_averages_of_every_rung_agree_with_enumeration(ladder, algorithm, swap_every, thin):
    samples = temper(
        SQUARE, ladder, algorithm, 24, 1200 * thin, 7, n_warmup=200, swap_every=swap_every, thin=thin
    )
    spins = all_spins(16)
    m = spins.mean(1, dtype=float)
    for k in range(len(next(iter(ladder.values())))):
        system = SQUARE.replace(**{name: values[k] for name, values in ladder.items()})
        p, energy = boltzmann(system)
        powers = {"energy": energy, "energy_2": energy**2, "magnetization": m, "abs_magnetization": abs(m)}
        powers |= {"magnetization_2": m**2, "magnetization_4": m**4}
        exact = estimates({name: p @ v for name, v in powers.items()}, system.beta, 16)
        limits = {"energy": 0.4, "specific_heat": 0.1, "abs_magnetization": 0.02, "magnetization": 0.05}
        for name, limit in limits.items():
            assert_chains(rung(samples, k), {name: exact[name]}, limit, n_tests=10 * len(limits))


@pytest.mark.statistical
@pytest.mark.parametrize(
    "algorithm", [pytest.param("metropolis", marks=pytest.mark.slow), "hmc", "embedded_wolff"]
)
def test_averages_of_a_field_agree_with_the_transfer_matrix(algorithm):
    values = [0.0, 0.2, 0.4]
    samples = temper(RING, {"kappa": values}, algorithm, 16, 1500, 11, n_warmup=300)
    for kappa in values:
        exact = phi4_chain_moments(8, kappa, 1 - 2 * 0.2, 0.2)
        for name, limit in (("energy", 0.05), ("phi2", 0.02)):
            assert_chains(rung(samples, kappa=kappa), {name: exact[name]}, limit, n_tests=3 * 3 * 2)


@pytest.mark.statistical
@pytest.mark.parametrize("rule", ["wrong sign", "always"])
def test_wrong_swaps_are_seen(monkeypatch, rule):
    def wrong(replica, terms, coefficients, *rest):
        factor = -1.0 if rule == "wrong sign" else 0.0
        return swap_round(replica, terms, factor * coefficients, *rest)

    monkeypatch.setattr(ladder_module, "swap_round", wrong)
    samples = temper(SQUARE, {"temperature": [1.8, 2.3, 3.2]}, "metropolis", 24, 600, 7)
    system = SQUARE.replace(temperature=1.8)
    p, energy = boltzmann(system)
    assert_chains_off(rung(samples, 0), {"energy": p @ energy}, 2.0, least=8.0)


# ------------------------------------------------------------------------------------ the run and its dataset


@pytest.mark.parametrize("algorithm", ["metropolis", "hmc", "embedded_wolff"])
def test_same_seed_gives_the_same_bits_in_threads_pieces_and_after_an_interruption(
    monkeypatch, tmp_path, algorithm
):
    ladder, settings = {"kappa": [0.1, 0.2, 0.3]}, {"n_warmup": 20, "swap_every": 2, "keep": True}
    reference = temper(RING, ladder, algorithm, 3, 60, 5, n_threads=1, **settings)
    driver = __import__("importlib").import_module("edgphys.mcmc.core.driver")
    per_sweep = 3 * 8 + ladder_module._OVERHEAD * 3 // 2
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 7 * per_sweep)
    xr.testing.assert_equal(reference, temper(RING, ladder, algorithm, 3, 60, 5, n_threads=3, **settings))
    path, calls = tmp_path / "ladder.npz", []
    advance = ladder_module.LadderSampler.advance

    def fail_once(self, *args):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return advance(self, *args)

    monkeypatch.setattr(ladder_module.LadderSampler, "advance", fail_once)
    with pytest.raises(KeyboardInterrupt):
        temper(RING, ladder, algorithm, 3, 60, 5, n_threads=1, checkpoint=path, **settings)
    resumed = temper(RING, ladder, algorithm, 3, 60, 5, checkpoint=path, **settings)
    xr.testing.assert_equal(reference, resumed)
    assert 8 < len(calls) < 40
    with pytest.raises(ValueError, match="belongs to a run with options"):
        temper(RING, {"kappa": [0.1, 0.2, 0.4]}, algorithm, 3, 60, 5, checkpoint=path, **settings)


def test_dataset_says_what_was_done_and_survives_the_disk(tmp_path):
    samples = temper(SQUARE, {"temperature": [2.0, 2.4, 3.0]}, "metropolis", 2, 40, 3, keep=True)
    assert dict(samples["energy"].sizes) == {"temperature": 3, "chain": 2, "draw": 40}
    replica = samples["replica"].values
    assert (np.sort(replica, axis=0) == np.arange(3)[:, None, None]).all() and len(np.unique(replica[0])) > 1
    configurations = samples["configurations"].values.reshape(-1, 16)
    terms = SQUARE.action_terms(configurations).reshape(3, 2, 40, 2)
    np.testing.assert_array_equal(samples["action_terms"], terms)
    assert json.loads(samples.attrs["ladder"]) == {"temperature": [2.0, 2.4, 3.0]}
    assert ((samples["swap_rate"] > 0.2) & (samples["swap_rate"] < 1)).all()
    xr.testing.assert_identical(dataset.read(dataset.write(samples, tmp_path / "a.nc")), samples)
    one = rung(samples, temperature=2.4)
    dataset.validate(one)
    assert one.attrs["beta"] == 1 / 2.4 and json.loads(one.attrs["parameters"])["temperature"] == 2.4
    system = SQUARE.replace(temperature=2.4)
    measured = system.measure(one["configurations"].values.reshape(-1, 4, 4))
    for name, values in measured.items():
        np.testing.assert_allclose(one[name].values.ravel(), values, atol=1e-12, err_msg=name)
    with pytest.raises(ValueError, match="kind must be samples, estimates or scan"):
        dataset.merge([samples, samples])


def test_path_over_two_couplings_has_the_dim_rung():
    samples = temper(
        SQUARE, {"temperature": [2.0, 2.4], "field": [0.1, 0.3]}, n_chains=1, n_sweeps=20, seed=1
    )
    assert samples["energy"].dims == ("rung", "chain", "draw")
    assert samples["field"].values.tolist() == [0.1, 0.3]
    dataset.validate(samples)
    assert bare(rung(samples, field=0.3)).identical(bare(rung(samples, -1)))


def test_without_swaps_rungs_are_independent():
    samples = temper(SQUARE, {"temperature": [2.0, 2.4]}, n_chains=2, n_sweeps=50, seed=1, swap=False)
    assert "swap_rate" not in samples and (samples["replica"][0] == 0).all()
    dataset.validate(samples)


@pytest.mark.parametrize("swap_every", [1, 2, 8])
@pytest.mark.parametrize("system", [LennardJones(3), RING], ids=["cluster", "field"])
def test_thinned_draws_are_every_fourth_one(system, swap_every):
    """Observables are not measured between draws; the chain is the same."""
    ladder = {"temperature": [1.0, 2.0]} if system.family == "continuous" else {"kappa": [0.2, 0.3]}
    common = {"n_chains": 1, "n_sweeps": 40, "n_warmup": 20, "seed": 3, "keep": True}
    # A divisor or a multiple of both.
    every = temper(system, ladder, "hmc", thin=1, swap_every=swap_every, **common)
    thinned = temper(system, ladder, "hmc", thin=4, swap_every=swap_every, **common)
    for name in thinned.data_vars:
        if "draw" in thinned[name].dims:
            there = every[name].isel(draw=slice(3, None, 4))
            np.testing.assert_array_equal(thinned[name], there, err_msg=str(name))


def test_without_an_algorithm_the_best_that_serves_all_rungs_is_taken():
    common = {"n_chains": 1, "n_sweeps": 16, "n_warmup": 4, "seed": 1}
    free = SQUARE.replace(field=0.0)
    assert temper(free, {"temperature": [2.0, 3.0]}, **common).attrs["method"] == "wolff"
    assert temper(free, {"field": [0.0, 0.1]}, **common).attrs["method"] == "swendsen_wang"


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"ladder": {}}, TypeError, r"ladder must be a dict of coupling to values"),
        (
            {"ladder": {"J": [1, 2]}},
            UnknownNameError,
            r"over temperature, coupling, field for ising, got 'J'",
        ),
        (
            {"ladder": {"field": [1.0]}},
            ValueError,
            r"two values or more, as many for all couplings, got \[1\]",
        ),
        ({"ladder": {"field": [1, 2], "coupling": [1]}}, ValueError, r"as many for all couplings"),
        ({"ladder": {"temperature": [1.0, -1.0]}}, ValueError, r"temperature must be positive"),
        ({"swap_every": 2, "thin": 3}, ValueError, r"swap_every must divide thin = 3 or be a multiple"),
        ({"seed": None}, TypeError, r"seed must be an integer >= 0"),
        ({"algorithm": "hmc"}, UnknownNameError, r"algorithm must be one of metropolis"),
        ({"algorithm": "wolff"}, NotExactError, r"wolff needs field = 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    good = {"ladder": {"temperature": [2.0, 3.0]}, "n_chains": 1, "n_sweeps": 10, "seed": 0}
    with pytest.raises(error, match=message):
        temper(SQUARE, **(good | arguments))


def test_bad_rungs_are_refused():
    samples = temper(SQUARE, {"temperature": [2.0, 2.4]}, n_chains=1, n_sweeps=10, seed=1)
    with pytest.raises(IndexError, match=r"index must be in -2 \.\. 1, got 2"):
        rung(samples, 2)
    with pytest.raises(ValueError, match="and not both"):
        rung(samples, 0, temperature=2.0)
    with pytest.raises(ValueError, match="must tell one rung"):
        rung(samples, temperature=2.1)


# --------------------------------------------------------------------------------------------------- spacing


def equality_p(samples):
    """p-value of equal swap rates of all pairs, errors from the chains."""
    rates = samples["swap_rate"].values
    n = rates.shape[1]
    means, errors = rates.mean(1), rates.std(1, ddof=1) / np.sqrt(n)
    weights = 1 / errors**2
    common = (weights * means).sum() / weights.sum()
    return scipy.stats.chi2.sf((weights * (means - common) ** 2).sum(), len(means) - 1)


@pytest.mark.slow
@pytest.mark.statistical
def test_spaced_ladder_has_equal_swap_rates_and_an_even_one_has_not():
    system = Ising(lattices.build("square", (6, 6)), 2.3)
    spaced = space_ladder(system, temperature=(1.6, 5.0), n_rungs=5, seed=3, n_chains=8, n_sweeps=1000)
    even = np.linspace(1.6, 5.0, 5)
    samples = [temper(system, {"temperature": v}, n_chains=16, n_sweeps=300, seed=4) for v in (spaced, even)]
    assert equality_p(samples[0]) > 1e-3
    assert equality_p(samples[1]) < 1e-12
    assert samples[0]["swap_rate"].mean("chain").min() > 2 * samples[1]["swap_rate"].mean("chain").min()


@pytest.mark.statistical
def test_number_of_rungs_follows_the_wanted_rate():
    system = Ising(lattices.build("square", (6, 6)), 2.3)
    values = space_ladder(system, swap_rate=0.4, temperature=(1.6, 5.0), seed=3)
    rates = temper(system, {"temperature": values}, n_chains=8, n_sweeps=500, seed=4)["swap_rate"].values
    assert 0.35 < rates.mean() < 0.55 and (np.diff(values) > 0).all()


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({}, TypeError, r"one coupling with its two ends must be given"),
        ({"temperature": 2.0}, TypeError, r"temperature must be a pair of values"),
        ({"temperature": (2.0, 2.0)}, ValueError, r"two different values"),
        ({"temperature": (-1.0, 2.0)}, ValueError, r"temperature must be positive"),
        ({"J": (0.0, 2.0)}, UnknownNameError, r"coupling must be one of temperature, coupling, field"),
        (
            {"field": (0.0, 2.0), "swap_rate": 1.0},
            ValueError,
            r"swap_rate must be a number in \(0, 1\), got 1\.0",
        ),
        ({"field": (0.0, 2.0), "n_rungs": 1}, ValueError, r"n_rungs must be an integer >= 2, got 1"),
    ],
)
def test_bad_ladders_to_space_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        space_ladder(SQUARE, seed=0, **arguments)


def test_draws_kept_last_are_the_state_itself():
    """The swaps read the terms of the last draw in place of those of the state."""
    free = SQUARE.replace(field=0.0)
    for system in (free, RING, DoubleWell(n_dims=2)):
        for algorithm in algorithms_for(system):
            sampler = make_sampler(system, algorithm)
            if sampler.chains_per_state > 1:
                continue
            state = sampler.start(0, np.random.SeedSequence(1))
            tuned = sampler.freeze([state])
            rows, kept = (
                np.empty((3, sampler.n_columns)),
                np.empty((3, system.n_variables), sampler.kept_dtype()),
            )
            sampler.advance(state, tuned, 1, rows, kept)
            np.testing.assert_array_equal(kept[-1], sampler.unpack(state), err_msg=algorithm)


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ["wolff", "swendsen_wang"])
def test_clusters_can_be_tempered(algorithm):
    free = SQUARE.replace(field=0.0)
    samples = temper(free, {"temperature": [1.8, 2.6]}, algorithm, 24, 1000, 7)
    for temperature in (1.8, 2.6):
        p, energy = boltzmann(free.replace(temperature=temperature))
        one = rung(samples, temperature=temperature)
        assert_chains(one, {"energy": p @ energy}, 0.2, n_tests=2 * 2 * 2)
        m = all_spins(16).mean(1, dtype=float)
        assert_chains(one, {"abs_magnetization": p @ abs(m)}, 0.02, n_tests=2 * 2 * 2)


@pytest.mark.statistical
def test_a_double_well_is_crossed_by_swaps():
    """Cold, the barrier is 40 T: only what was warm once changes sides."""
    cold = DoubleWell(temperature=0.1, barrier=4.0, tilt=0.05)
    exact = {t: cold.replace(temperature=t).exact_results()["energy"] for t in (0.1, 0.3, 0.8, 2.0)}
    samples = temper(cold, {"temperature": list(exact)}, "random_walk", 16, 3000, 2, swap_every=10)
    for temperature, energy in exact.items():
        means = rung(samples, temperature=temperature)["energy"].mean("draw").values
        # 1.25: Student's t with 15 degrees of freedom against the normal law at this level.
        assert_z(means.mean(), 1.25 * means.std(ddof=1) / 4, energy, n_tests=8, max_err=0.1)
    apart = 1 / (1 + np.exp(2 * 0.05 / 0.1))  # share of the right well
    right = rung(samples, 0)["right"].mean("draw").values
    assert abs(right.mean() - apart) < 0.05 and (right > 0.05).all() and (right < 0.7).all()
    stuck = temper(cold, {"temperature": list(exact)}, "random_walk", 16, 3000, 2, swap=False)
    right = rung(stuck, 0)["right"].mean("draw").values
    assert set(right.round(3)) == {0.0, 1.0}


def test_every_algorithm_of_one_chain_a_state_can_be_tempered():
    free = SQUARE.replace(field=0.0)
    for system, ladder in ((free, {"temperature": [2.0, 2.5]}), (RING, {"lam": [0.1, 0.2]})):
        for algorithm in algorithms_for(system):
            try:
                samples = temper(system, ladder, algorithm, 2, 20, 1)
            except NotExactError as error:
                assert "one chain in a state" in str(error)
            else:
                dataset.validate(samples)
