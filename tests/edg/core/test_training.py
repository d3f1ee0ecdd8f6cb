# SPDX-License-Identifier: MIT
"""The training loop: replay from a seed and from checkpoints bit for bit, named failures, and that it helps.

Loops run on a 4x4 Ising torus with networks of a few hundred weights; where the loop itself is meant, on
made-up losses. That training helps is measured by the bound, from independent draws, against enumeration.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from helpers.edg import boltzmann, draw_weights, jackknife_log_mean, make_model, mean_err
from helpers.own_systems import opened
from helpers.stats import assert_z

import lattices
from edgphys.edg import EDG
from edgphys.edg.core import training
from edgphys.edg.core.bounds import Loss, continuous_bound, path_bound
from edgphys.edg.core.training import TrainingSettings, train
from edgphys.edg.targets.registry import make_target
from edgphys.errors import TrainingError
from edgphys.systems import Ising, Phi4
from edgphys.systems.lattice.base import AbstractLatticeSystem
from edgphys.systems.lattice.measurements import LatticeObservables

SMALL = {"decoder": "field", "n_path_steps": 4, "decoder_size": (4, 1), "encoder_size": (4, 1)}
SETTINGS = TrainingSettings(
    n_steps=40,
    batch_size=8,
    learning_rate=3e-3,
    path_share=0.5,
    max_gradient=5.0,
    averaging=0.99,
    patience=500,
    seed=3,
)


def ising(temperature=2.3, pbc=True):
    return Ising(lattices.build("square", (4, 4), pbc), temperature)


def small_model(seed=0):
    return make_model(make_target(ising()), size=(4, 1), seed=seed)


def fitted(system=None, seed=0, n_steps=6, **options):
    return EDG(system or ising(), **SMALL).fit(
        seed, n_steps, batch_size=8, device="cpu", progress=False, **options
    )


def assert_same_weights(first, second):
    first, second = first.state_dict(), second.state_dict()
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def differ(first, second):
    return any(not torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_fit_is_a_function_of_the_seed():
    state = torch.get_rng_state()
    first, again, other = fitted(), fitted(), fitted(seed=1)
    assert_same_weights(first.model, again.model)
    assert first.history.equals(again.history) and first.history.sizes == {"step": 6}
    assert differ(first.model, other.model)
    assert not np.allclose(first.history["bound"], other.history["bound"])
    # Neither reads nor moves the global generator.
    assert torch.equal(torch.get_rng_state(), state)


def test_a_second_fit_starts_anew():
    edg = fitted(seed=1)
    edg.fit(0, 6, batch_size=8, device="cpu", progress=False)
    assert_same_weights(edg.model, fitted(seed=0).model)


def test_no_steps_leave_the_hartree_start():
    edg = fitted(n_steps=0)
    assert_same_weights(edg.model, EDG(ising(), **SMALL).model)
    assert edg.history.sizes == {"step": 0}


class Killed(Exception):
    """What stands for a kill."""


def kill_at(step):
    def on_step(done, loss):
        if done == step:
            raise Killed

    return on_step


# Checkpoints after 10, 20, 30, 40 steps, the second part from 20 on. At 20 the kill precedes the writing.
@pytest.mark.parametrize("step", [11, 19, 20, 21, 33, 40])
def test_a_killed_run_goes_on_to_the_same_weights(step, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 10)
    whole, part, path = small_model(), small_model(), tmp_path / "run.pt"
    expected = train(whole, SETTINGS, continuous_bound, path_bound)
    with pytest.raises(Killed):
        train(part, SETTINGS, continuous_bound, path_bound, checkpoint=path, on_step=kill_at(step))
    seen = []
    # Whatever is in the new process's model is replaced.
    other = small_model(seed=5)
    found = train(
        other,
        SETTINGS,
        continuous_bound,
        path_bound,
        checkpoint=path,
        on_step=lambda done, loss: seen.append(done),
    )
    assert seen == list(range((step - 1) // 10 * 10 + 1, 41))
    assert found == expected
    assert_same_weights(other, whole)
    # A finished run is not run again.
    seen.clear()
    last = small_model(seed=6)
    train(last, SETTINGS, continuous_bound, path_bound, checkpoint=path, on_step=kill_at(41))
    assert_same_weights(last, whole)


def test_a_fit_killed_and_repeated_equals_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 2)
    path, calls = tmp_path / "run.pt", []

    def failing(*arguments):
        calls.append(None)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return path_bound(*arguments)

    monkeypatch.setattr("edgphys.edg.core.recipe.path_bound", failing)
    with pytest.raises(KeyboardInterrupt):
        fitted(n_steps=12, checkpoint=path)
    assert path.exists()
    found = fitted(n_steps=12, checkpoint=path)
    assert len(calls) == 5 + 2  # the first part of six steps, four of the second; two are left
    assert_same_weights(found.model, fitted(n_steps=12).model)


def test_a_kill_while_writing_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 10)
    path, save, n_saved = tmp_path / "run.pt", torch.save, []

    def torn(state, target):
        n_saved.append(None)
        if len(n_saved) == 3:
            target.write(b"half of a file")
            raise Killed
        save(state, target)

    monkeypatch.setattr(training.torch, "save", torn)
    with pytest.raises(Killed):
        train(small_model(), SETTINGS, continuous_bound, path_bound, checkpoint=path)
    seen, model, whole = [], small_model(), small_model()
    train(
        model,
        SETTINGS,
        continuous_bound,
        path_bound,
        checkpoint=path,
        on_step=lambda done, loss: seen.append(done),
    )
    assert seen[0] == 21
    train(whole, SETTINGS, continuous_bound, path_bound)
    assert_same_weights(model, whole)


@pytest.mark.parametrize(
    "change", [{"n_steps": 7}, {"seed": 1}, {"learning_rate": 1e-3}, {"path_share": 0.0}, {"patience": 3}]
)
def test_checkpoint_of_other_settings_is_refused(change, tmp_path):
    path = tmp_path / "run.pt"
    fitted(checkpoint=path)
    with pytest.raises(TrainingError, match=r"run.pt belongs to a run with other settings"):
        fitted(checkpoint=path, **change)


@pytest.mark.parametrize(
    "system", [ising(2.3000001), ising(pbc=False), Phi4(lattices.build("square", (4, 4)), kappa=0.2, lam=0.1)]
)
def test_checkpoint_of_another_system_is_refused(system, tmp_path):
    path = tmp_path / "run.pt"
    fitted(checkpoint=path)
    with pytest.raises(TrainingError, match="belongs to a run with other settings"):
        fitted(system, checkpoint=path)


def test_checkpoint_that_is_none_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="cannot be read"):
        fitted(checkpoint=path)
    torch.save([1, 2], path)
    with pytest.raises(TrainingError, match="belongs to a run with other settings"):
        fitted(checkpoint=path)
    with pytest.raises(ValueError, match=r"checkpoint: the folder .* does not exist"):
        fitted(checkpoint=tmp_path / "no" / "run.pt")


with opened(Phi4):

    class Patchy(Phi4):
        """phi^4 whose energy is NaN for large fields: fine at the points that are checked before training."""

        def reduced_energy(self, x):
            return super().reduced_energy(x) + torch.where(x.flatten(1).amax(1) > 1.5, math.nan, 0.0)


with opened(Phi4):

    class Nowhere(Phi4):
        def reduced_energy(self, x):
            return math.nan * super().reduced_energy(x)


with opened(Phi4):

    class Scalar(Phi4):
        def reduced_energy(self, x):
            return super().reduced_energy(x).sum()


def phi4(system_class=Phi4):
    return system_class(lattices.build("chain", (6,)), kappa=0.2, lam=0.1)


def test_energy_that_is_not_finite_is_named():
    with pytest.raises(TrainingError, match=r"stopped at step 0: the mean energy .* must be finite, got nan"):
        fitted(phi4(Patchy))
    words = r"reduced_energy of phi4 must be finite, or \+inf within a wall, got \[nan"
    with pytest.raises(TrainingError, match=words):
        fitted(phi4(Nowhere))
    with pytest.raises(TrainingError, match=r"must give shape \(n_batch,\) = \(2,\), got \(\)"):
        fitted(phi4(Scalar))


def test_energy_replaced_by_hand_is_the_one_that_is_trained(monkeypatch):
    system = phi4()
    plain, calls = system.reduced_energy, []

    def spoilt(x):
        calls.append(None)
        return plain(x) if len(calls) < 4 else math.inf * plain(x)

    monkeypatch.setitem(vars(system), "reduced_energy", spoilt)
    with pytest.raises(TrainingError, match=r"at step \d: the mean energy of the system must be finite, got"):
        fitted(system)


def made_up(energy, rest):
    """A bound with given parts, of one weight of the model."""

    def bound(model, n_batch, generator):
        weight = model.mixed_logit
        return Loss(energy(weight, generator), rest(weight, generator))

    return bound


def zero(weight, generator):
    return 0.0 * weight


def noise(weight, generator):
    return 0.0 * weight + torch.randn((), generator=generator)


def test_loss_that_is_not_finite_elsewhere_is_named():
    bad = made_up(zero, lambda weight, generator: math.inf * weight.abs())
    with pytest.raises(
        TrainingError, match=r"at step 0: the loss must be finite, got inf; lower learning_rate"
    ):
        train(small_model(), SETTINGS, bad, bad)
    later = dataclasses.replace(SETTINGS, path_share=0.75)
    with pytest.raises(TrainingError, match="at step 10: the loss must be finite"):
        train(small_model(), later, made_up(zero, noise), bad)


class Counted:
    """A bound, and how often it was asked."""

    def __init__(self, bound):
        self.bound, self.n_calls = bound, 0

    def __call__(self, model, n_batch, generator):
        self.n_calls += 1
        return self.bound(model, n_batch, generator)


@pytest.mark.parametrize(("path_share", "n_first"), [(0.0, 40), (0.25, 30), (0.5, 20), (1.0, 0), (0.3, 28)])
def test_each_part_has_its_share(path_share, n_first):
    first, second, done = Counted(made_up(zero, noise)), Counted(made_up(zero, noise)), []
    settings = dataclasses.replace(SETTINGS, path_share=path_share)
    history = train(small_model(), settings, first, second, on_step=lambda step, loss: done.append(step))
    assert (first.n_calls, second.n_calls) == (n_first, 40 - n_first)
    assert done == list(range(1, 41)) and len(history.losses) == 40 and history.plateau_step is None


def falling(weight, generator):
    """Each step better than the one before, by more than the noise: the weight moves steadily."""
    return 50.0 * weight + 0.001 * torch.randn((), generator=generator)


def test_plateau_ends_the_first_part_early():
    settings = dataclasses.replace(SETTINGS, n_steps=400, patience=25)
    first, second, done = Counted(made_up(zero, noise)), Counted(made_up(zero, noise)), []
    history = train(small_model(), settings, first, second, on_step=lambda step, loss: done.append(step))
    assert history.plateau_step == first.n_calls and 50 <= first.n_calls < 200
    assert second.n_calls == 200 and len(history.losses) == first.n_calls + 200
    assert done[-1] == 400 and done == sorted(done)
    improving = Counted(made_up(zero, falling))
    history = train(small_model(), settings, improving, second)
    assert history.plateau_step is None and improving.n_calls == 200


def test_weights_kept_are_the_moving_average():
    model, path = small_model(), []

    def remember(done, loss):
        path.append([p.detach().clone() for p in model.parameters() if p.requires_grad])

    average = [p.detach().clone().double() for p in model.parameters() if p.requires_grad]
    train(model, SETTINGS, continuous_bound, path_bound, on_step=remember)
    for step, weights in enumerate(path):
        decay = min(0.99, (step + 1) / (step + 10))
        average = [decay * a + (1.0 - decay) * w.double() for a, w in zip(average, weights, strict=True)]
    kept = [p.detach() for p in model.parameters() if p.requires_grad]
    for a, p in zip(average, kept, strict=True):
        torch.testing.assert_close(p.double(), a, rtol=1e-5, atol=1e-6)
    moved = max(float((p - w).abs().max()) for p, w in zip(kept, path[-1], strict=True))
    assert moved > 1e-4


class Gaussian(AbstractLatticeSystem):
    """Independent Gaussians of a given precision: the least that a system of one's own has to bring."""

    name = "gaussian"
    symmetries = ("translation", "point_group", "z2")
    conditions = ()
    exact = ("log_z",)

    def __init__(self, lattice, precision):
        self.lattice, self.temperature, self.parameters = lattice, 1.0, {"precision": precision}
        self._observables = LatticeObservables(lattice)

    @property
    def definitions(self):
        return {"energy": "precision |x|^2 / 2"}

    def _energy(self, flat):
        return 0.5 * self.parameters["precision"] * flat.square().sum(1)

    def reduced_energy(self, x):
        return self._energy(x.flatten(1))

    def gradient(self, x):
        return self.parameters["precision"] * x

    def to_configurations(self, x, generator):
        return x.reshape(len(x), *self.event_shape)

    def exact_results(self):
        return {"log_z": 0.5 * self.n_sites * math.log(2.0 * math.pi / self.parameters["precision"])}


def test_a_system_of_ones_own_needs_no_network_when_it_is_the_start():
    system = Gaussian(lattices.build("chain", (6,)), 1.0)
    log_w = EDG(system, **SMALL).sample(500, seed=0)["log_weight_joint"].to_numpy()
    np.testing.assert_allclose(log_w, system.exact_results()["log_z"], atol=1e-4)


def measured(model, seed):
    """Lower bound and log Z, with their errors, from 20000 draws."""
    log_w = draw_weights(model, 20000, 4, seed)[0]
    return mean_err(log_w), jackknife_log_mean(log_w)


@pytest.mark.statistical
def test_training_closes_the_gap_on_a_system_of_ones_own():
    """Precision 2 from a start at 1: the gap falls by half, and log Z is right before and after."""
    system = Gaussian(lattices.build("chain", (6,)), 2.0)
    exact, bounds = system.exact_results()["log_z"], []
    for n_steps in (0, 80):
        model = fitted(system, n_steps=n_steps, learning_rate=0.01).model
        bound, log_z = measured(model, seed=4)
        assert_z(*log_z, exact, n_tests=2, max_err=0.05)
        bounds.append(bound)
    (before, err1), (after, err2) = bounds
    assert before < exact - 0.5 and after < exact + 4.0 * err2
    assert exact - after < 0.5 * (exact - before) - 4.0 * math.hypot(err1, err2)


@pytest.mark.statistical
def test_training_closes_the_gap_of_the_ising_model():
    """4x4 at T = 2.3, both sides of the gap: the bound stays below ln Z by enumeration, log Z stays right."""
    exact, bounds = boltzmann(ising())[2], []
    for n_steps in (0, 60):
        edg = EDG(ising(), decoder="field", n_path_steps=4, decoder_size=(8, 2), encoder_size=(8, 2))
        edg.fit(0, n_steps, learning_rate=6e-3, device="cpu", progress=False)
        bound, log_z = measured(edg.model, seed=5)
        assert_z(*log_z, exact, n_tests=2, max_err=0.05)
        bounds.append(bound)
    (before, err1), (after, err2) = bounds
    assert after < exact + 4.0 * err2
    assert after - before > 0.3 * (exact - before) + 4.0 * math.hypot(err1, err2)


def test_seconds_of_all_runs_are_counted(tmp_path, monkeypatch):
    """A training that was stopped, and went on, says what both took, and the steps of both."""
    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 1)
    advance, path = training._Run.advance, tmp_path / "edg.pt"

    def stopping(run, loss):
        if run.step == 3:
            raise KeyboardInterrupt
        advance(run, loss)

    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(training._Run, "advance", stopping)
        fitted(checkpoint=path)
    earlier = torch.load(path, weights_only=True)["history"]["earlier_time"]
    whole, edg = fitted(), fitted(checkpoint=path)
    assert edg.earlier_time == earlier > 0.0 == whole.earlier_time
    assert edg._training["training_time"] > earlier
    assert edg._training["n_gradient_calls"] == whole._training["n_gradient_calls"]
