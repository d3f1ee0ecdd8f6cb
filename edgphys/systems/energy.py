# SPDX-License-Identifier: MIT
"""Energy, observables and action terms of configurations, as arrays or tensors: what every system evaluates.

Every energy is also linear in a few couplings, weight = exp(-sum_c a_c X_c(configuration)), with the numbers
a = `action_coefficients` and the per-configuration sums X = `action_terms`. Replica exchange, thermodynamic
integration and MBAR need nothing else.

Arrays have one batch axis and then the axes of one configuration, or a single flat axis: (n_batch,
*event_shape) or (n_batch, n_variables). A concrete class gives `_energy`, and `_measure` and `_action_terms`
where there is more than the energy, of flat floating configurations that are checked here.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["AbstractEnergy"]

# Numbers handled at a time by `measure`: float64 copies stay below 32 MiB however many draws come in.
_CHUNK = 1 << 22


class AbstractEnergy(ABC):
    """What a system evaluates on its configurations; see `edgphys.systems.base` for the rest.

    Attributes
    ----------
    event_shape : tuple of int
        Shape of one configuration.
    temperature : float
        k_B = 1.
    weighs_energy : bool
        Whether the weight of a configuration is exp(-energy / temperature), up to a constant.
    """

    event_shape: tuple[int, ...]
    temperature: float = 1.0
    weighs_energy: ClassVar[bool] = True

    @property
    def beta(self) -> float:
        """Inverse temperature."""
        return 1.0 / self.temperature

    @property
    def n_variables(self) -> int:
        """Number of variables of one configuration."""
        return math.prod(self.event_shape)

    @abstractmethod
    def _energy(self, flat: Tensor) -> Tensor:
        """Total energy of floating (n_batch, n_variables) configurations."""

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Observables other than the energy."""
        return {}

    @property
    def action_coefficients(self) -> NDArray[np.float64]:
        """a, shape (n_terms,): the weight of a configuration is ``exp(-a . X)``, X its `action_terms`.

        Unless the system says more, (beta,) for the term (energy,): the temperature is the only coupling.
        """
        return np.array([self.beta])

    def _action_terms(self, flat: Tensor) -> Tensor:
        """X of floating (n_batch, n_variables) configurations, shape (n_batch, n_terms)."""
        return self._energy(flat)[:, None]

    @overload
    def energy(self, configurations: Tensor) -> Tensor: ...

    @overload
    def energy(self, configurations: NDArray) -> NDArray[np.float64]: ...

    def energy(self, configurations):
        """Total, extensive energy of each configuration, shape (n_batch,).

        Parameters
        ----------
        configurations : torch tensor or numpy array, shape (n_batch, *event_shape) or (n_batch, n_variables)
            Integers are taken as float64; a floating tensor keeps its dtype and device.

        Returns
        -------
        Tensor or float64 array, shape (n_batch,)
            Of the kind that came in.
        """
        if isinstance(configurations, torch.Tensor):
            flat = self._flat(configurations, "configurations")
            return self._energy(flat if flat.is_floating_point() else flat.double())
        return self._energy(torch.from_numpy(self._flat_array(configurations))).detach().numpy()

    def _action(self, flat: Tensor) -> Tensor:
        """Minus the log of the weight of floating (n_batch, n_variables) configurations."""
        return self.beta * self._energy(flat)

    @overload
    def action(self, configurations: Tensor) -> Tensor: ...

    @overload
    def action(self, configurations: NDArray) -> NDArray[np.float64]: ...

    def action(self, configurations):
        """Minus the log of the weight of each configuration, shape (n_batch,); of the kind that came in.

        ``beta energy``, unless the energy is an estimator of another kind: of a quantum system.
        """
        if isinstance(configurations, torch.Tensor):
            flat = self._flat(configurations, "configurations")
            return self._action(flat if flat.is_floating_point() else flat.double())
        return self._action(torch.from_numpy(self._flat_array(configurations))).detach().numpy()

    def measure(self, configurations: Tensor | NDArray) -> dict[str, NDArray[np.float64]]:
        """Observables of each configuration, in float64: name -> array of shape (n_batch,).

        Parameters
        ----------
        configurations : torch tensor or numpy array, shape (n_batch, *event_shape) or (n_batch, n_variables)
            As `to_configurations` gives them.

        Returns
        -------
        dict of str to float64 array
            `energy` and what the system adds; see `definitions`.
        """
        if isinstance(configurations, torch.Tensor):
            flat = self._flat(configurations, "configurations").detach().cpu().numpy()
        else:
            flat = configurations
            _check_shape(np.shape(flat), self, "configurations")
        rows = max(1, _CHUNK // self.n_variables)
        starts = range(0, max(1, len(flat)), rows)
        parts = [self._measure_chunk(self._flat_array(flat[start : start + rows])) for start in starts]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def measure_with_action(self, configurations: Tensor | NDArray) -> dict[str, NDArray[np.float64]]:
        """`measure`, and the action as ``reduced_energy``."""
        columns = self.measure(configurations)
        if self.weighs_energy:
            return {**columns, "reduced_energy": self.beta * columns["energy"]}
        action = torch.as_tensor(self.action(configurations))
        return {**columns, "reduced_energy": action.detach().double().cpu().numpy()}

    def action_terms(self, configurations: Tensor | NDArray) -> NDArray[np.float64]:
        """X of each configuration, shape (n_batch, n_terms), so that its weight is ``exp(-a . X)``.

        X depends on the geometry alone: the same X serves every value of every coupling.

        Parameters
        ----------
        configurations : torch tensor or numpy array, shape (n_batch, *event_shape) or (n_batch, n_variables)

        Returns
        -------
        float64 array, shape (n_batch, n_terms)
        """
        if isinstance(configurations, torch.Tensor):
            configurations = self._flat(configurations, "configurations").detach().cpu().numpy()
        return self._action_terms(torch.from_numpy(self._flat_array(configurations))).detach().numpy()

    def _measure_chunk(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        energy = self._energy(torch.from_numpy(flat)).detach().numpy()
        return {"energy": energy, **self._measure(flat)}

    def _field(self, x: Tensor) -> Tensor:
        """The gate of the differentiable functions: a floating tensor as (n_batch, n_variables)."""
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"x must be a torch tensor, got {type(x).__name__}")
        if x.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"x must be float32 or float64, got {x.dtype}")
        return self._flat(x, "x")

    def _flat(self, x: Tensor, argument: str) -> Tensor:
        _check_shape(x.shape, self, argument)
        return x.reshape(x.shape[0], self.n_variables)

    def _flat_array(self, x: NDArray) -> NDArray[np.float64]:
        _check_shape(np.shape(x), self, "configurations")
        # A copy: torch refuses read-only and negatively strided memory.
        return np.array(x, dtype=np.float64, order="C").reshape(len(x), self.n_variables)


def _check_shape(shape: tuple[int, ...], system: AbstractEnergy, argument: str) -> None:
    event, n_variables = system.event_shape, system.n_variables
    if len(shape) < 2 or tuple(shape[1:]) not in (event, (n_variables,)):
        shapes = dict.fromkeys(", ".join(map(str, one)) for one in (event, (n_variables,)))
        allowed = " or ".join(f"(n_batch, {sizes})" for sizes in shapes)
        raise ValueError(f"{argument} must have shape {allowed}, got {tuple(shape)}")
