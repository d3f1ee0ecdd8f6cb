# SPDX-License-Identifier: MIT
"""What every system is: a reduced energy, its gradient, its symmetries, and what is exactly known about it.

The weight of a point x is ``exp(-reduced_energy(x))``, with no further beta, and its integral over x is the
partition function Z exactly: all constants are included. Samplers and networks see only this interface:

    x  --reduced_energy, gradient-->  training and weights
    x  --to_configurations-->  configurations  --energy, measure-->  observables (per draw)

What is evaluated on configurations is in `edgphys.systems.energy`. What lattices, coordinates and particles
add is in the three modules `base` of the folders of these names.
"""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import instance
from edgphys._lazy import LazyModule
from edgphys.errors import ArgumentValueError, NotExactError
from edgphys.systems.continuous.domain import Domain
from edgphys.systems.final import Final
from edgphys.systems.observing import AbstractObserving
from edgphys.systems.particles.pair_law import PairLaw
from edgphys.systems.records import SystemRecord
from edgphys.systems.reference_path import ReferencePath
from lattices import Lattice

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["AbstractSystem", "check_energies", "check_finite_integral", "check_system"]


LARGEST_ACTION = 1e150
_N_PROBES = 8


class AbstractSystem(Final, AbstractObserving):
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
    exact_note : str
        How exact results and draws are to be compared, if they are not of the same thing; tables say it.
    domain : Domain or None
        Where the coordinates live, if not on lines, of a class that inherits from
        `edgphys.systems.continuous.folded.FoldedVariables`.
    """

    name: str
    family: ClassVar[str] = "none"
    geometry: ClassVar[str]
    record: ClassVar[SystemRecord | None] = None
    has_reference: ClassVar[bool] = False
    parameters: dict[str, Any]
    lattice: Lattice | None = None
    observables: tuple[str, ...] = ()
    basins: tuple[str, ...] = ()
    width: float = 1.0
    domain: Domain | None = None
    exact_note: ClassVar[str] = ""

    # ------------------------------------------------------------------------------------- what it is

    @property
    def built_on(self) -> Lattice | None:
        """The lattice that the constructor takes."""
        return self.lattice

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Names of the symmetries of the energy, such as "translation" or "z2"."""
        return ()

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the parameters that one model may be conditioned on."""
        return ()

    @property
    def constants(self) -> tuple[str, ...]:
        """Observables that are the same in all configurations, so that they have no error.

        Of any other that does not change from draw to draw, estimates say that its error is unknown.
        """
        return ()

    @property
    def couplings(self) -> dict[str, float]:
        """Values of the `conditions`."""
        return {name: self.parameters[name] for name in self.conditions}

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
    def partial_sums(self) -> tuple[str, ...]:
        """Exact sums over part of a configuration whose formulas hold for this energy.

        "spins": all spins, given a Gaussian field, and one given its neighbours; "equal_spins": those of one
        sublattice too, all in one field and with one coupling; "sites": the field at one site, given its
        neighbours.
        """
        return ()

    @property
    def pair_law(self) -> PairLaw | None:
        """The whole reduced energy as a sum over pairs of identical particles; None if it is none."""
        return None

    @property
    def follows_from_parameters(self) -> bool:
        """False for a system that holds a function or data of its own besides lattice and parameters."""
        return True

    def identity(self) -> dict[str, Any]:
        """What tells this system from any other, as JSON types: name, parameters, and more where needed."""
        return {"system": self.name, "parameters": self.parameters}

    def replace(self, **changes: Any) -> Self:
        """The same system with some parameters changed."""
        return self._told(type(self)(**{**self.parameters, **changes}))

    def attrs(self) -> dict[str, str | int | float | list[int]]:
        """What every dataset says of the system: plain str, int, float and lists of int, or JSON text."""
        return {
            "system": self.name,
            **self._geometry_attrs(),
            "parameters": json.dumps(self.parameters),
            "temperature": float(self.temperature),
            "beta": float(self.beta),
            "definitions": json.dumps(self.definitions | self._own_definitions()),
            **({"constants": json.dumps(self.constants)} if self.constants else {}),
            **({} if self.weighs_energy else {"weighs_energy": 0}),
            **({"exact_note": self.exact_note} if self.exact_note else {}),
            **self._own_attrs(self._geometry_attrs()),
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

    def why_no_decoder(self) -> str | None:
        """Why networks cannot learn the density of x from the gradient of its energy; None if they can.

        Laws of sites need no such gradient, see `edgphys.edg.refinement`.
        """
        return None

    def why_infinite(self) -> str | None:
        """Why the integral of its density seems to be infinite; None if nothing speaks for it."""
        return None

    # --------------------------------------------------------------- densities, in torch, differentiable

    @abstractmethod
    def reduced_energy(self, x: Tensor) -> Tensor:
        """-log of the unnormalised density whose integral over x is Z, shape (n_batch,); differentiable."""

    @property
    def n_coordinates(self) -> int:
        """Number of coordinates of x; that of a configuration, unless the class says otherwise."""
        return self.n_variables

    def some_points(self, n: int) -> Tensor:
        """n points x at which the energy may be looked at, the same at every call, (n, n_coordinates)."""
        values = torch.from_numpy(self.random_configurations(n, np.random.default_rng(0)))
        if values.shape[1] == self.n_coordinates:
            return values
        return self.from_configurations(values, torch.Generator().manual_seed(0)).flatten(1)

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

    @property
    def has_way_back(self) -> bool:
        """Whether `from_configurations` is given, where `to_configurations` is."""
        own, base = type(self), AbstractSystem
        is_own = own.from_configurations is not base.from_configurations
        return is_own or own.to_configurations is base.to_configurations

    def from_configurations(self, configurations: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """x, shape (n_batch, n_variables), that gives these configurations: the way back.

        Raises
        ------
        NotExactError
            If the class gives `to_configurations` only.
        """
        if not self.has_way_back:
            raise NotExactError(f"{self.name} must give from_configurations, the way back, got none")
        return self._field(configurations)

    def redrawn(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """x drawn anew given its configuration, shape (n_batch, n_variables): of what a chain has moved.

        x itself where a configuration has one x.
        """
        return x

    def settled(self, configurations: Tensor) -> Tensor:
        """Flat configurations as they are written, of those that a chain has moved: themselves, as a rule."""
        return configurations

    # ----------------------------------------------------------------------------- for Markov chains

    def random_symmetry(self, configurations: Tensor, generator: torch.Generator) -> Tensor:
        """Each configuration moved by an element of the symmetry group of its own, uniformly drawn.

        Parameters
        ----------
        configurations : tensor, shape (n_batch, n_variables)
        generator : torch.Generator
            On their device.

        Returns
        -------
        tensor, shape (n_batch, n_variables)
            Of the same energies. Themselves, unless the system says more.
        """
        return configurations

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


def check_system(value: Any) -> AbstractSystem:
    """`value` if it is a system.

    Raises
    ------
    TypeError
        If it is none.
    """
    return instance(value, "system", AbstractSystem, "a system of edgphys.systems")


def check_energies(system: AbstractSystem, largest: float = LARGEST_ACTION) -> None:
    """Refuse a system whose energies at its starting points leave float64, before anything is computed.

    Parameters
    ----------
    system : AbstractSystem
    largest : float
        Bound on |E / T|; as a rule so that float64 holds the square, too. Points in a wall do not count.

    Raises
    ------
    ArgumentValueError
        If so.
    """
    try:
        with np.errstate(all="ignore"):
            x = system.random_configurations(_N_PROBES, np.random.default_rng(0))
            reduced = np.abs(np.asarray(system.energy(x)) / system.temperature)
            typical = float(np.min(reduced, initial=math.inf, where=~np.isnan(reduced)))
    except (ArithmeticError, ValueError):  # a transform on the way to the points has left it
        typical = math.inf
    if not typical < largest:
        words = f"energies E/T of less than {largest:.3g} in size, which float64 can work with"
        raise ArgumentValueError(f"system must have {words}, got {typical:.3g} of {system!r}", "system")


def check_finite_integral(system: AbstractSystem, name: str = "system") -> None:
    """Refuse a system that seems to have no finite Z, before anything is computed for it.

    Raises
    ------
    ArgumentValueError
        If so; the message says where the energy does not rise.
    """
    reason = system.why_infinite()
    if reason is not None:
        words = f"{name} must have a finite integral of exp(-E/T): confine its energy, or raise a wall; got"
        raise ArgumentValueError(f"{words} {reason}", name)
