# SPDX-License-Identifier: MIT
"""Chains of rotors: kernels against the system, exact averages, wrong rules that are caught, refusals."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import scipy.special
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys.errors import NotExactError, UnknownNameError
from edgphys.mcmc import run
from edgphys.mcmc.algorithms import algorithms_for, best_algorithm, make_sampler
from edgphys.mcmc.core.action_terms import make_action_terms
from edgphys.mcmc.rotors.overrelaxation import reflect_sweep
from edgphys.systems import XY, Heisenberg

TORUS = lattices.build("square", (3, 4))
RING = lattices.build("chain", (5,))


@functools.cache
def case(name):
    return {
        "xy_torus": lambda: XY(TORUS, 1.1, {"x": 1.0, "y": -0.6}),
        "xy_field": lambda: XY(RING, 0.9, 1.0, -0.4),
        "xy_frustrated": lambda: XY(RING, 0.9, -1.0),
        "xy_open": lambda: XY(lattices.build("chain", (5,), False), 0.9, [1.0, -0.7, 0.4, 1.5]),
        "heisenberg_field": lambda: Heisenberg(RING, 0.7, 1.0, 0.5),
        "heisenberg_frustrated": lambda: Heisenberg(RING, 0.7, -1.0),
        "heisenberg_open": lambda: Heisenberg(
            lattices.build("chain", (5,), False), 0.7, [1.0, -0.7, 0.4, 1.5]
        ),
    }[name]()


CASES = [
    *(("xy_torus", one) for one in ("heat_bath", "overrelaxation", "wolff")),
    *(("xy_field", one) for one in ("heat_bath", "overrelaxation")),
    *(("xy_frustrated", one) for one in ("heat_bath", "overrelaxation")),
    ("xy_open", "wolff"),
    *(("heisenberg_field", one) for one in ("heat_bath", "overrelaxation")),
    *(("heisenberg_frustrated", one) for one in ("heat_bath", "overrelaxation")),
    ("heisenberg_open", "wolff"),
]
COMPARED = ("energy", "specific_heat", "magnetization", "helicity_modulus")


def compared(system, draws):
    """Estimate, error and exact value of what is known and fluctuates."""
    table, exact = ep.estimate(draws), system.exact_results()
    constant = {"magnetization"} if "z2" in system.symmetries else set()
    for name in COMPARED:
        if name in exact and name not in constant:
            yield float(table[name]), float(table[f"{name}_err"]), exact[name]


@pytest.mark.statistical
@pytest.mark.parametrize(("name", "algorithm"), CASES)
def test_averages_are_exact(name, algorithm):
    system = case(name)
    draws = run(system, algorithm, 4, 6000, seed=11)
    for triple in compared(system, draws):
        assert_z(*triple, n_tests=3 * len(CASES), max_err=0.05)


@pytest.mark.statistical
@pytest.mark.parametrize("algorithm", ["heat_bath", "overrelaxation", "wolff"])
def test_a_wrong_rule_is_caught(algorithm, monkeypatch):
    """Control: bonds that are followed, or felt, a tenth too little."""
    system, wrong = case("xy_torus"), case("xy_torus").replace(temperature=1.2)
    make = type(make_sampler(system, algorithm))
    tables = make_sampler(wrong, algorithm)._tables
    monkeypatch.setattr(make, "_tables", tables)
    draws = run(system, algorithm, 4, 6000, seed=11)
    energy = next(compared(system, draws))
    assert_off(*energy, least=8.0, max_err=0.05)


@pytest.mark.parametrize(
    "system",
    [
        XY(lattices.build("square", (4, 4)), 1.0, -1.0),
        XY(lattices.build("square", (3, 4), (True, False)), 1.0, {"x": 1.0, "y": -0.5}, 0.3),
        XY(lattices.build("triangular", (3, 4)), 1.0),
        Heisenberg(lattices.build("honeycomb", (3, 3)), 1.0, -1.0),
        Heisenberg(lattices.build("cubic", (3, 3, 3)), 1.0, 1.0, 0.3),
    ],
    ids=repr,
)
def test_kernels_measure_what_the_system_measures(system):
    draws = run(system, "heat_bath", 2, 4, seed=1, keep=True)
    configurations = draws["configurations"].values.reshape(-1, *system.event_shape)
    measured = system.measure(configurations)
    assert set(measured) == set(draws.data_vars) - {"configurations"}
    for name, values in measured.items():
        np.testing.assert_allclose(draws[name].values.ravel(), values, rtol=1e-9, atol=1e-12, err_msg=name)
    terms = make_action_terms(system)(configurations.reshape(len(configurations), -1))
    np.testing.assert_allclose(terms, system.action_terms(configurations), rtol=1e-12, atol=1e-12)
    assert (system.n_components == 3) or (configurations.min() >= -np.pi and configurations.max() < np.pi)
    sampler = make_sampler(system, "heat_bath")
    state = sampler.start(0, np.random.SeedSequence(3))
    sampler.place(state, configurations[0].ravel())
    np.testing.assert_allclose(sampler.unpack(state), configurations[0].ravel(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["xy_field", "xy_torus", "heisenberg_field", "heisenberg_frustrated"])
def test_reflections_keep_the_energy_and_are_their_own_inverse(name):
    system = case(name)
    sampler = make_sampler(system, "overrelaxation")
    state = sampler.start(0, np.random.SeedSequence(5))
    before, start = system.energy(sampler.unpack(state)[None]), state.configuration.copy()
    reflect_sweep(state.configuration, state.counts, sampler._tables)
    assert np.abs(state.configuration - start).max() > 0.1
    assert system.energy(sampler.unpack(state)[None]) == pytest.approx(before, abs=1e-12)
    # Control: fields of other couplings keep another energy.
    other = system.replace(field=0.7)
    assert other.energy(sampler.unpack(state)[None]) != pytest.approx(
        other.energy(start_of(sampler, start)), abs=1e-3
    )
    # One site twice is where it was.
    one = XY(lattices.build("chain", (2,), False), 1.0)
    pair = make_sampler(one, "overrelaxation")
    state = pair.start(0, np.random.SeedSequence(6))
    tables = pair._tables
    first = state.configuration.copy()
    fixed = (tables[0], tables[1] * np.array([[1.0], [0.0]]), *tables[2:])
    for _ in range(2):
        reflect_sweep(state.configuration, state.counts, fixed)
    np.testing.assert_allclose(state.configuration, first, atol=1e-14)


def start_of(sampler, configuration):
    state = sampler.start(0, np.random.SeedSequence(5))
    state.configuration = configuration
    return sampler.unpack(state)[None]


@pytest.mark.statistical
@pytest.mark.parametrize("kind", [XY, Heisenberg])
def test_draws_around_a_field_have_their_mean(kind):
    """One sweep over free spins: 1 - <cos f> in weak and strong fields; a field off by 5 per cent is seen."""
    strengths, n = np.array([0.0, 0.1, 0.4, 3.0, 1e5]), 20_000
    system = kind(lattices.build("chain", (5 * n,), False), 1.0, 0.0, np.repeat(-strengths, n))
    sampler = make_sampler(system, "heat_bath")
    state = sampler.start(0, np.random.SeedSequence(7))
    sampler.warm_up(state, 0, 1, 1)
    along = state.configuration[np.argsort(sampler.layout.order), system.field_axis]
    values = 1.0 + along.reshape(5, n)  # the fields point down
    means = 1.0 - np.array([of_field(kind, k) for k in strengths])
    for k, row, mean in zip(strengths, values, means, strict=True):
        assert_z(row.mean(), row.std() / n**0.5, mean, n_tests=10, max_err=0.02 * max(mean, 0.5))
        if k == 3.0:
            assert_off(row.mean(), row.std() / n**0.5, 1.0 - of_field(kind, 3.15), least=4.0, max_err=0.02)


def of_field(kind, k):
    """<cos f>."""
    if kind is XY:
        return scipy.special.ive(1, k) / scipy.special.ive(0, k)
    return 1.0 / np.tanh(k) - 1.0 / k if k > 0.0 else 0.0


@pytest.mark.parametrize("algorithm", ["overrelaxation", "wolff"])
def test_pieces_change_no_number(algorithm):
    sampler = make_sampler(case("xy_torus"), algorithm)
    whole, pieces = (sampler.start(0, np.random.SeedSequence(9)) for _ in range(2))
    tuned = {"clusters_per_sweep": 3.0}
    rows, again, none = np.empty((6, sampler.n_columns)), np.empty((6, sampler.n_columns)), np.empty((0, 12))
    sampler.advance(whole, tuned, 2, rows, none)
    for first in (0, 2, 5):
        part = again[first : {0: 2, 2: 5, 5: 6}[first]]
        sampler.advance(pieces, tuned, 2, part, none)
    np.testing.assert_array_equal(rows, again)


def test_which_algorithms_serve():
    free = XY(TORUS, 1.0)
    assert algorithms_for(free) == ("heat_bath", "overrelaxation", "wolff")
    assert (
        best_algorithm(free) == "wolff" and best_algorithm(free, free.replace(field=0.1)) == "overrelaxation"
    )
    with pytest.raises(NotExactError, match="wolff needs field = 0"):
        run(free.replace(field=0.1), "wolff", 1, 10, seed=0)
    with pytest.raises(NotExactError, match="wolff needs couplings without frustration"):
        run(Heisenberg(RING, 1.0, -1.0), "wolff", 1, 10, seed=0)
    with pytest.raises(UnknownNameError, match="options of 'overrelaxation' must be among: n_over"):
        run(free, "overrelaxation", 1, 10, seed=0, options={"over": 1})
    with pytest.raises(ValueError, match="n_over must be an integer >= 1, got 0"):
        run(free, "overrelaxation", 1, 10, seed=0, options={"n_over": 0})


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("method", ["mbar", "ti"])
def test_ladders_from_free_spins_give_log_z(method):
    for system in (XY(TORUS, 0.9), case("xy_open"), Heisenberg(RING, 0.5, -1.0)):
        table = ep.free_energy(system, method=method, seed=3, n_sweeps=4000)
        exact = system.exact_results()["log_z"]
        assert_z(float(table["log_z"]), float(table["log_z_err"]), exact, n_tests=6, max_err=0.05)


@pytest.mark.slow
@pytest.mark.statistical
def test_tempering_crosses_a_change_of_the_sign_of_j():
    """Rungs with and without a staggered order, which the exact chain knows at both ends."""
    system = XY(lattices.build("chain", (6,)), 0.8)
    ladder = ep.mcmc.temper(system, {"coupling": [-1.0, -0.3, 0.0, 1.0]}, seed=5, n_sweeps=4000)
    for index, coupling in ((0, -1.0), (3, 1.0)):
        one = system.replace(coupling=coupling)
        for triple in compared(one, ep.mcmc.rung(ladder, index)):
            assert_z(*triple, n_tests=6, max_err=0.05)


@pytest.mark.slow
@pytest.mark.statistical
def test_algorithms_agree_on_a_lattice_that_nobody_solves():
    """Energy, stiffness, order and vortices of 8 x 8 spins by three algorithms, for both models."""
    for kind, names in ((XY, ("vorticity",)), (Heisenberg, ())):
        system = kind(lattices.build("square", (8, 8)), 0.9)
        tables = [ep.estimate(run(system, one, 4, 8000, seed=2)) for one in algorithms_for(system)]
        for name in ("energy", "helicity_modulus", "abs_magnetization", "binder_cumulant", *names):
            for other in tables[1:]:
                err = float(np.hypot(tables[0][f"{name}_err"], other[f"{name}_err"]))
                assert_z(float(other[name]), err, float(tables[0][name]), n_tests=18, max_err=0.3)
