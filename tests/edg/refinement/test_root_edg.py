# SPDX-License-Identifier: MIT
"""An EDG as the root through `EDG`: exact weights, files, a training that may be killed in every stage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from helpers.edg import jackknife_log_mean, mean_err, perturb
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys.edg.core import training
from edgphys.edg.core.path import log_weights as log_weights_of
from edgphys.edg.refinement.root_edg import _split
from edgphys.edg.weights.views import redraw
from edgphys.errors import TrainingError

SIZES = {"decoder_size": (4, 4), "encoder_size": (4, 1), "n_path_steps": 3}
SYSTEMS = {
    "chain": lambda **changes: ep.Ising(lattices.build("chain", (12,)), **{"temperature": 2.0} | changes),
    "in a field": lambda **changes: ep.Ising(
        lattices.build("chain", (12,)), **{"temperature": 2.5, "field": 0.3} | changes
    ),
    "potts": lambda **changes: ep.Potts(
        lattices.build("chain", (12,)), **{"temperature": 1.0, "q": 3} | changes
    ),
    "potts in a field": lambda **changes: ep.Potts(
        lattices.build("chain", (12,)), **{"temperature": 1.0, "q": 3, "field": 0.3} | changes
    ),
    "xy": lambda **changes: ep.XY(lattices.build("chain", (12,)), **{"temperature": 1.2} | changes),
    "heisenberg": lambda **changes: ep.Heisenberg(
        lattices.build("chain", (12,)), **{"temperature": 1.0} | changes
    ),
    "phi4 chain": lambda **changes: ep.Phi4(
        lattices.build("chain", (12,)), **{"kappa": 0.25, "lam": 0.3} | changes
    ),
}
WRONG = {
    "chain": {"temperature": 1.7},
    "in a field": {"field": 0.4},
    "potts": {"temperature": 0.85},
    "potts in a field": {"field": 0.45},
    "xy": {"temperature": 1.0},
    "heisenberg": {"temperature": 0.85},
    "phi4 chain": {"kappa": 0.28},
}
TRAINED = list(itertools.product(SYSTEMS, (False, True)))
LATE = [
    ("potts", True),
    ("potts in a field", True),
    ("xy", True),
    ("heisenberg", True),
    ("potts in a field", False),
]
QUICK = {"batch_size": 16, "device": "cpu", "progress": False}


def root_edg(name, root="edg"):
    return ep.EDG(SYSTEMS[name](), target="refinement", root=root, **SIZES)


def log_weights(edg, seed, **options):
    samples = edg.sample(4000, seed, progress=False, **options)
    return torch.from_numpy(samples["log_weight_joint"].to_numpy())


@pytest.mark.statistical
@pytest.mark.parametrize("n_views", [1, 3])
@pytest.mark.parametrize(
    ("name", "trained"),
    [pytest.param(*one, marks=pytest.mark.slow if one in LATE else ()) for one in TRAINED],
)
def test_mean_weight_is_z(name, trained, n_views):
    """Random weights throughout, and weights that were barely trained; another coupling is seen."""
    edg = root_edg(name)
    if trained:
        edg.fit(0, 10, training="energy", **QUICK)
    else:
        perturb(edg.model, 0.05, seed=1)
    log_w = log_weights(edg, 3, n_views=n_views)
    exact = edg.system.exact_results()["log_z"]
    assert_z(*jackknife_log_mean(log_w), exact, n_tests=28, max_err=0.15)
    assert float(log_w.mean()) < exact
    wrong = SYSTEMS[name](**WRONG[name]).exact_results()["log_z"]
    assert_off(*jackknife_log_mean(log_w), wrong, least=5.5, max_err=0.15)


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["chain", "in a field", "phi4 chain", "xy"])
@pytest.mark.parametrize("n_path_steps", [1, 6])
def test_weights_of_any_path_are_exact(name, n_path_steps):
    edg = root_edg(name).fit(0, 10, training="energy", **QUICK)
    log_w = log_weights(edg, 4, n_path_steps=n_path_steps)
    assert_z(*jackknife_log_mean(log_w), edg.system.exact_results()["log_z"], n_tests=8, max_err=0.15)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("name", ["potts", "xy", "heisenberg"])
def test_draws_and_configurations_of_chains_are_weighed_alike(name):
    """<sigma(log w / Z)> over draws is <sigma(-log w / Z)> over chains seen through `lower`: random weights.

    Both are bounded; another Z, by a tenth, is told apart.
    """
    edg = root_edg(name)
    perturb(edg.model, 0.05, seed=1)
    log_z = edg.system.exact_results()["log_z"]
    chains = ep.mcmc.run(edg.system, "heat_bath", n_chains=400, n_sweeps=160, n_warmup=20, seed=3, keep=True)
    kept = chains["configurations"].to_numpy()[:, ::8].reshape(-1, edg.system.n_variables)
    generator = torch.Generator().manual_seed(5)
    backward = redraw(edg.model, torch.from_numpy(kept).float(), 1, 3, generator)[0]
    draw = edg.model.draw(len(kept), generator)
    log_density, _ = edg.model.target.lift(draw.x, generator)
    forward = log_weights_of(edg.model, draw, log_density, 3, generator)

    def difference(log_z):
        pairs = (torch.sigmoid(forward - log_z), torch.sigmoid(log_z - backward))
        (mean, err), (other, other_err) = (mean_err(one.detach()) for one in pairs)
        return mean - other, math.hypot(err, other_err)

    assert_z(*difference(log_z), 0.0, n_tests=3, max_err=0.006)
    assert_off(*difference(log_z + 0.1), 0.0, least=5.0, max_err=0.006)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_file_gives_the_same_draws(name, tmp_path):
    edg = root_edg(name).fit(1, 10, **QUICK)
    edg.save(tmp_path / "model.pt")
    loaded = ep.EDG.load(tmp_path / "model.pt", device="cpu")
    assert loaded.options == edg.options and loaded.options["root"] == "edg"
    first, second = (one.sample(50, 2, keep=True, progress=False, n_views=2) for one in (edg, loaded))
    for variable in ("log_weight_joint", "reduced_energy", "configurations"):
        np.testing.assert_array_equal(first[variable], second[variable])


def test_samples_tell_how_they_were_trained():
    samples = root_edg("chain").fit(1, 10, **QUICK).sample(20, 2, progress=False)
    settings = str(samples.attrs)
    assert "chains" in settings and "n_reference" in settings and '"root": "edg"' in settings
    assert int(samples.attrs["n_energy_calls"]) > 0


class _Killed(Exception):
    pass


def die_after(monkeypatch, n_steps):
    """Training stops before the step after so many; returns what undoes it."""
    advance, done = training._Run.advance, []

    def dying(run, loss):
        if len(done) == n_steps:
            raise _Killed
        done.append(run.settings.stage)
        advance(run, loss)

    monkeypatch.setattr(training._Run, "advance", dying)
    return lambda: (monkeypatch.setattr(training._Run, "advance", advance), done[-1])[1]


# Laws by chains, laws by energy, p_0, root: in the middle, at the first and at the last step of a stage.
EARLY = [(0, "end"), (1, "middle"), (3, "middle")]
PLACES = [(0, "middle"), (1, "end"), (2, "first"), (2, "middle")]


def steps_until(stage, place, n_steps):
    """Steps done when a run is killed there."""
    n_laws, n_soft, n_root = _split(n_steps)
    n_energy = round(0.1 * n_laws)
    stages = [n_laws - n_energy, n_energy, n_soft, n_root]
    inside = {"first": 1, "middle": (stages[stage] + 1) // 2, "end": stages[stage]}[place]
    return sum(stages[:stage]) + inside


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "place"), [*EARLY, *(pytest.param(*one, marks=pytest.mark.slow) for one in PLACES)]
)
def test_training_killed_in_any_stage_goes_on_to_the_same_weights(stage, place, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 1)
    path, n_steps = tmp_path / "state.pt", 60
    arguments = {"training": "both", **QUICK}
    revive = die_after(monkeypatch, steps_until(stage, place, n_steps))
    with pytest.raises(_Killed):
        root_edg("chain").fit(2, n_steps, checkpoint=path, **arguments)
    assert revive() == stage
    resumed = root_edg("chain").fit(2, n_steps, checkpoint=path, **arguments)
    whole = root_edg("chain").fit(2, n_steps, **arguments)
    assert resumed.history.equals(whole.history) and whole.history.sizes["step"] == n_steps
    for key, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key
    first, second = (edg.sample(20, 3, progress=False) for edg in (whole, resumed))
    np.testing.assert_array_equal(first["log_weight_joint"], second["log_weight_joint"])


@pytest.mark.parametrize("root", ["edg", "autoregressive"])
def test_fields_go_on_too(root, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 2)
    path = tmp_path / "state.pt"
    revive = die_after(monkeypatch, 13)
    with pytest.raises(_Killed):
        root_edg("phi4 chain", root).fit(2, 20, checkpoint=path, **QUICK)
    revive()
    resumed = root_edg("phi4 chain", root).fit(2, 20, checkpoint=path, **QUICK).model.state_dict()
    for key, value in root_edg("phi4 chain", root).fit(2, 20, **QUICK).model.state_dict().items():
        assert torch.equal(resumed[key], value), key


def test_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "state.pt"
    system = SYSTEMS["chain"]()
    samples = ep.mcmc.run(system, "wolff", n_chains=2, n_sweeps=200, seed=3, keep=True)
    others = ep.mcmc.run(system, "wolff", n_chains=2, n_sweeps=200, seed=4, keep=True)
    start = ep.EDG(SYSTEMS["chain"](temperature=2.5), target="refinement", **SIZES).fit(
        0, 2, training="energy", **QUICK
    )
    root_edg("chain").fit(2, 10, checkpoint=path, reference=samples, **QUICK)

    def refused(seed=2, n_steps=10, edg=None, **changes):
        edg = root_edg("chain") if edg is None else edg
        arguments = QUICK | {"reference": samples, "checkpoint": path} | changes
        with pytest.raises(TrainingError, match="belongs to a run with other settings"):
            edg.fit(seed, n_steps, **arguments)

    refused(seed=3)
    refused(n_steps=20)
    refused(batch_size=8)
    refused(learning_rate=1e-3)
    refused(training="both")
    refused(reference=None)
    refused(reference=others)
    refused(edg=root_edg("chain", "autoregressive"))
    refused(edg=ep.EDG(system, target="refinement", root="edg", start=start, **SIZES))
