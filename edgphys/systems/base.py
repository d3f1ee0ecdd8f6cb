# SPDX-License-Identifier: MIT
"""What every system is: a reduced energy, its gradient, its symmetries, and what is exactly known about it.

The weight of a point x is ``exp(-reduced_energy(x))``, with no further beta, and its integral over x is the
partition function Z exactly: all constants are included. Samplers and networks see only this interface:

    x  --reduced_energy, gradient-->  training and weights
    x  --to_configurations-->  configurations  --energy, measure-->  observables (per draw)

Every energy is also linear in a few couplings, weight = exp(-sum_c a_c X_c(configuration)), with the numbers
a = `action_coefficients` and the per-configuration sums X = `action_terms`. Replica exchange, thermodynamic
integration and MBAR need nothing else.

Arrays have one batch axis and then the axes of one configuration, or a single flat axis: (n_batch,
*event_shape) or (n_batch, n_variables). What lattices add is in `edgphys.systems.lattice.base`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgphys._checks import instance

__all__ = ["AbstractSystem", "check_system"]

# Numbers handled at a time by `measure`: float64 copies stay below 32 MiB however many draws come in.
_CHUNK = 1 << 22


class AbstractSystem(ABC):
    """Declaration of a system; concrete systems are final and hold their fields themselves.

    Attributes
    ----------
    name : str
        Name in the registry, such as "ising" or "phi4".
    family : str
        Which Monte Carlo algorithms apply: "ising", "phi4" or "continuous".
    parameters : dict of str to float
        Constructor keywords, enough to rebuild the system (see `replace`).
    temperature, beta : float
        k_B = 1, ``beta = 1 / temperature``; 1 for systems whose weight is exp(-action).
    event_shape : tuple of int
        Shape of one configuration.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    parameters: dict[str, float]
    temperature: float
    event_shape: tuple[int, ...]

    @property
    def beta(self) -> float:
        """Inverse temperature."""
        return 1.0 / self.temperature

    @property
    def n_variables(self) -> int:
        """Number of variables of one configuration."""
        return math.prod(self.event_shape)

    @property
    @abstractmethod
    def symmetries(self) -> tuple[str, ...]:
        """Names of the symmetries of the energy, such as "translation" or "z2"."""

    @property
    @abstractmethod
    def conditions(self) -> tuple[str, ...]:
        """Names of the parameters that one model may be conditioned on."""

    @property
    @abstractmethod
    def exact(self) -> tuple[str, ...]:
        """Names of the estimates that `exact_results` gives for this instance."""

    @property
    @abstractmethod
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""

    @abstractmethod
    def reduced_energy(self, x: Tensor) -> Tensor:
        """-log of the unnormalised density whose integral over x is Z, shape (n_batch,); differentiable."""

    @abstractmethod
    def gradient(self, x: Tensor) -> Tensor:
        """Gradient of `reduced_energy` in closed form, shape of x, itself differentiable."""

    @abstractmethod
    def to_configurations(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Physical configurations, shape (n_batch, *event_shape), that carry the same weight as x."""

    @abstractmethod
    def exact_results(self) -> dict[str, float]:
        """Exact values of the estimates named in `exact`."""

    @property
    def action_coefficients(self) -> NDArray[np.float64]:
        """a, shape (n_terms,): the weight of a configuration is ``exp(-a . X)``, X its `action_terms`.

        Unless the system says more, (beta,) for the term (energy,): the temperature is the only coupling.
        """
        return np.array([self.beta])

    def _action_terms(self, flat: Tensor) -> Tensor:
        """X of floating (n_batch, n_variables) configurations, shape (n_batch, n_terms)."""
        return self._energy(flat)[:, None]

    @abstractmethod
    def _energy(self, flat: Tensor) -> Tensor:
        """Total energy of floating (n_batch, n_variables) configurations."""

    @abstractmethod
    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Observables other than the energy."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What tells this system from any other, as JSON types."""

    @abstractmethod
    def replace(self, **changes: float) -> AbstractSystem:
        """The same system with some parameters changed."""

    def energy(self, configurations: Tensor | NDArray) -> Tensor | NDArray[np.float64]:
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
        if isinstance(configurations, Tensor):
            flat = self._flat(configurations, "configurations")
            return self._energy(flat if flat.is_floating_point() else flat.double())
        return self._energy(torch.from_numpy(self._flat_array(configurations))).detach().numpy()

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
        if isinstance(configurations, Tensor):
            flat = self._flat(configurations, "configurations").detach().cpu().numpy()
        else:
            flat = configurations
            _check_shape(np.shape(flat), self, "configurations")
        rows = max(1, _CHUNK // self.n_variables)
        starts = range(0, max(1, len(flat)), rows)
        parts = [self._measure_chunk(self._flat_array(flat[start : start + rows])) for start in starts]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

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
        if isinstance(configurations, Tensor):
            configurations = self._flat(configurations, "configurations").detach().cpu().numpy()
        return self._action_terms(torch.from_numpy(self._flat_array(configurations))).detach().numpy()

    def _measure_chunk(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        energy = self._energy(torch.from_numpy(flat)).detach().numpy()
        return {"energy": energy, **self._measure(flat)}

    def _field(self, x: Tensor) -> Tensor:
        """The gate of the differentiable functions: a floating tensor as (n_batch, n_variables)."""
        if not isinstance(x, Tensor):
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


def _check_shape(shape: tuple[int, ...], system: AbstractSystem, argument: str) -> None:
    event, n_variables = system.event_shape, system.n_variables
    if len(shape) < 2 or tuple(shape[1:]) not in (event, (n_variables,)):
        shapes = dict.fromkeys(", ".join(map(str, one)) for one in (event, (n_variables,)))
        allowed = " or ".join(f"(n_batch, {sizes})" for sizes in shapes)
        raise ValueError(f"{argument} must have shape {allowed}, got {tuple(shape)}")


def check_system(value: Any) -> AbstractSystem:
    """`value` if it is a system.

    Raises
    ------
    TypeError
        If it is none.
    """
    return instance(value, "system", AbstractSystem, "a system of edgphys.systems")
