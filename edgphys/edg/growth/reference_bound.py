# SPDX-License-Identifier: MIT
"""Maximum likelihood of a growing cluster, from reference configurations, as an objective of training.

The loss is -<log q> over configurations of a chain, each seen from a particle chosen at random, with the true
position of every particle among its trials: an upper bound on the negative log-likelihood, tight for many
trials. It is least where v ranks the true position among its trials as the true law does, for any number of
them (van den Oord, Li, Vinyals, arXiv:1807.03748, section 2.3), so that training takes few.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from edgphys.edg.core.bounds import Loss
from edgphys.edg.growth.generative_model import GrowthModel

__all__ = ["EFFORT", "RadialBound", "ReferenceBound"]

# Part of the trials that a draw has.
EFFORT = 0.125


class ReferenceBound:
    """-<log q> of configurations that are asked for at the first step.

    Parameters
    ----------
    reference : callable
        Gives the configurations, shape (n_configurations, n_particles * n_axes).
    """

    def __init__(self, reference: Callable[[], Tensor]) -> None:
        self._reference = reference

    def __call__(self, model: GrowthModel, n_batch: int, generator: torch.Generator) -> Loss:
        x = _batch(self._reference(), model, n_batch, generator)
        loss = -model.log_terms(x, generator, EFFORT).sum(1).mean()
        return Loss(torch.zeros_like(loss), loss)


class RadialBound:
    """-<log rho> of configurations: the law of the radii, which proposes trials, alone."""

    def __init__(self, reference: Callable[[], Tensor]) -> None:
        self._reference = reference

    def __call__(self, model: GrowthModel, n_batch: int, generator: torch.Generator) -> Loss:
        x = _batch(self._reference(), model, n_batch, generator)
        loss = -model.laws.radial_terms(x.unflatten(1, (-1, model.target.system.n_axes))).sum(1).mean()
        return Loss(torch.zeros_like(loss), loss)


def _batch(reference: Tensor, model: GrowthModel, n_batch: int, generator: torch.Generator) -> Tensor:
    """Configurations of the reference, each seen from a particle of its own."""
    chosen = torch.randint(len(reference), (n_batch,), generator=generator, device=model.device)
    return model.target.lower(reference[chosen.to(reference.device)].to(model.device), generator)[0]
