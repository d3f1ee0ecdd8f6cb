# SPDX-License-Identifier: MIT
"""Lattices annealed from their reference: E[w] = Z for any number of rungs, observables, counters, words."""

import json

import numpy as np
import pytest
from helpers.oracles import dense_phi4_log_z, enumerate_ising, torus_bonds
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys.errors import NotExactError, UnknownNameError
from edgphys.mcmc.annealing import ladder
from edgphys.mcmc.annealing.chain_walkers import ChainWalkers, chain_of
from edgphys.mcmc.annealing.ladder import Schedule, rung, walk
from edgphys.mcmc.annealing.walkers_of import walkers_of
from edgphys.mcmc.core.sampler import AbstractSampler

SQUARE = lattices.build("square", (3, 3))
ISING = ep.Ising(SQUARE, temperature=4.5)
EXACT = enumerate_ising(9, torus_bonds(3, 3), 4.5)
FIELD = ep.Phi4(lattices.build("square", (2, 4), allow_double_bonds=True), kappa=0.2, lam=0.3)
FIELD_LOG_Z = dense_phi4_log_z(2, 4, 0.2, 1.0 - 2.0 * 0.3, 0.3, 24)


def drawn(system, n, n_rungs, **more):
    return ep.mcmc.anneal(system, n, seed=n_rungs, n_rungs=n_rungs, progress=False, **more)


def ratio(samples, log_z):
    """Mean weight over Z, and its error."""
    w = np.exp(samples["log_weight_joint"].values - log_z)
    return w.mean(), w.std() / len(w) ** 0.5


def weighted(samples, name):
    table = ep.estimate(samples)
    return float(table[name]), float(table[name + "_err"])


@pytest.mark.statistical
@pytest.mark.parametrize(
    "algorithm, n_rungs",
    [
        *(("embedded_wolff", n) for n in (1, 5, 50)),
        pytest.param("hmc", 5, marks=pytest.mark.slow),
        ("metropolis", 5),
    ],
)
def test_mean_weight_is_z_of_phi4(algorithm, n_rungs):
    samples = drawn(FIELD, 2000, n_rungs, algorithm=algorithm)
    assert_z(*ratio(samples, FIELD_LOG_Z), 1.0, n_tests=5, max_err=0.05)
    assert_off(*ratio(samples, FIELD_LOG_Z + 0.4), 1.0, least=6.0, max_err=0.05)
    assert ep.estimate(samples).attrs["method"] == "anneal"


@pytest.mark.statistical
def test_field_and_frustration_go_the_same_way():
    system = ep.Ising(lattices.build("triangular", (3, 3)), temperature=2.0, coupling=-1.0, field=0.4)
    samples = drawn(system, 2000, 20)
    exact = system.exact_results()
    assert json.loads(samples.attrs["settings"])["algorithm"] == ep.mcmc.best_algorithm(system)
    assert_z(*ratio(samples, exact["log_z"]), 1.0, max_err=0.05)
    assert_z(*weighted(samples, "magnetization"), exact["magnetization"], max_err=0.01)


def hot_draws(n):
    """Independent draws of the hot system, in float64."""
    hot = ISING.replace(temperature=9.0)
    chains = ep.mcmc.run(hot, "swendsen_wang", n_chains=2, n_sweeps=5 * n // 2, thin=5, seed=1, keep=True)
    log_z = enumerate_ising(9, torus_bonds(3, 3), 9.0)["log_z"]
    return hot, chains["configurations"].values.reshape(n, 9).astype(float), log_z


@pytest.mark.statistical
def test_a_kernel_at_another_temperature_or_a_rung_too_early_is_seen(monkeypatch):
    n, schedule = 6000, Schedule(np.linspace(0.0, 1.0, 9)[1:], np.empty((8, 0)))
    hot, x, log_z = hot_draws(n)

    def mean_weight():
        walkers = ChainWalkers(hot, x, np.random.default_rng(2), "swendsen_wang")
        w = np.exp(walk(walkers, hot, ISING, schedule) + log_z - EXACT["log_z"])
        return w.mean(), w.std() / n**0.5

    assert_z(*mean_weight(), 1.0, max_err=0.02)
    plain = ChainWalkers._set
    with monkeypatch.context() as patch:
        # Moves at a lower temperature than that of the rung.
        patch.setattr(ChainWalkers, "_set", lambda self, system: plain(self, system.replace(coupling=1.4)))
        assert_off(*mean_weight(), 1.0, least=6.0, max_err=0.1)

    def late(self, system):
        # The work of a rung taken where the walkers are after its move, not before.
        before = self.system.action_coefficients
        self._set(system)
        self.move(np.empty(0))
        return self._terms(self.x) @ (before - system.action_coefficients)

    monkeypatch.setattr(ChainWalkers, "switch", late)
    assert_off(*mean_weight(), 1.0, least=6.0, max_err=0.1)


@pytest.mark.parametrize("system", [ISING, FIELD], ids=["ising", "phi4"])
def test_same_seed_same_draws_in_any_number_of_threads(system, monkeypatch):
    one = drawn(system, 200, 4, keep=True, batch_size=150)
    monkeypatch.setattr("edgphys.mcmc.annealing.chain_walkers.cpu_count", lambda: 3)
    two = drawn(system, 200, 4, keep=True, batch_size=150)
    for name in ("log_weight_joint", "configurations"):
        np.testing.assert_array_equal(one[name], two[name])
    other = ep.mcmc.anneal(system, 200, seed=9, n_rungs=4, progress=False)
    assert not np.array_equal(one["log_weight_joint"], other["log_weight_joint"])
    assert len(np.unique(one["log_weight_joint"])) > 5


@pytest.mark.parametrize("system", [ISING, FIELD], ids=["ising", "phi4"])
def test_draws_are_those_of_the_configurations(system):
    samples = drawn(system, 20, 3, keep=True)
    configurations = samples["configurations"].values
    assert configurations.shape == (20, *system.event_shape)
    np.testing.assert_allclose(samples["energy"], system.energy(configurations.astype(float)), rtol=1e-12)
    np.testing.assert_allclose(samples["reduced_energy"], system.beta * samples["energy"], rtol=1e-12)
    assert samples.attrs["kind"] == "samples"


@pytest.mark.parametrize("algorithm", ["wolff", "swendsen_wang", "heat_bath"])
def test_a_batch_of_spins_moves_as_single_chains_do(algorithm):
    assert_same_moves(ep.Ising(lattices.build("square", (4, 8)), temperature=2.4), algorithm)


@pytest.mark.parametrize("algorithm", ["embedded_wolff", pytest.param("hmc", marks=pytest.mark.slow)])
def test_a_batch_of_fields_moves_as_single_chains_do(algorithm):
    assert_same_moves(FIELD, algorithm)


def assert_same_moves(system, algorithm):
    x = system.reference().draw(70, np.random.default_rng(0))
    batch, single = (ChainWalkers(system, x, np.random.default_rng(1), algorithm) for _ in range(2))
    sampler = batch._sampler
    tuned = {name: 0.5 for name in sampler.freeze([chain_of(batch._chains, 0)])}
    batch.move(np.full(len(tuned), 0.5))
    AbstractSampler.sweep_each(sampler, single._chains, tuned, single.x)
    np.testing.assert_array_equal(batch.x, single.x)
    assert not np.array_equal(batch.x, x) and batch.calls() == single.calls()


def test_energies_and_gradients_are_counted():
    hot, x, _ = hot_draws(80)
    walkers = ChainWalkers(hot, x, np.random.default_rng(2), "swendsen_wang")
    walk(walkers, hot, ISING, Schedule(np.array([0.5, 1.0]), np.empty((2, 0))))
    # At each rung one energy for the work and one sweep.
    assert walkers.calls() == (80 * 2 * 2, 0)
    few, many = (drawn(FIELD, n, 3, algorithm="hmc").attrs for n in (100, 300))
    assert many["n_energy_calls"] - few["n_energy_calls"] == 200 * 3 * 2
    assert many["n_gradient_calls"] > few["n_gradient_calls"] + 200 * 3


@pytest.mark.statistical
def test_number_of_rungs_is_chosen_for_the_variance_of_the_weights(monkeypatch):
    system = ISING.replace(temperature=2.5)
    samples = drawn_by_pilot(system)
    n_rungs = json.loads(samples.attrs["settings"])["n_rungs"]
    assert n_rungs > ChainWalkers.pilot_rungs[0]
    # Of the pilot's 256 walkers the spread is known to a tenth, the variance to a fifth.
    assert 0.5 < float(samples["log_weight_joint"].var()) / ladder._VARIANCE < 2.0
    assert float(drawn(system, 1000, n_rungs // 4)["log_weight_joint"].var()) > 2.0 * ladder._VARIANCE
    monkeypatch.setattr(ladder, "_MOST_RUNGS", 20)
    assert json.loads(drawn_by_pilot(system).attrs["settings"])["n_rungs"] == 20


def drawn_by_pilot(system):
    return ep.mcmc.anneal(system, 1000, seed=3, progress=False)


def test_rungs_of_fields_have_no_temperature():
    end = FIELD.replace(lam=0.5)
    middle = rung(FIELD, end, 0.5)
    assert middle.parameters == {"kappa": 0.2, "lam": 0.4} and rung(FIELD, end, 1.0) is end


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"n_samples": 0}, ValueError, "n_samples must be an integer >= 1, got 0"),
        ({"n_rungs": 0}, ValueError, "n_rungs must be an integer >= 1, got 0"),
        ({"n_rungs": 2.5}, TypeError, "n_rungs must be an integer >= 1, got 2.5"),
        ({"seed": -1}, ValueError, "seed must be an integer >= 0, got -1"),
        ({"algorithm": "hmc"}, UnknownNameError, "algorithm must be one of .* for ising, got 'hmc'"),
        ({"algorithm": "multispin"}, NotExactError, "algorithm must hold one chain in a state"),
        ({"options": {"speed": 1}}, UnknownNameError, "options of 'wolff' must be among"),
        ({"system": ep.DoubleWell()}, NotExactError, "system must have a reference"),
        ({"system": 3}, TypeError, "system must be a system"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    good = {"system": ISING, "n_samples": 10, "seed": 0, "n_rungs": 2, "progress": False}
    with pytest.raises(error, match=message) as caught:
        ep.mcmc.anneal(**good | arguments)
    assert "\n" not in str(caught.value)


def test_what_changes_the_terms_of_the_action_is_refused():
    other = ep.Ising(lattices.build("square", (3, 3), False), temperature=4.5)
    with pytest.raises(ValueError, match="couplings must change coefficients of the action only"):
        walkers_of(ISING, other)
