# SPDX-License-Identifier: MIT
"""Targets for decoders that use the gradient of the energy; they count what they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgphys.edg.core.model import check_no_condition, log_normal
from edgphys.edg.targets.base import AbstractLatticeTarget, AbstractTarget, Calls
from edgphys.errors import ArgumentValueError
from edgphys.systems.base import AbstractSystem

__all__ = [
    "AbstractCountedTarget",
    "ContinuousTarget",
    "CountedTarget",
    "PhaseSpaceTarget",
    "check_differentiable",
    "eased",
]


class AbstractCountedTarget(AbstractTarget):
    """Energy and gradient of n_dims variables, with counters; concrete targets are final.

    Attributes
    ----------
    n_energy_calls, n_gradient_calls : int
        Evaluations so far, counted per configuration. A gradient gives the energy with it, and an energy to
        be differentiated counts as a gradient. Kept in the ``state_dict``.
    """

    def get_extra_state(self) -> Tensor:
        """Counters, for the ``state_dict``."""
        return torch.tensor([self.n_energy_calls, self.n_gradient_calls])

    def set_extra_state(self, state: Tensor) -> None:
        """Counters, from a ``state_dict``."""
        self.n_energy_calls, self.n_gradient_calls = (int(value) for value in state)

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Energy to train on, shape (n_batch,), for x of shape (n_batch, n_dims); differentiable."""
        check_no_condition(condition)
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
    def starts(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Points, shape (n, n_dims), wider than the density."""

    def at(self, couplings: Mapping[str, float]) -> AbstractCountedTarget:
        """The target of the system at other couplings, with counters of its own."""
        raise NotImplementedError(f"{type(self).__name__} is of one set of couplings")

    def add_calls(self, calls: Calls) -> None:
        """Count what a target `at` other couplings was asked for."""
        self.n_energy_calls += calls.n_energy_calls
        self.n_gradient_calls += calls.n_gradient_calls


@final
class ContinuousTarget(AbstractCountedTarget):
    """A continuous system: its own variables, nothing summed.

    Parameters
    ----------
    system : AbstractContinuousSystem
    changes : mapping of str to float, optional
        Parameters of the system whose energy stands in for that of `system` in training (a softened core),
        where they differ. The weights always take that of `system`.
    """

    can_anneal: ClassVar[bool] = True

    def __init__(self, system: AbstractSystem, changes: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.system, self.n_dims, self._changes = system, system.n_variables, dict(changes or {})
        self._training_system = system.replace(**self._changes) if changes else system

    @property
    def training_system(self) -> AbstractSystem:
        return self._training_system

    def starts(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        return self.training_system.random_configurations(n, rng)

    def at(self, couplings: Mapping[str, float]) -> ContinuousTarget:
        # Those among the changes stay: the training system is then the same for all couplings.
        return ContinuousTarget(self.system.replace(**couplings), self._changes)

    def _energy(self, x: Tensor) -> Tensor:
        return self.training_system.reduced_energy(x)

    def _gradient(self, x: Tensor) -> Tensor:
        return self.training_system.gradient(x)

    def start(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = x.double()
        return x, -self.training_system.reduced_energy(x)

    def lower_start(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = self.training_system.redrawn(x, generator)
        return x, self.start(x, generator)[1]

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = x.double()
        return -self.system.reduced_energy(x), self.system.to_configurations(x, generator).flatten(1)

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        points = configurations.reshape(len(configurations), *self.system.event_shape)
        # Particles: the mean of the positions is dropped; positions given flat would not tell.
        x = self.system.from_configurations(points, generator).flatten(1)
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

    can_anneal: ClassVar[bool] = True

    def __init__(self, inner: ContinuousTarget, n_momenta: int) -> None:
        super().__init__()
        self._inner, self._n_momenta, self.system = inner, n_momenta, inner.system
        self.n_dims = (n_momenta + 1) * inner.n_dims

    @property
    def training_system(self) -> AbstractSystem:
        return self._inner.training_system

    def at(self, couplings: Mapping[str, float]) -> PhaseSpaceTarget:
        return PhaseSpaceTarget(self._inner.at(couplings), self._n_momenta)

    def starts(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        x = self._inner.starts(rng, n)
        return np.concatenate([x, rng.standard_normal((n, self._n_momenta * x.shape[1]))], 1)

    def _parts(self, phase: Tensor) -> tuple[Tensor, Tensor]:
        """x, and the log-density of the momenta."""
        return phase[:, : self._inner.n_dims], log_normal(phase[:, self._inner.n_dims :])

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

    def start(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """As for the system alone; the log-density is that of X."""
        x, log_momenta = self._parts(x)
        x, log_density = self._inner.start(x, generator)
        return x, log_density + log_momenta

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, log_momenta = self._parts(x)
        log_density, configurations = self._inner.lift(x, generator)
        return log_density + log_momenta, configurations

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self._with_momenta(*self._inner.lower(configurations, generator), generator)

    def lower_start(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self._with_momenta(*self._inner.lower_start(x, generator), generator)

    def _with_momenta(
        self, x: Tensor, log_density: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        size = (len(x), self._n_momenta * x.shape[1])
        v = torch.randn(size, generator=generator, device=x.device, dtype=x.dtype)
        phase = torch.cat([x, v], 1)
        return phase, log_density + self._parts(phase)[1]


@final
class CountedTarget(AbstractCountedTarget):
    """A lattice target, with its gradient by automatic differentiation.

    Parameters
    ----------
    inner : AbstractLatticeTarget
    """

    def __init__(self, inner: AbstractLatticeTarget) -> None:
        super().__init__()
        self.inner, self.system, self.n_dims = inner, inner.system, inner.n_dims

    def starts(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        start = self.inner.gaussian_start()
        factor = np.linalg.cholesky(start.mixed_covariance + 1e-9 * np.eye(self.n_dims))
        rows = rng.standard_normal((n, self.n_dims)) @ factor.T
        rows[::2] += start.mean
        rows[1::2] -= start.mean
        return rows

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


def eased(system: AbstractSystem, changes: Any) -> dict[str, float]:
    """Checked parameters at which training sees the system; of None those that it calls easy.

    Raises
    ------
    ArgumentValueError
        If they are no dict, or one of the names is none of its `conditions`.
    """
    changes = system.easy_parameters if changes is None else changes
    if not isinstance(changes, Mapping) or not set(changes) <= set(system.conditions):
        names = ", ".join(system.conditions)
        raise ArgumentValueError(
            f"train_at must be a dict from some of {names} to numbers, got {changes!r}", "train_at"
        )
    system.replace(**changes)
    return {name: float(value) for name, value in changes.items()}


def check_differentiable(target: AbstractCountedTarget) -> None:
    """Refuse a target whose force has no derivative: the training of Hamiltonian steps takes it."""
    x = torch.from_numpy(target.starts(np.random.default_rng(0), 2)).requires_grad_()
    if not target.gradient(x).requires_grad:
        raise ArgumentValueError(
            f"decoder must be 'mixture' for {target.system!r}: its gradient is that of a compiled function, "
            "which torch cannot differentiate again; got 'hamiltonian'",
            "decoder",
        )
