# SPDX-License-Identifier: MIT
"""Finitely many states: energies and order against loops and Ising, symmetries, the continuous form."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import torch

import lattices
from edgphys.errors import EdgphysError
from edgphys.systems import Clock, Ising, LatticePotential, Potts, build

SQUARE = lattices.build("square", (3, 4))


def all_states(n_sites, q):
    return np.array(list(itertools.product(range(q), repeat=n_sites)), dtype=np.float64)


def blume_capel(lattice, **given):
    return LatticePotential(
        lattice,
        site=lambda s, splitting: splitting * s**2,
        bond=lambda a, b, coupling: -coupling * a * b,
        states=(-1, 0, 1),
        **{"temperature": 0.8, "splitting": 1.5, "coupling": 1.0, **given},
    )


SYSTEMS = {
    "potts": lambda: Potts(SQUARE, 0.9, 3),
    "potts-field": lambda: Potts(lattices.build("triangular", (3, 3)), 1.2, 4, -0.7, 0.3),
    "potts-kinds": lambda: Potts(SQUARE, 0.9, 3, {"x": 1.0, "y": -0.5}, np.linspace(-1, 1, 12), 0.8),
    "potts-bonds": lambda: Potts(SQUARE, 0.9, 3, lattices.random_bonds(SQUARE, "gaussian", seed=3)),
    "clock": lambda: Clock(lattices.build("honeycomb", (2, 3), False), 0.9, 6),
    "clock-field": lambda: Clock(SQUARE, 0.9, 5, 0.7, 0.3),
    "blume-capel": lambda: blume_capel(SQUARE),
}


@pytest.fixture(params=SYSTEMS, scope="module")
def system(request):
    return SYSTEMS[request.param]()


def draws(system, n=7, seed=0):
    return np.random.default_rng(seed).integers(system.n_states, size=(n, system.n_sites)).astype(float)


def bond_energy(system, a, b):
    """From the formulae of the modules, in plain Python."""
    if system.name == "potts":
        return -float(a == b)
    if system.name == "clock":
        return -math.cos(2 * math.pi * (a - b) / system.n_states)
    return -(a - 1) * (b - 1)


def site_energy(system, a):
    if system.name == "potts":
        return -float(a == 0)
    if system.name == "clock":
        return -math.cos(2 * math.pi * a / system.n_states)
    return 1.5 * (a - 1) ** 2


def test_energy_is_the_sum_over_bonds_and_sites(system):
    lattice, s = system.lattice, draws(system)
    fields = np.broadcast_to(np.array(system.parameters.get("field", 1.0)), lattice.n_sites)
    expected = [
        sum(
            J * bond_energy(system, row[i], row[j])
            for J, (i, j) in zip(system.bond_couplings, lattice.bonds, strict=True)
        )
        + sum(h * site_energy(system, a) for h, a in zip(fields, row, strict=True))
        for row in s
    ]
    np.testing.assert_allclose(system.energy(s), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(system.energy(s.astype(np.int8)), expected, rtol=1e-12, atol=1e-12)
    shaped = torch.from_numpy(s).float().reshape(-1, *system.event_shape)
    np.testing.assert_allclose(system.energy(shaped).numpy(), expected, rtol=1e-5, atol=1e-5)
    # The tables that are public give the same.
    weights = 1.0 if system.pair_weights is None else system.pair_weights
    k = s.astype(int)
    of_bonds = system.bond_table[k[:, lattice.bonds[:, 0]], k[:, lattice.bonds[:, 1]]] * weights
    site_table = np.broadcast_to(system.site_table, (lattice.n_sites, system.n_states))
    of_sites = site_table[np.arange(lattice.n_sites), k]
    np.testing.assert_allclose(of_bonds.sum(1) + of_sites.sum(1), expected, rtol=1e-12, atol=1e-12)
    by_terms = system.action_terms(s) @ system.action_coefficients
    np.testing.assert_allclose(by_terms, system.beta * np.array(expected), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [Potts, Clock])
@pytest.mark.parametrize("coupling", [1.3, -1.3, {"x": 1.0, "y": -0.5}])
def test_two_states_are_an_ising_model(make, coupling):
    q2 = make(SQUARE, 2.0, 2, coupling, 0.4)
    half = 2.0 if make is Potts else 1.0
    of_ising = (
        {kind: J / half for kind, J in coupling.items()} if isinstance(coupling, dict) else coupling / half
    )
    ising = Ising(SQUARE, 2.0, of_ising, 0.4 / half)
    s = draws(q2)
    measured, expected = q2.measure(s), ising.measure(1 - 2 * s)
    shift = -0.5 * (q2.bond_couplings.sum() + 0.4 * 12) if make is Potts else 0.0
    expected["energy"] = expected["energy"] + shift
    order = measured.pop("order_parameter", expected["abs_magnetization"])
    np.testing.assert_allclose(order, expected["abs_magnetization"], rtol=1e-13)
    assert measured.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(measured[name], values, rtol=1e-12, atol=1e-12, err_msg=name)


def test_four_hours_of_a_clock_are_two_ising_models():
    clock = Clock(SQUARE, 1.0, 4, 0.9)
    ising = Ising(SQUARE, 1.0, 0.45)
    s = draws(clock)
    # The corners of a square, turned by 45 degrees: (s1 + s2)/2, (s1 - s2)/2.
    first, second = np.array([1, 1, -1, -1])[s.astype(int)], np.array([1, -1, -1, 1])[s.astype(int)]
    both = ising.energy(first.astype(float)) + ising.energy(second.astype(float))
    np.testing.assert_allclose(clock.energy(s), both, rtol=1e-12, atol=1e-12)
    three = Clock(SQUARE, 1.0, 3, 1.0), Potts(SQUARE, 1.0, 3, 1.5)
    s = draws(three[0])
    np.testing.assert_allclose(three[0].energy(s), three[1].energy(s) + 0.5 * SQUARE.n_bonds, atol=1e-12)


def test_order_is_that_of_the_shares_of_the_states():
    system = Potts(SQUARE, 1.0, 4)
    s = draws(system)
    shares = np.stack([(s == k).mean(1) for k in range(4)])
    measured = system.measure(s)
    np.testing.assert_allclose(measured["order_parameter"], (4 * shares.max(0) - 1) / 3)
    np.testing.assert_allclose(measured["magnetization"], (4 * shares[0] - 1) / 3, atol=1e-14)
    np.testing.assert_allclose(measured["magnetization_2"], (4 * (shares**2).sum(0) - 1) / 3)
    np.testing.assert_allclose(measured["magnetization_4"], measured["magnetization_2"] ** 2)
    np.testing.assert_allclose(measured["correlator_zero"], 12 * measured["magnetization_2"])
    ordered = system.measure(np.full((1, 12), 2.0))
    for name in ("abs_magnetization", "order_parameter", "magnetization_4"):
        assert ordered[name][0] == pytest.approx(1.0)


def test_measured_values_are_those_of_the_user():
    system = blume_capel(SQUARE)
    s = draws(system)
    np.testing.assert_allclose(system.measure(s)["magnetization"], (s - 1).mean(1))
    np.testing.assert_array_equal(system.from_values(system.values[s.astype(int)]), s)
    with pytest.raises(EdgphysError, match=r"values must be among -1, 0, 1, got 0.5"):
        system.from_values([0.5])


def test_declared_symmetries_of_the_states_hold(system):
    x = torch.from_numpy(draws(system, 40))
    before = system.energy(x)
    generator = torch.Generator().manual_seed(1)
    moved = system.random_symmetry(x, generator)
    assert moved.dtype == x.dtype and torch.equal(moved, x) == (not system.symmetries)
    torch.testing.assert_close(system.energy(moved), before, rtol=1e-11, atol=1e-11)
    if "z2" in system.symmetries:
        reversed_ = system.n_states - 1 - x
        torch.testing.assert_close(system.energy(reversed_), before, rtol=1e-11, atol=1e-11)
    assert system.attrs()["z2_symmetric"] == int("z2" in system.symmetries)


def test_symmetries_are_those_of_the_tables():
    def of_states(one):
        return {"permutation", "dihedral", "z2"} & set(one.symmetries)

    assert of_states(Potts(SQUARE, 1.0, 5)) == {"permutation", "z2"}
    assert of_states(Clock(SQUARE, 1.0, 5)) == {"dihedral", "z2"}
    assert of_states(Potts(SQUARE, 1.0, 3, field=0.1)) == of_states(Clock(SQUARE, 1.0, 5, field=0.1)) == set()
    assert of_states(blume_capel(SQUARE)) == {"z2"}
    assert "translation" not in SYSTEMS["potts-bonds"]().symmetries
    assert "translation" in Potts(SQUARE, 1.0, coupling={"x": 1.0, "y": 2.0}).symmetries


@pytest.mark.parametrize("name", ["potts-kinds", "clock-field", "blume-capel"])
def test_the_continuous_form_integrates_to_z(name):
    lattice = lattices.build("chain", (3,), allow_double_bonds=True)
    system = {
        "potts-kinds": lambda: Potts(lattice, 0.9, 3, -0.8, 0.3),
        "clock-field": lambda: Clock(lattice, 0.9, 4, 0.7, 0.3),
        "blume-capel": lambda: blume_capel(lattice),
    }[name]()
    states = all_states(3, system.n_states)
    x = system.from_configurations(torch.from_numpy(states), torch.Generator().manual_seed(0))
    assert torch.equal(system.to_configurations(x), torch.from_numpy(states))
    # exp(-U) over the normal density is q^N exp(-beta E), the same wherever x is within its state.
    log_normal = -0.5 * (x**2).sum(1) - 1.5 * math.log(2 * math.pi)
    log_z = torch.logsumexp(-system.reduced_energy(x) - log_normal, 0) - 3 * math.log(system.n_states)
    assert float(log_z) == pytest.approx(np.logaddexp.reduce(-system.beta * system.energy(states)), abs=1e-10)
    torch.testing.assert_close(system.gradient(x), x)
    single = system.from_configurations(torch.from_numpy(states).float(), torch.Generator().manual_seed(1))
    assert torch.equal(system.to_configurations(single), torch.from_numpy(states).float())


def test_the_reference_has_the_log_z_that_it_says(system):
    path = system.reference()
    free = system.replace(**{path.coupling: path.first})
    lattice = free.lattice
    by_site = np.broadcast_to(free.site_table, (lattice.n_sites, free.n_states))
    assert path.log_z == pytest.approx(np.log(np.exp(-free.beta * by_site).sum(1)).sum(), rel=1e-12)
    assert (
        not free.bond_table.any()
        and system.replace(**{path.coupling: path.last}).parameters == system.parameters
    )
    drawn = path.draw(4000, np.random.default_rng(0))
    p = np.exp(-free.beta * by_site[0])
    p /= p.sum()
    shares = np.array([(drawn[:, 0] == k).mean() for k in range(free.n_states)])
    assert np.all(np.abs(shares - p) < 5 * np.sqrt(p / 4000))


def test_systems_are_built_by_name_and_say_what_they_are():
    system = build("potts", SQUARE, temperature=1.0, q=3.0)
    assert system.parameters == {"temperature": 1.0, "q": 3, "coupling": 1.0, "field": 0.0}
    assert repr(system) == "Potts(square 3x4, temperature=1, q=3, coupling=1, field=0)"
    again = build("clock", SQUARE, **json.loads(Clock(SQUARE, 1.0, 6).attrs()["parameters"]))
    assert again.identity() == Clock(SQUARE, 1.0, 6).identity()
    changed = blume_capel(SQUARE).replace(splitting=0.5)
    assert changed.parameters["splitting"] == 0.5 and changed.identity() != blume_capel(SQUARE).identity()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Potts(SQUARE, 1.0, 1), r"q must be an integer from 2 to 126, got 1"),
        (lambda: Potts(SQUARE, 1.0, 2.5), r"q must be .*, got 2.5"),
        (lambda: Clock(SQUARE, 1.0, 127), r"q must be .*, got 127"),
        (lambda: Potts(SQUARE, 1.0, 3, math.nan), r"coupling must be finite, got nan"),
        (lambda: Potts(SQUARE, 1.0, 3, {"third": 1.0}), r"coupling must be numbers for kinds .*'third'"),
        (lambda: Potts(SQUARE, 1.0, 3, [1.0, 2.0]), r"coupling must be .* array of 24 .*, got shape \(2,\)"),
        (lambda: Clock(SQUARE, 1.0, 3, field=[1.0]), r"field must be .* array of 12 .*, got shape \(1,\)"),
        (lambda: Clock(SQUARE, -1.0, 3), r"temperature must be positive.*, got -1"),
        (lambda: Potts(SQUARE, 1.0, 3, 1.0, 0.0, 2.0), r"strength must be 1 where coupling is one number"),
        (lambda: Potts(SQUARE, 1.0).energy(np.full((1, 12), 3.0)), r"configurations .* from 0 to 2, got 3"),
        (lambda: Potts(SQUARE, 1.0).energy(np.full((1, 12), -1.0)), r"configurations .* from 0 to 2, got -1"),
        (lambda: LatticePotential(SQUARE, bond=min), r"field must be one of .*, got neither"),
        (lambda: LatticePotential(SQUARE, states=2, field="spin"), r"field must be one of .*, got both"),
        (lambda: LatticePotential(SQUARE, field="quark"), r"field must be one of .*, got 'quark'"),
        (lambda: LatticePotential(SQUARE, states=(1, 1)), r"states must be a number of states from 2 to 126"),
        (lambda: LatticePotential(SQUARE, states=1), r"states must be an integer from 2 to 126, got 1"),
        (
            lambda: LatticePotential(SQUARE, bond=lambda a, b: a, states=2),
            r"bond must be symmetric, got bond\(0",
        ),
        (
            lambda: LatticePotential(SQUARE, site=lambda a: math.nan, states=2),
            r"site must give a finite number",
        ),
        (lambda: LatticePotential(SQUARE, site=lambda a: a.q, states=2), r"site must give .*AttributeError"),
        (lambda: LatticePotential(SQUARE, site=1.0, states=2), r"site must be a function, got float"),
        (
            lambda: LatticePotential(SQUARE, site=abs, states=2, D=1.0),
            r"D must be an argument of site or bond",
        ),
        (lambda: blume_capel(SQUARE, splitting=math.inf), r"splitting must be finite, got inf"),
        (lambda: blume_capel(SQUARE).replace(q=3), r"this lattice potential has .* to change, got q"),
    ],
)
def test_bad_input_is_one_line(make, message):
    with pytest.raises(EdgphysError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
