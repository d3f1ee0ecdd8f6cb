# SPDX-License-Identifier: MIT
"""XY and Heisenberg spins: energies, the continuous form, symmetries, stiffness and vortices, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.special
import torch

import edgphys as ep
import lattices
from edgphys.errors import EdgphysError
from edgphys.systems import XY, Heisenberg, build

SQUARE = lattices.build("square", (3, 4))
CYLINDER = lattices.build("square", (3, 3), (True, False))
J1J2 = lattices.build("square-j1j2", (3, 3))
PAIR = lattices.build("chain", (2,), False)


def case(name):
    rng = np.random.default_rng(4)
    return {
        "xy": lambda: XY(SQUARE, 1.5, 0.8),
        "xy_antiferro": lambda: XY(lattices.build("square", (4, 4)), 1.5, -0.8),
        "xy_triangular": lambda: XY(lattices.build("triangular", (3, 4)), 1.5, -0.8),
        "xy_kinds": lambda: XY(J1J2, 1.5, {"first": 1.0, "second": -0.5}, field=0.3),
        "xy_given": lambda: XY(
            CYLINDER, 1.5, rng.normal(size=CYLINDER.n_bonds), rng.normal(size=9), strength=0.7
        ),
        "heisenberg": lambda: Heisenberg(SQUARE, 1.5, 0.8),
        "heisenberg_field": lambda: Heisenberg(lattices.build("cubic", (3, 3, 3)), 1.5, field=-0.4),
        "heisenberg_kinds": lambda: Heisenberg(CYLINDER, 1.5, {"x": 1.0, "y": -0.5}),
    }[name]()


CASES = (
    *("xy", "xy_antiferro", "xy_triangular", "xy_kinds", "xy_given"),
    *("heisenberg", "heisenberg_field", "heisenberg_kinds"),
)


@pytest.fixture(params=CASES, scope="module")
def system(request):
    return case(request.param)


def some(system, n=4, seed=0):
    return system.random_configurations(n, np.random.default_rng(seed))


def vectors(system, flat):
    """Shape (n_batch, n_sites, n_components), from angles or as they are."""
    if system.n_components == 2:
        return np.stack([np.cos(flat), np.sin(flat)], axis=-1)
    return flat.reshape(len(flat), -1, 3)


def plane_rotation(n, a, b, angle):
    matrix = np.eye(n)
    matrix[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    return matrix


def twisted_energy(system, spins, axis, plane, angle):
    """Bond by bond, with the second spin of each turned by the angle times the length of the bond."""
    direction = system.lattice.basis_vectors[axis] / np.linalg.norm(system.lattice.basis_vectors[axis])
    total = -float(system.site_fields @ spins[:, system.field_axis])
    for (i, j), coupling, step in zip(
        system.lattice.bonds, system.bond_couplings, system.lattice.bond_displacements, strict=True
    ):
        turn = plane_rotation(system.n_components, *plane, angle * float(step @ direction))
        total -= coupling * spins[i] @ turn @ spins[j]
    return total


def test_energy_is_the_sum_over_bonds_and_sites(system):
    flat = some(system)
    expected = [twisted_energy(system, one, 0, (0, 1), 0.0) for one in vectors(system, flat)]
    np.testing.assert_allclose(system.energy(flat), expected, rtol=1e-12, atol=1e-12)
    terms = system.action_terms(flat) @ system.action_coefficients
    np.testing.assert_allclose(terms, system.beta * np.array(expected), rtol=1e-12, atol=1e-12)
    again = build(system.name, system.lattice, **system.parameters)
    assert np.array_equal(again.energy(flat), system.energy(flat)) and repr(again) == repr(system)
    assert set(system.measure(flat)) == {"energy", *system.observables} <= system.definitions.keys()


def test_order_is_that_of_the_vector_sum(system):
    flat = some(system)
    spins, n = vectors(system, flat), system.n_sites
    measured = system.measure(flat)
    signs = {"": np.ones(n)} | (
        {"staggered_": system.lattice.bipartition} if system.antiferromagnetic else {}
    )
    for prefix, sign in signs.items():
        m = (spins * sign[:, None]).mean(axis=1)
        square = (m**2).sum(axis=1)
        expected = {
            "magnetization": m[:, system.field_axis],
            "abs_magnetization": np.sqrt(square),
            "magnetization_2": square,
            "magnetization_4": square**2,
            "correlator_zero": n * square,
        }
        for name, value in expected.items():
            np.testing.assert_allclose(measured[prefix + name], value, rtol=1e-12, atol=1e-14, err_msg=name)
    if system.lattice.name == "square" and all(system.lattice.pbc):
        power = np.abs(np.fft.fft2(spins.reshape(4, *system.lattice.shape, -1), axes=(1, 2))) ** 2 / n
        waves = (power[:, 1, 0] + power[:, 0, 1]).sum(axis=-1) / 2
        np.testing.assert_allclose(measured["correlator_min"], waves, rtol=1e-11)


def test_stiffness_is_made_of_the_derivatives_by_a_twist(system):
    """C and Q from finite differences of the energy of every configuration, bond by bond."""
    flat, step = some(system, 2), 1e-3
    planes = list(itertools.combinations(range(system.n_components), 2))
    periodic, parts = np.flatnonzero(system.lattice.pbc), {"cosine": [], "sine_2": []}
    for spins in vectors(system, flat):
        lines = np.array(
            [
                [[twisted_energy(system, spins, a, p, k * step) for k in (-1, 0, 1)] for p in planes]
                for a in periodic
            ]
        )
        second = (lines[..., 0] - 2.0 * lines[..., 1] + lines[..., 2]) / step**2
        first = (lines[..., 2] - lines[..., 0]) / (2.0 * step)
        parts["cosine"].append(second.mean(axis=1) / system.n_sites)
        parts["sine_2"].append((first**2).mean(axis=1) / system.n_sites)
    measured = system.measure(flat)
    for part, values in parts.items():
        np.testing.assert_allclose(
            measured[f"helicity_{part}"], np.mean(values, axis=1), rtol=1e-4, atol=1e-6
        )
        for column, axis in enumerate(periodic):
            own = measured.get(f"helicity_{part}_{'xyz'[axis]}")
            if own is not None:
                np.testing.assert_allclose(own, np.array(values)[:, column], rtol=1e-4, atol=1e-6)
    differ = len(periodic) > 1 and (
        len(set(system.lattice.extent)) > 1 or not isinstance(system.coupling, float)
    )
    assert ("helicity_cosine_x" in measured) == differ


def directions(n, n_nodes):
    """Points and weights of a product rule on the sphere in n dimensions; the weights sum to its area."""
    turn = 2.0 * np.pi * np.arange(n_nodes) / n_nodes
    if n == 2:
        return np.stack([np.cos(turn), np.sin(turn)], axis=1), np.full(n_nodes, 2.0 * np.pi / n_nodes)
    z, weights = np.polynomial.legendre.leggauss(n_nodes)
    z, azimuth = (each.ravel() for each in np.meshgrid(z, turn, indexing="ij"))
    across = np.sqrt(1.0 - z**2)
    points = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), z], axis=1)
    return points, np.repeat(weights, n_nodes) * 2.0 * np.pi / n_nodes


@pytest.mark.parametrize(
    ("kind", "free_pair"),
    [
        (XY, lambda b: (2.0 * np.pi) ** 2 * scipy.special.iv(0, b)),
        (Heisenberg, lambda b: (4.0 * np.pi) ** 2 * np.sinh(b) / b),
    ],
)
def test_reduced_energy_integrates_to_z(kind, free_pair):
    """Two spins: by quadrature over their lengths and directions, against the formula without a field."""
    n, n_nodes = kind.n_components, {2: 24, 3: 12}[kind.n_components]
    points, weights = directions(n, n_nodes)
    # Lengths: r^(n - 1) exp(-r^2 / 2) dr = (2 t)^(n / 2 - 1) exp(-t) dt.
    t, of_t = scipy.special.roots_genlaguerre(2, n / 2 - 1)
    of_t = of_t * 2.0 ** (n / 2 - 1)
    x = (np.sqrt(2.0 * t)[:, None, None] * points).reshape(-1, n)
    weight = (of_t[:, None] * weights).ravel()
    pairs = torch.from_numpy(np.concatenate([np.repeat(x, len(x), axis=0), np.tile(x, (len(x), 1))], axis=1))
    weights_of_pairs = np.outer(weight, weight).ravel()
    for coupling, field in ((1.2, 0.0), (-0.7, 0.4)):
        system = kind(PAIR, 1.5, coupling, field)
        energies = system.reduced_energy(pairs).numpy()
        z = float(weights_of_pairs @ np.exp(-energies + 0.5 * pairs.square().sum(1).numpy()))
        if field == 0.0:
            assert z == pytest.approx(free_pair(system.beta * coupling), rel=1e-10)
            wrong = free_pair(system.beta * coupling * 1.001)
            assert z != pytest.approx(wrong, rel=1e-10)  # control
        else:
            spins = np.outer(weights, weights) * np.exp(
                system.beta
                * (coupling * points @ points.T + field * np.add.outer(*[points[:, -1 if n == 3 else 0]] * 2))
            )
            assert z == pytest.approx(spins.sum(), rel=1e-10)


def test_the_way_back_and_forth(system):
    flat = torch.from_numpy(some(system, 3))
    generator = torch.Generator().manual_seed(0)
    x = system.from_configurations(flat, generator)
    assert x.shape == (3, system.n_sites * system.n_components)
    again = system.to_configurations(x)
    assert again.shape == (3, *system.event_shape)
    np.testing.assert_allclose(again.reshape(3, -1), flat, rtol=1e-12, atol=1e-14)
    lengths = (0.5 * x.square().sum(1) + system.beta * system.energy(flat)).numpy()
    constant = {2: 0.0, 3: 1.5 * math.log(2 * math.pi) - math.log(4 * math.pi)}[system.n_components]
    np.testing.assert_allclose(system.reduced_energy(x), lengths + system.n_sites * constant, rtol=1e-12)
    one = x.requires_grad_()
    slope = torch.autograd.grad(system.reduced_energy(one).sum(), one)[0]
    torch.testing.assert_close(system.gradient(x.detach()), slope)


def test_moves_by_the_symmetries_keep_the_energy(system):
    flat = some(system, 64)
    moved = system.random_symmetry(torch.from_numpy(flat), torch.Generator().manual_seed(2))
    before, after = system.measure(flat), system.measure(moved)
    for name in ("energy", "abs_magnetization", "correlator_zero"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-9, atol=1e-9)
    turned = "axial" not in system.symmetries
    assert turned == (not np.allclose(after["magnetization"], before["magnetization"]))
    assert ("z2" in system.symmetries) == turned
    # Control: all rotations change the energy in a field.
    if not turned:
        free = system.replace(field=0.0)
        free_moved = free.random_symmetry(torch.from_numpy(flat), torch.Generator().manual_seed(2))
        assert np.abs(system.energy(free_moved.numpy()) - system.energy(flat)).max() > 0.01


def test_rotations_are_uniform():
    """All spins along z: after the move they point anywhere, and z^2 has the mean 1/3."""
    system = Heisenberg(PAIR, 1.0)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).repeat(20_000, 2)
    z = system.random_symmetry(up, torch.Generator().manual_seed(0)).reshape(-1, 2, 3)[:, 0, 2]
    assert abs(float(z.mean())) < 4.0 / math.sqrt(3 * 20_000)
    assert abs(float((z**2).mean()) - 1 / 3) < 4.0 * math.sqrt(4 / 45 / 20_000)


def test_free_spins_in_fields_have_their_mean():
    """Means of the drawn spins against derivatives of the log Z of one site."""
    rng, fields = np.random.default_rng(0), np.array([0.0, 3.0, -0.7, 1e-9, -60.0])
    lattice = lattices.build("chain", (5,), False)
    for kind, mean in (
        (XY, lambda b: scipy.special.ive(1, b) / scipy.special.ive(0, b)),
        (Heisenberg, lambda b: 1.0 / np.tanh(b) - 1.0 / b if b > 1e-3 else b / 3.0),
    ):
        path = kind(lattice, 1.0, 1.0, fields).reference()
        spins = vectors(kind(lattice, 1.0), path.draw(20_000, rng))[..., kind.field_axis]
        expected = np.array([math.copysign(1.0, b) * mean(abs(b)) for b in fields])
        error = spins.std(axis=0) / math.sqrt(20_000)
        assert np.abs((spins.mean(axis=0) - expected) / error).max() < 4.5
        shifted = kind(lattice, 1.0, 1.0, fields + 1e-4).reference()
        slope = (shifted.log_z - path.log_z) / 1e-4
        assert slope == pytest.approx(expected.sum(), abs=3e-4)
    assert kind(lattice, 1.0).reference().log_z == pytest.approx(5 * math.log(4 * math.pi), rel=1e-14)


def test_vortices():
    """One vortex in the middle of an open square; none in a smooth field; pairs of a random one."""
    system = XY(lattices.build("square", (4, 4), False), 1.0)
    x, y = (system.lattice.positions - 1.5).T
    vortex = np.arctan2(y, x)[None]
    assert system.measure(vortex)["vorticity"] == pytest.approx(1 / 9)
    assert system.measure(0.3 * x[None])["vorticity"] == 0.0
    turned = system.replace(coupling=-1.0)
    signs = system.lattice.bipartition
    other = np.where(signs > 0, vortex, vortex + np.pi)
    assert turned.measure(other)["vorticity"] == pytest.approx(1 / 9)
    # A plaquette with one bond J < 0 has half a vortex at least.
    bonds = np.ones(system.lattice.n_bonds)
    bonds[0] = -1.0
    frustrated = XY(system.lattice, 1.0, bonds)
    assert frustrated.measure(np.zeros((1, 16)))["vorticity"] == pytest.approx(0.5 / 9)
    assert "vorticity" not in XY(lattices.build("triangular", (3, 3)), 1.0).observables
    # A random field: brute force over the plaquettes.
    torus = XY(SQUARE, 1.0)
    theta = some(torus, 1)[0].reshape(3, 4)
    total = 0.0
    for i, j in itertools.product(range(3), range(4)):
        corners = [theta[i, j], theta[(i + 1) % 3, j], theta[(i + 1) % 3, (j + 1) % 4], theta[i, (j + 1) % 4]]
        steps = [math.remainder(corners[k] - corners[k - 1], 2.0 * math.pi) for k in range(4)]
        total += abs(round(sum(steps) / (2.0 * math.pi)))
    assert total > 0 and torus.measure(theta[None])["vorticity"] == pytest.approx(total / 12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"coupling": float("nan")}, "coupling must be"),
        ({"coupling": {"diagonal": 1.0}}, r"coupling must be .* \(x, y\)"),
        ({"coupling": [1.0, 2.0]}, r"coupling must be a number or an array of 24"),
        ({"field": [1.0]}, "field must be a number or an array of 12"),
        ({"field": (1.0, 0.0)}, "field must be a number or an array of 12"),
        ({"strength": 0.5}, "strength must be 1 where coupling is one number"),
        ({"lattice": "square"}, "lattice must be made by"),
    ],
)
@pytest.mark.parametrize("kind", [XY, Heisenberg])
def test_bad_input_is_one_line(kind, arguments, message):
    given = {"lattice": SQUARE, "temperature": 1.0} | arguments
    with pytest.raises((EdgphysError, TypeError, ValueError), match=message) as caught:
        kind(**given)
    assert "\n" not in str(caught.value)


def test_points_of_a_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"x must have shape \(n_batch, 24\) or \(n_batch, 3, 4, 2\)"):
        XY(SQUARE, 1.0).reduced_energy(torch.zeros(2, 12))
    with pytest.raises(TypeError, match=r"generator must be a torch\.Generator"):
        XY(SQUARE, 1.0).from_configurations(torch.zeros(2, 12))


@pytest.mark.parametrize("kind", [XY, Heisenberg])
def test_correlations_and_structure_factors_are_of_the_vectors(kind):
    """At the lowest wave they are the correlator that is measured; those of angles themselves are not."""
    system = kind(lattices.build("square", (4, 4)), 1.0)
    draws = ep.mcmc.run(system, "heat_bath", 2, 40, seed=1, keep=True)
    power = ep.structure_factor(draws, [[0.0, 0.0], [np.pi / 2, 0.0], [0.0, np.pi / 2]])["structure_factor"]
    assert float(power[0]) == pytest.approx(float(draws["correlator_zero"].mean()), rel=1e-9)
    assert float(power[1:].mean()) == pytest.approx(float(draws["correlator_min"].mean()), rel=1e-9)
    energy = float(draws["energy"].mean()) / -32
    for by in ("distance", "axis"):
        table = ep.correlations(draws, by)
        assert float(table["correlation"][0]) == pytest.approx(1.0, rel=1e-12)
        assert float(table["correlation"][1]) == pytest.approx(energy, rel=1e-9)
    if kind is XY:  # control
        del draws.attrs["order_field"]
        assert float(ep.correlations(draws)["correlation"][0]) > 1.5
