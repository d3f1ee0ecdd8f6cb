# SPDX-License-Identifier: MIT
r"""Any energy function as a system, in one line.

    ring = Potential(lambda x: 50 * (x.norm(dim=1) - 2) ** 2, n_dims=2)

The function is a torch function of a batch, (n_batch, n_dims) -> (n_batch,), whose gradient autograd takes;
it is called in float64 only, and the Markov chains run in torch, many at a time. Or it is a compiled numba
function of one point, (n_dims,) -> float, whose gradient the chains take by central differences: a
Hamiltonian trajectory with them is still reversible and keeps volume, so that no error of the differences
reaches the distribution. Best is both, a torch function and a numba `kernel` with the gradient
(`edgphys.systems.continuous.base` has its signature).

Coordinates live on lines, circles, intervals or half lines, as `domain` says; all three kinds of functions
see points of the domain only (`edgphys.systems.continuous.domain`).
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, final
from weakref import WeakKeyDictionary

import numpy as np
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from edgphys._checks import numbers_of, positive, temperature_of, whole
from edgphys._lazy import LazyModule
from edgphys._sizes import MOST_DIMS
from edgphys.errors import NotExactError
from edgphys.systems.base import check_finite_integral
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.continuous.domain import Domain
from edgphys.systems.continuous.domain_kernels import folded_function, folded_kernel
from edgphys.systems.continuous.folded import FoldedVariables
from edgphys.systems.continuous.user_checks import check_centres, validate
from edgphys.systems.continuous.user_kernels import difference_kernel, evaluate, plain_kernel

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["Potential"]

_N_PROBES = 6

# Functions with a finite integral: by number of variables the highest temperature at which it is known. A
# colder system, such as every rung of an annealing, has one too.
_FINITE: WeakKeyDictionary[Callable, dict[int, float]] = WeakKeyDictionary()


def _known_finite(function: Callable, n_dims: int, temperature: float) -> bool:
    try:
        return temperature <= _FINITE.get(function, {}).get(n_dims, 0.0)
    except TypeError:  # a callable that cannot be hashed, or referred to weakly
        return False


def _remember_finite(function: Callable, n_dims: int, temperature: float) -> None:
    with contextlib.suppress(TypeError):
        _FINITE.setdefault(function, {})[n_dims] = temperature


@final
class Potential(FoldedVariables, AbstractContinuousSystem):
    """A system with the energy of a user's function.

    Parameters
    ----------
    function : callable
        The energy E, not divided by the temperature: a differentiable torch function of float64
        (n_batch, n_dims) giving real (n_batch,), or a numba ``@njit`` function of a float64 array (n_dims,)
        giving a float. It is called in float64 whatever is asked; energy and gradient have the dtype of x.
        exp(-E/T) must have a finite integral, see `edgphys.systems.continuous.far_away`.
    n_dims : int
        Number of coordinates.
    temperature : float
        Positive, in the units of the energy.
    name : str
        Name in datasets.
    kernel : numba dispatcher, optional
        Energy and gradient for the chains, beside a torch `function`.
    kernel_parameters : sequence of float
        Passed to `kernel`.
    centres : array, shape (n_centres, n_dims), optional
        A point in each basin known; chains start there as well. By default the origin; the middle of a
        circle or an interval, and the point at `width` from the end of a half line.
    width : float
        Length over which the density varies.
    domain : str, tuple, or sequence of these, optional
        Where the coordinates live: "line" (the default), "circle" (an angle in [-pi, pi)), ("circle", low,
        high), or (low, high), of which one may be infinite; one for all, or one for each. "torus": all
        angles. Z integrates over the domain, with the flat measure. Other real numbers stand for their
        images, periodic or mirrored, wherever configurations are taken.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, or the function fails, gives another shape, values that are not
        finite or have no gradient, couples the points of a batch, or disagrees with the kernel, on a few
        random points; or if exp(-E/T) seems to have no finite integral.

    Notes
    -----
    Two potentials of one name and dimension are told apart by their energies at these points. An energy that
    is not a number is a wall to Markov chains, which refuse the move without a word, as they do where a
    trajectory has run away; the training of EDG stops at it. An energy of +inf is a wall to all: weight zero.

    Examples
    --------
    >>> system = Potential(lambda x: 0.5 * (x**2).sum(1), n_dims=3)
    >>> system.gradient(torch.ones(1, 3, dtype=torch.float64))
    tensor([[1., 1., 1.]], dtype=torch.float64)
    """

    def __init__(
        self,
        function: Callable,
        n_dims: int,
        temperature: float = 1.0,
        name: str = "potential",
        *,
        kernel: Callable | None = None,
        kernel_parameters: Sequence[float] | NDArray = (),
        centres: Sequence[Sequence[float]] | NDArray | None = None,
        width: float = 1.0,
        domain: Any = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"function must be callable, got {type(function).__name__}")
        if kernel is not None and not isinstance(kernel, Dispatcher):
            raise TypeError(f"kernel must be a function compiled by numba.njit, got {type(kernel).__name__}")
        if not isinstance(name, str) or not name:
            raise TypeError(f"name must be a non-empty text, got {name!r}")
        self.name, self.formula = name, "a user's function"
        self.event_shape = (whole(n_dims, "n_dims", 1, MOST_DIMS),)
        self.temperature = temperature_of(temperature)
        self.width = positive(width, "width")
        self.parameters = {"n_dims": self.n_variables, "temperature": self.temperature}
        self._function, self._given_kernel = function, kernel
        self._kernel_parameters = numbers_of(kernel_parameters, "kernel_parameters", "real numbers").flatten()
        self._given_domain = domain
        self.domain = Domain(domain, self.n_variables, self.width)
        self._centres = check_centres(centres, self.n_variables, self.domain, self.width)
        self._kernel, self._energy_kernel = self._kernels(function, kernel)
        self._fingerprint = validate(self, self._probes(), function, kernel)
        check_finite_integral(self, "function")

    @property
    def _compiled(self) -> bool:
        return isinstance(self._function, Dispatcher)

    def _kernels(self, function: Any, kernel: Any) -> tuple[Any, Any]:
        """Those of energy and gradient, and of the energy alone, on the images of the domain."""
        if not self.domain.is_everywhere:
            function = folded_function(function, self.domain.key) if self._compiled else function
            kernel = None if kernel is None else folded_kernel(kernel, self.domain.key)
        own = difference_kernel(function) if self._compiled and kernel is None else kernel
        return own, plain_kernel(function) if self._compiled else own

    @property
    def kernel(self) -> Callable | None:
        return self._kernel

    @property
    def energy_kernel(self) -> Callable | None:
        return self._energy_kernel

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        return self._kernel_parameters

    @property
    def centres(self) -> NDArray[np.float64]:
        return self._centres

    @property
    def follows_from_parameters(self) -> bool:
        """The function does not."""
        return False

    def replace(self, **changes: Any) -> Potential:
        """The same function with another temperature.

        Examples
        --------
        >>> Potential(lambda x: (x**2).sum(1), 1).replace(temperature=2.0).beta
        0.5
        """
        unknown = sorted(set(changes) - {"temperature"})
        if unknown:
            raise TypeError(f"a potential has only the temperature to change, got {unknown[0]}")
        changed = Potential(
            self._function,
            self.n_variables,
            changes.get("temperature", self.temperature),
            self.name,
            kernel=self._given_kernel,
            kernel_parameters=self._kernel_parameters,
            centres=self._centres,
            width=self.width,
            domain=self._given_domain,
        )
        return self._told(changed)

    def why_infinite(self) -> str | None:
        """As for every system; of each function it is found out once."""
        if _known_finite(self._function, self.n_variables, self.temperature):
            return None
        reason = super().why_infinite()
        if reason is None:
            _remember_finite(self._function, self.n_variables, self.temperature)
        return reason

    def identity(self) -> dict[str, Any]:
        """Name, parameters, energies at fixed points, and the domain if it is not all the lines."""
        return {**super().identity(), "fingerprint": self._fingerprint, **self._domain_attrs(list)}

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """As for every system, folded into the domain."""
        rows = super().random_configurations(n, rng)
        return rows if self.domain.is_everywhere else self.domain.fold(torch.from_numpy(rows)).numpy()

    @property
    def exact(self) -> tuple[str, ...]:
        """By quadrature, of one or two coordinates on circles, intervals and half lines."""
        return super().exact if self._moments is not None else ()

    def _exact_moments(self) -> tuple[float, float, float]:
        assert self._moments is not None
        return self._moments

    @functools.cached_property
    def _moments(self) -> tuple[float, float, float] | None:
        domain = self.domain
        if self.n_variables > 2 or not (domain.is_bounded | domain.is_half).all():
            return None
        from edgphys.exact.quadrature import boltzmann_moments

        # The ends among the centres: the box holds them from the beginning.
        corners = np.where(np.isfinite(domain.ends), domain.ends, self._centres.mean(axis=0)[:, None]).T
        limits = [(float(low), float(high)) for low, high in domain.ends]
        try:
            return boltzmann_moments(
                self.energy, np.concatenate([self._centres, corners]), self.temperature, limits
            )
        except NotExactError:  # walls or edges within the domain: it does not converge
            return None

    def _more_definitions(self) -> dict[str, str]:
        if self.domain.is_everywhere:
            return {}
        return {"log_z": "log of Z = integral of exp(-E/T) over the domain, flat measure, natural logarithm"}

    def _geometry_attrs(self) -> dict[str, Any]:
        return {**super()._geometry_attrs(), **self._domain_attrs(json.dumps)}

    def _domain_attrs(self, written: Callable) -> dict[str, Any]:
        return {} if self.domain.is_everywhere else {"domain": written(self.domain.as_json())}

    def _energy(self, flat: Tensor) -> Tensor:
        if self._compiled:
            from edgphys.systems.continuous.compiled_energy import CompiledEnergy

            return CompiledEnergy.apply(
                flat, lambda points: evaluate(self.kernel, points, self.kernel_parameters)
            )
        # Training asks in float32, but a tensor that the function holds has one dtype.
        return self._function(self.domain.fold(flat.double())).to(flat.dtype)

    def _probes(self) -> NDArray[np.float64]:
        rng = np.random.default_rng(0)
        return np.concatenate([self._centres, self.random_configurations(_N_PROBES, rng)])[-_N_PROBES:]
