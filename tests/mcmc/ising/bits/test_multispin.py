# SPDX-License-Identifier: MIT
"""Multi-spin coding: circuits and digits, sweeps by their matrix, averages, independence of replicas."""

from __future__ import annotations

import importlib
import types

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from helpers.chains import all_spins, assert_chains, assert_chains_off, boltzmann, chi_square_p, estimates
from helpers.stats import assert_off, assert_z
from numba import njit

import lattices
from edgphys.exact import kaufman
from edgphys.mcmc import algorithms, run
from edgphys.mcmc.ising import flip_probabilities
from edgphys.mcmc.ising.bits import digits
from edgphys.mcmc.ising.bits import sweep as bits_sweep
from edgphys.mcmc.ising.bits.logic import HEAT_BATH, IN_FIELD, METROPOLIS, classify, gather, n_classes
from edgphys.mcmc.ising.bits.multispin import IsingMultispin, MultispinReplicas
from edgphys.mcmc.ising.bits.simd import load, shift_right, splat, static, store
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.mcmc.ising.metropolis import IsingMetropolis
from edgphys.systems import Ising

driver = importlib.import_module("edgphys.mcmc.core.driver")
_ONE, _ZERO, _ONES = np.uint64(1), np.uint64(0), np.uint64(2**64 - 1)

# (lattice, extent, periodic, temperature, coupling, field, rule)
CASES = {
    "square": ("square", (4, 4), True, 2.4, 1.0, 0.0, "metropolis"),
    "square_antiferromagnet": ("square", (4, 4), True, 2.4, -1.0, 0.0, "metropolis"),
    "chain_field": ("chain", (6,), True, 1.2, 1.0, 0.15, "metropolis"),
    "square_heat_bath": ("square", (4, 4), True, 2.4, 1.0, -0.05, "heat_bath"),
    "square_half_open": ("square", (3, 4), (False, True), 2.2, 1.0, 0.0, "metropolis"),
    "chain_double_bond": ("chain", (2,), True, 2.0, 1.0, 0.0, "metropolis"),
    "triangular_frustrated": ("triangular", (3, 3), True, 2.0, -1.0, 0.0, "metropolis"),
    "honeycomb": ("honeycomb", (3, 3), True, 1.6, 1.0, 0.0, "metropolis"),
    "cubic_double_bonds": ("cubic", (2, 2, 3), True, 5.0, 1.0, 0.0, "metropolis"),
}


def make_system(name, extent, pbc=True, temperature=2.0, coupling=1.0, field=0.0):
    lattice = lattices.build(name, extent, pbc, allow_double_bonds=2 in extent)
    return Ising(lattice, temperature, coupling, field)


def build(case):
    *numbers, rule = CASES[case]
    return make_system(*numbers), rule


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


# Digits, circuits, random numbers: exact.


@pytest.mark.parametrize("p", [LAZY, LAZY * np.exp(-8 / 2.27), LAZY * np.exp(-32.0), 1e-14])
def test_digits_are_those_of_the_probability(p):
    number = flip_probabilities.scaled(p, digits._BITS)
    assert 0 <= p - number / 2.0**digits._BITS < 2.0**-digits._BITS
    pattern, digit, found = digits.steps(number), 0, []
    for j in range(digits.PLANES):
        digit ^= pattern >> j & 1
        found.append(digit)
    alone, shared = digits.rests(number)
    head = sum(d / 2.0 ** (j + 1) for j, d in enumerate(found))
    assert head + shared / 2.0**digits._BITS == number / 2.0**digits._BITS
    head = sum(d / 2.0 ** (j + 1) for j, d in enumerate(found[: bits_sweep.ALONE]))
    assert abs(head + alone / 2.0 ** (64 + bits_sweep.ALONE) - p) < 2.0**-69


def scaled(numbers):
    return np.array([number / 2.0**digits._BITS for number in numbers])


def test_probabilities_are_those_of_the_other_samplers():
    q, beta, coupling, field = 4, 0.43, -0.7, 0.2
    table = IsingMetropolis.flip_table(beta, coupling, field, q) / 2.0**64
    ours = scaled(digits.probabilities(IN_FIELD, q, beta, coupling, field))
    up_minus_down = 2 * np.arange(q + 1) - q
    for row, spin in enumerate((-1, 1)):
        theirs = table[(2 * q + 1) * row + spin * up_minus_down + q]
        np.testing.assert_allclose(ours[(q + 1) * row :][: q + 1], theirs, rtol=1e-14)
    local = coupling * up_minus_down + field
    heat_bath = scaled(digits.probabilities(HEAT_BATH, q, beta, coupling, field))
    np.testing.assert_allclose(heat_bath, 1 / (1 + np.exp(-2 * beta * local)), rtol=1e-14)
    plain = scaled(digits.probabilities(METROPOLIS, q, beta, coupling, 0.0))
    np.testing.assert_allclose(plain, LAZY * np.exp(-beta * 2 * 0.7 * np.array([2, 4])), rtol=1e-14)


def test_rare_spins_of_the_heat_bath_keep_their_rate():
    down, up = digits.probabilities(HEAT_BATH, 1, 1.0, 16.0, 0.0)
    scale = 2.0**digits._BITS
    assert down / scale == pytest.approx(np.exp(-32.0), rel=1e-6)
    assert (2**digits._BITS - up) / scale == pytest.approx(np.exp(-32.0), rel=1e-6)


@njit
def _classify_one(words, neighbours, rule, degree, out):
    lanes = static_four
    spin = load(words, _ZERO, lanes)
    flip = splat(_ONES, lanes)
    bits = gather(words, neighbours, _ZERO, spin, flip, rule, degree)
    classes, active = classify(bits, spin, rule)
    store(out, _ZERO, active)
    place = np.uint64(4)
    for word in classes:
        store(out, place, word)
        place += np.uint64(4)


static_four = static(4)


@pytest.mark.parametrize(
    "rule, q",
    [
        (METROPOLIS, 1),
        (METROPOLIS, 2),
        (METROPOLIS, 4),
        (METROPOLIS, 6),
        (METROPOLIS, 8),
        (HEAT_BATH, 5),
        (IN_FIELD, 3),
    ],
)
def test_circuits_count(rule, q):
    words = np.random.default_rng(1).integers(0, 2**64, (q + 1, 4), np.uint64)
    out = np.empty(4 * (1 + n_classes(rule, q)), np.uint64)
    neighbours = np.arange(1, q + 1, dtype=np.uint32)[None]
    _classify_one(words.ravel(), neighbours, static(rule), static(q + 1), out)
    bits, result = unpack(words), unpack(out.reshape(-1, 4))
    if rule == METROPOLIS:
        count = (bits[1:] == bits[0]).sum(0) - q // 2 - 1
    else:
        count = bits[1:].sum(0) + (q + 1) * bits[0] * (rule == IN_FIELD)
    np.testing.assert_array_equal(result[0], count >= 0)
    np.testing.assert_array_equal(result[1:], count == np.arange(len(result) - 1)[:, None])


def unpack(words):
    """Bits, int64, shape (n, 256), of uint64 (n, 4)."""
    return np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little").astype(int)


@njit
def _words_of_sfc64(state, out):
    lanes = static_four
    a, b = load(state, _ZERO, lanes), load(state, np.uint64(4), lanes)
    c, counter = load(state, np.uint64(8), lanes), load(state, np.uint64(12), lanes)
    for i in range(out.shape[0]):
        word, a, b, c, counter = bits_sweep.sfc64(a, b, c, counter, splat(_ONE, lanes))
        store(out, np.uint64(4 * i), word)


def test_random_words_are_those_of_numpy():
    generators = [np.random.SFC64(seed) for seed in range(4)]
    state = np.stack([g.state["state"]["state"] for g in generators], axis=1).ravel()
    out = np.empty((50, 4), np.uint64)
    _words_of_sfc64(state, out)
    np.testing.assert_array_equal(out, np.stack([g.random_raw(50) for g in generators], axis=1))


# One sweep, from each state, against the product of the single-site matrices.


def transition_matrix(system, rule):
    """One sweep in the order of the sampler, from the rule written out once more."""
    _, energy = boltzmann(system)
    states = np.arange(len(energy))
    matrix = np.eye(len(energy))
    for site in IsingMultispin(system, {"words": 1}).layout.order:
        flipped = states ^ (1 << site)
        cost = system.beta * (energy[flipped] - energy)
        accept = 1 / (1 + np.exp(cost)) if rule == "heat_bath" else LAZY * np.exp(np.minimum(0.0, -cost))
        step = np.diag(1 - accept)
        step[states, flipped] = accept
        matrix = matrix @ step
    return matrix


def sweep_counts(system, rule, n_repeats):
    """How often each replica of a group goes from each state to each other in one sweep."""
    sampler = IsingMultispin(system, {"rule": rule})
    state, n = sampler.start(0, np.random.SeedSequence(5)), system.n_sites
    counts = np.zeros((2**n, 2**n), np.int64)
    for row, spins in zip(counts, all_spins(n), strict=True):
        start = np.repeat(np.append(np.where(spins[sampler.layout.order] > 0, _ONES, _ZERO), _ZERO), 4)
        for _ in range(n_repeats):
            state.configuration[:] = start
            sampler.warm_up(state, 0, 1, 1)
            bits = (1 - sampler.unpack(state).astype(int)) // 2
            row += np.bincount(bits @ (1 << np.arange(n)), minlength=2**n)
    return counts


@pytest.mark.statistical
@pytest.mark.parametrize(
    "coupling, field, rule",
    [(1.0, 0.0, "metropolis"), (-0.7, 0.0, "metropolis"), (-0.7, 0.4, "metropolis"), (1.0, 0.3, "heat_bath")],
)
def test_sweep_follows_its_matrix(coupling, field, rule):
    system = make_system("chain", (4,), True, 1.5, coupling, field)
    probability, _ = boltzmann(system)
    matrix = transition_matrix(system, rule)
    np.testing.assert_allclose(probability @ matrix, probability, rtol=1e-11)
    assert matrix.min() > 0  # every state from every state in one sweep
    counts = sweep_counts(system, rule, 80)
    assert chi_square_p(counts, matrix) > 1e-4
    wrong = make_system("chain", (4,), True, 1.55, coupling, field)
    assert chi_square_p(counts, transition_matrix(wrong, rule)) < 1e-8


@pytest.mark.statistical
@pytest.mark.parametrize("words", [1, 4])
def test_decisions_have_their_probability_and_are_independent(words):
    """From all spins up, sites of the first colour flip independently with probability 15/16 exp(-8 beta).

    Sums over the replicas of a site, and over the sites of a group in one replica (which share random words),
    must be binomial.
    """
    system, n_repeats = make_system("square", (32, 32), temperature=3.0), 24
    sampler = IsingMultispin(system, {"words": words})
    state, n = sampler.start(0, np.random.SeedSequence(3)), sampler.chains_per_state
    flips = np.empty((n_repeats, n, 512))
    for repeat in range(n_repeats):
        state.configuration[:-words] = _ONES
        (block,), shared = sampler._engine.tables(state, sampler._temperature)
        _first_colour((block,), shared)
        flips[repeat] = sampler.unpack(state)[:, sampler.layout.order[:512]] < 0
    p = LAZY * np.exp(-8 / 3.0)
    assert_z(flips.mean(), np.sqrt(p * (1 - p) / flips.size), p, max_err=4e-4)
    wrong = LAZY * np.exp(-8 / 3.0 / 1.01)
    assert_off(flips.mean(), np.sqrt(p * (1 - p) / flips.size), wrong, least=6.5, max_err=4e-4)
    groups = flips.reshape(n_repeats, n, -1, 8).sum(3)
    batches = flips.reshape(n_repeats, n, -1, 64).sum(3)
    for sums, size in ((flips.sum(1), n), (groups, 8), (batches, 64)):
        variance = size * p * (1 - p)
        kurtosis = (1 - 6 * p * (1 - p)) / variance
        assert_z(
            ((sums - size * p) ** 2).mean(),
            variance * np.sqrt((2 + kurtosis) / sums.size),
            variance,
            max_err=variance,
        )


@njit
def _first_colour(blocks, shared):
    bits_sweep.update_blocks(blocks, 0, shared)


# Averages.


@pytest.mark.statistical
@pytest.mark.parametrize("case", CASES)
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


@pytest.mark.statistical
def test_each_replica_at_its_own_temperature():
    """Energies and magnetizations at eight temperatures, before and after all of them change places."""
    temperatures = np.array([1.6, 1.9, 2.2, 2.5, 2.8, 3.2, 4.0, 6.0])
    system = make_system("square", (4, 4))
    replicas = MultispinReplicas(system, 1 / temperatures)
    state = replicas.start(np.random.SeedSequence(8))
    rows = {0: [], 1: []}
    for part in rows:
        replicas.sweep(state, 400)
        for _ in range(400):
            replicas.sweep(state, 2)
            rows[part].append(replicas.measure(state)[:2])
        replicas.assign(state, replicas.temperatures(state)[::-1].copy())
    for part, number in ((0, np.arange(256) % 8), (1, (np.arange(256) % 8)[::-1])):
        energy = np.mean(rows[part], axis=0)[0]
        square = np.mean(np.square(rows[part]), axis=0)[1]
        for k, temperature in enumerate(temperatures):
            probability, levels = boltzmann(make_system("square", (4, 4), temperature=temperature))
            magnetization = all_spins(16).mean(1)
            for values, exact in ((energy, levels), (square, magnetization**2)):
                chosen = values[number == k]
                err = chosen.std(ddof=1) / np.sqrt(len(chosen))
                exact = probability @ exact
                # A factor for Student's t of 31 degrees of freedom at the limit of assert_z.
                assert_z(chosen.mean(), 1.25 * err, exact, n_tests=32, max_err=0.2)
        wrong = (
            energy[number == 3].mean() - boltzmann(make_system("square", (4, 4), temperature=2.2))[1].min()
        )
        assert wrong > 0


def test_one_temperature_each_gives_the_bits_of_one_temperature_for_all():
    system = make_system("square", (4, 6), temperature=3.0)
    replicas = MultispinReplicas(system, np.full(5, system.beta))
    state = replicas.start(np.random.SeedSequence(8))
    sampler = IsingMultispin(system, {})
    other = sampler.start(0, np.random.SeedSequence(8))
    replicas.sweep(state, 25)
    sampler.warm_up(other, 0, 25, 25)
    np.testing.assert_array_equal(state.configuration, other.configuration)
    np.testing.assert_array_equal(state.rng, other.rng)


# Independence of the replicas.


def cross_correlations(system, advance, n_groups, n_draws, thin, n_warmup):
    """Mean correlation of the energies of two replicas, one number a group of 64."""
    result = []
    for group in range(n_groups):
        sampler = IsingMultispin(system, {"words": 1})
        state = sampler.start(0, np.random.SeedSequence([12, group]))
        advance(sampler, state, n_warmup)
        energies = []
        for _ in range(n_draws):
            advance(sampler, state, thin)
            energies.append(sampler._engine.measure(state.configuration[None])[0, 0])
        result.append(energies)
    deviation = np.array(result) - np.mean(result)  # (group, draw, replica)
    total, n = deviation.sum(2), deviation.shape[2]
    pairs = ((total**2).mean(1) - (deviation**2).sum(2).mean(1)) / (n * (n - 1))
    return pairs / deviation.var()


def honest_sweeps(sampler, state, n):
    sampler.warm_up(state, 0, n, n)


@njit
def _one_mask_for_all(a, b, c, counter, one):
    """SFC64 with its first bit copied to all others."""
    word, a, b, c, counter = bits_sweep.sfc64(a, b, c, counter, one)
    first = shift_right(word, _63_places)
    return ~(first + ~(one ^ one)), a, b, c, counter


_63_places = static(63)


def rebuilt(kernel, **changes):
    """The kernel compiled anew with other functions in place of those it calls."""
    python = kernel.py_func
    return njit(types.FunctionType(python.__code__, python.__globals__ | changes))


def mean_err(correlations):
    """Mean over the groups; its error, times a factor for Student's t at the limit of assert_z."""
    n = len(correlations)
    err = correlations.std(ddof=1) / np.sqrt(n)
    return correlations.mean(), err * scipy.stats.t.isf(0.5e-4, n - 1) / scipy.stats.norm.isf(0.5e-4)


@pytest.mark.statistical
def test_replicas_are_independent():
    system = make_system("square", (32, 32), temperature=2.27)
    assert_z(*mean_err(cross_correlations(system, honest_sweeps, 12, 60, 10, 200)), 0.0, max_err=0.003)


@pytest.mark.statistical
def test_one_mask_for_all_bits_is_caught():
    system = make_system("square", (32, 32), temperature=2.27)
    decide = rebuilt(bits_sweep._decide, sfc64=_one_mask_for_all)
    update = rebuilt(bits_sweep._update, _decide=decide)

    def advance(sampler, state, n):
        (block,), shared = sampler._engine.tables(state, sampler._temperature)
        for _ in range(n):
            for colour in (0, 1):
                update(block, colour, shared)

    correlations = cross_correlations(system, advance, 6, 60, 10, 200)
    assert_off(*mean_err(correlations), 0.0, least=4.0, max_err=1.0)
    assert correlations.mean() > 0.05


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("temperature", [2.0, 2.27])
def test_replicas_are_independent_to_a_thousandth(temperature):
    system = make_system("square", (32, 32), temperature=temperature)
    assert_z(*mean_err(cross_correlations(system, honest_sweeps, 48, 300, 20, 500)), 0.0, max_err=5e-4)


# The sampler.


@pytest.mark.parametrize(
    "case, words",
    [
        ("square_half_open", 4),
        ("triangular_frustrated", 4),
        ("square", 1),
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


def test_bad_temperatures_are_refused():
    replicas = MultispinReplicas(make_system("square", (4, 4)), [0.3, 0.4], words=1)
    state = replicas.start(np.random.SeedSequence(1))
    with pytest.raises(ValueError, match=r"must be 64 numbers in 0\.\.1, got"):
        replicas.assign(state, np.full(64, 2))
