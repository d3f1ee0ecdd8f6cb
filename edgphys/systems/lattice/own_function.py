# SPDX-License-Identifier: MIT
"""A user's energy of one site or of one bond, a torch function of field values: checked, and compiled."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.systems.lattice.own_arguments import taken_by
from edgphys.systems.particles.traced_law import UntraceableError, plain_python, traced

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["OwnFunction"]

_PROBES = np.array([-1.9, -1.1, -0.6, 0.0, 0.3, 0.8, 1.3, 2.2])


class OwnFunction:
    """f(x) of a site, or f(x, y) of a bond, with parameters by name; called in float64.

    Parameters
    ----------
    function : callable or None
        Of torch tensors of one shape, any, giving energies of that shape; None: 0.
    name : {"site", "bond"}
    parameters : dict of str to float
        Of these it gets those that it takes.
    period : float or None
        The function must have it.

    Raises
    ------
    ArgumentTypeError, ArgumentValueError
        If the function is none, fails, gives another shape, no finite numbers or no gradient, mixes sites,
        or has not the period; if bond(x, y) is not bond(y, x).
    """

    def __init__(
        self, function: Callable | None, name: str, parameters: dict[str, float], period: float | None
    ) -> None:
        self.function, self.name, self.parameters = function, name, parameters
        self.taken = taken_by(function, name, parameters)
        self._n_values = 2 if name == "bond" else 1
        if function is not None:
            self._check(period)

    def __call__(self, *values: Tensor) -> Tensor:
        """Energies, shape of the values."""
        if self.function is None:
            return torch.zeros_like(values[0])
        return self.function(*values, **self.taken)

    @property
    def fingerprint(self) -> list[str]:
        """Energies at fixed values, as text of ten digits."""
        with torch.no_grad():
            return [f"{value:.9e}" for value in self(*self._probes()).tolist()]

    def is_even(self) -> bool:
        """Whether a change of sign of all values leaves it alone."""
        values = self._probes()
        with torch.no_grad():
            return torch.allclose(self(*values), self(*(-v for v in values)), rtol=1e-12, atol=1e-12)

    @functools.cached_property
    def why_no_law(self) -> str | None:
        """What keeps it from being compiled; None if nothing."""
        if self.function is None:
            return None
        values, slopes = self._with_slope()
        arrays = [one.numpy() for one in self._probes()]
        numbers = np.array(list(self.parameters.values()))
        try:
            law = plain_python(self.function, *self._translation())
            for k, known in enumerate(zip(values, slopes, strict=True)):
                if not np.allclose(law(*(float(one[k]) for one in arrays), numbers), known, rtol=1e-9):
                    return "another value when traced"
        except (UntraceableError, ArithmeticError, ValueError) as error:
            return str(error)
        return None

    @functools.cached_property
    def law(self) -> Callable | None:
        """``(x, p)`` or ``(x, y, p)`` -> (value, derivative by x) in numba, p the parameters."""
        assert self.function is not None
        return _compiled(self.function, self.name, tuple(self.parameters)) if not self.why_no_law else None

    def _translation(self) -> tuple[dict[str, str], str]:
        return _translated(self.function, self.name, tuple(self.parameters))

    def _probes(self) -> list[Tensor]:
        values = torch.from_numpy(_PROBES)
        return [values, values.flip(0).roll(1)][: self._n_values]

    def _with_slope(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        with torch.inference_mode(False), torch.enable_grad():
            at = [one.clone().requires_grad_() for one in self._probes()]
            found = self(*at)
            (slopes,) = torch.autograd.grad(found.sum(), at[0], allow_unused=True)
        slopes = torch.zeros_like(found) if slopes is None else slopes
        return found.detach().numpy(), slopes.numpy()

    def _check(self, period: float | None) -> None:
        values = self._probes()
        energies = self._called(values)
        few = self._called([v[:4].reshape(2, 2) for v in values])
        if not torch.allclose(few.reshape(-1), energies[:4]):
            raise ArgumentValueError(f"{self.name} must give each place its own energy", self.name)
        if self._n_values == 2 and not torch.allclose(self._called(values[::-1]), energies, atol=1e-9):
            raise ArgumentValueError("bond must be symmetric, bond(x, y) = bond(y, x), got another", "bond")
        if period is not None:
            moved = self._called([values[0] + period, *values[1:]])
            if not torch.allclose(moved, energies, rtol=1e-9, atol=1e-9):
                words = f"{self.name} must have the period 2 pi of an angle, got {float(energies[0]):.6g}"
                raise ArgumentValueError(f"{words} and {float(moved[0]):.6g} a turn later", self.name)
        if not np.isfinite(self._with_slope()[1]).all():
            raise ArgumentValueError(f"{self.name} must have a finite gradient, got nan or inf", self.name)

    def _called(self, values: list[Tensor]) -> Tensor:
        """Energies, checked."""
        rule = f"{self.name} must be a torch function of float64 tensors giving energies of their shape"
        try:
            with torch.inference_mode(False), torch.enable_grad():
                found = self(*(one.clone().requires_grad_() for one in values))
        except Exception as error:  # whatever a user's function does
            first = (str(error).strip().splitlines() or [""])[0]
            raise ArgumentValueError(f"{rule}, got {type(error).__name__}: {first}", self.name) from error
        if not isinstance(found, torch.Tensor):
            raise ArgumentTypeError(f"{rule}, got {type(found).__name__}", self.name)
        if found.shape != values[0].shape or not found.is_floating_point():
            came = f"{tuple(found.shape)} of {found.dtype} for {tuple(values[0].shape)}"
            raise ArgumentValueError(f"{rule}, got {came}", self.name)
        if not bool(torch.isfinite(found).all()):
            raise ArgumentValueError(f"{self.name} must be finite, got nan or inf", self.name)
        if not found.requires_grad:
            raise ArgumentValueError(f"{rule}, with a gradient, got none", self.name)
        return found.detach()


@functools.lru_cache(maxsize=64)
def _compiled(function: Callable, name: str, parameters: tuple[str, ...]) -> Callable:
    """Once for each function, whatever the values of its parameters."""
    return traced(function, *_translated(function, name, parameters))


def _translated(function, name: str, parameters: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """What arguments of the function are in the law, and the law's own."""
    others = {one: f"p[{k}]" for k, one in enumerate(parameters)}
    if name == "site":
        return others, "x, p"
    second = list(inspect.signature(function).parameters)[1]
    return others | {second: "y"}, "x, y, p"
