# SPDX-License-Identifier: MIT
r"""Any energy function as a system, in one line.

    ring = Potential(lambda x: 50 * (x.norm(dim=1) - 2) ** 2, n_dims=2)

The function is a torch function of a batch, (n_batch, n_dims) -> (n_batch,), whose gradient autograd takes;
the Markov chains then run in torch, many at a time. Or it is a compiled numba function of one point,
(n_dims,) -> float, whose gradient the chains take by central differences: a Hamiltonian trajectory with them
is still reversible and keeps volume, so that no error of the differences reaches the distribution. Best is
both, a torch function and a numba `kernel` with the gradient (`edgphys.systems.continuous` has its
signature).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import torch
from numba import njit
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray
from torch import Tensor

from edgphys.systems.base import check_number
from edgphys.systems.continuous import AbstractContinuousSystem, check_dims

__all__ = ["Potential"]

_N_PROBES = 6


@final
class Potential(AbstractContinuousSystem):
    """A system with the energy of a user's function.

    Parameters
    ----------
    function : callable
        The energy E, not divided by the temperature: a torch function of (n_batch, n_dims) giving (n_batch,),
        or a numba ``@njit`` function of a float64 array (n_dims,) giving a float. exp(-E/T) must have a
        finite integral; that cannot be checked here.
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
        If an argument is of the wrong kind, or the function gives another shape, values that are not finite,
        couples the points of a batch, or disagrees with the kernel, on a few random points.

    Notes
    -----
    Two potentials of one name and dimension are told apart by their energies at these points.

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
        kernel_parameters: Sequence[float] = (),
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
        self.event_shape = (check_dims(n_dims),)
        self.temperature = check_number(temperature, "temperature", positive=True)
        self.width = check_number(width, "width", positive=True)
        self.parameters = {"n_dims": self.n_variables, "temperature": self.temperature}
        self._function, self._given_kernel = function, kernel
        self._kernel_parameters = np.array(kernel_parameters, np.float64).ravel()
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
    def exact(self) -> tuple[str, ...]:
        """Nothing is known; `edgphys.exact.quadrature.boltzmann_moments` helps in one and two dimensions."""
        return ()

    def replace(self, **changes: float) -> Potential:
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
        return _CompiledEnergy.apply(flat, self) if self._compiled else self._function(flat)

    def _probes(self) -> NDArray[np.float64]:
        rng = np.random.default_rng(0)
        return np.concatenate([self._centres, self.starts(rng, _N_PROBES)])[-_N_PROBES:]


class _CompiledEnergy(torch.autograd.Function):
    """A numba energy in torch, point by point, with the gradient of its kernel; once differentiable."""

    @staticmethod
    def forward(ctx, flat: Tensor, system: Potential) -> Tensor:
        points = np.ascontiguousarray(flat.detach().cpu().numpy(), np.float64)
        energies, gradients = np.empty(len(points)), np.empty_like(points)
        for k, point in enumerate(points):
            energies[k] = system.kernel(point, gradients[k], system.kernel_parameters)
        ctx.save_for_backward(torch.from_numpy(gradients).to(flat))
        return torch.from_numpy(energies).to(flat)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, outer: Tensor) -> tuple[Tensor, None]:
        (gradients,) = ctx.saved_tensors
        return outer[:, None] * gradients, None


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
    points = np.zeros((1, n_dims)) if centres is None else np.array(centres, np.float64)
    if points.ndim != 2 or points.shape[1] != n_dims or not len(points) or not np.isfinite(points).all():
        raise ValueError(f"centres must be finite, of shape (n_centres, {n_dims}), got shape {points.shape}")
    return points


def _validate(system: Potential) -> list[str]:
    """Check the function on a few points; their energies, as text of ten digits."""
    points = system._probes()
    x = torch.from_numpy(points)
    energy = system._energy(x)
    if not isinstance(energy, Tensor) or tuple(energy.shape) != (_N_PROBES,):
        shape = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
        raise ValueError(f"function must map shape {tuple(x.shape)} to ({_N_PROBES},), got {shape}")
    energies, gradients = system.energy_and_gradient(points)
    if not (np.isfinite(energies).all() and np.isfinite(gradients).all()):
        raise ValueError(
            "function and its gradient must be finite at points drawn by `starts`, got nan or inf"
        )
    alone = torch.cat([system._energy(x[k : k + 1]).detach().reshape(-1) for k in range(_N_PROBES)]).numpy()
    if not np.allclose(alone, energies, rtol=1e-5, atol=1e-8):
        raise ValueError("function must give each point of a batch its own energy, got another one alone")
    if system.kernel is not None and not system._compiled:
        _compare_kernel(system, points, energies, gradients)
    return [f"{value:.9e}" for value in energies]


def _compare_kernel(system: Potential, points, energies, gradients) -> None:
    for point, energy, gradient in zip(points, energies, gradients, strict=True):
        out = np.zeros_like(point)
        value = system.kernel(point.copy(), out, system.kernel_parameters)
        scale = 1e-6 * (1.0 + abs(energy) + np.abs(gradient).max())
        if not (abs(value - energy) < scale and np.abs(out - gradient).max() < scale):
            raise ValueError(
                f"kernel must agree with function, got energy {value:.9g} for {energy:.9g} and gradient "
                f"{out} for {gradient}"
            )
