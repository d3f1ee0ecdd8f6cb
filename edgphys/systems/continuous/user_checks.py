# SPDX-License-Identifier: MIT
"""What a user's energy function must do, checked at a few points; one line for whatever it does not."""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from edgphys._checks import numbers_of
from edgphys._lazy import LazyModule
from edgphys.systems.continuous.domain import Domain
from edgphys.systems.continuous.user_kernels import difference_kernel, evaluate

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

__all__ = ["check_centres", "validate"]

_KERNEL = "kernel must be a numba function (x, gradient_out, parameters) of float64 arrays giving a float"


def check_centres(centres, n_dims: int, domain: Domain, width: float) -> NDArray[np.float64]:
    if centres is None:
        return domain.centre(width)[None]
    allowed = f"finite, of shape (n_centres, {n_dims})"
    points = numbers_of(centres, "centres", allowed).copy()
    if points.ndim != 2 or points.shape[1] != n_dims or not len(points):
        raise ValueError(f"centres must be {allowed}, got shape {points.shape}")
    if n_bad := np.count_nonzero(~np.isfinite(points)):
        raise ValueError(f"centres must be {allowed}, got {n_bad} of {points.size} numbers not finite")
    if not domain.holds(points):
        raise ValueError(f"centres must lie in the domain, got {points.tolist()}")
    return points


@contextlib.contextmanager
def _refusing(rule: str) -> Iterator[None]:
    """What a user's function raises, behind the rule that it breaks."""
    try:
        yield
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise ValueError(f"{rule}, got {type(error).__name__}: {first}") from error


def validate(system, points: NDArray, function: Callable, kernel: Dispatcher | None) -> list[str]:
    """Check the function of a potential, and its kernel if one was given, at a few points.

    Returns
    -------
    list of str
        The energies, as text of ten digits.
    """
    n_points, n_dims = points.shape
    if kernel is not None:
        _check_compiled(_KERNEL, kernel, points[0].copy(), np.zeros(n_dims), system.kernel_parameters)
    if isinstance(function, Dispatcher):
        rule = f"function must be a numba function of a float64 array ({n_dims},) giving a float"
        _check_compiled(rule, function, points[0].copy())
    else:
        rule = (
            f"function must be a torch function that, called with float64 tensors (n_batch, {n_dims}), gives "
            "real energies (n_batch,) with a gradient"
        )
        _check_torch(rule, function, points)
    with _refusing(rule):
        energies, gradients = system.energy_and_gradient(points)
    free = ~np.isposinf(energies)  # the others lie within a wall
    if not (free.any() and np.isfinite(energies[free]).all() and np.isfinite(gradients[free]).all()):
        raise ValueError("function and its gradient must be finite at points to start from, got nan or inf")
    rule = "function must give each point of a batch its own energy"
    with _refusing(f"{rule}, also in a batch of one"):
        alone = np.concatenate([system.energy(points[k : k + 1]).reshape(-1) for k in range(n_points)])
    if alone.shape != energies.shape or not np.allclose(alone, energies, rtol=1e-5, atol=1e-8):
        raise ValueError(f"{rule}, got another one alone")
    if kernel is not None:
        if isinstance(function, Dispatcher):  # these energies are those of the kernel itself
            energies, gradients = evaluate(difference_kernel(function), points.copy(), np.empty(0))
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
    if not tensor or tuple(energy.shape) != (len(points),):
        came = tuple(energy.shape) if tensor else f"{type(energy).__name__} in place of a tensor"
        raise ValueError(f"function must map shape {tuple(x.shape)} to ({len(points)},), got {came}")
    if not energy.is_floating_point():
        raise ValueError(f"{rule}, got {energy.dtype}")
    if not energy.requires_grad:
        raise ValueError(f"{rule}, got energies without one (constant, or cut off from x)")


def _compare_kernel(system, points, energies, gradients) -> None:
    values, slopes = evaluate(system.kernel, points.copy(), system.kernel_parameters)
    for value, out, energy, gradient in zip(values, slopes, energies, gradients, strict=True):
        if value == energy == np.inf:
            continue
        scale = 1e-6 * (1.0 + abs(energy) + np.abs(gradient).max())
        if not (abs(value - energy) < scale and np.abs(out - gradient).max() < scale):
            k = np.abs(out - gradient).argmax()
            raise ValueError(
                f"kernel must agree with function, got energy {value:.9g} for {energy:.9g} and component {k} "
                f"of the gradient {out[k]:.9g} for {gradient[k]:.9g}"
            )
