# SPDX-License-Identifier: MIT
"""A user's pair law, a torch function of squared distances: checked once, and tabulated for its scales."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from edgphys._checks import instance
from edgphys._lazy import LazyModule
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.systems.particles.traced_law import UntraceableError, plain_python, traced

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["DISTANCES", "UserPairLaw"]

# Particles that are closer are at one point, which many a law has no value for.
_LEAST = 1e-15
# Where a law is looked at: 2 % from one distance to the next.
DISTANCES = np.geomspace(_LEAST, 1e12, 27 * 120 + 1)
# Beyond, a slope may leave float64.
_LARGEST = 1e100
_RULE = (
    "law must be a torch function that, called with squared distances, a float64 tensor of any shape, gives "
    "real energies of the same shape with a gradient"
)
_KERNEL = "kernel must be a numba function of a squared distance d2 giving u and du/d(d2) as two floats"


class UserPairLaw:
    """A user's function u(d^2), in the dtype that comes in, though called in float64 only.

    Parameters
    ----------
    function : callable
        See `edgphys.systems.particles.pair_potential`.
    kernel : numba dispatcher, optional
        u and du/d(d^2) of one squared distance.

    Attributes
    ----------
    energies : float64 array
        u at `DISTANCES`; NaN where it is none.
    fingerprint : list of str
        Some of them, as text of ten digits.

    Raises
    ------
    ArgumentTypeError, ArgumentValueError
        If the function is none, fails, gives another shape, no real numbers or no gradient, couples the
        pairs, is nowhere finite or -inf; or the kernel disagrees with it.
    """

    def __init__(self, function: Callable, kernel: Dispatcher | None = None) -> None:
        if not callable(function):
            raise ArgumentTypeError(f"law must be callable, got {type(function).__name__}", "law")
        if kernel is not None:
            instance(kernel, "kernel", Dispatcher, "a function compiled by numba.njit")
        self.function, self._given = function, kernel
        self.energies = self._tabulated()
        finite = np.flatnonzero(np.abs(self.energies) < _LARGEST)
        if np.isneginf(self.energies).any() or not len(finite):
            came = "-inf" if len(finite) else "no finite value"
            raise ArgumentValueError(f"law must be finite, or +inf where particles touch, got {came}", "law")
        some = _some_of(finite)
        self.fingerprint = [f"{value:.9e}" for value in self.energies[some]]
        self._squares = np.square(DISTANCES[some])
        self._check(self._squares, self.energies[some])
        if kernel is not None:
            self._compare(kernel)

    def __call__(self, squares: Tensor) -> Tensor:
        """u of squared distances of any shape."""
        return self.function(squares.double().clamp_min(_LEAST**2)).to(squares.dtype)

    @functools.cached_property
    def why_no_kernel(self) -> str | None:
        """What keeps the function from being compiled, where no kernel is given; None if nothing."""
        if self._given is not None:
            return None
        try:
            law = plain_python(self.function)
        except UntraceableError as error:
            return str(error)
        energies, slopes = self.with_slope(self._squares)
        for square, *known in zip(self._squares, energies, slopes, strict=True):
            with contextlib.suppress(ArithmeticError, ValueError):  # of Python, where numba has inf or NaN
                if not np.allclose(law(float(square)), known, rtol=1e-9, atol=1e-300):
                    return "another value when traced"
        return None

    @functools.cached_property
    def kernel(self) -> Callable | None:
        """d2 -> (u, du/d(d2)) in numba: what was given, or the function, compiled; None if it cannot be."""
        return self._given if self._given or self.why_no_kernel else traced(self.function)

    def with_slope(self, squares: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """u and du/d(d^2), by autograd."""
        with torch.inference_mode(False), torch.enable_grad():
            at = torch.tensor(squares, dtype=torch.float64, requires_grad=True)
            energies = self(at)
            (slopes,) = torch.autograd.grad(energies.sum(), at)
        return energies.detach().numpy(), slopes.numpy()

    def _tabulated(self) -> NDArray[np.float64]:
        with _refusing(), torch.no_grad():
            energies = self.function(torch.from_numpy(np.square(DISTANCES)))
        _check_tensor(energies, DISTANCES.shape)
        return energies.double().cpu().numpy()

    def _check(self, squares: NDArray[np.float64], energies: NDArray[np.float64]) -> None:
        """Refuse a law without gradient, of another shape, or whose value of a pair depends on the others."""
        for shape in ((1, -1), (2, 2, -1)):
            with torch.inference_mode(False), torch.enable_grad():
                at = torch.tensor(squares.reshape(shape), requires_grad=True)
                with _refusing():
                    found = self.function(at)
                _check_tensor(found, tuple(at.shape))
                if not found.requires_grad:
                    raise ArgumentValueError(f"{_RULE}, got none (constant, or cut off from d2)", "law")
                (slopes,) = torch.autograd.grad(found.sum(), at)
            if not torch.isfinite(slopes).all():
                raise ArgumentValueError(f"{_RULE}, got a gradient that is not finite", "law")
        with _refusing(), torch.no_grad():
            alone = [
                float(self.function(torch.tensor([square], dtype=torch.float64))[0]) for square in squares
            ]
        if not np.allclose(alone, energies, rtol=1e-9, atol=1e-300):
            raise ArgumentValueError("law must give each pair its own energy, got another one alone", "law")

    def _compare(self, kernel: Dispatcher) -> None:
        squares = self._squares
        energies, slopes = self.with_slope(squares)
        try:
            found = np.array([kernel(square) for square in squares], np.float64).reshape(len(squares), 2)
        except Exception as error:
            raise ArgumentTypeError(f"{_KERNEL}, got {_first_line(error)}", "kernel") from error
        for k, (one, other) in enumerate(zip(found, zip(energies, slopes, strict=True), strict=True)):
            if not np.allclose(one, other, rtol=1e-6, atol=1e-300):
                words = f"u, du/d(d2) = {one[0]:.9g}, {one[1]:.9g} for {other[0]:.9g}, {other[1]:.9g}"
                at = f"at d2 = {squares[k]:.4g}"
                raise ArgumentValueError(f"kernel must agree with law, got {words} {at}", "kernel")


def _some_of(finite: NDArray[np.intp]) -> NDArray[np.intp]:
    """Sixteen of these places at `DISTANCES`, and twenty-four between 0.1 and 10 if there are some."""
    usual = finite[(DISTANCES[finite] > 0.1) & (DISTANCES[finite] < 10.0)]
    counts = (16, 24) if len(usual) else (40, 0)
    return np.concatenate(
        [
            places[np.linspace(0, len(places) - 1, n).astype(int)]
            for n, places in zip(counts, (finite, usual), strict=True)
        ]
    )


def _check_tensor(energies, shape: tuple[int, ...]) -> None:
    if not isinstance(energies, torch.Tensor):
        raise ArgumentTypeError(f"{_RULE}, got {type(energies).__name__} in place of a tensor", "law")
    if tuple(energies.shape) != shape:
        raise ArgumentValueError(f"{_RULE}, got shape {tuple(energies.shape)} for {shape}", "law")
    if not energies.is_floating_point():
        raise ArgumentValueError(f"{_RULE}, got {energies.dtype}", "law")


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """What a user's function raises, behind the rule that it breaks."""
    try:
        yield
    except Exception as error:
        raise ArgumentValueError(f"{_RULE}, got {_first_line(error)}", "law") from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
