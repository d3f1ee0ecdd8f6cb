# SPDX-License-Identifier: MIT
"""Checkpoints of training: killed and gone on to the same numbers, and refused for another system."""

from __future__ import annotations

import pytest
import torch
from helpers.samplers import (
    TINY_MIXTURE,
    short_search,
)

from edgphys.edg import EDG
from edgphys.edg.core import training
from edgphys.errors import TrainingError
from edgphys.systems import (
    DoubleWell,
    Potential,
)

__all__ = ["short_search"]  # a fixture for all tests here


class _Killed(Exception):
    pass


@pytest.mark.parametrize("decoder", ["mixture", "hamiltonian"])
def test_killed_training_goes_on_to_the_same_numbers(decoder, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_CHECKPOINT_EVERY", 3)
    system, path = DoubleWell(n_dims=1, tilt=0.2), tmp_path / "state.pt"

    def fit(checkpoint=None):
        options = TINY_MIXTURE | {"decoder": decoder}
        edg = EDG(system, **options)
        return edg.fit(
            2, 8, batch_size=16, annealing=0.3, device="cpu", progress=False, checkpoint=checkpoint
        )

    whole = fit()
    advance, steps = training._Run.advance, []

    def dying(run, loss):
        if len(steps) == 5:
            raise _Killed
        steps.append(1)
        advance(run, loss)

    monkeypatch.setattr(training._Run, "advance", dying)
    with pytest.raises(_Killed):
        fit(path)
    monkeypatch.setattr(training._Run, "advance", advance)
    resumed = fit(path)
    assert resumed.history.equals(whole.history) and resumed.history.sizes["step"] == 8
    for key, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key
    first, second = (edg.sample(20, seed=0, progress=False) for edg in (whole, resumed))
    assert first.equals(second)
    for name in ("n_energy_calls", "n_gradient_calls"):
        assert first.attrs[name] == second.attrs[name]


def test_checkpoint_of_another_function_is_refused(tmp_path):
    """Two potentials of one name differ by their energies only."""
    path = tmp_path / "state.pt"
    for stiffness, raises in ((1.0, False), (2.0, True)):
        system = Potential(lambda x, k=stiffness: 0.5 * k * (x**2).sum(1), n_dims=1)
        edg = EDG(system, **TINY_MIXTURE | {"n_components": 1})
        arguments = {"batch_size": 16, "device": "cpu", "progress": False, "checkpoint": path}
        if raises:
            with pytest.raises(TrainingError, match="belongs to a run with other settings"):
                edg.fit(0, 2, **arguments)
        else:
            edg.fit(0, 2, **arguments)
