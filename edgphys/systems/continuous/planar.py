# SPDX-License-Identifier: MIT
r"""Planar test targets, as presets of two kinds of energy.

    mixtures   E(x) = -log sum_k w_k N(x; mu_k, v_k 1)       normalised: log Z = 0 at T = 1
    rings      E(x) = min_k (|x| - R_k)^2 / s                 log Z by quadrature

    mog2       means (+-5, 0), variance 0.25 (standard deviation 0.5)                         [1]
    mog2_i     means (-5, 0), (5, 0) with the variances 1.5 and 0.3: unequal widths           [*]
    mog6       means 5 (cos k pi/3, sin k pi/3), variance 0.25                                [1]
    mog9       means {-5, 0, 5}^2, variance 0.3                                               [2]
    ring       R = 2, s = 0.32                                                                [1]
    ring5      R = 1, 2, 3, 4, 5, s = 0.04                                                    [1]
    gmm40      40 means uniform in [-40, 40]^2, standard deviation log(1 + e) = 1.3133        [3]

All components of a mixture weigh the same. [*] is a choice of this file where its source gives the variances
only: the wide component is at (-5, 0). The code of [1] has s = 0.16 for `ring`, its text 0.32. The means of
gmm40 are ``(torch.rand(40, 2) - 0.5) * 80`` in float32 from seed 0 of torch, as in the code of [3], where the
scale parameter 1 of each component goes through a softplus and is its standard deviation.

References
----------
[1] Song, Zhao, Ermon, A-NICE-MC: adversarial training for MCMC, NeurIPS (2017), arXiv:1706.07561, and code.
[2] Zhang and Chen, Path integral sampler, ICLR (2022), arXiv:2111.15141.
[3] Midgley et al., Flow annealed importance sampling bootstrap, ICLR (2023), arXiv:2208.01893, and its code.
All of them as targets of EDG: Wang et al., arXiv:2401.02080.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgphys._checks import temperature_of
from edgphys._lazy import LazyModule
from edgphys.errors import NotExactError, UnknownNameError
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.continuous.planar_presets import MIXTURES, PRESETS, RINGS
from edgphys.systems.records import Parameter, SystemRecord

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["Planar"]


@final
class Planar(AbstractContinuousSystem):
    """Planar test target; see the module docstring.

    Parameters
    ----------
    preset : str
        One of `PRESETS`.
    temperature : float
        Positive; the published targets are at 1.

    Raises
    ------
    UnknownNameError
        If there is no such preset.
    TypeError, ValueError
        If `temperature` is no number, or not positive.

    Examples
    --------
    >>> system = Planar("mog2")
    >>> round(system.exact_results()["log_z"], 10) + 0.0, system.mode_weights().round(6)
    (0.0, array([0.5, 0.5]))
    >>> round(Planar("ring5").exact_results()["log_z"], 6)
    3.508529
    """

    name: ClassVar[str] = "planar"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="E = -log of a Gaussian mixture, or min_k (|x| - R_k)^2 / s for rings, in the plane",
        parameters=(
            Parameter("preset", f"one of {', '.join(PRESETS)}", PRESETS[0]),
            Parameter("temperature", "1 for the published targets", 1.0),
        ),
        exact=("log_z, free_energy, energy, specific_heat by quadrature",),
    )

    def __init__(self, preset: str = "mog2", temperature: float = 1.0) -> None:
        if preset not in PRESETS:
            raise UnknownNameError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
        self.preset, self.event_shape = preset, (2,)
        self.temperature = temperature_of(temperature)
        self.parameters = {"preset": preset, "temperature": self.temperature}
        if preset in RINGS:
            self._radii, self._scale = RINGS[preset]
            self._points = np.stack([self._radii, np.zeros(len(self._radii))], axis=1)
            self.formula = f"min_k (|x| - R_k)^2 / {self._scale:g}, R = {', '.join(map(str, self._radii))}"
            self.width = math.sqrt(0.5 * self._scale)
        else:
            self._points, variances = MIXTURES[preset]()
            self._variances = np.broadcast_to(variances, len(self._points)).astype(np.float64)
            self.formula = (
                f"-log of the normalised Gaussian mixture {preset}, {len(self._points)} equal weights"
            )
            self.width = math.sqrt(float(self._variances.max()))

    @property
    def is_mixture(self) -> bool:
        """Whether the energy is that of a Gaussian mixture; otherwise there are rings."""
        return self.preset in MIXTURES

    @property
    def n_modes(self) -> int:
        """Number of components, or of rings."""
        return len(self._points)

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Rotations for rings; the sign of x where the means have it."""
        if not self.is_mixture:
            return ("rotation", "z2")
        return ("z2",) if self.preset in ("mog2", "mog6", "mog9") else ()

    @property
    def conditions(self) -> tuple[str, ...]:
        """The temperature."""
        return ("temperature",)

    @property
    def kernel(self):
        return _mixture_kernel if self.is_mixture else _ring_kernel

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        if self.is_mixture:
            return np.column_stack([self._points, self._variances]).ravel()
        return np.array([self._scale, *self._radii])

    @property
    def centres(self) -> NDArray[np.float64]:
        """The means, or a point on each ring."""
        return self._points

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Even rows uniform over the square around all modes, odd rows at the modes in turn, at any angle."""
        reach = float(np.abs(self._points).max()) + 2.0 * self.width
        rows = rng.uniform(-reach, reach, (n, 2))
        for k in range(1, n, 2):
            centre = self._points[(k // 2) % self.n_modes]
            if not self.is_mixture:
                angle = rng.uniform(0.0, 2.0 * np.pi)
                centre = centre[0] * np.array([math.cos(angle), math.sin(angle)])
            rows[k] = centre + 0.3 * self.width * rng.standard_normal(2)
        return rows

    def responsibilities(self, x: NDArray) -> NDArray[np.float64]:
        """Share of each mode in each point, shape (n_batch, n_modes); their averages are the `mode_weights`.

        Of a mixture the posterior probabilities of the components, of rings 1 for the nearest and 0 else.
        """
        flat = torch.from_numpy(self._flat_array(x))
        if self.is_mixture:
            return torch.softmax(self._log_terms(flat), dim=1).numpy()
        nearest = np.abs(flat.norm(dim=1).numpy()[:, None] - self._radii).argmin(1)
        return np.eye(self.n_modes)[nearest]

    def mode_weights(self) -> NDArray[np.float64]:
        """Exact averages of the `responsibilities`, shape (n_modes,), which sum to one.

        1/n_modes for a mixture at T = 1; otherwise by quadrature.
        """
        if self.is_mixture and self.temperature == 1.0:
            return np.full(self.n_modes, 1.0 / self.n_modes)
        points, weights = self._quadrature()
        density = weights * np.exp(-(self.energy(points) - self._lowest()) / self.temperature)
        return density @ self.responsibilities(points) / density.sum()

    def _exact_moments(self) -> tuple[float, float, float]:
        points, weights = self._quadrature()
        low = self._lowest()
        reduced = (self.energy(points) - low) / self.temperature
        density = weights * np.exp(-reduced)
        z = density.sum()
        mean = float(density @ reduced / z)
        variance = float(density @ (reduced - mean) ** 2 / z)
        return (
            math.log(z) - low / self.temperature,
            low + self.temperature * mean,
            self.temperature**2 * variance,
        )

    def _lowest(self) -> float:
        return float(self.energy(self._points).min())

    def _quadrature(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Nodes in the plane, shape (n, 2), and weights, exact to rounding for this energy."""
        if not self.is_mixture:
            return self._ring_nodes()
        # The trapezoidal rule: exponentially fast, at five points a standard deviation to rounding.
        widest, narrowest = (math.sqrt(self.temperature * f(self._variances)) for f in (np.max, np.min))
        spacing, reach = narrowest / 5.0, 12.0 * widest
        axes = [
            np.arange(low - reach, high + reach, spacing)
            for low, high in zip(self._points.min(0), self._points.max(0), strict=True)
        ]
        if len(axes[0]) * len(axes[1]) > 1 << 22:
            raise NotExactError(
                f"quadrature of {self.preset} is too fine at temperature {self.temperature:g}"
            )
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        return points, np.full(len(points), spacing**2)

    def _ring_nodes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gauss-Legendre panels along the x axis, with edges midway between rings; 2 pi r in the weights."""
        reach = math.sqrt(self._scale * self.temperature)
        kinks = 0.5 * (self._radii[1:] + self._radii[:-1])
        far = self._radii[-1] + 9.0 * reach
        edges = np.union1d(np.arange(0.0, far, 0.2 * min(reach, 1.0)), kinks)
        x, w = np.polynomial.legendre.leggauss(16)
        half = 0.5 * np.diff(edges)[:, None]
        r = (edges[:-1, None] + half * (1.0 + x)).ravel()
        return np.stack([r, np.zeros_like(r)], axis=1), 2.0 * np.pi * r * (half * w).ravel()

    def _log_terms(self, flat: Tensor) -> Tensor:
        """log(w_k N(x; mu_k, v_k)), shape (n_batch, n_modes)."""
        points, variances = flat.new_tensor(self._points), flat.new_tensor(self._variances)
        squares = (flat[:, None] - points).square().sum(2)
        return -0.5 * squares / variances - torch.log(2.0 * torch.pi * variances * self.n_modes)

    def _energy(self, flat: Tensor) -> Tensor:
        if self.is_mixture:
            return -torch.logsumexp(self._log_terms(flat), dim=1)
        return self._nearest_ring(flat.norm(dim=1)).square() / self._scale

    def _nearest_ring(self, r: Tensor) -> Tensor:
        """Signed distance from the nearest ring."""
        gaps = r[:, None] - r.new_tensor(self._radii)
        return gaps.gather(1, gaps.abs().argmin(1, keepdim=True))[:, 0]

    def _energy_gradient(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        if self.is_mixture:
            terms = self._log_terms(flat)
            share = torch.softmax(terms, dim=1) / flat.new_tensor(self._variances)
            gradient = share.sum(1, keepdim=True) * flat - share @ flat.new_tensor(self._points)
            return -torch.logsumexp(terms, dim=1), gradient
        r = flat.norm(dim=1)
        gap = self._nearest_ring(r)
        return gap.square() / self._scale, (2.0 * gap / self._scale / r)[:, None] * flat

    def __repr__(self) -> str:
        return f'Planar("{self.preset}", temperature={self.temperature:g})'


@njit(nogil=True, cache=True)
def _mixture_kernel(x, gradient_out, parameters):
    n_modes = parameters.size // 3
    top = -np.inf  # of the logarithms of the terms
    for k in range(n_modes):
        u, v = x[0] - parameters[3 * k], x[1] - parameters[3 * k + 1]
        variance = parameters[3 * k + 2]
        top = max(top, -0.5 * (u * u + v * v) / variance - math.log(variance))
    total, along_x, along_y = 0.0, 0.0, 0.0
    for k in range(n_modes):
        u, v = x[0] - parameters[3 * k], x[1] - parameters[3 * k + 1]
        variance = parameters[3 * k + 2]
        term = math.exp(-0.5 * (u * u + v * v) / variance - math.log(variance) - top)
        total += term
        along_x += term * u / variance
        along_y += term * v / variance
    gradient_out[0] = along_x / total
    gradient_out[1] = along_y / total
    return math.log(2.0 * math.pi * n_modes) - top - math.log(total)


@njit(nogil=True, cache=True)
def _ring_kernel(x, gradient_out, parameters):
    r = math.sqrt(x[0] * x[0] + x[1] * x[1])
    gap = np.inf
    for k in range(1, parameters.size):
        if abs(r - parameters[k]) < abs(gap):
            gap = r - parameters[k]
    factor = 2.0 * gap / parameters[0] / max(r, 1e-300)
    gradient_out[0] = factor * x[0]
    gradient_out[1] = factor * x[1]
    return gap * gap / parameters[0]
