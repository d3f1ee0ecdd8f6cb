# SPDX-License-Identifier: MIT
"""Fields and angles with functions of one's own: against phi^4, the XY ring by Bessel functions, quadrature.

The ring of sine-Gordon sites is summed by its transfer operator on a grid. Control: other couplings.
"""

import math

import numpy as np
import pytest
import torch
from helpers.stats import assert_off, assert_z
from scipy.special import i0, iv

import edgphys as ep
import lattices
from edgphys.errors import ArgumentTypeError, ArgumentValueError, NotExactError
from edgphys.systems import LatticePotential, Phi4

SQUARE, RING = lattices.build("square", (4, 3)), lattices.build("chain", (4,))


def quartic(x, lam):
    return (1.0 - 2.0 * lam) * x**2 + lam * x**4


def hopping(x, y, kappa):
    return -2.0 * kappa * x * y


def own_phi4(lattice, **parameters):
    return LatticePotential(lattice, site=quartic, bond=hopping, field="real", **parameters)


def sine_gordon(lattice, **parameters):
    """(x - y)^2 / 2 on bonds, mass^2 x^2 / 2 - depth cos(x) on sites."""
    return LatticePotential(
        lattice,
        site=lambda x, mass, depth: 0.5 * mass**2 * x**2 - depth * torch.cos(x),
        bond=lambda x, y: 0.5 * (x - y) ** 2,
        field="real",
        **parameters,
    )


def turning(lattice, **parameters):
    """-cos of differences: the XY model."""
    return LatticePotential(lattice, bond=lambda a, b: -torch.cos(a - b), field="angle", **parameters)


def log_z_of_angles(n_sites, beta):
    return math.log(sum((2.0 * math.pi * iv(k, beta)) ** n_sites for k in range(-40, 41)))


def log_z_of_ring(system, reach=9.0, n=1201):
    """Trace of the transfer operator on a uniform grid: exponentially close for what vanishes at its ends."""
    x, step = np.linspace(-reach, reach, n, retstep=True)
    site = system.replace(strength=0.0).energy(np.tile(x[:, None], system.n_sites)) / system.n_sites
    pairs = 0.5 * (x[:, None] - x) ** 2
    transfer = np.exp(-system.beta * (pairs + 0.5 * (site[:, None] + site))) * step
    return math.log(np.trace(np.linalg.matrix_power(transfer, system.n_sites)))


def test_phi4_written_anew_has_its_energies_gradients_and_terms():
    own, shipped = own_phi4(SQUARE, kappa=0.2, lam=0.1), Phi4(SQUARE, kappa=0.2, lam=0.1)
    x = torch.randn(6, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(own.energy(x), shipped.energy(x), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(own.gradient(x), shipped.gradient(x), rtol=1e-12, atol=1e-12)
    assert own.symmetries == shipped.symmetries and own.observables == shipped.observables[:-1]
    terms = own.action_terms(x) @ own.action_coefficients
    np.testing.assert_allclose(terms, own.reduced_energy(x).numpy(), rtol=1e-13)
    path, known = own.reference(), shipped.reference()
    assert path.log_z == pytest.approx(known.log_z, abs=1e-8)
    changed = own.replace(kappa=0.1, temperature=2.0)
    assert changed.parameters == {"temperature": 2.0, "kappa": 0.1, "lam": 0.1, "strength": 1.0}


def test_angles_are_those_of_a_rotor():
    own, shipped = turning(SQUARE, temperature=0.9), ep.XY(SQUARE, temperature=0.9)
    angles = np.random.default_rng(1).uniform(-9.0, 9.0, (5, 12))
    np.testing.assert_allclose(own.energy(angles), shipped.energy(angles), rtol=1e-12)
    measured, known = own.measure(angles), shipped.measure(angles)
    for name in own.observables:
        np.testing.assert_allclose(measured[name], known[name], rtol=1e-10, atol=1e-12)
    assert own.reference().log_z == pytest.approx(12.0 * math.log(2.0 * math.pi), abs=1e-9)
    tilted = LatticePotential(RING, site=lambda x, h: -h * torch.cos(x), field="angle", h=1.5)
    assert tilted.reference().log_z == pytest.approx(4.0 * math.log(2.0 * math.pi * i0(1.5)), abs=1e-9)


@pytest.mark.slow
def test_compiled_functions_are_those_of_torch():
    system = sine_gordon(SQUARE, mass=0.5, depth=1.5, strength=0.7)
    x = np.random.default_rng(2).standard_normal((4, 12))
    energies, gradients = system.energy_and_gradient(x)
    for row, energy, gradient in zip(x, energies, gradients, strict=True):
        found, terms = np.empty(12), np.empty(2)
        assert system.kernel(row, found, system.kernel_parameters) == pytest.approx(energy, rel=1e-12)
        np.testing.assert_allclose(found, gradient, rtol=1e-10, atol=1e-12)
        system.terms_kernel(row, terms, system.kernel_parameters)
        np.testing.assert_allclose(terms, system.action_terms(row[None])[0], rtol=1e-12, atol=1e-12)
    assert system.replace(mass=0.6).kernel is system.kernel


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize(
    ("make", "log_z"),
    [
        (lambda: own_phi4(RING, kappa=0.25, lam=0.1), Phi4(RING, 0.25, 0.1).exact_results()["log_z"]),
        (lambda: turning(RING, temperature=0.8), log_z_of_angles(4, 1.25)),
        (lambda: sine_gordon(RING, mass=0.5, depth=1.5), None),
    ],
    ids=["phi4", "angles", "sine gordon"],
)
def test_log_z_by_ladders_from_independent_sites(make, log_z):
    system = make()
    log_z = log_z_of_ring(system) if log_z is None else log_z
    found = ep.free_energy(system, method="mbar", seed=1, n_sweeps=2000)
    pair = float(found["log_z"]), float(found["log_z_err"])
    assert_z(*pair, log_z, n_tests=3, max_err=0.05)
    assert_off(*pair, log_z + 0.5, least=8, max_err=0.05)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize(
    ("make", "log_z"),
    [
        (lambda lattice: own_phi4(lattice, kappa=0.2, lam=0.1), None),
        (lambda lattice: turning(lattice, temperature=1.5), log_z_of_angles(3, 1.0 / 1.5)),
    ],
    ids=["phi4", "angles"],
)
def test_weights_of_an_untrained_field_decoder_are_unbiased(make, log_z):
    lattice = lattices.build("chain", (3,))
    log_z = Phi4(lattice, 0.2, 0.1).exact_results()["log_z"] if log_z is None else log_z
    edg = ep.EDG(make(lattice), decoder="field", n_path_steps=4).fit(
        seed=0, n_steps=30, batch_size=64, progress=False
    )
    found = ep.estimate(edg.sample(20_000, seed=1, n_views=2, progress=False))
    assert_z(float(found["log_z"]), float(found["log_z_err"]), log_z, n_tests=2, max_err=0.05)


def test_what_cannot_be_followed_has_chains_in_torch_and_no_ladder():
    system = LatticePotential(RING, site=lambda x: x**2 if x.sum() > -1e40 else x, field="real")
    assert system.kernel is None and "random_walk" in ep.mcmc.algorithms_for(system)
    with pytest.raises(NotExactError, match="system must have functions that compile for a ladder of chains"):
        ep.free_energy(system, method="mbar", seed=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bond": lambda x, y: 0.5 * (x - y) ** 2}, "site must have a finite integral of exp"),
        ({"site": lambda x: x.sum()}, "site must be a torch function of float64 tensors giving energies of"),
        ({"site": lambda x: 1.0}, "site must be a torch function"),
        ({"site": lambda x: x.log()}, "site must be finite, got nan or inf"),
        ({"site": lambda x: x.detach() ** 2}, "with a gradient, got none"),
        ({"site": lambda x: x**2, "bond": lambda x, y: x * y**2}, "bond must be symmetric"),
        ({"site": lambda x: 1 / 0}, "got ZeroDivisionError"),
        ({"site": lambda x: x**2, "field": "angle"}, "site must have the period 2 pi of an angle, got"),
        ({"site": lambda x: (x - x.mean()) ** 2 + x**2}, "site must give each place its own energy"),
        ({"site": lambda x: x**2, "mass": 1.0}, "mass must be an argument of site or bond"),
        ({"site": 3}, "site must be a function, got int"),
        ({"site": lambda x: x**2, "temperature": 0.0}, "temperature must be"),
        ({"site": lambda x, mass: mass * x**2, "mass": math.nan}, "mass must be"),
    ],
)
def test_bad_functions_are_refused(given, message):
    with pytest.raises((ArgumentTypeError, ArgumentValueError), match=message) as refusal:
        LatticePotential(RING, **{"field": "real"} | given)
    assert "\n" not in str(refusal.value)
