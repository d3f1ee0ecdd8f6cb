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
Song et al., arXiv:2011.13456, Eq. 13 (probability flow) and Eq. 39 (its density).
Chen, Rubanova, Bettencourt, Duvenaud, arXiv:1806.07366 (densities by integration of the divergence).
Grathwohl et al., arXiv:1810.01367 (one probe held fixed along a trajectory).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torchdiffeq import odeint

from edgphys._checks import choice, count
from edgphys.edg.core.divergence import KINDS, field_and_divergence, rademacher
from edgphys.edg.core.model import AbstractEDGModel, Draw, log_normal

__all__ = ["Flow", "StepChange", "ode_log_weights", "ode_posterior_log_prob"]

_FIXED_STEP = ("euler", "midpoint", "heun2", "heun3", "rk4")
_ADAPTIVE = ("dopri5", "dopri8", "bosh3")


@dataclass(frozen=True)
class Flow:
    """How the probability flow is integrated.

    Attributes
    ----------
    divergence : {"exact", "hutchinson"}
        Only "exact" gives weights that may be exponentiated.
    n_probes : int
        Rademacher probes per sample, for "hutchinson"; drawn once and held along the trajectory.
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
    UnknownNameError
        For an unknown `divergence` or `method`.
    ArgumentValueError
        For counts below 1.
    """

    divergence: str = "exact"
    n_probes: int = 1
    method: str = "rk4"
    n_steps: int = 16
    rtol: float = 1e-5
    atol: float = 1e-5
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        choice(self.divergence, "divergence", KINDS)
        choice(self.method, "method", _FIXED_STEP + _ADAPTIVE)
        count(self.n_probes, "n_probes", 1)
        count(self.n_steps, "n_steps", 1)

    @property
    def settings(self) -> dict[str, Any]:
        """What a dataset says of it."""
        probes = {} if self.divergence == "exact" else {"n_probes": self.n_probes}
        return {"divergence": self.divergence, "n_steps": self.n_steps, **probes}

    def coarser(self) -> Flow:
        """With half the steps; with two in place of one."""
        return replace(self, n_steps=self.n_steps // 2 if self.n_steps > 1 else 2)


_DEFAULT = Flow()


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
    flow: Flow = _DEFAULT,
) -> Tensor:
    """log p_E(z | x, g), float64, shape (n_batch,); parameters as in `ode_log_weights`."""
    probes = rademacher(flow.n_probes, z, generator) if flow.divergence == "hutchinson" else None
    n_points = flow.n_steps + 1 if flow.method in _FIXED_STEP else 2
    angles = torch.linspace(0.0, 0.5 * math.pi, n_points, dtype=torch.float64, device=z.device)
    start = (z.double(), torch.zeros(len(z), dtype=torch.float64, device=z.device))
    velocity = _velocity(model, x, sign, probes, flow.chunk_size)
    # An adaptive solver must not step over pi/2, where sigma turns back, and interpolate.
    options = {"step_t": angles[-1:]} if flow.method in _ADAPTIVE else {}
    path, integral = odeint(
        velocity, start, angles, rtol=flow.rtol, atol=flow.atol, method=flow.method, options=options
    )
    return log_normal(path[-1]) + integral[-1]


@torch.no_grad()
def ode_log_weights(
    model: AbstractEDGModel,
    draw: Draw,
    log_density: Tensor,
    generator: torch.Generator,
    flow: Flow = _DEFAULT,
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
        On the model's device; for the probes.
    flow : Flow
    """
    posterior = ode_posterior_log_prob(model, draw.z, draw.x, draw.label, generator, flow)
    return log_density + model.log_prob_label(draw.x, draw.label).double() + posterior - draw.log_prob


@dataclass
class StepChange:
    """How far log weights of a few draws move when the flow takes half the steps.

    By their mean absolute value, so that changes of either sign do not hide each other: log Z moves by less.

    Attributes
    ----------
    most : int
        Draws that are looked at.
    """

    most: int = 256
    _log_w: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def add(
        self,
        model: AbstractEDGModel,
        draw: Draw,
        log_density: Tensor,
        log_w: Tensor,
        generator: torch.Generator,
        flow: Flow,
    ) -> None:
        """The first draws, with their weights; nothing more once there are enough, or for noisy ones."""
        n = min(self.most - sum(len(full) for full, _ in self._log_w), len(log_w))
        if n <= 0 or flow.divergence != "exact":
            return
        first = Draw(draw.z[:n], draw.label[:n], draw.x[:n], draw.log_prob[:n])
        coarse = ode_log_weights(model, first, log_density[:n], generator, flow.coarser())
        self._log_w.append((log_w[:n].cpu(), coarse.cpu()))

    def state(self) -> list[tuple[Tensor, Tensor]]:
        """For `restore`; not changed by what comes."""
        return list(self._log_w)

    def restore(self, state: list[tuple[Tensor, Tensor]]) -> None:
        """Go on from `state`."""
        self._log_w = list(state)

    def attrs(self) -> dict[str, float]:
        """``log_weight_step_change``, averaged with the weights; or nothing."""
        if not self._log_w:
            return {}
        full, coarse = (torch.cat(column) for column in zip(*self._log_w, strict=True))
        share = torch.softmax(full, 0)
        return {"log_weight_step_change": float((share * (full - coarse).abs())[share > 0.0].sum())}
