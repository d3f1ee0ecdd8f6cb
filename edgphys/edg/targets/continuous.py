# SPDX-License-Identifier: MIT
"""Targets for decoders that use the gradient of the energy; they count what they are asked for."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.targets.base import AbstractTarget
from edgphys.systems.base import AbstractSystem
from edgphys.systems.continuous.base import AbstractContinuousSystem

__all__ = ["AbstractCountedTarget", "ContinuousTarget", "CountedTarget", "PhaseSpaceTarget"]


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

    def start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """float64 variables of `training_system`, and their log-density there."""
        x = x.double()
        return x, -self.training_system.reduced_energy(x)

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
class PhaseSpaceTarget(AbstractCountedTarget):
    """A continuous system and momenta of unit variance: the same Z, X = (x, v_1, .., v_K).

    Parameters
    ----------
    inner : ContinuousTarget
    n_momenta : int
        K.
    """

    def __init__(self, inner: ContinuousTarget, n_momenta: int) -> None:
        super().__init__()
        self._inner, self._n_momenta = inner, n_momenta
        self.system, self.training_system = inner.system, inner.training_system
        self.n_dims = (n_momenta + 1) * inner.n_dims

    def _parts(self, phase: Tensor) -> tuple[Tensor, Tensor]:
        """x, and the log-density of the momenta."""
        x, v = phase[:, : self._inner.n_dims], phase[:, self._inner.n_dims :]
        return x, -0.5 * v.double().square().sum(1) - 0.5 * v.shape[1] * math.log(2.0 * math.pi)

    def _energy(self, x: Tensor) -> Tensor:
        x, log_density = self._parts(x)
        return self._inner._energy(x) - log_density.to(x)

    def _gradient(self, x: Tensor) -> Tensor:
        d = self._inner.n_dims
        return torch.cat([self._inner._gradient(x[:, :d]), x[:, d:]], 1)

    def force(self, x: Tensor) -> Tensor:
        """Gradient of the energy of x alone, (n_batch, n_variables); counted, differentiable."""
        self.n_gradient_calls += len(x)
        return self._inner._gradient(x)

    def start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As for the system alone; the log-density is that of X."""
        x, log_momenta = self._parts(x)
        x, log_density = self._inner.start(x)
        return x, log_density + log_momenta

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, log_momenta = self._parts(x)
        log_density, configurations = self._inner.lift(x, generator)
        return log_density + log_momenta, configurations

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, log_density = self._inner.lower(configurations, generator)
        size = (len(x), self._n_momenta * x.shape[1])
        v = torch.randn(size, generator=generator, device=x.device, dtype=x.dtype)
        phase = torch.cat([x, v], 1)
        return phase, log_density + self._parts(phase)[1]


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
