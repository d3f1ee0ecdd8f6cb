# SPDX-License-Identifier: MIT
r"""Training of the laws: by reference configurations, or without any by the model's own draws.

Maximum likelihood (`fit_to_reference`) minimises -<log q> over configurations of a chain, moved by elements
of the space group. No phase of the reference can be lost. A coarse level needs few sites of a
configuration, so it gets larger batches.

Reverse Kullback-Leibler (`fit_to_energy`) minimises F = <log q - log pi> over draws, with the exact sites
summed out. The gradient is that of the score function with the mean of the batch as a baseline,

    grad F = < (f - <f>) grad log q >,      f = log q(x) - log pi(x),

whose variance vanishes with that of f, that is as the model becomes right. The coupling between sites rises
from a tenth to its full value in the first part of the run; -F is then a lower bound on log Z.

References
----------
Wu, Wang, Zhang, Phys. Rev. Lett. 122, 080602 (2019) (reverse KL with a baseline for autoregressive networks).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from edgphys.edg.core.module import Module
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.errors import TrainingError
from edgphys.systems.lattice.space_group import SpaceGroup

__all__ = ["LawTraining", "OnStep", "fit_to_energy", "fit_to_reference", "minimise"]

_LEAST_POWER = 0.1
# Share of the run in which the learning rate rises.
_WARM_UP = 0.1
# Configurations of the reference a step for the root, and at most for a coarse level.
_MOST_COARSE = 1024


@dataclass(frozen=True)
class LawTraining:
    """What decides the result of a training run.

    Attributes
    ----------
    n_steps : int
    batch_size : int
        Draws a step; of the finest level in maximum likelihood.
    learning_rate : float
        Largest, of Adam; it rises for a tenth of the run and falls along a cosine.
    annealing : float
        Share of the run in which the coupling rises (without reference only).
    max_gradient : float
        Norm at which gradients are clipped.
    seed : int
    """

    n_steps: int
    batch_size: int
    learning_rate: float = 3e-3
    annealing: float = 0.0
    max_gradient: float = 20.0
    seed: int = 0


OnStep = Callable[[int, float], None]


def fit_to_energy(
    model: LatticeGenerator, settings: LawTraining, on_step: OnStep = lambda step, loss: None
) -> list[float]:
    """Train without reference configurations; see the module docstring.

    Returns
    -------
    list of float
        F of every step: minus a noisy lower bound on log Z where the coupling is the full one.
    """
    generator = torch.Generator(device=model.device).manual_seed(settings.seed)

    def loss_at(position: float) -> tuple[Tensor, float]:
        rise = min(1.0, position / settings.annealing) if settings.annealing else 1.0
        power = _LEAST_POWER + (1.0 - _LEAST_POWER) * rise
        configurations, log_prob = model.draw_learned(settings.batch_size, generator)
        with torch.no_grad():
            f = log_prob - model.refinement.log_marginal(configurations, power)
        return ((f - f.mean()) * log_prob).mean(), float(f.mean())

    return minimise(model, settings, loss_at, on_step)


def fit_to_reference(
    model: LatticeGenerator,
    configurations: Tensor,
    settings: LawTraining,
    on_step: OnStep = lambda step, loss: None,
) -> list[float]:
    """Train by maximum likelihood on reference configurations, shape (n, n_sites) or (n, *shape), any dtype.

    Returns
    -------
    list of float
        -<log q> of all but the exact sites, of every step.
    """
    generator = torch.Generator(device=model.device).manual_seed(settings.seed)
    reference = configurations.reshape(len(configurations), -1).to(model.device)
    group = SpaceGroup(model.system.lattice).to(model.device)
    refinement = model.refinement
    levels = _levels(model, settings.batch_size)

    def batch(n: int) -> Tensor:
        chosen = torch.randint(len(reference), (n,), generator=generator, device=model.device)
        return group.move(reference[chosen].float(), generator)

    def loss_at(position: float) -> tuple[Tensor, float]:
        coarse = refinement.restrict(batch(_MOST_COARSE))
        loss = -model.root.log_prob(coarse).mean()
        for size, numbers in levels:
            loss = loss - refinement.learned_log_density(batch(size), numbers).mean()
        return loss, float(loss.detach())

    return minimise(model, settings, loss_at, on_step)


def _levels(model: LatticeGenerator, batch_size: int) -> list[tuple[int, list[int]]]:
    """Size of the batch, and numbers of the learned classes, of every level: as many sites on each."""
    numbers: dict[int, list[int]] = {}
    for k, one in enumerate(model.refinement.classes.learned):
        numbers.setdefault(one.level, []).append(k)
    sizes = {
        level: sum(len(model.refinement.classes.learned[k].sites) for k in found)
        for level, found in numbers.items()
    }
    most = max(sizes.values(), default=1)
    return [(min(batch_size * most // sizes[level], _MOST_COARSE), numbers[level]) for level in numbers]


def minimise(
    model: Module,
    settings: LawTraining,
    loss_at: Callable[[float], tuple[Tensor, float]],
    on_step: OnStep,
) -> list[float]:
    """Adam on the loss that `loss_at` gives, with a value to record, at a position in the run from 0 to 1.

    Raises
    ------
    TrainingError
        If the loss is not finite.
    """
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=settings.learning_rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, max(settings.n_steps, 1), pct_start=_WARM_UP
    )
    values = []
    for step in range(settings.n_steps):
        loss, value = loss_at(step / settings.n_steps)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"training stopped at step {step}: the loss must be finite, got {float(loss.detach())}; "
                "lower learning_rate"
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings.max_gradient)
        optimizer.step()
        schedule.step()
        values.append(value)
        on_step(step + 1, value)
    return values
