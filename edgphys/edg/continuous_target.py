# SPDX-License-Identifier: MIT
"""Targets for decoders that use the gradient of the energy; they count what they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.target import AbstractTarget
from edgphys.systems.base import AbstractSystem
from edgphys.systems.continuous import AbstractContinuousSystem

__all__ = ["AbstractCountedTarget", "ContinuousTarget", "CountedTarget"]


class AbstractCountedTarget(nn.Module):
    """Energy and gradient of n_dims variables, with counters; concrete targets are final.

    Attributes
    ----------
    system : AbstractSystem
        What is sampled in the end.
    n_dims : int
    n_energy_calls, n_gradient_calls : int
        Evaluations so far, counted per configuration. A gradient gives the energy with it, and an energy to
        be differentiated counts as a gradient. Kept in the ``state_dict``.
    """

    system: AbstractSystem
    n_dims: int

    def __init__(self) -> None:
        super().__init__()
        self.n_energy_calls = self.n_gradient_calls = 0

    def get_extra_state(self) -> Tensor:
        """Counters, for the ``state_dict``."""
        return torch.tensor([self.n_energy_calls, self.n_gradient_calls])

    def set_extra_state(self, state: Tensor) -> None:
        """Counters, from a ``state_dict``."""
        self.n_energy_calls, self.n_gradient_calls = (int(value) for value in state)

    def energy(self, x: Tensor) -> Tensor:
        """Energy to train on, shape (n_batch,), for x of shape (n_batch, n_dims); differentiable."""
        if x.requires_grad and torch.is_grad_enabled():
            self.n_gradient_calls += len(x)
        else:
            self.n_energy_calls += len(x)
        return self._energy(x)

    def gradient(self, x: Tensor) -> Tensor:
        """Gradient of `energy`, shape of x; differentiable."""
        self.n_gradient_calls += len(x)
        return self._gradient(x)

    @abstractmethod
    def _energy(self, x: Tensor) -> Tensor:
        """`energy`."""

    @abstractmethod
    def _gradient(self, x: Tensor) -> Tensor:
        """`gradient`."""

    @abstractmethod
    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Log-density, float64 (n_batch,), and the flat configurations that carry it."""

    @abstractmethod
    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """x of given flat configurations, and its log-density."""


@final
class ContinuousTarget(AbstractCountedTarget):
    """A continuous system: its own variables, nothing summed.

    Parameters
    ----------
    system : AbstractContinuousSystem
    training_system : AbstractContinuousSystem, optional
        Whose energy stands in for that of `system` in training (a softened core); `system` by default. The
        weights always take that of `system`.
    """

    def __init__(
        self, system: AbstractContinuousSystem, training_system: AbstractContinuousSystem | None = None
    ) -> None:
        super().__init__()
        self.system, self.n_dims = system, system.n_variables
        self.training_system = training_system or system

    def _energy(self, x: Tensor) -> Tensor:
        return self.training_system.reduced_energy(x)

    def _gradient(self, x: Tensor) -> Tensor:
        return self.training_system.gradient(x)

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = x.double()
        return -self.system.reduced_energy(x), self.system.to_configurations(x).flatten(1)

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        points = configurations.reshape(len(configurations), *self.system.event_shape)
        # Particles: the mean of the positions is dropped; positions given flat would not tell.
        if hasattr(self.system, "from_configurations"):
            points = self.system.from_configurations(points)
        x = points.flatten(1)
        return x, -self.system.reduced_energy(x.double())


@final
class CountedTarget(AbstractCountedTarget):
    """A lattice target, with its gradient by automatic differentiation.

    Parameters
    ----------
    inner : AbstractTarget
    """

    def __init__(self, inner: AbstractTarget) -> None:
        super().__init__()
        self.inner, self.system, self.n_dims = inner, inner.system, inner.n_dims

    def _energy(self, x: Tensor) -> Tensor:
        return self.inner.energy(x)

    def _gradient(self, x: Tensor) -> Tensor:
        differentiable = torch.is_grad_enabled() and x.requires_grad
        with torch.enable_grad():
            at = x if differentiable else x.detach().requires_grad_()
            return torch.autograd.grad(self.inner.energy(at).sum(), at, create_graph=differentiable)[0]

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.inner.lift(x, generator)

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.inner.lower(configurations, generator)
