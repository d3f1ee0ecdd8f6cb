# SPDX-License-Identifier: MIT
"""Ising: energy against explicit bond sums, and the continuous form against enumeration and quadrature.

The identities of the continuous form are checked exactly, without sampling: on up to four spins all integrals
over y are done by Gauss-Hermite quadrature, on up to a dozen the mixture over spins is summed explicitly.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from helpers.stats import assert_off, assert_z
from hypothesis import given
from hypothesis import strategies as st

import lattices
from edgphys.systems import Ising
from edgphys.systems.lattice.ising import RELATIVE_MARGIN, log_2cosh

CASES = [
    ("chain", (5,), True),
    ("chain", (4,), False),
    ("square", (3, 3), True),
    ("square", (3, 4), (True, False)),
    ("honeycomb", (3, 2), False),
    ("triangular", (3, 3), True),
    ("kagome", (2, 2), False),
]
COUPLINGS = [(2.0, 1.0, 0.0), (1.3, 1.0, 0.2), (1.7, -0.8, -0.3)]


def all_states(n_sites):
    return np.array(list(itertools.product([-1.0, 1.0], repeat=n_sites)))


def explicit_energy(lattice, spins, coupling, field):
    return np.array([-coupling * sum(s[i] * s[j] for i, j in lattice.bonds) - field * s.sum() for s in spins])


def log_sum_exp(values):
    return values.max() + math.log(np.exp(values - values.max()).sum())


@pytest.mark.parametrize(("name", "extent", "pbc"), CASES)
@pytest.mark.parametrize(("temperature", "coupling", "field"), COUPLINGS)
def test_energy_equals_explicit_bond_sum(name, extent, pbc, temperature, coupling, field):
    lattice = lattices.build(name, extent, pbc)
    system = Ising(lattice, temperature, coupling, field)
    spins = np.random.default_rng(0).choice([-1.0, 1.0], size=(20, lattice.n_sites))
    expected = explicit_energy(lattice, spins, coupling, field)
    np.testing.assert_allclose(system.energy(spins), expected, atol=1e-12)
    torch_energy = system.energy(torch.from_numpy(spins).reshape(20, *lattice.shape))
    np.testing.assert_allclose(torch_energy.numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(system.energy(spins.astype(np.int8)), expected, atol=1e-12)
    flipped = explicit_energy(lattice, spins, -coupling, field)
    assert np.abs(flipped - expected).max() > 1.0  # negative control


@pytest.mark.parametrize(("name", "extent", "pbc"), CASES)
@pytest.mark.parametrize(("temperature", "coupling", "field"), COUPLINGS)
def test_joint_density_of_spins_and_field_integrates_to_both_marginals(
    name, extent, pbc, temperature, coupling, field
):
    """exp(-U(y)) = sum_s exp(-beta H(s)) N(y; M^{1/2} s, 1), at any y: hence Z, p(s|y) and y|s at once."""
    lattice = lattices.build(name, extent, pbc)
    system = Ising(lattice, temperature, coupling, field)
    spins = all_states(lattice.n_sites)
    y = np.random.default_rng(1).normal(size=(3, lattice.n_sites)) * 2.0
    mean = spins @ system.relaxation.to_dense()
    log_weight = -explicit_energy(lattice, spins, coupling, field) / temperature
    log_normal = -0.5 * ((y[:, None] - mean) ** 2).sum(2) - 0.5 * lattice.n_sites * math.log(2 * math.pi)
    log_joint = log_weight + log_normal
    expected = [log_sum_exp(row) for row in log_joint]
    np.testing.assert_allclose(-system.reduced_energy(torch.from_numpy(y)).numpy(), expected, rtol=1e-11)

    up = np.array([(np.exp(row - log_sum_exp(row))[:, None] * (spins > 0)).sum(0) for row in log_joint])
    local = system.fields(torch.from_numpy(y)).numpy() + field / temperature
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-2.0 * local)), up, atol=1e-11)


def test_joint_density_check_sees_one_flipped_bond():
    """Negative control of the identity above."""
    lattice = lattices.build("square", (3, 3))
    system = Ising(lattice, 2.0)
    spins = all_states(9)
    i, j = lattice.bonds[0]
    energy = explicit_energy(lattice, spins, 1.0, 0.0) + 2.0 * spins[:, i] * spins[:, j]
    y = torch.ones(1, 9, dtype=torch.float64)
    log_normal = -0.5 * ((y.numpy() - spins @ system.relaxation.to_dense()) ** 2).sum(1)
    wrong = log_sum_exp(-energy / 2.0 + log_normal - 4.5 * math.log(2 * math.pi))
    assert abs(wrong + float(system.reduced_energy(y)[0])) > 0.1


@pytest.mark.parametrize("n_sites", [2, 3, 4])
@pytest.mark.parametrize(("temperature", "coupling", "field"), COUPLINGS)
def test_quadrature_of_the_continuous_form_gives_the_sum_over_spins(n_sites, temperature, coupling, field):
    """Z and <tanh> by Gauss-Hermite over y on open chains; 40 nodes per axis leave less than 1e-8."""
    lattice = lattices.build("chain", (n_sites,), False)
    system = Ising(lattice, temperature, coupling, field)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    y = np.stack(np.meshgrid(*[nodes] * n_sites, indexing="ij"), -1).reshape(-1, n_sites)
    log_w = np.log(np.stack(np.meshgrid(*[weights] * n_sites, indexing="ij"), -1)).reshape(-1, n_sites).sum(1)
    y = torch.from_numpy(y)
    density = np.exp(log_w - system.reduced_energy(y).numpy() + 0.5 * (y**2).sum(1).numpy())
    spins = all_states(n_sites)
    boltzmann = np.exp(-explicit_energy(lattice, spins, coupling, field) / temperature)
    assert math.log(density.sum()) == pytest.approx(math.log(boltzmann.sum()), abs=1e-8)
    tanh = np.tanh(system.fields(y).numpy() + field / temperature)
    expected = (boltzmann[:, None] * spins).sum(0) / boltzmann.sum()
    np.testing.assert_allclose((density[:, None] * tanh).sum(0) / density.sum(), expected, atol=1e-8)
    # Schwinger-Dyson: <y . grad U> = N.
    virial = (y * system.gradient(y)).sum(1).numpy()
    assert (density * virial).sum() / density.sum() == pytest.approx(n_sites, abs=1e-6)


@pytest.mark.parametrize("coupling", [1.0, -1.0])
@pytest.mark.parametrize(("name", "extent", "pbc"), CASES)
def test_shift_leaves_the_stated_margin(name, extent, pbc, coupling):
    lattice = lattices.build(name, extent, pbc)
    system = Ising(lattice, 1.5, coupling)
    spectrum = np.linalg.eigvalsh(coupling / 1.5 * lattice.adjacency + system.shift * np.eye(lattice.n_sites))
    assert spectrum[0] / (spectrum[-1] - spectrum[0]) == pytest.approx(RELATIVE_MARGIN, rel=1e-9)


@pytest.mark.parametrize(("temperature", "coupling", "field"), COUPLINGS)
@pytest.mark.parametrize(("name", "extent", "pbc"), [*CASES, ("square", (16, 16), True)])
def test_gradient_equals_autograd(name, extent, pbc, temperature, coupling, field):
    system = Ising(lattices.build(name, extent, pbc), temperature, coupling, field)
    y = torch.randn(4, *system.event_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    y.requires_grad_()
    (expected,) = torch.autograd.grad(system.reduced_energy(y).sum(), y)
    torch.testing.assert_close(system.gradient(y), expected, atol=1e-13, rtol=0)


def test_log_2cosh_and_its_derivatives():
    x = torch.tensor([-900.0, -30.0, -10.5, -1e-9, 0.0, 1e-9, 0.3, 10.5, 30.0, 900.0], dtype=torch.float64)
    x.requires_grad_()
    value = log_2cosh(x)
    torch.testing.assert_close(value, torch.logaddexp(x, -x), rtol=1e-15, atol=1e-15)
    (first,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    torch.testing.assert_close(first, torch.tanh(x), rtol=0, atol=3e-16)
    (second,) = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(second, 1.0 - torch.tanh(x) ** 2, rtol=0, atol=1e-15)


@given(
    seed=st.integers(0, 2**16),
    temperature=st.floats(0.3, 5.0),
    coupling=st.sampled_from([1.0, -1.0]),
    field=st.floats(-1.0, 1.0),
)
def test_reduced_energy_invariant_under_the_space_group(seed, temperature, coupling, field):
    lattice = lattices.build("honeycomb", (3, 3))
    system = Ising(lattice, temperature, coupling, field)
    group = torch.from_numpy(lattice.space_group().astype(np.int64))
    y = torch.randn(lattice.n_sites, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    moved = system.reduced_energy(y[group])
    torch.testing.assert_close(moved, moved[:1].expand_as(moved), rtol=1e-12, atol=1e-10)
    flipped = Ising(lattice, temperature, coupling, -field).reduced_energy(-y[None])
    torch.testing.assert_close(flipped, moved[:1], rtol=1e-12, atol=1e-10)


def test_reduced_energy_not_invariant_under_a_transposition_or_with_field_under_z2():
    """Negative control: what is no symmetry is seen as none."""
    lattice = lattices.build("square", (4, 4))
    y = torch.randn(1, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    system = Ising(lattice, 2.0, field=0.1)
    swapped = y[:, [1, 0, *range(2, 16)]]
    assert abs(float(system.reduced_energy(swapped) - system.reduced_energy(y))) > 1e-3
    assert abs(float(system.reduced_energy(-y) - system.reduced_energy(y))) > 1e-3
    assert "z2" not in system.symmetries and "z2" in Ising(lattice, 2.0).symmetries


@pytest.mark.statistical
def test_spins_and_fields_drawn_from_their_conditionals_keep_the_boltzmann_law():
    """s ~ exact, y ~ p(y|s), s' ~ p(s'|y): s' must be Boltzmann again; a wrong temperature must be seen."""
    lattice = lattices.build("square", (3, 3))
    system = Ising(lattice, 2.5, field=0.1)
    spins = all_states(9)
    energy = explicit_energy(lattice, spins, 1.0, 0.1)
    weight = np.exp(-energy / 2.5)
    exact = float((weight * energy).sum() / weight.sum())
    rng, generator = np.random.default_rng(4), torch.Generator().manual_seed(5)
    start = torch.from_numpy(spins[rng.choice(len(spins), size=40_000, p=weight / weight.sum())])
    y = system.to_field(start, generator)
    result = system.energy(system.to_configurations(y, generator)).numpy()
    err = result.std(ddof=1) / math.sqrt(len(result))
    assert_z(result.mean(), err, exact, max_err=0.05)
    wrong = Ising(lattice, 2.0, field=0.1)
    drifted = system.energy(wrong.to_configurations(wrong.to_field(start, generator), generator)).numpy()
    assert_off(drifted.mean(), drifted.std(ddof=1) / math.sqrt(len(drifted)), exact, least=30.0, max_err=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_configurations_are_spins_of_the_dtype_and_shape_of_the_field(dtype):
    system = Ising(lattices.build("honeycomb", (3, 4)), 2.0)
    y = torch.zeros(7, 24, dtype=dtype)
    spins = system.to_configurations(y, torch.Generator().manual_seed(0))
    assert spins.dtype == dtype and spins.shape == (7, 3, 4, 2)
    assert set(spins.flatten().tolist()) == {-1.0, 1.0}
    again = system.to_configurations(y, torch.Generator().manual_seed(0))
    assert torch.equal(spins, again)


def test_float32_reduced_energy_close_to_float64():
    system = Ising(lattices.build("square", (16, 16)), 2.3)
    y = torch.randn(5, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    single = system.reduced_energy(y.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), system.reduced_energy(y), rtol=1e-6, atol=1e-3)


def test_free_spins_have_the_known_partition_function():
    """J = 0: Z = (2 cosh beta h)^N, and U is an exact standard normal."""
    system = Ising(lattices.build("square", (4, 4)), 2.0, coupling=0.0, field=0.7)
    y = torch.randn(3, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    log_normal = -0.5 * (y**2).sum(1) - 8.0 * math.log(2.0 * math.pi)
    log_z = -system.reduced_energy(y) - log_normal
    torch.testing.assert_close(log_z, torch.full_like(log_z, 16.0 * math.log(2.0 * math.cosh(0.35))))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"temperature": -1.0}, ValueError, r"temperature must be positive and finite, got -1\.0"),
        ({"temperature": 0}, ValueError, r"temperature must be positive and finite, got 0"),
        ({"temperature": math.nan}, ValueError, "temperature must be positive and finite, got nan"),
        ({"temperature": "2"}, TypeError, "temperature must be a real number, got '2'"),
        ({"temperature": 1.0, "coupling": math.inf}, ValueError, "coupling must be finite, got inf"),
        ({"temperature": 1.0, "field": None}, TypeError, "field must be a real number, got None"),
        ({"temperature": 1.0, "field": True}, TypeError, "field must be a real number, got True"),
    ],
)
def test_bad_parameters_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        Ising(lattices.build("chain", (4,)), **arguments)


def test_bad_lattice_shapes_and_generator_are_named():
    with pytest.raises(TypeError, match=r"lattice must be made by lattices\.build, got tuple"):
        Ising((4, 4), temperature=1.0)
    system = Ising(lattices.build("square", (3, 4)), temperature=1.0)
    allowed = r"must have shape \(n_batch, 3, 4\) or \(n_batch, 12\), got "
    with pytest.raises(ValueError, match=rf"x {allowed}\(2, 4, 3\)"):
        system.reduced_energy(torch.ones(2, 4, 3))
    with pytest.raises(ValueError, match=rf"configurations {allowed}\(12,\)"):
        system.energy(np.ones(12))
    with pytest.raises(ValueError, match=rf"configurations {allowed}\(3, 4\)"):
        system.measure(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"x must be float32 or float64, got torch\.int64"):
        system.reduced_energy(torch.ones(2, 12, dtype=torch.int64))
    with pytest.raises(TypeError, match="x must be a torch tensor, got ndarray"):
        system.reduced_energy(np.ones((2, 12)))
    with pytest.raises(TypeError, match=r"generator must be a torch\.Generator, got NoneType"):
        system.to_configurations(torch.ones(2, 12), None)
