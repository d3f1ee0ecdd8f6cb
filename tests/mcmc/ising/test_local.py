# SPDX-License-Identifier: MIT
"""Local updates of one Ising system, packed in words and site by site: identities, matrices, averages."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.chains import all_spins, assert_chains, assert_chains_off, boltzmann, chi_square_p
from numba import njit

import lattices
from edgphys.exact import kaufman, transfer
from edgphys.mcmc.core.layout import make_layout
from edgphys.mcmc.ising import local as ising_local
from edgphys.mcmc.ising.base import measure_spins
from edgphys.mcmc.ising.bits import digits, packed
from edgphys.mcmc.ising.bits.packing import choose_shifts, make_packing
from edgphys.mcmc.ising.bits.sweep import SCRATCH, new_generators
from edgphys.mcmc.ising.bits.waves import N_LANES
from edgphys.mcmc.ising.flip_probabilities import LAZY
from edgphys.mcmc.ising.heat_bath import IsingHeatBath
from edgphys.mcmc.ising.metropolis import IsingMetropolis
from edgphys.mcmc.random.xoshiro import new_state
from edgphys.mcmc.run import run
from edgphys.systems import Ising

SAMPLERS = {"metropolis": IsingMetropolis, "heat_bath": IsingHeatBath}
# (lattice, extent, periodic): every library lattice, odd and even extents, open axes, double bonds.
LATTICES = [
    ("chain", (30,), True),
    ("chain", (512,), True),
    ("square", (4, 2), True),
    ("square", (9, 9), True),
    ("square", (12, 20), True),
    ("square", (64, 64), True),
    ("square", (6, 7), (True, False)),
    ("square", (5, 16), (False, True)),
    ("triangular", (6, 6), True),
    ("triangular", (16, 16), True),
    ("triangular", (6, 4), (True, False)),
    ("honeycomb", (5, 5), True),
    ("honeycomb", (4, 3), (False, True)),
    ("kagome", (4, 6), True),
    ("kagome", (4, 6), (False, True)),
    ("cubic", (4, 6, 8), True),
    ("cubic", (4, 3, 6), (True, False, True)),
    ("hypercubic", (4, 4, 4, 4), True),
]
IDS = ["-".join(map(str, (name, *extent, "open" * (pbc is not True)))) for name, extent, pbc in LATTICES]


def build(name, extent, pbc=True):
    return lattices.build(name, extent, pbc, allow_double_bonds=2 in extent)


def random_spins(n_sites, seed=3):
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), n_sites)


def kernel_of(system, rule=packed.METROPOLIS):
    packing = make_packing(system.lattice, choose_shifts(system.lattice))
    signs = system.lattice.bipartition if system.antiferromagnetic else None
    return packed.Kernel(packing, rule, system.beta, system.coupling, system.field, signs)


def sums_in_words(kernel, words):
    """Sum of the neighbours of each site of the lattice, read from the words and ghosts."""
    packing = kernel.packing
    sums = np.zeros(packing.n_sites, int)
    table = words.reshape(-1, N_LANES)
    for q, ranges in packing.blocks:
        for v in np.concatenate([np.arange(*r) for r in ranges]):
            bits = table[packing.neighbours[v, :q]][:, packing.lane] >> packing.place.astype(np.uint64)
            up = (bits & np.uint64(1)).astype(int).sum(0)
            sums[packing.base[v] + packing.offset] += 2 * up - q
    return sums


# ------------------------------------------------------------ the words of a lattice


@pytest.mark.parametrize(("name", "extent", "pbc"), LATTICES, ids=IDS)
def test_words_and_ghosts_give_the_neighbours_of_every_site(name, extent, pbc):
    lattice = build(name, extent, pbc)
    kernel, spins = kernel_of(Ising(lattice, 2.0)), random_spins(lattice.n_sites)
    words = kernel.pack(spins)
    np.testing.assert_array_equal(kernel.unpack(words), spins)
    np.testing.assert_array_equal(sums_in_words(kernel, words), lattice.adjacency @ spins)


@pytest.mark.parametrize(("name", "extent", "pbc"), LATTICES, ids=IDS)
def test_words_are_coloured_and_sorted(name, extent, pbc):
    lattice = build(name, extent, pbc)
    packing = make_packing(lattice, choose_shifts(lattice))
    colour = np.full(packing.n_words, -1)
    for q, ranges in packing.blocks:
        for c, (first, last) in enumerate(ranges):
            assert np.all(colour[first:last] == -1)
            colour[first:last] = c
            assert np.all(lattice.coordination[packing.base[first:last, None] + packing.offset] == q)
    assert colour.min() == 0
    of_site = np.empty(lattice.n_sites, int)
    of_site[packing.base[:, None] + packing.offset] = colour[:, None]
    assert np.all(of_site[lattice.bonds[:, 0]] != of_site[lattice.bonds[:, 1]])
    if packing.source.size:
        assert np.all(np.diff(colour[packing.source]) >= 0)


def test_ghosts_without_rotation_are_wrong():
    """Negative control: at the end of a row the bits must move."""
    lattice = build("square", (12, 20))
    kernel, spins = kernel_of(Ising(lattice, 2.0)), random_spins(240)
    words = kernel.pack(spins)
    ghosts = words.reshape(-1, N_LANES)[kernel.packing.n_words :]
    ghosts[:] = words.reshape(-1, N_LANES)[kernel.packing.source]
    assert np.any(sums_in_words(kernel, words) != lattice.adjacency @ spins)


@pytest.mark.parametrize(("name", "extent", "pbc"), LATTICES, ids=IDS)
def test_measurement_in_words_is_that_of_the_spins(name, extent, pbc):
    system = Ising(build(name, extent, pbc), 2.0, coupling=-0.7, field=0.3)
    kernel, sampler = kernel_of(system), IsingMetropolis(system, {"order": "random"})
    for seed in range(3):
        spins = random_spins(system.n_sites, seed)
        expected, row = np.empty(sampler.n_columns), np.empty(sampler.n_columns)
        measure_spins(sampler.layout.store(spins), sampler._probe(), expected, np.empty(0, np.int8))
        packing = kernel.packing
        sizes = packing.n_words, packing.n_sites
        probe = kernel.probe(sampler._places)
        packed.measure_words(kernel.pack(spins), *sizes, probe, kernel._waves, row)
        np.testing.assert_allclose(row, expected, rtol=1e-11, atol=1e-11)


def test_shifts_fill_the_words_where_the_extents_allow():
    assert np.prod(choose_shifts(build("square", (64, 64)))) == 64 * N_LANES
    assert np.prod(choose_shifts(build("cubic", (8, 8, 16)))) == 64 * 2
    assert choose_shifts(build("square", (7, 7))) == (1, 1)
    assert choose_shifts(build("cubic", (4, 4, 4), False)) == (1, 1, 1)
    with pytest.raises(ValueError, match=r"neighbours in different words, got \(4, 1\)"):
        make_packing(build("square", (4, 4)), (4, 1))


# ------------------------------------------------------------ exact matrices


def flip_probability(system, rule, lazy, energy_change):
    if rule == "heat_bath":
        return 1 / (1 + np.exp(system.beta * energy_change))
    return lazy * np.exp(np.minimum(0.0, -system.beta * energy_change))


def sweep_matrix(system, order, rule, lazy=LAZY):
    """Transition matrix of one sweep over the sites in `order`, from the rule written out once more."""
    _, energy = boltzmann(system)
    states = np.arange(energy.size)
    matrix = np.eye(energy.size)
    for site in order:
        flipped = states ^ (1 << int(site))
        p = flip_probability(system, rule, lazy, energy[flipped] - energy)
        step = np.diag(1 - p)
        step[states, flipped] = p
        matrix = matrix @ step
    return matrix


def pooled_p(counts, probabilities, least=10):
    """p-value of rows of `counts`; states with less than `least` expected counts are taken as one."""
    expected = counts.sum(1, keepdims=True) * probabilities
    rare = expected < least
    pooled = [np.append(np.where(rare, 0, a), (a * rare).sum(1)[:, None], axis=1) for a in (counts, expected)]
    return chi_square_p(pooled[0], pooled[1] / counts.sum(1, keepdims=True))


@njit
def _count_words(blocks, shared, tables, start, base, offset, lane, place, n_repeats, counts):
    words = shared[0]
    for _ in range(n_repeats):
        words[: start.size] = start
        packed.sweeps(blocks, shared, tables[0], 1)
        state = 0
        for v in range(base.size):
            for b in range(offset.size):
                if not (words[v * N_LANES + lane[b]] >> place[b]) & np.uint64(1):
                    state |= 1 << (base[v] + offset[b])
        counts[state] += 1


def packed_counts(system, rule, n_repeats):
    """How often the packed sweep goes from each state to each state, and the order of its sites."""
    kernel = kernel_of(system, rule)
    packing = kernel.packing
    state = IsingMetropolis(system, {}).start(0, np.random.SeedSequence(5))
    if state.rng.size == 4:
        state.rng = np.concatenate([new_generators(np.random.SeedSequence(8).spawn(N_LANES)), state.rng])
    counts = np.zeros((2**system.n_sites,) * 2, np.int64)
    state.configuration = kernel.pack(np.ones(system.n_sites))
    shared = kernel.shared(state, np.zeros(SCRATCH * N_LANES, np.uint64))
    places = packing.base, packing.offset, packing.lane, packing.place.astype(np.uint64)
    for row, spins in zip(counts, all_spins(system.n_sites), strict=True):
        start = kernel.pack(spins)
        _count_words(kernel._blocks, shared, (kernel._ghosts,), start, *places, n_repeats, row)
    return counts, (packing.base[:, None] + packing.offset).reshape(-1)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("rule", "coupling", "field"),
    [
        pytest.param("metropolis", 1.0, 0.0, marks=pytest.mark.slow),
        ("metropolis", -0.8, 0.5),
        pytest.param("heat_bath", 0.9, 0.0, marks=pytest.mark.slow),
        ("heat_bath", 1.0, -0.4),
    ],
)
def test_packed_sweep_follows_its_matrix(rule, coupling, field):
    """8 sites, 2 bits per word; wrong temperature, and eager flips at dE <= 0, are seen."""
    lattice = build("square", (4, 2))
    system = Ising(lattice, 3.0, coupling, field)
    code = packed.HEAT_BATH if rule == "heat_bath" else packed.IN_FIELD if field else packed.METROPOLIS
    counts, order = packed_counts(system, code, 20_000)
    assert pooled_p(counts, sweep_matrix(system, order, rule)) > 1e-4
    assert pooled_p(counts, sweep_matrix(Ising(lattice, 3.1, coupling, field), order, rule)) < 1e-8
    if rule == "metropolis":
        eager = sweep_matrix(system, order, rule, lazy=1.0)
        assert counts[eager == 0].any()  # what the eager rule forbids, such as a certain flip not made


@njit
def _count_sites(kernel, start, rng, neighbours, table, order, n_repeats, counts):
    for _ in range(n_repeats):
        spins = start.copy()
        kernel(spins, rng, neighbours, table)
        state = 0
        for k in range(order.size):
            if spins[k] < 0:
                state |= 1 << order[k]
        counts[state] += 1


def site_counts(system, sweep, n_repeats):
    layout = make_layout(system.lattice)
    table = IsingHeatBath.flip_table(system.beta, system.coupling, system.field, layout.neighbours.shape[1])
    rng = new_state(np.random.SeedSequence(2))
    counts = np.zeros((2**system.n_sites,) * 2, np.int64)
    for row, spins in zip(counts, all_spins(system.n_sites), strict=True):
        start = layout.store(spins)
        _count_sites(sweep, start, rng, layout.neighbours, table, layout.order, n_repeats, row)
    return counts, layout.order


@pytest.mark.statistical
@pytest.mark.parametrize(("coupling", "field"), [(1.0, 0.0), (-0.7, 0.4)])
def test_heat_bath_site_by_site_follows_its_matrix(coupling, field):
    lattice = build("chain", (5,))  # odd: three colours
    system = Ising(lattice, 1.5, coupling, field)
    probability, _ = boltzmann(system)
    counts, order = site_counts(system, ising_local.sweep_in_order, 20_000)
    matrix = sweep_matrix(system, order, "heat_bath")
    np.testing.assert_allclose(probability @ matrix, probability, rtol=1e-11)
    assert matrix.min() > 0  # every state from every state in one sweep
    assert chi_square_p(counts, matrix) > 1e-4
    wrong = sweep_matrix(Ising(lattice, 1.55, coupling, field), order, "heat_bath")
    assert chi_square_p(counts, wrong) < 1e-8


@pytest.mark.statistical
def test_heat_bath_in_random_order_keeps_the_boltzmann_distribution():
    system = Ising(build("chain", (5,)), 1.5, 1.0, 0.3)
    probability, _ = boltzmann(system)
    counts, _ = site_counts(system, ising_local.sweep_at_random, 20_000)
    rows = counts / counts.sum(1, keepdims=True)
    variance = (probability[:, None] ** 2 * rows * (1 - rows) / counts.sum(1, keepdims=True)).sum(0)
    assert np.all(np.abs(probability @ rows - probability) < 4.5 * np.sqrt(variance))
    wrong, _ = boltzmann(Ising(system.lattice, 1.6, 1.0, 0.3))
    assert np.any(np.abs(wrong @ rows - wrong) > 6 * np.sqrt(variance))


def test_heat_bath_table_is_exact_in_both_tails():
    table = IsingHeatBath.flip_table(1.0, 4.0, 0.0, 4)
    assert table[8] / 2.0**64 == pytest.approx(np.exp(-32.0), rel=1e-4)  # a 32-bit number would be 0
    assert int(table[0]) + int(table[8]) == 2**64
    assert IsingHeatBath.flip_table(50.0, 4.0, 0.0, 4)[0] == np.uint64(2**64 - 1)


# ------------------------------------------------------------ averages


def kaufman_estimates(system):
    torus = (*system.lattice.extent, system.temperature)
    return {"energy": kaufman.energy(*torus), "specific_heat": kaufman.specific_heat(*torus)}


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", SAMPLERS)
@pytest.mark.parametrize(("extent", "temperature"), [((16, 16), 2.3), ((16, 24), 3.0)])
def test_packed_averages_agree_with_kaufman(algorithm, extent, temperature):
    system = Ising(build("square", extent), temperature)
    assert SAMPLERS[algorithm](system, {}).is_packed
    samples = run(system, algorithm, 16, 20_000, seed=21, n_warmup=2000)
    assert_chains(samples, kaufman_estimates(system), max_err=0.6, n_tests=2 * len(SAMPLERS) * 2)


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_one_percent_in_beta_is_caught(monkeypatch, algorithm):
    right = digits.probabilities
    monkeypatch.setattr(digits, "probabilities", lambda r, q, beta, *x: right(r, q, beta / 1.01, *x))
    system = Ising(build("square", (16, 24)), 3.0)
    samples = run(system, algorithm, 16, 20_000, seed=21, n_warmup=2000)
    assert_chains_off(samples, kaufman_estimates(system), max_err=0.6, least=7.5)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", SAMPLERS)
@pytest.mark.parametrize("coupling", [1.0, -1.0])
def test_packed_averages_on_a_long_torus(algorithm, coupling):
    system = Ising(build("square", (32, 32)), 2.4, coupling)
    samples = run(system, algorithm, 16, 40_000, seed=22, n_warmup=4000)
    assert_chains(samples, kaufman_estimates(system), max_err=1.0, n_tests=2 * len(SAMPLERS) * 2)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", SAMPLERS)
@pytest.mark.parametrize("field", [0.0, 0.2])
def test_packed_averages_on_the_ring(algorithm, field):
    system = Ising(build("chain", (48,)), 1.2, 1.0, field)
    samples = run(system, algorithm, 32, 20_000, seed=23, n_warmup=1000)
    exact = transfer.ising_chain(48, 1.2, 1.0, field)
    names = ("energy", "specific_heat", "abs_magnetization", "binder_cumulant")
    exact = {name: float(exact[name]) for name in names}
    assert_chains(samples, exact, max_err=0.1, n_tests=2 * len(SAMPLERS) * len(names))


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", SAMPLERS)
@pytest.mark.parametrize(
    ("name", "extent", "pbc", "temperature", "coupling", "field"),
    [
        ("triangular", (4, 4), True, 4.0, 1.0, 0.0),
        ("triangular", (6, 3), True, 2.0, -1.0, 0.3),
        ("honeycomb", (4, 2), True, 1.6, 1.0, 0.0),
        ("kagome", (2, 3), (True, False), 2.2, 1.0, 0.1),
        ("cubic", (4, 2, 2), True, 6.0, 1.0, 0.0),
        ("square", (4, 4), (True, False), 2.2, 1.0, 0.0),
    ],
)
def test_packed_averages_agree_with_enumeration(
    monkeypatch, algorithm, name, extent, pbc, temperature, coupling, field
):
    """Few bits per word, but every kind of bond, coordination and term of the ghosts."""
    monkeypatch.setattr(ising_local, "LEAST_BITS", 2)
    system = Ising(build(name, extent, pbc), temperature, coupling, field)
    assert SAMPLERS[algorithm](system, {}).is_packed
    samples = run(system, algorithm, 32, 4000, seed=24, n_warmup=300)
    probability, energy = boltzmann(system)
    values = system.measure(all_spins(system.n_sites))
    exact = {
        n: float(probability @ values[n]) for n in ("abs_magnetization", "correlator_min") if n in values
    }
    exact |= {
        "energy": float(probability @ energy),
        "magnetization": float(probability @ values["magnetization"]),
    }
    assert_chains(samples, exact, max_err=0.2, n_tests=6 * len(SAMPLERS) * len(exact))


# ------------------------------------------------------------ chains and states


@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_pieces_change_no_number(algorithm):
    system = Ising(build("square", (16, 24)), 2.3)
    sampler = SAMPLERS[algorithm](system, {})
    whole, pieces = (sampler.start(0, np.random.SeedSequence(4)) for _ in range(2))
    rows, parts = np.empty((2, 7, 3))
    kept, kept_parts = np.empty((2, 7, system.n_sites), np.int8)
    sampler.advance(whole, {}, 3, rows, kept)
    for part in (slice(0, 2), slice(2, 3), slice(3, 7)):
        sampler.advance(pieces, {}, 3, parts[part], kept_parts[part])
    np.testing.assert_array_equal(rows, parts)
    np.testing.assert_array_equal(kept, kept_parts)
    for name in ("configuration", "rng", "counts", "tuning"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))
    np.testing.assert_array_equal(sampler.unpack(whole), kept[-1])


def test_starts_and_exchange_of_configurations():
    """Disordered, up, disordered, down; configurations pass between temperatures and rules."""
    lattice = build("square", (16, 16))
    warm, cold = IsingHeatBath(Ising(lattice, 4.0), {}), IsingMetropolis(Ising(lattice, 1.0), {})
    seeds = np.random.SeedSequence(6).spawn(4)
    states = [cold.start(index, seed) for index, seed in enumerate(seeds)]
    totals = [cold.unpack(state).astype(int).sum() for state in states]
    assert totals[1] == 256 and totals[3] == -256
    assert 0 < abs(totals[0]) < 64 and totals[0] != totals[2]
    other = warm.start(0, seeds[0].spawn(1)[0])
    other.configuration, states[1].configuration = states[1].configuration, other.configuration
    assert warm.unpack(other).astype(int).sum() == 256


def test_antiferromagnet_starts_staggered():
    lattice = build("square", (16, 16))
    sampler = IsingMetropolis(Ising(lattice, 1.0, coupling=-1.0), {})
    spins = sampler.unpack(sampler.start(1, np.random.SeedSequence(6)))
    np.testing.assert_array_equal(spins, lattice.bipartition)


@pytest.mark.statistical
def test_acceptance_is_reported_alike_in_both_forms():
    """Fraction of flips against n_sites, of the draws' last sweeps (packed) or of all (random order)."""
    system = Ising(build("square", (16, 16)), 3.5)
    packed_form = run(system, "metropolis", 4, 3000, seed=1).attrs
    one_by_one = run(system, "metropolis", 4, 3000, seed=1, options={"order": "random"}).attrs
    values = [json.loads(a["settings"])["measured"]["acceptance"] for a in (packed_form, one_by_one)]
    assert values[0] == pytest.approx(values[1], abs=0.005)


def test_order_is_checked():
    system = Ising(build("square", (16, 16)), 2.0)
    for cls in SAMPLERS.values():
        assert not cls(system, {"order": "random"}).is_packed
        with pytest.raises(ValueError, match=r"order must be one of checkerboard, random, got 'rows'"):
            cls(system, {"order": "rows"})
