# SPDX-License-Identifier: MIT
"""Couplings as part of a batch: refused where there is one set of them, handed on by the bounds where not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers.edg import make_model
from helpers.stub_models import LinearModel

import lattices
from edgphys.edg import target_names
from edgphys.edg.core.bounds import continuous_bound
from edgphys.edg.core.model import Decoded, Draw
from edgphys.edg.targets.continuous import ContinuousTarget, CountedTarget, PhaseSpaceTarget
from edgphys.edg.targets.registry import make_target
from edgphys.errors import ArgumentValueError
from edgphys.systems import DoubleWell, Ising, Phi4

CHAIN = lattices.build("chain", (4,))
REFUSED = "condition must be None: there is one set of couplings here, got "


def test_a_model_of_one_set_of_couplings_is_itself_there_and_nowhere_else():
    model = make_model(make_target(Ising(CHAIN, 2.0)))
    assert model.at(None) is model
    with pytest.raises(ArgumentValueError, match=REFUSED) as caught:
        model.at(torch.ones(1, 1))
    assert caught.value.argument == "condition" and "\n" not in str(caught.value)
    draw = model.draw(3, torch.Generator().manual_seed(0))
    batch = model.decode(3, torch.Generator().manual_seed(0))
    assert isinstance(draw, Draw) and isinstance(batch, Decoded)
    assert draw.condition is None and batch.condition is None


def targets():
    systems = Ising(CHAIN, 2.0), Phi4(CHAIN, kappa=0.2, lam=0.1)
    named = {f"{one.name} {name}": make_target(one, name) for one in systems for name in target_names(one)}
    well = ContinuousTarget(DoubleWell(2))
    more = {"continuous": well, "phase space": PhaseSpaceTarget(well, 1)}
    return named | more | {"counted": CountedTarget(make_target(systems[1]))}


@pytest.mark.parametrize("name", targets())
def test_targets_of_one_system_refuse_other_couplings(name):
    target = targets()[name]
    x = torch.zeros(2, target.n_dims)
    assert torch.equal(target.energy(x), target.energy(x, None))
    with pytest.raises(ArgumentValueError, match=REFUSED):
        target.energy(x, torch.ones(2, 1))


class ConditionedModel(LinearModel):
    """The linear model with an energy of strength c, one c per sample; its encoder knows no c."""

    def __init__(self):
        super().__init__()
        self.asked, self.seen = [], None

    def decode(self, n_batch, generator):
        batch = super().decode(n_batch, generator)
        self.seen = batch
        return replace(batch, condition=torch.arange(1.0, n_batch + 1.0)[:, None])

    def energy(self, x, condition=None):
        return super().energy(x) * (1.0 if condition is None else condition[:, 0])

    def at(self, condition):
        self.asked.append(condition)
        return self


def test_bounds_hand_the_couplings_to_energy_and_encoder():
    model, plain, n = ConditionedModel(), LinearModel(), 6
    strengths = torch.arange(1.0, n + 1.0)
    loss = continuous_bound(model, n, torch.Generator().manual_seed(0))
    expected = model.seen.share * plain.energy(model.seen.x)
    torch.testing.assert_close(loss.energy, (strengths * expected).mean())
    # Pairs of noises share their couplings.
    assert [one.shape for one in model.asked] == [(2 * n, 1)]
    assert torch.equal(model.asked[0][:, 0], strengths.repeat(2))
    # Without the couplings the same draws have another energy, by more than rounding.
    without = continuous_bound(plain, n, torch.Generator().manual_seed(0))
    assert float((loss.energy - without.energy) / without.energy) > 0.5
    torch.testing.assert_close(loss.rest, without.rest)
