# SPDX-License-Identifier: MIT
"""phi^4: action against explicit sums in all conventions, gradient, identities, free field, quadrature."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from helpers.stats import assert_z
from hypothesis import given
from hypothesis import strategies as st

import lattices
from edgphys.systems import LatticeOperator, Phi4

CASES = [
    ("chain", (6,), True),
    ("chain", (5,), False),
    ("square", (3, 4), True),
    ("square", (4, 3), (True, False)),
    ("square", (3, 4), False),
    ("cubic", (3, 4, 3), True),
    ("cubic", (2, 3, 4), (False, False, True)),
    ("hypercubic", (3, 3, 4, 3), True),
]


def fields(system, n_batch=5, seed=0):
    return torch.randn(
        n_batch, *system.event_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )


def explicit_action(lattice, phi, hop, quadratic, quartic):
    phi = phi.reshape(len(phi), -1)
    local = (quadratic * phi**2 + quartic * phi**4).sum(1)
    return local - 2.0 * hop * sum(phi[:, i] * phi[:, j] for i, j in lattice.bonds)


@pytest.mark.parametrize(("name", "extent", "pbc"), CASES)
@pytest.mark.parametrize(("kappa", "lam"), [(0.25, 0.022), (-0.3, 0.5), (0.0, 1.5)])
def test_action_equals_explicit_bond_sum(name, extent, pbc, kappa, lam):
    lattice = lattices.build(name, extent, pbc)
    system = Phi4(lattice, kappa, lam)
    phi = fields(system)
    expected = explicit_action(lattice, phi.numpy(), kappa, 1.0 - 2.0 * lam, lam)
    np.testing.assert_allclose(system.reduced_energy(phi).numpy(), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(system.energy(phi.flatten(1).numpy()), expected, rtol=1e-12, atol=1e-12)


def test_action_check_sees_one_flipped_bond():
    """Negative control."""
    lattice = lattices.build("square", (3, 4))
    system = Phi4(lattice, 0.25, 0.022)
    phi = fields(system)
    i, j = lattice.bonds[3]
    flat = phi.flatten(1)
    wrong = system.reduced_energy(phi) + 4.0 * 0.25 * flat[:, i] * flat[:, j]
    expected = explicit_action(lattice, phi.numpy(), 0.25, 1.0 - 0.044, 0.022)
    assert np.abs(wrong.numpy() - expected).max() > 0.01


@pytest.mark.parametrize(("name", "extent", "pbc"), CASES)
def test_gradient_and_hessian_product_equal_autograd(name, extent, pbc):
    system = Phi4(lattices.build(name, extent, pbc), 0.3, 0.4)
    phi = fields(system).requires_grad_()
    (expected,) = torch.autograd.grad(system.reduced_energy(phi).sum(), phi, create_graph=True)
    torch.testing.assert_close(system.gradient(phi), expected, rtol=1e-12, atol=1e-12)
    probe = fields(system, seed=1)
    (by_energy,) = torch.autograd.grad((expected * probe).sum(), phi)
    (by_gradient,) = torch.autograd.grad((system.gradient(phi) * probe).sum(), phi)
    torch.testing.assert_close(by_gradient, by_energy, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name_extent", [("chain", (5,)), ("square", (3, 4)), ("cubic", (3, 4, 3))])
@pytest.mark.parametrize(
    ("convention", "kinetic", "mass", "quartic"), [("flow", 1, 1, 1), ("standard", 2, 2, 24)]
)
def test_from_mass_equals_the_formula_of_its_convention(name_extent, convention, kinetic, mass, quartic):
    lattice = lattices.build(*name_extent)
    system = Phi4.from_mass(lattice, m2=-1.3, lam=2.7, convention=convention)
    phi = fields(system).numpy()
    axes = tuple(range(1, phi.ndim))
    squares = sum((np.roll(phi, -1, axis) - phi) ** 2 for axis in axes)
    expected = (squares / kinetic - 1.3 / mass * phi**2 + 2.7 / quartic * phi**4).sum(axes)
    np.testing.assert_allclose(system.energy(phi), expected, rtol=1e-12)


def test_conventions_are_related_by_rescaling_the_field():
    """phi = sqrt(2) phi_flow, m2 = m2_flow, lam = 6 lam_flow."""
    lattice = lattices.build("square", (4, 4))
    flow = Phi4.from_mass(lattice, m2=-4.0, lam=8.0, convention="flow")
    standard = Phi4.from_mass(lattice, m2=-4.0, lam=48.0, convention="standard")
    phi = fields(flow)
    torch.testing.assert_close(standard.reduced_energy(math.sqrt(2.0) * phi), flow.reduced_energy(phi))


@pytest.mark.parametrize(
    ("hop", "quadratic", "quartic"), [(0.25, 0.956, 0.022), (1.0, -1.0, 1.0), (-0.4, 0.5, 0.3)]
)
def test_quadrature_gives_the_partition_function_and_schwinger_dyson(hop, quadratic, quartic):
    """Ring of three by the trapezoidal rule, exponentially accurate for these integrands."""
    system = Phi4(lattices.build("chain", (3,)), hop=hop, quadratic=quadratic, quartic=quartic)
    nodes = np.linspace(-6.0, 6.0, 81)
    phi = torch.from_numpy(np.stack(np.meshgrid(nodes, nodes, nodes, indexing="ij"), -1).reshape(-1, 3))
    weight = np.exp(-system.reduced_energy(phi).numpy()) * (nodes[1] - nodes[0]) ** 3
    exact = system.exact_results()
    assert math.log(weight.sum()) == pytest.approx(exact["log_z"], abs=1e-9)
    mean = {key: (weight * value).sum() / weight.sum() for key, value in system.measure(phi).items()}
    assert mean["energy"] == pytest.approx(exact["energy"], abs=1e-8)
    assert mean["phi2"] == pytest.approx(exact["phi2"], abs=1e-9)
    assert mean["correlator_zero"] == pytest.approx(exact["susceptibility"], abs=1e-8)
    virial = (phi * system.gradient(phi)).sum(1).numpy()
    assert (weight * virial).sum() / weight.sum() == pytest.approx(3.0, abs=1e-8)
    wrong = (phi * system.replace(hop=-hop).gradient(phi)).sum(1).numpy()  # negative control
    assert abs((weight * wrong).sum() / weight.sum() - 3.0) > 0.01


@pytest.mark.statistical
@pytest.mark.parametrize(("name", "extent", "pbc"), CASES)
def test_free_field_sampled_exactly_meets_schwinger_dyson_and_the_exact_results(name, extent, pbc):
    """phi = Q^{-1/2} noise is an exact draw: means of measure() against the Gaussian formulae."""
    lattice = lattices.build(name, extent, pbc)
    hop = 0.8 / (2 * len(extent))
    system = Phi4(lattice, hop, 0.0)
    spread = LatticeOperator.from_adjacency(lattice, lambda w: 2.0 * (1.0 - hop * w)).power(-0.5)
    noise = torch.randn(
        20_000, lattice.n_sites, dtype=torch.float64, generator=torch.Generator().manual_seed(11)
    )
    phi = spread.apply(noise)
    measured, exact = system.measure(phi), system.exact_results()
    virial = (phi * system.gradient(phi)).sum(1).numpy()
    pairs = [
        (virial, float(lattice.n_sites)),
        (measured["energy"], exact["energy"]),
        (measured["phi2"], exact["phi2"]),
        (measured["correlator_zero"], exact["susceptibility"]),
        (measured["abs_magnetization"], exact["abs_magnetization"]),
    ]
    for values, mean in pairs:
        assert_z(
            values.mean(), values.std(ddof=1) / math.sqrt(len(values)), mean, n_tests=40, max_err=0.02 * mean
        )
    # log Z exactly: the density of every draw is known.
    log_density = -0.5 * (noise**2).sum(1) - 0.5 * lattice.n_sites * math.log(2 * math.pi)
    log_density -= float(np.log(spread.values).sum())
    np.testing.assert_allclose((-system.reduced_energy(phi) - log_density).numpy(), exact["log_z"], atol=1e-9)


@given(
    seed=st.integers(0, 2**16),
    extent=st.tuples(st.integers(3, 5), st.integers(3, 5)),
    kappa=st.floats(-1.0, 1.0),
    lam=st.floats(0.01, 2.0),
)
def test_action_invariant_under_the_space_group_and_z2(seed, extent, kappa, lam):
    lattice = lattices.build("square", extent)
    system = Phi4(lattice, kappa, lam)
    phi = fields(system, 1, seed).flatten()
    moved = phi[torch.from_numpy(lattice.space_group().astype(np.int64))]
    both = system.reduced_energy(torch.cat([moved, -moved]))
    torch.testing.assert_close(both, both[:1].expand_as(both), rtol=1e-11, atol=1e-11)


def test_action_not_invariant_under_a_transposition():
    """Negative control."""
    system = Phi4(lattices.build("square", (4, 4)), 0.25, 0.022)
    phi = fields(system).flatten(1)
    swapped = system.reduced_energy(phi[:, [1, 0, *range(2, 16)]])
    assert (swapped - system.reduced_energy(phi)).abs().max() > 0.01


def test_double_bonds_count_twice():
    lattice = lattices.build("square", (2, 3), allow_double_bonds=True)
    system = Phi4(lattice, 0.2, 0.1)
    phi = fields(system)
    expected = explicit_action(lattice, phi.numpy(), 0.2, 0.8, 0.1)
    np.testing.assert_allclose(system.reduced_energy(phi).numpy(), expected, rtol=1e-12)
    phi.requires_grad_()
    (gradient,) = torch.autograd.grad(system.reduced_energy(phi).sum(), phi)
    torch.testing.assert_close(system.gradient(phi), gradient)


@pytest.mark.parametrize("system_of", [lambda s: s, lambda s: s.replace(kappa=0.1)])
def test_configurations_are_the_field_itself(system_of):
    system = system_of(Phi4(lattices.build("square", (3, 4)), 0.25, 0.022))
    phi = fields(system).float()
    result = system.to_configurations(phi.flatten(1), torch.Generator())
    assert result.dtype == torch.float32 and torch.equal(result, phi)


def test_normalisability_without_quartic_coupling():
    for name, extent in (("chain", (6,)), ("square", (4, 4)), ("cubic", (4, 4, 4))):
        lattice, limit = lattices.build(name, extent), 0.5 / len(extent)
        for sign in (1.0, -1.0):
            Phi4(lattice, sign * 0.999 * limit, 0.0)
            with pytest.raises(ValueError, match="lam must be positive unless the free field is positive"):
                Phi4(lattice, sign * limit, 0.0)
    # On odd rings the staggered mode does not fit, and at an open edge hopping is weaker: both allow more.
    assert Phi4(lattices.build("chain", (3,)), -0.6, 0.0).exact
    assert Phi4(lattices.build("chain", (4,), False), 0.6, 0.0).exact
    with pytest.raises(ValueError, match="quartic must be positive unless"):
        Phi4.from_mass(lattices.build("chain", (4,)), m2=0.0, lam=0.0, convention="flow")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kappa": 0.2, "lam": -0.1}, ValueError, r"lam must be non-negative, got -0\.1"),
        ({"kappa": math.nan, "lam": 0.1}, ValueError, "kappa must be finite, got nan"),
        ({"kappa": "0.2", "lam": 0.1}, TypeError, "kappa must be a real number, got '0.2'"),
        (
            {"kappa": 0.2},
            TypeError,
            "parameters must be kappa and lam, or hop, quadratic and quartic, got kappa",
        ),
        ({}, TypeError, "parameters must be .* got none"),
        ({"kappa": 0.2, "lam": 0.1, "hop": 0.3}, TypeError, "got kappa, lam, hop"),
        (
            {"hop": 1.0, "quadratic": 1.0, "quartic": -1.0},
            ValueError,
            r"quartic must be non-negative, got -1\.0",
        ),
    ],
)
def test_bad_parameters_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        Phi4(lattices.build("square", (4, 4)), **arguments)


def test_bad_lattices_and_conventions_are_named():
    with pytest.raises(
        ValueError, match="lattice must be one of chain, square, cubic, hypercubic for phi4, got kagome"
    ):
        Phi4(lattices.build("kagome", (3, 3)), 0.2, 0.1)
    with pytest.raises(TypeError, match=r"lattice must be made by lattices\.build, got str"):
        Phi4("square", 0.2, 0.1)
    square = lattices.build("square", (4, 4))
    with pytest.raises(ValueError, match="convention must be 'flow' or 'standard', got 'euclidean'"):
        Phi4.from_mass(square, m2=1.0, lam=1.0, convention="euclidean")
    with pytest.raises(ValueError, match="lattice must be periodic along all axes for from_mass"):
        Phi4.from_mass(lattices.build("square", (4, 4), False), m2=1.0, lam=1.0, convention="flow")


def test_log_z_of_independent_sites_is_a_product():
    """kappa = 0 by one-dimensional quadrature, through the free identity Z = z^N on three sites."""
    system = Phi4(lattices.build("chain", (3,), False), 0.0, 0.3)
    nodes = np.linspace(-6.0, 6.0, 61)
    phi = torch.from_numpy(np.array(list(itertools.product(nodes, repeat=3))))
    step = nodes[1] - nodes[0]
    one = (np.exp(-(0.4 * nodes**2 + 0.3 * nodes**4)) * step).sum()
    assert float(np.exp(-system.reduced_energy(phi).numpy()).sum() * step**3) == pytest.approx(
        one**3, rel=1e-12
    )


def test_definitions_have_symbols_for_the_couplings():
    """Datasets at different couplings are put together only if their definitions agree."""
    lattice = lattices.build("square", (4, 4))
    one, other = (Phi4(lattice, kappa=kappa, lam=lam) for kappa, lam in ((0.1, 0.5), (0.25, 0.022)))
    assert one.definitions == other.definitions
    assert "-2 kappa" in one.definitions["energy"] and "(1 - 2 lam)" in one.definitions["energy"]
    masses = [Phi4.from_mass(lattice, m2=m2, lam=1.0, convention="flow") for m2 in (1.0, 2.0)]
    assert masses[0].definitions == masses[1].definitions and "hop" in masses[0].definitions["energy"]
