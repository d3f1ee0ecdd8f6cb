# SPDX-License-Identifier: MIT
"""Systems of a user's own go wherever a shipped one goes, or one line says what they lack.

Oracles: the Blume-Capel model by all 3^9 states of the 3 x 3 torus (its continuous form at every point y, to
rounding), the chain by its independent bonds (a Gaussian at length 0), the Gaussian field by its matrix.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from helpers.own_systems import BeadSpringChain, BlumeCapel, GaussianField
from helpers.stats import assert_z

import edgphys as ep
import lattices
from edgphys import dataset, mcmc
from edgphys.cli import main
from edgphys.errors import DatasetError, NotExactError

SYSTEMS = {
    "discrete": lambda: BlumeCapel(lattices.build("square", (3, 3)), temperature=4.0),
    "continuous": lambda: BeadSpringChain(n_beads=2, spring=4.0),
    "field": lambda: GaussianField(lattices.build("chain", (4,))),
}
REAL = ("random_walk", "mala", "hmc")
CHAINS = {"discrete": (), "continuous": REAL, "field": REAL}
METHODS = {"discrete": ["edg"], "continuous": ["edg", "mcmc", "mbar", "exact"], "field": ["edg", "hmc"]}
TINY = {"n_path_steps": 2, "decoder_size": (4, 1), "encoder_size": (4, 1)}


def states():
    return np.array(list(itertools.product([-1.0, 0.0, 1.0], repeat=9)))


def exact(system):
    """log Z and <E>."""
    if isinstance(system, BlumeCapel):
        energies = system.energy(states())
        weights = np.exp(-system.beta * energies)
        return math.log(weights.sum()), float(weights @ energies / weights.sum())
    if isinstance(system, BeadSpringChain):
        results = system.exact_results()
        return results["log_z"], results["energy"]
    n, first, second = system.n_sites, *system.lattice.bonds.T
    matrix = system.mass * np.eye(n)
    np.add.at(matrix, (first, first), 1.0)
    np.add.at(matrix, (second, second), 1.0)
    np.add.at(matrix, (first, second), -1.0)
    np.add.at(matrix, (second, first), -1.0)
    log_det = np.linalg.slogdet(matrix)[1]
    return 0.5 * (n * math.log(2.0 * math.pi * system.temperature) - log_det), 0.5 * n * system.temperature


@pytest.fixture(params=SYSTEMS, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def system(kind):
    return SYSTEMS[kind]()


@pytest.fixture(scope="module")
def trained(system):
    return ep.EDG(system, **TINY).fit(seed=0, n_steps=30, progress=False)


# ------------------------------------------------------------------------------------- the systems themselves


def log_joint(system, y):
    """log of exp(-beta H(s)) N(y; M^{1/2} s, 1) for every state, shape (n_batch, 3^9)."""
    s = torch.from_numpy(states())
    gaps = torch.cdist(y, system._root.apply(s)).square()
    return -system.beta * system.energy(s) - 0.5 * gaps - 0.5 * 9 * math.log(2.0 * math.pi)


@pytest.mark.parametrize("splitting", [-0.7, 0.5, 2.0])
def test_the_continuous_form_sums_the_states_at_every_point(splitting):
    system = BlumeCapel(lattices.build("square", (3, 3)), temperature=1.5, splitting=splitting)
    y = torch.randn(20, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    summed = torch.logsumexp(log_joint(system, y), 1)
    torch.testing.assert_close(-system.reduced_energy(y), summed, rtol=1e-11, atol=1e-11)
    wrong = BlumeCapel(system.lattice, temperature=1.5, splitting=splitting + 0.01)  # negative control
    assert (wrong.reduced_energy(y) + summed).abs().min() > 1e-3


@pytest.mark.statistical
def test_states_are_drawn_from_their_law_at_one_point():
    system, n = BlumeCapel(lattices.build("square", (3, 3)), temperature=1.5), 40_000
    generator = torch.Generator().manual_seed(1)
    y = torch.randn(1, 9, generator=generator, dtype=torch.float64)
    law = torch.softmax(log_joint(system, y)[0], 0)
    drawn = system.to_configurations(y.expand(n, 9), generator).reshape(n, 9)
    assert set(drawn.unique().tolist()) == {-1.0, 0.0, 1.0}
    for power in (1, 2):
        mean = law @ torch.from_numpy(states()) ** power
        values = drawn**power
        for site in range(9):
            err = float(values[:, site].std()) / math.sqrt(n)
            assert_z(float(values[:, site].mean()), err, float(mean[site]), n_tests=18, max_err=0.01)


def test_the_chain_without_length_is_gaussian():
    chain = BeadSpringChain(n_beads=4, temperature=1.3, spring=5.0, length=0.0)
    results = chain.exact_results()
    assert results["log_z"] == pytest.approx(4 * math.log(2.0 * math.pi * 1.3 / 5.0), rel=1e-12)
    assert results["energy"] == pytest.approx(4 * 1.3, rel=1e-11)
    assert results["specific_heat"] == pytest.approx(0.5, rel=1e-10)


def test_the_kernel_of_the_chain_is_its_energy():
    chain = BeadSpringChain(n_beads=3)
    points = chain.random_configurations(5, np.random.default_rng(0))
    energies, gradients = chain.energy_and_gradient(points)
    for point, energy, gradient in zip(points, energies, gradients, strict=True):
        out = np.empty(6)
        assert chain.kernel(point, out, chain.kernel_parameters) == pytest.approx(energy, rel=1e-12)
        np.testing.assert_allclose(out, gradient, rtol=1e-10)


def test_what_is_not_given_has_a_default(system):
    assert system.exact == (
        () if system.lattice else ("log_z", "free_energy", "energy", "entropy", "specific_heat")
    )
    assert system.record is None and system.easy_parameters == {} and system.n_blocks == 1
    assert system.replace(temperature=2.0).parameters == system.parameters | {"temperature": 2.0}
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((3, system.n_variables))).requires_grad_()
    (slope,) = torch.autograd.grad(system.reduced_energy(x).sum(), x)
    torch.testing.assert_close(system.gradient(x.detach()), slope)
    spread = system.random_configurations(4, np.random.default_rng(0))
    assert spread.shape == (4, system.n_variables) and np.isfinite(system.energy(spread)).all()


# --------------------------------------------------------------------------------------------- everywhere


@pytest.mark.statistical
def test_chains(kind, system):
    assert mcmc.algorithms_for(system) == CHAINS[kind]
    for seed, algorithm in enumerate(CHAINS[kind]):
        table = ep.estimate(mcmc.run(system, algorithm, n_chains=4, n_sweeps=1000, seed=seed))
        err = float(table["energy_err"])
        assert_z(float(table["energy"]), err, exact(system)[1], n_tests=6, max_err=0.2)


def test_no_chain_for_discrete_variables_of_ones_own():
    system, lack = (
        SYSTEMS["discrete"](),
        "of the family 'none', which has none; a class of real variables may",
    )
    with pytest.raises(NotExactError, match=lack):
        mcmc.run(system, "metropolis", n_sweeps=100, seed=0)
    with pytest.raises(NotExactError, match=lack):
        mcmc.best_algorithm(system)


@pytest.mark.statistical
def test_generators(system, trained):
    table = ep.estimate(trained.sample(4000, seed=1, progress=False))
    log_z, energy = exact(system)
    assert_z(float(table["log_z"]), float(table["log_z_err"]), log_z, n_tests=6, max_err=0.1)
    assert_z(float(table["energy"]), float(table["energy_err"]), energy, n_tests=6, max_err=0.3)


def test_draws_are_configurations(kind, system, trained):
    draws = trained.sample(50, seed=2, keep=True, progress=False)
    values = draws["configurations"].values
    assert draws["configurations"].dims == ("draw", *system.configuration_dims())
    np.testing.assert_allclose(system.energy(values), draws["energy"], rtol=1e-9, atol=1e-9)
    assert (set(np.unique(values)) <= {-1.0, 0.0, 1.0}) == (kind == "discrete")


def test_saved_generators_want_their_system_back(kind, system, trained, tmp_path):
    trained.save(tmp_path / "model.pt")
    again = ep.EDG.load(tmp_path / "model.pt", system=SYSTEMS[kind]())
    weights = [
        each.sample(20, seed=3, progress=False)["log_weight_joint"].values for each in (trained, again)
    ]
    np.testing.assert_allclose(*weights, rtol=1e-13)  # memory lies otherwise: the last bit may differ
    with pytest.raises(DatasetError, match="system must be given to load"):
        ep.EDG.load(tmp_path / "model.pt")
    with pytest.raises(DatasetError, match=r"system must be the one that .* was saved with"):
        ep.EDG.load(tmp_path / "model.pt", system=system.replace(temperature=9.0))


@pytest.mark.slow
@pytest.mark.statistical
def test_free_energies(kind, system):
    options = {**TINY, "n_steps": 30}
    table = ep.free_energy(system, "edg", seed=4, n_samples=4000, options=options)
    assert_z(float(table["log_z"]), float(table["log_z_err"]), exact(system)[0], n_tests=4, max_err=0.1)
    if kind == "continuous":
        table = ep.free_energy(system, "mbar", seed=5, n_sweeps=1000)
        assert_z(float(table["log_z"]), float(table["log_z_err"]), exact(system)[0], n_tests=4, max_err=0.1)
    else:
        with pytest.raises(NotExactError, match="system must have a reference of known log Z, got"):
            ep.free_energy(system, "mbar", seed=5)


@pytest.mark.slow
def test_scan_show_plot(kind, system, tmp_path, capsys):
    out = tmp_path / "scan.nc"
    table = ep.scan(
        lambda temperature: system.replace(temperature=temperature),
        temperature=[3.0, 4.0],
        methods=METHODS[kind],
        seed=0,
        n_samples=200,
        edg={**TINY, "n_steps": 5},
        mcmc={"n_sweeps": 200} if CHAINS[kind] else None,
        out=out,
    )
    assert table["energy"].dims == ("method", "temperature") and np.isfinite(table["energy"]).all()
    assert dataset.read(out).attrs["system"] == system.name
    assert main(["show", str(out)]) == 0
    assert system.name in capsys.readouterr().out
    ep.plot(table, path=tmp_path / "scan.png")
    assert (tmp_path / "scan.png").stat().st_size > 1000


def test_methods_that_do_not_apply_are_named_before_a_scan(system):
    with pytest.raises(ValueError, match=f"method.*{system.name}.*wolff"):
        ep.scan(lambda t: system.replace(temperature=t), temperature=[3.0], methods=["wolff"], seed=0)


def test_a_way_to_configurations_without_a_way_back_is_refused():
    class OneWay(GaussianField):
        def to_configurations(self, x, generator=None):
            return x.reshape(-1, *self.event_shape).round()

    with pytest.raises(NotExactError, match="gaussian_field must give from_configurations, the way back"):
        OneWay(lattices.build("chain", (4,))).from_configurations(torch.zeros(1, 4))
