# SPDX-License-Identifier: MIT
r"""Any energy function as a system, in one line.

    ring = Potential(lambda x: 50 * (x.norm(dim=1) - 2) ** 2, n_dims=2)

The function is a torch function of a batch, (n_batch, n_dims) -> (n_batch,), whose gradient autograd takes;
it is called in float64 only, and the Markov chains run in torch, many at a time. Or it is a compiled numba
function of one point, (n_dims,) -> float, whose gradient the chains take by central differences: a
Hamiltonian trajectory with them is still reversible and keeps volume, so that no error of the differences
reaches the distribution. Best is both, a torch function and a numba `kernel` with the gradient
(`edgphys.systems.continuous.base` has its signature).
"""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numba import njit
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from edgphys._checks import numbers_of, positive, whole
from edgphys._lazy import LazyModule
from edgphys.systems.continuous.base import AbstractContinuousSystem

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["Potential"]

_N_PROBES = 6
_KERNEL = "kernel must be a numba function (x, gradient_out, parameters) of float64 arrays giving a float"


@final
class Potential(AbstractContinuousSystem):
    """A system with the energy of a user's function.

    Parameters
    ----------
    function : callable
        The energy E, not divided by the temperature: a differentiable torch function of float64
        (n_batch, n_dims) giving real (n_batch,), or a numba ``@njit`` function of a float64 array (n_dims,)
        giving a float. It is called in float64 whatever is asked; energy and gradient have the dtype of x.
        exp(-E/T) must have a finite integral; that cannot be checked here.
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
        A point in each basin known; chains start there as well. The origin by default.
    width : float
        Length over which the density varies.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, or the function fails, gives another shape, values that are not
        finite or have no gradient, couples the points of a batch, or disagrees with the kernel, on a few
        random points.

    Notes
    -----
    Two potentials of one name and dimension are told apart by their energies at these points. An energy that
    is not a number is a wall to Markov chains, which refuse the move without a word, as they do where a
    trajectory has run away; the training of EDG stops at it.

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
    ) -> None:
        if not callable(function):
            raise TypeError(f"function must be callable, got {type(function).__name__}")
        if kernel is not None and not isinstance(kernel, Dispatcher):
            raise TypeError(f"kernel must be a function compiled by numba.njit, got {type(kernel).__name__}")
        if not isinstance(name, str) or not name:
            raise TypeError(f"name must be a non-empty text, got {name!r}")
        self.name, self.formula = name, "a user's function"
        self.event_shape = (whole(n_dims, "n_dims", 1),)
        self.temperature = positive(temperature, "temperature")
        self.width = positive(width, "width")
        self.parameters = {"n_dims": self.n_variables, "temperature": self.temperature}
        self._function, self._given_kernel = function, kernel
        self._kernel_parameters = numbers_of(kernel_parameters, "kernel_parameters", "real numbers").flatten()
        self._centres = _check_centres(centres, self.n_variables)
        self._kernel = _difference_kernel(function) if self._compiled and kernel is None else kernel
        self._energy_kernel = _plain_kernel(function) if self._compiled else self._kernel
        self._fingerprint = _validate(self)

    @property
    def _compiled(self) -> bool:
        return isinstance(self._function, Dispatcher)

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
        return Potential(
            self._function,
            self.n_variables,
            changes.get("temperature", self.temperature),
            self.name,
            kernel=self._given_kernel,
            kernel_parameters=self._kernel_parameters,
            centres=self._centres,
            width=self.width,
        )

    def identity(self) -> dict[str, Any]:
        """Name, parameters, and energies at fixed points."""
        return {**super().identity(), "fingerprint": self._fingerprint}

    def _energy(self, flat: Tensor) -> Tensor:
        if self._compiled:
            from edgphys.systems.continuous.compiled_energy import CompiledEnergy

            return CompiledEnergy.apply(
                flat, lambda points: _evaluate(self.kernel, points, self.kernel_parameters)
            )
        # Training asks in float32, but a tensor that the function holds has one dtype.
        return self._function(flat.double()).to(flat.dtype)

    def _probes(self) -> NDArray[np.float64]:
        rng = np.random.default_rng(0)
        return np.concatenate([self._centres, self.random_configurations(_N_PROBES, rng)])[-_N_PROBES:]


def _evaluate(kernel: Dispatcher, points: NDArray, parameters: NDArray) -> tuple[NDArray, NDArray]:
    """Energies and gradients of a kernel, point by point."""
    energies, gradients = np.empty(len(points)), np.empty_like(points)
    for k, point in enumerate(points):
        energies[k] = kernel(point, gradients[k], parameters)
    return energies, gradients


def _difference_kernel(energy: Dispatcher) -> Dispatcher:
    """Energy with its gradient by central differences."""

    @njit(nogil=True)
    def kernel(x, gradient_out, parameters):
        for i in range(x.size):
            middle = x[i]
            step = 6e-6 * (1.0 + abs(middle))  # cube root of the rounding error
            x[i] = middle + step
            above = energy(x)
            x[i] = middle - step
            gradient_out[i] = (above - energy(x)) / (2.0 * step)
            x[i] = middle
        return energy(x)

    return kernel


def _plain_kernel(energy: Dispatcher) -> Dispatcher:
    @njit(nogil=True)
    def kernel(x, gradient_out, parameters):
        return energy(x)

    return kernel


def _check_centres(centres, n_dims: int) -> NDArray[np.float64]:
    allowed = f"finite, of shape (n_centres, {n_dims})"
    points = np.zeros((1, n_dims)) if centres is None else numbers_of(centres, "centres", allowed).copy()
    if points.ndim != 2 or points.shape[1] != n_dims or not len(points):
        raise ValueError(f"centres must be {allowed}, got shape {points.shape}")
    if n_bad := np.count_nonzero(~np.isfinite(points)):
        raise ValueError(f"centres must be {allowed}, got {n_bad} of {points.size} numbers not finite")
    return points


@contextlib.contextmanager
def _refusing(rule: str) -> Iterator[None]:
    """What a user's function raises, behind the rule that it breaks."""
    try:
        yield
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise ValueError(f"{rule}, got {type(error).__name__}: {first}") from error


def _validate(system: Potential) -> list[str]:
    """Check the function on a few points; their energies, as text of ten digits."""
    points = system._probes()
    if system._given_kernel is not None:
        out = np.zeros_like(points[0])
        _check_compiled(_KERNEL, system._given_kernel, points[0].copy(), out, system.kernel_parameters)
    if system._compiled:
        rule = f"function must be a numba function of a float64 array ({system.n_variables},) giving a float"
        _check_compiled(rule, system._function, points[0].copy())
    else:
        rule = (
            "function must be a torch function that, called with float64 tensors (n_batch, "
            f"{system.n_variables}), gives real energies (n_batch,) with a gradient"
        )
        _check_torch(rule, system._function, points)
    with _refusing(rule):
        energies, gradients = system.energy_and_gradient(points)
    if not (np.isfinite(energies).all() and np.isfinite(gradients).all()):
        raise ValueError("function and its gradient must be finite at points to start from, got nan or inf")
    rule = "function must give each point of a batch its own energy"
    with _refusing(f"{rule}, also in a batch of one"):
        rows = [system._energy(torch.from_numpy(points[k : k + 1])) for k in range(_N_PROBES)]
        alone = torch.cat([row.detach().reshape(-1) for row in rows]).numpy()
    if alone.shape != energies.shape or not np.allclose(alone, energies, rtol=1e-5, atol=1e-8):
        raise ValueError(f"{rule}, got another one alone")
    if system._given_kernel is not None:
        _compare_kernel(system, points, energies, gradients)
    return [f"{value:.9e}" for value in energies]


def _check_compiled(rule: str, function: Dispatcher, *arguments: NDArray) -> None:
    with _refusing(rule):
        value = function(*arguments)
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise ValueError(f"{rule}, got {type(value).__name__}")


def _check_torch(rule: str, function: Callable, points: NDArray[np.float64]) -> None:
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.tensor(points, requires_grad=True)
        with _refusing(rule):
            energy = function(x)
    tensor = isinstance(energy, torch.Tensor)
    if not tensor or tuple(energy.shape) != (_N_PROBES,):
        came = tuple(energy.shape) if tensor else f"{type(energy).__name__} in place of a tensor"
        raise ValueError(f"function must map shape {tuple(x.shape)} to ({_N_PROBES},), got {came}")
    if not energy.is_floating_point():
        raise ValueError(f"{rule}, got {energy.dtype}")
    if not energy.requires_grad:
        raise ValueError(f"{rule}, got energies without one (constant, or cut off from x)")


def _compare_kernel(system: Potential, points, energies, gradients) -> None:
    if system._compiled:  # these energies are those of the kernel itself
        energies, gradients = _evaluate(_difference_kernel(system._function), points.copy(), np.empty(0))
    values, slopes = _evaluate(system.kernel, points.copy(), system.kernel_parameters)
    for value, out, energy, gradient in zip(values, slopes, energies, gradients, strict=True):
        scale = 1e-6 * (1.0 + abs(energy) + np.abs(gradient).max())
        if not (abs(value - energy) < scale and np.abs(out - gradient).max() < scale):
            k = np.abs(out - gradient).argmax()
            raise ValueError(
                f"kernel must agree with function, got energy {value:.9g} for {energy:.9g} and component {k} "
                f"of the gradient {out[k]:.9g} for {gradient[k]:.9g}"
            )
