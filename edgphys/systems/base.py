# SPDX-License-Identifier: MIT
"""What every system is: a reduced energy, its gradient, its symmetries, and what is exactly known about it.

The weight of a point x is ``exp(-reduced_energy(x))``, with no further beta, and its integral over x is the
partition function Z exactly: all constants are included. Samplers and networks see only this interface:

    x  --reduced_energy, gradient-->  training and weights
    x  --to_configurations-->  configurations  --energy, measure-->  observables (per draw)

Arrays have one batch axis and then either the lattice axes, (n_batch, *event_shape), or one site axis,
(n_batch, n_sites).
"""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgphys.systems.observables import LatticeObservables
from lattices import Lattice

__all__ = ["AbstractSystem", "check_lattice", "check_number"]

# Numbers handled at a time by `measure`: float64 copies stay below 32 MiB however many draws come in.
_CHUNK = 1 << 22


class AbstractSystem(ABC):
    """Declaration of a lattice system; concrete systems are final and hold their fields themselves.

    Attributes
    ----------
    name : str
        Name in the registry, "ising" or "phi4".
    lattice : Lattice
        Geometry; `n_sites` and ``event_shape = lattice.shape`` come from it.
    parameters : dict of str to float
        Constructor keywords, enough to rebuild the system: ``type(s)(s.lattice, **s.parameters)``.
    temperature, beta : float
        k_B = 1, ``beta = 1 / temperature``; 1 for systems whose weight is exp(-action).
    """

    name: ClassVar[str]
    lattice: Lattice
    parameters: dict[str, float]
    temperature: float
    _observables: LatticeObservables

    @property
    def beta(self) -> float:
        """Inverse temperature."""
        return 1.0 / self.temperature

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return self.lattice.n_sites

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one configuration, with the lattice axes apart."""
        return tuple(self.lattice.shape)

    @property
    @abstractmethod
    def symmetries(self) -> tuple[str, ...]:
        """Subset of ("translation", "point_group", "z2").

        "translation" means along every axis; a lattice with an open axis does not declare it.
        """

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

    @abstractmethod
    def _energy(self, flat: Tensor) -> Tensor:
        """Total energy of floating (n_batch, n_sites) fields."""

    def _measure_more(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Observables beyond the shared ones."""
        return {}

    def energy(self, configurations: Tensor | NDArray) -> Tensor | NDArray[np.float64]:
        """Total, extensive energy of each configuration, shape (n_batch,).

        Parameters
        ----------
        configurations : torch tensor or numpy array, shape (n_batch, *event_shape) or (n_batch, n_sites)
            Integers are taken as float64; a floating tensor keeps its dtype and device.

        Returns
        -------
        Tensor or float64 array, shape (n_batch,)
            Of the kind that came in.
        """
        if isinstance(configurations, Tensor):
            flat = self._flat(configurations, "configurations")
            return self._energy(flat if flat.is_floating_point() else flat.double())
        return self._energy(torch.from_numpy(self._flat_array(configurations))).numpy()

    def measure(self, configurations: Tensor | NDArray) -> dict[str, NDArray[np.float64]]:
        """Observables of each configuration, in float64: name -> array of shape (n_batch,).

        Parameters
        ----------
        configurations : torch tensor or numpy array, shape (n_batch, *event_shape) or (n_batch, n_sites)
            As `to_configurations` gives them.

        Returns
        -------
        dict of str to float64 array
            `energy`, `magnetization`, `abs_magnetization`, `magnetization_2`, `magnetization_4`,
            `correlator_zero`, and `correlator_min` on lattices periodic along all axes; the system may add
            its own. See `definitions`.
        """
        if isinstance(configurations, Tensor):
            flat = self._flat(configurations, "configurations").detach().cpu().numpy()
        else:
            flat = configurations
            _check_shape(np.shape(flat), self, "configurations")
        rows = max(1, _CHUNK // self.n_sites)
        starts = range(0, max(1, len(flat)), rows)
        parts = [self._measure_chunk(self._flat_array(flat[start : start + rows])) for start in starts]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def replace(self, **changes: float) -> AbstractSystem:
        """The same system on the same lattice with some parameters changed.

        Examples
        --------
        >>> import lattices
        >>> from edgphys.systems import Ising
        >>> Ising(lattices.build("chain", (4,)), temperature=1.0).replace(temperature=2.0).beta
        0.5
        """
        return type(self)(self.lattice, **{**self.parameters, **changes})

    def _measure_chunk(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        energy = self._energy(torch.from_numpy(flat)).numpy()
        return {"energy": energy, **self._observables(flat), **self._measure_more(flat)}

    def _field(self, x: Tensor) -> Tensor:
        """The gate of the differentiable functions: a floating tensor, flattened to (n_batch, n_sites)."""
        if not isinstance(x, Tensor):
            raise TypeError(f"x must be a torch tensor, got {type(x).__name__}")
        if x.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"x must be float32 or float64, got {x.dtype}")
        return self._flat(x, "x")

    def _flat(self, x: Tensor, argument: str) -> Tensor:
        _check_shape(x.shape, self, argument)
        return x.reshape(x.shape[0], self.n_sites)

    def _flat_array(self, x: NDArray) -> NDArray[np.float64]:
        _check_shape(np.shape(x), self, "configurations")
        # A copy: torch refuses read-only and negatively strided memory.
        return np.array(x, dtype=np.float64, order="C").reshape(len(x), self.n_sites)

    def __repr__(self) -> str:
        values = ", ".join(f"{key}={value:g}" for key, value in self.parameters.items())
        extent = "x".join(map(str, self.lattice.extent))
        return f"{type(self).__name__}({self.lattice.name} {extent}, {values})"


def _check_shape(shape: tuple[int, ...], system: AbstractSystem, argument: str) -> None:
    event, n_sites = system.event_shape, system.n_sites
    if len(shape) < 2 or tuple(shape[1:]) not in (event, (n_sites,)):
        sizes = ", ".join(map(str, event))
        allowed = f"(n_batch, {sizes}) or (n_batch, {n_sites})"
        raise ValueError(f"{argument} must have shape {allowed}, got {tuple(shape)}")


def check_lattice(lattice: Any) -> Lattice:
    """`lattice` itself; TypeError with advice unless it is a Lattice."""
    if not isinstance(lattice, Lattice):
        raise TypeError(f"lattice must be made by lattices.build, got {type(lattice).__name__}")
    return lattice


def check_number(value: Any, name: str, *, positive: bool = False) -> float:
    """`value` as a finite float.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is not finite, or not positive where it must be.

    Examples
    --------
    >>> check_number(2, "temperature", positive=True)
    2.0
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a real number, got {type(value).__name__}")
    allowed = "positive and finite" if positive else "finite"
    if not math.isfinite(value) or (positive and value <= 0):
        raise ValueError(f"{name} must be {allowed}, got {float(value)}")
    return float(value)
