# SPDX-License-Identifier: MIT
"""A pair law of one's own: the systems that ship made again from their laws, refusals, starts, kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.stats import assert_z
from numba import njit

import edgphys as ep
from edgphys.errors import NotExactError


def lennard_jones(d2):
    return d2**-6 - 2 * d2**-3


def double_well(d2):
    u = d2.sqrt() - 4.0
    return -4.0 * u**2 + 0.9 * u**4


def spring(d2):
    return d2


def hard_discs(d2):
    return torch.where(d2 < 1.0, torch.inf, 0 * d2)


@njit
def compiled_lennard_jones(d2):
    sixth = d2**-3
    return sixth * (sixth - 2.0), 6.0 * sixth * (1.0 - sixth) / d2


# The system of a law, and the same among those that ship.
PAIRS = {
    "lj13": lambda: (ep.PairPotential(lennard_jones, 13, 3, oscillator=1.0), ep.LennardJones()),
    "lj13_twice": lambda: (
        ep.PairPotential(lennard_jones, 13, 3, 0.7, oscillator=0.5, strength=2.0),
        ep.LennardJones(temperature=0.7, oscillator=0.5, pair_count="twice"),
    ),
    "lj4_soft": lambda: (
        ep.PairPotential(lennard_jones, 4, 2, oscillator=1.0, core=0.9, kernel=compiled_lennard_jones),
        ep.LennardJones(4, 2, core=0.9),
    ),
    "dw4": lambda: (ep.PairPotential(double_well, 4, 2), ep.DoubleWellParticles()),
    "dw3_1d": lambda: (
        ep.PairPotential(double_well, 3, 1, temperature=2.0),
        ep.DoubleWellParticles(3, 1, temperature=2.0),
    ),
}


@pytest.fixture(params=PAIRS)
def pair(request):
    return PAIRS[request.param]()


def points_of(system, n=6, seed=0):
    return np.ascontiguousarray(system.random_configurations(n, np.random.default_rng(seed)))


def test_a_law_that_ships_gives_the_system_that_ships(pair):
    own, known = pair
    assert own.event_shape == known.event_shape and own.symmetries == known.symmetries
    x = points_of(known)
    scale = np.abs(known.energy(x)).max()
    np.testing.assert_allclose(own.energy(x), known.energy(x), rtol=1e-12, atol=1e-12 * scale)
    slope = known.energy_and_gradient(x)[1]
    np.testing.assert_allclose(own.energy_and_gradient(x)[1], slope, atol=1e-11 * np.abs(slope).max())
    measured = own.measure(own.to_configurations(torch.from_numpy(x)).numpy())
    for name, values in known.measure(x).items():
        np.testing.assert_allclose(measured[name], values, rtol=1e-10, atol=1e-12)
    r = np.array([0.5, 0.95, 1.0, 3.0])
    np.testing.assert_allclose(own.pair_energy(r), known.pair_energy(r), rtol=1e-12)
    other = own.replace(strength=1.001 * own.strength)
    assert not np.allclose(other.energy(x), known.energy(x), rtol=1e-6)  # the control


def test_reduced_energy_is_the_sum_of_the_pair_law(pair):
    own, known = pair
    y = torch.from_numpy(points_of(own)).requires_grad_()
    first, second = np.triu_indices(own.n_particles, 1)
    x = own.to_configurations(y)
    total = own.pair_law.reduced((x[:, first] - x[:, second]).square().sum(2)).sum(1)
    energy = own.reduced_energy(y)
    torch.testing.assert_close(total, energy, rtol=1e-12, atol=1e-12 * float(energy.detach().abs().max()))
    (slope,) = torch.autograd.grad(total.sum(), y)
    torch.testing.assert_close(slope, own.gradient(y), rtol=1e-10, atol=1e-11 * float(slope.abs().max()))
    d2 = torch.linspace(0.5, 9.0, 12, dtype=torch.float64).reshape(3, 1, 4)
    torch.testing.assert_close(own.pair_law.reduced(d2), known.pair_law.reduced(d2), rtol=1e-11, atol=1e-12)
    assert own.pair_law.reduced(d2.float()).dtype == torch.float32


@pytest.mark.slow
def test_exact_values_are_those_of_the_system_that_ships():
    own, known = PAIRS["dw4"]()
    assert own.exact_results() == pytest.approx(known.exact_results(), rel=1e-10)
    step = ep.PairPotential(lambda d2: 0 * d2 + (d2 > 1.3), 3, 2, oscillator=1.0)
    assert step.exact == () and step.exact_results() == {}  # no grid resolves an edge to 1e-9


def test_exact_values_of_springs():
    for n_particles, n_axes in ((2, 1), (2, 2), (2, 3), (3, 2)):
        springs = ep.PairPotential(spring, n_particles, n_axes, temperature=0.7, oscillator=0.3)
        d = n_axes * (n_particles - 1)  # E = (n + 0.15) |y|^2
        exact = springs.exact_results()
        expected = 0.5 * d * math.log(math.pi * 0.7 / (n_particles + 0.15))
        assert exact["log_z"] == pytest.approx(expected, abs=1e-9)
        assert exact["energy"] == pytest.approx(0.35 * d, abs=1e-8)
    assert PAIRS["lj13"]()[0].exact == ()


def test_starts_and_easy_parameters_of_a_law_with_a_core_and_of_one_without():
    own, known = PAIRS["lj13"]()
    assert own.width == pytest.approx(known.width, rel=0.03)
    assert own.easy_parameters == pytest.approx({"strength": 0.2, "core": 0.9}, rel=0.02)
    assert own.measure(points_of(own, 20))["shortest_distance"].min() > 0.85
    own, known = PAIRS["dw4"]()
    assert own.easy_parameters == pytest.approx(
        {"strength": 1 / 16}, rel=0.02
    )  # T = 16 of the one that ships
    assert own.width == pytest.approx(known.width, rel=0.2)
    easy = own.replace(**own.easy_parameters)
    assert easy.replace(strength=1.0).identity() == own.identity() and easy.name == own.name


@pytest.mark.slow  # compiles two kernels
@pytest.mark.parametrize("kernel", [None, compiled_lennard_jones], ids=["traced", "given"])
def test_kernel_is_the_torch_energy_also_where_particles_meet(kernel):
    system = ep.PairPotential(lennard_jones, 5, 3, oscillator=0.4, strength=1.5, kernel=kernel)
    for soft in (system, system.replace(core=0.95)):
        for point in points_of(soft):
            out = np.full(soft.n_variables, np.nan)
            value = soft.kernel(point, out, soft.kernel_parameters)
            energy, gradient = soft.energy_and_gradient(point[None])
            assert value == pytest.approx(energy[0], rel=1e-11)
            np.testing.assert_allclose(out, gradient[0], atol=1e-10 * np.abs(gradient).max())
        at_one = np.zeros((1, soft.n_variables))
        value = soft.kernel(at_one[0].copy(), out, soft.kernel_parameters)
        assert value == pytest.approx(soft.energy(at_one)[0]) and not np.isnan(out).any()
    assert value < 1e3 < system.energy(at_one)[0]


@pytest.mark.parametrize(
    "law, options, words",
    [
        (
            lennard_jones,
            {},
            "law must confine, by growing with the distance or by an oscillator, lest the integral",
        ),
        (lambda d2: 0.5 * torch.log(d2), {}, "law must confine.* from 13.82 at r = 1e.06 to 27.63 at 1e.12"),
        (lambda d2: -1 / d2, {"oscillator": 1.0}, "law must not pull all particles into a point"),
        (lambda d2: (9 - d2).sqrt(), {"oscillator": 1.0}, "law must be a number.*, got nan at r = 3.0"),
        (lambda d2: d2 * torch.nan, {}, "got no finite value"),
        (lambda d2: d2.sum(), {}, r"same shape with a gradient, got shape \(\) for"),
        (lambda d2: d2.flatten()[:3], {}, r"got shape \(3,\) for"),
        (lambda d2: 3.0, {}, "got float in place of a tensor"),
        (lambda d2: d2.long(), {}, "got torch.int64"),
        (lambda d2: d2.detach(), {}, "got none .constant, or cut off from d2"),
        (lambda d2: d2 - d2.mean(), {"oscillator": 1.0}, "law must give each pair its own energy"),
        (lambda d2: d2.no_such, {}, "got AttributeError: 'Tensor' object has no attribute 'no_such'"),
        ("d2", {}, "law must be callable, got str"),
        (spring, {"n_particles": 1}, "n_particles must be an integer >= 2, got 1"),
        (spring, {"n_axes": 4}, "n_axes must be an integer from 1 to 3, got 4"),
        (spring, {"n_particles": 10**7}, "n_particles must be smaller: all pairs of 10000000 particles need"),
        (spring, {"oscillator": -1.0}, "oscillator must be finite and not negative, got -1.0"),
        (spring, {"strength": 0.0}, "strength must be positive and finite, got 0.0"),
        (hard_discs, {"oscillator": 1.0, "core": 0.5}, "core must be where the law is finite"),
        (spring, {"width": 0.0}, "width must be positive and finite, got 0.0"),
        (spring, {"name": ""}, "name must be a non-empty text, got ''"),
        (spring, {"kernel": compiled_lennard_jones}, "kernel must agree with law, got u, du/d.d2. = "),
        (spring, {"kernel": spring}, "kernel must be a function compiled by numba.njit, got function"),
    ],
)
def test_what_is_refused(law, options, words):
    counts = {"n_particles": 3, "n_axes": 2}
    with pytest.raises((TypeError, ValueError), match=words) as caught:
        ep.PairPotential(law, **counts | options)
    assert "\n" not in str(caught.value)


def test_what_confines_is_taken():
    """Just beyond what is refused: n/2 times the law must grow faster than D log r."""
    for strength, fits in ((0.66, False), (0.67, True)):
        law = lambda d2, s=strength: s * torch.log(1 + d2)  # noqa: E731
        if fits:
            ep.PairPotential(law, 3, 2)
        else:
            with pytest.raises(ValueError, match="law must confine"):
                ep.PairPotential(law, 3, 2)
    wall = ep.PairPotential(hard_discs, 3, 2, oscillator=1.0)
    assert wall.energy(np.zeros((1, 4)))[0] == np.inf and np.isfinite(wall.energy(points_of(wall))).all()
    natural = PAIRS["lj13"]()[0]  # inf - inf where particles touch
    assert natural.energy(np.zeros((1, 36)))[0] > 1e100


def test_replace_takes_parameters_only():
    system = ep.PairPotential(spring, 3, 2)
    with pytest.raises(TypeError, match=r"a pair potential has n_particles, .*, core to change, got law"):
        system.replace(law=spring)
    assert system.replace(n_particles=5, temperature=3.0).n_variables == 8
    one, two = (ep.PairPotential(lambda d2, a=a: a * d2, 3, 2).identity() for a in (1.0, 1.0 + 1e-8))
    assert one != two


def unequal(d2):
    return torch.add(d2, d2, alpha=0.5)  # which is not compiled


def test_the_line_about_ladders():
    system = ep.PairPotential(unequal, 3, 2)
    assert system.kernel is None
    words = r"whose law does not compile \(add with alpha\); give kernel="
    for call in (
        ep.free_energy,
        lambda one, seed: ep.mcmc.temper(one, {"temperature": [1.0, 2.0]}, seed=seed),
    ):
        with pytest.raises(NotExactError, match=words):
            call(system, seed=0)


@pytest.mark.parametrize("law", [spring, unequal], ids=["compiled", "torch"])
@pytest.mark.slow
def test_all_chains_have_the_mean_energy_of_quadrature(law):
    system = ep.PairPotential(law, 3, 2, temperature=0.7)
    exact = system.exact_results()["energy"]
    for algorithm in ("random_walk", "mala", "hmc"):
        chains = ep.mcmc.run(system, algorithm, n_chains=8, n_sweeps=1000, seed=1)
        table = ep.estimate(chains)
        assert_z(float(table["energy"]), float(table["energy_err"]), exact, n_tests=6, max_err=0.1)
    assert abs(exact - system.replace(temperature=0.9).exact_results()["energy"]) > 0.2  # the control


@pytest.mark.slow
def test_every_way_to_log_z_is_that_of_quadrature():
    system = ep.PairPotential(double_well, 3, 2, temperature=4.0)
    exact = system.exact_results()
    tables = [ep.free_energy(system, way, seed=2, n_sweeps=1000) for way in ("mbar", "ti")]
    tables.append(ep.estimate(ep.EDG(system).fit(seed=0, n_steps=60).sample(1000, seed=1, n_anneal=20)))
    for table in tables:
        assert_z(float(table["log_z"]), float(table["log_z_err"]), exact["log_z"], n_tests=3, max_err=0.2)
    rungs = ep.mcmc.temper(system, {"temperature": [4.0, 6.0]}, seed=3, n_chains=4, n_sweeps=1000)
    cold = ep.estimate(ep.mcmc.rung(rungs, temperature=4.0))
    assert_z(float(cold["energy"]), float(cold["energy_err"]), exact["energy"], max_err=0.5)
