# SPDX-License-Identifier: MIT
"""Growing clusters through `EDG`: exact weights, a wrong density caught, and all that EDG offers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.edg import jackknife_log_mean, perturb
from helpers.stats import assert_off, assert_z

import edgphys as ep
from edgphys.edg.growth import centre, generative_model, trials
from edgphys.edg.growth import laws as laws_module
from edgphys.edg.growth.reference_bound import EFFORT
from edgphys.errors import UnknownNameError

# Small networks and few trials: the weights are exact with any.
SMALL = {"target": "growth", "decoder_size": (8, 2), "n_trials": 24, "n_picks": 6}
SYSTEMS = {
    "two on a line": lambda: ep.DoubleWellParticles(2, 1),
    "two in space": lambda: ep.LennardJones(2, 3, temperature=0.7),
    "three in the plane": lambda: ep.DoubleWellParticles(3, 2, temperature=2.0),
    "four in the plane": lambda: ep.DoubleWellParticles(4, 2, temperature=4.0),
}


def untrained(name, **options):
    edg = ep.EDG(SYSTEMS[name](), **SMALL | options)
    perturb(edg.model, 0.1, seed=1)
    return edg


def exact_log_z(system):
    return system.exact_pairs().log_z


def log_mean(edg, n, seed, n_views):
    samples = edg.sample(n, seed, n_views=n_views, progress=False)
    return jackknife_log_mean(torch.from_numpy(samples["log_weight_joint"].to_numpy()))


@pytest.mark.statistical
@pytest.mark.parametrize("n_views", [1, 3])
@pytest.mark.parametrize("name", SYSTEMS)
def test_mean_weight_is_z(name, n_views):
    edg = untrained(name)
    assert_z(
        *log_mean(edg, 8000, 3, n_views), exact_log_z(edg.system), n_tests=2 * len(SYSTEMS), max_err=0.15
    )


@pytest.mark.statistical
def test_three_on_a_line_by_quadrature():
    """Two relative positions: the integral over a grid, with the trap as the only thing that confines."""
    system = ep.LennardJones(3, 1, temperature=2.0)
    grid = torch.arange(-9.0, 9.0, 0.015, dtype=torch.float64)
    a, b = torch.meshgrid(grid, grid, indexing="ij")
    y = torch.stack([a.flatten(), b.flatten()], 1)
    weights = torch.exp(-torch.cat([system.reduced_energy(part) for part in y.split(200_000)]))
    edg = ep.EDG(system, **SMALL)
    perturb(edg.model, 0.1, seed=1)
    assert_z(*log_mean(edg, 8000, 3, 2), float(torch.log(weights.sum() * 0.015**2)), max_err=0.1)


@pytest.mark.statistical
def test_a_wrong_density_of_trials_is_seen(monkeypatch):
    """Directions drawn by contact and weighed as if contacts were the same everywhere."""
    edg = untrained("three in the plane")
    args = (800, 3, 1)
    exact = exact_log_z(edg.system)
    monkeypatch.setattr(laws_module, "draw_trials", trials.draw_trials.py_func)
    assert_z(*log_mean(edg, *args), exact, max_err=0.3)
    monkeypatch.setattr(trials, "_met", lambda *_: 0.5)
    assert_off(*log_mean(edg, *args), exact, least=5.0, max_err=0.3)


@pytest.mark.statistical
def test_a_position_in_a_wrong_stratum_is_seen(monkeypatch):
    """A given position that stands for the trial of another stratum of the radius than its own."""
    edg = untrained("two in space", n_trials=3, n_picks=3)
    args = (4000, 3, 4)
    exact = exact_log_z(edg.system)
    monkeypatch.setattr(laws_module, "draw_trials", trials.draw_trials.py_func)
    assert_z(*log_mean(edg, *args), exact, max_err=0.3)
    monkeypatch.setattr(trials, "_part_below", lambda *_: 0.5)
    assert_off(*log_mean(edg, *args), exact, least=5.0, max_err=0.3)


@pytest.mark.statistical
@pytest.mark.parametrize(
    "wrong", [pytest.param("the best of eight sets of trials", marks=pytest.mark.slow), "no symmetry"]
)
def test_wrong_views_are_caught(wrong, monkeypatch):
    edg = untrained("three in the plane", n_trials=4, n_picks=2)
    edg.fit(seed=0, n_steps=20, batch_size=32, progress=False)
    exact, args = exact_log_z(edg.system), (8000, 3, 4)
    assert_z(*log_mean(edg, *args), exact, max_err=0.3)
    model = edg.model
    right, around = model.draw_label, generative_model.around_any
    if wrong == "no symmetry":
        monkeypatch.setattr(generative_model, "around_any", lambda x, generator: 1.2 * around(x, generator))
    else:

        def best(x, generator):
            return torch.stack([right(x, generator) for _ in range(8)]).amax(0)

        monkeypatch.setattr(model, "draw_label", best)
    assert_off(*log_mean(edg, *args), exact, least=5.0, max_err=0.3)


@pytest.mark.slow
@pytest.mark.statistical
def test_any_choice_of_the_centre(monkeypatch):
    """Kappa > 0 for three particles; a density that takes the choice for uniform fails."""
    monkeypatch.setattr(centre, "_FEW", 0.5)
    edg = untrained("three in the plane")
    exact, args = exact_log_z(edg.system), (20_000, 3, 3)
    assert_z(*log_mean(edg, *args), exact, max_err=0.15)
    monkeypatch.setattr(generative_model, "log_choice", lambda x: torch.full(x.shape[:2], -np.log(3.0)))
    assert_off(*log_mean(edg, *args), exact, least=5.0, max_err=0.15)


def test_views_close_the_gap():
    edg = untrained("four in the plane").fit(seed=0, n_steps=20, batch_size=32, progress=False)
    bounds = [
        float(edg.sample(1000, 3, n_views=n, progress=False)["log_weight_joint"].mean()) for n in (1, 2, 4, 8)
    ]
    assert (np.diff(bounds) > 0.0).all() and bounds[-1] < exact_log_z(edg.system)


def test_training_reaches_quadrature():
    edg = ep.EDG(SYSTEMS["three in the plane"](), target="growth", decoder_size=(32, 2), n_trials=64)
    edg.fit(seed=0, n_steps=60, batch_size=32, progress=False)
    estimates = ep.estimate(edg.sample(2000, 1, progress=False))
    assert float(estimates["ess"]) > 0.9
    exact = edg.system.exact_results()
    for name in ("log_z", "energy", "distance"):
        assert_z(float(estimates[name]), float(estimates[f"{name}_err"]), exact[name], n_tests=3, max_err=0.2)


@pytest.mark.parametrize("training", ["energy", pytest.param("both", marks=pytest.mark.slow)])
def test_the_energy_alone_teaches(training):
    system = SYSTEMS["three in the plane"]()
    edg = ep.EDG(system, **SMALL | {"n_trials": 64, "n_picks": 16})
    edg.fit(seed=0, n_steps=80, batch_size=64, training=training, learning_rate=0.01, progress=False)
    bound = float(edg.sample(2000, 1, n_views=1, progress=False)["log_weight_joint"].mean())
    start = ep.EDG(system, **SMALL | {"n_trials": 64, "n_picks": 16})
    before = float(start.sample(2000, 1, n_views=1, progress=False)["log_weight_joint"].mean())
    assert bound > before + 0.1
    assert edg._training["training"] == training


@pytest.mark.slow
def test_annealed_from_a_hotter_system():
    system = ep.DoubleWellParticles(3, 2)
    edg = ep.EDG(system, **SMALL | {"train_at": {"temperature": 3.0}})
    edg.fit(seed=0, n_steps=30, batch_size=32, progress=False)
    estimates = ep.estimate(edg.sample(1000, 1, n_anneal=40, progress=False))
    exact = exact_log_z(system)
    assert_z(float(estimates["log_z"]), float(estimates["log_z_err"]), exact, max_err=0.2)
    direct = edg.sample(4000, 1, n_anneal=0, n_views=1, progress=False)
    assert_z(*jackknife_log_mean(torch.from_numpy(direct["log_weight_joint"].values)), exact, max_err=0.5)
    reference = ep.mcmc.run(system, "hmc", n_chains=2, n_sweeps=20, seed=3, keep=True)
    with pytest.raises(ValueError, match="reference must be None with train_at"):
        edg.fit(seed=0, n_steps=1, reference=reference)


def test_a_killed_training_resumes(tmp_path):
    settings = {"n_steps": 6, "batch_size": 8, "progress": False}
    whole = untrained("three in the plane").fit(seed=4, **settings).sample(50, 5, progress=False)
    path = tmp_path / "training.pt"
    untrained("three in the plane").fit(seed=4, checkpoint=path, **settings)
    again = (
        untrained("three in the plane").fit(seed=4, checkpoint=path, **settings).sample(50, 5, progress=False)
    )
    np.testing.assert_array_equal(whole["log_weight_joint"], again["log_weight_joint"])
    assert whole.attrs["n_energy_calls"] == again.attrs["n_energy_calls"]


def test_save_chain_bound_and_bridge(tmp_path):
    edg = untrained("three in the plane").fit(seed=0, n_steps=20, batch_size=16, progress=False)
    edg.save(tmp_path / "model.pt")
    loaded = ep.EDG.load(tmp_path / "model.pt")
    a, b = (one.sample(20, 1, keep=True, progress=False) for one in (edg, loaded))
    np.testing.assert_array_equal(a["log_weight_joint"], b["log_weight_joint"])
    assert a["configurations"].shape == (20, 3, 2)
    assert dict(edg.chain(40, 2, progress=False).sizes) == {"chain": 4, "draw": 10}
    reference = ep.mcmc.run(edg.system, "hmc", n_chains=4, n_sweeps=500, seed=3, keep=True)
    exact = exact_log_z(edg.system)
    assert float(edg.upper_bound(reference, 4, n_views=4)["log_weight_reverse"].mean()) > exact
    found = edg.bridge(reference, 1000, seed=4, progress=False)
    assert_z(float(found["log_z"]), float(found["log_z_err"]), exact, max_err=0.1)


def test_many_clusters_are_seen_part_by_part(monkeypatch):
    """As one part after the other, and with the gradient all at once."""
    model = untrained("three in the plane", n_trials=3, n_picks=2).model
    x = model.draw(10, torch.Generator().manual_seed(1)).x
    monkeypatch.setattr(laws_module, "_MOST_ROWS", 8)  # four clusters of two rows
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        whole = model.log_terms(x, generator)
        generator.manual_seed(2)
        parts = torch.cat([model.log_terms(part, generator) for part in x.split(4)])
    np.testing.assert_array_equal(whole, parts)
    assert model.log_terms(x, generator).requires_grad


def test_the_number_of_threads_changes_nothing(monkeypatch):
    model = untrained("three in the plane").model
    drawn = []
    for n_threads in (1, 3):
        monkeypatch.setattr(laws_module, "cpu_count", lambda n=n_threads: n)
        generator = torch.Generator().manual_seed(1)
        draw = model.draw(300, generator)
        drawn.append((draw.x, model.log_terms(draw.x, generator)))
    for one, other in zip(*drawn, strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=0.0)


def test_all_particles_are_alike():
    """Every number is the centre's as often as every other, and directions are uniform."""
    edg = untrained("three in the plane")
    x = edg.sample(3000, 1, keep=True, n_views=1, progress=False)["configurations"].to_numpy()
    first = np.linalg.norm(x - x.mean(1, keepdims=True), axis=2).argmin(1)
    counts = np.bincount(first, minlength=3)
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.0
    angle = np.arctan2(x[:, 0, 1], x[:, 0, 0])
    assert abs(np.exp(1j * angle).mean()) < 4.0 / 3000**0.5


def test_refused_in_one_line():
    for system in (ep.DoubleWell(), ep.LennardJones(3, 4)):
        with pytest.raises((UnknownNameError, ValueError), match="decoder must be one of"):
            ep.EDG(system, target="growth")
    with pytest.raises(ValueError, match="n_trials must be"):
        ep.EDG(SYSTEMS["two in space"](), target="growth", n_trials=1)
    with pytest.raises(ValueError, match="n_picks"):
        ep.EDG(SYSTEMS["two in space"](), target="growth", n_picks=10**12)
    with pytest.raises(ValueError, match=r"conditions must be left out for decoder='growth'"):
        ep.EDG(SYSTEMS["two in space"](), target="growth", conditions={"temperature": (1.0, 2.0)})


def test_particles_of_a_large_cluster_blend_rows():
    np.testing.assert_array_equal(laws_module._blend(12), np.eye(12))
    blend = laws_module._blend(54)
    assert blend.shape == (54, 10) and (blend >= 0.0).all()
    np.testing.assert_allclose(blend.sum(1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(blend[[0, -1]], np.eye(10)[[0, -1]])


def test_training_takes_a_part_of_the_trials():
    system = SYSTEMS["three in the plane"]()
    reference = ep.mcmc.run(system, "hmc", n_chains=2, n_sweeps=40, seed=3, keep=True)
    spent = [
        ep.EDG(system, **SMALL)
        .fit(seed=0, n_steps=n_steps, batch_size=32, reference=reference, progress=False)
        ._training["n_energy_calls"]
        for n_steps in (2, 5)
    ]
    # 24 trials of pairs with one and with two others, over three pairs of a cluster.
    assert spent[1] - spent[0] == 3 * 32 * EFFORT * 24


def test_invariants_in_units_of_their_scatter():
    edg = untrained("four in the plane")
    laws, generator = edg.model.laws, torch.Generator().manual_seed(1)
    grown = edg.model.draw(200, generator).x.unflatten(1, (-1, 2))
    laws.set_invariants(grown, generator)
    placed, k, given = laws_module._histories(grown)
    radial = laws.radial_law(k, laws._previous(placed, k))
    *_, seen = laws._pick(placed, k, radial, generator, given, 1.0)
    assert seen.mean((0, 1)).abs().max() < 0.15
    assert 0.1 < seen.std((0, 1)).max() < 1.0


def test_steps_to_the_last_particle_reach_far_outside():
    """A part of them is even, whatever the network has learned; the law of the others is the network's."""
    edg = untrained("four in the plane")
    laws = edg.model.laws
    with torch.no_grad():
        laws.radial_table[:] = -3.0 * torch.arange(laws.radial_table.shape[1])  # all but sure to be short
        k = torch.arange(laws.n_grown)
        cumulative, log_density = laws.radial_law(k, torch.ones(laws.n_grown, dtype=torch.float64))
    far = 1.0 - cumulative[:, laws.edges.shape[1] // 2]
    assert (far[:-1] < 1e-6).all() and far[-1] > 0.02
    edges = laws.edges[-1]
    even = laws_module._EVEN_SHARE / edges[-1]
    middle = log_density[-1, edges > 0.3 * edges[-1]].exp()
    assert ((middle > 0.8 * even) & (middle < 1.1 * even)).all()
    assert log_density[-1, 0].exp() > 10.0 * even


def test_default_steps_grow_with_large_clusters():
    steps = [ep.EDG(ep.LennardJones(n), target="growth").default_steps() for n in (4, 13, 38, 55)]
    assert steps == [3000, 3000, 5100, 6200]
