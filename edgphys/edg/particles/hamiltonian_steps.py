# SPDX-License-Identifier: MIT
r"""Hamiltonian steps behind a decoder: every step with momenta of its own, equivariant, undone exactly.

From y = x_0, for l = 1 .. K, with v ~ N(0, 1) and g the gradient of U, cut smoothly where it is very long,

    v -= e_l/2 c_l g(y),     y += e_l v,     v -= e_l/2 c_l g(y),     v'_l = v exp(s_l) .

Numbers e_l > 0, c_l > 0 and s_l are trained: what is left of the generalised dynamics (GHD,
`edgphys.edg.mixture.hamiltonian_decoder`) where networks of single coordinates would break rotations and
permutations. A step can be undone from (y, v'_l), and its volume is known. The draw is the phase-space
point X = (x_K, v'_1, .., v'_K), of density

    p(X) = p(x_0) prod_l N(v_l) exp(-d s_l),     target  exp(-U(x_K)) prod_l N(v'_l) ,

so that weights stay exact: the encoder draws the momenta at the ends of the steps from N(0, 1) and undoes
the rest.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080, section 3.3 (GHD). Wu, Koehler, Noe, Stochastic normalizing flows,
arXiv:2002.06707 (weights of dynamics with momenta).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.model import log_normal
from edgphys.edg.core.module import Module
from edgphys.edg.mixture.hamiltonian_decoder import bounded_exp

__all__ = ["HamiltonianSteps"]

_STEP, _LONGEST_FORCE = 0.3, 10.0


@final
class HamiltonianSteps(Module):
    """See the module docstring.

    Parameters
    ----------
    gradient : callable
        Gradient of U at x, (n_batch, n_dims) -> the same; differentiable in training.
    n_steps : int
        K.
    stiffness : float
        Typical size of one component of the gradient: steps begin at 0.3 over it.
    """

    def __init__(self, gradient: Callable[[Tensor], Tensor], n_steps: int, stiffness: float) -> None:
        super().__init__()
        self._gradient, self.n_steps = gradient, n_steps
        self.log_step = nn.Parameter(torch.full((n_steps,), math.log(_STEP / stiffness)))
        self.log_force = nn.Parameter(torch.zeros(n_steps))
        self.log_momentum = nn.Parameter(torch.zeros(n_steps))
        self.register_buffer("longest", torch.tensor(_LONGEST_FORCE * stiffness))

    def driven_by(self, gradient: Callable[[Tensor], Tensor]) -> HamiltonianSteps:
        """The steps with another gradient; all weights are shared."""
        other = self.twin()
        other._gradient = gradient
        return other

    def force(self, y: Tensor) -> Tensor:
        """Gradient of U, cut to a finite length."""
        g = self._gradient(y)
        return g / torch.sqrt(1.0 + g.square().mean(1, keepdim=True) / self.longest.to(y.dtype) ** 2)

    def forward(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Phase-space points, (n_batch, (K + 1) n_dims), and what they add to log p, float64 (n_batch,)."""
        y, ends = x, []
        log_prob = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        force = self.force(y)
        for k in range(self.n_steps):
            v = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            step, kick, scale, volume = self._numbers(k, x)
            log_prob = log_prob + log_normal(v) - volume
            v = v - kick * force
            y = y + step * v
            force = self.force(y)
            ends.append(scale * (v - kick * force))
        return torch.cat([y, *ends], 1), log_prob

    def back(self, phase: Tensor) -> tuple[Tensor, Tensor]:
        """x_0 of phase-space points, and what the steps add to log p."""
        y, *ends = phase.chunk(self.n_steps + 1, 1)
        log_prob = torch.zeros(len(y), dtype=torch.float64, device=y.device)
        force = self.force(y)
        for k in reversed(range(self.n_steps)):
            step, kick, scale, volume = self._numbers(k, y)
            v = ends[k] / scale + kick * force
            y = y - step * v
            force = self.force(y)
            log_prob = log_prob + log_normal(v + kick * force) - volume
        return y, log_prob

    def _numbers(self, k: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """e, e c / 2, exp(s), and the log of the volume's growth."""
        step, scale = torch.exp(self.log_step[k]).to(x.dtype), bounded_exp(self.log_momentum[k]).to(x.dtype)
        kick = 0.5 * step * bounded_exp(self.log_force[k])
        return step, kick.to(x.dtype), scale, x.shape[1] * torch.log(scale).double()
