# SPDX-License-Identifier: MIT
"""Clusters of the Ising model: exact transition matrices, improved estimators, and wrong rules caught."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import xarray as xr
from helpers.chains import all_spins, assert_chains, assert_chains_off, boltzmann, chi_square_p, estimates
from helpers.clusters import (
    all_signs,
    assert_mean,
    assert_mean_off,
    correlation_by_rolls,
    exact_correlation,
    swendsen_wang_matrix,
    transition_counts,
)

import lattices
from edgphys.errors import NotExactError
from edgphys.estimators import correlation_function, estimate
from edgphys.exact import kaufman
from edgphys.mcmc import run
from edgphys.mcmc.algorithms import make_sampler
from edgphys.mcmc.ising.clusters import growth as cluster_growth
from edgphys.mcmc.ising.clusters import improved, labelling, swendsen_wang, wolff, words
from edgphys.mcmc.ising.clusters.base import AbstractClusterSampler
from edgphys.mcmc.ising.clusters.sweep_length import draw_number
from edgphys.mcmc.random.xoshiro import new_state, next_word
from edgphys.systems import Ising

# (lattice, extent, periodic, temperature, coupling, field)
CASES = {
    "square": ("square", (4, 4), True, 2.4, 1.0, 0.0),
    "square_field": ("square", (4, 4), True, 2.4, 1.0, 0.15),
    "square_antiferromagnet": ("square", (4, 4), True, 2.4, -1.0, 0.0),
    "square_antiferromagnet_field": ("square", (4, 4), True, 2.4, -1.0, 0.7),
    "square_half_open": ("square", (3, 4), (False, True), 2.2, 1.0, 0.0),
    "triangular": ("triangular", (4, 3), True, 4.0, 1.0, 0.0),
    "triangular_field": ("triangular", (4, 3), True, 4.0, 1.0, -0.2),
    "honeycomb": ("honeycomb", (3, 2), True, 1.6, 1.0, 0.0),
    "honeycomb_antiferromagnet": ("honeycomb", (2, 3), True, 1.6, -1.0, 0.0),
    "honeycomb_open_antiferromagnet": ("honeycomb", (3, 2), False, 1.2, -1.0, 0.0),
    "cubic": ("cubic", (3, 2, 2), True, 5.0, 1.0, 0.0),
    "cubic_antiferromagnet": ("cubic", (2, 2, 4), True, 5.0, -1.0, 0.0),
    "kagome_open": ("kagome", (2, 2), False, 2.0, 1.0, 0.0),
}
CLUSTER_ALGORITHMS = ("swendsen_wang", "wolff")
RUNS = [(case, algorithm) for case in CASES for algorithm in CLUSTER_ALGORITHMS]
RUNS = [(case, algorithm) for case, algorithm in RUNS if algorithm != "wolff" or CASES[case][5] == 0]


def build(case, **changes):
    name, extent, pbc, temperature, coupling, field = CASES[case]
    lattice = lattices.build(name, extent, pbc, allow_double_bonds=2 in extent and pbc is True)
    return Ising(lattice, **({"temperature": temperature, "coupling": coupling, "field": field} | changes))


def exact_estimates(system):
    probability, energy = boltzmann(system)
    values = {name: v for name, v in system.measure(all_spins(system.n_sites)).items() if name != "energy"}
    values |= {"energy": energy, "energy_2": energy**2}
    return estimates({name: probability @ v for name, v in values.items()}, system.beta, system.n_sites)


def chains(system, algorithm, n_sweeps=3000, **options):
    options = {"improved": True} | options
    return run(system, algorithm, 32, n_sweeps, seed=11, n_warmup=300, options=options)


# What the kernels are made of.


@pytest.mark.parametrize("case", CASES)
def test_links_are_the_neighbours_of_the_lattice(case):
    lattice = build(case).lattice
    for earlier_only in (False, True):
        classes, steps, degrees = cluster_growth.make_links(lattice, earlier_only)
        for i, row in enumerate(lattice.neighbours):
            kind = classes[i]
            linked = (i + steps[kind, : degrees[kind]].astype(np.int64)) % 2**32
            expected = [k for k in row if k >= 0 and (k < i or not earlier_only)]
            assert sorted(linked) == expected


@pytest.mark.parametrize("threshold", [0, 1, 2**62, 3 * 2**61, 10802346190461634207, 2**64 - 1])
def test_followed_bits_compare_all_64_digits(threshold):
    """Bit by bit what the comparison of integers gives, from the same random words."""
    for seed in range(20):
        rng = new_state(np.random.SeedSequence(seed))
        copy = rng.copy()
        bits = int(cluster_growth.followed_bits(rng, np.uint64(threshold)))
        words = [int(next_word(copy)) for _ in range(64)]
        numbers = [sum(((w >> b) & 1) << (63 - k) for k, w in enumerate(words)) for b in range(64)]
        assert [(bits >> b) & 1 for b in range(64)] == [int(r < threshold) for r in numbers]


def test_number_of_clusters_has_its_mean_and_is_never_zero():
    rng = new_state(np.random.SeedSequence(1))
    for mean, expected in ((1.0, 1.25), (1.5, 1.5), (3.7, 3.7)):
        numbers = np.array([draw_number(rng, mean) for _ in range(20_000)])
        assert numbers.min() >= 1 and len(set(numbers)) >= 2
        assert abs(numbers.mean() - expected) < 0.02


# Exact transition matrices.

TINY = [
    ("chain", (4,), 1.0, 0.0),
    ("chain", (4,), -1.0, 0.0),
    ("chain", (3,), 1.0, 0.4),
    ("chain", (4,), -0.7, 0.5),
    ("square", (2, 2), 0.6, -0.3),
]


def tiny(name, extent, coupling, field, temperature=1.5):
    return Ising(lattices.build(name, extent, allow_double_bonds=True), temperature, coupling, field)


def swendsen_wang_counts(system, n_repeats=20_000, scale=1.0, field_scale=1.0):
    strengths = system.beta * system.bond_couplings
    bonds = words.make_word_bonds(system.lattice, strengths)
    bonds.threshold[:] = (bonds.threshold * scale).astype(np.uint64)
    runs = labelling.make_runs(system.n_sites, len(bonds.groups))
    scratch = words.make_words(system.n_sites), runs, np.zeros(1, np.uint64)
    rule = bonds, 2 * system.beta * system.field * field_scale
    args = np.zeros(5, np.int64), rule, scratch, 1
    return transition_counts(system.n_sites, swendsen_wang._sweeps, args, n_repeats)


@pytest.mark.statistical
@pytest.mark.parametrize("name, extent, coupling, field", TINY)
def test_swendsen_wang_obeys_detailed_balance_and_its_matrix(name, extent, coupling, field):
    system = tiny(name, extent, coupling, field)
    probability, _ = boltzmann(system)
    matrix = swendsen_wang_matrix(system)
    np.testing.assert_allclose(matrix.sum(1), 1.0, rtol=1e-12)
    flow = probability[:, None] * matrix
    np.testing.assert_allclose(flow, flow.T, rtol=1e-11, atol=1e-15)
    assert matrix.min() > 0  # every state from every state in one sweep
    assert chi_square_p(swendsen_wang_counts(system), matrix) > 1e-4


@pytest.mark.statistical
@pytest.mark.parametrize(
    "numbers, wrong",
    [
        (TINY[0], {"scale": 1.01}),
        pytest.param(TINY[3], {"field_scale": 0.95}, marks=pytest.mark.slow),
    ],
)
def test_probabilities_slightly_off_are_seen_in_the_matrix(numbers, wrong):
    system = tiny(*numbers)
    matrix = swendsen_wang_matrix(system)
    assert chi_square_p(swendsen_wang_counts(system, 200_000), matrix) > 1e-4
    assert chi_square_p(swendsen_wang_counts(system, 200_000, **wrong), matrix) < 1e-8


# Averages over chains, the improved estimators among them, against the sum over all states.


@pytest.mark.statistical
@pytest.mark.parametrize("case, algorithm", RUNS)
def test_averages_agree_with_enumeration(case, algorithm):
    system = build(case)
    periodic = all(system.lattice.pbc)
    samples = chains(system, algorithm, correlation=periodic)
    exact = exact_estimates(system)
    assert_chains(samples, exact, max_err=0.1, n_tests=len(RUNS) * len(exact))
    if periodic:
        of_chains = samples["correlation"].mean("draw").values
        np.testing.assert_allclose(of_chains[:, 0], 1.0, rtol=1e-12)
        of_distance = exact_correlation(system)[1:]
        for r, value in enumerate(of_distance, 1):
            assert_mean(of_chains[:, r], value, max_err=0.01, n_tests=len(RUNS) * len(of_distance))


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", CLUSTER_ALGORITHMS)
def test_follow_probability_one_percent_off_is_caught(monkeypatch, algorithm):
    right = cluster_growth.follow_threshold
    for module in (words, wolff):
        monkeypatch.setattr(module, "follow_threshold", lambda s: np.uint64(1.01 * float(right(s))))
    for case in ("square", "honeycomb"):
        system = build(case)
        exact = exact_estimates(system)
        assert_chains_off(chains(system, algorithm), exact, max_err=0.1, least=6.0)


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", CLUSTER_ALGORITHMS)
def test_clusters_of_equal_spins_are_wrong_for_antiferromagnets(monkeypatch, algorithm):
    """The rule of J > 0 with |J|: what codes do that never look at the sign of the coupling."""
    monkeypatch.setattr(AbstractClusterSampler, "_sign", lambda self: 1)
    right = swendsen_wang.bonds_of
    monkeypatch.setattr(swendsen_wang, "bonds_of", lambda system, strengths: right(system, abs(strengths)))
    system = build("square_antiferromagnet")
    exact = exact_estimates(system)
    assert_chains_off(chains(system, algorithm), exact, max_err=0.1, least=15.0)


@pytest.mark.statistical
def test_stopping_a_sweep_when_all_sites_are_visited_is_caught():
    """The biased rule, used in the warm-up alone: the number of clusters would depend on their sizes."""
    system = build("square")
    sampler = make_sampler(system, "wolff")
    spins = np.empty((32, 500, 16), np.int8)
    for c in range(len(spins)):
        state = sampler.start(c, np.random.SeedSequence(c))
        args = sampler._args(state)
        for row in spins[c]:
            wolff._until_all_visited(*args, 1)
            row[:] = sampler.unpack(state)
    energies = system.measure(spins.reshape(-1, 4, 4))["energy"].reshape(32, 500)
    assert_mean_off(energies[:, 50:].mean(1), exact_estimates(system)["energy"], max_err=0.3, least=10.0)


@pytest.mark.statistical
@pytest.mark.parametrize("sign", [1, -1])
def test_weak_field_in_the_kernel_is_caught(monkeypatch, sign):
    prepare = swendsen_wang.IsingSwendsenWang._prepare

    def weaker(self):
        prepare(self)
        self._rule = self._rule[0], 0.9 * self._rule[1]

    monkeypatch.setattr(swendsen_wang.IsingSwendsenWang, "_prepare", weaker)
    system = build("square_field" if sign > 0 else "square_antiferromagnet_field")
    exact = exact_estimates(system)
    assert_chains_off(chains(system, "swendsen_wang", 6000), exact, max_err=0.1, least=7.0)


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", CLUSTER_ALGORITHMS)
def test_cluster_sums_without_signs_are_wrong_for_antiferromagnets(algorithm):
    """They give m^2 of the ferromagnet that the sublattice map makes, which the same chains must not fit."""
    squares = chains(build("square_antiferromagnet"), algorithm)["magnetization_2"].mean("draw").values
    for case, fits in (("square_antiferromagnet", True), ("square", False)):
        system = build(case)
        exact = boltzmann(system)[0] @ system.measure(all_spins(16))["magnetization_2"]
        if fits:
            assert_mean(squares, exact, max_err=0.01, n_tests=len(CLUSTER_ALGORITHMS))
        else:
            assert_mean_off(squares, exact, max_err=0.01, least=15.0)


# Improved estimators.


def decompositions(system, n_sweeps, seed):
    """Spins and cluster numbers after sweeps of a chain, where all sign choices can be listed."""
    sampler = make_sampler(system, "swendsen_wang")
    state = sampler.start(0, np.random.SeedSequence(seed))
    labels, found = np.empty(system.n_sites, np.uint32), 0
    for _ in range(n_sweeps):
        *args, scratch = sampler._args(state)
        n_clusters = swendsen_wang._sweeps(*args, scratch, 1)
        labelling.label_sites(scratch[1], labels)
        assert n_clusters == labels.max() + 1
        if n_clusters <= 10:
            found += 1
            yield sampler, state.configuration[:-1].copy(), labels.copy(), n_clusters
    assert found >= 5


IDENTITIES = ["square", "square_antiferromagnet", "square_half_open", "triangular", "honeycomb", "cubic"]
IDENTITIES += ["honeycomb_antiferromagnet", "cubic_antiferromagnet"]


@pytest.mark.parametrize("case", IDENTITIES)
def test_improved_estimators_are_the_mean_over_all_signs(case):
    system = build(case)
    n_axes = system.lattice.n_axes
    for sampler, spins, labels, n_clusters in decompositions(system, 40, 3):
        signed = all_signs(spins, labels)
        plain = system.measure(signed)
        names = [name for name in sampler.improved_columns if name != "correlation"]
        row = np.empty(len(names))
        padded = np.append(spins, np.int8(0))
        swendsen_wang.measure_clusters(padded, labels, n_clusters, sampler._waves, row)
        for name, value in zip(names, row, strict=True):
            np.testing.assert_allclose(value, plain[name].mean(), rtol=1e-11, atol=1e-13, err_msg=name)
        if all(system.lattice.pbc):
            fields = signed.reshape(-1, *system.event_shape).astype(float)
            out = np.empty(improved.n_distances(system.lattice))
            numbers = ((labels.astype(np.int32) + 1) * spins).astype(np.int32)
            improved.correlate(numbers, improved.axis_blocks(system.lattice), out)
            np.testing.assert_allclose(out, correlation_by_rolls(fields, n_axes).mean(0), atol=1e-12)


@pytest.mark.parametrize("case", ["square", "square_antiferromagnet", "honeycomb", "cubic"])
@pytest.mark.parametrize("few", [False, True])
def test_single_cluster_estimators_have_the_same_mean(case, few):
    """Over the cluster of a random site, given the bonds; `few`: the way of clusters below n_sites / 8."""
    system = build(case)
    blocks, n_sites = improved.axis_blocks(system.lattice), system.n_sites
    for sampler, spins, labels, n_clusters in decompositions(system, 40, 4):
        sums = improved.label_sums(spins, labels, n_clusters, sampler._waves)
        squares, powers = 0.0, np.zeros(len(sampler._correlators))
        pairs = np.zeros(improved.n_distances(system.lattice))
        # A longer array makes every cluster a small one; the sites beyond are never read.
        inside = np.zeros(n_sites * (9 if few else 1), np.int32)
        for c in range(n_clusters):
            members = np.flatnonzero(labels == c).astype(np.uint32)
            inside[members] = spins[members]
            one = improved.member_sums(spins, members, sampler._waves)
            np.testing.assert_allclose(one, sums[c], atol=1e-12)
            part = np.empty_like(pairs)
            improved.pairs_in_cluster(inside, members, blocks, part)
            inside[members] = 0
            squares += one[0] ** 2 / n_sites
            improved.add_wave_power(one, n_sites, powers)
            pairs += part * len(members) / n_sites
        row, expected = np.empty(3 + len(powers)), np.empty_like(pairs)
        padded = np.append(spins, np.int8(0))
        swendsen_wang.measure_clusters(padded, labels, n_clusters, sampler._waves, row)
        numbers = ((labels.astype(np.int32) + 1) * spins).astype(np.int32)
        improved.correlate(numbers, blocks, expected)
        np.testing.assert_allclose([squares, *powers], row[2:], rtol=1e-11)
        np.testing.assert_allclose(pairs, expected, atol=1e-12)


@pytest.mark.parametrize("temperature", [2.0, 2.4, 4.0])
@pytest.mark.parametrize("coupling", [1.0, -1.0])
def test_improved_estimators_vary_less_over_the_same_chain(temperature, coupling):
    system = Ising(lattices.build("square", (8, 8)), temperature, coupling)
    samples = {
        on: run(system, "swendsen_wang", 4, 4000, seed=2, options={"improved": on, "correlation": True})
        for on in (True, False)
    }
    for name in ("energy", "magnetization"):
        xr.testing.assert_equal(samples[True][name], samples[False][name])
    for name in ("magnetization_2", "magnetization_4", "correlator_zero", "correlator_min"):
        assert float(samples[True][name].var()) < 0.97 * float(samples[False][name].var()), name
    better, plain = (samples[on]["correlation"].var(("chain", "draw"))[1:] for on in (True, False))
    assert (better < 0.97 * plain).all()


def test_wolff_option_does_not_change_the_chain():
    system = build("square")
    on, off = (run(system, "wolff", 2, 200, seed=4, thin=3, options={"improved": v}) for v in (True, False))
    for name in ("energy", "magnetization", "abs_magnetization", "magnetization_4"):
        xr.testing.assert_equal(on[name], off[name])
    assert not np.array_equal(on["magnetization_2"], off["magnetization_2"])


# Near the critical point.


@pytest.mark.statistical
def test_energy_and_specific_heat_near_the_critical_point():
    extent, temperature = 16, 2.27
    system = Ising(lattices.build("square", (extent, extent)), temperature)
    result = estimate(run(system, "swendsen_wang", 8, 10_000, seed=5))
    assert int(result["converged"]) == 1
    exact = {"energy": kaufman.energy, "specific_heat": kaufman.specific_heat}
    for (name, function), largest in zip(exact.items(), (0.8, 0.025), strict=True):
        value, err = float(result[name]), float(result[f"{name}_err"])
        assert 0 < err < largest
        assert abs(value - function(extent, extent, temperature)) < 4 * err
    energy, err = float(result["energy"]), float(result["energy_err"])
    assert abs(energy - kaufman.energy(extent, extent, 1.01 * temperature)) > 6 * err


@pytest.mark.slow
@pytest.mark.statistical
def test_algorithms_agree_on_binder_cumulant_susceptibility_and_correlation():
    lattice = lattices.build("triangular", (12, 12))
    system, warmer = (Ising(lattice, t) for t in (3.7, 3.75))
    one = chains(system, "swendsen_wang", correlation=True)
    other = chains(system, "wolff", correlation=True)
    wrong = chains(warmer, "wolff", correlation=True)
    names = ("binder_cumulant", "susceptibility", "correlation_length")

    def distances(a, b):
        for name in names:
            err = np.hypot(float(a[f"{name}_err"]), float(b[f"{name}_err"]))
            yield abs(float(a[name]) - float(b[name])) / err

    reference = estimate(one)
    assert max(distances(reference, estimate(other))) < 4.0
    assert max(distances(reference, estimate(wrong))) > 6.0
    far = [correlation_function(samples).isel(distance=6) for samples in (one, other, wrong)]
    errors = [float(table["correlation_err"]) for table in far]
    values = [float(table["correlation"]) for table in far]
    assert abs(values[0] - values[1]) < 4 * np.hypot(*errors[:2])
    assert abs(values[0] - values[2]) > 6 * np.hypot(errors[0], errors[2])


# Interface.


@pytest.mark.parametrize("algorithm", CLUSTER_ALGORITHMS)
@pytest.mark.parametrize("is_improved", [True, False])
def test_pieces_change_no_number(algorithm, is_improved):
    system = build("square_antiferromagnet")
    sampler = make_sampler(system, algorithm, {"improved": is_improved, "correlation": True})
    rows, kept = np.empty((2, 40, sampler.n_columns)), np.empty((2, 40, 16), np.int8)
    for r, cuts in enumerate(([0, 40], [0, 1, 17, 18, 40])):
        state = sampler.start(0, np.random.SeedSequence(9))
        for first in range(0, 30, 30 if r == 0 else 6):
            sampler.warm_up(state, first, 30 if r == 0 else 6, 30)
        tuned = sampler.freeze([state])
        for first, last in itertools.pairwise(cuts):
            sampler.advance(state, tuned, 2, rows[r, first:last], kept[r, first:last])
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(kept[0], kept[1])


def test_dataset_tells_what_is_improved():
    samples = run(build("square"), "swendsen_wang", 2, 20, seed=1, options={"correlation": True})
    names = ["magnetization_2", "magnetization_4", "correlator_zero", "correlator_min", "correlation"]
    assert json.loads(samples.attrs["settings"])["improved"] == names
    definitions = json.loads(samples.attrs["definitions"])
    assert all("improved estimator" in definitions[name] for name in names)
    assert samples["correlation"].dims == ("chain", "draw", "distance")
    assert samples["correlation"].shape == (2, 20, 3)
    in_field = make_sampler(build("square_field"), "swendsen_wang", {"improved": True})
    assert in_field.improved_columns == ()
    assert make_sampler(build("square"), "wolff").improved_columns == ()
    half_open = make_sampler(build("square_half_open"), "wolff", {"improved": True})
    assert half_open.improved_columns == ("magnetization_2", "correlator_zero")


def test_refusals_say_why():
    frustrated = Ising(lattices.build("triangular", (3, 3)), 2.0, -1.0)
    with pytest.raises(NotExactError, match=r"swendsen_wang needs coupling >= 0 on a triangular lattice"):
        make_sampler(frustrated, "swendsen_wang")
    with pytest.raises(NotExactError, match=r"wolff needs field = 0 .*'metropolis' or 'swendsen_wang'"):
        make_sampler(build("square_field"), "wolff")
    with pytest.raises(TypeError, match=r"improved must be True or False, got 2"):
        make_sampler(build("square"), "swendsen_wang", {"improved": 2})
    with pytest.raises(ValueError, match=r"correlation must be False on a lattice with an open axis"):
        make_sampler(build("square_half_open"), "wolff", {"correlation": True})
