# SPDX-License-Identifier: MIT
r"""ODE weights: the density of the latents given x, from the probability flow of the encoder.

With the score ``-z + alpha H`` the probability-flow equation of the angle schedule is

    dz/dth = v(z, th) = -sin(th) H(z, x, sin th, g),     th from 0 to pi/2,

and carries p_E(z0 | x, g) to N(0, 1):

    log p_E(z0 | x, g) = log N(z_{pi/2}) + int_0^{pi/2} div v dth ,
    log w = log pi(x) + log p_E(g | x) + log p_E(z0 | x, g) - log p(g) - log N(z0) - log p_D(x | z0, g) .

E[w] = Z up to the error of the integrator, if the divergence is exact. With Hutchinson probes the exponent is
noisy and w is biased upward: such weights are good for a look at their mean, ``E[log w] <= log Z``, not for
log Z.

Cost: one step is four fields (rk4), and the exact divergence makes one field as dear as `n_latent` backward
passes.

References
----------
Song et al., arXiv:2011.13456, section 4.3 (the probability flow).
Chen, Rubanova, Bettencourt, Duvenaud, arXiv:1806.07366 (its density).
Grathwohl et al., arXiv:1810.01367 (one probe held fixed along a trajectory).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torchdiffeq import odeint

from edgphys.edg.core.divergence import KINDS, field_and_divergence, rademacher
from edgphys.edg.core.model import AbstractEDGModel, Draw, log_normal

__all__ = ["ode_log_weights", "ode_posterior_log_prob"]

_FIXED_STEP = ("euler", "midpoint", "heun2", "heun3", "rk4")
_ADAPTIVE = ("dopri5", "dopri8", "bosh3")


def _check_solver(divergence: str, n_probes: int, method: str, n_steps: int) -> None:
    if divergence not in KINDS:
        raise ValueError(f"divergence must be one of {KINDS}, got {divergence!r}")
    if n_probes < 1:
        raise ValueError(f"n_probes must be at least 1, got {n_probes}")
    if method not in _FIXED_STEP + _ADAPTIVE:
        raise ValueError(f"method must be one of {_FIXED_STEP + _ADAPTIVE}, got {method!r}")
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")


def _velocity(
    model: AbstractEDGModel, x: Tensor, sign: Tensor, probes: Tensor | None, chunk_size: int | None
) -> Callable[[Tensor, tuple[Tensor, Tensor]], tuple[Tensor, Tensor]]:
    """Right-hand side for the state (z, int div v), float64; the networks run in the dtype of x."""

    def velocity(angle: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        sigma = torch.sin(angle).to(x.dtype).expand(len(x))
        value, divergence = field_and_divergence(
            lambda z: model.drive(z, x, sigma, sign), state[0].to(x.dtype), probes, chunk_size
        )
        speed = -torch.sin(angle)
        return speed * value.double(), speed * divergence.double()

    return velocity


@torch.no_grad()
def ode_posterior_log_prob(
    model: AbstractEDGModel,
    z: Tensor,
    x: Tensor,
    sign: Tensor,
    generator: torch.Generator,
    *,
    divergence: str = "exact",
    n_probes: int = 1,
    method: str = "rk4",
    n_steps: int = 16,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    chunk_size: int | None = None,
) -> Tensor:
    """log p_E(z | x, g), float64, shape (n_batch,); parameters as in `ode_log_weights`."""
    _check_solver(divergence, n_probes, method, n_steps)
    probes = rademacher(n_probes, z, generator) if divergence == "hutchinson" else None
    n_points = n_steps + 1 if method in _FIXED_STEP else 2
    angles = torch.linspace(0.0, 0.5 * math.pi, n_points, dtype=torch.float64, device=z.device)
    start = (z.double(), torch.zeros(len(z), dtype=torch.float64, device=z.device))
    field = _velocity(model, x, sign, probes, chunk_size)
    # An adaptive solver must not step over pi/2, where sigma turns back, and interpolate.
    options = {"step_t": angles[-1:]} if method in _ADAPTIVE else {}
    path, integral = odeint(field, start, angles, rtol=rtol, atol=atol, method=method, options=options)
    return log_normal(path[-1]) + integral[-1]


@torch.no_grad()
def ode_log_weights(
    model: AbstractEDGModel,
    draw: Draw,
    log_density: Tensor,
    generator: torch.Generator,
    *,
    divergence: str = "exact",
    n_probes: int = 1,
    method: str = "rk4",
    n_steps: int = 16,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    chunk_size: int | None = None,
) -> Tensor:
    """log w of decoder samples, float64, shape (n_batch,).

    Parameters
    ----------
    model : AbstractEDGModel
    draw : Draw
        From ``model.draw``.
    log_density : float64 tensor, shape (n_batch,)
        Of the target at ``draw.x``, from its `lift`.
    generator : torch.Generator
        On the model's device; for the probes, drawn once and held along the trajectory.
    divergence : {"exact", "hutchinson"}
        Only "exact" gives weights that may be exponentiated.
    n_probes : int
        Rademacher probes per sample, for "hutchinson".
    method : str
        A solver of torchdiffeq: of fixed step ("rk4", ...) with `n_steps` equal steps in the angle, or
        adaptive ("dopri5", ...) with `rtol` and `atol`, where the batch shares its steps.
    n_steps : int
    rtol, atol : float
        Below 1e-6 the rounding of float32 networks takes over, and the step size collapses.
    chunk_size : int, optional
        Basis vectors of the exact divergence at once, see `edgphys.edg.core.divergence.exact_divergence`.

    Raises
    ------
    ValueError
        For an unknown `divergence` or `method`, or counts below 1.
    """
    posterior = ode_posterior_log_prob(
        model,
        draw.z,
        draw.x,
        draw.label,
        generator,
        divergence=divergence,
        n_probes=n_probes,
        method=method,
        n_steps=n_steps,
        rtol=rtol,
        atol=atol,
        chunk_size=chunk_size,
    )
    return log_density + model.log_prob_label(draw.x, draw.label).double() + posterior - draw.log_prob
