# SPDX-License-Identifier: MIT
r"""One model for a range of couplings: every weight of an ordinary model as a polynomial of them.

With the couplings encoded as u in [-1, 1]^k (`edgphys.edg.core.conditions`), weight by weight

    theta(u) = theta_start(u) + W_0 + sum_i sum_{n=1}^4 0.3^n W_in T_n(u_i),

T_n the Chebyshev polynomials, theta_start the physical start of the model at u, W trained; W_0 begins as the
other initial weights and W_in at zero. The factors 0.3^n keep steps of the optimiser as small at the ends of
the range as within, and curves smooth. At one u that is an ordinary model, whose target is that of the system
there, so that bounds, weights, views and chains are those of one system.

A training step takes the mean of an ordinary bound over a few couplings, stratified over the range, with the
density 1 / sqrt(1 - u^2) for which the T_n are orthogonal: minus a lower bound on the average of log Z.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080 (the model at one coupling).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.bounds import Loss
from edgphys.edg.core.conditions import Conditions
from edgphys.edg.core.model import AbstractEDGModel, AbstractGenerator
from edgphys.edg.core.module import Module
from edgphys.edg.core.substitution import with_tensors
from edgphys.edg.core.training import Bound

__all__ = ["ModelFamily", "family_bound"]

_DEGREE, _DECAY = 4, 0.3
# Couplings in a training step.
_N_COUPLINGS = 2


@final
class ModelFamily(AbstractGenerator):
    """See the module docstring.

    Parameters
    ----------
    template : AbstractEDGModel
        At the start of the training, at any couplings; its target can be put `at` others.
    conditions : Conditions
    start : Module
        Called with u, shape (k,): tensors of the template by name that depend on u at the start. Buffers are
        replaced by them; to parameters, which are then zero in the template, they are added.
    """

    def __init__(self, template: AbstractEDGModel, conditions: Conditions, start: Module) -> None:
        super().__init__()
        self.conditions, self.start = conditions, start
        trained = [(name, p) for name, p in template.named_parameters() if p.requires_grad]
        self._shapes = {name: p.shape for name, p in trained}
        flat = torch.cat([p.detach().flatten() for _, p in trained])
        more = torch.zeros(_DEGREE * len(conditions.ranges), len(flat))
        self.weights = nn.Parameter(torch.cat([flat[None], more]))
        self.template = template.requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return self.weights.device

    @property
    def target(self) -> Module:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the template; it counts what training evaluates."""
        return self.template.target

    def at_couplings(self, couplings: Mapping[str, float]) -> AbstractEDGModel:
        """The model at one point of the range; gradients pass to the weights of the family."""
        u = torch.tensor(self.conditions.encoded(couplings), device=self.device)
        tensors = dict(self.start(u))
        values = _features(u) @ self.weights
        sizes = [shape.numel() for shape in self._shapes.values()]
        for (name, shape), flat in zip(self._shapes.items(), values.split(sizes), strict=True):
            value = flat.view(shape)
            tensors[name] = value + tensors[name] if name in tensors else value
        return with_tensors(self.template, tensors).at_couplings(couplings)


def family_bound(bound: Bound) -> Bound:
    """The mean of a bound over couplings, one of each stratum of the range drawn anew at every call."""

    def mean(family: ModelFamily, n_batch: int, generator: torch.Generator) -> Loss:
        n, k = _N_COUPLINGS, len(family.conditions.ranges)
        like = {"generator": generator, "device": family.device}
        strata = torch.stack([torch.randperm(n, **like) for _ in range(k)], 1)
        points = -torch.cos(math.pi * (strata + torch.rand(n, k, **like)) / n)
        energy = rest = torch.zeros((), device=family.device)
        for u in points.tolist():
            model = family.at_couplings(family.conditions.decoded(u))
            loss = bound(model, max(1, n_batch // n), generator)
            energy, rest = energy + loss.energy / n, rest + loss.rest / n
            family.target.add_calls(model.target.calls)
        return Loss(energy, rest)

    return mean


def _features(u: Tensor) -> Tensor:
    """1 and the polynomials of each number, shape (1 + degree k,)."""
    degrees = torch.arange(1.0, _DEGREE + 1, device=u.device)
    angles = torch.acos(u.clamp(-1.0, 1.0))[:, None] * degrees
    return torch.cat([torch.ones_like(u[:1]), (_DECAY**degrees * torch.cos(angles)).flatten()])
