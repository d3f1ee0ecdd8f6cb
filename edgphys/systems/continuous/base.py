# SPDX-License-Identifier: MIT
r"""What systems of continuous coordinates without a lattice share: wells, potentials, particles.

    weight exp(-E(x) / T),     reduced_energy(x) = E(x) / T,     Z = int exp(-E(x) / T) dx

with the flat measure on R^d and k_B = 1; E and T are in the same units. The configuration is x itself, on a
`domain` its image there.

A concrete system gives `_energy` in torch. It may give more: the gradient in closed form (autograd is the
default), and a `kernel`, the same energy and gradient for the Markov chains in numba,

    @njit(nogil=True)
    def kernel(x, gradient_out, parameters):       # float64 arrays (d,), (d,), (n_parameters,)
        gradient_out[:] = ...                      # dE/dx; always all of it, x is left as it is
        return energy                              # E, not divided by T

Without a kernel the chains run in torch, many at a time.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from edgphys.errors import NotExactError
from edgphys.formulas import exact_entropy
from edgphys.observables import definitions
from edgphys.systems.base import AbstractSystem
from edgphys.systems.continuous.far_away import why_infinite

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["AbstractContinuousSystem"]

# Points that are tried for a low one, from which the energy is followed outwards.
_N_STARTS = 16
_EXACT_NAMES = ("log_z", "free_energy", "energy", "entropy", "specific_heat")


class AbstractContinuousSystem(AbstractSystem):
    """Declaration of a system of continuous coordinates; ``type(s)(**s.parameters)`` rebuilds the system s.

    Attributes
    ----------
    formula : str
        The energy in one line.
    basins : tuple of str
        () or two names (a, b), one of them an observable whose average is the population of this basin, the
        other its complement: ``free_energy_difference`` = F_a - F_b = -T log(p_a / p_b).
    centres : float64 array, shape (n_centres, n_variables)
        A point in each known basin.
    kernel : numba dispatcher or None
        See the module docstring.
    """

    family: ClassVar[str] = "continuous"
    geometry: ClassVar[str] = "continuous"
    formula: str

    @property
    def centres(self) -> NDArray[np.float64]:
        """The origin."""
        return np.zeros((1, self.n_variables))

    @property
    def conditions(self) -> tuple[str, ...]:
        """All parameters but the dimension."""
        return tuple(name for name in self.parameters if name != "n_dims")

    @property
    def exact(self) -> tuple[str, ...]:
        """log_z, free_energy, energy, entropy, specific_heat, and what is known of the basins, to rounding.

        Nothing for a class that does not give `_exact_moments`.
        """
        if type(self)._exact_moments is AbstractContinuousSystem._exact_moments:
            return ()
        return _EXACT_NAMES + ((self._basin_observable, "free_energy_difference") if self.basins else ())

    def exact_results(self) -> dict[str, float]:
        """Exact values of the estimates named in `exact`."""
        if not self.exact:
            return {}
        log_z, energy, variance = (float(value) for value in self._exact_moments())
        values = {
            "log_z": log_z,
            "free_energy": -self.temperature * log_z,
            "energy": energy,
            "entropy": exact_entropy(log_z, self.beta * energy),
            "specific_heat": self.beta**2 * variance / self.n_variables,
        }
        if self.basins:
            difference = self.free_energy_difference()
            sign = 1.0 if self._basin_observable == self.basins[0] else -1.0
            values[self._basin_observable] = 1.0 / (1.0 + math.exp(sign * difference / self.temperature))
            values["free_energy_difference"] = difference
        return values

    def free_energy_difference(self) -> float:
        """F_a - F_b = -T log(p_a / p_b) of the two `basins` (a, b), by quadrature.

        Raises
        ------
        NotExactError
            If no basins are defined, or nothing is known of them.
        """
        raise NotExactError(f"free_energy_difference must be known for this system, got {self.name}")

    @property
    def _basin_observable(self) -> str:
        return next(name for name in self.basins if name in self.observables)

    def _exact_moments(self) -> tuple[float, float, float]:
        """log Z, <E> and the variance of E; only asked for where `exact` names results."""
        raise NotExactError(f"{self.name} has no exact results, although it declares {', '.join(self.exact)}")

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        return {
            "energy": f"E = {self.formula}, total, in the units of the temperature; average <E>",
            "reduced_energy": "E / T, no additive constant",
            "log_z": "log of Z = integral of exp(-E/T) over all coordinates, flat measure, natural logarithm",
            **definitions(("free_energy", "entropy", "specific_heat"), on_lattice=False),
            **self._basin_definitions(),
            **self._more_definitions(),
        }

    def _basin_definitions(self) -> dict[str, str]:
        if not self.basins:
            return {}
        a, b = self.basins
        words = f"F_{a} - F_{b} = -T log(p_{a} / p_{b}), p the populations, in the units of the temperature"
        return {"free_energy_difference": words}

    def _more_definitions(self) -> dict[str, str]:
        """Definitions of `observables`."""
        return {}

    def reduced_energy(self, x: Tensor) -> Tensor:
        """E(x) / T.

        Parameters
        ----------
        x : float32 or float64 tensor, shape (n_batch, *event_shape) or (n_batch, n_variables)

        Returns
        -------
        Tensor, shape (n_batch,)
        """
        return self.beta * self._energy(self._field(x))

    def gradient(self, x: Tensor) -> Tensor:
        """Gradient of `reduced_energy`, shape of x."""
        return self.beta * self._energy_gradient(self._field(x))[1].reshape(x.shape)

    def energy_and_gradient(self, x: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """E and dE/dx (not divided by T) of a batch, in one pass.

        Parameters
        ----------
        x : float64 array, shape (n_batch, n_variables)
            Not checked: this is the inner loop of the chains without kernel.

        Returns
        -------
        float64 arrays, shapes (n_batch,) and (n_batch, n_variables)
        """
        energy, gradient = self._energy_gradient(torch.from_numpy(x))
        return energy.detach().numpy(), gradient.detach().numpy()

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Starting points, shape (n, n_variables), wider than the density and in all basins known.

        Even rows are normal around the mean of `centres` with standard deviation `width`; odd rows are at the
        centres in turn, with a tenth of that; where there is one centre, they are three times as wide.
        """
        centres = self.centres
        middle = centres.mean(axis=0)
        rows = rng.standard_normal((n, self.n_variables)) * self.width
        for k in range(n):
            if k % 2 == 0:
                rows[k] += middle
            elif len(centres) > 1:
                rows[k] = centres[(k // 2) % len(centres)] + 0.1 * rows[k]
            else:
                rows[k] = middle + 3.0 * rows[k]
        return rows

    def why_infinite(self) -> str | None:
        """What the energy does far away that keeps exp(-E/T) from a finite integral; None if nothing."""
        # Final classes without a function or data of the user's have a finite integral: a test looks.
        is_known = self.follows_from_parameters and "__final__" in vars(type(self))
        return None if is_known else self._why_infinite

    @functools.cached_property
    def _why_infinite(self) -> str | None:
        drawn = self.random_configurations(_N_STARTS, np.random.default_rng(0))
        starts = np.concatenate([self.centres, drawn])
        is_open = np.ones(self.n_variables, bool) if self.domain is None else ~self.domain.is_bounded
        return why_infinite(self.energy, starts, self.temperature, self.width, is_open)

    def configuration_dims(self) -> tuple[str, ...]:
        """``coordinate``, or ``particle`` and ``axis``."""
        return ("coordinate",) if len(self.event_shape) == 1 else ("particle", "axis")

    def why_no_ladder(self) -> str | None:
        """A ladder needs a kernel; it starts from a Gaussian that covers a short run."""
        if self.kernel is not None:
            return None
        return (
            f"system must have a numba kernel for a ladder of chains, got {self.name} without one; "
            "a Potential takes a compiled function, or kernel="
        )

    def _energy_gradient(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """E and dE/dx of (n_batch, n_variables), by autograd; closed forms replace it."""
        differentiable = torch.is_grad_enabled() and flat.requires_grad
        # In inference mode, too, there is a gradient to take; a clone is an ordinary tensor again.
        with torch.inference_mode(False), torch.enable_grad():
            x = flat if differentiable else flat.detach().clone().requires_grad_()
            energy = self._energy(x)
            (gradient,) = torch.autograd.grad(energy.sum(), x, create_graph=differentiable)
        return energy, gradient

    def __repr__(self) -> str:
        values = ", ".join(f"{key}={value:g}" for key, value in self.parameters.items())
        return f"{type(self).__name__}({values})"
