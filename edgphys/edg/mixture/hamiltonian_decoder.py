# SPDX-License-Identifier: MIT
r"""The Hamiltonian decoder (GHD): Gaussian latents carried along generalised Hamiltonian dynamics of U.

z0 = (zeta, v_1 .. v_K), dimension (K + 1) d. In the frame of the component c, x = m_c + L_c y, with
``g(y) = L_c^T grad U(x)``: a change of variables that gives every direction unit stiffness. From y = zeta,
for l = 1 .. K, with v = v_l,

    v -= e_l/2 [ g(y) exp(Q_v) + T_v ],     y += e_l [ v exp(Q_y) + T_y ],     e_l = exp(eps_l),

and at the end x: y - h g(y) + sqrt(2h) xi, h = h_0 exp(eta(y)), with

Q_v, T_v networks of (y, g(y), l, c), Q_y, T_y of (v, l, c), eta of (y, g(y), c); all zero at the start, where
each step nearly preserves N(0, 1) in a Gaussian basin. The last line is a Langevin step. Where a frame holds
several narrow basins the force is stiffer by a factor s: steps begin at 0.5 / sqrt(s) and h_0 at 0.15 / s,
so that the dynamics is stable in each. A force longer than ten times its typical length is cut smoothly, and
Q and eta lie within +-2 by a tanh, so that a network still in training cannot throw x to infinity.

The last components, wide ones (`edgphys.edg.mixture.wide_components`), have no dynamics, which would carry
their draws back to the basins: y is N(0, 1), the sum of the groups in the proportions of the linear theory.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080, section 3.3 (generalised Hamiltonian decoder; there the scale of Q and
T is tied to the step size, which changes the rate of learning, not the family of maps).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.module import Module
from edgphys.edg.core.networks import Perceptron
from edgphys.edg.mixture.decoder import Bent, Frames
from edgphys.edg.mixture.gaussian_mixture import GaussianMixture

__all__ = ["HamiltonianDecoder", "bounded_exp", "stiffness_of"]

# At unit stiffness: steps, and h_0, for which the output noise is the share of the lattice decoders.
_STEP, _H = 0.5, 0.15
_LONGEST_FORCE = 10.0
# Of |Q| and |eta|: without it the loss overflowed in a third of the trainings from one Gaussian.
_LARGEST_LOG_SCALE = 2.0


@final
class HamiltonianDecoder(Module):
    """GHD decoder; see the module docstring.

    Parameters
    ----------
    mixture : GaussianMixture
        Start of zeta.
    gradient : callable
        Gradient of U at x, (n_batch, n_dims) -> the same.
    n_leapfrog : int
        K.
    width, depth : int
        Of the networks.
    generator : torch.Generator
    stiffness : float
        s, at least 1; see `stiffness_of`.
    n_wide : int
        The last components, so many, stay as they are.

    Attributes
    ----------
    n_groups : int
        K + 1 groups of `n_dims` latents.
    has_force : bool
        True: the encoder sees `force` too.
    """

    has_force = True

    def __init__(
        self,
        mixture: GaussianMixture,
        gradient: Callable[[Tensor], Tensor],
        n_leapfrog: int,
        width: int,
        depth: int,
        generator: torch.Generator,
        stiffness: float = 1.0,
        n_wide: int = 0,
    ) -> None:
        super().__init__()
        self.frames, self._gradient = Frames(mixture), gradient
        self.n_labels, d = self.frames.n_labels, self.frames.n_dims
        self.n_dims, self.n_groups = d, n_leapfrog + 1
        self.n_latent = d * self.n_groups
        extra = self.n_labels + n_leapfrog
        self.register_buffer("stiffness", torch.tensor(float(stiffness)))
        self._step, self._h = _STEP / math.sqrt(stiffness), _H / stiffness
        self.log_step = nn.Parameter(torch.full((n_leapfrog,), math.log(self._step)))
        self.log_h = nn.Parameter(torch.full((self.n_labels,), math.log(self._h)))
        self.kick = Perceptron(2 * d + extra, 2 * d, width, depth, generator)
        self.drift = Perceptron(d + extra, 2 * d, width, depth, generator)
        self.spread = Perceptron(2 * d + self.n_labels, 1, width, depth, generator)
        self.bent = Bent(self.n_labels, n_wide)

    def driven_by(self, gradient: Callable[[Tensor], Tensor]) -> HamiltonianDecoder:
        """The decoder with the force of another energy; all weights are shared."""
        other = self.twin()
        other._gradient = gradient
        return other

    def linear_theory(self) -> tuple[Tensor, Tensor]:
        """Amplitude of each latent in y, (n_labels, n_groups, n_dims), and noise, in a Gaussian basin."""
        powers = self._powers()
        bent = (1 - self._h) * powers[None, :, None]
        still = math.exp(Bent.log_amplitude) * (powers / powers.norm())[None, :, None]
        shape, is_bent = (self.n_labels, self.n_groups, self.n_dims), self.bent.is_bent
        amplitude = torch.where(is_bent[..., None], bent, still).expand(shape).clone()
        noise = torch.where(is_bent, math.sqrt(2 * self._h), math.exp(Bent.log_noise))
        return amplitude, noise.expand(self.n_labels, self.n_dims).clone()

    def _powers(self) -> Tensor:
        """Amplitude of each group in y before the last step, (n_groups,)."""
        n, stay = self.n_groups - 1, 1 - 0.5 * self._step**2
        return torch.tensor([stay**n, *(self._step * stay ** (n - k) for k in range(1, n + 1))])

    def force(self, y: Tensor, label: Tensor) -> Tensor:
        """g(y), cut to a finite length."""
        force = _force(self.frames, self._gradient, y, label)
        longest = _LONGEST_FORCE * math.sqrt(self.n_dims)
        return force / torch.sqrt(1 + (force.square().sum(1, keepdim=True) / longest**2))

    def centre(self, z: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of y and log of its standard deviation, both (n_batch, n_dims), in the frame of the label."""
        parts = z.view(len(z), self.n_groups, self.n_dims)
        y, kind = parts[:, 0], nn.functional.one_hot(label, self.n_labels).to(z.dtype)
        force = self.force(y, label)
        n = self.n_groups - 1
        for k in range(n):
            where = torch.zeros(len(z), n, dtype=z.dtype, device=z.device)
            where[:, k] = 1.0
            tail, step = torch.cat([kind, where], 1), torch.exp(self.log_step[k])
            v = parts[:, k + 1]
            v = v - 0.5 * step * self._kicked(y, force, tail)
            scale, shift = self.drift(torch.cat([v, tail], 1)).chunk(2, 1)
            y = y + step * (v * bounded_exp(scale) + shift)
            force = self.force(y, label)
            # The second half kick changes v, which the next step draws afresh: it would have no effect.
        eta = self.spread(torch.cat([y, self._tame(force), kind], 1))
        h = torch.exp(self.log_h[label])[:, None] * bounded_exp(eta)
        powers = self._powers().to(z)
        together = torch.einsum("g,ngd->nd", powers / powers.norm(), parts)
        return self.bent(y - h * force, 0.5 * torch.log(2 * h).expand_as(y), together, label)

    def _kicked(self, y: Tensor, force: Tensor, tail: Tensor) -> Tensor:
        scale, shift = self.kick(torch.cat([y, self._tame(force), tail], 1)).chunk(2, 1)
        return force * bounded_exp(scale) + shift

    @staticmethod
    def _tame(force: Tensor) -> Tensor:
        """Compressed for the networks."""
        return torch.asinh(force)


def stiffness_of(
    mixture: GaussianMixture,
    gradient: Callable[[Tensor], Tensor],
    generator: torch.Generator,
    n_draws: int = 512,
) -> float:
    """s: median length of the force over draws of the mixture, in its frames; 1 in a Gaussian basin."""
    frames, weights = Frames(mixture), torch.from_numpy(mixture.weights)
    label = torch.multinomial(weights, n_draws, True, generator=generator)
    y = torch.randn(n_draws, frames.n_dims, generator=generator)
    # Not the mean: draws in a hard core must not decide.
    force, width = (float(g.norm(dim=1).median()) for g in (_force(frames, gradient, y, label).detach(), y))
    return max(1.0, force / width)


def _force(frames: Frames, gradient: Callable[[Tensor], Tensor], y: Tensor, label: Tensor) -> Tensor:
    outward = gradient(frames.outward(y, label))
    return torch.einsum("nji,nj->ni", frames.roots[label].to(y.dtype), outward)


def bounded_exp(value: Tensor) -> Tensor:
    """exp(value) near 0, never further from 1 than the bound."""
    return torch.exp(_LARGEST_LOG_SCALE * torch.tanh(value / _LARGEST_LOG_SCALE))
