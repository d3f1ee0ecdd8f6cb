# SPDX-License-Identifier: MIT
"""Circles, intervals and half lines: folds and their shares, Z against closed forms, chains, EDG, annealing.

Control: shares left out, as a Jacobian would be. Chains are seen to fail against the wrong strength.
"""

import json
import math

import numpy as np
import pytest
import torch
from helpers.samplers import quick_mixture, short_search
from helpers.stats import assert_off, assert_z
from numba import njit
from scipy.special import i0, i1

import edgphys as ep
from edgphys.errors import ArgumentValueError
from edgphys.systems.continuous.domain import Domain

__all__ = ["short_search"]  # a fixture for all tests here

SIDES = {
    "angle": "circle",
    "circle": ("circle", 1.0, 3.5),
    "interval": (-1.0, 2.0),
    "above": (0.5, math.inf),
    "below": (-math.inf, -0.5),
}


def von_mises(strength, temperature=1.0):
    return ep.Potential(lambda x: -strength * torch.cos(x).sum(1), 1, temperature, domain="circle")


def linear(slope, side, temperature=1.0):
    return ep.Potential(lambda x: slope * x.sum(1), 1, temperature, domain=side)


# log Z by closed forms: von Mises, a box in a constant force, a gas in gravity, half an oscillator.
CLOSED = {
    "von mises": (lambda: von_mises(2.0, 0.8), math.log(2.0 * math.pi * i0(2.5))),
    "box": (lambda: linear(1.5, (0.0, 2.0)), math.log((1.0 - math.exp(-3.0)) / 1.5)),
    "gravity": (lambda: linear(2.0, (1.0, math.inf), 0.5), math.log(0.25 * math.exp(-4.0))),
    "half oscillator": (
        lambda: ep.Potential(lambda x: 0.5 * (x**2).sum(1), 1, 2.0, domain=(-math.inf, 0.0)),
        math.log(0.5 * math.sqrt(4.0 * math.pi)),
    ),
    "plane": (
        lambda: ep.Potential(
            lambda x: x[:, 0] * (2.0 + torch.cos(x[:, 1])), 2, domain=[(0.0, math.inf), "circle"]
        ),
        math.log(2.0 * math.pi / math.sqrt(3.0)),  # int dtheta / (2 + cos theta)
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_quadrature_gives_the_closed_form(name):
    make, log_z = CLOSED[name]
    assert make().exact_results()["log_z"] == pytest.approx(log_z, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in CLOSED if name != "plane"])
def test_the_reduced_energy_integrates_to_z_over_the_line(name):
    make, log_z = CLOSED[name]
    system, step = make(), 1e-3
    u = torch.arange(-40.0, 40.0, step, dtype=torch.float64)[:, None]
    integral = float(torch.exp(-system.reduced_energy(u)).sum()) * step
    assert math.log(integral) == pytest.approx(log_z, abs=2e-6)  # a kink at the end costs step^2
    without = float(torch.exp(-system.beta * torch.from_numpy(system.energy(u.numpy()))).sum()) * step
    assert math.log(without) > log_z + 0.6


@pytest.mark.parametrize("name", SIDES)
def test_images_are_drawn_by_their_shares(name):
    domain, generator = Domain(SIDES[name], 1, 0.7), torch.Generator().manual_seed(1)
    low, high = (float(np.clip(end, -2.0, 2.0)) for end in domain.ends[0])
    x = torch.tensor([[0.25 * low + 0.75 * high]], dtype=torch.float64)
    u = domain.image(x.expand(20_000, 1), generator)
    torch.testing.assert_close(domain.fold(u), x.expand(20_000, 1), rtol=0, atol=1e-12)
    images, counts = torch.unique(u.round(decimals=9), return_counts=True)
    shares = domain.log_share(images[:, None]).exp()
    assert float(shares.sum()) == pytest.approx(1.0, abs=2e-3)  # images that no draw is
    spread = ((counts - 20_000 * shares) ** 2 / (20_000 * shares)).sum()
    assert len(images) >= 2 and float(spread) < 30.0
    wrong = Domain(SIDES[name], 1, 0.2)
    shares = wrong.log_share(images[:, None]).exp()
    assert float(((counts - 20_000 * shares) ** 2 / (20_000 * shares)).sum()) > 100.0
    assert torch.equal(domain.image(x, None), x)


def test_energies_of_images_are_those_of_the_point_and_slopes_are_mirrored():
    sides = list(SIDES.values())
    slopes = torch.tensor([1.0, 2.0, 3.0, 4.0, -5.0], dtype=torch.float64)  # up from the ends
    system = ep.Potential(lambda x: (x * slopes).sum(1), 5, domain=sides)
    x = torch.tensor([[0.3, 1.2, 0.4, 2.0, -2.0]], dtype=torch.float64)
    u = x + torch.tensor([[2.0 * math.pi, -2.5, 0.0, 0.0, 0.0]], dtype=torch.float64)
    u[0, 2:] = torch.tensor([-2.4, -1.0, 1.0], dtype=torch.float64)
    assert float(system.energy(u)[0]) == pytest.approx(float(system.energy(x)[0]), abs=1e-12)
    torch.testing.assert_close(system.to_configurations(u), x, rtol=0, atol=1e-12)
    _, gradient = system.energy_and_gradient(u.numpy())
    assert gradient[0].tolist() == [1.0, 2.0, -3.0, -4.0, 5.0]


def test_angles_of_chains_stay_in_the_circle_and_have_its_averages():
    system = von_mises(1.5)
    exact = -1.5 * i1(1.5) / i0(1.5)
    samples = ep.mcmc.run(system, "random_walk", n_chains=8, n_sweeps=300, seed=1, keep=True)
    assert abs(samples["configurations"].values).max() <= math.pi
    found = ep.estimate(samples)
    assert_z(float(found["energy"]), float(found["energy_err"]), exact, max_err=0.1)
    assert_off(
        float(found["energy"]), float(found["energy_err"]), -1.0 * i1(1.0) / i0(1.0), least=4, max_err=0.1
    )


def tilted(x):
    """On a half line, an interval and a circle."""
    return 1.5 * x[:, 0] + 2.0 * x[:, 1] ** 2 + torch.cos(x[:, 2]) * (1.0 + x[:, 1])


TILTED = [(0.0, math.inf), (-0.5, 1.0), "circle"]


def tilted_results():
    """log Z and <E> at T = 1: half line and angle in closed form, the interval on a grid."""
    y, step = np.linspace(-0.5, 1.0, 20_001, retstep=True)
    weights = np.full_like(y, step)
    weights[[0, -1]] *= 0.5
    density = weights * np.exp(-2.0 * y**2) * 2.0 * math.pi * i0(1.0 + y)
    energy = 2.0 * y**2 - (1.0 + y) * i1(1.0 + y) / i0(1.0 + y)
    return math.log(density.sum() / 1.5), 1.0 + float((density * energy).sum() / density.sum())


@njit
def compiled_tilted(x):
    return 1.5 * x[0] + 2.0 * x[1] ** 2 + np.cos(x[2]) * (1.0 + x[1])


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize(
    ("algorithm", "function", "n_sweeps"),
    [
        ("random_walk", compiled_tilted, 4000),
        ("mala", compiled_tilted, 4000),
        ("hmc", compiled_tilted, 4000),
        ("mala", tilted, 800),
    ],
    ids=["random_walk", "mala", "hmc", "mala in torch"],
)
def test_every_chain_samples_the_domain(algorithm, function, n_sweeps):
    system = ep.Potential(function, 3, domain=TILTED)
    options = {"precondition": True}
    samples = ep.mcmc.run(
        system, algorithm, n_chains=8, n_sweeps=n_sweeps, seed=2, keep=True, options=options
    )
    found = ep.estimate(samples)
    pair = float(found["energy"]), float(found["energy_err"])
    assert_z(*pair, tilted_results()[1], n_tests=4, max_err=0.1)
    x = samples["configurations"].values.reshape(-1, 3)
    assert (x >= [0.0, -0.5, -math.pi]).all() and (x <= [np.inf, 1.0, math.pi]).all()
    assert_off(*pair, tilted_results()[1] + 0.5, least=5, max_err=0.1)


@pytest.mark.slow
def test_compiled_energies_are_those_of_torch_on_all_images():
    one, two = (ep.Potential(f, 3, domain=TILTED) for f in (tilted, compiled_tilted))
    u = 5.0 * np.random.default_rng(0).standard_normal((50, 3))
    for a, b in zip(one.energy_and_gradient(u), two.energy_and_gradient(u), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        two.gradient(torch.from_numpy(u)), one.gradient(torch.from_numpy(u)), atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.statistical
def test_log_z_by_ladders_of_chains():
    system = ep.Potential(compiled_tilted, 3, domain=TILTED)
    found = ep.free_energy(system, method="mbar", seed=3, n_sweeps=2000)
    pair = float(found["log_z"]), float(found["log_z_err"])
    assert_z(*pair, tilted_results()[0], max_err=0.05)
    assert_off(*pair, tilted_results()[0] + math.log(2.0), least=10, max_err=0.05)  # of a whole line


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("n_anneal", [0, 20])
def test_weights_of_an_untrained_generator_are_unbiased(n_anneal):
    """Annealed too: chains leave the draws at images that are then drawn anew."""
    system = ep.Potential(tilted, 3, domain=TILTED)
    edg = quick_mixture(system, train_at={"temperature": 2.0}, n_components=8)
    samples = edg.sample(6000, seed=1, n_views=2, n_anneal=n_anneal, progress=False, keep=True)
    found, (log_z, energy) = ep.estimate(samples), tilted_results()
    pair = float(found["log_z"]), float(found["log_z_err"])
    assert_z(*pair, log_z, n_tests=4, max_err=0.05)
    assert_z(float(found["energy"]), float(found["energy_err"]), energy, n_tests=4, max_err=0.1)
    assert_off(*pair, log_z + math.log(2.0), least=10, max_err=0.05)
    assert (samples["configurations"].values[:, 1] <= 1.0).all()


@pytest.mark.slow
@pytest.mark.statistical
def test_chains_sent_backwards_bound_log_z_from_above():
    system = ep.Potential(tilted, 3, domain=TILTED)
    reference = ep.mcmc.run(system, "hmc", n_chains=8, n_sweeps=300, seed=5, keep=True)
    edg = quick_mixture(system, n_components=8)
    reverse = edg.upper_bound(reference, seed=6)["log_weight_reverse"].values
    assert 0.0 < reverse.mean() - tilted_results()[0] < 1.0
    # log Z = -log <1/w> over draws of the system, whose variance is small enough here.
    assert -np.log(np.exp(-reverse).mean()) == pytest.approx(tilted_results()[0], abs=0.1)


def test_an_end_that_is_open_must_be_confined():
    with pytest.raises(ArgumentValueError, match="function must have a finite integral"):
        ep.Potential(lambda x: 0.0 * x.sum(1), 2, domain=["circle", (0.0, math.inf)])
    flat = ep.Potential(lambda x: 0.0 * x.sum(1), 2, domain=["circle", (0.0, 3.0)])
    assert flat.exact_results()["log_z"] == pytest.approx(math.log(6.0 * math.pi))


def test_the_domain_is_part_of_what_a_potential_is():
    def square(x):
        return (x**2).sum(1)

    plain, line, half = (ep.Potential(square, 1, domain=d) for d in (None, "line", (0.0, math.inf)))
    assert plain.identity() == line.identity() != half.identity()
    assert "domain" not in plain.attrs()
    assert half.attrs()["domain"] == '[{"kind": "interval", "low": 0.0, "high": Infinity}]'
    assert plain.exact == () and half.replace(temperature=2.0).exact_results()["log_z"] == pytest.approx(
        math.log(math.sqrt(2.0 * math.pi) / 2.0)
    )


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ("sphere", 'domain must be "torus", or one for all or for each of 2 coordinates of'),
        ((2.0, 1.0), r"domain must have ends low < high, got \(2, 1\)"),
        ((0.0, math.nan), r"domain must have ends low < high, got \(0, nan\)"),
        (("circle", 0.0, math.inf), "domain must have ends low < high, both finite on a circle, got"),
        (["circle"], "domain must be one for all or one for each of 2 coordinates, got 1"),
        (["line", (1.0, 2.0, 3.0)], 'domain must be "torus", or'),
        (["line", ("1", "b")], 'domain must be "torus", or'),
        (3, 'domain must be "torus", or'),
        ([], 'domain must be "torus", or'),
    ],
)
def test_bad_domains_are_refused(domain, message):
    with pytest.raises(ArgumentValueError, match=message) as refusal:
        ep.Potential(lambda x: (x**2).sum(1), 2, domain=domain)
    assert "\n" not in str(refusal.value)


def test_centres_lie_in_the_domain():
    with pytest.raises(ValueError, match="centres must lie in the domain"):
        ep.Potential(lambda x: (x**2).sum(1), 1, domain=(0.0, 1.0), centres=[[2.0]])
    assert ep.Potential(lambda x: (x**2).sum(1), 1, domain=(10.0, 12.0)).centres.tolist() == [[11.0]]


def test_steps_are_no_longer_than_once_round():
    """Where the energy hardly changes, every step is accepted: none may outgrow what float64 adds up."""
    system = von_mises(0.05)
    samples = ep.mcmc.run(system, "random_walk", n_chains=8, n_sweeps=200, seed=3)
    tuned = json.loads(samples.attrs["settings"])["tuned"]
    assert 1.0 < tuned["step_size"] <= 2.0 * math.pi + 1e-9
    assert float(samples["energy"].std()) == pytest.approx(0.05 / math.sqrt(2.0), rel=0.1)
