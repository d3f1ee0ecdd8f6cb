# SPDX-License-Identifier: MIT
r"""Path weights: a discrete chain of latents; importance weights are unbiased for any K and any network.

Angles ``0 = th_0 < ... < th_K = pi/2``, equally spaced; (alpha_k, sigma_k) = (cos th_k, sin th_k). Forward,
exactly:

    q(z_{k+1} | z_k) = N(r z_k, 1 - r^2),     r = alpha_{k+1} / alpha_k .

Backward, with the encoder's ``z0_hat = alpha z + sigma^2 H`` at step k + 1:

    p_E(z_k | z_{k+1}, x, g) = N( (r sigma_k^2 / sigma_{k+1}^2) z_{k+1} + gain z0_hat,   bridge + gain^2 v ),
    gain = alpha_k (1 - r^2) / sigma_{k+1}^2,     bridge = sigma_k^2 (1 - r^2) / sigma_{k+1}^2,

v the variance of z0 given (z_{k+1}, x): the linear theory mode by mode, times a trained factor. Then

    log w = log pi(x) + log p_E(g | x) + log N(z_K) + sum_k log p_E(z_k | z_{k+1}, x, g)
            - log p(g) - log N(z_0) - log p_D(x | z_0, g) - sum_k log q(z_{k+1} | z_k) ,

and E[w] = Z. These weights live on the joint space of (x, g, z_0, ..., z_K).

References
----------
Ho, Jain, Abbeel, arXiv:2006.11239, Eq. 6-7 (posterior coefficients).
Neal, Statistics and Computing 11, 125 (2001) (unbiased weights on an extended space).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from edgphys.edg.core.model import AbstractEDGModel, Draw, log_normal

__all__ = ["log_weights", "reverse_log_weights", "step_table"]


@dataclass(frozen=True)
class _Step:
    """Constants of the step between th_k and th_{k+1}; alpha and sigma are those at k + 1."""

    alpha: float
    sigma: float
    ratio: float
    gain: float
    bridge: float
    pull: float


@functools.lru_cache(maxsize=64)
def _steps(n_steps: int) -> tuple[_Step, ...]:
    steps = []
    for k in range(n_steps):
        here, there = 0.5 * math.pi * k / n_steps, 0.5 * math.pi * (k + 1) / n_steps
        alpha0, sigma0 = math.cos(here), math.sin(here)
        # Exactly zero at the end, where z_K is independent of z_0.
        alpha1, sigma1 = (0.0, 1.0) if k == n_steps - 1 else (math.cos(there), math.sin(there))
        ratio = alpha1 / alpha0
        spread = (1.0 - ratio**2) / sigma1**2
        steps.append(
            _Step(alpha1, sigma1, ratio, alpha0 * spread, sigma0**2 * spread, ratio * sigma0**2 / sigma1**2)
        )
    return tuple(steps)


def step_table(n_steps: int) -> Tensor:
    """alpha_{k+1}, sigma_{k+1}, gain and bridge of every step, float64, shape (n_steps, 4)."""
    rows = [(step.alpha, step.sigma, step.gain, step.bridge) for step in _steps(n_steps)]
    return torch.tensor(rows, dtype=torch.float64)


def _reverse_kernel(
    model: AbstractEDGModel, n_steps: int, k: int, z_next: Tensor, x: Tensor, label: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean, and variance along the axes of the model, of p_E(z_k | z_{k+1}, x, c): (n_batch, n_latent)."""
    step, ones = _steps(n_steps)[k], torch.ones(len(x), device=x.device, dtype=x.dtype)
    index = None if n_steps != model.n_path_steps else torch.full((len(x),), k, device=x.device)
    estimate, spread = model.denoise(z_next, x, step.alpha * ones, step.sigma * ones, label, index)
    return step.pull * z_next + step.gain * estimate, step.bridge + step.gain**2 * spread


def _log_ratio(
    model: AbstractEDGModel, step: _Step, z: Tensor, z_next: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    """log p_E(z_k | z_{k+1}) - log q(z_{k+1} | z_k), summed in float64."""
    spread = 1.0 - step.ratio**2
    backward = model.project(z - mean).double().square() / variance.double() + torch.log(variance.double())
    forward = (z_next - step.ratio * z).double().square() / spread + math.log(spread)
    return 0.5 * (forward - backward).sum(1)


@torch.no_grad()
def log_weights(
    model: AbstractEDGModel, draw: Draw, log_density: Tensor, n_steps: int, generator: torch.Generator
) -> Tensor:
    """log w of decoder samples, float64, shape (n_batch,); E[w] = Z.

    Parameters
    ----------
    model : AbstractEDGModel
    draw : Draw
        From ``model.draw``.
    log_density : float64 tensor, shape (n_batch,)
        Of the target at ``draw.x``, from its `lift`.
    n_steps : int
        K >= 1.
    generator : torch.Generator
        On the model's device.
    """
    total = log_density - draw.log_prob + model.log_prob_label(draw.x, draw.label).double()
    z = draw.z
    for k, step in enumerate(_steps(n_steps)):
        noise = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
        z_next = step.ratio * z + math.sqrt(1.0 - step.ratio**2) * noise
        mean, variance = _reverse_kernel(model, n_steps, k, z_next, draw.x, draw.label)
        total = total + _log_ratio(model, step, z, z_next, mean, variance)
        z = z_next
    return total + log_normal(z)


@torch.no_grad()
def reverse_log_weights(
    model: AbstractEDGModel, x: Tensor, log_density: Tensor, n_steps: int, generator: torch.Generator
) -> Tensor:
    """log w of reference samples whose latents come from the encoder, float64; E[log w] >= log Z.

    Parameters
    ----------
    model : AbstractEDGModel
    x : tensor, shape (n_batch, n_dims)
        Distributed as the target.
    log_density : float64 tensor, shape (n_batch,)
        From the target's `lower`.
    n_steps : int
    generator : torch.Generator
    """
    like = {"generator": generator, "device": x.device, "dtype": x.dtype}
    label = model.draw_label(x, generator)
    z = torch.randn(len(x), model.n_latent, **like)
    total = log_density + model.log_prob_label(x, label).double() + log_normal(z)
    for k in reversed(range(n_steps)):
        mean, variance = _reverse_kernel(model, n_steps, k, z, x, label)
        noise = torch.randn(z.shape, **like) * torch.sqrt(variance)
        z_here = mean + model.combine(noise)
        total = total + _log_ratio(model, _steps(n_steps)[k], z_here, z, mean, variance)
        z = z_here
    return total - model.log_prob_given(x, z, label)
