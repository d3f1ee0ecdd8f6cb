# SPDX-License-Identifier: MIT
r"""The particles decoder: a Gaussian cloud flows into a cluster, equivariantly under S_n x E(d).

Latents and positions live in the mean-free subspace. With Z the latents seen as n points and F the
composition of trained pair flows (`edgphys.edg.particles.layers`),

    mu(z) = F(a Z),      x = mu(z) + s J(z) xi,      J = d mu / d z,      xi ~ N(0, 1):

output noise that the decoder itself has carried along, thin where the decoder compresses. To first order in s
this is mu(z + s xi), so that the posterior of z given x is a Gaussian of the same width s in all directions
about the preimage of x: what the encoder of `edgphys.edg.particles.model` starts from. Its density needs no
inverse:

    log p_D(x | z) = -|xi|^2/2 - dim/2 log(2 pi) - dim log s - log |det J(z)| .

F is not required to be invertible, nor the inverse to be found: weights are exact for every network.
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.module import Module
from edgphys.edg.particles.layers import PairFlow, RadialBasis
from edgphys.systems.particles.mean_free import helmert

__all__ = ["ParticleDecoder"]

_LOG_2PI = math.log(2.0 * math.pi)
_LONGEST = 0.7
_N_POWER, _N_SWEEPS, _N_NEWTON = 3, 4, 12


@final
class ParticleDecoder(Module):
    """Decoder of a cluster; see the module docstring.

    Parameters
    ----------
    n_particles, n_axes : int
    scale : float
        Standard deviation of one coordinate of the cluster: a at the start.
    noise : float
        s.
    width, depth : int
        Features of a particle, and number of pair flows.
    n_gaussians : int
        Of the functions of distance.
    generator : torch.Generator

    Attributes
    ----------
    n_dims : int
        ``(n_particles - 1) n_axes``; also the number of latents.
    """

    def __init__(
        self,
        n_particles: int,
        n_axes: int,
        *,
        scale: float,
        noise: float,
        width: int,
        depth: int,
        generator: torch.Generator,
        n_gaussians: int = 24,
    ) -> None:
        super().__init__()
        self.n_particles, self.n_axes = n_particles, n_axes
        self.n_dims = (n_particles - 1) * n_axes
        self.register_buffer("basis", torch.tensor(helmert(n_particles)), persistent=False)
        self.log_amplitude = nn.Parameter(torch.tensor(math.log(scale)))
        self.noise = noise
        radial = RadialBasis(n_gaussians, scale * math.sqrt(2.0 * n_axes))
        self.flows = nn.ModuleList([PairFlow(width, radial, generator) for _ in range(depth)])

    def points(self, y: Tensor) -> Tensor:
        """(n_batch, n_dims) mean-free coordinates -> (n_batch, n_particles, n_axes) positions."""
        rows = y.view(len(y), self.n_particles - 1, self.n_axes)
        return torch.einsum("ki,bkd->bid", self.basis.to(y.dtype), rows)

    def flat(self, points: Tensor) -> Tensor:
        """Inverse of `points` for points without mean."""
        return torch.einsum("ki,bid->bkd", self.basis.to(points.dtype), points).flatten(1)

    def centre(self, z: Tensor) -> Tensor:
        """mu(z), shape (n_batch, n_dims)."""
        x = self.points(torch.exp(self.log_amplitude) * z)
        for flow in self.flows:
            x = flow(x)
        return self.flat(x)

    def tangent(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """mu(z), (n_batch, n_dims), and J / a on positions, (n_batch, n D, n D); common shifts are kept."""
        mean, steps = self._layers(z)
        return mean, _product(steps)

    def _flows(self) -> list[PairFlow]:
        return list(self.flows)  # pyright: ignore[reportReturnType]

    def _layers(self, z: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, steps = self.points(torch.exp(self.log_amplitude) * z), []
        for flow in self._flows():
            x, step = flow.with_jacobian(x)
            steps.append(step)
        return self.flat(x), steps

    def noisy(self, z: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """x of p_D(x | z), its log density, float64 (n_batch,), and the excess of stretch, (n_batch,).

        The excess is zero where every layer changes the distance of neighbouring points by less than a share
        of `_LONGEST`, so that it can be inverted.
        """
        mean, steps = self._layers(z)
        jacobian = _product(steps)
        xi = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
        x = mean + self.noise * torch.exp(self.log_amplitude) * self._applied(jacobian, xi)
        return x, self._log_prob(xi, jacobian), _excess(steps)

    def excess(self, z: Tensor) -> Tensor:
        """The excess of stretch that `noisy` gives, (n_batch,), of any latents."""
        return _excess(self._layers(z)[1])

    def _applied(self, matrix: Tensor, y: Tensor) -> Tensor:
        """A matrix on positions applied to mean-free coordinates."""
        moved = matrix @ self.points(y).flatten(1)[..., None]
        return self.flat(moved.view(len(y), self.n_particles, self.n_axes))

    def log_prob(self, x: Tensor, z: Tensor) -> Tensor:
        """log p_D(x | z), float64 (n_batch,)."""
        mean, jacobian = self.tangent(z)
        inverse = torch.linalg.inv(jacobian.double())
        xi = self._applied(inverse, x.double() - mean.double())
        return self._log_prob(xi / (self.noise * torch.exp(self.log_amplitude.double())), jacobian)

    def _log_prob(self, xi: Tensor, jacobian: Tensor) -> Tensor:
        log_det = torch.linalg.slogdet(jacobian)[1].double()
        log_scale = self.log_amplitude.double() + math.log(self.noise) + 0.5 * _LOG_2PI
        return -0.5 * xi.double().square().sum(1) - self.n_dims * log_scale - log_det

    @torch.no_grad()
    def preimage(self, x: Tensor) -> Tensor:
        """z with mu(z) close to x: layer by layer by fixed points and Newton steps."""
        y = self.points(x)
        for flow in reversed(self._flows()):
            y = _undone(flow, y)
        return self.flat(y) * torch.exp(-self.log_amplitude)


def _undone(flow: PairFlow, goal: Tensor) -> Tensor:
    """y with flow(y) close to `goal`: fixed points, then damped Newton steps for rows not there yet."""
    y = following = goal - flow.displacement(goal)
    for _ in range(_N_SWEEPS):
        y, following = following, goal - flow.displacement(following)
    miss, worst = (following - y).norm(dim=(1, 2)), flow.displacement(goal).norm(dim=(1, 2))
    # Where the iteration runs away it is not even a number.
    kept = miss < worst
    y = torch.where(kept[:, None, None], y, goal)
    miss = torch.where(kept, miss, worst)
    tolerance = 30.0 * torch.finfo(goal.dtype).eps * (1.0 + goal.abs().amax((1, 2)))
    damping = torch.ones_like(miss)
    for _ in range(_N_NEWTON):
        rows = torch.nonzero(miss > tolerance)[:, 0]
        if not len(rows):
            break
        moved, jacobian = flow.with_jacobian(y[rows])
        step = torch.linalg.solve_ex(jacobian, (goal[rows] - moved).flatten(1))[0].view_as(moved)
        there = y[rows] + damping[rows, None, None] * step
        left = (goal[rows] - there - flow.displacement(there)).norm(dim=(1, 2))
        # Not a number is no improvement either: the next step in that row is shorter.
        better = left < miss[rows]
        y = y.index_put((rows[better],), there[better])
        miss = miss.index_put((rows[better],), left[better])
        damping[rows] = torch.where(better, (2.0 * damping[rows]).clamp(max=1.0), 0.3 * damping[rows])
    return y


def _product(steps: list[Tensor]) -> Tensor:
    total = steps[0]
    for step in steps[1:]:
        total = step @ total
    return total


def _excess(steps: list[Tensor]) -> Tensor:
    return sum(torch.relu(stretch(step) - _LONGEST).square() for step in steps)  # pyright: ignore[reportReturnType]


def stretch(step: Tensor) -> Tensor:
    """Spectral norm of a Jacobian's difference from 1, (n_batch,), from below, by power iteration."""
    size = step.shape[-1]
    difference = step - torch.eye(size, dtype=step.dtype, device=step.device)
    fixed = difference.detach()
    square = fixed.mT @ fixed
    # The longest column is rarely orthogonal to the leading direction.
    longest = square.diagonal(dim1=1, dim2=2).argmax(1)
    v = square[torch.arange(len(step)), :, longest, None]
    for _ in range(_N_POWER):
        v = nn.functional.normalize(square @ v, dim=1)
    return (difference @ v).norm(dim=(1, 2))
