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

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import instance
from edgphys._lazy import LazyModule
from edgphys.errors import NotExactError
from edgphys.systems.records import SystemRecord
from edgphys.systems.reference import ReferencePath
from lattices import Lattice

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["AbstractSystem", "check_system"]

# Numbers handled at a time by `measure`: float64 copies stay below 32 MiB however many draws come in.
_CHUNK = 1 << 22


class AbstractSystem(ABC):
    """Declaration of a system; concrete systems are final and hold their fields themselves.

    A class must give `name`, `event_shape`, `parameters`, `reduced_energy` and `_energy`; the rest has
    defaults, which say "nothing special". Whoever needs something from a system asks for it here.

    Attributes
    ----------
    name : str
        Name in commands and datasets, such as "ising" or "phi4".
    family : str
        Which Monte Carlo algorithms apply: "ising", "phi4", "continuous" for those that move real variables
        by their energy and gradient; "none", the default on a lattice, or a name of one's own: none of them.
    geometry : {"lattice", "continuous", "particles"}
        Which of the three families of the house; set by the three abstract classes.
    record : SystemRecord or None
        What the registry and the command line tell of the class.
    parameters : dict of str to float
        Constructor keywords, enough to rebuild the system (see `replace`).
    temperature, beta : float
        k_B = 1, ``beta = 1 / temperature``; 1 for systems whose weight is exp(-action).
    event_shape : tuple of int
        Shape of one configuration.
    lattice : Lattice or None
        Where it lives.
    observables : tuple of str
        Names that `measure` gives after `energy`.
    basins : tuple of str
        () or two names, see `edgphys.systems.continuous.base`.
    width : float
        Length over which the density varies: the scale of broad starts and of the first steps of a chain.
    has_reference : bool
        Whether `reference` gives a path.
    """

    name: str
    family: ClassVar[str] = "none"
    geometry: ClassVar[str]
    record: ClassVar[SystemRecord | None] = None
    has_reference: ClassVar[bool] = False
    parameters: dict[str, Any]
    temperature: float = 1.0
    event_shape: tuple[int, ...]
    lattice: Lattice | None = None
    observables: tuple[str, ...] = ()
    basins: tuple[str, ...] = ()
    width: float = 1.0

    # ------------------------------------------------------------------------------------- what it is

    @property
    def beta(self) -> float:
        """Inverse temperature."""
        return 1.0 / self.temperature

    @property
    def n_variables(self) -> int:
        """Number of variables of one configuration."""
        return math.prod(self.event_shape)

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Names of the symmetries of the energy, such as "translation" or "z2"."""
        return ()

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the parameters that one model may be conditioned on."""
        return ()

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        return {
            "energy": "total energy of a configuration, in the units of the temperature; average <E>",
            "reduced_energy": "-log of the density that integrates to Z, all constants included",
            "log_z": "log of Z, natural logarithm",
            "free_energy": "-T log_z, in the units of the temperature",
        }

    @property
    def n_blocks(self) -> int:
        """Number of consecutive blocks of variables that are independent and have one law."""
        return 1

    @property
    def easy_parameters(self) -> dict[str, float]:
        """Parameters that differ where a sampler is to be trained first: no barriers, no hard core.

        Empty if there are none to avoid.
        """
        return {}

    @property
    def follows_from_parameters(self) -> bool:
        """False for a system that holds a function or data of its own besides lattice and parameters."""
        return True

    def identity(self) -> dict[str, Any]:
        """What tells this system from any other, as JSON types: name, parameters, and more where needed."""
        return {"system": self.name, "parameters": self.parameters}

    def replace(self, **changes: Any) -> Self:
        """The same system with some parameters changed."""
        return type(self)(**{**self.parameters, **changes})

    def configuration_dims(self) -> tuple[str, ...]:
        """Names of the dimensions of one configuration."""
        n_axes = len(self.event_shape)
        return ("coordinate",) if n_axes == 1 else tuple(f"axis_{k}" for k in range(n_axes))

    def attrs(self) -> dict[str, str | int | float | list[int]]:
        """What every dataset says of the system: plain str, int, float and lists of int, or JSON text."""
        return {
            "system": self.name,
            **self._geometry_attrs(),
            "parameters": json.dumps(self.parameters),
            "temperature": float(self.temperature),
            "beta": float(self.beta),
            "definitions": json.dumps(self.definitions),
        }

    def _geometry_attrs(self) -> dict[str, str | int | float | list[int]]:
        measured = {"observables": json.dumps(self.observables), "basins": json.dumps(self.basins)}
        return {"n_variables": int(self.n_variables), **measured}

    # ---------------------------------------------------------------------------- what is known of it

    @property
    def exact(self) -> tuple[str, ...]:
        """Names of the estimates that `exact_results` gives for this instance."""
        return ()

    def exact_results(self) -> dict[str, float]:
        """Exact values of the estimates named in `exact`."""
        return {}

    def reference(self) -> ReferencePath:
        """The path to this system from one of known log Z.

        Raises
        ------
        NotExactError
            If there is none; `has_reference` says so before.
        """
        raise NotExactError(f"system must have a reference of known log Z, got {self.name}, which has none")

    def why_no_ladder(self) -> str | None:
        """Why no ladder of chains from a known reference can give its log Z; None if one can."""
        if self.has_reference:
            return None
        return f"system must have a reference of known log Z, got {self.name}, which has none"

    # --------------------------------------------------------------- densities, in torch, differentiable

    @abstractmethod
    def reduced_energy(self, x: Tensor) -> Tensor:
        """-log of the unnormalised density whose integral over x is Z, shape (n_batch,); differentiable."""

    def gradient(self, x: Tensor) -> Tensor:
        """Gradient of `reduced_energy`, shape of x, itself differentiable; by autograd unless given."""
        differentiable = torch.is_grad_enabled() and x.requires_grad
        # In inference mode, too, there is a gradient to take; a clone is an ordinary tensor again.
        with torch.inference_mode(False), torch.enable_grad():
            at = x if differentiable else x.detach().clone().requires_grad_()
            return torch.autograd.grad(self.reduced_energy(at).sum(), at, create_graph=differentiable)[0]

    def to_configurations(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Physical configurations, shape (n_batch, *event_shape), that carry the same weight as x.

        x itself, unless the class says otherwise.
        """
        return self._field(x).reshape(-1, *self.event_shape)

    def from_configurations(self, configurations: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """x, shape (n_batch, n_variables), that gives these configurations: the way back.

        Raises
        ------
        NotExactError
            If the class gives `to_configurations` only.
        """
        if type(self).to_configurations is not AbstractSystem.to_configurations:
            raise NotExactError(f"{self.name} must give from_configurations, the way back, got none")
        return self._field(configurations)

    # ----------------------------------------------------------------------------- for Markov chains

    @property
    def kernel(self) -> Callable | None:
        """Energy and gradient in numba, see `edgphys.systems.continuous.base`."""
        return None

    @property
    def energy_kernel(self) -> Callable | None:
        """As `kernel`, but the gradient may be left alone; for algorithms without gradients."""
        return self.kernel

    @property
    def terms_kernel(self) -> Callable | None:
        """``(x, terms_out, parameters) -> 0.0`` in numba: all `action_terms`, where there are several."""
        return None

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        """Third argument of the kernels."""
        return np.empty(0)

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Spread configurations to start from, float64 (n, n_variables), in the system's own values.

        Of normal variables of the scale `width`, unless the class says otherwise.
        """
        x = torch.from_numpy(self.width * rng.standard_normal((n, self.n_variables)))
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        return self.to_configurations(x, generator).reshape(n, -1).numpy()

    def energy_and_gradient(self, x: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """E and dE/dx (not divided by T) of a batch.

        Parameters
        ----------
        x : float64 array, shape (n_batch, n_variables)

        Returns
        -------
        float64 arrays, shapes (n_batch,) and (n_batch, n_variables)
        """
        points = torch.from_numpy(x)
        energy, gradient = self.reduced_energy(points), self.gradient(points)
        return (self.temperature * energy.detach()).numpy(), (self.temperature * gradient.detach()).numpy()

    def observe(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """The `observables` of a float64 array (n_batch, n_variables): `measure` without the energy.

        Not checked: chains call it at every draw.
        """
        return self._measure(flat)

    @property
    def action_coefficients(self) -> NDArray[np.float64]:
        """a, shape (n_terms,): the weight of a configuration is ``exp(-a . X)``, X its `action_terms`.

        Unless the system says more, (beta,) for the term (energy,): the temperature is the only coupling.
        """
        return np.array([self.beta])

    def _action_terms(self, flat: Tensor) -> Tensor:
        """X of floating (n_batch, n_variables) configurations, shape (n_batch, n_terms)."""
        return self._energy(flat)[:, None]

    # ------------------------------------------------------------------------ energies and observables

    @abstractmethod
    def _energy(self, flat: Tensor) -> Tensor:
        """Total energy of floating (n_batch, n_variables) configurations."""

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Observables other than the energy."""
        return {}

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
