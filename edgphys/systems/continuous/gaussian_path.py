# SPDX-License-Identifier: MIT
r"""A path from a Gaussian of known partition function to any continuous system.

    weight exp(-a_0 U_0(x) - a_1 G(x) - a_2 U(x)),     U = E / T,     U_0 = sum_i (x_i - m_i)^2 / (2 w_i^2)

    path from 0 to 9/10:   a = (1 - s, s, 0),     s = path / (9/10)        Gaussian to tempered system
    path from 9/10 to 1:   a = (0, 1 - t, t),     t = 10 path - 9          tempered system to system

G is U up to a ceiling c, and rises with its logarithm beyond:

    G = U for U <= c,     G = c + D log(1 + (U - c) / D) for U > c,        D = 10 + n_variables / 2

G and its gradient are continuous. What c is for: the Gaussian puts particles on top of each other and points
where a potential rises like exp(x^2), where averages of U do not exist, but those of G do. With c above what
the system visits, G and U differ where there is no weight, and the second leg costs next to nothing. Every c
gives the right log Z, as does every Gaussian.

<G> falls steeply near path = 0, where configurations that the system forbids die out. Thermodynamic
integration needs rungs there (`KNOTS`), each twice as far from the Gaussian as the one before, up to the end
of the first leg.

    log Z at path = 0:     sum_i log(w_i sqrt(2 pi))

A coordinate on a circle or an interval of length L starts evenly spread, without a term in U_0: log L. One
on a half line starts from half a Gaussian around its end, m_i: log(w_i sqrt(pi / 2)).

For particles x are the coordinates y of the mean-free subspace, and so is the measure.

References
----------
Kirkwood, J. Chem. Phys. 3, 300 (1935), doi:10.1063/1.1749657 (coupling to a reference).
Frenkel and Ladd, J. Chem. Phys. 81, 3188 (1984), doi:10.1063/1.448024 (a harmonic one).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import finite
from edgphys._lazy import LazyModule
from edgphys.errors import NotExactError
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.continuous.gaussian_path_kernels import (
    INFINITE,
    path_energy_kernel,
    path_kernel,
    path_terms_kernel,
)
from edgphys.systems.reference_path import ReferencePath

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["KNOTS", "GaussianPath"]

_KNEE = 0.9
KNOTS = tuple(_KNEE * 0.5**k for k in range(9, -1, -1))


@final
class GaussianPath(AbstractContinuousSystem):
    """A system on its way from a Gaussian; see the module docstring.

    Parameters
    ----------
    system : AbstractContinuousSystem
        Where the path leads, with a `kernel`.
    centre, spread : arrays, shape (n_variables,)
        m and w of the Gaussian, w positive.
    ceiling : float
        c, in units of the temperature.
    path : float
        Place on the path, 0 to 1. The energy at 1 is that of `system`.

    Raises
    ------
    NotExactError
        If the system has no kernel.
    TypeError, ValueError
        If a number is of the wrong kind or out of range.

    Examples
    --------
    >>> from edgphys.systems.continuous.double_well import DoubleWell
    >>> well = DoubleWell(temperature=2.0)
    >>> path = GaussianPath(well, np.zeros(1), np.ones(1), ceiling=20.0)
    >>> path.action_coefficients, round(path.log_z_reference, 6)
    (array([0., 0., 1.]), 0.918939)
    >>> path.replace(path=0.45).action_coefficients
    array([0.5, 0.5, 0. ])
    """

    name: ClassVar[str] = "gaussian_path"
    has_reference: ClassVar[bool] = True
    formula = "T (a_0 U_0 + a_1 G + a_2 U), see edgphys.systems.continuous.gaussian_path"

    def __init__(
        self, system: AbstractContinuousSystem, centre: NDArray, spread: NDArray, ceiling: float, path=1.0
    ) -> None:
        if reason := system.why_no_ladder():
            raise NotExactError(reason)
        self.system, self.temperature, self.event_shape = system, system.temperature, system.event_shape
        self.domain = system.domain
        self.centre, self.spread = (np.array(v, np.float64).ravel() for v in (centre, spread))
        for name, array in (("centre", self.centre), ("spread", self.spread)):
            if array.shape != (system.n_variables,) or not np.isfinite(array).all():
                raise ValueError(f"{name} must be {system.n_variables} finite numbers, got {array}")
        if not (self.spread > 0).all():
            raise ValueError(f"spread must be positive, got {self.spread}")
        self._start, self._width = self._on_domain()
        self.ceiling = finite(ceiling, "ceiling")
        self.path = finite(path, "path")
        if not 0.0 <= self.path <= 1.0:
            raise ValueError(f"path must be in 0 .. 1, got {self.path:g}")
        self.parameters = {**system.parameters, "path": self.path}
        self.observables, self.basins, self.width = system.observables, system.basins, system.width
        self._own = system.own_observables

    @property
    def n_variables(self) -> int:
        return self.system.n_variables

    def _on_domain(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """m and w as the domain of the system has them: w infinite where the start is even."""
        domain = self.domain
        if domain is None or domain.is_everywhere:
            return self.centre, self.spread
        centre = np.where(domain.is_half, domain.one_ends, self.centre)
        return centre, np.where(domain.is_bounded, math.inf, self.spread)

    @property
    def log_z_reference(self) -> float:
        """log Z at path = 0."""
        domain = self.domain
        whole = float(np.log(self.spread).sum() + 0.5 * self.n_variables * math.log(2.0 * math.pi))
        if domain is None or domain.is_everywhere:
            return whole
        bounded = domain.is_bounded
        even = np.log(domain.lengths[bounded] / (self.spread[bounded] * math.sqrt(2.0 * math.pi)))
        return whole + float(even.sum()) - math.log(2.0) * int(domain.is_half.sum())

    def reference(self) -> ReferencePath:
        """Along `path`, from the Gaussian."""
        return ReferencePath("path", 0.0, self.path, self.log_z_reference, KNOTS)

    def configuration_dims(self) -> tuple[str, ...]:
        return self.system.configuration_dims()

    @property
    def follows_from_parameters(self) -> bool:
        """The Gaussian does not."""
        return False

    @property
    def stiffness(self) -> float:
        """D: where U grows like x^2, its powers below D - n_variables / 2 have averages under exp(-G)."""
        return 10.0 + 0.5 * self.n_variables

    @property
    def action_coefficients(self) -> NDArray[np.float64]:
        """(a_0, a_1, a_2)."""
        if self.path <= _KNEE:
            s = self.path / _KNEE
            return np.array([1.0 - s, s, 0.0])
        t = (self.path - _KNEE) / (1.0 - _KNEE) if self.path < 1.0 else 1.0
        return np.array([0.0, 1.0 - t, t])

    @property
    def exact(self) -> tuple[str, ...]:
        """None on the way."""
        return ()

    @property
    def definitions(self) -> dict[str, str]:
        return self.system.definitions

    @property
    def kernel(self):
        return path_kernel(self.system.kernel)

    @property
    def energy_kernel(self):
        return path_energy_kernel(self.system.energy_kernel)

    @property
    def terms_kernel(self):
        return path_terms_kernel(self.system.energy_kernel)

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        head = [self.temperature, *self.action_coefficients, self.ceiling, self.stiffness]
        return np.concatenate([head, self._start, self._width**-2.0, self.system.kernel_parameters])

    @property
    def centres(self) -> NDArray[np.float64]:
        return self.system.centres

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Those of the system: a chain finds its way from there to a wide Gaussian, not always back."""
        return self.system.random_configurations(n, rng)

    def to_configurations(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.system.to_configurations(x, generator)

    def from_configurations(self, configurations: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.system.from_configurations(configurations, generator)

    def replace(self, **changes: Any) -> GaussianPath:
        """The same path at another place."""
        unknown = sorted(set(changes) - {"path"})
        if unknown:
            raise TypeError(f"a path has only its place to change, got {unknown[0]}")
        return GaussianPath(
            self.system, self.centre, self.spread, self.ceiling, changes.get("path", self.path)
        )

    def identity(self) -> dict[str, Any]:
        """The system's, with Gaussian, ceiling and place."""
        reference = {"centre": self.centre.tolist(), "spread": self.spread.tolist(), "ceiling": self.ceiling}
        return {**self.system.identity(), "reference": reference, "path": self.path}

    def observe(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Observables of the system at the end of the path; NaN on the way, where nobody asks for them."""
        if self.path == 1.0:
            return self.system.observe(flat)
        return dict.fromkeys(self.observables, np.full(len(flat), np.nan))

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return self.observe(flat)

    def measure_own(self, configurations: NDArray) -> dict[str, NDArray[np.float64]]:
        """As `observe`: NaN on the way, where configurations may be any."""
        if self.path == 1.0:
            return super().measure_own(configurations)
        return {one.name: np.full(len(configurations), np.nan) for one in self._own}

    def _shaped(self, flat: NDArray) -> NDArray:
        return self.system._shaped(flat)

    def _flat(self, x: Tensor, argument: str) -> Tensor:
        return self.system._flat(x, argument)

    def _flat_array(self, x: NDArray) -> NDArray[np.float64]:
        return self.system._flat_array(x)

    def _action_terms(self, flat: Tensor) -> Tensor:
        scaled = (flat - flat.new_tensor(self._start)) / flat.new_tensor(self._width)
        reduced = torch.nan_to_num(self.beta * self.system._energy(flat), nan=math.inf).clamp_max(INFINITE)
        over = (reduced - self.ceiling).clamp_min(0.0) / self.stiffness
        tempered = reduced.clamp_max(self.ceiling) + self.stiffness * torch.log1p(over)
        return torch.stack([0.5 * scaled.square().sum(1), tempered, reduced], dim=1)

    def _energy(self, flat: Tensor) -> Tensor:
        return self.temperature * (self._action_terms(flat) @ flat.new_tensor(self.action_coefficients))

    def __repr__(self) -> str:
        return f"GaussianPath({self.system!r}, path={self.path:g})"
